# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Which region a point lies in, from outlines that share their borders."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import shapely
from numba import njit

from hyperspy_t2t.array_types import Array, Ints, Labels

_EDGES_PER_BUCKET = 2


@dataclass(frozen=True)
class Polygons:
    """Outlines of all regions as edges, sorted by label.

    Parameters
    ----------
    labels
        Of the regions, ascending and above 0, shape (k,).
    offsets
        Where the edges of each region start, shape (k + 1,).
    edges
        x and y of both ends in nm, the end of smaller y first, shape (m, 4): a border
        gives the same numbers for the regions on both its sides.
    areas
        In nm², holes taken off, shape (k,).
    """

    labels: Labels
    offsets: Ints
    edges: Array
    areas: Array

    @classmethod
    def from_contours(cls, contours: Mapping[int, Sequence[Array]]) -> "Polygons":
        """From closed polygons (n, 2) in nm for each label.

        Parameters
        ----------
        contours
            For example :class:`~hyperspy_t2t.segmentation.contours.Contours`: outer
            outlines and holes with the opposite sense. Label 0 is no region.
        """
        labels = sorted(label for label in contours if label > 0)
        edges, areas = [np.empty((0, 4))], []
        counts = [0]
        for label in labels:
            own = [_edges(polygon) for polygon in contours[label]]
            area = sum(float(np.sum(_crosses(e, e[0, :2]))) / 2 for e in own if len(e))
            areas.append(abs(area))
            upright = [_upright(e) for e in own]
            edges += upright
            counts.append(sum(map(len, upright)))
        return cls(
            np.array(labels, np.int32),
            np.cumsum(counts),
            np.concatenate(edges),
            np.array(areas, float),
        )

    def __contains__(self, label: int) -> bool:
        """Whether a label has an outline."""
        return bool(np.isin(label, self.labels))

    def of(self, label: int) -> Array:
        """Edges of one region, shape (m, 4)."""
        number = self.number(label)
        return self.edges[self.offsets[number] : self.offsets[number + 1]]

    def number(self, label: int) -> int:
        """Which of the regions a label is; KeyError for one without outlines."""
        number = int(np.searchsorted(self.labels, label))
        if number == len(self.labels) or self.labels[number] != label:
            raise KeyError(
                f"Expected the label of a region with an outline, got {label}."
            )
        return number

    def box(self, label: int) -> Array:
        """Bounding box of a region in nm: rows (x, y) lowest and highest."""
        ends = self.of(label).reshape(-1, 2)
        return np.stack([ends.min(axis=0), ends.max(axis=0)])

    def area(self, label: int) -> float:
        """Area of a region in nm², its holes taken off."""
        return float(self.areas[self.number(label)])

    def region_at(self, points: Array) -> Labels:
        """Label of the region that holds each point, 0 for none.

        Even-odd rule with half-open edges: a point on a border belongs to the region
        on one side of it, never to both or none.

        Parameters
        ----------
        points
            (x, y) in nm, shape (n, 2); NaN lies in no region.
        """
        points = np.ascontiguousarray(points, float)
        found = np.zeros(len(points), np.int32)
        if len(self.edges):
            _region_at(points, *self._buckets, self.edges, self.labels, found)
        return found

    def depth(self, points: Array, label: int, *, reach: float = np.inf) -> Array:
        """How far inside of a region points lie: distance to its outline in nm.

        Parameters
        ----------
        points
            (x, y) in nm, shape (n, 2).
        label
            Of the region.
        reach
            Longest distance that matters, in nm; what is further counts as infinite.

        Returns
        -------
        ndarray
            Negative outside, shape (n,).
        """
        points = np.asarray(points, float)
        low, high = self.box(label)
        near = ((points >= low - reach) & (points <= high + reach)).all(axis=1)
        rows = np.flatnonzero(near)
        edges = shapely.linestrings(self.of(label).reshape(-1, 2, 2))
        (found, _), distance = shapely.STRtree(edges).query_nearest(
            shapely.points(points[rows]),
            max_distance=reach if np.isfinite(reach) else None,
            return_distance=True,
            all_matches=False,
        )
        depth = np.full(len(points), np.inf)
        depth[rows[found]] = distance
        return np.where(self.region_at(points) == label, depth, -depth)

    @cached_property
    def _buckets(self) -> tuple[float, float, Ints, Ints, Ints]:
        """Lines of equal height: lowest y, lines per nm, and the edges in each.

        The edges as offsets and indices, and which region each edge bounds.
        """
        low, high = self.edges[:, 1].min(), self.edges[:, 3].max()
        count = max(1, len(self.edges) // _EDGES_PER_BUCKET)
        scale = count / (high - low) if high > low else 1.0
        offsets, index = _fill_buckets(self.edges, low, scale, count)
        owner = np.repeat(np.arange(len(self.labels)), np.diff(self.offsets))
        return low, scale, offsets, index, owner


def _edges(polygon: Array) -> Array:
    """Both ends of the edges of a closed polygon (n, 2), as drawn, (m, 4)."""
    polygon = np.asarray(polygon, float)
    if len(polygon) and (polygon[0] != polygon[-1]).any():
        polygon = np.concatenate([polygon, polygon[:1]])
    return np.concatenate([polygon[:-1], polygon[1:]], axis=1)


def _crosses(edges: Array, origin: Array) -> Array:
    x0, y0, x1, y1 = (edges - np.tile(origin, 2)).T
    return x0 * y1 - x1 * y0


def _upright(edges: Array) -> Array:
    """Edges with the end of smaller y first; level ones (no crossing) as they are."""
    down = edges[:, 1] > edges[:, 3]
    return np.where(down[:, None], edges[:, [2, 3, 0, 1]], edges)


@njit(cache=True, nogil=True)
def _bucket(y: float, low: float, scale: float, count: int) -> int:
    return min(max(int((y - low) * scale), 0), count - 1)


@njit(cache=True, nogil=True)
def _fill_buckets(
    edges: Array, low: float, scale: float, count: int
) -> tuple[Ints, Ints]:
    """Offsets (count + 1,) and indices of the edges that reach into each bucket."""
    offsets = np.zeros(count + 1, np.int64)
    for edge in edges:
        first = _bucket(edge[1], low, scale, count)
        for k in range(first, _bucket(edge[3], low, scale, count) + 1):
            offsets[k + 1] += 1
    offsets = np.cumsum(offsets)
    place = offsets.copy()
    index = np.empty(offsets[-1], np.int64)
    for number in range(len(edges)):
        edge = edges[number]
        first = _bucket(edge[1], low, scale, count)
        for k in range(first, _bucket(edge[3], low, scale, count) + 1):
            index[place[k]] = number
            place[k] += 1
    return offsets, index


@njit(cache=True, nogil=True, error_model="numpy")
def _region_at(
    points: Array, low: float, scale: float, offsets: Ints, index: Ints, owner: Ints,
    edges: Array, labels: Labels, found: Labels,
) -> None:  # fmt: skip
    count = len(offsets) - 1
    odd = np.zeros(len(labels), np.bool_)
    for n in range(len(points)):
        x, y = points[n, 0], points[n, 1]
        if not (y >= low and y * 0 == 0 and x * 0 == 0):
            continue
        bucket = _bucket(y, low, scale, count)
        first, last = offsets[bucket], offsets[bucket + 1]
        for k in range(first, last):
            e = index[k]
            y0, y1 = edges[e, 1], edges[e, 3]
            if y0 <= y < y1:
                x0 = edges[e, 0]
                at = x0 + (y - y0) / (y1 - y0) * (edges[e, 2] - x0)
                if x < at:
                    odd[owner[e]] = not odd[owner[e]]
        for k in range(first, last):
            region = owner[index[k]]
            if odd[region]:
                odd[region] = False
                found[n] = labels[region]
