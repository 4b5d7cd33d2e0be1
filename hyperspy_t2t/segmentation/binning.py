# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Means over square blocks of pixels, of images of any size."""

from typing import Any

import numpy as np
import numpy.typing as npt

from hyperspy_t2t.array_types import Array, Bools, Ints, pair
from hyperspy_t2t.calibration import ImageGrid

_RUNS, _LINES = 8, 8
"""Places along an axis, and lines at each, that tell the range of grey levels."""
_EXTREME = 10.0
"""Ranges beyond the usual grey levels from which a single pixel is a fault."""
_SINGLE = 2
"""Such pixels among nine up to which they are single; more of them are an object."""
_STRIP = 32_000_000
"""Pixels of an image in memory at once."""


def binned(image: Any, factor: int) -> Array:
    """Means over blocks of `factor` × `factor` pixels; NaN where most have no value.

    What is left over at the end of rows and columns is not used.

    Parameters
    ----------
    image
        Array (ny, nx), numpy or dask, read once in strips of rows.
    factor
        Side of a block, at least 1 and at most the smaller side of the image.
    """
    rows, columns = (size // factor for size in image.shape)
    result = np.empty((rows, columns), np.float32)
    height = _height(image, factor)
    for first in range(0, rows, height):
        last = min(first + height, rows)
        strip = np.asarray(image[first * factor : last * factor])
        strip = strip[:, : columns * factor]
        result[first:last] = _block_means(strip, factor)
    return result


def _height(image: Any, factor: int) -> int:
    """Rows of blocks in a strip; of a dask array whole chunks, if they are few."""
    height = max(1, _STRIP // (factor * image.shape[1]))
    if not isinstance(image, np.ndarray):
        whole = int(np.lcm(image.chunks[0][0], factor)) // factor
        height = height // whole * whole or height
    return height


def _block_means(strip: npt.NDArray, factor: int) -> Array:
    """Means of blocks of one strip whose sides are multiples of the factor."""
    if factor == 1:
        return np.where(np.isfinite(strip), strip, np.nan)
    kind = np.float64 if strip.dtype.kind == "f" and strip.itemsize > 4 else np.float32
    with np.errstate(invalid="ignore", over="ignore"):
        mean = _block_sums(strip, factor, kind) / kind(factor**2)
    if strip.dtype.kind != "f" or np.isfinite(mean).all():
        return mean
    finite = np.isfinite(strip)
    count = _block_sums(finite, factor, np.intp)
    total = _block_sums(np.where(finite, strip, 0), factor, kind)
    return np.where(2 * count >= factor**2, total / np.maximum(count, 1), np.nan)


def _block_sums(strip: npt.NDArray, factor: int, kind: type) -> npt.NDArray:
    """Sums over blocks: first of whole rows, which lie together in memory."""
    rows = strip.reshape(-1, factor, strip.shape[1]).sum(axis=1, dtype=kind)
    return rows.reshape(len(rows), -1, factor).sum(axis=2)


def binned_grid(grid: ImageGrid, factor: int) -> ImageGrid:
    """The pixels of an image binned by a factor, in nm."""
    shape = pair(size // factor for size in grid.shape)
    size = pair(step * factor for step in grid.pixel_size)
    origin = pair(
        start + step * (factor - 1) / 2
        for start, step in zip(grid.origin, grid.pixel_size, strict=True)
    )
    return ImageGrid(shape, size, origin)


def filled(values: Array) -> tuple[Array, Bools]:
    """Values with NaN replaced by the nearest other one, and where there were none."""
    missing = ~np.isfinite(values)
    if not missing.any():
        return values, missing
    from scipy.ndimage import distance_transform_edt

    nearest = distance_transform_edt(
        missing, return_distances=False, return_indices=True
    )
    return values[tuple(nearest)], missing


def in_single_precision(image: Any) -> Any:
    """The image, or where single precision cannot hold its grey levels a scaled one.

    Its grey levels less their median are then in units of their range. Both are those
    of at most some thousand pixels in 64 places of the image.

    Parameters
    ----------
    image
        Array (ny, nx), numpy or dask.
    """
    if image.dtype.itemsize <= 2:
        return image
    sample = _spread_values(image)
    if not sample.size or sample.min() == sample.max():
        return image
    middle = float(np.median(sample))
    # Halves first: a range may exceed the largest number.
    extent = 2 * (sample.max() / 2 - sample.min() / 2)
    if 1e-10 < extent < 1e10 and abs(middle) < 1e4 * extent:
        return image
    return (image.astype(float) - middle) / extent


def without_extremes(image: Any) -> Any:
    """The image, single pixels more than ten times its range beyond it brought back.

    A pixel of a thousand times the contrast, as a faulty file or a division by zero
    leaves it, would be all that a mean, a spectrum or a range shows. The range is that
    between the 0.1st and the 99.9th percentile of some thousand pixels in 64 places.
    Whole numbers of one or two bytes are left as they are, and so is an object: where
    there are three such pixels among nine.

    Parameters
    ----------
    image
        Array (ny, nx), numpy or dask; of numpy the same object if there is nothing to
        do. Of a lazy image each chunk is looked at for itself.
    """
    if image.dtype.itemsize <= 2:
        return image
    sample = _spread_values(image)
    if not sample.size:
        return image
    low, high = np.percentile(sample, [0.1, 99.9]).tolist()
    if low == high:
        return image
    if isinstance(image, np.ndarray):
        return _single_pixels_back(image, low, high)
    return image.map_blocks(
        _single_pixels_back, low, high, dtype=image.dtype, meta=image._meta
    )


def _single_pixels_back(image: npt.NDArray, low: float, high: float) -> npt.NDArray:
    """Pixels far beyond the range from `low` to `high` set to its ends, objects not."""
    from scipy.ndimage import convolve

    reach = _EXTREME * (high - low)
    with np.errstate(over="ignore"):
        bright, dark = image > high + reach, image < low - reach
    beyond = (bright | dark) & np.isfinite(image)
    if not beyond.any():
        return image
    around = convolve(
        beyond.astype(np.uint8), np.ones((3, 3), np.uint8), mode="constant"
    )
    single = beyond & (around <= _SINGLE)
    image = image.copy()
    image[single & bright] = image.dtype.type(high)
    image[single & dark] = image.dtype.type(low)
    return image


def _spread_values(image: Any) -> Array:
    """Finite grey levels in 64 places of an image."""
    rows, columns = map(_spread_lines, image.shape)
    sample = np.asarray(image[rows, :][:, columns]).astype(float)
    return sample[np.isfinite(sample)]


def _spread_lines(size: int) -> Ints:
    """Lines in a few places, so that few chunks of a lazy image are read."""
    starts = np.linspace(0, max(size - _LINES, 0), _RUNS).astype(np.intp)
    return np.unique(np.minimum(starts[:, None] + np.arange(_LINES), size - 1))


def without_outliers(values: Array) -> Array:
    """Values, those far beyond all but a thousandth brought nearer.

    Hot pixels and cosmic rays would set the range of grey levels.
    """
    low, high = np.percentile(values, [0.1, 99.9])
    if high == low:
        return values
    return np.clip(values, low - (high - low), high + (high - low))
