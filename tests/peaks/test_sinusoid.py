# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Refined frequencies of sinusoids against brute-force maximisation."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize

from hyperspy_t2t.peaks.sinusoid import refine_sinusoids

Y, X = 4.0 + np.arange(40) * 0.03, -7.0 + np.arange(56) * 0.02


def component(values: np.ndarray, g: np.ndarray) -> complex:
    return np.exp(-2j * np.pi * g[1] * Y) @ values @ np.exp(-2j * np.pi * g[0] * X)


def example(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(values, window, g) of one noisy wave under an uneven window."""
    rng = np.random.default_rng(seed)
    g = rng.uniform(3, 8, 2) * rng.choice([-1, 1], 2)
    window = np.outer(np.hanning(42)[1:-1], np.hanning(58)[1:-1])
    window *= rng.uniform(0.5, 1) + 0.3 * np.sin(3 * X)
    wave = np.cos(2 * np.pi * (g[0] * X + g[1] * Y[:, None]) + rng.uniform(0, 6))
    return (wave + 0.5 * rng.normal(size=wave.shape)) * window, window, g


@given(st.integers(0, 10_000))
def test_the_maximum_is_that_of_brute_force(seed: int) -> None:
    values, window, g = example(seed)
    rng = np.random.default_rng(seed + 1)
    start = g + rng.uniform(-0.2, 0.2, 2)
    found = refine_sinusoids(values, window, Y, X, start[None], max_step=1.5)
    best = minimize(
        lambda at: -(abs(component(values, at)) ** 2),
        g,
        method="Nelder-Mead",
        options={"xatol": 1e-8, "fatol": 1e-12},
    )
    np.testing.assert_allclose(found.g[0], best.x, atol=1e-5)
    np.testing.assert_allclose(found.component[0], component(values, found.g[0]))


def test_covariance_is_that_of_many_draws() -> None:
    _, window, _ = example(3)
    rng = np.random.default_rng(0)
    g, sigma = np.array([4.2, -5.1]), 1.0
    wave = np.cos(2 * np.pi * (g[0] * X + g[1] * Y[:, None]) + 0.5)
    measured, stated = [], []
    for _ in range(400):
        values = (wave + sigma * rng.normal(size=wave.shape)) * window
        found = refine_sinusoids(values, window, Y, X, g[None], max_step=1.0)
        measured.append(found.g[0])
        noise = sigma**2 * (window**2).sum()
        stated.append(found.covariance[0] * noise / abs(found.component[0]) ** 2)
    ratio = np.std(measured, axis=0) / np.sqrt(np.mean(stated, axis=0).diagonal())
    np.testing.assert_allclose(ratio, 1, atol=0.15)


def test_several_frequencies_are_refined_as_each_alone() -> None:
    values, window, g = example(4)
    starts = np.array([g + 0.1, [2.0, 2.0], -g])
    together = refine_sinusoids(values, window, Y, X, starts, max_step=1.0)
    for k, start in enumerate(starts):
        alone = refine_sinusoids(values, window, Y, X, start[None], max_step=1.0)
        np.testing.assert_allclose(together.g[k], alone.g[0], atol=1e-6)
    np.testing.assert_allclose(together.g[2], -together.g[0], atol=1e-6)


def test_a_start_from_which_the_maximum_is_too_far_stays() -> None:
    values, window, g = example(5)
    start = g + np.array([0.35, 0.0])
    found = refine_sinusoids(values, window, Y, X, start[None], max_step=0.05)
    assert found.g[0].tolist() == pytest.approx(start.tolist())
