# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Densities of groups by recursion and by diagonalisation, against numpy."""

import numpy as np
import pytest
from ase.build import bulk

from hyperspy_t2t.physics.bonds import bond_table
from hyperspy_t2t.physics.exact_densities import exact_densities, exact_modes
from hyperspy_t2t.physics.hessian import force_constants
from hyperspy_t2t.physics.keating import keating_model
from hyperspy_t2t.physics.phonon_operator import CompiledOperator
from hyperspy_t2t.physics.recursion_densities import recursion_densities

ENERGIES = np.arange(0.25, 75, 0.5)


@pytest.fixture(scope="module")
def matrix():
    atoms = bulk("Ge", "diamond", 5.62, cubic=True) * (2, 2, 2)
    rng = np.random.default_rng(0)
    atoms.numbers[rng.random(len(atoms)) < 0.4] = 14
    atoms.positions += rng.normal(0, 0.02, atoms.positions.shape)
    bonds = bond_table(atoms.positions, atoms.numbers, atoms.cell.array, atoms.pbc)
    return force_constants(
        atoms.positions, bonds, keating_model(bonds), masses=atoms.get_masses()
    )


GROUPS = np.random.default_rng(1).integers(-1, 3, 64)


def test_exact_modes_are_those_of_numpy(matrix):
    energies, weights = exact_modes(matrix, GROUPS)
    squares, vectors = np.linalg.eigh(matrix.toarray())
    np.testing.assert_allclose(energies[3:] ** 2, squares[3:], rtol=1e-9)
    own = np.repeat(GROUPS, 3)
    for group in range(3):
        expected = (vectors[own == group] ** 2).sum(axis=0)
        np.testing.assert_allclose(
            np.cumsum(weights[group])[3:], np.cumsum(expected)[3:], atol=1e-6
        )
    found = exact_densities(matrix, GROUPS, ENERGIES)
    edges = np.append(ENERGIES - 0.25, ENERGIES[-1] + 0.25)
    for row, share in zip(found.density, weights, strict=True):
        count, _ = np.histogram(energies, edges, weights=share)
        np.testing.assert_allclose(row * 0.5, count, atol=1e-12)
    np.testing.assert_allclose(found.modes, 3 * np.bincount(GROUPS[GROUPS >= 0]))
    with pytest.raises(ValueError, match=r"at most 3000 atoms.*got 4000"):
        exact_modes(type(matrix)((12000, 12000), blocksize=(3, 3)), GROUPS)


def test_recursion_has_the_modes_at_their_places(matrix):
    operator = CompiledOperator(matrix, dtype=np.float64)
    found = recursion_densities(operator, GROUPS, ENERGIES, steps=60, vectors=200)
    energies, weights = exact_modes(matrix, GROUPS)
    assert (found.error == 0).all()
    np.testing.assert_allclose(found.unstable, 0, atol=1e-9)
    wide = np.maximum(energies**2, 0)
    # Each mode as a Lorentzian in (ħω)², as wide as the kernel says.
    gamma = 0.5 * np.pi * found.window.half / 60
    squares = np.append(ENERGIES - 0.25, ENERGIES[-1] + 0.25) ** 2
    ends = np.array([[-1], [1]]) * found.window.half + found.window.centre
    inside = np.diff(np.arctan((ends - wide) / gamma), axis=0)[0]
    below = np.arctan((squares[:, None] - wide) / gamma)
    for row, share in zip(found.density, weights, strict=True):
        expected = np.diff(below @ share) / 0.5 * share.sum() / (inside @ share)
        difference = np.abs(np.cumsum(row - expected)) * 0.5
        assert difference.max() < 0.015 * share.sum()


def test_random_vectors_and_their_error(matrix):
    operator = CompiledOperator(matrix)
    options = {"steps": 30, "energies": np.arange(1.0, 75, 2)}
    exact = recursion_densities(operator, GROUPS, vectors=200, **options)
    one, again = (
        recursion_densities(operator, GROUPS, vectors=8, seed=3, **options)
        for _ in range(2)
    )
    np.testing.assert_array_equal(one.density, again.density)
    scatter = ((one.density - exact.density) ** 2).sum()
    assert 0.3 < scatter / (one.error**2).sum() < 3
    single = recursion_densities(operator, GROUPS, vectors=1, **options)
    assert np.isnan(single.error).all()


def test_progress_and_empty_groups(matrix):
    operator, told = CompiledOperator(matrix), []
    recursion_densities(
        operator, GROUPS, ENERGIES, steps=4, vectors=10, progress=told.append
    )
    assert told == [16 / 30, 1.0]
    with pytest.raises(ValueError, match="all have atoms"):
        recursion_densities(operator, np.full(64, 1), ENERGIES)
