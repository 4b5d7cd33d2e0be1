# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Where a solution expects spots.

Expected places come from the lattice in direct space: a vector r = uvw of the crystal,
imaged at D r, has g · D r = hkl · uvw.
"""

import numpy as np
import pytest
from crystal_phases import solution_without_peaks

from hyperspy_t2t.frames import rotation_2d, zone_axis_frame
from hyperspy_t2t.phases.library import library_phase
from hyperspy_t2t.phases.simulation import (
    FAINT,
    nearest_reflection,
    predicted_g,
    simulated_spots,
)

DISTORTION = np.array([[1.07, 0.02], [0.02, 0.96]])
ZONES = [
    ("SrTiO3 cubic perovskite", [0, 0, 1]),
    ("GaN wurtzite", [1, 1, 0]),
    ("HfO2 monoclinic", [1, 1, 2]),
    ("beta-Ga2O3", [0, 1, 0]),
]


@pytest.mark.parametrize(("name", "axis"), ZONES)
def test_spots_count_the_periods_of_imaged_lattice_vectors(
    name: str, axis: list[int]
) -> None:
    one = solution_without_peaks(name, axis, 33, DISTORTION)
    hkl, g, amplitude = simulated_spots(one, np.array([[8.0, 0.0], [1.0, -2.0]]))
    assert len(hkl) > 10
    np.testing.assert_array_equal(hkl @ axis, 0)
    assert np.linalg.norm(g, axis=1).max() <= 1.02 * 8
    # In nm. What is along the beam is not seen, nor does it change g · r.
    imaged = (one.crystal.lattice / 10 @ one.matrix.T)[:, :2] @ DISTORTION
    np.testing.assert_allclose(g @ imaged.T, hkl, atol=1e-6)
    assert amplitude.max() == 1 and (amplitude >= 0).all()


def test_spots_that_only_z_contrast_shows() -> None:
    """F(100) = Sr − Ti − O and F(200) = Sr + Ti + 3 O: nearly zero for electrons."""
    weight = {z: z**1.7 for z in (38, 22, 8)}
    ratio = (weight[38] - weight[22] - weight[8]) / (
        weight[38] + weight[22] + 3 * weight[8]
    )
    assert ratio > 0.3
    one = solution_without_peaks("SrTiO3 cubic perovskite", [0, 0, 1], 33)
    hkl, _, amplitude = simulated_spots(one, np.array([[0.0, 5.2]]))
    drawn = dict(zip(map(tuple, hkl.tolist()), amplitude, strict=True))
    assert drawn[1, 0, 0] < FAINT and drawn[2, 0, 0] == 1
    assert len(drawn) == 12  # 100, 110 and 200 in all directions


@pytest.mark.parametrize("name", ["Si diamond", "Au fcc"])
def test_absent_spots_are_not_drawn(name: str) -> None:
    one = solution_without_peaks(name, [1, 1, 0], 33)
    hkl = simulated_spots(one, np.array([[9.0, 0.0]]))[0]
    assert len({tuple(index % 2) for index in hkl}) == 2  # all even or all odd
    assert ((hkl % 2).sum(axis=1) % 3 == 0).all()
    assert ([0, 0, 2] in hkl.tolist()) == (name == "Au fcc")


@pytest.mark.parametrize(("name", "axis"), ZONES)
def test_reflections_nearest_to_g(name: str, axis: list[int]) -> None:
    one = solution_without_peaks(name, axis, 33, DISTORTION)
    hkl, g, _ = simulated_spots(one, np.array([[6.0, 0.0]]))
    moved = g + np.random.default_rng(0).normal(0, 0.05, g.shape)
    placed = (one.crystal, one.zone_axis, one.matrix, one.distortion)
    np.testing.assert_array_equal(nearest_reflection(moved, *placed), hkl)


def test_predicted_g_of_a_crystal_seen_twice_as_large() -> None:
    """What is seen at D r has its frequencies at D⁻ᵀ g."""
    phase = library_phase("Si diamond")
    frame = zone_axis_frame(phase.lattice, [0, 0, 1], rotation=np.deg2rad(30))
    shortest = 4 / 0.5431
    plain = predicted_g([4, 0, 0], phase, frame, np.eye(2))
    assert np.linalg.norm(plain) == pytest.approx(shortest, rel=1e-3)
    stretched = predicted_g([4, 0, 0], phase, frame, np.diag([2.0, 1.0]))
    np.testing.assert_allclose(stretched, plain / [2, 1])
    turned = rotation_2d(np.deg2rad(30)) @ [shortest, 0]
    assert min(np.linalg.norm(plain - turned), np.linalg.norm(plain + turned)) < 0.01
