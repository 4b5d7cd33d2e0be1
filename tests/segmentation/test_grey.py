# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Grey levels that are easily divided wrongly, and images with nothing to divide."""

import hyperspy.api as hs
import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from hyperspy_t2t.calibration import ImageGrid
from hyperspy_t2t.segmentation.particles import is_crowd
from hyperspy_t2t.segmentation.regions import find_regions

SHAPE = (300, 400)
Y, X = np.indices(SHAPE)
RING = np.hypot(X - 190, Y - 150)
WIRE = np.where(Y > 210, 1, np.where(np.abs(X - 200) < 30 + 0.4 * (Y - 60), 2, 0))
WIRE[:60] = 0


def found(image: np.ndarray, pixel: float = 1.0, **options) -> np.ndarray:
    grid = ImageGrid(image.shape, (pixel, pixel), (0, 0))
    return find_regions(image, grid, **options).labels


def wrong(labels: np.ndarray, truth: np.ndarray) -> float:
    """Share of pixels outside the region that most of their true region is in."""
    pair = truth.ravel() * (labels.max() + 1) + labels.ravel()
    table = np.bincount(pair, minlength=(truth.max() + 1) * (labels.max() + 1))
    table = table.reshape(-1, labels.max() + 1)
    assert len(set(table.argmax(axis=1))) == len(table)
    return 1 - table.max(axis=1).sum() / truth.size


def noisy(image: np.ndarray, noise: float, seed: int = 0) -> np.ndarray:
    return image + np.random.default_rng(seed).normal(0, noise, image.shape)


@pytest.mark.parametrize("noise", [0.0, 0.002, 0.02])
def test_a_blurred_edge_is_one_border(noise: float) -> None:
    truth = (RING < 110).astype(int) + (RING < 60)
    image = gaussian_filter(np.array([0.3, 0.6, 0.45])[truth], 3)
    labels = found(noisy(image, noise))
    assert labels.max() == 3 and wrong(labels, truth) < 0.01


def test_a_faint_border_beside_a_strong_one() -> None:
    """A wire on a substrate a tenth brighter than it, in noise of half that step."""
    image = gaussian_filter(np.array([0.4, 0.5, 0.58])[WIRE], 1.5)
    labels = found(noisy(image, 0.04, seed=1))
    assert labels.max() == 3 and wrong(labels, WIRE) < 0.01


@pytest.mark.parametrize("levels", [(0.3, 0.6, 0.3), (0.3, 0.45, 0.6)])
def test_a_layer_of_one_per_cent(levels: tuple[float, float, float]) -> None:
    truth = np.digitize(Y + 0.05 * X, [140, 145])
    labels = found(noisy(np.array(levels)[truth], 0.04, seed=2))
    assert wrong(labels, truth) < 0.01


@pytest.mark.parametrize("seed", range(2))
def test_uneven_illumination_makes_no_regions(seed: int) -> None:
    light = 1 - 0.4 * 2 * ((Y / 300 - 0.5) ** 2 + (X / 400 - 0.4) ** 2)
    truth = (RING < 100).astype(int)
    image = light * np.array([0.4, 0.7])[truth]
    labels = found(noisy(image, 0.05, seed))
    assert labels.max() == 2 and wrong(labels, truth) < 0.01


def test_the_stated_size_of_a_pixel_does_not_matter() -> None:
    image = noisy(np.array([0.3, 0.5, 0.8])[WIRE], 0.1)
    expected = found(image, 1e-3)
    for pixel in (0.02, 3e4):
        np.testing.assert_array_equal(found(image, pixel), expected)


def test_units_of_grey_levels_do_not_matter() -> None:
    image = noisy(np.array([0.3, 0.5, 0.8])[WIRE], 0.05)
    expected = found(image)
    same = [(f * image).astype(kind) for f in (-3, 1e30) for kind in ("f4", "f8")]
    for other in (*same, image.astype("f4"), image + 1e9):
        assert (found(other) != expected).mean() < 0.002


def test_a_crowd_is_many_regions_of_like_size() -> None:
    crowd = np.repeat(np.arange(1, 31), 20)
    assert is_crowd(np.concatenate([crowd, np.full(900, 31)]))
    assert not is_crowd(crowd[:300])
    assert not is_crowd(np.concatenate([crowd, np.full(9000, 31)]))
    assert not is_crowd(np.repeat(np.arange(1, 31), 10))
    assert not is_crowd(np.repeat(np.arange(1, 31), np.arange(1, 31) ** 2))


@pytest.mark.parametrize("name", ["white", "Poisson", "speckle", "salt and pepper"])
def test_noise_is_one_region(name: str) -> None:
    rng = np.random.default_rng(5)
    image = {
        "white": rng.normal(size=SHAPE),
        "Poisson": rng.poisson(0.1, SHAPE).astype(np.uint8),
        "speckle": gaussian_filter(rng.normal(size=SHAPE), 4),
        "salt and pepper": rng.choice([0.0, 0.5, 1.0], SHAPE, p=[0.05, 0.9, 0.05]),
    }[name]
    assert found(image).max() == 1


@pytest.mark.parametrize(
    "method", ["auto", "threshold", "lattice", "canny", "watershed"]
)
@pytest.mark.parametrize("shape", [(1, 1), (1, 50), (5, 7), (10, 10), (3, 900)])
def test_tiny_images(shape: tuple[int, int], method: str) -> None:
    for image in (np.ones(shape), np.random.default_rng(0).random(shape)):
        labels = found(image, method=method)
        assert labels.shape == shape and labels.min() == 1 == labels.max()


def signal(data: np.ndarray):
    s = hs.signals.Signal2D(data)
    for axis in s.axes_manager.signal_axes:
        axis.scale, axis.units = 0.1, "nm"
    return s


def test_no_structure_is_said() -> None:
    with pytest.warns(UserWarning, match="No structure found"):
        regions = signal(np.full((40, 60), 7.0)).segment()
    assert regions.n_regions == 1
    with pytest.warns(UserWarning, match="No structure found"):
        signal(np.random.default_rng(6).normal(size=(64, 64))).segment()
