# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Cubic interpolation of fields known on a coarse grid."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hyperspy_t2t.calibration import ImageGrid

Array = npt.NDArray[np.floating]
_MARGIN = 12
"""Samples put around a field; what lies beyond them weighs below 1e-6 inside."""


@dataclass(frozen=True)
class SplineField:
    """Fields on a coarse grid as cubic B-splines; constant beyond its border.

    Parameters
    ----------
    grid
        Where the samples are.
    coefficients
        B-spline coefficients, one more on each side, shape (n, ny + 2, nx + 2).
    """

    grid: ImageGrid
    coefficients: Array

    @classmethod
    def through(cls, grid: ImageGrid, samples: Array) -> "SplineField":
        """Splines through `samples`, shape (n, ny, nx).

        At the border they go straight on: a field of constant slope is met exactly.
        """
        from scipy.ndimage import spline_filter

        inner = slice(_MARGIN - 1, 1 - _MARGIN)
        coefficients = [
            spline_filter(np.pad(field, _MARGIN, mode="reflect", reflect_type="odd"), 3)
            for field in samples
        ]
        return cls(grid, np.stack(coefficients)[:, inner, inner])

    def on_grid(self, grid: ImageGrid) -> Array:
        """Values on the pixels of a finer grid, shape (n, *grid.shape)."""
        from scipy.sparse import csr_array

        operators = []
        for axis in (0, 1):
            position = grid.origin[axis] - self.grid.origin[axis]
            position += np.arange(grid.shape[axis]) * grid.pixel_size[axis]
            index, weight = _basis(
                position / self.grid.pixel_size[axis], self.grid.shape[axis]
            )
            rows = np.repeat(np.arange(grid.shape[axis]), 4)
            shape = (grid.shape[axis], self.grid.shape[axis] + 2)
            operators.append(csr_array((weight.ravel(), (rows, index.ravel())), shape))
        along_y, along_x = operators
        return np.stack(
            [
                np.ascontiguousarray(along_y @ (along_x @ c.T).T)
                for c in self.coefficients
            ]
        )

    def at(self, positions: Array) -> Array:
        """Values at (x, y) in nm: positions (m, 2) give (n, m)."""
        rows, columns = self.grid.to_pixels(positions)
        row_index, row_weight = _basis(rows, self.grid.shape[0])
        column_index, column_weight = _basis(columns, self.grid.shape[1])
        total = np.zeros((len(self.coefficients), len(rows)))
        for i in range(4):
            for j in range(4):
                values = self.coefficients[:, row_index[:, i], column_index[:, j]]
                total += values * (row_weight[:, i] * column_weight[:, j])
        return total


def _basis(position: Array, size: int) -> tuple[npt.NDArray[np.intp], Array]:
    """Indices of coefficients and cubic B-spline weights, both of shape (m, 4)."""
    position = np.clip(position, 0, size - 1)
    first = np.minimum(np.floor(position).astype(np.intp), size - 2)
    t = position - first
    weight = np.stack(
        [
            (1 - t) ** 3 / 6,
            (4 - 6 * t**2 + 3 * t**3) / 6,
            (1 + 3 * t + 3 * t**2 - 3 * t**3) / 6,
            t**3 / 6,
        ],
        axis=-1,
    )
    return first[:, None] + np.arange(4), weight
