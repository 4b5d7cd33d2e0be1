# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Borders in a noisy image moved to where both sides and a short border agree."""

import numpy as np
from numba import njit

from hyperspy_t2t.array_types import Array, Labels
from hyperspy_t2t.segmentation.gaussian import (
    gaussian,
    gaussian_weights,
    mirrored,
)

_PASSES = 4
_SHARE = 4.0
"""Weight of the neighbours' labels against the grey level, in noise units."""
_LEAST = 1e-3
"""Share of the pixels around it below which a pixel is none of the region."""
_SIDE = 64
"""Side in pixels of the tiles."""
_SAMPLES, _FEWEST = 5000, 400
"""Pixels of a region used for its plane, about, and fewest that give it a slope."""


def relaxed(labels: Labels, image: Array, noise: Array, sigma: float) -> Labels:
    """Give each pixel near a border to the region that describes it best.

    A region is the better for a pixel the more of the pixels around it has
    (Gaussian, σ) and the closer the plane through its grey levels is to the image
    (Gaussian, σ / 2): log share · 4 − (v − plane)² / 2 s², with the noise s of v.
    Repeated, this shortens borders that noise has roughened; S. Esedoḡlu and F. Otto,
    Comm. Pure Appl. Math. 68 (2015) 808, https://doi.org/10.1002/cpa.21527.

    Parameters
    ----------
    labels
        1 … n, shape (ny, nx).
    image
        Grey levels, same shape.
    noise
        Standard deviation of the image smoothed with σ, at each pixel.
    sigma
        In pixels.
    """
    value = gaussian(image, sigma / 2)
    variance = np.maximum((2 * noise) ** 2, 1e-300)
    weights = gaussian_weights(sigma)
    beyond = _beyond_step(weights)
    for _ in range(_PASSES):
        planes = _planes(labels, image, int(labels.max()) + 1)
        result = _claimed(labels, planes, value, variance, weights, beyond)
        if np.array_equal(result, labels):
            break
        labels = result
    return labels


def _beyond_step(weights: Array) -> Array:
    """Smoothed step from 0 to 1 less the step itself; the middle is the first 1."""
    reach = len(weights) - 1
    total = np.cumsum(np.concatenate([weights[:0:-1], weights]))
    total[reach:] -= 1
    return total[:-1]


@njit(cache=True, nogil=True)
def _claimed(
    labels: Labels,
    planes: Array,
    value: Array,
    variance: Array,
    weights: Array,
    beyond: Array,
) -> Labels:
    """Labels of the regions that describe pixels best, tile by tile.

    Only where labels differ within the reach of the Gaussian.
    """
    rows, columns = labels.shape
    reach = len(weights) - 1
    result = labels.copy()
    near = np.zeros(len(planes), np.bool_)
    for top in range(0, rows, _SIDE):
        for left in range(0, columns, _SIDE):
            bottom, right = min(rows, top + _SIDE), min(columns, left + _SIDE)
            near[:] = False
            for row in range(max(0, top - reach), min(rows, bottom + reach)):
                for column in range(max(0, left - reach), min(columns, right + reach)):
                    near[labels[row, column]] = True
            found = np.flatnonzero(near)
            if len(found) < 2:
                continue
            tile = slice(top, bottom), slice(left, right)
            best = np.full((bottom - top, right - left), -np.inf, np.float32)
            rest = np.ones((right - left, bottom - top))
            for region in found:
                # What is left is the share of the last one.
                if region != found[-1]:
                    share = _share(labels, region, top, bottom, left, right, weights,
                                   beyond)  # fmt: skip
                    rest -= share
                else:
                    share = rest
                level, slope_y, slope_x = planes[region]
                level += slope_y * top + slope_x * left
                _claim(region, share, (level, slope_y, slope_x), value[tile],
                       variance[tile], best, result[tile])  # fmt: skip
    return result


@njit(cache=True, nogil=True)
def _share(
    labels: Labels,
    region: int,
    top: int,
    bottom: int,
    left: int,
    right: int,
    weights: Array,
    beyond: Array,
) -> Array:
    """Share of a region of the pixels around those of a tile, columns × rows."""
    reach = len(weights) - 1
    start, stop = max(0, left - reach), min(labels.shape[1], right + reach)
    # Along the columns from where they enter and leave the region: there are few.
    down = np.empty((stop - start, bottom - top))
    for row in range(bottom - top):
        for column in range(stop - start):
            down[column, row] = labels[top + row, start + column] == region
    for row in range(max(1, top - reach), min(labels.shape[0], bottom + reach)):
        here, above = labels[row, start:stop], labels[row - 1, start:stop]
        for column in range(stop - start):
            if here[column] == above[column]:
                continue
            if here[column] == region:
                _add_step(down[column], row, 1.0, beyond, top, labels.shape[0])
            elif above[column] == region:
                _add_step(down[column], row, -1.0, beyond, top, labels.shape[0])
    place = np.empty(right - left + 2 * reach, np.int64)
    for k in range(len(place)):
        place[k] = mirrored(left - reach + k, labels.shape[1]) - start
    result = np.empty((right - left, bottom - top))
    for column in range(right - left):
        middle = column + reach
        line = result[column]
        line[:] = weights[0] * down[place[middle]]
        for step in range(1, reach + 1):
            one, other = down[place[middle - step]], down[place[middle + step]]
            for row in range(len(line)):
                line[row] += weights[step] * (one[row] + other[row])
    return result


@njit(cache=True, nogil=True)
def _add_step(
    line: Array, place: int, step: float, beyond: Array, top: int, size: int
) -> None:
    """Add to a part of a column what smoothing makes of a step before a pixel.

    The part begins at `top`; the column, of a size, goes on as its mirror image.
    """
    reach = len(beyond) // 2
    turns = reach // size + 1
    for turn in range(-turns, turns + 1):
        for sign in (1, -1):
            first = sign * place + 2 * turn * size - reach - top
            for k in range(max(0, -first), min(len(beyond), len(line) - first)):
                line[first + k] += sign * step * beyond[k]


@njit(cache=True, nogil=True)
def _claim(
    region: int,
    share: Array,
    plane: tuple[float, float, float],
    value: Array,
    variance: Array,
    best: Array,
    result: Labels,
) -> None:
    """Give pixels to a region that describes them better than the best so far."""
    level, slope_y, slope_x = plane
    for row in range(value.shape[0]):
        for column in range(value.shape[1]):
            part = share[column, row]
            if part < _LEAST:
                continue
            if part > 1 - _LEAST:
                # No other region has enough of the pixels around.
                result[row, column] = region
                continue
            plain = level + slope_y * row + slope_x * column
            misfit = (value[row, column] - plain) ** 2
            score = -misfit / (2 * variance[row, column])
            # The logarithm of a share is below 0.
            if score > best[row, column]:
                score += _SHARE * np.log(part)
                if score > best[row, column]:
                    best[row, column] = score
                    result[row, column] = region


@njit(cache=True, nogil=True)
def _planes(labels: Labels, image: Array, count: int) -> Array:
    """Level and slopes along y and x of the plane that fits the grey levels of each
    region, shape (count, 3); only a level if it is small."""
    size = np.zeros(count, np.int64)
    for label in labels.ravel():
        size[label] += 1
    every = np.maximum(1, size // _SAMPLES)
    # Sums of 1, v, y, x, vy, vx, yy, yx, xx, from the middle of the image on.
    sums, seen, first = np.zeros((count, 9)), np.zeros(count, np.int64), np.zeros(count)
    middle, origin = labels.shape[0] / 2, labels.shape[1] / 2
    for row in range(labels.shape[0]):
        for column in range(labels.shape[1]):
            label = labels[row, column]
            if seen[label] == 0:
                first[label] = image[row, column]
            if seen[label] % every[label] == 0:
                v, y, x = (
                    image[row, column] - first[label],
                    row - middle,
                    column - origin,
                )
                one = sums[label]
                one[0] += 1
                one[1] += v
                one[2] += y
                one[3] += x
                one[4] += v * y
                one[5] += v * x
                one[6] += y * y
                one[7] += y * x
                one[8] += x * x
            seen[label] += 1
    result = np.zeros((count, 3))
    for label in range(count):
        if size[label]:
            level, slope_y, slope_x = _plane(sums[label])
            level += first[label] - slope_y * middle - slope_x * origin
            result[label] = level, slope_y, slope_x
    return result


@njit(cache=True, nogil=True)
def _plane(sums: Array) -> tuple[float, float, float]:
    """Level at the origin of the sums and slopes of the plane they are of."""
    n = sums[0]
    v, y, x, vy, vx, yy, yx, xx = sums[1:] / n
    vy, vx = vy - v * y, vx - v * x
    yy, yx, xx = yy - y * y, yx - y * x, xx - x * x
    determinant = yy * xx - yx**2
    if n < _FEWEST or determinant <= 1e-9 * yy * xx:
        return v, 0.0, 0.0
    slope_y = (vy * xx - vx * yx) / determinant
    slope_x = (vx * yy - vy * yx) / determinant
    return v - slope_y * y - slope_x * x, slope_y, slope_x
