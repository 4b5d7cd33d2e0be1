# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""The symmetry of a phase as spglib finds it, whatever its setting."""

import warnings
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from hyperspy_t2t.array_types import Array, Ints
from hyperspy_t2t.phases.crystal_phase import CrystalPhase

SYMMETRY_TOLERANCE = 0.01
"""Distance in ångström within which two positions are the same."""
_WITHIN = {"symprec": SYMMETRY_TOLERANCE}


class Symmetry(NamedTuple):
    """What spglib found in a phase: space group number and point operations."""

    number: int
    rotations: Ints


def symmetry(phase: CrystalPhase) -> Symmetry:
    """Space group number and point operations of a phase, as spglib finds them.

    Returns
    -------
    Symmetry
        ``rotations`` are integer matrices of shape (n, 3, 3) that act on direct
        indices, ``uvw_equivalent = rotation @ uvw``, in the axes of this very cell,
        whatever its setting. P1 where spglib finds nothing.

    References
    ----------
    Togo, Shinohara, Tanaka, Sci. Technol. Adv. Mater. Meth. 4 (2024) 2384822,
    https://doi.org/10.1080/27660400.2024.2384822
    """
    found = _ask_spglib("get_symmetry_dataset", _cell(phase), **_WITHIN)
    if found is None:
        return Symmetry(1, np.eye(3, dtype=np.int64)[None])
    rotations = np.unique(np.asarray(found.rotations, np.int64), axis=0)
    return Symmetry(int(found.number), rotations)


def point_group(operations: Ints) -> str:
    """Hermann-Mauguin symbol of point operations on direct indices, (n, 3, 3)."""
    return str(_ask_spglib("get_pointgroup", operations)[0]).strip()


def cartesian_operations(phase: CrystalPhase, operations: Ints) -> Array:
    """Point operations on direct indices as matrices on vectors, shape (n, 3, 3)."""
    columns = phase.lattice.T
    return columns @ operations @ np.linalg.inv(columns)


def operation_count(phase: CrystalPhase) -> int:
    """Symmetry operations in a cell of the phase, lattice centrings among them."""
    found = _ask_spglib("get_symmetry_dataset", _cell(phase), **_WITHIN)
    return 1 if found is None else len(found.rotations)


def in_conventional_cell(phase: CrystalPhase) -> CrystalPhase:
    """`phase` with the space group spglib finds, in that group's conventional cell."""
    number = symmetry(phase).number
    options = {"to_primitive": False, "no_idealize": True, **_WITHIN}
    standard = _ask_spglib("standardize_cell", _cell(phase), **options)
    if standard is None:
        return replace(phase, space_group=number)
    lattice, fractional, kinds = standard
    _, members, _ = shared_sites(phase)
    ratio = np.linalg.det(lattice) / np.linalg.det(phase.lattice)
    if abs(ratio - 1) < 1e-3 and fits_space_group(phase.cell, number):
        return replace(phase, space_group=number)
    from ase.geometry import cell_to_cellpar

    found = [(site, *one) for site, kind in enumerate(kinds) for one in members[kind]]
    sites, numbers, occupancy = map(np.array, zip(*found, strict=True))
    return replace(
        phase,
        cell=tuple(float(value) for value in cell_to_cellpar(lattice)),
        numbers=numbers,
        fractional=fractional[sites],
        occupancy=occupancy,
        space_group=number,
    )


def shared_sites(
    phase: CrystalPhase,
) -> tuple[Ints, list[tuple[tuple[int, float], ...]], list[int]]:
    """Group the sites by position: kind of each, (Z, share) of each kind, a site."""
    key = np.round(phase.fractional, 4) % 1.0
    _, first, group = np.unique(key, axis=0, return_index=True, return_inverse=True)
    order = np.argsort(first)
    group = group.reshape(-1)
    shares = list(zip(phase.numbers.tolist(), phase.occupancy.tolist(), strict=True))
    members: dict[tuple[tuple[int, float], ...], int] = {}
    kinds = []
    for one in order:
        here = np.flatnonzero(group == one)
        species = tuple(sorted(shares[site] for site in here))
        kinds.append(members.setdefault(species, len(members)))
    return np.array(kinds, np.int64), list(members), first[order].tolist()


def fits_space_group(cell: tuple[float, ...], number: int) -> bool:
    """Whether a cell has the metric that a conventional cell of the group has."""
    a, b, c, *angles = cell
    right = np.isclose(angles, 90.0, atol=0.05)
    ab, bc = np.isclose(a, b, rtol=1e-3), np.isclose(b, c, rtol=1e-3)
    if number <= 2:
        return True
    if number <= 15:
        return right.sum() >= 2
    if number <= 74:
        return bool(right.all())
    if number <= 142:
        return bool(right.all() and ab)
    if number <= 194:
        hexagonal = ab and right[:2].all() and np.isclose(angles[2], 120.0, atol=0.05)
        rhombohedral = ab and bc and np.ptp(angles) < 0.05
        return bool(hexagonal or rhombohedral)
    return bool(right.all() and ab and bc)


def _cell(phase: CrystalPhase) -> tuple[Array, Array, Ints]:
    """Lattice, positions and kinds of sites, as spglib takes them."""
    kinds, _, first = shared_sites(phase)
    return phase.lattice, phase.fractional[first], kinds


def _ask_spglib(question: str, given: Any, **options: bool | float) -> Any:
    """Answer of a function of spglib; None where it finds none."""
    import spglib

    try:
        with warnings.catch_warnings():  # of how spglib will report errors one day
            warnings.simplefilter("ignore", DeprecationWarning)
            return getattr(spglib, question)(given, **options)
    except getattr(spglib, "SpglibError", ValueError):  # else None, by its setting
        return None
