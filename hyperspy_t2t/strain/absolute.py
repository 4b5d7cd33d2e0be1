# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Strain against a bulk lattice instead of against the lattice of a reference.

Two g of a lattice are rows of a matrix G. Geometric phase analysis measures them at
G (I − β) against those of its reference. With a reference position R of a lattice G,
the position M R belongs to the lattice G M⁻¹, so that M (I − β) is the inverse
deformation gradient against that one. All angles of a bulk lattice are those that turn
it least from the lattice it is compared with.
"""

from typing import NamedTuple

import numpy as np

from hyperspy_t2t.array_types import Array, Bools

_MOST_PARTS = 24
_FAR = 5.0
"""Times the usual distance of a g from its node that is too far."""
_WIDTH = 0.03
"""Of columns as imaged, in nm, no wider than they are in any image."""
_WHOLE = 0.1
"""How far from whole numbers the orders may be, in units of the fraction."""


class LatticeCell(NamedTuple):
    """Two lattice vectors as measured, and those of the bulk."""

    a: float
    """Length of the first in nm."""
    b: float
    """Length of the second in nm."""
    angle: float
    """Angle between them in degrees, 0 to 180."""


def fitted_pair(g_vectors: Array) -> Array:
    """The first two g of a lattice, by weighted least squares from all, rows (2, 2).

    The displacement follows all g, each against its own mean in the reference: its
    lattice is the mean of theirs. g counts by exp(−2π²s²g²), the usual fall of
    amplitudes, and not at all where it is far from where the first two expect it: a
    spot of another lattice may be among them.

    Parameters
    ----------
    g_vectors
        In 1/nm, shape (n, 2), of :func:`lattice_orders`.
    """
    orders = lattice_orders(g_vectors)
    away = np.linalg.norm(g_vectors - orders @ g_vectors[:2], axis=1)
    # Orders magnify the errors of the first two.
    away /= np.maximum(1.0, np.abs(orders).max(axis=1))
    usual = np.median(away[2:]) if len(away) > 2 else 0.0
    kept = away <= _FAR * usual + 1e-9 * np.linalg.norm(g_vectors[:2])
    kept[:2] = True
    square = (g_vectors**2).sum(axis=1)
    weight = kept * np.exp(-2 * (np.pi * _WIDTH) ** 2 * (square - square.min()))
    weight = weight[:, None]
    return np.linalg.lstsq(weight * orders, weight * g_vectors, rcond=None)[0]


def lattice_orders(g_vectors: Array) -> Array:
    """Each g in units of the first two, shape (n, 2).

    As fractions with the smallest common denominator that fits all: the first two may
    span a sublattice of all.
    """
    orders = g_vectors @ np.linalg.inv(g_vectors[:2])
    away = []
    for parts in range(1, _MOST_PARTS + 1):
        away.append(np.abs(parts * orders - np.rint(parts * orders)).max())
        if away[-1] < _WHOLE:
            break
    parts = 1 + int(np.argmin(away))
    return np.rint(parts * orders) / parts


def stretch_between(first: Array, second: Array) -> Array:
    """S, symmetric (2, 2): lengths of the second lattice over those of the first.

    A position R of a lattice with the g `first` is S R in one with the g `second`,
    turned so that nothing but a stretch remains: S² = XᵀX with X = second⁻¹ first.

    Parameters
    ----------
    first, second
        Corresponding g as rows in 1/nm, shape (2, 2).
    """
    x = np.linalg.solve(second, first)
    values, vectors = np.linalg.eigh(x.T @ x)
    return (vectors * np.sqrt(values)) @ vectors.T


def turned_onto(bulk: Array, measured: Array) -> Array:
    """The g of a bulk lattice, turned about the beam to lie on measured ones.

    Parameters
    ----------
    bulk, measured
        Corresponding g as rows in 1/nm, shape (2, 2).
    """
    return measured @ np.linalg.inv(stretch_between(measured, bulk))


def map_to_bulk(reference: Array, bulk: Array, bulk_reference: Array | None) -> Array:
    """M, (2, 2): positions of the measured reference lattice to those of a bulk.

    The bulk of the reference region is turned onto its measured lattice, and the bulk
    of the region at hand onto that, so that what is left is the rotation of the region
    against the reference.

    Parameters
    ----------
    reference
        Measured g of the reference, rows, in 1/nm, shape (2, 2).
    bulk
        g of the region's bulk that correspond to them.
    bulk_reference
        g of the reference region's bulk that correspond, None where it is unknown.
    """
    if bulk_reference is None:
        return stretch_between(reference, bulk)
    between = turned_onto(bulk_reference, reference)
    return stretch_between(between, bulk) @ stretch_between(reference, between)


def mapped_gradient(gradient: Array, to_bulk: Array) -> Array:
    """β = ∂u/∂r against a bulk lattice: I − M (I − β), shape (2, 2, ny, nx)."""
    identity = np.eye(2)[:, :, None, None]
    return identity - np.einsum("ik,kjyx->ijyx", to_bulk, identity - gradient)


def mapped_displacement(
    displacement: Array, to_bulk: Array, positions: Array, inside: Bools
) -> Array:
    """u against a bulk lattice, r − M (r − u), zero on average inside a region.

    Parameters
    ----------
    displacement
        u in nm, shape (2, ny, nx).
    to_bulk
        M of :func:`map_to_bulk`.
    positions
        (x, y) of the places in nm, shape (ny, nx, 2).
    inside
        Where the region is, shape (ny, nx); not empty.
    """
    place = np.moveaxis(positions, -1, 0)
    mapped = place - np.einsum("ij,jyx->iyx", to_bulk, place - displacement)
    return mapped - mapped[:, inside].mean(axis=1)[:, None, None]


def lattice_cell(vectors: Array) -> LatticeCell:
    """Lengths and angle of two lattice vectors, rows, in nm, shape (2, 2)."""
    a, b = np.linalg.norm(vectors, axis=1)
    cosine = vectors[0] @ vectors[1] / (a * b)
    return LatticeCell(
        float(a), float(b), float(np.degrees(np.arccos(np.clip(cosine, -1, 1))))
    )
