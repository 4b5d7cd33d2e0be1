# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Means of scattered values on a grid of pixels, weighted by a Gaussian."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

Array = npt.NDArray[np.floating]
Ints = npt.NDArray[np.integer]
_TRUNCATE = 3.0
"""Widths after which the Gaussian ends."""


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
        widths = [sigma / size for size in self.pixel_size]
        weight, total = (
            ndimage.gaussian_filter(part, widths, mode="constant", truncate=_TRUNCATE)
            for part in (self.sums(), self.sums(values))
        )
        known = weight > 1e-12
        result = np.full(self.shape, np.nan)
        # Rounding alone could make a mean of positive values negative.
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
