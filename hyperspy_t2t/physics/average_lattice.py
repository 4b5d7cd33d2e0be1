# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""The lattice alone: the Keating model with the elements of each group averaged.

In a random alloy every atom has forces of its own, 0.3 to 0.4 eV/Å in SiGe, because
bonds of all kinds stand on one mean lattice. With the mean constants of a group on all
of its bonds these forces are gone, and a uniformly strained lattice of one kind of atom
has none: what is left comes from where the columns stand. A strain that also moves the
two sublattices against each other gives all atoms of one of them the same force, which
:func:`uneven_forces` takes out.
"""

from dataclasses import replace
from itertools import pairwise

import numba
import numpy as np

from hyperspy_t2t.array_types import Array, Bools, Ints
from hyperspy_t2t.physics.bonds import Bonds
from hyperspy_t2t.physics.keating import KeatingModel
from hyperspy_t2t.physics.keating_kernels import BONDS

_KINDS = (-0.55, 0.0, 0.55)
"""Likenesses between which sublattices lie: ±1 in zincblende, ±0.11 too in wurtzite."""


def average_lattice(
    bonds: Bonds, model: KeatingModel, group: Ints
) -> tuple[Bonds, KeatingModel]:
    """Bonds and a model that know groups of atoms in place of elements.

    Parameters
    ----------
    bonds, model
        See :func:`~hyperspy_t2t.physics.keating.energy_and_forces`.
    group
        Of each atom, from 0, shape (n,). Bonds between two groups have a mean of their
        own.
    """
    size = int(group.max(initial=0)) + 1
    group = np.ascontiguousarray(group, np.int8 if size <= 127 else np.int32)
    tables = np.stack([model.alpha, model.beta, model.length])
    sums = _sums(bonds.neighbours, bonds.species, group, tables, size)
    number = np.maximum(sums[3], 1)
    alpha, beta, length = sums[:3] / number
    length[sums[3] == 0] = 1
    names = tuple(str(k) for k in range(size))
    return (
        replace(bonds, species=group, elements=names),
        KeatingModel(names, alpha, beta, length),
    )


def uneven_forces(
    forces: Array, positions: Array, bonds: Bonds, group: Ints, used: Bools
) -> Array:
    """Forces without those that all atoms of a sublattice of a group share, (n, 3).

    Parameters
    ----------
    forces, positions
        In eV/Å and Å, shape (n, 3).
    bonds
        Their bonds.
    group
        Of each atom, ascending, shape (n,).
    used
        Atoms with four bonds whose median is taken, shape (n,).
    """
    result = forces.copy()
    ends = np.flatnonzero(np.diff(group, prepend=-1, append=-1))
    for start, stop in pairwise(ends):
        rows = slice(start, stop)
        chosen = np.flatnonzero(used[rows])
        if not len(chosen):
            continue
        first = start + chosen[0]
        reference = positions[bonds.neighbours[first]] - positions[first]
        reference += bonds.translations[bonds.shifts[first]]
        likeness = _likeness(
            positions, bonds.neighbours, bonds.shifts, bonds.translations, start, stop,
            reference,
        )  # fmt: skip
        kind = np.digitize(likeness, _KINDS)
        for one in range(len(_KINDS) + 1):
            mine = (kind == one) & used[rows]
            if mine.any():
                result[rows][kind == one] -= np.median(forces[rows][mine], axis=0)
    return result


def surrounded(kept: Bools, neighbours: Ints) -> Bools:
    """Atoms that are kept and have four bonds, all to atoms that are, shape (n,)."""
    return _surrounded(np.ascontiguousarray(kept), neighbours)


def same_group(group: Ints, neighbours: Ints) -> Bools:
    """Atoms bonded to none of another group, shape (n,)."""
    return _same_group(np.ascontiguousarray(group), neighbours)


@numba.njit(cache=True, nogil=True)
def _sums(
    neighbours: Ints, species: Ints, group: Ints, tables: Array, size: int
) -> Array:
    """α, β, length and 1 summed over the bonds of each pair of groups, (4, s, s)."""
    sums = np.zeros((4, size, size))
    for i in range(len(neighbours)):
        for k in range(BONDS):
            j = neighbours[i, k]
            if j < 0:
                break
            a, b = group[i], group[j]
            for quantity in range(3):
                sums[quantity, a, b] += tables[quantity, species[i], species[j]]
            sums[3, a, b] += 1
    return sums


@numba.njit(cache=True, nogil=True)
def _likeness(
    positions: Array,
    neighbours: Ints,
    shifts: Ints,
    translations: Array,
    start: int,
    stop: int,
    reference: Array,
) -> Array:
    """How the bonds of atoms point: 1 as the reference, −1 against it, (k,).

    By Σ (v·w)³, the product of the third moments of two tetrahedra: the second ones
    are those of a sphere.
    """
    result = np.zeros(stop - start)
    for i in range(start, stop):
        for k in range(BONDS):
            j = neighbours[i, k]
            if j < 0:
                break
            for other in range(len(reference)):
                product = 0.0
                for axis in range(3):
                    arm = positions[j, axis] - positions[i, axis]
                    arm += translations[shifts[i, k], axis]
                    product += arm * reference[other, axis]
                result[i - start] += product**3
    own = ((reference @ reference.T) ** 3).sum()
    return result / own


@numba.njit(cache=True, nogil=True)
def _surrounded(kept: Bools, neighbours: Ints) -> Bools:
    result = kept.copy()
    for i in range(len(neighbours)):
        for k in range(BONDS):
            j = neighbours[i, k]
            if j < 0 or not kept[j]:
                result[i] = False
    return result


@numba.njit(cache=True, nogil=True)
def _same_group(group: Ints, neighbours: Ints) -> Bools:
    result = np.ones(len(neighbours), np.bool_)
    for i in range(len(neighbours)):
        for k in range(BONDS):
            j = neighbours[i, k]
            if j >= 0 and group[j] != group[i]:
                result[i] = False
    return result
