# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""The frame of an image that holds data."""

import dask.array as da
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hyperspy_t2t.segmentation.frame import valid_frame


@given(*[st.integers(0, 5)] * 4, st.sampled_from([0.0, 7.0, np.nan]), st.booleans())
def test_constant_frames_are_left_out(
    top: int, bottom: int, left: int, right: int, value: float, lazy: bool
) -> None:
    image = np.random.default_rng(0).normal(size=(40, 50))
    image[:top], image[40 - bottom :] = value, value
    image[:, :left], image[:, 50 - right :] = value, value
    if lazy:
        image = da.from_array(image, chunks=(17, 23))
    assert valid_frame(image) == (slice(top, 40 - bottom), slice(left, 50 - right))


def test_a_constant_line_inside_stays() -> None:
    image = np.random.default_rng(1).integers(0, 99, (30, 40))
    image[12] = 5
    assert valid_frame(image) == (slice(0, 30), slice(0, 40))


@pytest.mark.parametrize(
    "image",
    [
        np.full((20, 30), 3.0),
        np.repeat([1, 2, 3], 20)[:, None] + np.zeros((1, 50)),
        np.tri(60) * 5,
        np.pad(np.random.default_rng(2).normal(9, 1, (20, 20)), 15),
        np.where(np.hypot(*(np.indices((60, 60)) - 30)) < 27, 1.0, 0.0),
    ],
    ids=["constant", "layers", "diagonal", "wide vacuum", "disk"],
)
def test_a_constant_region_at_the_border_is_no_frame(image: np.ndarray) -> None:
    assert valid_frame(image) == tuple(slice(0, size) for size in image.shape)


def test_a_frame_beside_a_corner_of_missing_pixels() -> None:
    image = np.random.default_rng(3).normal(size=(80, 60))
    image[:, -4:] = 0
    image[:7] = np.nan
    assert valid_frame(image) == (slice(7, 80), slice(0, 56))


def test_an_image_without_a_value() -> None:
    with pytest.raises(ValueError, match=r"no finite value in any of its 20 × 30"):
        valid_frame(np.full((20, 30), np.nan))
