# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Bonds: found as counted one by one, known at both ends, marked where wrong."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from ase.neighborlist import neighbor_list

from hyperspy_t2t.physics.bonds import bond_table


def bonds_of(atoms, **options):
    return bond_table(
        atoms.positions, atoms.numbers, atoms.cell.array, atoms.pbc, **options
    )


def thin_110(name="Ge", a=5.658, repeat=(3, 1, 1)):
    """Diamond one period of a/√2 thin along [110], which stands along z."""
    half = a / np.sqrt(2)
    layer = [(0, 0), (0.5, 0.25), (0.5, 0.5), (0, 0.75)]
    depth = [0, 0, 0.5, 0.5]
    atoms = Atoms(
        [name] * 4,
        scaled_positions=[(x, y, z) for (x, y), z in zip(layer, depth, strict=True)],
        cell=[half, a, half],
        pbc=True,
    )
    atoms.positions = atoms.positions[:, [0, 1, 2]]
    return atoms * repeat


def shaken(atoms, seed=0, strain=0.03, amplitude=0.1):
    """Strained, sheared and displaced, some atoms moved whole cells away."""
    rng = np.random.default_rng(seed)
    atoms = atoms.copy()
    deformation = np.eye(3) + rng.uniform(-strain, strain, (3, 3))
    atoms.set_cell(atoms.cell.array @ deformation, scale_atoms=True)
    atoms.positions += rng.uniform(-amplitude, amplitude, atoms.positions.shape)
    cells = rng.integers(-2, 3, (len(atoms), 3)) * atoms.pbc
    cells[rng.random(len(atoms)) < 0.7] = 0
    atoms.positions += cells @ atoms.cell.array
    return atoms


CASES = {
    "primitive": bulk("Si", "diamond", 5.431),
    "cubic": bulk("Si", "diamond", 5.431, cubic=True),
    "thin": thin_110(),
    "thinner": thin_110(repeat=(1, 1, 1)),
    "binary": bulk("GaAs", "zincblende", 5.653) * (3, 2, 1),
    "wurtzite": bulk("InAs", "wurtzite", 4.28, 7.0) * (2, 2, 1),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("seed", range(3))
def test_the_bonds_are_those_of_a_plain_count(name, seed):
    atoms = shaken(CASES[name], seed)
    bonds = bonds_of(atoms)
    first, second, vectors = neighbor_list("ijD", atoms, 2.9)
    assert len(first) == 4 * len(atoms)  # the case is a fair one
    found = bonds.vectors(atoms.positions)
    for atom in range(len(atoms)):
        expected = vectors[first == atom]
        order = np.lexsort(np.round(expected, 6).T)
        own = np.lexsort(np.round(found[atom], 6).T)
        np.testing.assert_allclose(found[atom][own], expected[order], atol=1e-5)
        assert sorted(bonds.neighbours[atom]) == sorted(second[first == atom])
    assert not bonds.wrong.any()
    assert bonds.number == 2 * len(atoms)


@pytest.mark.parametrize("name", CASES)
def test_a_bond_is_known_at_both_ends(name):
    atoms = shaken(CASES[name], 5)
    bonds = bonds_of(atoms)
    vectors = bonds.vectors(atoms.positions)
    for i in range(len(atoms)):
        for k in range(4):
            j, back = bonds.neighbours[i, k], bonds.reverse[i, k]
            assert bonds.neighbours[j, back] == i
            np.testing.assert_allclose(vectors[j, back], -vectors[i, k], atol=1e-12)


def test_a_surface_is_marked_and_its_atoms_keep_what_they_have():
    atoms = bulk("Si", "diamond", 5.431, cubic=True) * (3, 3, 3)
    atoms.pbc = (True, True, False)
    atoms.cell[2] = 0
    bonds = bonds_of(atoms)
    z = atoms.positions[:, 2]
    surface = np.isclose(z, z.min()) | np.isclose(z, z.max())
    np.testing.assert_array_equal(bonds.wrong, surface)
    assert (bonds.coordination[surface] == 2).all()
    rows = bonds.neighbours[surface]
    assert (rows[:, :2] >= 0).all() and (rows[:, 2:] == -1).all()
    assert (bonds.reverse[surface][:, 2:] == -1).all()
    np.testing.assert_array_equal(bonds.coordination_of("Si"), [0, 0, 36, 0, 180])


def test_a_vacancy_marks_its_four_neighbours():
    atoms = bulk("Ge", "diamond", 5.658, cubic=True) * (3, 3, 3)
    around = set(bonds_of(atoms).neighbours[100])
    del atoms[100]
    wrong = np.flatnonzero(bonds_of(atoms).wrong)
    assert {atom + (atom >= 100) for atom in wrong} == around


def test_too_many_neighbours_are_marked_and_no_atom_has_more_than_four_bonds():
    atoms = bulk("Ge", "diamond", 5.658, cubic=True) * (3, 3, 3)
    middle = atoms.positions[100] + [0.3, 0.2, 0.4]
    atoms += Atoms("Ge", [middle])
    bonds = bonds_of(atoms)
    assert bonds.wrong[[100, 216]].all()
    assert 3 <= bonds.wrong.sum() <= 12
    assert bonds.coordination.max() == 5
    used = bonds.neighbours >= 0
    for i, k in np.argwhere(used):
        assert bonds.neighbours[bonds.neighbours[i, k], bonds.reverse[i, k]] == i
    # Places in use come first.
    assert (np.diff(used.astype(int), axis=1) <= 0).all()


def test_hydrogen_ends_a_bond_and_has_none():
    for atoms in (molecule("SiH4"), molecule("CH4")):
        bonds = bonds_of(atoms)
        assert bonds.number == 0
        assert not bonds.wrong.any()
        assert (bonds.coordination == [4, 1, 1, 1, 1]).all()


def test_the_reach_goes_with_the_pair_of_elements():
    """At one distance In and Sb are bonded, C and C are not."""
    atoms = Atoms("InSbC2", [(0, 0, 0), (0, 0, 2.8), (20, 0, 0), (20, 0, 2.8)])
    bonds = bonds_of(atoms)
    np.testing.assert_array_equal(bonds.coordination, [1, 1, 0, 0])
    bonds = bonds_of(atoms, lengths={("C", "C"): 2.5})
    np.testing.assert_array_equal(bonds.coordination, [1, 1, 1, 1])
    assert set(bonds.lengths(atoms.positions)) == {("In", "Sb"), ("C", "C")}


def test_the_lengths_of_a_pair_are_those_measured():
    atoms = CASES["binary"]
    lengths = bonds_of(atoms).lengths(atoms.positions)
    assert list(lengths) == [("As", "Ga")]
    assert lengths["As", "Ga"].size == 4 * len(atoms)
    np.testing.assert_allclose(lengths["As", "Ga"], 5.653 * np.sqrt(3) / 4, rtol=1e-9)


def test_no_atoms_have_no_bonds():
    bonds = bond_table(np.zeros((0, 3)), np.zeros(0, int), np.eye(3), np.ones(3, bool))
    assert bonds.number == 0 and bonds.neighbours.shape == (0, 4)


def test_what_does_not_fit_is_told():
    with pytest.raises(ValueError, match=r"shape \(n, 3\) and numbers"):
        bond_table(np.zeros((3, 3)), np.zeros(2, int), np.eye(3), np.zeros(3, bool))
    atoms = bulk("Si", "diamond", 5.431, cubic=True) * (6, 6, 6)
    rng = np.random.default_rng(0)
    far = rng.integers(-9, 9, (len(atoms), 3)) @ atoms.cell.array
    atoms.positions += far
    with pytest.raises(ValueError, match="wrap the positions"):
        bonds_of(atoms)
