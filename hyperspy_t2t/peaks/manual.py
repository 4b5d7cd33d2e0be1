# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""A peak that a person points at."""

import numpy as np
import numpy.typing as npt

from hyperspy_t2t.peaks.spots import (
    measure_spots,
    prepare,
    radial_floor,
    region_spectrum,
)
from hyperspy_t2t.peaks.window import region_window

Array = npt.NDArray[np.floating]


def measure_spot(
    image: Array,
    mask: npt.NDArray[np.bool_],
    pixel_size: tuple[float, float],
    origin: tuple[float, float],
    g: Array,
) -> Array:
    """The spot at the maximum of a region's spectrum next to `g`, and its partner.

    Parameters
    ----------
    image, mask
        Grey values and the region, shape (ny, nx).
    pixel_size, origin
        (sy, sx) and (top, left) in nm.
    g
        (gx, gy) in 1/nm.

    Returns
    -------
    ndarray
        Two rows with the columns of `SPOT_COLUMNS`.
    """
    nyquist = 0.5 / np.array(pixel_size)[::-1]
    if g.shape != (2,) or not np.all(np.abs(g) < nyquist) or not np.any(g):
        raise ValueError(
            "Expected g as (gx, gy) in 1/nm, not zero and within the Nyquist limit "
            f"±({nyquist[0]:.4g}, {nyquist[1]:.4g}), got {g.tolist()}."
        )
    window = region_window(mask, pixel_size=pixel_size)
    prepared = prepare(image, window)
    if prepared is None:
        raise ValueError("Expected grey values that vary, got a flat region.")
    spectrum = region_spectrum(prepared[0], window, pixel_size)
    near = spectrum.nearest_maximum(g)
    return measure_spots(prepared, window, spectrum, *near, pixel_size, origin)


def noise_density(
    image: Array,
    mask: npt.NDArray[np.bool_],
    pixel_size: tuple[float, float],
    g_vectors: Array,
) -> float:
    """Power density of a region's noise at the length of some g, the largest of them.

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
    float
        In squared grey levels times nm²: noise of variance σ² per pixel has σ² times
        the area of a pixel.
    """
    window = region_window(mask, pixel_size=pixel_size)
    prepared = prepare(image, window)
    if prepared is None:
        return 0.0
    spectrum = region_spectrum(prepared[0], window, pixel_size)
    # Around a strong spot its own leakage hides the noise: the ring tells more.
    floor = radial_floor(spectrum)
    floors = [floor[spectrum.pixel_of(g)] for g in np.asarray(g_vectors)]
    return float(max(floors) * np.prod(pixel_size))
