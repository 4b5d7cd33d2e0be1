# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""How strong the noise of a spectrum is at each frequency, in each direction."""

from typing import NamedTuple

import numpy as np

from hyperspy_t2t.array_types import Array
from hyperspy_t2t.peaks.spectrum import Spectrum

_ANGLES = 256
"""Directions in which a ring is sampled."""
_DIRECTIONS = 12
"""Lines through a maximum along which streaks are looked for."""
_LINE, _SCAN_LINE = 14, 40
"""Independent values on each half of such a line, and of a row or column: what the
scan draws runs through the whole spectrum."""
_BIAS, _STREAK = 1.5, 2.5
"""What the largest of all lines exceeds the mean by in plain exponential noise, and
from where on it is a streak and no chance."""


def radial_floor(spectrum: Spectrum) -> Array:
    """Expectation of the noise power at each pixel, from medians over rings of |g|.

    Noise power is exponentially distributed, so its mean is the median / ln 2.

    Returns
    -------
    ndarray
        Shape (ny, nx).
    """
    step, medians = ring_floor(spectrum)
    return np.interp(spectrum.radius, np.arange(len(medians)) * step, medians)


def ring_floor(spectrum: Spectrum) -> tuple[float, Array]:
    """Noise power on rings of equal |g|.

    Returns
    -------
    step : float
        Distance of the rings in 1/nm; the first is at zero.
    floor : ndarray
        Shape (n,).
    """
    step = 2 * spectrum.scale.max()
    corner = np.hypot(*(spectrum.scale * np.array(spectrum.power.shape[::-1]) / 2))
    radii = np.arange(int(corner / step) + 2) * step
    angle = np.pi * (np.arange(_ANGLES) + 0.5) / _ANGLES
    g = radii[:, None, None] * np.stack([np.sin(angle), np.cos(angle)], axis=-1)
    column, row = (
        middle + np.rint(g[..., axis] / spectrum.scale[axis]).astype(int)
        for axis, middle in enumerate(spectrum.centre[::-1])
    )
    height, width = spectrum.power.shape
    inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
    values = np.where(inside, spectrum.power[row % height, column % width], np.nan)
    medians = _noise_medians(values)
    known = np.isfinite(medians)
    medians = np.interp(radii, radii[known], medians[known])
    return step, medians / np.log(2)


def _noise_medians(rows: Array) -> Array:
    """Median of the noise in each row of values that also hold spots, NaN if none."""
    rows = np.sort(rows, axis=1)
    count = np.isfinite(rows).sum(axis=1)
    each = np.arange(len(rows))
    for _ in range(8):
        lower, upper = np.maximum(count - 1, 0) // 2, count // 2 % rows.shape[1]
        median = (rows[each, lower] + rows[each, upper]) / 2
        # Of exponential noise one value in two hundred is above 7.7 medians.
        noise = (rows <= 7.7 * median[:, None]).sum(axis=1)
        if np.array_equal(noise, count):
            break
        count = noise
    return median


class Noise(NamedTuple):
    """Noise power at some pixels, (n,) each."""

    expected: Array
    """What a spot there is measured in."""
    floor: Array
    """The largest that there are grounds for: a spot must stand above it."""


def local_noise(spectrum: Spectrum, rows: np.ndarray, columns: np.ndarray) -> Noise:
    """Noise power at some pixels, from medians over what lies around each.

    Four are taken: over the ring of equal |g|; over the surroundings; along the row
    and the column, through all of which the scan draws its streaks; and along the
    line through the pixel on which both sides are strongest, so that a maximum on a
    streak stands against that streak, whatever draws it: the scan, an outline, a
    grain boundary. All begin where the pixel's own leakage has fallen below the ring.

    Parameters
    ----------
    spectrum
        The spectrum.
    rows, columns
        Pixels, shape (n,).
    """
    if not len(rows):
        return Noise(np.empty(0), np.empty(0))
    step, rings = ring_floor(spectrum)
    length = np.linalg.norm(spectrum.frequency(rows, columns), axis=1)
    ring = np.interp(length, np.arange(len(rings)) * step, rings)
    share = ring / np.maximum(spectrum.power[rows, columns], 1e-300)
    lobe = np.clip(
        spectrum.leakage.lobe(share), 3, max(3, min(spectrum.power.shape) // 4)
    )
    expected, floor = ring.copy(), ring.copy()
    for reach in np.unique(lobe):
        here = np.flatnonzero(lobe == reach)
        place = spectrum, rows[here], columns[here], reach + 1
        around, scan, line = _around(*place), _along_axes(*place), _along_lines(*place)
        streak = np.maximum(scan, line) > _STREAK * around
        line = np.where(streak, line, line / _BIAS)
        expected[here] = np.where(streak, np.maximum(scan, line), around)
        floor[here] = np.max([ring[here], around, scan, line], axis=0)
    return Noise(expected, floor)


def _around(
    spectrum: Spectrum, rows: np.ndarray, columns: np.ndarray, near: int
) -> Array:
    """Noise in the surroundings of each pixel."""
    far = near + int(np.ceil(8 * spectrum.leakage.correlation))
    dy, dx = np.mgrid[-far : far + 1, -far : far + 1]
    distance = np.hypot(dy, dx)
    ring = (distance >= near) & (distance <= far)
    values = _values(spectrum, rows, columns, dy[ring], dx[ring])
    return np.median(values, axis=1) / np.log(2)


def _along_lines(
    spectrum: Spectrum, rows: np.ndarray, columns: np.ndarray, near: int
) -> Array:
    """Noise along the strongest line through each pixel."""
    steps = near + np.arange(int(np.ceil(_LINE * spectrum.leakage.correlation)))
    angle = np.pi * np.arange(_DIRECTIONS) / _DIRECTIONS
    dy = np.rint(np.outer(np.sin(angle), steps)).astype(int)
    dx = np.rint(np.outer(np.cos(angle), steps)).astype(int)
    # The mean of both sides in logarithms: a spot's neighbour is on one side alone.
    sides = np.sqrt(
        np.median(_values(spectrum, rows, columns, dy, dx), axis=-1)
        * np.median(_values(spectrum, rows, columns, -dy, -dx), axis=-1)
    )
    return sides.max(axis=1) / np.log(2)


def _along_axes(
    spectrum: Spectrum, rows: np.ndarray, columns: np.ndarray, near: int
) -> Array:
    """Noise along the row or the column of each pixel, the larger."""
    return np.maximum(*line_noise(spectrum, rows, columns, near))


def line_noise(
    spectrum: Spectrum, rows: np.ndarray, columns: np.ndarray, near: int
) -> tuple[Array, Array]:
    """Noise power along the row and along the column of pixels.

    Parameters
    ----------
    spectrum
        The spectrum.
    rows, columns
        Pixels, shape (n,).
    near
        Distance in pixels from which the noise is taken.
    """
    length = int(np.ceil(_SCAN_LINE * spectrum.leakage.correlation))
    steps = near + np.arange(min(length, min(spectrum.power.shape) // 2))
    line = np.concatenate([-steps, steps])
    along_row = _values(spectrum, rows, columns, 0 * line, line)
    along_column = _values(spectrum, rows, columns, line, 0 * line)
    return (
        np.median(along_row, axis=1) / np.log(2),
        np.median(along_column, axis=1) / np.log(2),
    )


def _values(
    spectrum: Spectrum,
    rows: np.ndarray,
    columns: np.ndarray,
    dy: np.ndarray,
    dx: np.ndarray,
) -> Array:
    """Power at offsets from pixels, shape (n, *offsets)."""
    extra = (slice(None), *(None,) * dy.ndim)
    height, width = spectrum.power.shape
    return spectrum.power[(rows[extra] + dy) % height, (columns[extra] + dx) % width]
