# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""What the solutions of regions say of the phase and strength of fringes."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from hyperspy_t2t.phases.composition_phase import composition_phase_shift, isomorphous
from hyperspy_t2t.phases.crystal_phase import CrystalPhase
from hyperspy_t2t.phases.reflections import projected_structure_factor

_STEADY = 0.05
"""Phase shift in radians below which a fringe says nothing of the composition."""


def crystals_of(peaks: Any, labels: Iterable[int]) -> list[CrystalPhase]:
    """The phases of the best solutions of regions."""
    best = (peaks.best(label) for label in labels)
    return [solution.crystal for solution in best if solution is not None]


def steady(
    crystal: CrystalPhase, hkl: np.ndarray, others: Iterable[CrystalPhase]
) -> np.ndarray:
    """Whether the phase of each reflection stays where elements are replaced, (n,).

    In the crystal itself and in `others` of the same kind of cell, to lie beside it.
    """
    kept = composition_phase_shift(crystal, hkl) < _STEADY
    for other in others:
        if isomorphous(crystal, other):
            kept &= composition_phase_shift(other, hkl) < _STEADY
    return kept


def hkl_of(peaks: Any, label: int, g_vectors: np.ndarray) -> np.ndarray:
    """Indices (n, 3) of nodes of a region's lattice in 1/nm, (n, 2)."""
    best = peaks.best(label)
    g = peaks._spots(label)[best.matched, :2]
    to_hkl, *_ = np.linalg.lstsq(g, best.hkl[best.matched].astype(float), rcond=None)
    return np.rint(g_vectors @ to_hkl)


def relative_strength(crystal: CrystalPhase, hkl: np.ndarray) -> np.ndarray:
    """|F| of a Z-contrast image over that of all sites in phase, shape (n,)."""
    most = projected_structure_factor(crystal, np.zeros((1, 3)))
    return np.abs(projected_structure_factor(crystal, hkl) / most)
