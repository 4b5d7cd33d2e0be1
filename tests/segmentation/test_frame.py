# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""The frame of an image that holds data."""

import dask.array as da
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hyperspy_t2t.segmentation.frame import valid_frame


@given(*[st.integers(0, 12)] * 4, st.sampled_from([0.0, 7.0, np.nan]), st.booleans())
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


@pytest.mark.parametrize("value", [3.0, np.nan])
def test_an_image_without_contrast(value: float) -> None:
    with pytest.raises(ValueError, match=r"one grey value \(or NaN\).* 20 × 30 pixels"):
        valid_frame(np.full((20, 30), value))
