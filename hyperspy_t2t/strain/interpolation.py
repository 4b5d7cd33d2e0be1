# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Cubic interpolation of fields known on a coarse grid."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from hyperspy_t2t.array_types import Array, Ints
from hyperspy_t2t.calibration import ImageGrid
from hyperspy_t2t.strain.spline_kernels import (
    fill_grid,
    natural_coefficients,
    values_at,
)

_MEMORY = 24
"""Samples beyond which a spline forgets, to 2e-14."""


@dataclass(frozen=True)
class SplineField:
    """Fields on a coarse grid as cubic B-splines; constant beyond its border.

    Parameters
    ----------
    grid
        Where the samples are.
    samples
        Numpy or dask, shape (n, ny, nx); of dask what is needed is read.
    """

    grid: ImageGrid
    samples: Any

    @classmethod
    def through(cls, grid: ImageGrid, samples: Any) -> "SplineField":
        """Splines through `samples`, shape (n, ny, nx).

        At the border they go straight on: a field of constant slope is met exactly.
        """
        return cls(grid, samples)

    @cached_property
    def coefficients(self) -> Array:
        """B-spline coefficients, one more on each side, shape (n, ny + 2, nx + 2)."""
        samples = np.asarray(self.samples, float)
        return natural_coefficients(np.ascontiguousarray(samples))

    def near(self, grid: ImageGrid) -> "SplineField":
        """Splines through those samples alone that the pixels of a grid depend on.

        What is further away dies out as (2 − √3)ⁿ over n samples.
        """
        window = []
        for axis in (0, 1):
            first = (grid.origin[axis] - self.grid.origin[axis]) / (
                self.grid.pixel_size[axis]
            )
            length = (grid.shape[axis] - 1) * grid.pixel_size[axis]
            last = first + length / self.grid.pixel_size[axis]
            size = self.grid.shape[axis]
            start = int(np.clip(np.floor(first) - _MEMORY, 0, size - 2))
            stop = int(np.clip(np.ceil(last) + _MEMORY + 1, start + 2, size))
            window.append(slice(start, stop))
        samples = np.asarray(self.samples[:, *window])
        return SplineField(self.grid.window(*window), samples)

    def on_grid(self, grid: ImageGrid) -> Array:
        """Values on the pixels of a finer grid, shape (n, *grid.shape)."""
        near = self.near(grid)
        result = np.empty((len(self.samples), *grid.shape))
        fill_grid(near.coefficients, *near.axes(grid), result)
        return result

    def axes(self, grid: ImageGrid) -> tuple[Ints, Array, Ints, Array]:
        """First coefficient and four weights of the pixels along y, then along x."""
        result = []
        for axis in (0, 1):
            position = np.arange(grid.shape[axis]) * grid.pixel_size[axis]
            position += grid.origin[axis] - self.grid.origin[axis]
            index, weight = _basis(
                position / self.grid.pixel_size[axis], self.grid.shape[axis]
            )
            result += [np.ascontiguousarray(index[:, 0]), weight]
        return result[0], result[1], result[2], result[3]

    def at(self, positions: Array) -> Array:
        """Values at (x, y) in nm: positions (m, 2) give (n, m)."""
        rows, columns = self.grid.to_pixels(positions)
        result = np.empty((len(self.samples), len(rows)))
        values_at(self.coefficients, rows, columns, result)
        return result


def _basis(position: Array, size: int) -> tuple[Ints, Array]:
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
