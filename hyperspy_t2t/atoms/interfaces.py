# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Where separate crystals meet: what overlaps is taken out in whole cells.

Atoms go by units: the atoms of one primitive cell. Regions keep their stoichiometry as
no unit is ever cut.
"""

import heapq
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numba import njit

from hyperspy_t2t.array_types import Array, Ints, Mask
from hyperspy_t2t.physics.neighbours import (
    coordination,
    neighbour_pairs,
    neighbour_vectors,
)

OVERLAP = 0.7
"""Atoms of two blocks nearer than this share of the smaller of their nearest-neighbour
distances overlap."""
GAP = 1.5
"""An atom whose nearest one on the other side is further than this times the larger of
the nearest-neighbour distances stands at a gap."""
_FACING = 4.0
"""Further apart than this times the largest nearest-neighbour distance, two regions do
not meet."""


@dataclass(frozen=True)
class Interfaces:
    """What was found and done where regions of different blocks meet, pair by pair.

    Parameters
    ----------
    first, second
        Regions, the smaller first, shape (p,).
    overlaps
        Pairs of atoms that were too close, shape (p,).
    units, atoms
        Units, and atoms in them, that were taken out for it, shape (p,).
    gaps
        Share of the atoms that face the other region, on both sides, whose nearest atom
        there is further than 1.5 times the larger nearest-neighbour distance of the two
        blocks; NaN where none face it any more. Shape (p,).
    shortest
        Distance in Å between atoms of both that is left, shape (p,).
    """

    first: Ints
    second: Ints
    overlaps: Ints
    units: Ints
    atoms: Ints
    gaps: Array
    shortest: Array


def close_interfaces(
    positions: Array,
    unit: Ints,
    block: Ints,
    region: Ints,
    spacing: Mapping[int, float],
    *,
    depth: Array | None = None,
    period: float | None = None,
    share: float = OVERLAP,
) -> tuple[Mask, Interfaces]:
    """Take out units of atoms until no two atoms of different blocks overlap.

    The unit that overlaps most others goes first, then that with the next most among
    what is left, and of equal ones that which lies further over its own border. A unit
    that turns out to be no longer in the way of any other comes back.

    Parameters
    ----------
    positions
        (x, y, z) in Å, shape (n, 3).
    unit
        Number of the primitive cell of each atom, shape (n,): equal numbers stay or go
        together.
    block, region
        Of each atom, shape (n,). Within one block nothing overlaps.
    spacing
        Nearest-neighbour distance in Å of each block.
    depth
        How far inside of its own region each atom is, in any unit of length, negative
        beyond its border, shape (n,). Without it, atoms with more of the other blocks
        around them count as further over.
    period
        Of the model along z in Å, None if it has surfaces there.
    share
        Of the smaller of two nearest-neighbour distances below which atoms overlap.

    Returns
    -------
    kept : ndarray of bool
        Shape (n,).
    report : Interfaces
    """
    positions = np.asarray(positions, float)
    border = _border(positions, unit, block, region, spacing, period)
    kept = np.ones(len(positions), bool)
    if border is None:
        return kept, Interfaces(*np.zeros((5, 0), np.int64), *np.zeros((2, 0)))
    pairs = _overlaps(border, share)
    if depth is None:
        over = -_foreign(border).astype(float)
    else:
        over = np.asarray(depth, float)[border.near]
    over = np.bincount(border.unit, over) / np.bincount(border.unit)
    gone = least_removed(border.unit[pairs], len(over), over)
    kept = ~_among(unit, border.names[gone])
    lost = _losses(border, pairs, gone, np.asarray(unit)[~kept])
    return kept, _report(border.region[pairs], lost, _facing(border, kept[border.near]))


@dataclass(frozen=True)
class _Border:
    """The atoms near other blocks."""

    near: Ints
    """Which of all atoms they are, (m,)."""
    points: Array
    """Positions in Å, (m, 3)."""
    kind: Ints
    """Number of the block, from 0, (m,)."""
    unit: Ints
    """Number of the unit, from 0, (m,)."""
    names: Ints
    """What the caller calls the units, sorted, (n_units,)."""
    region: Ints
    spacing: Array
    """Nearest-neighbour distance of each block in Å, (n_blocks,)."""
    cell: Array
    pbc: Mask

    def limits(self, factor: float, combine: np.ufunc) -> Array:
        """Distances between blocks for the neighbour search, none within a block."""
        result = factor * combine.outer(self.spacing, self.spacing)
        np.fill_diagonal(result, 0.0)
        return result

    def nearest(self, left: Mask) -> tuple[Ints, Ints, Array]:
        """Atoms that are left, the nearest of another block each has, and how far."""
        rows = np.flatnonzero(left)
        index, vectors, _ = neighbour_vectors(
            self.points[rows], self.cell, self.pbc, self.limits(_FACING, np.maximum),
            1, species=self.kind[rows],
        )  # fmt: skip
        has = index[:, 0] >= 0
        distance = np.linalg.norm(vectors[has, 0].astype(float), axis=1)
        return rows[has], rows[index[has, 0]], distance


def _border(
    positions: Array, unit: Ints, block: Ints, region: Ints,
    spacing: Mapping[int, float], period: float | None,
) -> _Border | None:  # fmt: skip
    """Atoms so near to another block that they matter; None where there are none."""
    labels, kind = np.unique(block, return_inverse=True)
    if len(labels) < 2:
        return None
    missing = [int(label) for label in labels if int(label) not in spacing]
    if missing:
        raise ValueError(
            f"Expected the nearest-neighbour distance of each block, got none for "
            f"{missing}."
        )
    nearest = np.array([float(spacing[int(label)]) for label in labels])
    kind = kind.ravel().astype(np.int32)
    near = np.flatnonzero(_near_others(positions, kind, _FACING * nearest.max()))
    if not len(near):
        return None
    names, number = np.unique(np.asarray(unit)[near], return_inverse=True)
    cell = np.diag([0.0, 0.0, 0.0 if period is None else float(period)])
    return _Border(
        near, positions[near], kind[near], number.ravel(), names,
        np.asarray(region)[near], nearest, cell, np.array([False, False, bool(period)]),
    )  # fmt: skip


@njit(cache=True, nogil=True)
def _near_others(positions: Array, kind: Ints, reach: float) -> Mask:
    """Atoms of another kind in the same or in one of eight fields of width `reach`."""
    left, top = positions[:, 0].min(), positions[:, 1].min()
    nx = int((positions[:, 0].max() - left) / reach) + 1
    ny = int((positions[:, 1].max() - top) / reach) + 1
    lowest = np.full((nx, ny), np.iinfo(np.int32).max, np.int32)
    highest = np.full((nx, ny), -1, np.int32)
    for atom in range(len(positions)):
        i = int((positions[atom, 0] - left) / reach)
        j = int((positions[atom, 1] - top) / reach)
        lowest[i, j] = min(lowest[i, j], kind[atom])
        highest[i, j] = max(highest[i, j], kind[atom])
    result = np.zeros(len(positions), np.bool_)
    for atom in range(len(positions)):
        i = int((positions[atom, 0] - left) / reach)
        j = int((positions[atom, 1] - top) / reach)
        for k in range(max(i - 1, 0), min(i + 2, nx)):
            for m in range(max(j - 1, 0), min(j + 2, ny)):
                if highest[k, m] >= 0 and (
                    lowest[k, m] != kind[atom] or highest[k, m] != kind[atom]
                ):
                    result[atom] = True
    return result


def _overlaps(border: _Border, share: float) -> Ints:
    """Pairs of atoms of different blocks that are too close, shape (p, 2)."""
    first, second, _ = neighbour_pairs(
        border.points, border.cell, border.pbc, border.limits(share, np.minimum),
        species=border.kind,
    )  # fmt: skip
    other = border.kind[first] != border.kind[second]
    return np.stack([first[other], second[other]], axis=1)


def _foreign(border: _Border) -> Ints:
    """Number of atoms of other blocks around each within two spacings."""
    return coordination(
        border.points, border.cell, border.pbc, border.limits(2.0, np.maximum),
        species=border.kind,
    )  # fmt: skip


def least_removed(pairs: Ints, count: int, over: Array) -> Mask:
    """Of things of which some cannot stand together, those to take out.

    The one that is in the way of most goes first; it comes back where in the end it is
    in the way of none (a greedy vertex cover).

    Parameters
    ----------
    pairs
        Which two cannot stand together, from 0, shape (p, 2).
    count
        Of all things.
    over
        Of things in the way of equally many, the one with the least goes, (count,).
    """
    from scipy.sparse import coo_array

    if not len(pairs):
        return np.zeros(count, bool)
    both = np.concatenate([pairs, pairs[:, ::-1]])
    table = coo_array((np.ones(len(both), bool), tuple(both.T)), (count, count)).tocsr()
    return _removed(
        table.indptr.astype(np.int64), table.indices.astype(np.int64),
        np.asarray(over, float),
    )  # fmt: skip


@njit(cache=True, nogil=True)
def _removed(starts: Ints, others: Ints, over: Array) -> Mask:
    """:func:`least_removed` where thing k is in the way of those in
    `others[starts[k] : starts[k + 1]]`."""
    count = len(starts) - 1
    degree = starts[1:] - starts[:-1]
    queue = [(0, 0.0, 0)]
    for k in range(count):
        if degree[k]:
            queue.append((-degree[k], over[k], k))
    heapq.heapify(queue)
    gone = np.zeros(count, np.bool_)
    order = []
    while queue:
        minus, _, k = heapq.heappop(queue)
        if gone[k] or minus != -degree[k] or degree[k] == 0:
            continue  # out already, or it overlaps fewer by now and stands there anew
        gone[k] = True
        order.append(k)
        for other in others[starts[k] : starts[k + 1]]:
            if not gone[other]:
                degree[other] -= 1
                heapq.heappush(queue, (-degree[other], over[other], other))
    for k in order:
        gone[k] = not gone[others[starts[k] : starts[k + 1]]].all()
    return gone


def _among(values: Ints, chosen: Ints) -> Mask:
    """Whether values are among a few sorted ones, without sorting the values."""
    if not len(chosen):
        return np.zeros(len(values), bool)
    place = np.minimum(np.searchsorted(chosen, values), len(chosen) - 1)
    return chosen[place] == values


def _losses(border: _Border, pairs: Ints, gone: Mask, removed: Ints) -> Ints:
    """Regions of the pair with which each lost unit overlapped most, and its atoms.

    `removed` has the unit of each atom taken out. Shape (n_lost, 3).
    """
    sides = np.concatenate([pairs, pairs[:, ::-1]])
    unit = border.unit[sides[:, 0]]
    rows = np.column_stack([unit, np.sort(border.region[sides], axis=1)])[gone[unit]]
    kinds, count = np.unique(rows, axis=0, return_counts=True)
    kinds = kinds[np.lexsort((-count, kinds[:, 0]))]
    kinds = kinds[np.unique(kinds[:, 0], return_index=True)[1]]
    size = np.bincount(np.searchsorted(border.names, removed), minlength=len(gone))
    return np.column_stack([kinds[:, 1:], size[kinds[:, 0]]])


def _facing(border: _Border, left: Mask) -> tuple[Ints, Array, Mask]:
    """Atoms that are the nearest of another block to some atom: what they face.

    Returns
    -------
    regions : ndarray
        Of the atom and of the one it faces, shape (m, 2).
    distance : ndarray
        In Å, shape (m,).
    gap : ndarray of bool
        Whether that is further than bonds are, shape (m,).
    """
    atom, other, distance = border.nearest(left)
    seen = np.zeros(len(left), bool)
    seen[other] = True
    faces = seen[atom]
    atom, other, distance = atom[faces], other[faces], distance[faces]
    usual = np.maximum(*(border.spacing[border.kind[side]] for side in (atom, other)))
    regions = np.stack([border.region[atom], border.region[other]], axis=1)
    return regions, distance, distance > GAP * usual


def _report(overlaps: Ints, lost: Ints, facing: tuple[Ints, Array, Mask]) -> Interfaces:
    """Counts of each pair of regions."""
    faces, distance, gap = facing
    overlaps, faces = np.sort(overlaps, axis=1), np.sort(faces, axis=1)
    pairs = np.unique(np.concatenate([overlaps, faces]), axis=0)
    count = len(pairs)

    def which(rows: Ints) -> Ints:
        return np.unique(np.concatenate([pairs, rows]), axis=0, return_inverse=True)[
            1
        ].ravel()[count:]

    at, owner = which(faces), which(lost[:, :2])
    shortest = np.full(count, np.inf)
    np.minimum.at(shortest, at, distance)
    facing_atoms = np.bincount(at, minlength=count)
    shortest[facing_atoms == 0] = np.nan
    with np.errstate(invalid="ignore"):
        gaps = np.bincount(at, gap, minlength=count) / facing_atoms
    return Interfaces(
        pairs[:, 0], pairs[:, 1],
        np.bincount(which(overlaps), minlength=count),
        np.bincount(owner, minlength=count),
        np.bincount(owner, lost[:, 2], minlength=count).astype(np.int64),
        gaps, shortest,
    )  # fmt: skip
