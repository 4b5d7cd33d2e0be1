# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Mean of a displacement gradient over a region, and how well it is known.

Neighbouring places are not independent. White noise of the phase, averaged with a
Gaussian of standard deviation σ, is correlated as exp(−d²/4σ²) over a distance d, and
its derivative along a direction e as (1 − (d·e)²/2σ²) exp(−d²/4σ²). That function has
the mean zero: what a place has too much its neighbours have too little, and the mean
over a region depends on the noise at its ends only. So it does on what leaks in from
beyond its ends, and weights that fall towards them make the mean better on both counts,
as a straight line through all phases is better than one through the first and the last.
"""

import numpy as np

from hyperspy_t2t.array_types import Array, Mask
from hyperspy_t2t.strain.continuation import core


def depth_weight(mask: Mask) -> Array:
    """Weight of each place of a region: its depth inside the core, shape (ny, nx).

    Zero within two standard deviations of the outline, on a grid of two places per
    standard deviation, or within half the depth of a thin region.
    """
    from scipy.ndimage import distance_transform_edt

    return distance_transform_edt(np.pad(core(mask), 1))[1:-1, 1:-1]


def mean_gradient(gradient: Array, weight: Array) -> Array:
    """Weighted mean of β (2, 2, ny, nx), shape (2, 2)."""
    seen = weight > 0
    return gradient[:, :, seen] @ weight[seen] / weight.sum()


def variance_of_mean(
    weight: Array, pitch: tuple[float, float], resolution: float, direction: Array
) -> float:
    """Variance of the mean of a derivative over that of a single place.

    Parameters
    ----------
    weight
        Of each place in the mean, shape (ny, nx); not all zero.
    pitch
        Distance of the places (y, x) in nm.
    resolution
        σ of the Gaussian in nm.
    direction
        Unit vector (x, y) the derivative is taken along.
    """
    from scipy.signal import fftconvolve

    rows, columns = np.nonzero(weight)
    part = weight[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    pairs = fftconvolve(part, part[::-1, ::-1])
    y, x = (
        (np.arange(n) - n // 2) * step
        for n, step in zip(pairs.shape, pitch, strict=True)
    )
    along = direction[0] * x + direction[1] * y[:, None]
    square = x**2 + y[:, None] ** 2
    correlation = (1 - along**2 / (2 * resolution**2)) * np.exp(
        -square / (4 * resolution**2)
    )
    share = float((pairs * correlation).sum()) / part.sum() ** 2
    # Sums of the sampled function may leave a little below zero.
    return max(share, float((part**2).sum() / part.sum() ** 2) ** 2)


def error_of_mean(
    gradient: Array,
    weight: Array,
    pitch: tuple[float, float],
    resolution: float,
    of: Array,
    along: Array,
) -> float:
    """Standard error of the mean of one component, ofᵀ β along.

    From its scatter over the region, so that whatever varies there counts as noise.

    Parameters
    ----------
    gradient
        β, shape (2, 2, ny, nx).
    weight, pitch, resolution
        As in :func:`variance_of_mean`.
    of, along
        Unit vectors (x, y): which component of u, and along which direction.
    """
    seen = weight > 0
    values = np.einsum("i,ijn,j->n", of, gradient[:, :, seen], along)
    away = values - np.average(values, weights=weight[seen])
    variance = np.average(away**2, weights=weight[seen])
    return float(np.sqrt(variance * variance_of_mean(weight, pitch, resolution, along)))
