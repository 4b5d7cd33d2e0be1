# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""A watershed that only looks at the pixels without a label.

Of pixels with a labelled neighbour the lowest takes its label, of equal ones the
first that was reached; F. Meyer, Signal Processing 38 (1994) 113,
https://doi.org/10.1016/0165-1684(94)90060-4. scikit-image's does the same, but reads
and copies the whole image however few pixels are left to label.
"""

import numpy as np
import numpy.typing as npt
from numba import njit

from hyperspy_t2t.array_types import Array, Bools, Ints, Labels


def basins(relief: Array) -> Labels:
    """Basins of all minima of a relief, labels 1 … n, shape (ny, nx)."""
    from scipy.ndimage import label
    from skimage.morphology import local_minima

    return flooded(
        relief, label(local_minima(relief, connectivity=1))[0].astype(np.intp)
    )


def flooded(relief: Array, labels: Labels, mask: Bools | None = None) -> Labels:
    """Labels that have spread uphill over the pixels with 0.

    Parameters
    ----------
    relief
        0 or more, finite, shape (ny, nx), told to single precision.
    labels
        0 and above, same shape.
    mask
        Where they may spread, same shape; everywhere by default.

    Returns
    -------
    ndarray
        Of the labels' type, shape (ny, nx); 0 outside the mask, and where none comes.
    """
    if mask is None:
        mask = np.ones(labels.shape, bool)
    # Numbers that are not negative have the order of their bits.
    height = np.ascontiguousarray(relief, np.float32).view(np.uint32)
    result = np.ascontiguousarray(np.where(mask, labels, 0))
    _flood(height.ravel(), result.ravel(), mask.ravel(), labels.shape[1])
    return result


@njit(cache=True, nogil=True)
def _flood(
    height: npt.NDArray[np.uint32],
    labels: Labels,
    mask: Bools,
    width: int,
) -> None:
    """Spread labels in place; images by rows of a width."""
    start = _shore(labels, mask, width)
    free = 0
    for pixel in range(len(labels)):
        free += mask[pixel] and labels[pixel] == 0
    # The place in this list tells who came first, so that one number is enough for
    # the queue: the height above, the place below.
    reached = np.empty(len(start) + free, np.int64)
    queue = np.empty(len(reached), np.uint64)
    came, waiting = 0, 0
    for pixel in start:
        _push(queue, waiting, _ticket(height[pixel], came))
        reached[came] = pixel
        came, waiting = came + 1, waiting + 1
    while waiting:
        pixel = reached[_pop(queue, waiting) & np.uint64(0xFFFFFFFF)]
        waiting -= 1
        for side in range(4):
            other = _neighbour(pixel, side, width, len(labels))
            if other >= 0 and mask[other] and labels[other] == 0:
                labels[other] = labels[pixel]
                _push(queue, waiting, _ticket(height[other], came))
                reached[came] = other
                came, waiting = came + 1, waiting + 1


@njit(cache=True, nogil=True)
def _shore(labels: Labels, mask: Bools, width: int) -> Ints:
    """Labelled pixels with a neighbour to spread to."""
    result = np.empty(len(labels), np.int64)
    count = 0
    for pixel in range(len(labels)):
        if labels[pixel]:
            for side in range(4):
                other = _neighbour(pixel, side, width, len(labels))
                if other >= 0 and mask[other] and labels[other] == 0:
                    result[count] = pixel
                    count += 1
                    break
    return result[:count].copy()


@njit(cache=True, nogil=True)
def _neighbour(pixel: int, side: int, width: int, size: int) -> int:
    """Pixel above, on the left, on the right, below; −1 if there is none."""
    if side == 0:
        return pixel - width if pixel >= width else -1
    if side == 1:
        return pixel - 1 if pixel % width else -1
    if side == 2:
        return pixel + 1 if (pixel + 1) % width else -1
    return pixel + width if pixel + width < size else -1


@njit(cache=True, nogil=True)
def _ticket(height: np.uint32, place: int) -> np.uint64:
    return (np.uint64(height) << np.uint64(32)) | np.uint64(place)


@njit(cache=True, nogil=True)
def _push(queue: npt.NDArray[np.uint64], size: int, ticket: np.uint64) -> None:
    """Add to a heap of a size."""
    place = size
    while place > 0:
        above = (place - 1) >> 1
        if queue[above] <= ticket:
            break
        queue[place] = queue[above]
        place = above
    queue[place] = ticket


@njit(cache=True, nogil=True)
def _pop(queue: npt.NDArray[np.uint64], size: int) -> np.uint64:
    """Take the smallest out of a heap of a size."""
    smallest, moved = queue[0], queue[size - 1]
    last, place = size - 1, 0
    while True:
        below = 2 * place + 1
        if below >= last:
            break
        if below + 1 < last and queue[below + 1] < queue[below]:
            below += 1
        if moved <= queue[below]:
            break
        queue[place] = queue[below]
        place = below
    queue[place] = moved
    return smallest
