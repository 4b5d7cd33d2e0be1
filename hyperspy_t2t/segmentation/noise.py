# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Noise of an image with the texture of its materials, at every scale.

What varies inside a region (counting noise, the speckle of an amorphous film) hides a
border as far as it survives averaging along it and into the regions. That is told by
two numbers: the standard deviation at a pixel, and the power per area at low
frequencies S = ∫ covariance dA, from which the mean over an area A keeps the variance
S / A. White noise smoothed with a Gaussian σ has S = 4π σ² × variance; a texture of
longer range has more.
"""

from typing import NamedTuple

import numpy as np

from hyperspy_t2t.array_types import Array, Ints
from hyperspy_t2t.segmentation.gaussian import gaussian

_FEWEST, _FEWEST_OF_CLASS = 15.0, 60.0
"""Independent samples of an octave needed to measure it in an image and in a class."""
_AROUND = 5
"""Side of the square, in samples 3 σ apart, whose usual noise is an upper limit."""
_CLASSES = 100
"""Largest number of classes of grey level whose noise is measured each on its own."""
_RAYLEIGH = float(np.sqrt(-2 * np.log(0.8)))
"""20th percentile of the slope over its standard deviation along one direction."""
_WHITE = 1 / 4 + 1 / 64 - 2 / 25
"""Variance of a slope of G(σ) − G(2σ) of white noise, in units of S / 2π σ⁴."""


class Noise(NamedTuple):
    """Noise of a smoothed image at each pixel, shape (ny, nx) each."""

    level: Array
    """Standard deviation."""
    power: Array
    """Power per area at low frequencies, in squared grey levels times pixels²."""

    @property
    def reach(self) -> Array:
        """σ in pixels of the Gaussian that gives white noise the same correlation."""
        return np.sqrt(self.power / (4 * np.pi)) / self.level


def image_noise(value: Array, white: Array, sigma: float, rest: Array) -> Noise:
    """Noise and texture of a smoothed image, octave by octave.

    Each octave is what a Gaussian of σ leaves and one of 2σ removes; its noise is
    measured by the 20th percentile of its slope, which edges in less than half of
    the image hardly change and to which a slow change of the grey level adds nothing.

    Parameters
    ----------
    value
        Grey levels smoothed with σ, shape (ny, nx); pixels of about the same grey
        level have the same noise.
    white
        Standard deviation at each pixel of the white noise in it.
    sigma
        σ in pixels.
    rest
        The smoothed image without the regions that are known; without any, `value`.
    """
    rank = by_level(value)
    # Levels, white noise and what follows of them in the order of the grey level.
    ordered, least = value.ravel()[rank], white.ravel()[rank]
    power = 4 * np.pi * (sigma * least) ** 2
    excess, last = np.zeros_like(power), least**2
    width, pitch = sigma, 1
    while value.size / (4 * np.pi * (2 * width) ** 2) > _FEWEST:
        coarse = gaussian(rest, np.sqrt(3) * width / pitch, truncate=3)
        found = _octave(rest - coarse, rank, ordered, width, pitch, value.shape[1])
        power = np.maximum(power, found)
        now = found / (4 * np.pi * width**2)
        if width > sigma:
            excess += np.maximum(now - last / 4, 0)
        last = np.maximum(now, last / 4)
        width *= 2
        finer = width / pitch <= 4
        rest, pitch = (coarse, pitch) if finer else (coarse[::2, ::2], 2 * pitch)
    in_place = np.empty((2, value.size))
    in_place[:, rank] = excess, power
    excess, power = (
        usual_around(values.reshape(value.shape), sigma) for values in in_place
    )
    power = np.maximum(power, 4 * np.pi * (sigma * white) ** 2)
    return Noise(np.sqrt(white**2 + 2 * excess), power)


def by_level(value: Array) -> Ints:
    """Pixels in the order of their grey level, told to 1/65535 of the range."""
    low, high = value.min(), value.max()
    steps = (value - low) * (65535 / max(high - low, 1e-300))
    # Of integers this short a stable sort is a radix sort, ten times as fast.
    return np.argsort(steps.astype(np.uint16), axis=None, kind="stable")


def low_percentile(values: Array) -> float:
    """20th percentile, ten times as fast as NumPy's of some thousand values."""
    place = 0.2 * (len(values) - 1)
    first = int(place)
    second = min(first + 1, len(values) - 1)
    low, high = np.partition(values, (first, second))[[first, second]]
    return float(low + (high - low) * (place - first))


def usual_around(values: Array, sigma: float) -> Array:
    """Values, or less where most of what lies around has less.

    Pixels of a thin layer or of a blurred edge lie all within edges; what their grey
    levels seem to have of noise is that of no area.
    """
    from scipy.ndimage import median_filter

    pitch = max(2, round(3 * sigma))
    coarse = values[pitch // 2 :: pitch, pitch // 2 :: pitch]
    if min(coarse.shape) < _AROUND:
        return values
    usual = median_filter(coarse, _AROUND, mode="nearest")
    rows, columns = (
        np.minimum(np.arange(n) // pitch, m - 1)
        for n, m in zip(values.shape, usual.shape, strict=True)
    )
    return np.minimum(values, usual[np.ix_(rows, columns)])


def _octave(
    band: Array,
    rank: Ints,
    ordered: Array,
    width: float,
    pitch: int,
    columns: int,
) -> Array:
    """Power per area of one octave at each pixel of `rank`, by class of grey level.

    `rank` are pixels in the order of their grey level, and `ordered` their levels.
    """
    slope = np.hypot(*np.gradient(band)) / pitch
    # Neighbours within the width tell the same.
    every = max(1, int(width))
    some = rank[::every]
    last = np.array(slope.shape) - 1
    places = np.stack(np.divmod(some, columns)) // pitch
    near = slope[tuple(np.minimum(places, last[:, None]))]
    samples = some.size * every / (4 * np.pi * width**2)
    parts = np.array_split(near, int(np.clip(samples / _FEWEST_OF_CLASS, 1, _CLASSES)))
    levels = np.array([low_percentile(part) for part in parts])
    power = (levels / _RAYLEIGH) ** 2 * 2 * np.pi * width**4 / _WHITE
    firsts = np.cumsum([len(part) for part in parts[:-1]], dtype=np.intp)
    limits = ordered[every * firsts]
    return power[np.searchsorted(limits, ordered, side="right")]
