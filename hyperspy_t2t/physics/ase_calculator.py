# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""The Keating model as a calculator of ASE: for optimisers, dynamics and phonopy."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes
from ase.stress import full_3x3_to_voigt_6_stress

from hyperspy_t2t.physics.bonds import Bonds, bond_table
from hyperspy_t2t.physics.keating import Workspace, evaluate, keating_model
from hyperspy_t2t.physics.keating_kernels import virial_sum


class KeatingCalculator(Calculator):
    """Energy in eV, per-atom energies, forces in eV/Å and stress in eV/Å³.

    The bonds are found at the first use and kept while atoms vibrate and the cell is
    strained. They are found anew where the kinds of atoms or the periodic directions
    change, or an atom moves further than `keep` from where it was, the strain of the
    cell not counted; :meth:`forget_bonds` asks for it. Bonds to hydrogen have no force.

    Parameters
    ----------
    constants
        α in N/m, β in N/m and d in Å of pairs of symbols; see
        :func:`~hyperspy_t2t.physics.keating.keating_model`.
    reach
        See :func:`~hyperspy_t2t.physics.bonds.bond_table`.
    keep
        In Å.

    Examples
    --------
    >>> from ase.build import bulk
    >>> atoms = bulk("Si", "diamond", 5.5)
    >>> atoms.calc = KeatingCalculator()
    >>> round(atoms.get_potential_energy(), 4)
    0.018
    """

    implemented_properties: ClassVar[list[str]] = [
        "energy", "energies", "forces", "stress",
    ]  # fmt: skip

    def __init__(
        self,
        *,
        constants: Mapping[tuple[str, str], tuple[float, float, float]] | None = None,
        reach: float = 1.2,
        keep: float = 1.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.constants, self.reach, self.keep = constants, reach, keep
        self.bonds: Bonds | None = None
        self._found_for: Atoms | None = None

    def forget_bonds(self) -> None:
        """Have the bonds found anew at the next use."""
        self.bonds = None
        self.reset()

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: Sequence[str] = ("energy",),
        system_changes: Sequence[str] = all_changes,
    ) -> None:
        super().calculate(atoms, properties, system_changes)
        atoms = self.atoms
        if self.bonds is None or not self._same_bonds(atoms):
            self.bonds = bond_table(
                atoms.positions, atoms.numbers, atoms.cell.array, atoms.pbc,
                reach=self.reach,
            )  # fmt: skip
            self._found_for = atoms.copy()
        bonds = self.bonds.in_cell(atoms.cell.array)
        model = keating_model(bonds, constants=self.constants)
        work = Workspace.of(len(atoms))
        positions = np.ascontiguousarray(atoms.positions)
        energy = evaluate(positions, bonds, model, work)
        self.results = {
            "energy": energy, "energies": work.energies, "forces": work.forces,
        }  # fmt: skip
        if atoms.cell.rank == 3:
            total = virial_sum(
                positions, bonds.neighbours, bonds.shifts, bonds.translations,
                work.gradients,
            )  # fmt: skip
            stress = (total + total.T) / 2 / atoms.get_volume()
            self.results["stress"] = full_3x3_to_voigt_6_stress(stress)

    def _same_bonds(self, atoms: Atoms) -> bool:
        """Whether the atoms are where they were, but for strain and vibration."""
        before = self._found_for
        if before is None or not (
            np.array_equal(before.numbers, atoms.numbers)
            and np.array_equal(before.pbc, atoms.pbc)
        ):
            return False
        old, new = before.cell.complete(), atoms.cell.complete()
        strained = before.positions @ np.linalg.solve(old.array, new.array)
        moved = np.linalg.norm(atoms.positions - strained, axis=1)
        return bool(moved.max(initial=0) <= self.keep)
