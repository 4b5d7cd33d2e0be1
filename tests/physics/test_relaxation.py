# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Relaxation: from good and bad starts, with constraints, interrupted."""

import numpy as np
import pytest
from ase.build import bulk

from hyperspy_t2t.physics.bonds import bond_table
from hyperspy_t2t.physics.keating import energy_and_forces, keating_model, virial
from hyperspy_t2t.physics.relaxation import relax, relax_with_period


def alloy(repeat=4, seed=0, pbc=True):
    rng = np.random.default_rng(seed)
    atoms = bulk("Ge", "diamond", 5.658, cubic=True) * (repeat, repeat, repeat)
    atoms.symbols = np.where(rng.random(len(atoms)) < 0.3, "Si", "Ge")
    atoms.pbc = pbc
    return atoms


def prepared(atoms):
    bonds = bond_table(atoms.positions, atoms.numbers, atoms.cell.array, atoms.pbc)
    return atoms.positions, bonds, keating_model(bonds)


def size(forces):
    return np.linalg.norm(forces, axis=1).max()


@pytest.mark.parametrize("tolerance", [1e-2, 1e-3, 1e-9])
def test_no_force_is_left_above_the_tolerance(tolerance):
    positions, bonds, model = prepared(alloy())
    before = positions.copy()
    done = relax(positions, bonds, model, force_tolerance=tolerance)
    energy, _, forces = energy_and_forces(done.positions, bonds, model)
    assert done.converged
    assert size(forces) <= tolerance
    assert done.max_force == pytest.approx(size(forces), rel=1e-9)
    assert done.energy == pytest.approx(energy, rel=1e-12)
    np.testing.assert_array_equal(positions, before)


def test_the_energy_never_rises_and_each_step_is_told():
    positions, bonds, model = prepared(alloy())
    told = []
    done = relax(positions, bonds, model, callback=lambda *row: told.append(row))
    assert [step for step, *_ in told] == list(range(done.steps + 1))
    np.testing.assert_array_equal([row[1:] for row in told], done.history)
    assert (np.diff(done.history[:, 0]) <= 0).all()
    assert done.history[-1].tolist() == [done.energy, done.max_force]


def test_displaced_by_half_an_angstrom_the_crystal_finds_back():
    atoms = bulk("Si", "diamond", 5.431, cubic=True) * (3, 3, 3)
    positions, bonds, model = prepared(atoms)
    rng = np.random.default_rng(1)
    away = rng.normal(size=positions.shape)
    away *= 0.5 / np.linalg.norm(away, axis=1)[:, None]
    done = relax(positions + away, bonds, model, force_tolerance=1e-6)
    assert done.converged
    assert done.energy == pytest.approx(0, abs=1e-7)
    moved = done.positions - positions
    np.testing.assert_allclose(moved - away.mean(0), np.zeros_like(moved), atol=1e-4)


def test_atoms_that_lie_upon_each_other_are_parted():
    atoms = alloy(3)
    positions, bonds, model = prepared(atoms)
    for atom in (10, 60, 200):
        other = bonds.neighbours[atom, 0]
        shift = bonds.translations[bonds.shifts[atom, 0]]
        positions[atom] = positions[other] + shift
    start = energy_and_forces(positions, bonds, model)
    assert size(start[2]) > 5
    done = relax(positions, bonds, model)
    assert done.converged
    lengths = np.linalg.norm(bonds.vectors(done.positions), axis=2)
    assert lengths.min() > 2.3


def test_fixed_atoms_and_directions_stay():
    positions, bonds, model = prepared(alloy())
    border = positions[:, 0] < 6
    done = relax(positions, bonds, model, free=~border)
    assert done.converged
    np.testing.assert_array_equal(done.positions[border], positions[border])
    assert np.abs(done.positions - positions)[~border].max() > 0.02
    forces = energy_and_forces(done.positions, bonds, model)[2]
    assert size(forces[~border]) <= 1e-3 < size(forces[border])

    along = np.tile([False, False, True], (len(positions), 1))
    done = relax(positions, bonds, model, free=along)
    assert done.converged
    np.testing.assert_array_equal(done.positions[:, :2], positions[:, :2])
    forces = energy_and_forces(done.positions, bonds, model)[2]
    assert np.abs(forces[:, 2]).max() <= 1e-3 < np.abs(forces[:, 0]).max()


def test_with_nothing_free_nothing_is_done():
    positions, bonds, model = prepared(alloy(2))
    done = relax(positions, bonds, model, free=np.zeros(len(positions), bool))
    assert done.converged and done.steps == 0 and done.max_force == 0


@pytest.mark.parametrize("stop", [0, 3])
def test_an_interrupt_keeps_what_was_reached(stop):
    positions, bonds, model = prepared(alloy())

    def interrupt(step, energy, force):
        if step == stop:
            raise KeyboardInterrupt

    done = relax(positions, bonds, model, callback=interrupt)
    assert not done.converged and done.steps == stop
    energy, _, forces = energy_and_forces(done.positions, bonds, model)
    assert done.energy == pytest.approx(energy, rel=1e-12)
    assert done.max_force == pytest.approx(size(forces))
    limited = relax(positions, bonds, model, max_steps=stop)
    assert not limited.converged
    np.testing.assert_allclose(done.positions, limited.positions, atol=1e-12)


def test_errors_of_the_callback_are_not_hidden():
    positions, bonds, model = prepared(alloy(2))
    with pytest.raises(ZeroDivisionError):
        relax(positions, bonds, model, callback=lambda *row: 1 / 0)


def test_a_surface_and_a_cluster_relax():
    for pbc in ((True, True, False), False):
        positions, bonds, model = prepared(alloy(3, pbc=pbc))
        done = relax(positions, bonds, model, force_tolerance=1e-4)
        assert done.converged
        # With free sides the bonds come close to their own lengths.
        fixed = relax(*prepared(alloy(3)), force_tolerance=1e-4)
        assert done.energy < fixed.energy


@pytest.mark.parametrize("axis", [0, 2])
def test_a_period_takes_the_length_without_stress(axis):
    """A film of silicon on germanium is thinner by 2 C12/C11 of its misfit."""
    a, misfit = 5.431, 0.01
    atoms = bulk("Si", "diamond", a, cubic=True) * (2, 2, 2)
    strain = np.full(3, misfit)
    strain[axis] = 0
    atoms.set_cell(atoms.cell.array * (1 + strain), scale_atoms=True)
    positions, bonds, model = prepared(atoms)
    done = relax_with_period(positions, bonds, model, axis=axis, strain_tolerance=1e-7)
    assert done.converged
    ratio = done.cell[axis, axis] / (2 * a) - 1
    # Linear elasticity to first order in the misfit.
    assert ratio == pytest.approx(-2 * 63.9 / 165.6 * misfit, rel=0.03)
    stress = virial(done.positions, bonds.in_cell(done.cell), model)
    assert abs(stress[axis, axis]) < 1e-4 < abs(stress[1, 1])
    others = np.delete(np.arange(3), axis)
    np.testing.assert_array_equal(done.cell[others], bonds.cell[others])


def test_an_alloy_with_a_free_period_has_less_energy():
    atoms = alloy(3)
    positions, bonds, model = prepared(atoms)
    fixed = relax(positions, bonds, model)
    done = relax_with_period(positions, bonds, model)
    assert done.converged and done.energy < fixed.energy
    assert done.cell[2, 2] < bonds.cell[2, 2]
    assert len(done.history) == done.steps + 1


def test_what_does_not_fit_is_told():
    positions, bonds, model = prepared(alloy(2))
    with pytest.raises(ValueError, match=r"shape \(64,\) or \(64, 3\)"):
        relax(positions, bonds, model, free=np.ones((3, 64), bool))
    with pytest.raises(ValueError, match="above 0 eV/Å"):
        relax(positions, bonds, model, force_tolerance=0)
    with pytest.raises(ValueError, match="finite positions"):
        relax(positions * np.nan, bonds, model)
    with pytest.raises(ValueError, match="64 atoms"):
        relax(positions[:3], bonds, model)
    positions, bonds, model = prepared(alloy(2, pbc=False))
    with pytest.raises(ValueError, match="periodic cell vector"):
        relax_with_period(positions, bonds, model)
