# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Which segments are near a place, and whether a change would touch one."""

from typing import NamedTuple

import numba
import numpy as np

from hyperspy_t2t.array_types import Array, Ints

_ANGLE = 1e-9
"""Angle in radians below which two segments are parallel."""
_GAP, _SLACK = 1e-9, 1e-6
"""Distance, in cells, that counts as none, and by which cells overlap."""


class Cells(NamedTuple):
    """Square cells of the plane, each with a linked list of segments.

    Parameters
    ----------
    origin
        (x, y) of the first cell.
    size
        Side of a cell.
    shape
        (rows, columns).
    heads
        First entry of each cell, -1 for none, row by row.
    following, members
        Next entry in the same cell, and the number of the segment, of each entry.
    used
        Number of entries ever made, shape (1,).
    """

    origin: Array
    size: float
    shape: tuple[int, int]
    heads: Ints
    following: Ints
    members: Ints
    used: Ints


def make_cells(points: Array) -> Cells:
    """Empty cells over points (n, 2), about as many as points."""
    low, extent = points.min(axis=0), np.ptp(points, axis=0)
    size = np.sqrt(extent.prod() / len(points)) + extent.sum() / 1e4
    columns, rows = (extent / size).astype(int) + 1
    heads = np.full(rows * columns, -1)
    following, members = np.empty((2, 4 * len(points) + 100), np.int64)
    shape = int(rows), int(columns)
    return Cells(low, float(size), shape, heads, following, members, np.zeros(1, int))


@numba.njit(cache=True)
def enter(cells: Cells, number: int, ends: Array) -> Cells:
    """Enter a segment with its two ends, shape (2, 2); more room is made if needed."""
    first, last = _rows(cells, ends)
    for row in range(first, last + 1):
        left, right = _columns(cells, ends, row)
        for cell in range(left, right + 1):
            entry = cells.used[0]
            if entry == len(cells.members):
                cells = _doubled(cells)
            cells.members[entry] = number
            cells.following[entry] = cells.heads[cell]
            cells.heads[cell] = entry
            cells.used[0] += 1
    return cells


@numba.njit(cache=True)
def leave(cells: Cells, number: int, ends: Array) -> None:
    """Take a segment out that was entered with these ends."""
    first, last = _rows(cells, ends)
    for row in range(first, last + 1):
        left, right = _columns(cells, ends, row)
        for cell in range(left, right + 1):
            previous, entry = -1, cells.heads[cell]
            while cells.members[entry] != number:
                previous, entry = entry, cells.following[entry]
            if previous < 0:
                cells.heads[cell] = cells.following[entry]
            else:
                cells.following[previous] = cells.following[entry]


@numba.njit(cache=True)
def _doubled(cells: Cells) -> Cells:
    size = len(cells.members)
    following, members = np.empty(2 * size, np.int64), np.empty(2 * size, np.int64)
    following[:size], members[:size] = cells.following, cells.members
    return Cells(
        cells.origin,
        cells.size,
        cells.shape,
        cells.heads,
        following,
        members,
        cells.used,
    )


@numba.njit(cache=True)
def _rows(cells: Cells, polygon: Array) -> tuple[int, int]:
    """First and last row of cells that a polygon (n, 2) reaches."""
    low, high = polygon[0, 1], polygon[0, 1]
    for k in range(1, len(polygon)):
        low, high = min(low, polygon[k, 1]), max(high, polygon[k, 1])
    first = int((low - cells.origin[1]) / cells.size)
    last = int((high - cells.origin[1]) / cells.size)
    top = cells.shape[0] - 1
    return min(max(first, 0), top), min(max(last, 0), top)


@numba.njit(cache=True)
def _columns(cells: Cells, polygon: Array, row: int) -> tuple[int, int]:
    """First and last cell of one row that a polygon (n, 2) reaches."""
    # Rows overlap by a rounding error; the outermost hold what lies beyond them, too.
    low = cells.origin[1] + (row - _SLACK) * cells.size if row > 0 else -np.inf
    high = cells.origin[1] + (row + 1 + _SLACK) * cells.size
    high = high if row < cells.shape[0] - 1 else np.inf
    left, right = np.inf, -np.inf
    x0, y0 = polygon[-1]
    for k in range(len(polygon)):
        x1, y1 = polygon[k]
        if max(y0, y1) >= low and min(y0, y1) <= high:
            slope = (x1 - x0) / (y1 - y0) if y1 != y0 else 0.0
            x2 = x0 + slope * (min(max(low, y0), high) - y0)
            x3 = x0 + slope * (min(max(low, y1), high) - y0)
            x3 = x1 if low <= y1 <= high else x3
            left, right = min(left, x2, x3), max(right, x2, x3)
        x0, y0 = x1, y1
    if left > right:
        return 0, -1
    columns = cells.shape[1]
    first = int((left - cells.origin[0]) / cells.size - _SLACK)
    last = int((right - cells.origin[0]) / cells.size + _SLACK)
    start = row * columns
    return (
        start + min(max(first, 0), columns - 1),
        start + min(max(last, 0), columns - 1),
    )


@numba.njit(cache=True)
def in_the_way(
    cells: Cells,
    points: Array,
    after: Ints,
    swept: Array,
    kept: int,
    own: tuple[int, int, int],
) -> bool:
    """Whether a change of a line would touch or jump over another segment.

    Parameters
    ----------
    cells
        Where the segments are; segment k runs from points[k] to points[after[k]].
    swept
        Polygon (n, 2): the old points, `kept` of them, and the new ones on the way
        back.
    own
        Segments that the change removes.
    """
    first, last = _rows(cells, swept)
    gap = _GAP * cells.size
    x0 = x1 = swept[0, 0]
    y0 = y1 = swept[0, 1]
    for k in range(1, len(swept)):
        x0, x1 = min(x0, swept[k, 0]), max(x1, swept[k, 0])
        y0, y1 = min(y0, swept[k, 1]), max(y1, swept[k, 1])
    for row in range(first, last + 1):
        left, right = _columns(cells, swept, row)
        for cell in range(left, right + 1):
            entry = cells.heads[cell]
            while entry >= 0:
                segment = cells.members[entry]
                entry = cells.following[entry]
                start, end = points[segment], points[after[segment]]
                if (
                    max(start[0], end[0]) >= x0 - gap
                    and min(start[0], end[0]) <= x1 + gap
                    and max(start[1], end[1]) >= y0 - gap
                    and min(start[1], end[1]) <= y1 + gap
                    and not (
                        segment == own[0] or segment == own[1] or segment == own[2]
                    )
                    and _is_swept(swept, kept, start, end, gap)
                ):
                    return True
    return False


@numba.njit(cache=True)
def _is_swept(swept: Array, kept: int, start: Array, end: Array, gap: float) -> bool:
    """Whether the new sides cross a segment or one of its ends is swept over."""
    count = len(swept)
    for k in range(kept, count):
        if same(swept[k], start) or same(swept[k], end):
            return True
    for k in range(kept - 1, count):
        if _touch(swept[k], swept[(k + 1) % count], start, end, gap):
            return True
    for point in (start, end):
        fixed = same(point, swept[0]) or same(point, swept[kept - 1])
        if not fixed and _inside(point, swept):
            return True
    return False


@numba.njit(cache=True)
def same(first: Array, second: Array) -> bool:
    """Whether two points are one."""
    return first[0] == second[0] and first[1] == second[1]


@numba.njit(cache=True)
def _inside(point: Array, polygon: Array) -> bool:
    """Even-odd rule."""
    x, y = point
    odd = False
    for k in range(len(polygon)):
        x0, y0 = polygon[k - 1]
        x1, y1 = polygon[k]
        if (y0 <= y) != (y1 <= y) and x < x0 + (y - y0) * (x1 - x0) / (y1 - y0):
            odd = not odd
    return odd


@numba.njit(cache=True)
def _touch(p: Array, q: Array, r: Array, s: Array, gap: float) -> bool:
    """Whether segments pq and rs have more in common than one end."""
    for axis in range(2):
        if max(p[axis], q[axis]) + gap < min(r[axis], s[axis]):
            return False
        if max(r[axis], s[axis]) + gap < min(p[axis], q[axis]):
            return False
    if same(p, r) or same(p, s):
        return _folded(p, q, s if same(p, r) else r)
    if same(q, r) or same(q, s):
        return _folded(q, p, s if same(q, r) else r)
    return _side(p, q, r, gap) * _side(p, q, s, gap) <= 0 and (
        _side(r, s, p, gap) * _side(r, s, q, gap) <= 0
    )


@numba.njit(cache=True)
def _side(p: Array, q: Array, r: Array, gap: float) -> float:
    """Sign of the side of pq on which r is; 0 nearer to the line than the gap."""
    ax, ay, bx, by = q[0] - p[0], q[1] - p[1], r[0] - p[0], r[1] - p[1]
    cross = ax * by - ay * bx
    return 0.0 if abs(cross) <= gap * np.hypot(ax, ay) else np.sign(cross)


@numba.njit(cache=True)
def _folded(p: Array, q: Array, s: Array) -> bool:
    """Whether pq and ps leave p in the same direction."""
    ax, ay, bx, by = q[0] - p[0], q[1] - p[1], s[0] - p[0], s[1] - p[1]
    dot, cross = ax * bx + ay * by, ax * by - ay * bx
    return dot >= 0 and abs(cross) <= _ANGLE * max(dot, 1e-300)
