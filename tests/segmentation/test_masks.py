# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Overlapping masks made by hand, merged into labels."""

import numpy as np
import pytest

from hyperspy_t2t.segmentation import masks as module
from hyperspy_t2t.segmentation.masks import (
    MaskStack,
    merge_masks,
    without_covered,
    without_duplicates,
)

SHAPE = (50, 61)
Y, X = np.indices(SHAPE)


def box(top: int, left: int, bottom: int, right: int) -> np.ndarray:
    return (top <= Y) & (bottom > Y) & (left <= X) & (right > X)


def stack(*masks: np.ndarray, scores: list[float] | None = None) -> MaskStack:
    if not masks:
        return MaskStack.pack(np.zeros((0, *SHAPE)), [])
    return MaskStack.pack(np.stack(masks), scores or np.linspace(0.9, 1, len(masks)))


def random_boxes(count: int, seed: int) -> MaskStack:
    rng = np.random.default_rng(seed)
    corners = rng.integers(0, [SHAPE[0] - 5, SHAPE[1] - 5], (count, 2))
    sizes = rng.integers(2, 25, (count, 2))
    masks = [box(*low, *(low + size)) for low, size in zip(corners, sizes, strict=True)]
    return stack(*masks, scores=rng.choice([0.9, 0.92, 0.95], count).tolist())


def test_packing_loses_nothing():
    masks = np.random.default_rng(0).random((5, *SHAPE)) > 0.6
    packed = MaskStack.pack(masks, np.arange(5))
    assert packed.bits.nbytes == 5 * 50 * 8
    np.testing.assert_array_equal(packed.masks, masks)
    np.testing.assert_array_equal(packed.area, masks.sum((1, 2)))
    np.testing.assert_array_equal(packed.take([3, 1]).masks, masks[[3, 1]])
    both = packed.take([4]).joined(packed.take([0, 2]))
    np.testing.assert_array_equal(both.masks, masks[[4, 0, 2]])
    np.testing.assert_array_equal(both.scores, [4, 0, 2])


@pytest.mark.parametrize("shape, scores", [((4, 5), [1]), ((2, 4, 5), [1])])
def test_packing_says_what_it_takes(shape, scores):
    with pytest.raises(ValueError, match=r"masks of shape \(n, ny, nx\) and n scores"):
        MaskStack.pack(np.zeros(shape), scores)


def test_the_best_of_the_same_is_kept():
    one, almost, other = box(5, 5, 25, 25), box(5, 5, 25, 26), box(30, 5, 45, 50)
    kept = without_duplicates(stack(one, almost, other, scores=[0.9, 0.95, 0.8]))
    np.testing.assert_array_equal(kept.masks, [almost, other])


def test_a_part_is_no_duplicate_of_the_whole():
    whole, part = box(5, 5, 25, 25), box(5, 5, 25, 20)
    assert len(without_duplicates(stack(whole, part))) == 2


def test_what_smaller_masks_make_up_together_is_dropped():
    thirds = [box(5, left, 25, left + 10) for left in (5, 15, 25)]
    whole, most = box(5, 5, 25, 35), box(5, 5, 31, 35)
    assert len(without_covered(stack(*thirds, whole))) == 3
    assert len(without_covered(stack(*thirds[:2], whole))) == 3
    assert len(without_covered(stack(*thirds, most))) == 4


def test_a_dropped_mask_covers_nothing():
    # The square, made up of its halves, is not drawn and covers no part of the larger.
    halves = [box(10, 10, 20, 20), box(20, 10, 29, 20)]
    square, larger = box(10, 10, 30, 20), box(10, 10, 30, 22)
    kept = without_covered(stack(*halves, square, larger))
    np.testing.assert_array_equal(kept.area, [90, 100, 240])


def test_nested_masks_lie_on_top_of_each_other():
    nested = [box(1, 1, 49, 60), box(10, 10, 40, 50), box(20, 20, 30, 40)]
    labels, confidence = merge_masks(
        stack(*nested, scores=[0.9, 0.95, 0.99]), smallest=20
    )
    truth = sum(mask.astype(int) for mask in nested)
    # The frame, a pixel wide, is no region.
    np.testing.assert_array_equal(labels[nested[0]], truth[nested[0]])
    assert labels.max() == 3
    assert labels.min() == 1
    for level, score in ((0, 0), (1, 0.9), (2, 0.95), (3, 0.99)):
        np.testing.assert_allclose(confidence[truth == level], score)


def test_what_nobody_claims_is_a_region_where_it_is_wide():
    disk = np.hypot(Y - 25, X - 30) < 10
    labels, confidence = merge_masks(stack(disk), smallest=20)
    np.testing.assert_array_equal(labels, np.where(disk, 2, 1))
    np.testing.assert_array_equal(confidence > 0, disk)


def test_a_narrow_seam_is_closed():
    left, right = box(0, 0, 50, 29), box(0, 31, 50, 61)
    labels, confidence = merge_masks(stack(left, right), smallest=20)
    assert sorted(np.unique(labels)) == [1, 2]
    np.testing.assert_array_equal(confidence[:, 29:31], 0)
    wide = merge_masks(stack(left, right), smallest=20, gap=0).labels
    assert wide.max() == 3


def test_parts_of_a_mask_become_regions_and_crumbs_do_not():
    two = box(5, 5, 20, 20) | box(30, 30, 45, 45) | box(5, 50, 8, 53)
    labels, confidence = merge_masks(stack(two), smallest=20)
    assert labels.max() == 3
    assert labels[10, 10] != labels[35, 35]
    assert labels[6, 51] == labels[25, 25] == 1
    assert confidence[6, 51] == 0


def test_no_mask_at_all_is_one_region():
    for masks in (stack(), stack(np.zeros(SHAPE)), stack(box(3, 3, 5, 5))):
        labels, confidence = merge_masks(masks, smallest=20)
        assert labels.dtype == np.int32
        assert confidence.dtype == np.float32
        np.testing.assert_array_equal(labels, 1)
        np.testing.assert_array_equal(confidence, 0)


def test_there_are_no_labels_where_there_is_no_data():
    valid = X < 40
    labels, confidence = merge_masks(
        stack(box(10, 20, 30, 61)), smallest=20, valid=valid
    )
    np.testing.assert_array_equal(labels == 0, ~valid)
    np.testing.assert_array_equal(confidence[~valid], 0)
    assert labels.max() == 2


def test_an_image_of_crumbs_is_one_region():
    labels, _ = merge_masks(stack(box(0, 0, 50, 30)), smallest=1e6)
    np.testing.assert_array_equal(labels, 1)


@pytest.mark.parametrize("seed", range(5))
def test_the_order_of_the_masks_does_not_matter(seed):
    masks = random_boxes(25, seed)
    expected = merge_masks(masks, smallest=15)
    shuffled = masks.take(np.random.default_rng(seed).permutation(25))
    result = merge_masks(shuffled, smallest=15)
    np.testing.assert_array_equal(result.labels, expected.labels)
    np.testing.assert_array_equal(result.confidence, expected.confidence)
    assert set(np.unique(result.labels)) == set(range(1, result.labels.max() + 1))


def test_work_grows_with_the_square_of_the_number_of_masks(monkeypatch):
    counted = 0
    count_pixels = module.pixels

    def pixels(bits):
        nonlocal counted
        counted += len(bits) if bits.ndim == 3 else 1
        return count_pixels(bits)

    monkeypatch.setattr(module, "pixels", pixels)
    for count in (30, 300):
        counted = 0
        labels, _ = merge_masks(random_boxes(count, 7), smallest=4)
        assert labels.max() > 10
        # Each pair at most once, and a few passes over all masks.
        assert counted <= count * (count - 1) / 2 + 6 * count
