# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Force constants of the Keating model, and what vibrates with them.

The squares of the vibrational energies are the eigenvalues of the force constants
divided by the roots of both masses, (ħω)² = eig(ħ² K/√(m m')). In a crystal of one kind
of bond the optical phonons at Γ have ω² = 4 (α + β)(1/m₁ + 1/m₂): 68.1 meV in Si, 37.9
in Ge. The transverse acoustic branch towards the edge of the zone is too high in a
model of two constants (W. Weber, Phys. Rev. B 15, 4789 (1977), doi:
10.1103/PhysRevB.15.4789, has the remedy and its cost).
"""

import numpy as np
import numpy.typing as npt
from scipy import constants as si
from scipy.sparse import bsr_array

from hyperspy_t2t.array_types import Array, ComplexArray
from hyperspy_t2t.physics import hessian_kernels as kernels
from hyperspy_t2t.physics.bonds import Bonds
from hyperspy_t2t.physics.keating import KeatingModel
from hyperspy_t2t.physics.threads import in_parallel

MEV_SQUARED = (si.hbar / si.eV * 1e3) ** 2 * si.eV / si.angstrom**2 / si.atomic_mass
"""ħ² times 1 eV/Å² over 1 u, meV²: 4180.16."""


def force_constants(
    positions: Array,
    bonds: Bonds,
    model: KeatingModel,
    *,
    masses: Array | None = None,
    dtype: npt.DTypeLike = np.float64,
) -> bsr_array:
    """Second derivatives of the energy, analytic, at most 17 blocks of 3 × 3 an atom.

    Parameters
    ----------
    positions, bonds, model
        See :func:`~hyperspy_t2t.physics.keating.energy_and_forces`.
    masses
        In u, shape (n,), for the dynamical matrix.
    dtype
        Of the result: 1.3 kB an atom in double precision, 0.7 kB in single.

    Returns
    -------
    bsr_array
        Symmetric, (3 n, 3 n), blocks in the order of their columns, in eV/Å²; with
        masses the dynamical matrix in meV², whose eigenvalues are (ħω)². Images of one
        atom are one column: vibrations are those of the periodic cell.
    """
    n = len(bonds.neighbours)
    weights = _weights(masses, n)
    lengths = np.empty(n, np.int64)
    in_parallel(
        kernels.row_lengths, n, bonds.neighbours, bonds.reverse, lengths, n_atoms=n
    )
    starts = np.zeros(n + 1, np.int64)
    np.cumsum(lengths, out=starts[1:])
    if starts[-1] < 2**31:
        starts = starts.astype(np.int32)
    columns = np.empty(starts[-1], starts.dtype)
    blocks = np.empty((len(columns), 3, 3), dtype)
    in_parallel(
        kernels.fill_rows, n, _checked(positions, n), bonds.neighbours, bonds.shifts,
        bonds.reverse, bonds.translations, bonds.species, model.tables, weights, starts,
        columns, blocks, n_atoms=n,
    )  # fmt: skip
    return bsr_array((blocks, columns, starts), shape=(3 * n, 3 * n))


def dynamical_matrix(
    wave_vector: Array,
    positions: Array,
    bonds: Bonds,
    model: KeatingModel,
    masses: Array,
) -> ComplexArray:
    """Dynamical matrix of a crystal at a wave vector, for small cells.

    Parameters
    ----------
    wave_vector
        In 1/Å without 2π, shape (3,): a displacement at R goes as exp(2πi q·R).
    positions, bonds, model
        See :func:`~hyperspy_t2t.physics.keating.energy_and_forces`.
    masses
        In u, shape (n,).

    Returns
    -------
    numpy.ndarray
        Hermitian, (3 n, 3 n), in meV²; its eigenvalues are (ħω)².
    """
    n = len(bonds.neighbours)
    wave = 2 * np.pi * np.asarray(wave_vector, float)
    if wave.shape != (3,):
        raise ValueError(f"Expected a wave vector of shape (3,), got {wave.shape}.")
    matrix = np.zeros((n, 3, n, 3), complex)
    kernels.dense_at(
        wave, _checked(positions, n), bonds.neighbours, bonds.shifts,
        bonds.translations, bonds.species, model.tables, _weights(masses, n), matrix,
    )  # fmt: skip
    return matrix.reshape(3 * n, 3 * n)


def phonon_energies(
    wave_vectors: Array,
    positions: Array,
    bonds: Bonds,
    model: KeatingModel,
    masses: Array,
) -> Array:
    """Phonon energies in meV at wave vectors (k, 3), ascending, shape (k, 3 n).

    Parameters as of :func:`dynamical_matrix`. Unstable ones, ω² < 0, are −|ħω|.
    """
    squares = np.array(
        [
            np.linalg.eigvalsh(dynamical_matrix(wave, positions, bonds, model, masses))
            for wave in np.atleast_2d(np.asarray(wave_vectors, float))
        ]
    )
    return np.sign(squares) * np.sqrt(np.abs(squares))


def _weights(masses: Array | None, n: int) -> Array:
    """What rows and columns of force constants are multiplied with, (n,)."""
    if masses is None:
        return np.ones(n)
    masses = np.asarray(masses, float)
    if masses.shape != (n,) or not (masses > 0).all():
        raise ValueError(
            f"Expected the masses of {n} atoms, above 0 u, got shape {masses.shape}"
            + (f", the least {masses.min():g} u." if masses.size else ".")
        )
    return np.sqrt(MEV_SQUARED / masses)


def _checked(positions: Array, n: int) -> Array:
    positions = np.ascontiguousarray(positions, float)
    if positions.shape != (n, 3):
        raise ValueError(
            f"Expected positions of the {n} atoms of the bonds, shape (n, 3), got "
            f"{positions.shape}."
        )
    return positions
