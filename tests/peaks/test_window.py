# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""The window of a region."""

import numpy as np

from hyperspy_t2t.frequencies import hann_window
from hyperspy_t2t.peaks.window import region_window


def test_a_full_frame_gets_a_hann_window() -> None:
    window = region_window(np.ones((20, 33), bool))
    np.testing.assert_allclose(window, hann_window((20, 33)))


def test_weights_rise_smoothly_from_the_outline() -> None:
    y, x = np.indices((90, 120))
    mask = np.hypot(y - 44, x - 60) < 40
    window = region_window(mask)
    assert (window[~mask] == 0).all() and (window[mask] > 0).all()
    assert window.max() == 1
    edge = mask & ~(np.roll(mask, 1, 0) & np.roll(mask, 1, 1))
    assert window[edge].max() < 0.02
    assert np.abs(np.diff(window, axis=0)).max() < 0.1


def test_pixel_shape_counts() -> None:
    """The window of a round region in non-square pixels is round."""
    pixel = (0.05, 0.02)
    y, x = np.arange(-40, 41)[:, None] * pixel[0], np.arange(-100, 101) * pixel[1]
    radius = np.hypot(y, x)
    window = region_window(radius < 1.5, pixel_size=pixel)
    expected = np.sin(np.pi * np.clip((1.5 - radius) / 1.5, 0, 0.5)) ** 2
    assert np.abs(window - expected).max() < 0.08


def test_nothing_has_no_weight() -> None:
    assert not region_window(np.zeros((5, 6), bool)).any()
