# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Amorphous regions: atoms packed at random at a density, with a least distance.

Random sequential addition: positions are drawn one after another and kept where no atom
is too near. Equal spheres jam at 38 % of the volume (Widom, J. Chem. Phys. 44 (1966)
3888, https://doi.org/10.1063/1.1726548; Cooper, Phys. Rev. A 38 (1988) 522,
https://doi.org/10.1103/PhysRevA.38.522); 25 % is reached quickly. Density, composition
and the least distance are right, neighbours and angles are not: relax the atoms, or
melt and quench them, before their bonds are looked at.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from hyperspy_t2t.array_types import Array, Ints
from hyperspy_t2t.atoms.random_packing import (
    Inside,
    empty_cells,
    filled,
    near_region,
    outline_of,
)

FILLING = 0.25
"""Share of the volume in spheres of the least distance."""
_DALTON = 1.66053906660
"""1 u/Å³ in g/cm³."""
_CLOSER = 0.95 ** np.arange(6)
"""Factors on the least distance, one after another where no more atoms go in."""
_LEAST_DENSITY = 0.995


@dataclass(frozen=True)
class AmorphousMaterial:
    """What an amorphous region is made of.

    Parameters
    ----------
    name
        As the user calls it.
    formula
        Atoms of each element in a unit of the formula, by symbol.
    density
        In g/cm³.
    source
        Where the density is from.
    """

    name: str
    formula: dict[str, float]
    density: float
    source: str = "given"

    @property
    def atom_density(self) -> float:
        """Atoms per Å³."""
        from ase.data import atomic_masses, atomic_numbers

        mass = sum(
            count * atomic_masses[atomic_numbers[symbol]]
            for symbol, count in self.formula.items()
        )
        return self.density / _DALTON * sum(self.formula.values()) / mass


_KNOWN = {
    "SiO2": AmorphousMaterial(
        "SiO2", {"Si": 1, "O": 2}, 2.20,
        "vitreous silica, R. Brückner, J. Non-Cryst. Solids 5 (1970) 123, "
        "https://doi.org/10.1016/0022-3093(70)90190-0",
    ),
    "Si": AmorphousMaterial(
        "Si", {"Si": 1}, 2.285,
        "amorphous Si, 1.8 % below the crystal, J. S. Custer et al., Appl. Phys. Lett. "
        "64 (1994) 437, https://doi.org/10.1063/1.111121",
    ),
    "C": AmorphousMaterial(
        "C", {"C": 1}, 2.0,
        "evaporated (1.9) to sputtered (2.2) carbon, J. Robertson, Mater. Sci. Eng. R "
        "37 (2002) 129, https://doi.org/10.1016/S0927-796X(02)00005-0",
    ),
    "Al2O3": AmorphousMaterial(
        "Al2O3", {"Al": 2, "O": 3}, 3.0,
        "from atomic layer deposition at 177 °C, M. D. Groner et al., Chem. Mater. 16 "
        "(2004) 639, https://doi.org/10.1021/cm0304546",
    ),
}  # fmt: skip


class Packing(NamedTuple):
    """Atoms of an amorphous region."""

    positions: Array
    """(x, y, z) in Å, shape (n, 3)."""
    numbers: Ints
    """Atomic numbers, shape (n,)."""
    distance: float
    """Least distance in Å that was kept."""
    volume: float
    """Of the region in Å³."""
    density: float
    """Reached, in g/cm³."""


def amorphous_material(given: str | Mapping) -> AmorphousMaterial:
    """Material of a name, or of a formula and a density that the user gives.

    Parameters
    ----------
    given
        One of "SiO2", "Si", "C" and "Al2O3", also as "a-Si"; or
        ``{"formula": {"Si": 3, "N": 4}, "density": 3.0}`` with the density in g/cm³ and
        the formula as a mapping or as text such as "Si3N4".

    Raises
    ------
    ValueError
        A name that is not known, an element that is none, or a density not above 0.
    """
    if isinstance(given, AmorphousMaterial):
        return given
    if isinstance(given, str):
        name = given.strip().removeprefix("a-")
        if name not in _KNOWN:
            raise ValueError(
                f"Expected one of the amorphous materials {', '.join(_KNOWN)}, got "
                f"{given!r}. Give any other by its formula and its density in g/cm³: "
                '{"formula": "HfO2", "density": ...}.'
            )
        return _KNOWN[name]
    if not isinstance(given, Mapping) or set(given) != {"formula", "density"}:
        raise ValueError(
            'Expected {"formula": ..., "density": ...} of an amorphous material, got '
            f"{given!r}."
        )
    formula, density = _formula(given["formula"]), float(given["density"])
    if not 0 < density < 100:
        raise ValueError(f"Expected a density in g/cm³ above 0, got {density:g} g/cm³.")
    name = "".join(f"{s}{n:g}" if n != 1 else s for s, n in formula.items())
    return AmorphousMaterial(name, formula, density)


def _formula(given: str | Mapping[str, float]) -> dict[str, float]:
    """Counts by symbol of a formula as text or mapping."""
    from ase.data import atomic_numbers
    from ase.formula import Formula

    try:
        counts = Formula(given).count() if isinstance(given, str) else dict(given)
        counts = {str(symbol): float(count) for symbol, count in counts.items()}
    except (ValueError, TypeError) as error:
        raise ValueError(
            f'Expected a formula such as "SiO2" or {{"Si": 1, "O": 2}}, got {given!r}.'
        ) from error
    unknown = [symbol for symbol in counts if not atomic_numbers.get(symbol)]
    if unknown or not counts or not min(counts.values()) > 0:
        raise ValueError(
            f"Expected elements and numbers above 0 in a formula, got {given!r}."
        )
    return counts


def least_distance(material: AmorphousMaterial) -> float:
    """Distance in Å that no two atoms of a random packing fall short of.

    The smallest sum of the covalent radii of two of its elements, unlike ones if there
    are several, but no more than fills 25 % of the volume with spheres.
    """
    from ase.data import atomic_numbers, covalent_radii

    radii = sorted(float(covalent_radii[atomic_numbers[s]]) for s in material.formula)
    bond = radii[0] + radii[min(1, len(radii) - 1)]
    packed = (6 * FILLING / (np.pi * material.atom_density)) ** (1 / 3)
    return float(min(bond, packed))


def packed_atoms(
    inside: Inside,
    bounds: tuple[float, float, float, float],
    thickness: float,
    material: AmorphousMaterial,
    *,
    seed: int = 0,
    around: Array | None = None,
    periodic: bool = False,
    min_distance: float | None = None,
) -> Packing:
    """Atoms of an amorphous region, at random, at its density.

    Parameters
    ----------
    inside
        Whether points (n, 2), as (x, y) in nm, are in the region, (n,) of bool.
    bounds
        (left, top, right, bottom) in nm of a rectangle around it.
    thickness
        Along z in nm; the atoms have 0 ≤ z < thickness.
    material
        See :func:`amorphous_material`.
    seed
        Of the random numbers: the same atoms for the same seed.
    around
        (x, y, z) in Å of atoms that are there already, shape (m, 3).
    periodic
        Whether the model goes on along z with the thickness as its period.
    min_distance
        In Å, also from the atoms around; by default :func:`least_distance`. Where the
        default leaves no room, as in a thin layer, it is made smaller in steps of 5 %,
        to three quarters at least; one that was given stays.

    Returns
    -------
    Packing
        As many atoms as the density asks for, 0.5 % fewer at most; their composition
        is exact to one atom.

    Raises
    ------
    ValueError
        No point of the region, no thickness, or the density is out of reach.
    """
    first = least_distance(material) if min_distance is None else float(min_distance)
    height = 10.0 * float(thickness)
    if not (height > 0 and first > 0) or (periodic and height < first):
        raise ValueError(
            f"Expected a thickness and a least distance above 0, got {thickness:g} nm "
            f"and {first:g} Å."
        )
    random = np.random.default_rng(seed)
    outline = outline_of(inside, bounds)
    volume = outline.area * height
    wanted = round(material.atom_density * volume)
    placed = np.zeros((0, 3))
    for distance in [first] if min_distance is not None else first * _CLOSER:
        near = near_region(around, empty_cells(outline, height, distance, periodic, 0))
        cells = empty_cells(outline, height, distance, periodic, len(near) + wanted)
        placed = filled(cells, outline, inside, near, placed, random)
        if len(placed) == wanted:
            break
    if len(placed) < _LEAST_DENSITY * wanted:
        raise ValueError(
            f"Expected {material.name} of {material.density:g} g/cm³, got room for "
            f"{material.density * len(placed) / wanted:.3g} g/cm³ with "
            f"{distance:.3g} Å between atoms. Give a smaller min_distance or density."
        )
    numbers = _elements(material.formula, len(placed), random)
    reached = material.density * len(placed) / max(material.atom_density * volume, 1e-9)
    return Packing(placed, numbers, float(distance), volume, float(reached))


def _elements(
    formula: Mapping[str, float], count: int, random: np.random.Generator
) -> Ints:
    """Atomic numbers in random order, each as often as the formula says to one atom."""
    from ase.data import atomic_numbers

    share = np.array(list(formula.values())) / sum(formula.values()) * count
    whole = np.floor(share + 1e-9).astype(int)
    whole[np.argsort(whole - share, kind="stable")[: count - whole.sum()]] += 1
    numbers = np.repeat([atomic_numbers[symbol] for symbol in formula], whole)
    return random.permutation(numbers)
