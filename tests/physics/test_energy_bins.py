# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Bins of energy, folded at zero and seen by a spectrometer."""

import numpy as np
import pytest

from hyperspy_t2t.physics.energy_bins import FWHM, energy_bins
from hyperspy_t2t.physics.kernel_polynomials import Window

WINDOW = Window(2500.0, 2600.0)  # −10 to 71.4 meV


def nothing(bins):
    return np.zeros((1, len(bins.energies)))


def seen(bins, density, error=None, width=0.5, stable=1.0, limit=2.0):
    error = nothing(bins) if error is None else error
    widths = np.full(len(bins.energies), width)
    return bins.seen(density, error, widths, stable=np.array([stable]), limit=limit)


def test_bins_cover_the_spectrum_from_zero_on():
    bins = energy_bins(WINDOW)
    assert bins.result[0] == pytest.approx(0.1) and bins.step == pytest.approx(0.2)
    assert bins.result[-1] + 0.1 >= WINDOW.energies[1] > bins.result[-1] - 0.1
    assert bins.energies[0] - 0.1 <= WINDOW.energies[0] + 1e-9
    wider = energy_bins(WINDOW, fwhm=4.0)
    assert wider.result[0] == pytest.approx(-5.9)
    assert wider.result[-1] >= WINDOW.energies[1] + 5.9


@pytest.mark.parametrize("step", [0.3, 1.0, 2.5])
def test_given_bins_are_the_result(step):
    asked = 12.0 + step * np.arange(20)
    for fwhm in (None, 3.0):
        bins = energy_bins(WINDOW, asked, fwhm=fwhm)
        np.testing.assert_allclose(bins.result, asked)
        assert bins.step == pytest.approx(step) and not bins.unstable
        assert bins.energies[0] < -9.9 + step and bins.energies[-1] > 71.4 - step


def test_what_is_little_below_zero_is_above_and_the_rest_not_shown():
    bins = energy_bins(WINDOW)
    density = nothing(bins)
    for energy, modes in ((-0.9, 2.0), (-7.1, 5.0), (30.1, 3.0)):
        density[0, np.abs(bins.energies - energy).argmin()] = modes / bins.step
    found, _, _ = seen(bins, density, stable=5.0)
    at = {e: found[0, np.abs(bins.result - e).argmin()] for e in (0.9, 7.1, 30.1)}
    assert {e: v * bins.step for e, v in at.items()} == pytest.approx(
        {0.9: 2, 7.1: 0, 30.1: 3}
    )
    shown = energy_bins(WINDOW, np.arange(-15, 80, 0.2))
    assert shown.unstable
    density = np.random.default_rng(0).random((1, len(shown.energies)))
    np.testing.assert_array_equal(seen(shown, density)[0], density[:, shown.shown])


def test_a_line_gets_the_width_of_the_spectrometer():
    bins = energy_bins(WINDOW, fwhm=6.0)
    density = nothing(bins)
    density[0, np.abs(bins.energies - 40.1).argmin()] = 1 / bins.step
    found, _, width = seen(bins, density, width=1.5)
    mean = (found[0] * bins.result).sum() * bins.step
    spread = np.sqrt((found[0] * (bins.result - mean) ** 2).sum() * bins.step)
    assert found.sum() * bins.step == pytest.approx(1, abs=1e-4)
    assert mean == pytest.approx(40.1, abs=0.01)
    assert spread * FWHM == pytest.approx(6, abs=0.05)
    np.testing.assert_allclose(width, np.hypot(6, 1.5))


def test_the_error_of_smoothed_noise():
    # White noise through the method's own width, then through the spectrometer.
    bins = energy_bins(WINDOW, np.arange(-8.0, 70, 0.2), fwhm=3.0)
    own = 1.2
    random = np.random.default_rng(0).normal(size=(400, len(bins.energies)))
    gauss = np.exp(-0.5 * ((bins.energies[:, None] - bins.energies) * FWHM / own) ** 2)
    noise = random @ gauss
    error = np.broadcast_to(noise.std(axis=0), noise.shape)
    after, quoted, _ = bins.seen(
        noise, error, np.full(len(bins.energies), own), stable=np.ones(400), limit=1.0
    )
    inside = slice(30, -30)
    ratio = quoted[0, inside] / after.std(axis=0)[inside]
    assert np.abs(ratio - 1).mean() < 0.1
