# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Measurements of regions, summed block by block."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from hyperspy_t2t.calibration import ImageGrid

Sums = dict[int, npt.NDArray[np.floating]]
"""For each label: pixels, Σ row, Σ column, Σ grey level, pixels with a grey level."""


def block_sums(labels: Any, image: Any, row: int, column: int) -> Sums:
    """Sums over the regions in one block of an image that starts at (row, column)."""
    present, index = np.unique(np.asarray(labels), return_inverse=True)
    index = index.ravel()
    rows, columns = np.indices(np.shape(labels))
    finite = np.isfinite(image)
    terms = (
        np.ones(index.size),
        (rows + row).ravel(),
        (columns + column).ravel(),
        np.where(finite, image, 0).ravel(),
        finite.ravel(),
    )
    sums = np.stack(
        [np.bincount(index, weights, minlength=len(present)) for weights in terms], -1
    )
    return {
        int(label): values
        for label, values in zip(present, sums, strict=True)
        if label != 0
    }


def merge_sums(parts: Iterable[Sums]) -> Sums:
    """Sums over all blocks, by label in ascending order."""
    merged: Sums = {}
    for part in parts:
        for label, values in part.items():
            merged[label] = merged.get(label, 0.0) + values
    return dict(sorted(merged.items()))


def region_properties(
    sums: Mapping[int, npt.NDArray[np.floating]], grid: ImageGrid
) -> dict[str, np.ndarray]:
    """Label, area, centroid and mean intensity of regions.

    Parameters
    ----------
    sums
        Result of :func:`merge_sums`.
    grid
        Pixels of the image in nm.

    Returns
    -------
    dict
        ``label``, ``area`` in nm², ``centroid`` (x, y) in nm, ``mean_intensity``
        (NaN where no pixel has a grey level).
    """
    table = np.reshape(list(sums.values()), (-1, 5))
    count, finite = table[:, 0], table[:, 4]
    with np.errstate(invalid="ignore"):
        mean = table[:, 3] / finite
    return {
        "label": np.array(list(sums), np.int64),
        "area": count * np.prod(grid.pixel_size),
        "centroid": grid.to_nm(table[:, 1] / count, table[:, 2] / count),
        "mean_intensity": mean,
    }
