# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Parts of a large image: inside its regions, even, and all of a small image."""

import numpy as np
import pytest

from hyperspy_t2t.calibration import ImageGrid
from hyperspy_t2t.strain.sampled_parts import (
    SIDE,
    STEP,
    joined,
    sampled_parts,
    thinned,
)

SHAPE = (5200, 6400)
LOOKS = (SHAPE[0] // STEP, SHAPE[1] // STEP)
MARGIN = 12


def test_a_small_image_is_one_part() -> None:
    (part,) = sampled_parts(np.ones((32, 25), bool), (500, 400), margin=MARGIN)
    assert part.whole == part.inner == (slice(0, 500), slice(0, 400))


def test_squares_lie_in_the_image_with_their_margin() -> None:
    parts = sampled_parts(np.ones(LOOKS, bool), SHAPE, margin=MARGIN)
    assert 4 <= len(parts) <= 12
    for part in parts:
        for whole, inner, size in zip(*part, SHAPE, strict=True):
            start, stop = whole.start + inner.start, whole.start + inner.stop
            assert stop - start == SIDE and 0 <= start and stop <= size
            assert whole.start == max(0, start - MARGIN)
            assert whole.stop == min(size, stop + MARGIN)


@pytest.mark.parametrize("share", [0.3, 0.7])
def test_each_region_is_seen_as_often_as_it_is_large(share: float) -> None:
    """A tall region at the left and a low one at the right, apart from each other."""
    inside = np.zeros(LOOKS, bool)
    inside[: int(share * LOOKS[0]), :160] = True
    inside[-int((1 - share) * LOOKS[0]) :, -160:] = True
    middles = [
        [w.start + (i.start + i.stop) // 2 for w, i in zip(*part, strict=True)]
        for part in sampled_parts(inside, SHAPE, margin=MARGIN)
    ]
    assert all(inside[y // STEP, x // STEP] for y, x in middles)
    left = sum(x < 160 * STEP for _, x in middles)
    assert left == pytest.approx(share * len(middles), abs=1)


def test_the_thinned_grid_is_every_16th_place() -> None:
    grid = ImageGrid((100, 161), (0.2, 0.3), (5.0, -1.0))
    thin = thinned(grid)
    rows, columns = (np.arange(0, size, STEP) for size in grid.shape)
    assert thin.shape == (len(rows), len(columns))
    np.testing.assert_allclose(
        thin.to_nm(len(rows) - 1, len(columns) - 1), grid.to_nm(rows[-1], columns[-1])
    )


def test_parts_are_put_one_below_the_other() -> None:
    wide, narrow = np.ones((2, 3, 5)), np.full((2, 4, 2), 7.0)
    both = joined([wide, narrow])
    assert both.shape == (2, 7, 5)
    np.testing.assert_array_equal(both[:, :3], wide)
    np.testing.assert_array_equal(both[:, 3:, :2], narrow)
    assert not both[:, 3:, 2:].any()
