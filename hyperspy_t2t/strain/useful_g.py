# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Which spots measure a lattice beside the two that carry its phase."""

import numpy as np
import numpy.typing as npt

from hyperspy_t2t.calibration import ImageGrid
from hyperspy_t2t.frequencies import upper_half
from hyperspy_t2t.strain.setup import RegionSpots

Array = npt.NDArray[np.floating]
MOST = 12
"""Spots taken in all, the pair included."""
LEAST = 4.0
"""Power over noise within the Fourier mask from which a spot is of use."""
_OFF_NODE = 0.01
"""Distance from a node of the pair's lattice as a share of |g|."""


def further_g_vectors(
    region: RegionSpots,
    pair: Array,
    grid: ImageGrid,
    resolution: float,
    *,
    least: float = LEAST,
    most: int = MOST,
) -> Array:
    """Spots of a region that measure the lattice of a pair of g as well.

    Those on nodes of the lattice that the pair spans, within 1 % of |g|, that are no
    satellites or sums, whose mask reaches neither the zero nor the Nyquist frequency,
    and whose fringes stand clear of the noise: a Gaussian of standard deviation σ
    averages over 4πσ², so that power over noise is that of the region times 4πσ² over
    its area. The most useful, by |g|² times their power over noise, come first.

    Parameters
    ----------
    region
        Spots of the reference.
    pair
        Two g in 1/nm, shape (2, 2).
    grid
        Pixels of the image in nm.
    resolution
        Standard deviation of the average in nm.
    least
        Power over noise within the mask from which on a spot counts.
    most
        How many g there may be, the pair included.

    Returns
    -------
    ndarray
        Shape (n, 2), one of each Friedel pair, without the pair itself.
    """
    length = np.linalg.norm(region.g, axis=1)
    order = region.g @ np.linalg.inv(pair)
    node = np.rint(order)
    away = np.linalg.norm((order - node) @ pair, axis=1)
    clear = region.snr * np.minimum(4 * np.pi * resolution**2 / region.area, 1.0)
    mask = 1 / (np.pi * resolution)
    nyquist = 0.5 / np.array(grid.pixel_size)[::-1]
    useful = (
        upper_half(region.g)
        & (away < _OFF_NODE * length)
        & (np.abs(node).sum(axis=1) > 0)
        & ~_one_of_pair(node)
        & (clear >= least)
        & (length >= mask)
        & (np.abs(region.g) < nyquist - mask).all(axis=1)
    )
    if region.own is not None:
        useful &= region.own
    chosen = np.flatnonzero(useful)
    merit = (length**2 * clear)[chosen]
    return region.g[chosen[np.argsort(-merit, kind="stable")][: max(0, most - 2)]]


def _one_of_pair(node: Array) -> npt.NDArray[np.bool_]:
    """Whether a node is one of the pair or −g of it."""
    return np.abs(node).sum(axis=1) == 1
