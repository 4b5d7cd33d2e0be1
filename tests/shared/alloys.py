# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Dynamical matrices of alloys, not relaxed."""

import numpy as np
from ase.build import bulk

from hyperspy_t2t.physics.bonds import bond_table
from hyperspy_t2t.physics.hessian import force_constants
from hyperspy_t2t.physics.keating import keating_model


def alloy_matrix(repeat, dtype=np.float64, seed=0):
    rng = np.random.default_rng(seed)
    atoms = bulk("Ge", "diamond", 5.6, cubic=True) * repeat
    atoms.symbols = rng.choice(["Si", "Ge"], len(atoms))
    atoms.positions += rng.uniform(-0.05, 0.05, atoms.positions.shape)
    bonds = bond_table(atoms.positions, atoms.numbers, atoms.cell.array, atoms.pbc)
    return force_constants(
        atoms.positions, bonds, keating_model(bonds), masses=atoms.get_masses(),
        dtype=dtype,
    )  # fmt: skip
