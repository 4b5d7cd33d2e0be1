# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Spots of one region, measured between the pixels of its spectrum."""

from typing import NamedTuple

import numpy as np

from hyperspy_t2t.array_types import Array, ComplexArray, Ints
from hyperspy_t2t.peaks.floor import Noise, local_noise
from hyperspy_t2t.peaks.sinusoid import refine_sinusoids
from hyperspy_t2t.peaks.spectrum import Spectrum, prepare, region_spectrum

LONGEST = 2.5
"""Longest lattice period in nm looked for unless asked: most cells are smaller."""
_PERIODS = 2.5
"""Least number of periods in the extent of the window, which is half of its side."""


class Seen(NamedTuple):
    """A region as its spectrum is measured."""

    values: Array
    """Windowed grey values without their background, (ny, nx)."""
    mean: float
    window: Array
    energy: float
    """Sum of the squared weights: |component|² of noise of unit power."""
    spectrum: Spectrum
    y: Array
    """Positions of the rows in nm."""
    x: Array

    @property
    def pixel_size(self) -> tuple[float, float]:
        """(sy, sx) in nm."""
        return float(self.y[1] - self.y[0]), float(self.x[1] - self.x[0])

    @property
    def longest_period(self) -> float:
        """Longest period in nm that the region is large enough to tell."""
        extent = np.sqrt(self.window.sum() * np.prod(self.pixel_size))
        return float(min(extent / _PERIODS, LONGEST))


class Spots(NamedTuple):
    """Spots of one half plane; all arrays have one row for each."""

    g: Array
    """(gx, gy) in 1/nm, (n, 2)."""
    component: ComplexArray
    """Σ w (I − Ī) exp(−2πi g·r)."""
    covariance: Array
    """Of g, in 1/nm², (n, 2, 2)."""
    noise: Array
    """Noise power it is measured in, in units of |component|²."""
    floor: Array
    """The largest noise power that there are grounds for, in the same units."""
    log_chance: Array
    """ln of the number of spots as clear as it that noise alone gives a spectrum."""
    finders: Ints
    """Which finder saw it, a sum of the values of `Finder`."""

    @property
    def power(self) -> Array:
        """|component|²."""
        return np.abs(self.component) ** 2

    @property
    def snr(self) -> Array:
        """Power over noise."""
        return self.power / self.floor

    def against(self, floor: Array, trials: float) -> "Spots":
        """The spots in another noise, looked for in so many independent places."""
        return self._replace(
            floor=floor, log_chance=np.log(trials) - self.power / floor
        )

    def take(self, index: np.ndarray) -> "Spots":
        """Some of them, in an order."""
        return Spots(*(part[index] for part in self))

    def strongest_first(self) -> "Spots":
        """All of them by falling power."""
        return self.take(np.argsort(-self.power, kind="stable"))

    def joined(self, more: "Spots") -> "Spots":
        """These and others, strongest first."""
        pairs = zip(self, more, strict=True)
        return Spots(*(np.concatenate(pair) for pair in pairs)).strongest_first()


def see(
    image: Array,
    window: Array,
    pixel_size: tuple[float, float],
    origin: tuple[float, float],
) -> Seen | None:
    """Transform a region; None if it is flat or a line of pixels.

    Parameters
    ----------
    image, window
        Grey values and weights, shape (ny, nx).
    pixel_size, origin
        (sy, sx) and (top, left) in nm.
    """
    if min(image.shape) < 2:
        return None
    prepared = prepare(image, window)
    if prepared is None:
        return None
    spectrum = region_spectrum(prepared[0], window, pixel_size)
    y, x = (
        start + np.arange(size) * step
        for start, size, step in zip(origin, image.shape, pixel_size, strict=True)
    )
    energy = float((window**2).sum())
    return Seen(*prepared, window, energy, spectrum, y, x)


def measured(
    seen: Seen,
    rows: np.ndarray,
    columns: np.ndarray,
    *,
    trials: float = 1.0,
    finder: int = 0,
    least: float = 0.0,
) -> Spots:
    """Spots at pixels of the spectrum, moved to the maxima between pixels.

    Parameters
    ----------
    seen
        The region.
    rows, columns
        Pixels, (n,).
    trials
        In how many independent places a maximum like them was looked for.
    finder
        Who saw them, of :class:`~hyperspy_t2t.peaks.finders.Finder`.
    least
        Power over noise that a pixel must have to be measured at all.
    """
    noise = local_noise(seen.spectrum, rows, columns)
    if least > 0:
        high = seen.spectrum.power[rows, columns] > least * noise.floor
        rows, columns = rows[high], columns[high]
        noise = Noise(noise.expected[high], noise.floor[high])
    refined = refine_sinusoids(
        seen.values,
        seen.window,
        seen.y,
        seen.x,
        seen.spectrum.frequency(rows, columns),
        max_step=1.5 * seen.spectrum.scale.max(),
        transform=seen.spectrum.transform,
    )
    total = seen.energy
    least = rounding(seen.spectrum)
    power = np.maximum(np.abs(refined.component) ** 2, 1e-300)
    expected = total * np.maximum(noise.expected, least)
    spots = Spots(
        refined.g,
        refined.component,
        refined.covariance * (expected / power)[:, None, None],
        expected,
        expected,
        np.zeros(len(rows)),
        np.full(len(rows), finder),
    )
    return spots.against(total * np.maximum(noise.floor, least), trials)


def rounding(spectrum: Spectrum) -> float:
    """Floor that rounding leaves under a noise-free image."""
    return max(float(spectrum.power.max()) * 1e-12, 1e-300)
