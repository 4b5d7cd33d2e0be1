# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""The atoms of an AtomicModel that the Keating model knows, and their bonds."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from hyperspy_t2t.arguments import as_numbers
from hyperspy_t2t.physics.average_lattice import (
    average_lattice,
    same_group,
    surrounded,
    uneven_forces,
)
from hyperspy_t2t.physics.bonds import Bonds, bond_table
from hyperspy_t2t.physics.keating import (
    KeatingModel,
    energy_and_forces,
    keating_model,
)
from hyperspy_t2t.physics.keating_parameters import (
    bond_length,
    pair,
    stored_constants,
)
from hyperspy_t2t.signals._carried.companions import user_level

Constants = Mapping[tuple[str, str], tuple[float, float, float]]
_AMORPHOUS, _HYDROGEN = 2, 4
_FEW = 0.05
"""Share of bonds without constants that a region may have: single foreign atoms."""
_TETRAHEDRAL = 0.3
"""Share of atoms with four bonds, where the metadata do not tell the crystal."""


@dataclass(frozen=True)
class TetrahedralAtoms:
    """Atoms of the regions that have forces; hydrogen on them too.

    Parameters
    ----------
    rows
        Of the model, ascending, shape (m,).
    positions, numbers
        In Å, shape (m, 3), and (m,).
    group
        Place of the region of each atom among the model's labels, shape (m,).
    bonds, keating
        Of the Keating model.
    wrong
        Atoms without their four bonds, or with a bond that has no constants, (m,).
    left_out
        Why each other region that has atoms has no forces, by its label.
    loose
        Pairs whose few bonds have no constants, and so no force.
    """

    rows: np.ndarray
    positions: np.ndarray
    numbers: np.ndarray
    group: np.ndarray
    bonds: Bonds
    keating: KeatingModel
    wrong: np.ndarray
    left_out: dict[int, str] = field(default_factory=dict)
    loose: tuple[str, ...] = ()

    @property
    def hydrogen(self) -> np.ndarray:
        """Atoms that are hydrogen, (m,)."""
        return self.numbers == 1

    @property
    def bulk(self) -> np.ndarray:
        """Atoms whose own four bonds and those of their neighbours are right, (m,)."""
        return surrounded(~self.wrong, self.bonds.neighbours)

    @property
    def inside(self) -> np.ndarray:
        """Bulk atoms at least two bonds away from other regions, (m,)."""
        neighbours = self.bonds.neighbours
        return self.bulk & surrounded(same_group(self.group, neighbours), neighbours)

    def forces(self) -> np.ndarray:
        """On each atom in eV/Å, (m, 3)."""
        return energy_and_forces(self.positions, self.bonds, self.keating)[2]

    def lattice_forces(self) -> np.ndarray:
        """Those of the average crystal of each region, but for even ones, (m, 3)."""
        averaged = average_lattice(self.bonds, self.keating, self.group)
        forces = energy_and_forces(self.positions, *averaged)[2]
        return uneven_forces(
            forces, self.positions, self.bonds, self.group, self.inside
        )

    def parameters(self) -> dict[str, dict]:
        """Constants of each pair with source and status, as metadata hold them."""
        return {
            "_".join(names): {**constants._asdict(), "units": "N/m, N/m, Å"}
            for names, constants in self.keating.pairs.items()
        }

    def warn(self) -> None:
        """Name what has no forces."""
        said = [f"region {label} ({why})" for label, why in self.left_out.items()]
        if said:
            warnings.warn(
                f"No forces in {'; '.join(said)}. Expected tetrahedral crystals with "
                "Keating constants; give others as constants={('Ga', 'Sb'): (alpha in "
                "N/m, beta in N/m, length in Å)}.",
                UserWarning,
                stacklevel=user_level(),
            )
        if self.loose:
            warnings.warn(
                f"Bonds {', '.join(self.loose)} have no Keating constants: they are "
                "without force, and their atoms marked as wrongly coordinated.",
                UserWarning,
                stacklevel=user_level(),
            )


def tetrahedral_atoms(
    model: Any, constants: Constants | None = None
) -> TetrahedralAtoms:
    """What the Keating model knows of an AtomicModel.

    Raises
    ------
    ValueError
        If no region is a tetrahedral crystal with constants.
    """
    names = ["x", "y", "z", "number", *(["flag"] if "flag" in model.columns else [])]
    table = model._together(names)  # at once: a lazy one is computed each time
    numbers = table[:, 3].astype(np.int64)
    flag = table[:, 4].astype(np.int64) if len(names) == 5 else np.zeros_like(numbers)
    sizes = np.diff(model.offsets)
    group = np.repeat(np.arange(len(sizes)), sizes)
    left_out = _by_crystal(model, flag, group)
    constants = _checked(constants)
    known = {pair(names) for names in (*stored_constants(), *constants)}
    while True:
        kept = ~np.isin(group, list(left_out)) & ((flag & _AMORPHOUS) == 0)
        rows = np.flatnonzero(kept)
        if not np.any((flag[rows] & _HYDROGEN) == 0):
            raise ValueError(_none_left(model, left_out))
        positions = np.ascontiguousarray(table[rows, :3])
        bonds = bond_table(
            positions, numbers[rows], model.cell, model.pbc,
            lengths={names: row[2] for names, row in constants.items()},
        )  # fmt: skip
        unknown = _unknown_bonds(bonds, known)
        worse = _without_constants(model, bonds, unknown, group[rows])
        if not worse:
            break
        left_out |= worse
    loose = _pairs(bonds, unknown)
    given = {names: (0.0, 0.0, bond_length(*names)) for names in loose}
    return TetrahedralAtoms(
        rows, positions, numbers[rows], group[rows], bonds,
        keating_model(bonds, constants={**constants, **given}),
        bonds.wrong | unknown.any(axis=1),
        {int(model.region_labels[k]): left_out[k] for k in sorted(left_out)},
        tuple("-".join(names) for names in loose),
    )  # fmt: skip


def _checked(constants: Constants | None) -> dict:
    """The user's constants, or an error that says what they should be."""
    if constants is None:
        return {}
    rows = constants.values() if isinstance(constants, Mapping) else [None]
    numbers = [as_numbers(row) for row in rows]
    names = constants if isinstance(constants, Mapping) else ()
    known = all(
        isinstance(pair, tuple) and [isinstance(one, str) for one in pair] == [True] * 2
        for pair in names
    )
    if not known or any(
        row is None or row.shape != (3,) or not np.isfinite(row).all()
        for row in numbers
    ):
        raise ValueError(
            "Expected constants as {('Ge', 'Sn'): (alpha in N/m, beta in N/m, length "
            f"in Å)}}, got {constants!r:.200}."
        )
    return dict(constants)


def _by_crystal(model: Any, flag: np.ndarray, group: np.ndarray) -> dict[int, str]:
    """Places of the regions whose crystal is not tetrahedral, and why not."""
    left_out = {}
    for place, label in enumerate(model.region_labels):
        rows = slice(*model.offsets[place : place + 2])
        if rows.start == rows.stop:
            continue
        phase = model.metadata.get_item(f"AtomicModel.phases.region_{label}")
        phase = {} if phase is None else phase.as_dictionary()
        sites = np.ravel(phase.get("coordination", 4))
        if ((flag[rows] & _AMORPHOUS) > 0).all():
            left_out[place] = "amorphous"
        elif (sites != 4).any():
            left_out[place] = f"{phase.get('name', 'crystal')}, not tetrahedral"
    return left_out


def _unknown_bonds(bonds: Bonds, known: set[tuple[str, str]]) -> np.ndarray:
    """Bonds without constants, (m, 4)."""
    table = np.array(
        [[pair((a, b)) not in known for b in bonds.elements] for a in bonds.elements]
    )
    if not table.any():
        return np.zeros(bonds.neighbours.shape, bool)
    unknown = table[bonds.species[:, None], bonds.species[bonds.neighbours]]
    return unknown & (bonds.neighbours >= 0)


def _pairs(bonds: Bonds, chosen: np.ndarray) -> list[tuple[str, str]]:
    """Names of the pairs of some bonds, (m, 4)."""
    if not chosen.any():
        return []
    one = np.broadcast_to(bonds.species[:, None], chosen.shape)[chosen]
    other = bonds.species[bonds.neighbours[chosen]]
    found = {
        pair((bonds.elements[a], bonds.elements[b]))
        for a, b in zip(one, other, strict=True)
    }
    return sorted(found)


def _without_constants(
    model: Any, bonds: Bonds, unknown: np.ndarray, group: np.ndarray
) -> dict[int, str]:
    """Regions most of whose bonds have no constants, or that have no four bonds."""
    size = len(model.region_labels)
    own = unknown & (group[:, None] == group[bonds.neighbours])
    lacking = np.bincount(group, own.sum(axis=1), size)
    total = np.bincount(group, (bonds.neighbours >= 0).sum(axis=1), size)
    right = np.bincount(group, ~bonds.wrong, size)
    atoms = np.bincount(group, minlength=size)
    found = {}
    for k in np.flatnonzero(atoms):
        label = model.region_labels[k]
        told = model.metadata.has_item(f"AtomicModel.phases.region_{label}")
        if lacking[k] > _FEW * total[k]:
            names = _pairs(bonds, own & (group == k)[:, None])
            text = ", ".join("-".join(one) for one in names)
            found[int(k)] = f"no constants of {text}"
        elif not told and right[k] < _TETRAHEDRAL * atoms[k]:
            found[int(k)] = "atoms without four bonds"
    return found


def _none_left(model: Any, left_out: dict[int, str]) -> str:
    said = "; ".join(
        f"region {model.region_labels[k]}: {why}" for k, why in left_out.items()
    )
    return (
        "Expected a model with a tetrahedral crystal whose Keating constants are "
        f"known, got {said or 'no atoms'}. Give constants={{('Ga', 'Sb'): (alpha in "
        "N/m, beta in N/m, length in Å)} for other pairs."
    )
