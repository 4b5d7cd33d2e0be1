# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Which fringes shift where one element gives way to another."""

import numpy as np
import pytest

from hyperspy_t2t.phases.composition_phase import composition_phase_shift, isomorphous
from hyperspy_t2t.phases.library import library_phase


def shifts(name: str, *hkl: tuple[int, int, int]) -> np.ndarray:
    return composition_phase_shift(library_phase(name), hkl)


def test_a_single_element_has_no_shift() -> None:
    found = shifts("Si diamond", (1, 1, 1), (2, 2, 0), (0, 0, 4), (1, -1, 3))
    np.testing.assert_array_equal(found, 0)


def test_zincblende_by_hand() -> None:
    """F(111) = f(Ga) ± i f(As): doubling one turns it, 220 and 004 are real."""
    gallium, arsenic = 31**1.7, 33**1.7
    angle = np.arctan2(arsenic, gallium)
    doubled = np.arctan2(2 * arsenic, gallium), np.arctan2(arsenic, 2 * gallium)
    halved = np.arctan2(arsenic, gallium / 2), np.arctan2(arsenic / 2, gallium)
    expected = max(abs(other - angle) for other in (*doubled, *halved))
    found = shifts("GaAs zincblende", (1, 1, 1), (-1, 1, 1), (1, -1, 3), (1, 1, 5))
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert expected > 0.3
    steady = shifts("GaAs zincblende", (2, 2, 0), (0, 0, 4), (4, 0, 0), (2, -2, 4))
    np.testing.assert_allclose(steady, 0, atol=1e-6)
    # 002 is f(Ga) − f(As): it changes sign.
    assert shifts("GaAs zincblende", (0, 0, 2))[0] == pytest.approx(np.pi, abs=1e-6)


@pytest.mark.parametrize(
    "name", ["InAs zincblende", "AlAs zincblende", "GaAs zincblende"]
)
def test_interfaces_of_zincblende(name: str) -> None:
    assert shifts(name, (1, 1, 1))[0] > 0.1
    assert shifts(name, (2, 2, 0))[0] < 1e-6


def test_perovskite_along_the_cube_axis() -> None:
    """It is centrosymmetric: a phase stays or turns by π, and here none does."""
    plane = [(h, k, 0) for h in range(4) for k in range(4) if (h, k) != (0, 0)]
    assert shifts("SrTiO3 cubic perovskite", *plane).max() < 1e-6


def test_wurtzite() -> None:
    """Along the polar axis the sublattices are not in phase; in the basal plane they
    are."""
    name = "GaN wurtzite"
    np.testing.assert_allclose(
        shifts(name, (1, 0, 0), (1, 1, 0), (2, -1, 0)), 0, atol=1e-6
    )
    assert shifts(name, (0, 0, 2))[0] > 0.05
    assert shifts(name, (1, 0, 1))[0] > 0.05


def test_a_friedel_partner_and_the_origin_do_not_matter() -> None:
    from dataclasses import replace

    phase = library_phase("GaAs zincblende")
    hkl = np.array([(1, 1, 1), (0, 0, 2), (1, 1, 3), (2, 2, 0)])
    expected = composition_phase_shift(phase, hkl)
    np.testing.assert_allclose(
        composition_phase_shift(phase, -hkl), expected, atol=1e-9
    )
    moved = replace(phase, fractional=phase.fractional + np.array([0.13, -0.27, 0.4]))
    np.testing.assert_allclose(composition_phase_shift(moved, hkl), expected, atol=1e-9)


def test_no_or_one_reflection() -> None:
    phase = library_phase("GaAs zincblende")
    assert composition_phase_shift(phase, np.empty((0, 3))).shape == (0,)
    assert composition_phase_shift(phase, (1, 1, 1)).shape == (1,)


@pytest.mark.parametrize(
    ("other", "alike"),
    [
        ("InAs zincblende", True),
        ("Ge diamond", True),
        ("GaN wurtzite", False),
        ("SrTiO3 cubic perovskite", False),
    ],
)
def test_cells_that_may_take_each_others_place(other: str, alike: bool) -> None:
    one, two = library_phase("GaAs zincblende"), library_phase(other)
    assert isomorphous(one, two) is isomorphous(two, one) is alike
    assert isomorphous(one, one)
