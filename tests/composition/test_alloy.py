# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Elements drawn from local fractions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hyperspy_t2t.composition.alloy import check_fractions, draw_elements

weights = st.lists(st.integers(0, 50), min_size=2, max_size=4).filter(any)


@given(st.integers(0, 2**31), weights)
def test_fractions_are_kept_within_the_binomial_error(
    seed: int, weights: list[int]
) -> None:
    share = np.array(weights) / sum(weights)
    elements, count = [14, 32, 50, 6][: len(share)], 20_000
    fractions = np.repeat(share[:, None], count, axis=1)
    drawn = draw_elements(np.full(count, 14), fractions, elements, seed=seed)
    found = np.array([(drawn == element).mean() for element in elements])
    assert np.all(np.abs(found - share) <= 6 * np.sqrt(share * (1 - share) / count))


def test_fractions_may_vary_from_place_to_place() -> None:
    count = 100_000
    ge = np.linspace(0, 1, count)
    drawn = draw_elements(np.full(count, 32), np.stack([1 - ge, ge]), [14, 32], seed=1)
    share = (drawn == 32).reshape(10, -1).mean(axis=1)
    np.testing.assert_allclose(share, np.arange(0.05, 1, 0.1), atol=0.02)
    assert drawn[0] == 14  # nothing is drawn whose fraction is zero


def test_a_seed_gives_the_same_atoms_again() -> None:
    fractions = np.full((2, 1000), 0.5)
    numbers = np.full(1000, 14)
    one, same, other = (
        draw_elements(numbers, fractions, [14, 32], seed=seed) for seed in (7, 7, 8)
    )
    np.testing.assert_array_equal(one, same)
    assert (one != other).any()
    assert (numbers == 14).all()


def test_other_elements_and_unknown_places_stay() -> None:
    numbers = np.array([31, 33, 31, 49, 8])
    fractions = np.array([[0, 0, np.nan, 0, 0], [1, 1, 1, 1, 1.0]])
    drawn = draw_elements(numbers, fractions, [31, 49], seed=0)
    assert drawn.tolist() == [49, 33, 31, 49, 8]


@pytest.mark.parametrize(
    ("fractions", "message"),
    [
        ({"Si": 70.0, "Ge": 30.0}, r"fractions of Si from 0 to 1, got 70 to 70.*100"),
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
