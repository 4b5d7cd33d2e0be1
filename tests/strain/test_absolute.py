# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Strain against a bulk lattice, from matrices made by hand.

What could go wrong on a real image: the bulk turned by a symmetry operation or by any
angle, cells without right angles, a film and substrate that are both strained, and a
displacement whose gradient is another one.
"""

import numpy as np
import pytest

from hyperspy_t2t.calibration import ImageGrid
from hyperspy_t2t.frames import rotation_2d
from hyperspy_t2t.strain.absolute import (
    fitted_pair,
    lattice_cell,
    lattice_orders,
    map_to_bulk,
    mapped_displacement,
    mapped_gradient,
    stretch_between,
    turned_onto,
)

SQUARE = 2.56 * np.eye(2)
HEXAGONAL = 3.08 * np.array([[1.0, 0.0], [0.5, np.sqrt(0.75)]])
MONOCLINIC = np.array([[1.98, 0.1], [-0.37, 1.91]])
LATTICES = (SQUARE, HEXAGONAL, MONOCLINIC)
STRETCH = np.array([[1.031, 0.007], [0.007, 0.962]])


def deformed(g: np.ndarray, deformation: np.ndarray) -> np.ndarray:
    """g of a lattice after r = F R: rows times F⁻¹."""
    return g @ np.linalg.inv(deformation)


@pytest.mark.parametrize("g", LATTICES)
@pytest.mark.parametrize("angle", [0.0, 0.3, 2.9, -1.4])
def test_a_stretch_is_found_whatever_the_turn(g, angle) -> None:
    # R of the first lattice is Q S R in the second.
    second = deformed(g, rotation_2d(angle) @ STRETCH)
    np.testing.assert_allclose(stretch_between(g, second), STRETCH, atol=1e-12)
    placed = turned_onto(second, g)
    lengths = np.linalg.norm(second, axis=1)
    np.testing.assert_allclose(np.linalg.norm(placed, axis=1), lengths)
    np.testing.assert_allclose(placed, deformed(g, STRETCH), atol=1e-12)


@pytest.mark.parametrize("g", LATTICES)
@pytest.mark.parametrize("angle", [0.0, 0.7, -3.0])
def test_strain_and_rotation_of_a_film_against_its_bulk(g, angle) -> None:
    """Film bulk 2 % larger; both strained; the film turned by 1° on the substrate."""
    of_substrate = np.array([[1.004, -0.001], [-0.001, 0.998]])
    of_film = rotation_2d(np.deg2rad(1.0)) @ np.array([[0.98, 0.003], [0.003, 1.013]])
    bulk_film = g / 1.02
    reference, film = deformed(g, of_substrate), deformed(bulk_film, of_film)
    beta = np.eye(2) - np.linalg.solve(reference, film)  # film = reference (I − β)
    turn = rotation_2d(angle).T  # what indexing says of angles must not matter
    to_bulk = map_to_bulk(reference, bulk_film @ turn, g @ turn @ turn)
    found = mapped_gradient(beta[:, :, None, None], to_bulk)[:, :, 0, 0]
    inverse = np.eye(2) - found
    np.testing.assert_allclose(inverse @ of_film, np.eye(2), atol=1e-10)


@pytest.mark.parametrize("g", LATTICES)
def test_all_g_tell_of_the_lattice(g) -> None:
    """Also where the first two span a sublattice of what the others are."""
    orders = np.array([[1, 0], [0, 2], [2, 1], [3, -1], [0, 3]])
    pair = np.diag([1, 2]) @ g
    rng = np.random.default_rng(2)
    fall = np.exp(2 * (np.pi * 0.03) ** 2 * ((orders @ g) ** 2).sum(axis=1))
    errors = 1e-4 * fall[:, None] * rng.normal(size=(200, 5, 2))
    found = np.array([fitted_pair(orders @ g + error) for error in errors])
    np.testing.assert_allclose(found.mean(axis=0), pair, atol=5e-4)
    assert (found.std(axis=0) < errors.std(axis=0)[:2]).all()


@pytest.mark.parametrize("g", LATTICES)
def test_a_spot_of_another_lattice_does_not_count(g) -> None:
    orders = np.array([[1, 0], [0, 2], [2, 1], [3, -1], [0, 3], [1, 1]])
    found = orders @ g
    found[3] *= 1.014  # twice the spot of a film
    found += np.random.default_rng(1).normal(scale=1e-5, size=found.shape)
    np.testing.assert_allclose(fitted_pair(found), np.diag([1, 2]) @ g, atol=1e-4)


@pytest.mark.parametrize("parts", [1, 2, 3, 5, 6])
def test_orders_on_a_sublattice_of_any_index(parts: int) -> None:
    """The first two of wurtzite along [11-20] span a sixth of its lattice."""
    basis = np.array([[3.1, 0.4], [-0.9, 2.2]])
    first = np.array([[-1, 3], [1, parts - 3]])  # of determinant −parts
    every = np.concatenate([first, [[1, 0], [0, 1], [2, 1], [-1, 4]]])
    error = np.random.default_rng(parts).normal(scale=1e-3, size=every.shape)
    found = lattice_orders(every @ basis + error)
    np.testing.assert_allclose(found @ first, every, atol=1e-9)


def test_a_reference_without_phase_leaves_its_own_strain_out() -> None:
    reference = deformed(SQUARE, 1.01 * np.eye(2))
    to_bulk = map_to_bulk(reference, SQUARE / 1.03, None)
    # The region is the reference's lattice: 1 % longer than SQUARE, bulk 3 % longer.
    found = np.linalg.inv(to_bulk)
    np.testing.assert_allclose(found, 1.01 / 1.03 * np.eye(2), rtol=1e-12)


def test_the_gradient_is_that_of_the_displacement() -> None:
    grid = ImageGrid((40, 30), (0.1, 0.13), (3.0, -2.0))
    positions = grid.to_nm(*np.indices(grid.shape))
    x, y = positions[..., 0], positions[..., 1]
    u = np.stack([0.02 * x + 0.01 * np.sin(y), 0.003 * x * y])
    zero = np.zeros_like(x)
    beta = np.array([[0.02 + zero, 0.01 * np.cos(y)], [0.003 * y, 0.003 * x]])
    to_bulk = np.array([[0.97, 0.01], [0.02, 1.04]])
    inside = x > 0
    mapped = mapped_displacement(u, to_bulk, positions, inside)
    np.testing.assert_allclose(mapped[:, inside].mean(axis=1), 0, atol=1e-12)
    along_y, along_x = np.gradient(mapped, *grid.pixel_size, axis=(1, 2))
    expected = mapped_gradient(beta, to_bulk)
    core = (..., slice(2, -2), slice(2, -2))
    np.testing.assert_allclose(along_x[core], expected[:, 0][core], atol=2e-5)
    np.testing.assert_allclose(along_y[core], expected[:, 1][core], atol=2e-5)


def test_lengths_and_angle_of_a_cell() -> None:
    vectors = np.array([0.39, 0.41])[:, None] * [
        [np.cos(0.3), np.sin(0.3)],
        [np.cos(0.3 + np.deg2rad(99)), np.sin(0.3 + np.deg2rad(99))],
    ]
    assert lattice_cell(vectors) == pytest.approx((0.39, 0.41, 99.0))
