# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""From a strain map to the numbers that its figures show, sampled for the screen."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from hyperspy_t2t.array_types import pair
from hyperspy_t2t.calibration import ImageGrid, frame_grid
from hyperspy_t2t.segmentation.contours import contours_of
from hyperspy_t2t.signals._carried.companions import carried
from hyperspy_t2t.signals._carried.schema import stored_node
from hyperspy_t2t.signals._carried.source import Source
from hyperspy_t2t.signals._peaks.found_peaks import region_seen
from hyperspy_t2t.signals._peaks.solutions import best_of
from hyperspy_t2t.signals._regions.contours import image_borders
from hyperspy_t2t.signals._regions.stack import segments
from hyperspy_t2t.signals._strain.fields import COMPONENTS
from hyperspy_t2t.signals._strain.valid_places import valid_places
from hyperspy_t2t.signals._strain_views import plots
from hyperspy_t2t.strain.continuation import core

SIDE = 1024
"""Pixels of a figure's image along its longer side, at most."""
_HATCHED = ", hatched: nearer than 2σ to a border, continued or mixed"


def sampled(grid: ImageGrid, most: int) -> tuple[tuple[slice, slice], ImageGrid]:
    """Every n-th pixel, so that no side has more than `most`, and their grid."""
    n = max(1, -(-max(grid.shape) // most))
    shape = pair(-(-size // n) for size in grid.shape)
    step = pair(n * size for size in grid.pixel_size)
    return (slice(None, None, n),) * 2, ImageGrid(shape, step, grid.origin)


def plot_maps(
    strain: Any,
    components: Sequence[str] | str,
    *,
    limits: float | None,
    rotation_limit: float | None,
    rotation_units: str,
    cmap: Any,
    figure: Any,
) -> None:
    """Figure of StrainMap.plot."""
    names = checked_components(components)
    if rotation_units not in plots.ROTATION_UNITS:
        raise ValueError(
            "Expected rotation_units as "
            f"{' or '.join(map(repr, plots.ROTATION_UNITS))}, got "
            f"{rotation_units!r}."
        )
    part, grid = sampled(frame_grid(strain), SIDE)
    values = np.asarray(strain.data[(slice(None), *part)], float)
    factor = plots.ROTATION_UNITS[rotation_units][0]
    top = _limit("limits", limits, values[:3])
    turn = rotation_limit if rotation_limit is None else rotation_limit / factor
    turn = _limit("rotation_limit", turn, values[3])
    places = places_of(strain, part, grid)
    unsure = np.isfinite(values[0]) & ~_valid(strain, part, grid)
    plots.draw_maps(
        {name: values[COMPONENTS.index(name)] for name in names},
        grid,
        replace(places, unsure=unsure if unsure.any() else None),
        title=title_of(strain) + (_HATCHED if unsure.any() else ""),
        limits={name: turn if name == "rotation" else top for name in names},
        rotation_units=rotation_units,
        cmap=cmap,
        axes_angle=float(strain.metadata.get_item("Strain.axes_angle", 0.0)),
        figure=figure,
    )


def _valid(strain: Any, part: tuple, grid: ImageGrid) -> np.ndarray:
    """Pixels of a sampled map whose strain is that of one lattice alone.

    All of a map that has lost what says so.
    """
    labels = carried(strain, "Source.labels")
    if labels is None or not stored_node(strain, "Strain.domains"):
        return np.ones(grid.shape, bool)
    source = Source(None, np.asarray(labels[part]), grid, lazy=False)
    return valid_places(strain, source) > 0


def checked_components(components: Sequence[str] | str) -> list[str]:
    """Names of components, or a ValueError that lists them."""
    names = [components] if isinstance(components, str) else components
    known = isinstance(names, (list, tuple)) and all(
        isinstance(name, str) and name in COMPONENTS for name in names
    )
    if not known or not names:
        raise ValueError(
            f"Expected components out of {', '.join(COMPONENTS)}, got {components!r}. "
            "HyperSpy's plot with a navigator is browse()."
        )
    return list(names)


def _limit(name: str, given: float | None, values: np.ndarray) -> float:
    if given is None:
        return plots.robust_limit(values)
    if not 0 < given < np.inf:
        raise ValueError(f"Expected {name} above 0, got {given!r}.")
    return float(given)


def browsing_defaults(strain: Any, given: dict) -> dict:
    """Arguments of HyperSpy's plot: a centred diverging map unless told otherwise.

    The navigator of a lazy map is that of a sample; HyperSpy would read all pixels.
    """
    step = max(1, max(strain.data.shape[-2:]) // 128)
    sample = np.asarray(strain.data[..., ::step, ::step], float)
    options = {"cmap": "RdBu_r", **given}
    if "vmin" not in given and "vmax" not in given:
        limit = plots.robust_limit(sample)
        options.update(vmin=-limit, vmax=limit)
    automatic = given.get("navigator", "auto") == "auto"
    if strain._lazy and automatic and strain.axes_manager.navigation_dimension:
        means = np.nan_to_num(sample).mean(axis=(-2, -1))
        options["navigator"] = strain._get_navigation_signal(data=means).T
    return options


def title_of(strain: Any) -> str:
    """Convention, reference and resolution, as far as they are known."""
    stored = strain.metadata.get_item("Strain")
    if stored is None:
        return str(strain.metadata.General.title)
    parts = [f"convention “{strain.convention}”"]
    if stored.has_item("reference_region"):
        stored_domains = stored.get_item("domains")
        domains = {} if stored_domains is None else stored_domains.as_dictionary()
        others = len({int(one["reference"]) for one in domains.values()}) - 1
        more = f" and {others} more" if others > 0 else ""
        parts.append(f"relative to region {int(stored.reference_region)}{more}")
    angle = float(stored.get_item("axes_angle", 0.0))
    if angle:
        parts.append(f"axes turned by {angle:.3g}°")
    if stored.has_item("resolution"):
        parts.append(f"resolution σ = {float(stored.resolution):.3g} nm")
    return ", ".join(parts)


def places_of(strain: Any, part: tuple, grid: ImageGrid) -> plots.Places:
    """Outlines of the regions of a sampled map, none where it lost its labels."""
    box = strain.metadata.get_item("Strain.reference_box")
    box = None if box is None or len(box) != 4 else tuple(float(side) for side in box)
    labels = carried(strain, "Source.labels")
    if labels is None or labels.shape != strain.data.shape[-2:]:
        return plots.Places(box=box)
    labels = np.asarray(labels[part])
    outlines = contours_of(image_borders(labels), grid)
    outlines.pop(0, None)
    references = {
        int(domain["reference"])
        for domain in stored_node(strain, "Strain.domains").values()
    }
    middles = [_middle(labels == label, grid) for label in references & {*outlines}]
    return plots.Places(
        segments(outlines, (1.0, 1.0)), np.reshape(middles, (-1, 2)), box
    )


def _middle(mask: np.ndarray, grid: ImageGrid) -> np.ndarray:
    """(x, y) in nm of the place of a region furthest from its outline."""
    from scipy.ndimage import distance_transform_edt

    depth = distance_transform_edt(np.pad(mask, 1), sampling=grid.pixel_size)
    # Of equals, as in a long layer, the one nearest to the centre of the region.
    place = np.argwhere(depth[1:-1, 1:-1] > 0.95 * depth.max())
    away = np.linalg.norm(place - np.argwhere(mask).mean(axis=0), axis=1)
    return grid.to_nm(*place[away.argmin()])


def plot_setup(strain: Any, region: int | None, *, figure: Any) -> None:
    """Figure of StrainMap.plot_setup."""
    source = strain._source()
    domain = _domain_of(strain, region)
    reference = int(domain["reference"])
    part, grid = sampled(source.grid, SIDE)
    places = places_of(strain, part, grid)
    first = reference == strain.reference_region
    box = places.box if first else None
    setup = plots.Setup(
        used=_used(source, domain, box),
        spectrum=_spectrum(source, reference, box),
        g_vectors=np.asarray(domain["g_vectors"]),
        names=_hkl_names(strain, domain),
        sigma=float(domain["resolution"]),
        lines=_reasons(strain, domain),
    )
    image = np.asarray(source.image[part], float)
    plots.draw_setup(image, grid, places, setup, figure=figure)


def _domain_of(strain: Any, region: int | None) -> dict:
    """The stored domain with a region, by default the first."""
    domains = list(strain._domains().values())
    if region is None:
        return domains[0]
    for domain in domains:
        if region in np.asarray(domain["members"]):
            return domain
    raise ValueError(
        f"Expected the label of a region with strain, one of "
        f"{sorted(strain.reference_of)}, got {region!r}."
    )


def _used(source: Source, domain: dict, box: Any) -> tuple[np.ndarray, ImageGrid]:
    """Where the phases of the reference are taken from, on the coarse grid."""
    coarse = ImageGrid.from_dict(domain["grid"])
    x, y = np.moveaxis(coarse.to_nm(*np.indices(coarse.shape)), -1, 0)
    left, right, bottom, top = plots.extent(source.grid)
    inside = (x >= left) & (x <= right) & (y >= top) & (y <= bottom)
    mask = inside & (source.labels_at(coarse) == int(domain["reference"]))
    if box is not None:
        left, top, right, bottom = box
        mask &= (x >= left) & (x <= right) & (y >= top) & (y <= bottom)
    return core(mask) if mask.any() else mask, coarse


def _spectrum(source: Source, label: int, box: Any) -> Any:
    """Power of the reference and its frequencies, None where it is not in view."""
    frame = source.boxes().get(label)
    if frame is None:
        return None
    if box is not None:
        rows, columns = source.grid.to_pixels(np.reshape(box, (2, 2)))
        frame = pair(
            slice(max(0, round(first)), max(0, round(last) + 1))
            for first, last in (rows, columns)
        )
    seen = region_seen(source.region(label, frame))
    if seen is None:
        return None
    spectrum = seen.spectrum
    return spectrum.power, spectrum.y_axis.values, spectrum.x_axis.values


def _hkl_names(strain: Any, domain: dict) -> list[str]:
    """Indices of the g of a domain by the solution of its reference, as TeX."""
    from hyperspy_t2t.phases.simulation import hkl_text, nearest_reflection

    if not strain.metadata.has_item("Phases"):
        return []
    stored = strain.metadata.Phases.as_dictionary()
    best = best_of(stored, int(domain["reference"]))
    if best is None:
        return []
    hkl = nearest_reflection(
        np.asarray(domain["g_vectors"]),
        best.crystal,
        best.zone_axis,
        best.matrix,
        best.distortion,
    )
    return [hkl_text(indices) for indices in hkl]


def _reasons(strain: Any, domain: dict) -> list[str]:
    """What was chosen for a domain and why, one line each."""
    stored = strain.metadata.Strain
    whole = int(domain["reference"]) == strain.reference_region

    def why(key: str) -> str:
        text = domain.get(key) or (stored.get_item(key) if whole else None)
        return f": {text}" if text else ""

    members = ", ".join(str(label) for label in np.asarray(domain["members"]).tolist())
    g = np.asarray(domain["g_vectors"])
    first = ", ".join(f"({gx:.3f}, {gy:.3f})" for gx, gy in g[:2])
    others = f" and {len(g) - 2} more" if len(g) > 2 else ""
    return [
        f"Reference: region {int(domain['reference'])}{why('reason')}",
        f"Measured against it: regions {members}",
        f"g = {first}{others} 1/nm{why('g_vectors_reason')}",
        f"Resolution σ = {float(domain['resolution']):.3g} nm"
        f"{why('resolution_reason')}",
        f"Convention “{strain.convention}”",
    ]
