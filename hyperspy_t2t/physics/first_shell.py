# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""How many neighbours the atoms of a crystal have, without knowing its bonds."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from hyperspy_t2t.array_types import Array, Bools, Ints
from hyperspy_t2t.physics.neighbours import nearest_distance, neighbour_vectors

_MOST = 17
"""Neighbours looked at: one more than the largest coordination that is told."""
_FURTHEST = 2.2
"""Distances looked at, in those of the nearest neighbours of all."""
_NEAREST = 8.0
"""Å up to which a nearest neighbour is looked for."""
_AS_LARGE = 0.7
"""Share of the largest gap that is as good as it: the nearer one counts."""


class Shell(NamedTuple):
    """The first shell of neighbours of an element."""

    coordination: int
    """Number of neighbours."""
    cutoff: float
    """Distance in Å, half way to the next shell."""
    distance: float
    """Mean distance in Å of the shell."""


def first_shells(
    positions: Array,
    numbers: Ints,
    cell: Array,
    pbc: Bools,
    *,
    inside: Bools | None = None,
    coordination: Mapping[int, int] | None = None,
) -> dict[int, Shell]:
    """First shell of each element: up to a gap between its neighbours.

    The k-th neighbour distance of an element is the median over its atoms, so that some
    surface or faulty atoms change nothing. The shell ends at the first k whose gap
    d[k + 1] / d[k] − 1 is about the largest, among distances up to 2.2 times the
    shortest of all.

    Parameters
    ----------
    positions, numbers, cell, pbc
        A piece of a crystal: Å (n, 3), atomic numbers (n,), rows in Å (3, 3), (3,).
    inside
        Atoms with all their neighbours in the piece, (n,); all by default.
    coordination
        Number of neighbours by atomic number, where it is known.

    Returns
    -------
    dict
        Shell by atomic number; elements whose atoms have no neighbours are left out.
    """
    numbers = np.asarray(numbers)
    inside = np.ones(len(numbers), bool) if inside is None else np.asarray(inside)
    if not inside.any():
        return {}
    nearest = nearest_distance(positions, cell, pbc, _NEAREST)[inside]
    shortest = np.median(nearest)
    if not 0 < shortest < np.inf:
        return {}
    _, vectors, _ = neighbour_vectors(positions, cell, pbc, _FURTHEST * shortest, _MOST)
    distances = np.linalg.norm(vectors, axis=-1)
    distances[np.isnan(distances)] = _FURTHEST * shortest
    found, known = {}, coordination or {}
    for number in np.unique(numbers[inside]):
        typical = np.median(distances[inside & (numbers == number)], axis=0)
        last = known.get(int(number)) or _last_before_gap(typical)
        if last < _MOST and typical[last - 1] < _FURTHEST * shortest:
            cutoff = float(typical[last - 1 : last + 1].mean())
            mean = float(typical[:last].mean())
            found[int(number)] = Shell(last, cutoff, mean)
    return found


def _last_before_gap(distances: Array) -> int:
    gaps = distances[1:] / distances[:-1] - 1
    return 1 + int(np.argmax(gaps >= _AS_LARGE * gaps.max()))
