# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Significant spots of a region's power spectrum."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from hyperspy_t2t.frequencies import FrequencyAxis, frequency_axis
from hyperspy_t2t.peaks.sinusoid import refine_sinusoids

Array = npt.NDArray[np.floating]
SPOT_COLUMNS = ("gx", "gy", "intensity", "gx_std", "gy_std", "snr", "phase")
SPOT_UNITS = ("1/nm", "1/nm", "", "1/nm", "1/nm", "", "rad")
LONGEST = 2.5
"""Longest lattice period in nm looked for unless asked: most cells are smaller."""
_MAIN_LOBE = 3.0
"""Spectral pixels around a spot that belong to it (a Hann window has ±2)."""


class Spectrum(NamedTuple):
    """Windowed power spectrum of a region, zero frequency in the centre."""

    power: Array
    """|Σ w (I − Ī) exp(−2πi g·r)|² / Σ w², shape (ny, nx)."""
    leakage: Array
    """Power of the window itself around a spot, 1 in the centre, same shape."""
    y_axis: FrequencyAxis
    x_axis: FrequencyAxis

    def pixel_of(self, g: Array) -> tuple[int, int]:
        """Row and column of the pixel at g, in 1/nm."""
        return (
            self.y_axis.size // 2 + round(g[1] / self.y_axis.scale),
            self.x_axis.size // 2 + round(g[0] / self.x_axis.scale),
        )

    def nearest_maximum(self, g: Array) -> tuple[np.ndarray, np.ndarray, Array]:
        """Row, column and noise floor of the strongest pixel next to g, in arrays."""
        reach = int(_MAIN_LOBE)
        row, column = self.pixel_of(g)
        rows = slice(max(0, row - reach), row + reach + 1)
        columns = slice(max(0, column - reach), column + reach + 1)
        part = self.power[rows, columns]
        y, x = np.unravel_index(part.argmax(), part.shape)
        where = np.array([rows.start + y]), np.array([columns.start + x])
        floor = np.maximum(_local_floor(self, *where), self.power.max() * 1e-12)
        return *where, floor


def find_spots(
    image: Array,
    window: Array,
    pixel_size: tuple[float, float],
    origin: tuple[float, float] = (0.0, 0.0),
    *,
    false_alarms: float = 0.01,
    min_d: float = 0.05,
    max_d: float | None = None,
) -> Array:
    """Crystallographic frequencies of an image seen through a window.

    A local maximum of the power spectrum is a spot if it stands above the noise
    at its place (the largest of the medians over its ring of equal |g|, over its
    surroundings and along its row and its column, which scan noise fills with
    streaks) so far that noise alone would give `false_alarms` of them per
    spectrum, and if it is not the leakage of a stronger spot through the window.

    Parameters
    ----------
    image, window
        Grey values and weights, shape (ny, nx).
    pixel_size, origin
        (sy, sx) and (top, left) in nm.
    false_alarms
        Expected number of false spots per spectrum of pure noise.
    min_d, max_d
        Shortest and longest period looked for, in nm; ``max_d=None`` allows 2.5
        nm, but at most a fifth of the extent of the window.

    Returns
    -------
    ndarray
        One row per spot with the columns of `SPOT_COLUMNS`, strongest first, each
        followed by its Friedel partner −g. The intensity is the squared amplitude
        of the fringes relative to the squared mean grey level.
    """
    prepared = prepare(image, window)
    if prepared is None:
        return np.empty((0, len(SPOT_COLUMNS)))
    spectrum = region_spectrum(prepared[0], window, pixel_size)
    extent = np.sqrt(window.sum() * np.prod(pixel_size))
    limits = (1 / (max_d or min(extent / 5.0, LONGEST)), 1 / min_d)
    rows, columns, floor = _significant_maxima(spectrum, limits, false_alarms)
    if not len(rows):
        return np.empty((0, len(SPOT_COLUMNS)))
    return measure_spots(
        prepared, window, spectrum, rows, columns, floor, pixel_size, origin
    )


def prepare(image: Array, window: Array) -> tuple[Array, float] | None:
    """Windowed image without its background, and its mean; None if it is flat.

    The background, a plane fitted under the window, would otherwise leak into
    low frequencies.
    """
    finite = np.isfinite(image)
    weights = np.where(finite, window, 0.0)
    if not weights.any():
        return None
    values = np.where(finite, image, 0.0).astype(float)
    y = np.linspace(-1, 1, image.shape[0])[:, None]
    x = np.linspace(-1, 1, image.shape[1])[None, :]
    basis = [np.ones_like(values), y + 0 * x, x + 0 * y]
    normal = np.array([[(weights * a * b).sum() for a in basis] for b in basis])
    right = np.array([(weights * values * b).sum() for b in basis])
    coefficients = np.linalg.lstsq(normal, right, rcond=None)[0]
    values -= sum(c * b for c, b in zip(coefficients, basis, strict=True))
    values *= weights
    if not np.any(np.abs(values) > 1e-12 * max(1.0, abs(coefficients[0]))):
        return None
    return values, float(coefficients[0])


def region_spectrum(
    values: Array, window: Array, pixel_size: tuple[float, float]
) -> Spectrum:
    """Power spectrum of windowed values, zero-padded to a fast transform length."""
    from scipy.fft import fftshift, next_fast_len, rfft2

    shape = tuple(next_fast_len(int(size), real=True) for size in values.shape)
    power = _full_power(rfft2(values, shape, workers=-1), shape)
    leakage = _full_power(rfft2(window, shape, workers=-1), shape)
    y_axis, x_axis = map(frequency_axis, shape, pixel_size)
    return Spectrum(
        fftshift(power) / (window**2).sum(),
        fftshift(leakage) / leakage[0, 0],
        y_axis,
        x_axis,
    )


def _full_power(half: np.ndarray, shape: tuple[int, int]) -> Array:
    """|FFT|² on the full grid from the half that a real transform gives."""
    power = np.empty(shape)
    columns = half.shape[1]
    power[:, :columns] = half.real**2 + half.imag**2
    rest = np.arange(columns, shape[1])
    rows = -np.arange(shape[0]) % shape[0]
    power[:, rest] = power[rows][:, shape[1] - rest]
    return power


def radial_floor(spectrum: Spectrum) -> Array:
    """Expectation of the noise power at each pixel, from medians over rings of |g|.

    Noise power is exponentially distributed, so its mean is the median / ln 2.
    """
    radius, step = _radius(spectrum)
    ring = (radius / (2 * step)).astype(np.intp)
    order = np.argsort(ring, axis=None, kind="stable")
    parts = np.split(
        spectrum.power.ravel()[order], np.cumsum(np.bincount(ring.ravel()))
    )
    medians = np.array([_noise_median(part) for part in parts[:-1]])
    smooth = np.interp(radius, (np.arange(len(medians)) + 0.5) * 2 * step, medians)
    return smooth / np.log(2)


def _noise_median(power: Array) -> float:
    """Median of the noise among values that also hold spots and their leakage."""
    for _ in range(8):
        if not len(power):
            return 0.0
        median = np.median(power)
        # Of exponential noise one value in two hundred is above 7.7 medians.
        noise = power[power <= 7.7 * median]
        if len(noise) == len(power):
            break
        power = noise
    return float(median)


def _radius(spectrum: Spectrum) -> tuple[Array, float]:
    radius = np.hypot(spectrum.y_axis.values[:, None], spectrum.x_axis.values[None, :])
    return radius, max(spectrum.y_axis.scale, spectrum.x_axis.scale)


def _significant_maxima(
    spectrum: Spectrum, limits: tuple[float, float], false_alarms: float
) -> tuple[np.ndarray, np.ndarray, Array]:
    """Rows, columns and noise floor of the significant maxima of one half plane."""
    from scipy.ndimage import maximum_filter

    power = spectrum.power
    radius, _ = _radius(spectrum)
    searched = (radius >= limits[0]) & (radius <= limits[1])
    searched[:, : spectrum.x_axis.size // 2] = False
    searched[: spectrum.y_axis.size // 2, spectrum.x_axis.size // 2] = False
    searched[[0, -1], :] = searched[:, -1] = False
    if not searched.any():
        return np.empty(0, int), np.empty(0, int), np.empty(0)
    threshold = np.log(searched.sum() / false_alarms)
    # Rounding leaves a floor of its own under a noise-free image.
    numerical = power.max() * 1e-12
    floor = np.maximum(radial_floor(spectrum), numerical)
    size = 2 * int(_MAIN_LOBE) + 1
    peak = (power == maximum_filter(power, size)) & (power > threshold * floor)
    rows, columns = np.nonzero(peak & searched)
    local = np.maximum(_local_floor(spectrum, rows, columns), numerical)
    keep = power[rows, columns] > threshold * local
    rows, columns, local = rows[keep], columns[keep], local[keep]
    order = np.argsort(-power[rows, columns], kind="stable")
    rows, columns, local = rows[order], columns[order], local[order]
    own = _not_leakage(spectrum, rows, columns)
    return rows[own], columns[own], local[own]


def _local_floor(spectrum: Spectrum, rows: np.ndarray, columns: np.ndarray) -> Array:
    """Noise power at maxima: the largest of four medians.

    Over the ring of |g|, and over the surroundings, the row and the column of each
    from where its own leakage falls below the first.
    """
    if not len(rows):
        return np.empty(0)
    floor = radial_floor(spectrum)[rows, columns]
    centre = spectrum.y_axis.size // 2, spectrum.x_axis.size // 2
    distance = np.maximum(
        *(
            abs(k - c)
            for k, c in zip(np.indices(spectrum.power.shape), centre, strict=True)
        )
    )
    outside = np.zeros(distance.max() + 1)
    np.maximum.at(outside, distance, spectrum.leakage)
    outside = np.maximum.accumulate(outside[::-1])
    leaking = floor / spectrum.power[rows, columns]
    lobe = len(outside) - np.searchsorted(outside, leaking, side="right")
    lobe = np.clip(lobe, _MAIN_LOBE, min(spectrum.power.shape) // 4).astype(int)
    # Noise is alike over so many pixels: 24 independent ones make a line.
    correlation = np.sqrt(spectrum.leakage.sum())
    length = int(np.ceil(8 * correlation))
    for reach in np.unique(lobe):
        here = lobe == reach
        floor[here] = np.maximum(
            floor[here],
            _median_around(spectrum.power, rows[here], columns[here], reach, length),
        )
    return floor


def _median_around(
    power: Array, rows: np.ndarray, columns: np.ndarray, reach: int, length: int
) -> Array:
    """Largest mean that three medians give, over `length` pixels beyond `reach`."""
    near, far = reach + 1, reach + 1 + length
    steps = np.arange(near, far)
    line = np.concatenate([-steps[::-1], steps])
    disk_y, disk_x = np.mgrid[-far : far + 1, -far : far + 1]
    distance = np.hypot(disk_y, disk_x)
    ring = (distance >= near) & (distance <= far)
    surroundings = (
        (disk_y[ring], disk_x[ring]),
        (0 * line, line),
        (line, 0 * line),
    )
    medians = [
        np.median(
            power[
                (rows[:, None] + dy) % power.shape[0],
                (columns[:, None] + dx) % power.shape[1],
            ],
            axis=1,
        )
        for dy, dx in surroundings
    ]
    return np.max(medians, axis=0) / np.log(2)


def _not_leakage(
    spectrum: Spectrum, rows: np.ndarray, columns: np.ndarray
) -> npt.NDArray[np.bool_]:
    """True for maxima (strongest first) that stronger spots do not explain."""
    from scipy.ndimage import maximum_filter

    power = spectrum.power[rows, columns]
    reach = 2 * int(_MAIN_LOBE) + 1
    leakage = maximum_filter(spectrum.leakage, 5)
    centre = np.array([spectrum.y_axis.size // 2, spectrum.x_axis.size // 2])
    position = np.stack([rows, columns], axis=1)
    own = np.ones(len(rows), bool)
    for i in range(len(rows)):
        spots = position[:i][own[:i]]
        strength = power[:i][own[:i]]
        explained = 0.0
        # A spot and its Friedel partner both leak.
        for source in (spots, 2 * centre - spots):
            offset = position[i] - source
            where = (centre + offset) % np.array(spectrum.power.shape)
            explained += 4 * (strength * leakage[where[:, 0], where[:, 1]]).sum()
            if np.any(np.abs(offset).max(axis=1, initial=0) < reach // 2):
                own[i] = False
        own[i] &= power[i] >= explained
    return own


def measure_spots(
    prepared: tuple[Array, float],
    window: Array,
    spectrum: Spectrum,
    rows: np.ndarray,
    columns: np.ndarray,
    floor: Array,
    pixel_size: tuple[float, float],
    origin: tuple[float, float],
) -> Array:
    """Table of spots refined from pixels of the spectrum, each with its partner.

    Parameters
    ----------
    prepared, window
        Result of :func:`prepare` and the weights.
    spectrum, rows, columns, floor
        Where the maxima are, and the noise power there.
    pixel_size, origin
        (sy, sx) and (top, left) in nm.
    """
    values, mean = prepared
    y = origin[0] + np.arange(values.shape[0]) * pixel_size[0]
    x = origin[1] + np.arange(values.shape[1]) * pixel_size[1]
    start = np.stack(
        [spectrum.x_axis.values[columns], spectrum.y_axis.values[rows]], axis=1
    )
    step = 1.5 * max(spectrum.x_axis.scale, spectrum.y_axis.scale)
    refined = refine_sinusoids(values, window, y, x, start, max_step=step)
    power = np.abs(refined.component) ** 2
    noise = floor * (window**2).sum()
    variance = refined.covariance * (noise / power)[:, None, None]
    amplitude = 2 * np.abs(refined.component) / window.sum()
    half = np.stack(
        [
            refined.g[:, 0],
            refined.g[:, 1],
            (amplitude / max(abs(mean), 1e-300)) ** 2,
            np.sqrt(variance[:, 0, 0]),
            np.sqrt(variance[:, 1, 1]),
            power / noise,
            np.angle(refined.component),
        ],
        axis=1,
    )
    half = half[np.argsort(-half[:, 5], kind="stable")]
    partner = half * np.array([-1, -1, 1, 1, 1, 1, -1])
    return np.stack([half, partner], axis=1).reshape(-1, half.shape[1])
