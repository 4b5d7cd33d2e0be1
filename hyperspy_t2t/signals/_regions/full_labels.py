# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Labels and confidence of every pixel, from those of a coarser grid."""

from typing import Any

import numpy as np

from hyperspy_t2t.calibration import ImageGrid
from hyperspy_t2t.signals._regions.packed_labels import packed


def full_labels(
    image: Any, grid: ImageGrid, frame: tuple[slice, slice], coarse: Any
) -> Any:
    """Labels of every pixel, 0 without data.

    Those of a lazy image are dask in its chunks; they are worked out at once, in one
    reading of the image, and kept compressed.
    """
    rows, columns = coarse.grid.nearest(grid)
    outside = [np.ones(size, bool) for size in grid.shape]
    for part, cut in zip(outside, frame, strict=True):
        part[cut] = False
    if isinstance(image, np.ndarray):
        return label_block(image, coarse.labels, rows, columns, *outside)
    import dask.array as da

    if image.dtype.kind != "f":  # only their shape matters
        image = da.zeros(image.shape, np.uint8, chunks=image.chunks)
    labels = da.map_blocks(
        lazy_label_block,
        image,
        *_beside(image, rows, columns),
        *_beside(image, *outside),
        coarse=coarse.labels,
        dtype=np.int32,
        meta=np.empty((0, 0), np.int32),
    )
    return packed(labels)


def full_confidence(labels: Any, grid: ImageGrid, coarse: Any) -> Any:
    """Confidence of every pixel, dask in the chunks of lazy labels; 0 without label."""
    rows, columns = coarse.grid.nearest(grid)
    values = coarse.confidence.astype(np.float32)
    if isinstance(labels, np.ndarray):
        return confidence_block(labels, rows, columns, values=values)
    import dask.array as da

    return da.map_blocks(
        confidence_block,
        labels,
        *_beside(labels, rows, columns),
        values=values,
        dtype=np.float32,
        meta=np.empty((0, 0), np.float32),
    )


def confidence_block(
    labels: np.ndarray, rows: np.ndarray, columns: np.ndarray, *, values: np.ndarray
) -> np.ndarray:
    """One block of :func:`full_confidence`."""
    found = values[np.ix_(rows.ravel(), columns.ravel())]
    found[labels == 0] = 0
    return found


def _beside(image: Any, rows: np.ndarray, columns: np.ndarray) -> tuple[Any, Any]:
    """A value for each row and one for each column, dask in the chunks of an image."""
    import dask.array as da

    y, x = (
        da.from_array(values, chunks=(chunks,))
        for values, chunks in zip((rows, columns), image.chunks, strict=True)
    )
    return y[:, None], x[None, :]


def lazy_label_block(
    image: np.ndarray,
    rows: np.ndarray,
    columns: np.ndarray,
    row_outside: np.ndarray,
    column_outside: np.ndarray,
    *,
    coarse: np.ndarray,
) -> np.ndarray:
    """One block of :func:`full_labels`."""
    return label_block(
        image,
        coarse,
        rows.ravel(),
        columns.ravel(),
        row_outside.ravel(),
        column_outside.ravel(),
    )


def label_block(
    image: np.ndarray,
    coarse: np.ndarray,
    rows: np.ndarray,
    columns: np.ndarray,
    row_outside: np.ndarray,
    column_outside: np.ndarray,
) -> np.ndarray:
    """Nearest coarse label of each pixel, 0 outside the frame and where not finite."""
    labels = coarse[np.ix_(rows, columns)].astype(np.int32)
    labels[row_outside] = 0
    labels[:, column_outside] = 0
    if image.dtype.kind == "f":
        labels[~np.isfinite(image)] = 0
    return labels
