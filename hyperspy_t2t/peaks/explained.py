# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Which maxima of a spectrum stronger ones explain."""

import numpy as np

from hyperspy_t2t.array_types import Array, Bools
from hyperspy_t2t.peaks.measure import Seen, Spots
from hyperspy_t2t.peaks.spectrum import Spectrum

_LEAKING = 2.0
"""How much more than a wave's leakage may be due to it: its amplitude varies."""
_SAME, _NEAR = 1.5, 5.0
"""Distances, in units of the patch over which noise is alike, below which two maxima
are one spot, and one may be the foot of the other."""


def clear_spots(seen: Seen, spots: Spots, false_alarms: float) -> Spots:
    """Spots that neither noise nor stronger ones explain, strongest first.

    Parameters
    ----------
    seen, spots
        The region and its spots.
    false_alarms
        Expected number of false spots per spectrum.
    """
    clear = spots.take(spots.log_chance < np.log(false_alarms)).strongest_first()
    return clear.take(not_leakage(seen, clear, false_alarms))


def not_leakage(seen: Seen, spots: Spots, false_alarms: float) -> Bools:
    """True for spots (strongest first) that stronger ones do not explain.

    What a stronger spot leaks adds to the noise in amplitude, so a spot must stand
    above the sum of both. A crystal that does not fill the window spreads its spots
    further than the window says, but evenly to both sides, g₀ + q and g₀ − q.

    Parameters
    ----------
    seen, spots
        The region and its spots, strongest first.
    false_alarms
        Expected number of false spots per spectrum, which says how far above the
        noise a spot has to be.
    """
    spectrum = seen.spectrum
    total = seen.energy
    power, floor = spots.power / total, spots.floor / total
    threshold = spots.snr + spots.log_chance - np.log(false_alarms)
    place = (spots.g / spectrum.scale)[:, ::-1]
    correlation = spectrum.leakage.correlation
    own = np.ones(len(power), bool)
    for i in range(len(power)):
        before = np.flatnonzero(own[:i])
        # A spot and its Friedel partner both leak.
        source = np.concatenate([place[before], -place[before]])
        strength = np.tile(power[before], 2)
        offset = place[i] - source
        distance = np.linalg.norm(offset, axis=1)
        leaking = np.sqrt(_LEAKING * strength * spectrum.leakage.at(offset))
        limit = _in_step(leaking) + np.sqrt(max(threshold[i], 0) * floor[i])
        near = (distance < _NEAR * correlation) & (strength > 10 * power[i])
        mirrored = _power_near(spectrum, source[near] - offset[near])
        next_to = distance < 2 * _SAME * correlation
        valley = _power_at(spectrum, source[next_to] + offset[next_to] / 2)
        own[i] = (
            np.sqrt(power[i]) > limit
            and not np.any(distance < _SAME * correlation)
            and not np.any(valley > 0.8 * power[i])
            and not np.any(mirrored > power[i] / 4)
        )
    return own


def _in_step(amplitude: Array) -> float:
    """What waves add up to: the strongest three in step, the others at random."""
    order = np.sort(amplitude)[::-1]
    return float(order[:3].sum() + np.sqrt((order[3:] ** 2).sum()))


def _power_at(spectrum: Spectrum, place: Array) -> Array:
    """Power between pixels at places (n, 2), (y, x) pixels from the centre."""
    from scipy.ndimage import map_coordinates

    return map_coordinates(
        spectrum.power, (place + spectrum.centre).T, order=1, mode="nearest"
    )


def _power_near(spectrum: Spectrum, place: Array) -> Array:
    """Largest power within a pixel of places (n, 2), (y, x) pixels from the centre."""
    if not len(place):
        return np.empty(0)
    rows, columns = spectrum.nearest_maxima(place[:, ::-1] * spectrum.scale, 1)
    return spectrum.power[rows, columns]
