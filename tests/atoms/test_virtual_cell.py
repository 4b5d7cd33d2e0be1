# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""The measured cell and its lattice basis along the beam."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hyperspy_t2t.atoms.virtual_cell import VirtualCell, shortest_period, virtual_cell
from hyperspy_t2t.frames import zone_axis_frame
from hyperspy_t2t.phases.crystal_phase import CrystalPhase
from hyperspy_t2t.phases.library import library_phase

ZONES = [
    ("Si diamond", (1, 1, 0)),
    ("Si diamond", (1, 1, 2)),
    ("Si diamond", (1, 1, 1)),
    ("Si diamond", (1, 2, 3)),
    ("Fe bcc", (1, 1, 1)),
    ("GaN wurtzite", (1, 1, 0)),  # [11-20]
    ("GaN wurtzite", (0, 0, 1)),
    ("beta-Ga2O3", (0, 1, 0)),
    ("HfO2 monoclinic", (1, -1, 2)),
]
TRICLINIC = CrystalPhase(
    "triclinic",
    (4.1, 5.3, 7.9, 78, 101, 113),
    np.array([30, 8, 8]),
    np.array([(0.1, 0.2, 0.3), (0.6, 0.7, 0.1), (0.5, 0.05, 0.9)]),
)


def two_reflections(axis: np.ndarray) -> np.ndarray:
    """Two independent hkl of a zone, not a basis of it."""
    hkl = np.stack(np.meshgrid(*[np.arange(-4, 5)] * 3), -1).reshape(-1, 3)
    hkl = hkl[hkl @ axis == 0]
    hkl = hkl[np.argsort((hkl**2).sum(axis=1), kind="stable")]
    first = hkl[1]
    second = next(h for h in hkl if np.linalg.matrix_rank([first, h]) == 2)
    return np.array([2 * first - second, second + first])


def measured(
    phase: CrystalPhase, axis: tuple, *, turn: float = 0.6, distortion=None
) -> VirtualCell:
    axis = np.array(axis)
    frame = zone_axis_frame(phase.lattice, axis, rotation=turn)
    hkl = two_reflections(axis // np.gcd.reduce(axis))
    g = (hkl @ phase.reciprocal_lattice @ frame.T)[:, :2]
    if distortion is not None:
        g = g @ np.linalg.inv(distortion)
    return virtual_cell(phase, frame, axis, g, hkl)


index = st.integers(-4, 4)


@given(
    st.tuples(index, index, index).filter(any),
    st.floats(-3, 3),
    st.sampled_from([None, np.array([[1.07, 0.06], [0.02, 0.95]])]),
)
def test_any_zone_of_a_triclinic_crystal(axis: tuple, turn: float, distortion) -> None:
    cell = measured(TRICLINIC, axis, turn=turn, distortion=distortion)
    primitive = np.array(axis) // np.gcd.reduce(axis)
    np.testing.assert_array_equal(cell.zone_axis, primitive)
    np.testing.assert_allclose(cell.projection @ primitive, 0, atol=1e-12)
    # Together with the zone axis the basis spans every lattice vector.
    assert abs(np.linalg.det([*cell.basis, primitive])) == pytest.approx(1)
    # Reduced: no shorter vector of the plane lattice replaces either.
    a, b = cell.in_plane
    assert abs(a @ b) <= 0.5 * min(a @ a, b @ b) * (1 + 1e-9)
    # Each reflection has its planes where the atoms are: g·P x = hkl·x.
    frame = zone_axis_frame(TRICLINIC.lattice, axis, rotation=turn)
    hkl = two_reflections(primitive)
    g = (hkl @ TRICLINIC.reciprocal_lattice @ frame.T)[:, :2]
    if distortion is not None:
        g = g @ np.linalg.inv(distortion)
    np.testing.assert_allclose(g @ cell.projection, hkl, atol=1e-9)
    # The projection is that of the bulk seen through the distortion.
    bulk = 0.1 * frame @ TRICLINIC.lattice.T
    seen = bulk[:2] if distortion is None else distortion @ bulk[:2]
    np.testing.assert_allclose(cell.projection, seen, atol=1e-9)
    np.testing.assert_allclose(cell.depth, bulk[2], atol=1e-12)
    assert cell.period == pytest.approx(np.linalg.norm(primitive @ bulk.T))


@pytest.mark.parametrize(("name", "axis"), ZONES)
def test_area_times_period_is_the_volume_of_the_cell(name: str, axis: tuple) -> None:
    phase = library_phase(name)
    cell = measured(phase, axis)
    volume = abs(np.linalg.det(cell.in_plane)) * cell.period
    assert volume == pytest.approx(abs(np.linalg.det(phase.lattice)) / 1000)


@pytest.mark.parametrize(
    ("name", "axis"), [*ZONES, ("Au fcc", (1, 1, 2)), ("Bi2Te3", (2, 1, 1))]
)
def test_shortest_period_by_brute_force(name: str, axis: tuple) -> None:
    """The largest n for which zone axis / n maps the crystal onto itself."""
    phase = library_phase(name)
    cell = measured(phase, axis)

    def repeats(parts: int) -> bool:
        moved = phase.fractional + np.array(cell.zone_axis) / parts
        gap = moved[:, None] - phase.fractional
        gap = np.abs(gap - np.rint(gap)) @ np.abs(phase.lattice)
        near = (gap < 1e-2).all(axis=-1) & (phase.numbers[:, None] == phase.numbers)
        return bool(near.any(axis=1).all())

    assert shortest_period(cell, phase) == max(n for n in range(1, 13) if repeats(n))


def test_a_zone_axis_with_a_common_divisor_is_made_primitive() -> None:
    phase = library_phase("Si diamond")
    assert measured(phase, (2, 2, 0)).zone_axis.tolist() == [1, 1, 0]


def test_reflections_that_cannot_measure_the_zone() -> None:
    phase = library_phase("Si diamond")
    frame = zone_axis_frame(phase.lattice, (1, 1, 0))
    g = np.diag([3.0, 3.0])
    with pytest.raises(ValueError, match=r"zone \[1, 1, 0\], got .*\[1, 1, 1\]"):
        virtual_cell(phase, frame, (1, 1, 0), g, np.array([[1, 1, 1], [0, 0, 2]]))
    with pytest.raises(ValueError, match="two independent reflections"):
        virtual_cell(phase, frame, (1, 1, 0), g, np.array([[1, -1, 1], [2, -2, 2]]))
