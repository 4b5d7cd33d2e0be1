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

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

Array = npt.NDArray[np.floating]
Ints = npt.NDArray[np.integer]
Mask = npt.NDArray[np.bool_]
Inside = Callable[[Array], Mask]
FILLING = 0.25
"""Share of the volume in spheres of the least distance."""
_DALTON = 1.66053906660
"""Of 1 g/cm³ in u/Å³: its inverse."""
_CLOSER, _CLOSEST = 0.95, 0.75
"""Factor on the least distance where no more atoms go in, and how small it may get."""
_LEAST_DENSITY = 0.995
_POINTS = 2_000_000
"""Points at which the outline of a region is looked at, at most."""
_BATCH = 400_000
_IDLE = 4_000_000
"""Tries in vain after which a region counts as full."""


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
    outline = _outline(inside, bounds)
    volume = outline.area * height
    wanted = round(material.atom_density * volume)
    placed, distance = np.zeros((0, 3)), first
    while True:
        near = _near(around, _cells(outline, height, distance, periodic, 0))
        cells = _cells(outline, height, distance, periodic, len(near) + wanted)
        placed = _filled(cells, outline, inside, near, placed, random)
        if len(placed) == wanted or min_distance is not None:
            break
        if distance * _CLOSER < _CLOSEST * first:
            break
        distance *= _CLOSER
    if len(placed) < _LEAST_DENSITY * wanted:
        raise ValueError(
            f"Expected {material.name} of {material.density:g} g/cm³, got room for "
            f"{material.density * len(placed) / wanted:.3g} g/cm³ with "
            f"{distance:.3g} Å between atoms. Give a smaller min_distance or density."
        )
    numbers = _elements(material.formula, len(placed), random)
    reached = material.density * len(placed) / max(material.atom_density * volume, 1e-9)
    return Packing(placed, numbers, distance, volume, reached)


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


@dataclass(frozen=True)
class _Outline:
    """Small squares that a region may reach into."""

    origin: Array
    """(x, y) of the corner of the first in Å, (2,)."""
    step: float
    """Their width in Å."""
    squares: Ints
    """(i, j) of each along x and y, shape (n, 2)."""
    area: float
    """Of the region in Å²."""


def _outline(inside: Inside, bounds: tuple[float, float, float, float]) -> _Outline:
    """Look at a region in the middle of small squares."""
    from scipy.ndimage import binary_dilation

    left, top, right, bottom = (10.0 * float(edge) for edge in bounds)
    if not (right > left and bottom > top):
        raise ValueError(
            f"Expected bounds (left, top, right, bottom) in nm, got {bounds!r}."
        )
    step = max(float(np.sqrt((right - left) * (bottom - top) / _POINTS)), 0.02)
    # One more all around, so that no part of the region lies beyond them.
    shape = np.ceil(np.array([right - left, bottom - top]) / step).astype(int) + 2
    origin = np.array([left, top]) - step
    seen = np.zeros(shape, bool)
    y = origin[1] + (np.arange(shape[1]) + 0.5) * step
    rows = max(1, _BATCH // shape[1])
    for start in range(0, shape[0], rows):
        x = origin[0] + (np.arange(start, min(start + rows, shape[0])) + 0.5) * step
        points = np.stack(np.meshgrid(x, y, indexing="ij"), -1).reshape(-1, 2)
        seen[start : start + rows] = np.reshape(inside(0.1 * points), (len(x), -1))
    if not seen.any():
        raise ValueError(
            f"Expected a region within {bounds!r} nm, got none of its points there."
        )
    squares = np.argwhere(binary_dilation(seen, np.ones((3, 3))))
    return _Outline(origin, step, squares, float(seen.sum()) * step**2)


class _Cells(NamedTuple):
    """Columns of cells, no narrower than the distance, where a region is."""

    origin: Array
    """(x, y) of the corner of the first cell in Å."""
    side: float
    """Of a cell along x and y in Å."""
    column: Ints
    """Number of each column, −1 where the region is not near, shape (nx, ny)."""
    depth: int
    """Cells along z."""
    height: float
    """Along z in Å."""
    periodic: bool
    distance: float
    heads: Ints
    """Last atom in each cell, −1 in an empty one, shape (n_columns * depth,)."""
    links: Ints
    """The atom before it in the cell, −1 for the first, shape (n_atoms,)."""
    atoms: Array
    """Positions in Å, filled as far as there are atoms, shape (n_atoms, 3)."""


def _cells(
    outline: _Outline, height: float, distance: float, periodic: bool, most: int
) -> _Cells:
    """Empty cells over a region, with room for atoms."""
    from scipy.ndimage import binary_dilation

    side = max(distance, outline.step)
    low, high = outline.squares.min(axis=0), outline.squares.max(axis=0) + 1
    origin = outline.origin + low * outline.step - side
    shape = np.ceil((high - low) * outline.step / side).astype(int) + 3
    middle = outline.origin + (outline.squares + 0.5) * outline.step
    near = np.zeros(shape, bool)
    near[tuple(((middle - origin) / side).astype(int).T)] = True
    near = binary_dilation(near, np.ones((3, 3)))
    column = np.full(shape, -1, np.int64)
    column[near] = np.arange(int(near.sum()))
    depth = max(1, int(height / distance))
    return _Cells(
        origin, side, column, depth, height, periodic, distance,
        np.full(int(near.sum()) * depth, -1, np.int32),
        np.full(most, -1, np.int32), np.empty((most, 3)),
    )  # fmt: skip


def _filled(
    cells: _Cells,
    outline: _Outline,
    inside: Inside,
    around: Array,
    placed: Array,
    random: np.random.Generator,
) -> Array:
    """Positions (n, 3) in Å: those placed, and more until the cells hold enough."""
    count = len(around) + len(placed)
    cells.atoms[:count] = np.concatenate([around, placed])
    _put_in(cells, 0, count)
    most = len(cells.atoms)
    batch = int(np.clip(20 * (most - len(around)), 20_000, _BATCH))
    patience = int(np.clip(400 * (most - len(around)), _BATCH, _IDLE))
    idle = 0
    while count < most and idle < patience:
        tries = _tries(outline, cells.height, batch, random)
        tries = tries[_free(cells, tries)]
        # The outline is the slower test: only what would find room takes it.
        tries = tries[np.asarray(inside(0.1 * tries[:, :2]), bool)]
        # Out of the order of the squares: the last ones may find enough atoms already.
        more = _added(cells, random.permutation(tries), count)
        idle = 0 if more > count else idle + batch
        count = more
    return cells.atoms[len(around) : count].copy()


def _tries(
    outline: _Outline, height: float, count: int, random: np.random.Generator
) -> Array:
    """Random points (n, 3) in Å over the squares of a region, in their order."""
    # In the order of the squares: neighbours then lie near in memory, too.
    square = outline.squares[np.sort(random.integers(len(outline.squares), size=count))]
    points = random.random((count, 3))
    points[:, :2] = outline.origin + outline.step * (square + points[:, :2])
    points[:, 2] *= height
    return points


def _near(around: Array | None, cells: _Cells) -> Array:
    """Those of the atoms around, (m, 3), that may be in the way; wrapped along z."""
    if around is None or not len(around):
        return np.zeros((0, 3))
    around = np.asarray(around, float)
    if cells.periodic:
        around = np.column_stack([around[:, :2], around[:, 2] % cells.height])
    index = np.floor((around[:, :2] - cells.origin) / cells.side).astype(int)
    near = ((index >= 0) & (index < cells.column.shape)).all(axis=1)
    near[near] = cells.column[tuple(index[near].T)] >= 0
    low, high = -cells.distance, cells.height + cells.distance
    return around[near & (around[:, 2] > low) & (around[:, 2] < high)]


@njit(cache=True, nogil=True)
def _layer(cells: _Cells, z: float) -> int:
    """Which cell of a column has a depth; the end ones also what is beyond."""
    return min(max(int(z / cells.height * cells.depth), 0), cells.depth - 1)


@njit(cache=True, nogil=True)
def _put_in(cells: _Cells, first: int, last: int) -> None:
    """Enter atoms into their cells."""
    for atom in range(first, last):
        x, y, z = cells.atoms[atom]
        i = int((x - cells.origin[0]) / cells.side)
        j = int((y - cells.origin[1]) / cells.side)
        cell = cells.column[i, j] * cells.depth + _layer(cells, z)
        cells.links[atom] = cells.heads[cell]
        cells.heads[cell] = atom


@njit(cache=True, nogil=True)
def _has_room(cells: _Cells, x: float, y: float, z: float) -> bool:
    """Whether no atom is nearer than the distance."""
    limit = cells.distance**2
    i = int((x - cells.origin[0]) / cells.side)
    j = int((y - cells.origin[1]) / cells.side)
    k = _layer(cells, z)
    for column in cells.column[i - 1 : i + 2, j - 1 : j + 2].flat:
        if column < 0:
            continue
        for layer in range(k - 1, k + 2):
            if cells.periodic:
                layer %= cells.depth
            elif layer < 0 or layer >= cells.depth:
                continue
            atom = cells.heads[column * cells.depth + layer]
            while atom >= 0:
                dx, dy = cells.atoms[atom, 0] - x, cells.atoms[atom, 1] - y
                dz = cells.atoms[atom, 2] - z
                if cells.periodic:
                    dz -= cells.height * np.rint(dz / cells.height)
                if dx * dx + dy * dy + dz * dz < limit:
                    return False
                atom = cells.links[atom]
    return True


@njit(cache=True, nogil=True)
def _free(cells: _Cells, points: Array) -> Mask:
    """Points (n, 3) that no atom is too near to."""
    result = np.empty(len(points), np.bool_)
    for k in range(len(points)):
        result[k] = _has_room(cells, points[k, 0], points[k, 1], points[k, 2])
    return result


@njit(cache=True, nogil=True)
def _added(cells: _Cells, points: Array, count: int) -> int:
    """Enter the points that have room, one after another; the new number of atoms."""
    for k in range(len(points)):
        if count == len(cells.atoms):
            break
        if _has_room(cells, points[k, 0], points[k, 1], points[k, 2]):
            cells.atoms[count] = points[k]
            _put_in(cells, count, count + 1)
            count += 1
    return count
