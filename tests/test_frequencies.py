# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Frequencies of the pixels of a spectrum, and its normalisation."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hyperspy_t2t.frequencies import frequency_axis, hann_window, power_spectrum

SHAPES = [(32, 32), (33, 40), (40, 33), (31, 57)]


@given(st.integers(2, 500), st.floats(1e-3, 10))
def test_axis_is_that_of_numpy(size: int, pixel: float) -> None:
    axis = frequency_axis(size, pixel)
    expected = np.fft.fftshift(np.fft.fftfreq(size, pixel))
    np.testing.assert_allclose(axis.values, expected, rtol=1e-12)
    assert axis.values[size // 2] == 0
    assert axis.offset + axis.scale * np.arange(size)[-1] == pytest.approx(expected[-1])


@pytest.mark.parametrize("shape", SHAPES)
def test_a_plane_wave_peaks_at_the_pixel_of_its_frequency(shape: tuple) -> None:
    pixel = (0.03, 0.017)
    y_axis, x_axis = map(frequency_axis, shape, pixel)
    for row, column in ((3, -4), (-2, 7), (0, 5), (6, 0)):
        g = x_axis.scale * column, y_axis.scale * row
        y, x = (np.arange(n) * s for n, s in zip(shape, pixel, strict=True))
        wave = np.cos(2 * np.pi * (g[0] * x + g[1] * y[:, None]) + 0.7)
        power, rows, columns = power_spectrum(5 + wave, pixel)
        assert power.shape == shape
        found = np.argwhere(power > 0.999 * power.max()) - np.array(shape) // 2
        assert sorted(found.tolist()) == sorted([[row, column], [-row, -column]])
        assert columns.values[shape[1] // 2 + column] == pytest.approx(g[0])
        assert rows.values[shape[0] // 2 + row] == pytest.approx(g[1])


@pytest.mark.parametrize("shape", SHAPES)
def test_zero_frequency_reads_zero_for_any_window(shape: tuple) -> None:
    rng = np.random.default_rng(1)
    image = 1e3 + rng.normal(size=shape)
    for window in (None, rng.random(shape), np.ones(shape)):
        power = power_spectrum(image, (1, 1), window=window)[0]
        assert power[shape[0] // 2, shape[1] // 2] < 1e-12 * power.max()


@pytest.mark.parametrize("uniform", [True, False])
def test_white_noise_reads_its_variance(uniform: bool) -> None:
    rng = np.random.default_rng(2)
    shape, sigma = (48, 61), 3.0
    window = None if uniform else rng.random(shape) ** 3
    mean = np.mean(
        [
            power_spectrum(7 + rng.normal(0, sigma, shape), (1, 1), window=window)[0]
            for _ in range(100)
        ],
        axis=0,
    )
    away = np.hypot(*np.indices(shape) - np.array([24, 30])[:, None, None]) > 4
    # 100 spectra of 2900 frequencies, half of them independent
    assert mean[away].mean() == pytest.approx(sigma**2, rel=0.02)
    assert mean[away].std() < 0.15 * sigma**2


def test_parseval() -> None:
    image = np.random.default_rng(3).normal(size=(20, 31))
    power = power_spectrum(image, (1, 1), window=np.ones(image.shape))[0]
    assert power.sum() == pytest.approx(((image - image.mean()) ** 2).sum())


def test_pixels_that_are_not_finite_have_no_weight() -> None:
    rng = np.random.default_rng(4)
    image, window = rng.normal(size=(20, 30)), rng.random((20, 30))
    holes = rng.random(image.shape) < 0.2
    spoiled = np.where(holes, np.nan, image)
    spoiled[0, 0] = np.inf
    window_left = np.where(holes, 0, window)
    window_left[0, 0] = 0
    expected = power_spectrum(image, (1, 1), window=window_left)[0]
    np.testing.assert_allclose(
        power_spectrum(spoiled, (1, 1), window=window)[0], expected
    )


def test_hann_window_is_positive_symmetric_and_one_in_the_middle() -> None:
    window = hann_window((21, 40))
    assert (window > 0).all() and window.max() <= 1
    np.testing.assert_allclose(window, window[::-1, ::-1])
    assert window[10].max() == pytest.approx(1, abs=2e-3)
    assert window.mean() == pytest.approx(0.25)


def test_nothing_to_transform() -> None:
    with pytest.raises(ValueError, match="leaves no pixel"):
        power_spectrum(np.full((4, 4), np.nan), (1, 1))
    with pytest.raises(ValueError, match=r"image \(ny, nx\), got an array \(4,\)"):
        power_spectrum(np.ones(4), (1, 1))
