# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""What a window makes of a wave, and the few frequencies that are kept of an image."""

import numpy as np
import pytest

from hyperspy_t2t.frequencies import hann_window
from hyperspy_t2t.peaks import bands
from hyperspy_t2t.peaks.leakage import window_leakage
from hyperspy_t2t.peaks.sinusoid import refine_sinusoids
from hyperspy_t2t.peaks.window import tapered_mask

SQUARE = 0.5 * np.stack(np.meshgrid([-1, 0, 1], [-1, 0, 1]), -1).reshape(-1, 2)


def wave_power(window: np.ndarray, offset: np.ndarray) -> float:
    """|Σ w exp(−2πi k·r/N)|²/(Σw)² by the definition."""
    y, x = (np.arange(n) / n for n in window.shape)
    row = np.exp(-2j * np.pi * offset[0] * y)
    return abs(row @ window @ np.exp(-2j * np.pi * offset[1] * x)) ** 2 / (
        window.sum() ** 2
    )


@pytest.mark.parametrize("shape", [(90, 120), (301, 420)])
def test_the_envelope_bounds_the_leakage_and_is_close(shape: tuple) -> None:
    rng = np.random.default_rng(4)
    y, x = (np.arange(n)[:, None] - n / 2 for n in shape)
    for window in (
        hann_window(shape),
        tapered_mask(np.hypot(y, x.T) < 0.4 * min(shape), (1, 1)),
        tapered_mask(np.abs(y - 0.7 * x.T) < 0.15 * min(shape), (1, 1)),
    ):
        leakage = window_leakage(window, shape)
        offset = rng.uniform(-9, 9, (200, 2))
        exact = np.array([wave_power(window, o) for o in offset])
        envelope = leakage.at(offset)
        clear = exact > 1e-9
        assert (envelope[clear] > 0.7 * exact[clear]).all()
        beside = np.array(
            [[wave_power(window, o + d) for d in SQUARE] for o in offset[:60]]
        )
        assert (envelope[:60] < 2 * beside.max(axis=1) + 1e-3).all()
        independent = window.size * (window**2).sum() / window.sum() ** 2
        assert leakage.correlation == pytest.approx(np.sqrt(independent))


def test_lobe_of_a_hann_window() -> None:
    """Its side lobes: −31 dB beyond two pixels, −60 dB from about six."""
    leakage = window_leakage(hann_window((256, 256)), (256, 256))
    near, far = leakage.lobe(np.array([1e-3, 1e-6]))
    assert 2 <= near <= 3 and 5 <= far <= 9


@pytest.mark.parametrize("shape", [(300, 260), (211, 333)])
def test_bands_measure_what_the_whole_image_does(
    shape: tuple, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(5)
    y, x = 1.5 + 0.02 * np.arange(shape[0]), -3 + 0.025 * np.arange(shape[1])
    g = np.array([[3.01, 0.4], [-2.2, 4.03], [0.02, 5.0], [7, -0.03], [19.9, 2.0]])
    image = sum(
        (k + 1) * np.cos(2 * np.pi * (gx * x + gy * y[:, None]) + k)
        for k, (gx, gy) in enumerate(g)
    )
    window = hann_window(shape)
    values = window * (image + 0.3 * rng.normal(size=shape))
    start = g + rng.normal(0, 0.01, g.shape)
    small = refine_sinusoids(values, window, y, x, start, max_step=0.2)
    monkeypatch.setattr(bands, "WIDTH", 10_000)
    whole = refine_sinusoids(values, window, y, x, start, max_step=0.2)
    # A hundredth of the standard errors, a ten-thousandth of a pixel.
    assert np.abs(small.g - whole.g).max() < 3e-5
    np.testing.assert_allclose(small.component, whole.component, rtol=1e-3)
    diagonal = np.arange(2)
    np.testing.assert_allclose(
        small.covariance[:, diagonal, diagonal],
        whole.covariance[:, diagonal, diagonal],
        rtol=0.01,
    )
