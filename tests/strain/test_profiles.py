# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Profiles along lines and the noise that is left of a mean across them.

What could make them wrong: x taken for y, pixels that are not square, half a pixel at
the border, values next to a hole pulled towards zero, an average over a width that is
not centred, and an error that counts pixels as independent where the noise of the map
is correlated over its resolution, or that treats a derivative across the line like one
along it.
"""

import numpy as np
import pytest

from hyperspy_t2t.calibration import ImageGrid
from hyperspy_t2t.strain.profiles import (
    averaged_variance,
    bilinear,
    mean_across,
    sampled_line,
)

GRID = ImageGrid((40, 60), (0.05, 0.02), (3.0, -1.0))
"""Pixels that are not square, off the origin: 1.2 by 2 nm."""


def plane(grid: ImageGrid) -> np.ndarray:
    x, y = np.moveaxis(grid.to_nm(*np.indices(grid.shape)), -1, 0)
    return np.stack([x + 10 * y, -y])


def test_a_plane_is_met_at_every_sample() -> None:
    line = sampled_line((-0.9, 3.1), (0.1, 4.7), GRID, width=0.2)
    profile = mean_across(plane(GRID), GRID, line)
    at = np.linspace((-0.9, 3.1), (0.1, 4.7), profile.values.shape[1])
    np.testing.assert_allclose(profile.values[0], at @ [1, 10], rtol=1e-12)
    np.testing.assert_allclose(profile.values[1], -at[:, 1], rtol=1e-12)
    assert (profile.valid == 1).all()


@pytest.mark.parametrize(
    ("end", "step"), [((0.1, 3.5), 0.02), ((-0.9, 4.5), 0.05), ((0.1, 4.5), None)]
)
def test_samples_are_a_pixel_apart(end, step) -> None:
    line = sampled_line((-0.9, 3.5), end, GRID)
    assert line.positions.shape[0] == 1
    np.testing.assert_allclose(line.positions[0, [0, -1]], [(-0.9, 3.5), end])
    # On a slant both directions share the crossings of pixels.
    expected = step or 1 / np.hypot(*(line.direction / (0.02, 0.05)))
    assert line.step == pytest.approx(expected, rel=0.02)


def test_width_is_centred_and_even() -> None:
    line = sampled_line((-0.5, 4.0), (0.0, 4.0), GRID, width=0.4)
    y = line.positions[:, 0, 1]
    assert len(y) == 8
    assert y.mean() == pytest.approx(4.0)
    np.testing.assert_allclose(np.sort(y), 4 + 0.05 * (np.arange(8) - 3.5))


def test_holes_have_no_weight() -> None:
    data = np.full((1, *GRID.shape), 7.0)
    data[:, 10:20] = np.nan
    line = sampled_line((0.0, 3.0), (0.0, 4.9), GRID, width=0.3)
    profile = mean_across(data, GRID, line)
    distance = line.step * np.arange(profile.values.shape[1])
    row = distance / 0.05
    hole = (row > 9.51) & (row < 19.49)
    assert np.isnan(profile.values[0, hole]).all()
    clear = (row < 9.49) | (row > 19.51)
    np.testing.assert_allclose(profile.values[0, clear], 7.0)
    # Half of the width over a hole: the other half counts, and is said to.
    data = np.full((1, *GRID.shape), 7.0)
    data[..., :30] = np.nan
    half = mean_across(
        data, GRID, sampled_line((-0.41, 3.2), (-0.41, 4), GRID, width=0.4)
    )
    np.testing.assert_allclose(half.values, 7.0)
    np.testing.assert_allclose(half.valid, 0.5)


def test_the_image_ends_at_the_edges_of_its_pixels() -> None:
    edge = GRID.to_nm(-0.5, -0.5)
    beyond = np.array([[edge], [edge - 0.011], [edge + 0.001]])
    values = bilinear(plane(GRID), GRID, beyond)[:, :, 0]
    assert np.isnan(values[:, 1]).all()
    np.testing.assert_allclose(values[:, 0], plane(GRID)[:, 0, 0])
    np.testing.assert_allclose(values[:, 2], plane(GRID)[:, 0, 0])


def test_what_cannot_be_a_line() -> None:
    with pytest.raises(ValueError, match=r"start as \(x, y\) in nm within.*\[-5.0"):
        sampled_line((-5, 4), (0, 4), GRID)
    with pytest.raises(ValueError, match="two different places"):
        sampled_line((0, 4), (0, 4), GRID)
    with pytest.raises(ValueError, match=r"width from 0 nm .* got -0\.1 nm"):
        sampled_line((0, 4), (0, 4.1), GRID, width=-0.1)


@pytest.fixture(scope="module")
def noise() -> np.ndarray:
    """exx, eyy, exy, rotation of two independent noisy phases, (4, n, ny, nx).

    White noise averaged with a Gaussian of σ = 4 pixels; u_y has thrice the noise.
    """
    rng = np.random.default_rng(3)
    ky, kx = np.fft.fftfreq(256)[:, None], np.fft.rfftfreq(256)[None]
    white = rng.normal(size=(2, 30, 256, 256)) * np.array([1, 3])[:, None, None, None]
    soft = np.exp(-2 * np.pi**2 * 16 * (kx**2 + ky**2))

    def slope(u: np.ndarray, k: np.ndarray) -> np.ndarray:
        spectrum = 2j * np.pi * k * soft * np.fft.rfft2(u)
        return np.fft.irfft2(spectrum, s=(256, 256))

    ux, uy = white
    shear, turn = slope(ux, ky), slope(uy, kx)
    return np.stack(
        [slope(ux, kx), slope(uy, ky), (shear + turn) / 2, (turn - shear) / 2]
    )


@pytest.mark.parametrize("slant", [(1, 0), (0, 1), (3, 4)])
@pytest.mark.parametrize("width", [3.0, 12.0, 50.0])
def test_scatter_of_means_over_noise_draws(noise, slant, width) -> None:
    """The error predicted is the scatter found, for all four components."""
    grid = ImageGrid((256, 256), (1.0, 1.0))
    middle, half = np.array([128.0, 128.0]), 75 * np.array(slant) / np.hypot(*slant)
    line = sampled_line(middle - half, middle + half, grid, width=width)
    means = np.stack(
        [mean_across(noise[:, k], grid, line).values for k in range(noise.shape[1])]
    )
    found = means.var(axis=(0, 2))
    variance = noise.var(axis=(1, 2, 3))[:, None]
    expected = averaged_variance(variance, line.direction, width, 4.0)[:, 0]
    # 30 draws of some 15 independent places along the line.
    np.testing.assert_allclose(np.sqrt(found / expected), 1, atol=0.13)


def test_limits_of_the_variance() -> None:
    """None is gained without a width, 2√π σ/w along and 4σ²/w² across a wide mean."""
    ones = np.ones((4, 1))
    np.testing.assert_allclose(averaged_variance(ones, (1, 0), 0.0, 2.0), 1, rtol=1e-6)
    wide = averaged_variance(ones, (1, 0), 400.0, 2.0)[:, 0]
    along, across = 2 * np.sqrt(np.pi) * 2 / 400, 4 * 2**2 / 400**2
    np.testing.assert_allclose(
        wide, [along, across, (along + across) / 2, (along + across) / 2], rtol=0.01
    )
