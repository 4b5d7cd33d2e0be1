# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Blur of strain against what an average takes from known strain."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from hyperspy_t2t.calibration import ImageGrid
from hyperspy_t2t.strain import blur
from hyperspy_t2t.strain.blur import local_blur

SIGMA = 0.4
GRID = ImageGrid((150, 170), (0.2, 0.2))
INNER = np.s_[20:-20, 20:-20]


def gradient_of(exx: np.ndarray, **others: np.ndarray) -> np.ndarray:
    """β with its components xx, xy, yx and yy."""
    zero = np.zeros_like(exx)
    parts = [exx, *(others.get(name, zero) for name in ("xy", "yx", "yy"))]
    return np.array(parts).reshape(2, 2, *exx.shape)


def bump(width: float, grid: ImageGrid = GRID) -> np.ndarray:
    """1 % of Gaussian strain of standard deviation `width` in nm."""
    y, x = (
        step * (np.arange(n) - n // 2)
        for n, step in zip(grid.shape, grid.pixel_size, strict=True)
    )
    return 0.01 * np.exp(-(x**2 + y[:, None] ** 2) / (2 * width**2))


def averaged(field: np.ndarray, grid: ImageGrid = GRID) -> np.ndarray:
    return gaussian_filter(field, [SIGMA / step for step in grid.pixel_size])


def slope_noise(seed: int, std: float, along: int) -> np.ndarray:
    """Noise of the slope of a phase: white noise, averaged, then differentiated."""
    white = np.random.default_rng(seed).normal(size=GRID.shape)
    order = [int(axis == along) for axis in range(2)]
    noise = gaussian_filter(white, SIGMA / 0.2, order=order)
    return std * noise / noise.std()


def of(gradient: np.ndarray, std: float, **options: object) -> np.ndarray:
    options = {"resolution": SIGMA, "convention": "gpa", **options}
    grid = options.pop("grid", GRID)
    weight = options.pop("weight", np.ones(grid.shape))
    spread = np.full((4, *grid.shape), std)
    return local_blur(gradient, spread, weight, grid, **options)


def rms(values: np.ndarray) -> float:
    return float(np.sqrt((values**2).mean()))


@pytest.mark.parametrize(
    ("width", "least", "most"), [(8, 0.9, 1.0), (4, 0.85, 0.95), (2, 0.7, 0.8)]
)
def test_what_an_average_takes(width: float, least: float, most: float) -> None:
    """Nearly all of wide strain; 3/4 where it is twice as wide as the average."""
    true = bump(width * SIGMA)
    found = of(gradient_of(averaged(true)), 0.0)[0]
    taken = rms((averaged(true) - true)[INNER])
    assert least < rms(found[INNER]) / taken < most


@pytest.mark.parametrize("along", [0, 1])
def test_noise_alone_is_no_blur(along: int) -> None:
    for seed in range(4):
        noise = slope_noise(seed, 1e-3, along)
        found = of(gradient_of(noise), 1e-3)[0][INNER]
        assert np.mean(1 + (found / 1e-3) ** 2) < 1.06


@pytest.mark.parametrize("std", [3e-4, 1e-3, 3e-3])
def test_error_over_quoted(std: float) -> None:
    """Of noise and blur together, where blur is more or less than noise."""
    true = bump(3 * SIGMA)
    measured = averaged(true) + slope_noise(1, std, 1)
    quoted = np.hypot(std, of(gradient_of(measured), std)[0])
    ratio = ((measured - true) / quoted)[INNER]
    assert 0.9 < rms(ratio) < 1.15
    middle = np.s_[65:85, 75:95]
    assert 0.6 < rms(((measured - true) / quoted)[middle]) < 1.4


def test_what_an_average_leaves() -> None:
    """Strain of 50 % or that grows along a line is not blurred; β of a gradient is."""
    ramp = 0.5 + 1e-3 * np.arange(GRID.shape[1]) * np.ones((GRID.shape[0], 1))
    np.testing.assert_allclose(
        of(gradient_of(ramp), 0.0)[:, 20:-20, 20:-20], 0, atol=1e-8
    )
    np.testing.assert_allclose(of(gradient_of(np.full(GRID.shape, 0.5)), 0.0), 0)
    curved = 1e-4 * (np.arange(GRID.shape[1]) * 0.2) ** 2 * np.ones((150, 1))
    np.testing.assert_allclose(
        of(gradient_of(curved), 0.0)[0][INNER], 1e-4 * SIGMA**2, rtol=0.01
    )


def test_axes_and_conventions() -> None:
    """Turned by 90°, exx is eyy; "reference" stretches what "gpa" has by 1/(1 − β)²."""
    beta = gradient_of(averaged(bump(1.2)), yx=averaged(bump(1.0)))
    along, turned = of(beta, 0.0), of(beta, 0.0, axes_angle=np.pi / 2)
    np.testing.assert_allclose(turned[[1, 0, 2, 3]], along, atol=1e-8)
    assert rms(along[2]) > 0.1 * rms(along[0]) and rms(along[1]) < 1e-9
    stretched = gradient_of(0.5 + averaged(bump(1.2)) / 100)
    far, near = (of(stretched, 0.0, convention=c)[0] for c in ("reference", "gpa"))
    np.testing.assert_allclose(far[INNER].max(), 4 * near[INNER].max(), rtol=0.01)


def test_pixels_are_not_square() -> None:
    fine = ImageGrid((300, 170), (0.1, 0.2))
    found = of(gradient_of(averaged(bump(1.2, fine), fine)), 0.0, grid=fine)[0]
    expected = of(gradient_of(averaged(bump(1.2))), 0.0)[0]
    np.testing.assert_allclose(found[::2][INNER], expected[INNER], atol=2e-6)


def test_only_the_lattice_counts() -> None:
    """Neither a leap beyond its outline nor what is not known there."""
    weight = np.ones(GRID.shape)
    weight[:, 90:] = 0
    for beyond in (0.3, np.nan):
        strain = np.full(GRID.shape, 0.01)
        strain[:, 90:] = beyond
        assert of(gradient_of(strain), 0.0, weight=weight)[:, :, :90].max() < 1e-9
    assert not of(gradient_of(strain), 0.0, weight=0 * weight).any()


def test_bands_are_as_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    beta = gradient_of(averaged(bump(1.2)), yy=slope_noise(0, 1e-3, 0))
    weight = np.random.default_rng(0).uniform(0.5, 1, GRID.shape)
    whole = of(beta, 1e-4, weight=weight)
    monkeypatch.setattr(blur, "_PLACES", 1)
    np.testing.assert_allclose(of(beta, 1e-4, weight=weight), whole, atol=1e-10)
