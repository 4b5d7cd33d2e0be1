# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""How far a crystal is turned, and after what turn it looks the same."""

import numpy as np
import pytest
from crystal_phases import solution_without_peaks

from hyperspy_t2t.phases.in_plane import in_plane_rotations, pattern_period
from hyperspy_t2t.phases.library import library_phase


@pytest.mark.parametrize(
    ("name", "zone_axis", "period"),
    [
        ("Si diamond", (0, 0, 1), 90),
        ("Si diamond", (1, 1, 0), 180),
        ("GaAs zincblende", (1, 1, 1), 60),
        ("ZnO wurtzite", (0, 0, 1), 60),
        ("ZnO wurtzite", (1, 1, 0), 180),
        ("ZnO wurtzite", (2, 1, 3), 180),
    ],
)
def test_pattern_period(name, zone_axis, period):
    phase = library_phase(name)
    assert pattern_period(phase, zone_axis) == period
    # A zone seen from behind is a mirror image with the same period.
    assert pattern_period(phase, -np.array(zone_axis)) == period


@pytest.mark.parametrize("rotation", [-75.0, 0.0, 30.0, 89.0, 200.0])
@pytest.mark.parametrize(
    ("name", "zone_axis"), [("ZnO wurtzite", (1, 1, 0)), ("Si diamond", (0, 0, 1))]
)
def test_angle_up_to_the_period(name, zone_axis, rotation):
    (row,) = in_plane_rotations(
        {1: solution_without_peaks(name, zone_axis, rotation)}
    ).values()
    angle, period, _ = row
    assert -period / 2 <= angle < period / 2
    assert (angle - rotation + 1) % period == pytest.approx(1, abs=1e-6)


def test_small_misorientations_stay_small():
    """89.9° and 90.1° are neighbours though the second is also −89.9°."""
    turned = {
        1: solution_without_peaks("Si diamond", (1, 1, 0), 89.9),
        2: solution_without_peaks("Si diamond", (1, 1, 0), -89.9),
        3: solution_without_peaks("Si diamond", (-1, -1, 0), 91.0),
        4: solution_without_peaks("Ge diamond", (1, 1, 0), -89.9),
    }
    angles = [row[0] for row in in_plane_rotations(turned).values()]
    np.testing.assert_allclose(angles, [89.9, 90.1, 91.0, -89.9])
