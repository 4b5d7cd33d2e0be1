# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Frames, signs and strain conventions: the one module that owns them.

Image frame: x to the right along columns, y down along rows, z along the
electron beam, away from the source (right-handed). Angles turn from +x towards
+y, which is clockwise on screen. A reference point R is imaged at r = R + u.
"""

from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from hyperspy_t2t.array_types import Array

Convention = Literal["reference", "gpa", "polar"]
CONVENTIONS: tuple[str, ...] = get_args(Convention)
BEAM = np.array([0.0, 0.0, 1.0])
"""Direction in which the electrons travel, in the image frame."""


def rotation_2d(angle: float) -> Array:
    """Matrix (2, 2) that turns a vector by `angle` radians from +x towards +y."""
    cosine, sine = np.cos(angle), np.sin(angle)
    return np.array([[cosine, -sine], [sine, cosine]])


def in_turned_axes(gradient: Array, angle: float) -> Array:
    """∂u_i/∂r_j along axes that are turned by `angle` radians from +x towards +y.

    Parameters
    ----------
    gradient
        Along x and y, shape (2, 2, ...).
    """
    turn = rotation_2d(-angle)
    return np.einsum("ia,jb,ab...->ij...", turn, turn, gradient)


def deformation_gradient(displacement_gradient: Array) -> Array:
    """Deformation gradient F = ∂r/∂R from β = ∂u/∂r: F = (I − β)⁻¹.

    Parameters
    ----------
    displacement_gradient
        β[..., i, j] = ∂u_i/∂r_j taken at image positions, shape (..., 2, 2).
    """
    return _inverse(np.eye(2) - displacement_gradient)


def displacement_gradient(deformation: Array) -> Array:
    """β = ∂u/∂r = I − F⁻¹, the inverse of :func:`deformation_gradient`."""
    return np.eye(2) - _inverse(deformation)


def _inverse(matrix: Array) -> Array:
    """Inverse of matrices (..., 2, 2) in closed form, for millions of pixels."""
    (a, b), (c, d) = np.moveaxis(matrix, (-2, -1), (0, 1))
    adjugate = np.empty(np.shape(matrix))
    adjugate[..., 0, 0], adjugate[..., 1, 1] = d, a
    adjugate[..., 0, 1], adjugate[..., 1, 0] = -b, -c
    return adjugate / (a * d - b * c)[..., None, None]


def strain_components(
    deformation: Array, *, convention: Convention = "reference"
) -> Array:
    """Strain and rotation (exx, eyy, exy, rotation) of a deformation gradient.

    Parameters
    ----------
    deformation
        F = ∂r/∂R, shape (..., 2, 2).
    convention
        "reference": ½(F + Fᵀ) − I and ½(F21 − F12), relative to the reference
        length, so that a film with 10 % mismatch reads 10 %. "gpa": the same
        formula on β = I − F⁻¹, as classical GPA programs print (9.1 % there).
        "polar": stretch U − I and rotation angle of F = R U.

    Returns
    -------
    ndarray
        Shape (4, ...); strains are dimensionless, the rotation in radians,
        positive from +x towards +y. Positive strain is expansion.

    References
    ----------
    Hÿtch, Snoeck, Kilaas, Ultramicroscopy 74 (1998) 131,
    https://doi.org/10.1016/S0304-3991(98)00035-7
    """
    check_convention(convention)
    if convention == "polar":
        angle = np.arctan2(
            deformation[..., 1, 0] - deformation[..., 0, 1],
            deformation[..., 0, 0] + deformation[..., 1, 1],
        )
        cosine, sine = np.cos(angle), np.sin(angle)
        turned_back = np.stack(
            [np.stack([cosine, sine], -1), np.stack([-sine, cosine], -1)], -2
        )
        stretch = turned_back @ deformation
        exy = 0.5 * (stretch[..., 0, 1] + stretch[..., 1, 0])
        return np.stack([stretch[..., 0, 0] - 1, stretch[..., 1, 1] - 1, exy, angle])
    gradient = (
        deformation - np.eye(2)
        if convention == "reference"
        else displacement_gradient(deformation)
    )
    return np.stack(
        [
            gradient[..., 0, 0],
            gradient[..., 1, 1],
            0.5 * (gradient[..., 0, 1] + gradient[..., 1, 0]),
            0.5 * (gradient[..., 1, 0] - gradient[..., 0, 1]),
        ]
    )


def check_convention(convention: str) -> None:
    """Raise a ValueError unless `convention` is one of the three known ones."""
    if convention not in CONVENTIONS:
        raise ValueError(
            f"The strain convention must be one of {', '.join(CONVENTIONS)}; "
            f"got {convention!r}. Choose 'reference' for strain relative to the "
            "reference length."
        )


def zone_axis_frame(
    lattice: Array, zone_axis: npt.ArrayLike, *, rotation: float = 0.0
) -> Array:
    """Rotation matrix crystal → image for a zone axis looked at along the beam.

    The zone axis [uvw] points against the beam (towards the source), as
    microscopists quote it. At ``rotation=0`` the shortest reciprocal-lattice
    vector of the zone (of equals, the last in (h, k, l) order) lies along +x.

    Parameters
    ----------
    lattice
        Lattice vectors as rows in the Cartesian crystal frame (e1 ∥ a, e3 ∥ c*),
        shape (3, 3), any unit of length.
    zone_axis
        Direct-space indices [u, v, w].
    rotation
        In-plane angle in radians from +x towards +y.

    Returns
    -------
    ndarray
        Shape (3, 3): ``image_vector = matrix @ crystal_vector``.
    """
    towards_source = np.asarray(zone_axis, float) @ lattice
    e3 = -towards_source / np.linalg.norm(towards_source)
    g = shortest_zone_reflection(lattice, zone_axis) @ np.linalg.inv(lattice).T
    e1 = g - (g @ e3) * e3
    e1 /= np.linalg.norm(e1)
    turn = np.eye(3)
    turn[:2, :2] = rotation_2d(rotation)
    return turn @ np.stack([e1, np.cross(e3, e1), e3])


def shortest_zone_reflection(lattice: Array, zone_axis: npt.ArrayLike) -> Array:
    """Indices (h, k, l) of the shortest reciprocal vector with hu + kv + lw = 0."""
    limit = max(4, int(np.abs(zone_axis).max()) + 1)
    index = np.arange(-limit, limit + 1)
    hkl = np.stack(np.meshgrid(index, index, index, indexing="ij"), -1).reshape(-1, 3)
    hkl = hkl[(hkl @ np.asarray(zone_axis) == 0) & hkl.any(axis=1)]
    length = np.linalg.norm(hkl @ np.linalg.inv(lattice).T, axis=1)
    shortest = hkl[length < length.min() * (1 + 1e-6)]
    return shortest[np.lexsort(shortest.T[::-1])[-1]]
