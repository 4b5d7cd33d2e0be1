# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""A peak that a person points at."""

import numpy as np

from hyperspy_t2t.array_types import Array, Bools
from hyperspy_t2t.peaks.finders import Finder
from hyperspy_t2t.peaks.floor import ring_floor
from hyperspy_t2t.peaks.measure import Seen, measured
from hyperspy_t2t.peaks.spectrum import prepare, region_spectrum
from hyperspy_t2t.peaks.spots import spot_table
from hyperspy_t2t.peaks.window import region_window

_REACH = 3
"""Spectral pixels around the point within which the maximum is looked for."""


def measure_spot(seen: Seen, g: Array) -> Array:
    """The spot at the maximum of a region's spectrum next to `g`, and its partner.

    Parameters
    ----------
    seen
        The region (:func:`~hyperspy_t2t.peaks.measure.see`).
    g
        (gx, gy) in 1/nm.

    Returns
    -------
    ndarray
        Two rows with the columns of `SPOT_COLUMNS`.
    """
    spectrum = seen.spectrum
    nyquist = 0.5 * spectrum.scale * np.array(spectrum.power.shape[::-1])
    if g.shape != (2,) or not np.all(np.abs(g) < nyquist) or not np.any(g):
        raise ValueError(
            "Expected g as (gx, gy) in 1/nm, not zero and within the Nyquist limit "
            f"±({nyquist[0]:.4g}, {nyquist[1]:.4g}), got {g.tolist()}."
        )
    near = spectrum.nearest_maxima(g[None], _REACH)
    return spot_table(seen, measured(seen, *near, finder=Finder.HAND))


def noise_densities(
    image: Array,
    mask: Bools,
    pixel_size: tuple[float, float],
    g_vectors: Array,
) -> Array:
    """Power density of a region's noise at the length of each g.

    Parameters
    ----------
    image, mask
        Grey values and the region, shape (ny, nx).
    pixel_size
        (sy, sx) in nm.
    g_vectors
        (gx, gy) in 1/nm, shape (n, 2).

    Returns
    -------
    ndarray
        In squared grey levels times nm², shape (n,): noise of variance σ² per pixel
        has σ² times the area of a pixel.
    """
    window = region_window(mask, pixel_size=pixel_size)
    prepared = prepare(image, window)
    if prepared is None:
        return np.zeros(len(g_vectors))
    spectrum = region_spectrum(prepared[0], window, pixel_size)
    # Around a strong spot its own leakage hides the noise: the ring tells more.
    step, rings = ring_floor(spectrum)
    length = np.linalg.norm(g_vectors, axis=1)
    floors = np.interp(length, np.arange(len(rings)) * step, rings)
    return floors * np.prod(pixel_size)
