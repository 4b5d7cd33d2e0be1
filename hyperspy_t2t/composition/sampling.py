# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Composition maps at columns of atoms: interpolation, gaps and standard errors."""

from dataclasses import dataclass

import numpy as np

from hyperspy_t2t.array_types import Array, Bools, Ints
from hyperspy_t2t.calibration import ImageGrid

_BEYOND = 0.5
"""In nm: as far outside of maps their outer pixels count."""


@dataclass(frozen=True)
class Samples:
    """Pixels that each of many places takes its value from, and their shares.

    Parameters
    ----------
    pixels
        Flat indices, shape (n, 4).
    weights
        Sums of one, shape (n, 4); zeros where the place is unknown.
    """

    pixels: Ints
    weights: Array

    @property
    def known(self) -> Bools:
        """Places with a value, shape (n,)."""
        return np.any(self.weights, axis=1)

    def __getitem__(self, rows: Ints) -> "Samples":
        return Samples(self.pixels[rows], self.weights[rows])

    def of(self, maps: Array) -> Array:
        """Values of maps (k, ny, nx) at the places, shape (k, n)."""
        flat = np.nan_to_num(maps.reshape(len(maps), -1))
        return np.einsum("knc,nc->kn", flat[:, self.pixels], self.weights)

    def share_of_pixels(self, weights: Array, size: int) -> Array:
        """Weight of each pixel in a weighted sum over the places, shape (size,)."""
        each = (self.weights * weights[:, None]).ravel()
        return np.bincount(self.pixels.ravel(), each, minlength=size)


def samples_at(grid: ImageGrid, known: Bools, positions: Array) -> Samples:
    """Linear interpolation between the known pixels around places.

    A place is known within the outer edges of the pixels or 0.5 nm beyond them (cells
    that the frame of an image cuts have columns outside), if more than half of what is
    interpolated there is.

    Parameters
    ----------
    grid
        Pixels in nm.
    known
        Whether a pixel has a value, shape (ny, nx).
    positions
        (x, y) in nm, shape (n, 2).
    """
    rows, columns = grid.to_pixels(positions)
    ny, nx = grid.shape
    beyond = _BEYOND / np.array(grid.pixel_size)
    inside = np.abs(rows - (ny - 1) / 2) <= ny / 2 + beyond[0]
    inside &= np.abs(columns - (nx - 1) / 2) <= nx / 2 + beyond[1]
    row, up = _between(rows, ny)
    column, left = _between(columns, nx)
    below, beside = np.minimum(row + 1, ny - 1), np.minimum(column + 1, nx - 1)
    pixels = np.stack(
        [
            row * nx + column, row * nx + beside,
            below * nx + column, below * nx + beside,
        ], axis=1,
    )  # fmt: skip
    weights = np.stack(
        [(1 - up) * (1 - left), (1 - up) * left, up * (1 - left), up * left], axis=1
    )
    weights *= known.ravel()[pixels]
    total = weights.sum(axis=1)
    good = inside & (total > 0.5)
    weights[good] /= total[good, None]
    weights[~good] = 0
    return Samples(pixels, weights)


def _between(places: Array, size: int) -> tuple[Ints, Array]:
    """Pixel before each place, and how far it is beyond it, in 0 … 1."""
    within = np.clip(places, 0, size - 1)
    before = np.minimum(within.astype(np.int64), max(0, size - 2))
    return before, within - before


def nearest_known_place(positions: Array, known: Bools) -> Ints:
    """Index of the nearest known place of each (itself if known), shape (n,).

    At least one must be known.
    """
    from scipy.spatial import cKDTree

    index = np.arange(len(positions))
    if not known.all():
        there = np.flatnonzero(known)
        index[~known] = there[cKDTree(positions[known]).query(positions[~known])[1]]
    return index


def covered_share(grid: ImageGrid, positions: Array) -> float:
    """Share of places within the outer edges of the pixels."""
    if not len(positions):
        return 0.0
    rows, columns = grid.to_pixels(positions)
    inside = (rows >= -0.5) & (rows <= grid.shape[0] - 0.5)
    inside &= (columns >= -0.5) & (columns <= grid.shape[1] - 0.5)
    return float(inside.mean())
