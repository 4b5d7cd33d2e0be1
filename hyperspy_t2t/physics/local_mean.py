# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Means of scattered values on a grid of pixels, weighted by a Gaussian."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage, signal

Array = npt.NDArray[np.floating]
Ints = npt.NDArray[np.integer]
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
        Pixel of each point, integer, shape (n,), within the grid.
    shape
        (ny, nx) of the grid.
    pixel_size
        (sy, sx).
    """

    rows: Ints
    columns: Ints
    shape: tuple[int, int]
    pixel_size: tuple[float, float]

    def sums(self, values: Array | None = None) -> Array:
        """Sum of the values, or number, of the points of each pixel, (ny, nx)."""
        size = self.shape[0] * self.shape[1]
        flat = self.rows * self.shape[1] + self.columns
        return np.bincount(flat, values, size).reshape(self.shape).astype(float)

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
        held[self.rows, self.columns] = group
        distance, (row, column) = ndimage.distance_transform_edt(
            held < 0, sampling=self.pixel_size, return_indices=True
        )
        return np.where(distance <= reach, held[row, column], -1)


def _gaussian(width: float, across: int) -> Array:
    """Of a width in pixels, along one axis, the other of size 1."""
    half = int(np.ceil(_TRUNCATE * width))
    kernel = np.exp(-0.5 * (np.arange(-half, half + 1) / width) ** 2)
    return np.expand_dims(kernel, across)
