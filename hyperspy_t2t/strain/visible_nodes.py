# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""All reflections of a lattice that an image can show, to draw its unit cell."""

from typing import NamedTuple

import numpy as np

from hyperspy_t2t.array_types import Array, Ints, Mask
from hyperspy_t2t.calibration import ImageGrid
from hyperspy_t2t.frequencies import hann_window, upper_half

MOST = 64
"""Reflections taken."""
_FRACTION = 12
"""The pair of g may span a sublattice: nodes are looked for at quarters and sixths."""
_CLEAR = 30.0
"""Power of a node that is seen, over the median of the streak it stands on."""
_FAINTEST = 1e-5
"""Power of a node that is seen, over the strongest: a window leaks less than that."""
_NEAREST = 6
"""Spectral pixels of a node from the zero frequency, and of one between whole orders
from these: their flanks reach as far."""
_SPOT = 4.0
"""Power of a spot between whole orders over the largest in a ring around it."""
_BEYOND = 1.6
"""Length of the longest node taken over that of the longest seen."""
_LONGEST = 6.0
"""Length of the longest node looked for over that of the longer g of the pair."""


class CellNodes(NamedTuple):
    """Reflections of a lattice, one of each Friedel pair.

    Parameters
    ----------
    basis
        The two g of its primitive cell in 1/nm, shape (2, 2).
    order
        Whole numbers of them, shape (n, 2).
    """

    basis: Array
    order: Ints

    @property
    def g(self) -> Array:
        """In 1/nm, shape (n, 2)."""
        return self.order @ self.basis


def visible_nodes(
    image: Array, grid: ImageGrid, pair: Array, reference: Mask, *, most: int = MOST
) -> CellNodes:
    """Reflections of the lattice of the reference that its image can show.

    The pair may span a sublattice only: nodes at quarters and sixths of it belong to
    the lattice if they are spots, and two or more differ by whole numbers of it. All
    nodes are taken, seen or not, to 1.6 times the longest that is seen, the strongest
    first: a reflection that is left out looks like a displacement with the period of
    the lattice, and one that isn't there does no harm.

    Returns
    -------
    CellNodes
        Without any node if none is seen.
    """
    part = np.asarray(pair, float) / _FRACTION
    none = CellNodes(part, np.empty((0, 2), int))
    if not reference.any():
        return none
    order = _orders_below_nyquist(part, grid)
    length = np.linalg.norm(order @ part, axis=1)
    order = order[length < _LONGEST * np.linalg.norm(pair, axis=1).max()]
    power, extent = _spectrum(image, grid, reference)
    seen = _seen(power, order[_looked_at(order)], part * extent)
    if not len(seen):
        return none
    lattice = _generated(_belonging(seen))
    node = order @ np.linalg.inv(lattice)
    order = order[(np.abs(node - np.rint(node)) < 1e-6).all(axis=1)]
    length = np.linalg.norm(order @ part, axis=1)
    order = order[length < _BEYOND * np.linalg.norm(seen @ part, axis=1).max()]
    peak = _peaks(power, np.rint(order @ (part * extent)).astype(int))[0]
    order = order[np.argsort(-peak, kind="stable")[:most]]
    return CellNodes(
        lattice @ part, np.rint(order @ np.linalg.inv(lattice)).astype(int)
    )


def _spectrum(image: Array, grid: ImageGrid, inside: Mask) -> tuple[Array, Array]:
    """Power spectrum of the box of a region under a Hann window; its size in nm."""
    rows, columns = (np.flatnonzero(inside.any(axis=axis)) for axis in (1, 0))
    box = tuple(slice(int(a[0]), int(a[-1]) + 1) for a in (rows, columns))
    image, inside = image[box], inside[box] & np.isfinite(image[box])
    window = hann_window(image.shape) * inside
    values = np.where(inside, image, 0)
    level = (values * window).sum() / max(window.sum(), 1e-300)
    power = np.abs(np.fft.fft2((values - level) * window)) ** 2
    return power, np.array(image.shape[::-1]) * np.array(grid.pixel_size)[::-1]


def _orders_below_nyquist(basis: Array, grid: ImageGrid) -> Ints:
    """Whole numbers (n, 2) of all nodes of a basis below Nyquist, half of them."""
    nyquist = 0.95 * 0.5 / np.array(grid.pixel_size)[::-1]
    reach = int(np.ceil((nyquist @ np.abs(np.linalg.inv(basis))).max()))
    order = np.stack(np.meshgrid(*2 * [np.arange(-reach, reach + 1)]), -1)
    order = order.reshape(-1, 2)
    g = order @ basis
    return order[upper_half(g) & (np.abs(g) < nyquist).all(axis=1)]


def _looked_at(order: Ints) -> Mask:
    """Whether orders (n, 2) of the parts are quarters or sixths."""
    return np.any([(order % step == 0).all(axis=1) for step in (2, 3)], axis=0)


def _seen(power: Array, order: Ints, basis: Array) -> Ints:
    """Orders (m, 2) whose nodes of a basis in spectral pixels stand out.

    Between whole orders of the pair, the flank of a spot must not be taken for one.
    """
    place = order @ basis
    peak, streak, ring = _peaks(power, np.rint(place).astype(int))
    clear = np.abs(place).max(axis=1) > _NEAREST
    strongest = peak.max(where=clear, initial=0)
    seen = clear & (peak > np.maximum(_CLEAR * streak, _FAINTEST * strongest))
    alone = (peak > _SPOT * ring) & (_from_whole(order, basis) > _NEAREST)
    return order[seen & (_whole(order) | alone)]


def _peaks(power: Array, pixel: Ints) -> tuple[Array, Array, Array]:
    """Power at spectral pixels (x, y), on the streak they stand on, in a ring around.

    The largest within a pixel, the median along gy, and the largest in the ring.
    """

    def at(y: Ints, x: Ints) -> Array:
        return power[
            (pixel[:, 1, None] + y) % power.shape[0],
            (pixel[:, 0, None] + x) % power.shape[1],
        ]

    y, x = (part.ravel() for part in np.indices((13, 13)) - 6)
    away = np.maximum(np.abs(y), np.abs(x))
    along = np.concatenate([np.arange(-20, -5), np.arange(6, 21)])
    streak = np.max(
        [at(along, np.full(len(along), side)) for side in (-1, 0, 1)], axis=0
    )
    inner, outer = away <= 1, away >= 4
    return (
        at(y[inner], x[inner]).max(axis=1),
        np.median(streak, axis=1),
        at(y[outer], x[outer]).max(axis=1),
    )


def _from_whole(order: Ints, basis: Array) -> Array:
    """Distance of orders (n, 2) of parts from the next whole ones, as the basis is."""
    corners = _FRACTION * np.array([(0, 0), (0, 1), (1, 0), (1, 1)])
    apart = (order % _FRACTION)[:, None] - corners
    return np.linalg.norm(apart @ basis, axis=-1).min(axis=1)


def _whole(order: Ints) -> Mask:
    """Whether orders (n, 2) of parts are whole orders of the pair."""
    return (order % _FRACTION == 0).all(axis=1)


def _belonging(order: Ints) -> Ints:
    """The pair, and those of the orders (n, 2) of parts that don't stand alone."""
    between = order[~_whole(order)]
    # Friedel pairs differ by their sign.
    rest = np.minimum(
        (between % _FRACTION) @ [_FRACTION, 1], (-between % _FRACTION) @ [_FRACTION, 1]
    )
    kind, count = np.unique(rest, return_counts=True)
    together = between[np.isin(rest, kind[count > 1])]
    return np.concatenate([_FRACTION * np.eye(2, dtype=int), together])


def _generated(vectors: Ints) -> Ints:
    """Basis (2, 2) of all whole-number sums of vectors (n, 2) that span the plane."""
    first, second = np.zeros(2, int), 0
    for vector in np.array(vectors):
        # Euclid on the first coordinate; what is left over has none.
        while vector[0]:
            first, vector = vector, first - (first[0] // vector[0]) * vector
        second = int(np.gcd(second, vector[1]))
    return np.array([[first[0], first[1] % second], [0, second]])
