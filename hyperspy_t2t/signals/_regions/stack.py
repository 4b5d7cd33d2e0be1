# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Stacks of images: regions frame by frame, with labels that follow the objects."""

import warnings
from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np

from hyperspy_t2t.calibration import ImageGrid
from hyperspy_t2t.signals._carried.companions import as_dask, user_level
from hyperspy_t2t.signals._carried.source import Source
from hyperspy_t2t.signals._regions.full_labels import full_labels
from hyperspy_t2t.signals._regions.packed_labels import (
    Packed,
    pack,
    packed_frames,
    unpack,
)

_BATCH = 64
"""Frames divided before their labels are matched to those of the frames before."""
_PREVIEW = 256
"""Longest side of the image that tells how far a frame drifted."""
_LARGEST_COUNT = 10_000_000
"""Highest label for which all labels below are counted."""


def serpentine(shape: tuple[int, ...]) -> list[tuple[int, ...]]:
    """Indices of all frames in an order in which each is a neighbour of the last."""
    indices: list[tuple[int, ...]] = [()]
    for size in shape:
        rows = enumerate(indices)
        indices = [
            (*index, step)
            for row, index in rows
            for step in (range(size) if row % 2 == 0 else range(size - 1, -1, -1))
        ]
    return indices


def stack_labels(data: Any, grid: ImageGrid, options: dict) -> Any:
    """Labels of all frames of a stack.

    Parameters
    ----------
    data
        Images, shape (..., ny, nx), numpy or dask.
    grid
        Pixels of a frame in nm.
    options
        For :func:`~hyperspy_t2t.segmentation.regions.find_regions`.

    Returns
    -------
    ndarray or dask array
        int32, shape of the data. Of a dask array labels are kept compressed, one
        chunk a frame.
    """
    from hyperspy_t2t.segmentation.tracking import tracked

    order = serpentine(data.shape[:-2])
    eager = isinstance(data, np.ndarray)
    found: Any = np.empty(data.shape, np.int32) if eager else {}
    frames = _divided(data, grid, order, options)
    blank = []

    def each() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for packed, preview in frames:
            labels.append(unpack(packed))
            yield labels[-1], preview

    labels: list[np.ndarray] = []
    for index, table in zip(order, tracked(each()), strict=True):
        local = labels.pop()
        if not local.any():
            blank.append(index[::-1])
        found[index] = table[local] if eager else pack(table[local])
    _warn_of_blank(blank)
    return found if eager else packed_frames(found, data.shape)


def _divided(
    data: Any, grid: ImageGrid, order: list[tuple[int, ...]], options: dict
) -> Iterator[tuple[Packed, np.ndarray]]:
    """Labels and preview of each frame, a batch of frames at a time."""
    import dask

    for first in range(0, len(order), _BATCH):
        indices = order[first : first + _BATCH]
        tasks = [dask.delayed(frame_labels)(data[i], grid, options) for i in indices]
        yield from dask.compute(*tasks)


def frame_labels(
    image: np.ndarray, grid: ImageGrid, options: dict
) -> tuple[Packed, np.ndarray]:
    """Labels of one frame, none if it has no grey levels, and a small picture of it."""
    from hyperspy_t2t.segmentation.binning import binned, filled
    from hyperspy_t2t.segmentation.frame import valid_frame
    from hyperspy_t2t.segmentation.regions import find_regions

    factor = max(1, -(-max(image.shape) // _PREVIEW))
    factor = min(factor, *image.shape)
    try:
        frame = valid_frame(image)
    except ValueError:
        empty = pack(np.zeros(image.shape, np.int32))
        return empty, np.zeros([size // factor for size in image.shape], np.float32)
    coarse = find_regions(image[frame], grid.window(*frame), **options)
    return (
        pack(full_labels(image, grid, frame, coarse)),
        filled(binned(image, factor))[0],
    )


def _warn_of_blank(frames: list[tuple[int, ...]]) -> None:
    if frames:
        names = ", ".join(str(i[0] if len(i) == 1 else i) for i in frames[:10])
        warnings.warn(
            f"Frames without grey levels have no regions: {names}"
            f"{', …' if len(frames) > 10 else ''}.",
            UserWarning,
            stacklevel=user_level(),
        )


def distinct_labels(labels: Any) -> np.ndarray:
    """Labels in use except 0, in ascending order, read chunk by chunk."""
    import dask

    blocks = as_dask(labels).to_delayed().ravel()
    found = dask.compute(*(dask.delayed(_present)(block) for block in blocks))
    values = np.unique(np.concatenate(found)) if found else np.empty(0, np.int64)
    return values[values != 0].astype(np.int64)


def _present(labels: np.ndarray) -> np.ndarray:
    """Values in one block."""
    labels = np.asarray(labels)
    if labels.max(initial=0) > _LARGEST_COUNT:
        return np.unique(labels)
    return np.flatnonzero(np.bincount(labels.ravel()))


def stack_properties(
    data: Any, labels: Any, grid: ImageGrid, lazy: bool
) -> dict[str, np.ndarray]:
    """Measurements of each object in each frame, read frame by frame.

    Parameters
    ----------
    data, labels
        Images and labels, shape (..., ny, nx), numpy or dask.
    grid
        Pixels of a frame in nm.
    lazy
        Whether the user opened the stack lazily.

    Returns
    -------
    dict
        ``label``, shape (n,); ``area`` in nm², 0 where an object is missing, and
        ``mean_intensity``, shape (..., n); ``centroid`` (x, y) in nm, (..., n, 2).
    """
    from hyperspy_t2t.segmentation.properties import region_properties

    shape = labels.shape[:-2]
    found = {
        index: region_properties(
            Source(data[index], labels[index], grid, lazy).sums(), grid
        )
        for index in product(*map(range, shape))
    }
    label = np.unique(np.concatenate([one["label"] for one in found.values()]))
    result = {
        "label": label,
        "area": np.zeros((*shape, len(label))),
        "centroid": np.full((*shape, len(label), 2), np.nan),
        "mean_intensity": np.full((*shape, len(label)), np.nan),
    }
    for index, one in found.items():
        place = np.searchsorted(label, one["label"])
        for name in ("area", "centroid", "mean_intensity"):
            result[name][index][place] = one[name]
    return result


def stack_outlines(labels: Any, grid: ImageGrid, units: tuple[float, float]) -> Any:
    """Outlines of each frame as segments, made when a frame is shown.

    Returns
    -------
    dask array
        Objects, each an array (n, 2, 2) in the units of the axes, in the order of
        HyperSpy's navigation indices.
    """
    import dask.array as da

    whole = as_dask(labels).rechunk({-1: -1, -2: -1})
    whole = whole.rechunk((*((1,) * n for n in labels.shape[:-2]), *whole.chunks[-2:]))
    axes = (whole.ndim - 2, whole.ndim - 1)
    frames = da.map_blocks(
        outlines_block, whole, grid=grid, units=units, drop_axis=axes, dtype=object,
        meta=np.empty((0,) * (whole.ndim - 2), object),
    )  # fmt: skip
    return frames.T


def outlines_block(
    labels: np.ndarray, *, grid: ImageGrid, units: tuple[float, float]
) -> np.ndarray:
    """One block of :func:`stack_outlines`."""
    from hyperspy_t2t.segmentation.contours import contours_of
    from hyperspy_t2t.signals._regions.contours import image_borders

    contours = contours_of(image_borders(labels.reshape(labels.shape[-2:])), grid)
    contours.pop(0, None)
    result = np.empty((1,) * (labels.ndim - 2), object)
    result[(0,) * result.ndim] = segments(contours, units)
    return result


def segments(contours: Any, units: tuple[float, float]) -> np.ndarray:
    """Sides of all polygons, shape (n, 2, 2), in the units of the axes."""
    sides = [
        np.stack([polygon[:-1], polygon[1:]], axis=1)
        for polygons in contours.values()
        for polygon in polygons
    ] or [np.empty((0, 2, 2))]
    return np.concatenate(sides) / units
