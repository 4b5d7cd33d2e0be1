# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Lattices behind spots: found among others, in any shape, not invented."""

import numpy as np
import pytest

from hyperspy_t2t.frequencies import upper_half
from hyperspy_t2t.peaks.nodes import lattice_nodes, on_nodes, plane_lattices
from hyperspy_t2t.peaks.relations import Relation, lattice_of, relation_of, satellites

TOLERANCE = 0.03


def nodes_of(basis: np.ndarray, longest: float) -> np.ndarray:
    """All nodes of the half plane, by brute force."""
    m, n = np.mgrid[-30:31, -30:31].reshape(2, -1)
    g = np.stack([m, n], axis=1) @ basis
    length = np.linalg.norm(g, axis=1)
    return g[(length > 0) & (length < longest) & upper_half(g)]


def same_lattice(one: np.ndarray, other: np.ndarray) -> bool:
    change = one @ np.linalg.inv(other)
    whole = np.abs(change - np.rint(change)).max() < 0.02
    return whole and abs(abs(np.linalg.det(change)) - 1) < 0.02


BASES = {
    "square": np.array([[3.0, 0.4], [-0.4, 3.0]]),
    "hexagonal": 2.9 * np.array([[1, 0.2], [0.3268, 0.9660]]),
    "oblique": np.array([[2.2, 0.3], [0.9, 4.1]]),
    "long": np.array([[1.1, 0.1], [-0.5, 5.3]]),
}


@pytest.mark.parametrize("name", BASES)
def test_the_basis_is_recovered(name: str) -> None:
    rng = np.random.default_rng(1)
    g = nodes_of(BASES[name], 9)
    g += rng.normal(0, 0.004, g.shape)
    snr = 1e4 * np.exp(-0.1 * (g**2).sum(axis=1))
    found = plane_lattices(g, snr, TOLERANCE)
    assert len(found) == 1 and same_lattice(found[0], BASES[name])


def test_two_turned_lattices_are_both_found() -> None:
    first, second = BASES["square"], BASES["hexagonal"]
    g = np.concatenate([nodes_of(first, 7), nodes_of(second, 7)])
    snr = 1e3 * np.exp(-0.05 * (g**2).sum(axis=1))
    found = plane_lattices(g, snr, TOLERANCE)
    assert len(found) == 2
    assert any(same_lattice(basis, first) for basis in found)
    assert any(same_lattice(basis, second) for basis in found)
    number = lattice_of(g, found, TOLERANCE)
    split = len(nodes_of(first, 7))
    assert len(set(number[:split])) == len(set(number[split:])) == 1
    assert number[0] != number[-1] and 0 not in number


def test_random_spots_are_no_lattice() -> None:
    rng = np.random.default_rng(2)
    invented = 0
    for _ in range(60):
        g = rng.uniform(0, 8, (10, 2)) * [1, rng.choice([-1, 1])]
        invented += len(plane_lattices(g, np.ones(10), TOLERANCE)) > 0
    assert invented <= 6


def test_absent_first_orders_are_bridged() -> None:
    """A centred lattice shows only h + k even: the basis is the centred one."""
    primitive = np.array([[1.7, 0.2], [-0.3, 2.1]])
    centred = np.array([primitive[0] + primitive[1], primitive[0] - primitive[1]])
    g = nodes_of(centred, 8)
    found = plane_lattices(g, np.full(len(g), 100.0), TOLERANCE)
    assert len(found) == 1 and same_lattice(found[0], centred)


def test_nodes_within_limits() -> None:
    basis = BASES["oblique"]
    nodes = lattice_nodes(basis, (2.0, 9.0), np.array([7.0, 8.0]))
    expected = nodes_of(basis, 9)
    length = np.linalg.norm(expected, axis=1)
    expected = expected[(length >= 2) & (np.abs(expected) < [7, 8]).all(axis=1)]
    assert len(nodes) == len(expected) and upper_half(nodes).all()
    assert on_nodes(nodes, basis, 1e-9).all()
    assert (np.diff(np.linalg.norm(nodes, axis=1)) >= -1e-12).all()


def test_harmonics_and_sums_are_told() -> None:
    first, second = BASES["square"], BASES["hexagonal"]
    moire = first[0] + second[1]
    g = np.array([first[0], first[1], 2 * first[0], second[0], second[1], moire])
    power = np.array([10.0, 9, 3, 8, 7, 1])
    lattice = np.array([1, 1, 1, 2, 2, 0])
    relation = relation_of(g, power, lattice, TOLERANCE)
    expected = [Relation.NONE] * 2 + [Relation.HARMONIC] + [Relation.NONE] * 2
    assert relation.tolist() == [*expected, Relation.SUM]
    # A fundamental is no harmonic of its weaker double.
    assert relation_of(g[[0, 2]], np.array([1.0, 5.0]), lattice[:2], 0.03)[0] == 0


def test_copies_of_a_lattice_by_the_scan_are_told() -> None:
    basis = 12 * BASES["oblique"]
    g = nodes_of(basis, 110)
    rng = np.random.default_rng(6)
    copies = g[:4] + np.array([4.1, 31.0])
    half = (basis[0] + basis[1]) / 2
    other = np.array([[7.0, 50.0]])
    spots = np.concatenate([g, copies, half[None], other])
    spots += rng.normal(0, 0.05, spots.shape)
    power = np.concatenate([np.full(len(g), 1e3), np.full(6, 5.0)])
    told = satellites(spots, power, [basis], 0.7)
    assert told[len(g) : len(g) + 4].all() and told.sum() == 4
