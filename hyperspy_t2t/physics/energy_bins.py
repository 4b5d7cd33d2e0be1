# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Bins of energy that densities are computed in, and what a spectrometer makes of them.

A convolution needs more bins than are shown: what is beside them spreads into them.
"""

from dataclasses import dataclass

import numpy as np

from hyperspy_t2t.array_types import Array
from hyperspy_t2t.physics.densities import convolved
from hyperspy_t2t.physics.kernel_polynomials import Window

STEP = 0.2
"""meV of a bin where none are asked for."""
_REACH = 1.5
"""FWHM of a Gaussian from its centre to where 2e-4 of it are left on both sides."""
FWHM = float(np.sqrt(8 * np.log(2)))
"""Of a Gaussian, in standard deviations."""


@dataclass(frozen=True)
class EnergyBins:
    """Even bins, all that are computed and those that are shown.

    Parameters
    ----------
    energies
        Centres in meV, shape (e,).
    shown
        Which of them are the result.
    fwhm
        Of the spectrometer in meV, None for none.
    unstable
        Whether modes of ω² < 0, at negative energies, are part of the result.
    """

    energies: Array
    shown: slice
    fwhm: float | None
    unstable: bool

    @property
    def step(self) -> float:
        """Width of a bin in meV."""
        return float(self.energies[1] - self.energies[0])

    @property
    def result(self) -> Array:
        """Centres of the bins of the result."""
        return self.energies[self.shown]

    def seen(
        self,
        density: Array,
        error: Array,
        width: Array,
        *,
        stable: Array,
        limit: float,
    ) -> tuple[Array, Array, Array]:
        """Density, standard error and resolution as a spectrometer sees them.

        Parameters
        ----------
        density, error
            In all bins, shape (g, e).
        width
            FWHM of a sharp mode in meV in all bins, shape (e,).
        stable
            Number of modes with ω² of 0 or more, shape (g,). Tails of Lorentzians below
            0 are given back to them in proportion.
        limit
            In meV. What is less below 0 is from modes at 0 that the method has spread:
            it belongs above 0. Further below are unstable modes.
        """
        if not self.unstable:
            density, error = self._folded(density, limit), self._folded(error, limit)
            scale = (stable / (density.sum(axis=1) * self.step))[:, None]
            density, error = density * scale, error * scale
        if self.fwhm is not None:
            density = convolved(self.energies, density, self.fwhm)
            error = self._error_seen(error, width, self.fwhm)
            width = np.sqrt(width**2 + self.fwhm**2)
        return density[:, self.shown], error[:, self.shown], width[self.shown]

    def _folded(self, density: Array, limit: float) -> Array:
        """Nothing below 0; what is less than `limit` below is as much above."""
        result = np.where(self.energies > 0, density, 0)
        near = (self.energies <= 0) & (self.energies > -limit)
        target = np.rint((-self.energies[near] - self.energies[0]) / self.step)
        target = np.minimum(target.astype(np.int64), len(self.energies) - 1)
        np.add.at(result.T, target, density.T[near])
        return result

    def _error_seen(self, error: Array, width: Array, fwhm: float) -> Array:
        """Standard error after convolution.

        Errors of neighbouring bins are not independent: they are white noise, smoothed
        with the width of sharp modes. A further Gaussian lowers their variance as the
        widths tell.
        """
        own = width**2 + (FWHM * self.step) ** 2 / 12
        # The square of a Gaussian is one of 1/√2 of its width.
        variance = convolved(self.energies, error**2, fwhm / np.sqrt(2))
        return np.sqrt(variance * np.sqrt(own / (own + fwhm**2)))


def energy_bins(
    window: Window, energies: Array | None = None, *, fwhm: float | None = None
) -> EnergyBins:
    """Bins for a spectrum.

    Parameters
    ----------
    window
        Where it is.
    energies
        Centres of bins in meV to show, evenly spaced, with unstable modes if they begin
        below 0. By default bins of 0.2 meV from 0 to the end of the spectrum, or, with
        `fwhm`, as far as it spreads.
    fwhm
        Of a spectrometer in meV.
    """
    low, high = window.energies
    spread = _REACH * (fwhm or 0.0)
    if energies is None:
        first = -STEP * np.ceil(spread / STEP)
        count = int(np.ceil((high + spread - first) / STEP))
        unstable, step = False, STEP
    else:
        energies = np.asarray(energies, float)
        step = float(energies[-1] - energies[0]) / (len(energies) - 1)
        first, count = energies[0] - step / 2, len(energies)
        unstable = bool(energies[0] < 0)
    # All of the spectrum is computed: its modes are counted.
    below = max(0, int(np.ceil((first - low) / step)))
    above = max(0, int(np.ceil((high - first) / step)) - count)
    places = np.arange(-below, count + above)
    centres = first + step * (places + 0.5)
    return EnergyBins(centres, slice(below, below + count), fwhm, unstable)
