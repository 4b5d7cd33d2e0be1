# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Random sequential addition of points to a region, none nearer than a distance."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numba import njit

from hyperspy_t2t.array_types import Array, Ints, Mask

Inside = Callable[[Array], Mask]
_POINTS = 2_000_000
"""Points at which the outline of a region is looked at, at most."""
_BATCH = 400_000
_IDLE = 4_000_000
"""Tries in vain after which a region counts as full."""


@dataclass(frozen=True)
class Outline:
    """Small squares that a region may reach into."""

    origin: Array
    """(x, y) of the corner of the first in Å, (2,)."""
    step: float
    """Their width in Å."""
    squares: Ints
    """(i, j) of each along x and y, shape (n, 2)."""
    area: float
    """Of the region in Å²."""


def outline_of(inside: Inside, bounds: tuple[float, float, float, float]) -> Outline:
    """Look at a region in the middle of small squares."""
    from scipy.ndimage import binary_dilation

    left, top, right, bottom = (10.0 * float(edge) for edge in bounds)
    if not (right > left and bottom > top):
        raise ValueError(
            f"Expected bounds (left, top, right, bottom) in nm, got {bounds!r}."
        )
    step = max(float(np.sqrt((right - left) * (bottom - top) / _POINTS)), 0.02)
    # One more all around, so that no part of the region lies beyond them.
    shape = np.ceil(np.array([right - left, bottom - top]) / step).astype(int) + 2
    origin = np.array([left, top]) - step
    seen = np.zeros(shape, bool)
    y = origin[1] + (np.arange(shape[1]) + 0.5) * step
    rows = max(1, _BATCH // shape[1])
    for start in range(0, shape[0], rows):
        x = origin[0] + (np.arange(start, min(start + rows, shape[0])) + 0.5) * step
        points = np.stack(np.meshgrid(x, y, indexing="ij"), -1).reshape(-1, 2)
        seen[start : start + rows] = np.reshape(inside(0.1 * points), (len(x), -1))
    if not seen.any():
        raise ValueError(
            f"Expected a region within {bounds!r} nm, got none of its points there."
        )
    squares = np.argwhere(binary_dilation(seen, np.ones((3, 3))))
    return Outline(origin, step, squares, float(seen.sum()) * step**2)


class Cells(NamedTuple):
    """Columns of cells, no narrower than the distance, where a region is."""

    origin: Array
    """(x, y) of the corner of the first cell in Å."""
    side: float
    """Of a cell along x and y in Å."""
    column: Ints
    """Number of each column, −1 where the region is not near, shape (nx, ny)."""
    depth: int
    """Cells along z."""
    height: float
    """Along z in Å."""
    periodic: bool
    distance: float
    heads: Ints
    """Last atom in each cell, −1 in an empty one, shape (n_columns * depth,)."""
    links: Ints
    """The atom before it in the cell, −1 for the first, shape (n_atoms,)."""
    atoms: Array
    """Positions in Å, filled as far as there are atoms, shape (n_atoms, 3)."""


def empty_cells(
    outline: Outline, height: float, distance: float, periodic: bool, most: int
) -> Cells:
    """Empty cells over a region, with room for atoms."""
    from scipy.ndimage import binary_dilation

    side = max(distance, outline.step)
    low, high = outline.squares.min(axis=0), outline.squares.max(axis=0) + 1
    origin = outline.origin + low * outline.step - side
    shape = np.ceil((high - low) * outline.step / side).astype(int) + 3
    middle = outline.origin + (outline.squares + 0.5) * outline.step
    near = np.zeros(shape, bool)
    near[tuple(((middle - origin) / side).astype(int).T)] = True
    near = binary_dilation(near, np.ones((3, 3)))
    column = np.full(shape, -1, np.int64)
    column[near] = np.arange(int(near.sum()))
    depth = max(1, int(height / distance))
    return Cells(
        origin, side, column, depth, height, periodic, distance,
        np.full(int(near.sum()) * depth, -1, np.int32),
        np.full(most, -1, np.int32), np.empty((most, 3)),
    )  # fmt: skip


def filled(
    cells: Cells,
    outline: Outline,
    inside: Inside,
    around: Array,
    placed: Array,
    random: np.random.Generator,
) -> Array:
    """Positions (n, 3) in Å: those placed, and more until the cells hold enough."""
    count = len(around) + len(placed)
    cells.atoms[:count] = np.concatenate([around, placed])
    _put_in(cells, 0, count)
    most = len(cells.atoms)
    batch = int(np.clip(20 * (most - len(around)), 20_000, _BATCH))
    patience = int(np.clip(400 * (most - len(around)), _BATCH, _IDLE))
    idle = 0
    while count < most and idle < patience:
        tries = _tries(outline, cells.height, batch, random)
        tries = tries[_free(cells, tries)]
        # The outline is the slower test: only what would find room takes it.
        tries = tries[np.asarray(inside(0.1 * tries[:, :2]), bool)]
        # Out of the order of the squares: the last ones may find enough atoms already.
        more = _added(cells, random.permutation(tries), count)
        idle = 0 if more > count else idle + batch
        count = more
    return cells.atoms[len(around) : count].copy()


def _tries(
    outline: Outline, height: float, count: int, random: np.random.Generator
) -> Array:
    """Random points (n, 3) in Å over the squares of a region, in their order."""
    # In the order of the squares: neighbours then lie near in memory, too.
    square = outline.squares[np.sort(random.integers(len(outline.squares), size=count))]
    points = random.random((count, 3))
    points[:, :2] = outline.origin + outline.step * (square + points[:, :2])
    points[:, 2] *= height
    return points


def near_region(around: Array | None, cells: Cells) -> Array:
    """Those of the atoms around, (m, 3), that may be in the way; wrapped along z."""
    if around is None or not len(around):
        return np.zeros((0, 3))
    around = np.asarray(around, float)
    if cells.periodic:
        around = np.column_stack([around[:, :2], around[:, 2] % cells.height])
    index = np.floor((around[:, :2] - cells.origin) / cells.side).astype(int)
    near = np.all((index >= 0) & (index < cells.column.shape), axis=1)
    near[near] = cells.column[tuple(index[near].T)] >= 0
    low, high = -cells.distance, cells.height + cells.distance
    return around[near & (around[:, 2] > low) & (around[:, 2] < high)]


@njit(cache=True, nogil=True)
def _layer(cells: Cells, z: float) -> int:
    """Which cell of a column has a depth; the end ones also what is beyond."""
    return min(max(int(z / cells.height * cells.depth), 0), cells.depth - 1)


@njit(cache=True, nogil=True)
def _put_in(cells: Cells, first: int, last: int) -> None:
    """Enter atoms into their cells."""
    for atom in range(first, last):
        x, y, z = cells.atoms[atom]
        i = int((x - cells.origin[0]) / cells.side)
        j = int((y - cells.origin[1]) / cells.side)
        cell = cells.column[i, j] * cells.depth + _layer(cells, z)
        cells.links[atom] = cells.heads[cell]
        cells.heads[cell] = atom


@njit(cache=True, nogil=True)
def _has_room(cells: Cells, x: float, y: float, z: float) -> bool:
    """Whether no atom is nearer than the distance."""
    limit = cells.distance**2
    i = int((x - cells.origin[0]) / cells.side)
    j = int((y - cells.origin[1]) / cells.side)
    k = _layer(cells, z)
    for column in cells.column[i - 1 : i + 2, j - 1 : j + 2].flat:
        if column < 0:
            continue
        for layer in range(k - 1, k + 2):
            if cells.periodic:
                layer %= cells.depth
            elif layer < 0 or layer >= cells.depth:
                continue
            atom = cells.heads[column * cells.depth + layer]
            while atom >= 0:
                dx, dy = cells.atoms[atom, 0] - x, cells.atoms[atom, 1] - y
                dz = cells.atoms[atom, 2] - z
                if cells.periodic:
                    dz -= cells.height * np.rint(dz / cells.height)
                if dx * dx + dy * dy + dz * dz < limit:
                    return False
                atom = cells.links[atom]
    return True


@njit(cache=True, nogil=True)
def _free(cells: Cells, points: Array) -> Mask:
    """Points (n, 3) that no atom is too near to."""
    result = np.empty(len(points), np.bool_)
    for k in range(len(points)):
        result[k] = _has_room(cells, points[k, 0], points[k, 1], points[k, 2])
    return result


@njit(cache=True, nogil=True)
def _added(cells: Cells, points: Array, count: int) -> int:
    """Enter the points that have room, one after another; the new number of atoms."""
    for k in range(len(points)):
        if count == len(cells.atoms):
            break
        if _has_room(cells, points[k, 0], points[k, 1], points[k, 2]):
            cells.atoms[count] = points[k]
            _put_in(cells, count, count + 1)
            count += 1
    return count
