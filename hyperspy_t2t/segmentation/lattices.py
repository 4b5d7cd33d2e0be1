# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Where in an image which lattice is.

Fringes are measured twice. Through a wide Gaussian, in which the frequencies of
different lattices are apart: which lattice is the strongest, and where its local
frequency makes a step. Through a narrow one: where any lattice ends. A Gaussian sees
half of the amplitude at the border of a crystal, however wide it is.
"""

from itertools import combinations
from typing import Any, NamedTuple

import numpy as np

from hyperspy_t2t.array_types import Array, Bools, ComplexArray, Ints
from hyperspy_t2t.segmentation.distortion import distorted_parts
from hyperspy_t2t.segmentation.fringes import FringeMaps, fringe_maps
from hyperspy_t2t.segmentation.gaussian import gaussian
from hyperspy_t2t.segmentation.reversals import reversal_bands

PERIODS = 3.0
"""σ, in longest periods, of the Gaussian that tells lattices apart."""
_FINE = 1.25
"""σ, in longest periods, of the Gaussian that shows where a lattice ends."""
SEEN = 0.3
"""Share of a lattice's plateau below which it is not told which lattice it is."""
_FAINT = 0.1
"""Share of the plateau below which there is no lattice."""
_RELATED = 0.35
"""Distance of frequencies, times σ, that one local frequency may bridge."""
_CLOSED = 0.3
"""Share of that distance within which three frequencies close a triangle: one of a
hundred random triples does."""
_CONTROLS = 3
"""Frequencies of each of two lengths at which the noise is measured."""
_FAINT_BESIDE = 0.3
"""Amplitude over that of the strongest frequency at the same place that is faint."""
_OWN = 0.5
"""Share of the power of all others that a lattice has where it is strong."""
_INSIDE = 1.75
"""Distance from a border, in σ, at which a lattice has its full amplitude."""


class Lattice(NamedTuple):
    """Frequencies seen in the same places."""

    members: Ints
    """Indices of the frequencies."""
    plateau: float
    """Root mean square of their amplitudes where the lattice is strong."""


class LatticeMap(NamedTuple):
    """How strong each lattice is at each place, and where there is one."""

    strength: Array
    """Amplitude relative to the lattice's plateau, shape (lattices, ny, nx)."""
    presence: Array
    """Amplitude of all lattices relative to that further inside, shape (ny, nx)."""
    pitch: int
    """Pixels of the image from one sample to the next, the first at pixel 0."""
    sigma: float
    """σ in pixels of the Gaussian lattices are told apart with."""
    fine_sigma: float
    """σ in pixels of the Gaussian `presence` is seen through."""

    def on(self, shape: tuple[int, int], binning: int) -> Array:
        """Strengths at the pixels of an image binned by `binning`, interpolated."""
        return np.stack([
            interpolated(one, self.pitch, shape, binning) for one in self.strength
        ])  # fmt: skip

    def presence_on(self, shape: tuple[int, int], binning: int) -> Array:
        """Presence at the pixels of an image binned by `binning`, interpolated."""
        return interpolated(self.presence, self.pitch, shape, binning)


def interpolated(
    values: Array, pitch: int, shape: tuple[int, int], binning: int
) -> Array:
    """Samples on every `pitch`-th pixel at the pixels of a binned image, linearly."""
    result = values
    for axis, size in enumerate(shape):
        place = (np.arange(size) * binning + (binning - 1) / 2) / pitch
        place = np.clip(place, 0, values.shape[axis] - 1)
        low = np.minimum(place.astype(int), max(values.shape[axis] - 2, 0))
        share = (place - low).reshape(-1, 1) if axis == 0 else place - low
        high = np.minimum(low + 1, values.shape[axis] - 1)
        result = result.take(low, axis) * (1 - share) + result.take(high, axis) * share
    return result


def usable(frequencies: Array) -> Array:
    """Frequencies without those far below the others, which need too wide a window."""
    if not len(frequencies):
        return frequencies
    length = np.linalg.norm(frequencies, axis=1)
    return frequencies[length > 0.4 * np.median(length[: max(4, len(length) // 2)])]


def lattice_map(
    image: Any, frequencies: Array, *, background: Array, binning: int
) -> LatticeMap | None:
    """Lattices of an image whose frequencies were met in it.

    Frequencies seen in the same places belong to one lattice; one whose local
    frequency makes a step becomes two. A lattice is seen where it exceeds four times
    the noise, which is measured at control frequencies away from the lattices'.

    Parameters
    ----------
    image
        Array (ny, nx), numpy or dask.
    frequencies
        (fx, fy) in periods per pixel, shape (n, 2), n ≥ 1.
    background, binning
        As for :func:`~hyperspy_t2t.segmentation.fringes.fringe_maps`.

    Returns
    -------
    LatticeMap or None
        None if no lattice is seen anywhere.
    """
    longest = 1 / np.linalg.norm(frequencies, axis=1).min()
    fine, coarse = fringe_maps(
        image,
        np.concatenate([frequencies, control_frequencies(frequencies)]),
        sigmas=(max(_FINE * longest, 2.0 * binning), PERIODS * longest),
        background=background,
        binning=binning,
    )
    controls = coarse.wave[len(frequencies) :]
    noise = noise_power(controls, coarse.sigma / coarse.pitch)
    amplitude = np.abs(coarse.wave[: len(frequencies)])
    floor = 4 * float(np.sqrt(np.median(noise)))
    groups, strengths = [], []
    for members in _groups(amplitude, floor, frequencies, _RELATED / coarse.sigma):
        # Not the root mean square: of a frequency that two lattices share the others
        # tell which one it is.
        combined = amplitude[members].mean(axis=0)
        # Robust, since a control may be a frequency of some small region.
        above = combined > floor
        if above.mean() < 0.002:
            continue
        # Of what is clearly lattice: a faint halo may cover more of the image.
        clear = above & (combined > 0.3 * combined.max())
        plateau = np.percentile(combined[clear], 80)
        power = (amplitude[members] ** 2).mean(axis=0)[clear]
        groups.append(Lattice(members, float(np.sqrt(np.percentile(power, 80)))))
        strengths.append(np.where(above, combined / plateau, 0.0))
    if not groups:
        return None
    groups, strength = _without_artefacts(groups, np.stack(strengths))
    if not groups:
        return None
    here = interpolated(noise, coarse.pitch, fine.wave.shape[1:], fine.pitch)
    here *= (coarse.sigma / fine.sigma) ** 2
    presence, seen = _presence(fine, here, groups, strength, coarse.pitch)
    strength = _divided(strength, coarse, fine, noise, frequencies, groups)
    return LatticeMap(strength, presence, fine.pitch, coarse.sigma, seen)


def _without_artefacts(
    groups: list[Lattice], strength: Array
) -> tuple[list[Lattice], Array]:
    """Lattices without those that are strong only where others are much stronger.

    The borders of lattices have frequencies of their own.
    """
    weight = [g.plateau**2 * len(g.members) for g in groups]
    power = strength**2 * np.reshape(weight, (-1, 1, 1))
    others = power.sum(axis=0) - power
    best = strength.argmax(axis=0)
    keep = []
    for k in range(len(groups)):
        mine = (best == k) & (strength[k] > 0.5)
        if mine.any() and np.median((power[k] - _OWN * others[k])[mine]) > 0:
            keep.append(k)
    return [groups[k] for k in keep], strength[keep]


def noise_power(waves: ComplexArray, sigma: float) -> Array:
    """Mean square of the noise of waves, from those at the control frequencies.

    The speckle of an amorphous film has more power at short frequencies; the larger
    of both lengths counts. `sigma` in samples.
    """
    power = np.abs(waves.reshape(2, _CONTROLS, *waves.shape[1:])) ** 2
    # The median of an exponential distribution is ln 2 of its mean.
    middle = np.median(power, axis=1) / np.log(2)
    return np.maximum(*(gaussian(one, 2 * sigma) for one in middle))


def _presence(
    fine: FringeMaps,
    noise: Array,
    groups: list[Lattice],
    strength: Array,
    pitch: int,
) -> tuple[Array, float]:
    """Amplitude of all lattices over that further inside, and the σ it is seen with.

    It is one half at the border of a crystal. A band along which the amplitude passes
    through zero and reverses, as with the thickness in HRTEM, is no border.
    """
    total, unit, sigma = _all_lattices(fine, noise, groups, 1 / 8)
    inside = _further_inside(total, sigma / fine.pitch)
    seen = total > np.maximum(3 * unit, _FAINT)
    ratio = np.where(seen, total / np.maximum(inside, 1e-9), 0.0)
    ratio = _near_emptiness(ratio, fine, noise, groups)
    owner = np.stack([
        interpolated(one, pitch, noise.shape, fine.pitch) for one in strength
    ]).argmax(axis=0)  # fmt: skip
    bands = reversal_bands(
        fine, groups, owner, ratio > 0.5, np.maximum(3 * unit, _FAINT)
    )
    return np.where(bands, 1.0, ratio), sigma


def _near_emptiness(
    ratio: Array, fine: FringeMaps, noise: Array, groups: list[Lattice]
) -> Array:
    """Presence, 1 where no place nearby is without a lattice."""
    from scipy.ndimage import distance_transform_edt

    calm, unit, wide = _all_lattices(fine, noise, groups, 1 / 20)
    reach = int(np.ceil(4 * wide / fine.pitch))
    without = np.pad(calm <= np.maximum(3 * unit, _FAINT), reach, mode="edge")
    core = distance_transform_edt(without) > wide / fine.pitch
    if not core.any():
        return np.ones_like(ratio)
    near = distance_transform_edt(~core)[reach:-reach, reach:-reach]
    return np.where(near <= 3.5 * wide / fine.pitch, ratio, 1.0)


def _all_lattices(
    fine: FringeMaps,
    noise: Array,
    groups: list[Lattice],
    wanted: float,
) -> tuple[Array, Array, float]:
    """Amplitude of all lattices in units of their plateaus, its noise, and σ.

    As sharp as the noise lets it be: it should not exceed the share `wanted` of a
    plateau in most of the image.
    """
    # The squares of amplitudes add up, and so do the variances of the squares.
    spread = [1 / g.plateau**4 / len(g.members) for g in groups]
    unit = np.sqrt(noise * np.sqrt(sum(spread)))
    stronger = min(max(1.0, float(np.median(unit)) / wanted), PERIODS / _FINE)
    more = fine.sigma / fine.pitch * np.sqrt(stronger**2 - 1)
    total = np.zeros(noise.shape)
    for members, plateau in groups:
        wave = fine.wave[members]
        if more > 0:
            wave = np.stack([gaussian(one, more) for one in wave])
        power = (np.abs(wave) ** 2).mean(axis=0) - noise / stronger**2
        total += power / plateau**2
    return np.sqrt(np.maximum(total, 0)), unit / stronger, fine.sigma * stronger


def _further_inside(amplitude: Array, sigma: float) -> Array:
    """Largest amplitude within the distance from a border at which it is full."""
    from scipy.ndimage import maximum_filter

    reach = round(_INSIDE * sigma)
    index = np.arange(-reach, reach + 1)
    disk = np.hypot(index[:, None], index) <= reach
    return maximum_filter(amplitude, footprint=disk, mode="nearest")


def _divided(
    strength: Array,
    coarse: FringeMaps,
    fine: FringeMaps,
    noise: Array,
    frequencies: Array,
    groups: list[Lattice],
) -> Array:
    """Strengths of lattices, of those distorted in steps one for each part."""
    shape = fine.wave.shape[1:]
    owner = strength.argmax(axis=0)
    inside = _further_inside(strength.max(axis=0), coarse.sigma / coarse.pitch)
    # Near a border, or a line where the amplitude passes through zero, the phase
    # says little.
    clear = strength.max(axis=0) > np.maximum(0.7 * inside, _FAINT)
    result = []
    for index, (members, _) in enumerate(groups):
        mine = (owner == index) & clear
        members = members[np.argsort(-np.abs(coarse.wave[members]).max(axis=(1, 2)))]
        parts = distorted_parts(
            coarse._replace(wave=coarse.wave[members]),
            fine._replace(wave=fine.wave[members]),
            frequencies[members],
            noise,
            mine,
            related=_RELATED,
        )
        whole = interpolated(strength[index], coarse.pitch, shape, fine.pitch)
        result += [whole * part for part in parts]
    return np.stack(result)


def emptied_radius(sigma: float) -> float:
    """Radius of the smallest hole in a lattice in whose middle none is seen.

    Through a Gaussian exp(−r² / 2σ²) of the amplitude around is left there.
    """
    return sigma * float(np.sqrt(2 * np.log(1 / _FAINT)))


def lattice_classes(strength: Array, presence: Array) -> Ints:
    """The lattice of each pixel, 1 … n, or 0 where there is none.

    A pixel belongs to the lattice that is strongest there relative to its own
    plateau, or to none where less than half of what is further inside is present.

    Parameters
    ----------
    strength, presence
        Of a :class:`LatticeMap`, shapes (lattices, ny, nx) and (ny, nx).
    """
    from scipy.ndimage import distance_transform_edt

    best = strength.argmax(axis=0) + 1
    sure = strength.max(axis=0) > _FAINT
    if not sure.any():
        return np.zeros(presence.shape, np.intp)
    nearest = distance_transform_edt(~sure, return_distances=False, return_indices=True)
    return np.where(presence > 0.5, best[tuple(nearest)], 0)


def without_halos(labels: Ints, lattice: Ints, strength: Array) -> Ints:
    """Lattices without what they shed beyond the borders of their regions.

    Seen through a Gaussian, a lattice falls to half of its plateau at its border and
    goes on beyond it. A part inside another region that nowhere exceeds three
    fifths of the plateau is such a halo and becomes 0.

    Parameters
    ----------
    labels
        Regions with true borders, shape (ny, nx).
    lattice
        Result of :func:`lattice_classes`.
    strength
        Of the strongest lattice, shape (ny, nx).
    """
    from scipy.ndimage import maximum
    from skimage.measure import label

    pair = labels.astype(np.int64) * (lattice.max() + 1) + lattice
    parts = label(np.where(lattice > 0, pair + 1, 0), background=0, connectivity=1)
    highest = maximum(strength, parts, np.arange(parts.max() + 1))
    return np.where(np.asarray(highest)[parts] < 0.6, 0, lattice)


def control_frequencies(frequencies: Array) -> Array:
    """Frequencies far from all others and each other: of the shortest's length first,
    then of the median length."""
    length = np.linalg.norm(frequencies, axis=1)
    angle = np.linspace(0, np.pi, 90, endpoint=False)
    # Not along the axes, where scan noise is.
    angle = angle[(np.abs(np.cos(angle)) > 0.1) & (np.abs(np.sin(angle)) > 0.1)]
    circle = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    taken, chosen = np.concatenate([frequencies, -frequencies]), []
    for radius in (length.min(), float(np.median(length))):
        trial = radius * np.concatenate([0.9 * circle, circle, 1.1 * circle])
        trial = trial[np.linalg.norm(trial, axis=1) < 0.48]
        for _ in range(_CONTROLS):
            apart = np.linalg.norm(trial[:, None] - taken[None], axis=-1).min(axis=1)
            chosen.append(trial[apart.argmax()])
            taken = np.concatenate([taken, [chosen[-1], -chosen[-1]]])
    return np.array(chosen)


def _groups(
    amplitude: Array, floor: float, frequencies: Array, related: float
) -> list[Ints]:
    """Indices of frequencies that are seen in the same places.

    Amplitudes of one lattice fluctuate independently with thickness and scan noise,
    so places are compared, not amplitudes: two frequencies belong together when
    the one seen in fewer places is mostly seen where the other is. Frequencies
    nearer than `related` may be one that changes with the strain: that they are seen
    in other places tells little. Faint frequencies, which borders have too, join a
    group only if they are seen in most of its places.
    """
    from scipy.cluster.hierarchy import fcluster, linkage
    from scipy.spatial.distance import squareform

    # Samples lie at half of σ: every second one tells the same.
    maps = amplitude[:, ::2, ::2].reshape(len(amplitude), -1)
    plateau = np.percentile(maps, 99, axis=1, keepdims=True)
    seen = maps > np.maximum(0.4 * plateau, floor)
    strongest = maps.max(axis=0)
    share = [np.median(m[s] / strongest[s]) if s.any() else 0.0
             for m, s in zip(maps, seen, strict=True)]  # fmt: skip
    strong = np.flatnonzero(np.array(share) > _FAINT_BESIDE)
    if len(strong) < 2:
        return [strong] if len(strong) else []
    apart = np.minimum(*(
        np.linalg.norm(frequencies[:, None] - sign * frequencies[None], axis=-1)
        for sign in (1, -1)
    ))  # fmt: skip
    fewer, more = _places_apart(seen)
    distance = fewer * np.where(apart < related, 0.3, 1.0)
    tree = linkage(
        squareform(distance[np.ix_(strong, strong)], checks=False), "average"
    )
    cluster = fcluster(tree, 0.5, criterion="distance")
    groups = [list(strong[cluster == label]) for label in np.unique(cluster)]
    groups = _triangles_joined(groups, frequencies, related * _CLOSED)
    for faint in np.setdiff1d(np.arange(len(maps)), strong):
        near = [np.mean(more[faint, members]) for members in groups]
        if min(near) < 0.5:
            groups[int(np.argmin(near))].append(faint)
    return [np.array(members) for members in groups]


def _triangles_joined(
    groups: list[list[int]], frequencies: Array, apart: float
) -> list[list[int]]:
    """Groups, with three of one frequency each that close a triangle made one.

    In HRTEM each fringe of a lattice passes through zero elsewhere with the thickness,
    so that a small crystal shows one here and another there; those of different
    crystals close a triangle by chance only.
    """
    alone = [g for g in groups if len(g) == 1]
    for three in combinations(alone, 3):
        if not all(one in groups for one in three):
            continue
        first, second, third = frequencies[np.concatenate(three)]
        sums = first + np.array([[second + third], [second - third]])
        gaps = np.linalg.norm([sums, sums - 2 * first], axis=-1)
        if gaps.min() < apart:
            groups = [g for g in groups if g not in three]
            groups.append([one for g in three for one in g])
    return groups


def _places_apart(seen: Bools) -> tuple[Array, Array]:
    """Share of the places of one frequency in which another is not seen.

    Of the places of the one seen in fewer, and of the one seen in more.
    """
    seen = seen.astype(np.float32)
    # Without BLAS, whose threads cost more than a product as small as this.
    both = np.einsum("in,jn->ij", seen, seen).astype(float)
    places = np.maximum(np.diag(both), 1.0)
    fewer = 1 - both / np.minimum(places[:, None], places[None])
    more = 1 - both / np.maximum(places[:, None], places[None])
    np.fill_diagonal(fewer, 0)
    return fewer, more
