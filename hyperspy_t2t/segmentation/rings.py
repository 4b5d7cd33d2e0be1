# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Closed walks along borders: around each part of a region and each of its holes."""

from dataclasses import dataclass

import numba
import numpy as np

from hyperspy_t2t.array_types import Array, Bools, Ints
from hyperspy_t2t.segmentation.borders import OUTSIDE, Borders


@dataclass(frozen=True, eq=False)
class Rings:
    """Which borders lie around the regions.

    Parameters
    ----------
    walks
        Borders of all rings, one ring after the other: 2i for arc i walked forwards,
        2i + 1 backwards, shape (n,). The region is on the right, with y down.
    offsets
        Where each ring starts in `walks`, and their number, shape (rings + 1,).
    labels
        Region of each ring, in ascending order, shape (rings,).
    is_hole
        Whether the ring goes around a hole. The holes of a part follow its outer
        ring; the parts of a region come with the largest first.
    """

    walks: Ints
    offsets: Ints
    labels: Ints
    is_hole: Bools


def rings(borders: Borders) -> Rings:
    """The rings of all regions of a label image, label 0 included."""
    right = borders.labels.ravel()
    walks, offsets = _closed_walks(borders.turns, right, borders.nodes)
    firsts = offsets[:-1]
    labels = right[walks[firsts]]
    areas = _add(_areas(borders)[walks], firsts)
    number = np.full(right.size, -1)
    number[walks] = np.repeat(np.arange(labels.size), np.diff(offsets))
    shells = _shells(borders, number, areas)
    order = np.lexsort((-np.abs(areas), areas < 0, shells, -areas[shells], labels))
    sizes = np.diff(offsets)[order]
    starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    inside = np.arange(walks.size) - np.repeat(starts[:-1], sizes)
    return Rings(
        walks=walks[np.repeat(firsts[order], sizes) + inside],
        offsets=starts,
        labels=labels[order],
        is_hole=areas[order] < 0,
    )


def ring_points(rings: Rings, points: Array, offsets: Ints) -> tuple[Array, Ints]:
    """Points around each ring.

    Parameters
    ----------
    rings
        Of a label image.
    points, offsets
        Points (n, 2) along its arcs, and where each arc starts in them.

    Returns
    -------
    points : ndarray
        One ring after the other, each with its first point repeated at the end.
    offsets : ndarray
        Where each ring starts, and their number.
    """
    index, starts = _ring_index(rings.walks, rings.offsets, offsets)
    return points[index], starts


@numba.njit(cache=True)
def _ring_index(walks: Ints, offsets: Ints, arcs: Ints) -> tuple[Ints, Ints]:
    sizes = arcs[1:] - arcs[:-1] - 1
    count = len(offsets) - 1
    index = np.empty(sizes[walks // 2].sum() + count, np.int64)
    starts = np.zeros(count + 1, np.int64)
    done = 0
    for ring in range(count):
        for walk in walks[offsets[ring] : offsets[ring + 1]]:
            arc = walk // 2
            for k in range(sizes[arc]):
                index[done] = arcs[arc + 1] - 1 - k if walk % 2 else arcs[arc] + k
                done += 1
        index[done] = index[starts[ring]]
        done += 1
        starts[ring + 1] = done
    return index, starts


@numba.njit(cache=True)
def _closed_walks(turns: Ints, right: Ints, nodes: Ints) -> tuple[Ints, Ints]:
    """Walks around every region, parted where one would meet a node twice."""
    used = right == OUTSIDE
    walks = np.empty(right.size, np.int64)
    offsets = np.zeros(right.size + 1, np.int64)
    way, length = np.empty(right.size, np.int64), 0
    passed = np.full(nodes.max() + 1, -1)  # where on the way each node was met
    count = 0
    for first in range(right.size):
        walk = first
        while not used[walk]:
            used[walk] = True
            node = nodes[walk // 2, walk % 2]
            if node >= 0 and passed[node] >= 0:
                length = _close(
                    way, passed[node], length, nodes, passed, walks, offsets, count
                )
                count += 1
            if node >= 0:
                passed[node] = length
            way[length] = walk
            length += 1
            walk = turns[walk]
        if length > 0:
            length = _close(way, 0, length, nodes, passed, walks, offsets, count)
            count += 1
    return walks[: offsets[count]], offsets[: count + 1]


@numba.njit(cache=True)
def _close(
    way: Ints,
    start: int,
    stop: int,
    nodes: Ints,
    passed: Ints,
    walks: Ints,
    offsets: Ints,
    ring: int,
) -> int:
    """Take the last part of the way as a ring; length of what remains."""
    offsets[ring + 1] = offsets[ring] + stop - start
    for k in range(start, stop):
        walks[offsets[ring] + k - start] = way[k]
        node = nodes[way[k] // 2, way[k] % 2]
        if node >= 0:
            passed[node] = -1
    return start


def _areas(borders: Borders) -> Ints:
    """Twice the area between each walk and the origin, in pixels."""
    row, column = borders.corners.T
    cross = column[:-1] * row[1:] - column[1:] * row[:-1]
    cross = np.append(cross, 0)
    cross[borders.offsets[1:] - 1] = 0
    areas = _add(cross, borders.offsets[:-1])
    return np.stack([areas, -areas], axis=1).ravel()


def _add(values: Ints, firsts: Ints) -> Ints:
    """Sums of parts of an array that start at `firsts`."""
    return np.add.reduceat(values, firsts) if firsts.size else values[:0]


def _shells(borders: Borders, number: Ints, areas: Ints) -> Ints:
    """Number of the outer ring of each ring.

    Left of the leftmost edge of a hole lies its region. The next border further left
    in the same row of pixels has that part of the region on its right, so it belongs
    to the outer ring or to another hole of the same part.
    """
    corners, lasts = borders.corners, borders.offsets[1:] - 1
    arc = np.repeat(np.arange(lasts.size), np.diff(borders.offsets))
    down = np.diff(corners[:, 0], append=corners[-1:, 0])
    down[lasts] = 0
    upright = np.flatnonzero(down)
    row = np.minimum(corners[upright, 0], corners[upright, 0] + down[upright])
    column = corners[upright, 1]
    order = np.lexsort((column, row))
    upright, column = upright[order], column[order]
    southwards = down[upright] > 0
    west = number[2 * arc[upright] + ~southwards]
    east = number[2 * arc[upright] + southwards]
    shells = np.arange(areas.size)
    leftmost = np.lexsort((column, west))
    leftmost = leftmost[np.unique(west[leftmost], return_index=True)[1]]
    is_hole = areas[west[leftmost]] < 0
    leftmost = leftmost[(west[leftmost] >= 0) & is_hole]
    shells[west[leftmost]] = east[leftmost - 1]
    while (areas[shells] < 0).any():
        shells = shells[shells]
    return shells
