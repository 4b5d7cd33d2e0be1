# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Fields continued from where they are known to where they are not."""

import numpy as np

from hyperspy_t2t.array_types import Array, Ints, Mask
from hyperspy_t2t.calibration import ImageGrid


def nearest_known(known: Mask) -> tuple[Ints, ...]:
    """Rows and columns of the known place nearest to each place."""
    from scipy.ndimage import distance_transform_edt

    return tuple(
        distance_transform_edt(~known, return_distances=False, return_indices=True)
    )


def core(mask: Mask, *, depth: float = 4.0) -> Mask:
    """Inside of each connected part of a mask, away from its outline.

    At least `depth` pixels, or half the depth of a thin part. Two pixels of the
    coarse grid are one standard deviation of the average: four away from the
    outline a phase sees nothing else.
    """
    from scipy.ndimage import distance_transform_edt, label, maximum

    distance = distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1]
    parts, count = label(mask)
    deepest = np.asarray(maximum(distance, parts, np.arange(count + 1)))
    return mask & (distance > np.minimum(depth, 0.5 * deepest[parts]))


def linear_continuation(
    values: Array, slopes: Array, grid: ImageGrid, known: Mask
) -> Array:
    """Values whose unknown places continue the nearest known ones along their slope.

    Parameters
    ----------
    values
        Shape (n, ny, nx).
    slopes
        (∂/∂x, ∂/∂y) of each value in 1/nm, shape (n, 2, ny, nx).
    grid
        Where the places are.
    known
        Where the values count, shape (ny, nx); not empty.
    """
    unknown = np.nonzero(~known)
    if not len(unknown[0]):
        return values
    nearest = tuple(index[unknown] for index in nearest_known(known))
    step = (grid.to_nm(*unknown) - grid.to_nm(*nearest)).T
    result = values.copy()
    rows, columns = nearest
    result[:, unknown[0], unknown[1]] = values[:, rows, columns] + np.einsum(
        "ijm,jm->im", slopes[..., rows, columns], step
    )
    return result
