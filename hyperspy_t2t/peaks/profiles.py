# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Spots that stand above both their row and their column of a spectrum."""

import numpy as np

from hyperspy_t2t.array_types import Array
from hyperspy_t2t.peaks.explained import clear_spots
from hyperspy_t2t.peaks.finders import Finder
from hyperspy_t2t.peaks.floor import line_noise
from hyperspy_t2t.peaks.maxima import half_plane_maxima, trials
from hyperspy_t2t.peaks.measure import Seen, Spots, measured, rounding


def profile_spots(
    seen: Seen, limits: tuple[float, float], false_alarms: float
) -> Spots:
    """Maxima that stand above the noise of their row and of their column.

    The noise is that of the two lines alone, so that a weak periodicity next to a
    diffuse ring or another crystal counts, which the other estimates raise the floor
    for.

    Parameters
    ----------
    seen
        The region.
    limits
        Least and greatest |g| in 1/nm.
    false_alarms
        Expected number of false spots in a spectrum of noise.
    """
    rows, columns, count = half_plane_maxima(seen.spectrum, limits, false_alarms)
    spots = measured(seen, rows, columns, finder=Finder.PROFILES)
    spots = spots.against(profile_floor(seen, spots), trials(count))
    return clear_spots(seen, spots, false_alarms)


def profile_floor(seen: Seen, spots: Spots) -> Array:
    """Noise of the rows and columns of spots, in units of their power, (n,)."""
    spectrum = seen.spectrum
    rows, columns = spectrum.pixel_of(spots.g)
    near = int(np.ceil(4 * spectrum.leakage.correlation))
    floor = np.maximum(*line_noise(spectrum, rows, columns, near))
    return np.maximum(floor, rounding(spectrum)) * seen.energy
