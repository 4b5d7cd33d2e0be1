# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Whether a region is crystalline, amorphous or empty, and how sure that is."""

from typing import Literal, NamedTuple

import numpy as np

from hyperspy_t2t.array_types import Array
from hyperspy_t2t.frequencies import upper_half
from hyperspy_t2t.peaks.diffuse import (
    DiffuseRing,
    Profile,
    band_limits,
    diffuse_rings,
    radial_profiles,
    smooth_curves,
)
from hyperspy_t2t.peaks.measure import Seen
from hyperspy_t2t.peaks.spots import SPOT_COLUMNS

State = Literal["crystalline", "amorphous", "empty"]
_TRIALS = 3
"""Independent maxima for each pixel of a spectrum, as maxima lie between pixels."""
_ONE_DIRECTION = 0.01
"""Share of crystals that show fringes in a single direction."""
_HUM = 0.1
"""Share of scans with a periodic disturbance along an axis."""
_FRINGES = 0.03, 1.0
"""Amplitudes of lattice fringes relative to the mean, equally likely on a log scale."""
_TEXTURES = 0.0003, 0.5
"""Contrast of amorphous matter, standard deviation over mean, likewise. In the mean may
be an offset of the detector many times the signal."""
_FEWEST_RINGS = 6
"""Rings that a profile must have to tell a texture from a rise."""
_UNEVEN = 3.0
"""How many times the evidence of its weaker direction a texture may have in all."""
_SUREST = 0.995
"""Highest probability stated: what the models of noise and crystal leave out."""
_SAME_DIRECTION = 0.1
"""Sine of the angle below which two spots are of one row."""


class RegionState(NamedTuple):
    """What a region is."""

    state: State
    probability: float
    """Of this state; 1/3 where nothing can be told, as in a few pixels."""
    rings: tuple[DiffuseRing, ...]
    """Diffuse rings, also those of a film over a crystal."""


def region_state(seen: Seen | None, spots: Array) -> RegionState:
    """Decide between crystalline, amorphous and empty.

    The three are equally likely beforehand and compared by Bayes' rule.

    Crystalline: noise gives λ = 10**(−significance) spots as clear as one, so that
    two in different directions are noise with probability λ₁λ₂. Spots in a single
    direction are a crystal's in one of a hundred cases, and must stand above twice
    the noise: where that is misjudged, one spot is false, but hardly two. Spots
    exactly on the row or column through zero frequency are the scan's in one of ten
    images, as hum draws them too, however clear they are. Without spots, a crystal's
    fringes must be weaker than the noise allows to see.

    Amorphous: the noise power at periods from 2.5 nm, or a fifth of the field, down
    to four pixels exceeds white noise, the fall-off of a camera or a slow detector
    and a rise to low frequencies (:func:`~hyperspy_t2t.peaks.diffuse.smooth_curves`),
    in directions near x and near y alike, or it has rings. The likelihood is averaged
    over textures of 0.03 % to 50 % contrast, so that a region too noisy to show one is
    not called empty with confidence.

    Parameters
    ----------
    seen
        The region (:func:`~hyperspy_t2t.peaks.spots.see`); None if it is flat.
    spots
        Its spots, rows of :data:`~hyperspy_t2t.peaks.spots.SPOT_COLUMNS`.

    Returns
    -------
    RegionState
        Crystalline with rings where a crystal and an amorphous film lie over each
        other.
    """
    if seen is None:
        return RegionState("empty", 1 / 3, ())
    spots = np.asarray(spots)
    profiles = radial_profiles(seen, spots[:, :2])
    rings = diffuse_rings(profiles)
    texture = _texture_evidence(profiles, seen)
    if rings:
        texture = max(texture, _ring_evidence(rings))
    crystal = _crystal_evidence(seen, spots, profiles[0])
    # A crystal is covered by a film or not, equally likely.
    weights = np.array([crystal + np.logaddexp(texture, 0) - np.log(2), texture, 0.0])
    shares = np.exp(weights - np.logaddexp.reduce(weights))
    # Of states alike the last, as nothing tells them apart.
    best = int(np.flatnonzero(shares >= shares.max() - 1e-9)[-1])
    names: tuple[State, State, State] = ("crystalline", "amorphous", "empty")
    return RegionState(names[best], float(min(shares[best], _SUREST)), rings)


def _crystal_evidence(seen: Seen, spots: Array, profile: Profile) -> float:
    """ln of how much likelier the spots are for a crystal than for noise."""
    missed = _missed(seen, profile)
    g, g_std, snr, chance = _half_plane(spots)
    if not len(g):
        return missed
    exact = np.maximum(3 * g_std, 0.1 * seen.spectrum.scale)
    on_axis = (np.abs(g) < exact).any(axis=1)
    least = np.where(on_axis, np.log(_HUM), -np.inf)
    # In noise twice as strong, wherever it was looked for.
    doubted = np.clip(_log_trials(seen) - snr / 2, least, 0)
    single = np.log(_ONE_DIRECTION) - doubted.min()
    chance = np.clip(chance, least, 0)
    direction = g / np.linalg.norm(g, axis=1)[:, None]
    cross = np.outer(direction[:, 0], direction[:, 1])
    apart = np.abs(cross - cross.T) > _SAME_DIRECTION
    pairs = np.where(apart, chance[:, None] + chance, 0.0)
    return float(max(-pairs.min(), single, missed))


def _half_plane(spots: Array) -> tuple[Array, Array, Array, Array]:
    """g, its standard error, snr and ln of the chance of one of each Friedel pair."""
    rows = spots[upper_half(spots[:, :2])]
    g, g_std = (
        rows[:, [SPOT_COLUMNS.index(name) for name in names]]
        for names in (("gx", "gy"), ("gx_std", "gy_std"))
    )
    snr, significance = (
        rows[:, SPOT_COLUMNS.index(name)] for name in ("snr", "significance")
    )
    return g, g_std, snr, -np.log(10) * significance


def _log_trials(seen: Seen) -> float:
    """ln of the number of independent maxima of a half plane."""
    return float(np.log(_TRIALS * seen.spectrum.power.size / 2))


def _missed(seen: Seen, profile: Profile) -> float:
    """ln of the share of crystals whose fringes are too weak to be seen."""
    if not len(profile.radius):
        return 0.0
    noise = profile.power[: -(-len(profile.power) // 3)].mean()
    # One false spot in a hundred spectra.
    threshold = _log_trials(seen) + np.log(100)
    least = 2 * np.sqrt(threshold * noise * seen.energy) / seen.window.sum()
    low, high = np.log(_FRINGES)
    share = (np.log(least / _level(seen)) - low) / (high - low)
    return float(np.log(np.clip(share, 0.01, 1)))


def _level(seen: Seen) -> float:
    """Grey level that contrast refers to: the mean, or the spread if that is larger."""
    spread = np.sqrt((seen.values**2).sum() / max(seen.energy, 1e-300))
    return float(max(abs(seen.mean), spread))


def _texture_evidence(profiles: tuple[Profile, ...], seen: Seen) -> float:
    """ln of how much likelier the profiles are with a texture than without."""
    scale = _level(seen) ** 2 / float(np.prod(seen.pixel_size))
    limits = band_limits(profiles[0])
    parts = [part for part in profiles[1:] if len(part.radius) >= _FEWEST_RINGS]
    if not len(limits) or len(parts) < 2:
        return 0.0
    gains = [_gains(profile, limits, scale) for profile in parts]
    least = min(_log_mean(gain) for gain in gains)
    # Half of the evidence should come from either direction: from one alone it is
    # an artefact of the scan, as the afterglow of a detector along the rows.
    return min(_log_mean(np.sum(gains, axis=0)), _UNEVEN * (least + 1))


def _gains(profile: Profile, limits: Array, scale: float) -> Array:
    """ln of the likelihood with textures relative to that without, (limits, strengths).

    The scale is what the square of a contrast is multiplied with.
    """
    from scipy.optimize import nnls

    weight = 1 / profile.error
    noise = smooth_curves(profile)[0] * weight[:, None]
    data = profile.power * weight
    without = nnls(noise, data)[1] ** 2
    textures = np.exp(-((profile.radius / limits[:, None]) ** 2)) * weight
    gains = []
    for texture, limit in zip(textures, limits, strict=True):
        # The variance is ∫ b exp(−g²/l²) d²g sx sy.
        strengths = np.geomspace(*_TEXTURES, 40) ** 2 * scale / (np.pi * limit**2)
        rests = [nnls(noise, data - b * texture)[1] ** 2 for b in strengths]
        gains.append((without - np.array(rests)) / 2)
    return np.array(gains)


def _log_mean(logarithms: Array) -> float:
    """ln of the mean of exponentials."""
    return float(np.logaddexp.reduce(np.ravel(logarithms)) - np.log(logarithms.size))


def _ring_evidence(rings: tuple[DiffuseRing, ...]) -> float:
    """ln of how much likelier rings are for amorphous matter than for noise."""
    # A hundred places and widths are tried.
    return max(ring.significance**2 for ring in rings) / 2 - np.log(100)
