# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Files of atoms for other programs, written block by block.

A writer holds one block of rows at a time, so that a model of any size, also one that
is computed while it is written, needs little memory.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import IO, Any, NamedTuple

import numpy as np

from hyperspy_t2t.array_types import Array, Bools, Ints
from hyperspy_t2t.atoms.number_text import JOINED, SYMBOL, lines_of

DECIMALS = 6
"""Digits after the point of lengths in Å."""
_MARGIN = 1e-3
"""Å that a box reaches past the outermost atoms, which may not lie on its border."""


class AtomBlock(NamedTuple):
    """Some atoms of a model, in its order."""

    positions: Array
    """In Å, (n, 3)."""
    numbers: Array
    """Atomic numbers, (n,)."""
    region: Array
    """Region of each, (n,)."""
    displacement: Array | None = None
    """In Å, (n, 3); None if the model does not know it."""


@dataclass(frozen=True)
class AtomSource:
    """A model as the writers read it.

    Parameters
    ----------
    blocks
        Function that gives all atoms anew, block by block.
    n_atoms
        Number of atoms.
    cell, origin, pbc
        Cell vectors as rows in Å, (3, 3), the corner of the cell in Å, (3,), and
        which vectors are periodic, (3,).
    """

    blocks: Callable[[], Iterable[AtomBlock]]
    n_atoms: int
    cell: Array
    origin: Array
    pbc: Bools


def write_extxyz(file: IO[Any], source: AtomSource) -> None:
    """Extended XYZ: positions as they are, regions and displacements in columns.

    ``Origin`` is the corner of the cell, as OVITO reads it; ASE keeps it in ``info``.
    """
    lattice, origin = _words(source.cell), _words(source.origin)
    pbc = " ".join("FT"[int(periodic)] for periodic in source.pbc)
    for place, block in enumerate(source.blocks()):
        columns = [block.numbers[:, None], block.positions, block.region[:, None]]
        formats = [SYMBOL, *[DECIMALS] * 3, 0]
        properties = "species:S:1:pos:R:3:region:I:1"
        if block.displacement is not None:
            columns.append(block.displacement)
            formats += [DECIMALS] * 3
            properties += ":displacement:R:3"
        if place == 0:
            head = (
                f'{source.n_atoms}\nLattice="{lattice}" Origin="{origin}" '
                f'pbc="{pbc}" Properties={properties}\n'
            )
            file.write(head.encode())
        file.write(lines_of(np.hstack(columns), tuple(formats)))


def write_xyz(file: IO[Any], source: AtomSource) -> None:
    """Plain XYZ: symbols and positions as they are, an empty comment."""
    file.write(f"{source.n_atoms}\n\n".encode())
    for block in source.blocks():
        rows = np.column_stack([block.numbers, block.positions])
        file.write(lines_of(rows, (SYMBOL, *[DECIMALS] * 3)))


def write_cif(file: IO[Any], source: AtomSource) -> None:
    """CIF in P1, fractional coordinates from the corner of the cell.

    A CIF is periodic in all directions: along the vectors that are not, the cell
    reaches as far as the atoms do, so that none comes to lie inside another image.
    """
    from ase.data import chemical_symbols
    from ase.geometry import cell_to_cellpar

    box = _box(source)
    formula = " ".join(
        f"{chemical_symbols[number]}{box.counts[number]}"
        for number in np.flatnonzero(box.counts)
    )
    lines = ["data_model", f"_chemical_formula_sum '{formula}'"]
    names = [f"length_{axis}" for axis in ("a", "b", "c")]
    names += [f"angle_{angle}" for angle in ("alpha", "beta", "gamma")]
    for name, value in zip(names, cell_to_cellpar(box.cell), strict=True):
        lines.append(f"_cell_{name} {value:.9f}")
    lines += ["_space_group_name_H-M_alt 'P 1'", "_space_group_IT_number 1", "loop_"]
    lines += ["_space_group_symop_operation_xyz", "'x, y, z'", "loop_"]
    lines += [f"_atom_site_{name}" for name in ("label", "type_symbol")]
    lines += [f"_atom_site_fract_{name}" for name in "xyz"]
    file.write(("\n".join(lines) + "\n").encode())
    longest = np.linalg.norm(box.cell, axis=1).max()
    decimals = DECIMALS + max(0, int(np.ceil(np.log10(longest))))
    formats = (JOINED, 0, SYMBOL, *[decimals] * 3)
    first = 1
    for block in source.blocks():
        ids = np.arange(first, first + len(block.numbers))
        columns = [block.numbers, ids, block.numbers, box.fractions(block.positions)]
        file.write(lines_of(np.column_stack(columns), formats))
        first += len(ids)


def write_lammps_data(file: IO[Any], source: AtomSource) -> None:
    """LAMMPS data, atom style atomic, units metal; a type for each element.

    The box has its corner at zero, a along x and b in the plane of x and y, as LAMMPS
    wants it: the atoms are turned with the cell. Of a left-handed cell c is reversed,
    which is the same lattice. Along vectors that are not periodic the box holds all
    atoms, along the others atoms are wrapped into it. The first line says which
    ``boundary`` belongs to the model.
    """
    from ase.data import atomic_masses, chemical_symbols

    box = _box(source)
    lower = _lower_triangle(box.cell)
    numbers = np.flatnonzero(box.counts)
    types = np.zeros(len(box.counts))
    types[numbers] = np.arange(1, len(numbers) + 1)
    boundary = " ".join("fp"[int(periodic)] for periodic in source.pbc)
    lines = [f"Written by hyperspy_t2t. units metal, boundary {boundary}", ""]
    lines += [f"{source.n_atoms} atoms", f"{len(numbers)} atom types", ""]
    for axis, name in enumerate("xyz"):
        lines.append(f"0.0 {lower[axis, axis]:.9f} {name}lo {name}hi")
    tilt = lower[[1, 2, 2], [0, 0, 1]]
    if np.abs(tilt).max() > 1e-9:
        lines.append("{:.9f} {:.9f} {:.9f} xy xz yz".format(*tilt))
    lines += ["", "Masses", ""]
    for number in numbers:
        mass, symbol = atomic_masses[number], chemical_symbols[number]
        lines.append(f"{types[number]:.0f} {mass:.6f} # {symbol}")
    lines += ["", "Atoms # atomic", "", ""]
    file.write("\n".join(lines).encode())
    first = 1
    for block in source.blocks():
        ids = np.arange(first, first + len(block.numbers))
        fractions = box.fractions(block.positions)
        fractions -= np.floor(fractions + 1e-9) * source.pbc
        positions = fractions @ lower
        columns = [ids, types[block.numbers.astype(np.intp)], positions]
        file.write(lines_of(np.column_stack(columns), (0, 0, *[DECIMALS] * 3)))
        first += len(ids)


WRITERS: dict[str, Callable[[IO[Any], AtomSource], None]] = {
    "extxyz": write_extxyz,
    "xyz": write_xyz,
    "cif": write_cif,
    "lammps-data": write_lammps_data,
}
"""Writers by the names that ASE has for the formats."""


@dataclass(frozen=True)
class _Box:
    """A right-handed cell that holds all atoms, and how many there are of each."""

    cell: Array
    origin: Array
    counts: Ints

    def fractions(self, positions: Array) -> Array:
        """Fractional coordinates, (n, 3)."""
        return (positions - self.origin) @ np.linalg.inv(self.cell)


def _box(source: AtomSource) -> _Box:
    """The cell of a model, longer where atoms stand outside and it is not periodic."""
    from ase.data import chemical_symbols
    from ase.geometry import complete_cell

    cell = np.array(complete_cell(source.cell), float)
    box = _Box(cell, np.array(source.origin, float), np.empty(0, int))
    low, high = np.full(3, 0.5), np.full(3, 0.5)
    counts = np.zeros(len(chemical_symbols), np.int64)
    for block in source.blocks():
        fractions = box.fractions(block.positions)
        if not len(fractions):
            continue
        low = np.minimum(low, fractions.min(axis=0))
        high = np.maximum(high, fractions.max(axis=0))
        _check_numbers(block.numbers, len(counts))
        counts += np.bincount(block.numbers.astype(np.intp), minlength=len(counts))
    beyond = _MARGIN / np.linalg.norm(cell, axis=1)
    low = np.where(~source.pbc & (low < 0), low - beyond, 0)
    high = np.where(~source.pbc & (high >= 1), high + beyond, 1)
    origin = box.origin + low @ cell
    cell = cell * (high - low)[:, None]
    if np.linalg.det(cell) < 0:
        origin, cell[2] = origin + cell[2], -cell[2]
    return _Box(cell, origin, counts)


def _check_numbers(numbers: Array, end: int) -> None:
    if not (numbers.min() >= 1 and numbers.max() < end):
        raise ValueError(
            f"Expected atomic numbers from 1 to {end - 1}, got {numbers.min():g} to "
            f"{numbers.max():g}."
        )


def _lower_triangle(cell: Array) -> Array:
    """A right-handed cell turned so that it is lower triangular."""
    lower = np.linalg.qr(cell.T)[1].T
    return lower * np.sign(np.diag(lower))


def _words(values: Array) -> str:
    return " ".join(f"{value:.9f}" for value in np.ravel(values))
