# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Planes that fit the grey levels of regions, from sums that add up."""

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.floating]
Labels = npt.NDArray[np.intp]


def moments(labels: Labels, image: Array, weight: Array) -> Array:
    """For each label the weighted sums of 1, x, y, xx, xy, yy, v, vx, vy, vv."""
    y, x = (
        index.ravel() - size / 2
        for index, size in zip(np.indices(image.shape), image.shape, strict=True)
    )
    v, w = (image - image.mean()).ravel(), weight.ravel()
    wx, wy, wv = w * x, w * y, w * v
    terms = (w, wx, wy, wx * x, wx * y, wy * y, wv, wv * x, wv * y, wv * v)
    flat = labels.ravel()
    return np.stack([np.bincount(flat, term) for term in terms], axis=1)


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
    rows, columns = (
        index - size / 2
        for index, size in zip(
            np.indices(image.shape, sparse=True), image.shape, strict=True
        )
    )
    return level[labels] + right[labels] * columns + down[labels] * rows


def residual(sums: Array, prior: float) -> Array:
    """Squares left by the best plane, whose slope has a normal prior."""
    n, x, y, xx, xy, yy, v, vx, vy, vv = sums.T[:10]
    n = np.maximum(n, 1e-300)
    cxx, cxy, cyy = xx - x * x / n + prior, xy - x * y / n, yy - y * y / n + prior
    bx, by = vx - x * v / n, vy - y * v / n
    explained = (bx * bx * cyy - 2 * bx * by * cxy + by * by * cxx) / (
        cxx * cyy - cxy**2
    )
    return vv - v * v / n - explained
