# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Local Fourier components against direct summation."""

import dask
import dask.array as da
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hyperspy_t2t.calibration import ImageGrid
from hyperspy_t2t.strain import demodulation
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
            assert local.mean[row, column] == pytest.approx(mean, rel=1e-10)
            assert local.coverage[row, column] == pytest.approx(coverage, rel=1e-10)
            assert abs(local.component[k, row, column] - component) < 1e-10
            for axis in (0, 1):
                move = step * np.eye(2)[axis]
                ahead, behind = (
                    by_summation(image, g, here + sign * move)[2] for sign in (1, -1)
                )
                slope = (ahead - behind) / (2 * step)
                assert abs(local.gradient[k, axis, row, column] - slope) < 1e-6


def dense_component(
    image: np.ndarray, grid: ImageGrid, g: np.ndarray, sigma: float
) -> np.ndarray:
    """z at every coarse place from one whole matrix per axis."""
    coarse, axes = coarse_grid(grid, sigma), []
    for axis, frequency in zip((0, 1), g[::-1], strict=True):
        r, at = (
            one.origin[axis] + np.arange(one.shape[axis]) * one.pixel_size[axis]
            for one in (grid, coarse)
        )
        gaussian = np.exp(-0.5 * ((at[:, None] - r) / sigma) ** 2)
        axes.append((gaussian, gaussian * np.exp(-2j * np.pi * frequency * r)))
    (still_y, wave_y), (still_x, wave_x) = axes
    finite = np.isfinite(image).astype(float)
    values = np.where(finite > 0, image, 0.0)
    weight = still_y @ finite @ still_x.T
    weight = np.where(weight > 0, weight, np.inf)
    mean = (still_y @ values @ still_x.T) / weight
    return (wave_y @ values @ wave_x.T - mean * (wave_y @ finite @ wave_x.T)) / weight


@settings(max_examples=60, deadline=None)
@given(
    st.tuples(st.integers(1, 50), st.integers(2, 50)),
    st.floats(0.3, 40),
    st.tuples(st.floats(-0.6, 0.6), st.floats(-0.6, 0.6)),
    st.booleans(),
)
def test_every_place_of_any_image_is_that_of_the_definition(
    shape: tuple[int, int], sigma: float, periods: tuple[float, float], hole: bool
) -> None:
    """Tiny images, Gaussians below a pixel and beyond the image, g up to Nyquist."""
    grid = ImageGrid(shape, (0.05, 0.04), (-2.0, 11.0))
    image = 3 + np.random.default_rng(7).normal(size=shape)
    if hole:
        image[shape[0] // 2, shape[1] // 2 :] = np.nan
    g, sigma = np.divide(periods, (0.04, 0.05)), 0.05 * sigma
    local = local_spectrum(image, grid, g[None], sigma=sigma)
    seen = local.coverage > 1e-4
    expected = dense_component(image, grid, g, sigma)[seen] if seen.any() else 0
    np.testing.assert_allclose(local.component[0][seen], expected, atol=1e-7)


@settings(max_examples=6, deadline=None)
@given(st.integers(20, 61), st.integers(25, 83), st.booleans())
def test_blocks_of_any_size_give_the_same(rows: int, columns: int, holes: bool) -> None:
    image = noisy(2)
    if holes:
        image[20:25, 30:60] = np.nan
    whole = local_spectrum(image, GRID, G, sigma=SIGMA)
    lazy = da.from_array(image, chunks=(rows, columns))
    with dask.config.set(scheduler="synchronous"):
        blocks = local_spectrum(lazy, GRID, G, sigma=SIGMA)
        amplitude = local_amplitude(lazy, GRID, G, sigma=SIGMA)
    assert blocks.grid == whole.grid
    assert_same(blocks, whole, 1e-9)
    np.testing.assert_allclose(amplitude.amplitude, whole.amplitude, atol=1e-9)
    np.testing.assert_allclose(amplitude.mean, whole.mean, rtol=1e-9)


def assert_same(found, expected, relative: float) -> None:
    """Relative to the largest value, and to the number of pixels that it comes from."""
    largest = np.abs(expected.component).max()
    scales = {"mean": np.abs(expected.mean).max(), "coverage": 1.0}
    scales |= {"component": largest, "gradient": largest / SIGMA}
    for name, scale in scales.items():
        difference = np.abs(getattr(found, name) - getattr(expected, name))
        assert (difference * expected.coverage).max() <= relative * scale, name


def test_ragged_chunks_and_blocks_of_a_large_array_give_the_same(monkeypatch) -> None:
    image = noisy(3)
    image[:14, 50:] = np.nan  # one chunk has no data at all
    whole = local_spectrum(image, GRID, G, sigma=SIGMA)
    lazy = da.from_array(image, chunks=((14, 1, 46), (50, 33)))
    assert_same(local_spectrum(lazy, GRID, G, sigma=SIGMA), whole, 1e-9)
    monkeypatch.setattr(demodulation, "_BLOCK", 25)
    assert_same(local_spectrum(image, GRID, G, sigma=SIGMA), whole, 1e-9)


def test_each_chunk_is_read_once() -> None:
    reads: list[tuple] = []

    def read(block_info: dict) -> np.ndarray:
        reads.append(block_info[None]["chunk-location"])
        return noisy()[tuple(slice(*a) for a in block_info[None]["array-location"])]

    lazy = da.map_blocks(read, chunks=((30, 31), (40, 43)), dtype=float)
    reads.clear()
    found = local_spectrum(lazy, GRID, G, sigma=SIGMA)
    assert sorted(reads) == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert_same(found, local_spectrum(noisy(), GRID, G, sigma=SIGMA), 1e-9)


@pytest.mark.parametrize("holes", [False, True])
def test_a_flat_image_has_no_fringes(holes: bool) -> None:
    """Neither at its border nor at holes, however bright it is."""
    image = np.full(GRID.shape, 1e6)
    if holes:
        image[20:40, 30:60] = np.nan
        image[::3, :12] = np.nan
    local = local_spectrum(image, GRID, [[1.0, 0.0], [0.7, -0.4]], sigma=SIGMA)
    seen = local.coverage > 1e-3
    assert seen.mean() > 0.9
    np.testing.assert_allclose(local.mean[seen], 1e6)
    assert np.abs(local.component[:, seen]).max() < 1e-3
    assert np.abs(local.gradient[:, :, seen]).max() < 1e-2


def test_far_from_all_pixels_there_is_nothing() -> None:
    image = noisy()
    image[:, 20:] = np.nan
    local = local_spectrum(image, GRID, G, sigma=0.1)
    far = positions(local.grid)[..., 0] > 11 + 0.03 * 20 + 6 * 0.1
    assert far.any() and (local.coverage[far] < 1e-9).all()
    for name in ("mean", "component", "gradient"):
        assert (getattr(local, name)[..., far] == 0).all()


@pytest.mark.parametrize("kind", [np.uint8, np.int32, np.float32, bool])
def test_grey_levels_of_any_type(kind: type) -> None:
    image = (10 * noisy()).clip(0, 255).astype(kind)
    found = local_spectrum(image, GRID, G, sigma=SIGMA)
    assert_same(found, local_spectrum(image.astype(float), GRID, G, sigma=SIGMA), 1e-12)


@pytest.mark.parametrize("holes", [False, True])
def test_pytorch_gives_the_same(holes: bool) -> None:
    import torch

    image = noisy(4)
    if holes:
        image[20:25, 30:60] = np.nan
    options = {"sigma": SIGMA, "device": torch.device("cpu")}
    whole = local_spectrum(image, GRID, G, sigma=SIGMA)
    assert_same(local_spectrum(image, GRID, G, **options), whole, 1e-10)
    blocks = da.from_array(image, chunks=(61, 40))
    assert_same(local_spectrum(blocks, GRID, G, **options), whole, 1e-9)
    amplitude = local_amplitude(image, GRID, G, **options).amplitude
    np.testing.assert_allclose(amplitude, whole.amplitude, atol=1e-10)


@pytest.mark.parametrize("device", ["gpu", "cuda:99", 1.5])
def test_a_missing_device_is_named(device: object) -> None:
    with pytest.raises(
        ValueError, match=r"Expected device as 'cpu' or.*" + str(device)
    ):
        local_spectrum(noisy(), GRID, G, sigma=SIGMA, device=device)


def test_coverage_is_one_inside_a_half_at_edges_a_quarter_in_corners() -> None:
    coverage = local_spectrum(np.ones(GRID.shape), GRID, [], sigma=SIGMA).coverage
    rows, columns = coverage.shape
    assert coverage[rows // 2, columns // 2] == pytest.approx(1, abs=1e-4)
    # Half of the pixel on the edge belongs to it as well.
    edge_y, edge_x = (
        0.5 + 0.5 * step / (SIGMA * np.sqrt(2 * np.pi)) for step in GRID.pixel_size
    )
    assert coverage[0, columns // 2] == pytest.approx(edge_y, abs=1e-4)
    assert coverage[rows // 2, 0] == pytest.approx(edge_x, abs=1e-4)
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
    for step, fine, size, count in zip(
        coarse.pixel_size, grid.pixel_size, grid.shape, coarse.shape, strict=True
    ):
        assert step <= max(sigma / 2, fine) * (1 + 1e-9)
        assert step >= fine * (1 - 1e-9)
        assert min(4, size) <= count <= size
        # The last place is the first one at or beyond the last pixel.
        beyond = (count - 1) * step - (size - 1) * fine
        assert -1e-9 < beyond < step


@given(st.integers(20, 30000), st.floats(2.0, 300.0))
def test_coarse_grid_is_hardly_finer_than_needed(size: int, sigma: float) -> None:
    (step, _) = coarse_grid(ImageGrid((size, 9), (1.0, 1.0)), sigma).pixel_size
    assert step > 0.78 * min(sigma / 2, (size - 1) / 3)
    assert (4 * step).is_integer()
