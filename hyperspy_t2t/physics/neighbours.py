# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Which atoms are close to which: neighbours in any cell, periodic or not.

Atoms are sorted into bins about as wide as the cutoff, so that the time grows as the
number of atoms (Quentrec & Brot, J. Comput. Phys. 13, 430 (1973), doi:
10.1016/0021-9991(73)90046-6). Each periodic image of an atom is a neighbour of its
own, as many as the cutoff reaches: a model may be one period thin.

Everywhere ``positions`` is (n, 3) in Å, ``cell`` (3, 3) has the cell vectors as rows
in Å and ``pbc`` (3,) says which of them are periodic. The others are not used and may
be zero; atoms may lie outside of the cell. ``cutoff`` is a distance in Å, or a matrix
(k, k) of them: the row is that of the atom, the column that of its neighbour, which
``species`` (n,) gives as 0 to k − 1.
"""

from typing import NamedTuple

import numba
import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.floating]
Ints = npt.NDArray[np.integer]


def neighbour_table(
    positions: Array,
    cell: Array,
    pbc: npt.NDArray[np.bool_],
    cutoff: float | Array,
    max_neighbours: int,
    *,
    species: Ints | None = None,
) -> tuple[Ints, Ints]:
    """Neighbours of each atom within a cutoff, nearest first.

    Parameters
    ----------
    positions, cell, pbc, cutoff, species
        See the module.
    max_neighbours
        Columns of the table, m; of more neighbours the nearest are kept.

    Returns
    -------
    index
        Neighbours, int32 (n, m), −1 where there are fewer. An atom stands once for each
        of its images, and an atom may be its own neighbour.
    count
        Number of neighbours, int32 (n,), also where it is above m.
    """
    bins = _sort_into_bins(positions, cell, pbc, cutoff, species)
    index = _empty_table(bins, max_neighbours)
    return index, _fill_table(bins, index, np.empty((0, *index.shape[1:], 3), "f4"))


def neighbour_vectors(
    positions: Array,
    cell: Array,
    pbc: npt.NDArray[np.bool_],
    cutoff: float | Array,
    max_neighbours: int,
    *,
    species: Ints | None = None,
) -> tuple[Ints, Array, Ints]:
    """:func:`neighbour_table` with the vectors to the neighbours.

    Returns
    -------
    index, count
        As in :func:`neighbour_table`.
    vectors
        From each atom to the image of its neighbour in Å, float32 (n, m, 3), NaN where
        there are fewer.
    """
    bins = _sort_into_bins(positions, cell, pbc, cutoff, species)
    index = _empty_table(bins, max_neighbours)
    vectors = np.full((*index.shape, 3), np.nan, np.float32)
    count = _fill_table(bins, index, vectors)
    return index, vectors, count


def nearest_distance(
    positions: Array,
    cell: Array,
    pbc: npt.NDArray[np.bool_],
    cutoff: float | Array,
    *,
    species: Ints | None = None,
) -> Array:
    """Distance in Å from each atom to its nearest, (n,); inf beyond the cutoff."""
    return count_and_nearest(positions, cell, pbc, cutoff, species=species)[1]


def coordination(
    positions: Array,
    cell: Array,
    pbc: npt.NDArray[np.bool_],
    cutoff: float | Array,
    *,
    species: Ints | None = None,
) -> Ints:
    """Number of neighbours of each atom within a cutoff, int32 (n,)."""
    return count_and_nearest(positions, cell, pbc, cutoff, species=species)[0]


def count_and_nearest(
    positions: Array,
    cell: Array,
    pbc: npt.NDArray[np.bool_],
    cutoff: float | Array,
    *,
    species: Ints | None = None,
) -> tuple[Ints, Array]:
    """:func:`coordination` and :func:`nearest_distance` at once."""
    bins = _sort_into_bins(positions, cell, pbc, cutoff, species)
    count = np.zeros(len(bins.order), np.int32)
    distance = np.full(len(count), np.inf)
    _summary(bins, count, distance)
    return count, distance


def neighbour_pairs(
    positions: Array,
    cell: Array,
    pbc: npt.NDArray[np.bool_],
    cutoff: float | Array,
    *,
    species: Ints | None = None,
) -> tuple[Ints, Ints, Array]:
    """All pairs within a cutoff, each once; a matrix of cutoffs must be symmetric.

    Returns
    -------
    first, second
        Atoms of each pair, (p,), first ≤ second, in the order of first. A pair stands
        once for each image of the second that is in reach of the first.
    distance
        In Å, (p,).
    """
    if not np.array_equal(cutoff, np.transpose(cutoff)):
        raise ValueError(
            "Expected a symmetric matrix of cutoffs for pairs, got "
            f"{np.asarray(cutoff).tolist()} Å."
        )
    count = coordination(positions, cell, pbc, cutoff, species=species)
    most = max(1, int(count.max(initial=1)))
    index, vectors, count = neighbour_vectors(
        positions, cell, pbc, cutoff, most, species=species
    )
    first, slot = np.nonzero(_each_once(index, vectors))
    distance = np.linalg.norm(vectors[first, slot].astype(float), axis=1)
    return first, index[first, slot].astype(np.int64), distance


def _each_once(index: Ints, vectors: Array) -> npt.NDArray[np.bool_]:
    """Of i → j and j → i the one with i < j; of two images of an atom itself one."""
    own = np.arange(len(index))[:, None]
    x, y, z = np.moveaxis(vectors, -1, 0)
    ahead = (x > 0) | ((x == 0) & ((y > 0) | ((y == 0) & (z > 0))))
    return (index > own) | ((index == own) & ahead)


class _Bins(NamedTuple):
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
    pbc: npt.NDArray[np.bool_]
    squares: Array
    """Squares of the cutoffs in Å², (k, k)."""


def _sort_into_bins(
    positions: Array,
    cell: Array,
    pbc: npt.NDArray[np.bool_],
    cutoff: float | Array,
    species: Ints | None,
) -> _Bins:
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
    return _Bins(
        points, order, species[order] if len(cutoffs) > 1 else species, starts, shape,
        reach, cell, pbc, cutoffs**2,
    )  # fmt: skip


def _empty_table(bins: _Bins, most: int) -> Ints:
    if most < 1:
        raise ValueError(f"Expected max_neighbours of 1 or more, got {most!r}.")
    return np.full((len(bins.order), int(most)), -1, np.int32)


def _independent_vectors(cell: Array, pbc: npt.NDArray[np.bool_]) -> Array:
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
    pbc: npt.NDArray[np.bool_],
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
    pbc: npt.NDArray[np.bool_],
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


@numba.njit(cache=True, nogil=True)
def _around(bins: _Bins, place: int, rows: Ints, spots: Array) -> int:
    """Atoms in reach of a bin, as images where they are: their rows in the bins.

    `rows` (m,) and `spots` (m, 3), in Å, are filled as far as they reach; the number
    of atoms may be larger.
    """
    _, ny, nz = bins.shape
    home = np.array([place // (ny * nz), place // nz % ny, place % nz])
    low, high = home - bins.reach, home + bins.reach + 1
    for axis in range(3):
        if not bins.pbc[axis]:
            low[axis] = max(low[axis], 0)
            high[axis] = min(high[axis], bins.shape[axis])
    turns, shift = np.zeros(3, np.int64), np.zeros(3)
    found = 0
    for one in range(low[0], high[0]):
        turns[0] = one // bins.shape[0]
        for two in range(low[1], high[1]):
            turns[1] = two // ny
            line = ((one - turns[0] * bins.shape[0]) * ny + two - turns[1] * ny) * nz
            three = low[2]
            while three < high[2]:  # a row of bins up to the end of the cell at once
                turns[2] = three // nz
                stop = min(high[2], (turns[2] + 1) * nz)
                first = bins.starts[line + three - turns[2] * nz]
                last = bins.starts[line + stop - turns[2] * nz]
                three = stop
                if found + last - first <= len(rows):
                    for part in range(3):
                        shift[part] = 0.0
                        for axis in range(3):
                            shift[part] += turns[axis] * bins.cell[axis, part]
                    for other in range(first, last):
                        to = found + other - first
                        rows[to] = other
                        for part in range(3):
                            spots[to, part] = bins.points[other, part] + shift[part]
                found += last - first
    return found


@numba.njit(cache=True, nogil=True)
def _all_around(
    bins: _Bins, place: int, rows: Ints, spots: Array
) -> tuple[int, Ints, Array]:
    """:func:`_around` with arrays that grow where they are too short."""
    found = _around(bins, place, rows, spots)
    if found > len(rows):
        rows, spots = np.empty(2 * found, np.int32), np.empty((2 * found, 3))
        _around(bins, place, rows, spots)
    return found, rows, spots


@numba.njit(cache=True, nogil=True)
def _within(
    bins: _Bins, atom: int, candidates: int, rows: Ints, spots: Array, near: Ints,
    squares: Array,
) -> int:  # fmt: skip
    """Which of the candidates are neighbours of an atom, and their squared distances.

    An atom is no neighbour of itself where it stands; its images are.
    """
    x, y, z = bins.points[atom]
    alike, limit = len(bins.squares) == 1, bins.squares[0, 0]
    found = 0
    for k in range(candidates):
        dx, dy, dz = spots[k, 0] - x, spots[k, 1] - y, spots[k, 2] - z
        square = dx * dx + dy * dy + dz * dz
        if not alike:
            limit = bins.squares[bins.species[atom], bins.species[rows[k]]]
        if square > limit or (square == 0.0 and rows[k] == atom):
            continue
        near[found] = k
        squares[found] = square
        found += 1
    return found


@numba.njit(cache=True, nogil=True)
def _summary(bins: _Bins, count: Ints, distance: Array) -> None:
    """Number of neighbours and the distance of the nearest."""
    rows, spots = np.empty(256, np.int32), np.empty((256, 3))
    near, squares = np.empty(256, np.int32), np.empty(256)
    for place in range(len(bins.starts) - 1):
        if bins.starts[place] == bins.starts[place + 1]:
            continue
        candidates, rows, spots = _all_around(bins, place, rows, spots)
        if len(near) < len(rows):
            near, squares = np.empty(len(rows), np.int32), np.empty(len(rows))
        for atom in range(bins.starts[place], bins.starts[place + 1]):
            found = _within(bins, atom, candidates, rows, spots, near, squares)
            count[bins.order[atom]] = found
            if found:
                distance[bins.order[atom]] = np.sqrt(squares[:found].min())


@numba.njit(cache=True, nogil=True)
def _fill_table(bins: _Bins, index: Ints, vectors: Array) -> Ints:
    """Fill the rows of the table, and of the vectors unless there are none of them."""
    count = np.zeros(len(index), np.int32)
    rows, spots = np.empty(256, np.int32), np.empty((256, 3))
    near, squares = np.empty(256, np.int32), np.empty(256)
    for place in range(len(bins.starts) - 1):
        if bins.starts[place] == bins.starts[place + 1]:
            continue
        candidates, rows, spots = _all_around(bins, place, rows, spots)
        if len(near) < len(rows):
            near, squares = np.empty(len(rows), np.int32), np.empty(len(rows))
        for atom in range(bins.starts[place], bins.starts[place + 1]):
            found = _within(bins, atom, candidates, rows, spots, near, squares)
            row = bins.order[atom]
            count[row] = found
            for to in range(min(found, index.shape[1])):
                best = to + np.argmin(squares[to:found])
                k = near[best]
                index[row, to] = bins.order[rows[k]]
                if len(vectors):
                    for part in range(3):
                        vectors[row, to, part] = (
                            spots[k, part] - bins.points[atom, part]
                        )
                near[best], squares[best] = near[to], squares[to]
    return count
