# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Gaussian smoothing of an image, or of a part of it, in compiled loops.

Sums are those of `scipy.ndimage.gaussian_filter` in the same order, with whole rows
at a time, which processors add several pixels at once; the image goes on beyond its
border as its mirror image.
"""

import numpy as np
import numpy.typing as npt
from numba import njit

from hyperspy_t2t.array_types import Array


def gaussian(image: npt.NDArray, sigma: float, *, truncate: float = 4.0) -> npt.NDArray:
    """An image smoothed with a Gaussian.

    Parameters
    ----------
    image
        Shape (ny, nx), real or complex, of single or double precision.
    sigma
        Standard deviation in pixels.
    truncate
        Standard deviations after which the Gaussian ends.

    Returns
    -------
    ndarray
        Of the image's type and shape.
    """
    if np.iscomplexobj(image):
        real, imaginary = (
            gaussian(part, sigma, truncate=truncate)
            for part in (image.real, image.imag)
        )
        return real + np.array(1j, image.dtype) * imaginary
    image = np.ascontiguousarray(image)
    return gaussian_in(image, sigma, (0, 0), image.shape, truncate=truncate)


def gaussian_in(
    image: Array,
    sigma: float,
    first: tuple[int, int],
    last: tuple[int, int],
    *,
    truncate: float = 4.0,
) -> Array:
    """Rows and columns from `first` to before `last` of the smoothed image.

    Parameters
    ----------
    image, sigma, truncate
        As for :func:`gaussian`; not complex.
    first, last
        Row and column inside the image.

    Returns
    -------
    ndarray
        Of the image's type, shape `last` − `first`.
    """
    weights = gaussian_weights(sigma, truncate)
    result = np.empty(np.subtract(last, first), image.dtype)
    _filter(image, weights, *first, result)
    return result


def gaussian_weights(sigma: float, truncate: float = 4.0) -> Array:
    """Weights of the middle and of the pixels to one side, the full sum being 1."""
    x = np.arange(int(truncate * sigma + 0.5) + 1)
    # Their sum as of both sides: the last digit too is SciPy's.
    both = np.exp(-0.5 / max(sigma, 1e-15) ** 2 * np.arange(-x[-1], x[-1] + 1) ** 2)
    return (both / both.sum())[x[-1] :]


@njit(cache=True, nogil=True)
def mirrored(place: int, size: int) -> int:
    """Pixel of a line whose value stands for that at any place."""
    place %= 2 * size
    return place if place < size else 2 * size - 1 - place


@njit(cache=True, nogil=True)
def _filter(image: Array, weights: Array, top: int, left: int, result: Array) -> None:
    """Smooth down the columns, then along the rows, one row of the result at a time."""
    rows, columns = image.shape
    reach = len(weights) - 1
    height, width = result.shape
    wide = width + 2 * reach
    # Columns of the image that are needed, and where they lie in the line.
    low, high = max(left - reach, 0), min(left + width + reach, columns)
    place = np.empty(wide, np.int64)
    for k in range(wide):
        place[k] = mirrored(left - reach + k, columns)
        low, high = min(low, place[k]), max(high, place[k] + 1)
    total = np.empty(high - low)
    down = np.empty(high - low, image.dtype)
    line = np.empty(wide)
    along = np.empty(width)
    for row in range(height):
        here = image[top + row, low:high]
        for k in range(high - low):
            total[k] = weights[0] * here[k]
        for step in range(reach, 0, -1):
            weight = weights[step]
            above = image[mirrored(top + row - step, rows), low:high]
            below = image[mirrored(top + row + step, rows), low:high]
            for k in range(high - low):
                total[k] += weight * (np.float64(above[k]) + np.float64(below[k]))
        for k in range(high - low):
            down[k] = total[k]
        for k in range(wide):
            line[k] = down[place[k] - low]
        for k in range(width):
            along[k] = weights[0] * line[reach + k]
        for step in range(reach, 0, -1):
            weight = weights[step]
            before, after = line[reach - step :], line[reach + step :]
            for k in range(width):
                along[k] += weight * (before[k] + after[k])
        for k in range(width):
            result[row, k] = along[k]
