# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Amorphous regions.

What could go wrong: a density off by the outline or by what does not fit; a composition
off by more than an atom; atoms too near across the period, at the borders of cells or
to those of a crystal beside; atoms outside; a thin layer in which none fit; a result
that changes from run to run; a region that fills little of its rectangle.
"""

import numpy as np
import pytest
from scipy.spatial import cKDTree

from hyperspy_t2t.atoms.amorphous import (
    AmorphousMaterial,
    amorphous_material,
    least_distance,
    packed_atoms,
)


def ring(points: np.ndarray) -> np.ndarray:
    radius = np.hypot(points[:, 0] - 7.0, points[:, 1] + 4.0)
    return (radius < 2.6) & (radius > 1.4)


RING = (4.4, -6.6, 9.6, -1.4)
RING_AREA = np.pi * (2.6**2 - 1.4**2)
GRAMS = 1.66053906660  # u/Å³ in g/cm³


def nearest(positions: np.ndarray, period: float | None) -> float:
    shifts = [0.0] if period is None else [-period, 0.0, period]
    images = np.concatenate([positions + np.array([0, 0, shift]) for shift in shifts])
    return float(cKDTree(images).query(positions, 2)[0][:, 1].min())


@pytest.mark.parametrize("name", ["SiO2", "a-Si", "C", "Al2O3"])
@pytest.mark.parametrize("periodic", [True, False])
def test_density_composition_distance_and_outline(name, periodic):
    material = amorphous_material(name)
    found = packed_atoms(ring, RING, 1.1, material, seed=3, periodic=periodic)
    masses = {14: 28.085, 8: 15.999, 6: 12.011, 13: 26.982}
    volume = RING_AREA * 1.1 * 1e3
    density = sum(masses[z] for z in found.numbers.tolist()) * GRAMS / volume
    assert density == pytest.approx(material.density, rel=5e-3)
    assert found.density == pytest.approx(density, rel=2e-3)
    assert found.volume == pytest.approx(volume, rel=1e-3)
    assert ring(0.1 * found.positions[:, :2]).all()
    assert (found.positions[:, 2] >= 0).all() and (found.positions[:, 2] < 11).all()
    assert found.distance == least_distance(material)
    assert nearest(found.positions, 11.0 if periodic else None) >= found.distance
    total = sum(material.formula.values())
    for symbol, count in material.formula.items():
        number = {"Si": 14, "O": 8, "C": 6, "Al": 13}[symbol]
        expected = count / total * len(found.numbers)
        assert abs((found.numbers == number).sum() - expected) <= 1


def test_positions_and_elements_are_spread_evenly():
    found = packed_atoms(
        lambda points: np.ones(len(points), bool), (0, 0, 5, 5), 2.0,
        amorphous_material("SiO2"), periodic=True,
    )  # fmt: skip
    for axis, length in enumerate([50.0, 50.0, 20.0]):
        parts = np.histogram(found.positions[:, axis], 5, (0, length))[0]
        assert parts / parts.mean() == pytest.approx(np.ones(5), abs=0.1)
    silicon = found.numbers == 14
    half = found.positions[:, 0] < 25
    assert (silicon & half).sum() == pytest.approx(silicon.sum() / 2, rel=0.1)


def test_the_same_for_the_same_seed():
    def packed(seed: int):
        return packed_atoms(ring, RING, 0.6, amorphous_material("C"), seed=seed)

    assert np.array_equal(packed(1).positions, packed(1).positions)
    assert np.array_equal(packed(1).numbers, packed(1).numbers)
    assert not np.array_equal(packed(1).positions, packed(2).positions)


def test_atoms_that_are_there_already_keep_their_distance():
    i = np.stack(np.meshgrid(*[np.arange(12)] * 3), -1).reshape(-1, 3) * 2.5
    crystal = i + np.array(
        [70.0, -60.0, -14.0]
    )  # reaches below z = 0: wrapped or cut off
    for periodic in (True, False):
        found = packed_atoms(
            ring, RING, 1.2, amorphous_material("SiO2"), around=crystal,
            periodic=periodic, min_distance=1.3,
        )  # fmt: skip
        shifts = [-24.0, -12.0, 0.0, 12.0, 24.0] if periodic else [0.0]
        images = np.concatenate([crystal + np.array([0, 0, z]) for z in shifts])
        assert cKDTree(images).query(found.positions)[0].min() >= 1.3
        assert found.density == pytest.approx(2.20, rel=5e-3)


def test_what_does_not_fit():
    def thin(points: np.ndarray) -> np.ndarray:
        return np.abs(points[:, 0]) < 0.22

    i = np.stack(np.meshgrid(*[np.arange(20)] * 3), -1).reshape(-1, 3) * 2.0
    both = np.concatenate(
        [i + np.array([2.2, 0, 0]), i * [-1, 1, 1] - np.array([2.2, 0, 0])]
    )
    found = packed_atoms(
        thin, (-0.4, 0, 0.4, 4), 4.0, amorphous_material("Si"), around=both
    )
    assert found.density == pytest.approx(2.285, rel=5e-3)
    assert found.distance < least_distance(amorphous_material("Si"))
    gap = cKDTree(np.concatenate([both, found.positions])).query(found.positions, 2)[0]
    assert gap[:, 1].min() >= found.distance
    with pytest.raises(ValueError, match=r"got room for .* g/cm³ with 3 Å"):
        packed_atoms(ring, RING, 0.6, amorphous_material("SiO2"), min_distance=3.0)
    with pytest.raises(ValueError, match="none of its points"):
        packed_atoms(lambda p: p[:, 0] > 99, RING, 1.0, amorphous_material("SiO2"))
    with pytest.raises(ValueError, match=r"thickness .* got 0 nm"):
        packed_atoms(ring, RING, 0.0, amorphous_material("SiO2"))


def test_materials():
    given = amorphous_material({"formula": "Si3N4", "density": 3.0})
    assert given.formula == {"Si": 3, "N": 4}
    assert given.atom_density == pytest.approx(7 * 3.0 / (140.283 * GRAMS), rel=1e-4)
    same = amorphous_material({"formula": {"Si": 3, "N": 4}, "density": 3})
    assert (same.formula, same.density) == (given.formula, given.density)
    assert amorphous_material(given) is given
    assert amorphous_material("SiO2").atom_density == pytest.approx(0.0662, abs=1e-4)
    assert amorphous_material("a-Si").atom_density == pytest.approx(0.0490, abs=1e-4)
    assert all("doi" in amorphous_material(n).source for n in ("SiO2", "Si", "C"))
    assert isinstance(given, AmorphousMaterial)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("unobtainium", "one of the amorphous materials SiO2"),
        ({"formula": "Si3N4"}, "Expected {"),
        ({"formula": "Xx2", "density": 2.0}, "formula"),
        ({"formula": {"Si": -1}, "density": 2.0}, "above 0"),
        ({"formula": "SiO2", "density": 0.0}, "got 0 g/cm³"),
        (None, "Expected {"),
    ],
)
def test_bad_materials(given, message):
    with pytest.raises(ValueError, match=message):
        amorphous_material(given)
