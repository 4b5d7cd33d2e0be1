# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""An image as it were, had its rows been taken where they belong."""

from typing import Any

import numpy as np

from hyperspy_t2t.array_types import Array, Bools, Ints
from hyperspy_t2t.calibration import ImageGrid

_REACH = 24
"""Pixels beyond which a quintic spline does not feel its neighbours (1e-9)."""
_ROWS = 6
"""Rows on either side from which a row is rebuilt."""


def corrected_image(image: Any, grid: ImageGrid, offset: Array) -> Any:
    """Move each row back to where it was taken.

    Along x each row is shifted as a quintic spline. Rows taken at other y than their
    own are rebuilt from the four nearest by a cubic through their true places; where
    no row has an offset along y, this step is left out, and it never touches a pixel
    of rows that stand right among right ones. Where a row has no data after it was
    moved, as many pixels at an end as it moves, it goes on as its mirror image: there
    strain is not valid anyway, nearer than two standard deviations of the average to
    the border, and pixels without a number would cost more.

    Parameters
    ----------
    image
        Shape (ny, nx), numpy or dask; dask gives dask.
    grid
        Its pixels in nm.
    offset
        (x, y) in nm by row, shape (ny, 2).

    Returns
    -------
    ndarray or dask array
        float32, or float64 if the image is. Pixels that are not finite stay so, where
        they belong.

    Raises
    ------
    ValueError
        Offsets of another number of rows, not finite, or of more than
        four rows along y.
    """
    offset = np.asarray(offset, float)
    if offset.shape != (image.shape[0], 2) or not np.isfinite(offset).all():
        raise ValueError(
            f"Expected finite offsets (x, y) in nm for {image.shape[0]} rows, got "
            f"shape {offset.shape}, of which {int((~np.isfinite(offset)).sum())} are "
            "not finite."
        )
    shift = offset / np.array(grid.pixel_size)[::-1]
    largest = np.abs(shift).max(axis=0, initial=0)
    if largest[1] > _ROWS - 2:
        raise ValueError(
            f"Expected offsets along y of at most {_ROWS - 2} rows, got "
            f"{largest[1]:.3g}. Such an image is too distorted; take only the offsets "
            "along x."
        )
    kind = np.float64 if image.dtype == np.float64 else np.float32
    if not largest.any():
        return image.astype(kind)
    if isinstance(image, np.ndarray):
        return _moved(image, shift[:, :1], shift[:, 1:]).astype(kind)
    return _moved_blocks(image, shift, int(np.ceil(largest[0])), kind)


def _moved_blocks(image: Any, shift: Array, reach: int, kind: type) -> Any:
    """The same of a dask array, each chunk with its surroundings."""
    import dask.array as da

    rows = _ROWS if shift[:, 1].any() else 0
    columns = _REACH + reach
    chunks = (image.chunks[0], (1,))
    x, y = (da.from_array(shift[:, [i]], chunks=chunks, name=False) for i in (0, 1))
    around = {0: rows, 1: columns}
    return da.map_overlap(
        _moved, image, x, y,
        depth=[around, {0: rows, 1: 0}, {0: rows, 1: 0}],
        boundary="none", align_arrays=False, dtype=kind, meta=np.empty((0, 0), kind),
    ).astype(kind)  # fmt: skip


def _moved(image: Array, x: Array, y: Array) -> Array:
    """Rows moved by x and y pixels, (ny, 1) each."""
    values, missing = np.asarray(image, float), ~np.isfinite(image)
    if missing.any():
        values = _filled(values, missing)
    if x.any():
        values = _along_rows(values, x[:, 0])
        missing = _along_rows(missing.astype(float), x[:, 0], order=1) > 0.01
    if y.any():
        values = _rebuilt_rows(values, y[:, 0])
    return np.where(missing, np.nan, values)


def _filled(values: Array, missing: Bools) -> Array:
    """Missing pixels take the value of the nearest in their row, else zero."""
    place = np.arange(values.shape[1])
    filled = np.where(missing, 0.0, values)
    for row in np.flatnonzero(missing.any(axis=1)):
        known = np.flatnonzero(~missing[row])
        if len(known):
            filled[row] = np.interp(place, known, values[row, known])
    return filled


def _along_rows(values: Array, shift: Array, *, order: int = 5) -> Array:
    """Row j at x − shift[j]: what it shows at x + shift stands at its place again."""
    from scipy.interpolate import BSpline
    from scipy.ndimage import spline_filter1d

    if order > 1:
        values = spline_filter1d(values, order, axis=1, mode="mirror")
    size = values.shape[1]
    whole = np.floor(-shift)
    part = -shift - whole
    basis = BSpline.basis_element(np.arange(order + 2) - (order + 1) / 2)
    place = np.arange(size) + whole[:, None].astype(int)
    result = np.zeros(values.shape)
    for tap in range(-(order // 2), order // 2 + 2):
        index = _mirrored(place + tap, size)
        weight = np.nan_to_num(basis(part - tap, extrapolate=False))
        result += weight[:, None] * np.take_along_axis(values, index, axis=1)
    return result


def _mirrored(index: Ints, size: int) -> Ints:
    """Indices beyond an end of a row, mirrored about its last pixel."""
    period = max(2 * size - 2, 1)
    index = np.abs(index) % period
    return np.minimum(index, period - index)


def _rebuilt_rows(values: Array, shift: Array) -> Array:
    """Rows at 0, 1, 2, … from rows taken at 0, 1, 2, … + shift."""
    place = np.arange(len(shift)) + shift
    order = np.argsort(place, kind="stable")
    # Two rows at the same place would be told apart by noise alone.
    kept = [order[0]]
    for row in order[1:]:
        if place[row] - place[kept[-1]] >= 0.25:
            kept.append(row)
    nodes = place[kept]
    result = values.copy()
    count = min(4, len(kept))
    for row in range(len(shift)):
        first = int(np.searchsorted(nodes, row)) - count // 2
        first = min(max(first, 0), len(kept) - count)
        near = slice(first, first + count)
        weight = _lagrange(nodes[near], float(np.clip(row, nodes[0], nodes[-1])))
        result[row] = weight @ values[kept[near]]
    return result


def _lagrange(nodes: Array, at: float) -> Array:
    """Weights of the polynomial through nodes, at one place."""
    difference = nodes[:, None] - nodes
    np.fill_diagonal(difference, 1.0)
    factor = at - np.tile(nodes, (len(nodes), 1))
    np.fill_diagonal(factor, 1.0)
    return (factor / difference).prod(axis=1)
