# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Positions of columns: exact without noise, at the Cramér-Rao bound with it."""

import numpy as np
import pytest

from hyperspy_t2t.calibration import ImageGrid
from hyperspy_t2t.imaging.column_errors import (
    FittedColumns,
    fit_columns,
    resolvable_groups,
)
from hyperspy_t2t.imaging.linear_image import linear_image

PROBE = 0.05
GRID = ImageGrid((120, 150), (0.021, 0.016), (1.0, -2.0))


def dumbbells(distance):
    """Pairs of columns across the image, turned by 25°."""
    turn = np.deg2rad(25)
    along = np.array([np.cos(turn), np.sin(turn)])
    centre = np.stack(np.meshgrid(np.arange(6) * 0.35, np.arange(6) * 0.36), -1)
    centre = centre.reshape(-1, 2) + np.array([-1.75, 1.3])
    return np.concatenate([centre, centre + distance * along])


def fitted(image, xy, *, weight=None, distance=0.0, start=None, sweeps=40):
    groups = resolvable_groups(xy, distance)
    count = len(groups.offsets) - 1
    share = 1 / np.bincount(groups.of_column)[groups.of_column]
    start = np.full(count, 50.0) if start is None else start
    zero = np.zeros((count, 2))
    return groups, fit_columns(
        image,
        np.ones(image.shape) if weight is None else weight,
        GRID, xy, share, groups, PROBE,
        start=FittedColumns(start, zero, start, zero),
        free=np.ones(count, bool), limit=0.1, sweeps=sweeps,
    )  # fmt: skip


def test_every_column_of_overlapping_pairs_has_its_own_shift():
    xy = dumbbells(0.14)
    rng = np.random.default_rng(3)
    shift = rng.uniform(-0.012, 0.012, xy.shape)
    brightness = rng.uniform(60, 140, len(xy))
    image = linear_image(xy + shift, brightness, GRID, PROBE)
    _, found = fitted(image, xy, distance=2 * PROBE)
    np.testing.assert_allclose(found.shift, shift, atol=3e-4)
    np.testing.assert_allclose(found.brightness, brightness, rtol=1e-2)


def test_columns_too_close_move_together():
    xy = dumbbells(0.06)
    shift = np.array([0.012, -0.007])
    image = linear_image(xy + shift, np.full(len(xy), 40.0), GRID, PROBE)
    groups, found = fitted(image, xy, distance=2 * PROBE)
    assert len(found.brightness) == len(xy) // 2
    half = len(xy) // 2
    assert (groups.of_column[:half] == groups.of_column[half:]).all()
    np.testing.assert_allclose(found.shift, np.tile(shift, (half, 1)), atol=2e-5)


def test_groups_stay_small_where_nothing_is_resolved():
    xy = np.stack(np.meshgrid(np.arange(20.0), np.arange(20.0)), -1).reshape(-1, 2)
    groups = resolvable_groups(xy, 1.1)
    members = np.split(groups.member, groups.offsets[1:-1])
    assert sorted(np.concatenate(members)) == list(range(400))
    assert max(np.ptp(xy[group], axis=0).max() for group in members) <= 2.2


@pytest.mark.parametrize("gain", [1.0, 7.0])
def test_standard_error_is_cramer_rao(gain):
    """Without background the bound is σ/√N, for N counts of a column."""
    xy = dumbbells(0.2)[:36]
    counts = 4000.0
    expected_error = PROBE / np.sqrt(counts)
    area = np.prod(GRID.pixel_size)
    mean = linear_image(xy, np.full(len(xy), counts * area), GRID, PROBE)
    rng = np.random.default_rng(5)
    errors, stds = [], []
    for _ in range(12):
        image = gain * rng.poisson(mean)
        weight = 1 / (gain**2 * np.maximum(mean, 0.05))
        _, found = fitted(
            image, xy, weight=weight, sweeps=6,
            start=np.full(len(xy), counts * area * gain),
        )  # fmt: skip
        errors.append(found.shift)
        stds.append(found.shift_std)
    assert np.median(stds) == pytest.approx(expected_error, rel=0.1)
    assert np.std(errors) == pytest.approx(expected_error, rel=0.15)
    assert abs(np.mean(errors)) < 4 * expected_error / np.sqrt(np.size(errors))


def test_standard_error_beside_a_neighbour():
    """Columns 2.4 σ apart: scatter of many fits against what each fit says."""
    xy = dumbbells(0.12)
    area = np.prod(GRID.pixel_size)
    mean = linear_image(xy, np.full(len(xy), 6000 * area), GRID, PROBE)
    weight = 1 / np.maximum(mean, 0.05)
    rng = np.random.default_rng(6)
    errors, stds = [], []
    for _ in range(8):
        image = rng.poisson(mean).astype(float)
        _, found = fitted(image, xy, weight=weight, start=np.full(len(xy), 6000 * area))
        errors.append(found.shift)
        stds.append(found.shift_std)
    ratio = np.std(errors, axis=(0, 1)) / np.median(stds, axis=(0, 1))
    np.testing.assert_allclose(ratio, 1, atol=0.12)


def test_what_is_not_imaged_is_not_found():
    xy = dumbbells(0.2)
    present = np.arange(len(xy)) != 14
    image = linear_image(xy[present], np.full(len(xy) - 1, 50.0), GRID, PROBE)
    noise = np.random.default_rng(0).normal(0, 30, image.shape)
    _, found = fitted(image + noise, xy, weight=np.full(image.shape, 1 / 30**2))
    assert found.measured(PROBE).tolist() == present.tolist()
