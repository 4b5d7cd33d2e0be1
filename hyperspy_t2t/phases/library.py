# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""The embedded phase library, and its phases by name, elements or space group."""

import difflib
import json
import re
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from importlib.resources import files
from math import gcd
from typing import Any

import numpy as np

from hyperspy_t2t.phases.crystal_phase import CrystalPhase
from hyperspy_t2t.phases.space_groups import (
    close_symbols,
    find_space_group,
    nearest_group,
    space_group_number,
    space_group_symbol,
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
        raise ValueError(unknown_phase(name))
    return _expanded(name)


def phase_formula(phase: CrystalPhase) -> str:
    """Formula of a phase as the library writes it, of other phases in lowest terms."""
    if phase.name in _entries() and phase is _expanded(phase.name):
        return _entries()[phase.name]["formula"]
    from hyperspy_t2t.phases.convert import formula

    return formula(phase)


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
    return [library_phase(name) for name in _names_of_elements(elements)]


def phases_of_space_group(
    space_group: int | str | Iterable[int | str],
) -> list[CrystalPhase]:
    """All library phases of a space group, or of any of several.

    Parameters
    ----------
    space_group
        Numbers or Hermann-Mauguin symbols, see
        :func:`hyperspy_t2t.phases.space_groups.space_group_number`.

    Raises
    ------
    ValueError
        Where there is no such space group, or no phase of one of them in the
        library; the message names phases of the groups next to it.

    Examples
    --------
    >>> [phase.name for phase in phases_of_space_group("P6_3/m")]
    ['Si3N4 beta']
    """
    return [library_phase(name) for name in _names_of_space_groups(space_group)]


def phases_named(text: str) -> list[CrystalPhase]:
    """All library phases that a name, a formula or the beginning of a name means.

    Parameters
    ----------
    text
        A name in any case; else a formula, of which there may be several phases; else
        the beginning of one name.

    Returns
    -------
    list of CrystalPhase
        Empty where it means none.

    Raises
    ------
    ValueError
        Where several names begin like this.
    """
    names, folded = phase_names(), text.strip().casefold()
    same = [text] if text in names else [n for n in names if n.casefold() == folded]
    found = same if len(same) == 1 else _names_of_formula(text)
    if not found:
        found = [n for n in names if folded and n.casefold().startswith(folded)]
        if len(found) > 1:
            raise ValueError(
                f"Expected one phase; {text!r} begins the names of {len(found)}: "
                f"{_listed(found)}. Give a whole name{_symbol_hint(text)}."
            )
    return [library_phase(name) for name in found]


def select_phases(
    *,
    elements: str | Iterable[str] | None = None,
    space_group: int | str | Iterable[int | str] | None = None,
    name: str | None = None,
) -> list[CrystalPhase]:
    """Library phases that meet all conditions given; all phases without a condition.

    Parameters
    ----------
    elements
        Chemical symbols: phases made of some or all of these and no others.
    space_group
        Number or Hermann-Mauguin symbol, or several: phases of any of them.
    name
        Part of the name in any case, for example ``"rutile"``, or a formula.

    Returns
    -------
    list of CrystalPhase
        In the order of the library. ``index_phases`` takes it as it is.

    Raises
    ------
    ValueError
        Where a condition is met by no phase, or no phase meets all; the message
        lists the phases that miss one.

    Examples
    --------
    >>> [phase.name for phase in select_phases(elements="Si", space_group="Fd-3m")]
    ['Si diamond']
    """
    given = {"elements": elements, "space_group": space_group, "name": name}
    ask: dict[str, Callable[[Any], Iterable[str]]] = {
        "elements": _names_of_elements,
        "space_group": _names_of_space_groups,
        "name": _names_with,
    }
    met = {
        key: set(ask[key](value)) for key, value in given.items() if value is not None
    }
    chosen = set(phase_names()).intersection(*met.values())
    if chosen:
        return [library_phase(one) for one in phase_names() if one in chosen]
    near = {
        key: [
            one
            for one in phase_names()
            if all(one in names for other, names in met.items() if other != key)
        ]
        for key in met
    }
    hints = [f"without {key} {_listed(names)}" for key, names in near.items() if names]
    asked = ", ".join(f"{key}={given[key]!r}" for key in met)
    raise ValueError(
        f"Expected a library phase that meets all conditions; none meets {asked}. "
        f"There would be {'; '.join(hints) or 'none with one condition less either'}. "
        "Leave out a condition, or give the structure as a CIF path or ase.Atoms."
    )


def _names_of_elements(elements: str | Iterable[str]) -> list[str]:
    wanted = [elements] if isinstance(elements, str) else list(elements)
    unknown = [symbol for symbol in wanted if symbol not in chemical_symbols()]
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
        groups = [symbol for symbol in missing if find_space_group(symbol)]
        raise ValueError(
            f"Expected elements with a phase in the library; no phase made only of "
            f"{', '.join(wanted)} contains {', '.join(missing)}. Give its structure "
            "as a CIF path or ase.Atoms, or add the other elements it is bound to."
            + "".join(
                f" As a space group write '{one[0]} {one[1:]}'." for one in groups
            )
        )
    return matches


def _names_of_space_groups(
    space_group: int | str | Iterable[int | str],
) -> list[str]:
    wanted = [space_group_number(one) for one in as_list(space_group)]
    present = {name: entry["space_group"] for name, entry in _entries().items()}
    missing = set(wanted).difference(present.values())
    if missing or not wanted:
        raise ValueError(
            "Expected a space group with a phase in the library; got "
            f"{_groups_with_neighbours(missing, present) or 'an empty list'}. "
            "Choose another, or give the structure as a CIF path or ase.Atoms."
        )
    return [name for name, number in present.items() if number in wanted]


def _groups_with_neighbours(missing: Iterable[int], present: dict[str, int]) -> str:
    """What is missing, and phases of the group nearest to it."""
    texts = []
    for number in sorted(missing):
        closest = nearest_group(number, present.values())
        near = [
            f"{name!r} ({space_group_symbol(one)}, {one})"
            for name, one in present.items()
            if one == closest
        ]
        more = ", …" if len(near) > 4 else ""
        texts.append(
            f"{space_group_symbol(number)} ({number}), of which it has none; closest "
            f"{', '.join(near[:4])}{more}"
        )
    return "; ".join(texts)


def _names_with(text: str) -> list[str]:
    """Names that hold `text`, and those of phases with this formula."""
    folded, of_formula = text.strip().casefold(), _names_of_formula(text)
    found = [
        name
        for name in phase_names()
        if folded and (folded in name.casefold() or name in of_formula)
    ]
    if not found:
        raise ValueError(unknown_phase(text))
    return found


@cache
def _entries() -> dict[str, dict[str, Any]]:
    stored = files("hyperspy_t2t.data").joinpath("phases.json")
    phases = json.loads(stored.read_text(encoding="utf-8"))["phases"]
    return {entry["name"]: entry for entry in phases}


@cache
def chemical_symbols() -> dict[str, int]:
    """Atomic number of each element."""
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


def as_list(given: Any) -> list[Any]:
    """What was given as a list; of one item unless it is a collection."""
    several = isinstance(given, (list, tuple, set, frozenset, np.ndarray))
    return list(given) if several else [given]


def _names_of_formula(text: str) -> list[str]:
    composition = _composition(text.strip())
    return [
        name
        for name, entry in _entries().items()
        if composition and _composition(entry["formula"]) == composition
    ]


def _composition(formula: str) -> dict[str, int] | None:
    """Atoms of each element in lowest terms; None where it's no plain formula."""
    if not re.fullmatch(r"([A-Z][a-z]?\d*)+", formula):
        return None
    counts: dict[str, int] = {}
    for symbol, count in re.findall(r"([A-Z][a-z]?)(\d*)", formula):
        counts[symbol] = counts.get(symbol, 0) + int(count or 1)
    divisor = gcd(*counts.values())
    if divisor == 0 or not counts.keys() <= chemical_symbols().keys():
        return None
    return {symbol: count // divisor for symbol, count in counts.items()}


def unknown_phase(text: str) -> str:
    """What to say where `text` means nothing in the library."""
    folded = {name.casefold(): name for name in phase_names()}
    close = difflib.get_close_matches(text.casefold(), folded, n=5, cutoff=0.5)
    near = f"Close matches: {_listed([folded[key] for key in close])}. "
    groups = close_symbols(text)
    near_groups = f"Close space groups: {_listed(groups)}. "
    return (
        f"Expected the name, formula or space group of one of the {len(folded)} phases "
        f"in the library; got {text!r}. {near if close else ''}"
        f"{near_groups if groups else ''}Choose one, or give the structure as a CIF "
        f"path or ase.Atoms{_symbol_hint(text)}."
    )


def _symbol_hint(text: str) -> str:
    symbol = text.strip().capitalize()
    return f", or the element as {symbol!r}" if symbol in chemical_symbols() else ""


def _listed(names: Sequence[str], limit: int = 8) -> str:
    more = ", …" if len(names) > limit else ""
    return ", ".join(repr(name) for name in names[:limit]) + more
