# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Forces of the average crystal, and atoms by what surrounds them."""

import numpy as np
import pytest
from ase.build import bulk

from hyperspy_t2t.physics.average_lattice import (
    average_lattice,
    same_group,
    surrounded,
    uneven_forces,
)
from hyperspy_t2t.physics.bonds import bond_table
from hyperspy_t2t.physics.keating import energy_and_forces, keating_model

SHEAR = np.eye(3) + 0.01 * np.array([[0, 2, 1], [2, 1, 0], [1, 0, -1.0]])


def alloy(strain=SHEAR, periodic=True, a=5.6):
    atoms = bulk("Ge", "diamond", a, cubic=True) * (5, 5, 5)
    rng = np.random.default_rng(0)
    numbers = np.where(rng.random(len(atoms)) < 0.3, 14, 32)
    cell = atoms.cell.array @ strain
    bonds = bond_table(atoms.positions @ strain, numbers, cell, [periodic] * 3)
    return atoms.positions @ strain, bonds


def forces_of(positions, bonds, group):
    model = keating_model(bonds)
    averaged = average_lattice(bonds, model, group)
    return energy_and_forces(positions, *averaged)[2]


def test_even_lattice_of_an_alloy_has_no_forces():
    positions, bonds = alloy(np.diag([1.01, 0.99, 1.0]))
    group = np.zeros(len(positions), int)
    actual = energy_and_forces(positions, bonds, keating_model(bonds))[2]
    assert np.linalg.norm(actual, axis=1).mean() > 0.2
    assert np.abs(forces_of(positions, bonds, group)).max() < 1e-12


def test_sheared_sublattices_pull_at_each_other_evenly():
    positions, bonds = alloy()
    group = np.zeros(len(positions), int)
    forces = forces_of(positions, bonds, group)
    assert np.linalg.norm(forces, axis=1).min() > 0.1
    used = np.ones(len(positions), bool)
    uneven = uneven_forces(forces, positions, bonds, group, used)
    assert np.abs(uneven).max() < 1e-12
    # a displaced atom stays visible
    positions[77] += [0.03, 0.02, -0.01]
    forces = forces_of(positions, bonds, group)
    uneven = uneven_forces(forces, positions, bonds, group, used)
    size = np.linalg.norm(uneven, axis=1)
    touched = np.flatnonzero(size > 1e-9)
    assert size.argmax() == 77 and len(touched) <= 17 and size[77] > 0.3


def test_constants_are_means_over_the_bonds_of_a_group():
    positions, bonds = alloy(np.eye(3))
    group = (np.arange(len(positions)) >= 400).astype(int)
    model = keating_model(bonds)
    grouped, averaged = average_lattice(bonds, model, group)
    for one in (0, 1):
        for other in (0, 1):
            atoms, places = np.nonzero(
                (group[:, None] == one) & (group[bonds.neighbours] == other)
            )
            a, b = bonds.species[atoms], bonds.species[bonds.neighbours[atoms, places]]
            assert averaged.alpha[one, other] == pytest.approx(model.alpha[a, b].mean())
            assert averaged.length[one, other] == pytest.approx(
                model.length[a, b].mean()
            )
    np.testing.assert_array_equal(grouped.species, group)


def test_many_groups():
    positions, bonds = alloy(np.eye(3))
    group = np.arange(len(positions)) // 3
    assert np.isfinite(forces_of(positions, bonds, group)).all()


def test_surrounded_and_same_group():
    positions, bonds = alloy(np.eye(3), periodic=False)
    inner = surrounded(~bonds.wrong, bonds.neighbours)
    for i in range(len(positions)):
        near = bonds.neighbours[i]
        assert inner[i] == (
            not bonds.wrong[i] and (near >= 0).all() and not bonds.wrong[near].any()
        )
    group = (positions[:, 0] > 14).astype(int)
    same = same_group(group, bonds.neighbours)
    for i, near in enumerate(bonds.neighbours):
        assert same[i] == (group[near[near >= 0]] == group[i]).all()
