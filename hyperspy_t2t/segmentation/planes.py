# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Planes that fit the grey levels of regions, from sums that add up."""

import numpy as np
from numba import njit

from hyperspy_t2t.array_types import Array, Ints, Labels


def moments(labels: Labels, image: Array, weight: Array) -> Array:
    """For each label the weighted sums of 1, x, y, xx, xy, yy, v, vx, vy, vv."""
    return _moments(labels, image - image.mean(), weight, int(labels.max()) + 1)


@njit(cache=True, nogil=True)
def _moments(labels: Labels, image: Array, weight: Array, count: int) -> Array:
    result = np.zeros((count, 10))
    for row in range(labels.shape[0]):
        y = row - labels.shape[0] / 2
        for column in range(labels.shape[1]):
            x = column - labels.shape[1] / 2
            v, w = image[row, column], weight[row, column]
            wx, wy, wv = w * x, w * y, w * v
            sums = result[labels[row, column]]
            sums[0] += w
            sums[1] += wx
            sums[2] += wy
            sums[3] += wx * x
            sums[4] += wx * y
            sums[5] += wy * y
            sums[6] += wv
            sums[7] += wv * x
            sums[8] += wv * y
            sums[9] += wv * v
    return result


def region_planes(labels: Labels, image: Array) -> Array:
    """The plane that fits each region's grey levels, at its pixels.

    Its slope has a weak prior of zero, so that a region a pixel wide has one level.
    """
    n, x, y, xx, xy, yy, v, vx, vy, _ = moments(labels, image, np.ones(image.shape)).T
    n = np.maximum(n, 1)
    cxx, cxy, cyy = xx - x * x / n + 9, xy - x * y / n, yy - y * y / n + 9
    bx, by = vx - x * v / n, vy - y * v / n
    determinant = cxx * cyy - cxy**2
    right, down = (
        (bx * cyy - by * cxy) / determinant,
        (by * cxx - bx * cxy) / determinant,
    )
    level = image.mean() + (v - right * x - down * y) / n
    rows = np.arange(image.shape[0])[:, None] - image.shape[0] / 2
    columns = np.arange(image.shape[1]) - image.shape[1] / 2
    return level[labels] + right[labels] * columns + down[labels] * rows


@njit(cache=True, nogil=True)
def merger_costs(
    first: Ints,
    second: Ints,
    sums: Array,
    prior: float,
) -> Array:
    """Squares that one plane leaves of two regions more than a plane for each.

    Parameters
    ----------
    first, second
        Labels of the pairs, shape (n,).
    sums
        Those of :func:`moments`, others may follow, shape (labels, 10 or more).
    prior
        Of the slope, whose prior is normal: what it adds to the moments xx and yy.
    """
    alone = np.empty(len(sums))
    for label in range(len(sums)):
        alone[label] = _residual(sums[label], prior)
    cost, both = np.empty(len(first)), np.empty(10)
    for k in range(len(first)):
        for term in range(10):
            both[term] = sums[first[k], term] + sums[second[k], term]
        cost[k] = _residual(both, prior) - alone[first[k]] - alone[second[k]]
    return cost


@njit(cache=True, nogil=True)
def _residual(sums: Array, prior: float) -> float:
    """Squares left by the best plane, whose slope has a normal prior."""
    n, x, y = max(sums[0], 1e-300), sums[1], sums[2]
    v, vx, vy = sums[6], sums[7], sums[8]
    cxx, cyy = sums[3] - x * x / n + prior, sums[5] - y * y / n + prior
    cxy = sums[4] - x * y / n
    bx, by = vx - x * v / n, vy - y * v / n
    explained = (bx * bx * cyy - 2 * bx * by * cxy + by * by * cxx) / (
        cxx * cyy - cxy * cxy
    )
    return sums[9] - v * v / n - explained
