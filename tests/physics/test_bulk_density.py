# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Density and first shells of crystals that are known, in pieces of any shape."""

import numpy as np
import pytest
from ase.build import bulk
from ase.spacegroup import crystal

from hyperspy_t2t.physics.bulk_density import bulk_density, interior_of
from hyperspy_t2t.physics.first_shell import first_shells

A = 5.431


def turned_silicon(angle, inside):
    """One period along z, cut to a shape given by x, y in Å."""
    cells = bulk("Si", cubic=True, a=A).repeat((36, 36, 1))
    cells.positions -= cells.positions.mean(axis=0)
    cells.rotate(angle, "z")
    return cells.positions[inside(*cells.positions[:, :2].T)]


SHAPES = {
    "disc": lambda x, y: np.hypot(x, y) < 45,
    "small disc": lambda x, y: np.hypot(x, y) < 22,
    "strip": lambda x, y: (np.abs(y) < 16) & (np.abs(x) < 60),
    "ring": lambda x, y: (np.hypot(x, y) < 60) & (np.hypot(x, y) > 25),
    "wedge": lambda x, y: (np.abs(y) < 0.4 * (x + 60)) & (x < 50),
}


@pytest.mark.parametrize("angle", [0, 17, 45, 71])
@pytest.mark.parametrize("shape", SHAPES)
def test_density_inside_does_not_feel_the_border(shape, angle):
    positions = turned_silicon(angle, SHAPES[shape])
    masses = np.full(len(positions), 28.085)
    number, mass = bulk_density(positions, masses, interior_of(positions), A)
    assert number == pytest.approx(8e3 / A**3, rel=3e-3)
    assert mass == pytest.approx(8 * 28.085 * 1.66053906660 / A**3, rel=3e-3)


def test_a_tenth_of_the_atoms_less():
    positions = turned_silicon(10, SHAPES["disc"])
    kept = positions[np.random.default_rng(0).random(len(positions)) < 0.9]
    number, _ = bulk_density(kept, np.ones(len(kept)), interior_of(kept), A)
    assert number == pytest.approx(0.9 * 8e3 / A**3, rel=0.03)


def test_depth_and_its_deepest_place():
    positions = turned_silicon(0, lambda x, y: np.hypot(x - 20, y + 10) < 40)
    interior = interior_of(positions)
    place, depth = interior.deepest()
    np.testing.assert_allclose(place, [20, -10], atol=3)
    assert depth == pytest.approx(40, abs=3)
    found = interior.at(np.array([[20.0, 10], [20, 100]]))
    np.testing.assert_allclose(found, [20, 0], atol=3)


@pytest.mark.parametrize("positions", [np.zeros((1, 3)), np.eye(3)])
def test_no_inside(positions):
    interior = interior_of(positions)
    assert np.isnan(bulk_density(positions, np.ones(len(positions)), interior, 5)).all()


CRYSTALS = {
    "Si": (bulk("Si"), {14: (4, 2.352)}),
    "GaAs": (bulk("GaAs", "zincblende", a=5.653), {31: (4, 2.448), 33: (4, 2.448)}),
    "Au": (bulk("Au"), {79: (12, 2.885)}),
    "Ti": (bulk("Ti"), {22: (12, 2.923)}),
    "NaCl": (bulk("NaCl", "rocksalt", a=5.64), {11: (6, 2.82), 17: (6, 2.82)}),
    "SrTiO3": (
        crystal(["Sr", "Ti", "O"], [(0, 0, 0), (0.5, 0.5, 0.5), (0.5, 0.5, 0)],
                spacegroup=221, cellpar=[3.905] * 3 + [90] * 3),
        {38: (12, 2.761), 22: (6, 1.953), 8: (2, 1.953)},
    ),
    "TiO2": (
        crystal(["Ti", "O"], [(0, 0, 0), (0.305, 0.305, 0)], spacegroup=136,
                cellpar=[4.594, 4.594, 2.959, 90, 90, 90]),
        {22: (6, 1.959), 8: (3, 1.959)},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CRYSTALS)
def test_first_shells(name):
    atoms, expected = CRYSTALS[name]
    atoms = atoms.repeat((4, 4, 4))
    rng = np.random.default_rng(0)
    moved = atoms.positions + rng.normal(0, 0.03, atoms.positions.shape)
    found = first_shells(moved, atoms.numbers, atoms.cell[:], atoms.pbc)
    assert {n: shell.coordination for n, shell in found.items()} == {
        n: number for n, (number, _) in expected.items()
    }
    for number, (_, length) in expected.items():
        assert found[number].distance == pytest.approx(length, rel=5e-3)
        assert found[number].distance < found[number].cutoff


def test_coordination_that_is_known():
    iron = bulk("Fe").repeat((4, 4, 4))
    given = iron.positions, iron.numbers, iron.cell[:], iron.pbc
    assert first_shells(*given)[26].coordination == 14  # 8 and 6 slightly further
    shell = first_shells(*given, coordination={26: 8})[26]
    assert shell.coordination == 8 and 2.48 < shell.cutoff < 2.87


def test_atoms_without_neighbours():
    nowhere, pbc = np.zeros((3, 3)), np.zeros(3, bool)
    far = 100.0 * np.eye(3)
    assert first_shells(far, [14] * 3, nowhere, pbc) == {}
    none = np.zeros(3, bool)
    assert first_shells(np.eye(3), [14] * 3, nowhere, pbc, inside=none) == {}
