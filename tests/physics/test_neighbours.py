# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Neighbours against a search through all images, and in crystals that are known."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hyperspy_t2t.physics.neighbours import (
    coordination,
    count_and_nearest,
    nearest_distance,
    neighbour_pairs,
    neighbour_vectors,
)

NOWHERE = np.zeros((3, 3))


def all_images(positions, cell, pbc, cutoff):
    """(first, second, vector) of all pairs by brute force over images of the cell."""
    inverse = np.linalg.inv(cell)
    heights = 1 / np.linalg.norm(inverse, axis=0)
    reach = np.ceil(cutoff / heights + np.ptp(positions @ inverse, axis=0)).astype(int)
    ranges = [range(-r, r + 1) if p else (0,) for r, p in zip(reach, pbc, strict=True)]
    found = []
    for turns in itertools.product(*ranges):
        vectors = positions[None] + np.array(turns) @ cell - positions[:, None]
        near = np.linalg.norm(vectors, axis=-1) <= cutoff
        if not any(turns):
            np.fill_diagonal(near, False)
        found += [(i, j, vectors[i, j]) for i, j in np.argwhere(near)]
    return found


@st.composite
def crystals(draw):
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    # From a box to one that leans as far as a search may have to look.
    lengths = rng.uniform(2, 9, 3)
    cell = np.diag(lengths) + np.tril(rng.uniform(-1, 1, (3, 3)) * lengths, -1)
    turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    cell = cell @ turn
    pbc = np.array(draw(st.tuples(*[st.booleans()] * 3)))
    # Atoms outside of the cell too, which wrap or stand where they are.
    positions = rng.uniform(-0.9, 1.9, (draw(st.integers(1, 12)), 3)) @ cell
    return positions, cell, pbc, rng.uniform(0.5, 4.5)


@settings(max_examples=40)
@given(crystals())
def test_as_by_brute_force(crystal):
    expected = all_images(*crystal)
    index, vectors, count = neighbour_vectors(*crystal, 1 + len(expected))
    got = [(i, index[i, k], vectors[i, k]) for i, k in np.argwhere(index >= 0)]

    def key(pair):
        return (*pair[:2], *np.round(pair[2], 3).tolist())

    got, expected = sorted(got, key=key), sorted(expected, key=key)
    assert [pair[:2] for pair in got] == [pair[:2] for pair in expected]
    for one, other in zip(got, expected, strict=True):
        np.testing.assert_allclose(one[2], other[2], atol=1e-4)
    np.testing.assert_array_equal(count, (index >= 0).sum(axis=1))
    np.testing.assert_array_equal(coordination(*crystal), count)
    lengths = np.linalg.norm(vectors, axis=-1)
    assert not (np.diff(lengths, axis=1) < -1e-4).any()  # nearest first
    nearest = np.where(count > 0, lengths[:, 0], np.inf)
    np.testing.assert_allclose(nearest_distance(*crystal), nearest, rtol=1e-5)
    first, second, distance = neighbour_pairs(*crystal)
    assert 2 * len(first) == count.sum() and (first <= second).all()
    np.testing.assert_allclose(
        np.sort(np.repeat(distance, 2)), np.sort(lengths[index >= 0]), atol=1e-4
    )


def diamond(nx, ny, nz, a=5.431):
    basis = np.array([[0, 0, 0], [0, 2, 2], [2, 0, 2], [2, 2, 0]])
    basis = np.vstack([basis, basis + 1]) / 4
    corners = np.stack(np.meshgrid(*map(range, (nx, ny, nz)), indexing="ij"), -1)
    positions = (corners.reshape(-1, 1, 3) + basis).reshape(-1, 3) * a
    return positions, np.diag([nx, ny, nz]) * a


def test_every_atom_of_diamond_has_four():
    positions, cell = diamond(6, 5, 1)  # one cell thin: the cutoff reaches around it
    positions += np.array([1e3, -1e3, 0.3])  # anywhere
    for cutoff, number in ((2.4, 4), (3.9, 16), (4.6, 28)):
        count = coordination(positions, cell, (True, True, True), cutoff)
        assert (count == number).all(), cutoff
    thick = coordination(*diamond(2, 2, 3), (True, True, True), 11.2)
    assert (thick == coordination(positions, cell, (1, 1, 1), 11.2)[0]).all()
    bond = nearest_distance(positions, cell, (True, True, True), 3)
    np.testing.assert_allclose(bond, 5.431 * np.sqrt(3) / 4, rtol=1e-12)


def test_surfaces_where_the_cell_is_not_periodic():
    positions, cell = diamond(4, 4, 4)
    cell[:2] = 0  # the vectors that are not periodic say nothing
    count = coordination(positions, cell, (False, False, True), 2.4)
    inside = ((positions[:, :2] > 1.2) & (positions[:, :2] < 20)).all(axis=1)
    assert (count[inside] == 4).all() and (count[~inside] < 4).any()
    open_everywhere = coordination(positions, NOWHERE, (False,) * 3, 2.4)
    assert (open_everywhere <= count).all() and (open_everywhere < count).any()


def test_a_chain_of_images_of_one_atom():
    cell = np.array([[0, 0, 0], [0, 0, 0], [0.3, -0.4, 1.2]])
    atom = np.zeros((1, 3))
    index, vectors, count = neighbour_vectors(atom, cell, (0, 0, 1), 4.0, 8)
    assert count == [6] and index.tolist() == [[0] * 6 + [-1] * 2]
    steps = vectors[0, :6] @ cell[2] / (cell[2] @ cell[2])
    np.testing.assert_allclose(np.sort(steps), [-3, -2, -1, 1, 2, 3], atol=1e-5)
    first, second, distance = neighbour_pairs(atom, cell, (0, 0, 1), 4.0)
    assert first.tolist() == second.tolist() == [0, 0, 0]
    np.testing.assert_allclose(np.sort(distance), [1.3, 2.6, 3.9], atol=1e-5)


def test_the_nearest_are_kept_where_the_table_is_narrow():
    line = np.array([[0.0, 0, 0], [1, 0, 0], [2.5, 0, 0], [4.5, 0, 0]])
    index, _, count = neighbour_vectors(line, NOWHERE, (False,) * 3, 10, 2)
    assert index.tolist() == [[1, 2], [0, 2], [1, 3], [2, 1]]
    assert index.dtype == np.int32 and count.tolist() == [3] * 4


def test_two_atoms_at_one_place_are_neighbours():
    there = np.zeros((2, 3))
    assert nearest_distance(there, NOWHERE, (False,) * 3, 1).tolist() == [0, 0]
    assert [a.tolist() for a in neighbour_pairs(there, NOWHERE, (0, 0, 0), 1)] == [
        [0], [1], [0.0],
    ]  # fmt: skip


def test_cutoff_of_each_pair_of_species():
    rng = np.random.default_rng(3)
    positions, species = rng.uniform(0, 12, (300, 3)), rng.integers(0, 2, 300)
    cell = 12 * np.eye(3) + np.tril(np.full((3, 3), 2.0), -1)
    cutoffs = np.array([[1.5, 2.6], [2.1, 0]])
    index, _, count = neighbour_vectors(
        positions, cell, (1, 1, 0), cutoffs, 60, species=species
    )
    every, spans, _ = neighbour_vectors(positions, cell, (1, 1, 0), 2.6, 60)
    limits = cutoffs[species[:, None], species[every]]
    kept = (every >= 0) & (np.linalg.norm(spans, axis=-1) <= limits)
    np.testing.assert_array_equal(count, kept.sum(axis=1))
    np.testing.assert_array_equal(every[kept], index[index >= 0])
    assert not ((species[:, None] == 1) & (species[index] == 1) & (index >= 0)).any()


def test_count_of_those_hardly_further_than_the_nearest():
    line = np.array([[0.0, 0, 0], [1, 0, 0], [2.1, 0, 0], [4.5, 0, 0]])
    count, nearest = count_and_nearest(line, NOWHERE, (0, 0, 0), 10, within=1.2)
    assert count.tolist() == [1, 2, 1, 1] and nearest.tolist() == [1, 1, 1.1, 2.4]
    count, _ = count_and_nearest(
        line, NOWHERE, (0, 0, 0), np.full((2, 2), 10), species=[0, 0, 0, 1],
        within=[1.2, np.inf],
    )  # fmt: skip
    assert count.tolist() == [1, 2, 1, 3]


def test_no_atoms_and_one():
    for number in (0, 1):
        atoms = np.zeros((number, 3))
        index, _, count = neighbour_vectors(atoms, NOWHERE, (False,) * 3, 3, 4)
        assert index.shape == (number, 4) and count.shape == (number,)
        assert (index == -1).all() and not count.any()
        assert np.isinf(nearest_distance(atoms, NOWHERE, (False,) * 3, 3)).all()
        assert len(neighbour_pairs(atoms, NOWHERE, (False,) * 3, 3)[0]) == 0


def test_far_apart_atoms_need_no_bins_between_them():
    positions = np.array([[0.0, 0, 0], [1, 0, 0], [1e7, 3e6, -2e7]])
    assert coordination(positions, NOWHERE, (False,) * 3, 2).tolist() == [1, 1, 0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"positions": [[0, np.nan, 0]]}, "finite positions in Å"),
        ({"cutoff": 0}, "cutoff above 0 Å.*got 0"),
        ({"cutoff": np.inf}, "cutoff above 0 Å.*got inf"),
        ({"cutoff": [[1, 2, 3], [2, 1, 3]]}, "square matrix"),
        ({"cutoff": [[1, 2], [2, 1]]}, "species of each of 1 atoms.*got None"),
        ({"cell": np.ones((3, 3)), "pbc": (1, 1, 0)}, "independent and not zero"),
        ({"pbc": (0, 0, 1)}, r"not zero, got \[\[0.0, 0.0, 0.0\]\] Å"),
        ({"cell": np.eye(2)}, r"shape \(3, 3\).*got \(2, 2\)"),
    ],
)
def test_bad_input(change, message):
    given = {"positions": [[0, 0, 0]], "cell": NOWHERE, "pbc": (0, 0, 0), "cutoff": 1}
    with pytest.raises(ValueError, match=message):
        coordination(**given | change)
    with pytest.raises(ValueError, match=r"species from 0 to 1.*got 0 to 2"):
        cutoffs = np.ones((2, 2))
        coordination(np.eye(3), NOWHERE, (0, 0, 0), cutoffs, species=np.arange(3))
    with pytest.raises(ValueError, match="symmetric matrix of cutoffs"):
        cutoffs = np.array([[1, 2], [3, 1]])
        neighbour_pairs(np.eye(3), NOWHERE, (0, 0, 0), cutoffs, species=np.zeros(3))
    with pytest.raises(ValueError, match="max_neighbours of 1 or more: 0"):
        neighbour_vectors(np.eye(3), NOWHERE, (0, 0, 0), 1, 0)


def test_many_atoms():
    positions, cell = diamond(28, 28, 28)  # 176 thousand
    count = coordination(positions, cell, (True, True, True), 2.8)
    assert (count == 4).all()
