# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Spots that the network marks, measured and tested against the noise."""

import numpy as np

from hyperspy_t2t.array_types import Array, Bools
from hyperspy_t2t.peaks.finders import Finder
from hyperspy_t2t.peaks.floor import radial_floor
from hyperspy_t2t.peaks.maxima import searched_pixels, trials
from hyperspy_t2t.peaks.measure import Seen, Spots, measured
from hyperspy_t2t.peaks.network import SMALLEST, network_maxima, spot_probability


def probabilities(seen: Seen) -> Array:
    """The network's probability of a spot on each pixel, (ny, nx)."""
    power = seen.spectrum.power
    if min(power.shape) < SMALLEST:
        return np.zeros(power.shape, np.float32)
    return spot_probability(power, radial_floor(seen.spectrum))


def network_spots(
    seen: Seen, probability: Array, limits: tuple[float, float], false_alarms: float
) -> Spots:
    """Marked maxima that stand above the noise, strongest first.

    The network knows streaks by sight, so that a maximum has to stand above the noise
    expected at its place, not above the largest that may be there.

    Parameters
    ----------
    seen
        The region.
    probability
        As from :func:`probabilities`.
    limits
        Least and greatest |g| in 1/nm.
    false_alarms
        Expected number of false spots in a spectrum of noise.
    """
    rows, columns = network_maxima(probability)
    g = seen.spectrum.frequency(rows, columns)
    length = np.linalg.norm(g, axis=1)
    inside = (length >= limits[0]) & (length <= limits[1])
    rows, columns = seen.spectrum.nearest_maxima(g[inside], 1)
    count = searched_pixels(seen.spectrum, limits)
    spots = measured(seen, rows, columns, finder=Finder.NETWORK)
    spots = spots.against(spots.noise, trials(count))
    spots = spots.take(spots.log_chance < np.log(false_alarms))
    return spots.strongest_first()


def marked(seen: Seen, probability: Array, g: Array) -> Bools:
    """Whether the network marks a spot within a pixel of each g (n, 2) in 1/nm."""
    if not len(g):
        return np.zeros(0, bool)
    from scipy.ndimage import maximum_filter

    rows, columns = seen.spectrum.pixel_of(g)
    return maximum_filter(probability, 3)[rows, columns] > 0.5
