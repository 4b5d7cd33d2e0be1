# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Geometric phase analysis of one lattice: displacement and its gradient."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from hyperspy_t2t.calibration import ImageGrid
from hyperspy_t2t.frames import Convention
from hyperspy_t2t.strain.continuation import linear_continuation, nearest_known
from hyperspy_t2t.strain.demodulation import local_spectrum
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

Array = npt.NDArray[np.floating]
Mask = npt.NDArray[np.bool_]
_WHOLE = 0.977
"""Weight of a Gaussian that is cut at two standard deviations."""


@dataclass(frozen=True)
class PhaseField:
    """What two or more g measure of a lattice, on a coarse grid.

    Parameters
    ----------
    grid
        The coarse grid, shape (ny, nx).
    g_vectors
        g of the reference, refined, in 1/nm, shape (n, 2).
    displacement
        u at image positions in nm, shape (2, ny, nx), zero on average in the
        reference.
    gradient
        β[i, j] = ∂u_i/∂r_j, shape (2, 2, ny, nx).
    amplitude
        Amplitude of the weaker of the first two fringes relative to the reference.
    typical
        |z| of these fringes in the reference, in grey levels.
    covariance
        Of β[i, j] with β[m, l] by the noise, shape (2, 2, 2, 2, ny, nx) in the order
        i, j, m, l; NaN where the noise is not known. The error of the mean over the
        reference is not part of it.
    """

    grid: ImageGrid
    g_vectors: Array
    displacement: Array
    gradient: Array
    amplitude: Array
    typical: float
    covariance: Array

    def std(self, convention: Convention = "reference") -> Array:
        """Standard error of exx, eyy, exy and rotation, shape (4, ny, nx)."""
        return component_std(self.gradient, self.covariance, convention=convention)


def phase_field(
    image: Any,
    grid: ImageGrid,
    g_vectors: Array,
    *,
    resolution: float,
    reference: Mask,
    inside: Mask,
    noise: Array | None = None,
    correlation: Array | None = None,
) -> PhaseField:
    """Displacement relative to the lattice of a reference.

    The phase of the local component z at g is φ₀ − 2π g·u. Its gradient follows
    from the complex field without unwrapping and without finite differences; its
    mean over the reference corrects g. Two g are inverted for β = ∂u/∂r, more by least
    squares, β = −(Σ w g gᵀ)⁻¹ Σ w g (∇φ)ᵀ / 2π, with w the inverse variance of the
    slope by noise, which goes with 1/|z|². The first two g carry the unwrapped phase.
    Others improve the displacement where their phase is within π/2 of what these say,
    and both it and β only where their spots are within the Fourier mask
    (:func:`~hyperspy_t2t.strain.least_squares.agreeing`).

    Where the image border cuts the Gaussian, phase and gradient belong to its centre
    of weight. Within two standard deviations of the border neighbouring spots leak in:
    gradient and amplitude there are those of the nearest place further inside, and the
    displacement continues along that gradient.

    Parameters
    ----------
    image, grid
        The micrograph, numpy or dask, and its pixels in nm.
    g_vectors
        Frequencies in 1/nm, shape (n, 2), n ≥ 2, to within the Fourier mask; the
        first two not parallel and strong.
    resolution
        Standard deviation in nm of the Gaussian average.
    reference, inside
        Where the reference is and where the lattice is, on the coarse grid of
        ``coarse_grid(grid, resolution)``.
    noise
        Power density of the noise at each g in squared grey levels times nm², shape
        (n,). By default the same for all, as large as the residuals of the fit in
        the reference; two g leave none, then it is not known.
    correlation
        Of the noise of the phases of all g, shape (n, n), see
        :func:`hyperspy_t2t.strain.counting_noise.phase_correlation`; by default none,
        as for white noise.

    Raises
    ------
    ValueError
        Impossible g-vectors, or a reference without fringes.

    References
    ----------
    Hÿtch, Snoeck, Kilaas, Ultramicroscopy 74 (1998) 131,
    https://doi.org/10.1016/S0304-3991(98)00035-7
    """
    check_g_vectors(g_vectors, grid)
    g_vectors = np.asarray(g_vectors, float)
    local = local_spectrum(image, grid, g_vectors, sigma=resolution)
    amplitude = local.amplitude[:2]
    weight = np.where(reference, (amplitude**2).min(axis=0), 0.0)
    if not weight.any():
        raise ValueError(
            "The reference holds no fringes of the given g. Choose a reference "
            "region where both g are seen, or other g."
        )
    weight /= weight.sum()
    shift, stretch = _centres_of_weight(grid, local.grid, resolution)
    slope = local.phase_gradient / stretch
    mean_slope = (slope[:2] * weight).sum(axis=(2, 3))
    refined = g_vectors[:2] + mean_slope / (2 * np.pi)
    phase_shift = (slope * shift).sum(axis=1)
    component = local.component * np.exp(-1j * phase_shift)
    seen = _away_from_border(local.coverage)
    known = inside & seen if (inside & seen).any() else inside
    gradient, displacement = _of_pair(
        component[:2], local.grid, refined, mean_slope, slope[:2], known
    )
    trust = inverse_noise(local.amplitude, noise, resolution)
    if len(g_vectors) > 2:
        clean = weight * seen if (weight * seen).any() else weight
        refined, gradient, displacement = _of_all(
            g_vectors, refined, component, local.grid, slope, trust, gradient,
            displacement, clean, known, resolution, correlation,
        )  # fmt: skip
        mean_slope = 2 * np.pi * (refined - g_vectors)
    # Zero in the reference, up to a vector of the lattice the first two g span.
    displacement -= (displacement * weight).sum(axis=(1, 2))[:, None, None]
    typical = (amplitude * weight).sum(axis=(1, 2))
    relative = (amplitude / typical[:, None, None]).min(axis=0)
    predicted = predicted_slopes(refined, mean_slope, gradient)
    if noise is None:
        of_slopes = slope_weight(trust, predicted, resolution)
        residual = slope - predicted
        trust /= residual_density(of_slopes, residual, weight * seen, resolution)
    covariance = gradient_covariance(refined, trust, predicted, resolution, correlation)
    nearest = nearest_known(seen)
    return PhaseField(
        local.grid,
        refined,
        displacement,
        gradient[(..., *nearest)],
        relative[nearest],
        float(typical.min()),
        covariance[(..., *nearest)],
    )


def _of_pair(
    component: npt.NDArray[np.complexfloating],
    grid: ImageGrid,
    refined: Array,
    mean_slope: Array,
    slope: Array,
    known: Mask,
) -> tuple[Array, Array]:
    """∂u/∂r and u of two g; arguments as for :func:`_phases`."""
    inverse = np.linalg.inv(refined)
    gradient = -np.einsum(
        "ik,kjyx->ijyx", inverse, slope - mean_slope[:, :, None, None]
    ) / (2 * np.pi)
    phase = _phases(component, grid, mean_slope, slope, known)
    displacement = -np.einsum("ik,kyx->iyx", inverse, phase)
    displacement /= 2 * np.pi
    return gradient, displacement


def _of_all(
    g_vectors: Array,
    pair: Array,
    component: npt.NDArray[np.complexfloating],
    grid: ImageGrid,
    slope: Array,
    trust: Array,
    gradient: Array,
    displacement: Array,
    weight: Array,
    known: Mask,
    resolution: float,
    correlation: Array | None,
) -> tuple[Array, Array, Array]:
    """Refined g, ∂u/∂r and u of all g, from those of the first two.

    `trust` is set to zero where a further g doesn't measure the lattice of the pair.
    """
    further = g_vectors[2:]
    lattice = further @ np.linalg.solve(g_vectors[:2], pair)
    trust[2:] *= agreeing(further, lattice, slope[2:], gradient, resolution)
    others = reference_vectors(
        further, lattice, slope[2:], gradient, trust[2:] * weight
    )
    refined = np.concatenate([pair, others])
    mean_slope = 2 * np.pi * (refined - g_vectors)
    expected = predicted_slopes(refined, mean_slope, gradient)
    gradient = fitted_gradient(
        refined,
        slope_weight(trust, expected, resolution),
        slope - mean_slope[:, :, None, None],
        correlation,
    )
    displacement = displacement + displacement_correction(
        _without_ramp(component, grid, mean_slope),
        refined,
        trust,
        displacement,
        weight,
        correlation,
    )
    return (
        refined,
        gradient,
        linear_continuation(displacement, gradient, grid, known),
    )


def _away_from_border(coverage: Array) -> Mask:
    """Places two standard deviations or more from the border and from missing pixels.

    Nearer to it the Gaussian is cut, and neighbouring spots leak into the phase.
    """
    return coverage > min(_WHOLE, 0.999 * coverage.max())


def _centres_of_weight(
    grid: ImageGrid, coarse: ImageGrid, sigma: float
) -> tuple[Array, Array]:
    """How far the weight of a Gaussian is from its place, and how fast it follows.

    Beyond the border of the image there is no weight. With C the weight along one
    axis, its centre is at R + σ² C′/C, which moves by 1 + σ² (ln C)″ per R: at a
    border by 1 − 2/π only.

    Returns
    -------
    ndarray, ndarray
        Shift (x, y) in nm and its rate ∂(centre)/∂R, both of shape (2, ny, nx).
    """
    from scipy.special import ndtr

    shifts, rates = [], []
    for axis in (1, 0):
        step = grid.pixel_size[axis]
        place = np.arange(coarse.shape[axis]) * coarse.pixel_size[axis]
        before = (-0.5 * step - place) / sigma
        after = ((grid.shape[axis] - 0.5) * step - place) / sigma
        low, high = (np.exp(-0.5 * t**2) / np.sqrt(2 * np.pi) for t in (before, after))
        weight = ndtr(after) - ndtr(before)
        first = (low - high) / weight
        second = (before * low - after * high) / weight
        shape = (1, -1) if axis == 1 else (-1, 1)
        shifts.append(np.broadcast_to((sigma * first).reshape(shape), coarse.shape))
        rate = 1 + second - first**2
        rates.append(np.broadcast_to(rate.reshape(shape), coarse.shape))
    return np.stack(shifts), np.stack(rates)


def check_g_vectors(g_vectors: Array, grid: ImageGrid) -> None:
    """Raise a ValueError unless all g are below Nyquist, the first two independent."""
    g_vectors = np.asarray(g_vectors, float)
    if g_vectors.ndim != 2 or g_vectors.shape[1] != 2 or len(g_vectors) < 2:
        raise ValueError(
            "Expected two or more g-vectors (gx, gy) in 1/nm, shape (n, 2), got shape "
            f"{g_vectors.shape}."
        )
    if not np.isfinite(g_vectors).all():
        raise ValueError(f"Expected finite g-vectors, got {g_vectors.tolist()} 1/nm.")
    nyquist = 0.5 / np.array(grid.pixel_size)[::-1]
    if np.any(np.abs(g_vectors) >= nyquist):
        raise ValueError(
            f"Expected g-vectors within the Nyquist limit of ±{nyquist[0]:.4g} and "
            f"±{nyquist[1]:.4g} 1/nm, got {g_vectors.tolist()} 1/nm. Check their "
            "unit (1/nm, without 2π) and the pixel size."
        )
    length = np.linalg.norm(g_vectors, axis=1)
    if np.any(length == 0) or (
        abs(np.linalg.det(g_vectors[:2])) < 0.1 * length[0] * length[1]
    ):
        raise ValueError(
            "Expected two g-vectors more than 6° apart, got "
            f"{g_vectors.tolist()} 1/nm. Choose two that are not parallel and give "
            "them first."
        )
    i, j = np.triu_indices(len(g_vectors), 1)
    apart = np.minimum(
        np.linalg.norm(g_vectors[i] - g_vectors[j], axis=1),
        np.linalg.norm(g_vectors[i] + g_vectors[j], axis=1),
    )
    if np.any(apart < 0.1 * length.min()):
        raise ValueError(
            "Expected different g-vectors, without −g of another, got "
            f"{g_vectors.tolist()} 1/nm. Leave out those that are given twice."
        )


def check_resolution(resolution: float, g_vectors: Array, grid: ImageGrid) -> None:
    """Raise a ValueError unless the Gaussian suits the fringes and the image.

    Below 1/(π |g|) its transform, of standard deviation 1/(2πσ), reaches the zero
    frequency at two standard deviations; above an eighth of the image less than half
    of it is further than two standard deviations from the border.
    """
    finest, coarsest = resolution_limits(g_vectors, grid)
    if not finest <= resolution <= coarsest:
        raise ValueError(
            "Expected a resolution (standard deviation of the average) from "
            f"{finest:.3g} nm, where the mask would reach the zero frequency, to "
            f"{coarsest:.3g} nm, an eighth of the image; got {resolution:.3g} nm."
        )


def resolution_limits(g_vectors: Array, grid: ImageGrid) -> tuple[float, float]:
    """Finest and coarsest resolution in nm, see :func:`check_resolution`."""
    finest = 1 / (np.pi * np.linalg.norm(g_vectors, axis=1).min())
    sides = [n * step for n, step in zip(grid.shape, grid.pixel_size, strict=True)]
    return float(finest), min(sides) / 8


def _phases(
    component: npt.NDArray[np.complexfloating],
    grid: ImageGrid,
    mean_slope: Array,
    slope: Array,
    inside: Mask,
) -> Array:
    """Phases without their mean slope, unwrapped inside, continued outside.

    Parameters
    ----------
    component, slope
        Complex field (2, ny, nx) and its phase gradient (2, 2, ny, nx).
    mean_slope
        Gradient in the reference, shape (2, 2), taken out before unwrapping.
    """
    from skimage.restoration import unwrap_phase

    wrapped = np.angle(_without_ramp(component, grid, mean_slope))
    if inside.all():
        return np.stack([unwrap_phase(phase) for phase in wrapped])
    phases = np.stack(
        [
            unwrap_phase(np.ma.masked_array(phase, ~inside)).filled(0.0)
            for phase in wrapped
        ]
    )
    return linear_continuation(
        phases, slope - mean_slope[:, :, None, None], grid, inside
    )


def _without_ramp(
    component: npt.NDArray[np.complexfloating], grid: ImageGrid, mean_slope: Array
) -> npt.NDArray[np.complexfloating]:
    """The field without the phase that the mean slope gives, zero at the corner."""
    position = grid.to_nm(*np.indices(grid.shape)) - grid.to_nm(0, 0)
    ramps = np.moveaxis(position @ mean_slope.T, -1, 0)
    return component * np.exp(-1j * ramps)
