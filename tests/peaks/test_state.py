# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Crystalline, amorphous or empty: right, with an honest probability."""

import numpy as np
import pytest

from hyperspy_t2t.data.labelled_spectra import labelled_spectrum
from hyperspy_t2t.data.synthetic import Scan
from hyperspy_t2t.peaks.measure import see
from hyperspy_t2t.peaks.spots import find_spots
from hyperspy_t2t.peaks.state import RegionState, region_state
from hyperspy_t2t.peaks.window import region_window

PIXEL = (0.02, 0.02)
SHAPE = (160, 180)
PHASES = ("Si", "Ge", "Au", "Cu", "NaCl")


def state_of(
    image: np.ndarray,
    mask: np.ndarray | None = None,
    pixel_size: tuple[float, float] = PIXEL,
) -> RegionState:
    mask = np.ones(image.shape, bool) if mask is None else mask
    window = region_window(mask, pixel_size=pixel_size)
    spots = find_spots(
        image, window, pixel_size, method="statistics", min_d=2 * max(pixel_size)
    )
    return region_state(see(image, window, pixel_size, (0.0, 0.0)), spots)


def fringes(g: list[tuple[float, float]], amplitude: float) -> np.ndarray:
    y, x = (np.arange(n) * s for n, s in zip(SHAPE, PIXEL, strict=True))
    return sum(
        amplitude * np.cos(2 * np.pi * (gx * x + gy * y[:, None])) for gx, gy in g
    )


def drawn(kind: str, seed: int, **options: float) -> RegionState:
    """State of a synthetic region with jitter, streaks and a background."""
    rng = np.random.default_rng([seed, 20])
    size = int(rng.integers(128, 200))
    scan = Scan(
        shape=(size, size),
        dose=float(np.exp(rng.uniform(*np.log(options.pop("dose", (1, 100)))))),
        row_jitter=float(rng.uniform(0, 0.6)),
        background=float(rng.uniform(0, 0.5)),
    )
    drawn = labelled_spectrum(
        kind, phases=PHASES, window=region_window, scan=scan, seed=seed, **options
    )
    image = drawn.image.astype(float)
    streak = 0.3 * np.sqrt(image.mean())
    image += streak * rng.normal(size=(size, 1)) + streak * rng.normal(size=size)
    return state_of(image, drawn.mask, drawn.pixel_size)


@pytest.mark.parametrize(
    ("kind", "state", "dose"),
    [
        ("crystal", "crystalline", (2, 100)),
        ("amorphous", "amorphous", (20, 100)),
        ("empty", "empty", (1, 100)),
    ],
)
def test_synthetic_regions_are_told_apart(kind: str, state: str, dose) -> None:
    found = [drawn(kind, seed, dose=dose) for seed in range(12)]
    wrong = [each for each in found if each.state != state]
    assert len(wrong) <= 1
    assert all(each.probability < 0.9 for each in wrong)


def test_probabilities_are_honest() -> None:
    """Of regions so noisy that many can't be told, those said to be sure are right."""
    sure, right, probabilities = 0, 0, []
    for kind, state in (("crystal", "crystalline"), ("amorphous", "amorphous"),
                        ("empty", "empty")):  # fmt: skip
        for seed in range(100, 110):
            found = drawn(kind, seed, dose=(0.05, 5))
            assert 1 / 3 <= found.probability + 1e-9 <= 1
            probabilities.append(found.probability)
            sure += found.probability > 0.9
            right += found.probability > 0.9 and found.state == state
    assert right >= 0.9 * sure
    # A probability that is always high or always low says nothing.
    assert 3 <= sure <= 27
    assert np.ptp(probabilities) > 0.3


def test_a_crystal_under_a_film_stays_crystalline() -> None:
    found = [
        drawn("crystal", seed, dose=(10, 50), contamination=2) for seed in range(5)
    ]
    assert all(each.state == "crystalline" for each in found)


def test_film_with_a_ring_is_amorphous_and_reports_it() -> None:
    rng = np.random.default_rng(1)
    gy, gx = (np.fft.fftfreq(n, s) for n, s in zip(SHAPE, PIXEL, strict=True))
    g = np.hypot(gy[:, None], gx)
    power = 1 + 8 * np.exp(-(((g - 9) / 1.5) ** 2))
    noise = np.fft.ifft2(np.fft.fft2(rng.normal(size=SHAPE)) * np.sqrt(power)).real
    found = state_of(20 + noise)
    assert found.state == "amorphous"
    assert found.probability > 0.95
    assert found.rings[0].radius == pytest.approx(9, abs=0.4)


@pytest.mark.parametrize("kind", ["counts", "camera", "drift", "streaks", "afterglow"])
def test_noise_without_matter_is_empty(kind: str) -> None:
    rng = np.random.default_rng(2)
    y, x = (np.linspace(-1, 1, n) for n in SHAPE)
    for _ in range(8):
        image = rng.poisson(8.0, SHAPE).astype(float)
        if kind == "camera":
            # Each electron also lights up the four pixels next to its own.
            image = image + 0.15 * sum(
                np.roll(image, step, axis) for step in (-1, 1) for axis in (0, 1)
            )
        elif kind == "drift":
            image += 6 * x + 8 * y[:, None] ** 2 + 4 * np.sin(2 * x * y[:, None])
        elif kind == "streaks":
            image += 3 * rng.normal(size=(SHAPE[0], 1)) + 3 * rng.normal(size=SHAPE[1])
        elif kind == "afterglow":
            # A slow detector smears each count along its row.
            image = sum(0.7**k * np.roll(image, k, axis=1) for k in range(12))
        found = state_of(image)
        assert found.state == "empty" or found.probability < 0.9
        assert not found.rings


def test_fringes_in_one_direction_count_if_beyond_doubt() -> None:
    rng = np.random.default_rng(3)
    noise = rng.normal(20, 1, SHAPE)
    slanted = [(4.1, 1.7)]
    assert state_of(noise + fringes(slanted, 0.3)).state == "crystalline"
    assert state_of(noise + fringes(slanted, 0.08)).state != "crystalline"
    # What is exactly along the rows may be hum.
    assert state_of(noise + fringes([(0.0, 5.0)], 0.5)).state != "crystalline"
    aligned = state_of(noise + fringes([(0.0, 5.0), (5.0, 0.0)], 0.5))
    assert aligned.state == "crystalline"
    assert aligned.probability < 0.995


def test_what_shows_nothing_says_so() -> None:
    rng = np.random.default_rng(4)
    flat = state_of(np.full(SHAPE, 7.0))
    assert flat.state == "empty"
    assert flat.probability == pytest.approx(1 / 3)
    for shape in ((3, 3), (1, 50), (12, 12)):
        few = state_of(rng.normal(10, 1, shape))
        assert few.state == "empty"
        assert few.probability < 0.6
    # Pixels of micrometres show no atoms, whatever they hold.
    coarse = state_of(rng.normal(10, 1, SHAPE), pixel_size=(3.0, 3.0))
    assert coarse.state == "empty"
    assert coarse.probability == pytest.approx(1 / 3)


def test_missing_pixels_do_not_hide_a_crystal_or_invent_one() -> None:
    rng = np.random.default_rng(5)
    noise = rng.normal(20, 1, SHAPE)
    crystal = noise + fringes([(4.1, 1.7), (-1.7, 4.1)], 0.5)
    for image, state in ((noise, "empty"), (crystal, "crystalline")):
        image[40:43, 20:90] = np.nan
        assert state_of(image).state == state
    assert state_of(np.full(SHAPE, np.nan)).state == "empty"
