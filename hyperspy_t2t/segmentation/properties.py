# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Measurements of regions."""

from collections.abc import Iterable
from typing import Any

import numpy as np


def region_properties(regions: Iterable[tuple[Any, int]]) -> dict[str, np.ndarray]:
    """Label, area, centroid and mean intensity of regions.

    Parameters
    ----------
    regions
        Pairs of (image, mask and grid of a region's box) and label.

    Returns
    -------
    dict
        ``label``, ``area`` in nm², ``centroid`` (x, y) in nm, ``mean_intensity``.
    """
    label, area, centroid, mean = [], [], [], []
    for region, number in regions:
        rows, columns = np.nonzero(region.mask)
        label.append(number)
        area.append(len(rows) * np.prod(region.grid.pixel_size))
        centroid.append(region.grid.to_nm(rows.mean(), columns.mean()))
        mean.append(np.nanmean(region.image[region.mask]))
    return {
        "label": np.array(label, np.int64),
        "area": np.array(area, float),
        "centroid": np.reshape(centroid, (-1, 2)),
        "mean_intensity": np.array(mean, float),
    }
