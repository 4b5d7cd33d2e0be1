# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""The smooth part of a sequence of numbers with noise."""

import numpy as np
from scipy.linalg import cho_solve_banded, cholesky_banded

from hyperspy_t2t.array_types import Array, Bools

MOST_FLEXIBLE = 12
"""Rows over which a trend averages at least."""
_BETTER = 8.0
"""Gain in −2 log likelihood from which on a curve is believed."""


def smooth_trend(values: Array, variance: Array) -> tuple[Array, Array]:
    """A smooth curve through noisy values, and the straight line of least squares.

    The curve minimises the squared residuals plus λ times its squared second
    differences, a random walk of the slope in white noise (Whittaker). λ is the one of
    the largest restricted likelihood; unless that is clearly more likely than a
    straight line, the curve is the straight line.

    Parameters
    ----------
    values
        Equally spaced, NaN where there is none, shape (n,), three or more finite.
    variance
        Of the noise where there is a value, shape (n,). As much as is typical is added
        to each, for what else moves a row.

    Returns
    -------
    ndarray, ndarray
        Curve and line at all places, shape (n,).

    References
    ----------
    Eilers, Anal. Chem. 75 (2003) 3631, https://doi.org/10.1021/ac034173t
    """
    values = np.asarray(values, float)
    known = np.isfinite(values)
    place = np.linspace(-1.0, 1.0, len(values))
    weight = _weights(variance, known)
    root = np.sqrt(weight[known])
    straight = np.polyval(np.polyfit(place[known], values[known], 1, w=root), place)
    residual = np.where(known, values - straight, 0)
    if not residual.any():
        return straight, straight
    # Averaging over b rows goes with λ = b⁴.
    lengths = np.geomspace(MOST_FLEXIBLE, max(len(values), 2 * MOST_FLEXIBLE), 25)
    fits = [_penalised(residual, weight, length**4) for length in lengths]
    likelihood = np.array([fit[1] for fit in fits])
    best = int(likelihood.argmin())
    if likelihood[-1] - likelihood[best] < _BETTER:
        return straight, straight
    return straight + fits[best][0], straight


def _weights(variance: Array, known: Bools) -> Array:
    """Inverse variances, one on average, zero where nothing is known."""
    total = variance + np.median(variance[known])
    weight = np.where(known, 1 / np.maximum(total, 1e-300), 0.0)
    return weight / weight[known].mean()


def _penalised(values: Array, weight: Array, penalty: float) -> tuple[Array, float]:
    """Smoothed values and −2 log restricted likelihood up to a constant."""
    size = len(values)
    bands = np.zeros((3, size))
    # D'D of second differences, upper bands for scipy.
    for offset, row in zip((0, 1, 2), _squared_differences(size), strict=True):
        bands[2 - offset, offset:] = penalty * row
    bands[2] += weight
    factor = cholesky_banded(bands)
    curve = cho_solve_banded((factor, False), weight * values)
    degrees = int((weight > 0).sum()) - 2
    misfit = float((weight * values) @ (values - curve))
    determinant = 2 * np.log(factor[-1]).sum()
    # The penalty has size − 2 positive eigenvalues.
    likelihood = degrees * np.log(misfit) + determinant - (size - 2) * np.log(penalty)
    return curve, likelihood


def _squared_differences(size: int) -> tuple[Array, Array, Array]:
    """Diagonal and first two off-diagonals of D'D, D the second differences."""
    main = np.full(size, 6.0)
    main[[0, -1]], main[[1, -2]] = 1.0, 5.0
    first = np.full(size - 1, -4.0)
    first[[0, -1]] = -2.0
    return main, first, np.ones(size - 2)
