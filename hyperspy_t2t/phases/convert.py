# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""CrystalPhase from and to ase, orix, diffpy.structure and CIF files.

Everything passes through cell parameters and fractional coordinates, never through
the Cartesian coordinates of another package, so that the frame is always ours:
e1 ∥ a and e3 ∥ c*.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hyperspy_t2t.array_types import Array, Ints
from hyperspy_t2t.phases.cif import last_structure
from hyperspy_t2t.phases.crystal_phase import CrystalPhase
from hyperspy_t2t.phases.symmetry import (
    SYMMETRY_TOLERANCE,
    fits_space_group,
    in_conventional_cell,
    operation_count,
    shared_sites,
    symmetry,
)

if TYPE_CHECKING:
    import ase
    from diffpy.structure import Structure
    from orix.crystal_map import Phase

_OVERLAP = 0.3


def phase_to_ase(phase: CrystalPhase) -> ase.Atoms:
    """The full cell of a phase as periodic atoms, with a ∥ x and c* ∥ z.

    Sites that share a position become one atom of the most abundant element. The
    occupancies stand in ``info["occupancy"]`` and ``arrays["spacegroup_kinds"]``,
    as ase.io.read leaves them for a CIF file; name, space group, source and status
    stand in ``info``.
    """
    from ase import Atoms
    from ase.data import chemical_symbols

    kinds, members, first = shared_sites(phase)
    main = [max(species, key=lambda one: one[1])[0] for species in members]
    atoms = Atoms(
        numbers=np.array(main)[kinds],
        cell=phase.lattice,
        scaled_positions=phase.fractional[first],
        pbc=True,
    )
    atoms.set_array("spacegroup_kinds", kinds)
    atoms.info |= {
        "name": phase.name,
        "space_group": int(phase.space_group),
        "source": phase.source,
        "status": phase.status,
        "occupancy": {
            str(kind): {chemical_symbols[number]: share for number, share in species}
            for kind, species in enumerate(members)
        },
    }
    return atoms


def phase_from_ase(atoms: ase.Atoms, *, name: str | None = None) -> CrystalPhase:
    """The phase whose crystal `atoms` are a cell of.

    Parameters
    ----------
    atoms
        Periodic structure. Occupancies are read as ase.io.read leaves them.
    name
        ``atoms.info["name"]`` or the formula when omitted.

    Returns
    -------
    CrystalPhase
        In the cell given where it goes with the space group in ``atoms.info``.
        Otherwise spglib determines the space group, and a primitive or repeated
        cell is replaced by the conventional one, which indices refer to.

    Raises
    ------
    ValueError
        Where there are no atoms, the cell has no volume or atoms overlap.
    """
    if len(atoms) == 0 or atoms.cell.rank < 3:
        raise ValueError(
            f"Expected a crystal: atoms in a cell with three vectors; got "
            f"{len(atoms)} atoms in a cell with {atoms.cell.rank}. "
            "Set atoms.cell and atoms.pbc."
        )
    label = (
        name
        or atoms.info.get("name")
        or atoms.symbols.get_chemical_formula(mode="metal", empirical=True)
    )
    # A cell and its inverse have the same lengths and angles; only one is
    # right-handed, as the cells of a CrystalPhase are.
    hand = np.sign(np.linalg.det(atoms.cell))
    numbers, sites, occupancy = _species(atoms)
    phase = CrystalPhase(
        name=str(label),
        cell=tuple(float(value) for value in atoms.cell.cellpar()),
        numbers=numbers,
        fractional=hand * atoms.get_scaled_positions(wrap=False)[sites],
        occupancy=occupancy,
        source=str(atoms.info.get("source", "ase.Atoms")),
        status=str(atoms.info.get("status", "")),
    )
    _check(phase)
    stored = getattr(atoms.info.get("spacegroup"), "no", 1)
    known = atoms.info.get("space_group", stored)
    if known > 1 and fits_space_group(phase.cell, known):
        return replace(phase, space_group=int(known))
    return in_conventional_cell(phase)


def phase_from_cif(path: str | Path) -> CrystalPhase:
    """The phase in a CIF file, named after the file.

    Of several structures in one file it is the last. Symmetry operations in the file
    expand the atoms; where they are missing, its space group does.

    Raises
    ------
    FileNotFoundError
        Where there is no such file.
    ValueError
        Where the file holds no structure that ase can read.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(
            f"Expected a CIF file; there is none at '{path}'. Check the path: it "
            f"was looked for from '{Path.cwd()}'."
        )
    try:
        atoms = last_structure(path)
    except Exception as error:  # the parser raises what its first bad line leads to
        raise ValueError(
            f"Expected a CIF file with a cell, symmetry and atom sites; '{path}' "
            f"could not be read: {type(error).__name__}: {error}. Open it in a "
            "structure viewer and export it again."
        ) from error
    return replace(phase_from_ase(atoms, name=path.stem), source=f"CIF {path.name}")


def phases_from_folder(folder: str | Path) -> list[CrystalPhase]:
    """The phases in all CIF files of a folder, sorted by file name.

    Parameters
    ----------
    folder
        Folder with files that end in ``.cif``; folders inside it are left out.

    Raises
    ------
    FileNotFoundError
        Where there is no such folder.
    ValueError
        Where the folder holds no CIF file, or some that cannot be read: the message
        names each of these.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(
            f"Expected a folder of CIF files; there is none at '{folder}'. Check the "
            f"path: it was looked for from '{Path.cwd()}'."
        )
    files = sorted(
        path
        for path in folder.iterdir()
        if path.suffix.lower() == ".cif" and path.is_file()
    )
    found, failed = [], []
    for path in files:
        try:
            found.append(phase_from_cif(path))
        except ValueError as error:
            failed.append(f"{path.name} ({error})")
    if failed or not files:
        raise ValueError(
            f"Expected a folder of readable CIF files; in '{folder}' "
            f"{'; '.join(failed) or 'there is no file that ends in .cif'}. "
            "Repair or remove what is wrong, or name the good files one by one."
        )
    return found


def phase_to_orix(phase: CrystalPhase) -> Phase:
    """The phase as orix, diffsims and pyxem take it, with the full cell of atoms.

    Notes
    -----
    ``structure.lattice.base`` of the result equals ``phase.lattice``, but for other
    than orthogonal cells ``structure.xyz`` are not the fractional coordinates: orix
    turns the lattice, not the atoms, and diffsims undoes it when it sums structure
    factors. :func:`phase_from_orix` reads them back right. The full cell is there,
    so nothing is left to expand.
    """
    from ase.data import chemical_symbols
    from diffpy.structure import Atom, Lattice, Structure
    from orix.crystal_map import Phase

    atoms = [
        Atom(chemical_symbols[number], xyz=xyz, occupancy=share)
        for number, xyz, share in zip(
            phase.numbers, phase.fractional, phase.occupancy, strict=True
        )
    ]
    structure = Structure(atoms=atoms, lattice=Lattice(*phase.cell), title=phase.name)
    return Phase(phase.name, space_group=int(phase.space_group), structure=structure)


def phase_from_orix(phase: Phase) -> CrystalPhase:
    """The phase in an orix phase; an asymmetric unit is expanded to the full cell.

    Raises
    ------
    ValueError
        Where the orix phase holds no atoms, or symmetry makes atoms overlap.
    """
    structure = phase.structure
    name = phase.name or structure.composition
    if len(structure) == 0:
        raise ValueError(
            f"Expected an orix phase with atoms; {name!r} has none, and reflections "
            "need them. Build it from a CIF file with orix.crystal_map.Phase.from_cif."
        )
    group = phase.space_group
    lattice = structure.lattice
    bare = CrystalPhase(
        name=str(name),
        cell=tuple(float(value) for value in lattice.abcABG()),
        numbers=np.array([_atomic_number(atom.element) for atom in structure]),
        fractional=np.zeros((len(structure), 3)),
        space_group=1 if group is None else group.number,
        occupancy=np.array([float(atom.occupancy) for atom in structure]),
        source="orix.crystal_map.Phase",
    )
    # The lattice the atoms were given in. Copying or saving an orix phase forgets
    # it; then it was turned or not, and the more symmetric structure is the one.
    bases = [getattr(phase, "_diffpy_lattice", lattice.base)]
    if np.allclose(bases[0], lattice.base):
        bases.append(lattice.stdbase)
    full = [
        _completed(
            replace(bare, fractional=structure.xyz_cartn @ np.linalg.inv(base)), group
        )
        for base in bases
    ]
    best = min(full, key=lambda one: len(one.numbers))
    _check(best)
    return best if group is not None else in_conventional_cell(best)


def phase_from_diffpy(structure: Structure) -> CrystalPhase:
    """The phase whose crystal a diffpy structure holds a full cell of.

    Returns
    -------
    CrystalPhase
        With the space group spglib finds, in the conventional cell, named after the
        title of the structure or its formula.

    Raises
    ------
    ValueError
        Where there are no atoms, or atoms overlap.

    Notes
    -----
    A diffpy structure says nothing of symmetry, so an asymmetric unit is taken for
    all there is: give that as an orix phase with its space group.
    """
    if len(structure) == 0:
        raise ValueError(
            "Expected a diffpy structure with atoms; got one without. Add the atoms "
            "of the full cell, or read it from a CIF file."
        )
    lattice = structure.lattice
    phase = CrystalPhase(
        name=str(structure.title or ""),
        cell=tuple(float(value) for value in lattice.abcABG()),
        numbers=np.array([_atomic_number(atom.element) for atom in structure]),
        fractional=np.array(structure.xyz, float),
        occupancy=np.array([float(atom.occupancy) for atom in structure]),
        source="diffpy.structure.Structure",
    )
    # orix turns the lattice of the structure in its phase to e1 ∥ a, not the atoms:
    # then the more symmetric reading is the crystal.
    if np.allclose(lattice.base, phase.lattice, atol=1e-6):
        other = structure.xyz_cartn @ np.linalg.inv(lattice.stdbase)
        turned = replace(phase, fractional=other)
        phase = max(phase, turned, key=operation_count)
    _check(phase)
    named = replace(phase, name=phase.name or formula(phase))
    return in_conventional_cell(named)


def formula(phase: CrystalPhase) -> str:
    """Chemical formula in lowest terms, elements as they come in the cell.

    Partly occupied and mixed sites count by their share: ``Al0.3Ga0.7As``.
    """
    from ase.data import chemical_symbols

    kinds, _, _ = shared_sites(phase)
    units = np.gcd.reduce(np.bincount(kinds))
    _, first = np.unique(phase.numbers, return_index=True)
    text = ""
    for number in phase.numbers[np.sort(first)]:
        count = phase.occupancy[phase.numbers == number].sum() / units
        written = "" if np.isclose(count, 1.0) else f"{count:.3f}".rstrip("0")
        text += chemical_symbols[number] + written.rstrip(".")
    return text


def _species(
    atoms: ase.Atoms,
) -> tuple[Ints, Ints, Array]:
    """Atomic number, atom and share of each species on each atom's site."""
    from ase.data import atomic_numbers

    occupancy = atoms.info.get("occupancy", {})
    kinds = atoms.arrays.get("spacegroup_kinds", np.full(len(atoms), -1))
    found: list[tuple[int, int, float]] = []
    for site, (number, kind) in enumerate(zip(atoms.numbers, kinds, strict=True)):
        shares = {
            atomic_numbers[symbol]: float(share)
            for symbol, share in occupancy.get(str(kind), {}).items()
        }
        # Atoms that were replaced after reading no longer go with the table.
        shares = shares if number in shares else {int(number): 1.0}
        found.extend((one, site, share) for one, share in shares.items())
    numbers, sites, share = map(np.array, zip(*found, strict=True))
    return numbers, sites, share


def _completed(phase: CrystalPhase, group: Any) -> CrystalPhase:
    """`phase` with all sites that the operations of a diffpy space group give."""
    if group is None or symmetry(phase).number == group.number:
        return phase
    operations = list(group.iter_symops())
    rotations = np.stack([one.R for one in operations])
    shifts = np.stack([one.t for one in operations])
    images = np.einsum("oij,nj->noi", rotations, phase.fractional) + shifts
    numbers: list[int] = []
    occupancy: list[float] = []
    fractional = np.empty((0, 3))
    given = zip(phase.numbers, phase.occupancy, images % 1.0, strict=True)
    for number, share, sites in given:
        for site in sites:
            gap = fractional - site
            gap = (gap - np.round(gap)) @ phase.lattice
            near = np.linalg.norm(gap, axis=1) < SYMMETRY_TOLERANCE
            if not (near & (np.array(numbers) == number)).any():
                numbers.append(number)
                occupancy.append(share)
                fractional = np.vstack([fractional, site])
    return replace(
        phase,
        numbers=np.array(numbers),
        fractional=fractional,
        occupancy=np.array(occupancy),
    )


def _atomic_number(element: str | int) -> int:
    from ase.data import atomic_numbers

    if not isinstance(element, str):
        return int(element)
    symbol = re.sub(r"[^A-Za-z].*", "", element).capitalize()
    if symbol not in atomic_numbers:
        raise ValueError(
            f"Expected a chemical symbol on each atom of a structure; got "
            f"{element!r}. Set the element of each atom, for example 'Si'."
        )
    return atomic_numbers[symbol]


def _overlaps(phase: CrystalPhase) -> Iterator[tuple[int, int]]:
    from ase import Atoms
    from ase.neighborlist import neighbor_list

    atoms = Atoms(
        numbers=phase.numbers,
        cell=phase.lattice,
        scaled_positions=phase.fractional,
        pbc=True,
    )
    yield from zip(*neighbor_list("ij", atoms, _OVERLAP), strict=True)


def _check(phase: CrystalPhase) -> None:
    """Refuse positions that are no numbers, and sites with more than one atom."""
    if not (np.isfinite(phase.fractional).all() and np.isfinite(phase.lattice).all()):
        raise ValueError(
            f"Expected finite cell and positions; phase {phase.name!r} has NaN or "
            "infinite ones. Check the file or object it came from."
        )
    for one, other in _overlaps(phase):
        if phase.occupancy[one] + phase.occupancy[other] > 1.01:
            raise ValueError(
                f"Expected atoms at least {_OVERLAP} Å apart; in phase "
                f"{phase.name!r} sites {one} and {other}, at "
                f"{np.round(phase.fractional[one], 3)}, fall together. Check its space "
                "group, setting and occupancies, or give the full cell as ase.Atoms."
            )
