# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""The embedded phase library, and what a user may name a phase by."""

import difflib
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cache
from importlib.resources import files
from math import gcd
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hyperspy_t2t.phases.crystal_phase import CrystalPhase

if TYPE_CHECKING:
    import ase
    import orix.crystal_map

    Candidate = str | Path | CrystalPhase | ase.Atoms | orix.crystal_map.Phase

_ACCEPTED = (
    "element symbols, names or formulas in the library, paths to CIF files, "
    "ase.Atoms, orix.crystal_map.Phase or CrystalPhase"
)


def phase_names() -> list[str]:
    """Names of all phases in the library, in its order."""
    return list(_entries())


def library_phase(name: str) -> CrystalPhase:
    """The phase called `name` in the library, expanded to its full cell.

    Parameters
    ----------
    name
        Exact name, one of :func:`phase_names`.

    Returns
    -------
    CrystalPhase
        Its arrays are shared between calls and read-only.

    Raises
    ------
    ValueError
        Where no phase has this name; the message lists the closest names.
    """
    if name not in _entries():
        raise ValueError(_unknown(name))
    return _expanded(name)


def phases_of_elements(elements: Iterable[str]) -> list[CrystalPhase]:
    """All library phases made of some or all of these elements and no others.

    Parameters
    ----------
    elements
        Chemical symbols, for example ``["Ga", "As"]``.

    Raises
    ------
    ValueError
        Where a symbol is unknown, or where an element is in none of the phases.
    """
    wanted = [elements] if isinstance(elements, str) else list(elements)
    unknown = [symbol for symbol in wanted if symbol not in _symbols()]
    if unknown or not wanted:
        raise ValueError(
            "Expected chemical symbols such as 'Si' or 'Ga'; "
            f"got {', '.join(map(repr, unknown)) or 'an empty list'}. "
            "Write each symbol with one capital letter first."
        )
    matches = [
        name for name, entry in _entries().items() if _elements(entry) <= set(wanted)
    ]
    covered = set().union(*(_elements(_entries()[name]) for name in matches))
    missing = [symbol for symbol in wanted if symbol not in covered]
    if missing:
        raise ValueError(
            f"Expected elements with a phase in the library; no phase made only of "
            f"{', '.join(wanted)} contains {', '.join(missing)}. Give its structure "
            "as a CIF path or ase.Atoms, or add the other elements it is bound to."
        )
    return [library_phase(name) for name in matches]


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
        beginning of one name; paths ending in ``.cif``; ``ase.Atoms``;
        ``orix.crystal_map.Phase``; :class:`CrystalPhase`.

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
        Where a CIF path leads to no file.
    TypeError
        Where an item is of another kind.

    Examples
    --------
    >>> [phase.name for phase in resolve_phases(["Si", "Ge"])]
    ['Si diamond', 'Ge diamond']
    """
    items = _as_list(candidates)
    if not items:
        raise ValueError(
            f"Expected at least one candidate phase: {_ACCEPTED}. Got an empty list. "
            "Name the elements in the sample, for example ['Si', 'Ge']."
        )
    symbols = [item for item in items if isinstance(item, str) and item in _symbols()]
    found: list[CrystalPhase] = []
    for item in items:
        if not (isinstance(item, str) and item in _symbols()):
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
        for item in _as_list(candidates)
        if isinstance(item, str) and item in _symbols()
    }
    return [0.9 if phase.elements < named else 1.0 for phase in phases]


@cache
def _entries() -> dict[str, dict[str, Any]]:
    stored = files("hyperspy_t2t.data").joinpath("phases.json")
    phases = json.loads(stored.read_text(encoding="utf-8"))["phases"]
    return {entry["name"]: entry for entry in phases}


@cache
def _symbols() -> dict[str, int]:
    from ase.data import atomic_numbers

    return {symbol: number for symbol, number in atomic_numbers.items() if number > 0}


def _elements(entry: dict[str, Any]) -> set[str]:
    return {symbol for symbol, _ in entry["sites"]}


@cache
def _expanded(name: str) -> CrystalPhase:
    from ase.spacegroup import crystal

    entry = _entries()[name]
    symbols, basis = zip(*entry["sites"], strict=True)
    atoms = crystal(
        symbols,
        basis,
        spacegroup=entry["space_group"],
        setting=entry["setting"],
        cellpar=entry["cell"],
    )
    phase = CrystalPhase(
        name=name,
        cell=tuple(float(value) for value in entry["cell"]),
        numbers=atoms.numbers.astype(np.int64),
        fractional=atoms.get_scaled_positions(),
        space_group=entry["space_group"],
        source=entry["source"],
        status=entry["status"],
    )
    for array in (phase.numbers, phase.fractional, phase.occupancy):
        array.flags.writeable = False
    return phase


def _as_list(candidates: Any) -> list[Any]:
    if isinstance(candidates, (list, tuple, set, frozenset, np.ndarray)):
        return list(candidates)
    return [candidates]


def _resolve(item: Any) -> list[CrystalPhase]:
    from hyperspy_t2t.phases import convert

    if isinstance(item, CrystalPhase):
        return [item]
    if isinstance(item, (str, Path)) and str(item).lower().endswith(".cif"):
        return [convert.phase_from_cif(item)]
    if isinstance(item, str):
        return _named(item)
    if type(item).__module__.startswith("orix.") and hasattr(item, "structure"):
        return [convert.phase_from_orix(item)]
    if hasattr(item, "get_scaled_positions"):
        return [convert.phase_from_ase(item)]
    raise TypeError(
        f"Expected {_ACCEPTED}; got {item!r} of type {type(item).__name__}. "
        "Convert it to one of these."
    )


def _named(text: str) -> list[CrystalPhase]:
    """Phases that `text` means: a name, else a formula, else a name's beginning."""
    names = phase_names()
    folded = text.strip().casefold()
    same = [text] if text in names else [n for n in names if n.casefold() == folded]
    if len(same) == 1:
        return [library_phase(same[0])]
    composition = _composition(text.strip())
    if composition:
        matches = [
            name
            for name, entry in _entries().items()
            if _composition(entry["formula"]) == composition
        ]
        if matches:
            return [library_phase(name) for name in matches]
    begun = [name for name in names if folded and name.casefold().startswith(folded)]
    if len(begun) == 1:
        return [library_phase(begun[0])]
    if begun:
        raise ValueError(
            f"Expected one phase; {text!r} begins the names of {len(begun)}: "
            f"{_listed(begun)}. Give a whole name{_symbol_hint(text)}."
        )
    raise ValueError(_unknown(text))


def _composition(formula: str) -> dict[str, int] | None:
    """Atoms of each element in lowest terms; None where it's no plain formula."""
    if not re.fullmatch(r"([A-Z][a-z]?\d*)+", formula):
        return None
    counts: dict[str, int] = {}
    for symbol, count in re.findall(r"([A-Z][a-z]?)(\d*)", formula):
        counts[symbol] = counts.get(symbol, 0) + int(count or 1)
    divisor = gcd(*counts.values())
    if divisor == 0 or not counts.keys() <= _symbols().keys():
        return None
    return {symbol: count // divisor for symbol, count in counts.items()}


def _unknown(text: str) -> str:
    folded = {name.casefold(): name for name in phase_names()}
    close = difflib.get_close_matches(text.casefold(), folded, n=5, cutoff=0.5)
    near = f"Close matches: {_listed([folded[key] for key in close])}. "
    return (
        f"Expected the name or formula of one of the {len(folded)} phases in the "
        f"library; got {text!r}. {near if close else ''}Choose one, or give the "
        f"structure as a CIF path or ase.Atoms{_symbol_hint(text)}."
    )


def _symbol_hint(text: str) -> str:
    symbol = text.strip().capitalize()
    return f", or the element as {symbol!r}" if symbol in _symbols() else ""


def _listed(names: Sequence[str], limit: int = 8) -> str:
    more = ", …" if len(names) > limit else ""
    return ", ".join(repr(name) for name in names[:limit]) + more


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
