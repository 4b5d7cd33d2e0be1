# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Fewer points along borders, with the same areas and the same neighbours."""

import heapq
from typing import NamedTuple

import numba
import numpy as np

from hyperspy_t2t.array_types import Array, Bools, Ints
from hyperspy_t2t.segmentation.crossings import (
    Cells,
    enter,
    in_the_way,
    leave,
    make_cells,
    same,
)

_FLAT = 1e-9
"""Height of a point over its neighbours, in parts of their distance, that is none."""
_NOTHING, _DROP, _COLLAPSE = range(3)
_IDLE, _QUEUED, _STALE = range(3)


class Lines(NamedTuple):
    """Lines that share their ends, while points are taken away from them.

    Parameters
    ----------
    original
        Points (x, y) as given, one line after the other, shape (n, 2).
    points
        Where they are now, shape (n, 2).
    place
        Where each point belongs on its original line, in points from the first,
        shape (n,).
    before, after
        Neighbours along the line, -1 beyond an end, shape (n,). A closed line goes
        round. A point that was taken away is its own neighbour.
    line
        Line of each point, shape (n,).
    starts, sizes
        First point and number of original points of each line.
    closed
        Whether each line goes round.
    """

    original: Array
    points: Array
    place: Array
    before: Ints
    after: Ints
    line: Ints
    starts: Ints
    sizes: Ints
    closed: Bools


def make_lines(points: Array, offsets: Ints, closed: Bools) -> Lines:
    """Lines with all their points.

    Parameters
    ----------
    points
        (x, y), one line after the other, shape (n, 2). A closed line repeats its
        first point.
    offsets
        Where each line starts in `points`, and their number, shape (lines + 1,).
    closed
        Which lines go round, shape (lines,).
    """
    repeated = offsets[1:][closed] - 1
    original = np.delete(points, repeated, axis=0)
    sizes = np.diff(offsets) - closed
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int64)
    numbers = np.arange(len(original))
    before, after = numbers - 1, numbers + 1
    lasts = starts + sizes - 1
    before[starts] = np.where(closed, lasts, -1)
    after[lasts] = np.where(closed, starts, -1)
    line = np.repeat(np.arange(len(sizes)), sizes)
    place = (numbers - starts[line]).astype(float)
    return Lines(
        original, original.copy(), place, before, after, line, starts, sizes, closed
    )


def remaining(lines: Lines) -> tuple[Array, Ints]:
    """Points that are left and where each line starts, as :func:`make_lines` takes."""
    order, offsets = _order(lines)
    return lines.points[order], offsets


@numba.njit(cache=True)
def _order(lines: Lines) -> tuple[Ints, Ints]:
    count = len(lines.sizes)
    order = np.empty(len(lines.points) + count, np.int64)
    offsets = np.zeros(count + 1, np.int64)
    found = 0
    for line in range(count):
        start = _alive(lines, line)
        order[found] = start
        found += 1
        point = lines.after[start]
        while point >= 0:
            order[found] = point
            found += 1
            if point == start:
                break
            point = lines.after[point]
        offsets[line + 1] = found
    return order[:found], offsets


@numba.njit(cache=True)
def _alive(lines: Lines, line: int) -> int:
    """First point of a line that is left."""
    point = lines.starts[line]
    while lines.after[point] == point:
        point += 1
    return point


def simplify(lines: Lines, tolerance: Array, may_straighten: Bools) -> None:
    """Take points away, as long as the lines stay near the original ones.

    Two neighbours B, C of a line A, B, C, D become one point E, placed so that the
    areas on both sides stay the same [1]_; the pair with the smallest deviation goes
    first. No step lets a line touch or jump over another: the regions between them
    keep their neighbours, holes and orientation.

    Parameters
    ----------
    lines
        Changed in place. Further calls go on from there; the deviation is always
        that from the original lines.
    tolerance
        Largest distance (Hausdorff) from the original line, for each line.
    may_straighten
        Lines whose last point between two ends may go as well, which changes areas.

    References
    ----------
    .. [1] Kronenfeld et al., Int. J. Cartogr. 6 (2020) 22,
       https://doi.org/10.1080/23729333.2019.1631535
    """
    _drop_flat(lines)
    _collapse_all(lines, make_cells(lines.points), tolerance, may_straighten)


@numba.njit(cache=True)
def _drop_flat(lines: Lines) -> None:
    """Drop the points in the middle of straight pieces."""
    for point in range(len(lines.points)):
        a, d = lines.before[point], lines.after[point]
        if (
            a >= 0
            and d >= 0
            and a != d
            and lines.before[a] != d
            and _flat(lines, point)
        ):
            _remove(lines, point)


@numba.njit(cache=True)
def _flat(lines: Lines, point: int) -> bool:
    """Whether a point lies on the way between its neighbours."""
    first, last = lines.points[lines.before[point]], lines.points[lines.after[point]]
    x, y = lines.points[point]
    ax, ay, bx, by = x - first[0], y - first[1], last[0] - x, last[1] - y
    forward = ax * bx + ay * by
    return forward > 0 and abs(ax * by - ay * bx) <= _FLAT * forward


@numba.njit(cache=True)
def _remove(lines: Lines, point: int) -> None:
    a, d = lines.before[point], lines.after[point]
    lines.after[a], lines.before[d] = d, a
    lines.before[point] = lines.after[point] = point


class _Steps(NamedTuple):
    """The step that starts at each point.

    Parameters
    ----------
    kind
        Nothing, drop the point, or collapse it with the next into one.
    apex, place
        The one point and where it belongs on the original line.
    state
        Whether the step waits in the queue, and whether its neighbours have changed
        since it was found.
    """

    kind: Ints
    apex: Array
    place: Array
    state: Ints


@numba.njit(cache=True)
def _collapse_all(
    lines: Lines, cells: Cells, tolerance: Array, may_straighten: Bools
) -> None:
    count = len(lines.points)
    steps = _Steps(
        np.zeros(count, np.int64),
        np.zeros((count, 2)),
        np.zeros(count),
        np.zeros(count, np.int64),
    )
    queue = [(-1.0, 0)]
    for point in range(count):
        if lines.after[point] != point:
            if lines.after[point] >= 0:
                cells = enter(cells, point, _segment(lines, point))
            _push(queue, steps, point, lines, tolerance, may_straighten)
    heapq.heappop(queue)  # it said what a queue holds
    while len(queue) > 0:
        _, point = heapq.heappop(queue)
        if lines.after[point] == point:
            continue
        if steps.state[point] == _STALE:
            _push(queue, steps, point, lines, tolerance, may_straighten)
            continue
        steps.state[point] = _IDLE
        a = lines.before[point]
        cells, done = _apply(cells, lines, steps, point)
        if done:
            b = lines.after[a]
            for near in (lines.before[a], a, b, lines.after[b]):
                if near >= 0 and steps.state[near] == _IDLE:
                    _push(queue, steps, near, lines, tolerance, may_straighten)
                elif near >= 0:
                    steps.state[near] = _STALE


@numba.njit(cache=True)
def _segment(lines: Lines, point: int) -> Array:
    ends, after = np.empty((2, 2)), lines.after[point]
    for axis in range(2):
        ends[0, axis] = lines.points[point, axis]
        ends[1, axis] = lines.points[after, axis]
    return ends


@numba.njit(cache=True)
def _push(
    queue: list,
    steps: _Steps,
    point: int,
    lines: Lines,
    tolerance: Array,
    may_straighten: Bools,
) -> None:
    """Enter the step that starts at a point, if it stays within the tolerance."""
    steps.state[point] = _IDLE
    line = lines.line[point]
    steps.kind[point] = _kind(lines, point, may_straighten[line])
    if steps.kind[point] == _NOTHING:
        return
    deviation = _prepare(lines, steps, point)
    if deviation <= tolerance[line]:
        heapq.heappush(queue, (deviation, point))
        steps.state[point] = _QUEUED


@numba.njit(cache=True)
def _kind(lines: Lines, b: int, may_straighten: bool) -> int:
    """What can be done at a point."""
    points, a, c = lines.points, lines.before[b], lines.after[b]
    if a < 0 or c < 0 or lines.before[a] == c:
        return _NOTHING
    d = lines.after[c]
    last = lines.before[a] < 0 and d < 0 and may_straighten
    if (last and not same(points[a], points[c])) or _flat(lines, b):
        return _DROP
    if d < 0 or same(points[a], points[d]):
        return _NOTHING
    return _COLLAPSE


@numba.njit(cache=True)
def _prepare(lines: Lines, steps: _Steps, b: int) -> float:
    """Find the new point of a step; its largest distance from the original line."""
    points, a, c = lines.points, lines.before[b], lines.after[b]
    if steps.kind[b] == _DROP:
        low, high = _places(lines, a, c)
        return _deviation(lines, b, low, high, points[a], points[c])
    d, apex = lines.after[c], steps.apex[b]
    if not _set_apex(points[a], points[b], points[c], points[d], apex):
        return np.inf
    low, high = _places(lines, a, d)
    distance, place = _nearest(lines, b, low, high, apex)
    steps.place[b] = place
    before = _deviation(lines, b, low, place, points[a], apex)
    after = _deviation(lines, b, place, high, apex, points[d])
    return max(distance, before, after)


@numba.njit(cache=True)
def _set_apex(a: Array, b: Array, c: Array, d: Array, apex: Array) -> bool:
    """Set the point E of A, E, D that encloses the area of A, B, C, D.

    E lies on the line AB or CD, whichever leads farther from AD on E's side.
    """
    height_b, height_c = _cross(a, b, d), _cross(a, c, d)
    area = _cross(a, b, c) + _cross(a, c, d)
    if height_b * height_c > 0:
        from_a = abs(height_b) > abs(height_c)
    else:
        from_a = height_b * area > 0 or height_c == 0
    start, end, height = (a, b, height_b) if from_a else (d, c, height_c)
    if height == 0:
        start, part = b, 0.5
    else:
        part = area / height
    apex[0] = start[0] + part * (end[0] - start[0])
    apex[1] = start[1] + part * (end[1] - start[1])
    return height != 0 or area == 0


@numba.njit(cache=True)
def _cross(a: Array, b: Array, c: Array) -> float:
    """Twice the signed area of a triangle."""
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


@numba.njit(cache=True)
def _places(lines: Lines, first: int, last: int) -> tuple[float, float]:
    """Places of two points of a line, the second after the first."""
    low, high = lines.place[first], lines.place[last]
    if high <= low:
        high += lines.sizes[lines.line[first]]
    return low, high


@numba.njit(cache=True)
def _nearest(
    lines: Lines, of: int, low: float, high: float, point: Array
) -> tuple[float, float]:
    """Distance and place of the nearest point of the original line between places."""
    line = lines.line[of]
    start, size = lines.starts[line], lines.sizes[line]
    best, where = np.inf, low
    for k in range(int(low), int(np.ceil(high))):
        at = start + (k if k < size else k - size)
        to = start + (k + 1 if k + 1 < size else k + 1 - size)
        x, y = lines.original[at, 0], lines.original[at, 1]
        dx, dy = lines.original[to, 0] - x, lines.original[to, 1] - y
        x, y = point[0] - x, point[1] - y
        part = (x * dx + y * dy) / (dx * dx + dy * dy)
        part = min(max(part, low - k, 0.0), high - k, 1.0)
        distance = (x - part * dx) ** 2 + (y - part * dy) ** 2
        if distance < best:
            best, where = distance, k + part
    return np.sqrt(best), where


@numba.njit(cache=True)
def _deviation(
    lines: Lines, of: int, low: float, high: float, p: Array, q: Array
) -> float:
    """Largest distance of the original points between two places from segment pq."""
    line = lines.line[of]
    start, size = lines.starts[line], lines.sizes[line]
    x0, y0 = p[0], p[1]
    dx, dy = q[0] - x0, q[1] - y0
    scale = 1 / max(dx * dx + dy * dy, 1e-300)
    worst = 0.0
    for k in range(int(low) + 1, int(np.ceil(high))):
        at = start + (k if k < size else k - size)
        x, y = lines.original[at, 0] - x0, lines.original[at, 1] - y0
        part = min(max((x * dx + y * dy) * scale, 0.0), 1.0)
        worst = max(worst, (x - part * dx) ** 2 + (y - part * dy) ** 2)
    return np.sqrt(worst)


@numba.njit(cache=True)
def _apply(cells: Cells, lines: Lines, steps: _Steps, b: int) -> tuple[Cells, bool]:
    """Do a step unless something is in the way."""
    points, a, c = lines.points, lines.before[b], lines.after[b]
    collapses = steps.kind[b] == _COLLAPSE
    kept = 4 if collapses else 3
    swept = np.empty((2 * kept - 3, 2))
    for axis in range(2):
        swept[0, axis] = points[a, axis]
        swept[1, axis], swept[2, axis] = points[b, axis], points[c, axis]
        if collapses:
            swept[3, axis] = points[lines.after[c], axis]
            swept[4, axis] = steps.apex[b, axis]
    own = (a, b, c) if collapses else (a, b, b)
    if in_the_way(cells, points, lines.after, swept, kept, own):
        return cells, False
    for k in range(kept - 1):
        leave(cells, own[k], _segment(lines, own[k]))
    if collapses:
        points[b, 0], points[b, 1] = steps.apex[b, 0], steps.apex[b, 1]
        lines.place[b] = steps.place[b] % lines.sizes[lines.line[b]]
        _remove(lines, c)
        cells = enter(cells, b, _segment(lines, b))
    else:
        _remove(lines, b)
    return enter(cells, a, _segment(lines, a)), True
