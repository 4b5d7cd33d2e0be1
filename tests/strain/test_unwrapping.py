# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Unwrapped phases: exact, right where fringes are, cut where they are faint."""

import tracemalloc

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from hyperspy_t2t.calibration import ImageGrid
from hyperspy_t2t.strain.unwrapping import phase_steps, unwrapped, wrapped

GRID = ImageGrid((61, 83), (0.2, 0.26), (1.0, -2.0))
EVERYWHERE = np.ones(GRID.shape, bool)
X, Y = np.moveaxis(GRID.to_nm(*np.indices(GRID.shape)), -1, 0)
Core = tuple[float, float, int]


def vortices(*cores: Core) -> tuple[np.ndarray, np.ndarray]:
    """Wrapped phase (ny, nx) and its slope of cores (x, y, turns) on a tilted plane."""
    phase, slope = 0.4 * X - 0.7 * Y, np.stack([0.4 + 0 * X, -0.7 + 0 * X])
    for x, y, turns in cores:
        phase = phase + turns * np.arctan2(Y - y, X - x)
        r2 = (X - x) ** 2 + (Y - y) ** 2
        slope = slope + turns * np.stack([-(Y - y) / r2, (X - x) / r2])
    return wrapped(phase), slope


def cuts(phase: np.ndarray, slope: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where an unwrapped phase steps by 2π more or less than it should."""
    steps = phase_steps(phase, slope, GRID)
    return (
        np.abs(np.diff(phase, axis=0) - steps.along_y) > 3,
        np.abs(np.diff(phase, axis=1) - steps.along_x) > 3,
    )


def turns(phase: np.ndarray, result: np.ndarray) -> np.ndarray:
    return (result - phase) / (2 * np.pi)


@pytest.mark.parametrize("steep", [0.5, 14.0])
def test_a_phase_without_residues_is_recovered(steep: float) -> None:
    # 14 rad/nm is 3.6 rad per place: wrapped steps alone would go the wrong way.
    truth = steep * X + 2 * np.sin(Y) + 0.1 * X * Y
    slope = np.stack([steep + 0.1 * Y, 2 * np.cos(Y) + 0.1 * X])
    result = unwrapped(wrapped(truth), slope, EVERYWHERE * 1.0, EVERYWHERE, GRID)
    np.testing.assert_allclose(np.ptp(result - truth), 0, atol=1e-9)


def test_whole_turns_are_added_also_to_noise() -> None:
    rng = np.random.default_rng(3)
    phase = rng.uniform(-np.pi, np.pi, GRID.shape)
    slope = rng.normal(0, 3, (2, *GRID.shape))
    weight = rng.random(GRID.shape)
    result = unwrapped(phase, slope, weight, EVERYWHERE, GRID)
    added = turns(phase, result)
    np.testing.assert_allclose(added, np.rint(added), atol=1e-12)
    best = np.unravel_index(weight.argmax(), weight.shape)
    assert added[best] == 0
    again = unwrapped(phase, slope, weight, EVERYWHERE, GRID)
    np.testing.assert_array_equal(result, again)


@pytest.mark.parametrize("sign", [1, -1])
def test_residue_is_where_the_core_is_with_its_sign(sign: int) -> None:
    phase, slope = vortices((7.15, 6.33, sign))
    residues = phase_steps(phase, slope, GRID).residues()
    row, column = GRID.to_pixels((7.15, 6.33))
    assert np.argwhere(residues).tolist() == [[int(row), int(column)]]
    assert residues.sum() == sign


def test_one_core_is_cut_to_the_nearest_border() -> None:
    phase, slope = vortices((7.15, 3.33, 1))
    result = unwrapped(phase, slope, EVERYWHERE * 1.0, EVERYWHERE, GRID)
    along_y, along_x = cuts(result, slope)
    rows = np.flatnonzero(along_x.any(axis=1))
    assert rows.tolist() == list(range(12))  # (3.33 − 1) / 0.2 rows above it
    assert along_x.sum() == 12 and along_y.sum() <= 2


def test_opposite_cores_are_cut_between_them() -> None:
    phase, slope = vortices((6.13, 6.91, 1), (9.25, 6.91, -1))
    result = unwrapped(phase, slope, EVERYWHERE * 1.0, EVERYWHERE, GRID)
    along_y, along_x = cuts(result, slope)
    assert along_y.sum() == 12  # 3.12 nm in steps of 0.26 nm
    assert along_x.sum() <= 2


def test_two_cores_of_one_sign_and_one_of_two_turns_all_cancel() -> None:
    phase, slope = vortices((6.13, 6.91, 1), (9.25, 6.91, -2), (11.25, 8.1, 1))
    result = unwrapped(phase, slope, EVERYWHERE * 1.0, EVERYWHERE, GRID)
    along_y, along_x = cuts(result, slope)
    assert not along_y[:, [0, -1]].any() and not along_x[[0, -1]].any()
    assert along_y.sum() + along_x.sum() < 35


def test_the_cut_follows_faint_fringes() -> None:
    phase, slope = vortices((7.15, 3.33, 1))
    channel = (np.abs(X - 7.15) < 0.4) & (Y > 3)  # to the far border
    weight = np.where(channel, 0.02, 1.0)
    result = unwrapped(phase, slope, weight, EVERYWHERE, GRID)
    _, along_x = cuts(result, slope)
    assert along_x.any(axis=1)[12:].all() and not along_x[:11].any()
    assert along_x[:, (np.abs(X[0] - 7.15) > 1)[:-1]].sum() == 0


def test_noise_outside_leaves_each_part_inside_right() -> None:
    rng = np.random.default_rng(0)
    truth = 0.4 * X - 0.7 * Y
    slope = np.stack([0.4 + 0 * X, -0.7 + 0 * X])
    inside = (np.abs(X - 7) > 2.5) & ((X - 2) ** 2 + (Y - 6) ** 2 > 2)  # with a hole
    noise = rng.uniform(-np.pi, np.pi, GRID.shape)
    phase = wrapped(np.where(inside, truth, noise))
    phase[~inside & (Y > 11)] = np.nan
    slope[:, ~inside & (Y > 10)] = np.nan
    result = unwrapped(phase, slope, EVERYWHERE * 1.0, inside, GRID)
    for part in (inside & (X < 7), inside & (X > 7)):
        assert np.ptp((result - truth)[part]) < 1e-9
    assert np.isfinite(result).all()


def test_no_place_inside_is_no_error() -> None:
    phase, slope = vortices((7.15, 6.33, 1))
    result = unwrapped(phase, slope, 0 * X, ~EVERYWHERE, GRID)
    added = turns(phase, result)
    np.testing.assert_allclose(added, np.rint(added), atol=1e-12)


def test_fringes_with_noise_are_cut_as_short_as_possible() -> None:
    """Averaged noise of a third of the fringes: the phase is right but at the cut."""
    rng = np.random.default_rng(1)
    noise = rng.normal(size=(2, *GRID.shape))
    noise = gaussian_filter(noise, (0, 2, 2))
    noise *= 0.3 / noise.std()
    truth = 0.4 * X - 0.7 * Y
    field = np.exp(1j * truth) + 0.7 * (noise[0] + 1j * noise[1])
    slope = np.stack([0.4 + 0 * X, -0.7 + 0 * X])
    result = unwrapped(np.angle(field), slope, np.abs(field) ** 2, EVERYWHERE, GRID)
    away = result - truth - 2 * np.pi * np.rint(np.median(result - truth) / 2 / np.pi)
    assert (np.abs(away) > np.pi).mean() < 0.002


def test_memory_is_that_of_a_few_maps() -> None:
    grid = ImageGrid((500, 400), (0.2, 0.26))
    x, y = np.moveaxis(grid.to_nm(*np.indices(grid.shape)), -1, 0)
    phase, slope = wrapped(0.4 * x - 0.7 * y), np.stack([0.4 + 0 * x, -0.7 + 0 * x])
    inside, weight = x > 9.0, 1 + 0 * x
    unwrapped(phase, slope, weight, inside, grid)  # imports and compiles
    tracemalloc.start()
    try:
        unwrapped(phase, slope, weight, inside, grid)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 6 * phase.nbytes
