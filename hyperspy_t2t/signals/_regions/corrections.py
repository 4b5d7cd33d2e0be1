# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Regions corrected by hand: new labels, and what to record of them.

Each function takes a SegmentedImage and gives its labels after the correction, dask
in the same chunks, with the parameters for ``metadata.Processing``.
"""

import operator
from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from typing import Any, Literal, NamedTuple, get_args

import numpy as np

from hyperspy_t2t.array_types import pair
from hyperspy_t2t.calibration import ImageGrid
from hyperspy_t2t.segmentation.nearest import nearest_label
from hyperspy_t2t.segmentation.shapes import inside_polygon, left_of_line
from hyperspy_t2t.signals._carried.companions import look_up
from hyperspy_t2t.signals._carried.selection import (
    Selection,
    as_points,
    line_points,
    pixels_inside,
    units_of,
)
from hyperspy_t2t.signals._carried.source import LARGEST_WINDOW, Source

HIGHEST = 1_000_000
"""Highest label."""
Fill = Literal["unassigned", "nearest"]
Boxes = dict[int, tuple[slice, slice]]


class Correction(NamedTuple):
    """What a correction gives."""

    labels: Any
    parameters: dict[str, Any]


def merge(regions: Any, labels: Iterable[int]) -> Correction:
    """The smallest of some labels for all of them."""
    present = regions._source().boxes()
    wanted = sorted(set(known(labels, present)))
    if len(wanted) < 2:
        raise ValueError(f"Expected two region labels or more, got {wanted}.")
    mapping = {label: wanted[0] for label in wanted}
    return Correction(_renamed(regions, mapping, present), {"labels": wanted})


def relabel(regions: Any, mapping: dict[int, int]) -> Correction:
    """New labels for old ones."""
    present = regions._source().boxes()
    if not hasattr(mapping, "values"):
        raise TypeError(f"Expected a dictionary {{old: new}}, got {mapping!r}.")
    old, new = known(mapping, present), _integers(mapping.values())
    bad = [label for label in new if not 0 <= label <= HIGHEST]
    if bad:
        raise ValueError(
            f"Expected new labels from 0 (unassigned) to {HIGHEST}, got {bad}."
        )
    mapping = dict(zip(old, new, strict=True))
    return Correction(_renamed(regions, mapping, present), {"mapping": str(mapping)})


def split_by_line(regions: Any, label: int, line: Any) -> Correction:
    """A new label for the part of a region to the left of a line."""
    source = regions._source()
    present = source.boxes()
    (label,) = known([label], present)
    points = line_points(line, units_of(regions))
    grid, labels = source.grid, source.labels
    reach = np.linalg.norm(_corners(grid) - points[0], axis=1).max()
    polygon = left_of_line(points, reach=float(reach))
    inside = partial(inside_polygon, vertices=polygon)
    part = (labels == label) & pixels_inside(inside, grid, labels.chunks)
    box = present[label]
    size, total = _counts(part[box], labels[box] == label)
    if not 0 < size < total:
        ends = " to ".join(f"({x:g}, {y:g})" for x, y in points[[0, -1]])
        raise ValueError(
            f"Expected a line through region {label}, got one from {ends} nm that "
            "leaves it whole. See s.contours()."
        )
    parameters = {"label": label, "line": points}
    return Correction(_where(part, max(present) + 1, labels), parameters)


def split_by_seeds(regions: Any, label: int, seeds: Any) -> Correction:
    """New labels for the parts of a region that belong to the second seed and on."""
    from hyperspy_t2t.segmentation.seeds import coarse_region, divide_by_seeds

    source = regions._source()
    present = source.boxes()
    (label,) = known([label], present)
    places = _seed_pixels(source, label, seeds)
    window = _grown(present[label], source.grid.shape, 2)
    image, mask = source.image[window], source.labels[window] == label
    if not source.lazy:
        image, mask = np.asarray(image, float), np.asarray(mask)
    coarse, mean, inside = coarse_region(image, mask, source.grid.window(*window))
    points = _coarse_points(places, inside, coarse, source.grid)
    parts = divide_by_seeds(mean, inside, points, coarse.pixel_size)
    new = np.append(label, max(present) + np.arange(1, len(points)))
    labels = pasted(
        source.labels, source.labels == label, new[parts - 1], coarse, source.grid
    )
    return Correction(labels, {"label": label, "seeds": np.asarray(seeds, float)})


def add_region(regions: Any, where: Any, label: int | None) -> Correction:
    """A new label for chosen pixels."""
    present = regions._source().boxes()
    if label is None:
        label = max(present, default=0) + 1
    (label,) = _integers([label])
    if label in present or not 0 < label <= HIGHEST:
        raise ValueError(
            f"Expected a label from 1 to {HIGHEST} that is not in use, got {label}; "
            f"{sorted(present)} are. To extend a region, add one and merge the two."
        )
    chosen = Selection.of(where, regions)
    labels = _where(chosen.mask, label, regions._labels())
    return Correction(labels, {"label": label, **chosen.record})


def remove_region(regions: Any, where: Any, fill: Fill) -> Correction:
    """No label for regions or chosen pixels, or that of their neighbours."""
    if fill not in get_args(Fill):
        raise ValueError(
            f"Expected fill as one of {', '.join(get_args(Fill))}; got {fill!r}."
        )
    source = regions._source()
    wanted = _as_labels(where)
    if wanted is None:
        chosen = Selection.of(where, regions)
        removed, record = chosen.mask & (source.labels > 0), chosen.record
    else:
        wanted = sorted(set(known(wanted, source.boxes())))
        removed = source.labels.map_blocks(np.isin, wanted, dtype=bool)
        record = {"labels": wanted}
    box = Source(removed, removed.astype(np.int8), source.grid, source.lazy).boxes()
    if not box:
        raise ValueError(
            "Expected pixels of regions, got only pixels without a label. See "
            "s.labels.plot()."
        )
    if fill == "nearest":
        labels = _taken_over(source, removed, box[1])
    else:
        labels = _where(removed, 0, source.labels)
    return Correction(labels, {**record, "fill": fill})


def under_mask(labels: Any, mask: Any) -> list[int]:
    """Labels of the regions of which a dask mask holds a part."""
    import dask.array as da

    found = da.unique(da.where(mask, labels, 0)).compute()
    return found[found > 0].tolist()


def under_line(source: Source, points: np.ndarray) -> int:
    """Label of the region in which most of a line (n, 2) in nm lies."""
    steps = np.linspace(0, len(points) - 1, 200 * len(points))
    track = [np.interp(steps, np.arange(len(points)), axis) for axis in points.T]
    pixels = np.rint(source.grid.to_pixels(np.stack(track, axis=-1))).astype(int)
    inside = ((pixels >= 0) & (pixels.T < source.grid.shape).T).all(axis=0)
    found = np.asarray(source.labels.vindex[tuple(pixels[:, inside].tolist())])
    if not found.any():
        raise ValueError(
            "Expected a line that runs through a region, got one from "
            f"{points[0]} to {points[-1]} nm."
        )
    return int(np.bincount(found[found > 0]).argmax())


def known(labels: Iterable[int], present: Boxes) -> list[int]:
    """Labels as integers, or an error if there is no region of that label."""
    wanted = _integers(labels)
    unknown = [label for label in wanted if label not in present]
    if unknown:
        raise KeyError(f"Expected region labels among {list(present)}, got {unknown}.")
    return wanted


def _integers(labels: Any) -> list[int]:
    """Python integers, or an error that says what else came."""
    try:
        labels = list(labels)
        if any(isinstance(label, bool) for label in labels):
            raise TypeError
        return [operator.index(label) for label in labels]
    except TypeError:
        raise TypeError(
            f"Expected region labels as whole numbers, got {labels!r}."
        ) from None


def _as_labels(where: Any) -> list[int] | None:
    """The labels in `where`: a whole number or several; None if it is none of these."""
    if not isinstance(where, (int, np.integer, np.ndarray, list, tuple, set, range)):
        return None
    where = list(where) if isinstance(where, (set, range)) else where
    try:
        values = np.asarray(where)
    except ValueError:
        return None
    if values.ndim > 1 or values.dtype.kind not in "iu":
        return None
    return np.atleast_1d(values).tolist()


def _renamed(regions: Any, mapping: dict[int, int], present: Boxes) -> Any:
    """Labels looked up in a mapping."""
    table = np.arange(max([*present, *mapping.values()], default=0) + 1, dtype=np.int32)
    for old, new in mapping.items():
        table[old] = new
    return regions._labels().map_blocks(look_up, table=table, dtype=np.int32)


def _where(mask: Any, label: int, labels: Any) -> Any:
    """Labels with one label where a mask is true."""
    import dask.array as da

    return da.where(mask, np.int32(label), labels)


def _counts(*masks: Any) -> list[int]:
    """Pixels of dask masks, counted in one go."""
    import dask

    return [int(count) for count in dask.compute(*(mask.sum() for mask in masks))]


def _corners(grid: ImageGrid) -> np.ndarray:
    """Corners of an image, (4, 2) in nm."""
    ny, nx = grid.shape
    return grid.to_nm([0, 0, ny - 1, ny - 1], [0, nx - 1, 0, nx - 1])


def _grown(
    box: tuple[slice, slice], shape: tuple[int, int], by: int
) -> tuple[slice, slice]:
    """A box with a margin, within the image."""
    return pair(
        slice(max(0, part.start - by), min(size, part.stop + by))
        for part, size in zip(box, shape, strict=True)
    )


def _seed_pixels(source: Source, label: int, seeds: Any) -> np.ndarray:
    """Pixels (row, column) of seeds in nm, all inside the region; shape (n, 2)."""
    points = as_points(seeds)
    if points is None or len(points) < 2:
        raise ValueError(
            "Expected seeds as two points (x, y) in nm or more, shape (n, 2); got "
            f"{seeds!r}."
        )
    pixels = np.rint(np.stack(source.grid.to_pixels(points), axis=-1))
    for point, (row, column) in zip(points, pixels, strict=True):
        found = "outside the image"
        if 0 <= row < source.grid.shape[0] and 0 <= column < source.grid.shape[1]:
            at = int(source.labels[int(row), int(column)].compute())
            found = f"in region {at}" if at else "where there is no region"
            if at == label:
                continue
        raise ValueError(
            f"Expected seeds inside region {label}, got ({point[0]:g}, {point[1]:g}) "
            f"nm, which is {found}. See s.contours()[{label}]."
        )
    return pixels.astype(np.intp)


def _coarse_points(
    pixels: np.ndarray, inside: np.ndarray, coarse: ImageGrid, grid: ImageGrid
) -> np.ndarray:
    """The points of a coarse grid, inside the region, nearest to pixels."""
    indices = coarse.nearest(grid)
    points = np.stack([i[p] for i, p in zip(indices, pixels.T, strict=True)], axis=-1)
    rows, columns = np.nonzero(inside)
    sy, sx = coarse.pixel_size
    for number, (row, column) in enumerate(points):
        nearest = np.hypot((rows - row) * sy, (columns - column) * sx).argmin()
        points[number] = rows[nearest], columns[nearest]
    if len(np.unique(points, axis=0)) < len(points):
        raise ValueError(
            f"Expected seeds that are further apart than {max(sy, sx):.3g} nm, the "
            "length over which this region is divided."
        )
    return points


def _taken_over(source: Source, removed: Any, box: tuple[slice, slice]) -> Any:
    """Labels with removed pixels given to the nearest region around them."""
    window = _grown(box, source.grid.shape, 1)
    steps = [-(-(part.stop - part.start) // LARGEST_WINDOW) for part in window]
    cut = tuple(
        slice(part.start, part.stop, step)
        for part, step in zip(window, steps, strict=True)
    )
    around = np.where(np.asarray(removed[cut]), 0, np.asarray(source.labels[cut]))
    if not around.any():
        raise ValueError(
            "Expected another region next to the removed pixels to fill them, got "
            "none. Leave out fill='nearest'."
        )
    coarse = replace(
        source.grid.window(*window),
        shape=around.shape,
        pixel_size=tuple(np.multiply(source.grid.pixel_size, steps).tolist()),
    )
    filled = nearest_label(around, coarse.pixel_size)
    return pasted(source.labels, removed, filled, coarse, source.grid)


def pasted(
    labels: Any, mask: Any, values: np.ndarray, coarse: ImageGrid, grid: ImageGrid
) -> Any:
    """Labels that take the nearest value of a coarse grid where a mask is true."""
    import dask.array as da

    rows, columns = (
        da.from_array(index, chunks=(sizes,))
        for index, sizes in zip(coarse.nearest(grid), labels.chunks, strict=True)
    )
    return da.map_blocks(
        paste_block,
        labels,
        mask,
        rows[:, None],
        columns[None, :],
        values=values.astype(np.int32),
        dtype=np.int32,
        meta=np.empty((0, 0), np.int32),
    )


def paste_block(
    labels: np.ndarray,
    mask: np.ndarray,
    rows: np.ndarray,
    columns: np.ndarray,
    *,
    values: np.ndarray,
) -> np.ndarray:
    """One block of :func:`pasted`."""
    if not mask.any():
        return labels
    return np.where(mask, values[rows.ravel()][:, columns.ravel()], labels)
