# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Weighted least squares at every place, against those of numpy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hyperspy_t2t.strain.place_solver import least_squares_solver


def correlated(rng: np.random.Generator, count: int) -> np.ndarray:
    """A positive definite matrix with ones on its diagonal."""
    root = rng.normal(size=(count, count + 3))
    product = root @ root.T
    scale = np.sqrt(np.diag(product))
    return product / np.outer(scale, scale)


def by_numpy(g: np.ndarray, weight: np.ndarray, correlation: np.ndarray) -> np.ndarray:
    """Generalised least squares of one place by whitening and pseudoinverse, (2, n)."""
    used = weight > 0
    covariance = correlation[np.ix_(used, used)]
    covariance = covariance / np.sqrt(np.outer(weight[used], weight[used]))
    whitening = np.linalg.inv(np.linalg.cholesky(covariance))
    result = np.zeros((2, len(g)))
    result[:, used] = np.linalg.pinv(whitening @ g[used]) @ whitening
    return result


@given(st.integers(0, 2**32 - 1), st.integers(2, 9), st.booleans())
def test_any_weights_and_correlation(seed: int, count: int, white: bool) -> None:
    """With zeros, seven decades of weights, and places that share what is zero."""
    rng = np.random.default_rng(seed)
    g = rng.normal(0, 4, (count, 2))
    weight = 10 ** rng.uniform(-3, 4, (count, 3, 4)) * (rng.random((count, 3, 4)) < 0.7)
    g[1] = [-g[0, 1], g[0, 0]]  # never all parallel
    weight[:2] = np.maximum(weight[:2], 1.0)
    correlation = np.eye(count) if white else correlated(rng, count)
    found = least_squares_solver(g, weight, None if white else correlation)
    assert found.shape == (2, count, 3, 4)
    for place in np.ndindex(3, 4):
        here = (slice(None), *place)
        expected = by_numpy(g, weight[here], correlation)
        np.testing.assert_allclose(
            found[(slice(None), *here)], expected, atol=2e-6 * np.abs(expected).max()
        )


@given(st.integers(0, 2**32 - 1))
def test_two_g_are_inverted_whatever_their_weights(seed: int) -> None:
    rng = np.random.default_rng(seed)
    turn, skew = rng.uniform(0, 2 * np.pi), rng.uniform(0.4, np.pi - 0.4)
    g = 3 * np.array([[np.cos(a), np.sin(a)] for a in (turn, turn + skew)])
    weight = rng.uniform(0.1, 10, (2, 1, 2))
    found = least_squares_solver(g, weight, correlated(rng, 2))
    for place in range(2):
        np.testing.assert_allclose(found[:, :, 0, place], np.linalg.inv(g), rtol=1e-7)


def test_it_returns_what_made_the_data() -> None:
    """A solver of full rank returns β from G β, also with some g left out."""
    rng = np.random.default_rng(2)
    g = rng.normal(0, 4, (7, 2))
    weight = rng.uniform(0, 3, (7, 2, 5)) * (rng.random((7, 2, 5)) < 0.8)
    weight[:3] += 0.1
    found = least_squares_solver(g, weight, correlated(rng, 7))
    identity = np.einsum("ikyx,kj->ijyx", found, g)
    expected = np.broadcast_to(np.eye(2)[:, :, None, None], identity.shape)
    np.testing.assert_allclose(identity, expected, atol=1e-9)
    assert (found[:, weight == 0] == 0).all()


def test_places_where_nothing_is_known_are_nan() -> None:
    weight = np.ones((3, 2, 2))
    weight[:, 1, 0] = 0
    found = least_squares_solver(np.array([[3.0, 0], [0, 3], [3, 3]]), weight)
    assert np.isnan(found[:, :, 1, 0]).all()
    assert np.isfinite(np.delete(found.reshape(2, 3, 4), 2, axis=2)).all()


def test_correlation_is_what_makes_it_better() -> None:
    """The variance by drawn noise is (Gᵀ R⁻¹ G)⁻¹, the smallest of all."""
    rng = np.random.default_rng(5)
    g, correlation = rng.normal(0, 4, (6, 2)), correlated(rng, 6)
    ones = np.ones((6, 1, 1))
    draws = rng.multivariate_normal(np.zeros(6), correlation, 40_000)
    spread = {}
    for name, given_correlation in (("with", correlation), ("without", None)):
        solver = least_squares_solver(g, ones, given_correlation)[:, :, 0, 0]
        spread[name] = (draws @ solver.T).var(axis=0)
    expected = np.diag(np.linalg.inv(g.T @ np.linalg.solve(correlation, g)))
    np.testing.assert_allclose(spread["with"], expected, rtol=0.03)
    assert (spread["with"] < 0.97 * spread["without"]).all()


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_layout_and_type_of_the_weights(kind: type) -> None:
    rng = np.random.default_rng(0)
    g, weight = rng.normal(0, 4, (4, 2)), rng.uniform(1, 2, (4, 6, 5)).astype(kind)
    expected = least_squares_solver(g, weight)
    strided = np.asfortranarray(np.repeat(weight, 2, axis=2))[:, :, ::2]
    np.testing.assert_allclose(least_squares_solver(g, strided), expected, rtol=1e-12)
