# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Noise of an image from the image itself: variance against mean.

Beyond the cut-off of the probe there is nothing but noise. What a high-pass filter with
the kernel k leaves of white noise of the variance v(r) has the expected square
(k² ∗ v)(r), and v = v₀ + γ μ for counts: the gain γ and the read noise v₀ follow by
regression on k² ∗ μ, whatever the units of the grey levels.

References
----------
Janesick, Photon Transfer (2007), https://doi.org/10.1117/3.725073
"""

from dataclasses import dataclass

import numpy as np

from hyperspy_t2t.array_types import Array, Bools
from hyperspy_t2t.calibration import ImageGrid

_CUT_OFF = 0.59
"""Frequency times σ at which a Gaussian probe transfers 1e-3."""
_HIGHEST = 0.35
"""Cut-off in cycles per pixel at most, or no noise would be left to measure."""
_CLIP = 9.0
"""Largest square in units of the variance: a hot pixel is not noise."""
_ROUNDS = 6


@dataclass(frozen=True)
class ImageNoise:
    """White noise with the variance v₀ + γ μ at the grey level μ.

    Parameters
    ----------
    read
        v₀ in squared grey levels; negative if the zero of the grey levels is above
        that of the counts.
    gain
        γ in grey levels per count.
    floor
        Least variance: that of the darkest grey levels, or of one count.
    """

    read: float
    gain: float
    floor: float

    def variance(self, level: Array) -> Array:
        """At grey levels, same shape."""
        return np.maximum(self.read + self.gain * level, self.floor)


def measure_noise(
    rest: Array,
    level: Array,
    known: Bools,
    grid: ImageGrid,
    probe: float,
) -> ImageNoise:
    """Noise of an image.

    Parameters
    ----------
    rest
        The image without what is known of its signal, grey levels, shape (ny, nx).
    level
        The known signal μ, shape (ny, nx).
    known
        Where both are; other pixels count as 0.
    grid
        Pixels.
    probe
        σ of the probe in nm.
    """
    from scipy.ndimage import uniform_filter

    kernel = _high_pass(grid, probe)
    inside = known & (uniform_filter(known.astype(np.float32), 7) > 0.999)
    if inside.sum() < 100:
        inside = known
    spectrum = np.fft.rfft2(kernel)
    square = _convolved(np.where(known, rest, 0.0), spectrum)[inside] ** 2
    spectrum = np.fft.rfft2(kernel**2)
    counts = _convolved(known.astype(float), spectrum)[inside]
    mean = _convolved(np.where(known, level, 0.0), spectrum)[inside] / counts
    return _line(square / counts, mean, float(np.percentile(level[known], 1)))


def _high_pass(grid: ImageGrid, probe: float) -> Array:
    """Kernel around pixel (0, 0): 1 minus a Gaussian that ends at the cut-off."""
    py, px = grid.pixel_size
    qy = np.fft.fftfreq(grid.shape[0])[:, None]
    qx = np.fft.rfftfreq(grid.shape[1])[None]
    edge_y = min(_CUT_OFF * py / probe, _HIGHEST)
    edge_x = min(_CUT_OFF * px / probe, _HIGHEST)
    # An eighth power: flat beyond the cut-off, and a kernel of a few pixels.
    distance = (qy / edge_y) ** 2 + (qx / edge_x) ** 2
    return np.fft.irfft2(1 - np.exp(-(distance**2)), s=grid.shape)


def _convolved(values: Array, spectrum: Array) -> Array:
    return np.fft.irfft2(np.fft.rfft2(values) * spectrum, s=values.shape)


def _line(square: Array, mean: Array, darkest: float) -> ImageNoise:
    """Weighted regression of squares on the mean; a square scatters with its mean."""
    middle = float(np.median(mean))
    offset, slope = float(square.mean()), 0.0
    x = mean - middle
    for _ in range(_ROUNDS):
        expected = np.maximum(offset + slope * x, 0.1 * abs(offset) + 1e-300)
        clipped = np.minimum(square, _CLIP * expected)
        weight = expected**-2
        total, first, second = weight.sum(), weight @ x, weight @ x**2
        value, product = weight @ clipped, (weight * x) @ clipped
        determinant = total * second - first**2
        if determinant <= 1e-9 * total * second:
            offset, slope = float(value / total), 0.0
            break
        slope = max(0.0, float((total * product - first * value) / determinant))
        offset = float((value - slope * first) / total)
    # One count is a grey level of γ, its variance γ²; nothing is known more precisely.
    floor = max(offset + slope * (darkest - middle), slope**2, 1e-4 * offset, 1e-300)
    return ImageNoise(offset - slope * middle, slope, float(floor))
