# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Spots of a region's spectrum: positions, errors, false alarms, artefacts."""

import numpy as np
import pytest

from hyperspy_t2t.data.synthetic import Region, Scan, synthetic_arrays
from hyperspy_t2t.frequencies import hann_window
from hyperspy_t2t.peaks.manual import measure_spot
from hyperspy_t2t.peaks.measure import see
from hyperspy_t2t.peaks.spots import SPOT_COLUMNS, SPOT_UNITS, find_spots
from hyperspy_t2t.peaks.window import region_window

PIXEL = (0.02, 0.03)
SHAPE = (120, 160)


def waves(
    shape: tuple[int, int],
    pixel: tuple[float, float],
    g: np.ndarray,
    amplitude: list[float],
    phase: list[float],
    origin: tuple[float, float] = (0.0, 0.0),
) -> np.ndarray:
    y, x = (o + np.arange(n) * s for o, n, s in zip(origin, shape, pixel, strict=True))
    return sum(
        a * np.cos(2 * np.pi * (gx * x + gy * y[:, None]) + p)
        for (gx, gy), a, p in zip(g, amplitude, phase, strict=True)
    )


def disk(shape: tuple[int, int], pixel: tuple[float, float], radius: float):
    y, x = ((np.arange(n) - n / 2) * s for n, s in zip(shape, pixel, strict=True))
    return np.hypot(y[:, None], x) < radius


def outlines(size: int) -> dict[str, np.ndarray]:
    """Regions whose straight and round outlines could draw streaks."""
    y, x = np.indices((size, size)) / size - 0.5
    r = np.hypot(y, x)
    return {
        "whole": np.ones((size, size), bool),
        "corner": (y > 0) | (x < -0.1),
        "disk": r < 0.4,
        "ring": (r < 0.49) & (r > 0.18),
        "slanted bar": np.abs(y - x) < 0.15,
        "wedge": y > 0.4 * x - 0.1,
    }


def distances(spots: np.ndarray, g: np.ndarray) -> np.ndarray:
    """From each spot to each g, (n, m)."""
    return np.linalg.norm(spots[:, None, :2] - np.reshape(g, (-1, 2)), axis=-1)


@pytest.mark.parametrize("shape", ["whole", "disk"])
def test_standard_errors_are_honest(shape: str) -> None:
    rng = np.random.default_rng(5)
    mask = np.ones(SHAPE, bool) if shape == "whole" else disk(SHAPE, PIXEL, 1.1)
    window = region_window(mask, pixel_size=PIXEL)
    normalised = []
    for _ in range(150):
        turn = rng.uniform(-1.2, 1.2)
        first = rng.uniform(3, 5) * np.array([np.cos(turn), np.sin(turn)])
        g = np.array([first, [-1.1 * first[1], 1.1 * first[0]]])
        image = 10 + waves(SHAPE, PIXEL, g, [0.5, 0.3], rng.uniform(0, 6, 2))
        image += rng.normal(size=SHAPE)
        spots = find_spots(image, window, PIXEL, method="statistics", max_d=1)
        assert len(spots) >= 4
        nearest = spots[distances(spots, g).argmin(axis=0)]
        normalised.append((nearest[:, :2] - g) / nearest[:, 3:5])
    normalised = np.concatenate(normalised)
    assert np.abs(normalised.mean(axis=0)).max() < 0.2
    assert np.all((normalised.std(axis=0) > 0.75) & (normalised.std(axis=0) < 1.2))
    assert np.mean(np.abs(normalised) > 3) < 0.01


def test_table_of_a_noise_free_image() -> None:
    """Amplitude, phase and position of known waves; no side lobes; partners."""
    g = np.array([[4.013, 1.207], [-2.51, 5.04], [7.3, 9.1]])
    amplitude, phase = [3.0, 1.0, 0.03], [0.4, -2.0, 1.1]
    origin = (3.7, -12.9)
    image = 20 + waves(SHAPE, PIXEL, g, amplitude, phase, origin)
    spots = find_spots(image, hann_window(SHAPE), PIXEL, origin, max_d=1)
    assert spots.shape == (6, len(SPOT_COLUMNS)) and len(SPOT_UNITS) == len(
        SPOT_COLUMNS
    )
    np.testing.assert_array_equal(spots[1::2, :2], -spots[::2, :2])
    np.testing.assert_array_equal(spots[1::2, 6], -spots[::2, 6])
    np.testing.assert_array_equal(spots[1::2, 2:6], spots[::2, 2:6])
    found = spots[distances(spots, g).argmin(axis=0)]
    # Waves push each other's maxima through the side lobes of the window.
    assert np.all(distances(found, g).diagonal() < [1e-4, 1e-3, 1e-2])
    np.testing.assert_allclose(
        found[:2, 2], (np.array(amplitude[:2]) / 20) ** 2, rtol=2e-3
    )
    np.testing.assert_allclose(found[:2, 6], phase[:2], atol=0.05)


@pytest.mark.parametrize("kind", ["gaussian", "poisson"])
@pytest.mark.parametrize("shape", ["whole", "ring", "slanted bar"])
def test_false_alarms_in_pure_noise(kind: str, shape: str) -> None:
    rng = np.random.default_rng(6)
    window = region_window(outlines(96)[shape])
    stated, draws = 0.1, 100
    total = 0
    for _ in range(draws):
        noise = rng.normal(10, 1, window.shape)
        if kind == "poisson":
            noise = rng.poisson(3, window.shape)
        spots = find_spots(
            noise, window, (0.02, 0.02), method="statistics", false_alarms=stated
        )
        total += len(spots) / 2
    assert total / draws < 5 * stated


@pytest.mark.parametrize("shape", outlines(8))
@pytest.mark.parametrize(
    "imaging",
    [{}, {"dose": 200.0}, {"row_jitter": 1.0, "dose": 300.0}],
    ids=["noise-free", "dose", "jitter"],
)
def test_a_crystal_shows_its_reflections_and_nothing_else(
    shape: str, imaging: dict
) -> None:
    region = Region("Si diamond", (1, 1, 0), 17.0)
    scan = Scan(shape=(320, 320), pixel_size=(0.02, 0.02), seed=3, **imaging)
    image, truth = synthetic_arrays([region], scan)
    window = region_window(outlines(320)[shape])
    spots = find_spots(image.astype(float), window, (0.02, 0.02))
    known = truth["regions"]["region_1"]
    away = distances(spots, known["g_image"])
    # A spectral pixel is 0.16; side lobes push the faintest reflections. Without
    # noise the steps of the outline show, far below what a micrograph resolves.
    away = away[spots[:, 2] > 1e-6 * spots[:, 2].max()]
    assert away.min(axis=1).max() < 0.35
    strong = known["strength"] > 0.2
    assert away.min(axis=0)[strong].max() < 0.02


def test_a_flat_region_and_an_empty_one_have_no_spots() -> None:
    flat = np.full((64, 64), 3.0)
    assert find_spots(flat, hann_window(flat.shape), PIXEL).shape == (
        0,
        len(SPOT_COLUMNS),
    )
    nothing = np.full((64, 64), np.nan)
    assert find_spots(nothing, hann_window(flat.shape), PIXEL).shape == (
        0,
        len(SPOT_COLUMNS),
    )
    assert find_spots(flat, np.zeros((64, 64)), PIXEL).shape == (0, len(SPOT_COLUMNS))
    slope = np.add.outer(3.0 * np.arange(64), 0.5 * np.arange(64))
    assert len(find_spots(slope, hann_window(flat.shape), PIXEL)) == 0


def test_pixels_without_value_have_no_weight() -> None:
    rng = np.random.default_rng(8)
    g = np.array([[4.0, 1.0], [-1.0, 4.4]])
    image = 10 + waves(SHAPE, PIXEL, g, [1, 1], [0, 1]) + rng.normal(0, 0.5, SHAPE)
    image[rng.random(SHAPE) < 0.05] = np.nan
    spots = find_spots(image, hann_window(SHAPE), PIXEL, max_d=1)
    assert len(spots) == 4
    assert distances(spots, g).min(axis=0).max() < 0.03


@pytest.mark.parametrize("direction", [0.0, 0.7, np.pi / 2])
def test_two_close_spots_are_told_apart(direction: float) -> None:
    rng = np.random.default_rng(9)
    shape, pixel = (128, 128), (0.02, 0.02)
    apart = 6.0 / (128 * 0.02)  # six spectral pixels
    first = np.array([4.1, 2.3])
    step = apart * np.array([np.cos(direction), np.sin(direction)])
    g = np.stack([first, first + step])
    image = waves(shape, pixel, g, [1, 0.6], [0, 2]) + rng.normal(0, 0.3, shape)
    spots = find_spots(image, hann_window(shape), pixel, max_d=1)
    assert len(spots) == 4
    assert distances(spots, g).min(axis=0).max() < 0.05


def test_a_weak_spot_is_found_once_it_stands_above_the_threshold() -> None:
    """The threshold is near 14 times the noise; between two pixels half is lost."""
    rng = np.random.default_rng(10)
    shape, pixel = (128, 128), (0.02, 0.02)
    window = hann_window(shape)
    found = {}
    for snr in (3.0, 45.0):
        amplitude = 2 * np.sqrt(snr * (window**2).sum()) / window.sum()
        hits = 0
        for _ in range(30):
            g = rng.uniform(3, 8, 2)
            image = waves(shape, pixel, [g], [amplitude], [1]) + rng.normal(size=shape)
            spots = find_spots(image, window, pixel, method="statistics", max_d=1)
            hits += len(spots) > 0 and distances(spots, g).min() < 0.3
        found[snr] = hits
    assert found[3.0] <= 2 and found[45.0] >= 28


def test_limits_of_the_period() -> None:
    g = np.array([[3.0, 0.5], [9.0, -1.0]])
    image = waves(SHAPE, PIXEL, g, [1, 1], [0, 0])
    window = hann_window(SHAPE)
    short = find_spots(image, window, PIXEL, max_d=0.2)
    long = find_spots(image, window, PIXEL, min_d=0.2, max_d=1)
    assert len(short) == len(long) == 2
    assert distances(short, g[1]).min() < 0.01 and distances(long, g[0]).min() < 0.01


def test_a_spot_pointed_at_is_measured_as_a_found_one() -> None:
    g = np.array([[4.0, 1.0], [-1.0, 4.4]])
    origin = (1.0, 2.0)
    rng = np.random.default_rng(11)
    image = 5 + waves(SHAPE, PIXEL, g, [1, 1], [0, 1]) + rng.normal(0, 0.5, SHAPE)
    spots = find_spots(image, hann_window(SHAPE), PIXEL, origin, max_d=1)
    seen = see(image, hann_window(SHAPE), PIXEL, origin)
    by_hand = measure_spot(seen, g[1] + [0.2, -0.3])
    nearest = spots[distances(spots, g[1]).argmin()]
    np.testing.assert_allclose(by_hand[0, :2], nearest[:2], atol=1e-6)
    np.testing.assert_allclose(by_hand[0, 2:7], nearest[2:7], rtol=1e-3)


@pytest.mark.parametrize(
    ("g", "message"),
    [
        ([0.0, 0.0], "not zero and within the Nyquist limit"),
        ([17.0, 0.0], r"±\(16.67, 25\)"),
        ([1.0, 2.0, 3.0], r"\(gx, gy\) in 1/nm"),
    ],
)
def test_a_spot_that_cannot_be_measured(g: list, message: str) -> None:
    values = np.random.default_rng(0).normal(size=SHAPE)
    seen = see(values, hann_window(SHAPE), PIXEL, (0, 0))
    with pytest.raises(ValueError, match=message):
        measure_spot(seen, np.array(g))
