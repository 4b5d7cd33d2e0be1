# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""What a user sees of one way to index a region."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from hyperspy_t2t.array_types import Array, Bools, Ints
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
    probability
        Of this phase and zone axis among all candidates and "none of these", 0 to 1.
    score
        From 0 to 1, how well it fits: the share of the peaks' evidence that is
        explained times the share of the expected strength that is seen.
    share
        Share of the peaks' evidence that this crystal explains and those before it in
        the region do not.
    residual
        Root mean square distance of the matched peaks in 1/nm.
    residuals
        Distance of each peak from its reflection in 1/nm, NaN where unexplained, (n,).
    covariance
        Of (ε, a, b), where D = (1 + ε)(I + [[a, b], [b, −a]]), shape (3, 3).
    """

    crystal: CrystalPhase
    zone_axis: Ints
    matrix: Array
    distortion: Array
    hkl: Ints
    matched: Bools
    probability: float
    score: float
    share: float
    residual: float
    residuals: Array
    covariance: Array

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
    def scale_std(self) -> float:
        """Standard error of `scale`."""
        return float(np.sqrt(self.covariance[0, 0]))

    @property
    def tilt_limit(self) -> float:
        """Largest tilt of the zone axis off the beam that the spots allow, in degrees.

        A tilt by θ shortens the pattern to cos θ in one direction. This is the θ of the
        whole fitted anisotropy and twice its standard error: an upper bound, since the
        scan distorts images too.
        """
        long, short = np.linalg.svd(self.distortion, compute_uv=False)
        error = 2 * np.sqrt(self.covariance[1, 1] + self.covariance[2, 2])
        return float(np.degrees(np.arccos(max(short / long - 2 * error, 0.0))))

    @property
    def n_matched(self) -> int:
        """Number of explained peaks, Friedel partners included."""
        return int(self.matched.sum())

    def __repr__(self) -> str:
        axis = "".join(f" {index}" for index in self.zone_axis).strip()
        return (
            f"<PhaseSolution {self.crystal.name}, zone axis [{axis}], "
            f"probability {self.probability:.2f}, score {self.score:.3f}, "
            f"{self.n_matched} of {len(self.matched)} peaks, scale {self.scale:.4f}, "
            f"residual {self.residual:.3g} 1/nm>"
        )
