# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Measurements of regions, summed block by block."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from hyperspy_t2t.array_types import Array
from hyperspy_t2t.calibration import ImageGrid

Sums = dict[int, Array]
"""For each label: pixels, Σ row, Σ column, Σ grey level, pixels with a grey level."""


def block_sums(labels: Any, image: Any, row: int, column: int) -> Sums:
    """Sums over the regions in one block of an image that starts at (row, column)."""
    labels, image = np.asarray(labels), np.asarray(image)
    if labels.max(initial=0) < labels.size:
        present, index = np.arange(labels.max(initial=0) + 1), labels.ravel()
    else:
        present, index = np.unique(labels, return_inverse=True)
        index = index.ravel()
    sums = np.zeros((len(present), 5))
    sums[:, 0] = np.bincount(index, minlength=len(present))
    for term, axis, first in ((1, 0, row), (2, 1, column)):
        place = np.arange(first, first + labels.shape[axis], dtype=float)
        place = np.broadcast_to(np.expand_dims(place, 1 - axis), labels.shape)
        sums[:, term] = np.bincount(index, place.ravel(), len(present))
    finite = np.isfinite(image)
    sums[:, 3] = np.bincount(
        index, np.where(finite, image, 0).ravel().astype(float), len(present)
    )
    sums[:, 4] = sums[:, 0]
    if not finite.all():
        sums[:, 4] = np.bincount(index, finite.ravel(), len(present))
    return {
        int(label): values
        for label, values in zip(present, sums, strict=True)
        if label != 0 and values[0] > 0
    }


def merge_sums(parts: Iterable[Sums]) -> Sums:
    """Sums over all blocks, by label in ascending order."""
    merged: Sums = {}
    for part in parts:
        for label, values in part.items():
            merged[label] = merged.get(label, 0.0) + values
    return dict(sorted(merged.items()))


def region_properties(
    sums: Mapping[int, Array], grid: ImageGrid
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
