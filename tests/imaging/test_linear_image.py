# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""The linear image is the sum of Gaussians, wherever columns are."""

import numpy as np
import pytest
from scipy.spatial import cKDTree

from hyperspy_t2t.calibration import ImageGrid
from hyperspy_t2t.imaging.linear_image import (
    atom_brightness,
    column_numbers,
    column_spacing,
    linear_image,
    nearest_column,
    one_sidedness,
    project_columns,
)

GRID = ImageGrid((60, 90), (0.03, 0.017), (-0.4, 2.0))


def random_columns(count, seed=0):
    rng = np.random.default_rng(seed)
    low, high = GRID.to_nm(-8, -8), GRID.to_nm(68, 98)
    return rng.uniform(low, high, (count, 2)), rng.uniform(1, 5, count)


def test_image_is_sum_of_gaussians():
    xy, brightness = random_columns(40)
    pixels = GRID.to_nm(*np.indices(GRID.shape))
    square = ((pixels[:, :, None] - xy) ** 2).sum(axis=-1)
    expected = (brightness * np.exp(-square / 2 / 0.05**2)).sum(axis=-1)
    expected /= 2 * np.pi * 0.05**2
    image = linear_image(xy, brightness, GRID, 0.05)
    np.testing.assert_allclose(image, expected, atol=2e-5 * expected.max())


@pytest.mark.parametrize("place", [(2.71, 0.53), (2.7132, 0.5377)])
def test_centroid_and_brightness_below_a_thousandth_of_a_pixel(place):
    image = linear_image(np.array([place]), np.array([3.0]), GRID, 0.04)
    pixels = GRID.to_nm(*np.indices(GRID.shape))
    centre = (image[..., None] * pixels).sum(axis=(0, 1)) / image.sum()
    assert np.abs((centre - place) / GRID.pixel_size[::-1]).max() < 1e-3
    assert image.sum() * 0.03 * 0.017 == pytest.approx(3.0, rel=1e-4)


def test_atoms_of_a_column_are_merged_by_brightness():
    xy = np.array([[0.0, 0], [0.4, 0.2], [5, 5], [9, 9]])
    columns = project_columns(
        xy, np.array([3.0, 1, 2, 7]), np.array([4, 4, 9, -1]), np.array([2, 2, 3, 3])
    )
    assert columns.number.tolist() == [4, 9]
    np.testing.assert_allclose(columns.xy, [[0.1, 0.05], [5, 5]])
    np.testing.assert_allclose(columns.brightness, [4, 2])
    assert columns.region.tolist() == [2, 3]


def test_column_numbers_from_places():
    rng = np.random.default_rng(1)
    place = rng.uniform(-30, 50, (50, 2))
    truth = np.repeat(np.arange(50), 4)
    region = np.repeat(rng.integers(1, 4, 50), 4)
    order = rng.permutation(200)
    found = column_numbers(place[truth][order], region[order])
    pairs = np.unique(np.stack([found, truth[order]]), axis=1)
    assert pairs.shape == (2, 50)


def test_brightness_of_elements():
    found = atom_brightness(np.array([14, 32]), given={32: 5.0})
    np.testing.assert_allclose(found, [14**1.7, 5.0])


def test_nearest_column():
    xy, _ = random_columns(30, seed=2)
    pixels = GRID.to_nm(*np.indices(GRID.shape))
    distance, index = cKDTree(xy).query(pixels)
    expected = np.where(distance <= 0.2, index, -1)
    np.testing.assert_array_equal(nearest_column(xy, GRID, 0.2), expected)


def test_spacing_and_edges_of_a_lattice():
    lattice = np.array([[0.3, 0.0], [0.1, 0.25]])
    index = np.indices((30, 30)).reshape(2, -1).T
    xy = index @ lattice
    assert column_spacing(xy) == pytest.approx(np.sqrt(0.3 * 0.25), rel=0.1)
    grid = ImageGrid((20, 20), (0.03, 0.02), (3.5, 5.5))
    assert one_sidedness(xy, grid, 0.27).max() < 0.2
    edge = ImageGrid((3, 20), (0.01, 0.02), (-0.01, 4.0))
    assert one_sidedness(xy, edge, 0.27).min() > 0.5
