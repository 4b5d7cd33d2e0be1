# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Objects keep their label through the frames of a stack."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from hyperspy_t2t.segmentation.tracking import drift, tracked

SHAPE = (96, 120)


def frame(*disks, noise=0.0, seed=0):
    """Labels in an arbitrary order and an image of disks (row, column, radius)."""
    y, x = np.indices(SHAPE)
    labels = np.zeros(SHAPE, int)
    order = np.random.default_rng(seed).permutation(len(disks)) + 1
    for label, (row, column, radius) in zip(order, disks, strict=True):
        labels[(y - row) ** 2 + (x - column) ** 2 <= radius**2] = label
    image = gaussian_filter((labels > 0).astype(float), 1)
    return labels, image + noise * np.random.default_rng(seed).normal(size=SHAPE)


def objects(frames, **options):
    """Label images of tracked frames."""
    tables = tracked(iter(frames), **options)
    return [table[labels] for table, (labels, _) in zip(tables, frames, strict=True)]


def at(labels, disks):
    """Label in the middle of each disk."""
    return [int(labels[round(row), round(column)]) for row, column, _ in disks]


def test_drift_is_that_of_the_image():
    big = gaussian_filter(np.random.default_rng(1).normal(size=(300, 300)), 4)
    for dy, dx in ((0, 0), (7, -11), (-20, 3)):
        moved = big[100 - dy : 200 - dy, 100 - dx : 228 - dx]
        found = drift(big[100:200, 100:228], moved)
        np.testing.assert_allclose(found, (dy, dx), atol=0.2)


def test_no_drift_of_blank_images():
    np.testing.assert_array_equal(drift(np.ones((8, 9)), np.zeros((8, 9))), 0)


def test_drifting_particles_keep_their_labels():
    disks = [(20, 20, 6), (50, 30, 9), (30, 60, 4)]
    moved = [[(r + 8 * k, c + 11 * k, s) for r, c, s in disks] for k in range(4)]
    found = objects([frame(*d, noise=0.05, seed=k) for k, d in enumerate(moved)])
    first = at(found[0], moved[0])
    assert sorted(first) == [1, 2, 3]
    for labels, now in zip(found, moved, strict=True):
        assert at(labels, now) == first


@given(
    st.integers(0, 2**32 - 1),
    st.lists(st.tuples(st.integers(-9, 9), st.integers(-9, 9)), min_size=1, max_size=4),
)
def test_random_drifts(seed, steps):
    rng = np.random.default_rng(seed)
    grid = [(r, c) for r in (38, 58) for c in (40, 60, 80)]
    disks = [(r + rng.integers(-3, 4), c, rng.uniform(3, 7)) for r, c in grid]
    place, frames, moved = np.zeros(2), [], []
    for k, step in enumerate([(0, 0), *steps]):
        place = place + step
        if np.abs(place).max() > 30:
            break
        moved.append([(r + place[0], c + place[1], s) for r, c, s in disks])
        frames.append(frame(*moved[-1], noise=0.03, seed=k))
    found = objects(frames)
    for labels, now in zip(found, moved, strict=True):
        assert at(labels, now) == at(found[0], disks)
        assert labels.max() == len(disks)


def test_a_growing_region_keeps_its_label():
    sizes = [[(48, 40, 5 + 4 * k), (48, 90, 6)] for k in range(6)]
    found = objects([frame(*disks, seed=k) for k, disks in enumerate(sizes)])
    assert {tuple(at(labels, sizes[0])) for labels in found} == {
        tuple(at(found[0], sizes[0]))
    }


def test_a_new_region_gets_a_new_label():
    old, new = [(30, 30, 8), (60, 90, 8)], (30, 90, 5)
    found = objects([frame(*old), frame(*old), frame(*old, new)])
    assert at(found[2], old) == at(found[0], old)
    assert at(found[2], [new]) == [3]


def test_a_label_comes_back_with_its_region():
    stays, goes = (30, 30, 8), (60, 90, 6)
    frames = [frame(stays, goes), *[frame(stays)] * 3, frame(stays, goes, seed=3)]
    found = objects(frames)
    assert at(found[4], [stays, goes]) == at(found[0], [stays, goes])
    assert all(len(np.unique(labels)) == 2 for labels in found[1:4])


def test_a_label_is_not_kept_for_ever():
    stays, goes = (30, 30, 8), (60, 90, 6)
    frames = [frame(stays, goes), *[frame(stays)] * 4, frame(stays, goes)]
    assert at(objects(frames)[5], [goes]) == [3]
    assert at(objects(frames, memory=4)[5], [goes]) == at(objects(frames)[0], [goes])


def test_what_comes_back_is_looked_for_where_the_drift_took_it():
    stays = [(20, 20, 8), (60, 30, 6), (40, 50, 5)]
    goes = (40, 75, 5)
    frames = []
    for k in range(4):
        now = [(r + 6 * k, c + 7 * k, s) for r, c, s in stays]
        gone = (goes[0] + 6 * k, goes[1] + 7 * k, goes[2])
        frames.append(frame(*now, *([gone] if k in (0, 3) else []), seed=k))
    found = objects(frames)
    assert at(found[3], [gone]) == at(found[0], [goes])


def test_the_largest_part_of_a_split_keeps_the_label():
    whole = np.zeros(SHAPE, int)
    whole[20:70, 20:100] = 1
    parts = whole.copy()
    parts[:, 49:51] = 0
    parts[:, 51:] *= 2
    image = gaussian_filter((whole > 0).astype(float), 1)
    first, second, third = objects([(whole, image), (parts, image), (parts, image)])
    assert first[40, 40] == second[40, 80] == third[40, 80] == 1
    assert second[40, 30] == third[40, 30] == 2
    again = objects([(parts, image), (whole, image), (parts, image)])
    assert again[1][40, 40] == again[0][40, 80]
    np.testing.assert_array_equal(again[0], again[2])


def test_blank_frames_interrupt_nothing():
    disks = [(30, 30, 8), (60, 70, 6), (30, 80, 5)]
    moved = [(r + 12, c + 18, s) for r, c, s in disks]
    blank = np.zeros(SHAPE, int), np.zeros(SHAPE)
    found = objects([frame(*disks), blank, frame(*moved, seed=5)])
    assert at(found[2], moved) == at(found[0], disks)
    assert found[1].max() == 0
    assert [labels.max() for labels in objects([blank, frame(*disks)])] == [0, 3]


@pytest.mark.parametrize("seed", range(3))
def test_noise_does_not_move_regions(seed):
    """Frames whose grey levels say nothing are not shifted."""
    rng = np.random.default_rng(seed)
    disks = [(30, 30, 8), (60, 90, 6), (70, 30, 5)]
    frames = [(frame(*disks, seed=k)[0], rng.normal(size=SHAPE)) for k in range(4)]
    found = objects(frames)
    assert {tuple(at(labels, disks)) for labels in found} == {
        tuple(at(found[0], disks))
    }
