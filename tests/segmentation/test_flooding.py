# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Tests of what the compiled parts of the segmentation do, against slower ones."""

import threading

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from skimage.segmentation import watershed

from hyperspy_t2t.segmentation.flooding import basins, flooded
from hyperspy_t2t.segmentation.noise import low_percentile
from hyperspy_t2t.segmentation.planes import merger_costs, moments
from hyperspy_t2t.segmentation.threads import side_by_side


def relief(shape: tuple[int, int] = (70, 95), sigma: float = 1.5) -> np.ndarray:
    rng = np.random.default_rng(3)
    return np.hypot(
        *np.gradient(gaussian_filter(rng.standard_normal(shape), sigma))
    ).astype(np.float32)


def test_basins_are_those_of_scikit_image() -> None:
    slope = relief()
    assert np.array_equal(basins(slope), watershed(slope))


@pytest.mark.parametrize("masked", [False, True])
def test_labels_spread_as_in_scikit_image(masked: bool) -> None:
    slope = relief()
    whole = watershed(slope)
    kept = np.random.default_rng(4).random(whole.max() + 1) > 0.8
    labels = np.where(kept[whole], whole, 0).astype(np.int32)
    mask = slope > np.percentile(slope, 30) if masked else None
    found = flooded(slope, labels, mask)
    assert found.dtype == np.int32
    assert np.array_equal(found, watershed(slope, labels, mask=mask))


def test_nothing_spreads_across_what_is_masked() -> None:
    labels = np.zeros((9, 9), np.intp)
    labels[0, 0] = 5
    mask = np.ones((9, 9), bool)
    mask[4] = False
    found = flooded(np.zeros((9, 9)), labels, mask)
    assert (found[:4] == 5).all() and (found[4:] == 0).all()


def test_a_pixel_at_the_end_of_a_row_is_no_neighbour_of_the_next_row() -> None:
    labels = np.array([[0, 0, 1], [0, 0, 0]])
    mask = np.array([[0, 0, 1], [1, 0, 0]], bool)
    assert flooded(np.zeros((2, 3)), labels, mask)[1, 0] == 0


@pytest.mark.parametrize("count", [1, 2, 3, 6, 1000, 3001])
def test_low_percentile_is_numpys(count: int) -> None:
    values = np.random.default_rng(count).standard_normal(count)
    assert low_percentile(values) == pytest.approx(
        np.percentile(values, 20), rel=1e-14, abs=1e-14
    )


def test_cost_of_a_merger_is_what_least_squares_leave_more() -> None:
    rng = np.random.default_rng(5)
    labels = np.repeat(np.arange(3), 8)[:, None] + np.zeros((1, 20), np.intp)
    image, weight = rng.standard_normal(labels.shape), rng.random(labels.shape) + 0.5
    image += 0.3 * labels
    prior = 40.0
    rows, columns = np.indices(labels.shape)

    def left(inside: np.ndarray) -> float:
        w = weight[inside]
        x, y = columns[inside], rows[inside]
        terms = np.stack(
            [
                np.ones(x.size),
                x - np.average(x, weights=w),
                y - np.average(y, weights=w),
            ]
        )
        # The prior of the slope as two more observations of a slope of 0.
        design = np.concatenate(
            [(terms * np.sqrt(w)).T, np.sqrt(prior) * np.eye(3)[1:]]
        )
        right = np.concatenate([image[inside] * np.sqrt(w), [0, 0]])
        fit = np.linalg.lstsq(design, right, rcond=None)[0]
        return float(((right - design @ fit) ** 2).sum())

    sums = moments(labels, image, weight)
    cost = merger_costs(np.array([0, 1]), np.array([1, 2]), sums, prior)
    for k in (0, 1):
        both = (labels == k) | (labels == k + 1)
        expected = left(both) - left(labels == k) - left(labels == k + 1)
        assert cost[k] == pytest.approx(expected, rel=1e-9)


def test_two_steps_run_at_the_same_time() -> None:
    meeting = threading.Barrier(2, timeout=10)
    assert side_by_side(lambda: meeting.wait() >= 0, lambda: meeting.wait() >= 0) == (
        True,
        True,
    )


@pytest.mark.parametrize("which", [0, 1])
def test_an_error_of_either_step_is_raised(which: int) -> None:
    def fails() -> None:
        raise ValueError("this step failed")

    steps = [lambda: 1, lambda: 2]
    steps[which] = fails
    with pytest.raises(ValueError, match="this step failed"):
        side_by_side(*steps)
