# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""The measured cell and its lattice basis along the beam."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from hyperspy_t2t.atoms.primitive import primitive_sites
from hyperspy_t2t.atoms.virtual_cell import (
    VirtualCell,
    conventional_basis,
    turned_about_beam,
    virtual_cell,
)
from hyperspy_t2t.frames import zone_axis_frame
from hyperspy_t2t.phases.crystal_phase import CrystalPhase
from hyperspy_t2t.phases.library import library_phase

TRICLINIC = CrystalPhase(
    "triclinic",
    (4.1, 5.3, 7.9, 78, 101, 113),
    np.array([30, 8, 8]),
    np.array([(0.1, 0.2, 0.3), (0.6, 0.7, 0.1), (0.5, 0.05, 0.9)]),
)
CENTRED_TRICLINIC = CrystalPhase(
    "centred triclinic",
    (4.1, 5.3, 7.9, 78, 101, 113),
    np.array([30, 8, 30, 8]),
    np.array([(0.1, 0.2, 0.3), (0.6, 0.7, 0.1), (0.1, 0.7, 0.8), (0.6, 0.2, 0.6)]),
)
ZONES = [
    ("Si diamond", (1, 1, 0), 0.38403),
    ("Si diamond", (1, 1, 2), 0.66516),  # a/2 [112]
    ("Si diamond", (1, 1, 1), 0.94068),
    ("Si diamond", (1, 2, 3), 1.01605),  # a/2 [123]
    ("Si diamond", (1, 1, 3), 1.80126),  # [113]
    ("Fe bcc", (1, 1, 1), 0.24825),
    ("ZnO wurtzite", (1, 1, 0), 0.32495),  # [11-20]
    ("ZnO wurtzite", (1, 2, 0), 0.56283),  # [10-10]
    ("GaN wurtzite", (0, 0, 1), 0.5185),
    ("Bi2Te3", (2, 1, 1), None),
    ("beta-Ga2O3", (0, 1, 0), 0.30371),
    ("ZrO2 monoclinic", (1, -1, 2), None),
    ("HfO2 monoclinic", (0, 1, 3), None),
]


def phase_of(name: str) -> CrystalPhase:
    made = {one.name: one for one in (TRICLINIC, CENTRED_TRICLINIC)}
    return made[name] if name in made else library_phase(name)


def two_reflections(axis: np.ndarray) -> np.ndarray:
    """Two independent hkl of a zone, not a basis of it."""
    hkl = np.stack(np.meshgrid(*[np.arange(-4, 5)] * 3), -1).reshape(-1, 3)
    hkl = hkl[hkl @ axis == 0]
    hkl = hkl[np.argsort((hkl**2).sum(axis=1), kind="stable")]
    first = hkl[1]
    second = next(h for h in hkl if np.linalg.matrix_rank([first, h]) == 2)
    return np.array([2 * first - second, second + first])


def tilted_frame(phase: CrystalPhase, axis: tuple, turn: float, tilt: tuple):
    frame = zone_axis_frame(phase.lattice, axis, rotation=turn)
    return Rotation.from_rotvec([*np.radians(tilt), 0]).as_matrix() @ frame, frame


def measured(
    phase: CrystalPhase, axis: tuple, *, turn=0.6, distortion=None, tilt=(0.0, 0.0)
) -> VirtualCell:
    """Cell from the two g that an image of the (tilted) crystal shows."""
    axis = np.array(axis)
    placed, frame = tilted_frame(phase, axis, turn, tilt)
    hkl = two_reflections(axis // np.gcd.reduce(axis))
    g = (hkl @ phase.reciprocal_lattice @ placed.T)[:, :2]
    if distortion is not None:
        g = g @ np.linalg.inv(distortion)
    return virtual_cell(phase, frame, axis, g, hkl, tilt=tilt)


def ball(phase: CrystalPhase, radius: float) -> tuple[np.ndarray, np.ndarray]:
    """Atoms (Å, crystal frame) of the conventional cell's lattice within a ball."""
    reach = (
        np.ceil(radius * np.linalg.norm(phase.reciprocal_lattice / 10, axis=1)).astype(
            int
        )
        + 2
    )
    steps = np.meshgrid(*[np.arange(-n, n + 1) for n in reach], indexing="ij")
    steps = np.stack(steps, -1).reshape(-1, 1, 3)
    places = ((phase.fractional + steps) @ phase.lattice).reshape(-1, 3)
    numbers = np.tile(phase.numbers, len(steps))
    near = np.linalg.norm(places, axis=1) < radius
    return places[near], numbers[near]


def columns(phase: CrystalPhase, cell: VirtualCell, radius: float):
    """Atoms (Å, image frame) that the cell makes: sites × (i b1 + j b2 + k axis)."""
    basis = np.array([*cell.basis, cell.axis])
    reach = (
        np.ceil(
            radius * np.linalg.norm(np.linalg.inv(basis @ phase.lattice), axis=0)
        ).astype(int)
        + 2
    )
    steps = np.meshgrid(*[np.arange(-n, n + 1) for n in reach], indexing="ij")
    steps = np.stack(steps, -1).reshape(-1, 1, 3) @ basis
    sites = primitive_sites(phase)
    home = phase.fractional[sites]
    # Sites of the conventional cell may lie some primitive cells from the origin.
    home = home - np.rint(home @ np.linalg.inv(basis)) @ basis
    x = (home + steps).reshape(-1, 3)
    z = x @ cell.depth
    xy = x @ cell.projection.T + z[:, None] * cell.lean
    numbers = np.tile(phase.numbers[sites], len(steps))
    places = 10 * np.column_stack([xy, z])
    near = np.linalg.norm(places, axis=1) < radius
    return places[near], numbers[near]


def assert_same_atoms(one, other, radius: float) -> None:
    """Equal atoms within a ball, up to a skin where rounding decides."""
    for first, second in ((one, other), (other, one)):
        inner = np.linalg.norm(first[0], axis=1) < radius - 1e-3
        assert inner.sum() > 20
        for number in np.unique(first[1]):
            tree = cKDTree(second[0][second[1] == number])
            gap = tree.query(first[0][inner & (first[1] == number)])[0]
            assert gap.max() < 1e-6
    inside = [
        (np.linalg.norm(a, axis=1) < radius - 1e-3).sum() for a, _ in (one, other)
    ]
    assert inside[0] == inside[1]


CASES = [(name, axis) for name, axis, _ in ZONES] + [
    ("triclinic", (1, -2, 1)),
    ("centred triclinic", (2, 1, 1)),
]


@pytest.mark.parametrize("tilt", [(0.0, 0.0), (7.0, -11.0)])
@pytest.mark.parametrize(("name", "axis"), CASES)
def test_every_atom_is_where_the_turned_bulk_has_it(name, axis, tilt) -> None:
    phase = phase_of(name)
    cell = measured(phase, axis, tilt=tilt)
    placed, _ = tilted_frame(phase, axis, 0.6, tilt)
    places, numbers = ball(phase, 13)
    assert_same_atoms((places @ placed.T, numbers), columns(phase, cell, 13), 13)


index = st.integers(-4, 4)
names = st.sampled_from(
    ["Si diamond", "ZnO wurtzite", "Bi A7", "ZrO2 monoclinic", "centred triclinic"]
)


@settings(max_examples=40, deadline=None)
@given(
    names, st.tuples(index, index, index).filter(any), st.floats(-3, 3),
    st.tuples(st.floats(-15, 15), st.floats(-15, 15)),
)  # fmt: skip
def test_any_zone_and_tilt(name: str, axis: tuple, turn: float, tilt: tuple) -> None:
    phase = phase_of(name)
    cell = measured(phase, axis, turn=turn, tilt=tilt)
    placed, _ = tilted_frame(phase, axis, turn, tilt)
    places, numbers = ball(phase, 8)
    assert_same_atoms((places @ placed.T, numbers), columns(phase, cell, 8), 8)


@settings(deadline=None)
@given(
    st.tuples(index, index, index).filter(any),
    st.floats(-3, 3),
    st.sampled_from([None, np.array([[1.07, 0.06], [0.02, 0.95]])]),
)
def test_planes_of_a_distorted_image(axis: tuple, turn: float, distortion) -> None:
    cell = measured(TRICLINIC, axis, turn=turn, distortion=distortion)
    primitive = np.array(axis) // np.gcd.reduce(axis)
    np.testing.assert_array_equal(cell.zone_axis, primitive)
    np.testing.assert_allclose(cell.axis, primitive)  # nothing shorter: primitive
    np.testing.assert_allclose(cell.projection @ primitive, 0, atol=1e-12)
    np.testing.assert_array_equal(cell.lean, 0)
    assert cell.turned_depth is None
    # Reduced: no shorter vector of the plane lattice replaces either.
    a, b = cell.in_plane
    assert abs(a @ b) <= 0.5 * min(a @ a, b @ b) * (1 + 1e-9)
    # Each reflection has its planes where the atoms are: g·P x = hkl·x.
    frame = zone_axis_frame(TRICLINIC.lattice, axis, rotation=turn)
    bulk = 0.1 * frame @ TRICLINIC.lattice.T
    seen = bulk[:2] if distortion is None else distortion @ bulk[:2]
    np.testing.assert_allclose(cell.projection, seen, atol=1e-9)
    np.testing.assert_allclose(cell.depth, bulk[2], atol=1e-12)
    # The zone axis points to the source, the depth away from it.
    assert cell.depth @ cell.axis < 0


@pytest.mark.parametrize(("name", "axis", "period"), ZONES)
def test_period_by_brute_force(name: str, axis: tuple, period: float | None) -> None:
    """Shortest distance along the zone axis that maps all atoms onto equal ones."""
    phase = library_phase(name)
    cell = measured(phase, axis)
    direction = np.array(axis) @ phase.lattice
    whole = np.linalg.norm(direction)
    direction /= whole
    places, numbers = ball(phase, whole + 6)
    few = np.linalg.norm(places, axis=1) < 6
    tree = cKDTree(places)
    start = phase.fractional[0] @ phase.lattice
    along = (places - start) @ direction
    off = np.linalg.norm(places - start - along[:, None] * direction, axis=1)
    for length in np.sort(along[(off < 1e-3) & (along > 0.1)]):
        gap, other = tree.query(places[few] + length * direction)
        if gap.max() < 1e-2 and (numbers[other] == numbers[few]).all():
            break
    assert cell.period == pytest.approx(length / 10, abs=1e-9)
    if period is not None:
        assert cell.period == pytest.approx(period, abs=1e-5)


@pytest.mark.parametrize("tilt", [(0.0, 0.0), (-9.0, 14.0)])
@pytest.mark.parametrize(("name", "axis"), CASES)
def test_area_times_period_is_the_primitive_volume(name, axis, tilt) -> None:
    phase = phase_of(name)
    cell = measured(phase, axis, tilt=tilt)
    volume = abs(np.linalg.det(cell.in_plane)) * cell.period
    share = len(primitive_sites(phase)) / len(phase.numbers)
    bulk = abs(np.linalg.det(phase.lattice)) / 1000
    assert volume == pytest.approx(share * bulk, rel=1e-10)


@pytest.mark.parametrize("shear", [0.0, 0.013])
def test_tetragonal_strain_and_shear_are_kept(shear: float) -> None:
    """Ge with c/a = 1.01 along [110], where a cubic average would lose 0.7 %."""
    germanium = library_phase("Ge diamond")
    frame = zone_axis_frame(germanium.lattice, (1, 1, 0), rotation=0.3)
    x, y = frame[:2] @ [0, 0, 1], frame[:2] @ [1, -1, 0] / np.sqrt(2)
    stretch = np.eye(2) + 0.01 * np.outer(x, x) + shear * np.outer(x, y)
    cell = measured(germanium, (1, 1, 0), turn=0.3, distortion=stretch)
    seen_c, seen_a = (cell.projection @ v for v in ([0, 0, 1.0], [0.5, -0.5, 0]))
    a = 0.56579
    np.testing.assert_allclose(seen_c, 1.01 * a * x, atol=1e-9)
    expected = a / np.sqrt(2) * (y + shear * x)
    np.testing.assert_allclose(seen_a, expected, atol=1e-9)
    ratio = np.linalg.norm(seen_c) / (np.sqrt(2) * np.linalg.norm(seen_a))
    assert ratio == pytest.approx(1.01 / np.hypot(1, shear), rel=1e-9)


@pytest.mark.parametrize("tilt", [(0.0, 0.0), (6.0, 10.0)])
def test_half_a_turn_is_about_the_zone_axis(tilt: tuple) -> None:
    """The other polarity of GaAs: where the zone axis points is not touched."""
    phase = library_phase("GaAs zincblende")
    cell = measured(phase, (1, 1, 0), tilt=tilt)
    turned = turned_about_beam(cell)
    placed, _ = tilted_frame(phase, (1, 1, 0), 0.6, tilt)
    axis = placed @ [1, 1, 0] / np.sqrt(2)
    half = Rotation.from_rotvec(np.pi * axis).as_matrix()
    places, numbers = ball(phase, 12)
    expected = (places @ (half @ placed).T, numbers)
    assert_same_atoms(expected, columns(phase, turned, 12), 12)
    back = turned_about_beam(turned)
    np.testing.assert_allclose(back.projection, cell.projection)
    np.testing.assert_allclose(back.depth, cell.depth)


def test_lean_has_the_sign_of_the_tilt() -> None:
    """Turned about x by a small angle, the end at the source goes to +y."""
    cell = measured(library_phase("Si diamond"), (0, 0, 1), tilt=(2.0, 0.0))
    # Right-handed about x: −z goes to +y, so deeper atoms stand at −y.
    np.testing.assert_allclose(cell.lean, [0, -np.tan(np.radians(2))], atol=1e-12)
    cell = measured(library_phase("Si diamond"), (0, 0, 1), tilt=(0.0, 2.0))
    np.testing.assert_allclose(cell.lean, [np.tan(np.radians(2)), 0], atol=1e-12)
    expected = 0.5431 * np.cos(np.radians(2))
    assert cell.period == pytest.approx(expected)


def test_a_zone_axis_with_a_common_divisor_is_made_primitive() -> None:
    phase = library_phase("Si diamond")
    cell = measured(phase, (2, 2, 0))
    assert cell.zone_axis.tolist() == [1, 1, 0]
    assert cell.axis.tolist() == [0.5, 0.5, 0]


def test_conventional_basis_has_whole_indices() -> None:
    phase = library_phase("Si diamond")
    cell = measured(phase, (1, 1, 0))
    basis = conventional_basis((1, 1, 0), cell.projection)
    assert basis.dtype == np.int64
    assert abs(np.linalg.det([*basis, (1, 1, 0)])) == pytest.approx(1)
    lengths = np.sort(np.linalg.norm(basis @ cell.projection.T, axis=1))
    np.testing.assert_allclose(lengths, [0.5431 / np.sqrt(2), 0.5431])


def test_reflections_that_cannot_measure_the_zone() -> None:
    phase = library_phase("Si diamond")
    frame = zone_axis_frame(phase.lattice, (1, 1, 0))
    g = np.diag([3.0, 3.0])
    pair = np.array([[1, -1, 1], [0, 0, 2]])
    with pytest.raises(ValueError, match=r"zone \[1, 1, 0\], got .*\[1, 1, 1\]"):
        virtual_cell(phase, frame, (1, 1, 0), g, np.array([[1, 1, 1], [0, 0, 2]]))
    with pytest.raises(ValueError, match="two independent reflections"):
        virtual_cell(phase, frame, (1, 1, 0), g, np.array([[1, -1, 1], [2, -2, 2]]))
    with pytest.raises(ValueError, match=r"different directions.*1/nm"):
        virtual_cell(phase, frame, (1, 1, 0), np.array([[3, 1], [6, 2.0001]]), pair)
    with pytest.raises(ValueError, match="not all 0"):
        virtual_cell(phase, frame, (0, 0, 0), g, pair)


def test_tilts_that_are_none() -> None:
    phase = library_phase("Si diamond")
    with pytest.raises(ValueError, match=r"within 30° of the beam, got one 36\.1°"):
        measured(phase, (1, 1, 0), tilt=(30, -20))
    frame = zone_axis_frame(phase.lattice, (1, 1, 1))
    pair = np.array([[1, -1, 1], [0, 0, 2]])
    with pytest.raises(ValueError, match=r"35\.3° off"):
        virtual_cell(phase, frame, (1, 1, 0), np.eye(2), pair)
    with pytest.raises(ValueError, match="two angles in degrees"):
        virtual_cell(phase, frame, (1, 1, 0), np.eye(2), pair, tilt=(np.nan, 0))
