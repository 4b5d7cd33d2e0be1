# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""The window of a region."""

import numpy as np
import pytest

from hyperspy_t2t.frequencies import hann_window
from hyperspy_t2t.peaks.window import (
    _taper,
    inscribed_rectangle,
    region_window,
    spot_spread,
    tapered_mask,
)


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


def test_the_largest_rectangle() -> None:
    """Against brute force, on ragged small masks."""
    rng = np.random.default_rng(1)
    for _ in range(30):
        mask = rng.random((7, 9)) < 0.8
        rows, columns = inscribed_rectangle(mask)
        assert mask[rows, columns].all()
        best = max(
            (b - a) * (d - c)
            for a in range(7) for b in range(a + 1, 8)
            for c in range(9) for d in range(c + 1, 10)
            if mask[a:b, c:d].all()
        )  # fmt: skip
        assert mask[rows, columns].size == best
    rows, columns = inscribed_rectangle(np.zeros((4, 5), bool))
    assert rows.start == rows.stop


def test_the_window_that_resolves_more_is_taken() -> None:
    y, x = np.indices((200, 240))
    disk = np.hypot(y - 100, x - 120) < 90
    np.testing.assert_array_equal(region_window(disk), tapered_mask(disk, (1, 1)))
    upright = (y > 30) & (y < 170) & (x > 15) & (x < 230)
    window = region_window(upright)
    assert window.max() < 1 + 1e-12 and not window[~upright].any()
    spread = spot_spread(window, (1, 1))
    assert spread < spot_spread(tapered_mask(upright, (1, 1)), (1, 1))
    # Of a Hann window of length L the mean square of 2πg is (4/3)(π/L)² along it.
    expected = 4 / 3 * np.pi**2 * (1 / 139**2 + 1 / 214**2)
    assert spread == pytest.approx(expected, rel=0.02)


def test_large_regions_are_seen_in_blocks() -> None:
    y, x = np.indices((1200, 2100))
    mask = (np.hypot(y - 600, x - 900) < 550) & (y > x / 3)
    window = tapered_mask(mask, (1.0, 1.5))
    exact = _taper(mask, (1.0, 1.5))[0]
    assert np.abs(window - exact).max() < 0.03 and not window[~mask].any()
