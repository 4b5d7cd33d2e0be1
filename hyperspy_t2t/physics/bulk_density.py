# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""How dense a piece of a crystal is inside, where its borders do not count.

The atoms are counted with a weight that is smooth and falls to zero at the border of
the piece: n = Σ w(r) / (t ∫ w dA). A sharp box cuts through rows of atoms, and its
count is uncertain by a share of its outline; a smooth one is not, since the lattice has
no periods as long as the fall of the weight.
"""

from dataclasses import dataclass

import numpy as np

from hyperspy_t2t.array_types import Array

_FINEST = 1.0
"""Å of a pixel, for pieces that are not large."""
_PIXELS = 1e6
"""Pixels at most, about."""
_BLUR = 5.0
"""Å over which the columns of atoms are smoothed into an area."""
_BORDER = 4.0
"""Å from the border where the density may be another."""
_FALL = 24.0
"""Å over which the weight falls, at most."""
_SMALLEST = 6.0
"""Å that it must have; narrower pieces have no inside."""


@dataclass(frozen=True)
class Interior:
    """How deep inside of a piece its atoms are, seen along the beam.

    Parameters
    ----------
    depth
        Distance in Å to the border at each pixel, 0 outside, (ny, nx).
    corner
        x, y of the first pixel in Å.
    pixel
        Side of a pixel in Å.
    """

    depth: Array
    corner: Array
    pixel: float

    def at(self, positions: Array) -> Array:
        """Depth in Å at positions in Å, (n, 2 or more), between the pixels."""
        return _between(self.depth, self._pixels(positions))

    def deepest(self) -> tuple[Array, float]:
        """x, y in Å, shape (2,), of the deepest place, and its depth in Å."""
        row, column = np.unravel_index(self.depth.argmax(), self.depth.shape)
        place = self.corner + self.pixel * np.array([column, row])
        return place, float(self.depth.max())

    def weights(self, positions: Array) -> tuple[Array, float]:
        """Weight of each position, (n,), and the integral of the weight in Å²."""
        fall = min(_FALL, self.depth.max() - _BORDER)
        if fall < _SMALLEST:
            return np.zeros(len(positions)), 0.0
        rise = np.clip((self.depth - _BORDER) / fall, 0, 1)
        weight = np.sin(0.5 * np.pi * rise) ** 2
        values = _between(weight, self._pixels(positions))
        return values, float(weight.sum() * self.pixel**2)

    def _pixels(self, positions: Array) -> tuple[Array, Array]:
        x, y = np.asarray(positions)[:, :2].T
        return (y - self.corner[1]) / self.pixel, (x - self.corner[0]) / self.pixel


def interior_of(positions: Array) -> Interior:
    """The area that atoms cover, seen along the beam.

    Parameters
    ----------
    positions
        Atoms of one piece in Å, (n, 2 or more), n of 1 or more.

    Returns
    -------
    Interior
        The border is where the density of atoms is half of what most of them have
        around them.
    """
    from scipy.ndimage import distance_transform_edt, gaussian_filter

    places = np.asarray(positions)[:, :2]
    low, span = places.min(axis=0), np.ptp(places, axis=0)
    margin = 4 * _BLUR
    pixel = max(_FINEST, float(np.sqrt(np.prod(span + 2 * margin) / _PIXELS)))
    corner = low - margin
    shape = 1 + np.ceil((span + 2 * margin) / pixel).astype(np.int64)
    columns, rows = np.rint((places - corner) / pixel).astype(np.int64).T
    counts = np.bincount(rows * shape[0] + columns, minlength=shape.prod())
    counts = counts.reshape(shape[::-1])
    density = gaussian_filter(counts.astype(np.float32), _BLUR / pixel)
    typical = np.median(density[counts > 0])
    depth = pixel * distance_transform_edt(density > 0.5 * typical)
    # The ridge in the middle would be a kink of the weight.
    return Interior(gaussian_filter(depth, 2.0 / pixel) * (depth > 0), corner, pixel)


def bulk_density(
    positions: Array, masses: Array, interior: Interior, length: float
) -> tuple[float, float]:
    """Atoms per nm³ and g/cm³ inside of a piece.

    Parameters
    ----------
    positions
        Atoms of the piece in Å, (n, 2 or more).
    masses
        Of each in atomic mass units, (n,).
    interior
        Of the same atoms.
    length
        Of the piece along the beam in Å.

    Returns
    -------
    number, mass : float
        NaN where no place is 10 Å away from the border.
    """
    weights, area = interior.weights(positions)
    if not area > 0 or not length > 0:
        return np.nan, np.nan
    volume = area * length
    number = 1e3 * weights.sum() / volume
    # 1 u/Å³ = 1.66053906660 g/cm³ (CODATA 2018)
    return float(number), float(1.66053906660 * (weights @ masses) / volume)


def _between(image: Array, pixels: tuple[Array, Array]) -> Array:
    """Values between pixels, linear: their integral is the sum of the pixels."""
    from scipy.ndimage import map_coordinates

    return map_coordinates(image, pixels, order=1, mode="constant")
