# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""An image found in another one, and how certain that is."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, map_coordinates

from hyperspy_t2t.calibration import ImageGrid
from hyperspy_t2t.composition.registration import (
    CERTAIN,
    NoMatchError,
    area_average,
    locate,
    masked_correlation,
)

STEP = 0.2
"""Of the scenes in nm."""
FIXED = ImageGrid((200, 240), (0.2, 0.16), (18.0, 20.0))


def texture(seed, width=4):
    noise = np.random.default_rng(seed).normal(size=(400, 400))
    scene = gaussian_filter(noise, width)
    return scene / scene.std()


def lattice():
    y, x = np.mgrid[:400, :400]
    return np.cos(2 * np.pi * x / 10) + np.cos(2 * np.pi * (0.3 * x + y) / 12)


def layers():
    y, x = np.mgrid[:400, :400]
    depth = y + 0.05 * x
    return np.tanh((depth - 170) / 3) - np.tanh((depth - 200) / 3)


def seen(scene, grid, noise, seed):
    y, x = np.meshgrid(*(np.arange(n) for n in grid.shape), indexing="ij")
    positions = grid.to_nm(y, x)
    image = map_coordinates(scene, (positions / STEP)[..., ::-1].T, order=1).T
    return image + noise * np.random.default_rng(seed).normal(size=grid.shape)


def found(scene, *, scale=1.0, noise=0.3, shape=(70, 60), other=None):
    """Registration of an image whose file has other lengths, and its error in nm."""
    true = ImageGrid(shape, (0.5, 0.7), (15.0, 14.0))
    fixed = seen(scene, FIXED, noise, 1)
    moving = seen(scene if other is None else other, true, noise, 2)
    stated = ImageGrid(shape, (0.5 / scale, 0.7 / scale), (3.0, 5.0))
    result = locate(moving, stated, fixed, FIXED)
    placed = result.applied(stated)
    middle = (np.array(shape) - 1) / 2
    return result, placed.to_nm(*middle) - true.to_nm(*middle)


@pytest.mark.parametrize("scale", [1.0, 1.08, 0.93])
@pytest.mark.parametrize("noise", [0.1, 1.5])
def test_textures_are_found(scale, noise):
    """Non-square pixels of different size; the moving image is the larger one."""
    result, error = found(texture(0), scale=scale, noise=noise)
    assert np.abs(error).max() < 0.3  # of pixels of 0.7 nm
    assert abs(result.scale / scale - 1) < 0.015
    assert result.certainty > 0.95
    assert max(result.std) < 0.2


def test_a_small_map_is_found_in_the_larger_image():
    scene = texture(1)
    true = ImageGrid((30, 28), (0.5, 0.5), (30.0, 34.0))
    stated = ImageGrid((30, 28), (0.5, 0.5), (0.0, 0.0))
    fixed = seen(scene, FIXED, 0.3, 1)
    moving = seen(scene, true, 0.3, 2)
    moving[:8, :10] = np.nan
    fixed[50:60, 80:90] = np.nan
    result = locate(moving, stated, fixed, FIXED)
    assert np.abs(result.applied(stated).to_nm(15, 14) - true.to_nm(15, 14)).max() < 0.2
    assert result.certainty > 0.9


def test_periodic_images_are_never_certain():
    for noise in (0.1, 1.0):
        result, _ = found(lattice(), noise=noise)
        assert result.certainty < 0.2 < CERTAIN


def test_along_layers_the_place_is_open_but_not_across():
    result, error = found(layers())
    along = np.array([1, -0.05]) / np.hypot(1, 0.05)
    across = np.array([0.05, 1]) / np.hypot(1, 0.05)
    assert abs(error @ across) < 0.2
    assert result.std[0] > 5 and abs(error @ along) < 2 * result.std[0]


def test_what_is_not_there_is_not_found_with_certainty():
    refused = 0
    for seed in range(8):
        try:
            result, _ = found(texture(seed, 2), other=texture(seed + 50, 2))
        except NoMatchError as error:
            assert "none that stands out" in str(error)
            refused += 1
        else:
            assert result.certainty < 0.8
    assert refused >= 4


def test_contrast_may_have_another_unit_and_an_offset():
    scene = texture(4)
    fixed = 1e4 + 300 * seen(scene, FIXED, 0.2, 1)
    true = ImageGrid((50, 40), (0.5, 0.5), (25.0, 30.0))
    result = locate(seen(scene, true, 0.2, 2), true, fixed, FIXED)
    assert np.abs(result.moved).max() < 0.1


def test_few_pixels():
    with pytest.raises(NoMatchError, match="at least 8 pixels"):
        locate(np.ones((4, 40)), ImageGrid((4, 40), (1, 1)), np.ones((90, 90)), FIXED)


@pytest.mark.parametrize("value", [0.7, np.nan])
def test_a_uniform_or_empty_image_has_no_place(value):
    with pytest.raises(NoMatchError, match="two images with contrast"):
        locate(np.full((50, 50), value), ImageGrid((50, 50), (0.5, 0.5)),
               seen(texture(0), FIXED, 0.1, 0), FIXED)  # fmt: skip


def test_area_average_keeps_sums_and_places():
    image = np.random.default_rng(0).random((12, 20))
    mean, start = area_average(image, ImageGrid((12, 20), (0.5, 0.3), (1, 2)), 1.5)
    assert mean.shape == (4, 4)
    np.testing.assert_allclose(mean[1, 2], image[3:6, 10:15].mean())
    np.testing.assert_allclose(start, [1 - 0.25 + 0.75, 2 - 0.15 + 0.75])


def test_masked_correlation_is_the_coefficient_of_pearson():
    random = np.random.default_rng(2)
    fixed, moving = random.random((9, 11)), random.random((7, 6))
    moving[2, 3] = fixed[4, 4] = np.nan
    correlation, overlap = masked_correlation(fixed, moving)
    # First pixel of the moving image at row 1, column 3 of the fixed one.
    part = fixed[1:8, 3:9]
    both = np.isfinite(part) & np.isfinite(moving)
    np.testing.assert_allclose(
        correlation[1 + 6, 3 + 5], np.corrcoef(part[both], moving[both])[0, 1]
    )
    assert overlap[1 + 6, 3 + 5] == both.sum()
    assert np.isnan(correlation[0, 0])
