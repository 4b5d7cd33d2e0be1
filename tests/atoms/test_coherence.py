# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Do two regions share one lattice?

What could go wrong: noise of u; a border of a few nm; points in any order, along a
closed curve, in pieces; a lattice given by long vectors; u that differ by lattice
vectors, other ones on other pieces; strain that jumps at a coherent border; a fault
taken for coherent; a misfit dislocation on a long border; a corner where three regions
meet.
"""

import numpy as np
import pytest

from hyperspy_t2t.atoms.coherence import BorderMatch, border_offsets, coherent_groups

A = 0.5431
SI_110 = np.array([[A / np.sqrt(8), A / 2], [A / np.sqrt(8), -A / 2]])
SI_112 = np.array([[A / np.sqrt(8), 0.0], [0.0, A / np.sqrt(3)]])
HEXAGONAL = 0.3189 * np.array([[1.0, 0.0], [-0.5, np.sqrt(0.75)]])
OBLIQUE = np.array([[0.31, 0.05], [0.12, 0.52]])
LATTICES = [SI_110, SI_112, HEXAGONAL, OBLIQUE]


def turned(angle: float) -> np.ndarray:
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, -s], [s, c]])


def line(length: float, angle: float = 0.0, step: float = 0.1) -> np.ndarray:
    x = np.arange(0, length, step) + 0.5 * step
    return np.stack([x, np.full(len(x), 3.0)], axis=1) @ turned(angle).T


def noise(shape: tuple, seed: int, size: float = 0.02) -> np.ndarray:
    return size * np.random.default_rng(seed).standard_normal(shape)


@pytest.mark.parametrize("lattice", LATTICES)
@pytest.mark.parametrize("angle", [0.0, 0.7, 2.2])
def test_coherent_film_under_noise_and_strain(lattice, angle):
    # The strain across the border jumps by 4 %, along it there is none.
    lattice = lattice @ turned(angle).T
    points = line(20.0, angle)
    tangent = turned(angle)[:, 0]
    first = 0.013 * (points @ tangent)[:, None] * tangent + noise(points.shape, 0)
    second = 0.013 * (points @ tangent)[:, None] * tangent + noise(points.shape, 1)
    second = second + 3 * lattice[0] - 2 * lattice[1]
    shuffled = np.random.default_rng(2).permutation(len(points))
    found = border_offsets(points[shuffled], first[shuffled], second[shuffled], lattice)
    assert found.coherent
    assert found.offset_rms == pytest.approx(0.04, rel=0.25)
    assert abs(found.mismatch) < 1e-3
    assert np.linalg.norm(found.rigid) < 0.01
    assert found.length == pytest.approx(20.0, abs=0.3)


@pytest.mark.parametrize("lattice", LATTICES)
@pytest.mark.parametrize(
    ("strain", "length"), [(0.01, 60.0), (0.04, 15.0), (0.02, 10.0)]
)
def test_relaxed_film_slides(lattice, strain, length):
    points = line(length, 0.4)
    first = strain * points + noise(points.shape, 3)
    second = noise(points.shape, 4)
    found = border_offsets(points, first, second, lattice @ turned(0.4).T)
    assert not found.coherent
    assert found.mismatch == pytest.approx(strain, abs=2.5e-3)
    if strain * length > 0.5:
        assert np.isnan(found.rigid).all()
    swapped = border_offsets(points, second, first, lattice @ turned(0.4).T)
    assert swapped.mismatch == pytest.approx(-found.mismatch)


@pytest.mark.parametrize("lattice", LATTICES)
@pytest.mark.parametrize("share", [(0.5, 0.5), (1 / 3, 0.0), (0.0, -0.4)])
def test_rigid_offset_is_found_up_to_lattice_vectors(lattice, share):
    offset = np.array(share) @ lattice
    points = line(12.0)
    first = offset + 5 * lattice[1] + noise(points.shape, 5)
    found = border_offsets(points, first, noise(points.shape, 6), lattice)
    assert not found.coherent
    left = (found.rigid - offset) @ np.linalg.inv(lattice)
    assert np.abs(left - np.rint(left)).max() < 0.02
    assert abs(found.mismatch) < 1.5e-3


def test_long_lattice_vectors_describe_the_same_lattice():
    points = line(10.0)
    first = noise(points.shape, 7) + np.array([0.03, 0.0])
    other = np.array([[3, 2], [4, 3]]) @ SI_110
    one, two = (
        border_offsets(points, first, 0 * first, basis) for basis in (SI_110, other)
    )
    assert one.coherent
    assert two.agreement == pytest.approx(one.agreement)
    assert two.offset_rms == pytest.approx(one.offset_rms)


def test_inclusion_with_its_own_lattice():
    t = np.linspace(0, 2 * np.pi, 700, endpoint=False)
    points = 8.0 * np.stack([np.cos(t), np.sin(t)], axis=1) + np.array([40.0, -20.0])
    found = border_offsets(points, 0.03 * points, 0 * points, SI_110)
    assert not found.coherent
    assert found.mismatch == pytest.approx(0.03, rel=1e-3)
    assert found.length == pytest.approx(16 * np.pi, rel=0.01)
    grown = border_offsets(points, 0.03 * points, 0.03 * points, SI_110)
    assert grown.coherent


def test_pieces_may_differ_by_lattice_vectors():
    one = line(8.0)
    points = np.concatenate(
        [one, one + np.array([0.0, 30.0]), one + np.array([50.0, 11.0])]
    )
    jump = np.repeat([SI_110[0], 0 * SI_110[0], 4 * SI_110[1]], len(one), axis=0)
    found = border_offsets(points, jump + noise(points.shape, 8), 0 * points, SI_110)
    assert found.coherent
    assert abs(found.mismatch) < 2e-3
    assert found.length == pytest.approx(24.0, abs=0.5)


def test_misfit_dislocation_does_not_part_a_long_border():
    points = line(40.0)
    step = 0.5 + np.arctan((points[:, :1] - 17.0) / 0.5) / np.pi
    first = step * (SI_110[0] + SI_110[1]) + noise(points.shape, 9)
    found = border_offsets(points, first, 0 * points, SI_110)
    assert found.coherent


def test_drift_of_a_long_border_is_no_mismatch():
    points = line(80.0)
    first = 1e-3 * (points - points.mean(axis=0)) + noise(points.shape, 10)
    assert border_offsets(points, first, 0 * first, SI_110).coherent


def test_short_borders_and_none():
    for seed in range(20):
        points = line(0.5)
        first = noise(points.shape, seed)
        assert border_offsets(points, first, noise(points.shape, 99), SI_110).coherent
    alone = border_offsets(points[:1], first[:1] + np.nan, first[:1], SI_110)
    assert not alone.coherent
    assert alone.length == 0
    alone = border_offsets(points[:1], first[:1], 0 * first[:1], SI_110)
    assert alone.coherent
    assert np.isnan(alone.mismatch)


def match(coherent: bool, length: float) -> BorderMatch:
    return BorderMatch(coherent, 0.0, 0.0, np.zeros(2), length, 1.0)


def test_groups():
    matches = {
        (1, 2): match(True, 50.0),
        (2, 5): match(True, 40.0),
        (3, 5): match(False, 45.0),
        (3, 4): match(True, 9.0),
        (4, 5): match(True, 2.0),  # the longer border of 3 and 5 says no
        (1, 5): match(False, 1.0),  # too short to part what others join
        (7, 9): match(True, 9.0),
    }
    labels = [1, 2, 3, 4, 5, 6, 9]
    assert coherent_groups(labels, matches) == [[1, 2, 5], [3, 4], [6], [9]]
    assert coherent_groups(labels, matches, reference=4)[0] == [3, 4]
    assert coherent_groups([], {}) == []
