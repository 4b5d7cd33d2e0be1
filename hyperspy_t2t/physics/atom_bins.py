# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Atoms sorted into bins, in which their neighbours are found.

Bins are about as wide as the cutoff; :mod:`hyperspy_t2t.physics.neighbours` says what
the arguments mean.
"""

from typing import NamedTuple

import numba
import numpy as np

from hyperspy_t2t.array_types import Array, Bools, Ints


class AtomBins(NamedTuple):
    """Atoms in the order of their bins."""

    points: Array
    """Positions in Å, wrapped into the cell along periodic vectors, (n, 3)."""
    order: Ints
    """Their places in the table of the caller, (n,)."""
    species: Ints
    """Species of each, (n,), or one for all."""
    starts: Ints
    """First atom of each bin, (n_bins + 1,)."""
    shape: Ints
    """Bins along the three axes, (3,)."""
    reach: Ints
    """Bins to search on either side, (3,)."""
    cell: Array
    """Three independent vectors as rows in Å, (3, 3)."""
    pbc: Bools
    squares: Array
    """Squares of the cutoffs in Å², (k, k)."""

    @property
    def number(self) -> int:
        """Of the bins."""
        return len(self.starts) - 1


def sort_into_bins(
    positions: Array,
    cell: Array,
    pbc: Bools,
    cutoff: float | Array,
    species: Ints | None,
) -> AtomBins:
    """Check what the caller gave and sort the atoms into bins."""
    positions = np.asarray(positions, float).reshape(-1, 3)
    if not np.isfinite(positions).all():
        raise ValueError("Expected finite positions in Å, got NaN or inf among them.")
    pbc = np.array(pbc, bool)
    cell = _independent_vectors(np.array(cell, float), pbc)
    cutoffs, species = _cutoffs(cutoff, species, len(positions))
    inverse = np.linalg.inv(cell)
    low, span = np.zeros(3), np.ones(3)
    if len(positions):
        for axis in np.flatnonzero(~pbc):
            along = positions @ inverse[:, axis]
            low[axis] = along.min()
            span[axis] = max(np.ptp(along), 1e-3)
    # Distances between the faces of the box, which oblique vectors exceed.
    heights = span / np.linalg.norm(inverse, axis=0)
    longest = float(cutoffs.max()) * (1 + 1e-9)
    shape = _number_of_bins(heights, longest, len(positions))
    places = np.empty(len(positions), np.int32)
    starts = np.zeros(int(shape.prod()) + 1, np.int64)
    _count_bins(positions, inverse, low, span, pbc, shape, places, starts)
    points = np.empty_like(positions)
    order = np.empty(len(positions), np.int32)
    _fill_bins(positions, inverse, cell, pbc, places, starts, points, order)
    reach = np.ceil(longest * shape / heights).astype(np.int64)
    return AtomBins(
        points, order, species[order] if len(cutoffs) > 1 else species, starts, shape,
        reach, cell, pbc, cutoffs**2,
    )  # fmt: skip


def _independent_vectors(cell: Array, pbc: Bools) -> Array:
    """The periodic vectors, and unit vectors normal to them in place of the others."""
    if cell.shape != (3, 3) or pbc.shape != (3,):
        raise ValueError(
            "Expected a cell of three vectors, shape (3, 3), and pbc of shape (3,), "
            f"got {cell.shape} and {pbc.shape}."
        )
    periodic = cell[pbc]
    size = np.linalg.svd(periodic, compute_uv=False)
    if len(periodic) and not size.min() > 1e-6 * size.max():
        raise ValueError(
            "Expected periodic cell vectors that are independent and not zero, got "
            f"{periodic.tolist()} Å."
        )
    result = cell.copy()
    if len(periodic) < 3:
        normal = np.linalg.svd(periodic.reshape(-1, 3))[2][len(periodic) :]
        result[~pbc] = normal if len(periodic) else np.eye(3)
    return result


def _cutoffs(
    cutoff: float | Array, species: Ints | None, n_atoms: int
) -> tuple[Array, Ints]:
    """Cutoffs as a matrix, and the species of each atom; one species needs no list."""
    cutoffs = np.atleast_2d(np.asarray(cutoff, float))
    good = np.isfinite(cutoffs).all() and (cutoffs >= 0).all() and cutoffs.any()
    if not good or cutoffs.shape != (len(cutoffs),) * 2:
        raise ValueError(
            "Expected a cutoff above 0 Å, or a square matrix of them, got "
            f"{np.asarray(cutoff).tolist()}."
        )
    if len(cutoffs) == 1:
        return cutoffs, np.zeros(1, np.int32)
    if species is None or np.shape(species) != (n_atoms,):
        raise ValueError(
            f"Expected the species of each of {n_atoms} atoms with a matrix of "
            f"cutoffs, got {None if species is None else np.shape(species)}."
        )
    species = np.asarray(species)
    if n_atoms and not (species.min() >= 0 and species.max() < len(cutoffs)):
        raise ValueError(
            f"Expected species from 0 to {len(cutoffs) - 1}, the rows of the cutoffs, "
            f"got {species.min()} to {species.max()}."
        )
    return cutoffs, species.astype(np.int32)


def _number_of_bins(heights: Array, longest: float, n_atoms: int) -> Ints:
    """Bins along each axis: as wide as the cutoff, wider where most would be empty."""
    width = longest
    while True:
        shape = np.maximum(1, heights / width)
        if shape.prod() <= 0.5 * n_atoms + 64:
            return shape.astype(np.int64)
        width *= 1.26


@numba.njit(cache=True, nogil=True)
def _count_bins(
    positions: Array,
    inverse: Array,
    low: Array,
    span: Array,
    pbc: Bools,
    shape: Ints,
    places: Ints,
    starts: Ints,
) -> None:
    """Bin of each atom, and where each bin begins once they are sorted."""
    for atom in range(len(positions)):
        flat = 0
        for axis in range(3):
            along = 0.0
            for part in range(3):
                along += positions[atom, part] * inverse[part, axis]
            if pbc[axis]:
                along -= np.floor(along)
            else:
                along = (along - low[axis]) / span[axis]
            place = min(max(int(along * shape[axis]), 0), shape[axis] - 1)
            flat = flat * shape[axis] + place
        places[atom] = flat
        starts[flat + 1] += 1
    for flat in range(1, len(starts)):
        starts[flat] += starts[flat - 1]


@numba.njit(cache=True, nogil=True)
def _fill_bins(
    positions: Array,
    inverse: Array,
    cell: Array,
    pbc: Bools,
    places: Ints,
    starts: Ints,
    points: Array,
    order: Ints,
) -> None:
    """Put the atoms where their bins begin, wrapped into the cell."""
    following = starts[:-1].copy()
    for atom in range(len(positions)):
        to = following[places[atom]]
        following[places[atom]] += 1
        order[to] = atom
        points[to] = positions[atom]
        for axis in range(3):
            if pbc[axis]:
                along = 0.0
                for part in range(3):
                    along += positions[atom, part] * inverse[part, axis]
                turns = np.floor(along)
                for part in range(3):
                    points[to, part] -= turns * cell[axis, part]
