# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Hydrogen on the bonds that end in nothing."""

from typing import NamedTuple

import numpy as np
from numba import njit

from hyperspy_t2t.array_types import Array, Ints, Mask
from hyperspy_t2t.atoms.interfaces import least_removed
from hyperspy_t2t.atoms.nearest_bonds import nearest_bonds
from hyperspy_t2t.phases.crystal_phase import CrystalPhase
from hyperspy_t2t.physics.neighbours import neighbour_vectors

MOST_BONDS = 4
BOND_LENGTHS = {
    5: 1.19, 6: 1.09, 7: 1.01, 8: 0.96, 13: 1.65, 14: 1.48, 15: 1.42, 16: 1.34,
    31: 1.66, 32: 1.53, 33: 1.52, 34: 1.46, 49: 1.84, 50: 1.71, 51: 1.70, 52: 1.66,
}  # fmt: skip
"""X–H in Å by the atomic number of X: of the hydrides XH, XH₂, XH₃ and XH₄ as in NIST's
Computational Chemistry Comparison and Benchmark Database, https://doi.org/10.18434/T47C7Z
(AlH, GaH and InH: Huber & Herzberg, Constants of Diatomic Molecules, 1979). For others
the sum of the covalent radii (Cordero et al., Dalton Trans. 2008, 2832,
https://doi.org/10.1039/b801115j)."""
_AT_END = 0.35
"""An atom within this share of a bond's length from its end holds it."""
_SLAB = 100_000
_NEIGHBOURS = 12
_STEPS = 40
_ENOUGH = 0.97
"""Share of the least H–H distance with which two that were pulled apart may stay."""


class Hydrogens(NamedTuple):
    """Hydrogen on dangling bonds."""

    positions: Array
    """(x, y, z) in Å, shape (m, 3)."""
    parent: Ints
    """Which atom each is bound to, shape (m,)."""
    left_out: int
    """Dangling bonds without room for one."""


def bond_vectors(phase: CrystalPhase) -> Array:
    """Vectors from each site of a crystal to the atoms it is bound to.

    Bound is what is no further than 1.2 times the nearest atom of that site.

    Returns
    -------
    ndarray
        In Å, in the frame of ``phase.lattice``, shape (n_sites, m, 3), NaN where a site
        has fewer than m.

    Raises
    ------
    ValueError
        A site with more than four: what ends such bonds is no hydrogen.
    """
    found = [bonds.vectors for bonds in nearest_bonds(phase, phase.fractional)]
    most = max(map(len, found))
    if most > MOST_BONDS:
        raise ValueError(
            f"Expected a crystal whose atoms have {MOST_BONDS} bonds or fewer, got "
            f"{phase.name} with {most}. Hydrogen ends covalent bonds only: leave this "
            "region without it."
        )
    result = np.full((len(found), most, 3), np.nan)
    for site, bonds in enumerate(found):
        result[site, : len(bonds)] = bonds
    return result


def hydrogens(
    positions: Array,
    numbers: Ints,
    site: Ints,
    bonds: Array,
    *,
    period: float | None = None,
    least_apart: float = 1.2,
) -> Hydrogens:
    """Hydrogen where a bond of the crystal leads to no atom.

    A bond dangles where no atom, of whatever region, is within 0.35 of its length from
    its end. Hydrogen stands along it at the length of an X–H bond. It is left out where
    an atom other than its own is nearer than `least_apart`. Two that are nearer to each
    other are turned away from each other about their atoms, in up to 40 steps; of those
    that still are, the fewest possible are left out.

    Parameters
    ----------
    positions
        (x, y, z) in Å, shape (n, 3).
    numbers
        Atomic numbers, shape (n,).
    site
        Which row of `bonds` each atom has, −1 for atoms that get none, shape (n,).
    bonds
        Vectors in Å in the frame of the positions, as the lattice of the region has
        them, shape (k, m, 3), NaN where there are fewer: with the orientation U
        (crystal → image) and the mean deformation F (3, 3) of a region,
        ``bond_vectors(phase) @ (F @ U).T``.
    period
        Of the model along z in Å, None if it has surfaces there.
    least_apart
        In Å.
    """
    positions, bonds = np.asarray(positions, float), np.asarray(bonds, float)
    if bonds.shape[1] > MOST_BONDS:
        raise ValueError(
            f"Expected {MOST_BONDS} bonds or fewer of an atom, got {bonds.shape[1]}."
        )
    site, lengths = np.asarray(site), _hydride_lengths(numbers)
    parents, places, crowded = [], [], 0
    for own, around in _slabs(
        positions, 1.5 * np.nanmax(np.linalg.norm(bonds, axis=2))
    ):
        atom, direction = _dangling(positions, own, around, site, bonds, period)
        place = positions[atom] + lengths[numbers[atom], None] * direction
        room = _has_room(place, atom, positions, around, period, least_apart)
        crowded += int((~room).sum())
        parents.append(atom[room])
        places.append(place[room])
    parent, place = np.concatenate(parents), np.concatenate(places)
    place = _turned_apart(place, positions[parent], period, least_apart)
    close = _pairs(place, period, _ENOUGH * least_apart)
    gone = least_removed(close, len(place), -np.arange(len(place), dtype=float))
    order = np.argsort(parent[~gone], kind="stable")
    return Hydrogens(
        place[~gone][order], parent[~gone][order], crowded + int(gone.sum())
    )


def _hydride_lengths(numbers: Ints) -> Array:
    """X–H in Å by atomic number, for those that occur."""
    from ase.data import covalent_radii

    result = covalent_radii + covalent_radii[1]
    for number, length in BOND_LENGTHS.items():
        result[number] = length
    return result


def _slabs(positions: Array, margin: float) -> list[tuple[Ints, Ints]]:
    """Atoms in parts across x, and with each part those within a margin of it as well.

    A table of the neighbours of all atoms at once would not fit into memory.
    """
    order = np.argsort(positions[:, 0], kind="stable")
    x = positions[order, 0]
    result = []
    for start in range(0, len(order), _SLAB):
        own = order[start : start + _SLAB]
        low = np.searchsorted(x, positions[own[0], 0] - margin)
        high = np.searchsorted(x, positions[own[-1], 0] + margin, side="right")
        result.append(
            (own, np.r_[own, order[low:start], order[start + len(own) : high]])
        )
    return result


def _dangling(
    positions: Array,
    own: Ints,
    around: Ints,
    site: Ints,
    bonds: Array,
    period: float | None,
) -> tuple[Ints, Array]:
    """Atoms with bonds that nothing holds, once for each, and unit vectors there."""
    reach = (1 + _AT_END) * float(np.nanmax(np.linalg.norm(bonds, axis=2)))
    cell = np.diag([0.0, 0.0, period or 0.0])
    pbc = np.array([False, False, period is not None])
    _, vectors, _ = neighbour_vectors(positions[around], cell, pbc, reach, _NEIGHBOURS)
    row, bond = np.nonzero(_loose(site[own], bonds, vectors))
    direction = bonds[site[own[row]], bond]
    return own[row], direction / np.linalg.norm(direction, axis=1, keepdims=True)


@njit(cache=True, nogil=True)
def _loose(site: Ints, bonds: Array, vectors: Array) -> Mask:
    """Whether no neighbour is at the end of each bond of each site, shape (n, m)."""
    result = np.zeros((len(site), bonds.shape[1]), np.bool_)
    for atom in range(len(site)):
        if site[atom] < 0:
            continue
        for bond in range(bonds.shape[1]):
            x, y, z = bonds[site[atom], bond]
            limit = _AT_END**2 * (x * x + y * y + z * z)
            loose = not np.isnan(limit)
            for dx, dy, dz in vectors[atom]:
                # False for NaN: there are no more neighbours.
                if (x - dx) ** 2 + (y - dy) ** 2 + (z - dz) ** 2 <= limit:
                    loose = False
                    break
            result[atom, bond] = loose
    return result


def _tree(points: Array, period: float | None) -> tuple:
    """Search tree of points, and the points as it takes them: wrapped along z."""
    from scipy.spatial import cKDTree

    if period is None:
        return cKDTree(points), points
    z = points[:, 2] % period
    points = np.column_stack([points[:, :2], np.where(z < period, z, 0.0)])
    return cKDTree(points, boxsize=[0.0, 0.0, period]), points


def _has_room(
    places: Array, parent: Ints, positions: Array, around: Ints, period: float | None,
    least: float,
) -> Mask:  # fmt: skip
    """Whether no atom but its own is nearer to each place."""
    if not len(places):
        return np.zeros(0, bool)
    tree, _ = _tree(positions[around], period)
    _, query = _tree(places, period)
    distance, index = tree.query(query, 2, distance_upper_bound=least)
    other = np.r_[around, -1][index] != parent[:, None]
    return ~(other & np.isfinite(distance)).any(axis=1)


def _pairs(places: Array, period: float | None, least: float) -> Ints:
    """Pairs of places nearer than a distance, shape (p, 2)."""
    if len(places) < 2:
        return np.zeros((0, 2), np.int64)
    return _tree(places, period)[0].query_pairs(least, output_type="ndarray")


def _turned_apart(
    places: Array, parents: Array, period: float | None, least: float
) -> Array:
    """Places moved away from each other at constant distance from their atoms."""
    places = places.copy()
    some = np.unique(_pairs(places, period, 2 * least))
    if not len(some):
        return places
    moving, about = places[some], parents[some]
    length = np.linalg.norm(moving - about, axis=1, keepdims=True)
    for _ in range(_STEPS):
        first, second = _pairs(moving, period, least).T
        if not len(first):
            break
        line = _shortest(moving[first] - moving[second], period)
        apart = np.linalg.norm(line, axis=1, keepdims=True)
        own = _shortest(about[first] - about[second], period)
        line = np.where(apart > 0.1, line, own)
        line /= np.maximum(np.linalg.norm(line, axis=1, keepdims=True), 1e-9)
        # A little more than half of what is missing: turning takes some of it back.
        step = 0.6 * (least - apart) * line
        np.add.at(moving, first, step)
        np.add.at(moving, second, -step)
        bond = moving - about
        moving = about + bond * length / np.linalg.norm(bond, axis=1, keepdims=True)
    places[some] = moving
    return places


def _shortest(vectors: Array, period: float | None) -> Array:
    """Vectors (n, 3) to the nearest image along z."""
    if period is None:
        return vectors
    turns = np.rint(vectors[:, 2] / period)
    return vectors - np.column_stack([0 * turns, 0 * turns, turns * period])
