# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""The primitive cell of a crystal structure: its true lattice, whatever its centring.

Translations are found from the sites, not from the space group: a structure may
repeat more often than its stated group says.
"""

import numpy as np
from scipy.spatial import cKDTree

from hyperspy_t2t.array_types import Array, Ints
from hyperspy_t2t.phases.crystal_phase import CrystalPhase

Shift = tuple[int, ...]
TOLERANCE = 1e-4
"""Largest difference of fractional coordinates of the same place."""


def pure_translations(phase: CrystalPhase) -> Array:
    """All translations within the conventional cell that leave a structure as it is.

    Parameters
    ----------
    phase
        Numbers and occupancies count; sites may share a place.

    Returns
    -------
    ndarray
        Fractional, from 0 to 1, the zero vector first, shape (m, 3). They are exact
        to rounding: multiples of 1/n, where n divides the count of each kind of site.
    """
    kinds = _kinds(phase)
    counts = np.bincount(kinds)
    rarest = phase.fractional[kinds == counts.argmin()]
    # The translations are a group of an order that divides every count, so that
    # `counts.min()` times one of them is a lattice vector.
    order = int(counts.min())
    found = np.rint((rarest - rarest[0]) * order).astype(np.int64) % order
    found = np.unique(found, axis=0)
    trees = [
        cKDTree(_wrapped(phase.fractional[kinds == kind]), boxsize=1.0)
        for kind in range(len(counts))
    ]
    kept = [
        tuple(shift)
        for shift in found.tolist()
        if all(_covers(tree, np.divide(shift, order)) for tree in trees)
    ]
    return np.array(sorted(_largest_group(set(kept), order))) / order


def primitive_basis(phase: CrystalPhase) -> Array:
    """Three vectors that span every translation of a structure.

    Returns
    -------
    ndarray
        Rows in fractional coordinates of the conventional cell, upper triangular with
        a positive diagonal, shape (3, 3). Their determinant is the volume of the
        primitive cell over that of the conventional one.
    """
    shifts = pure_translations(phase)
    order = len(shifts)
    whole = np.rint(shifts[1:] * order).astype(np.int64).tolist()
    rows = whole + (order * np.eye(3, dtype=np.int64)).tolist()
    return np.array(_echelon(rows)) / order


def primitive_sites(phase: CrystalPhase) -> Ints:
    """Which sites make up one primitive cell.

    Returns
    -------
    ndarray
        Indices of sites, ascending. Of places that a translation maps onto each other
        it is the first; all sites that share a place are among them or none.
    """
    fractional = _wrapped(phase.fractional)
    tree = cKDTree(fractional, boxsize=1.0)
    places = _first_at_place(tree)
    first = places.copy()
    for shift in pure_translations(phase)[1:]:
        _, nearest = tree.query(_wrapped(fractional + shift), p=np.inf)
        first = np.minimum(first, places[nearest])
    return np.flatnonzero(first == places)


def _kinds(phase: CrystalPhase) -> Ints:
    """Kind of each site: sites of one kind have one number and one occupancy."""
    key = np.stack([phase.numbers, np.round(phase.occupancy, 5)], axis=1)
    return np.unique(key, axis=0, return_inverse=True)[1].reshape(-1)


def _wrapped(fractional: Array) -> Array:
    """Coordinates from 0 up to, but not, 1."""
    inside = fractional % 1.0
    return np.where(inside < 1.0, inside, 0.0)  # −1e-17 % 1 is 1


def _covers(tree: cKDTree, shift: Array) -> bool:
    """Whether shifted sites fall on sites of the same tree."""
    distance, _ = tree.query(_wrapped(tree.data + shift), p=np.inf)
    return bool(distance.max() <= TOLERANCE)


def _largest_group(shifts: set[Shift], order: int) -> set[Shift]:
    """Shifts (multiples of 1/order) with which all their sums are among the shifts.

    In a structure that is centred almost to the tolerance some sums may be missing.
    """
    group: set[Shift] = {(0, 0, 0)}
    for shift in sorted(shifts):
        larger, step = set(group), shift
        while step not in larger:
            larger |= {_sum(step, one, order) for one in group}
            step = _sum(step, shift, order)
        if larger <= shifts:
            group = larger
    return group


def _sum(one: Shift, other: Shift, order: int) -> Shift:
    return tuple((a + b) % order for a, b in zip(one, other, strict=True))


def _first_at_place(tree: cKDTree) -> Ints:
    """For each site the first one at its place."""
    first = np.arange(tree.n)
    for one, later in sorted(tree.query_pairs(TOLERANCE, p=np.inf)):
        first[later] = min(first[later], first[one])
    return first


def _echelon(rows: list[list[int]]) -> list[list[int]]:
    """Basis, upper triangular, of the lattice that integer rows of rank 3 span."""
    basis = []
    for column in range(3):
        while True:
            filled = [row for row in rows if row[column]]
            pivot = min(filled, key=lambda row: abs(row[column]))
            if len(filled) == 1:
                break
            for row in filled:
                if row is not pivot:
                    factor = row[column] // pivot[column]
                    row[:] = [a - factor * b for a, b in zip(row, pivot, strict=True)]
        rows = [row for row in rows if row is not pivot]
        sign = 1 if pivot[column] > 0 else -1
        basis.append([sign * entry for entry in pivot])
    return basis
