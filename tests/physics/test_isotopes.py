# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Masses of natural, drawn and given isotopes."""

import numpy as np
import pytest
from ase.data import atomic_masses, atomic_numbers

from hyperspy_t2t.physics.isotopes import masses_of, natural_isotopes


def test_the_stored_isotopes_have_the_natural_mean_mass():
    for symbol, isotopes in natural_isotopes().items():
        masses, shares = np.array(list(isotopes.values())).T
        assert shares.sum() == pytest.approx(1, abs=1e-6)
        natural = atomic_masses[atomic_numbers[symbol]]
        assert masses @ shares == pytest.approx(natural, rel=5e-4)
        np.testing.assert_allclose(masses, list(isotopes), atol=0.15)


def test_average_natural_and_given():
    numbers = np.tile([14, 32, 31], 20000)
    average = masses_of(numbers)
    np.testing.assert_array_equal(average, atomic_masses[numbers])
    drawn = masses_of(numbers, isotopes="natural", seed=3)
    germanium = drawn[numbers == 32]
    kinds, counts = np.unique(germanium, return_counts=True)
    np.testing.assert_array_equal(np.rint(kinds), [70, 72, 73, 74, 76])
    shares = np.array([0.2052, 0.2745, 0.0776, 0.3652, 0.0775])
    np.testing.assert_allclose(counts / 20000, shares, atol=0.015)
    again = masses_of(numbers, isotopes="natural", seed=3)
    np.testing.assert_array_equal(again, drawn)
    assert (masses_of(numbers, isotopes="natural", seed=4) != drawn).any()
    # What is drawn for one element does not depend on the others.
    alone = masses_of(numbers[numbers == 32], isotopes="natural", seed=3)
    np.testing.assert_array_equal(alone, germanium)
    given = masses_of(numbers, isotopes={"Si": 28, "Ge": {70: 3, 76: 1}})
    np.testing.assert_allclose(given[numbers == 14], 27.9769265)
    heavy = given[numbers == 32] > 73
    assert heavy.mean() == pytest.approx(0.25, abs=0.015)
    np.testing.assert_array_equal(given[numbers == 31], atomic_masses[31])


def test_wrong_requests_are_refused():
    numbers = np.array([14, 32, 79])
    for isotopes, message in {
        "mean": "average",
        "natural": "leave it out",
    }.items():
        with pytest.raises(ValueError, match=message):
            masses_of(numbers, isotopes=isotopes)
    for isotopes in ({"Si": 27}, {"Ge": {70: -1, 72: 2}}, {"Ge": {70: 0}}):
        with pytest.raises(ValueError, match="shares of 0 or more"):
            masses_of(numbers, isotopes=isotopes)
