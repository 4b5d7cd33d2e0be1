# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""The axes in which strain is given: those of the image, an interface, or any."""

from typing import Any

import numpy as np

from hyperspy_t2t.array_types import pair
from hyperspy_t2t.calibration import ImageGrid
from hyperspy_t2t.signals._carried.source import Source
from hyperspy_t2t.strain.epitaxy import borders, fitted_interface

_PLACES = 512
"""Longest side of the label image in which a border is looked for."""


def axes_angle(axes: Any, source: Source, reference: int) -> float:
    """Degrees from x of the image to x of the strain's axes, above −90 up to 90."""
    if isinstance(axes, str) and axes == "image":
        return 0.0
    if isinstance(axes, str) and axes == "interface":
        return _along_interface(source, reference)
    angle = np.nan if isinstance(axes, str) else float(axes)
    if not np.isfinite(angle):
        raise ValueError(
            "Expected axes as 'image', 'interface' or the angle in degrees from x of "
            f"the image to x of the strain, got {axes!r}."
        )
    return angle


def _along_interface(source: Source, reference: int) -> float:
    """Direction of the longest border of the reference region."""
    shape = source.grid.shape
    step = max(1, -(-max(shape) // _PLACES))
    coarse = ImageGrid(
        pair(-(-size // step) for size in shape),
        pair(step * pixel for pixel in source.grid.pixel_size),
        source.grid.origin,
    )
    rows, columns = source.grid.nearest(coarse)
    labels = np.asarray(source.labels[rows, :][:, columns])
    gap = 4 * max(coarse.pixel_size)
    found = [
        fitted_interface(points)
        for pair, points in borders(labels, coarse, gap=gap).items()
        if reference in pair and len(points) > 2
    ]
    found = [line for line in found if line.straight]
    if not found:
        raise ValueError(
            f"Expected a straight border between region {reference}, the reference, "
            "and another, got none. Give axes in degrees, or choose another reference."
        )
    x, y = max(found, key=lambda line: line.length).direction
    return float(np.degrees(np.arctan2(y, x)))
