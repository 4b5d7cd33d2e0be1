# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""How uniform the lattice of a region is."""

import numpy as np

from hyperspy_t2t.array_types import Array, Bools
from hyperspy_t2t.calibration import ImageGrid
from hyperspy_t2t.strain.continuation import core
from hyperspy_t2t.strain.fringes import local_fringes


def unevenness(
    image: Array,
    region: Bools,
    grid: ImageGrid,
    pair: Array,
    *,
    resolution: float,
) -> float:
    """Root mean square variation of ∂u/∂r inside a region, noise included.

    Parameters
    ----------
    image, region
        Grey levels, and which of the pixels belong to it, shape (ny, nx).
    grid
        The pixels in nm.
    pair
        Two g in 1/nm, shape (2, 2).
    resolution
        Standard deviation of the average in nm.

    Returns
    -------
    float
        Of one component; infinite for a region without fringes.
    """
    fringes = local_fringes(image, grid, pair, resolution=resolution)
    inside = core(region[np.ix_(*grid.nearest(fringes.grid))])
    if not (inside & (fringes.amplitude.min(axis=0) > 0)).any():
        return float("inf")
    weight = fringes.reference_weight(inside)
    mean = (fringes.slope * weight).sum(axis=(2, 3), keepdims=True)
    change = np.einsum("ik,kjyx->ijyx", np.linalg.inv(pair), fringes.slope - mean)
    variance = ((change / (2 * np.pi)) ** 2).mean(axis=(0, 1))
    return float(np.sqrt((variance * weight).sum()))
