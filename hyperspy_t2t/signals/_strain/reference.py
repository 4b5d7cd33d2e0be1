# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""The place of the reference of strain, as users give it."""

from typing import Any

import numpy as np

from hyperspy_t2t.arguments import as_numbers
from hyperspy_t2t.array_types import pair
from hyperspy_t2t.calibration import ImageGrid

Box = tuple[float, float, float, float]


def reference_box(
    reference: Any, grid: ImageGrid, units: tuple[float, float] = (1.0, 1.0)
) -> Box:
    """(left, top, right, bottom) in nm of a ROI or four numbers, within the image.

    Four numbers are in nm, a ROI is in the units of the (x, y) axes, `units` nm each.
    """
    box: tuple = ()
    if all(hasattr(reference, side) for side in ("left", "top", "right", "bottom")):
        box = (reference.left, reference.top, reference.right, reference.bottom)
        box = tuple(side * unit for side, unit in zip(box, 2 * units, strict=True))
    elif (numbers := as_numbers(reference)) is not None:
        box = tuple(numbers.ravel())
    if len(box) != 4:
        raise ValueError(
            "Expected the reference as a region label, an hs.roi.RectangularROI or "
            f"(left, top, right, bottom) in nm, got {reference!r}."
        )
    left, top, right, bottom = (float(side) for side in box)
    corner = grid.to_nm(grid.shape[0] - 1, grid.shape[1] - 1)
    inside = (
        grid.origin[1] <= left < right <= corner[0] + grid.pixel_size[1]
        and grid.origin[0] <= top < bottom <= corner[1] + grid.pixel_size[0]
    )
    if not inside:
        raise ValueError(
            f"Expected a reference within the image, x from {grid.origin[1]:.4g} to "
            f"{corner[0]:.4g} nm and y from {grid.origin[0]:.4g} to {corner[1]:.4g} "
            f"nm; got left={left:g}, top={top:g}, right={right:g}, bottom={bottom:g} "
            "nm."
        )
    return left, top, right, bottom


def box_pixels(box: Box, grid: ImageGrid) -> tuple[slice, slice]:
    """Rows and columns of a box in nm."""
    rows, columns = (
        np.rint(index).astype(int) for index in grid.to_pixels(np.reshape(box, (2, 2)))
    )
    return pair(
        slice(max(0, int(first)), min(size, int(last) + 1))
        for (first, last), size in zip((rows, columns), grid.shape, strict=True)
    )
