# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Which elements may sit on which sites of a crystal."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from hyperspy_t2t.array_types import Ints

_NOBLE = (2, 10, 18, 36, 54, 86, 118)
_RADII = {
    "Li": 0.76, "Na": 1.02, "K": 1.38, "Rb": 1.52, "Cs": 1.67, "Ag": 1.15,
    "Mg": 0.72, "Ca": 1.00, "Sr": 1.18, "Ba": 1.35, "Zn": 0.74, "Cd": 0.95,
    "Hg": 1.02, "Sn": 0.69, "Pb": 1.19, "Al": 0.535, "Ga": 0.62, "In": 0.80,
    "Tl": 0.885, "Bi": 1.03, "Sc": 0.745, "Y": 0.90, "La": 1.032, "Ce": 1.01,
    "Pr": 0.99, "Nd": 0.983, "Sm": 0.958, "Eu": 0.947, "Gd": 0.938, "Tb": 0.923,
    "Dy": 0.912, "Ho": 0.901, "Er": 0.89, "Tm": 0.88, "Yb": 0.868, "Lu": 0.861,
    "Ti": 0.605, "Zr": 0.72, "Hf": 0.71, "V": 0.58, "Nb": 0.64, "Ta": 0.64,
    "Cr": 0.615, "Mo": 0.59, "W": 0.60, "Mn": 0.645, "Fe": 0.645, "Ru": 0.62,
    "Co": 0.61, "Rh": 0.665, "Ir": 0.625, "Ni": 0.69, "Pd": 0.86, "Pt": 0.625,
    "Cu": 0.73, "Si": 0.40, "Ge": 0.53, "Sb": 0.60, "Th": 0.94, "U": 0.89,
}  # fmt: skip
"""Radii in Å of cations in their common state, six neighbours, R. D. Shannon, Acta
Cryst. A 32 (1976) 751, https://doi.org/10.1107/S0567739476001551. Only their order
matters here: which of the cations of a crystal is the most similar."""
_ANIONS = frozenset({7, 8, 9, 16, 17, 34, 35, 52, 53})
"""N, O, F, S, Cl, Se, Br, Te, I: these never replace a cation of a compound."""
_NOT_METALS = frozenset(
    [
        *range(1, 3),
        *range(5, 11),
        *range(14, 19),
        *range(32, 37),
        *range(51, 55),
        85,
        86,
    ]
)
_MOST_DIFFERENT = 0.35
"""Cations with radii that differ by more do not replace each other."""


@dataclass(frozen=True)
class Sublattice:
    """Sites of a crystal whose atoms share elements.

    Parameters
    ----------
    nominal
        Atomic numbers of the crystal on these sites.
    elements
        Atomic numbers of the composition that belong there.
    """

    nominal: tuple[int, ...]
    elements: tuple[int, ...]


def sublattices(sites: Ints, elements: Sequence[int]) -> list[Sublattice]:
    """Sublattices of a crystal, with the elements of a composition assigned to them.

    An element goes where it sits already; else where an element of its group of the
    periodic table sits (III on III, V on V, IV on IV, II, VI); else, in a metal, on the
    sites of the metal of the most similar size, and in a compound with anions on those
    of the cation with the most similar ionic radius. What fits nowhere is left out.

    Parameters
    ----------
    sites
        Atomic numbers that the crystal has on its sites, shape (n,), or (n, m) where a
        site is shared by several, filled up with 0.
    elements
        Atomic numbers of the composition.
    """
    nominal = _shared_sites(sites)
    found: list[list[int]] = [[] for _ in nominal]
    for element in elements:
        place = _place(int(element), nominal)
        if place is not None:
            found[place].append(int(element))
    return [
        Sublattice(tuple(own), tuple(new))
        for own, new in zip(nominal, found, strict=True)
    ]


def sublattice_of_sites(sites: Ints, found: Sequence[Sublattice]) -> Ints:
    """Index of the sublattice of each site, shape (n,)."""
    first = np.reshape(sites, (len(sites), -1))[:, 0]
    index = {n: i for i, part in enumerate(found) for n in part.nominal}
    return np.array([index[int(number)] for number in first])


def no_site(element: int, sites_of_phases: dict[str, Ints]) -> str:
    """What to tell about an element that fits no site of any phase."""
    from ase.data import chemical_symbols

    known = "; ".join(
        f"{name} has sites of {symbols(np.unique(sites))}"
        for name, sites in sites_of_phases.items()
    )
    return (
        f"Expected elements with a site in a phase of the model, got "
        f"{chemical_symbols[element]}: {known}. An element goes to sites of its own, "
        "of its group of the periodic table, or of a similar ion. Leave it out, or "
        "index the region with a phase that has such a site."
    )


def symbols(numbers: Iterable[int]) -> str:
    """Chemical symbols as text, without 0."""
    from ase.data import chemical_symbols

    return ", ".join(chemical_symbols[int(number)] for number in numbers if number)


def group_of(number: int) -> int:
    """Group of the periodic table, 1 to 18; 3 for all lanthanides and actinides."""
    core = max((n for n in _NOBLE if n < number), default=0)
    place = number - core
    if number in (1, 2):
        return 1 if number == 1 else 18
    length = _NOBLE[_NOBLE.index(core) + 1] - core if core else 2
    if place <= 2:
        return place
    if length == 8:
        return place + 10
    if length == 32:
        return 3 if place <= 17 else place - 14
    return place


def _family(number: int) -> int:
    """Group, with those of two valence electrons together (Zn, Cd, Hg on Mg, Be)."""
    group = group_of(number)
    return 2 if group == 12 else group


def _shared_sites(sites: Ints) -> list[list[int]]:
    """Elements that share sites put together, in the order of the sites."""
    parts: list[set[int]] = []
    for row in np.reshape(sites, (len(sites), -1)).tolist():
        own = {int(number) for number in row if number}
        if not own:
            continue
        touching = [part for part in parts if part & own]
        merged = own.union(*touching)
        if touching:
            parts[parts.index(touching[0])] = merged
            parts = [part for part in parts if part not in touching[1:]]
        else:
            parts.append(merged)
    return [sorted(part) for part in parts]


def _place(element: int, nominal: list[list[int]]) -> int | None:
    """Index of the sublattice an element belongs to."""
    for index, own in enumerate(nominal):
        if element in own:
            return index
    related = [
        index
        for index, own in enumerate(nominal)
        if any(_family(element) == _family(number) for number in own)
    ]
    if len(related) == 1:
        return related[0]
    present = {number for own in nominal for number in own}
    if not present & _NOT_METALS and element not in _NOT_METALS:
        return _most_similar(element, nominal, related or range(len(nominal)), False)
    if related:
        return _most_similar(element, nominal, related, False)
    if present & _ANIONS and element not in _ANIONS:
        cations = [i for i, own in enumerate(nominal) if not set(own) & _ANIONS]
        return _most_similar(element, nominal, cations, True)
    return None


def _most_similar(
    element: int, nominal: list[list[int]], places: Iterable[int], ionic: bool
) -> int | None:
    """Of some sublattices the one whose atoms are closest in size."""
    from ase.data import chemical_symbols, covalent_radii

    def radius(number: int) -> float:
        if ionic:
            return _RADII.get(chemical_symbols[number], np.nan)
        return float(covalent_radii[number])

    best, smallest = None, _MOST_DIFFERENT
    for index in places:
        ratio = [abs(np.log(radius(n) / radius(element))) for n in nominal[index]]
        if min(ratio) < smallest:
            best, smallest = index, min(ratio)
    return best
