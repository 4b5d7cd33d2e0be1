# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Drawing the elements of atoms so that regional means are kept exactly.

Every drawing is a controlled rounding (Cox, J. Am. Stat. Assoc. 82 (1987) 520,
https://doi.org/10.1080/01621459.1987.10478456): expected numbers x_e of each element e
in each unit become whole numbers, each of them the next one below or above, each right
on average, and their sums over all units the wanted totals. A unit is one atom for a
random alloy, one column of atoms if every column shall hold its own share.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal, get_args

import numba
import numpy as np
import numpy.typing as npt

from hyperspy_t2t.array_types import Array, Ints

Arrangement = Literal["random", "columns"]
ARRANGEMENTS: tuple[str, ...] = get_args(Arrangement)
_EQUAL = 1e-9
"""Expected numbers this close to a whole one are whole."""


def draw_atoms(
    fractions: Array,
    counts: Ints,
    elements: Sequence[int],
    *,
    seed: int,
    arrangement: Arrangement = "random",
) -> npt.NDArray[np.uint8]:
    """Atomic numbers of the atoms in columns of one sublattice of one region.

    The number of atoms of each element differs by less than one from the sum of the
    fractions over all atoms. Nothing is drawn where its fraction is zero.

    Parameters
    ----------
    fractions
        Fraction of each element in each column, shape (k, n), sums of one.
    counts
        Number of atoms in each column, shape (n,).
    elements
        Atomic numbers, length k.
    seed
        Of the random numbers.
    arrangement
        "random": each atom is drawn by itself, so that columns vary by the binomial
        error. "columns": each column holds its own fractions to within one atom, in
        random order.

    Returns
    -------
    ndarray
        Atomic numbers, column by column, shape (counts.sum(),).
    """
    if arrangement not in ARRANGEMENTS:
        raise ValueError(
            f"Expected an arrangement of {' or '.join(map(repr, ARRANGEMENTS))}, got "
            f"{arrangement!r}."
        )
    fractions = np.ascontiguousarray(fractions, float)
    counts = np.ascontiguousarray(counts, np.int64)
    random = np.random.default_rng(seed)
    column = np.arange(len(counts))
    size = counts
    if arrangement == "random":
        column = np.repeat(column.astype(np.int32), counts)
        size = np.ones(len(column), np.uint8)
    drawn = np.empty((len(fractions), len(column)), np.uint16)
    _round_each(fractions, column, size, random, drawn)
    totals = whole_totals(fractions @ counts)
    _exchange(drawn, fractions, column, size, totals, random)
    numbers = np.asarray(elements, np.uint8)
    if arrangement == "random":
        return numbers[drawn.argmax(axis=0).astype(np.uint8)]
    return _shuffled(drawn, numbers, counts, random)


def whole_totals(expected: Array) -> Ints:
    """Whole numbers that differ by less than one and keep the sum: largest remainders.

    Parameters
    ----------
    expected
        Shape (k,), with a sum that is a whole number.
    """
    snapped = np.where(
        np.abs(expected - np.rint(expected)) < 1e-6, np.rint(expected), expected
    )
    whole = np.floor(snapped).astype(np.int64)
    rest = snapped - whole
    missing = round(float(expected.sum())) - int(whole.sum())
    whole[np.argsort(-rest, kind="stable")[:missing]] += 1
    return whole


@numba.njit(cache=True, nogil=True)
def _expected(fractions: Array, column: int, size: float, element: int) -> float:
    """Expected number of an element in a unit."""
    value = fractions[element, column] * size
    nearest = np.rint(value)
    return nearest if abs(value - nearest) < _EQUAL else value


@numba.njit(cache=True, nogil=True)
def _round_each(
    fractions: Array,
    column: Ints,
    size: Ints,
    random: np.random.Generator,
    drawn: Ints,
) -> None:
    """Systematic rounding of each unit: ⌊C_e + v⌋ − ⌊C_(e−1) + v⌋, v random.

    C_e is the sum of expected numbers up to element e. Fills `drawn`, shape (k, m).
    """
    last = len(fractions) - 1
    for unit in range(len(column)):
        start = random.random()
        total, before = 0.0, 0
        for element in range(last + 1):
            total += _expected(fractions, column[unit], size[unit], element)
            nearest = np.rint(total)
            if abs(total - nearest) < _EQUAL:
                total = nearest
            upto = int(np.floor(total + start))
            if element == last:
                upto = size[unit]
            drawn[element, unit] = upto - before
            before = upto


def _exchange(
    drawn: Ints,
    fractions: Array,
    column: Ints,
    size: Ints,
    totals: Ints,
    random: np.random.Generator,
) -> None:
    """Exchange single atoms until the totals are right, in place.

    An element with too many gives to one with too few, where needed by way of others:
    along a shortest path of exchanges that leave every unit rounded.
    """
    excess = drawn.sum(axis=1, dtype=np.int64) - totals
    while excess.any():
        path = _shortest_path(drawn, fractions, column, size, excess)
        if path is None:  # rounding of the sums of fractions: at most one atom
            return
        wanted = int(min(excess[path[0]], -excess[path[-1]]))
        for giver, taker in pairwise(path):
            weight = _exchange_weight(drawn, fractions, column, size, giver, taker)
            wanted = min(wanted, int(np.count_nonzero(weight)))
        for giver, taker in pairwise(path):
            weight = _exchange_weight(drawn, fractions, column, size, giver, taker)
            units = _weighted_choice(weight, wanted, random)
            drawn[giver, units] -= 1
            drawn[taker, units] += 1
        excess[path[0]] -= wanted
        excess[path[-1]] += wanted


def _shortest_path(
    drawn: Ints, fractions: Array, column: Ints, size: Ints, excess: Ints
) -> list[int] | None:
    """Elements from one with too many atoms to one with too few."""
    paths = [[int(e)] for e in np.flatnonzero(excess > 0)]
    seen = {path[0] for path in paths}
    while paths:
        path = paths.pop(0)
        if excess[path[-1]] < 0:
            return path
        # Those that lack atoms first: most often they can be served directly.
        for element in np.argsort(excess, kind="stable").tolist():
            if element not in seen and _can_exchange(
                drawn, fractions, column, size, path[-1], element
            ):
                seen.add(element)
                paths.append([*path, element])
    return None


@numba.njit(cache=True, nogil=True)
def _weight(
    drawn: Ints, fractions: Array, column: int, unit: int, size: int, pair: tuple
) -> float:
    """Chance of an exchange, 0 where it would leave the unit not rounded.

    With the remainder of the taker as weight, an exchange in either direction is
    equally likely, so that no local mean is changed on average.
    """
    giver, taker = pair
    mine = _expected(fractions, column, size, giver)
    other = _expected(fractions, column, size, taker)
    if drawn[giver, unit] > mine and drawn[taker, unit] < other:
        return other - np.floor(other)
    return 0.0


@numba.njit(cache=True, nogil=True)
def _exchange_weight(
    drawn: Ints, fractions: Array, column: Ints, size: Ints, giver: int, taker: int
) -> Array:
    """Chance of each unit to exchange one atom, shape (m,)."""
    result = np.zeros(len(column), np.float32)
    for i in range(len(column)):
        result[i] = _weight(drawn, fractions, column[i], i, size[i], (giver, taker))
    return result


@numba.njit(cache=True, nogil=True)
def _can_exchange(
    drawn: Ints, fractions: Array, column: Ints, size: Ints, giver: int, taker: int
) -> bool:
    """Whether any unit may exchange an atom of one element for one of another."""
    for i in range(len(column)):
        if _weight(drawn, fractions, column[i], i, size[i], (giver, taker)) > 0:
            return True
    return False


def _weighted_choice(weight: Array, wanted: int, random: np.random.Generator) -> Ints:
    """Indices of some units, without repetition, with chances in proportion to weight.

    The smallest of exponential waiting times with these rates: Efraimidis, Spirakis,
    Inf. Process. Lett. 97 (2006) 181, https://doi.org/10.1016/j.ipl.2005.11.003
    """
    units = np.flatnonzero(weight)
    if wanted >= len(units):
        return units
    time = random.standard_exponential(len(units), np.float32) / weight[units]
    return units[np.argpartition(time, wanted)[:wanted]]


@numba.njit(cache=True, nogil=True)
def _shuffled(
    drawn: Ints, numbers: Ints, counts: Ints, random: np.random.Generator
) -> npt.NDArray[np.uint8]:
    """Atoms of each column in random order (Fisher and Yates)."""
    result = np.empty(counts.sum(), np.uint8)
    start = 0
    for column in range(len(counts)):
        place = start
        for element in range(len(numbers)):
            for _ in range(drawn[element, column]):
                result[place] = numbers[element]
                place += 1
        for i in range(place - 1, start, -1):
            j = random.integers(start, i + 1)
            result[i], result[j] = result[j], result[i]
        start = place
    return result
