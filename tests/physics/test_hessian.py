# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Force constants against finite differences, and the phonons of crystals."""

import numpy as np
import pytest
from ase.build import bulk

from hyperspy_t2t.physics.bonds import bond_table
from hyperspy_t2t.physics.hessian import (
    dynamical_matrix,
    force_constants,
    phonon_energies,
)
from hyperspy_t2t.physics.keating import energy_and_forces, keating_model
from hyperspy_t2t.physics.keating_parameters import pair, stored_constants


def disordered(repeat, pbc=True, seed=0):
    rng = np.random.default_rng(seed)
    atoms = bulk("Ge", "diamond", 5.6) * repeat
    atoms.symbols = rng.choice(["Si", "Ge"], len(atoms))
    strain = np.eye(3) + rng.uniform(-0.03, 0.03, (3, 3))
    atoms.set_cell(atoms.cell.array @ strain, scale_atoms=True)
    atoms.positions += rng.uniform(-0.1, 0.1, atoms.positions.shape)
    atoms.pbc = pbc
    return atoms


def prepared(atoms):
    bonds = bond_table(atoms.positions, atoms.numbers, atoms.cell.array, atoms.pbc)
    return atoms.positions, bonds, keating_model(bonds)


CASES = {
    "triclinic": disordered((4, 4, 4)),
    "thin": disordered((4, 1, 1)),
    "primitive": disordered((1, 1, 1)),
    "slab": disordered((3, 3, 3), (True, True, False)),
    "cluster": disordered((3, 3, 3), False),
}


@pytest.mark.parametrize("name", CASES)
def test_they_are_the_slopes_of_the_forces(name):
    positions, bonds, model = prepared(CASES[name])
    dense = force_constants(positions, bonds, model).toarray()
    h = 1e-3
    for atom in range(0, len(positions), max(1, len(positions) // 5)):
        for axis in range(3):
            forces = []
            for step in (-2, -1, 1, 2):  # exact for the cubic that a force is
                moved = positions.copy()
                moved[atom, axis] += step * h
                forces.append(energy_and_forces(moved, bonds, model)[2].ravel())
            slope = np.tensordot([1, -8, 8, -1], forces, 1) / (12 * h)
            row = dense[3 * atom + axis]
            np.testing.assert_allclose(-slope, row, atol=1e-9 * np.abs(dense).max())


@pytest.mark.parametrize("name", CASES)
def test_they_are_symmetric_and_nothing_resists_a_common_shift(name):
    positions, bonds, model = prepared(CASES[name])
    matrix = force_constants(positions, bonds, model)
    dense = matrix.toarray()
    np.testing.assert_allclose(dense, dense.T, atol=1e-13)
    n = len(positions)
    shifts = dense.reshape(3 * n, n, 3).sum(1)
    assert np.abs(shifts).max() < 1e-12
    # Rows are in order, without a column twice.
    for first, last in zip(matrix.indptr[:-1], matrix.indptr[1:], strict=True):
        assert (np.diff(matrix.indices[first:last]) > 0).all()


def test_a_turned_cluster_in_balance_has_six_modes_without_force():
    length = stored_constants()["Si", "Si"].length
    atoms = bulk("Si", "diamond", 4 * length / np.sqrt(3), cubic=True) * (2, 2, 2)
    atoms.pbc = False
    bonds = prepared(atoms)[1]
    # Atoms of one bond hang on a hinge: leave those that are held by two or more.
    while (bonds.coordination < 2).any():
        atoms = atoms[bonds.coordination >= 2]
        bonds = prepared(atoms)[1]
    positions, bonds, model = prepared(atoms)
    values = np.linalg.eigvalsh(force_constants(positions, bonds, model).toarray())
    assert np.count_nonzero(np.abs(values) < 1e-9) == 6
    assert values.min() > -1e-9


def test_a_bulk_row_has_seventeen_blocks_and_single_precision_is_close():
    positions, bonds, model = prepared(CASES["triclinic"])
    matrix = force_constants(positions, bonds, model)
    assert (np.diff(matrix.indptr) == 17).all()
    single = force_constants(positions, bonds, model, dtype=np.float32)
    assert single.dtype == np.float32
    np.testing.assert_allclose(single.data, matrix.data, atol=1e-5)


def test_masses_weigh_rows_and_columns():
    positions, bonds, model = prepared(CASES["cluster"])
    masses = np.linspace(10, 100, len(positions))
    plain = force_constants(positions, bonds, model).toarray()
    weighed = force_constants(positions, bonds, model, masses=masses).toarray()
    root = np.sqrt(np.repeat(masses, 3))
    np.testing.assert_allclose(
        weighed, 4180.1593 * plain / np.outer(root, root), rtol=1e-6, atol=1e-8
    )


@pytest.mark.parametrize(
    ("name", "structure", "a", "expected"),
    [
        ("Si", "diamond", 5.431, 68.1),
        ("Ge", "diamond", 5.658, 37.9),
        ("GaAs", "zincblende", 5.65325, None),
    ],
)
def test_the_optical_phonon_at_the_centre(name, structure, a, expected):
    atoms = bulk(name, structure, a)
    positions, bonds, model = prepared(atoms)
    masses = atoms.get_masses()
    found = phonon_energies([0, 0, 0], positions, bonds, model, masses)[0]
    alpha, beta, *_ = stored_constants()[pair(atoms.get_chemical_symbols())]
    newton = 4 * (alpha + beta) * (1 / masses).sum() / 1.66053906660e-27
    energy = 6.582119569e-13 * np.sqrt(newton)  # meV s
    assert np.abs(found[:3]).max() < 1e-2
    # The bond is the model's own to 1e-5, so is the phonon.
    np.testing.assert_allclose(found[3:], energy, rtol=1e-4)
    if expected:
        assert energy == pytest.approx(expected, abs=0.06)


def test_a_small_wave_is_a_sound_wave():
    """Slopes along [100] and [111] are √(C/ρ)."""
    a = 5.431
    atoms = bulk("Si", "diamond", a)
    positions, bonds, model = prepared(atoms)
    masses = atoms.get_masses()
    density = masses.sum() * 1.66053906660e-27 / (atoms.get_volume() * 1e-30)
    alpha, beta = 48.5, 13.81
    c11, c12 = (alpha + 3 * beta) / a * 1e10, (alpha - beta) / a * 1e10
    c44 = 4 * alpha * beta / (alpha + beta) / a * 1e10
    q = 1e-3
    along = {
        (1, 0, 0): (c44, c44, c11),
        (1, 1, 1): (*[(c11 - c12 + c44) / 3] * 2, (c11 + 2 * c12 + 4 * c44) / 3),
    }
    for direction, moduli in along.items():
        wave = q * np.array(direction) / np.linalg.norm(direction)
        found = phonon_energies(wave, positions, bonds, model, masses)[0, :3]
        speed = np.sqrt(np.array(moduli) / density)  # m/s
        energy = 6.582119569e-13 * 2 * np.pi * q * 1e10 * speed
        np.testing.assert_allclose(found, energy, rtol=2e-3)


def test_a_wave_vector_of_a_supercell_is_its_centre():
    """The phonons of 2 × 2 × 2 cells at Γ are those of one at Γ, X and L."""
    atoms = bulk("GaAs", "zincblende", 5.653)
    positions, bonds, model = prepared(atoms)
    reciprocal = np.linalg.inv(atoms.cell.array).T
    waves = np.stack(np.meshgrid(*[[0, 0.5]] * 3), -1).reshape(-1, 3) @ reciprocal
    apart = phonon_energies(waves, positions, bonds, model, atoms.get_masses())
    together = atoms * (2, 2, 2)
    positions, bonds, model = prepared(together)
    matrix = force_constants(positions, bonds, model, masses=together.get_masses())
    values = np.linalg.eigvalsh(matrix.toarray())
    np.testing.assert_allclose(
        np.sort(np.sign(apart) * apart**2, axis=None), np.sort(values), atol=1e-6
    )


def test_the_dynamical_matrix_is_hermitian_and_periodic():
    atoms = bulk("GaAs", "zincblende", 5.653)
    positions, bonds, model = prepared(atoms)
    masses = atoms.get_masses()
    wave = np.array([0.03, -0.05, 0.02])
    matrix = dynamical_matrix(wave, positions, bonds, model, masses)
    np.testing.assert_allclose(matrix, matrix.conj().T, atol=1e-9)
    further = wave + [1, 2, -1] @ np.linalg.inv(atoms.cell.array).T
    np.testing.assert_allclose(
        *(phonon_energies(w, positions, bonds, model, masses) for w in (wave, further)),
        atol=1e-8,
    )


def test_what_does_not_fit_is_told():
    positions, bonds, model = prepared(CASES["primitive"])
    with pytest.raises(ValueError, match=r"masses of 2 atoms.*least 0 u"):
        force_constants(positions, bonds, model, masses=np.array([0, 1]))
    with pytest.raises(ValueError, match=r"wave vector of shape \(3,\)"):
        dynamical_matrix([0, 0], positions, bonds, model, np.ones(2))
    with pytest.raises(ValueError, match="2 atoms"):
        force_constants(positions[:1], bonds, model)
