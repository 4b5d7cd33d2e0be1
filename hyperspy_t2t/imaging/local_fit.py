# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Gain and offset of an image against its simulation, both smooth, and the probe.

I(r) ≈ a(r) + b(r) M(r): thickness and detector make b, background makes a. Image and
simulation lose their local means first, in a Gaussian window of the width t, which a
follows; b is the slope of a regression of the rest in a window of the width s. With
t = 1.5 and s = 3 spacings of columns no misplaced column can hide in them: one number
stands against 4π t² / spacing² = 28 columns, the other against 113, and of a period of
one spacing the window t passes exp(−2π² 1.5²) = 5e-20.

The sums are made on a grid a quarter of the window fine: what is smooth needs no more.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from hyperspy_t2t.array_types import Array
from hyperspy_t2t.calibration import ImageGrid

TREND, WINDOW = 1.5, 3.0
"""Standard deviations t and s of the windows in spacings of columns."""
_PER_WINDOW = 4
"""Samples of the coarse grid per standard deviation of the window."""
LEAST, MOST = 0.3, 3.0
"""Bounds of the local gain in units of the usual one."""


@dataclass(frozen=True)
class LocalFit:
    """Regression of an image on its simulation in windows.

    Parameters
    ----------
    offset, gain
        a and b at each pixel, shape (ny, nx).
    """

    offset: Array
    gain: Array


class LocalRegression:
    """Regression of simulations on one image.

    Parameters
    ----------
    image
        Grey levels, shape (ny, nx).
    weight
        Of each pixel, for least squares one over its variance; 0 where it is unknown.
    grid
        Pixels.
    spacing
        Of columns in nm.
    """

    def __init__(
        self, image: Array, weight: Array, grid: ImageGrid, spacing: float
    ) -> None:
        self._weight = weight / weight.max()
        self._trend = _Window(self._weight, grid, TREND * spacing)
        self._slope = _Window(self._weight, grid, WINDOW * spacing)
        self._trend_of_image = self._trend.mean(image)
        self._image = image - self._trend_of_image

    def fit(self, model: Array) -> LocalFit:
        """Offset and gain of the image against a simulation, shape (ny, nx)."""
        trend = self._trend.mean(model)
        gain = self._gain(model - trend)
        return LocalFit(self._trend_of_image - gain * trend, gain)

    def misfit(self, model: Array) -> float:
        """Weighted mean square that the fit leaves."""
        model = model - self._trend.mean(model)
        rest = self._image - self._gain(model) * model
        return float((self._weight * rest**2).mean())

    def _gain(self, model: Array) -> Array:
        """Slope on a simulation without trend, within bounds of the usual slope."""
        square = self._weight * model**2
        product = self._weight * model * self._image
        usual = float(product.sum()) / max(float(square.sum()), 1e-300)
        square, product = self._slope.sums(square), self._slope.sums(product)
        relative = product / np.maximum(square, 1e-9 * square.max()) / (usual or 1.0)
        return usual * self._slope.refined(np.clip(relative, LEAST, MOST))


class _Window:
    """Weighted sums and means in Gaussian windows, by way of a coarse grid."""

    def __init__(self, weight: Array, grid: ImageGrid, width: float) -> None:
        self._sigma = width / np.array(grid.pixel_size)
        self._step = np.maximum(1, (self._sigma / _PER_WINDOW).astype(int))
        self._shape = grid.shape
        self._weight = weight
        self._total = np.maximum(self.sums(weight), 1e-12)

    def sums(self, values: Array) -> Array:
        """Sums over windows, on the coarse grid."""
        from scipy.ndimage import gaussian_filter

        for axis in (0, 1):
            starts = np.arange(0, values.shape[axis], self._step[axis])
            values = np.add.reduceat(values, starts, axis=axis)
        sigma = self._sigma / self._step
        return gaussian_filter(values, sigma, mode="constant", truncate=3.5)

    def mean(self, values: Array) -> Array:
        """Weighted means at each pixel, shape (ny, nx)."""
        return self.refined(self.sums(self._weight * values) / self._total)

    def refined(self, coarse: Array) -> Array:
        """Linear interpolation from the coarse grid to the pixels."""
        for axis in (0, 1):
            size, step = self._shape[axis], self._step[axis]
            starts = np.arange(0, size, step)
            middle = 0.5 * (starts + np.minimum(starts + step, size) - 1)
            place = np.interp(np.arange(size), middle, np.arange(len(starts)))
            low = np.minimum(place.astype(int), max(0, len(starts) - 2))
            high = np.minimum(low + 1, len(starts) - 1)
            share = (place - low)[:, None]
            lines = np.moveaxis(coarse, axis, 0)
            lines = (1 - share) * lines[low] + share * lines[high]
            coarse = np.moveaxis(lines, 0, axis)
        return coarse


def fit_probe(
    regression: LocalRegression,
    simulate: Callable[[float], Array],
    bounds: tuple[float, float],
) -> float:
    """Width of the probe in nm for which the fit leaves least.

    Parameters
    ----------
    regression
        On the image.
    simulate
        Gives the simulation of a probe of some σ in nm.
    bounds
        Smallest and largest σ in nm.
    """
    from scipy.optimize import minimize_scalar

    def misfit(logarithm: float) -> float:
        return regression.misfit(simulate(float(np.exp(logarithm))))

    found = minimize_scalar(
        misfit, bounds=np.log(bounds), method="bounded", options={"xatol": 2e-3}
    )
    return float(np.exp(found.x))
