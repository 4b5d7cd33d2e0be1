# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Pixels inside polygons, and polygons with holes as one line."""

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from hyperspy_t2t.calibration import ImageGrid
from hyperspy_t2t.segmentation.contours import region_contours
from hyperspy_t2t.segmentation.keyholes import keyhole
from hyperspy_t2t.segmentation.polygons import fill, make_shapes

GRID = ImageGrid((60, 80), (0.5, 0.2), (-3.0, 10.0))
Y, X = (
    axis.astype(float) * size + origin
    for axis, size, origin in zip(
        np.indices(GRID.shape), GRID.pixel_size, GRID.origin, strict=True
    )
)


def filled(*shapes, grid=GRID):
    return fill(make_shapes(shapes, grid), (0, 0), grid.shape)


def circle(x, y, radius, points=200):
    angle = np.linspace(0, 2 * np.pi, points)
    return np.stack([x + radius * np.cos(angle), y + radius * np.sin(angle)], axis=1)


@given(
    st.floats(8.0, 28.0), st.floats(-5.0, 30.0), st.floats(0.01, 20.0), st.booleans()
)
def test_pixels_inside_a_circle(x, y, radius, closed):
    found = filled((3, [circle(x, y, radius)[: None if closed else -1]]))
    distance = np.hypot(X - x, Y - y)
    sure = np.abs(distance - radius) > 0.001 * radius
    np.testing.assert_array_equal(found[sure], np.where(distance < radius, 3, 0)[sure])


def test_even_odd_within_a_shape_and_the_last_of_several():
    rings = [circle(18, 12, 6), circle(18, 12, 3)]
    found = filled((1, rings), (2, [circle(14, 12, 2)]), (1, [circle(18, 12, 1)]))
    distance = np.hypot(X - 18, Y - 12)
    expected = np.where((distance < 6) & (distance > 3) | (distance < 1), 1, 0)
    expected[np.hypot(X - 14, Y - 12) < 2] = 2
    assert (found != expected).sum() < 10


@given(st.integers(1, 58), st.integers(1, 78))
def test_a_pixel_on_a_shared_side_belongs_to_one(row, column):
    """Four triangles that meet in a pixel centre, every other one the other way."""
    centre = GRID.to_nm(row, column)
    corners = GRID.to_nm([-1, -1, 60, 60], [-1, 80, 80, -1])
    total = np.zeros(GRID.shape, int)
    for k in range(4):
        triangle = np.array([corners[k], corners[(k + 1) % 4], centre])
        total += filled((1, [triangle[:: 1 - 2 * (k % 2)]]))
    np.testing.assert_array_equal(total, 1)


@pytest.mark.parametrize("chunks", [(7, 11), (60, 1), (1, 80)])
def test_blocks_give_the_same_as_the_whole(chunks):
    shapes = make_shapes([(1, [circle(18, 12, 6)]), (2, [circle(13, 5, 30)])], GRID)
    whole = fill(shapes, (0, 0), GRID.shape)
    for row in range(0, 60, chunks[0]):
        for column in range(0, 80, chunks[1]):
            size = min(chunks[0], 60 - row), min(chunks[1], 80 - column)
            block = fill(shapes, (row, column), size)
            part = whole[row : row + size[0], column : column + size[1]]
            np.testing.assert_array_equal(block, part)


def test_no_shapes():
    assert not filled().any()
    assert not filled((1, [])).any()


@pytest.mark.parametrize("seed", range(6))
def test_a_keyhole_is_inside_where_the_polygon_is(seed):
    noise = np.random.default_rng(seed).normal(size=GRID.shape)
    labels = (gaussian_filter(noise, 3) > -0.03).astype(int)
    contours = region_contours(labels, GRID, tolerance=0, smooth=seed % 2 == 0)
    holes = 0
    for outer, inner in contours.polygons()[1]:
        line = keyhole(outer, inner)
        expected = shapely.Polygon(outer, inner)
        assert len(line) == len(outer) - 1 + sum(len(hole) + 2 for hole in inner)
        x, y = np.append(line, line[:1], axis=0).T
        area = 0.5 * (x[:-1] * y[1:] - x[1:] * y[:-1]).sum()
        assert area == pytest.approx(expected.area)
        cuts = shapely.LineString(np.append(line, line[:1], axis=0))
        assert expected.buffer(1e-9).covers(cuts)
        found, wanted = filled((1, [line])), filled((1, [outer, *inner]))
        np.testing.assert_array_equal(found, wanted)
        holes += len(inner)
    assert holes
