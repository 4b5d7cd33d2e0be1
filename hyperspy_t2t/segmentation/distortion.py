# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Steps of strain or rotation within one lattice, from its local frequencies.

Where the phase of a fringe of the frequency f has the gradient 2π δ, the fringe has
the local frequency f + δ. All fringes of a lattice share one distortion, δ = M f with
a matrix M that holds strain and rotation, found by weighted least squares. The local
frequency is known much more finely than the window of a Fourier transform tells two
frequencies apart; M. J. Hÿtch, E. Snoeck and R. Kilaas, Ultramicroscopy 74 (1998) 131,
https://doi.org/10.1016/S0304-3991(98)00035-7.
"""

from typing import NamedTuple

import numpy as np

from hyperspy_t2t.array_types import Array, Bools, ComplexArray, Ints, Labels
from hyperspy_t2t.segmentation.fringes import FringeMaps
from hyperspy_t2t.segmentation.gaussian import gaussian
from hyperspy_t2t.segmentation.merging import Borders, Strength, borders, merged

_STEP = 0.015
"""Smallest step that divides a lattice: 1.5 % of strain or 0.9° of rotation."""
_MOST = 8
"""Largest number of fringes used."""
_UNUSUAL = 3.0
"""Step over the median inside the lattice that divides it."""
_SURE = 6.0
"""Step over its noise that divides a lattice."""


def distorted_parts(
    maps: FringeMaps,
    fine: FringeMaps,
    frequencies: Array,
    noise: Array,
    where: Bools,
    *,
    related: float,
) -> Array:
    """Parts of a lattice between which its strain or rotation makes a step.

    Smooth bending is none: what goes on at both sides of a step is taken from it.

    Parameters
    ----------
    maps
        Waves at the lattice's frequencies, the strongest first.
    fine
        The same through a narrower Gaussian on a grid that is a multiple as fine.
    frequencies
        (fx, fy) in periods per pixel, shape (n, 2).
    noise
        Mean square of the noise of the waves, shape (ny, nx).
    where
        Samples that belong to the lattice, same shape.
    related
        Distance of frequencies, times σ, that belong to one fringe.

    Returns
    -------
    ndarray
        Share between 0 and 1 that each part has in a sample of `fine`, one half at a
        border, shape (parts, my, mx); one part of all samples if there is no step.
    """
    whole = np.ones((1, *fine.wave.shape[1:]))
    sigma = maps.sigma / maps.pitch
    if where.sum() < 2 * (3 * sigma) ** 2:
        return whole
    fringes = local_frequencies(maps, fine, frequencies, related / maps.sigma)
    matrix, spread = distortion(fringes, noise, where)
    matrix, spread = continued(matrix, where), continued(spread[None], where)[0]
    labels = _between_steps(matrix, spread / maps.sigma, where, sigma)
    if labels.max() < 2:
        return whole
    inside = [_core(labels == k, where, sigma) for k in range(1, labels.max() + 1)]
    rows, columns = (
        np.minimum(np.rint(np.arange(n) * fine.pitch / maps.pitch), m - 1).astype(int)
        for n, m in zip(fine.wave.shape[1:], where.shape, strict=True)
    )
    place = np.ix_(rows, columns)
    likeness = np.stack([
        _likeness(fine, frequencies, fringes, core, place, maps.sigma)
        for core in inside
    ])  # fmt: skip
    reach = 2 * maps.sigma / fine.pitch
    return _shares(likeness, labels[place], reach)


def _usual_step(across: tuple[Array, Array], where: Bools) -> float:
    """Median step inside the lattice: what bending and scan distortion make of it."""
    sides = where[:, 1:] & where[:, :-1], where[1:] & where[:-1]
    steps = [
        (step[:, side] ** 2).sum(axis=0)
        for step, side in zip(across, sides, strict=True)
    ]
    every = np.concatenate(steps)
    return float(np.sqrt(np.median(every) / 2)) if len(every) else 0.0


class Fringes(NamedTuple):
    """Fringes of a lattice with their local frequencies."""

    member: list[int]
    """Index of the wave of each."""
    local: Array
    """Local fx and fy in periods per pixel, shape (fringes, 2, ny, nx)."""
    amplitude: Array
    """Half the amplitude in grey levels, shape (fringes, ny, nx)."""

    def mean(self, where: Bools) -> Array:
        """Frequencies in some samples, weighted with the power, (fringes, 2)."""
        weight = self.amplitude[:, where] ** 2
        total = (self.local[:, :, where] * weight[:, None]).sum(axis=2)
        return total / np.maximum(weight.sum(axis=1), 1e-30)[:, None]


def local_frequencies(
    maps: FringeMaps, fine: FringeMaps, frequencies: Array, related: float
) -> Fringes:
    """Local frequencies from the gradient of the phase, averaged with the power.

    A narrow Gaussian hardly weakens a frequency beside the one it is tuned to, so
    that the end of a crystal does not shift it; the average brings the noise down to
    that of a wide one, and has no weight where the amplitude passes through zero.

    Parameters
    ----------
    maps
        Waves through a wide Gaussian, for its width and grid.
    fine
        The same through a narrow one on a grid that is a multiple as fine, the
        strongest first.
    frequencies
        (fx, fy) in periods per pixel, shape (n, 2).
    related
        Distance of frequencies, in periods per pixel, that belong to one fringe.
    """
    step = maps.pitch // fine.pitch
    more = np.sqrt(max(maps.sigma**2 - fine.sigma**2, 0)) / fine.pitch

    def averaged(values: Array) -> Array:
        return gaussian(values, more, truncate=3)[::step, ::step]

    member = _fringes_apart(frequencies, related)[:_MOST]
    local, amplitude = [], []
    for k in member:
        wave = fine.wave[k]
        turns = [np.angle(averaged(phase_turn(wave, axis))) for axis in (1, 0)]
        local.append(
            np.array(turns) / (2 * np.pi * fine.pitch) + frequencies[k][:, None, None]
        )
        amplitude.append(np.sqrt(averaged(wave.real**2 + wave.imag**2)))
    return Fringes(member, np.array(local), np.array(amplitude))


def distortion(fringes: Fringes, noise: Array, where: Bools) -> tuple[Array, Array]:
    """Matrix M with f' − f = M f of local frequencies f', and its standard deviation.

    The frequencies f are those where the lattice is the strongest.

    Parameters
    ----------
    fringes
        Local frequencies.
    noise, where
        As for :func:`distorted_parts`.

    Returns
    -------
    matrix, spread
        Mxx, Mxy, Myx, Myy, shape (4, ny, nx), and the standard deviation of the
        largest times σ in pixels, shape (ny, nx).
    """
    shape = noise.shape
    total = (fringes.amplitude**2).sum(axis=0) * where
    reference = fringes.mean(total >= 0.999 * total.max())
    pull, normal = np.zeros((2, 2, *shape)), np.zeros((2, 2, *shape))
    for f, local, amplitude in zip(
        reference, fringes.local, fringes.amplitude, strict=True
    ):
        weight = amplitude**2 / noise
        change = local - f[:, None, None]
        pull += weight * change[:, None] * f[None, :, None, None]
        normal += weight * np.outer(f, f)[:, :, None, None]
    trace = normal[0, 0] + normal[1, 1]
    for k in (0, 1):
        # Fringes of one direction tell nothing about the other.
        normal[k, k] += 0.02 * trace + 1e-30
    determinant = normal[0, 0] * normal[1, 1] - normal[0, 1] ** 2
    inverse = np.stack([
        [normal[1, 1], -normal[0, 1]], [-normal[0, 1], normal[0, 0]]
    ]) / determinant  # fmt: skip
    matrix = np.einsum("ijyx,jkyx->ikyx", pull, inverse)
    # Of the phase 1 / √2 of noise over amplitude, with a gradient 1 / √2 σ of it.
    spread = np.sqrt(np.maximum(inverse[0, 0], inverse[1, 1])) / (4 * np.pi)
    return matrix.reshape(4, *shape), spread


def _fringes_apart(frequencies: Array, related: float) -> list[int]:
    """Indices of frequencies further than `related` from those before them."""
    chosen: list[int] = []
    for k, f in enumerate(frequencies):
        distances = [
            min(np.linalg.norm(f - g), np.linalg.norm(f + g))
            for g in frequencies[chosen]
        ]
        if min(distances, default=np.inf) > related:
            chosen.append(k)
    return chosen


def phase_turn(wave: ComplexArray, axis: int) -> ComplexArray:
    """Power times the phase factor from one sample to the next, the mean of both."""
    wave = np.moveaxis(wave, axis, -1)
    turn = wave[..., 1:] * wave[..., :-1].conj()
    both = np.concatenate([2 * turn[..., :1], turn[..., 1:] + turn[..., :-1],
                           2 * turn[..., -1:]], axis=-1)  # fmt: skip
    return np.moveaxis(both, -1, axis)


def continued(values: Array, where: Bools) -> Array:
    """Values elsewhere replaced by the nearest ones."""
    from scipy.ndimage import distance_transform_edt

    index = distance_transform_edt(~where, return_distances=False, return_indices=True)
    return values[:, index[0], index[1]]


def _between_steps(matrix: Array, spread: Array, where: Bools, sigma: float) -> Labels:
    """Labels 1 … n of the parts between steps, everywhere; σ in samples."""
    from skimage.segmentation import watershed

    slope = np.sqrt(sum(np.hypot(*np.gradient(one)) ** 2 for one in matrix))
    basins = watershed(gaussian(slope, 0.5))
    across = (
        _steps(matrix, sigma),
        np.swapaxes(_steps(np.swapaxes(matrix, 1, 2), sigma), 1, 2),
    )

    usual = max(_STEP, _UNUSUAL * _usual_step(across, where))

    def strength(found: Borders, sums: Array) -> tuple[Array, Array]:
        step = np.sqrt((found.mean_step**2).sum(axis=1) / 2)
        unit = sums[:, 1] / sums[:, 2]
        stretches = np.maximum(found.length / (2 * sigma), 1)
        noise = 2 * np.maximum(unit[found.first], unit[found.second])
        noise /= np.sqrt(stretches)
        needed = np.maximum(usual, _SURE * noise)
        step = step / needed
        small = np.minimum(sums[found.first, 0], sums[found.second, 0])
        return np.where(small < (2 * sigma) ** 2, 1e-6 * step, step), np.ones(len(step))

    labels = _joined(basins, across, where, spread, strength)
    # At a border phases that do not match look like a part in between.
    labels = _without_thin(labels, where, 1.25 * sigma)
    return _joined(labels, across, where, spread, strength)


def _steps(matrix: Array, sigma: float) -> Array:
    """Steps from each sample to the next in x, less a slope that goes on.

    Taken over 1.5 σ to both sides. Of it is taken the smaller of the slopes that
    follow, as far as it explains the step; at the frame only one follows.
    """
    reach, beyond = max(1, round(1.5 * sigma)), max(2, round(2 * sigma))
    last = matrix.shape[-1] - 1
    index = np.arange(last)
    left, right = np.clip([index - reach, index + 1 + reach], 0, last)
    far_left, far_right = np.clip([left - beyond, right + beyond], 0, last)
    step = matrix[..., right] - matrix[..., left]
    least = np.full(step.shape, np.inf)
    for far, near in ((far_right, right), (left, far_left)):
        slope = (matrix[..., far] - matrix[..., near]) / np.maximum(far - near, 1)
        slope = np.maximum(np.sign(step) * slope, 0)
        least = np.minimum(least, np.where(far - near > beyond // 2, slope, np.inf))
    least = np.where(np.isfinite(least), least, 0) * (right - left)
    return np.sign(step) * np.maximum(np.abs(step) - least, 0)


def _joined(
    labels: Labels,
    across: tuple[Array, Array],
    where: Bools,
    spread: Array,
    strength: Strength,
) -> Labels:
    """Labels 1 … n after borders without a step are gone."""
    terms = where.astype(float), spread, np.ones(where.shape)
    sums = np.stack([np.bincount(labels.ravel(), t.ravel()) for t in terms], axis=1)
    # Label 0 does not occur.
    sums[:, 2] = np.maximum(sums[:, 2], 1)
    new = merged(borders(labels, across), sums, strength)[labels]
    return np.unique(new, return_inverse=True)[1].reshape(labels.shape) + 1


def _without_thin(labels: Labels, where: Bools, thinnest: float) -> Labels:
    """Parts nowhere as deep as `thinnest` given to the nearest others."""
    from scipy.ndimage import distance_transform_edt

    keep = [False] + [
        distance_transform_edt((labels == k) & where).max() >= thinnest
        for k in range(1, labels.max() + 1)
    ]
    kept = np.array(keep)[labels]
    return continued(labels[None], kept)[0] if kept.any() else labels


def _core(part: Bools, where: Bools, sigma: float) -> Bools:
    """Samples of a part away from its outline, those furthest if all are near."""
    from scipy.ndimage import distance_transform_edt

    depth = distance_transform_edt(part & where)
    return (depth > 0) & (depth >= min(1.5 * sigma, depth.max()))


def _likeness(
    fine: FringeMaps,
    frequencies: Array,
    fringes: Fringes,
    core: Bools,
    place: tuple[Ints, ...],
    sigma: float,
) -> Array:
    """How well the fringes of a part, continued from its inside, are those found.

    The power in phase with them, on the grid of `fine`: on both sides of the border
    of two parts the own fringes fit better, whatever the phases; a reversed contrast
    fits as well.
    """
    more = np.sqrt(max(sigma**2 - fine.sigma**2, 0)) / fine.pitch
    y, x = (np.arange(n) * fine.pitch for n in fine.wave.shape[1:])
    result = np.zeros(fine.wave.shape[1:])
    for k, own in zip(fringes.member, fringes.mean(core), strict=True):
        dx, dy = own - frequencies[k]
        turn = np.exp(-2j * np.pi * dx * x) * np.exp(-2j * np.pi * dy * y)[:, None]
        wave = fine.wave[k] * turn
        phase = continued(gaussian(wave, more)[None], core[place])[0]
        phase /= np.maximum(np.abs(phase), 1e-30)
        result += (wave * phase.conj()).real ** 2
    return result


def _shares(likeness: Array, labels: Labels, reach: float) -> Array:
    """Share of each part in each sample; parts are near within `reach` samples."""
    from scipy.ndimage import distance_transform_edt

    for k, one in enumerate(likeness, start=1):
        one[distance_transform_edt(labels != k) > reach] = 0
    share = likeness**4 / np.maximum(likeness.max(axis=0), 1e-30) ** 4
    total = share.sum(axis=0)
    own = labels[None] == np.arange(1, len(share) + 1)[:, None, None]
    return np.where(total > 0, share / np.maximum(total, 1e-30), own)
