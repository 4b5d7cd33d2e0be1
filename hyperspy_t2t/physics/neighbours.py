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

from hyperspy_t2t.array_types import Array, Bools, Ints
from hyperspy_t2t.physics.atom_bins import AtomBins, sort_into_bins
from hyperspy_t2t.physics.threads import in_parallel


def neighbour_vectors(
    positions: Array,
    cell: Array,
    pbc: Bools,
    cutoff: float | Array,
    max_neighbours: int,
    *,
    species: Ints | None = None,
) -> tuple[Ints, Array, Ints]:
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
    vectors
        From each atom to the image of its neighbour in Å, float32 (n, m, 3), NaN where
        there are fewer.
    count
        Number of neighbours, int32 (n,), also where it is above m.
    """
    if max_neighbours < 1:
        raise ValueError(f"Expected max_neighbours of 1 or more: {max_neighbours!r}.")
    bins = sort_into_bins(positions, cell, pbc, cutoff, species)
    n = len(bins.order)
    index = np.empty((n, int(max_neighbours)), np.int32)
    vectors = np.empty((*index.shape, 3), np.float32)
    count = np.empty(n, np.int32)
    in_parallel(_fill_table, bins.number, bins, index, vectors, count, n_atoms=n)
    return index, vectors, count


def nearest_distance(
    positions: Array,
    cell: Array,
    pbc: Bools,
    cutoff: float | Array,
    *,
    species: Ints | None = None,
) -> Array:
    """Distance in Å from each atom to its nearest, (n,); inf beyond the cutoff."""
    return count_and_nearest(positions, cell, pbc, cutoff, species=species)[1]


def coordination(
    positions: Array,
    cell: Array,
    pbc: Bools,
    cutoff: float | Array,
    *,
    species: Ints | None = None,
) -> Ints:
    """Number of neighbours of each atom within a cutoff, int32 (n,)."""
    return count_and_nearest(positions, cell, pbc, cutoff, species=species)[0]


def count_and_nearest(
    positions: Array,
    cell: Array,
    pbc: Bools,
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
    n = len(bins.order)
    count, distance = np.empty(n, np.int32), np.empty(n)
    within = np.ascontiguousarray(
        np.broadcast_to(np.asarray(within, float), len(bins.squares))
    )
    in_parallel(_summary, bins.number, bins, within, count, distance, n_atoms=n)
    return count, distance


def neighbour_pairs(
    positions: Array,
    cell: Array,
    pbc: Bools,
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


def _each_once(index: Ints, vectors: Array) -> Bools:
    """Of i → j and j → i the one with i < j; of two images of an atom itself one."""
    own = np.arange(len(index))[:, None]
    x, y, z = np.moveaxis(vectors, -1, 0)
    ahead = (x > 0) | ((x == 0) & ((y > 0) | ((y == 0) & (z > 0))))
    return (index > own) | ((index == own) & ahead)


@numba.njit(cache=True, nogil=True)
def _lines_around(
    bins: AtomBins, place: int, lines: Ints, shifts: Array
) -> tuple[int, int]:
    """Where the atoms in reach of a bin stand: lines of bins; how many, of how many.

    Written: first atom and the one after the last of each line, (m, 2), and where the
    image of the cell that it is in begins, in Å, (m, 3).
    """
    nx, ny, nz = bins.shape
    first = _span(place // (ny * nz), bins, 0)
    second = _span(place // nz % ny, bins, 1)
    third = _span(place % nz, bins, 2)
    found = atoms = 0
    for one in range(first[0], first[1]):
        turn_x = _turns(one, nx)
        for two in range(second[0], second[1]):
            turn_y = _turns(two, ny)
            row = ((one - turn_x * nx) * ny + two - turn_y * ny) * nz
            three = third[0]
            while three < third[1]:  # up to the end of the cell at once
                turn_z = _turns(three, nz)
                stop = min(third[1], (turn_z + 1) * nz)
                begin = bins.starts[row + three - turn_z * nz]
                end = bins.starts[row + stop - turn_z * nz]
                three = stop
                if begin == end:
                    continue
                lines[found, 0], lines[found, 1] = begin, end
                for part in range(3):
                    shifts[found, part] = (
                        turn_x * bins.cell[0, part]
                        + turn_y * bins.cell[1, part]
                        + turn_z * bins.cell[2, part]
                    )
                found += 1
                atoms += end - begin
    return found, atoms


@numba.njit(cache=True, nogil=True)
def _span(home: int, bins: AtomBins, axis: int) -> tuple[int, int]:
    """Bins in reach along an axis, beyond the cell too where it is periodic."""
    low, high = home - bins.reach[axis], home + bins.reach[axis] + 1
    if bins.pbc[axis]:
        return low, high
    return max(low, 0), min(high, bins.shape[axis])


@numba.njit(cache=True, nogil=True)
def _turns(place: int, size: int) -> int:
    """Images of the cell from home; nearly always none, which spares a division."""
    return 0 if 0 <= place < size else place // size


@numba.njit(cache=True, nogil=True)
def _within(
    points: Array, species: Ints, limits: Array, longest: float, atom: int, number: int,
    lines: Ints, shifts: Array, near: Ints, squares: Array,
) -> int:  # fmt: skip
    """Neighbours of an atom in some lines, and their squared distances; their number.

    Written: atom and line of each, (m, 2). An atom is no neighbour of itself where it
    stands; its images are.
    """
    alike = len(limits) == 1
    own = 0 if alike else species[atom]
    x, y, z = points[atom, 0], points[atom, 1], points[atom, 2]
    found = 0
    for line in range(number):
        shift_x, shift_y, shift_z = shifts[line, 0], shifts[line, 1], shifts[line, 2]
        for other in range(lines[line, 0], lines[line, 1]):
            dx = points[other, 0] + shift_x - x
            dy = points[other, 1] + shift_y - y
            dz = points[other, 2] + shift_z - z
            square = dx * dx + dy * dy + dz * dz
            if square > longest or (square == 0.0 and other == atom):
                continue
            if alike or square <= limits[own, species[other]]:
                near[found, 0], near[found, 1], squares[found] = other, line, square
                found += 1
    return found


@numba.njit(cache=True, nogil=True)
def _room(bins: AtomBins) -> tuple[Ints, Array]:
    """Empty lines and shifts, as many as there can be around a bin."""
    most = 1
    for axis in range(3):
        width = 2 * bins.reach[axis] + 1
        if not bins.pbc[axis]:
            width = min(width, bins.shape[axis])
        most *= width if axis < 2 else width // bins.shape[axis] + 2
    return np.empty((most, 2), np.int64), np.empty((most, 3))


@numba.njit(cache=True, nogil=True)
def _as_long_as(length: int, near: Ints, squares: Array) -> tuple[Ints, Array]:
    """The arrays, or longer ones."""
    if length <= len(near):
        return near, squares
    return np.empty((2 * length, 2), np.int32), np.empty(2 * length)


@numba.njit(cache=True, nogil=True)
def _summary(
    begin: int, end: int, bins: AtomBins, within: Array, count: Ints, distance: Array
) -> None:
    """Number of neighbours and distance of the nearest of atoms in a range of bins."""
    lines, shifts = _room(bins)
    longest = bins.squares.max()
    near, squares = np.empty((0, 2), np.int32), np.empty(0)
    for place in range(begin, end):
        if bins.starts[place] == bins.starts[place + 1]:
            continue
        number, candidates = _lines_around(bins, place, lines, shifts)
        near, squares = _as_long_as(candidates, near, squares)
        for atom in range(bins.starts[place], bins.starts[place + 1]):
            found = _within(
                bins.points, bins.species, bins.squares, longest, atom, number, lines,
                shifts, near, squares,
            )  # fmt: skip
            nearest = np.sqrt(squares[:found].min()) if found else np.inf
            share = within[0 if len(within) == 1 else bins.species[atom]]
            if share < np.inf:
                found = np.count_nonzero(squares[:found] <= (share * nearest) ** 2)
            count[bins.order[atom]], distance[bins.order[atom]] = found, nearest


@numba.njit(cache=True, nogil=True)
def _fill_table(
    begin: int, end: int, bins: AtomBins, index: Ints, vectors: Array, count: Ints
) -> None:
    """Fill the rows of the table and of the vectors of atoms in a range of bins."""
    lines, shifts = _room(bins)
    longest = bins.squares.max()
    near, squares = np.empty((0, 2), np.int32), np.empty(0)
    for place in range(begin, end):
        if bins.starts[place] == bins.starts[place + 1]:
            continue
        number, candidates = _lines_around(bins, place, lines, shifts)
        near, squares = _as_long_as(candidates, near, squares)
        for atom in range(bins.starts[place], bins.starts[place + 1]):
            found = _within(
                bins.points, bins.species, bins.squares, longest, atom, number, lines,
                shifts, near, squares,
            )  # fmt: skip
            row = bins.order[atom]
            count[row] = found
            _nearest_first(found, index.shape[1], near, squares)
            for to in range(index.shape[1]):
                if to >= found:
                    index[row, to] = -1
                    vectors[row, to] = np.nan
                    continue
                other, line = near[to, 0], near[to, 1]
                index[row, to] = bins.order[other]
                for part in range(3):
                    spot = bins.points[other, part] + shifts[line, part]
                    vectors[row, to, part] = spot - bins.points[atom, part]


@numba.njit(cache=True, nogil=True)
def _nearest_first(found: int, most: int, near: Ints, squares: Array) -> None:
    """Move the nearest of the neighbours to the front, as many as are wanted."""
    for to in range(min(found, most)):
        best = to
        for k in range(to + 1, found):
            if squares[k] < squares[best]:
                best = k
        for part in range(2):
            near[to, part], near[best, part] = near[best, part], near[to, part]
        squares[to], squares[best] = squares[best], squares[to]
