# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""What the spots of one zone leave open about the orientation of a crystal.

A spectrum is centrosymmetric, so spots have the symmetry of the Laue group: a turn
or mirror of the image that leaves them in place need not be one of the crystal.
"""

import numpy as np
import numpy.typing as npt

from hyperspy_t2t.array_types import Array, Ints
from hyperspy_t2t.frames import zone_axis_frame
from hyperspy_t2t.phases.crystal_phase import CrystalPhase
from hyperspy_t2t.phases.in_plane import in_plane_operations
from hyperspy_t2t.phases.indices import primitive_indices, zone_text
from hyperspy_t2t.phases.reflections import (
    laue_operations,
    reflection_table,
    zone_reflections,
)
from hyperspy_t2t.phases.symmetry import cartesian_operations, point_group, symmetry

_INVERSION = -np.eye(3, dtype=np.int64)


def open_questions(phase: CrystalPhase, zone_axis: npt.ArrayLike) -> tuple[str, ...]:
    """Half a turn, the side towards the source, and polarity, as sentences.

    Parameters
    ----------
    phase
        Any phase; its point group is the one spglib finds.
    zone_axis
        Direct-space indices [u, v, w] of the zone seen.

    Returns
    -------
    tuple of str
        One sentence for each of the three, also where nothing is open; a fourth
        where the crystal has a mirror image that is another crystal.
    """
    axis = np.asarray(zone_axis, np.int64)
    operations = symmetry(phase).rotations
    group = point_group(operations)
    kept, plane = in_plane_operations(phase, axis, operations)
    _, pattern = in_plane_operations(phase, axis, laue_operations(phase))
    keeps = (kept @ axis == axis).all(axis=1)
    proper = np.linalg.det(kept) > 0
    half_turn = np.isclose(plane, -np.eye(2), atol=1e-3).all(axis=(1, 2))
    own_mirror_image = bool((np.linalg.det(pattern) < 0).any())
    sentences = [
        _half_turn(axis, group, bool((half_turn & keeps).any()), bool(half_turn.any())),
        _side(
            axis,
            group,
            turned=bool((proper & ~keeps).any()),
            polar=bool(keeps.all()),
            own_mirror_image=own_mirror_image,
            by_intensities=not own_mirror_image and _net_has_mirror(phase, axis),
        ),
    ]
    if (operations == _INVERSION).all(axis=(1, 2)).any():
        sentences.append(
            f"Polarity: none, the point group {group} has an inversion centre."
        )
    elif half_turn.any():
        sentences.append(
            f"Polarity: no direction in the image plane is polar, though the point "
            f"group {group} has no inversion centre."
        )
    else:
        sentences.append(_in_plane_polarity(phase, axis, group, kept))
    if (np.linalg.det(operations) > 0).all():
        sentences.append(
            f"Handedness: not known, the point group {group} has no mirror and no "
            "inversion, and the mirror image of the crystal has the same spots."
        )
    return tuple(sentences)


def alike_orientations(
    phase: CrystalPhase, zone_axis: npt.ArrayLike, matrix: Array
) -> Array:
    """Orientations with the same spots in this zone and others elsewhere.

    Parameters
    ----------
    phase
        Any phase.
    zone_axis
        Direct-space indices [u, v, w].
    matrix
        Rotation crystal → image, shape (3, 3).

    Returns
    -------
    ndarray
        Rotations crystal → image, shape (n, 3, 3), `matrix` first; no two are
        equivalent in the Laue group.
    """
    operations = laue_operations(phase)
    laue = cartesian_operations(phase, operations)
    frame = zone_axis_frame(phase.lattice, zone_axis)
    _, plane = in_plane_operations(phase, zone_axis, operations)
    turns = np.zeros((len(plane), 3, 3))
    turns[:, :2, :2] = plane
    # A mirror of the image is half a turn about an axis in it.
    turns[:, 2, 2] = np.sign(np.linalg.det(plane))
    found = [np.eye(3)]
    for turn in frame.T @ turns @ frame:
        between = np.transpose(found, (0, 2, 1)) @ turn
        gap = np.abs(between[:, None] - laue[None]).max(axis=(2, 3))
        if gap.min() > 1e-3:
            found.append(turn)
    return np.asarray(matrix) @ np.array(found)


def same_spots(
    phase: CrystalPhase, zone_axis: npt.ArrayLike, matrix: Array, other: Array
) -> bool:
    """Whether two orientations of a phase are the same as far as a zone can tell.

    Parameters
    ----------
    phase, zone_axis, matrix
        As in :func:`alike_orientations`.
    other
        Rotation crystal → image of the same phase, shape (3, 3).

    Returns
    -------
    bool
        Whether an operation of the Laue group takes it within 1° of one of them.
    """
    laue = cartesian_operations(phase, laue_operations(phase))
    between = np.swapaxes(alike_orientations(phase, zone_axis, matrix), 1, 2) @ other
    # trace(Aᵀ B) = 1 + 2 cos(angle between A and B), for proper rotations.
    trace = np.einsum("nij,oij->no", between, laue[np.linalg.det(laue) > 0])
    return bool(trace.max() >= 1 + 2 * np.cos(np.deg2rad(1.0)))


def _half_turn(axis: Ints, group: str, two_fold: bool, looks_alike: bool) -> str:
    if two_fold:
        return (
            "Half a turn about the beam: changes nothing, "
            f"{zone_text(axis)} is a two-fold axis of the point group {group}."
        )
    along = ", though both look alike along it" if looks_alike else ""
    return (
        "Half a turn about the beam: not known, a spectrum is centrosymmetric; "
        f"{zone_text(axis)} is no two-fold axis of the point group {group}, so that "
        f"the two are different orientations{along}."
    )


def _side(
    axis: Ints,
    group: str,
    *,
    turned: bool,
    polar: bool,
    own_mirror_image: bool,
    by_intensities: bool,
) -> str:
    """Which end of the zone axis points to the source, and whether it matters."""
    ends = f"{zone_text(axis)} or {zone_text(-axis)} towards the source"
    if turned:
        return (
            f"Side: {ends} is the same, a two-fold axis of the point group {group} "
            "lies in the image plane."
        )
    if by_intensities:
        return (
            f"Side: known by intensities alone, {ends}: the places of the spots have a "
            "mirror line, their intensities have none."
        )
    if not own_mirror_image:
        return (
            f"Side: known, the two sides ({ends}) have patterns that are mirror "
            "images of each other and this pattern has no mirror line."
        )
    differ = " and the two sides differ in polarity" if polar else ""
    return (
        f"Side: not known, {ends}: the pattern has a mirror line, so that both sides "
        f"show the same one{differ} (point group {group})."
    )


def _net_has_mirror(phase: CrystalPhase, axis: Ints) -> bool:
    """Whether the places of the spots of a zone are their own mirror image.

    Of the two shortest vectors that span a plane net, with an acute angle: they are
    at right angles, of equal length, or the longer ends over the middle of the other.
    """
    g = zone_reflections(reflection_table(phase, min_d_nm=0.06), axis).g
    if not len(g):
        return True
    first = g[0]
    across = np.linalg.norm(np.cross(g, first), axis=1)
    spanning = g[across > 1e-6 * (first @ first)]
    if not len(spanning):
        return True
    second = spanning[0]
    # Absences may leave a longer one: Gauss reduction.
    while steps := np.round(first @ second / (first @ first)):
        second = second - steps * first
        if second @ second < (1 - 1e-6) * (first @ first):
            first, second = second, first
    short, long, product = first @ first, second @ second, abs(first @ second)
    gaps = (product, long - short, short / 2 - product)
    return bool(min(abs(gap) for gap in gaps) < 5e-3 * short)


def _in_plane_polarity(phase: CrystalPhase, axis: Ints, group: str, kept: Ints) -> str:
    direction = _polar_direction(phase, axis, kept)
    which = "polar directions in the image plane"
    if direction is not None:
        which = f"{zone_text(direction)} in the image plane"
    return (
        f"Polarity: the sense of {which} is not known, the point group {group} has no "
        "inversion centre but a spectrum has. The phases of the fringes, or the two "
        "atoms of a dumbbell in the image, would show it."
    )


def _polar_direction(phase: CrystalPhase, axis: Ints, kept: Ints) -> Ints | None:
    """Shortest lattice direction across the axis that no operation reverses."""
    uvw = primitive_indices(2)
    vectors = uvw @ phase.lattice
    length = np.linalg.norm(vectors, axis=1)
    along = axis @ phase.lattice
    across = np.abs(vectors @ along) < 1e-3 * length * np.linalg.norm(along)
    images = np.einsum("oij,nj->noi", kept, uvw)
    reversed_by_one = (images == -uvw[:, None]).all(axis=2).any(axis=1)
    uvw, length = uvw[across & ~reversed_by_one], length[across & ~reversed_by_one]
    if not len(uvw):
        return None
    order = np.lexsort((-uvw[:, 2], -uvw[:, 1], -uvw[:, 0], np.round(length, 6)))
    return uvw[order[0]]
