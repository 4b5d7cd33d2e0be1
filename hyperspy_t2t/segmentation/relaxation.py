# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Borders in a noisy image moved to where both sides and a short border agree."""

import numpy as np
import numpy.typing as npt
from numba import njit

Array = npt.NDArray[np.floating]
_PASSES = 4
_SHARE = 4.0
"""Weight of the neighbours' labels against the grey level, in noise units."""
_LEAST = 1e-3
"""Share of the pixels around it below which a pixel is none of the region."""


def relaxed(
    labels: npt.NDArray[np.intp], image: Array, noise: Array, sigma: float
) -> npt.NDArray[np.intp]:
    """Give each pixel near a border to the region that describes it best.

    A region is the better for a pixel the more of the pixels around it has
    (Gaussian, σ) and the closer the plane through its grey levels is to the image
    (Gaussian, σ / 2): log share · 4 − (v − plane)² / 2 s², with the noise s of v.
    Repeated, this shortens borders that noise has roughened; S. Esedoḡlu and F. Otto,
    Comm. Pure Appl. Math. 68 (2015) 808, https://doi.org/10.1002/cpa.21527.

    Parameters
    ----------
    labels
        1 … n, shape (ny, nx).
    image
        Grey levels, same shape.
    noise
        Standard deviation of the image smoothed with σ, at each pixel.
    sigma
        In pixels.
    """
    from scipy.ndimage import find_objects, gaussian_filter

    value = gaussian_filter(image, sigma / 2)
    variance = np.maximum((2 * noise) ** 2, 1e-300)
    reach = int(3 * sigma)
    for _ in range(_PASSES):
        best = np.full(labels.shape, -np.inf, np.float32)
        result = labels.copy()
        for region, box in enumerate(find_objects(labels), start=1):
            if box is None:
                continue
            frame = tuple(slice(max(0, s.start - reach), s.stop + reach) for s in box)
            inside = labels[frame] == region
            share = gaussian_filter(inside.astype(np.float32), sigma)
            plane = _plane(image[frame], inside)
            _claim(
                region, share, plane, value[frame], variance[frame], best[frame],
                result[frame],
            )  # fmt: skip
        if np.array_equal(result, labels):
            break
        labels = result
    return labels


@njit(cache=True, nogil=True)
def _claim(
    region: int,
    share: Array,
    plane: tuple[float, float, float],
    value: Array,
    variance: Array,
    best: Array,
    result: npt.NDArray[np.intp],
) -> None:
    """Give pixels to a region that describes them better than the best so far."""
    level, slope_y, slope_x = plane
    for row in range(share.shape[0]):
        for column in range(share.shape[1]):
            if share[row, column] < _LEAST:
                continue
            plain = level + slope_y * row + slope_x * column
            misfit = (value[row, column] - plain) ** 2
            score = _SHARE * np.log(share[row, column])
            score -= misfit / (2 * variance[row, column])
            if score > best[row, column]:
                best[row, column] = score
                result[row, column] = region


def _plane(image: Array, inside: npt.NDArray[np.bool_]) -> tuple[float, float, float]:
    """Level and slopes along y and x of the plane that fits the grey levels of a
    region; only a level if it is small."""
    place = np.flatnonzero(inside)
    place = place[:: max(1, len(place) // 5000)]
    y, x = np.divmod(place, inside.shape[1])
    value = image[y, x]
    if len(y) < 400:
        return float(value.mean()), 0.0, 0.0
    terms = np.stack([np.ones(len(y)), y, x], axis=1)
    level, slope_y, slope_x = np.linalg.lstsq(terms, value, rcond=None)[0].tolist()
    return level, slope_y, slope_x
