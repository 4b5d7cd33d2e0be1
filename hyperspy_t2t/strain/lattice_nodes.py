# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Reflections of a lattice that an image can show."""

import numpy as np
import numpy.typing as npt

from hyperspy_t2t.calibration import ImageGrid
from hyperspy_t2t.frequencies import hann_window, upper_half

Array = npt.NDArray[np.floating]
Mask = npt.NDArray[np.bool_]
Integers = npt.NDArray[np.integer]
MOST = 64
"""Reflections taken."""
_FRACTION = 4
"""The pair of g may span a sublattice: nodes are looked for at quarters of it."""
_CLEAR = 30.0
"""Power of a node that is seen, over the median of the streak it stands on."""
_FAINTEST = 1e-5
"""Power of a node that is seen, over the strongest: a window leaks less than that."""


def lattice_nodes(
    image: Array, grid: ImageGrid, pair: Array, reference: Mask, *, most: int = MOST
) -> Array:
    """Reflections of the lattice of the reference that its image can show.

    The pair may span a sublattice only: the lattice is the one that all nodes at
    quarters of the pair generate whose power stands out of the streak that jitter draws
    along gy. All its nodes are taken, seen or not, to 1.6 times the longest that is
    seen, the strongest first: a reflection that is left out looks like a displacement
    with the period of the lattice, and one that isn't there does no harm.

    Returns
    -------
    ndarray
        Shape (n, 2) in 1/nm, one of each Friedel pair; empty if none is seen.
    """
    rows, columns = (np.flatnonzero(reference.any(axis=axis)) for axis in (1, 0))
    if not len(rows):
        return np.empty((0, 2))
    box = tuple(slice(int(a[0]), int(a[-1]) + 1) for a in (rows, columns))
    power = _power(image[box], reference[box] & np.isfinite(image[box]))
    extent = np.array(power.shape[::-1]) * np.array(grid.pixel_size)[::-1]
    order = _orders_below_nyquist(pair / _FRACTION, grid)
    g = order @ pair / _FRACTION
    peak, floor = _peaks(power, np.rint(g * extent).astype(int))
    clear = (np.abs(g) * extent).max(axis=1) > 6
    strongest = peak.max(where=clear, initial=0)
    clear &= peak > np.maximum(_CLEAR * floor, _FAINTEST * strongest)
    if not clear.any():
        return np.empty((0, 2))
    lattice = _generated(order[clear])
    inside = np.zeros(len(order), bool)
    if lattice is not None:
        node = order @ np.linalg.inv(lattice)
        inside = (np.abs(node - np.rint(node)) < 1e-6).all(axis=1)
    longest = np.linalg.norm(g[clear], axis=1).max()
    inside &= np.linalg.norm(g, axis=1) < 1.6 * longest
    return g[inside][np.argsort(-peak[inside], kind="stable")[:most]]


def _power(image: Array, inside: Mask) -> Array:
    """Power spectrum of a part of an image under a Hann window."""
    window = hann_window(image.shape) * inside
    values = np.where(inside, image, 0)
    level = (values * window).sum() / max(window.sum(), 1e-300)
    return np.abs(np.fft.fft2((values - level) * window)) ** 2


def _orders_below_nyquist(basis: Array, grid: ImageGrid) -> Integers:
    """Whole numbers (n, 2) of all nodes of a basis below Nyquist, half of them."""
    nyquist = 0.95 * 0.5 / np.array(grid.pixel_size)[::-1]
    reach = int(np.ceil((nyquist @ np.abs(np.linalg.inv(basis))).max()))
    order = np.stack(np.meshgrid(*2 * [np.arange(-reach, reach + 1)]), -1)
    order = order.reshape(-1, 2)
    g = order @ basis
    return order[upper_half(g) & (np.abs(g) < nyquist).all(axis=1)]


def _peaks(power: Array, pixel: Integers) -> tuple[Array, Array]:
    """Power around spectral pixels (x, y), and median of the streak they stand on."""

    def around(rows: Integers) -> Array:
        y = (pixel[:, 1, None] + rows)[:, :, None] % power.shape[0]
        x = (pixel[:, 0, None] + np.arange(-1, 2))[:, None] % power.shape[1]
        return power[y, x].max(axis=2)

    streak = np.concatenate([np.arange(-20, -5), np.arange(6, 21)])
    floor = np.median(around(streak), axis=1)
    return around(np.arange(-1, 2)).max(axis=1), floor


def _generated(vectors: Integers) -> Integers | None:
    """Basis (2, 2) of all whole-number sums of vectors (n, 2); None if parallel."""
    first, second = np.zeros(2, int), 0
    for vector in np.array(vectors):
        # Euclid on the first coordinate; what is left over has none.
        while vector[0]:
            first, vector = vector, first - (first[0] // vector[0]) * vector
        second = int(np.gcd(second, vector[1]))
    if not (first[0] and second):
        return None
    return np.array([first, [0, second]])
