# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Rotations as unit quaternions (w, x, y, z), shape (..., 4)."""

import numpy as np
import numpy.typing as npt
from scipy.spatial.transform import Rotation

from hyperspy_t2t.array_types import Array


def multiply(left: Array, right: Array) -> Array:
    """Product of quaternions, shapes broadcast: `right` turns first."""
    w, x, y, z = np.moveaxis(left, -1, 0)
    a, b, c, d = np.moveaxis(right, -1, 0)
    return np.stack(
        [
            w * a - x * b - y * c - z * d,
            w * b + x * a + y * d - z * c,
            w * c - x * d + y * a + z * b,
            w * d + x * c - y * b + z * a,
        ],
        axis=-1,
    )


def conjugate(turns: Array) -> Array:
    """The rotations backwards."""
    return turns * np.array([1.0, -1.0, -1.0, -1.0])


def quaternion(matrix: Array) -> Array:
    """Of rotation matrices, shape (..., 3, 3)."""
    return Rotation.from_matrix(matrix).as_quat()[..., [3, 0, 1, 2]]


def about(axis: npt.ArrayLike, degrees: float) -> Array:
    """Rotation about an axis (3,) of any length."""
    axis = np.asarray(axis) / np.linalg.norm(axis)
    half = np.deg2rad(degrees) / 2
    return np.append(np.cos(half), np.sin(half) * axis)


def angle_degrees(cosine_of_half: Array) -> Array:
    """Angle in degrees, from 0 to 180, of rotations with this w."""
    return np.rad2deg(2 * np.arccos(np.clip(np.abs(cosine_of_half), 0, 1)))
