# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Regions in which several crystals were found, divided into one region for each."""

import warnings
from dataclasses import replace
from typing import Any

import numpy as np

from hyperspy_t2t.array_types import Ints, pair
from hyperspy_t2t.calibration import ImageGrid
from hyperspy_t2t.frequencies import upper_half
from hyperspy_t2t.phases.orientation_relations import orientation_relation
from hyperspy_t2t.phases.solution import PhaseSolution
from hyperspy_t2t.segmentation.crystal_parts import crystal_parts, planar_parts
from hyperspy_t2t.signals._carried import convert
from hyperspy_t2t.signals._carried.companions import as_dask, user_level
from hyperspy_t2t.signals._carried.provenance import processing
from hyperspy_t2t.signals._carried.source import LARGEST_WINDOW, Source
from hyperspy_t2t.signals._peaks.found_peaks import COLUMNS
from hyperspy_t2t.signals._regions.corrections import pasted
from hyperspy_t2t.strain.own_fringes import own_fringes

Parts = Ints
Box = tuple[slice, slice]
_LEAST = 12.0
"""Area of the smallest part in σ²: that of the Gaussian it is seen through."""
_STRONG = 0.5
"""Amplitude relative to the strongest from which a spot tells where its crystal is."""


def split_by_crystals(peaks: Any, label: int | None) -> Any:
    """A SegmentedImage in which every crystal of the given regions is a region."""
    source = Source.from_metadata(peaks)
    boxes, labels, whole = source.boxes(), as_dask(source.labels), []
    highest = max(boxes, default=0)
    for region in _of_several(peaks, label):
        parts, grid = _parts_of(peaks, source, region, boxes[region])
        further = np.unique(parts[parts > 0])
        if not len(further):
            whole.append(region)
            continue
        new = np.full(parts.max() + 2, region, np.int32)
        new[further] = highest + 1 + np.arange(len(further))
        highest += len(further)
        labels = pasted(labels, labels == region, new[parts], grid, source.grid)
    if whole:
        warnings.warn(
            f"The crystals of the regions {whole} stay together: they lie above one "
            "another, or there is too little of one to part it. Where you see a "
            "border, divide them with split(label, line) of the segmented image.",
            UserWarning,
            stacklevel=user_level(),
        )
    return _segmented(peaks, source, labels, {"label": label})


def _of_several(peaks: Any, label: int | None) -> list[int]:
    """Labels of the regions in which several crystals were found."""
    if label is None:
        every = peaks.region_labels.tolist()
        return [one for one in every if len(peaks.crystals(one)) > 1]
    count = len(peaks.crystals(label))
    if count < 2:
        raise ValueError(
            f"Expected a region with several crystals, got region {label}, in which "
            f"index_phases found {count}. See peaks.crystals({label}); to divide it "
            "by hand use split(label, line) of the segmented image."
        )
    return [label]


def _parts_of(
    peaks: Any, source: Source, label: int, box: Box
) -> tuple[Parts, ImageGrid]:
    """Number of the crystal at each place of a region's box, −1 outside."""
    import dask.array as da

    rows = peaks._spots(label)
    g, amplitude = rows[:, :2], np.sqrt(rows[:, COLUMNS.index("intensity")])
    grid, mask = source.grid.window(*box), as_dask(source.labels)[box] == label
    step = -(-max(grid.shape) // LARGEST_WINDOW)
    inside = np.asarray(mask[::step, ::step])
    fine = replace(
        grid,
        shape=inside.shape,
        pixel_size=pair(step * size for size in grid.pixel_size),
    )
    crystals, own = _with_own_spots(peaks.crystals(label), g, amplitude)
    if len(crystals) < 2:
        return np.where(inside, np.int32(0), np.int32(-1)), fine
    image = da.where(mask, as_dask(source.image)[box], np.nan)
    fringes = own_fringes(image, grid, own, g, amplitude)
    least = _LEAST * fringes.sigma**2 / float(np.prod(fine.pixel_size))
    parts = crystal_parts(fringes.on(fine), inside, least=least)
    levels = np.asarray(source.image[box][::step, ::step], float)
    return _with_planes(parts, crystals, fine, levels), fine


def _with_own_spots(
    crystals: list[PhaseSolution], g: np.ndarray, amplitude: np.ndarray
) -> tuple[list[PhaseSolution], list[Ints]]:
    """The crystals that have strong spots of their own, and the rows of these.

    None but the first if that has none: nothing shows then where it ends.
    """
    explained = np.sum([crystal.matched for crystal in crystals], axis=0)
    kept, own = [], []
    for crystal in crystals:
        alone = crystal.matched & (explained == 1) & upper_half(g)
        strong = amplitude > _STRONG * amplitude[alone].max(initial=0.0)
        if alone.any():
            kept.append(crystal)
            own.append(np.flatnonzero(alone & strong))
    if not kept or kept[0] is not crystals[0]:
        return crystals[:1], own[:1]
    return kept, own


def _with_planes(
    parts: Parts, crystals: list[PhaseSolution], grid: ImageGrid, image: np.ndarray
) -> Parts:
    """Straight borders along the shared plane of a twin that is seen edge-on."""
    found = np.unique(parts[parts >= 0])
    if len(found) != 2:
        return parts
    first, second = (crystals[k] for k in found)
    relation = orientation_relation(
        first.crystal, second.crystal, first.matrix, second.matrix
    )
    if not relation.edge_on:
        return parts
    reciprocal = 10 * np.linalg.inv(first.crystal.lattice)  # columns, 1/nm
    plane = first.matrix @ reciprocal @ np.array(relation.twin_plane)
    g = np.linalg.solve(first.distortion, plane[:2])
    height = grid.to_nm(*np.indices(grid.shape)) @ g
    step = max(grid.pixel_size) * np.linalg.norm(g)
    return planar_parts(parts, height, image, step=float(step))


def _segmented(peaks: Any, source: Source, labels: Any, parameters: dict) -> Any:
    metadata = {
        **convert.acquisition(peaks),
        "Segmentation": {"schema_version": 1, "method": "crystals", "labels": labels},
        "Processing": processing(peaks, "split_crystals", parameters),
    }
    title = peaks.metadata.General.title.rpartition(":")[0] or "micrograph"
    return convert.signal_of(
        "segmented_image",
        source.image if source.lazy else np.asarray(source.image),
        convert.grid_axes(source.grid),
        metadata,
        title=f"{title}: regions",
    )
