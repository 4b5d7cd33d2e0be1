# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Least squares with correlated noise at every place of a grid, compiled."""

import numba
import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.floating]


def least_squares_solver(
    g_vectors: Array, weight: Array, correlation: Array | None = None
) -> Array:
    """(Gᵀ W G)⁻¹ Gᵀ W at every place, shape (2, n, ny, nx).

    With the correlation R of the noise W = √w R⁻¹ √w, R without the rows and columns
    of those g whose weight is zero: they say nothing of the noise of others.

    Parameters
    ----------
    g_vectors
        In 1/nm, shape (n, 2).
    weight
        w, shape (n, ny, nx), not negative; where none is positive the result is NaN.
    correlation
        R, shape (n, n), by default none.
    """
    count = len(weight)
    places = np.ascontiguousarray(np.sqrt(weight).reshape(count, -1).T)
    if correlation is None:
        correlation = np.eye(count)
    solver = _solvers(np.asarray(g_vectors, float), places, np.asarray(correlation))
    return np.ascontiguousarray(np.moveaxis(solver, 0, -1)).reshape(
        2, count, *weight.shape[1:]
    )


@numba.njit(cache=True, nogil=True)
def _solvers(g_vectors, root, correlation):  # pragma: no cover - compiled
    places, count = root.shape
    result = np.zeros((places, 2, count))
    factor = np.zeros((count, count))
    used = np.zeros(count, np.int64)
    before = np.full(count, -1, np.int64)
    half = np.zeros((count, 2))
    number = 0
    for place in range(places):
        same = True
        for k in range(count):
            now = 1 if root[place, k] > 0 else 0
            if now != before[k]:
                same = False
                before[k] = now
        if not same:
            number = _factorised(correlation, before, used, factor)
        if number == 0:
            result[place] = np.nan
            continue
        # L⁻¹ √w G, then L⁻ᵀ of it: R⁻¹ √w G.
        xx = xy = yy = 0.0
        for i in range(number):
            for axis in range(2):
                total = root[place, used[i]] * g_vectors[used[i], axis]
                for j in range(i):
                    total -= factor[i, j] * half[j, axis]
                half[i, axis] = total / factor[i, i]
            xx += half[i, 0] * half[i, 0]
            xy += half[i, 0] * half[i, 1]
            yy += half[i, 1] * half[i, 1]
        determinant = xx * yy - xy * xy
        for axis in range(2):
            for i in range(number - 1, -1, -1):
                total = half[i, axis]
                for j in range(i + 1, number):
                    total -= factor[j, i] * half[j, axis]
                half[i, axis] = total / factor[i, i]
        for i in range(number):
            k = used[i]
            scale = root[place, k] / determinant
            result[place, 0, k] = scale * (yy * half[i, 0] - xy * half[i, 1])
            result[place, 1, k] = scale * (xx * half[i, 1] - xy * half[i, 0])
    return result


@numba.njit(cache=True, nogil=True)
def _factorised(correlation, wanted, used, factor):  # pragma: no cover - compiled
    """Cholesky factor of the rows and columns wanted; returns how many there are."""
    number = 0
    for k in range(len(wanted)):
        if wanted[k] == 1:
            used[number] = k
            number += 1
    for i in range(number):
        for j in range(i + 1):
            total = correlation[used[i], used[j]]
            for m in range(j):
                total -= factor[i, m] * factor[j, m]
            if i == j:
                factor[i, i] = np.sqrt(max(total, 1e-6))
            else:
                factor[i, j] = total / factor[j, j]
    return number
