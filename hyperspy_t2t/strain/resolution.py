# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""The resolution with the smallest expected error: noise against blur."""

from dataclasses import dataclass

import numpy as np

from hyperspy_t2t.array_types import Array, Mask
from hyperspy_t2t.calibration import ImageGrid

_SINGULAR = 0.01
"""Change of ∂u/∂r beyond which a place, at a misfit dislocation, counts no more."""
STEP, COARSEST = 2**0.25, 3.0
"""Ratio of one resolution to the next, and of the coarsest to the finest."""


@dataclass(frozen=True)
class ExpectedErrors:
    """Expected error of the strain at several resolutions.

    Parameters
    ----------
    resolution
        Standard deviations of the average in nm, shape (m,).
    noise, blur
        Root mean squares of a component of ∂u/∂r by noise and by blur, (m,).
    """

    resolution: Array
    noise: Array
    blur: Array

    @property
    def total(self) -> Array:
        """Root mean square by both, (m,)."""
        return np.hypot(self.noise, self.blur)

    @property
    def best(self) -> int:
        """Index of the smallest expected error."""
        return int(self.total.argmin())


def expected_errors(
    gradient: Array,
    variance: Array,
    weight: Array,
    scored: Mask,
    grid: ImageGrid,
    *,
    resolution: float,
    coarsest: float,
) -> ExpectedErrors:
    """Noise and blur of averages, the latter by Stein's unbiased estimate of risk.

    With β₀ measured at the finest resolution σ and β_s its further average to s, the
    mean of |β_s − β₀|² + 2 cov(β_s, β₀) − var β₀ is that of |β_s − ⟨β₀⟩|², whatever
    the strain is. The gradient of averaged white noise has var β_s = var β₀ (σ/s)⁴ and
    cov(β_s, β₀) = var β₀ (2σ²/(σ² + s²))². Less var β_s it is the square of what s
    blurs more than σ. The blur of a Gaussian goes with s², so that all of it is larger
    by s²/(s² − σ²).

    Parameters
    ----------
    gradient
        β₀, shape (2, 2, ny, nx).
    variance
        Of a component by noise, on average of the four, shape (ny, nx).
    weight
        Of each place in an average: the fringes' amplitude, zero outside the lattice,
        shape (ny, nx).
    scored
        Places whose error counts, shape (ny, nx).
    grid
        Where the places are.
    resolution, coarsest
        The resolution σ of β₀ and the coarsest one to try, in nm.

    References
    ----------
    C. M. Stein, Ann. Statist. 9 (1981) 1135, https://doi.org/10.1214/aos/1176345632
    """
    scored = scored & np.isfinite(variance) & (variance > 0) & (weight > 0)
    limit = min(coarsest, COARSEST * resolution)
    count = 1 + max(0, int(np.floor(np.log(limit / resolution) / np.log(STEP) + 1e-9)))
    tried = resolution * STEP ** np.arange(count)
    if not scored.any():
        return ExpectedErrors(tried[:1], np.zeros(1), np.zeros(1))
    trust = 1 / variance[scored]
    trust /= trust.sum()
    own = 1 / np.mean(1 / variance[scored])
    noise = np.sqrt(own) * (resolution / tried) ** 2
    curvature = []
    for sigma in tried[1:]:
        smooth = averaged(gradient, weight, grid, np.sqrt(sigma**2 - resolution**2))
        squares = ((smooth - gradient)[..., scored] ** 2).mean(axis=(0, 1))
        apart = np.minimum(squares, _SINGULAR**2) @ trust
        related = (2 * resolution**2 / (resolution**2 + sigma**2)) ** 2
        risk = apart + own * (2 * related - 1)
        excess = risk - own * (resolution / sigma) ** 4
        curvature.append(np.sqrt(max(excess, 0.0)) / (sigma**2 - resolution**2))
    # The finest is as curved as the next ones say.
    curvature = [float(np.mean(curvature[:3])) if curvature else 0.0, *curvature]
    return ExpectedErrors(tried, noise, np.array(curvature) * tried**2)


def averaged(field: Array, weight: Array, grid: ImageGrid, sigma: float) -> Array:
    """Weighted Gaussian average of standard deviation `sigma` in nm."""
    from scipy.ndimage import gaussian_filter

    if sigma == 0:
        return field
    widths = [sigma / step for step in grid.pixel_size]
    share = gaussian_filter(weight, widths, mode="constant")
    share = np.maximum(share, max(1e-12 * share.max(), 1e-300))
    return np.stack(
        [
            gaussian_filter(one * weight, widths, mode="constant") / share
            for one in field.reshape(-1, *grid.shape)
        ]
    ).reshape(field.shape)
