# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Parts of a large image that stand for all of it."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from hyperspy_t2t.array_types import Mask, pair
from hyperspy_t2t.calibration import ImageGrid

SIDE = 160
"""Side of a part in places of the coarse grid, half a σ each."""
STEP = 16
"""Places from one look at the regions to the next."""
_FEWEST, _MOST, _SPACING = 4, 12, 4
"""Parts taken at least and at most; in between one for every four sides of a part."""


class Part(NamedTuple):
    """A part of a grid."""

    whole: tuple[slice, slice]
    """Rows and columns to be measured."""
    inner: tuple[slice, slice]
    """Those of them that are judged, counted from the first measured."""


def thinned(grid: ImageGrid) -> ImageGrid:
    """Every 16th place of a grid, where :func:`sampled_parts` looks at the regions."""
    shape = pair(-(-size // STEP) for size in grid.shape)
    return ImageGrid(shape, pair(STEP * p for p in grid.pixel_size), grid.origin)


def sampled_parts(inside: Mask, shape: tuple[int, int], *, margin: int) -> list[Part]:
    """Squares of 160² places, spread evenly over what is inside; all of a small grid.

    The grid is cut into squares. Counted line by line, each of those that are taken
    stands for the same area inside.

    Parameters
    ----------
    inside
        Where the regions are that count, every 16th place.
    shape
        (ny, nx) of the grid.
    margin
        Places that are measured around a square.
    """
    count = min(_MOST, max(_FEWEST, max(shape) // (_SPACING * SIDE)))
    if count * (SIDE + 2 * margin) ** 2 > 0.6 * shape[0] * shape[1]:
        everything = slice(0, shape[0]), slice(0, shape[1])
        return [Part(everything, everything)]
    cell = SIDE // STEP
    lines, columns = (-(-size // cell) for size in inside.shape)
    padded = np.zeros((lines * cell, columns * cell))
    padded[: inside.shape[0], : inside.shape[1]] = inside
    area = padded.reshape(lines, cell, columns, cell).sum(axis=(1, 3)).ravel()
    below = np.cumsum(area)
    targets = (np.arange(count) + 0.5) / count * below[-1]
    chosen = np.unique(np.searchsorted(below, targets))
    return [_around(divmod(int(one), columns), shape, margin) for one in chosen]


def _around(cell: tuple[int, int], shape: tuple[int, int], margin: int) -> Part:
    """The square of a cell, moved inside the grid, with its margin."""
    whole, inner = [], []
    for number, size in zip(cell, shape, strict=True):
        start = max(0, min(number * SIDE, size - SIDE))
        stop = min(size, start + SIDE)
        first = max(0, start - margin)
        whole.append(slice(first, min(size, stop + margin)))
        inner.append(slice(start - first, stop - first))
    return Part(pair(whole), pair(inner))


def joined(arrays: Sequence[npt.NDArray]) -> npt.NDArray:
    """Arrays (…, ny, nx) of parts one below the other, zero beside narrower ones."""
    width = max(array.shape[-1] for array in arrays)
    return np.concatenate(
        [
            np.pad(a, [(0, 0)] * (a.ndim - 1) + [(0, width - a.shape[-1])])
            for a in arrays
        ],
        axis=-2,
    )
