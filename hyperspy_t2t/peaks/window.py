# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""The window through which a region of any shape is seen in Fourier space."""

import numpy as np
import numpy.typing as npt


def region_window(
    mask: npt.NDArray[np.bool_], *, pixel_size: tuple[float, float] = (1.0, 1.0)
) -> npt.NDArray[np.float64]:
    """Smooth weights inside a region, zero outside and at its outline.

    A region that fills its frame gets a Hann window. Any other gets sin²(π d/D),
    where d is the distance to the outline and D the largest such distance, up to
    d = D/2 and one further inside: it has no edge that could draw streaks through
    the spectrum and still uses most of a small region.

    Parameters
    ----------
    mask
        True inside the region, shape (ny, nx).
    pixel_size
        (sy, sx); only its ratio matters.

    Returns
    -------
    ndarray
        Weights from 0 to 1, shape (ny, nx).
    """
    from scipy.ndimage import distance_transform_edt

    from hyperspy_t2t.frequencies import hann_window

    if mask.mean() > 0.98:
        return hann_window(mask.shape) * mask
    padded = np.pad(mask, 1)
    distance = distance_transform_edt(padded, sampling=pixel_size)[1:-1, 1:-1]
    depth = distance.max()
    if depth == 0:
        return np.zeros(mask.shape)
    return np.sin(np.pi * np.minimum(distance / depth, 0.5)) ** 2
