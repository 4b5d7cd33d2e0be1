# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Dislocations found in drawn crystals, and none invented."""

import numpy as np
import pytest
from drawn_crystals import CRYSTALS, PIXEL, crystal, lattice, searched

from hyperspy_t2t.data.displacements import (
    EdgeDislocation,
    coherent_epitaxy,
    relaxed_epitaxy,
    strained,
)
from hyperspy_t2t.data.synthetic import Region, Scan, synthetic_arrays
from hyperspy_t2t.strain.dislocations import Dislocations, dislocations

SHAPE = (300, 400)
MIDDLE = np.array([4.03, 3.88])


def drawn(regions: list[Region], shape=SHAPE, pixel=PIXEL, **scan) -> np.ndarray:
    image, _ = synthetic_arrays(regions, Scan(shape=shape, pixel_size=pixel, **scan))
    return image


def found(image: np.ndarray, g: np.ndarray, sigma: float, **options) -> Dislocations:
    return searched(dislocations, image, g, sigma, **options)


@pytest.mark.parametrize("name", CRYSTALS)
@pytest.mark.parametrize("orders", [(1, 0), (0, -1), (1, -1), (-1, -1)])
@pytest.mark.parametrize(("rotation", "sigma", "dose"), [(0, 0.4, 2), (23, 0.6, 20)])
def test_burgers_vector_is_exact_and_core_in_place(
    name: str, orders: tuple, rotation: float, sigma: float, dose: float
) -> None:
    g, dual = lattice(name, rotation)
    burgers = orders @ dual
    edge = EdgeDislocation(tuple(burgers), tuple(MIDDLE), 0.28)
    image = drawn([crystal(name, rotation, displacement=edge)], dose=dose, seed=7)
    result = found(image, g, sigma)
    assert result.orders.tolist() == [list(orders)]
    np.testing.assert_allclose(result.burgers, [burgers], atol=1e-9)
    assert np.linalg.norm(result.position[0] - MIDDLE) < 0.25
    assert result.certainty[0] > 0.99


@pytest.mark.parametrize("dose", [20, None])
def test_fringes_that_end_twice_are_one_core(dose) -> None:
    """At g = 200 a dislocation of [100] has two zeros next to each other."""
    g, dual = lattice("SrTiO3", 20.0)
    edge = EdgeDislocation(tuple(dual[0]), tuple(MIDDLE), 0.28)
    image = drawn([crystal("SrTiO3", 20.0, displacement=edge)], dose=dose)
    result = found(image, 2 * g, 0.5)
    assert result.orders.tolist() == [[2, 0]]
    np.testing.assert_allclose(result.burgers, dual[:1], atol=1e-9)
    assert np.linalg.norm(result.position[0] - MIDDLE) < 0.3


def test_opposite_and_other_dislocations_are_told_apart() -> None:
    g, dual = lattice("SrTiO3", 10.0)
    cores = {(1, 0): (2.6, 2.4), (-1, 0): (5.6, 2.3), (0, 1): (4.2, 5.6)}
    field = strained()
    for orders, centre in cores.items():
        field = field + EdgeDislocation(tuple(orders @ dual), centre, 0.28)
    image = drawn([crystal("SrTiO3", 10.0, displacement=field)], dose=20.0)
    result = found(image, g, 0.4)
    assert {tuple(row) for row in result.orders.tolist()} == set(cores)
    for orders, position in zip(result.orders.tolist(), result.position, strict=True):
        assert np.linalg.norm(position - cores[tuple(orders)]) < 0.3


def test_misfit_dislocations_of_a_relaxed_film_are_all_found() -> None:
    g, dual = lattice("SrTiO3")
    film = relaxed_epitaxy(0.1, origin=(12.0, 3.0))
    outline = [(-9, -9), (40, -9), (40, 3), (-9, 3)]
    regions = [crystal("SrTiO3"), crystal("SrTiO3", outline=outline, displacement=film)]
    image = drawn(regions, (150, 600), (0.04, 0.04), dose=200.0)
    result = found(image, g, 0.5, pixel=(0.04, 0.04))
    # u along the interface grows by 0.1/1.1 per nm and slips where it is b (n + ½).
    spacing = dual[0, 0] * 1.1 / 0.1
    expected = 12.0 + spacing * (np.arange(-2, 2) + 0.5)
    assert result.orders.tolist() == [[1, 0]] * 4
    np.testing.assert_allclose(np.sort(result.position[:, 0]), expected, atol=0.2)
    np.testing.assert_allclose(result.position[:, 1], 3.0, atol=0.5)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("dose", [2, 20, 200])
@pytest.mark.parametrize("name", CRYSTALS)
def test_none_is_invented_in_noise(name: str, dose: float, seed: int) -> None:
    g, _ = lattice(name, 5.0)
    image = drawn([crystal(name, 5.0)], dose=dose, seed=seed)
    assert not len(found(image, g, 0.4).position)


@pytest.mark.parametrize("seed", range(3))
def test_noise_with_hardly_any_fringes_is_not_trusted(seed: int) -> None:
    """Fringes as strong as the noise have residues everywhere."""
    g, _ = lattice("Si")
    image = drawn([crystal("Si")], (260, 260), dose=1.0, seed=seed)
    rng = np.random.default_rng(seed)
    image = rng.poisson(0.02 * image + 40.0).astype(float)
    result = found(image, g, 0.4)
    assert not (result.certainty > 0.95).any()


@pytest.mark.parametrize("phase", ["amorphous", None])
def test_none_at_the_border_of_the_lattice(phase) -> None:
    g, _ = lattice("Si")
    outline = [(4, -9), (40, -9), (40, 40), (4, 40)]
    regions = [crystal("Si"), Region(phase, outline=outline, density=60.0)]
    image = drawn(regions, dose=20.0, seed=1)
    result = found(image, g, 0.5, parts=lambda x, y: x < 4)
    assert not len(result.position)


@pytest.mark.parametrize("field", [coherent_epitaxy(0.04, interface=(4, 4)),
                                   strained(rotation=2.0, origin=(4, 4))])  # fmt: skip
def test_none_at_a_coherent_interface_or_low_angle_boundary_end(field) -> None:
    g, _ = lattice("Si", 30.0)
    outline = [(-9, -9), (40, -9), (40, 4), (-9, 4)]
    regions = [crystal("Si", 30.0),
               crystal("Si", 30.0, outline=outline, displacement=field)]  # fmt: skip
    # 2° makes one dislocation per 11 nm, the first 5 nm from where both lattices meet.
    result = found(drawn(regions, dose=20.0), g, 0.5)
    assert not len(result.position)


def test_missing_pixels_hide_what_is_next_to_them_only() -> None:
    g, dual = lattice("Si")
    edge = EdgeDislocation(tuple(dual[0]), (5.5, 4.0), 0.28)
    image = drawn([crystal("Si", displacement=edge)], dose=20.0)
    image[60:200, 40:90] = np.nan  # x to 1.8 nm, y from 1.6 to 5.2 nm
    image[150, 300] = np.nan  # next to the core
    result = found(image, g, 0.4, parts=lambda x, y: x > 2.6)
    assert result.orders.tolist() == [[1, 0]]
    assert np.linalg.norm(result.position[0] - (5.5, 4.0)) < 0.3


def test_a_core_in_a_hole_of_the_lattice_is_found() -> None:
    """A region of its own at the core does not hide it."""
    g, dual = lattice("Si")
    edge = EdgeDislocation(tuple(dual[1]), tuple(MIDDLE), 0.28)
    image = drawn([crystal("Si", displacement=edge)], dose=20.0)
    x0, y0 = MIDDLE
    result = found(image, g, 0.4, parts=lambda x, y: np.hypot(x - x0, y - y0) > 0.4)
    assert result.orders.tolist() == [[0, 1]]


def test_a_core_too_near_to_the_border_is_left_out() -> None:
    g, dual = lattice("Si")
    edge = EdgeDislocation(tuple(dual[0]), (1.2, 4.0), 0.28)
    image = drawn([crystal("Si", displacement=edge)], dose=20.0)
    assert not len(found(image, g, 0.5).position)
