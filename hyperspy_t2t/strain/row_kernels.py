# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Compiled loops over the pixels of rows that show a periodic pattern.

A pattern is a table of its values in one cell, by the two coordinates of the cell in
turns, p = B (r − u + o) with the two g of the cell as rows of B. A table has the shape
(n₁, n₂, 3): value, slope along x and slope along y; n₁ and n₂ are powers of two.
"""

from typing import NamedTuple

import numba
import numpy as np

from hyperspy_t2t.array_types import Array, Ints


class Pixels(NamedTuple):
    """What the loops read of an image.

    Parameters
    ----------
    flat
        Grey levels without their local mean, shape (ny, nx).
    side
        1 in the left half of what counts in a row, 2 in the right, else 0, (ny, nx).
    zone
        Which of the patterns a row shows, 0 or 1, shape (ny,).
    displacement, amplitude
        u in nm, shape (2, ny, nx), and what the pattern is multiplied by, (ny, nx).
    x, y
        Positions of the pixels in nm, shapes (nx,) and (ny,).
    basis
        The two g of the cell in 1/nm, shape (2, 2).
    """

    flat: Array
    side: Ints
    zone: Ints
    displacement: Array
    amplitude: Array
    x: Array
    y: Array
    basis: Array


@numba.njit(cache=True, nogil=True)
def _turns(pixels: Pixels, row: int, column: int, offset: Array) -> tuple[float, float]:
    """Coordinates of a pixel in the cell."""
    x = pixels.x[column] - pixels.displacement[0, row, column] + offset[0]
    y = pixels.y[row] - pixels.displacement[1, row, column] + offset[1]
    basis = pixels.basis
    return basis[0, 0] * x + basis[0, 1] * y, basis[1, 0] * x + basis[1, 1] * y


@numba.njit(cache=True, nogil=True)
def _in_table(
    table: Array, first: float, second: float, count: int, out: Array
) -> None:
    """The first `count` values of a table at coordinates in turns, bilinear."""
    n1, n2 = table.shape[:2]
    first, second = first * n1, second * n2
    i, j = int(np.floor(first)), int(np.floor(second))
    s, t = first - i, second - j
    i, j = i & (n1 - 1), j & (n2 - 1)
    k, m = (i + 1) & (n1 - 1), (j + 1) & (n2 - 1)
    for n in range(count):
        upper = table[i, j, n] * (1 - t) + table[i, m, n] * t
        lower = table[k, j, n] * (1 - t) + table[k, m, n] * t
        out[n] = upper * (1 - s) + lower * s


@numba.njit(cache=True, nogil=True)
def row_moments(pixels: Pixels, tables: Array, offset: Array) -> Array:
    """Sums of each half of each row, shape (ny, 2 halves, 4, 4).

    Sums of w wᵀ with w = (1, grey level less pattern, slope x, slope y).

    Parameters
    ----------
    pixels
        Of the image.
    tables
        One pattern for each zone, shape (2, n₁, n₂, 3).
    offset
        (x, y) in nm of each row, shape (ny, 2).
    """
    ny, nx = pixels.flat.shape
    sums = np.zeros((ny, 2, 4, 4))
    values, w = np.empty(3), np.ones(4)
    for row in range(ny):
        table = tables[pixels.zone[row]]
        for column in range(nx):
            side = pixels.side[row, column]
            if side == 0:
                continue
            first, second = _turns(pixels, row, column, offset[row])
            _in_table(table, first, second, 3, values)
            strength = pixels.amplitude[row, column]
            w[1] = pixels.flat[row, column] - strength * values[0]
            w[2], w[3] = strength * values[1], strength * values[2]
            total = sums[row, side - 1]
            for i in range(4):
                for j in range(i, 4):
                    total[i, j] += w[i] * w[j]
        for half in range(2):
            for i in range(4):
                for j in range(i):
                    sums[row, half, i, j] = sums[row, half, j, i]
    return sums


@numba.njit(cache=True, nogil=True)
def cell_residual(pixels: Pixels, tables: Array, offset: Array) -> tuple[Array, Array]:
    """What the patterns leave, summed at the nearest place of the cell.

    Arguments as for :func:`row_moments`.

    Returns
    -------
    ndarray, ndarray
        Sum of A times the residual, free of the mean of its row, shape (2 zones, n₁,
        n₂), and of A², shape (2,).
    """
    ny, nx = pixels.flat.shape
    n1, n2 = tables.shape[1:3]
    bins, weight = np.zeros((2, n1, n2)), np.zeros(2)
    rest, place = np.empty(nx), np.empty((nx, 2), np.int64)
    values = np.empty(3)
    for row in range(ny):
        zone = pixels.zone[row]
        total, count = 0.0, 0
        for column in range(nx):
            if pixels.side[row, column] == 0:
                continue
            first, second = _turns(pixels, row, column, offset[row])
            _in_table(tables[zone], first, second, 1, values)
            rest[column] = (
                pixels.flat[row, column] - pixels.amplitude[row, column] * values[0]
            )
            place[column, 0] = int(np.floor(first * n1 + 0.5)) & (n1 - 1)
            place[column, 1] = int(np.floor(second * n2 + 0.5)) & (n2 - 1)
            total += rest[column]
            count += 1
        for column in range(nx):
            if pixels.side[row, column]:
                strength = pixels.amplitude[row, column]
                at = place[column]
                bins[zone, at[0], at[1]] += strength * (rest[column] - total / count)
                weight[zone] += strength**2
    return bins, weight
