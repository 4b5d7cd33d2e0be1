# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Pixels inside shapes drawn by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.path import Path

from hyperspy_t2t.segmentation.shapes import inside_polygon, inside_ring, left_of_line

# Not square, and not from zero.
Y, X = -3.0 + 0.05 * np.arange(61), 7.0 + 0.02 * np.arange(90)
MIDDLE = np.array([7.9, -1.5])


def points() -> st.SearchStrategy:
    number = st.floats(-2, 2, allow_nan=False, width=32)
    return st.lists(st.tuples(number, number), min_size=3, max_size=9)


@given(points())
def test_polygon_agrees_with_winding_numbers(
    corners: list[tuple[float, float]],
) -> None:
    # Off the pixels by an odd number: no pixel is exactly on an edge.
    corners = MIDDLE + np.array(corners) + 1.23456e-4
    pixels = np.stack(np.meshgrid(X, Y), axis=-1).reshape(-1, 2)
    inside = inside_polygon(Y, X, corners).ravel()
    expected = [_even_odd(pixel, corners) for pixel in pixels[::37]]
    np.testing.assert_array_equal(inside[::37], expected)


def _even_odd(pixel: np.ndarray, corners: np.ndarray) -> bool:
    """Winding number of a polygon around a point, by its angles; odd is inside."""
    arms = (corners - pixel) @ [1, 1j]
    turns = np.angle(np.roll(arms, -1) / arms).sum() / (2 * np.pi)
    return bool(round(turns) % 2)


def test_convex_polygon() -> None:
    corners = np.array([(7.2, -2.9), (8.7, -2.5), (8.0, -0.1)]) + 1.23e-4
    pixels = np.stack(np.meshgrid(X, Y), axis=-1).reshape(-1, 2)
    expected = Path(corners).contains_points(pixels).reshape(len(Y), len(X))
    for order in (corners, corners[::-1], np.roll(corners, 1, axis=0)):
        np.testing.assert_array_equal(inside_polygon(Y, X, order), expected)


def test_blocks_agree_with_the_whole() -> None:
    corners = np.array([(7.0, -3.0), (8.0, -2.0), (8.78, -3.0), (8.0, 0.0)])
    whole = inside_polygon(Y, X, corners)
    for rows, columns in (
        (slice(0, 20), slice(50, 90)), (slice(33, 61), slice(0, 41)),
    ):  # fmt: skip
        block = inside_polygon(Y[rows], X[columns], corners)
        np.testing.assert_array_equal(block, whole[rows, columns])
    assert not inside_polygon(Y + 9, X, corners).any()


def test_two_polygons_with_a_common_edge_share_no_pixel() -> None:
    # The edge runs through pixel centres.
    left = np.array([(7.0, -3.0), (8.0, -3.0), (8.4, 0.0), (7.0, 0.0)])
    right = np.array([(8.0, -3.0), (9.0, -3.0), (9.0, 0.0), (8.4, 0.0)])
    both = [inside_polygon(Y, X, corners) for corners in (left, right)]
    assert not (both[0] & both[1]).any()
    assert (both[0] | both[1])[:-1].all()


def test_what_is_covered_twice_is_outside() -> None:
    star = MIDDLE + np.array(
        [(np.sin(a), -np.cos(a)) for a in 4 * np.pi / 5 * np.arange(5)]
    )
    inside = inside_polygon(Y, X, 0.7 * (star - MIDDLE) + MIDDLE)
    assert inside.any() and not inside[30, 45]


def test_ring() -> None:
    distance = np.hypot(X[None, :] - 7.9, Y[:, None] + 1.5)
    ring = inside_ring(Y, X, (7.9, -1.5), 0.613, 0.207)
    np.testing.assert_array_equal(ring, (distance < 0.613) & (distance > 0.207))
    # Rounding does not lose the pixels at the very radius.
    assert inside_ring(Y, X, (7.9, -1.5), 0.6)[30, [15, 75]].all()


@pytest.mark.parametrize("angle", np.arange(0.1, 2 * np.pi, 0.7))
def test_left_of_a_straight_line(angle: float) -> None:
    direction = np.array([np.cos(angle), np.sin(angle)])
    line = MIDDLE + 1.2e-4 + 0.01 * np.array([[-1.0], [2.0]]) * direction
    x, y = X[None, :] - line[0, 0], Y[:, None] - line[0, 1]
    left = direction[0] * y - direction[1] * x < 0
    found = inside_polygon(Y, X, left_of_line(line, reach=4.0))
    np.testing.assert_array_equal(found, left)
    back = inside_polygon(Y, X, left_of_line(line[::-1], reach=4.0))
    np.testing.assert_array_equal(back, ~left)


def test_left_of_a_bent_line() -> None:
    # Down to the middle, then to the right: left is the upper right quarter.
    line = MIDDLE + np.array([(0.001, -0.5), (0.001, 0.001), (0.4, 0.001)])
    quarter = (X[None, :] > MIDDLE[0]) & (Y[:, None] < MIDDLE[1] + 1e-6)
    for corners, expected in ((line, quarter), (line[::-1], ~quarter)):
        found = inside_polygon(Y, X, left_of_line(corners, reach=4.0))
        np.testing.assert_array_equal(found, expected)


def test_left_of_a_hairpin_is_what_it_encloses_or_not() -> None:
    pin = MIDDLE + np.array([(-0.5, 0.301), (0.1, 0.301), (0.1, -0.3), (-0.5, -0.3)])
    pin[:, 0] += 0.001
    between = (X[None, :] < MIDDLE[0] + 0.1) & (np.abs(Y[:, None] - MIDDLE[1]) < 0.3005)
    found = inside_polygon(Y, X, left_of_line(pin, reach=4.0))
    assert (found == between).mean() > 0.98 or (found == ~between).mean() > 0.98
