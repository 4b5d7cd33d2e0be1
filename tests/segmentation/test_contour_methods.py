# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Closed contours and touching particles whose outlines are known."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from hyperspy_t2t.calibration import ImageGrid
from hyperspy_t2t.segmentation.regions import find_regions

Y, X = np.indices((240, 320))


def found(image: np.ndarray, method: str) -> np.ndarray:
    grid = ImageGrid(image.shape, (0.1, 0.1), (0, 0))
    noise = np.random.default_rng(3).normal(0, 0.03, image.shape)
    return find_regions(gaussian_filter(image, 1) + noise, grid, method=method).labels


def matched(labels: np.ndarray, mask: np.ndarray) -> float:
    """Intersection over union of a mask and the region that fits it best."""
    every = np.arange(1, labels.max() + 1)
    both = np.array([(labels == k)[mask].sum() for k in every])
    either = np.array([(labels == k).sum() for k in every]) + mask.sum() - both
    return float((both / either).max())


@pytest.mark.parametrize("sign", [1, -1])
def test_contours_of_a_ring(sign: int) -> None:
    radius = np.hypot(X - 160, Y - 120)
    labels = found(
        sign * np.where(radius < 50, 0.4, np.where(radius < 90, 1, 0)), "canny"
    )
    assert labels.max() == 3
    for mask in (radius < 50, (radius >= 50) & (radius < 90), radius >= 90):
        assert matched(labels, mask) > 0.95


@pytest.mark.parametrize("sign", [1, -1])
def test_discs_that_touch_come_apart(sign: int) -> None:
    """Three in a row, overlapping by a tenth of their radius, on one background."""
    discs = [np.hypot(X - x, Y - 120) < 40 for x in (85, 161, 237)]
    image = sign * np.logical_or.reduce(discs).astype(float)
    labels = found(image, "watershed")
    assert labels.max() == 4
    for disc in discs:
        assert matched(labels, disc) > 0.9
    assert matched(labels, ~np.logical_or.reduce(discs)) > 0.95
