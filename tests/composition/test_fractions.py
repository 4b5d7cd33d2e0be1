# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Fractions from amounts, and which fractions are possible."""

import numpy as np
import pytest

from hyperspy_t2t.composition.fractions import (
    check_fractions,
    normalised_fractions,
    z_contrast,
)


@pytest.mark.parametrize(
    ("fractions", "message"),
    [
        ({"Si": 70.0, "Ge": 30.0}, r"fractions of Si from 0 to 1, got 70.*100"),
        ({"Si": -0.2, "Ge": 1.0}, r"Si from 0 to 1, got -0.2"),
        ({"Si": 0.5, "Ge": 0.3}, r"Si, Ge that sum to 1.*got a sum of 0.8"),
        ({"Si": np.nan, "Ge": 1.0}, "NaN everywhere"),
    ],
)
def test_impossible_fractions(fractions: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_fractions({key: np.full((2, 3), v) for key, v in fractions.items()})


def test_possible_fractions_with_gaps() -> None:
    silicon = np.array([0.3, np.nan, 1.0])
    check_fractions({"Si": silicon, "Ge": np.array([0.705, 5.0, 0.0])})


def test_amounts_become_fractions_with_variances():
    random = np.random.default_rng(0)
    amount = np.array([3.0, 1.0, 6.0])[:, None] * np.ones(20_000)
    spread = np.array([0.1, 0.2, 0.3])[:, None]
    noisy = amount + spread * random.normal(size=amount.shape)
    fractions, variance = normalised_fractions(noisy, spread**2 * np.ones(20_000))
    np.testing.assert_allclose(fractions.mean(axis=1), [0.3, 0.1, 0.6], atol=1e-3)
    np.testing.assert_allclose(variance.mean(axis=1), fractions.var(axis=1), rtol=0.05)


def test_places_with_too_little_are_unknown():
    amounts = np.array([[1.0, 2, 0.01, -1, np.nan], [1, 2, 0.02, 0, 1]])
    fractions, variance = normalised_fractions(amounts)
    assert variance is None
    np.testing.assert_array_equal(
        np.isfinite(fractions[0]), [True, True, False, False, False]
    )
    with pytest.raises(ValueError, match="above zero somewhere"):
        normalised_fractions(np.zeros((2, 3)))


def test_heavy_elements_are_bright():
    bright = z_contrast(np.array([[[1.0, 0.0]], [[0.0, 1.0]]]), np.array([14, 32]))
    np.testing.assert_allclose(bright, [[(14 / 32) ** 1.7, 1]])
