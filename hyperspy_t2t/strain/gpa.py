# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Geometric phase analysis of one lattice: displacement and its gradient."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from hyperspy_t2t.array_types import Array, Mask
from hyperspy_t2t.calibration import ImageGrid
from hyperspy_t2t.frames import Convention
from hyperspy_t2t.strain.continuation import linear_continuation
from hyperspy_t2t.strain.counting_noise import FringeNoise
from hyperspy_t2t.strain.fringes import FringeImage, Fringes
from hyperspy_t2t.strain.lattice_fit import (
    Fit,
    Lattice,
    agreeing_weight,
    continue_from,
    fitted,
    pair_gradient,
    phase_weight,
)
from hyperspy_t2t.strain.least_squares import (
    agreeing,
    predicted_slopes,
    reference_sums,
    residual_density,
    slope_weight,
)
from hyperspy_t2t.strain.uncertainty import component_std, in_full
from hyperspy_t2t.strain.unwrapping import unwrapped, wrapped

# Fringes of some lines of the coarse grid after another.
Bands = Callable[[Sequence[slice]], Iterator[Fringes]]
_HELD = 2**22
"""Fringes times places that are held at once."""
_SAMPLE = 2**19
"""Places of the reference that tell of its lattice beside the first two g."""
_LINES = 2**16
"""Places whose standard errors are worked out at once."""


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
    spread
        Covariance of β by the noise: of its components 00, 01, 10 and 11 the upper
        triangle line by line, shape (10, ny, nx); NaN where the noise is not known. The
        error of the mean over the reference is not part of it.
    """

    grid: ImageGrid
    g_vectors: Array
    origin: Array
    displacement: Array
    gradient: Array
    amplitude: Array
    typical: Array
    spread: Array

    @property
    def covariance(self) -> Array:
        """Of β[i, j] with β[m, l], (2, 2, 2, 2, ny, nx), in the order i, j, m, l."""
        return in_full(self.spread)

    def std(
        self, convention: Convention = "reference", *, axes_angle: float = 0.0
    ) -> Array:
        """Standard error of exx, eyy, exy and rotation, shape (4, ny, nx).

        Along axes turned by `axes_angle` radians from +x towards +y.
        """
        result = np.empty((4, *self.grid.shape))
        height = max(1, _LINES // self.grid.shape[1])
        for start in range(0, len(self.amplitude), height):
            rows = slice(start, start + height)
            covariance = in_full(self.spread[:, rows])
            result[:, rows] = component_std(
                self.gradient[:, :, rows],
                covariance,
                convention=convention,
                axes_angle=axes_angle,
            )
        return result


def phase_field(
    fringes: Fringes | FringeImage,
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
        Of two or more g, the first two not parallel and strong: as measured, or an
        image, whose fringes are measured band by band if there are many. Then it is
        read twice: for the first two g, and once their unwrapped phase is known, for
        all. The lattice of the others is taken from some of the bands in which the
        reference is.
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
    pair, bands, by_bands = _measured(fringes)
    weight = pair.reference_weight(reference)
    known = _known(inside, pair.seen)
    strongest = float(pair.amplitude.max())
    first = _mean_pair(pair, weight)
    displacement = _of_pair(pair, first, np.zeros(2), known)
    displacement -= (displacement * weight).sum(axis=(1, 2))[:, None, None]
    grid, seen = pair.grid, pair.seen
    typical = (pair.amplitude * weight).sum(axis=(1, 2))
    chosen = _sample(bands, weight)
    sample = list(by_bands(chosen))
    weights = [weight[rows] for rows in chosen]
    g_vectors, expected = _with_others(first, sample, weights, noise, strongest)
    origin = np.concatenate([
        _origin([pair], first, [displacement], [weight]),
        _origin(sample, g_vectors, [displacement[:, r] for r in chosen], weights)[2:],
    ])  # fmt: skip
    lattice = Lattice(g_vectors, expected, origin, noise, strongest)
    del pair
    if noise is not None:
        sample.clear()
    fit = fitted(
        zip(bands, by_bands(bands), strict=True), lattice, displacement, typical
    )
    if noise is None:
        fit.spread[...] *= _density(sample, lattice, fit.gradient, chosen, weights)
    field = _field(fit, lattice, grid, known, seen, typical)
    # Zero in the reference, up to a vector of the lattice the first two g span.
    shift = (field.displacement * weight).sum(axis=(1, 2))
    field.displacement[...] -= shift[:, None, None]
    return replace(field, origin=origin - 2 * np.pi * g_vectors @ shift)


def neighbour_field(
    fringes: Fringes | FringeImage,
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
    pair, bands, by_bands = _measured(fringes)
    known = _known(inside, pair.seen)
    g_vectors, origin = standard.g_vectors, standard.origin
    lattice = Lattice(g_vectors, g_vectors, origin, noise, float(pair.amplitude.max()))
    displacement = _of_pair(pair, g_vectors, origin[:2], known)
    seen = pair.seen
    del pair
    parts = zip(bands, by_bands(bands), strict=True)
    fit = fitted(parts, lattice, displacement, standard.typical)
    field = _field(fit, lattice, standard.grid, known, seen, standard.typical)
    jump = _jump(
        field.displacement, standard.displacement, inside & known, standard_inside
    )
    vector = np.linalg.solve(g_vectors[:2], np.rint(g_vectors[:2] @ jump))
    field.displacement[...] -= vector[:, None, None]
    return field


def _field(
    fit: Fit, lattice: Lattice, grid: ImageGrid, known: Mask, seen: Mask, typical: Array
) -> PhaseField:
    """The fit, continued to where the lattice is not known, and along the border."""
    u = fit.displacement
    if len(lattice.origin) > 2:
        u = linear_continuation(u, fit.gradient, grid, known)
    continue_from(seen, fit.gradient, fit.amplitude, fit.spread)
    return PhaseField(
        grid, lattice.g_vectors, lattice.origin, u, fit.gradient, fit.amplitude,
        typical, fit.spread,
    )  # fmt: skip


def mean_lattice(fringes: Fringes, reference: Mask) -> Array:
    """Refined g of a reference in 1/nm, shape (n, 2).

    The first two by the mean slope, others where the lattice of these is seen.
    """
    weight = fringes.reference_weight(reference)
    pair, strongest = _mean_pair(fringes, weight), float(fringes.amplitude[:2].max())
    return _with_others(pair, [fringes], [weight], None, strongest)[0]


def _measured(
    fringes: Fringes | FringeImage,
) -> tuple[Fringes, list[slice], Bands]:
    """Fringes of the first two g everywhere, and those of all band by band."""
    places = int(np.prod((
        fringes.grid if isinstance(fringes, Fringes) else fringes.coarse
    ).shape))  # fmt: skip
    if isinstance(fringes, FringeImage):
        if places * len(fringes.g_vectors) > _HELD:
            return fringes.first(2).whole(), fringes.bands(), fringes.by_bands
        fringes = fringes.whole()
    everywhere = slice(0, fringes.grid.shape[0])
    return fringes.first(2), [everywhere], lambda bands: iter([fringes] * len(bands))


def _known(inside: Mask, seen: Mask) -> Mask:
    return inside & seen if (inside & seen).any() else inside


def _sample(bands: Sequence[slice], weight: Array) -> list[slice]:
    """Some of the bands that have a part in the reference, evenly spread."""
    held = [rows for rows in bands if weight[rows].any()]
    lines = max(1, _SAMPLE // weight.shape[1])
    count = max(1, lines // max(rows.stop - rows.start for rows in held))
    if count >= len(held):
        return held
    at = (np.arange(count) + 0.5) * len(held) / count
    return [held[int(number)] for number in at]


def _mean_pair(fringes: Fringes, weight: Array) -> Array:
    """g of the first two in the reference in 1/nm, shape (2, 2)."""
    mean_slope = (fringes.slope[:2] * weight).sum(axis=(2, 3))
    return fringes.g_vectors[:2] + mean_slope / (2 * np.pi)


def _with_others(
    pair: Array,
    sample: Sequence[Fringes],
    weights: Sequence[Array],
    noise: FringeNoise | None,
    strongest: float,
) -> tuple[Array, Array]:
    """g of all fringes in the reference, and where the pair expects them, (n, 2)."""
    g_vectors = sample[0].g_vectors
    expected = g_vectors @ np.linalg.solve(g_vectors[:2], pair)
    expected[:2] = pair
    if len(g_vectors) == 2:
        return pair, pair
    further = g_vectors[2:]
    clean = [weight * part.seen for weight, part in zip(weights, sample, strict=True)]
    if not any(weight.any() for weight in clean):
        clean = list(weights)
    sums = np.zeros((len(further), 3))
    for part, weight in zip(sample, clean, strict=True):
        gradient, slope = pair_gradient(part, pair), part.slope[2:]
        trust = phase_weight(part, noise, strongest)[2:] * weight
        trust *= agreeing(further, expected[2:], slope, gradient, part.resolution)
        sums += reference_sums(further, slope, gradient, trust)
    total = sums[:, 2:]
    others = np.where(
        total > 0, sums[:, :2] / np.where(total > 0, total, 1.0), expected[2:]
    )
    return np.concatenate([pair, others]), expected


def _of_pair(fringes: Fringes, lattice: Array, origin: Array, known: Mask) -> Array:
    """u of two g, unwrapped where the lattice is known, shape (2, ny, nx)."""
    grid = fringes.grid
    weight = np.minimum(*fringes.amplitude[:2]) ** 2
    phase = np.empty((2, *grid.shape))
    for k, g in enumerate(lattice[:2]):
        slope = fringes.at(slice(k, k + 1)).slopes_from(g[None])
        relative = wrapped(fringes.phase_from(g, k) - origin[k])
        relative = unwrapped(relative, slope[0], weight, known, grid)
        phase[k] = linear_continuation(relative[None], slope, grid, known)[0]
    inverse = np.linalg.inv(lattice[:2]) / (-2 * np.pi)
    return np.stack([row[0] * phase[0] + row[1] * phase[1] for row in inverse])


def _origin(
    sample: Sequence[Fringes],
    lattice: Array,
    displacements: Sequence[Array],
    weights: Sequence[Array],
) -> Array:
    """Phase of each fringe where u = 0, shape (n,), averaged over the reference."""
    total = np.zeros(len(lattice), complex)
    for part, u, weight in zip(sample, displacements, weights, strict=True):
        for k, g in enumerate(lattice):
            turn = 2 * np.pi * (g[0] * u[0] + g[1] * u[1]) - part.turn_to(g, k)
            turn += part.phase[k]
            total[k] += (part.amplitude[k] * weight * np.exp(1j * turn)).sum()
    return np.angle(total)


def _density(
    sample: Sequence[Fringes],
    lattice: Lattice,
    gradient: Array,
    bands: Sequence[slice],
    weights: Sequence[Array],
) -> float:
    """Density of white noise that the residuals in the reference speak of."""
    total = np.zeros(2)
    for part, rows, weight in zip(sample, bands, weights, strict=True):
        of_phases, _ = agreeing_weight(part, lattice)
        change = lattice.change_from(part)
        predicted = predicted_slopes(lattice.g_vectors, change, gradient[:, :, rows])
        total += residual_density(
            slope_weight(of_phases, predicted, part.resolution), part.slope - predicted,
            weight * part.seen, part.resolution,
        )  # fmt: skip
    return float(total[0] / total[1]) if total[1] > 0 else float("nan")


def _jump(displacement: Array, standard: Array, inside: Mask, others: Mask) -> Array:
    """How far u is from its continuation across the border to others, (2,) in nm."""
    from scipy.ndimage import distance_transform_edt

    if not others.any() or not inside.any():
        return np.zeros(2)
    distance = distance_transform_edt(~others)
    near = inside & (distance <= distance[inside].min() + 2)
    return np.median((displacement - standard)[:, near], axis=1)
