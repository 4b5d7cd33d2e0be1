# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Bonds of tetrahedral crystals: at most four an atom, found once and then kept.

Two atoms are bonded where they are closer than `reach` times the length of their bond
and each is among the four nearest of the other, so that every bond is known at both of
its ends. Hydrogen takes the place of a bond and has none itself: it passivates.
"""

from dataclasses import dataclass, replace
from typing import Self

import numba
import numpy as np
from ase.data import chemical_symbols

from hyperspy_t2t.array_types import Array, Bools, Ints
from hyperspy_t2t.physics.keating_kernels import BONDS
from hyperspy_t2t.physics.keating_parameters import bond_length, pair
from hyperspy_t2t.physics.neighbours import neighbour_vectors

_MOST_IMAGES = 127
"""As int8 can number."""


@dataclass(frozen=True)
class Bonds:
    """Bonds between n atoms; unused places of the tables come last.

    Parameters
    ----------
    neighbours
        Bonded atoms, int32 (n, 4), −1 where there is none.
    shifts
        Row of `images` the bonded atom is in, int8 (n, 4).
    reverse
        Place of the atom in the row of its bonded atom, int8 (n, 4), −1 where there is
        none.
    images
        Images of the cell that bonds reach, in cell vectors, (m, 3); the first is zero.
    cell, pbc
        Cell vectors as rows in Å, (3, 3), and which of them are periodic, (3,).
    species
        Place of the element of each atom in `elements`, int8 (n,).
    elements
        Symbols, by atomic number.
    coordination
        Atoms, hydrogen too, in reach of each, int32 (n,).
    wrong
        Atoms that do not have four bonds (hydrogen: one) or of which one was given up,
        (n,): surfaces, defects, artefacts.
    """

    neighbours: Ints
    shifts: Ints
    reverse: Ints
    images: Ints
    cell: Array
    pbc: Bools
    species: Ints
    elements: tuple[str, ...]
    coordination: Ints
    wrong: Bools

    @property
    def translations(self) -> Array:
        """Where the images of the cell are, in Å, (m, 3); the first is zero."""
        return self.images @ self.cell

    @property
    def number(self) -> int:
        """Number of bonds, each counted once."""
        return int(np.count_nonzero(self.neighbours >= 0)) // 2

    def in_cell(self, cell: Array) -> Self:
        """The same bonds in a deformed cell, vectors as rows in Å."""
        return replace(self, cell=np.asarray(cell, float))

    def vectors(self, positions: Array) -> Array:
        """Bond vectors in Å of positions (n, 3), (n, 4, 3); NaN where there is none."""
        vectors = positions[self.neighbours] - positions[:, None]
        vectors += self.translations[self.shifts]
        vectors[self.neighbours < 0] = np.nan
        return vectors

    def lengths(self, positions: Array) -> dict[tuple[str, str], Array]:
        """Lengths in Å of the bonds of each pair of elements, each bond twice."""
        length = np.linalg.norm(self.vectors(positions), axis=2)
        one, other = self.species[:, None], self.species[self.neighbours]
        low, high = np.minimum(one, other), np.maximum(one, other)
        result = {}
        for a, first in enumerate(self.elements):
            for b, second in enumerate(self.elements):
                own = length[(low == a) & (high == b) & np.isfinite(length)]
                if own.size:
                    result[pair((first, second))] = own
        return result

    def coordination_of(self, element: str) -> Ints:
        """Number of atoms of an element with 0, 1, 2 … others in reach."""
        own = self.species == self.elements.index(element)
        return np.bincount(self.coordination[own])


def bond_table(
    positions: Array,
    numbers: Ints,
    cell: Array,
    pbc: Bools,
    *,
    reach: float = 1.2,
    lengths: dict[tuple[str, str], float] | None = None,
) -> Bonds:
    """Find the bonds of a tetrahedral crystal.

    The time grows as the number of atoms, about 1 µs each. Atoms that are wrongly
    coordinated are marked; one that has more than four others in reach keeps those of
    its four nearest that count it among their four nearest.

    Parameters
    ----------
    positions
        In Å, shape (n, 3); may lie outside of the cell.
    numbers
        Atomic numbers, shape (n,).
    cell, pbc
        Cell vectors as rows in Å, shape (3, 3), and which of them are periodic. A
        periodic cell may be thinner than a bond is long.
    reach
        Atoms up to this many bond lengths away are bonded.
    lengths
        Bond lengths in Å of pairs of symbols, before those of
        :func:`~hyperspy_t2t.physics.keating_parameters.bond_length`.

    Raises
    ------
    ValueError
        If shapes do not fit, or the atoms lie so many cells apart that their bonds
        reach more than 127 images of the cell.
    """
    positions, numbers = _checked(positions, numbers)
    cell, pbc = np.array(cell, float), np.array(pbc, bool)
    species, elements = _species(numbers)
    near, vectors, count = neighbour_vectors(
        positions, cell, pbc, reach * _lengths(elements, lengths or {}), BONDS,
        species=species,
    )  # fmt: skip
    shifts, images = _numbered_images(positions, near, vectors, cell, pbc)
    hydrogen = np.array([symbol == "H" for symbol in elements], bool)
    opposite = (images[:, None] == -images).all(2)
    returns = np.where(opposite.any(1), opposite.argmax(1), -1)
    reverse, given_up = _keep_mutual(near, shifts, returns, species, hydrogen)
    expected = np.where(hydrogen, 1, BONDS)[species]
    return Bonds(
        near, shifts, reverse, images, cell, pbc, species, elements, count,
        (count != expected) | given_up,
    )  # fmt: skip


def _checked(positions: Array, numbers: Ints) -> tuple[Array, Ints]:
    positions = np.ascontiguousarray(positions, float)
    numbers = np.asarray(numbers)
    if (
        positions.ndim != 2
        or positions.shape[1] != 3
        or numbers.shape != (len(positions),)
    ):
        raise ValueError(
            "Expected positions of shape (n, 3) and numbers of shape (n,), got "
            f"{positions.shape} and {numbers.shape}."
        )
    return positions, numbers


def _species(numbers: Ints) -> tuple[Ints, tuple[str, ...]]:
    present = np.flatnonzero(np.bincount(numbers, minlength=1))
    place = np.zeros(max(present, default=0) + 1, np.int8)
    place[present] = np.arange(len(present))
    return place[numbers], tuple(chemical_symbols[number] for number in present)


def _lengths(elements: tuple[str, ...], given: dict[tuple[str, str], float]) -> Array:
    """Bond lengths in Å of all pairs of elements, (s, s)."""
    own = {pair(names): length for names, length in given.items()}
    return (
        np.array(
            [
                [own.get(pair((a, b))) or bond_length(a, b) for a in elements]
                for b in elements
            ]
        )
        if elements
        else np.ones((1, 1))
    )


def _numbered_images(
    positions: Array, near: Ints, vectors: Array, cell: Array, pbc: Bools
) -> tuple[Ints, Ints]:
    """Number of the image each neighbour is in, (n, 4), and the images, (m, 3)."""
    shifts = np.zeros(near.shape, np.int8)
    images = np.zeros((_MOST_IMAGES if pbc.any() else 1, 3), np.int64)
    if not pbc.any():
        return shifts, images
    # Rows of the pseudoinverse: what of a vector lies along each periodic one.
    along = np.zeros((3, 3))
    along[:, pbc] = np.linalg.pinv(cell[pbc])
    found = _number_images(positions, near, vectors, along, shifts, images)
    if found > _MOST_IMAGES:
        raise ValueError(
            f"Expected bonds to at most {_MOST_IMAGES} images of the cell, got more: "
            "wrap the positions into the cell."
        )
    return shifts, images[:found]


@numba.njit(cache=True, nogil=True)
def _number_images(
    positions: Array,
    near: Ints,
    vectors: Array,
    along: Array,
    shifts: Ints,
    images: Ints,
) -> int:
    """Write images as they are met and their numbers; returns how many there are."""
    found = 1
    cells = np.zeros(3, np.int64)
    for i in range(len(near)):
        for k in range(BONDS):
            j = near[i, k]
            if j < 0:
                break
            for axis in range(3):
                part = 0.0
                for b in range(3):
                    gap = vectors[i, k, b] + positions[i, b] - positions[j, b]
                    part += gap * along[b, axis]
                cells[axis] = np.rint(part)
            number = 0
            while number < found and (
                cells[0] != images[number, 0]
                or cells[1] != images[number, 1]
                or cells[2] != images[number, 2]
            ):
                number += 1
            if number == found:
                if found == len(images):
                    return found + 1
                images[found] = cells
                found += 1
            shifts[i, k] = number
    return found


@numba.njit(cache=True, nogil=True)
def _keep_mutual(
    near: Ints, shifts: Ints, returns: Ints, species: Ints, hydrogen: Bools
) -> tuple[Ints, Bools]:
    """Move bonds known at both ends, and not to hydrogen, to the front of their rows.

    Changes `near` and `shifts`; `returns` (m,) is the number of the opposite of each
    image. Returns the places of return, (n, 4), and which atoms gave a bond up.
    """
    n = len(near)
    place = np.full((n, BONDS), -1, np.int8)
    back = np.full((n, BONDS), -1, np.int8)
    given_up = np.zeros(n, np.bool_)
    for i in range(n):
        used = 0
        for k in range(BONDS):
            j = near[i, k]
            if j < 0:
                break
            opposite = returns[shifts[i, k]]
            for other in range(BONDS):
                if near[j, other] == i and shifts[j, other] == opposite:
                    back[i, k] = other
            if back[i, k] < 0:
                given_up[i] = True
            elif not (hydrogen[species[i]] or hydrogen[species[j]]):
                place[i, k] = used
                used += 1
    reverse = np.full((n, BONDS), -1, np.int8)
    for i in range(n):  # before any row changes
        for k in range(BONDS):
            if place[i, k] >= 0:
                reverse[i, place[i, k]] = place[near[i, k], back[i, k]]
    for i in range(n):
        used = 0
        for k in range(BONDS):
            if place[i, k] >= 0:  # never after where it goes
                near[i, used], shifts[i, used] = near[i, k], shifts[i, k]
                used += 1
        near[i, used:] = -1
        shifts[i, used:] = 0
    return reverse, given_up
