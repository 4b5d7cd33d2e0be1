# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""What a solution says, and that orix means the same by it."""

import numpy as np
import pytest
from orix.quaternion import Orientation
from orix.vector import Miller, Vector3d

from hyperspy_t2t.frames import BEAM, zone_axis_frame
from hyperspy_t2t.phases.library import library_phase
from hyperspy_t2t.phases.solution import PhaseSolution

CASES = [
    ("Si diamond", (1, 2, 3), 25.0),
    ("GaN wurtzite", (2, 1, 0), 17.0),
    ("GaN wurtzite", (1, 2, 3), -70.0),
    ("beta-Ga2O3", (1, 1, 2), 123.0),
    ("HfO2 monoclinic", (3, -1, 1), 40.0),
]


def solution(name: str, axis: tuple, degrees: float) -> PhaseSolution:
    phase = library_phase(name)
    return PhaseSolution(
        crystal=phase,
        zone_axis=np.array(axis),
        matrix=zone_axis_frame(phase.lattice, axis, rotation=np.deg2rad(degrees)),
        distortion=np.diag([1.05, 1.01]),
        hkl=np.zeros((4, 3), int),
        matched=np.array([True, True, False, True]),
        probability=0.62,
        score=0.87,
        share=0.87,
        residual=0.012,
        residuals=np.array([0.01, 0.012, np.nan, 0.014]),
        covariance=1e-6 * np.diag([4.0, 1.0, 1.0]),
    )


@pytest.mark.parametrize("case", CASES)
def test_orientation_takes_image_to_crystal_vectors(case: tuple) -> None:
    found = solution(*case)
    orientation = found.orientation
    assert isinstance(orientation, Orientation)
    rng = np.random.default_rng(0)
    image = rng.normal(size=(5, 3))
    crystal = (orientation * Vector3d(image)).data
    np.testing.assert_allclose(crystal, image @ found.matrix, atol=1e-7)
    assert np.abs(found.matrix - found.matrix.T).max() > 0.1  # not its own inverse


@pytest.mark.parametrize("case", CASES)
def test_orix_puts_the_zone_axis_against_the_beam(case: tuple) -> None:
    found = solution(*case)
    direction = Miller(uvw=found.zone_axis, phase=found.phase)
    seen = (~found.orientation * Vector3d(direction.data)).data[0]
    np.testing.assert_allclose(seen / np.linalg.norm(seen), -BEAM, atol=1e-6)


@pytest.mark.parametrize("case", CASES)
def test_orix_puts_reflections_where_the_matrix_does(case: tuple) -> None:
    found = solution(*case)
    hkl = np.array([(1, 0, 0), (0, 2, 0), (1, -1, 3), (0, 0, 4)])
    plane = Miller(hkl=hkl, phase=found.phase)  # in 1/Å
    seen = (~found.orientation * Vector3d(plane.data)).data
    expected = hkl @ found.crystal.reciprocal_lattice @ found.matrix.T
    np.testing.assert_allclose(10 * seen, expected, atol=1e-5)


def test_numbers_and_words() -> None:
    found = solution("GaN wurtzite", (2, 1, 0), 17.0)
    assert found.scale == pytest.approx(np.sqrt(1.05 * 1.01))
    assert found.n_matched == 3
    assert found.phase.name == "GaN wurtzite"
    for part in ("GaN wurtzite", "[2 1 0]", "0.870", "3 of 4 peaks", "1.0298", "0.012"):
        assert part in repr(found)
