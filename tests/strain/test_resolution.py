# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Noise against blur: the expected error at each resolution, against known truth."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from hyperspy_t2t.calibration import ImageGrid
from hyperspy_t2t.data.displacements import (
    Displacement,
    GaussianBump,
    Gradient,
    strained,
)
from hyperspy_t2t.strain.resolution import (
    COARSEST,
    STEP,
    ExpectedErrors,
    expected_errors,
)

SIGMA = 0.4
TRIED = SIGMA * STEP ** np.arange(1 + int(np.log(COARSEST) / np.log(STEP)))
GRID = ImageGrid((90, 110), (0.2, 0.2), (-1.0, 2.0))
OBLONG = ImageGrid((75, 130), (0.24, 0.16))


def places(grid: ImageGrid) -> np.ndarray:
    return grid.to_nm(*np.indices(grid.shape))


def noise(grid: ImageGrid, level: float, seed: int) -> tuple[np.ndarray, float]:
    """Gradient of averaged white noise and the variance of its components.

    White noise of density D, averaged by a Gaussian, has slopes of variance
    D/(8π σ⁴).
    """
    rng = np.random.default_rng(seed)
    steps = np.array(grid.pixel_size)
    density = level**2 * 8 * np.pi * SIGMA**4
    pad = [int(np.ceil(5 * SIGMA / step)) for step in steps]
    shape = [n + 2 * p for n, p in zip(grid.shape, pad, strict=True)]
    white = rng.normal(0, np.sqrt(density / steps.prod()), (2, *shape))
    cut = tuple(slice(p, p + n) for n, p in zip(grid.shape, pad, strict=True))
    slopes = [
        [
            gaussian_filter(one, SIGMA / steps, order=order, truncate=5)[cut] / step
            for order, step in (((0, 1), steps[1]), ((1, 0), steps[0]))
        ]
        for one in white
    ]
    return np.array(slopes), level**2


def beta(field: Displacement, grid: ImageGrid) -> np.ndarray:
    return np.moveaxis(field.gradient(places(grid)), (-2, -1), (0, 1))


def bump(grid: ImageGrid, width: float, sigma: float = 0.0) -> np.ndarray:
    """∂u/∂r of a bump in the middle whose steepest strain is 2 %, averaged by σ."""
    centre = places(grid)[grid.shape[0] // 2, grid.shape[1] // 2]
    height = 0.02 * width * np.exp(0.5)
    wider = np.hypot(width, sigma)
    amplitude = height * np.array([0.8, 0.6]) * (width / wider) ** 2
    return beta(GaussianBump(tuple(amplitude), tuple(centre), wider), grid)


def errors(
    gradient: np.ndarray,
    variance: float | np.ndarray,
    *,
    grid: ImageGrid = GRID,
    weight: np.ndarray | None = None,
    scored: np.ndarray | None = None,
    coarsest: float = 9.0,
) -> ExpectedErrors:
    ones = np.ones(grid.shape)
    return expected_errors(
        gradient,
        variance * ones,
        ones if weight is None else weight,
        ones > 0 if scored is None else scored,
        grid,
        resolution=SIGMA,
        coarsest=coarsest,
    )


def test_resolutions_are_steps_to_the_coarsest() -> None:
    found = errors(*noise(GRID, 0.01, 0))
    np.testing.assert_allclose(found.resolution, TRIED)
    limited = errors(*noise(GRID, 0.01, 0), coarsest=0.75)
    assert limited.resolution[-1] == pytest.approx(SIGMA * STEP**3)
    np.testing.assert_allclose(found.total, np.hypot(found.noise, found.blur))
    np.testing.assert_allclose(found.noise, 0.01 * (SIGMA / found.resolution) ** 2)


def test_no_coarser_one_is_allowed() -> None:
    for coarsest in (SIGMA, 0.3):
        found = errors(*noise(GRID, 0.01, 0), coarsest=coarsest)
        assert found.resolution.tolist() == [SIGMA] and found.best == 0


@pytest.mark.parametrize("grid", [GRID, OBLONG], ids=["square", "oblong"])
@pytest.mark.parametrize("level", [1e-4, 0.003, 0.05])
def test_uniform_strain_needs_no_resolution(grid: ImageGrid, level: float) -> None:
    chosen = []
    for seed in range(6):
        drawn, variance = noise(grid, level, seed)
        uniform = beta(strained(0.03, -0.02, 0.01, rotation=2), grid)
        found = errors(uniform + drawn, variance, grid=grid)
        assert found.blur.max() < 0.5 * level
        chosen.append(found.best)
    assert np.median(chosen) >= len(TRIED) - 2 and min(chosen) >= len(TRIED) - 4


def test_a_linear_field_is_not_blurred_inside() -> None:
    drawn, variance = noise(GRID, 0.003, 1)
    linear = beta(Gradient(0.002, direction=30), GRID)
    inside = np.zeros(GRID.shape, bool)
    inside[30:-30, 30:-30] = True
    found = errors(linear + drawn, variance, scored=inside)
    assert found.best >= len(TRIED) - 3 and found.blur.max() < 0.4 * 0.003


@pytest.mark.parametrize("width", [0.5, 0.8])
def test_fine_structure_with_little_noise_is_kept(width: float) -> None:
    for seed in range(3):
        drawn, variance = noise(GRID, 1e-4, seed)
        assert errors(bump(GRID, width, SIGMA) + drawn, variance).best == 0


def test_a_step_with_little_noise_is_kept() -> None:
    """A coherent film that is one lattice with its substrate: half of all strained."""
    y = places(GRID)[..., 1]
    from scipy.special import erf

    profile = 0.5 * (1 + erf((y - y.mean()) / (np.sqrt(2) * SIGMA)))
    step = np.zeros((2, 2, *GRID.shape))
    step[1, 1] = 0.02 * profile
    drawn, variance = noise(GRID, 2e-4, 4)
    assert errors(step + drawn, variance).best == 0


def test_more_noise_is_never_averaged_less() -> None:
    field = bump(GRID, 1.5, SIGMA)
    for seed in range(3):
        levels = 1e-4 * 4.0 ** np.arange(7)
        best = []
        for level in levels:
            drawn, variance = noise(GRID, level, seed)
            best.append(errors(field + drawn, variance).best)
        assert (
            (np.diff(best) >= 0).all() and best[0] <= 1 and best[-1] >= len(TRIED) - 3
        ), best


@pytest.mark.parametrize("grid", [GRID, OBLONG], ids=["square", "oblong"])
@pytest.mark.parametrize("level", [1e-4, 2e-3])
def test_blur_of_a_bump_is_that_of_the_truth(grid: ImageGrid, level: float) -> None:
    """Averaged by s a bump is the wider and lower one: its error is known."""
    width = 2.0
    truth = bump(grid, width)
    drawn = [noise(grid, level, seed) for seed in range(8)]
    found = np.mean(
        [
            errors(bump(grid, width, SIGMA) + one, variance, grid=grid).blur
            for one, variance in drawn
        ],
        axis=0,
    )
    expected = np.array(
        [np.sqrt(((bump(grid, width, s) - truth) ** 2).mean()) for s in TRIED]
    )
    # The law s² for the blur overrates what is not small against the width.
    np.testing.assert_allclose(found, expected, rtol=0.12, atol=0.25 * level)


@pytest.mark.parametrize("level", [5e-4, 2e-3, 8e-3])
@pytest.mark.parametrize("width", [1.0, 2.0])
def test_the_choice_costs_little(width: float, level: float) -> None:
    """The true error at the chosen resolution is at most a sixth above the best."""
    truth, smooth = bump(GRID, width), bump(GRID, width, SIGMA)
    of_noise = level * (SIGMA / TRIED) ** 2
    of_blur = [np.sqrt(((bump(GRID, width, s) - truth) ** 2).mean()) for s in TRIED]
    true = np.hypot(of_noise, of_blur)
    cost = []
    for seed in range(6):
        drawn, variance = noise(GRID, level, seed)
        cost.append(true[errors(smooth + drawn, variance).best] / true.min())
    assert np.mean(cost) < 1.17, cost


def test_what_lies_outside_does_not_count() -> None:
    """Nonsense where there is no lattice, nowhere near a choice or into an average."""
    drawn, variance = noise(GRID, 0.003, 2)
    inside = np.zeros(GRID.shape, bool)
    inside[20:70, 10:80] = True
    weight = inside.astype(float)
    clean = errors(drawn, variance, weight=weight, scored=inside)
    spoiled = drawn + 5.0 * ~inside
    found = errors(spoiled, variance, weight=weight, scored=inside)
    np.testing.assert_allclose(found.blur, clean.blur, rtol=1e-6)
    assert found.best >= len(TRIED) - 3
    # A place of unknown variance, or without weight, is not scored.
    unknown = np.full(GRID.shape, variance)
    unknown[~inside] = np.nan
    again = errors(spoiled, unknown, weight=weight)
    np.testing.assert_allclose(again.blur, clean.blur, rtol=1e-6)


def test_faint_places_count_little() -> None:
    """Half of the lattice, a thousand times as noisy, says little of the blur."""
    quiet, variance = noise(GRID, 1e-4, 3)
    loud, _ = noise(GRID, 0.1, 3)
    right = np.zeros(GRID.shape, bool)
    right[:, 55:] = True
    gradient = np.where(right, loud, bump(GRID, 1.0, SIGMA) + quiet)
    variances = np.where(right, 1e-2, variance)
    weight = np.where(right, 1e-3, 1.0)
    assert errors(gradient, variances, weight=weight).best <= 1


def test_no_noise_or_no_place_keeps_the_finest() -> None:
    """Without noise nothing is gained by an average."""
    field = bump(GRID, 1.0, SIGMA)
    for options in (
        {"variance": 0.0},
        {"variance": np.nan},
        {"variance": 1e-6, "scored": np.zeros(GRID.shape, bool)},
        {"variance": 1e-6, "weight": np.zeros(GRID.shape)},
    ):
        found = errors(field, **options)
        assert found.best == 0 and found.resolution.tolist() == [SIGMA]
        assert np.isfinite(found.total).all()
    assert errors(field, 1e-16).best == 0
