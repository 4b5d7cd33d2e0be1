# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Means of scattered values on a grid of pixels, weighted by a Gaussian."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage, signal

from hyperspy_t2t.array_types import Array, Ints

_TRUNCATE = 3.0
"""Widths after which the Gaussian ends."""
_ROUNDING = 1e-9
"""Weights below are those of rounding in Fourier space."""


@dataclass(frozen=True)
class Scattered:
    """Points on a grid.

    Parameters
    ----------
    rows, columns
        Fractional pixels of each point, shape (n,), from 0 to ny − 1 and nx − 1.
    shape
        (ny, nx) of the grid.
    pixel_size
        (sy, sx).
    """

    rows: Array
    columns: Array
    shape: tuple[int, int]
    pixel_size: tuple[float, float]

    def sums(self, values: Array | None = None) -> Array:
        """Sum of the values, or number, of the points, (ny, nx).

        A point between pixels is shared among the four around it, linearly.
        """
        ny, nx = self.shape
        row, column = self.rows.astype(np.int64), self.columns.astype(np.int64)
        down, right = self.rows - row, self.columns - column
        total = np.zeros(ny * nx)
        for below, share_down in ((0, 1 - down), (1, down)):
            for beside, share in ((0, 1 - right), (1, right)):
                at = np.minimum(row + below, ny - 1) * nx
                at += np.minimum(column + beside, nx - 1)
                part = share_down * share
                total += np.bincount(
                    at, part if values is None else part * values, ny * nx
                )
        return total.reshape(self.shape)

    def mean(self, values: Array, sigma: float) -> Array:
        """Gaussian-weighted mean of values (n,); NaN where no point is near."""
        weight, total = self.sums(), self.sums(values)
        for axis, size in enumerate(self.pixel_size):
            kernel = _gaussian(sigma / size, 1 - axis)
            weight, total = (
                signal.oaconvolve(part, kernel, mode="same", axes=axis)
                for part in (weight, total)
            )
        known = weight > _ROUNDING * max(1.0, weight.max(initial=0))
        result = np.full(self.shape, np.nan)
        result[known] = total[known] / weight[known]
        return result

    def nearest(self, group: Ints, reach: float) -> Ints:
        """Group of the point nearest to each pixel, −1 beyond a reach, (ny, nx)."""
        if not len(self.rows):
            return np.full(self.shape, -1)
        held = np.full(self.shape, -1)
        held[tuple(np.rint([self.rows, self.columns]).astype(int))] = group
        distance, (row, column) = ndimage.distance_transform_edt(
            held < 0, sampling=self.pixel_size, return_indices=True
        )
        return np.where(distance <= reach, held[row, column], -1)


def _gaussian(width: float, across: int) -> Array:
    """Of a width in pixels, along one axis, the other of size 1."""
    half = int(np.ceil(_TRUNCATE * width))
    kernel = np.exp(-0.5 * (np.arange(-half, half + 1) / width) ** 2)
    return np.expand_dims(kernel, across)
