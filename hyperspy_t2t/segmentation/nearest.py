# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Pixels without a label take that of the nearest region."""

from hyperspy_t2t.array_types import Ints


def nearest_label(labels: Ints, spacing: tuple[float, float]) -> Ints:
    """Labels with every 0 replaced by the nearest other label.

    Parameters
    ----------
    labels
        Shape (ny, nx); at least one is not 0.
    spacing
        (sy, sx) between rows and columns in nm.
    """
    from scipy.ndimage import distance_transform_edt

    nearest = distance_transform_edt(
        labels == 0, sampling=spacing, return_distances=False, return_indices=True
    )
    return labels[tuple(nearest)]
