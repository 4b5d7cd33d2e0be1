# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Patches of an image around the points farthest from its edges, and their borders.

Edges have gaps. The distance to the nearest edge has a maximum in every part of the
image that edges enclose, however incompletely; the basins of these maxima, patches
here, meet along edges and across gaps. Which of them belong together is decided from
the borders between them.
"""

import heapq
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from hyperspy_t2t.array_types import Array, Ints
from hyperspy_t2t.segmentation.edges import Edges

ASIDE = 2
"""Pixels that lie between a border and where the grey levels beside it are read: an
image averaged with a Gaussian of two pixels has taken most of its step there."""
CORE = 0.7
"""Distance to an edge, over the largest one, in the middle of a patch or neck."""


class Border(NamedTuple):
    """What separates two patches."""

    covered: float
    """Pairs of neighbouring pixels between which an edge passes."""
    bare: float
    """Pairs without an edge."""
    step: float
    """Grey level beyond the border less that before it, summed over all pairs."""
    length: float
    """Pairs of neighbouring pixels, of whatever kind."""
    width: float
    """Largest distance to an edge, half the width of the widest gap."""
    level: float
    """Mean grey level in the middle of that gap."""

    def reversed(self) -> "Border":
        """Seen from the other side."""
        return self._replace(step=-self.step)

    def with_(self, other: "Border") -> "Border":
        """Both borders in one."""
        widest = max(self, other, key=lambda border: border.width)
        sums = [a + b for a, b in zip(self[:4], other[:4], strict=True)]
        return Border._make([*sums, widest.width, widest.level])


class Patches(NamedTuple):
    """Patches 0 … n − 1 that fill an image."""

    labels: Ints
    """Patch of each pixel, shape (ny, nx)."""
    area: Array
    """Pixels of each patch."""
    depth: Array
    """Largest distance to an edge in pixels."""
    level: Array
    """Mean grey level around that point."""
    borders: dict[tuple[int, int], Border]
    """Between patches a < b, seen from a."""


def find_patches(edges: Edges, image: Array) -> Patches:
    """Patches between edges.

    Parameters
    ----------
    edges
        Edges of the image.
    image
        Grey levels, shape (ny, nx).
    """
    from scipy.ndimage import distance_transform_edt

    distance = distance_transform_edt(~edges.on).astype(np.float32)
    labels = _basins(distance, edges)
    flat = labels.ravel()
    area = np.bincount(flat).astype(float)
    depth = np.zeros(len(area), np.float32)
    np.maximum.at(depth, flat, distance.ravel())
    core = (distance >= CORE * depth[labels]).ravel()
    total = np.bincount(flat[core], image.ravel()[core], len(area))
    level = total / np.bincount(flat[core], minlength=len(area))
    return Patches(labels, area, depth, level, _borders(labels, distance, edges, image))


def _basins(distance: Array, edges: Edges) -> Ints:
    """Number of the maximum that the steepest way up from each pixel leads to.

    From an edge pixel the way starts on the side of the edge the pixel lies on, so
    that patches meet where the edge is and not beside it.
    """
    from scipy.ndimage import label

    shape = distance.shape
    own = np.arange(distance.size).reshape(shape)
    around = np.pad(distance, 1, constant_values=-1)
    steepest = np.full(shape, 1e-4, np.float32)
    target = own.copy()
    for row in (-1, 0, 1):
        for column in (-1, 0, 1):
            there = around[
                1 + row : 1 + row + shape[0], 1 + column : 1 + column + shape[1]
            ]
            rise = there - distance
            if row and column:
                rise *= np.float32(np.sqrt(0.5))
            better = rise > steepest
            np.copyto(steepest, rise, where=better)
            np.copyto(target, own + (row * shape[1] + column), where=better)
    rows, columns = np.nonzero(edges.on)
    beside = [
        np.clip(index + step, 0, size - 1)
        for index, step, size in zip(
            (rows, columns), edges.side[:, rows, columns], shape, strict=True
        )
    ]
    free = ~edges.on[tuple(beside)]
    target[rows[free], columns[free]] = own[tuple(beside)][free]
    peaks, _ = label(target == own, np.ones((3, 3)))
    summit: Ints = np.ravel(target)
    while not np.array_equal(summit, further := summit[summit]):
        summit = further
    return (peaks.ravel()[summit] - 1).reshape(shape).astype(np.intp)


def _borders(
    labels: Ints, distance: Array, edges: Edges, image: Array
) -> dict[tuple[int, int], Border]:
    """Borders of all neighbouring patches."""
    along = [_pairs(labels, distance, edges, image, axis) for axis in (0, 1)]
    key, edge, crossing, step, width, level = (
        np.concatenate(values) for values in zip(*along, strict=True)
    )
    keys, border = np.unique(key, return_inverse=True)
    widest = np.zeros(len(keys), np.float32)
    np.maximum.at(widest, border, width)
    middle = width >= CORE * widest[border]
    levels = np.bincount(border[middle], level[middle], len(keys))
    columns = (
        np.bincount(border, crossing, len(keys)),
        np.bincount(border, ~edge, len(keys)),
        np.bincount(border, step, len(keys)),
        np.bincount(border, minlength=len(keys)),
        widest,
        levels / np.bincount(border[middle], minlength=len(keys)),
    )
    pairs = np.divmod(keys, labels.max() + 1)
    names = zip(*(index.tolist() for index in pairs), strict=True)
    values = zip(*(column.tolist() for column in columns), strict=True)
    return {name: Border(*value) for name, value in zip(names, values, strict=True)}


def _pairs(
    labels: Ints, distance: Array, edges: Edges, image: Array, axis: int
) -> tuple[np.ndarray, ...]:
    """Neighbours along an axis in different patches, as `_borders` needs them.

    A pair with an edge pixel speaks for an edge if the edge runs across the pair: at
    the end of a section through a thin layer it runs along it.
    """
    size = labels.shape[axis]
    one = np.take(labels, range(size - 1), axis)
    rows, columns = np.nonzero(one != np.take(labels, range(1, size), axis))
    here = (rows, columns)
    there = (rows + 1, columns) if axis == 0 else (rows, columns + 1)
    first, second = labels[here], labels[there]
    edge = edges.on[here] | edges.on[there]
    crossing = (edges.side[axis][here] != 0) | (edges.side[axis][there] != 0)
    before, after = list(here), list(there)
    before[axis] = np.maximum(here[axis] - ASIDE, 0)
    after[axis] = np.minimum(there[axis] + ASIDE, size - 1)
    step = image[tuple(after)] - image[tuple(before)]
    key = np.minimum(first, second) * (labels.max() + 1) + np.maximum(first, second)
    return (
        key,
        edge,
        crossing,
        np.where(first < second, step, -step),
        np.minimum(distance[here], distance[there]),
        (image[here] + image[there]) / 2,
    )


class Joining:
    """Patches while they are joined, one pair of neighbours at a time.

    Parameters
    ----------
    patches
        What to join.
    within
        Group of each patch; patches of different groups are no neighbours. By
        default all are of one group.

    Attributes
    ----------
    neighbours
        For each patch its neighbours and the border as seen from it.
    area, depth, level
        Of each patch, joined ones included.
    """

    def __init__(self, patches: Patches, within: Ints | None = None) -> None:
        self.area = patches.area.tolist()
        self.depth = patches.depth.tolist()
        self.level = patches.level.tolist()
        self._joined_to = list(range(len(self.area)))
        self.neighbours: list[dict[int, Border]] = [{} for _ in self.area]
        for (a, b), border in patches.borders.items():
            if within is None or within[a] == within[b]:
                self.neighbours[a][b] = border
                self.neighbours[b][a] = border.reversed()

    def join(self, a: int, b: int) -> tuple[int, list[int]]:
        """Join two neighbours; which of them stands for both, and what changed."""
        if len(self.neighbours[a]) < len(self.neighbours[b]):
            a, b = b, a
        self._joined_to[b] = a
        self.area[a] += self.area[b]
        if self.depth[b] > self.depth[a]:
            self.depth[a], self.level[a] = self.depth[b], self.level[b]
        del self.neighbours[a][b], self.neighbours[b][a]
        for other, border in self.neighbours[b].items():
            del self.neighbours[other][b]
            if other in self.neighbours[a]:
                border = border.with_(self.neighbours[a][other])
            self.neighbours[a][other] = border
            self.neighbours[other][a] = border.reversed()
        changed = list(self.neighbours[b])
        self.neighbours[b] = {}
        return a, changed

    def join_all(self, cost: Callable[[int, int], float | None]) -> None:
        """Join neighbours, those of least cost first, that have a cost."""
        heap: list[tuple[float, int, int]] = []

        def push(a: int, b: int) -> None:
            value = cost(a, b)
            if value is not None:
                heapq.heappush(heap, (value, a, b))

        for a, neighbours in enumerate(self.neighbours):
            for b in neighbours:
                if a < b:
                    push(a, b)
        while heap:
            value, a, b = heapq.heappop(heap)
            if b not in self.neighbours[a]:
                continue
            now = cost(a, b)
            if now is None or now > value:
                push(a, b)
                continue
            kept, changed = self.join(a, b)
            for other in changed:
                push(min(kept, other), max(kept, other))

    def join_small(
        self, smallest: float, cost: Callable[[int, int], float | tuple]
    ) -> None:
        """Join patches of fewer than `smallest` pixels to the cheapest neighbour."""
        heap = [(area, a) for a, area in enumerate(self.area) if area < smallest]
        heapq.heapify(heap)
        while heap:
            area, a = heapq.heappop(heap)
            if self._joined_to[a] != a or self.area[a] != area:
                continue
            if self.neighbours[a]:
                kept, _ = self.join(
                    a, min(self.neighbours[a], key=lambda b: cost(a, b))
                )
                if self.area[kept] < smallest:
                    heapq.heappush(heap, (self.area[kept], kept))

    def groups(self) -> Ints:
        """Group 0 … m − 1 that each of the original patches is now part of."""
        root = np.array(self._joined_to)
        while not np.array_equal(root, further := root[root]):
            root = further
        return np.unique(root, return_inverse=True)[1]


def joined(patches: Patches, groups: Ints) -> Patches:
    """Patches of which each is a group of the given ones.

    Parameters
    ----------
    patches
        n patches.
    groups
        Group 0 … m − 1 of each, shape (n,).
    """
    count = int(groups.max()) + 1
    area = np.bincount(groups, patches.area, count)
    depth = np.zeros(count, patches.depth.dtype)
    np.maximum.at(depth, groups, patches.depth)
    level = np.zeros(count)
    order = np.argsort(patches.depth, kind="stable")
    level[groups[order]] = patches.level[order]
    borders: dict[tuple[int, int], Border] = {}
    for (a, b), border in patches.borders.items():
        first, second = int(groups[a]), int(groups[b])
        if first == second:
            continue
        if first > second:
            first, second, border = second, first, border.reversed()
        known = borders.get((first, second))
        borders[first, second] = border.with_(known) if known else border
    return Patches(groups[patches.labels], area, depth, level, borders)
