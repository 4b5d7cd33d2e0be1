# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Noise, texture, blur and illumination measured in images that have known ones."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from hyperspy_t2t.segmentation.illumination import common_illumination
from hyperspy_t2t.segmentation.noise import image_noise
from hyperspy_t2t.segmentation.planes import region_planes
from hyperspy_t2t.segmentation.scale import averaged, smoothed

SHAPE = (400, 500)
Y, X = np.indices(SHAPE)


def white(seed: int, level: float = 1.0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, level, SHAPE)


def texture(seed: int, width: float, level: float) -> np.ndarray:
    """Speckle whose covariance is a Gaussian of standard deviation √2 `width`."""
    speckle = gaussian_filter(white(seed), width, mode="wrap")
    return speckle * level / speckle.std()


@pytest.mark.parametrize("level", [0.05, 0.3])
@pytest.mark.parametrize("slope", [0.0, 0.5])
def test_white_noise(level: float, slope: float) -> None:
    """After smoothing with σ its standard deviation is level / 2 √π σ; no ramp adds."""
    image = 5 + slope * (X + Y) / 500 + white(1, level)
    smooth = smoothed(image)
    expected = level / (2 * np.sqrt(np.pi) * smooth.sigma)
    assert np.median(smooth.noise) == pytest.approx(expected, rel=0.1)
    noise = image_noise(smooth.value, smooth.noise, smooth.sigma, smooth.value)
    assert np.median(noise.level) == pytest.approx(expected, rel=0.15)
    assert np.median(noise.reach) == pytest.approx(smooth.sigma, rel=0.15)


@pytest.mark.parametrize("width", [3.0, 6.0])
def test_texture(width: float) -> None:
    """Its power per area is 4π width² times its variance, however white the rest."""
    image = 1.0 + texture(2, width, 0.05) + white(3, 0.05)
    value = gaussian_filter(image, 1.0)
    left = np.full(SHAPE, 0.05 / (2 * np.sqrt(np.pi)))
    noise = image_noise(value, left, 1.0, value)
    power = 4 * np.pi * (width * 0.05) ** 2 + 0.05**2
    assert np.median(noise.power) == pytest.approx(power, rel=0.35)
    assert np.median(noise.level) == pytest.approx(value.std(), rel=0.25)


def test_noise_goes_with_the_grey_level() -> None:
    """Twice the noise on the bright half, told apart from the dark one."""
    image = np.where(X < 250, 1.0, 3.0) + white(4) * np.where(X < 250, 0.1, 0.2)
    smooth = smoothed(image)
    dark, bright = (np.median(smooth.noise[:, part]) for part in
                    (slice(20, 230), slice(270, 480)))  # fmt: skip
    assert bright / dark == pytest.approx(2, rel=0.15)


def test_a_thin_layer_is_no_noise() -> None:
    """Its pixels all lie within edges; what they seem to vary is not of an area."""
    image = np.where(np.abs(Y - 200) <= 2, 1.0, 0.7) + white(5, 0.05)
    smooth = smoothed(image)
    noise = image_noise(smooth.value, smooth.noise, smooth.sigma, smooth.value)
    assert noise.level[200].max() < 1.5 * np.median(noise.level)


@pytest.mark.parametrize("blur", [1.0, 2.0, 3.0])
@pytest.mark.parametrize("noise", [0.005, 0.05])
def test_blur_of_edges(blur: float, noise: float) -> None:
    image = gaussian_filter(np.where(X + 0.4 * Y < 300, 0.0, 1.0), blur) + white(
        6, noise
    )
    assert smoothed(image).blur == pytest.approx(blur, abs=0.15 * blur + 0.2)


def test_near_the_border_a_lattice_averages_out() -> None:
    image = 1 + np.cos(2 * np.pi * (X / 9.3 + Y / 31))
    sigma = 0.7 * 9
    assert np.abs(averaged(image, sigma, sigma) - 1).max() < 0.01
    assert np.abs(gaussian_filter(image, sigma) - 1).max() > 0.1


def scene() -> tuple[np.ndarray, np.ndarray]:
    labels = np.where(np.hypot(X - 200, Y - 180) < 90, 2, 1)
    return labels, np.where(labels == 2, 2.0, 1.0)


def away(labels: np.ndarray) -> np.ndarray:
    near = gaussian_filter((labels == 2).astype(float), 3)
    return (near < 1e-3) | (near > 1 - 1e-3)


def found_light(image: np.ndarray, labels: np.ndarray, level: float):
    noise = image_noise(image, np.full(SHAPE, level), 1.0, image * 0)
    return common_illumination(image, labels, away(labels), noise)


@pytest.mark.parametrize("kind", ["factor", "sum"])
def test_illumination_is_taken_out(kind: str) -> None:
    """A vignette as a factor, and a shading that adds."""
    labels, level = scene()
    light = 0.3 * ((X / 500 - 0.4) ** 2 + (Y / 400 - 0.5) ** 2) - 0.1 * X / 500
    image = level * (1 + light) if kind == "factor" else level + light
    image = gaussian_filter(image + white(7, 0.02), 1.0)
    found = found_light(image, labels, 0.006)
    assert found is not None
    assert (found.add.any(), (found.gain != 1).any()) == (
        kind == "sum",
        kind == "factor",
    )
    flat = found.removed(image)
    for region in (1, 2):
        inside = away(labels) & (labels == region)
        assert flat[inside].std() < 0.007


def test_no_illumination_is_found_where_there_is_none() -> None:
    """In noise, and in an image whose regions have not been found."""
    labels, level = scene()
    image = gaussian_filter(level + white(8, 0.02), 1.0)
    assert found_light(image, labels, 0.006) is None
    whole = np.ones(SHAPE, int)
    layered = gaussian_filter(np.where(Y < 150, 1.0, 1.3) + white(9, 0.02), 1.0)
    assert found_light(layered, whole, 0.006) is None


def test_planes_of_regions() -> None:
    labels, _ = scene()
    labels[:3, :3] = 0
    plane = np.where(labels == 2, 3 + 0.01 * X, 1 - 0.02 * Y)
    found = region_planes(labels, plane)
    np.testing.assert_allclose(found[labels > 0], plane[labels > 0], atol=1e-3)
