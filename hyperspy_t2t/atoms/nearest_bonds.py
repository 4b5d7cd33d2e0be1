# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Nearest neighbours of the sites of a crystal without strain."""

from typing import NamedTuple

import numpy as np

from hyperspy_t2t.array_types import Array
from hyperspy_t2t.phases.crystal_phase import CrystalPhase

SHELL = 1.2
"""Neighbours within this times the distance of the nearest count as nearest, too."""
_APART = 0.3
"""In Å: what is nearer is the atom itself, or an element that shares its place."""


class NearestBonds(NamedTuple):
    """First shell of one site."""

    vectors: Array
    """To its neighbours in Å, crystal frame, shape (m, 3)."""
    length: float
    """Of the shortest, in Å."""

    @property
    def coordination(self) -> int:
        """Number of neighbours."""
        return len(self.vectors)


def nearest_bonds(phase: CrystalPhase, places: Array) -> list[NearestBonds]:
    """First shell of each place, partly empty neighbours counted as there.

    Parameters
    ----------
    phase
        Gives the cell and all its sites.
    places
        Sites whose neighbours are wanted, in fractional coordinates, shape (n, 3).
    """
    lattice = np.asarray(phase.lattice)
    heights = 1.0 / np.linalg.norm(np.linalg.inv(lattice), axis=0)
    reach = 1.5 * np.cbrt(abs(np.linalg.det(lattice)))  # holds a neighbour of each site
    index = [np.arange(-n, n + 1) for n in np.ceil(reach / heights).astype(int) + 1]
    shifts = np.stack(np.meshgrid(*index, indexing="ij"), -1).reshape(-1, 3)
    others = (phase.fractional[:, None] % 1.0 + shifts).reshape(-1, 3) @ lattice
    found = []
    for place in np.asarray(places) % 1.0:
        vectors = others - place @ lattice
        distance = np.linalg.norm(vectors, axis=1)
        length = float(distance[distance > _APART].min())
        near = (distance > _APART) & (distance < SHELL * length)
        unique = np.unique(np.round(vectors[near], 6), axis=0)
        found.append(NearestBonds(unique, length))
    return found
