# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Maxima of a spectrum that noise hardly gives."""

import numba
import numpy as np

from hyperspy_t2t.array_types import Array
from hyperspy_t2t.peaks.explained import clear_spots
from hyperspy_t2t.peaks.finders import Finder
from hyperspy_t2t.peaks.floor import ring_floor
from hyperspy_t2t.peaks.measure import Seen, Spots, measured, rounding
from hyperspy_t2t.peaks.spectrum import Spectrum

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
    least = _SCALLOP * np.log(trials(count) / false_alarms)
    spots = measured(
        seen, rows, columns, trials=trials(count), finder=Finder.STATISTICS, least=least
    )
    return clear_spots(seen, spots, false_alarms)


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
    from scipy.special import gammainccinv

    count = searched_pixels(spectrum, limits)
    if not count:
        return np.empty(0, int), np.empty(0, int), 0
    chance = min(false_alarms / trials(count), 0.5)
    threshold = _SCALLOP * gammainccinv(looks, chance) / looks
    step, rings = ring_floor(spectrum)
    least = threshold * np.maximum(rings, rounding(spectrum))
    rows, columns = _high_maxima(
        spectrum.power, spectrum.y_axis.values, spectrum.x_axis.values, limits, step,
        least,
    )  # fmt: skip
    return rows, columns, count


def searched_pixels(spectrum: Spectrum, limits: tuple[float, float]) -> int:
    """Pixels of the half plane, one of each Friedel pair, with |g| within limits."""
    return _count_between(spectrum.y_axis.values, spectrum.x_axis.values, limits)


@numba.njit(cache=True, nogil=True)
def _count_between(gy: Array, gx: Array, limits: tuple[float, float]) -> int:
    """Pixels with gx > 0, or gx = 0 and gy > 0, off the border of the spectrum."""
    count = 0
    for row in range(1, len(gy) - 1):
        for column in range(len(gx) // 2, len(gx) - 1):
            if gx[column] > 0 or gy[row] > 0:
                square = gy[row] ** 2 + gx[column] ** 2
                count += limits[0] ** 2 <= square <= limits[1] ** 2
    return count


@numba.njit(cache=True, nogil=True)
def _high_maxima(
    power: Array,
    gy: Array,
    gx: Array,
    limits: tuple[float, float],
    step: float,
    least: Array,
) -> tuple[np.ndarray, np.ndarray]:
    """Pixels that no neighbour exceeds and that are above what their ring asks for."""
    rows, columns = [], []
    lowest = least.min()
    for row in range(1, len(gy) - 1):
        for column in range(len(gx) // 2, len(gx) - 1):
            value = power[row, column]
            if value <= lowest or not (gx[column] > 0 or gy[row] > 0):
                continue
            radius = np.hypot(gy[row], gx[column])
            if radius < limits[0] or radius > limits[1]:
                continue
            ring = int(radius / step)
            share = radius / step - ring
            if value <= (1 - share) * least[ring] + share * least[ring + 1]:
                continue
            if value >= power[row - 1 : row + 2, column - 1 : column + 2].max():
                rows.append(row)
                columns.append(column)
    return np.array(rows, dtype=np.int64), np.array(columns, dtype=np.int64)
