# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""What the border of the image does to a Gaussian average."""

import numpy as np

from hyperspy_t2t.array_types import Array, Mask
from hyperspy_t2t.calibration import ImageGrid

_WHOLE = 0.977
"""Weight of a Gaussian that is cut at two standard deviations."""


def away_from_border(coverage: Array, fullest: float) -> Mask:
    """Places two standard deviations or more from the border and from missing pixels.

    Nearer to it the Gaussian is cut, and neighbouring spots leak into the phase.
    `fullest` is the largest coverage of any place of the image if no pixel is missing.
    """
    return coverage > min(_WHOLE, 0.999 * fullest)


def centres_of_weight(
    grid: ImageGrid, coarse: ImageGrid, sigma: float
) -> tuple[Array, Array]:
    """How far the weight of a Gaussian is from its place, and how fast it follows.

    Beyond the border of the image there is no weight. With C the weight along one
    axis, its centre is at R + σ² C′/C, which moves by 1 + σ² (ln C)″ per R: at a
    border by 1 − 2/π only.

    Returns
    -------
    along_y, along_x
        Of each coarse line and column the shift in nm and its rate ∂(centre)/∂R,
        shapes (2, ny) and (2, nx).
    """
    from scipy.special import ndtr

    result = []
    for axis in (0, 1):
        step = grid.pixel_size[axis]
        place = np.arange(coarse.shape[axis]) * coarse.pixel_size[axis]
        before = (-0.5 * step - place) / sigma
        after = ((grid.shape[axis] - 0.5) * step - place) / sigma
        low, high = (np.exp(-0.5 * t**2) / np.sqrt(2 * np.pi) for t in (before, after))
        weight = ndtr(after) - ndtr(before)
        first = (low - high) / weight
        second = (before * low - after * high) / weight
        result.append(np.stack([sigma * first, 1 + second - first**2]))
    return result[0], result[1]


def largest_coverage(grid: ImageGrid, sigma: float) -> float:
    """Largest share of a Gaussian's weight that falls on the pixels of an image."""
    from scipy.special import ndtr

    half = np.array(grid.shape) * grid.pixel_size / (2 * sigma)
    return float(np.prod(2 * ndtr(half) - 1))
