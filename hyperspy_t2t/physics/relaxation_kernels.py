# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Compiled vector work of the relaxation: two passes over the history for each step.

The history is a table, one row for each component of the positions, one column for each
step and each change of the forces remembered. A direction of L-BFGS is a sum of its
columns and the forces with shares that follow from their products alone (W. Chen,
Z. Wang, J. Zhou, Adv. Neural Inf. Process. Syst. 27, 1332 (2014)): one pass adds the
newest columns and takes the products, another sums up. Chunks of atoms have sums of
their own, so that these do not depend on the number of threads.
"""

import numba
import numpy as np

from hyperspy_t2t.array_types import Array, Bools
from hyperspy_t2t.physics.threads import in_parallel

_CHUNK = 2048
"""Atoms that are added up together."""


def _chunks(n_atoms: int) -> int:
    return (n_atoms + _CHUNK - 1) // _CHUNK


def held(forces: Array, fixed: Bools) -> float:
    """Set forces (n, 3) of fixed components (n, 3) to zero; the largest that is left.

    None is fixed if `fixed` is empty.
    """
    n = len(forces)
    squares = np.zeros(_chunks(n))
    in_parallel(_held, len(squares), forces, fixed, squares, n_atoms=n)
    return float(np.sqrt(squares.max(initial=0)))


def product(first: Array, second: Array) -> float:
    """Sum of the products of all components, (n, 3)."""
    n = len(first)
    sums = np.zeros(_chunks(n))
    in_parallel(_product, len(sums), first, second, sums, n_atoms=n)
    return float(sums.sum())


def step_along(start: Array, direction: Array, length: float, end: Array) -> None:
    """Write start + length · direction to `end`, all (n, 3)."""
    n = len(start)
    in_parallel(_step_along, n, start, direction, length, end, n_atoms=n)


def remember(
    direction: Array,
    length: float,
    before: Array,
    after: Array,
    history: Array,
    row: int,
) -> Array:
    """Add a step and the change of the forces; their products with all.

    Parameters
    ----------
    direction, length
        The step is their product; shape (n, 3).
    before, after
        Forces at the ends of the step, shape (n, 3).
    history
        Steps, then changes, shape (3 n, 2 k); columns `row` and `k + row` are written.
    row
        Which, 0 to k − 1.

    Returns
    -------
    numpy.ndarray
        Products of the step, the change and the forces `after` with all columns and, in
        the last place, the forces, shape (3, 2 k + 1).
    """
    n = len(direction)
    sums = np.zeros((_chunks(n), 3, history.shape[1] + 1))
    in_parallel(
        _remember, len(sums), direction.reshape(-1), length, before.reshape(-1),
        after.reshape(-1), history, row, sums, n_atoms=n,
    )  # fmt: skip
    return sums.sum(axis=0)


def combine(
    forces: Array, history: Array, shares: Array, direction: Array
) -> tuple[float, float]:
    """Write a sum of the forces and the history; its slope and its largest part.

    Parameters
    ----------
    forces
        In eV/Å, shape (n, 3).
    history
        See :func:`remember`, shape (3 n, 2 k).
    shares
        Of the columns and, last, of the forces, shape (2 k + 1,).
    direction
        Written: in Å, shape (n, 3).

    Returns
    -------
    slope
        −direction·forces in eV.
    longest
        Length of the longest of the n vectors in Å.
    """
    n = len(forces)
    found = np.zeros((2, _chunks(n)))
    slopes, squares = found
    in_parallel(
        _combine, len(slopes), forces, history, shares, direction, slopes, squares,
        n_atoms=n,
    )  # fmt: skip
    return float(slopes.sum()), float(np.sqrt(squares.max(initial=0)))


@numba.njit(cache=True, nogil=True)
def _held(begin: int, end: int, forces: Array, fixed: Bools, squares: Array) -> None:
    some = len(fixed) > 0
    for chunk in range(begin, end):
        largest = 0.0
        for i in range(chunk * _CHUNK, min(len(forces), (chunk + 1) * _CHUNK)):
            square = 0.0
            for part in range(3):
                if some and fixed[i, part]:
                    forces[i, part] = 0.0
                square += forces[i, part] ** 2
            largest = max(largest, square)
        squares[chunk] = largest


@numba.njit(cache=True, nogil=True, fastmath=True)
def _product(begin: int, end: int, first: Array, second: Array, sums: Array) -> None:
    for chunk in range(begin, end):
        for i in range(chunk * _CHUNK, min(len(first), (chunk + 1) * _CHUNK)):
            for part in range(3):
                sums[chunk] += first[i, part] * second[i, part]


@numba.njit(cache=True, nogil=True, fastmath=True)
def _step_along(
    begin: int, end: int, start: Array, direction: Array, length: float, ends: Array
) -> None:
    for i in range(begin, end):
        for part in range(3):
            ends[i, part] = start[i, part] + length * direction[i, part]


@numba.njit(cache=True, nogil=True, fastmath=True)
def _remember(
    begin: int,
    end: int,
    direction: Array,
    length: float,
    before: Array,
    after: Array,
    history: Array,
    row: int,
    sums: Array,
) -> None:
    """See :func:`remember`; vectors (3 n,), sums of chunks of n."""
    size, width = history.shape
    steps, changes, forces = np.empty((3, width))
    for chunk in range(begin, end):
        steps[:], changes[:], forces[:] = 0, 0, 0
        own = np.zeros(3)
        for i in range(3 * chunk * _CHUNK, min(size, 3 * (chunk + 1) * _CHUNK)):
            force = after[i]
            step = length * direction[i]
            change = before[i] - force
            history[i, row] = step
            history[i, width // 2 + row] = change
            for column in range(width):
                value = history[i, column]
                steps[column] += step * value
                changes[column] += change * value
                forces[column] += force * value
            own[0] += step * force
            own[1] += change * force
            own[2] += force * force
        sums[chunk, 0, :width], sums[chunk, 1, :width] = steps, changes
        sums[chunk, 2, :width], sums[chunk, :, width] = forces, own


@numba.njit(cache=True, nogil=True, fastmath=True)
def _combine(
    begin: int,
    end: int,
    forces: Array,
    history: Array,
    shares: Array,
    direction: Array,
    slopes: Array,
    squares: Array,
) -> None:
    width = history.shape[1]
    for chunk in range(begin, end):
        slope = longest = 0.0
        for i in range(chunk * _CHUNK, min(len(forces), (chunk + 1) * _CHUNK)):
            square = 0.0
            for part in range(3):
                total = shares[width] * forces[i, part]
                for column in range(width):
                    total += shares[column] * history[3 * i + part, column]
                direction[i, part] = total
                slope -= total * forces[i, part]
                square += total * total
            longest = max(longest, square)
        slopes[chunk], squares[chunk] = slope, longest
