# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""The window through which a region of any shape is seen in Fourier space."""

import numba
import numpy as np

from hyperspy_t2t.array_types import Array, Bools

_COARSE = 256
"""Rows and columns on which the largest rectangle is looked for, at most."""
_ENOUGH = 0.6
"""Least share of the region that the largest rectangle has to see."""
_LARGE, _DEEP = 512, 24
"""Longest side in pixels whose distances are all measured; depth in blocks from which
on a larger region is seen in blocks."""


def region_window(
    mask: Bools, *, pixel_size: tuple[float, float] = (1.0, 1.0)
) -> Array:
    """Smooth weights inside a region, zero outside and at its outline.

    A region that fills its frame gets a Hann window. Of any other two windows are
    tried, and the one is taken that resolves more (:func:`spot_spread`): sin²(π d/D),
    where d is the distance to the outline and D the largest such distance, up to
    d = D/2 and one further inside; and a Hann window in the largest upright rectangle
    within the region. The second serves regions that are nearly rectangles and those
    with a ragged outline or many holes; it must see 0.6 of what the first does.

    Parameters
    ----------
    mask
        True inside the region, shape (ny, nx).
    pixel_size
        (sy, sx); only its ratio matters.

    Returns
    -------
    ndarray
        Weights from 0 to 1, shape (ny, nx).
    """
    from hyperspy_t2t.frequencies import hann_window

    if mask.mean() > 0.98:
        return hann_window(mask.shape) * mask
    whole = tapered_mask(mask, pixel_size)
    rows, columns = inscribed_rectangle(mask)
    height, width = rows.stop - rows.start, columns.stop - columns.start
    if min(height, width) < 2:
        return whole
    part = hann_window((height, width))
    wider = spot_spread(part, pixel_size) >= spot_spread(whole, pixel_size)
    if wider or _seen_area(part) < _ENOUGH * _seen_area(whole):
        return whole
    window = np.zeros(mask.shape)
    window[rows, columns] = part
    return window


def _seen_area(window: Array) -> float:
    """Pixels (Σw)²/Σw² that a window averages the noise over."""
    return float(window.sum() ** 2 / max((window**2).sum(), 1e-300))


def spot_spread(window: Array, pixel_size: tuple[float, float]) -> float:
    """Mean square width of what a window makes of a spot, Σ|∇w|²/Σw².

    By Parseval's theorem this is ⟨(2πg)²⟩ over the power spectrum of the window, side
    lobes included; infinite if the window is empty.
    """
    # A smooth window is as wide on every second or fourth of its pixels.
    stride = max(1, max(window.shape) // _LARGE)
    window = np.pad(window[::stride, ::stride], 1)
    total = (window**2).sum()
    if total == 0:
        return np.inf
    slopes = (np.diff(window, axis=k) / (stride * s) for k, s in enumerate(pixel_size))
    return float(sum((slope**2).sum() for slope in slopes) / total)


def tapered_mask(mask: Bools, pixel_size: tuple[float, float]) -> Array:
    """A region that fades towards its outline, (ny, nx)."""
    step = max(1, max(mask.shape) // _LARGE)
    if step > 1:
        weights, depth = _taper(_blocks(mask, (step, step)), pixel_size)
        # Blocks are fine where the weights rise over many of them.
        if depth > _DEEP:
            return _enlarged(weights, step, mask.shape) * mask
    return _taper(mask, pixel_size)[0]


def _taper(mask: Bools, pixel_size: tuple[float, float]) -> tuple[Array, float]:
    """Weights of a region, and its largest depth in pixels."""
    from scipy.ndimage import distance_transform_edt

    distance = distance_transform_edt(np.pad(mask, 1), sampling=pixel_size)[1:-1, 1:-1]
    depth = float(distance.max())
    if depth == 0:
        return np.zeros(mask.shape), 0.0
    weights = np.sin(np.pi * np.minimum(distance / depth, 0.5)) ** 2
    return weights, depth / max(pixel_size)


def _blocks(mask: Bools, step: tuple[int, int]) -> np.ndarray:
    """Which blocks of pixels are in a region as a whole."""
    padded = np.pad(
        mask, [(0, -size % s) for size, s in zip(mask.shape, step, strict=True)]
    )
    rows, columns = (size // s for size, s in zip(padded.shape, step, strict=True))
    return np.all(padded.reshape(rows, step[0], columns, step[1]), axis=(1, 3))


def _enlarged(coarse: Array, step: int, shape: tuple[int, int]) -> Array:
    """Values of blocks, interpolated between their centres to pixels."""
    (top, bottom, down), (left, right, across) = (
        _between(blocks, size, step)
        for blocks, size in zip(coarse.shape, shape, strict=True)
    )
    lines = coarse[:, left] * (1 - across) + coarse[:, right] * across
    down = down[:, None]
    return lines[top] * (1 - down) + lines[bottom] * down


def _between(
    blocks: int, size: int, step: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Both blocks between whose centres each pixel lies, and its share of the way."""
    place = np.clip((np.arange(size) + 0.5) / step - 0.5, 0, blocks - 1)
    low = np.minimum(place.astype(int), max(blocks - 2, 0))
    return low, np.minimum(low + 1, blocks - 1), place - low


def inscribed_rectangle(mask: Bools) -> tuple[slice, slice]:
    """Largest upright rectangle in a region, to within a 256th of the frame.

    Parameters
    ----------
    mask
        True inside the region, shape (ny, nx).

    Returns
    -------
    rows, columns : slice
        Empty where there is none.
    """
    step = tuple(-(-size // _COARSE) for size in mask.shape)
    full = _blocks(mask, step)
    top, bottom, left, right = _largest_rectangle(full)
    return slice(top * step[0], bottom * step[0]), slice(
        left * step[1], right * step[1]
    )


@numba.njit(cache=True)
def _largest_rectangle(full: np.ndarray) -> tuple[int, int, int, int]:
    """Top, bottom, left, right of the largest block of True, by histograms of rows."""
    height, width = full.shape
    heights = np.zeros(width + 1, np.int64)
    stack = np.zeros(width + 1, np.int64)
    best, found = 0, (0, 0, 0, 0)
    for row in range(height):
        for column in range(width):
            heights[column] = heights[column] + 1 if full[row, column] else 0
        depth = 0
        for column in range(width + 1):
            while depth and heights[stack[depth - 1]] >= heights[column]:
                depth -= 1
                tall = heights[stack[depth]]
                left = stack[depth - 1] + 1 if depth else 0
                if tall * (column - left) > best:
                    best = tall * (column - left)
                    found = (row + 1 - tall, row + 1, left, column)
            stack[depth] = column
            depth += 1
    return found
