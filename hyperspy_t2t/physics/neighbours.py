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

import numba
import numpy as np
import numpy.typing as npt

from hyperspy_t2t.physics.atom_bins import AtomBins, sort_into_bins

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
    bins = sort_into_bins(positions, cell, pbc, cutoff, species)
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
    bins = sort_into_bins(positions, cell, pbc, cutoff, species)
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
    within: float | Array = np.inf,
) -> tuple[Ints, Array]:
    """:func:`coordination` and :func:`nearest_distance` at once.

    Neighbours further than `within` times the nearest one of an atom are not counted;
    a number, or one for each species, (k,).
    """
    bins = sort_into_bins(positions, cell, pbc, cutoff, species)
    count = np.zeros(len(bins.order), np.int32)
    distance = np.full(len(count), np.inf)
    within = np.broadcast_to(np.asarray(within, float), len(bins.squares))
    _summary(bins, np.ascontiguousarray(within), count, distance)
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


def _empty_table(bins: AtomBins, most: int) -> Ints:
    if most < 1:
        raise ValueError(f"Expected max_neighbours of 1 or more, got {most!r}.")
    return np.full((len(bins.order), int(most)), -1, np.int32)


@numba.njit(cache=True, nogil=True)
def _around(bins: AtomBins, place: int, rows: Ints, spots: Array) -> int:
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
    bins: AtomBins, place: int, rows: Ints, spots: Array
) -> tuple[int, Ints, Array]:
    """:func:`_around` with arrays that grow where they are too short."""
    found = _around(bins, place, rows, spots)
    if found > len(rows):
        rows, spots = np.empty(2 * found, np.int32), np.empty((2 * found, 3))
        _around(bins, place, rows, spots)
    return found, rows, spots


@numba.njit(cache=True, nogil=True)
def _within(
    bins: AtomBins, atom: int, candidates: int, rows: Ints, spots: Array, near: Ints,
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
def _summary(bins: AtomBins, within: Array, count: Ints, distance: Array) -> None:
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
            if not found:
                continue
            nearest = np.sqrt(squares[:found].min())
            distance[bins.order[atom]] = nearest
            share = within[0 if len(within) == 1 else bins.species[atom]]
            if share < np.inf:
                found = np.count_nonzero(squares[:found] <= (share * nearest) ** 2)
            count[bins.order[atom]] = found


@numba.njit(cache=True, nogil=True)
def _fill_table(bins: AtomBins, index: Ints, vectors: Array) -> Ints:
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
