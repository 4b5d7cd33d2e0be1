# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""How spots belong together: lattices, harmonics, sums of two lattices."""

from enum import IntEnum

import numpy as np
import numpy.typing as npt

from hyperspy_t2t.array_types import Array, Bools
from hyperspy_t2t.peaks.nodes import on_nodes

_FAINT, _SHARING = 0.05, 3
"""Power of a satellite relative to the strongest spot at most; how many must share
their offset, itself included."""


class Relation(IntEnum):
    """What a spot is to others."""

    NONE = 0
    HARMONIC = 1
    """Twice, three times, … a stronger spot."""
    SUM = 2
    """Sum or difference of spots of two lattices, on neither of them: moiré."""
    SATELLITE = 3
    """Off the nodes of the first lattice by what others are off too, and by no half,
    third or quarter of it: a disturbance of the scan, or a modulated crystal."""


def lattice_of(g: Array, lattices: list[Array], tolerance: float) -> npt.NDArray:
    """Number of the first lattice that a spot lies on, from 1; 0 for none.

    Parameters
    ----------
    g
        In pixels of the spectrum, shape (n, 2).
    lattices
        Bases (2, 2) in pixels.
    tolerance
        Distance in pixels.
    """
    number = np.zeros(len(g), int)
    for k, basis in reversed(list(enumerate(lattices, start=1))):
        number[on_nodes(g, basis, tolerance)] = k
    return number


def relation_of(
    g: Array, power: Array, lattice: npt.NDArray, tolerance: float
) -> npt.NDArray:
    """A value of `Relation` for each spot.

    Parameters
    ----------
    g
        One of each Friedel pair in pixels of the spectrum, shape (n, 2).
    power
        Of each, (n,).
    lattice
        As from :func:`lattice_of`.
    tolerance
        Distance in pixels.
    """
    relation = np.full(len(g), Relation.NONE, int)
    both, number = np.concatenate([g, -g]), np.tile(lattice, 2)
    strength = np.tile(power, 2)
    for i in range(len(g)):
        stronger = strength > power[i]
        length = (both**2).sum(axis=1)
        order = np.rint(both @ g[i] / length)
        away = np.linalg.norm(order[:, None] * both - g[i], axis=1)
        if np.any(stronger & (order >= 2) & (away <= tolerance)):
            relation[i] = Relation.HARMONIC
        elif lattice[i] == 0 and _is_sum(g[i], both[stronger], number[stronger],
                                         tolerance):  # fmt: skip
            relation[i] = Relation.SUM
    return relation


def _is_sum(g: Array, both: Array, number: npt.NDArray, tolerance: float) -> bool:
    """Whether g is the sum of two spots on different lattices."""
    near = np.linalg.norm(both[:, None] + both - g, axis=-1) <= tolerance
    different = (number[:, None] != number) & (number[:, None] > 0) & (number > 0)
    return bool(np.any(near & different))


def satellites(
    g: Array, power: Array, lattices: list[Array], tolerance: float
) -> Bools:
    """Faint spots that share their offset from the nodes of the first lattice.

    Parameters
    ----------
    g, power
        As in :func:`relation_of`.
    lattices
        As in :func:`lattice_of`.
    tolerance
        Distance in pixels.
    """
    if not lattices:
        return np.zeros(len(g), bool)
    basis = lattices[0]
    on = on_nodes(g, basis, tolerance)
    faint = ~on & (power < _FAINT * power[on].max(initial=0.0))
    order = g @ np.linalg.inv(basis)
    for part in (2, 3, 4):
        rational = np.rint(part * order) / part
        faint &= np.linalg.norm((order - rational) @ basis, axis=1) > tolerance
    rest = order - np.rint(order)
    shared = np.zeros((len(g), len(g)), bool)
    for sign in (1, -1):
        apart = rest[:, None] - sign * rest
        apart = (apart - np.rint(apart)) @ basis
        shared |= np.linalg.norm(apart, axis=-1) <= 2 * tolerance
    shared &= faint & faint[:, None]
    return faint & (shared.sum(axis=1) >= _SHARING)
