# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Calibrated spectra: the one place that says which frequency a pixel has."""

from typing import NamedTuple

import numpy as np

from hyperspy_t2t.array_types import Array, Bools


class FrequencyAxis(NamedTuple):
    """A uniform frequency axis with its zero exactly on pixel ``size // 2``."""

    offset: float
    """Frequency of the first pixel in 1/nm."""
    scale: float
    """Step between pixels in 1/nm."""
    size: int

    @property
    def values(self) -> Array:
        """Frequencies in 1/nm, shape (size,)."""
        return (np.arange(self.size) - self.size // 2) * self.scale


def frequency_axis(size: int, pixel_size: float) -> FrequencyAxis:
    """Axis of a shifted discrete Fourier transform of `size` samples.

    Parameters
    ----------
    size
        Number of samples, even or odd.
    pixel_size
        Sampling distance in nm.
    """
    step = 1.0 / (size * pixel_size)
    return FrequencyAxis(-(size // 2) * step, step, size)


def upper_half(g: Array) -> Bools:
    """True for one of each Friedel pair: gx > 0, or gx = 0 and gy > 0; g is (n, 2)."""
    return (g[:, 0] > 0) | ((g[:, 0] == 0) & (g[:, 1] > 0))


def hann_window(shape: tuple[int, int]) -> Array:
    """Product of two Hann windows without zero end points, shape `shape`."""
    rows, columns = (
        np.sin(np.pi * (np.arange(size) + 0.5) / size) ** 2 for size in shape
    )
    return np.outer(rows, columns)


def power_spectrum(
    image: Array,
    pixel_size: tuple[float, float],
    *,
    window: Array | None = None,
) -> tuple[Array, FrequencyAxis, FrequencyAxis]:
    """Windowed power spectrum with its zero frequency in the centre.

    The windowed mean is removed first, so that neither the grey level nor the
    outline of the window shows. P(g) = |Σ w (I − Ī) exp(−2πi g·r)|² / Σ w², so
    that white noise of variance σ² has the expectation σ² at every frequency.

    Parameters
    ----------
    image
        Real image, shape (ny, nx). Pixels that are not finite count as outside
        of the window.
    pixel_size
        (sy, sx) in nm.
    window
        Weights, shape (ny, nx); a Hann window when omitted.

    Returns
    -------
    power : ndarray
        Shape (ny, nx), in squared units of the image.
    y_axis, x_axis : FrequencyAxis
        Frequencies of the rows and of the columns in 1/nm.
    """
    if image.ndim != 2:
        raise ValueError(f"Expected an image (ny, nx), got an array {image.shape}.")
    weights = hann_window(image.shape) if window is None else window
    finite = np.isfinite(image)
    weights = np.where(finite, weights, 0.0)
    total = weights.sum()
    if total <= 0:
        raise ValueError("The window leaves no pixel of the image to transform.")
    values = np.where(finite, image, 0.0)
    values = (values - (weights * values).sum() / total) * weights
    spectrum = np.fft.fftshift(np.fft.fft2(values))
    power = np.abs(spectrum) ** 2 / (weights**2).sum()
    y_axis, x_axis = map(frequency_axis, image.shape, pixel_size)
    return power, y_axis, x_axis
