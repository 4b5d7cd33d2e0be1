# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Splines through fields on a coarse grid."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hyperspy_t2t.calibration import ImageGrid
from hyperspy_t2t.strain.interpolation import SplineField

COARSE = ImageGrid((60, 55), (0.3, 0.2), (2.0, -5.0))


def cubics(positions: np.ndarray) -> np.ndarray:
    """Two polynomials of third degree in each of x and y, (2, ...)."""
    x, y = np.moveaxis(positions, -1, 0)
    return np.stack([1 + x - 0.2 * x**3 * y + 0.1 * y**3, 3 * x**2 * y**3 - y])


def samples() -> SplineField:
    return SplineField.through(COARSE, cubics(COARSE.to_nm(*np.indices(COARSE.shape))))


def test_samples_are_met() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(size=(3, *COARSE.shape))
    field = SplineField.through(COARSE, values)
    np.testing.assert_allclose(field.on_grid(COARSE), values, atol=1e-12)


def test_they_are_the_natural_cubic_splines_of_scipy() -> None:
    from scipy.interpolate import CubicSpline

    rng = np.random.default_rng(6)
    values = rng.normal(size=COARSE.shape)
    fine = ImageGrid((131, 97), (0.12, 0.1), COARSE.origin)
    for axis in (0, 1):
        place = np.arange(COARSE.shape[axis]) * COARSE.pixel_size[axis]
        at = np.arange(fine.shape[axis]) * fine.pixel_size[axis]
        spline = CubicSpline(place, values, axis=axis, bc_type="natural")
        values = spline(at[at <= place[-1]])
        assert values.shape[axis] == len(at)
    samples = np.random.default_rng(6).normal(size=(1, *COARSE.shape))
    found = SplineField.through(COARSE, samples).on_grid(fine)[0]
    np.testing.assert_allclose(found, values, atol=1e-12)


def test_cubics_are_exact_away_from_the_border() -> None:
    """What is beyond the border dies out as (2 − √3)ⁿ over n samples."""
    rng = np.random.default_rng(1)
    low = COARSE.to_nm(24, 24)
    high = COARSE.to_nm(COARSE.shape[0] - 25, COARSE.shape[1] - 25)
    at = rng.uniform(low, high, (200, 2))
    expected = cubics(at)
    np.testing.assert_allclose(samples().at(at), expected, rtol=1e-7, atol=1e-6)


def test_a_constant_slope_is_exact_up_to_the_border_and_held_beyond() -> None:
    plane = (COARSE.to_nm(*np.indices(COARSE.shape)) @ [3.0, -7.0])[None]
    field = SplineField.through(COARSE, plane)
    last = COARSE.to_nm(COARSE.shape[0] - 1, COARSE.shape[1] - 1)
    at = np.random.default_rng(5).uniform(COARSE.to_nm(0, 0), last, (300, 2))
    np.testing.assert_allclose(field.at(at)[0], at @ [3, -7], atol=1e-9)
    beyond = field.at(last[None] + np.array([1.0, 0.3]))[0]
    np.testing.assert_allclose(beyond, last @ [3, -7], atol=1e-9)


@given(
    st.tuples(st.integers(1, 20), st.integers(1, 20)),
    st.tuples(st.floats(0.01, 0.5), st.floats(0.01, 0.5)),
    st.tuples(st.floats(-3, 25), st.floats(-8, 10)),
)
def test_a_grid_is_the_same_as_its_points(shape: tuple, pixel: tuple, origin: tuple):
    """Also beyond the border."""
    rng = np.random.default_rng(2)
    field = SplineField.through(COARSE, rng.normal(size=(2, *COARSE.shape)))
    grid = ImageGrid(shape, pixel, origin)
    points = grid.to_nm(*np.indices(shape)).reshape(-1, 2)
    np.testing.assert_allclose(
        field.on_grid(grid).reshape(2, -1), field.at(points), atol=1e-12
    )


def test_curvature_has_no_jumps() -> None:
    rng = np.random.default_rng(3)
    field = SplineField.through(COARSE, rng.normal(size=(1, *COARSE.shape)))
    step = 1e-3
    x = np.arange(-1.0, 1.0, step)
    values = field.at(np.stack([x, np.full_like(x, 8.7)], -1))[0]
    curvature = np.diff(values, 2) / step**2
    assert np.abs(np.diff(curvature)).max() < 0.02 * np.ptp(curvature)


@pytest.mark.parametrize("shape", [(2, 2), (4, 2), (4, 5)])
def test_the_smallest_grids(shape: tuple[int, int]) -> None:
    grid = ImageGrid(shape, (1.0, 1.0))
    values = np.random.default_rng(4).normal(size=(1, *shape))
    np.testing.assert_allclose(
        SplineField.through(grid, values).on_grid(grid), values, atol=1e-12
    )
