# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""What a user sees of one way to index a region."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from hyperspy_t2t.phases.crystal_phase import CrystalPhase


@dataclass(frozen=True, eq=False)
class PhaseSolution:
    """A phase and orientation that explain the peaks of a region.

    Parameters
    ----------
    crystal
        The phase, as arrays.
    zone_axis
        [u, v, w] pointing towards the source, antiparallel to the beam.
    matrix
        Rotation matrix crystal → image frame, shape (3, 3).
    distortion
        D, shape (2, 2), symmetric: a vector r of the crystal is imaged at D r.
    hkl
        Indices of each peak of the region, shape (n, 3); zeros where unexplained.
    matched
        Whether each peak is explained, shape (n,).
    score
        From 0 to 1: explained evidence × predicted reflections seen × number and
        agreement of the peaks × plausibility of scale and distortion.
    residual
        Root mean square distance of the matched peaks in 1/nm.
    """

    crystal: CrystalPhase
    zone_axis: npt.NDArray[np.int64]
    matrix: npt.NDArray[np.float64]
    distortion: npt.NDArray[np.float64]
    hkl: npt.NDArray[np.int64]
    matched: npt.NDArray[np.bool_]
    score: float
    residual: float

    @property
    def phase(self) -> Any:
        """The phase as ``orix.crystal_map.Phase``."""
        from hyperspy_t2t.phases.convert import phase_to_orix

        return phase_to_orix(self.crystal)

    @property
    def orientation(self) -> Any:
        """``orix.quaternion.Orientation`` from the image to the crystal frame."""
        from orix.quaternion import Orientation

        return Orientation.from_matrix(
            self.matrix.T[None], symmetry=self.phase.point_group
        )

    @property
    def scale(self) -> float:
        """Measured length over true length: 1.03 for pixels labelled 3 % too large."""
        return float(np.sqrt(np.linalg.det(self.distortion)))

    @property
    def n_matched(self) -> int:
        """Number of explained peaks, Friedel partners included."""
        return int(self.matched.sum())

    def __repr__(self) -> str:
        axis = "".join(f" {index}" for index in self.zone_axis).strip()
        return (
            f"<PhaseSolution {self.crystal.name}, zone axis [{axis}], score "
            f"{self.score:.3f}, {self.n_matched} of {len(self.matched)} peaks, scale "
            f"{self.scale:.4f}, residual {self.residual:.3g} 1/nm>"
        )
