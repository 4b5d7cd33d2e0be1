# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""A peak that a person points at, and the noise under it."""

import numpy as np
import pytest

from hyperspy_t2t.frequencies import hann_window
from hyperspy_t2t.peaks.finders import Finder
from hyperspy_t2t.peaks.manual import measure_spot, noise_densities
from hyperspy_t2t.peaks.measure import see
from hyperspy_t2t.peaks.spots import SPOT_COLUMNS

PIXEL = (0.02, 0.03)
SHAPE = (160, 180)
G = np.array([2.31, -1.17])
FINDERS = SPOT_COLUMNS.index("finders")


def fringes(noise: float = 0.1, amplitude: float = 1.0) -> np.ndarray:
    y, x = (np.arange(n) * step for n, step in zip(SHAPE, PIXEL, strict=True))
    waves = amplitude * np.cos(2 * np.pi * (G[0] * x + G[1] * y[:, None]) + 0.4)
    return 100 + waves + np.random.default_rng(0).normal(0, noise, SHAPE)


@pytest.mark.parametrize("away", [(0.0, 0.0), (0.2, -0.3), (-0.25, 0.2)])
def test_the_maximum_beside_the_point_is_measured(away: tuple) -> None:
    seen = see(fringes(), hann_window(SHAPE), PIXEL, (0.0, 0.0))
    spots = measure_spot(seen, G + away)
    assert len(spots) == 2
    np.testing.assert_allclose(spots[0, :2], -spots[1, :2])
    found = spots[np.argmax(spots[:, :2] @ G), :2]
    np.testing.assert_allclose(found, G, atol=2e-3)
    assert (spots[:, FINDERS] == Finder.HAND).all()


@pytest.mark.parametrize(("sigma", "amplitude"), [(0.3, 1.0), (2.0, 0.0)])
def test_white_noise_has_its_density_at_every_g(sigma, amplitude) -> None:
    mask = np.zeros(SHAPE, bool)
    mask[10:150, 15:160] = True
    g = np.array([G, 3 * G, (0.5, 9.0)])
    density = noise_densities(fringes(sigma, amplitude), mask, PIXEL, g)
    np.testing.assert_allclose(density, sigma**2 * PIXEL[0] * PIXEL[1], rtol=0.15)


def test_a_flat_region_has_no_noise() -> None:
    flat = noise_densities(np.ones(SHAPE), np.ones(SHAPE, bool), PIXEL, G[None])
    assert flat.tolist() == [0.0]
