# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""From a micrograph, by hand or through its indexed peaks, to a StrainMap."""

import warnings
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from hyperspy_t2t.frames import Convention, check_convention
from hyperspy_t2t.signals._carried import convert
from hyperspy_t2t.signals._carried.companions import small_or_dask, user_level
from hyperspy_t2t.signals._carried.provenance import processing
from hyperspy_t2t.signals._carried.source import Source
from hyperspy_t2t.signals._strain.axes import axes_angle
from hyperspy_t2t.signals._strain.choice import (
    chosen_reference,
    given_g_vectors,
    judged_regions,
    setup_of_domain,
    spots_by_region,
)
from hyperspy_t2t.signals._strain.fields import (
    COMPONENTS,
    by_blocks,
    fields_of,
    when_needed,
)
from hyperspy_t2t.signals._strain.measured_strain import (
    Measured,
    Setup,
    measured,
)
from hyperspy_t2t.signals._strain.reference import Box
from hyperspy_t2t.signals._strain.scan import scan_corrected
from hyperspy_t2t.strain.blur import local_blur
from hyperspy_t2t.strain.gpa import PhaseField
from hyperspy_t2t.strain.limits import check_g_vectors
from hyperspy_t2t.strain.maps import strain_block
from hyperspy_t2t.strain.setup import (
    Domain,
    choose_domains,
)

_ADVICE = "average over more with a larger resolution, or choose other g_vectors"


def gpa_of_peaks(
    peaks: Any,
    *,
    reference: Any,
    g_vectors: Any,
    resolution: Any,
    convention: Convention,
    axes: Any = "image",
    correct_scan: bool = False,
    device: Any = "cpu",
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
    given_g = given_g_vectors(g_vectors)
    if given_g is not None:
        check_g_vectors(given_g, source.grid)
    pair = None if given_g is None else given_g[:2]
    if isinstance(reference, str) and len(regions) > 1:
        regions |= judged_regions(regions, source)
    label, box = chosen_reference(reference, regions, source, pair)
    domains = choose_domains(regions, reference=label, g_vectors=given_g)
    if not domains:
        raise ValueError("Expected two peaks in different directions, got none.")
    setups = [
        replace(
            setup_of_domain(peaks, domain, regions, source.grid, resolution, g_vectors),
            device=device,
        )
        for domain in domains
    ]
    given = {
        "reference": reference if isinstance(reference, (str, int)) else str(reference),
        "g_vectors": g_vectors if given_g is None else given_g,
        "resolution": resolution,
        "convention": convention,
        "axes": axes,
        "correct_scan": correct_scan,
        "device": str(device),
    }
    return strain_map_of(peaks, source, setups, box, convention, given)


def strain_map_of(
    origin: Any,
    source: Source,
    setups: Sequence[Setup],
    box: Box | None,
    convention: Convention,
    given: dict,
) -> Any:
    """Measure every domain and assemble the signal.

    Later steps compare the image with what was measured, so that the result carries a
    corrected image if that is what was measured.
    """
    angle = axes_angle(given["axes"], source, setups[0].domain.reference)
    measure = partial(
        _measured_domains, setups=setups, box=box, convention=convention, angle=angle
    )
    domains, scan = measure(source), {}
    if given["correct_scan"]:
        source, domains, scan["scan"] = scan_corrected(source, domains, box, measure)
    first = domains["domain_0"]
    strain = {
        "schema_version": 1,
        "convention": convention,
        "components": ", ".join(COMPONENTS),
        "axes_angle": angle,
        "axes_angle_units": "degrees",
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
        **scan,
    }
    metadata = {
        **convert.acquisition(origin),
        "Strain": strain,
        "Source": source.to_dict(),
        "Processing": processing(origin, "gpa", given),
    }
    if origin.metadata.has_item("Phases"):
        metadata["Phases"] = origin.metadata.Phases.as_dictionary()
    turn = np.deg2rad(angle)
    fields = when_needed(source, fields_of, domains.values(), angle=turn)
    data = by_blocks(source, 4, strain_block, fields, convention=convention)
    axes = [
        {"name": "component", "size": 4, "navigate": True},
        *convert.grid_axes(source.grid),
    ]
    title = origin.metadata.General.title
    if origin.metadata.Signal.signal_type != "micrograph":
        title = title.rpartition(":")[0]
    return convert.signal_of(
        "strain_map", data, axes, metadata, title=f"{title}: strain"
    )


def _measured_domains(
    source: Source,
    setups: Sequence[Setup],
    box: Box | None,
    convention: Convention,
    angle: float,
) -> dict[str, dict]:
    """All domains that can be measured, for metadata; the first one must be."""
    domains: dict[str, dict] = {}
    noisy: list[int] = []
    faint: list[int] = []
    for number, setup in enumerate(setups):
        for found in measured(source, setup, box if number == 0 else None):
            if domains and found.faintest >= 1:
                noisy.extend(found.domain.members)
                continue
            labels = source.labels_at(found.field.grid)
            faint += _mostly_lost(found.domain, found.field, found.faintest, labels)
            one = domain_to_dict(found, labels, convention, angle)
            domains[f"domain_{len(domains)}"] = one
    if noisy:
        _warn(
            f"The fringes of the regions {sorted(noisy)} do not stand above the noise: "
            "they have no strain. Average over more with a larger resolution."
        )
    if faint:
        _warn(
            f"The fringes of the regions {sorted(faint)} stand above the noise in less "
            f"than half of their area, the rest has no strain: {_ADVICE}."
        )
    return domains


def _warn(text: str) -> None:
    warnings.warn(text, UserWarning, stacklevel=user_level())


def _mostly_lost(
    domain: Domain, field: PhaseField, limit: float, labels: np.ndarray
) -> list[int]:
    """Regions whose fringes are mostly lost in noise; an error if all are."""
    if limit >= 1:
        raise ValueError(
            f"Expected fringes above the noise in region {domain.reference}, the "
            f"reference, got noise of {limit / 3:.2g} of their amplitude: {_ADVICE}."
        )
    seen = field.amplitude > limit
    return [
        member
        for member in domain.members
        if (labels == member).any() and seen[labels == member].mean() < 0.5
    ]


def domain_to_dict(
    found: Measured, labels: np.ndarray, convention: Convention, angle: float = 0.0
) -> dict:
    """A measured domain for metadata; labels of the regions on its coarse grid."""
    domain, field, noise = found.domain, found.field, found.noise
    axes: Any = {"convention": convention, "axes_angle": np.deg2rad(angle)}
    std = field.std(**axes)
    inside = np.isin(labels, domain.members) & (field.amplitude > found.faintest)
    blur = local_blur(
        field.gradient, std, np.where(inside, field.amplitude, 0.0), field.grid,
        resolution=found.resolution, **axes,
    )  # fmt: skip
    return {
        "reference": domain.reference,
        "members": np.array(domain.members),
        "reason": domain.reason,
        "resolution": found.resolution,
        "resolution_reason": found.reason,
        "faintest": found.faintest,
        "noise_density": noise.density,
        "noise_gain": noise.gain,
        "row_jitter": np.zeros(2) if noise.rows is None else noise.rows.std,
        "g_vectors": field.g_vectors,
        "g_vectors_reason": domain.g_reason,
        "grid": field.grid.to_dict(),
        "displacement": small_or_dask(field.displacement),
        "gradient": small_or_dask(field.gradient),
        "amplitude": small_or_dask(field.amplitude),
        "std": small_or_dask(std.astype(np.float32)),
        "blur": small_or_dask(blur),
    }
