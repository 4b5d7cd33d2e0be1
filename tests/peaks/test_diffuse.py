# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Diffuse rings: noise of known spectrum in, radius, width and height out."""

from collections.abc import Callable

import numpy as np
import pytest

from hyperspy_t2t.peaks.diffuse import (
    DiffuseRing,
    diffuse_rings,
    radial_profiles,
    white_level,
)
from hyperspy_t2t.peaks.measure import see
from hyperspy_t2t.peaks.window import region_window

PIXEL = (0.02, 0.03)
SHAPE = (230, 180)


def coloured(
    rng: np.random.Generator,
    power: Callable[[np.ndarray], np.ndarray],
    shape: tuple[int, int] = SHAPE,
) -> np.ndarray:
    """Noise whose expected power at g is power(|g|)."""
    gy, gx = (np.fft.fftfreq(n, s) for n, s in zip(shape, PIXEL, strict=True))
    amplitude = np.sqrt(power(np.hypot(gy[:, None], gx)))
    return np.fft.ifft2(np.fft.fft2(rng.normal(size=shape)) * amplitude).real


def gaussian(g: np.ndarray, radius: float, fwhm: float) -> np.ndarray:
    return np.exp(-4 * np.log(2) * ((g - radius) / fwhm) ** 2)


def disk(shape: tuple[int, int]) -> np.ndarray:
    y, x = ((np.arange(n) - n / 2) * s for n, s in zip(shape, PIXEL, strict=True))
    return np.hypot(y[:, None], x) < 2.2


def rings_of(
    image: np.ndarray, mask: np.ndarray | None = None, spots_g=()
) -> tuple[DiffuseRing, ...]:
    window = region_window(np.ones(image.shape, bool) if mask is None else mask,
                           pixel_size=PIXEL)  # fmt: skip
    seen = see(image, window, PIXEL, (0.0, 0.0))
    return diffuse_rings(radial_profiles(seen, spots_g))


@pytest.mark.parametrize("outline", ["whole", "disk"])
def test_errors_of_the_profile_are_those_of_exponential_noise(outline: str) -> None:
    rng = np.random.default_rng(1)
    mask = np.ones(SHAPE, bool) if outline == "whole" else disk(SHAPE)
    window = region_window(mask, pixel_size=PIXEL)
    normalised = []
    for _ in range(30):
        image = rng.normal(50, 3, SHAPE)
        for profile in radial_profiles(see(image, window, PIXEL, (0, 0))):
            normalised.append((profile.power / 9 - 1) * np.sqrt(profile.count))
    normalised = np.concatenate(normalised)
    assert abs(normalised.mean()) < 0.1
    assert 0.85 < normalised.std() < 1.1


@pytest.mark.parametrize("outline", ["whole", "disk"])
def test_a_ring_is_measured_within_its_errors(outline: str) -> None:
    rng = np.random.default_rng(2)
    mask = np.ones(SHAPE, bool) if outline == "whole" else disk(SHAPE)
    truth = np.array([6.0, 2.0, 3.0])
    rows, errors = [], []
    for _ in range(30):
        image = coloured(rng, lambda g: 4 * (1 + 3 * gaussian(g, 6.0, 2.0)))
        found = rings_of(100 + image, mask)
        assert len(found) == 1
        ring = found[0]
        rows.append([ring.radius, ring.width, ring.height])
        errors.append([ring.radius_std, ring.width_std, ring.height_std])
        assert ring.significance > 4
    normalised = (np.array(rows) - truth) / errors
    assert np.abs(np.mean(rows, axis=0) / truth - 1).max() < 0.12
    assert np.mean(np.abs(normalised) < 1) > 0.5
    assert np.mean(np.abs(normalised) < 3) > 0.96
    # Errors that are much too large would pass the above.
    assert np.abs(normalised).mean() > 0.4


def test_two_rings_of_one_film() -> None:
    rng = np.random.default_rng(3)
    image = coloured(
        rng, lambda g: 1 + 4 * gaussian(g, 4.0, 1.0) + 1.5 * gaussian(g, 7.5, 1.6)
    )
    found = sorted(rings_of(image))
    assert [ring.radius for ring in found] == pytest.approx([4.0, 7.5], abs=0.25)
    assert [ring.width for ring in found] == pytest.approx([1.0, 1.6], abs=0.6)


def falling(kind: str, g: np.ndarray) -> np.ndarray:
    """Spectra without a ring."""
    if kind == "white":
        return np.ones_like(g)
    if kind == "camera":
        return 0.1 + np.exp(-((g / 15) ** 2))
    if kind == "drift":
        return 1 + 300 / (0.3 + g) ** 3
    return 1 + 20 * np.exp(-((g / 4) ** 2))


@pytest.mark.parametrize("kind", ["white", "camera", "drift", "texture"])
def test_noise_that_falls_with_frequency_has_no_ring(kind: str) -> None:
    """One in a hundred may; four or more of a hundred would have a chance of 2 %."""
    rng = np.random.default_rng(4)
    number = sum(
        len(rings_of(coloured(rng, lambda g: falling(kind, g), (140, 120)))) > 0
        for _ in range(100)
    )
    assert number <= 3


def test_counting_noise_has_no_ring_and_its_level_is_the_mean() -> None:
    rng = np.random.default_rng(5)
    window = region_window(np.ones(SHAPE, bool))
    number, levels = 0, []
    for _ in range(40):
        seen = see(rng.poisson(2.0, SHAPE).astype(float), window, PIXEL, (0, 0))
        profiles = radial_profiles(seen)
        number += len(diffuse_rings(profiles)) > 0
        levels.append(white_level(profiles[0]))
    assert number <= 2
    assert np.mean(levels) == pytest.approx(2.0, rel=0.02)


def test_streaks_and_spots_are_no_rings() -> None:
    rng = np.random.default_rng(6)
    y, x = (np.arange(n) * s for n, s in zip(SHAPE, PIXEL, strict=True))
    g = np.array([[4.0, 1.0], [-1.1, 3.9], [2.9, 4.9], [5.1, -2.9]])
    for strength in (0.5, 2.0):
        image = rng.normal(size=SHAPE)
        image += strength * (rng.normal(size=(SHAPE[0], 1)) + rng.normal(size=SHAPE[1]))
        assert not rings_of(image)
        jitter = rng.normal(0, 0.01, SHAPE[0])[:, None]
        for gx, gy in g:
            image += strength * np.cos(
                2 * np.pi * (gx * (x + jitter) + gy * y[:, None])
            )
        assert not rings_of(image, spots_g=g)


def test_a_ring_under_a_crystal() -> None:
    rng = np.random.default_rng(7)
    y, x = (np.arange(n) * s for n, s in zip(SHAPE, PIXEL, strict=True))
    image = coloured(rng, lambda g: 1 + 6 * gaussian(g, 5.0, 1.5))
    g = np.array([[4.5, 1.5], [-1.5, 4.5]])
    for gx, gy in g:
        image += 2 * np.cos(2 * np.pi * (gx * x + gy * y[:, None]))
    (ring,) = rings_of(image, spots_g=g)
    assert ring.radius == pytest.approx(5.0, abs=4 * ring.radius_std)


def test_regions_of_a_few_pixels_have_no_ring() -> None:
    rng = np.random.default_rng(8)
    for shape in ((2, 40), (4, 3), (5, 40), (9, 9)):
        assert rings_of(rng.normal(size=shape)) == ()
