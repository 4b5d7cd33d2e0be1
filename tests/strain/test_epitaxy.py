# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Borders and mismatch from arrays made by hand.

What could go wrong on a real image: interfaces not along an axis, pixels that are not
square, strips without region between two layers, islands, a distorted image, turns that
the symmetry of the lattice hides, and errors of means that take neighbouring places for
independent.
"""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from hyperspy_t2t.calibration import ImageGrid
from hyperspy_t2t.frames import rotation_2d
from hyperspy_t2t.phases.candidates import resolve_phases
from hyperspy_t2t.phases.indices import primitive_indices
from hyperspy_t2t.phases.reflections import laue_operations
from hyperspy_t2t.strain.epitaxy import (
    Mismatch,
    borders,
    equivalent_lattice_maps,
    fitted_interface,
    mismatch,
    parallel_plane,
    rotation_angle,
    verdict,
)
from hyperspy_t2t.strain.region_mean import (
    depth_weight,
    error_of_mean,
    mean_gradient,
    variance_of_mean,
)

GRID = ImageGrid((300, 200), (0.05, 0.08), (2.0, -1.0))
NONE = Mismatch(0.0, 0.0, 0.0)


def two_layers(angle: float, centre=(7.013, 9.017), gap: float = 0.0) -> np.ndarray:
    """1 below and 2 above a line, on a grid whose pixels are not square."""
    position = GRID.to_nm(*np.indices(GRID.shape)) - centre
    turn = np.deg2rad(angle)
    height = position @ [-np.sin(turn), np.cos(turn)]
    return np.where(np.abs(height) < gap / 2, 0, np.where(height > 0, 1, 2))


@pytest.mark.parametrize("angle", [0.0, 27.0, 90.0, -63.0])
@pytest.mark.parametrize("gap", [0.0, 0.4])
def test_line_through_a_border(angle, gap) -> None:
    points = borders(two_layers(angle, gap=gap), GRID, gap=0.5)
    assert list(points) == [(1, 2)]
    line = fitted_interface(points[1, 2])
    assert (line.angle - angle + 90) % 180 - 90 == pytest.approx(0, abs=0.3)
    # To half a pixel.
    assert (line.centre - [7.013, 9.017]) @ line.normal == pytest.approx(0, abs=0.041)
    assert line.roughness < 0.04 and line.straight


def test_wide_gaps_are_no_border_and_islands_have_no_direction() -> None:
    assert borders(two_layers(20, gap=1.0), GRID, gap=0.5) == {}
    assert borders(np.ones(GRID.shape, int), GRID, gap=0.5) == {}
    assert borders(np.zeros(GRID.shape, int), GRID, gap=0.5) == {}
    x, y = np.moveaxis(GRID.to_nm(*np.indices(GRID.shape)) - [7.0, 9.0], -1, 0)
    island = np.where(x**2 + y**2 < 9, 5, 3)
    line = fitted_interface(borders(island, GRID, gap=0.5)[3, 5])
    assert not line.straight
    assert line.length == pytest.approx(6, abs=0.2)


def test_roughness_is_that_of_the_border() -> None:
    y, x = (a * 0.02 for a in np.indices((500, 500)))
    grid = ImageGrid((500, 500), (0.02, 0.02))
    wavy = np.where(y > 5 + 0.3 * np.sin(2 * np.pi * x / 2.5), 1, 2)
    line = fitted_interface(borders(wavy, grid, gap=0.0)[1, 2])
    # Steep parts of the wave have more points than flat ones.
    assert 0.16 < line.roughness < 0.3 / np.sqrt(2) + 0.01


@pytest.mark.parametrize("angle", [0.0, 35.0])
def test_mismatch_of_a_coherent_film_in_a_distorted_image(angle) -> None:
    along = np.array([np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))])
    normal = np.array([-along[1], along[0]])
    sheared = normal * 0.07 + along * 0.02
    film = np.eye(2) + np.outer(sheared, normal)
    image = np.array([[1.05, 0.03], [0.0, 0.94]])  # image position = image @ true one
    line = image @ along / np.linalg.norm(image @ along)
    found = mismatch(image @ film @ np.linalg.inv(image), line)
    np.testing.assert_allclose(found, (0, 0, 0.07), atol=1e-12)


def test_mismatch_of_a_turned_relaxed_film() -> None:
    found = mismatch(1.04 * rotation_2d(0.03), np.array([0.6, 0.8]))
    np.testing.assert_allclose(found, (0.04, 0.03, 0.04), atol=1e-12)
    assert rotation_angle(1.04 * rotation_2d(0.03)) == pytest.approx(0.03)


@pytest.mark.parametrize(
    ("name", "axis", "turn", "expected"),
    [
        ("SrTiO3 cubic perovskite", [0, 0, 1], 17, 17),
        ("SrTiO3 cubic perovskite", [0, 0, 1], 107, 17),
        ("SrTiO3 cubic perovskite", [1, 0, 0], 80, -10),
        ("ZnO wurtzite", [0, 0, 1], 77, 17),
        ("HfO2 monoclinic", [0, 1, 0], 77, 77),
        ("HfO2 monoclinic", [0, 1, 0], 197, 17),
    ],
)
def test_smallest_turn_between_lattices_of_a_phase(name, axis, turn, expected) -> None:
    from hyperspy_t2t.frames import zone_axis_frame

    (phase,) = resolve_phases([name])
    first = (0.1 * zone_axis_frame(phase.lattice, axis) @ phase.lattice.T)[:2]
    second = 1.01 * rotation_2d(np.deg2rad(turn)) @ first
    maps = equivalent_lattice_maps(first, second, laue_operations(phase))
    assert np.degrees(rotation_angle(maps[0])) == pytest.approx(expected)
    stretch = maps[0] @ rotation_2d(-np.deg2rad(expected))
    np.testing.assert_allclose(stretch, 1.01 * np.eye(2), atol=1e-9)
    # The same crystal indexed along another axis of the family, or none of it.
    turned = zone_axis_frame(phase.lattice, [1, 1, 1]) @ phase.lattice.T
    assert not len(equivalent_lattice_maps(first, turned[:2], laue_operations(phase)))


def test_plane_parallel_to_an_interface() -> None:
    first = np.array([[0.39, 0.0, 0.0], [0.0, 0.41, 0.0]])
    for angle, plane, away in ((2.0, (1, 0, 0), 2.0), (46.4, (1, 1, 0), 0.0)):
        normal = [np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))]
        if plane == (1, 1, 0):
            normal = np.array([1 / 0.39, 1 / 0.41])
            normal /= np.linalg.norm(normal)
        found, off = parallel_plane(first, np.array(normal), primitive_indices(3))
        assert tuple(np.abs(found).tolist()) == plane
        assert off == pytest.approx(away, abs=1e-6)


def test_verdicts() -> None:
    error = Mismatch(1e-4, 1e-4, 1e-4)
    assert verdict(NONE, error, 0.05, 0.03) == "coherent"
    assert verdict(Mismatch(0.005, 0, 0.005), error, 0.005, np.nan) == "relaxed"
    assert verdict(Mismatch(0.0, 0.02, 0.0), error, 0.02, 0.0) == "relaxed"
    assert verdict(NONE, error, 0.0, 0.0) == "coherent"
    assert verdict(NONE, Mismatch(0.02, 1e-4, 0.02), 0.05, 0.03) == "unknown"
    assert verdict(Mismatch(*[np.nan] * 3), error, np.nan, np.nan) == "unknown"


@pytest.mark.parametrize("direction", [(1.0, 0.0), (0.0, 1.0), (0.6, 0.8)])
def test_error_of_a_mean_is_its_scatter(direction) -> None:
    """White noise averaged with a Gaussian, on a grid that is not square."""
    rng = np.random.default_rng(5)
    sigma, pitch, shape = 0.5, (0.2, 0.25), (36, 44)
    y, x = np.indices(shape)
    mask = (x + 0.5 * y > 12) & (x < 40)  # not a rectangle
    weight = depth_weight(mask)
    along, of = np.array(direction), np.array([1.0, 0.0])
    means, errors = [], []
    for _ in range(120):
        noise = rng.normal(size=(2 * shape[0] + 60, 2 * shape[1] + 60))
        smooth = gaussian_filter(noise, [sigma / (step / 2) for step in pitch])
        slope = np.gradient(smooth, *(step / 2 for step in pitch))[::-1]
        gradient = np.zeros((2, 2, *shape))
        gradient[0] = np.stack(slope)[:, 30:-30:2, 30:-30:2]
        means.append(of @ mean_gradient(gradient, weight) @ along)
        errors.append(error_of_mean(gradient, weight, pitch, sigma, of, along))
    ratio = np.std(means) / np.sqrt(np.mean(np.square(errors)))
    assert 0.8 < ratio < 1.2
    # Independent places, one per 4πσ², would say much more.
    independent = 4 * np.pi * sigma**2 / ((weight > 0).sum() * np.prod(pitch))
    assert variance_of_mean(weight, pitch, sigma, along) < 0.5 * independent


def test_the_mean_leaves_the_border_out() -> None:
    mask = np.zeros((40, 40), bool)
    mask[5:35, 5:35] = True
    gradient = np.full((2, 2, 40, 40), 7.0)
    gradient[:, :, 9:31, 9:31] = 0.25
    np.testing.assert_allclose(mean_gradient(gradient, depth_weight(mask)), 0.25)
