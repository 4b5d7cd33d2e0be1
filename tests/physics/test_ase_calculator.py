# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""The Keating model inside ASE: optimisers, stress, vibrations."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.filters import FrechetCellFilter
from ase.optimize import BFGS
from ase.phonons import Phonons
from ase.vibrations import Vibrations

from hyperspy_t2t.physics.ase_calculator import KeatingCalculator
from hyperspy_t2t.physics.bonds import bond_table
from hyperspy_t2t.physics.keating import energy_and_forces, keating_model


def alloy(repeat=(2, 2, 1)):
    rng = np.random.default_rng(0)
    atoms = bulk("Ge", "diamond", 5.658, cubic=True) * repeat
    atoms.symbols = rng.choice(["Si", "Ge"], len(atoms))
    atoms.positions += rng.uniform(-0.05, 0.05, atoms.positions.shape)
    atoms.calc = KeatingCalculator()
    return atoms


def test_its_numbers_are_those_of_the_model():
    atoms = alloy()
    bonds = bond_table(atoms.positions, atoms.numbers, atoms.cell.array, atoms.pbc)
    energy, energies, forces = energy_and_forces(
        atoms.positions, bonds, keating_model(bonds)
    )
    assert atoms.get_potential_energy() == energy
    np.testing.assert_array_equal(atoms.get_potential_energies(), energies)
    np.testing.assert_array_equal(atoms.get_forces(), forces)


def test_the_stress_is_that_of_finite_differences():
    atoms = alloy()
    atoms.set_cell(
        atoms.cell.array @ [[1.01, 0.02, 0], [0, 0.98, 0.01], [0.03, 0, 1]],
        scale_atoms=True,
    )
    stress = atoms.get_stress(voigt=False)
    h = 1e-5
    for a in range(3):
        for b in range(a, 3):
            energies = []
            for sign in (1, -1):
                strain = np.eye(3)
                strain[a, b] += sign * h / 2
                strain[b, a] += sign * h / 2
                moved = atoms.copy()
                moved.calc = KeatingCalculator()
                moved.set_cell(atoms.cell.array @ strain, scale_atoms=True)
                energies.append(moved.get_potential_energy())
            slope = (energies[0] - energies[1]) / (2 * h) / atoms.get_volume()
            assert stress[a, b] == pytest.approx(slope, rel=1e-5, abs=1e-9)


def test_optimisers_relax_atoms_and_cell():
    atoms = bulk("Si", "diamond", 5.6)
    atoms.rattle(0.05, seed=1)
    atoms.calc = KeatingCalculator()
    BFGS(FrechetCellFilter(atoms), logfile=None).run(fmax=1e-4, steps=200)
    assert atoms.get_potential_energy() == pytest.approx(0, abs=1e-6)
    np.testing.assert_allclose(atoms.cell.lengths(), 5.431 / np.sqrt(2), atol=1e-3)


@pytest.mark.parametrize(
    ("name", "a", "optical"), [("Si", 5.431, 68.05), ("Ge", 5.658, 37.9)]
)
def test_vibrations_at_the_centre_of_the_zone(tmp_path, name, a, optical):
    atoms = bulk(name, "diamond", a)
    atoms.calc = KeatingCalculator()
    vibrations = Vibrations(atoms, name=str(tmp_path / "vib"))
    vibrations.run()
    energies = 1e3 * np.abs(vibrations.get_energies())
    assert np.count_nonzero(energies < 0.5) == 3
    np.testing.assert_allclose(np.sort(energies)[3:], optical, rtol=2e-3)


def test_phonons_of_a_supercell_of_displaced_atoms(tmp_path):
    atoms = bulk("Si", "diamond", 5.431)
    phonons = Phonons(atoms, KeatingCalculator(), (3, 3, 3), name=str(tmp_path / "p"))
    phonons.run()
    phonons.read(acoustic=True)
    energies = phonons.band_structure([[0, 0, 0]])[0] * 1e3
    np.testing.assert_allclose(np.sort(energies)[3:], 68.05, rtol=2e-3)


def test_the_bonds_stay_while_atoms_vibrate_and_are_found_anew_when_they_leave():
    atoms = alloy()
    atoms.get_forces()
    first = atoms.calc.bonds
    atoms.rattle(0.03, seed=2)
    atoms.set_cell(atoms.cell.array * 1.02, scale_atoms=True)
    atoms.get_forces()
    assert atoms.calc.bonds is first
    # One atom a cell away is the same crystal: only new bonds can know.
    energy = atoms.get_potential_energy()
    atoms.positions[3] += atoms.cell[1]
    assert atoms.get_potential_energy() == pytest.approx(energy, rel=1e-10)
    assert atoms.calc.bonds is not first
    second = atoms.calc.bonds
    atoms.calc.forget_bonds()
    atoms.get_forces()
    assert atoms.calc.bonds is not second
    third = atoms.calc.bonds
    atoms.numbers[0] = 14 if atoms.numbers[0] == 32 else 32
    atoms.get_forces()
    assert atoms.calc.bonds is not third


def test_other_constants_and_no_cell():
    atoms = Atoms("SiC", [(0, 0, 0), (0, 0, 2.0)])
    atoms.calc = KeatingCalculator(constants={("Si", "C"): (90, 20, 1.9)})
    stiff = 3 * 90 * 0.0624150907 / (8 * 1.9**2)
    expected = stiff * (2.0**2 - 1.9**2) ** 2
    assert atoms.get_potential_energy() == pytest.approx(expected, rel=1e-6)
    assert "stress" not in atoms.calc.results
