# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Keating's valence force field of tetrahedral semiconductors and their alloys.

E = Σ_bonds 3α_ij/(8 d_ij²) (r_ij² − d_ij²)²
  + Σ_i Σ_{j<k} 3β_jik/(8 d_ij d_ik) (r_ij·r_ik + d_ij d_ik/3)²

P. N. Keating, Phys. Rev. 145, 637 (1966), doi:10.1103/PhysRev.145.637, with the norm
of R. M. Martin, Phys. Rev. B 1, 4005 (1970), doi:10.1103/PhysRevB.1.4005. In the
crystal of one kind of bond and lattice constant a,

C11 = (α + 3β)/a, C12 = (α − β)/a, C44 = 4αβ/((α + β) a), ζ = (α − β)/(α + β).

An angle between two kinds of bond has β_jik = √(β_ij β_ik). Bonds between Si and Ge
have the mean α, β and d of the two crystals; the pairs of III-V alloys are all those of
binary crystals. Energies are relative to unstrained bonds: heats of formation and of
mixing other than of strain are not in them, and surfaces do not reconstruct. Two
constants make the transverse acoustic branch too stiff near the edge of the zone.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Self

import numba
import numpy as np
from scipy import constants as si

from hyperspy_t2t.array_types import Array, Ints
from hyperspy_t2t.physics.bonds import Bonds
from hyperspy_t2t.physics.keating_kernels import (
    BONDS,
    arm_gradients,
    collected_forces,
    virial_sum,
)
from hyperspy_t2t.physics.keating_parameters import (
    PairConstants,
    pair,
    stored_constants,
)
from hyperspy_t2t.physics.threads import in_parallel

EV_PER_SQUARE_ANGSTROM = si.angstrom**2 / si.eV
"""1 N/m in eV/Å²: 0.0624151."""


@dataclass(frozen=True)
class KeatingModel:
    """Constants of the bonds that occur among s elements.

    Parameters
    ----------
    elements
        Symbols, in the order of the tables.
    alpha, beta
        In N/m, shape (s, s), 0 for pairs that do not occur.
    length
        In Å, shape (s, s), 1 for pairs that do not occur.
    pairs
        Constants of the pairs that occur, with source and status.
    """

    elements: tuple[str, ...]
    alpha: Array
    beta: Array
    length: Array
    pairs: Mapping[tuple[str, str], PairConstants] = field(default_factory=dict)

    @property
    def tables(self) -> Array:
        """What the kernels take, (3, s, s): see :func:`.arm_gradients`."""
        alpha = self.alpha * EV_PER_SQUARE_ANGSTROM
        beta = self.beta * EV_PER_SQUARE_ANGSTROM
        return np.stack(
            [
                3 * alpha / (8 * self.length**2),
                np.sqrt(3 * beta / 8) / self.length,
                self.length,
            ]
        )

    @property
    def stiffness(self) -> float:
        """About the largest force constant of one atom alone, eV/Å²."""
        return float(4 * (self.alpha + 2 * self.beta).max() * EV_PER_SQUARE_ANGSTROM)


def keating_model(
    bonds: Bonds,
    *,
    constants: Mapping[tuple[str, str], tuple[float, float, float]] | None = None,
) -> KeatingModel:
    """The model of all bonds that occur.

    Parameters
    ----------
    bonds
        From :func:`~hyperspy_t2t.physics.bonds.bond_table`.
    constants
        α in N/m, β in N/m and d in Å of pairs of symbols, before the stored ones.
        ``(0, 0, d)`` leaves a kind of bond without force.

    Raises
    ------
    ValueError
        If a pair occurs that is neither stored nor given, or what is given is no
        constant.
    """
    given = {
        pair(names): _checked(names, row) for names, row in (constants or {}).items()
    }
    known = {**stored_constants(), **given}
    size = len(bonds.elements)
    occurring = _occurring(bonds.neighbours, bonds.species, size)
    table = np.zeros((3, size, size))
    table[2] = 1
    used = {}
    for first, second in zip(*np.nonzero(np.triu(occurring)), strict=True):
        name = pair((bonds.elements[first], bonds.elements[second]))
        if name not in known:
            raise ValueError(_unknown(name, known, occurring[first, second]))
        used[name] = known[name]
        table[:, first, second] = table[:, second, first] = known[name][:3]
    alpha, beta, length = table
    return KeatingModel(bonds.elements, alpha, beta, length, used)


class Workspace(NamedTuple):
    """Arrays that repeated evaluations write into."""

    gradients: Array
    energies: Array
    forces: Array

    @classmethod
    def of(cls, n_atoms: int) -> Self:
        return cls(
            np.empty((n_atoms, BONDS, 3)), np.empty(n_atoms), np.empty((n_atoms, 3))
        )


def evaluate(
    positions: Array, bonds: Bonds, model: KeatingModel, workspace: Workspace
) -> float:
    """Energy in eV; energies of atoms and forces are written into the workspace."""
    n = len(positions)
    in_parallel(
        arm_gradients, n, positions, bonds.neighbours, bonds.shifts, bonds.translations,
        bonds.species, model.tables, workspace.gradients, workspace.energies, n_atoms=n,
    )  # fmt: skip
    in_parallel(
        collected_forces, n, workspace.gradients, bonds.neighbours, bonds.reverse,
        workspace.forces, n_atoms=n,
    )  # fmt: skip
    return float(workspace.energies.sum())


def energy_and_forces(
    positions: Array, bonds: Bonds, model: KeatingModel
) -> tuple[float, Array, Array]:
    """Energy and forces of all atoms.

    Parameters
    ----------
    positions
        In Å, shape (n, 3), the atoms of `bonds`; each within the image of the cell it
        was in when they were found.
    bonds, model
        From :func:`~hyperspy_t2t.physics.bonds.bond_table` and :func:`keating_model`.

    Returns
    -------
    energy
        In eV.
    energies
        Of each atom in eV, half of its bonds and all of its angles, shape (n,).
    forces
        In eV/Å, shape (n, 3); zero for hydrogen.
    """
    workspace = Workspace.of(len(bonds.neighbours))
    energy = evaluate(_checked_positions(positions, bonds), bonds, model, workspace)
    return energy, workspace.energies, workspace.forces


def virial(positions: Array, bonds: Bonds, model: KeatingModel) -> Array:
    """∂E/∂ε of a uniform strain of atoms and cell in eV, shape (3, 3), symmetric.

    Divided by the volume it is the stress.
    """
    positions = _checked_positions(positions, bonds)
    workspace = Workspace.of(len(positions))
    evaluate(positions, bonds, model, workspace)
    return virial_sum(
        positions, bonds.neighbours, bonds.shifts, bonds.translations,
        workspace.gradients,
    )  # fmt: skip


def _checked_positions(positions: Array, bonds: Bonds) -> Array:
    positions = np.ascontiguousarray(positions, float)
    if positions.shape != (len(bonds.neighbours), 3):
        raise ValueError(
            f"Expected positions of the {len(bonds.neighbours)} atoms of the bonds, "
            f"shape (n, 3), got {positions.shape}."
        )
    return positions


def _checked(names: tuple[str, str], row: tuple[float, float, float]) -> PairConstants:
    values = tuple(float(value) for value in row)
    good = len(values) == 3 and np.isfinite(values).all()
    if not good or min(values[:2]) < 0 or values[2] <= 0:
        raise ValueError(
            "Expected alpha and beta of 0 N/m or more and a bond length above 0 Å for "
            f"{'-'.join(names)}, got {row}."
        )
    return PairConstants(values[0], values[1], values[2])


def _unknown(
    name: tuple[str, str], known: Mapping[tuple[str, str], PairConstants], number: int
) -> str:
    stored = ", ".join("-".join(other) for other in sorted(known))
    return (
        f"Expected Keating constants of all bonds, got {number} bonds {'-'.join(name)} "
        f"without. Known are {stored}. Give others as constants={{{name!r}: (alpha in "
        "N/m, beta in N/m, length in Å)}; (0, 0, length) leaves them without force."
    )


@numba.njit(cache=True, nogil=True)
def _occurring(neighbours: Ints, species: Ints, size: int) -> Ints:
    """How many bonds of each pair of species there are, (s, s), symmetric."""
    number = np.zeros((size, size), np.int64)
    for i in range(len(neighbours)):
        for k in range(BONDS):
            j = neighbours[i, k]
            if j >= 0:
                number[species[i], species[j]] += 1
    for one in range(size):
        number[one, one] //= 2
    return number
