# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""How the lattices of two crystals are related: twins, coincidence, epitaxy.

Rotations are unit quaternions (w, x, y, z), shape (..., 4). A relation is a rotation
T from the crystal frame of the second phase to that of the first; it stands for all
S1 T S2 with S1, S2 in the rotations of the two Laue groups. A spectrum does not tell
a crystal from the same one turned by half a turn about the beam, so that both are
tried.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from hyperspy_t2t.array_types import Array, Ints
from hyperspy_t2t.phases.crystal_phase import CrystalPhase
from hyperspy_t2t.phases.indices import Index, nicest, primitive_indices, triple
from hyperspy_t2t.phases.quaternions import (
    angle_degrees,
    conjugate,
    multiply,
    quaternion,
)
from hyperspy_t2t.phases.relation_catalogue import (
    Catalogue,
    RelatedCrystal,
    Relation,
    related_crystal,
    relation_catalogue,
    same_phase,
)

CHANCE_LIMIT = 0.015
"""A name needs at most this chance to fit a random pair as well."""
_LISTED = 6
_SPACINGS = (1.0, 2.0, 0.5)


@dataclass(frozen=True)
class OrientationRelation:
    """A relation of two lattices that the spots of both are compatible with.

    Parameters
    ----------
    name
        "parallel", "Σ3 (111) twin", "Σ5", "(10-12) twin", "[001] 180° twin",
        "cube on cube", "Kurdjumov–Sachs", "(0001) ∥ (111), [11-20] ∥ [1-10]", ...;
        without a relation "general: 23.4° about [210]" for crystals of one phase and
        "none" for two phases. Hexagonal axes: four indices.
    angle, axis
        Smallest rotation in degrees that takes one lattice to the other, and the
        direct-space indices of its axis in the first phase, rounded to small
        integers; up to the Laue group and the sign. Zeros where the angle is.
    sigma
        Reciprocal density of coincidence sites; None where it is not a coincidence
        relation of two cubic crystals of one phase.
    deviation
        Degrees from the exact relation; NaN where none was found.
    planes, directions
        Parallel low-index planes (hkl of the first, of the second phase) and
        directions [uvw], the simplest first, after the twin plane.
    mismatch
        For each pair of planes (d2 / (d1 n) − 1) in per cent, with the first n of 1,
        2, ½ that leaves less than 15 %, else NaN. The factor 2 is that of centred
        cells, whose true spacing is half of the one the indices give.
    twin_plane, edge_on
        hkl in the first phase, and whether it is seen edge-on (its normal lies in the
        image), as a coherent boundary can be; None where it is no reflection twin.
    half_turn
        Whether it holds for the second crystal turned by 180° about the beam.
    chance
        Share of all turns of the second crystal about the beam at which a relation as
        simple or simpler would fit as well; NaN without a relation. It matters where
        both crystals are seen along low-index zone axes: of such pairs turned at
        random about the beam a fifth to a half gets a name, so that only a chance of
        a few per cent makes the relation more than an accident.
    alternatives
        Names of other relations the same spots are compatible with.
    """

    name: str
    angle: float
    axis: Index
    sigma: int | None
    deviation: float
    planes: tuple[tuple[Index, Index], ...]
    directions: tuple[tuple[Index, Index], ...]
    mismatch: tuple[float, ...]
    twin_plane: Index | None
    edge_on: bool | None
    half_turn: bool
    chance: float
    alternatives: tuple[str, ...]


class _Fit(NamedTuple):
    """Relation of a catalogue that fits best, and how."""

    row: int
    deviation: float
    half_turn: bool
    others: tuple[str, ...]


def orientation_relation(
    first: CrystalPhase,
    second: CrystalPhase,
    first_matrix: npt.ArrayLike,
    second_matrix: npt.ArrayLike,
    *,
    tolerance_deg: float = 2.0,
) -> OrientationRelation:
    """Name the relation of two lattices whose orientations are known.

    Parameters
    ----------
    first, second
        Phases of the two crystals. They count as one phase where name, cell (to
        0.1 %) and Laue group agree.
    first_matrix, second_matrix
        Rotations crystal → image frame, shape (3, 3), the beam along z.
    tolerance_deg
        Largest deviation from an exact relation in degrees.

    Returns
    -------
    OrientationRelation
        The relation that is least likely by chance: the one with the smallest
        2 N (δ − sin δ)/π, the share of random pairs that come within δ of one of the
        N rotations of all relations as simple or simpler (twice, for the half turn).
        A deviation below a quarter of the tolerance counts as that quarter. Shares
        above 1.5 % get no name; for coincidence relations this is a stricter limit
        than Brandon's, 15°/√Σ, whatever the tolerance.

    Raises
    ------
    ValueError
        Where a matrix is no proper rotation or the tolerance is not in (0, 15].

    Notes
    -----
    Searched for one phase: coincidence lattices up to Σ29 where it is cubic, else
    reflections in planes whose indices sum to at most 4 in absolute value, half turns
    about directions up to index 1, and quarter turns of pseudo-cubic cells. For two
    phases: pairs of parallel planes with parallel directions in them, both up to
    index 1, and the known relations of cubic and hexagonal metals.

    References
    ----------
    Ranganathan, Acta Cryst. 21 (1966) 197,
    https://doi.org/10.1107/S0365110X66002615 (generating function of Σ);
    Grimmer, Bollmann, Warrington, Acta Cryst. A30 (1974) 197,
    https://doi.org/10.1107/S056773947400043X;
    Brandon, Acta Metall. 14 (1966) 1479,
    https://doi.org/10.1016/0001-6160(66)90168-4
    """
    matrices = [_checked(first_matrix, "first"), _checked(second_matrix, "second")]
    if not (np.isfinite(tolerance_deg) and 0 < tolerance_deg <= 15):
        raise ValueError(
            f"Expected tolerance_deg above 0 and up to 15 degrees; got "
            f"{tolerance_deg}. 2 is usual."
        )
    one, two = related_crystal(first), related_crystal(second)
    images = np.array([quaternion(matrix) for matrix in matrices])
    turns = _equivalents(one, two, *images)
    catalogue = relation_catalogue(first, second)
    fit = _best_fit(catalogue, turns, tolerance_deg)
    half_turn = fit.half_turn if fit else bool(np.argmax(_closest(turns)))
    if half_turn:
        matrices[1] = np.diag([-1.0, -1.0, 1.0]) @ matrices[1]
    angle, axis = _misorientation(one, turns[int(half_turn)], same_phase(one, two))
    found = catalogue.relations[fit.row] if fit else None
    plane, edge_on = _twin_plane(one, found, turns, matrices[0], tolerance_deg)
    planes = _parallel(one.reciprocal, two.reciprocal, matrices, tolerance_deg, plane)
    general = f"general: {angle:.1f}° about {one.direction_text(axis)}"
    return OrientationRelation(
        name=found.name if found else general if same_phase(one, two) else "none",
        angle=angle,
        axis=axis,
        sigma=found.sigma if found else None,
        deviation=fit.deviation if fit else np.nan,
        planes=planes,
        directions=_parallel(one.lattice, two.lattice, matrices, tolerance_deg, None),
        mismatch=_mismatch(one, two, planes),
        twin_plane=plane,
        edge_on=edge_on,
        half_turn=half_turn,
        chance=_chance(one, two, images, catalogue, fit, tolerance_deg),
        alternatives=fit.others if fit else (),
    )


def _checked(matrix: npt.ArrayLike, which: str) -> Array:
    matrix = np.asarray(matrix, float)
    proper = matrix.shape == (3, 3) and np.allclose(
        matrix @ matrix.T, np.eye(3), atol=1e-4
    )
    if not proper or np.linalg.det(matrix) < 0:
        raise ValueError(
            f"Expected {which}_matrix as a proper rotation of shape (3, 3); got shape "
            f"{matrix.shape}: {matrix.tolist()}. Take the matrix of a PhaseSolution."
        )
    return matrix


def _equivalents(
    one: RelatedCrystal, two: RelatedCrystal, first_image: Array, second_image: Array
) -> Array:
    """All rotations second → first crystal; shape (2, n1, n2, 4), half turn last."""
    beam = np.array([[1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0]])
    turns = multiply(conjugate(first_image), multiply(beam, second_image))
    left = multiply(conjugate(one.turns), turns[:, None])
    return multiply(left[:, :, None], conjugate(two.turns))


def _closest(turns: Array) -> Array:
    """Cosine of half the smallest rotation, without and with the half turn."""
    return np.abs(turns[..., 0]).max(axis=(1, 2)) - 1e-9 * np.arange(2)


def _share(degrees: npt.ArrayLike) -> Array:
    """Share of all rotations within an angle of a given one: (δ − sin δ)/π."""
    radians = np.deg2rad(degrees)
    return (radians - np.sin(radians)) / np.pi


def _best_fit(catalogue: Catalogue, turns: Array, tolerance: float) -> _Fit | None:
    cosines = np.abs(turns.reshape(2, -1, 4) @ catalogue.turns.T).max(axis=1)
    both = angle_degrees(cosines)
    deviation = both.min(axis=0)
    counted = np.maximum(deviation, tolerance / 4)
    chance = 2 * catalogue.rotations_so_far * _share(counted)
    fits = (deviation <= tolerance) & (chance <= CHANCE_LIMIT)
    if not fits.any():
        return None
    order = np.argsort(np.where(fits, chance, np.inf), kind="stable")[: fits.sum()]
    row = int(order[0])
    names = dict.fromkeys(catalogue.relations[other].name for other in order)
    others = [name for name in names if name != catalogue.relations[row].name]
    half_turn = bool(both[1, row] < both[0, row] - 1e-4)
    return _Fit(row, float(deviation[row]), half_turn, tuple(others[:3]))


def _misorientation(
    one: RelatedCrystal, turns: Array, same: bool
) -> tuple[float, Index]:
    """Smallest angle in degrees and its axis as small integers in the first phase."""
    turns = turns.reshape(-1, 4)
    turn = turns[np.argmax(np.abs(turns[:, 0]))]
    angle = float(np.rad2deg(2 * np.arctan2(np.linalg.norm(turn[1:]), abs(turn[0]))))
    if angle < 1e-3:
        return 0.0, (0, 0, 0)
    axis = turn[1:] / np.linalg.norm(turn[1:])
    uvw = primitive_indices(4)
    vectors = uvw @ one.lattice
    cosines = np.clip(vectors @ axis / np.linalg.norm(vectors, axis=1), -1, 1)
    away = np.rad2deg(np.arccos(cosines))
    simple = np.abs(uvw).sum(axis=1)
    near = away <= max(1.0, away.min())
    best = uvw[np.flatnonzero(near)[np.argmin((simple + away / 90)[near])]]
    images = one.operations @ best if same else np.array([best, -best])
    return angle, nicest(images)


def _twin_plane(
    one: RelatedCrystal,
    found: Relation | None,
    turns: Array,
    matrix: Array,
    tolerance: float,
) -> tuple[Index | None, bool | None]:
    """The twin plane as it lies in the first crystal; if in doubt, the edge-on one."""
    if found is None or found.plane is None:
        return None, None
    cosines = np.abs(turns @ found.turn)
    rows = np.flatnonzero((cosines >= cosines.max() - 1e-7).any(axis=(0, 2)))
    inverse = np.round(np.linalg.inv(one.rotations[rows])).astype(np.int64)
    planes = np.array(found.plane) @ inverse
    normals = planes @ one.reciprocal @ matrix.T
    upward = np.abs(normals[:, 2]) / np.linalg.norm(normals, axis=1)
    best = int(np.argmin(np.round(upward, 6)))
    plane = nicest(np.array([planes[best], -planes[best]]))
    return plane, bool(upward[best] <= np.sin(np.deg2rad(tolerance)))


def _parallel(
    first: Array,
    second: Array,
    matrices: list[Array],
    tolerance: float,
    leading: Index | None,
) -> tuple[tuple[Index, Index], ...]:
    """Pairs of low-index vectors that are parallel, the simplest first."""
    indices = primitive_indices(3)
    few = np.abs(indices).sum(axis=1) <= 4
    indices = indices[few | (np.abs(indices).max(axis=1) <= 2)]
    units = []
    for basis, matrix in zip((first, second), matrices, strict=True):
        vectors = indices @ basis @ matrix.T
        units.append(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))
    cosines = units[0] @ units[1].T
    rows, columns = np.nonzero(cosines >= np.cos(np.deg2rad(tolerance)))
    chosen: list[tuple[Index, Index]] = []
    used: tuple[set[Index], set[Index]] = set(), set()
    for k in _simplest_first(
        indices[rows], indices[columns], leading, cosines[rows, columns]
    ):
        pair = triple(indices[rows[k]]), triple(indices[columns[k]])
        if not (pair[0] in used[0] or pair[1] in used[1]) and len(chosen) < _LISTED:
            chosen.append(pair)
            for one, known in zip(pair, used, strict=True):
                known |= {one, triple(-np.array(one))}
    return tuple(chosen)


def _simplest_first(
    first: Ints, second: Ints, leading: Index | None, cosine: Array
) -> Ints:
    """Order of pairs of indices (n, 3): small, few negative, then well parallel."""
    simple = np.abs(first).sum(axis=1) + np.abs(second).sum(axis=1)
    others = np.ones(len(first), bool)
    if leading is not None:
        others = (first != np.array(leading)).any(axis=1)
    return np.lexsort((-cosine, (first < 0).sum(axis=1), simple, others))


def _mismatch(
    one: RelatedCrystal, two: RelatedCrystal, planes: tuple[tuple[Index, Index], ...]
) -> tuple[float, ...]:
    values = []
    for first, second in planes:
        spacings = [
            1 / np.linalg.norm(np.array(plane) @ crystal.reciprocal)
            for plane, crystal in ((first, one), (second, two))
        ]
        rests = [spacings[1] / (spacings[0] * factor) - 1 for factor in _SPACINGS]
        values.append(next((100 * x for x in rests if abs(x) < 0.15), np.nan))
    return tuple(float(value) for value in values)


def _chance(
    one: RelatedCrystal,
    two: RelatedCrystal,
    images: Array,
    catalogue: Catalogue,
    fit: _Fit | None,
    tolerance: float,
) -> float:
    """Share of the turns about the beam that bring a relation as simple as near.

    A relation, as a rotation q = (w, x, y, z) of the image, is missed by the turn φ
    about z by an angle δ with cos(δ/2) = √(w² + z²) |cos((φ − φ0)/2)| and
    tan(φ0/2) = z/w.
    """
    if fit is None:
        return float("nan")
    left = multiply(images[0], one.turns)
    right = multiply(two.turns, conjugate(images[1]))
    turned = multiply(left[:, None], catalogue.turns[: fit.row + 1])
    every = multiply(turned[:, :, None], right).reshape(-1, 4)
    reach = np.hypot(every[:, 0], every[:, 3])
    smallest = np.cos(np.deg2rad(max(fit.deviation, tolerance / 4)) / 2)
    every, reach = every[reach > smallest], reach[reach > smallest]
    if not len(every):
        return 0.0
    centre = np.rad2deg(2 * np.arctan2(every[:, 3], every[:, 0])) % 180
    width = np.rad2deg(2 * np.arccos(smallest / reach))
    return _covered(centre - width, centre + width, 180.0)


def _covered(start: Array, end: Array, period: float) -> float:
    """Share of a circle of length `period` that intervals cover."""
    starts = np.concatenate([start + shift for shift in (-period, 0, period)])
    ends = np.concatenate([end + shift for shift in (-period, 0, period)])
    order = np.argsort(starts)
    starts = np.clip(starts[order], 0, period)
    ends = np.clip(ends[order], 0, period)
    before = np.maximum.accumulate(np.append(0.0, ends[:-1]))
    return float(np.clip(ends - np.maximum(starts, before), 0, None).sum() / period)
