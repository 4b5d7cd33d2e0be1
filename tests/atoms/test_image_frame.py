# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Regions moved out beyond the frame of an image."""

import numpy as np
import pytest

from hyperspy_t2t.atoms.image_frame import ImageFrame

FRAME = ImageFrame(np.array([-1.0, 2.0]), np.array([5.0, 4.0]))
MARGIN = 0.3


def area(outline: np.ndarray) -> float:
    x, y = outline.T
    return 0.5 * abs(x @ np.roll(y, -1) - y @ np.roll(x, -1))


def test_what_lies_in_the_image() -> None:
    points = np.array([[-1, 2], [5, 4], [2, 3], [-1.001, 3], [2, 4.001], [6, 9]])
    assert FRAME.holds(points).tolist() == [True, True, True, False, False, False]


def test_a_region_of_the_whole_image_grows_on_all_sides() -> None:
    whole = np.array([[-1.0, 2], [5, 2], [5, 4], [-1, 4]])
    (wider,) = FRAME.widened({3: [whole]}, MARGIN)[3]
    assert area(wider) == pytest.approx((6 + 2 * MARGIN) * (2 + 2 * MARGIN))


def test_neighbours_keep_their_border_and_share_its_ends() -> None:
    left = np.array([[-1.0, 2], [2, 2], [2.5, 3], [2, 4], [-1, 4]])
    right = np.array([[2.0, 2], [5, 2], [5, 4], [2, 4], [2.5, 3]])
    hole = np.array([[0.0, 2.5], [1, 2.5], [1, 3.5]])
    wider = FRAME.widened({1: [left, hole], 2: [right]}, MARGIN)
    np.testing.assert_array_equal(wider[1][1], hole)
    shared = {tuple(p) for p in wider[1][0]} & {tuple(p) for p in wider[2][0]}
    assert shared == {(2, 2 - MARGIN), (2.5, 3), (2, 4 + MARGIN)}
    total = area(wider[1][0]) + area(wider[2][0])
    assert total == pytest.approx((6 + 2 * MARGIN) * (2 + 2 * MARGIN))
