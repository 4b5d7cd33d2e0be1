# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""The relations that two lattices are searched for: coincidence, twins, epitaxy."""

from collections.abc import Iterator
from functools import lru_cache
from itertools import combinations_with_replacement, product
from typing import Any, NamedTuple

import numpy as np
from scipy.spatial.transform import Rotation

from hyperspy_t2t.array_types import Array, Ints
from hyperspy_t2t.phases.content import PhaseContent
from hyperspy_t2t.phases.crystal_phase import CrystalPhase
from hyperspy_t2t.phases.indices import (
    Index,
    direction_text,
    nicest,
    plane_text,
    primitive_indices,
    triple,
)
from hyperspy_t2t.phases.quaternions import about, multiply, quaternion
from hyperspy_t2t.phases.reflections import laue_operations
from hyperspy_t2t.phases.space_groups import space_group_symbol
from hyperspy_t2t.phases.symmetry import cartesian_operations, symmetry

MAX_SIGMA = 29
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


class RelatedCrystal(NamedTuple):
    """What relations depend on: lattice, Laue group, kind of lattice.

    Rows of `lattice` are a, b, c in ångström; `operations` (n, 3, 3) are those of the
    Laue group on direct indices, `rotations` the proper ones among them and `turns`
    these as quaternions; `kind` is "P", "I" or "F" of a cubic lattice, "H" of one on
    hexagonal axes, else empty.
    """

    name: str
    lattice: Array
    operations: Ints
    rotations: Ints
    turns: Array
    kind: str
    cubic: bool

    @property
    def hexagonal(self) -> bool:
        return self.kind == _HEXAGONAL

    @property
    def reciprocal(self) -> Array:
        return np.linalg.inv(self.lattice).T

    def plane_text(self, hkl: Index) -> str:
        return plane_text(hkl, hexagonal=self.hexagonal)

    def direction_text(self, uvw: Index) -> str:
        return direction_text(uvw, hexagonal=self.hexagonal)


class Relation(NamedTuple):
    """A rotation second → first crystal, its Σ and the plane of a reflection twin."""

    name: str
    turn: Array
    sigma: int | None = None
    plane: Index | None = None


class _Frame(NamedTuple):
    """A plane, a direction in it and the sum of their \\|index\\|."""

    plane: Index
    direction: Index
    simple: int


class Catalogue(NamedTuple):
    """Distinct relations of two crystals, the simplest first.

    `turns` are their rotations, shape (n, 4); `rotations_so_far` counts those that the
    symmetry of the crystals makes of each and all before it, shape (n,).
    """

    relations: list[Relation]
    turns: Array
    rotations_so_far: Array


def related_crystal(phase: CrystalPhase) -> RelatedCrystal:
    """What the relations of a phase depend on; kept for the next call."""
    return _crystal(PhaseContent(phase))


def relation_catalogue(first: CrystalPhase, second: CrystalPhase) -> Catalogue:
    """The relations that two crystals are searched for; kept for the next call."""
    return _catalogue(PhaseContent(first), PhaseContent(second))


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
            equal = np.sort(np.abs(multiply(cubic, turn)), axis=1)[:, ::-1]
            smallest = max(map(tuple, np.round(equal, 12)))
            found.setdefault(sigma, set()).add(smallest)
    return [
        (f"{sigma}{letter if len(turns) > 1 else ''}", np.array(turn))
        for sigma, turns in sorted(found.items())
        for letter, turn in zip("abc", sorted(turns, reverse=True), strict=False)
    ]


@lru_cache(maxsize=256)
def _crystal(content: PhaseContent) -> RelatedCrystal:
    phase = content.phase
    operations = laue_operations(phase)
    rotations = operations[np.linalg.det(operations) > 0]
    turns = quaternion(cartesian_operations(phase, rotations))
    number, gamma = symmetry(phase).number, phase.cell[5]
    cubic, hexagonal = number >= 195, 143 <= number <= 194 and abs(gamma - 120) < 0.1
    kind = space_group_symbol(number)[0] if cubic else _HEXAGONAL * hexagonal
    return RelatedCrystal(
        phase.name, phase.lattice, operations, rotations, turns, kind, cubic
    )


def same_phase(one: RelatedCrystal, two: RelatedCrystal) -> bool:
    """Whether name, cell (to 0.1 %) and Laue group agree."""
    return (
        one.name == two.name
        and np.allclose(one.lattice, two.lattice, rtol=1e-3, atol=1e-3)
        and np.array_equal(one.operations, two.operations)
    )


@lru_cache(maxsize=256)
def _catalogue(first: PhaseContent, second: PhaseContent) -> Catalogue:
    one, two = _crystal(first), _crystal(second)
    if not same_phase(one, two):
        targets = [*_known_relations(one, two), *_epitaxial_relations(one, two)]
    elif one.cubic:
        targets = list(_coincidences())
    else:
        targets = list(_twins(one))
    return _distinct(one, two, targets)


def _distinct(
    one: RelatedCrystal, two: RelatedCrystal, targets: list[Relation]
) -> Catalogue:
    """Leave out what the Laue groups make equal, and count rotations."""
    turns = np.array([target.turn for target in targets])
    todo = np.ones(len(targets), bool)
    kept, counts = [], []
    for row in range(len(targets)):
        if todo[row]:
            orbit = multiply(multiply(one.turns, turns[row])[:, None], two.turns)
            orbit = orbit.reshape(-1, 4)
            itself = np.abs(orbit @ turns[row]) > 1 - 1e-9
            todo[row:] &= np.abs(orbit @ turns[row:].T).max(axis=0) < 1 - 1e-9
            kept.append(row)
            counts.append(len(orbit) / itself.sum())
    return Catalogue([targets[row] for row in kept], turns[kept], np.cumsum(counts))


def _coincidences() -> Iterator[Relation]:
    """Relations of one cubic phase; the lattice has 24 rotations, m-3 but 12."""
    quarter = about((0, 0, 1), 90)
    halves = (about((0, 0, 1), 0), quarter)
    yield Relation("parallel", halves[0], sigma=1)
    yield Relation("90° about [001]", quarter, sigma=1)
    for number, turn in coincidence_rotations():
        if twin := number == "3":
            turn = about((1, 1, 1), 180)
        for left, right in product(halves, repeat=2):
            yield Relation(
                "Σ3 (111) twin" if twin else f"Σ{number}",
                multiply(multiply(left, turn), right),
                sigma=int(number.rstrip("abc")),
                plane=(1, 1, 1) if twin and left is right is halves[0] else None,
            )


def _twins(crystal: RelatedCrystal) -> Iterator[Relation]:
    """Parallel, and half turns about the normals of planes and about directions.

    Where both are the same by symmetry, the plane gives the name.
    """
    yield Relation("parallel", about((0, 0, 1), 0))
    entries = []
    for hkl, simple in _families(crystal, 3, direct=False):
        if simple > 4:
            break
        name = f"{crystal.plane_text(hkl)} twin"
        turn = about(np.array(hkl) @ crystal.reciprocal, 180)
        entries.append((simple, 0, Relation(name, turn, plane=hkl)))
    for uvw, simple in _families(crystal, 1, direct=True):
        name = f"{crystal.direction_text(uvw)} 180° twin"
        turn = about(np.array(uvw) @ crystal.lattice, 180)
        entries.append((simple + 2, 1, Relation(name, turn)))
    edges = np.linalg.norm(crystal.lattice, axis=1)
    skew = np.abs(crystal.lattice @ crystal.lattice.T / np.outer(edges, edges))
    pseudo_cubic = edges.max() < 1.1 * edges.min() and np.triu(skew, 1).max() < 0.17
    for axis in np.eye(3, dtype=np.int64) if pseudo_cubic else ():
        for degrees in (90, -90):
            turn = about(axis @ crystal.lattice, degrees)
            name = f"90° about {crystal.direction_text(triple(axis))}"
            entries.append((2, 2, Relation(name, turn)))
    yield from (entry[2] for entry in sorted(entries, key=lambda entry: entry[:2]))


def _known_relations(one: RelatedCrystal, two: RelatedCrystal) -> Iterator[Relation]:
    if one.cubic and two.cubic:
        yield Relation("cube on cube", about((0, 0, 1), 0))
        yield Relation("cube on cube, twinned", about((1, 1, 1), 180))
    for name, kinds, *indices in _KNOWN:
        frames = [tuple(indices[:2]), tuple(indices[2:])]
        if one.kind + two.kind == kinds[::-1]:
            frames.reverse()
        elif one.kind + two.kind != kinds:
            continue
        turn = _frame(one, *frames[0]) @ _frame(two, *frames[1]).T
        yield Relation(name, quaternion(turn))


def _epitaxial_relations(
    one: RelatedCrystal, two: RelatedCrystal
) -> Iterator[Relation]:
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
        plane = triple(signs[0] * np.array(second.plane))
        direction = triple(signs[1] * np.array(second.direction))
        name = (
            f"{one.plane_text(first.plane)} ∥ {two.plane_text(plane)}, "
            f"{one.direction_text(first.direction)} ∥ {two.direction_text(direction)}"
        )
        yield Relation(name, quaternion(turn))


def _simplicity(
    one: RelatedCrystal, two: RelatedCrystal, first: _Frame, second: _Frame
) -> tuple[Any, ...]:
    """Sort key: small indices, above all in the planes, few negative, as one writes."""
    planes = np.abs((first.plane, second.plane)).sum()
    negative = sum(
        text.count("-")
        for crystal, frame in ((one, first), (two, second))
        for text in (
            crystal.plane_text(frame.plane),
            crystal.direction_text(frame.direction),
        )
    )
    # (001) before (100), but [100] before [001], as films are mostly described.
    usual = [*first.plane, *first.direction[::-1], *second.direction[::-1]]
    return first.simple + second.simple, planes, negative, [abs(i) for i in usual]


def _frames(crystal: RelatedCrystal) -> Iterator[_Frame]:
    """Planes of index 1, one per family, with each direction of index 1 in them."""
    directions = primitive_indices(1)
    images = np.einsum("oij,nj->noi", crystal.operations, directions)
    simple = np.abs(images).sum(axis=2).min(axis=1)
    for hkl, rank in _families(crystal, 1, direct=False):
        for row in np.flatnonzero(directions @ np.array(hkl) == 0):
            uvw = triple(directions[row])
            if nicest(np.array([uvw, -directions[row]])) == uvw:
                yield _Frame(hkl, uvw, rank + int(simple[row]))


def _frame(crystal: RelatedCrystal, plane: Index, direction: Index) -> Array:
    """Orthonormal columns: plane normal, direction in the plane, their product."""
    normal = np.array(plane) @ crystal.reciprocal
    along = np.array(direction) @ crystal.lattice
    normal, along = normal / np.linalg.norm(normal), along / np.linalg.norm(along)
    return np.stack([normal, along, np.cross(normal, along)], axis=1)


def _families(
    crystal: RelatedCrystal, largest: int, *, direct: bool
) -> Iterator[tuple[Index, int]]:
    """A member of each family of planes or directions, and its sum of \\|index\\|."""
    inverse = np.round(np.linalg.inv(crystal.operations)).astype(np.int64)
    act = crystal.operations if direct else inverse.transpose(0, 2, 1)
    indices = primitive_indices(largest)
    simple = np.abs(indices).sum(axis=1)
    seen: set[Index] = set()
    for row in np.lexsort(((indices < 0).sum(axis=1), simple)):
        if triple(indices[row]) not in seen:
            images = act @ indices[row]
            seen |= {triple(image) for image in images}
            small = images[np.abs(images).sum(axis=1) == simple[row]]
            yield nicest(small), int(simple[row])
