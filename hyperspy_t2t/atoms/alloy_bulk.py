# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Bulk cell and stiffness of an alloy from those of the compounds it is between."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from hyperspy_t2t.atoms.elastic import Stiffness, mixed_stiffness, stiffness
from hyperspy_t2t.atoms.structure_match import matching_sites
from hyperspy_t2t.phases.crystal_phase import CrystalPhase
from hyperspy_t2t.phases.library import phases_of_space_group


@dataclass(frozen=True)
class Bowing:
    """Departure of a cubic lattice from Vegard's law, b x (1 − x), in ångström."""

    space_group: int
    elements: frozenset[str]
    value: float
    source: str


BOWINGS = (
    Bowing(
        227,
        frozenset({"Si", "Ge"}),
        -0.027,
        "a = 5.431 + 0.2 x + 0.027 x²: J. P. Dismukes, L. Ekstrom, R. J. Paff, "
        "J. Phys. Chem. 68 (1964) 3021, https://doi.org/10.1021/j100793a049",
    ),
)
"""Known bowings. Where there is none the law is linear."""


def bulk_of_alloy(
    phase: CrystalPhase,
    fractions: Mapping[str, float],
    library: Sequence[CrystalPhase] | None = None,
) -> CrystalPhase:
    """A phase with the bulk cell of an alloy on its lattice, by Vegard's law.

    With shares x_i on one sublattice and y_j on another, each cell parameter is
    Σ_ij x_i y_j p_ij of the compounds ij, which have the structure of the phase.
    Silicon-germanium bows by −0.027 x (1 − x) Å, at most 0.12 % of its lattice.

    Parameters
    ----------
    phase
        The lattice, for example "Ge diamond" or "InP zincblende".
    fractions
        Chemical symbol → share of its own sublattice: ``{"Si": 0.3, "Ge": 0.7}``, or
        ``{"In": 0.53, "Ga": 0.47, "As": 1}`` on InP. They sum to one on each
        sublattice; one that is not named keeps its element.
    library
        Phases to take the compounds from; the embedded library when omitted.

    Returns
    -------
    CrystalPhase
        Sites and elements of `phase` with the cell of the alloy.

    Raises
    ------
    ValueError
        Where an element does not go on a sublattice, shares do not sum to one, or a
        compound is missing.

    References
    ----------
    L. Vegard, Z. Phys. 5 (1921) 17, https://doi.org/10.1007/BF01349680
    """
    parts = end_members(phase, fractions, library)
    # As departures from the first, so that what all have in common stays exact.
    first = np.array(parts[0][0].cell)
    cell = first + sum(share * (np.array(one.cell) - first) for one, share in parts)
    bowed, sources = _bowed(phase, fractions)
    cell[:3] += bowed
    text = ", ".join(f"{symbol} {share:.4g}" for symbol, share in fractions.items())
    names = ", ".join(member.name for member, _ in parts)
    return replace(
        phase,
        name=f"{phase.name} with {text}",
        cell=tuple(float(value) for value in cell),
        source="; ".join([f"Vegard's law between {names}", *sources]),
        status="computed",
    )


def stiffness_of_alloy(
    phase: CrystalPhase,
    fractions: Mapping[str, float],
    library: Sequence[CrystalPhase] | None = None,
) -> Stiffness:
    """Elastic stiffness of an alloy: linear between its compounds.

    Parameters are those of :func:`bulk_of_alloy`.

    Raises
    ------
    ValueError
        As :func:`bulk_of_alloy`, and where a compound's stiffness is not known.
    """
    parts = end_members(phase, fractions, library)
    return mixed_stiffness([(stiffness(member), share) for member, share in parts])


def end_members(
    phase: CrystalPhase,
    fractions: Mapping[str, float],
    library: Sequence[CrystalPhase] | None = None,
) -> list[tuple[CrystalPhase, float]]:
    """The compounds an alloy is between, and the share of each (they sum to one).

    Parameters are those of :func:`bulk_of_alloy`.
    """
    _check_occupied(phase)
    if library is None:
        library = _library_phases(phase.space_group)
    known = [phase, *(one for one in library if one.space_group == phase.space_group)]
    own = sorted(phase.elements)
    shares: dict[str, dict[str, float]] = {element: {} for element in own}
    for symbol, share in fractions.items():
        shares[_sublattice(phase, symbol, known)][symbol] = float(share)
    shares = {element: mix or {element: 1.0} for element, mix in shares.items()}
    _check_shares(phase, shares)
    parts = []
    for symbols in product(*shares.values()):
        share = float(
            np.prod([shares[e][s] for e, s in zip(own, symbols, strict=True)])
        )
        if share > 0:
            instead = dict(zip(own, symbols, strict=True))
            parts.append((_compound(phase, instead, known), share))
    return parts


def _check_occupied(phase: CrystalPhase) -> None:
    if np.any(phase.occupancy < 1 - 1e-3):
        raise ValueError(
            f"Expected a phase with one element on each site, got {phase.name!r} with "
            f"occupancies down to {phase.occupancy.min():.3g}. Its own cell is that of "
            "the alloy already; otherwise index with a compound it is made of."
        )


def _library_phases(space_group: int) -> list[CrystalPhase]:
    try:
        return phases_of_space_group(space_group)
    except ValueError:  # none of this group
        return []


def _sublattice(phase: CrystalPhase, symbol: str, known: Sequence[CrystalPhase]) -> str:
    """Element of the phase whose sites a symbol takes: there is such a compound."""
    if symbol in phase.elements:
        return symbol
    own = sorted(phase.elements)
    hosts = [
        host
        for host in own
        if any(_is_compound(phase, one, {host: symbol}) for one in known)
    ]
    if len(hosts) == 1:
        return hosts[0]
    wanted = " or ".join(_formula(phase, {host: symbol}) for host in own)
    raise ValueError(
        f"Expected elements that take the place of one element of {phase.name!r}; got "
        f"{symbol}, for which the library {'has several' if hosts else 'lacks'} "
        f"{wanted} of the same structure. Give the bulk cell of the alloy itself."
    )


def _check_shares(phase: CrystalPhase, shares: dict[str, dict[str, float]]) -> None:
    for element, mix in shares.items():
        total = sum(mix.values())
        if not (abs(total - 1) < 1e-3 and min(mix.values()) >= 0):
            text = ", ".join(f"{symbol} {share:.4g}" for symbol, share in mix.items())
            raise ValueError(
                f"Expected shares of at least 0 that sum to 1 on the {element} sites "
                f"of {phase.name!r}, got {text} with a sum of {total:.4g}."
            )
        for symbol in mix:
            mix[symbol] /= total


def _compound(
    phase: CrystalPhase, instead: dict[str, str], known: Sequence[CrystalPhase]
) -> CrystalPhase:
    for one in known:
        if _is_compound(phase, one, instead):
            return one
    raise ValueError(
        f"Expected {_formula(phase, instead)} with the structure of {phase.name!r} in "
        "the library, for Vegard's law; it is not there. Give the bulk cell of the "
        "alloy itself."
    )


def _is_compound(
    phase: CrystalPhase, other: CrystalPhase, instead: dict[str, str]
) -> bool:
    """Whether another phase is this one with some elements replaced."""
    from ase.data import atomic_numbers

    numbers = np.array(phase.numbers)
    for element, symbol in instead.items():
        numbers[phase.numbers == atomic_numbers[element]] = atomic_numbers[symbol]
    if not np.array_equal(np.sort(numbers), np.sort(other.numbers)):
        return False
    replaced = replace(phase, numbers=numbers)
    match = matching_sites(replaced, other)
    return match is not None and np.array_equal(numbers, other.numbers[match.site])


def _bowed(
    phase: CrystalPhase, fractions: Mapping[str, float]
) -> tuple[float, list[str]]:
    """Sum of the known bowings of an alloy in ångström, and their sources."""
    found = [
        bowing
        for bowing in BOWINGS
        if bowing.space_group == phase.space_group
        and bowing.elements <= fractions.keys()
        and len(phase.elements) == 1
    ]
    value = sum(
        bowing.value * float(np.prod([fractions[e] for e in bowing.elements]))
        for bowing in found
    )
    return value, [bowing.source for bowing in found]


def _formula(phase: CrystalPhase, instead: Mapping[str, str]) -> str:
    from ase.data import chemical_symbols

    symbols = [chemical_symbols[z] for z in phase.numbers]
    names = [instead.get(symbol, symbol) for symbol in dict.fromkeys(symbols)]
    return "".join(names)
