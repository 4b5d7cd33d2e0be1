# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Nodes of an undeformed lattice that may be imaged in a region, tile by tile."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from hyperspy_t2t.array_types import Array, Ints
from hyperspy_t2t.atoms.inside_polygon import Polygons
from hyperspy_t2t.atoms.placement import inverse_steps

SIDE = 16
"""Nodes along each side of a tile."""
_TILES = 256
"""Tiles at a time: 65 536 nodes."""


class Field(Protocol):
    """What is needed of a :class:`~hyperspy_t2t.strain.maps.LatticeField`."""

    def displacement_at(self, positions: Array) -> Array:
        """u in nm at (n, 2) in nm, shape (2, n)."""

    def gradient_at(self, positions: Array) -> Array:
        """∂u_i/∂r_j as xx, xy, yx, yy, shape (4, n)."""


@dataclass(frozen=True)
class Tiles:
    """Tiles of nodes, each with a place in the image close to where it is seen.

    Parameters
    ----------
    corners
        First node (i, j) of each tile, shape (k, 2).
    position, reference
        Of that place, r and R = r − u(r) in nm, shape (k, 2).
    gradient
        ∂u/∂r there, shape (4, k).
    """

    corners: Ints
    position: Array
    reference: Array
    gradient: Array

    def batches(self) -> Iterator[tuple[Ints, Ints]]:
        """Nodes (i, j) of some tiles at a time, (n, 2), and which tile has each."""
        i, j = (a.ravel() for a in np.mgrid[:SIDE, :SIDE])
        inner = np.stack([i, j], axis=-1)
        for first in range(0, len(self.corners), _TILES):
            corner = self.corners[first : first + _TILES]
            nodes = (corner[:, None] + inner).reshape(-1, 2)
            yield nodes, first + np.repeat(np.arange(len(corner)), SIDE * SIDE)

    def guesses(self, tile: Ints, reference: Array) -> Array:
        """About where nodes are imaged, (n, 2) in nm.

        Parameters
        ----------
        tile
            Which tile has each of them, shape (n,).
        reference
            Their undeformed positions in nm, shape (n, 2).
        """
        step = reference - self.reference[tile]
        return self.position[tile] + inverse_steps(self.gradient[:, tile], step)


def tiles_of(samples: Array, field: Field, start: Array, in_plane: Array) -> Tiles:
    """Tiles with all nodes that may be imaged among samples of a region.

    Parameters
    ----------
    samples
        Places in the image, see :func:`region_samples`, shape (n, 2) in nm.
    field
        The displacement.
    start, in_plane
        Node (i, j) lies at start + (i, j) @ in_plane in nm.
    """
    reference = samples - field.displacement_at(samples).T
    known = np.isfinite(reference).all(axis=1)
    samples, reference = samples[known], reference[known]
    index = (reference - start) @ np.linalg.inv(in_plane) / SIDE
    shifts = np.stack(np.meshgrid(*[(-0.5, 0.0, 0.5)] * 2), -1).reshape(-1, 1, 2)
    tile = np.floor(index + shifts)
    distance = np.abs(index - tile - 0.5).max(axis=-1).ravel()
    # Of the samples about a tile the one nearest to its middle comes first.
    tile = tile.reshape(-1, 2).astype(np.int64)
    order = np.argsort(distance)
    corners, first = np.unique(tile[order], axis=0, return_index=True)
    nearest = order[first] % len(samples)
    return Tiles(
        SIDE * corners,
        samples[nearest],
        reference[nearest],
        field.gradient_at(samples[nearest]),
    )


def region_samples(polygons: Polygons, label: int, spacing: float) -> Array:
    """Places all over a region and along its outline, (n, 2) in nm.

    No place of the region is further than `spacing` from one of them.
    """
    edges = polygons.of(label)
    ends, step = edges[:, :2], edges[:, 2:] - edges[:, :2]
    parts = np.ceil(np.hypot(*step.T) / spacing).astype(int).clip(1)
    edge = np.repeat(np.arange(len(edges)), parts)
    within = np.arange(len(edge)) - np.repeat(np.cumsum(parts) - parts, parts)
    border = ends[edge] + step[edge] * (within / parts[edge])[:, None]
    low, high = polygons.box(label)
    x, y = (np.arange(a, b, spacing) for a, b in zip(low, high, strict=True))
    inner = np.stack(np.meshgrid(x, y), -1).reshape(-1, 2)
    return np.concatenate([border, inner[polygons.region_at(inner) == label]])
