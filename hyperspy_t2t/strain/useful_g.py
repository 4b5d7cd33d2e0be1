# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Which nodes of the reciprocal lattice measure it, beside the two with its phase."""

import numpy as np

from hyperspy_t2t.array_types import Array, Bools, Ints
from hyperspy_t2t.calibration import ImageGrid
from hyperspy_t2t.strain.fringes import Fringes

MOST = 18
"""Nodes taken in all, the pair included."""
LEAST = 3.0
"""Power over noise within the Fourier mask from which a node is of use."""
_ORDERS = 5
_LONGEST = 4.5
"""Length of the longest nodes relative to the shortest."""


def lattice_nodes(pair: Array, grid: ImageGrid, resolution: float) -> Array:
    """Nodes h g₁ + k g₂, one of each Friedel pair, shape (m, 2), shortest first.

    Without the pair itself, up to 4.5 times the shortest node, where neither the zero
    nor the Nyquist frequency is within two standard deviations of the Fourier mask.

    Parameters
    ----------
    pair
        Two g in 1/nm, shape (2, 2).
    grid
        Pixels of the image in nm.
    resolution
        Standard deviation σ of the average in nm; that of the mask is 1/(2πσ).
    """
    order = np.arange(-_ORDERS, _ORDERS + 1)
    node = np.stack(np.meshgrid(order, order, indexing="ij"), axis=-1).reshape(-1, 2)
    half = (node[:, 0] > 0) | ((node[:, 0] == 0) & (node[:, 1] > 0))
    node = node[half & (np.abs(node).sum(axis=1) > 1)]
    g = node @ pair
    length = np.linalg.norm(g, axis=1)
    shortest = min(length.min(), np.linalg.norm(pair, axis=1).min())
    mask = 1 / (np.pi * resolution)
    nyquist = 0.5 / np.array(grid.pixel_size)[::-1]
    usable = (length >= mask) & (length < _LONGEST * shortest)
    usable &= (np.abs(g) < nyquist - mask).all(axis=1)
    return g[usable][np.argsort(length[usable], kind="stable")]


def different(g_vectors: Array, others: Array) -> Ints:
    """Rows of `g_vectors` that are neither one of others nor −g of it, none twice."""
    kept: list[int] = []
    for row, g in enumerate(g_vectors):
        known = np.concatenate([others, g_vectors[kept]])
        apart = np.minimum(
            np.linalg.norm(known - g, axis=1), np.linalg.norm(known + g, axis=1)
        )
        if apart.min() > 0.1 * np.linalg.norm(known, axis=1).min():
            kept.append(row)
    return np.array(kept, np.intp)


def most_useful(
    fringes: Fringes,
    weight: Array,
    density: float,
    allowed: Bools,
    *,
    streaks: Array | float = 0.0,
    least: float = LEAST,
    most: int,
) -> Ints:
    """Fringes that stand clear of the noise, those that lower it most first.

    White noise of density D has the power D/(4πσ²) in a fringe. A fringe lowers the
    noise of the strain by |g|² times its power over that.

    Parameters
    ----------
    fringes
        At all candidates.
    weight
        Of each place in the reference, sum 1, shape (ny, nx).
    density
        D in squared grey levels times nm².
    allowed
        Which of the candidates may be taken, shape (n,).
    streaks
        Power of other noise, as by displaced rows, over that of the fringe, (n,).
    least
        Power over noise from which a fringe counts.
    most
        How many to take.
    """
    power = (fringes.amplitude**2 * weight).sum(axis=(1, 2))
    noise = max(density / (4 * np.pi * fringes.resolution**2), 1e-12 * power.max())
    noise = noise + streaks * power
    clear = power / noise - 1  # its own noise is part of the power
    gain = (fringes.g_vectors**2).sum(axis=1) * clear
    useful = np.flatnonzero(allowed & (clear >= least))
    return useful[np.argsort(-gain[useful], kind="stable")][:most]
