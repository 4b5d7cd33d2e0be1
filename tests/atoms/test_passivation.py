# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Hydrogen on dangling bonds.

What could go wrong: the other crystal's atoms do not count, or the period does not;
bonds turned or strained the wrong way; two hydrogen atoms on one spot; one on top of
another atom; wurtzite and compounds; metals; the slabs in which many atoms are looked
through.
"""

import numpy as np
import pytest
from scipy.spatial import cKDTree

from hyperspy_t2t.atoms import passivation
from hyperspy_t2t.atoms.passivation import bond_vectors, hydrogens
from hyperspy_t2t.phases.library import library_phase

IDENTITY = np.eye(3)


def crystal(name: str, shape: tuple, transform=IDENTITY) -> tuple:
    """Positions, numbers, sites and bonds of a block of whole cells."""
    phase = library_phase(name)
    index = np.stack(np.meshgrid(*(np.arange(n) for n in shape), indexing="ij"), -1)
    lattice = phase.lattice @ transform.T
    fractional = phase.fractional - np.floor(phase.fractional + 1e-9)
    cells = (index.reshape(-1, 1, 3) + fractional).reshape(-1, 3)
    count = int(np.prod(shape))
    return (
        cells @ lattice,
        np.tile(phase.numbers, count),
        np.tile(np.arange(len(phase.numbers)), count),
        bond_vectors(phase) @ transform.T,
    )


def missing(positions, bonds_of, length, period=None) -> int:
    """Bonds without an atom at their end, counted otherwise."""
    shifts = [0.0] if period is None else [-period, 0.0, period]
    tree = cKDTree(np.concatenate([positions + np.array([0, 0, z]) for z in shifts]))
    ends = positions[:, None] + bonds_of
    return int((tree.query(ends)[0] > 0.3 * length).sum())


@pytest.mark.parametrize(
    ("name", "bonds", "length"),
    [
        ("Si diamond", 4, 2.3517),
        ("GaAs zincblende", 4, 2.4480),
        ("GaN wurtzite", 4, 1.95),
        ("SiC zincblende", 4, 1.888),
        ("graphite", 3, 1.42),
        ("alpha-quartz", 4, 1.61),
    ],
)
def test_bonds_of_crystals(name, bonds, length):
    phase = library_phase(name)
    found = bond_vectors(phase)
    assert found.shape == (len(phase.numbers), bonds, 3)
    size = np.linalg.norm(found, axis=2)
    assert np.nanmin(size) == pytest.approx(length, rel=0.01)
    assert np.nanmax(size) < 1.05 * length
    count = np.isfinite(size).sum(axis=1)
    expected = np.where(phase.numbers == 8, 2, bonds)
    assert (count == expected).all()
    # Each bond ends on an atom of the crystal.
    ends = (phase.fractional[:, None] @ phase.lattice + found).reshape(-1, 3)
    ends = ends[np.isfinite(ends[:, 0])] @ np.linalg.inv(phase.lattice)
    away = ends[:, None] - phase.fractional
    assert np.abs(away - np.rint(away)).max(axis=2).min(axis=1).max() < 1e-6


@pytest.mark.parametrize("name", ["Au fcc", "Fe bcc", "MgO rocksalt"])
def test_more_than_four_bonds(name):
    with pytest.raises(ValueError, match=r"4 bonds or fewer, got .* with \d+"):
        bond_vectors(library_phase(name))


@pytest.mark.parametrize("periodic", [True, False])
def test_every_dangling_bond_of_a_turned_and_strained_crystal(periodic):
    c, s = np.cos(0.6), np.sin(0.6)
    turn = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1.0]])
    strain = np.array([[1.03, 0.01, 0], [0.0, 0.97, 0], [0, 0, 1.01]])
    positions, numbers, site, bonds = crystal(
        "GaAs zincblende", (4, 3, 3), strain @ turn
    )
    period = 3 * 5.6533 * 1.01 if periodic else None
    found = hydrogens(positions, numbers, site, bonds, period=period, least_apart=0.9)
    expected = missing(positions, bonds[site], 2.45, period)
    assert len(found.parent) + found.left_out == expected
    assert found.left_out == 0
    vector = found.positions - positions[found.parent]
    length = np.linalg.norm(vector, axis=1)
    gallium = numbers[found.parent] == 31
    assert length[gallium] == pytest.approx(np.full(gallium.sum(), 1.66))
    assert length[~gallium] == pytest.approx(np.full((~gallium).sum(), 1.52))
    along = vector / length[:, None]
    ideal = bonds / np.linalg.norm(bonds, axis=2, keepdims=True)
    cosine = np.einsum("nmi,ni->nm", ideal[site[found.parent]], along).max(axis=1)
    assert cosine.min() > 0.99
    assert (np.diff(found.parent) >= 0).all()


def test_the_other_crystal_and_the_period_hold_bonds():
    positions, numbers, site, bonds = crystal("Si diamond", (4, 4, 2))
    half = positions[:, 0] < 2 * 5.431
    other = np.where(half, site, -1)  # the right half gets none, but is there
    period = 2 * 5.431
    whole = hydrogens(positions, numbers, site, bonds, period=period)
    left = hydrogens(positions, numbers, other, bonds, period=period)
    assert set(left.parent.tolist()) <= set(np.flatnonzero(half).tolist())
    assert len(left.parent) == half[whole.parent].sum()
    alone = hydrogens(positions[half], numbers[half], site[half], bonds, period=period)
    assert len(alone.parent) > len(left.parent)
    assert len(hydrogens(positions, numbers, site, bonds).parent) > len(whole.parent)


def test_crowded_hydrogen_is_turned_apart_at_its_length():
    positions, numbers, site, bonds = crystal("C diamond", (5, 5, 5))
    middle = np.linalg.norm(positions - positions.mean(axis=0), axis=1).argmin()
    kept = np.arange(len(positions)) != middle  # a vacancy: four H too close
    positions, numbers, site = positions[kept], numbers[kept], site[kept]
    found = hydrogens(positions, numbers, site, bonds, least_apart=1.2)
    apart = cKDTree(found.positions).query(found.positions, 2)[0][:, 1]
    assert apart.min() >= 0.97 * 1.2
    length = np.linalg.norm(found.positions - positions[found.parent], axis=1)
    assert length == pytest.approx(np.full(len(length), 1.09))
    raw = hydrogens(positions, numbers, site, bonds, least_apart=0.2)
    near = cKDTree(raw.positions).query(raw.positions, 2)[0][:, 1]
    assert near.min() < 0.8
    assert len(found.parent) + found.left_out == len(raw.parent)
    other = cKDTree(positions).query(found.positions, 2)[0][:, 1]
    assert other.min() > 1.2


def test_no_room_between_two_crystals():
    positions, numbers, site, bonds = crystal("Si diamond", (3, 3, 3))
    top = np.argmax(positions @ [1, 1, 1])
    direction = bonds[site[top]][(bonds[site[top]] @ [1, 1, 1]).argmax()]
    # An atom off the end of the bond, but where its hydrogen would be.
    spot = positions[top] + 0.5 * direction + np.array([0.3, -0.3, 0.0])
    free = hydrogens(positions, numbers, site, bonds)
    full = hydrogens(
        np.r_[positions, spot[None]], np.r_[numbers, 14], np.r_[site, -1], bonds
    )
    assert full.left_out == free.left_out + 1
    assert len(full.parent) == len(free.parent) - 1


def test_slabs_change_nothing(monkeypatch):
    positions, numbers, site, bonds = crystal("Si diamond", (6, 3, 3))
    whole = hydrogens(positions, numbers, site, bonds, period=3 * 5.431)
    monkeypatch.setattr(passivation, "_SLAB", 100)
    parts = hydrogens(positions, numbers, site, bonds, period=3 * 5.431)
    assert np.array_equal(parts.parent, whole.parent)
    order = [np.lexsort(np.round(one.positions, 6).T) for one in (whole, parts)]
    assert parts.positions[order[1]] == pytest.approx(whole.positions[order[0]])


def test_bulk_needs_none():
    positions, numbers, site, bonds = crystal("Si diamond", (3, 3, 1))
    inner = (np.abs(positions[:, :2] - 8.1) < 4).all(axis=1)
    found = hydrogens(
        positions, numbers, np.where(inner, site, -1), bonds, period=5.431
    )
    assert len(found.parent) == 0 and found.left_out == 0
