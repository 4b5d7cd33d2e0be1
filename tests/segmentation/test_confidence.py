# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Regions merged across their weakest borders."""

import numpy as np
import pytest

from hyperspy_t2t.segmentation.confidence import merged_to
from hyperspy_t2t.segmentation.merging import borders


def merged(labels: np.ndarray, strengths: dict, count: int) -> np.ndarray:
    ny, nx = labels.shape
    found = borders(labels, (np.zeros((1, ny, nx - 1)), np.zeros((1, ny - 1, nx))))
    pairs = zip(found.first.tolist(), found.second.tolist(), strict=True)
    strength = np.array([strengths[pair] for pair in pairs])
    return merged_to(labels, found, strength, count)


@pytest.mark.parametrize(
    ("count", "expected"),
    [(9, [1, 2, 3, 4]), (3, [1, 2, 2, 3]), (2, [1, 2, 2, 2]), (1, [1, 1, 1, 1])],
)
def test_the_weakest_border_goes_first(count: int, expected: list[int]) -> None:
    stripes = np.repeat([[1, 2, 3, 4]], 5, axis=0)
    strengths = {(1, 2): 3.0, (2, 3): 1.0, (3, 4): 2.0}
    found = merged(stripes, strengths, count)
    np.testing.assert_array_equal(found, np.repeat([expected], 5, axis=0))


def test_joined_borders_count_by_their_lengths() -> None:
    """Of 1 | 2 over 3 | 4 the right border is the weaker one: 2 < (4 · 5 + 6 · 1) / 10,
    though the border between 1 and 3 alone is weaker than it."""
    labels = np.repeat([[1, 2, 4], [1, 3, 4]], [4, 6], axis=0)
    strengths = {(2, 3): 0.5, (1, 2): 5.0, (1, 3): 1.0, (2, 4): 2.0, (3, 4): 2.0}
    found = merged(labels, strengths, 2)
    np.testing.assert_array_equal(found, np.repeat([[1, 2, 2]], 10, axis=0))
