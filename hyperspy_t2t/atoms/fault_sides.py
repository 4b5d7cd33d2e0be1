# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""The sides of planar faults in a region, each with a displacement of its own.

Across a fault the displacement jumps; an average over the jump belongs to neither side.
Where the sides are told apart, the field may be continued up to the fault from each.
"""

from collections.abc import Sequence

import numpy as np
from numba import njit

from hyperspy_t2t.array_types import Array, Ints, Mask
from hyperspy_t2t.calibration import ImageGrid

_END = 0.3
"""Share of a line, at either end, that says in which direction it goes on."""
_THIN = 1.5
"""Places deep from a cut to the next border below which a part is no side."""


def sides_of_faults(
    inside: Mask, grid: ImageGrid, lines: Sequence[Array]
) -> tuple[Ints, int]:
    """Parts of a region between faults.

    Places whose straight connection crosses a line do not hang together. Lines are
    seen to end short of the border of a region (an average needs room), and some do end
    within it. All are carried on straight, the longest first, until they leave the
    region or meet another: beyond the end of a fault a place belongs to the side that
    it is nearer to. Nothing jumps there, and both sides know the same field: what is
    known to a side is all of it that :func:`fault_distance` does not find near a fault
    itself.

    Parts that are nowhere deeper than a place or two are of the side next to them, also
    across a fault, and parts of the region that no line reaches are of the first side.

    Parameters
    ----------
    inside
        Places of the region, shape (ny, nx).
    grid
        Where the places are.
    lines
        (x, y) of points along each fault in nm, in order, shape (m, 2) each, m ≥ 2.

    Returns
    -------
    labels : ndarray of int
        Side of each place, from 1, the largest first, 0 outside, shape (ny, nx).
    n : int
        Number of sides.
    """
    inside = np.asarray(inside, bool)
    if not inside.any():
        return np.zeros(inside.shape, np.int64), 0
    right, below = _cuts(_carried_on(inside, grid, lines), grid)
    parts, count = _connected(inside, right, below)
    touched = np.zeros(count + 1, bool)
    for cut, axis in ((right, 1), (below, 0)):
        near = cut | np.roll(cut, 1, axis)
        touched[parts[near & inside]] = True
    return _merged(parts, touched, inside)


def fault_distance(grid: ImageGrid, lines: Sequence[Array]) -> Array:
    """Distance in nm of each place from the nearest fault, inf without one, (ny, nx).

    Parameters
    ----------
    grid
        Where the places are.
    lines
        As in :func:`sides_of_faults`; here they end where they end.
    """
    from scipy.spatial import cKDTree

    if not len(lines):
        return np.full(grid.shape, np.inf)
    step = 0.1 * min(grid.pixel_size)
    points = np.concatenate([_dense(np.asarray(line, float), step) for line in lines])
    return cKDTree(points).query(grid.to_nm(*np.indices(grid.shape)))[0]


def _dense(line: Array, step: float) -> Array:
    """Points along a line no further apart than a step."""
    along = np.concatenate(
        [[0], np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))]
    )
    at = np.linspace(0, along[-1], int(along[-1] / step) + 2)
    return np.stack([np.interp(at, along, part) for part in line.T], axis=1)


def _carried_on(inside: Mask, grid: ImageGrid, lines: Sequence[Array]) -> list[Array]:
    """Lines carried on at both ends to the border of the region or another line."""
    from scipy.ndimage import binary_fill_holes

    filled = binary_fill_holes(inside)  # specks without label do not stop a fault
    lines = [np.asarray(line, float).reshape(-1, 2) for line in lines]
    lines = [line for line in lines if len(line) > 1]
    length = [np.linalg.norm(np.diff(line, axis=0), axis=1).sum() for line in lines]
    result = [lines[k] for k in np.argsort(length)[::-1]]
    for k, line in enumerate(result):
        others = result[:k] + result[k + 1 :]
        ends = [_end(part, filled, grid, others) for part in (line[::-1], line)]
        result[k] = np.concatenate([ends[0][None], line, ends[1][None]])
    return result


def _end(line: Array, filled: Mask, grid: ImageGrid, others: list[Array]) -> Array:
    """Point to which a line goes on beyond its last one."""
    start = line[-1]
    part = line[-max(2, round(_END * len(line))) :]
    _, _, axes = np.linalg.svd(part - part.mean(axis=0))
    direction = axes[0] * np.sign(axes[0] @ (line[-1] - line[0]) or 1.0)
    step = 0.25 * min(grid.pixel_size)
    reach = float(np.hypot(*np.multiply(grid.shape, grid.pixel_size)))
    ray = np.arange(0, reach, step)
    rows, columns = (
        np.rint(i).astype(int) for i in grid.to_pixels(start + ray[:, None] * direction)
    )
    ny, nx = grid.shape
    within = (rows >= 0) & (rows < ny) & (columns >= 0) & (columns < nx)
    within[within] = filled[rows[within], columns[within]]
    far = ray[np.argmin(within)] if not within.all() else reach
    # Half a place beyond another line, so that there is no way through between them.
    room = 0.5 * max(grid.pixel_size)
    met = [m for other in others for m in _crossings(start, direction, other)]
    return start + min([far + room, *(m + room for m in met)]) * direction


def _crossings(start: Array, direction: Array, line: Array) -> list[float]:
    """Distances along a ray at which it crosses a line."""
    first, step = line[:-1] - start, np.diff(line, axis=0)
    across = direction[0] * step[:, 1] - direction[1] * step[:, 0]
    with np.errstate(divide="ignore", invalid="ignore"):
        along = (first[:, 0] * step[:, 1] - first[:, 1] * step[:, 0]) / across
        share = (first[:, 0] * direction[1] - first[:, 1] * direction[0]) / across
    return along[(along > 0) & (share >= 0) & (share <= 1)].tolist()


def _cuts(lines: list[Array], grid: ImageGrid) -> tuple[Mask, Mask]:
    """Whether a line runs between each place and the next to the right, and below."""
    right, below = np.zeros((2, *grid.shape), bool)
    for line in lines:
        rows, columns = grid.to_pixels(line)
        one = np.zeros((2, *grid.shape), bool)
        _cut(columns, rows, *one)
        right |= one[0]
        below |= one[1]
    return right, below


@njit(cache=True, nogil=True)
def _cut(x: Array, y: Array, right: Mask, below: Mask) -> None:
    """Turn over the marks of the connections that the line (x, y), in pixels, crosses.

    Twice across is not across. What lies on a line counts as on its positive side: no
    way leads through at a place or a corner that the line runs through.
    """
    ny, nx = right.shape
    for k in range(len(x) - 1):
        ax, ay, bx, by = x[k], y[k], x[k + 1], y[k + 1]
        top, bottom = int(np.floor(min(ay, by))) - 1, int(np.ceil(max(ay, by))) + 1
        left, end = int(np.floor(min(ax, bx))) - 1, int(np.ceil(max(ax, bx))) + 1
        for i in range(max(top, 0), min(bottom + 1, ny)):
            for j in range(max(left, 0), min(end + 1, nx)):
                here = (bx - ax) * (i - ay) - (by - ay) * (j - ax) >= 0
                if j + 1 < nx and (ay >= i) != (by >= i):
                    there = (bx - ax) * (i - ay) - (by - ay) * (j + 1 - ax) >= 0
                    right[i, j] ^= here != there
                if i + 1 < ny and (ax >= j) != (bx >= j):
                    there = (bx - ax) * (i + 1 - ay) - (by - ay) * (j - ax) >= 0
                    below[i, j] ^= here != there


def _connected(inside: Mask, right: Mask, below: Mask) -> tuple[Ints, int]:
    """Parts of places that hang together, from 1, and their number."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    number = np.zeros(inside.shape, np.int64)
    number[inside] = np.arange(int(inside.sum()))
    across = inside[:, :-1] & inside[:, 1:] & ~right[:, :-1]
    down = inside[:-1] & inside[1:] & ~below[:-1]
    first = np.concatenate([number[:, :-1][across], number[:-1][down]])
    second = np.concatenate([number[:, 1:][across], number[1:][down]])
    total = int(inside.sum())
    graph = coo_array((np.ones(len(first), bool), (first, second)), (total, total))
    count, part = connected_components(graph, directed=False)
    result = np.zeros(inside.shape, np.int64)
    result[inside] = part + 1
    return result, count


def _merged(parts: Ints, touched: Mask, inside: Mask) -> tuple[Ints, int]:
    """Parts by size, from 1, without thin ones; those no line touches are the first."""
    from scipy.ndimage import distance_transform_edt

    kept = np.flatnonzero(touched)
    edge = np.zeros(parts.shape, bool)
    for axis in (0, 1):
        change = np.diff(parts, axis=axis) != 0
        before = [(0, 0), (0, 0)]
        after = [(0, 0), (0, 0)]
        before[axis], after[axis] = (1, 0), (0, 1)
        edge |= np.pad(change, before) | np.pad(change, after)
    depth = distance_transform_edt(~edge)
    deep = np.zeros(len(touched))
    np.maximum.at(deep, parts.ravel(), depth.ravel())
    kept = kept[deep[kept] > _THIN]
    size = np.bincount(parts.ravel(), minlength=len(touched))
    if not len(kept):
        return inside.astype(np.int64), 1
    kept = kept[np.argsort(-size[kept], kind="stable")]
    number = np.zeros(len(touched), np.int64)
    number[kept] = np.arange(1, len(kept) + 1)
    number[np.flatnonzero(~touched)[1:]] = 1
    result = number[parts]
    nearest = distance_transform_edt(
        result == 0, return_distances=False, return_indices=True
    )
    return np.where(inside, result[tuple(nearest)], 0), len(kept)
