# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""How strong the fringes are that only one of several crystals has, place by place.

Through a Gaussian of standard deviation σ a spot at g′ adds A′ exp(−2π²σ²|g − g′|²) to
the amplitude A at g. σ is as narrow as that and the noise allow.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.ndimage import map_coordinates

from hyperspy_t2t.array_types import Array, Ints
from hyperspy_t2t.calibration import ImageGrid
from hyperspy_t2t.strain.demodulation import local_amplitude

_LEAK = 0.1
"""Largest amplitude, relative to its own, that a spot of another crystal may add."""
_CLEAR = 5.0
"""Amplitude over noise from which a border is seen."""
_WIDENED = 3
"""How often the Gaussian is widened at most."""
_CONTROLS = 8
"""Frequencies at which the noise is measured."""
_APART = 0.5
"""Their distance from all spots in 1/σ: a spot is then down to 0.7 %."""
_RINGS = (1.0, 1.25, 1.5, 2.0, 2.5, 3.0)
"""Their length over that of the spots."""


@dataclass(frozen=True)
class OwnFringes:
    """Power of each crystal's own fringes on a coarse grid.

    Parameters
    ----------
    grid
        Places of the values.
    power
        Sum of the squared amplitudes less the noise, shape (crystals, ny, nx).
    sigma
        Standard deviation in nm of the Gaussian they are seen through.
    """

    grid: ImageGrid
    power: Array
    sigma: float

    def on(self, grid: ImageGrid) -> Array:
        """The power at the pixels of another grid, linearly, (crystals, ny, nx)."""
        axes = [
            (grid.origin[k] - self.grid.origin[k] + np.arange(n) * grid.pixel_size[k])
            / self.grid.pixel_size[k]
            for k, n in enumerate(grid.shape)
        ]
        at = np.meshgrid(*axes, indexing="ij")
        return np.stack(
            [map_coordinates(one, at, order=1, mode="nearest") for one in self.power]
        )


def own_fringes(
    image: Any,
    grid: ImageGrid,
    own: Sequence[Ints],
    g: Array,
    amplitude: Array,
) -> OwnFringes:
    """Fringes of each crystal that no other has.

    Parameters
    ----------
    image
        Array (ny, nx), numpy or dask; NaN where the region is not.
    grid
        Its pixels.
    own
        For each crystal the rows of `g` that are its own, at least one.
    g, amplitude
        All spots (n, 2) in 1/nm, Friedel partners included, and their amplitudes.
    """
    sigma = max(_sigma(g, amplitude, rows) for rows in own)
    limit = 0.25 * float(np.max(np.multiply(grid.shape, grid.pixel_size)))
    found, noise = _measured(image, grid, own, g, sigma)
    for _ in range(_WIDENED):
        # What noise adds to the strongest place is less through a wider Gaussian.
        weakest = np.sqrt(max(found.power.max(axis=(1, 2)).min(), 0.0))
        # The noise falls as 1/σ, the amplitude stays.
        wider = min(found.sigma * _CLEAR * np.sqrt(noise) / max(weakest, 1e-30), limit)
        if wider <= 1.1 * found.sigma:
            break
        found, noise = _measured(image, grid, own, g, wider)
    return found


def _sigma(g: Array, amplitude: Array, own: Ints) -> float:
    """Narrowest Gaussian through which spots are seen alone, half a period at least."""
    others = np.setdiff1d(np.arange(len(g)), own)
    away = np.linalg.norm(g[own, None] - g[None, others], axis=-1)
    leak = amplitude[None, others] / amplitude[own, None] / _LEAK
    needed = np.sqrt(np.log(np.maximum(leak, 1.0)) / (2 * np.pi**2)) / away
    period = 1 / np.linalg.norm(g[own], axis=1).min()
    return float(max(needed.max(initial=0.0), 0.5 * period))


def _measured(
    image: Any,
    grid: ImageGrid,
    own: Sequence[Ints],
    g: Array,
    sigma: float,
) -> tuple[OwnFringes, float]:
    """Own fringes through one Gaussian, and the squared amplitude of the noise."""
    controls = _controls(g, sigma, grid)
    sets = [g[rows] for rows in own]
    local = local_amplitude(image, grid, np.concatenate([*sets, controls]), sigma=sigma)
    square = local.amplitude**2
    inside = local.coverage > 0.5 * local.coverage.max()
    noise = 0.0
    if len(controls) and inside.any():
        noise = float(np.median(square[-len(controls) :, inside].mean(axis=1)))
    ends = np.cumsum([len(one) for one in sets])
    starts = ends - [len(one) for one in sets]
    power = [
        square[a:b].sum(axis=0) - (b - a) * noise
        for a, b in zip(starts, ends, strict=True)
    ]
    return OwnFringes(local.grid, np.stack(power), sigma), noise


def _controls(g: Array, sigma: float, grid: ImageGrid) -> Array:
    """Frequencies away from all spots: as long as these if there are some, else longer.

    Through a narrow Gaussian spots are wide, and fill the ring on which they lie.
    Where the pixels leave no room, those furthest away: they see too much rather than
    no noise.
    """
    length = np.median(np.linalg.norm(g, axis=1))
    angle = np.pi * np.arange(64) / 64
    ring = np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    places = length * np.concatenate([step * ring for step in _RINGS])
    below = np.abs(places) < 0.5 / np.array(grid.pixel_size[::-1])
    places = places[below.all(axis=1)]
    away = np.linalg.norm(places[:, None] - g[None], axis=-1).min(axis=1)
    clear = away > _APART / sigma
    if not clear.any():
        return places[np.argsort(-away, kind="stable")[:_CONTROLS]]
    nearest = np.rint(np.linalg.norm(places, axis=1) / length * 4)
    order = np.lexsort((-away, nearest, ~clear))
    return places[order[: min(_CONTROLS, clear.sum())]]
