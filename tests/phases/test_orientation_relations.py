# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Relations of two lattices get the names and angles the literature gives them."""

import numpy as np
import numpy.typing as npt
import pytest
from orix.quaternion import Orientation, symmetry
from scipy.spatial.transform import Rotation as Turn

from hyperspy_t2t.frames import zone_axis_frame
from hyperspy_t2t.phases.crystal_phase import CrystalPhase
from hyperspy_t2t.phases.library import library_phase
from hyperspy_t2t.phases.orientation_relations import (
    OrientationRelation,
    orientation_relation,
)
from hyperspy_t2t.phases.reflections import laue_operations
from hyperspy_t2t.phases.relation_catalogue import coincidence_rotations

# Grimmer, Bollmann, Warrington, Acta Cryst. A30 (1974) 197, in degrees.
PUBLISHED = {
    "3": (60.00, (1, 1, 1)),
    "5": (36.87, (1, 0, 0)),
    "7": (38.21, (1, 1, 1)),
    "9": (38.94, (1, 1, 0)),
    "11": (50.48, (1, 1, 0)),
    "13a": (22.62, (1, 0, 0)),
    "13b": (27.80, (1, 1, 1)),
    "15": (48.19, (2, 1, 0)),
    "17a": (28.07, (1, 0, 0)),
    "17b": (61.93, (2, 2, 1)),
    "19a": (26.53, (1, 1, 0)),
    "19b": (46.83, (1, 1, 1)),
    "21a": (21.79, (1, 1, 1)),
    "21b": (44.42, (2, 1, 1)),
    "23": (40.46, (3, 1, 1)),
    "25a": (16.26, (1, 0, 0)),
    "25b": (51.68, (3, 3, 1)),
    "27a": (31.59, (1, 1, 0)),
    "27b": (35.43, (2, 1, 0)),
    "29a": (43.60, (1, 0, 0)),
    "29b": (46.40, (2, 2, 1)),
}
HALF_TURN = np.diag([-1.0, -1.0, 1.0])
NO_NAME = ("general", "none")


def random_matrices(count: int, seed: int) -> npt.NDArray:
    return Turn.random(count, random_state=seed).as_matrix()


def about(axis: npt.ArrayLike, degrees: float) -> npt.NDArray:
    axis = np.asarray(axis, float)
    return Turn.from_rotvec(
        np.deg2rad(degrees) * axis / np.linalg.norm(axis)
    ).as_matrix()


def equal_by_symmetry(phase: CrystalPhase, seed: int) -> npt.NDArray:
    """A rotation of the Laue group, in the crystal frame."""
    operations = laue_operations(phase)
    proper = operations[np.linalg.det(operations) > 0]
    one = proper[np.random.default_rng(seed).integers(len(proper))]
    return phase.lattice.T @ one @ np.linalg.inv(phase.lattice.T)


def mirrored(phase: CrystalPhase, hkl: tuple) -> npt.NDArray:
    """Rotation of the crystal that equals a reflection in (hkl) and an inversion."""
    normal = np.array(hkl) @ phase.reciprocal_lattice
    normal /= np.linalg.norm(normal)
    return -(np.eye(3) - 2 * np.outer(normal, normal))


def related(
    first: str, second: str, turn: npt.NDArray, *, seed: int = 0, half: bool = False
) -> OrientationRelation:
    """Relation where `turn` takes the second crystal frame to the first, disguised."""
    one, two = library_phase(first), library_phase(second)
    image = random_matrices(1, seed)[0]
    other = image @ equal_by_symmetry(one, seed) @ turn @ equal_by_symmetry(two, seed)
    return orientation_relation(one, two, image, HALF_TURN @ other if half else other)


def _frame_of(phase: CrystalPhase, plane: tuple, direction: tuple) -> npt.NDArray:
    return _frame(
        np.array(plane) @ phase.reciprocal_lattice, np.array(direction) @ phase.lattice
    )


def _frame(normal: npt.NDArray, along: npt.NDArray) -> npt.NDArray:
    rows = [normal / np.linalg.norm(normal), along / np.linalg.norm(along)]
    return np.array([*rows, np.cross(*rows)])


def test_coincidence_relations_are_those_published() -> None:
    found = dict(coincidence_rotations())
    assert list(found) == list(PUBLISHED)
    for name, (angle, axis) in PUBLISHED.items():
        turn = found[name]
        assert np.rad2deg(2 * np.arccos(turn[0])) == pytest.approx(angle, abs=0.006)
        np.testing.assert_allclose(
            turn[1:] / np.linalg.norm(turn[1:]), axis / np.linalg.norm(axis), atol=1e-9
        )


def test_sigma_is_the_least_common_denominator_of_the_rotation() -> None:
    for name, turn in coincidence_rotations(37):
        matrix = Turn.from_quat(turn[[1, 2, 3, 0]]).as_matrix()
        whole = [
            n
            for n in range(1, 40)
            if np.allclose(n * matrix, np.round(n * matrix), atol=1e-8)
        ]
        assert whole[0] == int(name.rstrip("abc"))


@pytest.mark.parametrize(
    ("name", "group"),
    [
        ("Si diamond", symmetry.Oh),
        ("FeS2 pyrite", symmetry.Th),
        ("Ti hcp", symmetry.D6h),
        ("TiO2 rutile", symmetry.D4h),
    ],
)
def test_angles_agree_with_orix(name: str, group: symmetry.Symmetry) -> None:
    phase = library_phase(name)
    first, second = random_matrices(80, 3).reshape(2, 40, 3, 3)
    found = [
        orientation_relation(phase, phase, *pair)
        for pair in zip(first, second, strict=True)
    ]
    one, *others = (
        Orientation.from_matrix(matrices.transpose(0, 2, 1), symmetry=group)
        for matrices in (first, second, HALF_TURN @ second)
    )
    angles = np.rad2deg([one.angle_with(other) for other in others])
    half_turn = np.array([each.half_turn for each in found], int)
    general = np.array([each.name.startswith("general") for each in found])
    assert 5 < half_turn.sum() < 35 and general.sum() > 30
    own = np.array([each.angle for each in found])
    np.testing.assert_allclose(own, angles[half_turn, np.arange(40)], atol=1e-4)
    np.testing.assert_allclose(own[general], angles.min(axis=0)[general], atol=1e-4)


def test_angle_of_a_monoclinic_pair_knows_the_axis_b() -> None:
    phase = library_phase("HfO2 monoclinic")
    for first, second in random_matrices(40, 8).reshape(20, 2, 3, 3):
        found = orientation_relation(phase, phase, first, second)
        second = HALF_TURN @ second if found.half_turn else second
        traces = [
            np.trace(first.T @ second @ operation)
            for operation in (np.eye(3), np.diag([-1.0, 1.0, -1.0]))
        ]
        angle = np.rad2deg(np.arccos((max(traces) - 1) / 2))
        assert found.angle == pytest.approx(angle, abs=1e-4)


@pytest.mark.parametrize("half", [False, True])
@pytest.mark.parametrize("name", PUBLISHED)
def test_coincidence_relations_get_their_name(name: str, half: bool) -> None:
    angle, axis = PUBLISHED[name]
    for phase in ("Cu fcc", "FeS2 pyrite"):
        quarter = about((0, 0, 1), 90)  # equal in the lattice, not in pyrite
        found = related(phase, phase, quarter @ about(axis, angle + 0.2), half=half)
        assert found.name == ("Σ3 (111) twin" if name == "3" else f"Σ{name}")
        assert found.sigma == int(name.rstrip("abc"))
        assert found.deviation == pytest.approx(0.2, abs=0.01)
        assert found.half_turn is half
        if phase == "Cu fcc":
            assert found.angle == pytest.approx(angle, abs=0.21)
            assert found.axis == axis


def test_the_chance_limit_is_stricter_than_that_of_brandon() -> None:
    copper = library_phase("Cu fcc")
    for name, (angle, axis) in PUBLISHED.items():
        limit = 15 / np.sqrt(int(name.rstrip("abc")))
        turn = about(axis, angle) @ about((3, 1, -2), limit)
        found = orientation_relation(copper, copper, np.eye(3), turn, tolerance_deg=15)
        assert found.name != f"Σ{name}" and not found.name.startswith(f"Σ{name} ")


@pytest.mark.parametrize(
    ("phase", "axis", "angle", "name"),
    [
        # Christian, Mahajan, Prog. Mater. Sci. 39 (1995) 1: angles of common twins.
        ("Mg hcp", (1, 0, 0), 86.3, "(10-12) twin"),
        ("Ti hcp", (1, 0, 0), 85.0, "(10-12) twin"),
        ("Ti hcp", (1, 0, 0), 57.2, "(10-11) twin"),
        ("Mg hcp", (1, 0, 0), 64.0, "(10-13) twin"),
        ("Ti hcp", (2, 1, 0), 34.9, "(11-21) twin"),
        ("Ti hcp", (2, 1, 0), 64.4, "(11-22) twin"),
        ("TiO2 rutile", (0, 1, 0), 114.4, "(101) twin"),
        ("alpha-quartz", (0, 0, 1), 60.0, "(0001) twin"),  # Dauphiné
        ("FeS2 pyrite", (1, 0, 0), 90.0, "90° about [001]"),  # iron cross
        ("PbTiO3 tetragonal", (1, 0, 0), 90.0, "90° about [100]"),
    ],
)
def test_twins_of_the_literature(
    phase: str, axis: tuple, angle: float, name: str
) -> None:
    turn = about(np.array(axis) @ library_phase(phase).lattice, angle)
    found = related(phase, phase, turn, seed=5)
    assert found.name == name
    assert found.deviation < 0.3


@pytest.mark.parametrize(
    ("phase", "hkl", "name"),
    [
        ("HfO2 monoclinic", (1, 0, 0), "(100) twin"),
        ("HfO2 monoclinic", (0, 1, -1), "(011) twin"),
        ("HfO2 monoclinic", (1, -1, 0), "(110) twin"),
        ("beta-Ga2O3", (-2, 0, 1), "(20-1) twin"),
        ("PbTiO3 tetragonal", (0, 1, 1), "(101) twin"),
        ("TiO2 rutile", (3, 0, 1), "(301) twin"),
        ("TiO2 brookite", (2, -1, 0), "(210) twin"),
        ("LiNbO3", (0, 1, 2), "(01-12) twin"),
        ("Si diamond", (-1, 1, 1), "Σ3 (111) twin"),
    ],
)
def test_reflection_twins_and_their_plane(phase: str, hkl: tuple, name: str) -> None:
    crystal = library_phase(phase)
    image = zone_axis_frame(crystal.lattice, (1, 2, 3), rotation=0.4)
    twin = mirrored(crystal, hkl)
    for half in (np.eye(3), HALF_TURN):
        found = orientation_relation(crystal, crystal, image, half @ image @ twin)
        assert found.name == name
        assert found.deviation == pytest.approx(0, abs=1e-4)
        assert found.planes[0][0] == found.twin_plane
        assert found.mismatch[0] == pytest.approx(0, abs=1e-6)
        # The plane itself, not only its family.
        normal = np.array(found.twin_plane) @ crystal.reciprocal_lattice
        normal = image @ normal / np.linalg.norm(normal)
        mirror = np.eye(3) - 2 * np.outer(normal, normal)
        turned = HALF_TURN @ half if found.half_turn else half
        rest = (turned @ image @ twin).T @ mirror @ image
        integer = np.linalg.inv(crystal.lattice.T) @ rest @ crystal.lattice.T
        operations = laue_operations(crystal)
        assert np.abs(operations - integer).max(axis=(1, 2)).min() < 1e-4


def test_a_rotation_twin_is_told_from_a_reflection_twin() -> None:
    crystal = library_phase("beta-Ga2O3")
    turn = about(np.array([0, 1, 1]) @ crystal.lattice, 180)
    found = related("beta-Ga2O3", "beta-Ga2O3", turn, seed=2)
    assert found.name == "[011] 180° twin"
    assert found.twin_plane is None and found.edge_on is None


def test_a_coherent_twin_is_edge_on_along_110_and_not_along_112_of_its_plane() -> None:
    silicon = library_phase("Si diamond")
    twin = mirrored(silicon, (1, -1, 1))
    along = zone_axis_frame(silicon.lattice, (1, 1, 0), rotation=0.3)
    found = orientation_relation(silicon, silicon, along, along @ twin)
    assert (found.twin_plane, found.edge_on) == ((1, -1, 1), True)
    # (111), 70.5° from (1-11), is inclined to a view along [-211] of (111).
    tilted = zone_axis_frame(silicon.lattice, (2, 1, 0), rotation=0.3)
    found = orientation_relation(silicon, silicon, tilted, tilted @ twin)
    assert (found.twin_plane, found.edge_on) == ((1, -1, 1), False)


def test_along_111_spots_do_not_tell_a_twin_from_one_crystal() -> None:
    silicon = library_phase("Si diamond")
    along = zone_axis_frame(silicon.lattice, (1, 1, 1), rotation=0.3)
    for matrix in (along, HALF_TURN @ along):
        found = orientation_relation(silicon, silicon, along, matrix)
        assert found.name == "parallel" and found.sigma == 1
        assert "Σ3 (111) twin" in found.alternatives


def test_chance_counts_the_turns_about_the_beam() -> None:
    # Along [110] half a turn holds one parallel position and two twins; a quarter of
    # the tolerance to either side of each counts.
    silicon = library_phase("Si diamond")
    along = zone_axis_frame(silicon.lattice, (1, 1, 0))
    twin = along @ mirrored(silicon, (1, -1, 1))
    for tolerance in (1.0, 2.0, 4.0):
        found = orientation_relation(
            silicon, silicon, along, twin, tolerance_deg=tolerance
        )
        assert found.chance == pytest.approx(3 * tolerance / 2 / 180, rel=1e-6)


def test_chance_is_found_again_by_turning_the_crystal() -> None:
    titanium = library_phase("Ti hcp")
    first = zone_axis_frame(titanium.lattice, (1, 0, 0), rotation=0.2)
    second = about((0, 0, 1), 0.7) @ first @ mirrored(titanium, (0, 1, 2))
    found = orientation_relation(titanium, titanium, first, second)
    assert found.name == "(10-12) twin"
    assert found.deviation == pytest.approx(0.7, abs=1e-3)
    simple = ("parallel", "(10-11) twin", "(10-12) twin")
    hits = []
    for angle in np.arange(0.1, 180, 0.2):
        turned = about((0, 0, 1), angle) @ second
        each = orientation_relation(titanium, titanium, first, turned)
        hits.append(each.deviation <= found.deviation and each.name in simple)
    assert found.chance == pytest.approx(np.mean(hits), abs=0.25 * found.chance)


@pytest.mark.parametrize(
    ("name", "planes", "directions", "angle"),
    [
        # Smallest rotations of He, Godet, Jonas, J. Appl. Cryst. 39 (2006) 72.
        ("Kurdjumov–Sachs", ((1, 1, 1), (0, 1, 1)), ((0, 1, -1), (1, 1, -1)), 42.85),
        (
            "Nishiyama–Wassermann",
            ((1, 1, 1), (0, 1, 1)),
            ((1, 1, -2), (0, -1, 1)),
            45.98,
        ),
        ("Pitsch", ((1, 0, 0), (0, 1, 1)), ((0, 1, 1), (1, 1, -1)), 45.98),
        ("Bain", ((0, 0, 1), (0, 0, 1)), ((1, 0, 0), (1, -1, 0)), 45.0),
    ],
)
def test_relations_of_face_and_body_centred_metals(
    name: str, planes: tuple, directions: tuple, angle: float
) -> None:
    aluminium, iron = library_phase("Al fcc"), library_phase("Fe bcc")
    turn = _frame_of(aluminium, planes[0], directions[0]).T @ _frame_of(
        iron, planes[1], directions[1]
    )
    for seed in (4, 5):
        pairs = (("Al fcc", "Fe bcc", turn), ("Fe bcc", "Al fcc", turn.T))
        for first, second, rotation in pairs:
            found = related(first, second, rotation, seed=seed)
            assert found.name == name
            assert found.angle == pytest.approx(angle, abs=0.02)
            assert found.deviation == pytest.approx(0, abs=1e-4)


def test_kurdjumov_sachs_from_its_published_axis() -> None:
    found = related("Al fcc", "Fe bcc", about((0.968, 0.178, 0.178), 42.85))
    assert found.name == "Kurdjumov–Sachs"
    assert found.deviation < 0.05


@pytest.mark.parametrize(
    ("first", "second", "planes", "directions", "name"),
    [
        (
            "Fe bcc",
            "Ti hcp",
            ((1, 1, 0), (0, 0, 1)),
            ((1, -1, 1), (1, 0, 0)),
            "Burgers",
        ),
        (
            "Ti hcp",
            "Fe bcc",
            ((0, 0, 1), (1, 0, -1)),
            ((0, 1, 0), (1, 1, 1)),
            "Burgers",
        ),
        (
            "GaN wurtzite",
            "Si diamond",
            ((0, 0, 1), (1, 1, 1)),
            ((1, 1, 0), (1, -1, 0)),
            "(0001) ∥ (111), [11-20] ∥ [1-10]",
        ),
        (
            "SrTiO3 cubic perovskite",
            "Si diamond",
            ((0, 0, 1), (0, 0, 1)),
            ((1, 1, 0), (1, 0, 0)),
            "(100) ∥ (100), [010] ∥ [011]",
        ),
        (
            "GaAs zincblende",
            "Si diamond",
            ((0, 0, 1),) * 2,
            ((0, 1, 0),) * 2,
            "cube on cube",
        ),
        (
            "GaAs zincblende",
            "Si diamond",
            ((1, 1, 1), (1, 1, 1)),
            ((1, -1, 0), (-1, 1, 0)),
            "cube on cube, twinned",
        ),
        (
            "ZnO wurtzite",
            "Al2O3 corundum",
            ((0, 0, 1), (0, 0, 1)),
            ((1, 1, 0), (1, -1, 0)),
            "(0001) ∥ (0001), [1-100] ∥ [11-20]",
        ),
        (
            "HfO2 monoclinic",
            "Si diamond",
            ((0, 0, 1), (0, 0, 1)),
            ((0, 1, 0), (0, 1, 0)),
            "(001) ∥ (100), [100] ∥ [010]",
        ),
    ],
)
def test_epitaxial_relations(
    first: str, second: str, planes: tuple, directions: tuple, name: str
) -> None:
    one, two = library_phase(first), library_phase(second)
    turn = _frame_of(one, planes[0], directions[0]).T @ _frame_of(
        two, planes[1], directions[1]
    )
    for seed in range(3):
        found = related(first, second, turn, seed=seed, half=seed == 2)
        assert found.name == name
        assert found.deviation == pytest.approx(0, abs=1e-4)
        assert found.sigma is None


def test_parallel_planes_and_directions_are_parallel_in_the_image() -> None:
    one, two = library_phase("beta-Ga2O3"), library_phase("GaN wurtzite")
    turn = _frame_of(one, (-2, 0, 1), (0, 1, 0)).T @ _frame_of(
        two, (0, 0, 1), (1, 1, 0)
    )
    first = zone_axis_frame(one.lattice, (0, 1, 0), rotation=1.0)
    second = first @ turn
    found = orientation_relation(one, two, first, second)
    assert ((-2, 0, 1), (0, 0, 1)) in found.planes
    assert ((0, 1, 0), (1, 1, 0)) in found.directions
    for pairs, bases in (
        (found.planes, (one.reciprocal_lattice, two.reciprocal_lattice)),
        (found.directions, (one.lattice, two.lattice)),
    ):
        for left, right in pairs:
            vectors = [
                matrix @ (np.array(index) @ basis)
                for matrix, index, basis in zip(
                    (first, second), (left, right), bases, strict=True
                )
            ]
            cosine = np.dot(*vectors) / np.prod(np.linalg.norm(vectors, axis=1))
            assert np.rad2deg(np.arccos(min(1, cosine))) <= 2.0


@pytest.mark.parametrize(
    ("first", "second", "turn", "planes", "expected"),
    [
        ("Si diamond", "GaAs zincblende", 0, ((1, 0, 0), (1, 0, 0)), 4.09),
        ("GaAs zincblende", "Si diamond", 0, ((1, 0, 0), (1, 0, 0)), -3.93),
        # 3.905 √2 on 5.431 Å: (110) against the (200) of the centred cell.
        ("Si diamond", "SrTiO3 cubic perovskite", 45, ((1, 0, 0), (1, 1, 0)), 1.69),
        ("Si diamond", "NaCl rocksalt", 45, ((0, 0, 1), (0, 0, 1)), 3.85),
        ("Si diamond", "MgO rocksalt", 0, ((1, 0, 0), (1, 0, 0)), np.nan),
    ],
)
def test_mismatch(
    first: str, second: str, turn: float, planes: tuple, expected: float
) -> None:
    image = random_matrices(1, 5)[0]
    one, two = library_phase(first), library_phase(second)
    found = orientation_relation(one, two, image, image @ about((0, 0, 1), turn))
    values = [
        value
        for (left, right), value in zip(found.planes, found.mismatch, strict=True)
        if tuple(np.abs(left)) == planes[0] and tuple(np.abs(right)) == planes[1]
    ]
    assert values == pytest.approx([expected], abs=0.06, nan_ok=True)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("Cu fcc", "Cu fcc"),
        ("Ti hcp", "Ti hcp"),
        ("HfO2 monoclinic", "HfO2 monoclinic"),
        ("Al fcc", "Fe bcc"),
        ("GaN wurtzite", "Si diamond"),
        ("CuO tenorite", "ZnO wurtzite"),
    ],
)
def test_random_pairs_seldom_get_a_name(first: str, second: str) -> None:
    one, two = library_phase(first), library_phase(second)
    pairs = random_matrices(800, 1).reshape(-1, 2, 3, 3)
    found = [orientation_relation(one, two, *pair) for pair in pairs]
    named = [one for one in found if not one.name.startswith(NO_NAME)]
    assert len(named) / len(pairs) < 0.05
    assert all(np.isnan(one.deviation) for one in found if one not in named)
    assert all(one.deviation <= 2.0 for one in named)


def test_a_pair_without_relation_says_angle_and_axis() -> None:
    found = related("Cu fcc", "Cu fcc", about((1, 1, 0), 8.0), seed=6)
    assert found.name == "general: 8.0° about [110]"
    assert found.angle == pytest.approx(8.0, abs=1e-4)
    assert found.sigma is None and found.alternatives == ()
    found = related("Ti hcp", "Ti hcp", about((0, 0, 1), 11.0), seed=6)
    assert found.name == "general: 11.0° about [0001]"


@pytest.mark.parametrize(
    "name", ["Si diamond", "GaN wurtzite", "beta-Ga2O3", "alpha-quartz", "BiFeO3"]
)
def test_a_crystal_is_parallel_to_itself(name: str) -> None:
    for seed in range(3):
        found = related(name, name, np.eye(3), seed=seed, half=seed == 1)
        assert found.name == "parallel"
        assert found.angle == pytest.approx(0, abs=1e-3)


def test_errors_name_what_is_wrong() -> None:
    silicon = library_phase("Si diamond")
    with pytest.raises(ValueError, match="second_matrix as a proper rotation"):
        orientation_relation(silicon, silicon, np.eye(3), -np.eye(3))
    with pytest.raises(ValueError, match="first_matrix"):
        orientation_relation(silicon, silicon, np.eye(2), np.eye(3))
    for tolerance in (0.0, 20.0, np.nan):
        with pytest.raises(ValueError, match="tolerance_deg"):
            orientation_relation(
                silicon, silicon, np.eye(3), np.eye(3), tolerance_deg=tolerance
            )
    with pytest.raises(ValueError, match="max_sigma from 3 to 37; got 39"):
        coincidence_rotations(39)
