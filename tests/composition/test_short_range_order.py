# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Short-range order that is reached without moving the composition."""

import ase.build
import numpy as np
import pytest
from ase.neighborlist import neighbor_list

from hyperspy_t2t.composition.drawing import draw_atoms
from hyperspy_t2t.composition.short_range_order import first_neighbours, ordered


def columns_of(structure, repeat=(10, 10, 10)):
    """Positions of a crystal, the column of each atom and the period along z."""
    atoms = ase.build.bulk("Si", structure, a=5.5, cubic=True) * repeat
    _, column = np.unique(
        np.round(atoms.positions[:, :2], 3), axis=0, return_inverse=True
    )
    order = np.argsort(column.ravel(), kind="stable")
    atoms = atoms[order]
    atoms.pbc = [False, False, True]
    return atoms, column.ravel()[order]


def alloy(structure, ge, seed=0, repeat=(10, 10, 10), **options):
    atoms, column = columns_of(structure, repeat)
    counts = np.bincount(column)
    fractions = np.broadcast_to(ge, len(counts))
    fractions = np.stack([1 - fractions, fractions])
    numbers = draw_atoms(fractions, counts, [14, 32], seed=seed)
    changed, reached = ordered(
        numbers, atoms.positions, fractions, column, [14, 32],
        period=atoms.cell[2, 2], seed=seed, **options,
    )  # fmt: skip
    return atoms, column, numbers, changed, reached


def independent_order(atoms, numbers, cutoff, ge):
    """α from the neighbour list of ASE."""
    first, second = neighbor_list("ij", atoms, cutoff)
    return 1 - np.mean(numbers[first] != numbers[second]) / (2 * ge * (1 - ge))


@pytest.mark.parametrize("structure", ["diamond", "fcc"])
@pytest.mark.parametrize("order", [-0.15, 0.1, 0.3])
def test_the_order_is_reached_and_blocks_keep_their_atoms(structure, order):
    atoms, _, before, after, reached = alloy(structure, 0.4, order=order)
    cutoff = {"diamond": 2.6, "fcc": 4.2}[structure]
    assert abs(reached - order) < 0.01
    assert abs(independent_order(atoms, after, cutoff, 0.4) - order) < 0.02
    place = np.floor(atoms.positions / 12).astype(int) @ [100, 10, 1]
    for numbers in (14, 32):
        np.testing.assert_array_equal(
            np.bincount(place, before == numbers), np.bincount(place, after == numbers)
        )


def test_what_a_lattice_cannot_have_is_reported():
    # Every atom of an fcc lattice can't have unlike neighbours only.
    *_, reached = alloy("fcc", 0.5, order=-0.9, repeat=(6, 6, 6))
    assert -1 / 3 - 0.02 < reached < -0.2
    # A diamond lattice can: zincblende.
    *_, reached = alloy("diamond", 0.5, order=-0.7, repeat=(6, 6, 6))
    assert abs(reached + 0.7) < 0.02


def test_gradients_stay():
    atoms, column = columns_of("diamond")
    x = atoms.positions[np.unique(column, return_index=True)[1], 0]
    ge = 0.1 + 0.8 * x / x.max()
    difference = np.zeros(10)
    for seed in range(5):
        atoms, column, _, after, _ = alloy("diamond", ge, seed=seed, order=0.1)
        slab = (atoms.positions[:, 0] // 5.5).astype(int)
        size = np.bincount(slab)
        wanted = np.bincount(slab, ge[column]) / size
        difference += (np.bincount(slab, after == 32) / size - wanted) / 5
    # Slabs of 800 atoms: 1.8 % of counting error, 0.8 % for five drawings.
    assert np.abs(difference).max() < 0.03


def test_columns_keep_their_own_atoms():
    _, column, before, after, reached = alloy(
        "fcc", 0.5, order=0.15, within_columns=True
    )
    np.testing.assert_array_equal(
        np.bincount(column, before == 32), np.bincount(column, after == 32)
    )
    assert abs(reached - 0.15) < 0.02
    assert (before != after).any()


def test_neighbours_across_the_period_and_along_a_strained_lattice():
    atoms = ase.build.bulk("Si", "fcc", a=5.5, cubic=True) * (6, 6, 2)
    atoms.set_cell(atoms.cell @ np.diag([1, 1, 1.05]), scale_atoms=True)
    near = first_neighbours(atoms.positions, atoms.cell[2, 2])
    inner = np.abs(atoms.positions[:, :2] - 16).max(axis=1) < 8
    assert ((near >= 0).sum(axis=1)[inner] == 12).all()


def test_an_impossible_order():
    with pytest.raises(ValueError, match="order from -1 to 1, got 2"):
        alloy("fcc", 0.5, order=2, repeat=(2, 2, 2))


def test_a_single_atom_has_no_order():
    one = np.array([14], np.uint8)
    numbers, reached = ordered(
        one, np.zeros((1, 3)), np.array([[0.5], [0.5]]), np.array([0]), [14, 32],
        order=0.3, period=None, seed=0,
    )  # fmt: skip
    assert numbers.tolist() == [14] and reached == 0
