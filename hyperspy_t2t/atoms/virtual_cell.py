# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""The cell that was measured: exact in the image plane, bulk along the beam."""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy.spatial.transform import Rotation

from hyperspy_t2t.array_types import Array, Ints
from hyperspy_t2t.atoms.primitive import primitive_basis
from hyperspy_t2t.phases.crystal_phase import CrystalPhase

LARGEST_TILT = 30.0
"""Of the zone axis off the beam, in degrees."""


@dataclass(frozen=True)
class VirtualCell:
    """A crystal's cell as seen in the image, with a primitive basis along the beam.

    A place x (fractional) of the crystal lies at depth z = `depth`·x and is imaged at
    `projection` x + z `lean`.

    Parameters
    ----------
    projection
        P, shape (2, 3): fractional coordinates to the image plane along the zone axis,
        in nm.
    depth
        Shape (3,): fractional coordinates to depth along the beam, in nm. It falls
        along the zone axis, which points to the source.
    axis
        Shortest translation of the structure along the zone axis, fractional, (3,).
    basis
        Rows b1, b2: translations that span every translation of the structure together
        with `axis`, short in the image plane; fractional, shape (2, 3).
    zone_axis
        Primitive [u, v, w]; its projection is zero.
    lean
        In-plane shift per length of depth along the zone axis, shape (2,): zero where
        it is the beam. In true lengths, as `depth` is, whatever distorts the image.
    turned_depth
        `depth` after half a turn about the zone axis; None where that is the same.
    """

    projection: Array
    depth: Array
    axis: Array
    basis: Array
    zone_axis: Ints
    lean: Array
    turned_depth: Array | None = None

    @property
    def in_plane(self) -> Array:
        """Projections of b1 and b2 as rows, shape (2, 2), in nm."""
        return self.basis @ self.projection.T

    @property
    def period(self) -> float:
        """Depth after which the structure repeats along the zone axis, in nm."""
        return float(abs(self.depth @ self.axis))


def virtual_cell(
    phase: CrystalPhase,
    orientation: Array,
    zone_axis: npt.ArrayLike,
    g_vectors: Array,
    hkl: npt.ArrayLike,
    *,
    tilt: tuple[float, float] = (0.0, 0.0),
) -> VirtualCell:
    """Cell of a phase whose two reflections were measured.

    Both g must satisfy g·(P x) = hkl·x for all fractional x, so P = G⁻¹ H: the
    in-plane metric is exact, shear included, and P maps the zone axis to zero. In a
    tilted crystal g is the projection of a reciprocal vector that is perpendicular to
    the zone axis, so P projects along that axis onto the image plane. Depths are those
    of the bulk cell in its tilted orientation.

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
    tilt
        Turns the crystal out of `orientation` about x and y: the components of a
        right-handed rotation vector in degrees.

    Returns
    -------
    VirtualCell

    Raises
    ------
    ValueError
        Where reflections are not of the zone or not independent, or the zone axis is
        more than 30° off the beam.
    """
    zone_axis = _primitive_indices(zone_axis)
    hkl = np.asarray(hkl, np.int64)
    g_vectors = np.asarray(g_vectors, float)
    _check_reflections(zone_axis, g_vectors, hkl)
    turn = _turn(tilt)
    placed = 0.1 * turn @ np.asarray(orientation, float) @ phase.lattice.T
    lean = _lean(placed @ zone_axis)
    projection = np.linalg.solve(g_vectors, hkl)
    lattice = primitive_basis(phase)
    steps = np.rint(zone_axis @ np.linalg.inv(lattice)).astype(np.int64)
    steps //= np.gcd.reduce(steps)
    basis = _reduced(_completed_basis(steps) @ lattice, projection)
    depth = placed[2]
    turned = None
    if lean.any():
        unit = placed @ zone_axis / np.linalg.norm(placed @ zone_axis)
        turned = 2 * unit[2] * unit @ placed - depth
    return VirtualCell(
        projection, depth, steps @ lattice, basis, zone_axis, lean, turned
    )


def turned_about_beam(cell: VirtualCell) -> VirtualCell:
    """The cell after half a turn about its zone axis: equal spots, other polarity."""
    if cell.turned_depth is None:
        return replace(cell, projection=-cell.projection)
    return replace(
        cell,
        projection=-cell.projection,
        depth=cell.turned_depth,
        turned_depth=cell.depth,
    )


def conventional_basis(zone_axis: npt.ArrayLike, projection: Array) -> Ints:
    """Two lattice vectors with whole indices, short in the plane, beside a zone axis.

    Parameters
    ----------
    zone_axis
        [u, v, w].
    projection
        Fractional coordinates to image plane, shape (2, 3).

    Returns
    -------
    ndarray
        Rows [u, v, w] that span the conventional lattice together with the zone axis,
        shape (2, 3).
    """
    return _reduced(_completed_basis(_primitive_indices(zone_axis)), projection)


def _primitive_indices(zone_axis: npt.ArrayLike) -> Ints:
    indices = np.asarray(zone_axis, np.int64)
    if indices.shape != (3,) or not indices.any():
        raise ValueError(
            "Expected a zone axis of three whole indices that are not all 0, got "
            f"{indices.tolist()}."
        )
    return indices // np.gcd.reduce(indices)


def _check_reflections(zone_axis: Ints, g_vectors: Array, hkl: Ints) -> None:
    if np.any(hkl @ zone_axis != 0):
        raise ValueError(
            f"Expected reflections of the zone {zone_axis.tolist()}, got "
            f"{hkl.tolist()}."
        )
    if not np.cross(*hkl).any():
        raise ValueError(
            f"Expected two independent reflections, got {hkl.tolist()}. Choose two "
            "that are not on one line."
        )
    area = abs(np.linalg.det(g_vectors))
    if not area > 1e-3 * np.prod(np.linalg.norm(g_vectors, axis=1)):
        raise ValueError(
            "Expected two g-vectors in different directions, got "
            f"{np.round(g_vectors, 4).tolist()} 1/nm for {hkl.tolist()}. Choose two "
            "that are not on one line."
        )


def _turn(tilt: tuple[float, float]) -> Array:
    """Rotation matrix of a tilt about x and y in degrees."""
    angles = np.asarray(tilt, float)
    if angles.shape != (2,) or not np.isfinite(angles).all():
        raise ValueError(
            "Expected a tilt of two angles in degrees, about x and about y, got "
            f"{tilt!r}."
        )
    return Rotation.from_rotvec([*angles, 0.0], degrees=True).as_matrix()


def _lean(direction: Array) -> Array:
    """In-plane shift per depth along a direction (3,), zero along the beam."""
    across = np.linalg.norm(direction[:2])
    angle = np.degrees(np.arctan2(across, abs(direction[2])))
    if angle > LARGEST_TILT:
        raise ValueError(
            f"Expected a zone axis within {LARGEST_TILT:g}° of the beam, got one "
            f"{angle:.1f}° off it. Give a smaller tilt, or the zone axis that is "
            "nearest to the beam."
        )
    if across < 1e-9 * abs(direction[2]):
        return np.zeros(2)
    return direction[:2] / direction[2]


def _completed_basis(axis: Ints) -> Ints:
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


def _reduced(basis: Array, projection: Array) -> Array:
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
