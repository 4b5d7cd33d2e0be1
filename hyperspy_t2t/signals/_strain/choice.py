# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""What is chosen before strain is measured: reference, g-vectors, resolutions."""

from dataclasses import replace
from typing import Any

import numpy as np

from hyperspy_t2t.arguments import as_numbers
from hyperspy_t2t.calibration import ImageGrid
from hyperspy_t2t.signals._carried.source import Source
from hyperspy_t2t.signals._strain.measured_strain import (
    Setup,
)
from hyperspy_t2t.signals._strain.reference import Box, box_pixels, reference_box
from hyperspy_t2t.signals._strain.steady import (
    crystals_of,
    hkl_of,
    relative_strength,
    steady,
)
from hyperspy_t2t.strain.flatness import unevenness
from hyperspy_t2t.strain.limits import resolution_limits
from hyperspy_t2t.strain.setup import (
    Domain,
    RegionSpots,
    best_reference,
    choose_g_pair,
    contenders,
    finest_resolution,
    shares,
    steady_pair,
)
from hyperspy_t2t.strain.useful_g import lattice_nodes

_JUDGED = 768
"""Longest side in pixels of the part of a region whose uniformity is looked at."""


def setup_of_domain(
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
    sigma, coarsest = resolutions_of(resolution, domain, regions, grid)
    spots = {label: regions[label] for label in domain.members}
    reference = spots[domain.reference]
    pair = choose_g_pair(replace(reference, steady=None))
    nodes = lattice_nodes(domain.pair if pair is None else pair, grid, sigma)
    usable, strength = np.ones(len(nodes), bool), None
    if steady_pair(reference, domain.pair):
        usable, strength = _told_by_phase(peaks, domain, nodes)
    if isinstance(g_vectors, str) and g_vectors == "auto":
        domain = replace(
            domain,
            g_reason=f"{domain.g_reason}, and all nodes of its lattice that stand out "
            "of the noise",
        )
    else:
        usable[:] = False
    return Setup(domain, sigma, coarsest, nodes, usable, spots, strength)


def _told_by_phase(
    peaks: Any, domain: Domain, nodes: np.ndarray
) -> tuple[np.ndarray, np.ndarray | None]:
    """Nodes that keep their phase, and the strength of the domain's g and of nodes.

    The strength only in crystals where the composition shifts the phase of some.
    """
    crystal = peaks.best(domain.reference).crystal
    others = crystals_of(peaks, domain.members)
    hkl = hkl_of(peaks, domain.reference, np.concatenate([domain.g_vectors, nodes]))
    usable = steady(crystal, hkl[len(domain.g_vectors) :], others)
    if steady(crystal, hkl, others).all():
        return usable, None
    return usable, relative_strength(crystal, hkl)


def resolutions_of(
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
    counts, boxes = source.pixel_counts(), source.boxes()
    labels = [int(label) for label in peaks.region_labels if label in boxes]
    labels = [label for label in labels if peaks.is_crystalline(label)]
    crystals = crystals_of(peaks, labels) if indexed else []
    for label in labels:
        box = boxes[label]
        rows = peaks._spots(label)
        best = peaks.best(label) if indexed else None
        regions[label] = RegionSpots(
            g=rows[:, :2],
            snr=rows[:, 5],
            indexed=np.zeros(len(rows), bool) if best is None else best.matched,
            score=0.0 if best is None else best.score,
            scale=1.0 if best is None else best.scale,
            area=counts[label] * float(np.prod(source.grid.pixel_size)),
            sides=sum(
                (part.start == 0) + (part.stop == size)
                for part, size in zip(box, source.grid.shape, strict=True)
            ),
            steady=None if best is None else steady(best.crystal, best.hkl, crystals),
            anisotropy=0.0 if best is None else _anisotropy(best.distortion),
            bottom=box[0].stop == source.grid.shape[0],
        )
    return regions


def judged_regions(regions: dict, source: Source) -> dict[int, RegionSpots]:
    """Those regions that may become the reference, with how uniform they are."""
    boxes, judged = source.boxes(), {}
    for label in contenders(regions):
        region = regions[label]
        pair = choose_g_pair(region)
        if pair is None:
            continue
        part = source.region(label, boxes[label], longest=_JUDGED)
        sigma = 2 * finest_resolution(Domain(label, (label,), pair, ""), regions)
        value = unevenness(part.image, part.mask, part.grid, pair, resolution=sigma)
        judged[label] = replace(region, unevenness=value)
    return judged


def _anisotropy(distortion: np.ndarray) -> float:
    """Ratio of the longest to the shortest stretch, less 1."""
    shortest, longest = np.linalg.eigvalsh(distortion)
    return float(longest / shortest - 1)


def given_g_vectors(g_vectors: Any) -> np.ndarray | None:
    """The g-vectors of the user, None for "auto" and "pair"."""
    numbers = as_numbers(g_vectors)
    if numbers is not None:
        return numbers
    if not isinstance(g_vectors, str) or g_vectors not in ("auto", "pair"):
        raise ValueError(
            "Expected g_vectors as 'auto', 'pair' or two or more frequencies (gx, gy) "
            f"in 1/nm, got {g_vectors!r:.80}."
        )
    return None


def chosen_reference(
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
