# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Borders in a noisy image moved to where both sides and a short border agree."""

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.floating]
_PASSES = 4
_SHARE = 4.0
"""Weight of the neighbours' labels against the grey level, in noise units."""


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
        best, result = np.full(labels.shape, -np.inf), labels.copy()
        for region, box in enumerate(find_objects(labels), start=1):
            if box is None:
                continue
            frame = tuple(slice(max(0, s.start - reach), s.stop + reach) for s in box)
            inside = labels[frame] == region
            share = gaussian_filter(inside.astype(np.float32), sigma)
            misfit = (value[frame] - _plane(image[frame], inside)) ** 2
            score = _SHARE * np.log(np.maximum(share, 1e-3))
            score -= misfit / (2 * variance[frame])
            score[share < 1e-3] = -np.inf
            better = score > best[frame]
            best[frame][better] = score[better]
            result[frame][better] = region
        labels = result
    return labels


def _plane(image: Array, inside: npt.NDArray[np.bool_]) -> Array:
    """The plane that fits the grey levels of a region; a level if it is small."""
    y, x = np.nonzero(inside)
    some = slice(None, None, max(1, len(y) // 5000))
    y, x = y[some], x[some]
    value = image[y, x]
    if len(y) < 400:
        return np.full(image.shape, value.mean())
    terms = np.stack([np.ones(len(y)), y, x], axis=1)
    level, slope_y, slope_x = np.linalg.lstsq(terms, value, rcond=None)[0]
    rows, columns = np.arange(image.shape[0])[:, None], np.arange(image.shape[1])
    return level + slope_y * rows + slope_x * columns
