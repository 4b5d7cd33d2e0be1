# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""The plane patterns of all zone axes of a phase, as flat arrays made once.

A zone's reflections lie on a plane lattice. Each is named by two integers on a
reduced basis of it, so that the reflection nearest to any spot is found by
rounding, without a search.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numba
import numpy as np
import numpy.typing as npt

from hyperspy_t2t.array_types import Array, Bools, Ints
from hyperspy_t2t.phases.content import PhaseContent
from hyperspy_t2t.phases.crystal_phase import CrystalPhase
from hyperspy_t2t.phases.reflections import (
    laue_operations,
    projected_structure_factor,
    reflection_table,
    zone_axes,
)

FAINT = 2e-5
"""Reflections below this share of the power of the zone's strongest are left out."""
REACHES = (5.0, 7.0, 9.0, 12.0, 16.0, 20.0)
"""Radii in 1/nm to which tables are made: few, so that they are found again."""


@dataclass(frozen=True, eq=False)
class ZonePatterns:
    """Patterns of z zone axes with n reflections in all, one of each Friedel pair.

    Parameters
    ----------
    axis
        [u, v, w] towards the source, shape (z, 3).
    frame
        Rows are the x, y and z axes of the pattern in the crystal, z along the beam,
        shape (z, 3, 3).
    basis
        Rows are two shortest vectors of the zone's reciprocal lattice in 1/nm, in
        x and y of the frame, shape (z, 2, 2).
    hkl_basis
        Their indices, shape (z, 2, 3).
    prior
        Share of the prior probability of each zone; sums to one, shape (z,).
    start
        Reflections of zone k are rows start[k] to start[k + 1], shape (z + 1,).
    node
        Integers on the basis, shape (n, 2).
    p
        In-plane coordinates in 1/nm, shape (n, 2).
    power
        |F|² relative to the strongest of the zone, for electrons (the potential) and
        for Z-contrast, shape (n, 2).
    half
        Largest |node| of each zone, shape (z, 2).
    lookup, lookup_start
        For each zone a table of (2 half + 1) integers on a side, row after row, that
        gives the row of a node or its Friedel partner, −1 for none.
    """

    axis: Ints
    frame: Array
    basis: Array
    hkl_basis: Ints
    prior: Array
    start: Ints
    node: Ints
    p: Array
    power: Array
    half: Ints
    lookup: Ints
    lookup_start: Ints

    def __len__(self) -> int:
        return len(self.axis)

    def hkl(self, zone: int, nodes: npt.ArrayLike) -> Ints:
        """Indices of nodes (..., 2) of a zone."""
        return np.asarray(nodes) @ self.hkl_basis[zone]


def zone_patterns(
    phase: CrystalPhase, *, max_index: int = 3, reach: float = 12.0
) -> ZonePatterns:
    """Patterns of each family of zone axes of a phase.

    A zone seen from the other side is its mirror image, which is listed too where the
    zone has no mirror line.

    Parameters
    ----------
    phase
        Any phase; the result is kept for the next call with the same content.
    max_index
        Largest index of the zone axes.
    reach
        Largest \\|g\\| in 1/nm.

    Returns
    -------
    ZonePatterns
        Only of zones with reflections in two directions. Its arrays are read-only.
    """
    return _patterns(PhaseContent(phase), int(max_index), float(reach))


@lru_cache(maxsize=1024)
def _patterns(content: PhaseContent, max_index: int, reach: float) -> ZonePatterns:
    phase = content.phase
    table = reflection_table(phase, min_d_nm=1 / reach)
    power = np.stack(
        [
            np.abs(table.structure_factor) ** 2,
            np.abs(projected_structure_factor(phase, table.hkl)) ** 2,
        ],
        axis=-1,
    )
    operations = laue_operations(phase)
    axes = zone_axes(phase, max_index=max_index, operations=operations)
    axes = _with_other_sides(axes, operations)
    hkl_basis = np.array([_orthogonal_lattice(axis) for axis in axes]).reshape(-1, 2, 3)
    frame = _frames(phase, axes, hkl_basis)
    count, node = _collect(axes, frame, hkl_basis, table.hkl, table.g, power, FAINT)[:2]
    hkl_basis = _generated(count, node, hkl_basis)
    _reduce(hkl_basis, np.ascontiguousarray(phase.reciprocal_lattice))
    frame = _frames(phase, axes, hkl_basis)
    found = _collect(axes, frame, hkl_basis, table.hkl, table.g, power, FAINT)
    return _assembled(phase, axes, frame, hkl_basis, found)


def _assembled(
    phase: CrystalPhase,
    axes: Ints,
    frame: Array,
    hkl_basis: Ints,
    found: Sequence[npt.NDArray],
) -> ZonePatterns:
    """The zones with reflections in two directions, with tables of their nodes."""
    count, node, p, power = found
    zone = np.repeat(np.arange(len(axes)), count)
    kept = _in_two_directions(zone, node, len(axes))
    rows = kept[zone]
    node, p, power = node[rows], p[rows], power[rows]
    start = np.concatenate([[0], np.cumsum(count[kept])])
    half = np.zeros((kept.sum(), 2), np.int64)
    np.maximum.at(half, np.repeat(np.arange(kept.sum()), count[kept]), np.abs(node))
    axes, frame, hkl_basis = axes[kept], frame[kept], hkl_basis[kept]
    lookup, lookup_start = _lookup(node, start, half)
    prior = 1 / np.linalg.norm(axes @ phase.lattice, axis=1)
    basis = (hkl_basis @ phase.reciprocal_lattice) @ np.swapaxes(frame[:, :2], 1, 2)
    arrays = (
        axes, frame, basis, hkl_basis, prior / max(prior.sum(), 1e-300), start,
        node, p, power, half, lookup, lookup_start,
    )  # fmt: skip
    stored = [np.ascontiguousarray(array) for array in arrays]
    for array in stored:
        array.flags.writeable = False
    return ZonePatterns(*stored)


def _in_two_directions(zone: Ints, node: Ints, zones: int) -> Bools:
    """Whether the reflections of each zone span its plane."""
    first = np.full(zones, -1)
    first[zone[::-1]] = np.arange(len(zone))[::-1]
    ahead = node[first[zone]]
    spans = ahead[:, 0] * node[:, 1] != ahead[:, 1] * node[:, 0]
    return np.bincount(zone, spans, zones) > 0


def _lookup(node: Ints, start: Ints, half: Ints) -> tuple[Ints, Ints]:
    """Tables from nodes to rows, and where that of each zone begins."""
    sizes = (2 * half + 1).prod(axis=1)
    begin = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    table = np.full(begin[-1], -1, np.int32)
    zone = np.repeat(np.arange(len(half)), np.diff(start))
    for sign in (1, -1):
        i, j = (sign * node + half[zone]).T
        table[begin[zone] + i * (2 * half[zone, 1] + 1) + j] = np.arange(len(node))
    return table, begin


def _with_other_sides(axes: Ints, operations: Ints) -> Ints:
    """The axes, each followed by its opposite unless the zone has a mirror line.

    An operation that keeps the axis mirrors the plane if it is improper, one that
    reverses the axis if it is proper.
    """
    image = np.einsum("oij,zj->ozi", operations, axes)
    proper = np.linalg.det(operations)[:, None] > 0
    keeps, reverses = (image == axes).all(-1), (image == -axes).all(-1)
    mirrored = ((keeps & ~proper) | (reverses & proper)).any(axis=0)
    both = np.stack([axes, -axes], axis=1).reshape(-1, 3)
    return both[np.stack([np.ones(len(axes), bool), ~mirrored], axis=1).ravel()]


def _frames(phase: CrystalPhase, axes: Ints, hkl_basis: Ints) -> Array:
    """Right-handed frames with the beam along z and the first basis vector along x."""
    z = -(axes @ phase.lattice)
    x = hkl_basis[:, 0] @ phase.reciprocal_lattice
    x = x / np.linalg.norm(x, axis=1, keepdims=True)
    z = z / np.linalg.norm(z, axis=1, keepdims=True)
    return np.stack([x, np.cross(z, x), z], axis=1)


def _orthogonal_lattice(axis: Ints) -> Ints:
    """Two vectors that generate all integers hkl with hkl · axis = 0."""
    u, v, w = (int(value) for value in axis)
    if v == 0 and w == 0:
        return np.array([[0, 1, 0], [0, 0, 1]])
    divisor, x, y = _extended_gcd(v, w)
    return np.array([[0, w // divisor, -v // divisor], [divisor, -u * x, -u * y]])


def _extended_gcd(a: int, b: int) -> tuple[int, int, int]:
    """(d, x, y) with a x + b y = d, the greatest common divisor."""
    x, y, next_x, next_y = 1, 0, 0, 1
    while b:
        quotient = a // b
        a, b = b, a - quotient * b
        x, next_x = next_x, x - quotient * next_x
        y, next_y = next_y, y - quotient * next_y
    return (a, x, y) if a > 0 else (-a, -x, -y)


@numba.njit(cache=True)
def _reduce(bases, reciprocal):
    """Lagrange's reduction of the bases (z, 2, 3) of plane lattices, in place."""
    for k in range(len(bases)):
        while True:
            a = bases[k, 0].astype(np.float64) @ reciprocal
            b = bases[k, 1].astype(np.float64) @ reciprocal
            aa, bb, ab = (a * a).sum(), (b * b).sum(), (a * b).sum()
            if aa > bb:
                for c in range(3):
                    bases[k, 0, c], bases[k, 1, c] = bases[k, 1, c], bases[k, 0, c]
                continue
            if abs(ab) <= 0.5 * aa * (1 + 1e-9):
                break
            bases[k, 1] -= np.int64(np.rint(ab / aa)) * bases[k, 0]


@numba.njit(cache=True)
def _generated(count, node, hkl_basis):
    """Bases of the lattices that the reflections of each zone generate.

    Only their sums can be reached by scattering twice: not the nodes that a centred
    cell lacks.
    """
    result = hkl_basis.copy()
    row = 0
    for z in range(len(count)):
        # Rows (a, b), (0, d) span what was seen so far (Hermite normal form).
        a = b = d = 0
        for k in range(row, row + count[z]):
            x, y = node[k, 0], node[k, 1]
            while x != 0:
                quotient = a // x
                a, b, x, y = x, y, a - quotient * x, b - quotient * y
            while y != 0:
                d, y = y, d % y
        row += count[z]
        if a != 0 and d != 0:
            result[z, 0] = a * hkl_basis[z, 0] + b * hkl_basis[z, 1]
            result[z, 1] = d * hkl_basis[z, 1]
    return result


@numba.njit(cache=True)
def _collect(axes, frame, hkl_basis, hkl, g, power, faint):
    """Count, nodes, coordinates and relative powers of the reflections of zones."""
    count = np.zeros(len(axes), np.int64)
    node = np.empty((4096, 2), np.int64)
    p = np.empty((4096, 2))
    relative = np.empty((4096, 2))
    total = 0
    chosen = np.empty(len(hkl), np.int64)
    for z in range(len(axes)):
        strongest = np.zeros(2)
        found = 0
        for r in range(len(hkl)):
            dot = 0
            for c in range(3):
                dot += hkl[r, c] * axes[z, c]
            if dot == 0:
                chosen[found] = r
                found += 1
                for mode in range(2):
                    strongest[mode] = max(strongest[mode], power[r, mode])
        first, second = hkl_basis[z, 0], hkl_basis[z, 1]
        # Two components in which the basis has a determinant give the integers.
        u, v, det = 0, 1, 0
        for a, b in ((0, 1), (0, 2), (1, 2)):
            minor = first[a] * second[b] - first[b] * second[a]
            if abs(minor) > abs(det):
                u, v, det = a, b, minor
        for k in range(found):
            r = chosen[k]
            i = (hkl[r, u] * second[v] - hkl[r, v] * second[u]) // det
            j = (first[u] * hkl[r, v] - first[v] * hkl[r, u]) // det
            upper = i > 0 or (i == 0 and j > 0)
            bright = (
                power[r, 0] > faint * strongest[0] or power[r, 1] > faint * strongest[1]
            )
            if not (upper and bright):
                continue
            if total == len(node):
                node = np.concatenate((node, np.empty_like(node)))
                p = np.concatenate((p, np.empty_like(p)))
                relative = np.concatenate((relative, np.empty_like(relative)))
            node[total, 0], node[total, 1] = i, j
            for d in range(2):
                p[total, d] = 0.0
                for c in range(3):
                    p[total, d] += g[r, c] * frame[z, d, c]
                relative[total, d] = power[r, d] / max(strongest[d], 1e-300)
            total += 1
            count[z] += 1
    return count, node[:total], p[:total], relative[:total]
