# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Displacement and its gradient from the phases of many g by least squares.

The phase of the fringes at g is φ₀ − 2π g·u. White noise of power density D gives
their local component z, a Gaussian average of standard deviation σ, the variance
ν = D/(4πσ²), and each of its derivatives ν/(2σ²), all without correlation. With
z ∝ exp(i s·r) the slope ∇ arg z has the covariance (I/(2σ²) + s sᵀ) ν/(2|z|²): the
weight of a phase is w = |z|²/ν, that of a slope w/(1 + σ²|s|²): noise draws it to the
middle of the mask.
"""

import numba
import numpy as np

from hyperspy_t2t.array_types import Array, Mask

_REACH = 2.0
"""Standard deviations of the Fourier mask from its centre within which a spot is
measured; further away, other spots of the lattice may outshine it."""
_DISAGREEMENT = 1.0
"""Difference, in the same unit, between a slope and what other g say of it at most."""


def inverse_noise(
    amplitude: Array, density: Array, sigma: float, *, strongest: float
) -> Array:
    """w = |z|²/ν of each g, shape (n, ny, nx).

    Parameters
    ----------
    amplitude
        |z| in grey levels, shape (n, ny, nx).
    density
        Power density of the noise in squared grey levels times nm², at each place or
        one number.
    sigma
        Standard deviation of the average in nm.
    strongest
        |z| to compare with: fringes fainter by 1e-10 all weigh the same.
    """
    strongest = strongest**2
    # Without noise all weights are those of the same small one.
    density = np.maximum(density, strongest * sigma**2 * 1e-20 + 1e-300)
    power = np.maximum(amplitude**2, 1e-20 * strongest)
    return power * (4 * np.pi * sigma**2 / density)


def slope_weight(weight: Array, slope: Array, sigma: float) -> Array:
    """w/(1 + σ²|s|²), shape (n, ny, nx), of w and expected slopes (n, 2, ny, nx)."""
    return weight / (1 + sigma**2 * (slope**2).sum(axis=1))


def predicted_slopes(g_vectors: Array, mean_slope: Array, gradient: Array) -> Array:
    """∇ arg z that β predicts: mean slope − 2π βᵀg, shape (n, 2, ny, nx)."""
    change = -2 * np.pi * np.einsum("ki,ijyx->kjyx", g_vectors, gradient)
    return mean_slope[:, :, None, None] + change


def agreeing(
    g_vectors: Array, lattice: Array, slope: Array, gradient: Array, sigma: float
) -> Mask:
    """Where further g measure the lattice that the first two see.

    Where strain or rotation moves a spot of high order towards the rim of its mask or
    beyond, another spot of the lattice may be what is seen there. So the place that
    the first two predict, (I − βᵀ) g₀, must be within two standard deviations of the
    mask, 1/(2πσ), and the measured one within one standard deviation of it.

    Parameters
    ----------
    g_vectors
        Where z was measured, in 1/nm, shape (n, 2).
    lattice
        g₀: where the first two g expect them in the reference, in 1/nm, shape (n, 2).
    slope
        s = ∇ arg z in rad/nm, shape (n, 2, ny, nx).
    gradient
        β of the first two g, shape (2, 2, ny, nx).
    sigma
        Standard deviation of the average in nm.

    Returns
    -------
    ndarray of bool
        Shape (n, ny, nx).
    """
    result = np.empty((len(slope), *slope.shape[2:]), bool)
    _agree(
        np.ascontiguousarray(lattice, float),
        2 * np.pi * (lattice - g_vectors),
        np.ascontiguousarray(slope).reshape(len(slope), 2, -1),
        np.ascontiguousarray(gradient).reshape(4, -1),
        float(sigma),
        result.reshape(len(slope), -1),
    )
    return result


@numba.njit(cache=True, nogil=True)
def _agree(
    lattice, change, slope, gradient, sigma, result
):  # pragma: no cover - compiled
    for k in range(len(lattice)):
        for place in range(slope.shape[2]):
            offset = difference = 0.0
            for j in range(2):
                along = lattice[k, 0] * gradient[j, place]
                along += lattice[k, 1] * gradient[2 + j, place]
                expected = change[k, j] - 2 * np.pi * along
                offset += expected**2
                difference += (slope[k, j, place] - expected) ** 2
            near = offset * sigma**2 < _REACH**2
            result[k, place] = near and difference * sigma**2 < _DISAGREEMENT**2


def reference_sums(
    g_vectors: Array, slope: Array, gradient: Array, weight: Array
) -> Array:
    """Σ w (gx, gy, 1) of each g of the lattice that is undeformed, shape (n, 3).

    Where two g say β, another is seen at g + s/2π = (I − βᵀ) g₀. The mean g₀ belongs
    to the same reference as β also where that is not uniform and amplitudes differ.

    Parameters
    ----------
    g_vectors, slope, gradient
        As for :func:`agreeing`.
    weight
        Of each place in the reference, shape (n, ny, nx).
    """
    result = np.zeros((len(slope), 3))
    _sum_up(
        np.ascontiguousarray(g_vectors, float),
        np.ascontiguousarray(slope).reshape(len(slope), 2, -1),
        np.ascontiguousarray(gradient).reshape(4, -1),
        np.ascontiguousarray(weight).reshape(len(slope), -1),
        result,
    )
    return result


@numba.njit(cache=True, nogil=True)
def _sum_up(g_vectors, slope, gradient, weight, result):  # pragma: no cover - compiled
    for place in range(gradient.shape[1]):
        a, b = 1 - gradient[0, place], -gradient[1, place]
        c, d = -gradient[2, place], 1 - gradient[3, place]
        determinant = a * d - b * c
        # (I − βᵀ)⁻¹ = Fᵀ; where noise makes I − β singular there is no weight anyway.
        scale = 1 / determinant if abs(determinant) >= 0.1 else 0.0
        for k in range(len(g_vectors)):
            share = weight[k, place]
            if share > 0:
                x = g_vectors[k, 0] + slope[k, 0, place] / (2 * np.pi)
                y = g_vectors[k, 1] + slope[k, 1, place] / (2 * np.pi)
                result[k, 0] += share * scale * (d * x - c * y)
                result[k, 1] += share * scale * (a * y - b * x)
                result[k, 2] += share


def residual_density(
    weight: Array, residual: Array, reference: Array, sigma: float
) -> Array:
    """Excess of the residuals in the reference, and their degrees of freedom, (2,).

    Their ratio is the density of noise that explains them.

    Parameters
    ----------
    weight
        Of each slope for a density of 1, zero where it was left out, (n, ny, nx).
    residual
        Measured less fitted slopes in rad/nm, shape (n, 2, ny, nx).
    reference
        Weight of each place in the reference, shape (ny, nx).
    sigma
        Standard deviation of the average in nm.
    """
    free = 2 * ((weight > 0).sum(axis=0) - 2)
    excess = (weight[:, None] * residual**2).sum(axis=(0, 1)) * 4 * sigma**2
    return np.array([(excess * reference).sum(), (free * reference).sum()])
