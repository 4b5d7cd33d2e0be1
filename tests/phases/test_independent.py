# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""One spot of each Friedel pair."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hyperspy_t2t.phases.independent import RegionSpots
from hyperspy_t2t.phases.reflections import MIN_D


def spots(g, snr=100.0, std=0.005, **options) -> RegionSpots:
    g = np.reshape(np.array(g, float), (-1, 2))
    return RegionSpots(
        g, np.broadcast_to(std, len(g)), np.broadcast_to(snr, len(g)), **options
    )


def test_partners_are_one_spot_and_the_strongest_comes_first() -> None:
    g = [[3, 1], [-1, 4], [-3, -1], [1, -4], [5, 2]]
    model = spots(g, snr=np.array([50.0, 300, 50, 300, 100])).model
    np.testing.assert_array_equal(np.sign(model.g[:, 1]) * model.g[:, 1], [4, 2, 1])
    np.testing.assert_array_equal(model.snr, [300, 100, 50])
    assert not model.explained.any()


@given(st.integers(0, 999), st.floats(0, 1))
def test_which_of_the_partners_is_listed_changes_nothing(seed: int, share) -> None:
    rng = np.random.default_rng(seed)
    angle = np.deg2rad(np.arange(10) * 17.0 + 3)
    g = rng.uniform(1, 9, 10)[:, None] * np.stack([np.cos(angle), np.sin(angle)], -1)
    snr = rng.permutation(np.geomspace(20, 2000, 10))
    plain = spots(g, snr).model
    flip = np.where(rng.uniform(size=10) < share, -1, 1)[:, None]
    extra = rng.uniform(size=10) < share
    listed = np.concatenate([g * flip, -(g * flip)[extra]])
    order = rng.permutation(len(listed))
    other = spots(listed[order], np.append(snr, snr[extra])[order]).model
    np.testing.assert_allclose(other.g, plain.g)
    np.testing.assert_allclose(other.snr, plain.snr)


def test_spots_on_the_axes_have_one_partner_each() -> None:
    g = np.array([[3, 0], [-3, 0], [0, 4], [0, -4], [1e-9, -5], [-1e-9, 5]])
    assert len(spots(g).model.g) == 3


def test_spots_that_differ_by_less_than_their_errors_are_one() -> None:
    g = [[3, 1], [3.005, 1], [-3.004, -1], [3.3, 1]]
    region = spots(g, snr=np.array([100.0, 50, 70, 20]), std=0.01)
    np.testing.assert_allclose(region.model.g, [[3, 1], [3.3, 1]])
    # Across the border of the half plane, too.
    border = [[4, 0.004], [-4, 0.004], [4, -0.5]]
    assert len(spots(border, std=0.01).model.g) == 2


def test_spots_that_take_no_part() -> None:
    g = [[3, 1], [1.05 / MIN_D, 0], [0, 4], [0.95 / MIN_D, 1]]
    region = spots(g, snr=np.array([100.0, 900, 0, 50]), shortest=0.7)
    np.testing.assert_allclose(region.model.g, [[3, 1], [0.95 / MIN_D, 1]])
    assert region.model.shortest == 0.7
    hkl, explained = region.spread(np.array([[1, 1, 0], [2, 0, 0]]), np.ones(2, bool))
    np.testing.assert_array_equal(hkl, [[1, 1, 0], [0, 0, 0], [0, 0, 0], [2, 0, 0]])
    np.testing.assert_array_equal(explained, [True, False, False, True])


def test_indices_go_back_to_all_spots_with_the_sign_of_each() -> None:
    g = np.array([[-3.0, -1], [1, -4], [3, 1], [-1, 4], [2, 2]])
    region = spots(g, snr=np.array([50.0, 300, 50, 300, 100]))
    model = region.model
    hkl = np.rint(10 * np.column_stack([model.g, np.zeros(3)])).astype(int)
    back, explained = region.spread(hkl, np.array([True, False, True]))
    np.testing.assert_array_equal(explained, [True, True, True, True, False])
    np.testing.assert_array_equal(back[:4, :2], 10 * g[:4])
    np.testing.assert_array_equal(back[4], 0)


def test_no_spots() -> None:
    region = spots(np.empty((0, 2)))
    assert region.model.g.shape == (0, 2) and len(region.weight) == 0
    hkl, explained = region.spread(np.empty((0, 3), int), np.empty(0, bool))
    assert hkl.shape == (0, 3) and explained.shape == (0,)


def test_weights_grow_with_the_logarithm_of_the_power() -> None:
    region = spots([[3, 1], [1, 4], [2, -2]], snr=np.array([15_000.0, 1500, 150]))
    weight = region.weight
    assert (np.diff(weight) < 0).all() and weight.min() > 0
    assert weight[0] - weight[1] == pytest.approx(np.log(10), rel=0.01)


@pytest.mark.parametrize("unit", [1.0, 1e-9])
def test_intensities_of_any_unit_replace_the_power_over_noise(unit: float) -> None:
    """Under white noise they say the same; else their ratios are kept."""
    g, snr = [[3, 1], [1, 4], [2, -2]], np.array([900.0, 400, 100])
    white = spots(g, snr, intensity=unit * snr).model
    np.testing.assert_allclose(white.snr, snr)
    coloured = spots(g, snr, intensity=unit * np.array([9000.0, 500, 100])).model
    np.testing.assert_allclose(coloured.snr[1:] / coloured.snr[0], [5 / 90, 1 / 90])
    ratio = np.sort(coloured.snr / snr)
    assert ratio[1] == pytest.approx(1)
