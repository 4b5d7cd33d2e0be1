# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Maxima of a spectrum that noise hardly gives."""

import numpy as np
import numpy.typing as npt

from hyperspy_t2t.peaks.explained import not_leakage
from hyperspy_t2t.peaks.finders import Finder
from hyperspy_t2t.peaks.floor import ring_floor
from hyperspy_t2t.peaks.measure import Seen, Spots, measured, rounding
from hyperspy_t2t.peaks.spectrum import Spectrum

Array = npt.NDArray[np.floating]
_SCALLOP = 0.6
"""Share of its power that a spot between pixels still shows on one of them."""
_TRIALS = 3
"""Independent maxima for each pixel searched, as spots lie between pixels too."""


def significant_spots(
    seen: Seen, limits: tuple[float, float], false_alarms: float
) -> Spots:
    """Maxima of one half plane that noise hardly gives, strongest first.

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
    spots = measured(
        seen, rows, columns, trials=trials(count), finder=Finder.STATISTICS
    )
    spots = spots.take(spots.log_chance < np.log(false_alarms)).strongest_first()
    return spots.take(not_leakage(seen, spots, false_alarms))


def trials(count: int) -> float:
    """Independent maxima that noise has in so many pixels."""
    return float(_TRIALS * max(count, 1))


def half_plane_maxima(
    spectrum: Spectrum,
    limits: tuple[float, float],
    false_alarms: float,
    *,
    looks: float = 1.0,
) -> tuple[np.ndarray, np.ndarray, int]:
    """Pixels of one half plane that may be spots, and how many were searched.

    Parameters
    ----------
    spectrum
        The spectrum.
    limits
        Least and greatest |g| in 1/nm.
    false_alarms
        Expected number of false spots.
    looks
        How many independent spectra were averaged.
    """
    from scipy.ndimage import maximum_filter
    from scipy.special import gammainccinv

    start = spectrum.centre[1]
    half = spectrum.power[:, start:]
    radius = _half_radius(spectrum)
    searched = searched_pixels(spectrum, limits)
    count = int(searched.sum())
    if not count:
        return np.empty(0, int), np.empty(0, int), 0
    chance = min(false_alarms / trials(count), 0.5)
    threshold = _SCALLOP * gammainccinv(looks, chance) / looks
    step, rings = ring_floor(spectrum)
    floor = np.interp(radius, np.arange(len(rings)) * step, rings)
    high = searched & (half > threshold * np.maximum(floor, rounding(spectrum)))
    # The column left of zero frequency mirrors the one to its right.
    left = spectrum.power[:, start - 1 : start]
    largest = maximum_filter(np.hstack([left, half]), 3)[:, 1:]
    rows, columns = np.nonzero(high & (half == largest))
    return rows, columns + start, count


def searched_pixels(
    spectrum: Spectrum, limits: tuple[float, float]
) -> npt.NDArray[np.bool_]:
    """Pixels of the half plane gx ≥ 0, one of each Friedel pair, within limits."""
    radius = _half_radius(spectrum)
    searched = (radius >= limits[0]) & (radius <= limits[1])
    searched[: spectrum.centre[0], 0] = False
    searched[[0, -1], :] = searched[:, -1] = False
    return searched


def _half_radius(spectrum: Spectrum) -> Array:
    """|g| in 1/nm of the pixels with gx ≥ 0."""
    columns = spectrum.x_axis.values[None, spectrum.centre[1] :]
    return np.hypot(spectrum.y_axis.values[:, None], columns)
