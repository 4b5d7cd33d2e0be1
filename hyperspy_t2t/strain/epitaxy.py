# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Borders between regions, and how the lattices on both sides fit along them."""

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from hyperspy_t2t.array_types import Array, Ints, Labels
from hyperspy_t2t.calibration import ImageGrid

Verdict = Literal["coherent", "relaxed", "unknown"]
STRAIGHT = 0.1
"""Roughness over length above which a border has no direction."""
_PARALLEL = 3.0
"""Degrees within which a lattice plane counts as parallel to an interface."""
_BIAS, _BIAS_SHARE, _TURN_BIAS = 3e-4, 0.01, 1e-3
"""What phase analysis may be wrong by where there is no noise: a strain, a share of the
difference of the lattices, and an angle in radians."""
_SIGMAS = 3.0


@dataclass(frozen=True)
class Interface:
    """Straight line through a border.

    Parameters
    ----------
    centre
        (x, y) in nm.
    direction
        Unit vector along it, x above 0.
    length
        In nm, from end to end.
    roughness
        Root mean square distance of the border from the line in nm.
    """

    centre: Array
    direction: Array
    length: float
    roughness: float

    @property
    def straight(self) -> bool:
        """Whether its direction means something."""
        return self.roughness < STRAIGHT * self.length

    @property
    def angle(self) -> float:
        """Of the line in degrees from +x towards +y, above −90 to 90."""
        return float(np.degrees(np.arctan2(self.direction[1], self.direction[0])))

    @property
    def normal(self) -> Array:
        """Unit vector at a right angle to it."""
        return np.array([-self.direction[1], self.direction[0]])


class Mismatch(NamedTuple):
    """How the second lattice differs from the first, along a line and across it."""

    along: float
    """Length of a lattice vector along the line over that in the first, less 1."""
    turn: float
    """Rotation of that vector in radians, from +x towards +y."""
    normal: float
    """Spacing of the planes parallel to the line over that in the first, less 1."""


def borders(labels: Labels, grid: ImageGrid, *, gap: float) -> dict[tuple, Array]:
    """Points of the borders between regions.

    Parameters
    ----------
    labels
        Region of each place, 0 where there is none, shape (ny, nx).
    grid
        Where the places are.
    gap
        Width in nm of a strip without region that still counts as a border.

    Returns
    -------
    dict
        For each pair of neighbours, the smaller label first, the points halfway between
        two places of different regions, (x, y) in nm, shape (n, 2).
    """
    labels = _closed(labels, grid, gap)
    pairs, points = [], []
    for axis in (0, 1):
        size = labels.shape[axis]
        before = np.take(labels, range(size - 1), axis)
        after = np.take(labels, range(1, size), axis)
        at = np.nonzero((before != after) & (before > 0) & (after > 0))
        pairs.append(np.sort(np.stack([before[at], after[at]], -1), axis=-1))
        rows, columns = (index + 0.5 * (axis == i) for i, index in enumerate(at))
        points.append(grid.to_nm(rows, columns))
    every = np.concatenate(points)
    kinds, which = np.unique(np.concatenate(pairs), axis=0, return_inverse=True)
    return {
        tuple(kind): every[which.ravel() == k] for k, kind in enumerate(kinds.tolist())
    }


def _closed(labels: Labels, grid: ImageGrid, gap: float) -> Labels:
    """Labels that reach half a gap into what has none."""
    from scipy.ndimage import distance_transform_edt

    empty = labels == 0
    if not empty.any() or empty.all():
        return labels
    distance, nearest = distance_transform_edt(
        empty, sampling=grid.pixel_size, return_indices=True
    )
    step = 0.5 * max(grid.pixel_size)
    return np.where(distance <= 0.5 * gap + step, labels[tuple(nearest)], labels)


def fitted_interface(points: Array) -> Interface:
    """Line through points (n, 2) in nm with the least squared distance from them."""
    centre = points.mean(axis=0)
    offset = points - centre
    direction = np.linalg.eigh(offset.T @ offset)[1][:, 1]
    if (direction[0], direction[1]) < (1e-9, 0.0):
        direction = -direction
    along = offset @ direction
    away = offset @ np.array([-direction[1], direction[0]])
    return Interface(
        centre, direction, float(np.ptp(along)), float(np.sqrt((away**2).mean()))
    )


def mismatch(between: Array, direction: Array) -> Mismatch:
    """How a lattice differs from the one that F, (2, 2), makes it from.

    Lattice vectors x of the first are F x in the second. Where both share the vectors
    along an interface, F is the identity plus a dyad of the normal: along and turn are
    zero, whatever linear distortion the image has.

    Parameters
    ----------
    between
        F.
    direction
        Unit vector along the interface.
    """
    normal = np.array([-direction[1], direction[0]])
    vector = between @ direction
    turn = np.arctan2(
        direction[0] * vector[1] - direction[1] * vector[0], direction @ vector
    )
    plane = np.linalg.solve(between.T, normal)
    return Mismatch(
        float(np.linalg.norm(vector) - 1),
        float(turn),
        float(1 / np.linalg.norm(plane) - 1),
    )


def rotation_angle(between: Array) -> float:
    """Rotation of F = R U in radians, from +x towards +y."""
    return float(
        np.arctan2(between[1, 0] - between[0, 1], between[0, 0] + between[1, 1])
    )


def equivalent_lattice_maps(first: Array, second: Array, operations: Ints) -> Array:
    """All F that take one lattice of a phase to another of it, least turned first.

    Parameters
    ----------
    first, second
        Fractional coordinates to the image plane in nm, shape (2, 3): their null
        vectors are the zone axes.
    operations
        Of the Laue group on direct indices, shape (n, 3, 3).

    Returns
    -------
    ndarray
        Shape (m, 2, 2), empty where the zone axes are not equivalent.
    """
    axis = np.linalg.svd(first)[2][2]
    kept = np.linalg.norm(second @ operations @ axis, axis=1) < 1e-6 * np.linalg.norm(
        second
    )
    maps = second @ operations[kept] @ np.linalg.pinv(first)
    maps = maps[np.linalg.det(maps) > 0]
    angle = np.array([rotation_angle(one) for one in maps])
    return maps[np.argsort(np.abs(angle), kind="stable")]


def parallel_plane(projection: Array, normal: Array, planes: Ints) -> tuple:
    """Lattice plane nearest to an interface, and how far it is off in degrees.

    Of those within 3° the one with the largest spacing, else the nearest.

    Parameters
    ----------
    projection
        Fractional coordinates to the image plane in nm, shape (2, 3).
    normal
        Unit vector across the interface.
    planes
        Indices to choose from, shape (n, 3).

    Returns
    -------
    tuple
        (h, k, l), of arbitrary sign, and degrees.
    """
    axis = np.linalg.svd(projection)[2][2]
    planes = planes[np.abs(planes @ axis) < 1e-6]
    g = planes @ np.linalg.pinv(projection)
    length = np.linalg.norm(g, axis=1)
    away = np.degrees(np.arccos(np.clip(np.abs(g @ normal) / length, 0, 1)))
    near = away <= _PARALLEL
    best = np.lexsort((length, np.where(near, 0.0, away)))[0]
    return planes[best], float(away[best])


def verdict(
    found: Mismatch, errors: Mismatch, difference: float, natural: float
) -> Verdict:
    """Whether two lattices share the vectors along their interface.

    Parameters
    ----------
    found, errors
        Mismatch and its standard errors.
    difference
        Size of F − I.
    natural
        Mismatch along the interface of the two bulk lattices, NaN where unknown.

    Returns
    -------
    str
        "relaxed" where the vectors differ in length or direction by more than three
        errors, "unknown" where even the natural mismatch would not, else "coherent".
    """
    bias = _BIAS + _BIAS_SHARE * difference
    limit = _SIGMAS * np.hypot(errors.along, bias)
    turn_limit = _SIGMAS * np.hypot(errors.turn, _TURN_BIAS + _BIAS_SHARE * difference)
    if not np.isfinite([found.along, found.turn, limit, turn_limit]).all():
        return "unknown"
    if abs(found.along) > limit or abs(found.turn) > turn_limit:
        return "relaxed"
    return "unknown" if 1e-6 < abs(natural) <= limit else "coherent"
