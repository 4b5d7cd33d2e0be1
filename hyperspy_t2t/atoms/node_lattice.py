# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Nodes of a lattice in the image plane, each with the sites of a primitive cell."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from hyperspy_t2t.array_types import Array, Ints

_HAIR = 1e-6
"""Share of the period below which two depths are one."""


class Cell(Protocol):
    """What is needed of a :class:`~hyperspy_t2t.atoms.virtual_cell.VirtualCell`."""

    @property
    def projection(self) -> Array: ...

    @property
    def depth(self) -> Array: ...

    @property
    def basis(self) -> Array: ...

    @property
    def lean(self) -> Array: ...

    @property
    def in_plane(self) -> Array: ...

    @property
    def period(self) -> float: ...


@dataclass(frozen=True)
class NodeLattice:
    """Nodes (i, j) of a lattice in the plane and the sites of each.

    Parameters
    ----------
    origin, in_plane
        A node lies at origin + (i, j) @ in_plane in nm, undeformed.
    centre
        From a node to the middle of its sites in nm, shape (2,).
    node_depth
        Depth of a step of i and of j in nm, shape (2,).
    offsets, depths
        Of the sites from their node in nm, shapes (s, 2) and (s,).
    period, lean
        Of the cell.
    """

    origin: Array
    in_plane: Array
    centre: Array
    node_depth: Array
    offsets: Array
    depths: Array
    period: float
    lean: Array

    @classmethod
    def of(
        cls, cell: Cell, sites: Array, origin: Array, *, like: Array | None = None
    ) -> "NodeLattice":
        """Lattice of a cell with the sites of a node close together.

        Parameters
        ----------
        cell
            The cell.
        sites
            Fractional coordinates of the sites of a primitive cell, shape (s, 3).
        origin
            Of the cell in the undeformed frame, in nm, shape (2,).
        like
            Sites whose nodes to take, each about where that of `sites` is: those of
            another phase on the same lattice. By default `sites`.
        """
        sites = np.asarray(sites, float)
        like = sites if like is None else np.asarray(like, float)
        move = _gathering(cell, like) @ cell.basis
        sites = sites + move
        return cls(
            np.asarray(origin, float),
            cell.in_plane,
            (like + move).mean(axis=0) @ cell.projection.T,
            cell.basis @ cell.depth,
            sites @ cell.projection.T,
            sites @ cell.depth,
            cell.period,
            np.asarray(cell.lean, float),
        )

    def __len__(self) -> int:
        """Number of sites of a node."""
        return len(self.depths)

    @property
    def start(self) -> Array:
        """Centre of node (0, 0) in nm, shape (2,)."""
        return self.origin + self.centre

    @property
    def spacing(self) -> float:
        """Shortest distance between nodes in nm."""
        a, b = self.in_plane
        return float(min(np.hypot(*v) for v in (a, b, a + b, a - b)))

    def centres(self, nodes: Ints) -> Array:
        """Undeformed centres of nodes in nm, (k, 2)."""
        return self.start + nodes @ self.in_plane

    def nearest(self, reference: Array) -> Ints:
        """Nodes whose centres are about nearest to undeformed positions, (k, 2)."""
        index = (reference - self.start) @ np.linalg.inv(self.in_plane)
        return np.rint(index).astype(np.int64)

    def sites(self, nodes: Ints) -> tuple[Array, Array]:
        """Undeformed positions (k, s, 2) and depths (k, s) of the sites of nodes.

        Depths are from 0 to one period in nm.
        """
        corner = self.origin + nodes @ self.in_plane
        depth = (nodes @ self.node_depth)[:, None] + self.depths
        hair = _HAIR * self.period
        # A hair below the period counts as zero, or rounding would split a layer.
        depth = np.maximum((depth + hair) % self.period - hair, 0.0)
        return corner[:, None] + self.offsets, depth


def _gathering(cell: Cell, sites: Array) -> Array:
    """Whole steps (i, j) that bring the sites of a node together, shape (s, 2)."""
    place = sites @ cell.projection.T @ np.linalg.inv(cell.in_plane)
    steps = -np.rint(place - place[0])
    for _ in range(2):
        gathered = place + steps
        steps -= np.rint(gathered - gathered.mean(axis=0))
    return steps
