# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Compiled sums of the Keating model over the bonds of tetrahedral crystals.

Every atom is the centre of its own half bonds and angles. The first pass takes the
derivative of each centre's energy by its bond vectors, the second collects at each atom
what it is as a centre and as an end: no two atoms write to one place. Both take a range
of the atoms, for :func:`~hyperspy_t2t.physics.threads.in_parallel`.
"""

import numba
import numpy as np

from hyperspy_t2t.array_types import Array, Ints

BONDS = 4
"""Bonds of an atom at most."""


@numba.njit(inline="always")
def _bond(i, k, own, positions, neighbours, shifts, translations, species, tables):
    """Bond vector, weight in angles, length d, ½ energy and its slope; 0 without."""
    j = neighbours[i, k]
    if j < 0:
        return 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    x = positions[j, 0] - positions[i, 0]
    y = positions[j, 1] - positions[i, 1]
    z = positions[j, 2] - positions[i, 2]
    shift = shifts[i, k]
    if shift != 0:
        x += translations[shift, 0]
        y += translations[shift, 1]
        z += translations[shift, 2]
    other = species[j]
    stiff, weight, length = (
        tables[0, own, other],
        tables[1, own, other],
        tables[2, own, other],
    )
    excess = x * x + y * y + z * z - length * length
    return x, y, z, weight, length, 0.5 * stiff * excess * excess, 2 * stiff * excess


@numba.njit(inline="always")
def _angle(first, second):
    """Energy of the angle between two bonds and its slope by their product."""
    excess = (
        first[0] * second[0]
        + first[1] * second[1]
        + first[2] * second[2]
        + first[4] * second[4] * (1.0 / 3.0)
    )
    stiff = first[3] * second[3]
    return stiff * excess * excess, 2 * stiff * excess


@numba.njit(cache=True, nogil=True, fastmath=True)
def arm_gradients(
    begin: int,
    end: int,
    positions: Array,
    neighbours: Ints,
    shifts: Ints,
    translations: Array,
    species: Ints,
    tables: Array,
    gradients: Array,
    energies: Array,
) -> None:
    """∂E_i/∂r_ik of all bond vectors r_ik, and E_i.

    E_i = ½ Σ_k S_ik (r_ik² − d_ik²)² + Σ_{j<k} B_ij B_ik (r_ij·r_ik + d_ij d_ik/3)².

    Parameters
    ----------
    begin, end
        Which atoms.
    positions
        In Å, shape (n, 3).
    neighbours
        Shape (n, 4), −1 where there is none.
    shifts
        Row of `translations` to add to the neighbour's position, shape (n, 4).
    translations
        In Å, shape (m, 3); the first is zero.
    species
        Row of the tables, shape (n,).
    tables
        S = 3α/(8 d²) in eV/Å⁴, B = √(3β/8)/d in √eV/Å² and d in Å of each pair of
        species, shape (3, s, s).
    gradients
        Written: in eV/Å, shape (n, 4, 3), zero where there is no neighbour.
    energies
        Written: in eV, shape (n,).
    """
    for i in range(begin, end):
        own = species[i]
        a = _bond(
            i, 0, own, positions, neighbours, shifts, translations, species, tables
        )
        b = _bond(
            i, 1, own, positions, neighbours, shifts, translations, species, tables
        )
        c = _bond(
            i, 2, own, positions, neighbours, shifts, translations, species, tables
        )
        d = _bond(
            i, 3, own, positions, neighbours, shifts, translations, species, tables
        )
        eab, ab = _angle(a, b)
        eac, ac = _angle(a, c)
        ead, ad = _angle(a, d)
        ebc, bc = _angle(b, c)
        ebd, bd = _angle(b, d)
        ecd, cd = _angle(c, d)
        energies[i] = a[5] + b[5] + c[5] + d[5] + eab + eac + ead + ebc + ebd + ecd
        for k in range(3):
            gradients[i, 0, k] = a[6] * a[k] + ab * b[k] + ac * c[k] + ad * d[k]
            gradients[i, 1, k] = b[6] * b[k] + ab * a[k] + bc * c[k] + bd * d[k]
            gradients[i, 2, k] = c[6] * c[k] + ac * a[k] + bc * b[k] + cd * d[k]
            gradients[i, 3, k] = d[6] * d[k] + ad * a[k] + bd * b[k] + cd * c[k]


@numba.njit(cache=True, nogil=True)
def collected_forces(
    begin: int,
    end: int,
    gradients: Array,
    neighbours: Ints,
    reverse: Ints,
    forces: Array,
) -> None:
    """F_i = Σ_k (∂E_i/∂r_ik − ∂E_k/∂r_ki).

    Parameters
    ----------
    begin, end, gradients, neighbours
        As in :func:`arm_gradients`.
    reverse
        Where atom i stands among the neighbours of its k-th neighbour, shape (n, 4);
        −1 if it does not.
    forces
        Written: in eV/Å, shape (n, 3).
    """
    for i in range(begin, end):
        fx = fy = fz = 0.0
        for k in range(BONDS):
            j = neighbours[i, k]
            if j < 0:
                continue
            fx += gradients[i, k, 0]
            fy += gradients[i, k, 1]
            fz += gradients[i, k, 2]
            back = reverse[i, k]
            if back >= 0:
                fx -= gradients[j, back, 0]
                fy -= gradients[j, back, 1]
                fz -= gradients[j, back, 2]
        forces[i, 0], forces[i, 1], forces[i, 2] = fx, fy, fz


@numba.njit(cache=True, nogil=True)
def virial_sum(
    positions: Array,
    neighbours: Ints,
    shifts: Ints,
    translations: Array,
    gradients: Array,
) -> Array:
    """Σ_i Σ_k r_ik ⊗ ∂E_i/∂r_ik in eV, shape (3, 3); parameters as in the others."""
    total = np.zeros((3, 3))
    for i in range(len(positions)):
        for k in range(BONDS):
            j = neighbours[i, k]
            if j < 0:
                break
            for a in range(3):
                r = positions[j, a] - positions[i, a] + translations[shifts[i, k], a]
                for b in range(3):
                    total[a, b] += r * gradients[i, k, b]
    return total
