# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Local fringes, and the noise that their disagreement tells of."""

from collections.abc import Callable

import numpy as np
import pytest

from hyperspy_t2t.calibration import ImageGrid
from hyperspy_t2t.data.displacements import (
    Displacement,
    GaussianBump,
    Gradient,
    Sum,
    strained,
)
from hyperspy_t2t.strain.counting_noise import (
    FringeNoise,
    fringe_noise,
    fringe_products,
)
from hyperspy_t2t.strain.fringes import Fringes, local_fringes
from hyperspy_t2t.strain.gpa import mean_lattice

SIGMA, DOSE = 0.35, 20.0
SQUARE = ImageGrid((400, 440), (0.022, 0.022), (-5.0, 3.0))
OBLONG = ImageGrid((420, 400), (0.019, 0.026), (-4.0, 3.0))
PAIR = np.array([[2.6, 0.3], [-0.5, 2.9]])
ORDER = np.array(
    [[1, 0], [0, 1], [1, 1], [1, -1], [2, 0], [0, 2], [2, 1], [1, 2], [2, -1], [1, -2]]
)  # fmt: skip
G = ORDER @ PAIR


def places(grid: ImageGrid) -> np.ndarray:
    return grid.to_nm(*np.indices(grid.shape))


def crystal(
    grid: ImageGrid, field: Displacement | None = None, *, fault: bool = False
) -> np.ndarray:
    """Counts per pixel of a lattice of two unlike columns, not symmetric.

    A fault is a shift by 0.4 of the first plane beyond the middle of the image.
    """
    at = places(grid)
    if field is not None:
        at = at - field.displacement(at)
    if fault:
        beyond = at[..., :1] > at[0, grid.shape[1] // 2, 0]
        at = at - 0.4 * beyond * np.linalg.inv(PAIR)[:, 0]
    counts = np.zeros(grid.shape)
    for order in ORDER:
        columns = np.exp(-0.15 * (order**2).sum()) * (
            1 + 0.5 * np.exp(-2j * np.pi * order @ [0.3, 0.45])
        )
        counts += (columns * np.exp(2j * np.pi * (at @ (order @ PAIR)))).real
    return DOSE * (1 + 0.95 * counts / np.abs(counts.min()))


def inside_of(grid: ImageGrid) -> np.ndarray:
    """Places away from the frame."""
    at = places(grid)
    return (np.minimum(at - at[0, 0], at[-1, -1] - at) > 4 * SIGMA).all(axis=-1)


def noise_of(image: np.ndarray, grid: ImageGrid) -> FringeNoise:
    """What the disagreement of fringes inside the frame says."""
    fringes = local_fringes(image, grid, G, resolution=SIGMA)
    inside = inside_of(fringes.grid)
    lattice = mean_lattice(fringes, inside)
    window = np.outer(*(np.hanning(size + 2)[1:-1] for size in grid.shape))
    products = fringe_products(image, window, grid, lattice)
    return fringe_noise(fringes, lattice, products, fringes.reference_weight(inside))


def mean_noise(
    draw: Callable[[np.random.Generator], np.ndarray],
    grid: ImageGrid = SQUARE,
    draws: int = 6,
) -> tuple[float, float]:
    """Mean density over pixel area, and mean gain, of several draws."""
    noises = [
        noise_of(draw(np.random.default_rng(seed)), grid) for seed in range(draws)
    ]
    area = np.prod(grid.pixel_size)
    density = np.mean([noise.density for noise in noises]) / area
    return float(density), float(np.mean([noise.gain for noise in noises]))


CENTRE = (7.8, -0.4)
FIELDS = {
    "none": None,
    "uniform": strained(0.02, -0.01, 0.01, rotation=1.5, origin=CENTRE),
    "gradient": Gradient(0.004, direction=60, origin=CENTRE),
    "bumps": Sum(
        (GaussianBump((0.03, 0.02), CENTRE, 1.0), strained(0.01, origin=CENTRE))
    ),
}


@pytest.mark.parametrize("field", FIELDS.values(), ids=FIELDS.keys())
def test_counts_have_their_mean_as_variance(field: Displacement | None) -> None:
    """Whatever the strain is: no β explains noise, and noise alone is left."""
    image = crystal(SQUARE, field)
    density, gain = mean_noise(lambda rng: rng.poisson(image).astype(float))
    assert density == pytest.approx(image.mean(), rel=0.12)
    assert gain == pytest.approx(1 / image.mean(), rel=0.15)


def test_pixels_need_not_be_square() -> None:
    image = crystal(OBLONG, strained(0.01, rotation=1, origin=CENTRE))
    density, gain = mean_noise(lambda rng: rng.poisson(image).astype(float), OBLONG)
    assert density == pytest.approx(image.mean(), rel=0.12)
    assert gain == pytest.approx(1 / image.mean(), rel=0.15)


def test_an_amplified_detector_with_an_offset() -> None:
    """Grey levels 7 N + 900: variance 49 N, which rises by 7 per level."""
    image = crystal(SQUARE)
    density, gain = mean_noise(lambda rng: 7.0 * rng.poisson(image) + 900)
    assert density == pytest.approx(49 * image.mean(), rel=0.12)
    assert gain == pytest.approx(1 / (7 * image.mean()), rel=0.15)


@pytest.mark.parametrize("share", [0.3, 0.7])
def test_a_mixture_of_counts_and_white_noise(share: float) -> None:
    """The gain is that share of the variance that counts have."""
    image = crystal(SQUARE)
    white = np.sqrt(image.mean() * (1 / share - 1))

    def draw(rng: np.random.Generator) -> np.ndarray:
        return rng.poisson(image) + rng.normal(0, white, image.shape)

    density, gain = mean_noise(draw)
    assert density == pytest.approx(image.mean() / share, rel=0.12)
    assert gain * image.mean() == pytest.approx(share, abs=0.15)


@pytest.mark.parametrize("level", [0.2, 30.0])
def test_white_noise_has_no_gain(level: float) -> None:
    image = crystal(SQUARE)
    density, gain = mean_noise(lambda rng: image + rng.normal(0, level, image.shape))
    assert density == pytest.approx(level**2, rel=0.12)
    assert gain < 0.12 / image.mean()


def test_a_fault_in_the_reference_is_neither_strain_nor_noise() -> None:
    """A mean of all slopes would be 1.8 % off, and residuals a hundred times noise."""
    image = crystal(SQUARE, fault=True)
    density, _ = mean_noise(lambda rng: rng.poisson(image).astype(float))
    assert density == pytest.approx(image.mean(), rel=0.3)
    counts = np.random.default_rng(0).poisson(image).astype(float)
    fringes = local_fringes(counts, SQUARE, G, resolution=SIGMA)
    lattice = mean_lattice(fringes, inside_of(fringes.grid))
    np.testing.assert_allclose(lattice, G, atol=4e-3)


def test_density_of_a_noise_free_image_is_nothing() -> None:
    image = crystal(SQUARE, FIELDS["uniform"])
    noise = noise_of(image, SQUARE)
    assert noise.density < 1e-4 * image.mean() * np.prod(SQUARE.pixel_size)


def test_correlation_is_that_of_drawn_phases() -> None:
    """Of the phases of whole-window fringes of one crystal, counted 2000 times."""
    grid = ImageGrid((90, 100), (0.04, 0.04))
    image = crystal(grid)
    window = np.outer(*(np.hanning(size + 2)[1:-1] for size in grid.shape))
    some = G[:6]
    at = places(grid)
    waves = np.exp(-2j * np.pi * np.einsum("ki,yxi->kyx", some, at)) * window
    waves = waves.reshape(len(some), -1)
    rng = np.random.default_rng(0)
    mean = waves @ image.ravel()
    drawn = waves @ rng.poisson(image, (2000, *grid.shape)).reshape(2000, -1).T
    phases = np.angle(drawn / mean[:, None]) * np.abs(mean)[:, None]
    measured = np.cov(phases)
    # The noise of a window w is that of a window w².
    products = fringe_products(image, window**2, grid, some)
    level = (image * window**2).sum() / (window**2).sum()
    noise = FringeNoise(1.0, 1 / level, level, products)
    expected = noise.correlation(len(some))
    scale = np.trace(measured) / np.trace(expected)
    np.testing.assert_allclose(measured / scale, expected, atol=0.1)
    off = expected - np.diag(np.diag(expected))
    assert np.abs(off).max() > 0.3  # there is something to be seen


def test_correlation_does_not_depend_on_the_zero_of_the_grey_levels() -> None:
    """As of a detector with an offset, or a file of 16 bits."""
    grid = ImageGrid((90, 100), (0.04, 0.04))
    image = crystal(grid)
    window = np.outer(*(np.hanning(size + 2)[1:-1] for size in grid.shape))
    products = fringe_products(image, window, grid, G[:6])
    moved = fringe_products(image + 1e5, window, grid, G[:6])
    np.testing.assert_allclose(moved, products, atol=1e-6 * np.abs(products).max())


def test_density_follows_the_local_mean() -> None:
    noise = FringeNoise(2.0, 0.05, 20.0, np.zeros((3, 3)))
    found = noise.density_at(np.array([20.0, 40.0, 10.0, 0.0, -50.0]))
    np.testing.assert_allclose(found, [2.0, 4.0, 1.0, 0.1, 0.1])
    white = FringeNoise.white(3.0, 4)
    np.testing.assert_array_equal(white.density_at(np.array([0.0, 100.0])), 3.0)
    assert white.correlation(4) is None
    np.testing.assert_array_equal(noise.correlation(2), np.eye(2))


def test_fringes_relative_to_a_lattice_say_the_displacement() -> None:
    field = strained(0.02, -0.01, 0.01, rotation=1, origin=CENTRE)
    image = crystal(OBLONG, field)
    fringes = local_fringes(image, OBLONG, G[:3] + 0.05, resolution=SIGMA)
    slope = fringes.slopes_from(G[:3])
    phase = np.stack([fringes.phase_from(g, k) for k, g in enumerate(G[:3])])
    at = places(fringes.grid)
    inside = inside_of(fringes.grid)
    expected = -2 * np.pi * np.einsum("ki,ij->kj", G[:3], field.constant_gradient)
    assert np.abs(slope[:, :, inside] - expected[:, :, None]).max() < 2e-3
    expected = -2 * np.pi * np.einsum("ki,yxi->kyx", G[:3], field.displacement(at))
    rest = np.exp(1j * (phase - expected))
    phases = np.angle(rest / rest[:, 12:13, 12:13])[:, inside]
    assert np.abs(phases).max() < 5e-3


def test_some_of_the_fringes() -> None:
    fringes = local_fringes(crystal(OBLONG), OBLONG, G, resolution=SIGMA)
    some = fringes.at(np.array([4, 1]))
    np.testing.assert_array_equal(some.g_vectors, G[[4, 1]])
    for name in ("phase", "slope", "amplitude"):
        every = getattr(fringes, name)
        np.testing.assert_array_equal(getattr(some, name), every[[4, 1]])
        np.testing.assert_array_equal(getattr(fringes.first(3), name), every[:3])


@pytest.mark.parametrize("noise", [False, True])
def test_a_strained_part_is_no_reference(noise: bool) -> None:
    """The lattice is that of the crystal around a bump of 2 %, and of a steady bend."""
    right = SQUARE.to_nm(130, 300)
    bump = GaussianBump((0.012, 0.012), tuple(right), 0.5)
    image = crystal(SQUARE, bump)
    if noise:
        image = np.random.default_rng(2).poisson(10 * image) / 10
    fringes = local_fringes(image, SQUARE, G, resolution=SIGMA)
    inside = inside_of(fringes.grid)
    found = np.linalg.solve(PAIR, mean_lattice(fringes, inside)[:2])
    np.testing.assert_allclose(found, np.eye(2), atol=1e-4)
    middle = SQUARE.to_nm(200, 220)
    bend = Gradient(0.004, direction=20, origin=tuple(middle))
    bent = local_fringes(crystal(SQUARE, bend), SQUARE, G, resolution=SIGMA)
    found = np.linalg.solve(PAIR, mean_lattice(bent, inside)[:2])
    np.testing.assert_allclose(found, np.eye(2), atol=2e-4)


def test_weight_of_a_reference() -> None:
    """By power and depth, sum 1, nothing outside; an error without fringes."""
    grid = ImageGrid((20, 30), (0.2, 0.1))
    amplitude = np.ones((2, 20, 30))
    amplitude[1, :, 10:] = 0.1
    fringes = Fringes(
        grid, PAIR, SIGMA, amplitude.astype(complex), np.zeros((2, 2, 20, 30)),
        amplitude, np.ones((20, 30)), np.ones((20, 30), bool),
    )  # fmt: skip
    reference = np.zeros((20, 30), bool)
    reference[4:16, 2:28] = True
    weight = fringes.reference_weight(reference)
    assert weight.sum() == pytest.approx(1) and not weight[~reference].any()
    depth = np.minimum(np.arange(30) - 1, 28 - np.arange(30)) * 0.1
    expected = np.minimum(depth, 1.2) * np.where(np.arange(30) < 10, 1.0, 0.01)
    row = weight[9, 2:28]
    np.testing.assert_allclose(row / row[0], (expected / expected[2])[2:28], rtol=1e-9)
    with pytest.raises(ValueError, match="holds no fringes"):
        fringes.reference_weight(np.zeros((20, 30), bool))
