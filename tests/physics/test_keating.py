# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""The Keating model: forces, invariance, elastic constants, alloys."""

import json
from importlib.resources import files

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from ase.data import chemical_symbols
from ase.neighborlist import neighbor_list

from hyperspy_t2t.physics.bonds import bond_table
from hyperspy_t2t.physics.keating import energy_and_forces, keating_model, virial
from hyperspy_t2t.physics.keating_parameters import (
    bond_length,
    pair,
    stored_constants,
)
from hyperspy_t2t.physics.relaxation import relax

GPA = 160.21766208
"""1 eV/Å³."""


def bonds_of(atoms):
    return bond_table(atoms.positions, atoms.numbers, atoms.cell.array, atoms.pbc)


def alloy(repeat, symbols=("Si", "Ge"), a=5.6, seed=0, pbc=True):
    """A random alloy, strained, sheared and displaced at random."""
    rng = np.random.default_rng(seed)
    atoms = bulk("Si", "diamond", a) * repeat
    atoms.symbols = rng.choice(symbols, len(atoms))
    strain = np.eye(3) + rng.uniform(-0.03, 0.03, (3, 3))
    atoms.set_cell(atoms.cell.array @ strain, scale_atoms=True)
    atoms.positions += rng.uniform(-0.1, 0.1, atoms.positions.shape)
    atoms.pbc = pbc
    return atoms


def ternary(repeat, seed=0):
    """(In,Ga)(As,Sb), every kind of bond of which is that of a binary crystal."""
    rng = np.random.default_rng(seed)
    atoms = bulk("GaAs", "zincblende", 6.0) * repeat
    cations = atoms.numbers == 31
    symbols = np.where(
        cations,
        rng.choice(["In", "Ga"], len(atoms)),
        rng.choice(["As", "Sb"], len(atoms)),
    )
    atoms.symbols = symbols
    atoms.positions += rng.uniform(-0.1, 0.1, atoms.positions.shape)
    return atoms


CASES = {
    "triclinic": alloy((4, 3, 2)),
    "primitive": alloy((1, 1, 1)),
    "thin": alloy((5, 1, 1), seed=3),
    "slab": alloy((3, 3, 3), pbc=(True, True, False)),
    "cluster": alloy((3, 3, 3), pbc=False),
    "ternary": ternary((3, 2, 2)),
}


def plain_energy(atoms):
    """The formula as it is written, one term after the other."""
    constants = stored_constants()
    symbols = atoms.get_chemical_symbols()
    first, second, vectors = neighbor_list("ijD", atoms, 3.0)
    keep = [
        np.linalg.norm(vector) < 1.2 * bond_length(symbols[i], symbols[j])
        for i, j, vector in zip(first, second, vectors, strict=True)
    ]
    first, second, vectors = first[keep], second[keep], vectors[keep]
    unit = 0.0624150907
    energy = 0.0
    for atom in range(len(atoms)):
        own = [
            (vector, constants[pair((symbols[atom], symbols[j]))])
            for vector, j in zip(
                vectors[first == atom], second[first == atom], strict=True
            )
        ]
        for n, (r, one) in enumerate(own):
            stretch = (r @ r - one.length**2) ** 2
            energy += unit / 2 * 3 * one.alpha / 8 / one.length**2 * stretch
            for other, two in own[:n]:
                lengths = one.length * two.length
                bend = (r @ other + lengths / 3) ** 2
                beta = np.sqrt(one.beta * two.beta)
                energy += unit * 3 * beta / 8 / lengths * bend
    return energy


@pytest.mark.parametrize("name", CASES)
def test_the_energy_is_that_of_the_formula(name):
    atoms = CASES[name]
    bonds = bonds_of(atoms)
    energy, energies, _ = energy_and_forces(
        atoms.positions, bonds, keating_model(bonds)
    )
    assert energy == pytest.approx(plain_energy(atoms), rel=1e-8)
    assert energies.sum() == pytest.approx(energy, rel=1e-12)
    assert (energies >= 0).all()


@pytest.mark.parametrize("name", CASES)
def test_forces_are_the_slope_of_the_energy(name):
    atoms = CASES[name]
    bonds = bonds_of(atoms)
    model = keating_model(bonds)
    forces = energy_and_forces(atoms.positions, bonds, model)[2]
    scale = np.abs(forces).max()
    assert scale > 0.1
    h = 1e-3
    rng = np.random.default_rng(1)
    for atom in rng.choice(len(atoms), min(6, len(atoms)), replace=False):
        for axis in range(3):
            energies = []
            for step in (-2, -1, 1, 2):  # exact for the quartic that the energy is
                moved = atoms.positions.copy()
                moved[atom, axis] += step * h
                energies.append(energy_and_forces(moved, bonds, model)[0])
            slope = np.dot(energies, [1, -8, 8, -1]) / (12 * h)
            assert -slope == pytest.approx(forces[atom, axis], abs=1e-7 * scale)


@pytest.mark.parametrize("name", CASES)
def test_forces_on_the_whole_vanish(name):
    atoms = CASES[name]
    bonds = bonds_of(atoms)
    forces = energy_and_forces(atoms.positions, bonds, keating_model(bonds))[2]
    np.testing.assert_allclose(forces.sum(0), 0, atol=1e-11)


def test_moved_and_turned_as_a_whole_the_energy_stays():
    atoms = CASES["cluster"]
    bonds = bonds_of(atoms)
    model = keating_model(bonds)
    energy, _, forces = energy_and_forces(atoms.positions, bonds, model)
    turn = np.linalg.qr(np.random.default_rng(2).normal(size=(3, 3)))[0]
    turned, _, forces_there = energy_and_forces(
        atoms.positions @ turn + [3.0, -40.0, 7.0], bonds, model
    )
    assert turned == pytest.approx(energy, rel=1e-11)
    np.testing.assert_allclose(forces_there, forces @ turn, atol=1e-10)
    np.testing.assert_allclose(np.cross(atoms.positions, forces).sum(0), 0, atol=1e-9)


def test_turned_with_its_cell_a_crystal_keeps_its_energy():
    atoms = CASES["thin"]
    bonds = bonds_of(atoms)
    model = keating_model(bonds)
    energy = energy_and_forces(atoms.positions, bonds, model)[0]
    turn = np.linalg.qr(np.random.default_rng(2).normal(size=(3, 3)))[0]
    inside = bonds.in_cell(bonds.cell @ turn)
    turned = energy_and_forces(atoms.positions @ turn, inside, model)[0]
    assert turned == pytest.approx(energy, rel=1e-11)


def test_the_virial_is_the_slope_of_the_energy_by_strain():
    atoms = CASES["triclinic"]
    bonds = bonds_of(atoms)
    model = keating_model(bonds)
    found = virial(atoms.positions, bonds, model)
    h = 1e-5
    for a in range(3):
        for b in range(3):
            energies = []
            for sign in (1, -1):
                strain = np.eye(3)
                strain[a, b] += sign * h
                energies.append(
                    energy_and_forces(
                        atoms.positions @ strain,
                        bonds.in_cell(bonds.cell @ strain),
                        model,
                    )[0]
                )
            slope = (energies[0] - energies[1]) / (2 * h)
            assert found[a, b] == pytest.approx(slope, rel=1e-6, abs=1e-6)
    np.testing.assert_allclose(found, found.T, atol=1e-9)


def strained_energy(name, a, strain, structure):
    """Energy density in GPa with the atoms relaxed, and where the second atom is."""
    atoms = bulk(name, structure, a)
    atoms.set_cell(atoms.cell.array @ (np.eye(3) + strain), scale_atoms=True)
    bonds = bonds_of(atoms)
    done = relax(atoms.positions, bonds, keating_model(bonds), force_tolerance=1e-9)
    assert done.converged
    moved = done.positions - atoms.positions
    return done.energy / atoms.get_volume() * GPA, moved[1] - moved[0]


@pytest.mark.parametrize(
    ("name", "structure"),
    [("Si", "diamond"), ("Ge", "diamond"), ("GaAs", "zincblende")],
)
def test_elastic_constants_and_the_internal_strain(name, structure):
    symbols = {"GaAs": ("As", "Ga")}.get(name, (name, name))
    alpha, beta, length, *_ = stored_constants()[symbols]
    a = 4 * length / np.sqrt(3)
    h = 1e-4
    along, sideways = np.zeros((3, 3)), np.zeros((3, 3))
    along[0, 0] = h
    sideways[0, 1] = sideways[1, 0] = h / 2
    curvature = []
    for strain in (along, np.diag([h, -h, 0]), sideways):
        energies = [strained_energy(name, a, s * strain, structure) for s in (1, -1)]
        curvature.append(sum(energy for energy, _ in energies) / h**2)
    unit = 10  # 1 N/m/Å in GPa
    c11, c12 = curvature[0], curvature[0] - curvature[1] / 2
    assert c11 == pytest.approx(unit * (alpha + 3 * beta) / a, rel=2e-3)
    assert c12 == pytest.approx(unit * (alpha - beta) / a, rel=2e-3)
    c44 = unit * 4 * alpha * beta / (alpha + beta) / a
    assert curvature[2] == pytest.approx(c44, rel=2e-3)
    shift = strained_energy(name, a, sideways, structure)[1]
    kleinman = (alpha - beta) / (alpha + beta)
    np.testing.assert_allclose(
        shift, [0, 0, -kleinman * a * h / 4], rtol=2e-3, atol=1e-8
    )


def test_stored_constants_say_where_they_are_from_and_give_the_measured_stiffness():
    stored = files("hyperspy_t2t.data").joinpath("keating_parameters.json")
    for row in json.loads(stored.read_text(encoding="utf-8"))["pairs"]:
        assert row["source"] and row["status"], row
        assert set(row["elements"]) <= set(chemical_symbols)
        if "lattice" not in row:
            continue
        a, alpha, beta = row["lattice"], row["alpha"], row["beta"]
        assert row["length"] == pytest.approx(a * np.sqrt(3) / 4, abs=1e-4)
        if "uncertain" not in row["status"]:
            exact = 1e-3 if "exact" in row["status"] else 0.09
            c11, c12, _ = row["elastic"]
            assert 10 * (alpha + 3 * beta) / a == pytest.approx(c11, rel=exact), row
            assert 10 * (alpha - beta) / a == pytest.approx(c12, rel=exact), row


def test_a_random_alloy_on_the_lattice_of_germanium():
    """Forces, energies and relaxed bonds that independent code found."""
    rng = np.random.default_rng(0)
    atoms = bulk("Ge", "diamond", 5.658, cubic=True) * (16, 16, 16)
    silicon = rng.permutation(len(atoms)) < 0.3 * len(atoms)
    atoms.symbols = np.where(silicon, "Si", "Ge")
    bonds = bonds_of(atoms)
    model = keating_model(bonds)
    energy, _, forces = energy_and_forces(atoms.positions, bonds, model)
    size = np.linalg.norm(forces, axis=1)
    assert size.mean() == pytest.approx(0.36, abs=0.005)
    assert size[silicon].mean() == pytest.approx(0.43, abs=0.01)
    assert size[~silicon].mean() == pytest.approx(0.33, abs=0.01)
    assert size.max() == pytest.approx(0.66, abs=0.01)
    assert energy / len(atoms) == pytest.approx(18.0e-3, abs=0.2e-3)
    done = relax(atoms.positions, bonds, model, force_tolerance=1e-2)
    assert done.energy / len(atoms) == pytest.approx(11.3e-3, abs=0.1e-3)
    lengths = bonds.lengths(done.positions)
    expected = {("Si", "Si"): 2.401, ("Ge", "Si"): 2.437, ("Ge", "Ge"): 2.471}
    for names, length in expected.items():
        assert lengths[names].mean() == pytest.approx(length, abs=0.001)


def test_a_bond_without_constants_is_named_with_what_is_known():
    atoms = Atoms("SiC", [(0, 0, 0), (0, 0, 1.9)])
    bonds = bonds_of(atoms)
    with pytest.raises(ValueError, match=r"1 bonds C-Si without.*Ge-Si.*\('C', 'Si'\)"):
        keating_model(bonds)
    model = keating_model(bonds, constants={("Si", "C"): (90, 20, 1.9)})
    assert energy_and_forces(atoms.positions, bonds, model)[0] == pytest.approx(0)
    loose = keating_model(bonds, constants={("C", "Si"): (0, 0, 1.0)})
    energy, _, forces = energy_and_forces(atoms.positions, bonds, loose)
    assert energy == 0 and not forces.any()


@pytest.mark.parametrize("row", [(1, 2), (-1, 0, 2), (1, 1, 0), (np.nan, 1, 2)])
def test_constants_that_are_none_are_refused(row):
    bonds = bonds_of(Atoms("Si2", [(0, 0, 0), (0, 0, 2.3)]))
    with pytest.raises(ValueError, match="alpha and beta"):
        keating_model(bonds, constants={("Si", "Si"): row})


def test_hydrogen_feels_nothing_and_adds_nothing():
    atoms = molecule("Si2H6")
    bonds = bonds_of(atoms)
    energy, energies, forces = energy_and_forces(
        atoms.positions, bonds, keating_model(bonds)
    )
    hydrogen = atoms.numbers == 1
    assert not forces[hydrogen].any() and not energies[hydrogen].any()
    assert energy > 0  # the bond of the two Si is not quite that of the crystal


def test_positions_of_other_atoms_are_refused():
    bonds = bonds_of(CASES["cluster"])
    with pytest.raises(ValueError, match=r"54 atoms.*got \(3, 3\)"):
        energy_and_forces(np.zeros((3, 3)), bonds, keating_model(bonds))
