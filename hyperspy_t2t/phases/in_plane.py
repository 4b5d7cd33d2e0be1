# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""How a crystal is turned in the plane of the image, and what turns look alike."""

from collections.abc import Mapping
from typing import Protocol

import numpy as np
import numpy.typing as npt

from hyperspy_t2t.array_types import Array, Ints
from hyperspy_t2t.frames import shortest_zone_reflection, zone_axis_frame
from hyperspy_t2t.phases.crystal_phase import CrystalPhase
from hyperspy_t2t.phases.reflections import laue_operations


class Oriented(Protocol):
    """A crystal in the image: phase, zone axis, rotation crystal → image."""

    @property
    def crystal(self) -> CrystalPhase: ...

    @property
    def zone_axis(self) -> Ints: ...

    @property
    def matrix(self) -> Array: ...


def in_plane_rotations(
    solutions: Mapping[int, Oriented],
) -> dict[int, tuple[float, float, Ints]]:
    """How far each crystal is turned, equal ones counted from the same spot.

    Parameters
    ----------
    solutions
        One crystal per region.

    Returns
    -------
    dict
        Per region the angle from +x towards +y of the shortest reciprocal vector of
        the zone and the period it is known up to, both in degrees, and (h, k, l) of
        that vector. The first region with a phase and zone axis has an angle from
        −period/2 to period/2, others with the same the value nearest to it.
    """
    first: dict[tuple, float] = {}
    rows = {}
    for label, solution in solutions.items():
        crystal, axis = solution.crystal, solution.zone_axis
        hkl = shortest_zone_reflection(crystal.lattice, axis)
        x, y, _ = solution.matrix @ (hkl @ crystal.reciprocal_lattice)
        period = pattern_period(crystal, axis)
        # A zone and its opposite have the same reflections.
        kind = (crystal.name, max(tuple(axis.tolist()), tuple((-axis).tolist())))
        near = first.get(kind, 0.0)
        turn = (np.degrees(np.arctan2(y, x)) - near + period / 2) % period
        angle = float(near + turn - period / 2)
        first.setdefault(kind, angle)
        rows[label] = (angle, period, hkl)
    return rows


def pattern_period(phase: CrystalPhase, zone_axis: npt.ArrayLike) -> float:
    """Smallest turn about a zone axis that leaves its spots in place, in degrees.

    Spots show the Laue group: of the operations that keep the zone axis or reverse
    it those count that act in its plane as a rotation. Inversion is one (180°).

    Parameters
    ----------
    phase
        Any phase.
    zone_axis
        Direct-space indices [u, v, w].
    """
    _, plane = in_plane_operations(phase, zone_axis, laue_operations(phase))
    turns = plane[np.linalg.det(plane) > 0]
    angles = np.round(np.degrees(np.arctan2(turns[:, 1, 0], turns[:, 0, 0]))) % 360
    return 360.0 / len(np.unique(angles))


def in_plane_operations(
    phase: CrystalPhase, zone_axis: npt.ArrayLike, operations: Ints
) -> tuple[Ints, Array]:
    """Those operations that keep a zone axis or reverse it, and what they do across it.

    Parameters
    ----------
    phase
        Any phase.
    zone_axis
        Direct-space indices [u, v, w].
    operations
        Point operations on direct indices, shape (n, 3, 3).

    Returns
    -------
    kept, plane
        The operations, shape (k, 3, 3), and their action in the plane of the image
        of :func:`~hyperspy_t2t.frames.zone_axis_frame`, shape (k, 2, 2).
    """
    axis = np.asarray(zone_axis)
    image = operations @ axis
    kept = operations[(image == axis).all(axis=1) | (image == -axis).all(axis=1)]
    # uvw → crystal frame → image frame.
    to_image = zone_axis_frame(phase.lattice, axis) @ phase.lattice.T
    return kept, (to_image @ kept @ np.linalg.inv(to_image))[:, :2, :2]
