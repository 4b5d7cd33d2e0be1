# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Which of two regions has an atom place at their border that each images itself."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from hyperspy_t2t.array_types import Array, Bools, Ints
from hyperspy_t2t.atoms.inside_polygon import Polygons

Nearest = Callable[[int, Array], tuple[Array, Bools]]
_TURNS = np.pi / 4 * np.arange(8)
_AROUND = np.stack([np.cos(_TURNS), np.sin(_TURNS)], axis=-1)
_AROUND = np.concatenate([[[0.0, 0.0]], _AROUND])


@dataclass(frozen=True)
class Settled:
    """Which nodes a region keeps.

    Parameters
    ----------
    kept
        Of the nodes that its own field images, shape (n,).
    contested
        Nodes in the region left to a neighbour that claimed the same place.
    given
        Nodes kept although imaged beyond the outline: the neighbour does not claim
        them either.
    """

    kept: Bools
    contested: int
    given: int


def settle(
    label: int,
    position: Array,
    *,
    polygons: Polygons,
    labels: tuple[int, ...],
    nearest: Nearest,
    near: float,
) -> Settled:
    """Nodes that a region keeps where its neighbours have fields of their own.

    Fields of neighbours disagree a little at their border, so that a place there may
    be claimed by both or, lying beyond the outline by either field, by none. A node
    imaged in the region is a candidate, and so is one imaged in a neighbour less than
    `near` beyond the outline if the neighbour's field has a node within `near` of it.
    Nodes of two regions within `near` of each other are one place, whatever their
    indices are: it goes to the region that it is deeper in, or less far outside of.

    Parameters
    ----------
    label, position
        The region and where its field images nodes, in nm, shape (n, 2); NaN where
        it does not.
    polygons
        Outlines of all regions.
    labels
        The regions that share the lattice.
    nearest
        Of another region's label and positions (m, 2): where its field images the
        node nearest to each, (m, 2), and whether it was found, (m,).
    near
        In nm: half the distance between nodes.
    """
    at = polygons.region_at(position)
    claimed = at == label
    depth = np.full(len(position), -np.inf)
    rows = np.flatnonzero(np.isin(at, labels))
    depth[rows] = polygons.depth(position[rows], label, reach=near)
    border = rows[np.abs(depth[rows]) < near]
    kept = claimed.copy()
    agreed = claimed[border]  # what lies beyond needs the neighbour's consent
    beaten = np.zeros(len(border), bool)
    place, score = position[border], depth[border]
    around = _labels_around(place, near, polygons)
    for other in set(labels) - {label}:
        rows = np.flatnonzero((around == other).any(axis=1))
        if not len(rows):
            continue
        image, found = nearest(other, place[rows])
        same = found & (np.hypot(*(image - place[rows]).T) < near)
        rows, image = rows[same], image[same]
        agreed[rows] |= at[border[rows]] == other
        theirs = polygons.depth(image, other, reach=near)
        theirs[~np.isin(polygons.region_at(image), labels)] = -np.inf
        better = (theirs > score[rows]) | ((theirs == score[rows]) & (other < label))
        beaten[rows] |= better & (theirs > -near)
    kept[border] = agreed & ~beaten
    return Settled(kept, int((claimed & ~kept).sum()), int((kept & ~claimed).sum()))


def _labels_around(points: Array, reach: float, polygons: Polygons) -> Ints:
    """Labels at points and at a distance in eight directions, shape (n, 9)."""
    places = points[:, None] + reach * _AROUND
    return polygons.region_at(places.reshape(-1, 2)).reshape(places.shape[:2])
