# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""How the lattices of two crystals are related: twins, coincidence, epitaxy.

Rotations are unit quaternions (w, x, y, z), shape (..., 4). A relation is a rotation
T from the crystal frame of the second phase to that of the first; it stands for all
S1 T S2 with S1, S2 in the rotations of the two Laue groups. A spectrum does not tell
a crystal from the same one turned by half a turn about the beam, so that both are
tried.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations_with_replacement, product
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.spatial.transform import Rotation

from hyperspy_t2t.phases.convert import symmetry
from hyperspy_t2t.phases.crystal_phase import CrystalPhase
from hyperspy_t2t.phases.reflections import laue_operations
from hyperspy_t2t.phases.space_groups import space_group_symbol

Array = npt.NDArray[np.float64]
Index = tuple[int, int, int]
CHANCE_LIMIT = 0.015
"""A name needs at most this chance to fit a random pair as well."""
MAX_SIGMA = 29
_LISTED = 6
_SPACINGS = (1.0, 2.0, 0.5)
_HEXAGONAL = "H"
# Plane and direction of the one phase, then of the other, by kind of lattice.
_KNOWN = (
    ("Kurdjumov–Sachs", "FI", (1, 1, 1), (1, -1, 0), (1, 1, 0), (1, -1, 1)),
    ("Nishiyama–Wassermann", "FI", (1, 1, 1), (1, -1, 0), (1, 1, 0), (0, 0, 1)),
    ("Pitsch", "FI", (0, 0, 1), (1, 1, 0), (1, -1, 0), (1, 1, 1)),
    ("Bain", "FI", (0, 0, 1), (1, 0, 0), (0, 0, 1), (1, 1, 0)),
    ("Burgers", "IH", (1, 1, 0), (1, -1, 1), (0, 0, 1), (1, 1, 0)),
    ("Pitsch–Schrader", "IH", (1, 1, 0), (0, 0, 1), (0, 0, 1), (1, 1, 0)),
)


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


class _Crystal(NamedTuple):
    """What relations depend on: lattice, Laue group, kind of lattice."""

    name: str
    lattice: Array
    operations: npt.NDArray[np.int64]
    rotations: npt.NDArray[np.int64]
    turns: Array
    kind: str
    cubic: bool

    @property
    def hexagonal(self) -> bool:
        return self.kind == _HEXAGONAL

    @property
    def reciprocal(self) -> Array:
        return np.linalg.inv(self.lattice).T


class _Target(NamedTuple):
    name: str
    turn: Array
    sigma: int | None = None
    plane: Index | None = None


class _Frame(NamedTuple):
    """A plane, a direction in it and the sum of their \\|index\\|."""

    plane: Index
    direction: Index
    simple: int


class _Catalogue(NamedTuple):
    """Distinct relations of two crystals, the simplest first."""

    targets: list[_Target]
    turns: Array
    rotations_so_far: Array


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
    keys = _key(first), _key(second)
    one, two = _crystal(*keys[0]), _crystal(*keys[1])
    images = np.array([_quaternion(matrix) for matrix in matrices])
    turns = _equivalents(one, two, *images)
    catalogue = _catalogue(*keys)
    fit = _best_fit(catalogue, turns, tolerance_deg)
    half_turn = fit.half_turn if fit else bool(np.argmax(_closest(turns)))
    if half_turn:
        matrices[1] = np.diag([-1.0, -1.0, 1.0]) @ matrices[1]
    angle, axis = _misorientation(one, turns[int(half_turn)], _same(one, two))
    found = catalogue.targets[fit.row] if fit else None
    plane, edge_on = _twin_plane(one, found, turns, matrices[0], tolerance_deg)
    planes = _parallel(one.reciprocal, two.reciprocal, matrices, tolerance_deg, plane)
    general = f"general: {angle:.1f}° about {_direction(axis, one.hexagonal)}"
    return OrientationRelation(
        name=found.name if found else general if _same(one, two) else "none",
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


def coincidence_rotations(max_sigma: int = MAX_SIGMA) -> list[tuple[str, Array]]:
    """Names and smallest rotations of the coincidence relations of cubic lattices.

    Parameters
    ----------
    max_sigma
        Largest Σ, up to 37: from Σ39 on there are mirror-image pairs, not generated.

    Returns
    -------
    list of (str, ndarray)
        "3", "5", ..., "13a", "13b", ... with "a" for the smaller angle, and the unit
        quaternion (w ≥ x ≥ y ≥ z), shape (4,), of the smallest rotation. Made from
        Σ = m² + u² + v² + w² (odd, no common divisor), tan(θ/2) = √(u² + v² + w²)/m
        about [uvw].

    Raises
    ------
    ValueError
        Where max_sigma is not from 3 to 37.
    """
    if not 3 <= max_sigma <= 37:
        raise ValueError(
            f"Expected max_sigma from 3 to 37; got {max_sigma}. 29 is usual."
        )
    cubic = Rotation.create_group("O").as_quat()[:, [3, 0, 1, 2]]
    found: dict[int, set[tuple[float, ...]]] = {}
    for numbers in combinations_with_replacement(range(int(max_sigma**0.5) + 1), 4):
        sigma = sum(number**2 for number in numbers)
        if sigma % 2 and 3 <= sigma <= max_sigma and np.gcd.reduce(numbers) == 1:
            turn = np.array(numbers[::-1]) / np.sqrt(sigma)
            equal = np.sort(np.abs(_multiply(cubic, turn)), axis=1)[:, ::-1]
            smallest = max(map(tuple, np.round(equal, 12)))
            found.setdefault(sigma, set()).add(smallest)
    return [
        (f"{sigma}{letter if len(turns) > 1 else ''}", np.array(turn))
        for sigma, turns in sorted(found.items())
        for letter, turn in zip("abc", sorted(turns, reverse=True), strict=False)
    ]


def _multiply(left: Array, right: Array) -> Array:
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


def _conjugate(turns: Array) -> Array:
    return turns * np.array([1.0, -1.0, -1.0, -1.0])


def _quaternion(matrix: Array) -> Array:
    return Rotation.from_matrix(matrix).as_quat()[..., [3, 0, 1, 2]]


def _about(axis: npt.ArrayLike, degrees: float) -> Array:
    axis = np.asarray(axis) / np.linalg.norm(axis)
    half = np.deg2rad(degrees) / 2
    return np.append(np.cos(half), np.sin(half) * axis)


def _degrees(cosine_of_half: Array) -> Array:
    return np.rad2deg(2 * np.arccos(np.clip(np.abs(cosine_of_half), 0, 1)))


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


def _key(phase: CrystalPhase) -> tuple[Any, ...]:
    """Content of a phase, for the caches."""
    arrays = (
        np.asarray(phase.numbers, np.int64),
        np.asarray(phase.fractional, float),
        np.asarray(phase.occupancy, float),
    )
    cell = tuple(float(value) for value in phase.cell)
    return (phase.name, cell, *(array.tobytes() for array in arrays))


@lru_cache(maxsize=256)
def _crystal(
    name: str, cell: tuple[float, ...], numbers: bytes, fractional: bytes, share: bytes
) -> _Crystal:
    phase = CrystalPhase(
        name=name,
        cell=cell,
        numbers=np.frombuffer(numbers, np.int64),
        fractional=np.frombuffer(fractional).reshape(-1, 3),
        occupancy=np.frombuffer(share),
    )
    operations = laue_operations(phase)
    rotations = operations[np.linalg.det(operations) > 0]
    columns = phase.lattice.T
    turns = _quaternion(columns @ rotations @ np.linalg.inv(columns))
    number = symmetry(phase).number
    cubic, hexagonal = number >= 195, 143 <= number <= 194 and abs(cell[5] - 120) < 0.1
    kind = space_group_symbol(number)[0] if cubic else _HEXAGONAL * hexagonal
    return _Crystal(name, phase.lattice, operations, rotations, turns, kind, cubic)


def _same(one: _Crystal, two: _Crystal) -> bool:
    return (
        one.name == two.name
        and np.allclose(one.lattice, two.lattice, rtol=1e-3, atol=1e-3)
        and np.array_equal(one.operations, two.operations)
    )


def _equivalents(
    one: _Crystal, two: _Crystal, first_image: Array, second_image: Array
) -> Array:
    """All rotations second → first crystal; shape (2, n1, n2, 4), half turn last."""
    beam = np.array([[1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0]])
    turns = _multiply(_conjugate(first_image), _multiply(beam, second_image))
    left = _multiply(_conjugate(one.turns), turns[:, None])
    return _multiply(left[:, :, None], _conjugate(two.turns))


def _closest(turns: Array) -> Array:
    """Cosine of half the smallest rotation, without and with the half turn."""
    return np.abs(turns[..., 0]).max(axis=(1, 2)) - 1e-9 * np.arange(2)


def _share(degrees: npt.ArrayLike) -> Array:
    """Share of all rotations within an angle of a given one: (δ − sin δ)/π."""
    radians = np.deg2rad(degrees)
    return (radians - np.sin(radians)) / np.pi


def _best_fit(catalogue: _Catalogue, turns: Array, tolerance: float) -> _Fit | None:
    cosines = np.abs(turns.reshape(2, -1, 4) @ catalogue.turns.T).max(axis=1)
    both = _degrees(cosines)
    deviation = both.min(axis=0)
    counted = np.maximum(deviation, tolerance / 4)
    chance = 2 * catalogue.rotations_so_far * _share(counted)
    fits = (deviation <= tolerance) & (chance <= CHANCE_LIMIT)
    if not fits.any():
        return None
    order = np.argsort(np.where(fits, chance, np.inf), kind="stable")[: fits.sum()]
    row = int(order[0])
    names = dict.fromkeys(catalogue.targets[other].name for other in order)
    others = [name for name in names if name != catalogue.targets[row].name]
    half_turn = bool(both[1, row] < both[0, row] - 1e-4)
    return _Fit(row, float(deviation[row]), half_turn, tuple(others[:3]))


def _misorientation(one: _Crystal, turns: Array, same: bool) -> tuple[float, Index]:
    """Smallest angle in degrees and its axis as small integers in the first phase."""
    turns = turns.reshape(-1, 4)
    turn = turns[np.argmax(np.abs(turns[:, 0]))]
    angle = float(np.rad2deg(2 * np.arctan2(np.linalg.norm(turn[1:]), abs(turn[0]))))
    if angle < 1e-3:
        return 0.0, (0, 0, 0)
    axis = turn[1:] / np.linalg.norm(turn[1:])
    uvw = _primitive(4)
    vectors = uvw @ one.lattice
    cosines = np.clip(vectors @ axis / np.linalg.norm(vectors, axis=1), -1, 1)
    away = np.rad2deg(np.arccos(cosines))
    simple = np.abs(uvw).sum(axis=1)
    near = away <= max(1.0, away.min())
    best = uvw[np.flatnonzero(near)[np.argmin((simple + away / 90)[near])]]
    images = one.operations @ best if same else np.array([best, -best])
    return angle, _nicest(images)


def _twin_plane(
    one: _Crystal,
    found: _Target | None,
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
    plane = _nicest(np.array([planes[best], -planes[best]]))
    return plane, bool(upward[best] <= np.sin(np.deg2rad(tolerance)))


def _parallel(
    first: Array,
    second: Array,
    matrices: list[Array],
    tolerance: float,
    leading: Index | None,
) -> tuple[tuple[Index, Index], ...]:
    """Pairs of low-index vectors that are parallel, the simplest first."""
    indices = _primitive(3)
    few = np.abs(indices).sum(axis=1) <= 4
    indices = indices[few | (np.abs(indices).max(axis=1) <= 2)]
    units = []
    for basis, matrix in zip((first, second), matrices, strict=True):
        vectors = indices @ basis @ matrix.T
        units.append(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))
    cosines = units[0] @ units[1].T
    rows, columns = np.nonzero(cosines >= np.cos(np.deg2rad(tolerance)))
    simple, negative = np.abs(indices).sum(axis=1), (indices < 0).sum(axis=1)
    first_place = np.zeros(len(rows), bool)
    if leading is not None:
        first_place = (indices[rows] == np.array(leading)).all(axis=1)
    order = np.lexsort(
        (
            -cosines[rows, columns],
            negative[rows],
            simple[rows] + simple[columns],
            ~first_place,
        )
    )
    chosen: list[tuple[Index, Index]] = []
    used: tuple[set[Index], set[Index]] = set(), set()
    for row, column in zip(rows[order], columns[order], strict=True):
        pair = _triple(indices[row]), _triple(indices[column])
        if not (pair[0] in used[0] or pair[1] in used[1]) and len(chosen) < _LISTED:
            chosen.append(pair)
            for one, known in zip(pair, used, strict=True):
                known |= {one, _triple(-np.array(one))}
    return tuple(chosen)


def _mismatch(
    one: _Crystal, two: _Crystal, planes: tuple[tuple[Index, Index], ...]
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
    one: _Crystal,
    two: _Crystal,
    images: Array,
    catalogue: _Catalogue,
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
    left = _multiply(images[0], one.turns)
    right = _multiply(two.turns, _conjugate(images[1]))
    turned = _multiply(left[:, None], catalogue.turns[: fit.row + 1])
    every = _multiply(turned[:, :, None], right).reshape(-1, 4)
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


@lru_cache(maxsize=256)
def _catalogue(first: tuple[Any, ...], second: tuple[Any, ...]) -> _Catalogue:
    one, two = _crystal(*first), _crystal(*second)
    if not _same(one, two):
        targets = [*_known_relations(one, two), *_epitaxial_relations(one, two)]
    elif one.cubic:
        targets = list(_coincidences(one))
    else:
        targets = list(_twins(one))
    return _distinct(one, two, targets)


def _distinct(one: _Crystal, two: _Crystal, targets: list[_Target]) -> _Catalogue:
    """Leave out what the Laue groups make equal, and count rotations."""
    turns = np.array([target.turn for target in targets])
    todo = np.ones(len(targets), bool)
    kept, counts = [], []
    for row in range(len(targets)):
        if todo[row]:
            orbit = _multiply(_multiply(one.turns, turns[row])[:, None], two.turns)
            orbit = orbit.reshape(-1, 4)
            itself = np.abs(orbit @ turns[row]) > 1 - 1e-9
            todo[row:] &= np.abs(orbit @ turns[row:].T).max(axis=0) < 1 - 1e-9
            kept.append(row)
            counts.append(len(orbit) / itself.sum())
    return _Catalogue([targets[row] for row in kept], turns[kept], np.cumsum(counts))


def _coincidences(crystal: _Crystal) -> Iterator[_Target]:
    """Relations of one cubic phase; the lattice has 24 rotations, m-3 but 12."""
    quarter = _about((0, 0, 1), 90)
    halves = (_about((0, 0, 1), 0), quarter)
    yield _Target("parallel", halves[0], sigma=1)
    yield _Target("90° about [001]", quarter, sigma=1)
    for number, turn in coincidence_rotations():
        if twin := number == "3":
            turn = _about((1, 1, 1), 180)
        for left, right in product(halves, repeat=2):
            yield _Target(
                "Σ3 (111) twin" if twin else f"Σ{number}",
                _multiply(_multiply(left, turn), right),
                sigma=int(number.rstrip("abc")),
                plane=(1, 1, 1) if twin and left is right is halves[0] else None,
            )


def _twins(crystal: _Crystal) -> Iterator[_Target]:
    """Parallel, and half turns about the normals of planes and about directions.

    Where both are the same by symmetry, the plane gives the name.
    """
    yield _Target("parallel", _about((0, 0, 1), 0))
    entries = []
    for hkl, simple in _families(crystal, 3, direct=False):
        if simple > 4:
            break
        name = f"{_plane(hkl, crystal.hexagonal)} twin"
        turn = _about(np.array(hkl) @ crystal.reciprocal, 180)
        entries.append((simple, 0, _Target(name, turn, plane=hkl)))
    for uvw, simple in _families(crystal, 1, direct=True):
        name = f"{_direction(uvw, crystal.hexagonal)} 180° twin"
        turn = _about(np.array(uvw) @ crystal.lattice, 180)
        entries.append((simple + 2, 1, _Target(name, turn)))
    edges = np.linalg.norm(crystal.lattice, axis=1)
    skew = np.abs(crystal.lattice @ crystal.lattice.T / np.outer(edges, edges))
    pseudo_cubic = edges.max() < 1.1 * edges.min() and np.triu(skew, 1).max() < 0.17
    for uvw in np.eye(3, dtype=np.int64) if pseudo_cubic else ():
        for degrees in (90, -90):
            turn = _about(uvw @ crystal.lattice, degrees)
            name = f"90° about {_direction(_triple(uvw), False)}"
            entries.append((2, 2, _Target(name, turn)))
    yield from (entry[2] for entry in sorted(entries, key=lambda entry: entry[:2]))


def _known_relations(one: _Crystal, two: _Crystal) -> Iterator[_Target]:
    if one.cubic and two.cubic:
        yield _Target("cube on cube", _about((0, 0, 1), 0))
        yield _Target("cube on cube, twinned", _about((1, 1, 1), 180))
    for name, kinds, *indices in _KNOWN:
        frames = [tuple(indices[:2]), tuple(indices[2:])]
        if one.kind + two.kind == kinds[::-1]:
            frames.reverse()
        elif one.kind + two.kind != kinds:
            continue
        turn = _frame(one, *frames[0]) @ _frame(two, *frames[1]).T
        yield _Target(name, _quaternion(turn))


def _epitaxial_relations(one: _Crystal, two: _Crystal) -> Iterator[_Target]:
    """All pairs of low-index planes with low-index directions, the simplest first."""
    frames = [list(_frames(crystal)) for crystal in (one, two)]
    pairs = sorted(product(*frames), key=lambda pair: _simplicity(one, two, *pair))
    bases = [
        {frame: _frame(crystal, frame.plane, frame.direction) for frame in of}
        for crystal, of in zip((one, two), frames, strict=True)
    ]
    for (first, second), signs in product(pairs, product((1, -1), repeat=2)):
        flip = np.diag([signs[0], signs[1], signs[0] * signs[1]])
        turn = bases[0][first] @ flip @ bases[1][second].T
        plane = _triple(signs[0] * np.array(second.plane))
        direction = _triple(signs[1] * np.array(second.direction))
        name = (
            f"{_plane(first.plane, one.hexagonal)} ∥ {_plane(plane, two.hexagonal)}, "
            f"{_direction(first.direction, one.hexagonal)} ∥ "
            f"{_direction(direction, two.hexagonal)}"
        )
        yield _Target(name, _quaternion(turn))


def _simplicity(
    one: _Crystal, two: _Crystal, first: _Frame, second: _Frame
) -> tuple[Any, ...]:
    """Sort key: small indices, above all in the planes, few negative, as one writes."""
    planes = np.abs((first.plane, second.plane)).sum()
    negative = sum(
        text.count("-")
        for crystal, frame in ((one, first), (two, second))
        for text in (
            _plane(frame.plane, crystal.hexagonal),
            _direction(frame.direction, crystal.hexagonal),
        )
    )
    # (001) before (100), but [100] before [001], as films are mostly described.
    usual = [*first.plane, *first.direction[::-1], *second.direction[::-1]]
    return first.simple + second.simple, planes, negative, [abs(i) for i in usual]


def _frames(crystal: _Crystal) -> Iterator[_Frame]:
    """Planes of index 1, one per family, with each direction of index 1 in them."""
    directions = _primitive(1)
    images = np.einsum("oij,nj->noi", crystal.operations, directions)
    simple = np.abs(images).sum(axis=2).min(axis=1)
    for hkl, rank in _families(crystal, 1, direct=False):
        for row in np.flatnonzero(directions @ np.array(hkl) == 0):
            uvw = _triple(directions[row])
            if _nicest(np.array([uvw, -directions[row]])) == uvw:
                yield _Frame(hkl, uvw, rank + int(simple[row]))


def _frame(crystal: _Crystal, plane: Index, direction: Index) -> Array:
    """Orthonormal columns: plane normal, direction in the plane, their product."""
    normal = np.array(plane) @ crystal.reciprocal
    along = np.array(direction) @ crystal.lattice
    normal, along = normal / np.linalg.norm(normal), along / np.linalg.norm(along)
    return np.stack([normal, along, np.cross(normal, along)], axis=1)


def _families(
    crystal: _Crystal, largest: int, *, direct: bool
) -> Iterator[tuple[Index, int]]:
    """A member of each family of planes or directions, and its sum of \\|index\\|."""
    inverse = np.round(np.linalg.inv(crystal.operations)).astype(np.int64)
    act = crystal.operations if direct else inverse.transpose(0, 2, 1)
    indices = _primitive(largest)
    simple = np.abs(indices).sum(axis=1)
    seen: set[Index] = set()
    for row in np.lexsort(((indices < 0).sum(axis=1), simple)):
        if _triple(indices[row]) not in seen:
            images = act @ indices[row]
            seen |= {_triple(image) for image in images}
            small = images[np.abs(images).sum(axis=1) == simple[row]]
            yield _nicest(small), int(simple[row])


def _nicest(indices: npt.NDArray[np.int64]) -> Index:
    """The row with the fewest negative, then the largest leading indices."""
    order = np.lexsort((*-indices.T[::-1], (indices < 0).sum(axis=1)))
    return _triple(indices[order[0]])


def _triple(indices: npt.ArrayLike) -> Index:
    first, second, third = (int(value) for value in np.asarray(indices))
    return first, second, third


@lru_cache(maxsize=8)
def _primitive(largest: int) -> npt.NDArray[np.int64]:
    """All index triples up to `largest` without a common divisor; shape (n, 3)."""
    index = np.arange(-largest, largest + 1)
    triples = np.stack(np.meshgrid(index, index, index, indexing="ij"), -1)
    triples = triples.reshape(-1, 3)
    return triples[np.gcd.reduce(triples, axis=1) == 1]


def _plane(hkl: Index, hexagonal: bool) -> str:
    h, k, last = hkl
    return f"({h}{k}{-h - k}{last})" if hexagonal else f"({h}{k}{last})"


def _direction(uvw: Index, hexagonal: bool) -> str:
    if not hexagonal:
        return "[{}{}{}]".format(*uvw)
    u, v, w = uvw
    four = np.array([2 * u - v, 2 * v - u, -u - v, 3 * w])
    return "[{}{}{}{}]".format(*(four // max(1, np.gcd.reduce(four))))
