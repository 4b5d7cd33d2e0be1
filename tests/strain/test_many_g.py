# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Displacement, its gradient and their errors from many g, against drawn crystals."""

import dask.array as da
import numpy as np
import pytest

from hyperspy_t2t import frames
from hyperspy_t2t.calibration import ImageGrid
from hyperspy_t2t.data.displacements import Displacement, Gradient, strained
from hyperspy_t2t.data.synthetic import Region, Scan, synthetic_arrays
from hyperspy_t2t.strain import gpa
from hyperspy_t2t.strain.counting_noise import (
    FringeNoise,
    fringe_noise,
    fringe_products,
)
from hyperspy_t2t.strain.demodulation import coarse_grid, local_spectrum
from hyperspy_t2t.strain.fringes import local_fringes
from hyperspy_t2t.strain.gpa import PhaseField
from hyperspy_t2t.strain.least_squares import agreeing
from hyperspy_t2t.strain.uncertainty import component_std

FLOOR = 2e-4


def phase_field(
    image: np.ndarray, grid: ImageGrid, g: np.ndarray, *, resolution: float, **options
) -> PhaseField:
    fringes = local_fringes(image, grid, g, resolution=resolution)
    return gpa.phase_field(fringes, **options)


STRETCHED = strained(0.02, -0.01, 0.01, rotation=2, origin=(4, 3))


def positions(grid: ImageGrid) -> np.ndarray:
    return grid.to_nm(*np.indices(grid.shape))


def rmse(difference: np.ndarray) -> float:
    return float(np.sqrt((difference**2).mean()))


def crystal(
    phase: str,
    zone: tuple[int, int, int],
    field: Displacement,
    *,
    turn: float = 20.0,
    longest: float = 10.0,
    shape: tuple[int, int] = (340, 420),
    pixel: tuple[float, float] = (0.018, 0.025),
) -> tuple[np.ndarray, ImageGrid, np.ndarray]:
    """Image, its grid, and the bulk's g, one of each Friedel pair, shortest first."""
    region = Region(phase, zone, turn, displacement=field)
    image, truth = synthetic_arrays([region], Scan(shape=shape, pixel_size=pixel))
    known = truth["regions"]["region_1"]
    g = known["g_reference"][known["strength"] > 0.05]
    g = g[(g[:, 0] > 0) & (np.linalg.norm(g, axis=1) < longest)]
    g = g[np.argsort(np.linalg.norm(g, axis=1), kind="stable")]
    sine = np.abs(g[:, 0] * g[0, 1] - g[:, 1] * g[0, 0])
    second = np.flatnonzero(sine > 0.3 * np.linalg.norm(g, axis=1) * np.hypot(*g[0]))[0]
    order = [0, second, *(k for k in range(1, len(g)) if k != second)]
    return image, ImageGrid(shape, pixel[::-1]), g[order]


def analysed(
    image: np.ndarray, grid: ImageGrid, g: np.ndarray, sigma: float = 0.5, **options
) -> PhaseField:
    everywhere = np.ones(coarse_grid(grid, sigma).shape, bool)
    return phase_field(
        image,
        grid,
        g,
        resolution=sigma,
        inside=everywhere,
        **{"reference": everywhere, **options},
    )


def away(grid: ImageGrid, margin: float) -> np.ndarray:
    at = positions(grid)
    return ((at > at[0, 0] + margin) & (at < at[-1, -1] - margin)).all(axis=-1)


def against_bulk(found: PhaseField, g: np.ndarray) -> np.ndarray:
    """∂u/∂r from the bulk: the mean lattice of the refined g, and the gradient."""
    unit = np.eye(2)[:, :, None, None]
    local = np.einsum("ki,ijyx->kjyx", found.g_vectors, unit - found.gradient)
    return unit - np.einsum("ik,kjyx->ijyx", np.linalg.pinv(g), local)


@pytest.mark.parametrize(
    ("phase", "zone"),
    [
        ("Si diamond", (1, 1, 0)),
        ("SrTiO3 cubic perovskite", (0, 0, 1)),
        ("GaN wurtzite", (0, 0, 1)),
    ],
)
@pytest.mark.parametrize(
    "field",
    [
        STRETCHED,
        strained(0.1, -0.06, 0.03, rotation=4, origin=(4, 3)),
        Gradient(0.005, direction=20, origin=(5, 3)),
    ],
    ids=["2 %", "10 %", "gradient"],
)
def test_all_g_see_the_truth(phase: str, zone: tuple, field: Displacement) -> None:
    image, grid, g = crystal(phase, zone, field)
    assert len(g) >= 6
    found = analysed(image, grid, g)
    inside = away(found.grid, 2.5)
    assert inside.sum() > 100
    at = positions(found.grid)
    truth = np.moveaxis(field.gradient(at), (-2, -1), (0, 1))
    assert rmse((against_bulk(found, g) - truth)[:, :, inside]) < FLOOR
    seen, bulk = (
        at - np.moveaxis(found.displacement, 0, -1),
        at - field.displacement(at),
    )
    design = np.column_stack([seen[inside], np.ones(inside.sum())])
    fit, *_ = np.linalg.lstsq(design, bulk[inside], rcond=None)
    assert rmse(design @ fit - bulk[inside]) < 3e-4


@pytest.mark.parametrize("turn", [0.0, 7.0, 30.0, -30.0])
def test_a_turned_crystal(turn: float) -> None:
    image, grid, g = crystal("Si diamond", (1, 1, 0), STRETCHED, turn=turn)
    found = analysed(image, grid, g)
    inside = away(found.grid, 2.5)
    error = against_bulk(found, g) - STRETCHED.constant_gradient[:, :, None, None]
    assert rmse(error[:, :, inside]) < FLOOR


def waves(
    g: np.ndarray, grid: ImageGrid, field: Displacement, split: float
) -> np.ndarray:
    """Fringes of equal strength; left of x = split the lattice is undisplaced."""
    at = positions(grid)
    u = np.where(at[..., :1] < split, 0, field.displacement(at))
    return 10 + np.cos(2 * np.pi * (at - u) @ g.T).sum(axis=-1)


TURNED = frames.rotation_2d(0.3)
LATTICE = np.array(
    [[2.5, 0.0], [0.0, 2.5], [2.5, 2.5], [2.5, -2.5], [5.0, 0.0], [0, 5.0], [5.0, 2.5]]
) @ TURNED  # fmt: skip
FAR = np.array([[2.5, 0.0], [0.0, 2.5], [5.0, 0.0], [0.0, 5.0], [5.0, 5.0]]) @ TURNED


@pytest.mark.parametrize(
    ("g", "degrees"), [(LATTICE, -12), (LATTICE, 5), (FAR, -30), (FAR, 30)]
)
def test_g_whose_spots_leave_their_masks_are_left_out(
    g: np.ndarray, degrees: float
) -> None:
    """A spot of high order moves further than its mask is wide."""
    grid, split, sigma = ImageGrid((300, 400), (0.02, 0.02), (-1.0, 7.0)), 11.0, 0.35
    field = strained(rotation=degrees, origin=(11.0, 2.0))
    at = positions(coarse_grid(grid, sigma))
    middle = np.abs(at[..., 1] - 2) < 3 - 5 * sigma
    reference = middle & (at[..., 0] < split - 5 * sigma)
    reference &= at[..., 0] > 7 + 5 * sigma
    image = waves(g, grid, field, split)
    strain = []
    inside = middle & (at[..., 0] > split + 5 * sigma) & (at[..., 0] < 15 - 5 * sigma)
    for n in (2, len(g)):
        found = analysed(image, grid, g[:n], sigma, reference=reference)
        np.testing.assert_allclose(found.g_vectors, g[:n], atol=2e-3)
        deformation = frames.deformation_gradient(
            np.moveaxis(found.gradient, (0, 1), (-2, -1))[inside]
        )
        strain.append(frames.strain_components(deformation, convention="polar"))
    two, many = strain
    assert many[3].mean() == pytest.approx(np.deg2rad(degrees), abs=1e-3)
    assert rmse(many[:3]) < 1.2 * rmse(two[:3]) + 2e-4


def test_agreement_is_lost_at_the_rim_of_the_mask() -> None:
    sigma = 0.5
    g = np.array([[6.0, 0.0], [0.0, 6.0]])
    turns = np.array([0.0, 0.05, 0.1, 0.11, 0.3])
    gradient = np.zeros((2, 2, 1, 5))
    gradient[0, 1, 0], gradient[1, 0, 0] = turns, -turns
    slope = -2 * np.pi * np.einsum("ki,ijyx->kjyx", g, gradient)
    # 2π · 6 · 0.5 times the turn reaches two at 0.106.
    expected = [True, True, True, False, False]
    assert agreeing(g, g, slope, gradient, sigma)[:, 0].tolist() == 2 * [expected]
    slope[1] += 2.2
    found = agreeing(g, g, slope, gradient, sigma)
    assert found[:, 0].tolist() == [expected, 5 * [False]]
    # Where the reference itself is at the rim of the mask nothing is left.
    assert not agreeing(g + 0.7, g, slope, gradient, sigma).any()


def test_two_g_are_inverted_exactly() -> None:
    image, grid, g = crystal("Si diamond", (1, 1, 0), STRETCHED)
    found = analysed(image + np.random.default_rng(0).normal(0, 1e4, image.shape), grid,
                     g[:2])  # fmt: skip
    change = found.g_vectors @ found.gradient[:, :, 5, 7]  # what the phases say
    again = np.linalg.solve(found.g_vectors, change)
    np.testing.assert_allclose(again, found.gradient[:, :, 5, 7], atol=1e-15)
    assert np.isnan(found.std()).all()  # two g leave no residual to judge noise by


@pytest.mark.parametrize("with_noise", [True, False])
def test_blocks_give_the_same(with_noise: bool) -> None:
    image, grid, g = crystal("Si diamond", (1, 1, 0), STRETCHED, shape=(200, 220),
                             pixel=(0.03, 0.025))  # fmt: skip
    products = -0.1 * np.eye(len(g)) + 0.05
    noise = FringeNoise(1.5, 0.3, image.mean(), products)
    options = {"noise": noise} if with_noise else {}
    whole = analysed(image, grid, g, 0.4, **options)
    blocks = analysed(da.from_array(image, chunks=(57, 83)), grid, g, 0.4, **options)
    for name in ("gradient", "displacement", "amplitude", "covariance"):
        expected = getattr(whole, name)
        np.testing.assert_allclose(
            getattr(blocks, name), expected, atol=1e-8 * np.abs(expected).max()
        )


def noisy_components(
    n: int | None, *, level: float, draws: int, given: bool
) -> tuple[np.ndarray, np.ndarray, int]:
    """Errors and quoted standard errors (draws, 4, places) of a crystal with noise."""
    image, grid, g = crystal("Si diamond", (1, 1, 0), STRETCHED)
    g = g[:n]
    noise = level * image.std()
    density = noise**2 * np.prod(grid.pixel_size)
    options = {"noise": FringeNoise.white(density, len(g))} if given else {}
    # At the border residuals are not of the noise alone.
    options["reference"] = away(coarse_grid(grid, 0.5), 1.9)
    perfect = analysed(image, grid, g, **options)
    inside = away(perfect.grid, 1.6)
    rng = np.random.default_rng(5)
    errors, quoted = [], []
    for _ in range(draws):
        found = analysed(image + rng.normal(0, noise, image.shape), grid, g, **options)
        both = [
            frames.strain_components(
                frames.deformation_gradient(
                    np.moveaxis(field.gradient, (0, 1), (-2, -1))[inside]
                )
            )
            for field in (found, perfect)
        ]
        errors.append(both[0] - both[1])
        quoted.append(found.std()[:, inside])
    return np.array(errors), np.array(quoted), len(g)


@pytest.mark.parametrize(
    ("n", "given", "level"),
    [(2, True, 0.5), (2, True, 2.0), (None, True, 0.5), (None, True, 2.0),
     (None, False, 0.5), (None, False, 2.0)],
)  # fmt: skip
def test_the_standard_error_is_that_of_repeated_draws(
    n: int | None, given: bool, level: float
) -> None:
    errors, quoted, _ = noisy_components(n, level=level, draws=8, given=given)
    normalised = (errors / quoted).std(axis=(0, 2))
    assert normalised.min() > 0.9 and normalised.max() < 1.15, normalised


def test_more_g_are_less_noisy() -> None:
    """As the amplitudes of the fringes say: by Σ w g gᵀ."""
    image, grid, g = crystal("Si diamond", (1, 1, 0), STRETCHED)
    amplitude = local_spectrum(image, grid, g, sigma=0.5).amplitude.mean(axis=(1, 2))
    spread = {}
    for n in (2, len(g)):
        errors, _, _ = noisy_components(n, level=1.0, draws=6, given=True)
        spread[n] = errors.std(axis=(0, 2))
    information = {
        n: np.einsum("k,ki,kj->ij", amplitude[:n] ** 2, g[:n], g[:n]) for n in spread
    }
    expected = {n: np.sqrt(np.diag(np.linalg.inv(m))) for n, m in information.items()}
    gain, predicted = (v[len(g)][:2] / v[2][:2] for v in (spread, expected))
    np.testing.assert_allclose(gain, predicted, rtol=0.12)
    assert (spread[len(g)] < 0.85 * spread[2]).all()


def test_displacement_is_less_noisy_too() -> None:
    image, grid, g = crystal("Si diamond", (1, 1, 0), STRETCHED)
    rng = np.random.default_rng(1)
    spread = {}
    noises = rng.normal(0, image.std(), (4, *image.shape))
    for n in (2, len(g)):
        perfect = analysed(image, grid, g[:n])
        inside = away(perfect.grid, 1.6)
        at = positions(perfect.grid)[inside]
        errors = []
        for noise in noises:
            found = analysed(image + noise, grid, g[:n])
            difference = (found.displacement - perfect.displacement)[:, inside].T
            design = np.column_stack([at, np.ones(len(at))])  # another mean lattice
            fit, *_ = np.linalg.lstsq(design, difference, rcond=None)
            errors.append(design @ fit - difference)
        spread[n] = rmse(np.array(errors))
    assert spread[len(g)] < 0.85 * spread[2]


def test_a_faulty_fringe_does_not_move_the_others() -> None:
    """Beyond x = 11 one of seven fringes is shifted by 0.45 of its period."""
    grid, sigma = ImageGrid((300, 400), (0.02, 0.02), (-1.0, 7.0)), 0.4
    at = positions(grid)
    image = waves(LATTICE[:6], grid, strained(), 11.0)
    phase = 2 * np.pi * (at @ LATTICE[6] + 0.45 * (at[..., 0] > 11))
    found = analysed(
        image + np.cos(phase), grid, LATTICE, sigma,
        reference=positions(coarse_grid(grid, sigma))[..., 0] < 9.5,
    )  # fmt: skip
    right = away(found.grid, 1.0) & (positions(found.grid)[..., 0] > 12.5)
    assert np.abs(found.displacement[:, right]).max() < 1e-3


@pytest.mark.parametrize("convention", frames.CONVENTIONS)
def test_errors_of_components_are_those_of_drawn_gradients(convention: str) -> None:
    rng = np.random.default_rng(3)
    mean = np.array([[0.1, -0.25], [0.3, -0.08]])
    root = rng.normal(0, 1e-3, (4, 4))
    drawn = mean + (rng.normal(size=(20_000, 4)) @ root).reshape(-1, 2, 2)
    values = frames.strain_components(
        frames.deformation_gradient(drawn), convention=convention
    )
    covariance = (root.T @ root).reshape(2, 2, 2, 2, 1, 1)
    quoted = component_std(mean[:, :, None, None], covariance, convention=convention)
    np.testing.assert_allclose(quoted[:, 0, 0], values.std(axis=1), rtol=0.03)


def counted(
    phase: str,
    zone: tuple[int, int, int],
    n: int,
    dose: float,
    *,
    draws: int = 6,
    offset: float = 0.0,
    detector: float = 0.0,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[FringeNoise]]:
    """Errors (draws, 4, places) with counting noise, without and with its correlation,
    the errors of the latter over the quoted ones, and the noise that was found.

    `offset` and `detector` are a constant and white noise in grey levels.
    """
    image, grid, g = crystal(phase, zone, strained(), longest=11.0)
    image *= dose / image.mean()
    rows, columns = (np.hanning(size + 2)[1:-1] for size in grid.shape)
    window = np.outer(rows, columns)
    inside = away(coarse_grid(grid, 0.4), 1.5)
    white = FringeNoise.white(dose * np.prod(grid.pixel_size), n)
    without, right, normalised, noises = [], [], [], []
    for seed in range(draws):
        rng = np.random.default_rng(seed)
        drawn = rng.poisson(image) + offset + rng.normal(0, detector, image.shape)
        fringes = local_fringes(drawn, grid, g[:12], resolution=0.4)
        lattice = gpa.mean_lattice(fringes, inside)
        products = fringe_products(drawn, window, grid, lattice)
        weight = fringes.reference_weight(inside)
        noises.append(fringe_noise(fringes, lattice, products, weight))
        for errors, noise in ((without, white), (right, noises[-1])):
            found = gpa.phase_field(
                fringes.first(n), reference=inside,
                inside=np.ones_like(inside), noise=noise,
            )  # fmt: skip
            errors.append(
                frames.strain_components(
                    frames.deformation_gradient(
                        np.moveaxis(found.gradient, (0, 1), (-2, -1))[inside]
                    )
                )
            )
        normalised.append(right[-1] / found.std()[:, inside])
    return np.array(without), np.array(right), np.array(normalised), noises


@pytest.mark.parametrize("dose", [2, 200])
@pytest.mark.parametrize(
    ("phase", "zone"),
    [("Si diamond", (1, 1, 0)), ("SrTiO3 cubic perovskite", (0, 0, 1))],
)
def test_counting_noise(phase: str, zone: tuple, dose: float) -> None:
    """Its correlation makes the errors honest, and smaller by a tenth or more."""
    white, right, normalised, noises = counted(phase, zone, 12, dose)
    spread = normalised.std(axis=(0, 2))
    assert spread.min() > 0.85 and spread.max() < 1.15, spread
    assert rmse(right) < 0.92 * rmse(white)
    # All of the variance is that of counts: it rises by 1/dose per count.
    assert np.mean([n.gain for n in noises]) == pytest.approx(1 / dose, rel=0.12)
    density = np.mean([n.density for n in noises])
    assert density == pytest.approx(dose * 0.018 * 0.025, rel=0.12)


def test_white_noise_of_the_detector_has_no_gain() -> None:
    *_, normalised, noises = counted("Si diamond", (1, 1, 0), 12, 2000, detector=300.0)
    spread = normalised.std(axis=(0, 2))
    assert spread.min() > 0.85 and spread.max() < 1.15, spread
    # The variance of counts is 2 % of that of the detector.
    assert np.mean([n.gain for n in noises]) < 0.15 / 2000


def test_an_offset_of_the_detector_does_not_matter() -> None:
    *_, plain, _ = counted("Si diamond", (1, 1, 0), 12, 20, draws=2)
    *_, shifted, _ = counted("Si diamond", (1, 1, 0), 12, 20, draws=2, offset=100.0)
    np.testing.assert_allclose(plain, shifted, rtol=1e-3, atol=1e-3)


def test_counting_noise_of_two_g() -> None:
    *_, normalised, _ = counted("Si diamond", (1, 1, 0), 2, 20)
    spread = normalised.std(axis=(0, 2))
    assert spread.min() > 0.85 and spread.max() < 1.2, spread


def test_three_g_do_not_tell_noise_from_signal() -> None:
    image, grid, g = crystal("Si diamond", (1, 1, 0), STRETCHED)
    fringes = local_fringes(image, grid, g[:3], resolution=0.5)
    weight = fringes.reference_weight(np.ones(fringes.grid.shape, bool))
    with pytest.raises(ValueError, match="Expected 4 or more g to tell noise by"):
        fringe_noise(fringes, g[:3], np.zeros((3, 3)), weight)
