# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""What the last steps of a descent tell of the curvature of the energy: L-BFGS.

J. Nocedal, Math. Comp. 35, 773 (1980), doi:10.1090/S0025-5718-1980-0572855-7.
"""

import numpy as np

from hyperspy_t2t.array_types import Array
from hyperspy_t2t.physics import relaxation_kernels as kernels

REMEMBERED = 8
"""Steps that the curvature is known from."""


class Curvature:
    """The last steps, the changes of the forces along them, and all their products.

    Parameters
    ----------
    n_atoms
        Vectors have three components for each.
    scale
        Inverse curvature to begin with, Å²/eV.
    """

    def __init__(self, n_atoms: int, scale: float) -> None:
        self._first = self._scale = scale
        # Single precision is enough for a curvature, and half of the memory.
        self.history = np.zeros((3 * n_atoms, 2 * REMEMBERED), np.float32)
        self._products = np.zeros((2 * REMEMBERED + 1,) * 2)
        self.order: list[int] = []
        """Rows in use, the newest first."""

    def forget(self) -> None:
        """Begin anew."""
        self.order, self._scale = [], self._first

    def shares(self) -> Array:
        """Shares of steps, changes and forces in the direction to go: the two loops."""
        shares = np.zeros(2 * REMEMBERED + 1)
        shares[-1] = 1
        parts = {}
        for row in self.order:
            change = REMEMBERED + row
            parts[row] = self._products[row] @ shares / self._products[row, change]
            shares[change] -= parts[row]
        shares *= self._scale
        for row in reversed(self.order):
            change = REMEMBERED + row
            part = self._products[change] @ shares / self._products[row, change]
            shares[row] += parts[row] - part
        return shares

    def add(self, direction: Array, length: float, before: Array, after: Array) -> None:
        """Remember a step, all (n, 3), unless the energy curves down along it."""
        row = (self.order[0] + 1) % REMEMBERED if self.order else 0
        change = REMEMBERED + row
        found = kernels.remember(direction, length, before, after, self.history, row)
        for place, values in zip((row, change, -1), found, strict=True):
            self._products[place] = self._products[:, place] = values
        others = [other for other in self.order if other != row]
        along, square = self._products[row, change], self._products[change, change]
        if along > 1e-10 * square * self._scale:
            self._scale = along / square
            self.order = [row, *others]
        else:
            self.order = others
