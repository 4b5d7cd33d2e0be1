# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""The signal of AtomicModel.forces()."""

from typing import Any

import numpy as np

from hyperspy_t2t.physics.keating import energy_and_forces
from hyperspy_t2t.signals._mechanics.tetrahedral import TetrahedralAtoms


def signal_of_forces(model: Any, found: TetrahedralAtoms) -> Any:
    """Forces on all atoms of a model, NaN where there are none."""
    from hyperspy.signals import Signal1D

    energy, _, forces = energy_and_forces(found.positions, found.bonds, found.keating)
    crystal = ~found.hydrogen
    data = np.full((max(1, model.n_atoms), 3), np.nan)
    data[found.rows[crystal]] = forces[crystal]
    result = Signal1D(
        data,
        axes=[
            {"name": "atom", "size": len(data), "navigate": True},
            {"name": "direction", "size": 3, "navigate": False},
        ],
    )
    wrong, bulk = np.zeros((2, len(data)), bool)
    wrong[found.rows], bulk[found.rows] = found.wrong, found.bulk
    result.metadata.General.title = f"{model.metadata.General.title}: forces"
    result.metadata.Signal.quantity = "Force (eV/Å)"
    result.metadata.add_dictionary(
        {
            "Forces": {
                "components": ["x", "y", "z"],
                "units": "eV/Å",
                "energy": energy,
                "energy_units": "eV",
                "wrong": wrong,
                "bulk": bulk,
                "without_forces": np.array(sorted(found.left_out), np.int64),
                "parameters": found.parameters(),
            }
        }
    )
    return result
