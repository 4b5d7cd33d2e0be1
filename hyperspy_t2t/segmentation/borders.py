# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Borders between regions: the pixel edges of a label image as a planar graph."""

from collections.abc import Sequence
from dataclasses import dataclass

import numba
import numpy as np

from hyperspy_t2t.array_types import Bools, Ints

OUTSIDE = -1
"""Label of what lies beyond the image."""
EAST, SOUTH, WEST, NORTH = range(4)


@dataclass(frozen=True, eq=False)
class Borders:
    """The borders of a label image, each met once, as arcs between nodes.

    A corner (row, column) is the upper left corner of the pixel of that index. Nodes
    are the corners of the image and the corners where three borders or more meet:
    triple points, ends at the frame, and the middle of a checkerboard. An arc runs
    along pixel edges from node to node, or closed around an island. The labels on
    its two sides do not change along it.

    Parameters
    ----------
    corners
        Corners along the arcs, one arc after the other, shape (n, 2). An island
        repeats its first corner at its end.
    offsets
        Where each arc starts in `corners`, and their number, shape (arcs + 1,).
    labels
        Label on the right and on the left of each arc, shape (arcs, 2), looking
        along it with y down; :data:`OUTSIDE` beyond the image.
    nodes
        Number of the node at which each arc starts and ends, shape (arcs, 2);
        -1 for an island.
    turns
        For each arc, walked forwards (2i) and backwards (2i + 1), the walk that
        goes on around the same region on the right, shape (2 arcs,). Pixels that
        touch at a corner only do not hang together.
    shape
        (rows, columns) of the image.
    """

    corners: Ints
    offsets: Ints
    labels: Ints
    nodes: Ints
    turns: Ints
    shape: tuple[int, int]


def block_edges(
    labels: Ints,
    start: tuple[int, int],
    size: tuple[int, int],
    shape: tuple[int, int],
) -> Ints:
    """Pixel edges between different labels in one block of an image.

    Parameters
    ----------
    labels
        The block with one more row and column where the image goes on below and to
        the right of it.
    start
        (row, column) of its first pixel in the image.
    size
        (rows, columns) of the block itself.
    shape
        (rows, columns) of the image.

    Returns
    -------
    ndarray
        Shape (n, 5): row and column of the corner an edge leaves from, its direction
        (:data:`EAST` or :data:`SOUTH`), the label on its right and on its left.
    """
    rows, columns = size
    padding = [(int(first == 0), int(first + n == whole))
               for first, n, whole in zip(start, size, shape, strict=True)]  # fmt: skip
    block = np.pad(np.asarray(labels, np.int32), padding, constant_values=OUTSIDE)
    top, left = padding[0][0], padding[1][0]
    inner_rows, inner_columns = slice(top, top + rows), slice(left, left + columns)
    across, down = block[:, inner_columns], block[inner_rows]
    east = _edges(across[1:], across[:-1], (1 - top, 0), EAST)
    south = _edges(down[:, :-1], down[:, 1:], (0, 1 - left), SOUTH)
    edges = np.concatenate([east, south])
    edges[:, :2] += start
    return edges


def _edges(right: Ints, left: Ints, first: tuple[int, int], direction: int) -> Ints:
    at = np.flatnonzero(right != left)
    rows, columns = np.divmod(at, right.shape[1])
    sides = right[rows, columns], left[rows, columns]
    constant = np.full(at.size, direction)
    return np.stack([rows + first[0], columns + first[1], constant, *sides], axis=1)


def borders(edges: Sequence[Ints], shape: tuple[int, int]) -> Borders:
    """Join the edges of all blocks.

    Parameters
    ----------
    edges
        Results of :func:`block_edges`, in any order.
    shape
        (rows, columns) of the image.
    """
    table = np.concatenate(edges)
    table = table[np.lexsort((table[:, 2], table[:, 1], table[:, 0]))]
    places, ends = np.unique(_ends(table, shape[1] + 1), return_inverse=True)
    ends = ends.reshape(2, -1)
    leaving = np.full((places.size, 4), -1)
    numbers, direction = np.arange(len(table)), table[:, 2]
    leaving[ends[0], direction] = numbers
    leaving[ends[1], direction + 2] = numbers
    at = np.stack(np.divmod(places, shape[1] + 1), axis=1)
    is_corner = ((at == 0) | (at == shape)).all(axis=1)
    is_node = ((leaving >= 0).sum(axis=1) != 2) | is_corner
    walk = _walk(ends, direction, leaving, is_node)
    return _assembled(table, ends, at, is_node, walk, shape)


def _ends(table: Ints, stride: int) -> Ints:
    """Both corners of each edge as one number."""
    first = table[:, 0] * stride + table[:, 1]
    return np.stack([first, first + np.where(table[:, 2] == SOUTH, stride, 1)])


@numba.njit(cache=True)
def _walk(
    ends: Ints, direction: Ints, leaving: Ints, is_node: Bools
) -> tuple[Ints, Ints, Ints]:
    """Number and direction of the edges along each arc, and where arcs start."""
    count = direction.size
    walked, directions = np.empty(count, np.int64), np.empty(count, np.int64)
    offsets = np.zeros(count + 1, np.int64)
    used = np.zeros(count, np.bool_)
    done, arcs = 0, 0
    for islands in (False, True):
        for first in range(len(leaving)):
            if is_node[first] == islands:
                continue
            for way in range(4):
                place = first
                while leaving[place, way] >= 0 and not used[leaving[place, way]]:
                    edge = leaving[place, way]
                    used[edge] = True
                    walked[done], directions[done] = edge, way
                    done += 1
                    place = ends[1, edge] if way < 2 else ends[0, edge]
                    if is_node[place] or place == first:
                        break
                    back = (way + 2) % 4
                    for other in range(4):
                        if other != back and leaving[place, other] >= 0:
                            way = other
                            break
                if done > offsets[arcs]:
                    arcs += 1
                    offsets[arcs] = done
    return walked, directions, offsets[: arcs + 1]


def _assembled(
    table: Ints,
    ends: Ints,
    at: Ints,
    is_node: Bools,
    walk: tuple[Ints, Ints, Ints],
    shape: tuple[int, int],
) -> Borders:
    """Corners, labels and nodes of the arcs that were walked."""
    walked, directions, starts = walk
    forwards = directions < 2
    leaves = np.where(forwards, ends[0, walked], ends[1, walked])
    reaches = np.where(forwards, ends[1, walked], ends[0, walked])
    first, last = starts[:-1], starts[1:] - 1
    places = np.insert(leaves, last + 1, reaches[last])
    sides = table[walked[first], 3:]
    sides[~forwards[first]] = sides[~forwards[first], ::-1]
    number = np.where(is_node, np.cumsum(is_node) - 1, -1)
    nodes = np.stack([number[leaves[first]], number[reaches[last]]], axis=1)
    ways = np.stack([directions[first], directions[last]], axis=1)
    return Borders(
        corners=at[places],
        offsets=starts + np.arange(starts.size),
        labels=sides,
        nodes=nodes,
        turns=_turns(nodes, ways, int(is_node.sum())),
        shape=shape,
    )


@numba.njit(cache=True)
def _turns(nodes: Ints, ways: Ints, count: int) -> Ints:
    """Next walk around the region on the right: the sharpest turn to the right."""
    arcs = len(nodes)
    leaving = np.full((count, 4), -1, np.int64)
    for arc in range(arcs):
        if nodes[arc, 0] >= 0:
            leaving[nodes[arc, 0], ways[arc, 0]] = 2 * arc
            leaving[nodes[arc, 1], (ways[arc, 1] + 2) % 4] = 2 * arc + 1
    turns = np.arange(2 * arcs)
    for walk in range(2 * arcs):
        arc, backwards = walk // 2, walk % 2
        if nodes[arc, 0] >= 0:
            node = nodes[arc, 1 - backwards]
            way = (ways[arc, 0] + 2) % 4 if backwards else ways[arc, 1]
            for turn in (1, 0, 3):
                following = leaving[node, (way + turn) % 4]
                if following >= 0:
                    turns[walk] = following
                    break
    return turns
