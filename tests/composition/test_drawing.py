# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Elements drawn for columns of atoms: exact sums, right on average, random."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2

from hyperspy_t2t.composition.drawing import draw_atoms, whole_totals

ELEMENTS = [14, 32, 50, 6]


def random_fractions(random, k, n):
    fractions = random.random((k, n)) ** 3
    fractions[random.random((k, n)) < 0.3] = 0
    fractions[0, fractions.sum(axis=0) == 0] = 1
    return fractions / fractions.sum(axis=0)


def amounts(numbers, counts, k):
    """Atoms of each element in each column."""
    column = np.repeat(np.arange(len(counts)), counts)
    return np.stack(
        [np.bincount(column, numbers == e, len(counts)) for e in ELEMENTS[:k]]
    )


@settings(deadline=None, max_examples=60)
@given(
    st.integers(0, 2**31),
    st.integers(1, 4),
    st.integers(1, 40),
    st.sampled_from(["random", "columns"]),
)
def test_sums_are_exact_and_nothing_impossible_is_drawn(seed, k, n, arrangement):
    random = np.random.default_rng(seed)
    fractions = random_fractions(random, k, n)
    counts = random.integers(0, 12, n)
    numbers = draw_atoms(
        fractions, counts, ELEMENTS[:k], seed=seed, arrangement=arrangement
    )
    assert numbers.dtype == np.uint8 and len(numbers) == counts.sum()
    drawn, expected = amounts(numbers, counts, k), fractions * counts
    np.testing.assert_array_equal(drawn.sum(axis=0), counts)
    assert np.abs(drawn.sum(axis=1) - expected.sum(axis=1)).max() < 1
    assert not drawn[fractions == 0].any()
    if arrangement == "columns":
        assert np.abs(drawn - expected).max() < 1 + 1e-9


def test_layers_that_share_one_element_keep_the_others_apart():
    # Too many Ge in the first half can only be traded for Si, not for the missing Sn.
    fractions = np.zeros((3, 200))
    fractions[0] = 0.5
    fractions[1, :100] = fractions[2, 100:] = 0.5
    counts = np.full(200, 7)
    for seed in range(20):
        drawn = amounts(
            draw_atoms(fractions, counts, ELEMENTS[:3], seed=seed), counts, 3
        )
        assert drawn.sum(axis=1).tolist() == [700, 350, 350]
        assert not drawn[1, 100:].any() and not drawn[2, :100].any()


def test_local_fractions_are_those_of_a_random_alloy():
    """Columns scatter by the binomial error, in 200 drawings and in one."""
    ge = np.linspace(0.02, 0.98, 400)
    fractions, counts = np.stack([1 - ge, ge]), np.full(400, 25)
    drawn = np.array(
        [
            amounts(draw_atoms(fractions, counts, [14, 32], seed=seed), counts, 2)[1]
            for seed in range(200)
        ]
    )
    spread = 25 * ge * (1 - ge)
    mean = (drawn.mean(axis=0) - 25 * ge) / np.sqrt(spread / len(drawn))
    low, high = chi2.ppf([1e-4, 1 - 1e-4], len(ge))
    assert low < (mean**2).sum() < high
    one = (drawn[0] - 25 * ge) ** 2 / spread
    assert low < one.sum() < high
    assert drawn.sum(axis=1).tolist() == [round(25 * ge.sum())] * 200


def test_columns_hold_their_fractions_and_are_right_on_average():
    random = np.random.default_rng(3)
    fractions, counts = random_fractions(random, 3, 60), random.integers(1, 9, 60)
    drawn = np.array(
        [
            amounts(
                draw_atoms(
                    fractions, counts, ELEMENTS[:3], seed=seed, arrangement="columns"
                ),
                counts,
                3,
            )
            for seed in range(2000)
        ]
    )
    expected = fractions * counts
    rest = expected - np.floor(expected)
    error = np.sqrt(rest * (1 - rest) / len(drawn))
    off = np.abs(drawn.mean(axis=0) - expected)
    # Totals are whole: half an atom at most is shared by the 60 columns.
    assert np.all(off < 5 * error + 2 / 60)


def test_atoms_of_a_column_are_in_random_order():
    fractions, counts = np.full((2, 4000), 0.5), np.full(4000, 4)
    numbers = draw_atoms(fractions, counts, [14, 32], seed=0, arrangement="columns")
    first = (numbers.reshape(4000, 4) == 32).mean(axis=0)
    np.testing.assert_allclose(first, 0.5, atol=5 * 0.5 / np.sqrt(4000))


def test_a_seed_gives_the_same_atoms_again():
    fractions, counts = np.full((2, 100), 0.5), np.full(100, 10)
    one, same, other = (
        draw_atoms(fractions, counts, [14, 32], seed=seed) for seed in (7, 7, 8)
    )
    np.testing.assert_array_equal(one, same)
    assert (one != other).any()


def test_whole_totals():
    assert whole_totals(np.array([1.2, 2.3, 3.5])).tolist() == [1, 2, 4]
    assert whole_totals(np.array([0.1 + 0.2, 0.7]) * 10).tolist() == [3, 7]


def test_arrangements_are_named():
    with pytest.raises(ValueError, match="'random' or 'columns', got 'layers'"):
        draw_atoms(np.ones((1, 1)), np.ones(1, int), [14], seed=0, arrangement="layers")


def test_a_million_atoms():
    ge = np.random.default_rng(0).random(20_000)
    fractions, counts = np.stack([1 - ge, ge]), np.full(20_000, 50)
    numbers = draw_atoms(fractions, counts, [14, 32], seed=0)
    assert abs((numbers == 32).sum() - 50 * ge.sum()) < 1
