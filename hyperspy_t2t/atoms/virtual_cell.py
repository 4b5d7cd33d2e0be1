# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""The cell that was measured: exact in the image plane, bulk along the beam."""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from hyperspy_t2t.phases.crystal_phase import CrystalPhase

Array = npt.NDArray[np.floating]
Indices = npt.NDArray[np.int64]


@dataclass(frozen=True)
class VirtualCell:
    """A crystal's cell as seen in the image, with a lattice basis along the beam.

    Parameters
    ----------
    projection
        P, shape (2, 3): fractional coordinates to image plane, in nm.
    depth
        Shape (3,): fractional coordinates to depth along the beam, in nm.
    zone_axis
        Primitive [u, v, w]; its projection is zero.
    basis
        Rows b1, b2: lattice vectors that span the lattice together with
        `zone_axis`, shape (2, 3).
    """

    projection: Array
    depth: Array
    zone_axis: Indices
    basis: Indices

    @property
    def in_plane(self) -> Array:
        """Projections of b1 and b2 as rows, shape (2, 2), in nm."""
        return self.basis @ self.projection.T

    @property
    def period(self) -> float:
        """Length of the zone axis vector along the beam in nm."""
        return float(abs(self.zone_axis @ self.depth))


def virtual_cell(
    phase: CrystalPhase,
    orientation: Array,
    zone_axis: Indices,
    g_vectors: Array,
    hkl: Indices,
) -> VirtualCell:
    """Cell of a phase whose two reflections were measured.

    Both g must satisfy g·(P x) = hkl·x for all fractional x, so P = G⁻¹ H: the
    in-plane metric is exact, shear included, and P maps the zone axis to zero.
    Depths are those of the bulk cell in the given orientation.

    Parameters
    ----------
    phase
        The phase.
    orientation
        Rotation matrix crystal → image, shape (3, 3).
    zone_axis
        [u, v, w] of the orientation.
    g_vectors
        (gx, gy) in 1/nm, shape (2, 2), rows independent.
    hkl
        Their indices, shape (2, 3), in the zone.
    """
    zone_axis = np.asarray(zone_axis) // np.gcd.reduce(np.asarray(zone_axis))
    if np.any(hkl @ zone_axis != 0):
        raise ValueError(
            f"Expected reflections of the zone {zone_axis.tolist()}, got "
            f"{np.asarray(hkl).tolist()}."
        )
    if np.linalg.matrix_rank(hkl) < 2:
        raise ValueError(
            f"Expected two independent reflections, got {np.asarray(hkl).tolist()}."
        )
    projection = np.linalg.inv(g_vectors) @ hkl
    depth = 0.1 * orientation[2] @ phase.lattice.T
    basis = _completed_basis(zone_axis)
    return VirtualCell(projection, depth, zone_axis, _reduced(basis, projection))


def turned_about_beam(cell: VirtualCell) -> VirtualCell:
    """The cell after half a turn about the beam: the same spots, the other polarity."""
    return replace(cell, projection=-cell.projection)


def _completed_basis(axis: Indices) -> Indices:
    """Two integer vectors that form a basis of Z³ with a primitive vector."""
    # Column operations turn the axis into (0, 0, 1); their inverse holds the basis.
    operation = np.eye(3, dtype=np.int64)
    row = axis.astype(np.int64).copy()
    while np.count_nonzero(row) > 1:
        small = min(np.flatnonzero(row), key=lambda i: abs(row[i]))
        for i in np.flatnonzero(row):
            if i != small:
                factor = row[i] // row[small]
                row[i] -= factor * row[small]
                operation[:, i] -= factor * operation[:, small]
    last = int(np.flatnonzero(row)[0])
    inverse = np.rint(np.linalg.inv(operation)).astype(np.int64)
    return np.delete(inverse, last, axis=0)


def _reduced(basis: Indices, projection: Array) -> Indices:
    """Gauss-reduced basis: short vectors, close to a right angle, in the plane."""
    a, b = basis
    length = projection.T @ projection
    while True:
        if b @ length @ b < a @ length @ a:
            a, b = b, a
        shift = round(float(a @ length @ b / (a @ length @ a)))
        if shift == 0:
            return np.array([a, b])
        b = b - shift * a


def shortest_period(cell: VirtualCell, phase: CrystalPhase) -> int:
    """How often the structure repeats within one zone axis vector (1, 2, 3 …).

    A centred cell repeats already after a fraction of the vector, for example
    twice within [110] of a face-centred cubic crystal.
    """
    for parts in (6, 4, 3, 2):
        if _maps_onto_itself(phase, cell.zone_axis / parts):
            return parts
    return 1


def _maps_onto_itself(phase: CrystalPhase, shift: Array) -> bool:
    """Whether a fractional translation maps every site onto an equal one."""
    moved = phase.fractional + shift
    difference = moved[:, None] - phase.fractional[None]
    difference -= np.rint(difference)
    same = np.abs(difference).max(axis=-1) < 1e-4
    same &= phase.numbers[:, None] == phase.numbers[None]
    same &= np.abs(phase.occupancy[:, None] - phase.occupancy[None]) < 1e-6
    return bool(same.any(axis=1).all())
