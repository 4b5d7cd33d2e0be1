# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Local Fourier components against direct summation."""

import dask.array as da
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hyperspy_t2t.calibration import ImageGrid
from hyperspy_t2t.strain.demodulation import (
    coarse_grid,
    local_amplitude,
    local_spectrum,
)

GRID = ImageGrid((61, 83), (0.05, 0.03), (-2.0, 11.0))
G = np.array([[2.3, -1.1], [0.0, 3.7]])
SIGMA = 0.3


def positions(grid: ImageGrid) -> np.ndarray:
    return grid.to_nm(*np.indices(grid.shape))


def noisy(seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    x, y = np.moveaxis(positions(GRID), -1, 0)
    wave = np.cos(2 * np.pi * (2.4 * x - 1.0 * y)) * (1 + 0.3 * np.sin(y))
    return 4 + 0.5 * x + wave + rng.normal(size=GRID.shape)


def by_summation(image: np.ndarray, g: np.ndarray, at: np.ndarray):
    """(mean, coverage, component) at one position, straight from the definition."""
    r = positions(GRID)
    weight = np.exp(-0.5 * ((r - at) ** 2).sum(-1) / SIGMA**2)
    weight *= np.prod(GRID.pixel_size) / (2 * np.pi * SIGMA**2)
    weight = np.where(np.isfinite(image), weight, 0)
    values = np.nan_to_num(image, posinf=0)
    mean = (weight * values).sum() / weight.sum()
    wave = np.exp(-2j * np.pi * (r @ g))
    component = (weight * (values - mean) * wave).sum() / weight.sum()
    return mean, weight.sum(), component


@pytest.mark.parametrize("holes", [0.0, 0.3])
def test_values_and_slopes_are_those_of_the_definition(holes: float) -> None:
    image = noisy()
    image[np.random.default_rng(1).random(image.shape) < holes] = np.nan
    image[0, 0] = np.inf if holes else image[0, 0]
    local = local_spectrum(image, GRID, G, sigma=SIGMA)
    at = positions(local.grid)
    step = 1e-4
    places = [(0, 0), (0, 7), (9, 8), (local.grid.shape[0] - 1, 3)]
    for row, column in places:
        here = at[row, column]
        for k, g in enumerate(G):
            mean, coverage, component = by_summation(image, g, here)
            # The Gaussian ends at five standard deviations.
            assert local.mean[row, column] == pytest.approx(mean, rel=1e-5)
            assert local.coverage[row, column] == pytest.approx(coverage, rel=1e-5)
            assert abs(local.component[k, row, column] - component) < 2e-5
            for axis in (0, 1):
                move = step * np.eye(2)[axis]
                ahead, behind = (
                    by_summation(image, g, here + sign * move)[2] for sign in (1, -1)
                )
                slope = (ahead - behind) / (2 * step)
                assert abs(local.gradient[k, axis, row, column] - slope) < 5e-4


@settings(max_examples=20)
@given(st.integers(1, 61), st.integers(1, 83), st.booleans())
def test_blocks_of_any_size_give_the_same(rows: int, columns: int, holes: bool) -> None:
    rows, columns = max(rows, 7), max(columns, 9)
    image = noisy(2)
    if holes:
        image[20:25, 30:60] = np.nan
    whole = local_spectrum(image, GRID, G, sigma=SIGMA)
    lazy = da.from_array(image, chunks=(rows, columns))
    amplitude = local_amplitude(lazy, GRID, G, sigma=SIGMA)
    np.testing.assert_allclose(amplitude.amplitude, whole.amplitude, atol=1e-11)
    np.testing.assert_allclose(amplitude.mean, whole.mean)
    blocks = local_spectrum(lazy, GRID, G, sigma=SIGMA)
    assert blocks.grid == whole.grid
    for name in ("mean", "coverage", "component", "gradient"):
        expected = getattr(whole, name)
        np.testing.assert_allclose(
            getattr(blocks, name), expected, atol=1e-11 * np.abs(expected).max()
        )


def test_coverage_is_one_inside_a_half_at_edges_a_quarter_in_corners() -> None:
    coverage = local_spectrum(np.ones(GRID.shape), GRID, [], sigma=SIGMA).coverage
    rows, columns = coverage.shape
    assert coverage[rows // 2, columns // 2] == pytest.approx(1, abs=1e-4)
    # Half of the pixel on the edge belongs to it as well.
    edge_y, edge_x = (
        0.5 + 0.5 * step / (SIGMA * np.sqrt(2 * np.pi)) for step in GRID.pixel_size
    )
    assert coverage[0, columns // 2] == pytest.approx(edge_y, abs=1e-4)
    assert coverage[rows // 2, -1] == pytest.approx(edge_x, abs=1e-4)
    assert coverage[0, 0] == pytest.approx(edge_y * edge_x, abs=1e-4)


@pytest.mark.parametrize("strain", [-0.4, 0.1, 0.5])
def test_phase_gradient_of_a_strained_wave_is_exact(strain: float) -> None:
    grid = ImageGrid((161, 203), (0.02, 0.013), (5.0, -3.0))
    x, y = np.moveaxis(positions(grid), -1, 0)
    g = np.array([3.0, 1.6])
    stretched = g / (1 + strain)
    image = 7 + 2.5 * np.cos(2 * np.pi * (stretched[0] * x + stretched[1] * y) + 0.4)
    sigma = 0.2
    local = local_spectrum(image, grid, g[None], sigma=sigma)
    inside = (slice(11, -11), slice(11, -11))
    slope = local.phase_gradient[0][(slice(None), *inside)]
    expected = 2 * np.pi * (stretched - g)
    assert slope.size
    # Rounded to the leakage of −g and to where the Gaussian ends.
    np.testing.assert_allclose(slope - expected[:, None, None], 0, atol=5e-3)
    damped = np.exp(-2 * (np.pi * sigma) ** 2 * ((stretched - g) ** 2).sum())
    np.testing.assert_allclose(local.amplitude[0][inside], 1.25 * damped, rtol=1e-3)
    phase = np.angle(local.component[0][inside])
    at = positions(local.grid)[inside]
    difference = phase - (at @ (2 * np.pi * (stretched - g)) + 0.4)
    np.testing.assert_allclose(np.exp(1j * difference), 1, atol=1e-3)


def test_amplitude_up_to_the_border() -> None:
    x = positions(GRID)[..., 0]
    image = 100 + 6 * np.cos(2 * np.pi * 4.1 * x)
    local = local_spectrum(image, GRID, [[4.1, 0.0]], sigma=SIGMA)
    np.testing.assert_allclose(local.amplitude[0], 3, rtol=0.12)
    np.testing.assert_allclose(local.amplitude[0][:, 5:-5], 3, rtol=2e-3)
    np.testing.assert_allclose(local.mean[:, 5:-5], 100, rtol=1e-3)


@given(st.integers(2, 400), st.integers(2, 400), st.floats(0.05, 3))
def test_coarse_grid_covers_with_two_samples_per_sigma(
    rows: int, columns: int, sigma: float
) -> None:
    grid = ImageGrid((rows, columns), (0.05, 0.02), (1.0, -4.0))
    coarse = coarse_grid(grid, sigma)
    np.testing.assert_allclose(coarse.to_nm(0, 0), grid.to_nm(0, 0))
    np.testing.assert_allclose(
        coarse.to_nm(coarse.shape[0] - 1, coarse.shape[1] - 1),
        grid.to_nm(rows - 1, columns - 1),
    )
    for step, fine, size, count in zip(
        coarse.pixel_size, grid.pixel_size, grid.shape, coarse.shape, strict=True
    ):
        assert step <= max(sigma / 2, fine) * (1 + 1e-9)
        assert min(4, size) <= count <= size
