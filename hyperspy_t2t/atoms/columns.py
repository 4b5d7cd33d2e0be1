# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Columns of atoms: a crystal seen along the beam, one period deep."""

from dataclasses import dataclass

from hyperspy_t2t.array_types import Array, Bools, Ints


@dataclass(frozen=True)
class Columns:
    """Columns that repeat with one period along the beam, of one region.

    Parameters
    ----------
    position, reference
        Imaged r and undeformed R = r − u(r) in nm, shape (n, 2), in the middle of the
        thickness.
    depth
        Of the first atom, from 0 to `period`, in nm, shape (n,).
    stretch
        1 + ε along the beam, relative to `period`, shape (n,).
    lean
        In-plane shift per length of depth, shape (n, 2).
    site
        Which site of the primitive cell, shape (n,).
    node
        Which primitive cell in the plane (i, j), shape (n, 2): columns of one node
        make whole cells.
    continued
        Whether u was continued beyond where it was measured, shape (n,).
    period
        Along the beam in nm.
    """

    position: Array
    reference: Array
    depth: Array
    stretch: Array
    lean: Array
    site: Ints
    node: Ints
    continued: Bools
    period: float

    def __len__(self) -> int:
        return len(self.depth)

    def __getitem__(self, rows: Bools | slice | Ints) -> "Columns":
        """Some of the columns."""
        return Columns(
            self.position[rows],
            self.reference[rows],
            self.depth[rows],
            self.stretch[rows],
            self.lean[rows],
            self.site[rows],
            self.node[rows],
            self.continued[rows],
            self.period,
        )
