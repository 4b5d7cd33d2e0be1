# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Outlines of a region."""

import numpy as np
import numpy.typing as npt

from hyperspy_t2t.calibration import ImageGrid


def region_contours(
    mask: npt.NDArray[np.bool_], grid: ImageGrid
) -> list[npt.NDArray[np.float64]]:
    """Closed polygons around a mask, halfway between inside and outside pixels.

    Parameters
    ----------
    mask
        True inside, shape (ny, nx); its frame counts as outside.
    grid
        Pixels in nm.

    Returns
    -------
    list of ndarray
        Each (n, 2) as (x, y) in nm, the first point repeated at the end; outer
        outlines and holes, the longest first.
    """
    from skimage.measure import approximate_polygon, find_contours

    outlines = find_contours(np.pad(mask, 1).astype(float), 0.5)
    polygons = [
        grid.to_nm(*(approximate_polygon(outline, 0.25) - 1).T) for outline in outlines
    ]
    return sorted(polygons, key=lambda polygon: -_length(polygon))


def _length(polygon: npt.NDArray[np.float64]) -> float:
    return float(np.linalg.norm(np.diff(polygon, axis=0), axis=1).sum())
