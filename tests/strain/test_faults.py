# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Planar faults found in drawn crystals, and none invented."""

import numpy as np
import pytest
from drawn_crystals import CRYSTALS, PIXEL, crystal, lattice, searched

from hyperspy_t2t.data.displacements import (
    EdgeDislocation,
    Gradient,
    Uniform,
    coherent_epitaxy,
    relaxed_epitaxy,
    strained,
)
from hyperspy_t2t.data.synthetic import Scan, synthetic_arrays
from hyperspy_t2t.strain.faults import Fault, faults

SHAPE = (340, 440)
MIDDLE = np.array([4.4, 4.5])


def beyond(normal: np.ndarray, point: np.ndarray = MIDDLE) -> np.ndarray:
    """Outline of all that lies on one side of a line."""
    along = np.array([-normal[1], normal[0]])
    corners = [-along, along, along + normal, normal - along]
    return point + 60 * np.array(corners)


def image_of(name: str, rotation: float, normal, field, *, under=None, **scan):
    """One crystal with a field beyond a line; `under` is added everywhere."""
    under = Uniform() if under is None else under
    regions = [
        crystal(name, rotation, displacement=under),
        crystal(name, rotation, outline=beyond(normal), displacement=under + field),
    ]
    scan = Scan(shape=SHAPE, pixel_size=PIXEL, **scan)
    return synthetic_arrays(regions, scan)[0]


def found(image: np.ndarray, g: np.ndarray, sigma: float, **options) -> list[Fault]:
    """Faults seen with certainty."""
    seen = searched(faults, image, g, sigma, **options)
    return [fault for fault in seen if fault.certainty > 0.8]


def unit(vector: np.ndarray) -> np.ndarray:
    return vector / np.linalg.norm(vector)


@pytest.mark.parametrize(
    ("name", "orders"),
    [("Si", (0, -1 / 3)), ("SrTiO3", (0.5, 0.5)), ("SrTiO3", (0, 0.5)),
     ("GaN", (1 / 3, 2 / 3)), ("GaN", (0, 0.5))],
)  # fmt: skip
@pytest.mark.parametrize(
    ("rotation", "sigma", "dose"), [(0, 0.4, 2), (23, 0.6, 20), (131, 0.5, 200)]
)
def test_shift_and_line_of_a_fault(name, orders, rotation, sigma, dose) -> None:
    g, _ = lattice(name, rotation)
    normal = unit(g[0])
    shift = np.linalg.solve(g, orders)
    image = image_of(name, rotation, normal, Uniform(translation=tuple(shift)),
                     dose=dose, seed=4)  # fmt: skip
    (fault,) = found(image, g, sigma)
    side = np.sign(fault.normal @ normal)
    away = fault.orders - side * np.array(orders)
    assert np.linalg.norm(np.linalg.solve(g, away - np.rint(away))) < 0.012
    np.testing.assert_allclose(g @ fault.vector, fault.orders)
    assert np.linalg.norm(fault.vector) < 1.12 * np.linalg.norm(shift)
    assert abs(fault.normal @ normal) > 0.999
    # Whole columns end at the line: it may seem to lie half a plane to either side.
    height = (fault.points - MIDDLE) @ normal
    assert abs(height.mean()) < 0.6 / np.linalg.norm(g[0])
    assert height.std() < 0.1
    assert np.linalg.norm(np.diff(fault.points, axis=0), axis=1).max() < sigma
    assert np.linalg.norm(fault.points[-1] - fault.points[0]) > 6 * sigma


def test_a_fault_in_a_strained_crystal_is_found() -> None:
    g, _ = lattice("Si", 40.0)
    bent = Gradient(0.002, 30.0, 0.01, origin=(4.4, 4.5))
    shift = tuple(np.linalg.solve(g, (0, 1 / 3)))
    image = image_of("Si", 40.0, unit(g[0]), Uniform(translation=shift), under=bent,
                     dose=20.0)  # fmt: skip
    (fault,) = found(image, g, 0.4)
    side = np.sign(fault.normal @ g[0])
    away = side * fault.orders - (0, 1 / 3)
    np.testing.assert_allclose(away - np.rint(away), 0, atol=0.02)


NOTHING = Uniform()
NORMAL = np.array([np.cos(1.2), np.sin(1.2)])


def nothing(name: str, g: np.ndarray) -> dict:
    """Fields beyond a line that are no rigid shift by other than a lattice vector."""
    vector = np.linalg.inv(g).T[0]
    grown = {"growth_direction": np.degrees(1.2), "interface": tuple(MIDDLE)}
    return {
        "uniform": NOTHING,
        "lattice vector": Uniform(translation=tuple(vector)),
        "coherent 2 %": coherent_epitaxy(0.02, **grown),
        "coherent -5 %": coherent_epitaxy(-0.05, **grown),
        "relaxed 3 %": relaxed_epitaxy(0.03, origin=tuple(MIDDLE)),
        "turned 3°": strained(rotation=3.0, origin=tuple(MIDDLE)),
    }


@pytest.mark.parametrize("field", nothing("Si", np.eye(2)))
@pytest.mark.parametrize("name", CRYSTALS)
@pytest.mark.parametrize(("sigma", "dose"), [(0.4, 2), (0.6, 20)])
def test_none_is_invented(name: str, field: str, sigma: float, dose: float) -> None:
    g, _ = lattice(name, 10.0)
    image = image_of(name, 10.0, NORMAL, nothing(name, g)[field], dose=dose, seed=2)
    assert not found(image, g, sigma)


@pytest.mark.parametrize("name", CRYSTALS)
@pytest.mark.parametrize(("sigma", "dose"), [(0.4, 2), (0.7, None)])
def test_none_at_a_dislocation(name: str, sigma: float, dose: float | None) -> None:
    g, dual = lattice(name)
    edge = EdgeDislocation(tuple(dual[1]), tuple(MIDDLE), 0.28)
    scan = Scan(shape=SHAPE, pixel_size=PIXEL, dose=dose)
    image, _ = synthetic_arrays([crystal(name, displacement=edge)], scan)
    assert not found(image, g, sigma)


def test_none_between_regions_with_different_numbers() -> None:
    g, _ = lattice("Si")
    shift = tuple(np.linalg.solve(g, (0, 1 / 3)))
    image = image_of("Si", 0.0, unit(g[0]), Uniform(translation=shift), dose=20.0)
    normal = unit(g[0])

    def parts(x, y):
        return np.where((x - 4.4) * normal[0] + (y - 4.5) * normal[1] > 0, 1, 2)

    assert len(found(image, g, 0.4)) == 1
    assert not found(image, g, 0.4, parts=parts)


def test_a_layer_thicker_than_the_average_is_no_fault() -> None:
    """Beyond a strained layer the crystal is shifted, but not at one place."""
    g, _ = lattice("SrTiO3")
    layer = coherent_epitaxy(0.03, growth_direction=0.0, interface=(3.4, 4.0))
    shift = layer.displacement(np.array([5.2, 4.0]))
    regions = [
        crystal("SrTiO3"),
        crystal("SrTiO3", outline=beyond(np.array([1.0, 0.0]), np.array([3.4, 4.0])),
                displacement=layer),
        crystal("SrTiO3", outline=beyond(np.array([1.0, 0.0]), np.array([5.2, 4.0])),
                displacement=Uniform(translation=tuple(shift))),
    ]  # fmt: skip
    scan = Scan(shape=SHAPE, pixel_size=PIXEL, dose=20.0)
    image, _ = synthetic_arrays(regions, scan)
    assert not found(image, g, 0.4)


def test_bands_of_rows_show_what_the_whole_does(monkeypatch) -> None:
    g, _ = lattice("SrTiO3", 23)
    normal = unit(g[0] + 0.4 * g[1])
    shift = np.linalg.solve(g, (0.5, 0.5))
    image = image_of("SrTiO3", 23, normal, Uniform(translation=tuple(shift)),
                     dose=20, seed=4)  # fmt: skip
    (whole,) = found(image, g, 0.4)
    monkeypatch.setattr("hyperspy_t2t.strain.faults._PLACES", 900)
    (fault,) = found(image, g, 0.4)
    np.testing.assert_allclose(fault.points, whole.points, atol=1e-9)
    np.testing.assert_allclose(fault.orders, whole.orders, atol=1e-12)
    assert fault.certainty == pytest.approx(whole.certainty, rel=1e-9)


def test_two_faults_apart_from_each_other_are_two() -> None:
    g, _ = lattice("SrTiO3")
    half = np.linalg.solve(g, (0.0, 0.5))
    regions = [
        crystal("SrTiO3"),
        crystal("SrTiO3", outline=beyond(np.array([1.0, 0.0]), np.array([3.0, 4.0])),
                displacement=Uniform(translation=tuple(half))),
        crystal("SrTiO3", outline=beyond(np.array([1.0, 0.0]), np.array([6.0, 4.0]))),
    ]  # fmt: skip
    scan = Scan(shape=SHAPE, pixel_size=PIXEL, dose=20.0)
    image, _ = synthetic_arrays(regions, scan)
    result = found(image, g, 0.4)
    x = sorted(float(fault.points[:, 0].mean()) for fault in result)
    np.testing.assert_allclose(x, [3.0, 6.0], atol=0.65 / np.linalg.norm(g[0]))
    for fault in result:
        np.testing.assert_allclose(np.abs(fault.vector), np.abs(half), atol=0.012)
