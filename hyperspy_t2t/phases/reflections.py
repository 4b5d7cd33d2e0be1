# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Reflections of a phase with kinematic structure factors, and its zone axes.

A reflection hkl lies at g = hkl @ reciprocal_lattice in the crystal frame and has
F(hkl) = Σ_j f_j exp(−2πi hkl·x_j): the coefficient of exp(+2πi g·r) in the
potential, for the origin the phase is stored with.
"""

from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Literal, Self, get_args

import numpy as np
import numpy.typing as npt

from hyperspy_t2t.array_types import Array, ComplexArray, Ints
from hyperspy_t2t.phases.content import PhaseContent
from hyperspy_t2t.phases.crystal_phase import CrystalPhase
from hyperspy_t2t.phases.indices import primitive_indices
from hyperspy_t2t.phases.symmetry import symmetry

Scattering = Literal["lobato", "xtables"]
MIN_D = 0.06
"""Shortest period in nm of the spots and reflections that take part in indexing."""
ABSENT = 1e-6
"""A reflection below this share of the strongest |F|² is absent."""
_BLOCK = 2**21
_MOST = 2_000_000
_HIGHEST = 12
"""Index of zone axes: the directions to try grow with its cube."""


@dataclass(frozen=True, eq=False)
class ReflectionTable:
    """Reflections of one phase, from the largest lattice spacing to the smallest.

    Parameters
    ----------
    hkl
        Integer indices, shape (n, 3).
    g
        Reciprocal vectors in 1/nm, shape (n, 3), in the crystal frame e1 ∥ a,
        e3 ∥ c*; \\|g\\| = 1/d.
    d
        Lattice spacings in nm, shape (n,).
    structure_factor
        Complex kinematic structure factors in ångström, shape (n,), for the origin
        of the phase.
    intensity
        \\|F\\|² relative to the strongest reflection of the phase, shape (n,).
    """

    hkl: Ints
    g: Array
    d: Array
    structure_factor: ComplexArray
    intensity: Array

    def __len__(self) -> int:
        return len(self.hkl)

    def select(self, rows: npt.NDArray) -> Self:
        """The table of these rows, given as a mask or as indices."""
        return type(self)(*(getattr(self, one.name)[rows] for one in fields(self)))


def reflection_table(
    phase: CrystalPhase,
    *,
    min_d_nm: float = 0.08,
    scattering: Scattering = "lobato",
) -> ReflectionTable:
    """All kinematically allowed reflections with a lattice spacing of at least min_d.

    Parameters
    ----------
    phase
        Any phase; the table is kept for the next call with the same content.
    min_d_nm
        Smallest lattice spacing in nm.
    scattering
        Electron scattering factors: "lobato" (Lobato & Van Dyck) or "xtables"
        (International Tables C, 4.3.2.3), both as tabulated by diffsims.

    Returns
    -------
    ReflectionTable
        Without (000) and without absent reflections: those with \\|F\\|² below
        10⁻⁶ of the strongest. Its arrays are read-only.

    Raises
    ------
    ValueError
        Where min_d is not positive or leaves no reflections, or an element has no
        scattering factors.

    References
    ----------
    Lobato, Van Dyck, Acta Cryst. A70 (2014) 636,
    https://doi.org/10.1107/S205327331401643X
    """
    if not (np.isfinite(min_d_nm) and min_d_nm > 0):
        raise ValueError(
            f"Expected min_d_nm, the smallest lattice spacing, as a positive number "
            f"of nm; got {min_d_nm}. Values of 0.05 to 0.2 nm are usual."
        )
    if scattering not in get_args(Scattering):
        raise ValueError(
            f"Expected scattering factors 'lobato' or 'xtables'; got {scattering!r}. "
            "Choose one of the two."
        )
    return _table(PhaseContent(phase), float(min_d_nm), scattering)


def structure_factors(
    phase: CrystalPhase, hkl: npt.ArrayLike, *, scattering: Scattering = "lobato"
) -> ComplexArray:
    """Kinematic electron structure factors F(hkl) = Σ_j f_j occ_j exp(−2πi hkl·x_j).

    Parameters
    ----------
    phase
        Any phase.
    hkl
        Indices, shape (..., 3).
    scattering
        As in :func:`reflection_table`.

    Returns
    -------
    ndarray
        Complex, shape (...), in ångström, without thermal vibrations.
    """
    hkl = np.asarray(hkl, float)
    flat = hkl.reshape(-1, 3)
    g_squared = ((flat @ phase.reciprocal_lattice / 10.0) ** 2).sum(axis=1)
    total = np.zeros(len(flat), complex)
    for number in np.unique(phase.numbers):
        factors = _scattering_factors(int(number), g_squared, scattering)
        here = phase.numbers == number
        total += factors * _phase_sum(
            flat, phase.fractional[here], phase.occupancy[here]
        )
    return total.reshape(hkl.shape[:-1])


def projected_structure_factor(phase: CrystalPhase, hkl: npt.ArrayLike) -> ComplexArray:
    """Structure factors of the Z-contrast image, Σ_j Z_j^1.7 occ_j exp(−2πi hkl·x_j).

    Parameters
    ----------
    phase
        Any phase.
    hkl
        Indices, shape (..., 3).

    Returns
    -------
    ndarray
        Complex, shape (...). Its argument is the phase of the lattice fringe hkl in
        an image with bright atoms, with the origin of the phase at zero.

    References
    ----------
    Krivanek et al., Nature 464 (2010) 571, https://doi.org/10.1038/nature08879
    (exponent near 1.7 for annular dark field)
    """
    hkl = np.asarray(hkl, float)
    weights = phase.numbers**1.7 * phase.occupancy
    total = _phase_sum(hkl.reshape(-1, 3), phase.fractional, weights)
    return total.reshape(hkl.shape[:-1])


def zone_reflections(
    table: ReflectionTable, zone_axis: npt.ArrayLike
) -> ReflectionTable:
    """The reflections of a zone: those with hu + kv + lw = 0.

    Parameters
    ----------
    table
        Reflections of the phase.
    zone_axis
        Direct-space indices [u, v, w], integers.
    """
    axis = np.asarray(zone_axis)
    whole = axis.shape == (3,) and np.array_equal(axis, np.round(axis.astype(float)))
    if not whole or not axis.any():
        raise ValueError(
            "Expected a zone axis as three integers [u, v, w], not all zero; got "
            f"{zone_axis!r}. Give direct-space indices such as [1, 1, 0]."
        )
    return table.select(table.hkl @ axis.astype(np.int64) == 0)


def laue_operations(phase: CrystalPhase) -> Ints:
    """Operations of the Laue group as integer matrices on direct indices uvw.

    Returns
    -------
    ndarray
        Shape (n, 3, 3): ``uvw_equivalent = operation @ uvw`` and
        ``hkl_equivalent = hkl @ inv(operation)``.

    Notes
    -----
    Found by spglib in the axes of the cell at hand. The point groups of orix stand
    in fixed Cartesian axes, which are others for monoclinic cells with unique axis b
    and for trigonal groups such as 312 and -31m.
    """
    rotations = symmetry(phase).rotations
    return np.unique(np.concatenate([rotations, -rotations]), axis=0)


def zone_axes(
    phase: CrystalPhase, *, max_index: int = 3, operations: Ints | None = None
) -> Ints:
    """Zone axes of a phase, one for each family of the Laue group.

    Parameters
    ----------
    phase
        Any phase.
    max_index
        Largest \\|u\\|, \\|v\\|, \\|w\\| of at least one member of a family.
    operations
        Its Laue group where that is at hand, as from :func:`laue_operations`.

    Returns
    -------
    ndarray
        Primitive direct-space indices, shape (n, 3), from the shortest lattice
        vector to the longest; of each family the member with the fewest negative
        and then the largest indices.
    """
    if not 1 <= max_index <= _HIGHEST:
        raise ValueError(
            f"Expected max_index from 1 to {_HIGHEST}; got {max_index}. 3 is usual."
        )
    uvw = primitive_indices(max_index)
    if operations is None:
        operations = laue_operations(phase)
    images = np.einsum("oij,nj->noi", operations, uvw)
    span = 2 * int(np.abs(images).max()) + 1
    family = (images @ (span ** np.arange(3))).max(axis=1)
    negative = (uvw < 0).sum(axis=1)
    nicest = np.lexsort((-uvw[:, 2], -uvw[:, 1], -uvw[:, 0], negative))
    _, first = np.unique(family[nicest], return_index=True)
    chosen = uvw[nicest[np.sort(first)]]
    length = np.linalg.norm(chosen @ phase.lattice, axis=1)
    return chosen[np.argsort(np.round(length, 6), kind="stable")]


@lru_cache(maxsize=512)
def _table(
    content: PhaseContent, min_d_nm: float, scattering: Scattering
) -> ReflectionTable:
    phase = content.phase
    hkl = _indices_within(phase, 1.0 / min_d_nm)
    factor = structure_factors(phase, hkl, scattering=scattering)
    squared = np.abs(factor) ** 2
    seen = squared > ABSENT * squared.max(initial=0.0)
    if not seen.any():
        raise ValueError(
            f"Expected reflections with d ≥ {min_d_nm} nm; phase {phase.name!r} has "
            "none, its cell is "
            f"{' × '.join(f'{edge:.3f}' for edge in phase.cell[:3])} Å. Lower min_d_nm."
        )
    hkl, factor, squared = hkl[seen], factor[seen], squared[seen]
    g = hkl @ phase.reciprocal_lattice
    d = 1.0 / np.linalg.norm(g, axis=1)
    order = np.lexsort((-hkl[:, 2], -hkl[:, 1], -hkl[:, 0], -np.round(d, 9)))
    table = ReflectionTable(hkl, g, d, factor, squared / squared.max()).select(order)
    for one in fields(table):
        getattr(table, one.name).flags.writeable = False
    return table


def _indices_within(phase: CrystalPhase, radius: float) -> Ints:
    """All hkl but (000) with \\|g\\| ≤ radius in 1/nm, where \\|h\\| ≤ a·radius."""
    edges = np.array(phase.cell[:3]) / 10.0
    expected = 4.19 * radius**3 / np.linalg.det(phase.reciprocal_lattice)
    if expected > _MOST:
        raise ValueError(
            f"Expected at most {_MOST:,} reflections; min_d_nm = {1 / radius:.3g} nm "
            f"gives about {expected:,.0f} for phase {phase.name!r}. Raise min_d_nm, "
            "which is in nm: 0.05 to 0.2 is usual."
        )
    limits = np.floor(edges * radius * (1 + 1e-9)).astype(int)
    ranges = [np.arange(-limit, limit + 1) for limit in limits]
    hkl = np.stack(np.meshgrid(*ranges, indexing="ij"), -1).reshape(-1, 3)
    length = np.linalg.norm(hkl @ phase.reciprocal_lattice, axis=1)
    return hkl[(length <= radius * (1 + 1e-9)) & hkl.any(axis=1)]


def _phase_sum(hkl: Array, fractional: Array, weights: Array) -> npt.NDArray:
    """Σ_j weight_j exp(−2πi hkl·x_j), in blocks of bounded memory; shape (n,)."""
    step = max(1, _BLOCK // max(1, len(weights)))
    total = np.empty(len(hkl), complex)
    for start in range(0, len(hkl), step):
        block = slice(start, start + step)
        total[block] = np.exp(-2j * np.pi * (hkl[block] @ fractional.T)) @ weights
    return total


def _scattering_factors(
    number: int, g_squared: Array, scattering: Scattering
) -> npt.NDArray:
    """Electron scattering factors of an element in ångström at \\|g\\|² in 1/Å²."""
    from ase.data import chemical_symbols
    from diffsims.utils.sim_utils import (
        get_atomic_scattering_factors,
        get_scattering_params_dict,
    )

    symbol = chemical_symbols[number]
    known = get_scattering_params_dict(scattering)
    if symbol not in known:
        raise ValueError(
            f"Expected elements with '{scattering}' scattering factors; got "
            f"{symbol!r}, for which diffsims has none. Try the other scattering."
        )
    coefficients = np.array(known[symbol])[None]
    return get_atomic_scattering_factors(g_squared, coefficients, scattering)[:, 0]
