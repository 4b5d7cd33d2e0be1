# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Broad spots: the spectra of many small windows, averaged."""

import numpy as np

from hyperspy_t2t.array_types import Array, Bools
from hyperspy_t2t.frequencies import frequency_axis, hann_window
from hyperspy_t2t.peaks.explained import not_leakage
from hyperspy_t2t.peaks.finders import Finder
from hyperspy_t2t.peaks.floor import local_noise
from hyperspy_t2t.peaks.leakage import window_leakage
from hyperspy_t2t.peaks.maxima import half_plane_maxima, trials
from hyperspy_t2t.peaks.measure import Seen, Spots, measured
from hyperspy_t2t.peaks.spectrum import Spectrum, centred

_SHARE = 4
"""A small window is this part of the region's shorter side."""
_SMALLEST = 96
"""Least side in pixels of a small window; a region below four of them has none."""
_CLEAR = 5.0
"""Least power over noise: averages scatter little, their floor is known less well."""
_APART = 2.5
"""Pixels of the averaged spectrum within which a spot is known already."""


def averaged_spots(
    seen: Seen, known: Array, limits: tuple[float, float], false_alarms: float
) -> Spots | None:
    """Spots that only the average over small windows shows.

    The spot of a lattice that bends, or is broken up, is spread and speckled in the
    spectrum of the whole region. Averaged over K windows (Welch's method) it is one
    maximum, in noise that scatters √K times less.

    Parameters
    ----------
    seen
        The region.
    known
        Spots found already, (gx, gy) in 1/nm, (n, 2).
    limits
        Least and greatest |g| in 1/nm.
    false_alarms
        Expected number of false spots in a spectrum of noise.

    Returns
    -------
    Spots or None
        None where the region is too small.

    References
    ----------
    P. D. Welch, IEEE Trans. Audio Electroacoust. 15 (1967) 70,
    https://doi.org/10.1109/TAU.1967.1161901
    """
    side = min(seen.values.shape) // _SHARE
    if side < _SMALLEST:
        return None
    spectrum, looks = _averaged(seen, side)
    rows, columns, count = half_plane_maxima(
        spectrum, limits, false_alarms, looks=looks
    )
    coarse = _unrefined(spectrum, rows, columns, looks, trials(count))
    clear = coarse.snr > _CLEAR
    coarse = coarse.take(clear & (coarse.log_chance < np.log(false_alarms)))
    coarse = coarse.strongest_first()
    window = hann_window((side, side))
    energy = float((window**2).sum())
    small = seen._replace(spectrum=spectrum, window=window, energy=energy)
    coarse = coarse.take(not_leakage(small, coarse, false_alarms))
    coarse = coarse.take(_is_new(coarse.g, known, spectrum))
    found = seen.spectrum.nearest_maxima(coarse.g, _SHARE)
    spots = measured(seen, *found, finder=Finder.AVERAGE)
    return spots._replace(log_chance=coarse.log_chance)


def _unrefined(
    spectrum: Spectrum,
    rows: np.ndarray,
    columns: np.ndarray,
    looks: float,
    places: float,
) -> Spots:
    """Maxima of an averaged spectrum as spots, in units of its power."""
    from scipy.special import gammaincc

    floor = local_noise(spectrum, rows, columns).floor * _median_ratio(looks)
    power = spectrum.power[rows, columns]
    with np.errstate(divide="ignore"):
        tail = np.log(gammaincc(looks, looks * power / np.maximum(floor, 1e-300)))
    total = (hann_window(spectrum.power.shape) ** 2).sum()
    return Spots(
        spectrum.frequency(rows, columns),
        np.sqrt(power * total).astype(complex),
        np.zeros((len(rows), 2, 2)),
        floor * total,
        floor * total,
        np.log(places) + np.maximum(tail, -700.0),
        np.full(len(rows), int(Finder.AVERAGE)),
    )


def _is_new(g: Array, known: Array, spectrum: Spectrum) -> Bools:
    both = np.concatenate([known, -known])
    offset = np.abs(g[:, None] - both) / spectrum.scale
    return np.linalg.norm(offset, axis=-1).min(axis=1, initial=np.inf) > _APART


def _averaged(seen: Seen, side: int) -> tuple[Spectrum, float]:
    """Spectrum averaged over half overlapping windows, and how many those count."""
    from scipy.fft import rfft2

    window = hann_window((side, side))
    least = 0.05 * (window**2).sum()
    power = np.zeros((side, side // 2 + 1))
    weights: list[float] = []
    starts = range(0, seen.values.shape[1] - side + 1, side // 2)
    for top in range(0, seen.values.shape[0] - side + 1, side // 2):
        parts = [(slice(top, top + side), slice(left, left + side)) for left in starts]
        found = [float(((seen.window[part] * window) ** 2).sum()) for part in parts]
        # The edges of the region add noise of their own and little else.
        used = [k for k, weight in enumerate(found) if weight >= least]
        if not used:
            continue
        transform = rfft2(np.stack([seen.values[parts[k]] * window for k in used]))
        power += (transform.real**2 + transform.imag**2).sum(axis=0)
        weights += [found[k] for k in used]
    total = np.array(weights).sum()
    along_y, along_x = (
        frequency_axis(side, abs(p[1] - p[0])) for p in (seen.y, seen.x)
    )
    leakage = window_leakage(window, (side, side))
    spectrum = Spectrum(
        centred(power / total, side), leakage, along_y, along_x, transform=power
    )
    return spectrum, total**2 / (np.array(weights) ** 2).sum()


def _median_ratio(number: float) -> float:
    """Mean over median of averaged noise, relative to that of a single window."""
    from scipy.special import gammaincinv

    return float(np.log(2) * number / gammaincinv(number, 0.5))
