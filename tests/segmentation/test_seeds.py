# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Regions divided between seeds."""

import dask.array as da
import numpy as np
import pytest

from hyperspy_t2t.calibration import ImageGrid
from hyperspy_t2t.segmentation.nearest import nearest_label
from hyperspy_t2t.segmentation.seeds import (
    MOST_POINTS,
    coarse_region,
    divide_by_seeds,
)

GRID = ImageGrid((160, 210), (0.05, 0.05), (2.0, -7.0))
Y, X = np.indices(GRID.shape)
ALL = np.ones(GRID.shape, bool)
SPHERES = ((80, 60, 45), (80, 124, 24))
TOUCHING = np.logical_or(*(np.hypot(Y - y, X - x) < r for y, x, r in SPHERES))


def divided(
    image: np.ndarray, mask: np.ndarray, seeds: list, grid: ImageGrid = GRID
) -> np.ndarray:
    """Parts on the pixels, as a signal method finds them."""
    coarse, mean, inside = coarse_region(image, mask, grid)
    rows, columns = coarse.nearest(grid)
    points = np.array([(rows[row], columns[column]) for row, column in seeds])
    parts = divide_by_seeds(mean, inside, points, coarse.pixel_size)
    return parts[np.ix_(rows, columns)]


def noise(size: float, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, size, GRID.shape)


def share_wrong(parts: np.ndarray, second: np.ndarray, mask: np.ndarray) -> float:
    return float((parts != 1 + second)[mask].mean())


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    "brightness",
    [
        np.where(TOUCHING, 5.0, 0.0),
        sum(np.sqrt(np.maximum(r**2 - (Y - y) ** 2 - (X - x) ** 2, 0)) / 5
            for y, x, r in SPHERES),
    ],
    ids=["flat", "spheres"],
)  # fmt: skip
@pytest.mark.parametrize(
    "seeds",
    [[(80, 60), (80, 124)], [(65, 40), (85, 130)]],
    ids=["centred", "off centre"],
)
def test_touching_particles_part_at_their_neck(
    brightness: np.ndarray, seeds: list, seed: int
) -> None:
    (_, x0, r0), (_, x1, r1) = SPHERES
    neck = (x0 + x1) / 2 + (r0**2 - r1**2) / (2 * (x1 - x0))
    parts = divided(brightness + noise(0.5, seed), TOUCHING, seeds)
    assert share_wrong(parts, X > neck, TOUCHING) < 0.035


@pytest.mark.parametrize("step", [0.7, 3.0])
def test_borders_follow_a_step_of_the_grey_level(step: float) -> None:
    second = X > 150 + 10 * np.sin(Y / 20)
    image = 10 + step * second + noise(1.0)
    parts = divided(image, ALL, [(90, 20), (40, 190)])
    assert share_wrong(parts, second, ALL) < 0.01


def test_a_gradual_change_is_no_edge() -> None:
    # Nothing but a wedge: halfway, within a tenth of the distance.
    parts = divided(0.02 * X + noise(0.05), ALL, [(80, 55), (80, 155)])
    assert share_wrong(parts, X > 105, ALL) < 0.05


def test_atoms_are_no_edges() -> None:
    fringes = 3 * np.cos(2 * np.pi * X / 8) * np.cos(2 * np.pi * Y / 6)
    parts = divided(fringes + 0.7 * (X > 150), ALL, [(90, 20), (40, 190)])
    assert share_wrong(parts, X > 150, ALL) < 0.03


def test_pixels_may_be_oblong() -> None:
    grid = ImageGrid(GRID.shape, (0.1, 0.02), (5.0, 3.0))
    y, x = Y * 0.1, X * 0.02
    # 16 nm high and 4.2 nm wide; of the two the lower is larger.
    neck = (np.abs(y - 6) < 0.5) & (np.abs(x - 2.1) > 1.0)
    parts = divided(noise(1.0) + 5, ~neck, [(30, 105), (110, 100)], grid)
    assert share_wrong(parts, y > 6, ~neck) < 0.04


def test_three_seeds_and_parts_without_one() -> None:
    mask = (X // 50 % 2 == 0) & (X < 200)
    mask[:, 205:] = True
    parts = divided(noise(1.0), mask, [(20, 20), (140, 30), (80, 120)])
    assert set(np.unique(parts[mask])) == {1, 2, 3}
    assert (parts[:, 105:145][mask[:, 105:145]] == 3).all()
    # What hangs together with no seed joins what is nearest.
    assert (parts[:, 206:] == 3).all()
    assert parts[5, 10] == 1 and parts[150, 10] == 2


def test_pixels_without_data() -> None:
    image = 10 + 3 * (X > 150) + noise(1.0)
    image[60:64] = np.nan
    parts = divided(image, ALL, [(90, 20), (40, 190)])
    assert share_wrong(parts, X > 150, ALL) < 0.02
    nothing = divided(np.full(GRID.shape, np.nan), ALL, [(80, 55), (80, 155)])
    assert share_wrong(nothing, X > 105, ALL) < 0.05


def test_a_region_of_a_few_pixels() -> None:
    grid = ImageGrid((6, 5), (0.1, 0.1))
    image, mask = np.ones((6, 5)), np.zeros((6, 5), bool)
    mask[1:5, 2] = True
    parts = divided(image, mask, [(1, 2), (4, 2)], grid)
    assert parts[mask].tolist() == [1, 1, 2, 2]


def test_dask_gives_what_numpy_gives_and_the_grid_is_bounded() -> None:
    image = 10 + 3 * (X > 150) + noise(1.0)
    expected = coarse_region(image, TOUCHING, GRID)
    found = coarse_region(
        da.from_array(image, chunks=(70, 90)), da.from_array(TOUCHING, chunks=50), GRID
    )
    assert found[0] == expected[0]
    np.testing.assert_allclose(found[1], expected[1], rtol=1e-6)
    np.testing.assert_array_equal(found[2], expected[2])
    large = ImageGrid((1600, 300), (0.05, 0.05))
    blank = da.zeros(large.shape, chunks=400)
    coarse = coarse_region(blank, blank == 0, large)[0]
    assert 0.8 * MOST_POINTS < np.prod(coarse.shape) < 1.1 * MOST_POINTS


def test_nearest_label_in_nanometres() -> None:
    labels = np.zeros((5, 9), int)
    labels[2, 0], labels[0, 4] = 1, 2
    assert nearest_label(labels, (1.0, 1.0))[2, 4] == 2
    assert nearest_label(labels, (3.0, 1.0))[2, 4] == 1
