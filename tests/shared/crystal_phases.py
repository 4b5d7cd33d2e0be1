# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Phases and solutions made by hand."""

from collections.abc import Sequence

import numpy as np

from hyperspy_t2t.frames import zone_axis_frame
from hyperspy_t2t.phases.crystal_phase import CrystalPhase
from hyperspy_t2t.phases.library import library_phase
from hyperspy_t2t.phases.solution import PhaseSolution


def mixed_phase(**options) -> CrystalPhase:
    """Si0.7Ge0.3 of 0.55 nm: both elements on each site of diamond."""
    return CrystalPhase(
        name="alloy",
        cell=(5.5, 5.5, 5.5, 90.0, 90.0, 90.0),
        numbers=np.repeat([32, 14], 8),
        fractional=np.tile(library_phase("Si diamond").fractional, (2, 1)),
        occupancy=np.repeat([0.3, 0.7], 8),
        **options,
    )


def solution_without_peaks(
    name: str,
    axis: Sequence[int],
    rotation: float,
    distortion: np.ndarray | None = None,
) -> PhaseSolution:
    """A phase along a zone axis, turned by degrees."""
    phase = library_phase(name)
    return PhaseSolution(
        crystal=phase,
        zone_axis=np.array(axis),
        matrix=zone_axis_frame(phase.lattice, axis, rotation=np.deg2rad(rotation)),
        distortion=np.eye(2) if distortion is None else distortion,
        hkl=np.empty((0, 3), int),
        matched=np.empty(0, bool),
        probability=1.0,
        score=1.0,
        share=1.0,
        residual=0.0,
        residuals=np.empty(0),
        covariance=np.eye(3),
    )
