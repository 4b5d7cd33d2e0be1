# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Labels of the pixels inside polygons."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numba
import numpy as np

from hyperspy_t2t.array_types import Array, Bools, Ints
from hyperspy_t2t.calibration import ImageGrid


class Shapes(NamedTuple):
    """Polygons to fill.

    Parameters
    ----------
    points
        Fractional (column, row), one polygon after the other, shape (n, 2).
    offsets
        Where each polygon starts in `points`, and their number.
    parts
        Where each shape starts in the polygons, and their number: several polygons
        of one shape are filled by the even-odd rule.
    labels
        Label of each shape.
    """

    points: Array
    offsets: Ints
    parts: Ints
    labels: Ints


def make_shapes(
    shapes: Iterable[tuple[int, Sequence[Array]]], grid: ImageGrid
) -> Shapes:
    """Shapes from labels and polygons (n, 2) of (x, y) in nm, closed or not."""
    labels, counts = [], [0]
    polygons: list[Array] = []
    for label, outlines in shapes:
        labels.append(label)
        polygons.extend(outlines)
        counts.append(len(polygons))
    points = np.concatenate([np.empty((0, 2)), *polygons])
    rows, columns = grid.to_pixels(points)
    return Shapes(
        np.stack([columns, rows], axis=1),
        np.cumsum([0, *map(len, polygons)], dtype=np.int64),
        np.array(counts, np.int64),
        np.array(labels, np.int64),
    )


@numba.njit(cache=True)
def fill(shapes: Shapes, start: tuple[int, int], size: tuple[int, int]) -> Ints:
    """Labels of one block of an image; 0 outside all shapes.

    A pixel belongs to a shape if its centre is inside, and to the last of several.
    A centre on the border of two shapes that share it belongs to one of them.

    Parameters
    ----------
    shapes
        Polygons in pixels of the image.
    start
        (row, column) of the first pixel of the block.
    size
        (rows, columns) of the block.
    """
    labels = np.zeros(size, np.int32)
    for shape in range(len(shapes.labels)):
        first, last = shapes.parts[shape], shapes.parts[shape + 1]
        points = shapes.points[shapes.offsets[first] : shapes.offsets[last]]
        if len(points) == 0:
            continue
        top, bottom = _span(points[:, 1], start[0], size[0])
        left, right = _span(points[:, 0], start[1], size[1])
        if top >= bottom or left >= right:
            continue
        flips = np.zeros((bottom - top, right - left), np.bool_)
        for polygon in range(first, last):
            points = shapes.points[
                shapes.offsets[polygon] : shapes.offsets[polygon + 1]
            ]
            for k in range(len(points)):
                _flip(flips, top, left, points[k - 1], points[k])
        for row in range(bottom - top):
            inside = False
            for column in range(right - left):
                inside ^= flips[row, column]
                if inside:
                    at = row + top - start[0], column + left - start[1]
                    labels[at] = shapes.labels[shape]
    return labels


@numba.njit(cache=True)
def _span(values: Array, start: int, size: int) -> tuple[int, int]:
    """First and last pixel of a block that coordinates reach, the last not included."""
    low, high = np.ceil(values.min()), np.floor(values.max()) + 1
    return int(max(low, start)), int(min(high, start + size))


@numba.njit(cache=True)
def _flip(flips: Bools, top: int, left: int, start: Array, end: Array) -> None:
    """Mark the first pixel to the right of an edge in each row that it crosses."""
    # The same order for both shapes that share the edge gives the same crossings.
    (x0, y0), (x1, y1) = (start, end) if start[1] < end[1] else (end, start)
    rows, columns = flips.shape
    first, last = max(np.ceil(y0), top), min(np.ceil(y1), top + rows)
    for row in range(int(first), int(last)):
        x = x0 + (row - y0) * ((x1 - x0) / (y1 - y0))
        column = max(np.ceil(x), left)
        if column < left + columns:
            at = row - top, int(column) - left
            flips[at] = not flips[at]
