# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""From a micrograph, by hand or through its indexed peaks, to a StrainMap."""

import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from hyperspy_t2t.calibration import ImageGrid, image_grid, nanometres_per_unit
from hyperspy_t2t.frames import check_convention
from hyperspy_t2t.phases.composition_phase import composition_phase_shift
from hyperspy_t2t.signals import _convert
from hyperspy_t2t.signals._companions import as_dask, small_or_dask, user_level
from hyperspy_t2t.signals._measured_strain import (
    Measured,
    Setup,
    coarse_labels,
    measured,
)
from hyperspy_t2t.signals._provenance import processing
from hyperspy_t2t.signals._reference import Box, box_pixels, reference_box
from hyperspy_t2t.signals._source import Source
from hyperspy_t2t.strain.continuation import (
    core,
    linear_continuation,
    nearest_known,
)
from hyperspy_t2t.strain.gpa import PhaseField
from hyperspy_t2t.strain.limits import check_g_vectors, resolution_limits
from hyperspy_t2t.strain.maps import LatticeField, strain_block
from hyperspy_t2t.strain.setup import (
    Domain,
    RegionSpots,
    best_reference,
    choose_domains,
    choose_g_pair,
    finest_resolution,
    shares,
    steady_pair,
)
from hyperspy_t2t.strain.useful_g import lattice_nodes

COMPONENTS = ("exx", "eyy", "exy", "rotation")
_STEADY = 0.05
"""Phase shift in radians below which a fringe says nothing of the composition."""


def gpa_by_hand(
    micrograph: Any, *, g_vectors: Any, reference: Any, resolution: Any, convention: str
) -> Any:
    """StrainMap of a micrograph without regions."""
    check_convention(convention)
    grid = image_grid(micrograph)
    given_g = _given_g(g_vectors)
    if given_g is None:
        raise ValueError(
            "Expected two or more g-vectors (gx, gy) in 1/nm, got "
            f"{g_vectors!r}, which needs peaks: use s.segment().find_peaks().gpa()."
        )
    check_g_vectors(given_g, grid)
    labels = np.ones(grid.shape, np.int32)
    if micrograph._lazy:
        import dask.array as da

        labels = da.ones(grid.shape, dtype=np.int32, chunks=micrograph.data.chunks)
    source = Source(micrograph.data, labels, grid, micrograph._lazy)
    box = None
    if reference is not None:
        box = reference_box(reference, grid, _units_of(micrograph))
    domain = Domain(1, (1,), given_g, "chosen by the user", "chosen by the user")
    sigma, coarsest = _resolutions(resolution, domain, {}, grid)
    nodes = lattice_nodes(domain.pair, grid, sigma)
    setup = Setup(domain, sigma, coarsest, nodes, np.zeros(len(nodes), bool))
    given = {
        "g_vectors": given_g,
        "reference": "whole image" if box is None else np.array(box),
        "resolution": resolution,
        "convention": convention,
    }
    return _strain_map(micrograph, source, [setup], box, convention, given)


def gpa_of_peaks(
    peaks: Any, *, reference: Any, g_vectors: Any, resolution: Any, convention: str
) -> Any:
    """StrainMap of the crystalline regions of a peak set."""
    check_convention(convention)
    source = Source.from_metadata(peaks)
    regions = spots_by_region(peaks, source)
    if not regions:
        raise ValueError(
            "Expected at least one crystalline region, got "
            f"{len(peaks.region_labels)} regions without two independent peaks. "
            "Check peaks.plot(label), or find weaker peaks with a larger "
            "false_alarms in find_peaks."
        )
    given_g = _given_g(g_vectors)
    if given_g is not None:
        check_g_vectors(given_g, source.grid)
    pair = None if given_g is None else given_g[:2]
    label, box = _reference(reference, regions, source, pair)
    domains = choose_domains(regions, reference=label, g_vectors=given_g)
    if not domains:
        raise ValueError("Expected two peaks in different directions, got none.")
    setups = [
        _setup(peaks, domain, regions, source.grid, resolution, g_vectors)
        for domain in domains
    ]
    given = {
        "reference": reference if isinstance(reference, (str, int)) else str(reference),
        "g_vectors": g_vectors if given_g is None else given_g,
        "resolution": resolution,
        "convention": convention,
    }
    return _strain_map(peaks, source, setups, box, convention, given)


def _setup(
    peaks: Any,
    domain: Domain,
    regions: dict,
    grid: ImageGrid,
    resolution: Any,
    g_vectors: Any,
) -> Setup:
    """How a domain is measured; "auto" takes all nodes of its lattice that are of use.

    If the pair says nothing of the composition, neither do the others.
    """
    sigma, coarsest = _resolutions(resolution, domain, regions, grid)
    spots = {label: regions[label] for label in domain.members}
    reference = spots[domain.reference]
    pair = choose_g_pair(replace(reference, steady=None))
    nodes = lattice_nodes(domain.pair if pair is None else pair, grid, sigma)
    usable = np.zeros(len(nodes), bool)
    if isinstance(g_vectors, str) and g_vectors == "auto":
        usable[:] = True
        if steady_pair(reference, domain.pair):
            usable = _steady_nodes(peaks, domain.reference, nodes)
        domain = replace(
            domain,
            g_reason=f"{domain.g_reason}, and all nodes of its lattice that stand out "
            "of the noise",
        )
    return Setup(domain, sigma, coarsest, nodes, usable, spots)


def _resolutions(
    wanted: Any, domain: Domain, regions: dict, grid: ImageGrid
) -> tuple[float, float | None]:
    """The given resolution and None, or the finest and coarsest to choose from, nm."""
    if not (isinstance(wanted, str) and wanted == "auto"):
        return _given_resolution(wanted), None
    finest, coarsest = resolution_limits(domain.g_vectors, grid)
    return max(finest, min(finest_resolution(domain, regions), coarsest)), coarsest


def spots_by_region(peaks: Any, source: Source) -> dict[int, RegionSpots]:
    """The crystalline regions with what the choice of reference needs."""
    regions = {}
    indexed = peaks.metadata.has_item("Phases")
    sums = source.sums()
    for label, box in source.boxes().items():
        if label not in peaks.region_labels or not peaks.is_crystalline(label):
            continue
        rows = peaks._spots(label)
        best = peaks.best(label) if indexed else None
        regions[label] = RegionSpots(
            g=rows[:, :2],
            snr=rows[:, 5],
            indexed=np.zeros(len(rows), bool) if best is None else best.matched,
            score=0.0 if best is None else best.score,
            scale=1.0 if best is None else best.scale,
            area=float(sums[label][0] * np.prod(source.grid.pixel_size)),
            sides=sum(
                (part.start == 0) + (part.stop == size)
                for part, size in zip(box, source.grid.shape, strict=True)
            ),
            steady=None if best is None else _steady(best, best.hkl),
        )
    return regions


def _steady(solution: Any, hkl: np.ndarray) -> np.ndarray:
    """Whether the phase of each reflection stays where elements are replaced."""
    return composition_phase_shift(solution.crystal, hkl) < _STEADY


def _steady_nodes(peaks: Any, label: int, nodes: np.ndarray) -> np.ndarray:
    """The same of nodes of a region's lattice in 1/nm, shape (m, 2)."""
    best = peaks.best(label)
    g = peaks._spots(label)[best.matched, :2]
    to_hkl, *_ = np.linalg.lstsq(g, best.hkl[best.matched].astype(float), rcond=None)
    return _steady(best, np.rint(nodes @ to_hkl))


def _given_g(g_vectors: Any) -> np.ndarray | None:
    """The g-vectors of the user, None for "auto" and "pair"."""
    if not isinstance(g_vectors, str):
        return np.asarray(g_vectors, float)
    if g_vectors not in ("auto", "pair"):
        raise ValueError(
            "Expected g_vectors as 'auto', 'pair' or two or more frequencies (gx, gy) "
            f"in 1/nm, got {g_vectors!r}."
        )
    return None


def _units_of(signal: Any) -> tuple[float, float]:
    """Length in nm of the units of the x and y axes."""
    x_axis, y_axis = signal.axes_manager.signal_axes
    return nanometres_per_unit(x_axis.units), nanometres_per_unit(y_axis.units)


def _reference(
    reference: Any, regions: dict, source: Source, pair: np.ndarray | None
) -> tuple[int | None, Box | None]:
    """Label and box of the reference the user wants, None for what is automatic."""
    if isinstance(reference, str) and reference == "auto":
        if pair is None:
            return None, None
        fitting = {k: r for k, r in regions.items() if shares(r, pair)}
        if not fitting:
            raise ValueError(
                f"Expected g-vectors near peaks of some region, got {pair.tolist()} "
                "1/nm. See peaks.region(label)."
            )
        return best_reference(fitting)[0], None
    if isinstance(reference, (int, np.integer)):
        if int(reference) not in regions:
            raise ValueError(
                "Expected the label of a crystalline region as reference, one of "
                f"{sorted(regions)}; got {reference}."
            )
        _check_shared(regions[int(reference)], int(reference), pair)
        return int(reference), None
    box = reference_box(reference, source.grid)
    part = np.asarray(source.labels[box_pixels(box, source.grid)])
    counts = {label: int((part == label).sum()) for label in regions}
    label = max(counts, key=lambda key: counts[key])
    if counts[label] == 0:
        raise ValueError(
            f"Expected a reference in a crystalline region ({sorted(regions)}), got "
            f"{box} nm, where there is none."
        )
    _check_shared(regions[label], label, pair)
    return label, box


def _check_shared(region: RegionSpots, label: int, pair: np.ndarray | None) -> None:
    """Raise a ValueError if the user's g are far from all peaks of the reference."""
    if pair is not None and not shares(region, pair):
        raise ValueError(
            f"Expected g-vectors near peaks of region {label}, the reference, got "
            f"{pair.tolist()} 1/nm. See peaks.region({label})."
        )


def _given_resolution(wanted: Any) -> float:
    sigma = np.nan if isinstance(wanted, str) else float(wanted)
    if not 0 < sigma < np.inf:
        raise ValueError(
            f"Expected a resolution above 0 nm (the standard deviation of the "
            f"average) or 'auto', got {wanted!r}."
        )
    return sigma


def _strain_map(
    origin: Any,
    source: Source,
    setups: Sequence[Setup],
    box: Box | None,
    convention: str,
    given: dict,
) -> Any:
    """Measure every domain and assemble the signal."""
    domains = _measured_domains(source, setups, box, convention)
    first = domains["domain_0"]
    strain = {
        "schema_version": 1,
        "convention": convention,
        "components": ", ".join(COMPONENTS),
        "reference_region": first["reference"],
        "reference_reason": first["reason"],
        "reference_box": np.array(box if box is not None else ()),
        "resolution": first["resolution"],
        "resolution_units": "nm",
        "resolution_reason": first["resolution_reason"],
        "g_vectors": first["g_vectors"],
        "g_vectors_units": "1/nm",
        "g_vectors_reason": first["g_vectors_reason"],
        "domains": domains,
    }
    metadata = {
        **_convert.acquisition(origin),
        "Strain": strain,
        "Source": source.to_dict(),
        "Processing": processing(origin, "gpa", given),
    }
    if origin.metadata.has_item("Phases"):
        metadata["Phases"] = origin.metadata.Phases.as_dictionary()
    fields = [field_of(domain) for domain in domains.values()]
    data = by_blocks(source, 4, strain_block, fields, convention=convention)
    axes = [
        {"name": "component", "size": 4, "navigate": True},
        *_convert.grid_axes(source.grid),
    ]
    title = origin.metadata.General.title
    if origin.metadata.Signal.signal_type != "micrograph":
        title = title.rpartition(":")[0]
    return _convert.signal_of(
        "strain_map", data, axes, metadata, title=f"{title}: strain"
    )


def _measured_domains(
    source: Source, setups: Sequence[Setup], box: Box | None, convention: str
) -> dict[str, dict]:
    """All domains that can be measured, for metadata; the first one must be."""
    domains: dict[str, dict] = {}
    noisy: list[int] = []
    for number, setup in enumerate(setups):
        for found in measured(source, setup, box if number == 0 else None):
            if domains and found.faintest >= 1:
                noisy.extend(found.domain.members)
                continue
            labels = coarse_labels(source, found.field.grid)
            _say_where_unknown(found.domain, found.field, found.faintest, labels)
            domains[f"domain_{len(domains)}"] = _domain_to_dict(found, convention)
    if noisy:
        warnings.warn(
            f"The fringes of the regions {sorted(noisy)} do not stand above the noise: "
            "they have no strain. Average over more with a larger resolution.",
            UserWarning,
            stacklevel=user_level(),
        )
    return domains


def _say_where_unknown(
    domain: Domain, field: PhaseField, limit: float, labels: np.ndarray
) -> None:
    """Warn of regions whose fringes are mostly lost in noise; an error if all are."""
    advice = "average over more with a larger resolution, or choose other g_vectors"
    if limit >= 1:
        raise ValueError(
            f"Expected fringes above the noise in region {domain.reference}, the "
            f"reference, got noise of {limit / 3:.2g} of their amplitude: {advice}."
        )
    seen = field.amplitude > limit
    lost = [
        member
        for member in domain.members
        if (labels == member).any() and seen[labels == member].mean() < 0.5
    ]
    if lost:
        warnings.warn(
            f"The fringes of the regions {lost} stand above the noise in less than "
            f"half of their area, the rest has no strain: {advice}.",
            UserWarning,
            stacklevel=user_level(),
        )


def _domain_to_dict(found: Measured, convention: str) -> dict:
    """A measured domain for metadata."""
    domain, field, noise = found.domain, found.field, found.noise
    return {
        "reference": domain.reference,
        "members": np.array(domain.members),
        "reason": domain.reason,
        "resolution": found.resolution,
        "resolution_reason": found.reason,
        "faintest": found.faintest,
        "noise_density": noise.density,
        "noise_gain": noise.gain,
        "g_vectors": field.g_vectors,
        "g_vectors_reason": domain.g_reason,
        "grid": field.grid.to_dict(),
        "displacement": small_or_dask(field.displacement),
        "gradient": small_or_dask(field.gradient),
        "amplitude": small_or_dask(field.amplitude),
        "std": small_or_dask(field.std(convention)),
    }


def field_of(domain: dict) -> LatticeField:
    """Interpolating field of a stored domain."""
    return LatticeField.from_samples(
        ImageGrid.from_dict(domain["grid"]),
        np.asarray(domain["members"]),
        np.asarray(domain["displacement"]),
        np.asarray(domain["gradient"]),
        np.asarray(domain["amplitude"]),
        faintest=float(domain["faintest"]),
        std=np.asarray(domain["std"]) if "std" in domain else None,
    )


def field_of_region(domain: dict, source: Source, label: int) -> LatticeField:
    """Field of a stored domain as one of its regions alone has it.

    An average across a border mixes two lattices. What the inside of the region
    says is continued to its border, so that its atoms follow its own lattice.
    """
    grid = ImageGrid.from_dict(domain["grid"])
    inside = coarse_labels(source, grid) == label
    if not inside.any():
        return field_of(domain)
    amplitude = np.asarray(domain["amplitude"])
    # Where the fringes are lost in noise, the lattice around is the better guess.
    strong = inside & (amplitude > float(domain["faintest"]))
    known = core(strong if strong.any() else inside)
    gradient = np.asarray(domain["gradient"])
    displacement = linear_continuation(
        np.asarray(domain["displacement"]), gradient, grid, known
    )
    return LatticeField.from_samples(
        grid,
        (label,),
        displacement,
        gradient[(..., *nearest_known(known))],
        amplitude,
        faintest=float(domain["faintest"]),
    )


def by_blocks(
    source: Source, depth: int, kernel: Any, *args: Any, **kwargs: Any
) -> Any:
    """kernel(labels, grid, …) of the whole image, or lazily of each of its chunks."""
    if not source.lazy:
        return kernel(np.asarray(source.labels), source.grid, *args, **kwargs)
    import dask
    import dask.array as da

    labels = as_dask(source.labels)
    edges = [np.concatenate([[0], np.cumsum(sizes)]) for sizes in labels.chunks]
    args = tuple(dask.delayed(value, pure=True) for value in args)
    lines = []
    for i, line in enumerate(labels.to_delayed()):
        blocks = []
        for j, block in enumerate(line):
            rows, columns = (
                slice(int(edge[k]), int(edge[k + 1]))
                for edge, k in zip(edges, (i, j), strict=True)
            )
            part = dask.delayed(kernel)(
                block, source.grid.window(rows, columns), *args, **kwargs
            )
            shape = (depth, rows.stop - rows.start, columns.stop - columns.start)
            blocks.append(da.from_delayed(part, shape, dtype=np.float32))
        lines.append(da.concatenate(blocks, axis=2))
    return da.concatenate(lines, axis=1)
