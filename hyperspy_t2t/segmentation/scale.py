# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""The scale on which an image shows its regions: smoothing, noise, sharpness."""

from typing import NamedTuple

import numpy as np

from hyperspy_t2t.array_types import Array
from hyperspy_t2t.segmentation.gaussian import gaussian
from hyperspy_t2t.segmentation.noise import by_level, low_percentile, usual_around

_SCALES = (1.0, 1.5, 2.0, 3.0, 4.0, 6.0)
_RANGE_TO_NOISE = 8.0
"""Range of grey levels over noise that is wanted of the smoothed image."""
_SHARP = 0.6
"""Sharpness of edges from which an image need not be smoothed further."""
_LEFT_OF_LATTICE = 0.005
"""Least noise, of the standard deviation of an image with a lattice: what averaging
leaves of its fringes where they begin and end."""
_LEVELS = (10, 100)
"""Fewest and most classes of grey level whose noise is measured each on its own."""


class Smoothed(NamedTuple):
    """An image at the scale on which its regions stand out of the noise."""

    value: Array
    """Grey levels, shape (ny, nx)."""
    sigma: float
    """Standard deviation of the smoothing in pixels."""
    noise: Array
    """Standard deviation of the noise left at each pixel, shape (ny, nx)."""
    range: float
    """Range of grey levels, without the rarest."""
    blur: float = 0.0
    """Standard deviation in pixels with which edges are blurred in the image itself."""
    reach: Array | float = 0.0
    """σ in pixels of the Gaussian that gives white noise the range of this noise."""


def smoothed(image: Array, *, texture: float = 0.0) -> Smoothed:
    """Smooth an image until its grey levels span several times the noise.

    Parameters
    ----------
    image
        Grey levels, shape (ny, nx), finite.
    texture
        Standard deviation in pixels that averages over lattice fringes, 0 without.
    """
    scales = [s for s in _SCALES if s > 1.2 * texture]
    scales = ([texture] if texture > 0.5 else []) + scales
    scales = [s for s in scales if s == scales[0] or s < min(image.shape) / 12]
    first = averaged(image, scales[0], texture)
    left = usual_around(_noise_left(image, first, scales[0], texture), scales[0])
    for sigma in scales:
        value = first if sigma == scales[0] else averaged(image, sigma, texture)
        noise = left * scales[0] / sigma
        span = np.ptp(np.percentile(_flattened(value), [0.5, 99.5]))
        # Of noise alone the percentiles span 5.15 standard deviations.
        clear = span > (_RANGE_TO_NOISE + 5.15) * np.median(noise)
        if clear and _sharpness(value, sigma) > _SHARP:
            break
    spread = float(np.ptp(np.percentile(value, [0.1, 99.9])))
    least = 1e-3 * spread + (_LEFT_OF_LATTICE * float(image.std()) if texture else 0.0)
    noise = np.maximum(noise, least)
    return Smoothed(value, sigma, noise, spread, _edge_blur(value, sigma))


def averaged(image: Array, sigma: float, texture: float) -> Array:
    """Image smoothed with a Gaussian σ; near its border with less of a lattice.

    Beyond the border of the image a lattice does not go on in phase, so that within
    the Gaussian's reach its average is off. There the nearest average from further
    inside is taken.
    """
    value = gaussian(image, sigma)
    margin = round(2 * texture)
    if not margin or min(image.shape) < 6 * margin:
        return value
    inside = slice(margin, -margin)
    return np.pad(value[inside, inside], margin, mode="edge")


def _sharpness(value: Array, sigma: float) -> float:
    """How far the steepest places are edges on the scale of the smoothing.

    The slope of a sharp edge that a Gaussian has blurred is its step over √(2π) σ; an
    edge twice as wide gives 0.58, a ramp 0.42. The median over the steepest places,
    the step taken within 3 σ.
    """
    from scipy.ndimage import maximum_filter, minimum_filter

    slope = np.hypot(*np.gradient(value))
    size = 2 * int(np.ceil(3 * sigma)) + 1
    steep = slope > 0.7 * np.percentile(slope, 99.8)
    step = maximum_filter(value, size) - minimum_filter(value, size)
    ratio = slope[steep] / np.maximum(step[steep], 1e-300)
    return float(np.sqrt(2 * np.pi) * sigma * np.median(ratio)) if steep.any() else 1.0


def _edge_blur(value: Array, sigma: float) -> float:
    """Standard deviation in pixels with which the steepest edges are blurred.

    An edge blurred with b and smoothed with σ is as steep as 1 / √(b² + σ²). Of its
    slope at σ that along the slope at 3 σ is taken, in which noise averages out.
    """
    from scipy.ndimage import maximum_filter

    fine = np.array(np.gradient(value))
    coarse = np.stack(np.gradient(gaussian(value, np.sqrt(8) * sigma)))
    size = np.hypot(*coarse)
    # On the crests of the slope: beside them fine and coarse slopes fall differently.
    crest = size > 0.98 * maximum_filter(size, 2 * int(np.ceil(3 * sigma)) + 1)
    steep = crest & (size > 0.7 * np.percentile(size, 99.8))
    if not steep.any() or not size.max() > 0:
        return 0.0
    along = (fine[:, steep] * coarse[:, steep]).sum(axis=0) / size[steep]
    ratio = float(np.clip(along.mean() / size[steep].mean(), 1.2, 2.99))
    return sigma * float(np.sqrt((9 - ratio**2) / (ratio**2 - 1)))


def _noise_left(image: Array, value: Array, sigma: float, texture: float) -> Array:
    """Standard deviation of the noise at each pixel of a smoothed image.

    Noise and texture go with the grey level (counts, saturation, material), so that
    they are measured class by class: from the 20th percentile of the
    slope, which edges do not reach, of white noise also from second differences.
    """
    slope = np.hypot(*np.gradient(value))
    second = np.zeros(image.shape)
    if texture <= 0.5 and image.shape[1] > 2:
        second[:, 1:-1] = image[:, 2:] - 2 * image[:, 1:-1] + image[:, :-2]
    rank = by_level(value)
    levels = []
    parts = np.array_split(rank, int(np.clip(image.size // 1000, *_LEVELS)))
    for part in parts:
        smooth = low_percentile(slope.ravel()[part]) / np.sqrt(-2 * np.log(0.8))
        white = low_percentile(np.abs(second.ravel()[part])) / (0.2533 * np.sqrt(6))
        levels.append(
            max(np.sqrt(2) * sigma * smooth, white / (2 * np.sqrt(np.pi) * sigma))
        )
    noise = np.empty(image.size)
    levels = np.maximum(levels, np.median(levels) / 5)
    for part, level in zip(parts, levels, strict=True):
        noise[part] = level
    return noise.reshape(image.shape)


def _flattened(value: Array) -> Array:
    """Grey levels less their best second-order polynomial in x and y."""
    y, x = (np.linspace(-1, 1, n) for n in value.shape)
    terms = np.stack(np.broadcast_arrays(
        1.0, x[None], y[:, None], x[None] ** 2, y[:, None] ** 2, x[None] * y[:, None]
    ), axis=-1).reshape(-1, 6)  # fmt: skip
    some = slice(None, None, max(1, len(terms) // 4000))
    fit = np.linalg.lstsq(terms[some], value.ravel()[some], rcond=None)[0]
    return value - (terms @ fit).reshape(value.shape)
