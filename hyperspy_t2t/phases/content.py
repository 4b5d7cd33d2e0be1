# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Phases as keys of caches: equal where what they diffract is equal."""

import numpy as np

from hyperspy_t2t.phases.crystal_phase import CrystalPhase


class PhaseContent:
    """A phase that is equal to any other with the same name, cell and atoms.

    Parameters
    ----------
    phase
        Kept in `phase`.
    """

    def __init__(self, phase: CrystalPhase) -> None:
        self.phase = phase
        self._key = (
            phase.name,
            tuple(float(value) for value in phase.cell),
            np.asarray(phase.numbers, np.int64).tobytes(),
            np.asarray(phase.fractional, float).tobytes(),
            np.asarray(phase.occupancy, float).tobytes(),
        )

    def __hash__(self) -> int:
        return hash(self._key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PhaseContent) and self._key == other._key
