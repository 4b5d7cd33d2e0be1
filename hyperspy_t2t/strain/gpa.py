# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Geometric phase analysis of one lattice: displacement and its gradient."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hyperspy_t2t.calibration import ImageGrid
from hyperspy_t2t.frames import Convention
from hyperspy_t2t.strain.continuation import linear_continuation, nearest_known
from hyperspy_t2t.strain.counting_noise import FringeNoise
from hyperspy_t2t.strain.fringes import Fringes
from hyperspy_t2t.strain.least_squares import (
    agreeing,
    displacement_correction,
    fitted_gradient,
    gradient_covariance,
    inverse_noise,
    predicted_slopes,
    reference_vectors,
    residual_density,
    slope_weight,
)
from hyperspy_t2t.strain.uncertainty import component_std
from hyperspy_t2t.strain.unwrapping import unwrapped

Array = npt.NDArray[np.floating]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class PhaseField:
    """What two or more g measure of a lattice, on a coarse grid.

    Parameters
    ----------
    grid
        The coarse grid, shape (ny, nx).
    g_vectors
        g of the reference, refined, in 1/nm, shape (n, 2).
    origin
        Phase of each fringe where u = 0, shape (n,).
    displacement
        u at image positions in nm, shape (2, ny, nx), zero on average in the
        reference.
    gradient
        β[i, j] = ∂u_i/∂r_j, shape (2, 2, ny, nx).
    amplitude
        Amplitude of the weaker of the first two fringes relative to the reference.
    typical
        |z| of the first two fringes in the reference, in grey levels, shape (2,).
    covariance
        Of β[i, j] with β[m, l] by the noise, shape (2, 2, 2, 2, ny, nx) in the order
        i, j, m, l; NaN where the noise is not known. The error of the mean over the
        reference is not part of it.
    """

    grid: ImageGrid
    g_vectors: Array
    origin: Array
    displacement: Array
    gradient: Array
    amplitude: Array
    typical: Array
    covariance: Array

    def std(self, convention: Convention = "reference") -> Array:
        """Standard error of exx, eyy, exy and rotation, shape (4, ny, nx)."""
        return component_std(self.gradient, self.covariance, convention=convention)


def phase_field(
    fringes: Fringes,
    *,
    reference: Mask,
    inside: Mask,
    noise: FringeNoise | None = None,
) -> PhaseField:
    """Displacement relative to the lattice of a reference.

    The phase of the local component z at g is φ₀ − 2π g·u. Its gradient follows
    from the complex field without unwrapping and without finite differences; its
    mean over the reference corrects g. Two g are inverted for β = ∂u/∂r, more by least
    squares, β = −(Σ w g gᵀ)⁻¹ Σ w g (∇φ)ᵀ / 2π, with w the inverse variance of the
    slope by noise, which goes with 1/|z|², or, if the noise is correlated, by the
    inverse of the covariance. The first two g carry the unwrapped phase.
    Others improve the displacement where their phase is within π/2 of what these say,
    and both it and β only where their spots are within the Fourier mask
    (:func:`~hyperspy_t2t.strain.least_squares.agreeing`).

    Within two standard deviations of the border neighbouring spots leak in: gradient
    and amplitude there are those of the nearest place further inside, and the
    displacement continues along that gradient.

    Parameters
    ----------
    fringes
        Of two or more g, the first two not parallel and strong
        (:func:`~hyperspy_t2t.strain.fringes.local_fringes`).
    reference, inside
        Where the reference is and where the lattice is, on the grid of the fringes.
    noise
        Of the fringes. By default white, as large as the residuals of the fit in the
        reference; two g leave none, then it is not known.

    Raises
    ------
    ValueError
        A reference without fringes.

    References
    ----------
    Hÿtch, Snoeck, Kilaas, Ultramicroscopy 74 (1998) 131,
    https://doi.org/10.1016/S0304-3991(98)00035-7
    """
    weight = fringes.reference_weight(reference)
    known = _known(inside, fringes.seen)
    trust = _trust(fringes, noise)
    lattice = mean_lattice(fringes, reference, trust)
    gradient, displacement = _of_pair(fringes, lattice, np.zeros(2), known)
    displacement -= (displacement * weight).sum(axis=(1, 2))[:, None, None]
    origin = _origin(fringes, lattice, displacement, weight)
    gradient, displacement = _of_all(
        fringes, lattice, origin, trust, gradient, displacement, known, noise
    )
    # Zero in the reference, up to a vector of the lattice the first two g span.
    shift = (displacement * weight).sum(axis=(1, 2))
    displacement -= shift[:, None, None]
    origin -= 2 * np.pi * lattice @ shift
    if noise is None:
        trust /= _density(fringes, lattice, trust, gradient, weight)
    typical = (fringes.amplitude[:2] * weight).sum(axis=(1, 2))
    return _assembled(
        fringes, lattice, origin, displacement, gradient, trust, typical, noise
    )


def neighbour_field(
    fringes: Fringes,
    standard: PhaseField,
    *,
    inside: Mask,
    standard_inside: Mask,
    noise: FringeNoise,
) -> PhaseField:
    """Displacement of a strongly mismatched neighbour relative to the same reference.

    Its fringes are measured around its own spots, where its lattice lies in the middle
    of the Fourier mask, and expressed in those of the reference: the phase of
    z exp(2πi (g − g₀)·r) is φ₀ − 2π g₀·u again. That leaves u open by a lattice vector;
    the one that continues the displacement across the border is taken.

    Parameters
    ----------
    fringes
        At the same spots as those of the reference, in the same order, each near where
        the neighbour has it.
    standard
        Field of the reference and what shares its fringes, on the same grid.
    inside, standard_inside
        Where the neighbour and where the others are, shape (ny, nx).
    noise
        Of the fringes.
    """
    lattice = standard.g_vectors
    known = _known(inside, fringes.seen)
    trust = _trust(fringes, noise)
    gradient, displacement = _of_pair(fringes, lattice, standard.origin[:2], known)
    if len(lattice) > 2:
        trust[2:] *= agreeing(
            fringes.g_vectors[2:], lattice[2:], fringes.slope[2:], gradient,
            fringes.resolution,
        )  # fmt: skip
    gradient, displacement = _of_all(
        fringes, lattice, standard.origin, trust, gradient, displacement, known, noise
    )
    jump = _jump(displacement, standard.displacement, inside & known, standard_inside)
    vector = np.linalg.solve(lattice[:2], np.rint(lattice[:2] @ jump))
    return _assembled(
        fringes, lattice, standard.origin, displacement - vector[:, None, None],
        gradient, trust, standard.typical, noise,
    )  # fmt: skip


def mean_lattice(
    fringes: Fringes, reference: Mask, trust: Array | None = None
) -> Array:
    """Refined g of a reference in 1/nm, shape (n, 2).

    The first two by the mean slope, others where the lattice of these is seen; `trust`,
    if given, is set to zero where it is not.
    """
    weight = fringes.reference_weight(reference)
    mean_slope = (fringes.slope[:2] * weight).sum(axis=(2, 3))
    pair = fringes.g_vectors[:2] + mean_slope / (2 * np.pi)
    if len(fringes.g_vectors) == 2:
        return pair
    trust = _trust(fringes, None) if trust is None else trust
    gradient = _pair_gradient(fringes, pair)
    further, slope = fringes.g_vectors[2:], fringes.slope[2:]
    expected = further @ np.linalg.solve(fringes.g_vectors[:2], pair)
    trust[2:] *= agreeing(further, expected, slope, gradient, fringes.resolution)
    clean = weight * fringes.seen if (weight * fringes.seen).any() else weight
    others = reference_vectors(further, expected, slope, gradient, trust[2:] * clean)
    return np.concatenate([pair, others])


def _known(inside: Mask, seen: Mask) -> Mask:
    return inside & seen if (inside & seen).any() else inside


def _trust(fringes: Fringes, noise: FringeNoise | None) -> Array:
    """Inverse variance of the phases, for a density of 1 where none is known."""
    density = np.float64(1.0) if noise is None else noise.density_at(fringes.mean)
    return inverse_noise(fringes.amplitude, density, fringes.resolution)


def _pair_gradient(fringes: Fringes, lattice: Array) -> Array:
    """β of the first two g, shape (2, 2, ny, nx)."""
    _, slope = fringes.relative_to(lattice[:2])
    inverse = np.linalg.inv(lattice[:2])
    return -np.einsum("ik,kjyx->ijyx", inverse, slope) / (2 * np.pi)


def _of_pair(
    fringes: Fringes, lattice: Array, origin: Array, known: Mask
) -> tuple[Array, Array]:
    """∂u/∂r and u of two g, unwrapped where the lattice is known."""
    component, slope = fringes.relative_to(lattice[:2])
    turned = component * np.exp(-1j * origin)[:, None, None]
    weight = (fringes.amplitude[:2] ** 2).min(axis=0)
    phase = np.stack(
        [
            unwrapped(np.angle(z), along, weight, known, fringes.grid)
            for z, along in zip(turned, slope, strict=True)
        ]
    )
    if not known.all():
        phase = linear_continuation(phase, slope, fringes.grid, known)
    inverse = np.linalg.inv(lattice[:2])
    displacement = -np.einsum("ik,kyx->iyx", inverse, phase) / (2 * np.pi)
    return _pair_gradient(fringes, lattice), displacement


def _origin(
    fringes: Fringes, lattice: Array, displacement: Array, weight: Array
) -> Array:
    """Phase of each fringe where u = 0, shape (n,), averaged over the reference."""
    component, _ = fringes.relative_to(lattice)
    phase = 2 * np.pi * np.einsum("ki,iyx->kyx", lattice, displacement)
    return np.angle((component * np.exp(1j * phase) * weight).sum(axis=(1, 2)))


def _of_all(
    fringes: Fringes,
    lattice: Array,
    origin: Array,
    trust: Array,
    gradient: Array,
    displacement: Array,
    known: Mask,
    noise: FringeNoise | None,
) -> tuple[Array, Array]:
    """∂u/∂r and u of all g, from those of the first two."""
    if len(lattice) == 2:
        return gradient, displacement
    component, slope = fringes.relative_to(lattice)
    component *= np.exp(-1j * origin)[:, None, None]
    correlation = None if noise is None else noise.correlation(len(lattice))
    expected = _slopes(fringes, lattice, gradient)
    gradient = fitted_gradient(
        lattice, slope_weight(trust, expected, fringes.resolution), slope, correlation
    )
    displacement = displacement + displacement_correction(
        component, lattice, trust, displacement, correlation
    )
    return gradient, linear_continuation(displacement, gradient, fringes.grid, known)


def _slopes(fringes: Fringes, lattice: Array, gradient: Array) -> Array:
    """∇ arg z that β predicts, shape (n, 2, ny, nx)."""
    change = 2 * np.pi * (lattice - fringes.g_vectors)
    return predicted_slopes(lattice, change, gradient)


def _density(
    fringes: Fringes, lattice: Array, trust: Array, gradient: Array, weight: Array
) -> float:
    """Density of white noise that the residuals in the reference speak of."""
    predicted = _slopes(fringes, lattice, gradient)
    of_slopes = slope_weight(trust, predicted, fringes.resolution)
    return residual_density(
        of_slopes, fringes.slope - predicted, weight * fringes.seen, fringes.resolution
    )


def _assembled(
    fringes: Fringes,
    lattice: Array,
    origin: Array,
    displacement: Array,
    gradient: Array,
    trust: Array,
    typical: Array,
    noise: FringeNoise | None,
) -> PhaseField:
    """The field; near the border of the image as at the nearest place inside."""
    nearest = nearest_known(fringes.seen)
    covariance = gradient_covariance(
        lattice,
        trust,
        _slopes(fringes, lattice, gradient),
        fringes.resolution,
        None if noise is None else noise.correlation(len(lattice)),
    )
    amplitude = (fringes.amplitude[:2] / typical[:, None, None]).min(axis=0)
    return PhaseField(
        fringes.grid,
        lattice,
        origin,
        displacement,
        gradient[(..., *nearest)],
        amplitude[nearest],
        typical,
        covariance[(..., *nearest)],
    )


def _jump(displacement: Array, standard: Array, inside: Mask, others: Mask) -> Array:
    """How far u is from its continuation across the border to others, (2,) in nm."""
    from scipy.ndimage import distance_transform_edt

    if not others.any() or not inside.any():
        return np.zeros(2)
    distance = distance_transform_edt(~others)
    near = inside & (distance <= distance[inside].min() + 2)
    return np.median((displacement - standard)[:, near], axis=1)
