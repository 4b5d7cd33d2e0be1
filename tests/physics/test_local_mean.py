# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Means of scattered values against sums over all points."""

import numpy as np
import pytest

from hyperspy_t2t.physics.local_mean import Scattered

SHAPE, PIXEL = (40, 60), (0.3, 0.2)


def points(seed=0, n=500):
    rng = np.random.default_rng(seed)
    return rng.random((2, n)) * [[SHAPE[0] - 1], [SHAPE[1] - 1]]


def test_mean_is_the_weighted_sum_over_all_points():
    rows, columns = points()
    values = np.sin(rows) + columns
    sigma = 1.5
    found = Scattered(rows, columns, SHAPE, PIXEL).mean(values, sigma)
    for i, j in ((0, 0), (20, 30), (39, 12), (7, 59)):
        distance = np.hypot(PIXEL[0] * (rows - i), PIXEL[1] * (columns - j))
        weight = np.exp(-0.5 * (distance / sigma) ** 2)
        assert found[i, j] == pytest.approx(weight @ values / weight.sum(), abs=0.35)
    inner = Scattered(rows, columns, SHAPE, PIXEL).mean(np.ones(len(rows)), sigma)
    np.testing.assert_allclose(inner, 1)


def test_sums_keep_totals_and_centres():
    rows, columns = points(1)
    scattered = Scattered(rows, columns, SHAPE, PIXEL)
    values = np.random.default_rng(2).normal(size=len(rows))
    sums = scattered.sums(values)
    assert scattered.sums().sum() == pytest.approx(len(rows))
    assert sums.sum() == pytest.approx(values.sum())
    assert np.arange(SHAPE[0]) @ sums.sum(axis=1) == pytest.approx(rows @ values)
    assert np.arange(SHAPE[1]) @ sums.sum(axis=0) == pytest.approx(columns @ values)


def test_nearest_group_within_reach():
    rows, columns = np.array([5.0, 30.0]), np.array([10.0, 50.0])
    found = Scattered(rows, columns, SHAPE, PIXEL).nearest(np.array([4, 9]), 1.0)
    assert found[5, 10] == 4 and found[30, 50] == 9
    assert found[8, 10] == 4 and found[9, 10] == -1  # 0.9 and 1.2 away
    assert found[5, 15] == 4 and found[5, 16] == -1
    empty = np.empty(0)
    none = Scattered(empty, empty, SHAPE, PIXEL)
    assert (none.nearest(np.empty(0, int), 1.0) == -1).all()
    assert np.isnan(none.mean(empty, 1.0)).all()
