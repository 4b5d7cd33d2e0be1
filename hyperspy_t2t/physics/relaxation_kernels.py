# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Compiled vector work of the relaxation: two passes over the history for each step.

The history is a table, one row for each component of the positions, one column for each
step and each change of the forces remembered. A direction of L-BFGS is a sum of its
columns and the forces with shares that follow from their products alone (W. Chen,
Z. Wang, J. Zhou, Adv. Neural Inf. Process. Syst. 27, 1332 (2014)): one pass adds
the newest columns and takes the products, another sums up.
"""

import numba
import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.floating]
Bools = npt.NDArray[np.bool_]
_ROWS = 8192


@numba.njit(parallel=True, cache=True)
def held(forces: Array, fixed: Bools) -> float:
    """Set forces (n, 3) of fixed components (n, 3) to zero; the largest that is left.

    None is fixed if `fixed` is empty.
    """
    square = 0.0
    some = len(fixed) > 0
    for i in numba.prange(len(forces)):
        own = 0.0
        for part in range(3):
            if some and fixed[i, part]:
                forces[i, part] = 0.0
            own += forces[i, part] ** 2
        square = max(square, own)
    return np.sqrt(square)


@numba.njit(parallel=True, cache=True, fastmath=True)
def product(first: Array, second: Array) -> float:
    """Sum of the products of all components, (m,)."""
    total = 0.0
    for i in numba.prange(len(first)):
        total += first[i] * second[i]
    return total


@numba.njit(parallel=True, cache=True, fastmath=True)
def step_along(start: Array, direction: Array, length: float, end: Array) -> None:
    """Write start + length · direction to `end`, all (m,)."""
    for i in numba.prange(len(start)):
        end[i] = start[i] + length * direction[i]


@numba.njit(parallel=True, cache=True, fastmath=True)
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
        The step is their product; shape (m,).
    before, after
        Forces at the ends of the step, shape (m,).
    history
        Steps, then changes, shape (m, 2 k); columns `row` and `k + row` are written.
    row
        Which, 0 to k − 1.

    Returns
    -------
    numpy.ndarray
        Products of the step, the change and the forces `after` with all columns and, in
        the last place, the forces, shape (3, 2 k + 1).
    """
    size, width = history.shape
    chunks = (size + _ROWS - 1) // _ROWS
    parts = np.zeros((chunks, 3, width + 1))
    for chunk in numba.prange(chunks):
        steps, changes = np.zeros(width), np.zeros(width)
        forces, own = np.zeros(width), np.zeros(3)
        for i in range(chunk * _ROWS, min(size, (chunk + 1) * _ROWS)):
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
        parts[chunk, 0, :width], parts[chunk, 1, :width] = steps, changes
        parts[chunk, 2, :width], parts[chunk, :, width] = forces, own
    total = np.zeros((3, width + 1))
    for chunk in range(chunks):
        total += parts[chunk]
    return total


@numba.njit(parallel=True, cache=True, fastmath=True)
def combine(forces: Array, history: Array, shares: Array, direction: Array) -> Array:
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
    numpy.ndarray
        −direction·forces in eV, and the length of the longest of the n vectors in Å.
    """
    width = history.shape[1]
    size = len(forces)
    chunks = (size + _ROWS - 1) // _ROWS
    parts = np.zeros((chunks, 2))
    for chunk in numba.prange(chunks):
        slope = longest = 0.0
        for i in range(chunk * _ROWS, min(size, (chunk + 1) * _ROWS)):
            square = 0.0
            for part in range(3):
                total = shares[width] * forces[i, part]
                for column in range(width):
                    total += shares[column] * history[3 * i + part, column]
                direction[i, part] = total
                slope -= total * forces[i, part]
                square += total * total
            longest = max(longest, square)
        parts[chunk, 0], parts[chunk, 1] = slope, longest
    return np.array([parts[:, 0].sum(), np.sqrt(parts[:, 1].max())])
