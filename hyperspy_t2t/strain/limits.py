# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Which g-vectors and which resolution an image allows."""

import numpy as np

from hyperspy_t2t.array_types import Array
from hyperspy_t2t.calibration import ImageGrid


def check_g_vectors(g_vectors: Array, grid: ImageGrid) -> None:
    """Raise a ValueError unless all g are below Nyquist, the first two independent."""
    g_vectors = np.asarray(g_vectors, float)
    if g_vectors.ndim != 2 or g_vectors.shape[1] != 2 or len(g_vectors) < 2:
        raise ValueError(
            "Expected two or more g-vectors (gx, gy) in 1/nm, shape (n, 2), got shape "
            f"{g_vectors.shape}."
        )
    if not np.isfinite(g_vectors).all():
        raise ValueError(f"Expected finite g-vectors, got {g_vectors.tolist()} 1/nm.")
    nyquist = 0.5 / np.array(grid.pixel_size)[::-1]
    if np.any(np.abs(g_vectors) >= nyquist):
        raise ValueError(
            f"Expected g-vectors within the Nyquist limit of ±{nyquist[0]:.4g} and "
            f"±{nyquist[1]:.4g} 1/nm, got {g_vectors.tolist()} 1/nm. Check their "
            "unit (1/nm, without 2π) and the pixel size."
        )
    length = np.linalg.norm(g_vectors, axis=1)
    if np.any(length == 0) or (
        abs(np.linalg.det(g_vectors[:2])) < 0.1 * length[0] * length[1]
    ):
        raise ValueError(
            "Expected two g-vectors more than 6° apart, got "
            f"{g_vectors.tolist()} 1/nm. Choose two that are not parallel and give "
            "them first."
        )
    i, j = np.triu_indices(len(g_vectors), 1)
    apart = np.minimum(
        np.linalg.norm(g_vectors[i] - g_vectors[j], axis=1),
        np.linalg.norm(g_vectors[i] + g_vectors[j], axis=1),
    )
    if np.any(apart < 0.1 * length.min()):
        raise ValueError(
            "Expected different g-vectors, without −g of another, got "
            f"{g_vectors.tolist()} 1/nm. Leave out those that are given twice."
        )


def check_resolution(resolution: float, g_vectors: Array, grid: ImageGrid) -> None:
    """Raise a ValueError unless the Gaussian suits the fringes and the image.

    Below 1/(π |g|) its transform, of standard deviation 1/(2πσ), reaches the zero
    frequency at two standard deviations; above an eighth of the image less than half
    of it is further than two standard deviations from the border.
    """
    finest, coarsest = resolution_limits(g_vectors, grid)
    if not finest <= resolution <= coarsest:
        raise ValueError(
            "Expected a resolution (standard deviation of the average) from "
            f"{finest:.3g} nm, where the mask would reach the zero frequency, to "
            f"{coarsest:.3g} nm, an eighth of the image; got {resolution:.3g} nm."
        )


def resolution_limits(g_vectors: Array, grid: ImageGrid) -> tuple[float, float]:
    """Finest and coarsest resolution in nm, see :func:`check_resolution`."""
    finest = 1 / (np.pi * np.linalg.norm(g_vectors, axis=1).min())
    sides = [n * step for n, step in zip(grid.shape, grid.pixel_size, strict=True)]
    return float(finest), min(sides) / 8
