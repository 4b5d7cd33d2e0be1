# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""The power spectrum of a region."""

from typing import NamedTuple

import numpy as np

from hyperspy_t2t.array_types import Array, ComplexArray
from hyperspy_t2t.frequencies import FrequencyAxis, frequency_axis
from hyperspy_t2t.peaks.leakage import Leakage, window_leakage


class Spectrum(NamedTuple):
    """Windowed power spectrum of a region, zero frequency in the centre."""

    power: Array
    """|Σ w (I − Ī) exp(−2πi g·r)|² / Σ w², shape (ny, nx)."""
    leakage: Leakage
    """How the window spreads a spot."""
    y_axis: FrequencyAxis
    x_axis: FrequencyAxis
    transform: ComplexArray
    """Σ w (I − Ī) exp(−2πi g·r), as ``rfft2`` gives it, shape (ny, nx // 2 + 1)."""

    @property
    def centre(self) -> tuple[int, int]:
        """Row and column of zero frequency."""
        return self.y_axis.size // 2, self.x_axis.size // 2

    @property
    def scale(self) -> Array:
        """(gx, gy) of a pixel in 1/nm."""
        return np.array([self.x_axis.scale, self.y_axis.scale])

    @property
    def radius(self) -> Array:
        """|g| of each pixel in 1/nm, shape (ny, nx)."""
        return np.hypot(self.y_axis.values[:, None], self.x_axis.values[None, :])

    def frequency(self, rows: np.ndarray, columns: np.ndarray) -> Array:
        """(gx, gy) in 1/nm of pixels, shape (n, 2)."""
        return np.stack([self.x_axis.values[columns], self.y_axis.values[rows]], axis=1)

    def pixel_of(self, g: Array) -> tuple[np.ndarray, np.ndarray]:
        """Rows and columns of the pixels nearest to g (n, 2), within the spectrum."""
        column, row = (
            np.clip(middle + np.rint(values / axis.scale).astype(int), 0, axis.size - 1)
            for middle, values, axis in zip(
                self.centre[::-1], np.asarray(g).T, (self.x_axis, self.y_axis),
                strict=True,
            )
        )  # fmt: skip
        return row, column

    def nearest_maxima(self, g: Array, reach: int) -> tuple[np.ndarray, np.ndarray]:
        """Rows and columns of the strongest pixels within `reach` of g, (n, 2)."""
        steps = np.arange(-reach, reach + 1)
        dy, dx = (part.ravel() for part in np.meshgrid(steps, steps, indexing="ij"))
        row, column = self.pixel_of(g)
        rows = np.clip(row[:, None] + dy, 0, self.y_axis.size - 1)
        columns = np.clip(column[:, None] + dx, 0, self.x_axis.size - 1)
        best = self.power[rows, columns].argmax(axis=1)
        each = np.arange(len(best))
        return rows[each, best], columns[each, best]


def prepare(image: Array, window: Array) -> tuple[Array, float] | None:
    """Windowed image without its background, and its mean; None if it is flat.

    The background, a plane fitted under the window, would otherwise leak into
    low frequencies.
    """
    finite = np.isfinite(image)
    weights = window if finite.all() else np.where(finite, window, 0.0)
    if not weights.any():
        return None
    values = np.where(finite, image, 0.0).astype(float)
    y = np.linspace(-1, 1, image.shape[0])
    x = np.linspace(-1, 1, image.shape[1])
    highest = np.abs(values).max()
    plane = _fitted_plane(values, weights, y, x)
    values -= plane[0] + plane[1] * y[:, None] + plane[2] * x
    values *= weights
    if not np.any(np.abs(values) > 1e-12 * highest):
        return None
    return values, float(plane[0])


def _fitted_plane(values: Array, weights: Array, y: Array, x: Array) -> Array:
    """c + a·y + b·x by weighted least squares, from sums over rows and columns."""
    product = weights * values
    rows, columns = weights.sum(axis=1), weights.sum(axis=0)
    cross = y @ weights @ x
    normal = np.array(
        [
            [rows.sum(), rows @ y, columns @ x],
            [rows @ y, rows @ y**2, cross],
            [columns @ x, cross, columns @ x**2],
        ]
    )
    in_rows = product.sum(axis=1)
    right = np.array([in_rows.sum(), in_rows @ y, product.sum(axis=0) @ x])
    return np.linalg.lstsq(normal, right, rcond=None)[0]


def region_spectrum(
    values: Array, window: Array, pixel_size: tuple[float, float]
) -> Spectrum:
    """Power spectrum of windowed values, zero-padded to a fast transform length."""
    from scipy.fft import next_fast_len, rfft2

    shape = tuple(next_fast_len(int(size), real=True) for size in values.shape)
    transform = rfft2(values, shape, workers=-1)
    power = centred(transform.real**2 + transform.imag**2, shape[1])
    power /= (window**2).sum()
    y_axis, x_axis = map(frequency_axis, shape, pixel_size)
    leakage = window_leakage(window, shape)
    return Spectrum(power, leakage, y_axis, x_axis, transform)


def centred(half: Array, width: int) -> Array:
    """Power with zero frequency in the centre, from the half that ``rfft2`` gives.

    Parameters
    ----------
    half
        Shape (ny, nx // 2 + 1).
    width
        nx.
    """
    height, middle = half.shape[0], width // 2
    squares = np.fft.fftshift(half, axes=0)
    power = np.empty((height, width))
    power[:, middle:] = squares[:, : width - middle]
    # Friedel's law: row k holds −k at its mirror image about the centre.
    mirrored = (2 * (height // 2) - np.arange(height)) % height
    power[:, :middle] = squares[mirrored, middle:0:-1]
    return power
