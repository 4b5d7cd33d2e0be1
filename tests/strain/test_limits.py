# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Resolutions and g-vectors that cannot measure are named in errors."""

import numpy as np
import pytest

from hyperspy_t2t.calibration import ImageGrid
from hyperspy_t2t.strain.limits import (
    check_g_vectors,
    check_resolution,
    resolution_limits,
)

G = np.array([[2.5, 0.0], [0.3, -4.0], [5.0, 1.0]])
GRID = ImageGrid((200, 500), (0.03, 0.02))


def test_limits_of_the_resolution() -> None:
    """The shortest g is 2.5 1/nm long, the image 10 nm wide and 6 nm high."""
    finest, coarsest = resolution_limits(G, GRID)
    assert finest == pytest.approx(1 / (np.pi * 2.5))
    assert coarsest == pytest.approx(6 / 8)
    flat = ImageGrid((500, 200), (0.03, 0.02))
    assert resolution_limits(G, flat)[1] == pytest.approx(4 / 8)


@pytest.mark.parametrize("resolution", [0.1274, 0.4, 0.75])
def test_resolutions_that_suit(resolution: float) -> None:
    check_resolution(resolution, G, GRID)


@pytest.mark.parametrize("resolution", [0.1272, 0.0, -0.3, 0.751, np.inf, np.nan])
def test_resolutions_that_do_not(resolution: float) -> None:
    with pytest.raises(ValueError, match=r"from 0\.127 nm, where .* to 0\.75 nm.*got"):
        check_resolution(resolution, G, GRID)


def test_an_image_too_small_for_any_resolution() -> None:
    tiny = ImageGrid((32, 32), (0.02, 0.02))
    with pytest.raises(ValueError, match=r"from 0\.127 nm.* to 0\.08 nm"):
        check_resolution(0.1, G, tiny)


def test_g_vectors_that_suit() -> None:
    check_g_vectors(G, GRID)
    check_g_vectors(G.tolist(), GRID)
    # As near Nyquist, to each other and to parallel as may be.
    check_g_vectors(np.array([[24.9, 0.0], [0.0, 16.6]]), GRID)
    check_g_vectors(np.array([[3.0, 0.0], [0.0, 3.0], [0.31, 3.0]]), GRID)
    check_g_vectors(np.array([[3.0, 0.0], [3.0, 0.35]]), GRID)


@pytest.mark.parametrize(
    ("g", "message"),
    [
        ([[25.0, 0.0], [0.0, 3.0]], r"±25 and ±16.67 1/nm"),
        ([[3.0, 0.0], [0.0, -16.7]], r"±25 and ±16.67 1/nm"),
        ([[3.0, np.nan], [0.0, 3.0]], "finite g-vectors"),
        ([[3.0, 0.0], [np.inf, 3.0]], "finite g-vectors"),
        ([[3.0, 0.0], [3.0, 0.29]], "more than 6° apart"),
        ([[0.0, 0.0], [0.0, 3.0]], "more than 6° apart"),
        ([[3.0, 0.0], [0.0, 3.0], [0.29, 3.0]], "given twice"),
        ([[3.0, 0.0], [0.0, 3.0], [-0.2, -3.1]], "without −g of another"),
        ([[3.0, 0.0]], r"got shape \(1, 2\)"),
        ([[3.0, 0.0, 1.0], [0.0, 3.0, 1.0]], r"got shape \(2, 3\)"),
        ([], r"got shape \(0,\)"),
    ],
)
def test_g_vectors_that_do_not(g: list, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_g_vectors(g, GRID)
