# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Compiled second derivatives of the Keating energy by the positions of the atoms.

The energy of a centre is a function of its bond vectors, whose second derivatives are
3 × 3 blocks, one for each two of its arms. Each row of atoms collects its own: as a
centre, and as an end of the bonds of its neighbours.
"""

import numba
import numpy as np

from hyperspy_t2t.array_types import Array, ComplexArray, Ints
from hyperspy_t2t.physics.keating_kernels import BONDS

MOST = 1 + BONDS + BONDS * (BONDS - 1)
"""Atoms that the force on one depends on: itself, 4 bonded, 12 next to those."""


@numba.njit(cache=True, nogil=True)
def arms_of(
    i: int,
    positions: Array,
    neighbours: Ints,
    shifts: Ints,
    translations: Array,
    species: Ints,
    tables: Array,
    arms: Array,
) -> int:
    """Write bond vector, S, B and d of each bond of a centre, (4, 6); their number."""
    for k in range(BONDS):
        j = neighbours[i, k]
        if j < 0:
            return k
        for part in range(3):
            arms[k, part] = (
                positions[j, part]
                - positions[i, part]
                + translations[shifts[i, k], part]
            )
        for table in range(3):
            arms[k, 3 + table] = tables[table, species[i], species[j]]
    return BONDS


@numba.njit(cache=True, nogil=True)
def arm_block(arms: Array, number: int, j: int, k: int, block: Array) -> None:
    """Write ∂²E/∂r_j ∂r_k of a centre's energy, (3, 3).

    With the terms of :func:`.arm_gradients`: of a bond 2 S ((r² − d²) 1 + 2 r rᵀ); of
    an angle 2 B_j B_k ((r_j·r_k + d_j d_k/3) 1 + r_k r_jᵀ) between its bonds and
    2 B_j B_k r_k r_kᵀ for bond j with itself.
    """
    if j != k:
        stiff = 2 * arms[j, 4] * arms[k, 4]
        excess = arms[j, 5] * arms[k, 5] / 3
        for a in range(3):
            excess += arms[j, a] * arms[k, a]
        for a in range(3):
            for b in range(3):
                block[a, b] = stiff * arms[k, a] * arms[j, b]
            block[a, a] += stiff * excess
        return
    excess = -(arms[j, 5] ** 2)
    for a in range(3):
        excess += arms[j, a] ** 2
    for a in range(3):
        for b in range(3):
            block[a, b] = 4 * arms[j, 3] * arms[j, a] * arms[j, b]
        block[a, a] += 2 * arms[j, 3] * excess
    for other in range(number):
        if other != j:
            stiff = 2 * arms[j, 4] * arms[other, 4]
            for a in range(3):
                for b in range(3):
                    block[a, b] += stiff * arms[other, a] * arms[other, b]


@numba.njit(cache=True, nogil=True)
def _columns(i: int, neighbours: Ints, reverse: Ints, columns: Ints) -> int:
    """Write the atoms the force on one depends on, in order; their number."""
    columns[0] = i
    found = 1
    for k in range(BONDS):
        j = neighbours[i, k]
        if j < 0:
            break
        found = _insert(columns, found, j)
        for other in range(BONDS):
            if other != reverse[i, k] and neighbours[j, other] >= 0:
                found = _insert(columns, found, neighbours[j, other])
    return found


@numba.njit(cache=True, nogil=True)
def _insert(columns: Ints, found: int, atom: int) -> int:
    """Put an atom where it belongs in a sorted row unless it is there."""
    place = found
    while place > 0 and columns[place - 1] > atom:
        place -= 1
    if place > 0 and columns[place - 1] == atom:
        return found
    for later in range(found, place, -1):
        columns[later] = columns[later - 1]
    columns[place] = atom
    return found + 1


@numba.njit(cache=True, nogil=True)
def row_lengths(
    begin: int, end: int, neighbours: Ints, reverse: Ints, lengths: Ints
) -> None:
    """Write the number of blocks of a range of the rows, (n,)."""
    columns = np.empty(MOST, np.int32)
    for i in range(begin, end):
        lengths[i] = _columns(i, neighbours, reverse, columns)


@numba.njit(cache=True, nogil=True)
def _add(
    blocks: Array, columns: Ints, found: int, atom: int, block: Array, sign: float
) -> None:
    for place in range(found):
        if columns[place] == atom:
            for a in range(3):
                for b in range(3):
                    blocks[place, a, b] += sign * block[a, b]
            return


@numba.njit(cache=True, nogil=True)
def _sum_up(total: Array, block: Array) -> None:
    for a in range(3):
        for b in range(3):
            total[a, b] += block[a, b]


@numba.njit(cache=True, nogil=True)
def _row(
    i: int,
    positions: Array,
    neighbours: Ints,
    shifts: Ints,
    reverse: Ints,
    translations: Array,
    species: Ints,
    tables: Array,
    columns: Ints,
    arms: Array,
    block: Array,
    total: Array,
    blocks: Array,
) -> int:
    """Columns and blocks of one row of atoms, of blocks that begin with zero."""
    found = _columns(i, neighbours, reverse, columns)
    blocks[:found] = 0
    number = arms_of(
        i, positions, neighbours, shifts, translations, species, tables, arms
    )
    for k in range(number):
        total[:] = 0
        for j in range(number):
            arm_block(arms, number, j, k, block)
            _sum_up(total, block)
        _add(blocks, columns, found, i, total, 1.0)
        _add(blocks, columns, found, neighbours[i, k], total, -1.0)
    for k in range(number):
        centre, own = neighbours[i, k], reverse[i, k]
        others = arms_of(
            centre, positions, neighbours, shifts, translations, species, tables, arms
        )
        total[:] = 0
        for other in range(others):
            arm_block(arms, others, own, other, block)
            _add(blocks, columns, found, neighbours[centre, other], block, 1.0)
            _sum_up(total, block)
        _add(blocks, columns, found, centre, total, -1.0)
    return found


@numba.njit(cache=True, nogil=True)
def fill_rows(
    begin: int,
    end: int,
    positions: Array,
    neighbours: Ints,
    shifts: Ints,
    reverse: Ints,
    translations: Array,
    species: Ints,
    tables: Array,
    weights: Array,
    starts: Ints,
    columns: Ints,
    blocks: Array,
) -> None:
    """Write the force constants of a range of the atoms as block rows.

    Parameters
    ----------
    begin, end
        Which atoms.
    positions, neighbours, shifts, reverse, translations, species, tables
        See :mod:`hyperspy_t2t.physics.keating_kernels`.
    weights
        Factor of rows and columns of each atom, shape (n,).
    starts
        First block of each row, shape (n + 1,).
    columns
        Written: column of each block, in order, shape (m,).
    blocks
        Written: shape (m, 3, 3).
    """
    own_columns, own = np.empty(MOST, np.int32), np.empty((MOST, 3, 3))
    arms, block, total = np.empty((BONDS, 6)), np.empty((3, 3)), np.empty((3, 3))
    for i in range(begin, end):
        found = _row(
            i, positions, neighbours, shifts, reverse, translations, species, tables,
            own_columns, arms, block, total, own,
        )  # fmt: skip
        for place in range(found):
            to = starts[i] + place
            columns[to] = own_columns[place]
            weight = weights[i] * weights[own_columns[place]]
            for a in range(3):
                for b in range(3):
                    blocks[to, a, b] = weight * own[place, a, b]


@numba.njit(cache=True, nogil=True)
def dense_at(
    wave: Array,
    positions: Array,
    neighbours: Ints,
    shifts: Ints,
    translations: Array,
    species: Ints,
    tables: Array,
    weights: Array,
    matrix: ComplexArray,
) -> None:
    """Add the force constants times exp(i wave·(R' − R)) to a matrix, (n, 3, n, 3).

    `wave` is in rad/Å, (3,); R and R' are where the two atoms are, image by image.
    """
    arms, block = np.empty((BONDS, 6)), np.empty((3, 3))
    ends, places = np.empty(BONDS + 1, np.int64), np.zeros((BONDS + 1, 3))
    for i in range(len(neighbours)):
        number = arms_of(
            i, positions, neighbours, shifts, translations, species, tables, arms
        )
        ends[0] = i
        for k in range(number):
            ends[k + 1] = neighbours[i, k]
            places[k + 1] = arms[k, :3]
        for j in range(number):
            for k in range(number):
                arm_block(arms, number, j, k, block)
                for first in (0, j + 1):
                    for second in (0, k + 1):
                        sign = 1.0 if (first > 0) == (second > 0) else -1.0
                        phase = 0.0
                        for a in range(3):
                            phase += wave[a] * (places[second, a] - places[first, a])
                        one, other = ends[first], ends[second]
                        factor = (
                            sign * weights[one] * weights[other] * np.exp(1j * phase)
                        )
                        for a in range(3):
                            for b in range(3):
                                matrix[one, a, other, b] += factor * block[a, b]
