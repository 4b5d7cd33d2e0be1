# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""What a user may name candidate phases by."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from hyperspy_t2t.phases.crystal_phase import CrystalPhase
from hyperspy_t2t.phases.library import (
    as_list,
    chemical_symbols,
    phases_named,
    phases_of_elements,
    phases_of_space_group,
    unknown_phase,
)
from hyperspy_t2t.phases.space_groups import find_space_group

if TYPE_CHECKING:
    import ase
    import orix.crystal_map
    from diffpy.structure import Structure

    Candidate: TypeAlias = (
        str | int | Path | CrystalPhase | ase.Atoms | orix.crystal_map.Phase | Structure
    )

_ACCEPTED = (
    "element symbols, names or formulas in the library, space groups, paths to CIF "
    "files or folders of them, ase.Atoms, orix.crystal_map.Phase, "
    "diffpy.structure.Structure or CrystalPhase"
)


def resolve_phases(
    candidates: "Candidate | Sequence[Candidate]",
) -> list[CrystalPhase]:
    """Turn whatever a user names phases by into phases.

    Parameters
    ----------
    candidates
        One item or a sequence that mixes: element symbols (all symbols together
        mean every library phase made only of these elements); names in the
        library, in any case; formulas (every library phase of that formula) or the
        beginning of one name; numbers or Hermann-Mauguin symbols of space groups
        (every library phase of that group); paths ending in ``.cif``, and folders
        of such files; ``ase.Atoms``; ``orix.crystal_map.Phase``;
        ``diffpy.structure.Structure``; :class:`CrystalPhase`. A string that can be
        read in several ways means the first of them in this order.

    Returns
    -------
    list of CrystalPhase
        In the order given, each phase once. A different structure under a name
        already taken gets a number appended to its name.

    Raises
    ------
    ValueError
        Where the list is empty, or an item names no phase or more than one.
    FileNotFoundError
        Where a path leads to no file or folder.
    TypeError
        Where an item is of another kind.

    Examples
    --------
    >>> [phase.name for phase in resolve_phases(["Si", "Ge"])]
    ['Si diamond', 'Ge diamond']
    """
    items = _items(candidates)
    if not items:
        raise ValueError(
            f"Expected at least one candidate phase: {_ACCEPTED}. Got an empty list. "
            "Name the elements in the sample, for example ['Si', 'Ge']."
        )
    symbols = [
        item for item in items if isinstance(item, str) and item in chemical_symbols()
    ]
    found: list[CrystalPhase] = []
    for item in items:
        if not (isinstance(item, str) and item in chemical_symbols()):
            found.extend(_resolve(item))
        elif symbols:
            found.extend(phases_of_elements(symbols))
            symbols = []
    return _without_duplicates(found)


def candidate_priors(candidates: Any, phases: Sequence[CrystalPhase]) -> list[float]:
    """How likely each phase is before anything is measured, from 0 to 1.

    Who names elements says that they are in the sample: a phase that lacks one of
    them counts nine tenths of one that holds all.

    Parameters
    ----------
    candidates, phases
        What was given to :func:`resolve_phases`, and what it returned.
    """
    named = {
        item
        for item in _items(candidates)
        if isinstance(item, str) and item in chemical_symbols()
    }
    return [0.9 if phase.elements < named else 1.0 for phase in phases]


def _items(candidates: Any) -> list[Any]:
    # A diffpy structure is a list of its atoms.
    return [candidates] if _is_diffpy(candidates) else as_list(candidates)


def _is_diffpy(item: Any) -> bool:
    return hasattr(item, "xyz_cartn") and hasattr(item, "lattice")


def _resolve(item: Any) -> list[CrystalPhase]:
    from hyperspy_t2t.phases import convert

    if isinstance(item, CrystalPhase):
        return [item]
    if isinstance(item, (str, Path)) and str(item).lower().endswith(".cif"):
        return [convert.phase_from_cif(item)]
    if isinstance(item, Path):
        return convert.phases_from_folder(item)
    if isinstance(item, str):
        return _named(item)
    if isinstance(item, Integral) and not isinstance(item, bool):
        return phases_of_space_group(int(item))
    if _is_diffpy(item):
        return [convert.phase_from_diffpy(item)]
    if type(item).__module__.startswith("orix.") and hasattr(item, "structure"):
        return [convert.phase_from_orix(item)]
    if hasattr(item, "get_scaled_positions"):
        return [convert.phase_from_ase(item)]
    raise TypeError(
        f"Expected {_ACCEPTED}; got {item!r} of type {type(item).__name__}. "
        "Convert it to one of these."
    )


def _named(text: str) -> list[CrystalPhase]:
    """Phases of the library, else of a space group, else in a folder of CIF files."""
    if found := phases_named(text):
        return found
    if find_space_group(text) is not None:
        return phases_of_space_group(text)
    if text.strip() and Path(text).is_dir():
        from hyperspy_t2t.phases.convert import phases_from_folder

        return phases_from_folder(text)
    raise ValueError(unknown_phase(text))


def _without_duplicates(phases: Iterable[CrystalPhase]) -> list[CrystalPhase]:
    kept: dict[str, CrystalPhase] = {}
    for phase in phases:
        name, copies = phase.name, 1
        while name in kept and not _same_structure(kept[name], phase):
            copies += 1
            name = f"{phase.name} ({copies})"
        renamed = phase if name == phase.name else replace(phase, name=name)
        kept.setdefault(name, renamed)
    return list(kept.values())


def _same_structure(one: CrystalPhase, other: CrystalPhase) -> bool:
    return (
        one.numbers.shape == other.numbers.shape
        and np.allclose(one.cell, other.cell)
        and np.array_equal(one.numbers, other.numbers)
        and np.allclose(one.fractional, other.fractional)
        and np.allclose(one.occupancy, other.occupancy)
    )
