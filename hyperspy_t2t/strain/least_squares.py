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

import numpy as np
import numpy.typing as npt

from hyperspy_t2t.strain.place_solver import least_squares_solver

Array = npt.NDArray[np.floating]
Mask = npt.NDArray[np.bool_]
_REACH = 2.0
"""Standard deviations of the Fourier mask from its centre within which a spot is
measured; further away, other spots of the lattice may outshine it."""
_DISAGREEMENT = 1.0
"""Difference, in the same unit, between a slope and what other g say of it at most."""


def inverse_noise(amplitude: Array, density: Array, sigma: float) -> Array:
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
    """
    strongest = (amplitude**2).max()
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
    expected = predicted_slopes(lattice, 2 * np.pi * (lattice - g_vectors), gradient)
    offset = np.linalg.norm(expected, axis=1) * sigma
    difference = np.linalg.norm(slope - expected, axis=1) * sigma
    return (offset < _REACH) & (difference < _DISAGREEMENT)


def reference_vectors(
    g_vectors: Array, lattice: Array, slope: Array, gradient: Array, weight: Array
) -> Array:
    """Refined g of the lattice that is undeformed by definition, shape (n, 2).

    Where two g say β, another is seen at g + s/2π = (I − βᵀ) g₀. The mean g₀ belongs
    to the same reference as β also where that is not uniform and amplitudes differ.

    Parameters
    ----------
    g_vectors, lattice, slope, gradient
        As for :func:`agreeing`; a g without weight is where the first two expect it.
    weight
        Of each place in the reference, shape (n, ny, nx).
    """
    seen = g_vectors[:, :, None, None] + slope / (2 * np.pi)
    (a, b), (c, d) = np.eye(2)[:, :, None, None] - gradient
    determinant = a * d - b * c
    # (I − βᵀ)⁻¹ = Fᵀ; where noise makes I − β singular there is no weight anyway.
    determinant = np.where(np.abs(determinant) < 0.1, np.inf, determinant)
    deformation = np.array([[d, -b], [-c, a]]) / determinant
    total = weight.sum(axis=(1, 2))
    share = weight / np.where(total > 0, total, 1.0)[:, None, None]
    mean = np.einsum("jiyx,kjyx,kyx->ki", deformation, seen, share, optimize=True)
    return np.where(total[:, None] > 0, mean, lattice)


def fitted_gradient(
    g_vectors: Array, weight: Array, slope: Array, correlation: Array | None = None
) -> Array:
    """β = −(Σ w g gᵀ)⁻¹ Σ w g sᵀ / 2π at every place, shape (2, 2, ny, nx).

    Parameters
    ----------
    g_vectors
        In 1/nm, shape (n, 2).
    weight
        w, shape (n, ny, nx).
    slope
        s relative to the reference in rad/nm, shape (n, 2, ny, nx).
    correlation
        Of the noise of the phases, shape (n, n), by default none: with R the weights
        become √w_k (R⁻¹)_kl √w_l.
    """
    solver = least_squares_solver(g_vectors, weight, correlation)
    return -np.einsum("ikyx,kjyx->ijyx", solver, slope) / (2 * np.pi)


def displacement_correction(
    component: npt.NDArray[np.complexfloating],
    g_vectors: Array,
    weight: Array,
    displacement: Array,
    correlation: Array | None = None,
) -> Array:
    """What the third and further g add to the u of the first two, shape (2, ny, nx).

    Their phases differ from −2π g·u by little, and need no unwrapping. Where one
    differs by more than π/2, at a fault or by noise, it is left out.

    Parameters
    ----------
    component
        z of all g without the fringes and the phase of the reference, complex,
        shape (n, ny, nx).
    g_vectors, weight
        As for :func:`fitted_gradient`.
    displacement
        u of the first two g in nm, shape (2, ny, nx).
    correlation
        As for :func:`fitted_gradient`.
    """
    phase = 2 * np.pi * np.einsum("ki,iyx->kyx", g_vectors, displacement)
    residual = np.angle(component * np.exp(1j * phase))
    # The unwrapped phases of the first two are u by definition, whatever its origin.
    residual[:2] = 0
    near = np.abs(residual) < np.pi / 2
    solver = least_squares_solver(g_vectors, weight * near, correlation)
    return -np.einsum("ikyx,kyx->iyx", solver, residual) / (2 * np.pi)


def residual_density(
    weight: Array, residual: Array, reference: Array, sigma: float
) -> float:
    """Density of noise that explains the residuals in the reference, NaN for two g.

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
    degrees = (free * reference).sum()
    if degrees == 0:
        return float("nan")
    return float((excess * reference).sum() / degrees)


def gradient_covariance(
    g_vectors: Array,
    weight: Array,
    slope: Array,
    sigma: float,
    correlation: Array | None = None,
) -> Array:
    """Covariance of β[i, j] and β[m, l] by noise, shape (2, 2, 2, 2, ny, nx).

    Parameters
    ----------
    g_vectors, correlation
        As for :func:`fitted_gradient`.
    weight
        w = |z|²/ν, shape (n, ny, nx).
    slope
        Fitted ∇ arg z in rad/nm, shape (n, 2, ny, nx).
    sigma
        Standard deviation of the average in nm.
    """
    of_slopes = slope_weight(weight, slope, sigma)
    solver = least_squares_solver(g_vectors, of_slopes, correlation) / (2 * np.pi)
    root = np.sqrt(np.where(weight > 0, weight, np.inf))
    solver = solver / root
    related = np.eye(len(g_vectors)) if correlation is None else correlation
    common = np.einsum("ikyx,kn,mnyx->imyx", solver, related, solver, optimize=True)
    common = common[:, None, :, None] * np.eye(2)[None, :, None, :, None, None]
    along = np.einsum("ikyx,mkyx,kjyx,klyx->ijmlyx", solver, solver, slope, slope,
                      optimize=True)  # fmt: skip
    return common / (4 * sigma**2) + 0.5 * along
