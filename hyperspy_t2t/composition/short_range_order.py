# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Short-range order of alloys: unlike neighbours more or less often than by chance."""

from collections.abc import Sequence

import numba
import numpy as np
import numpy.typing as npt

from hyperspy_t2t.array_types import Array, Ints
from hyperspy_t2t.physics.neighbours import nearest_distance, neighbour_vectors

TOLERANCE = 0.005
"""Of the order that is reached."""
_BLOCK = 12.0
"""Side in Å of the blocks within which atoms change places."""
_FIRST_SHELL = 1.13
"""Neighbours up to this multiple of the nearest distance: between the twelve of a
strained fcc lattice (1.05) and the second shell of bcc (1.155)."""
_MOST_SWEEPS = 80


def ordered(
    numbers: npt.NDArray[np.uint8],
    positions: Array,
    fractions: Array,
    column: Ints,
    elements: Sequence[int],
    *,
    order: float,
    period: float | None,
    seed: int,
    within_columns: bool = False,
) -> tuple[npt.NDArray[np.uint8], float]:
    """Exchange atoms of a sublattice until it has a wanted short-range order.

    The order is the parameter of Warren and Cowley for nearest neighbours,
    α = 1 − (unlike pairs) / (unlike pairs expected of a random alloy with the same
    local fractions): 0 is random, positive means clusters of equal atoms, negative that
    unlike atoms prefer each other. Two atoms of one block of 1.2 nm change places with
    the probability of Metropolis for an energy of the unlike pairs and for the local
    fractions: blocks keep their composition exactly, and gradients stay within them.
    The energy grows until the order is reached; frustrated lattices reach −1/3 at most
    (fcc), a minority element −x/(1 − x).

    Parameters
    ----------
    numbers
        Atomic numbers, shape (n,).
    positions
        In Å, shape (n, 3).
    fractions, column
        Fractions of the elements in columns, shape (k, m), and the column of each
        atom, shape (n,).
    elements
        Atomic numbers, length k.
    order
        Wanted α, from −1 to 1.
    period
        Length along z in Å after which the atoms repeat, None if they do not.
    seed
        Of the random numbers.
    within_columns
        Atoms change places within their column only.

    Returns
    -------
    numbers
        The same atoms in other places.
    order
        α that was reached.

    References
    ----------
    Cowley, Phys. Rev. 77 (1950) 669, https://doi.org/10.1103/PhysRev.77.669
    """
    if not -1 <= order <= 1:
        raise ValueError(f"Expected an order from -1 to 1, got {order!r}.")
    kind_of = np.zeros(256, np.uint8)
    kind_of[list(elements)] = np.arange(len(elements))
    kinds = kind_of[numbers]
    near = first_neighbours(positions, period)
    expected = _unlike_expected(near, fractions, column)
    if expected == 0:
        return numbers, 0.0
    block = column if within_columns else _blocks(positions)
    members = np.argsort(block, kind="stable").astype(np.int64)
    bounds = np.concatenate([[0], np.cumsum(np.bincount(block))]).astype(np.int64)
    odds = np.log(np.maximum(fractions, 1e-30))
    random = np.random.default_rng(seed)
    reached = _anneal(
        kinds, near, odds, column, members, bounds, order, expected, random
    )
    return np.asarray(elements, np.uint8)[kinds], reached


def first_neighbours(positions: Array, period: float | None) -> Ints:
    """Nearest neighbours of each atom, int32 (n, 12), −1 where there are fewer."""
    cell, pbc = np.diag([0, 0, period or 0.0]), np.array([False, False, bool(period)])
    nearest = nearest_distance(positions, cell, pbc, 8.0)
    known = nearest[np.isfinite(nearest)]
    if not len(known):
        return np.full((len(positions), 1), -1, np.int32)
    return neighbour_vectors(
        positions, cell, pbc, _FIRST_SHELL * float(np.median(known)), 12
    )[0]


def _blocks(positions: Array) -> Ints:
    """Which cube of the given side each atom is in, numbered from 0."""
    place = np.floor((positions - positions.min(axis=0)) / _BLOCK).astype(np.int64)
    size = place.max(axis=0) + 1
    flat = (place[:, 0] * size[1] + place[:, 1]) * size[2] + place[:, 2]
    return np.unique(flat, return_inverse=True)[1]


def _anneal(
    kinds: Ints, near: Ints, odds: Array, column: Ints, members: Ints, bounds: Ints,
    order: float, expected: float, random: np.random.Generator,
) -> float:  # fmt: skip
    """Sweeps with an energy that grows until the order is reached, in place."""
    reached = 1 - _unlike(kinds, near) / expected
    energy, best = 0.0, abs(order - reached)
    waited = 0
    for _ in range(_MOST_SWEEPS):
        gap = order - reached
        if abs(gap) < TOLERANCE or waited > 12:
            break
        energy += 0.5 * gap
        _sweep(kinds, near, odds, column, members, bounds, energy, random)
        reached = 1 - _unlike(kinds, near) / expected
        improved = abs(order - reached) < best - 1e-3
        waited = 0 if improved else waited + 1
        best = min(best, abs(order - reached))
    return float(reached)


@numba.njit(cache=True, nogil=True)
def _unlike(kinds: Ints, near: Ints) -> int:
    """Pairs of neighbours of different kind, each from both sides."""
    total = 0
    for atom in range(len(kinds)):
        for other in near[atom]:
            if other >= 0 and kinds[other] != kinds[atom]:
                total += 1
    return total


@numba.njit(cache=True, nogil=True)
def _unlike_expected(near: Ints, fractions: Array, column: Ints) -> float:
    """The same for a random alloy."""
    total = 0.0
    for atom in range(len(near)):
        for other in near[atom]:
            if other >= 0:
                like = 0.0
                for element in range(len(fractions)):
                    like += (
                        fractions[element, column[atom]]
                        * fractions[element, column[other]]
                    )
                total += 1 - like
    return total


@numba.njit(cache=True, nogil=True)
def _equal_neighbours(kinds: Ints, near: Ints, atom: int, kind: int, but: int) -> int:
    """Neighbours of one kind, another atom left out."""
    total = 0
    for other in near[atom]:
        if other >= 0 and other != but and kinds[other] == kind:
            total += 1
    return total


@numba.njit(cache=True, nogil=True)
def _sweep(
    kinds: Ints, near: Ints, odds: Array, column: Ints, members: Ints, bounds: Ints,
    energy: float, random: np.random.Generator,
) -> None:  # fmt: skip
    """One trial for each atom to change places with another of its block."""
    for block in range(len(bounds) - 1):
        first, last = bounds[block], bounds[block + 1]
        for place in range(first, last):
            one = members[place]
            other = members[random.integers(first, last)]
            a, b = kinds[one], kinds[other]
            if a == b:
                continue
            i, j = column[one], column[other]
            gain = energy * (
                _equal_neighbours(kinds, near, one, b, other)
                + _equal_neighbours(kinds, near, other, a, one)
                - _equal_neighbours(kinds, near, one, a, other)
                - _equal_neighbours(kinds, near, other, b, one)
            )
            gain += odds[b, i] + odds[a, j] - odds[a, i] - odds[b, j]
            if gain >= 0 or random.random() < np.exp(gain):
                kinds[one], kinds[other] = b, a
