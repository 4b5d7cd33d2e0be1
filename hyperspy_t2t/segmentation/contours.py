# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Outlines of regions that share their borders."""

from typing import NoReturn

import numpy as np

from hyperspy_t2t.array_types import Array, Ints
from hyperspy_t2t.calibration import ImageGrid
from hyperspy_t2t.segmentation.borders import Borders, block_edges, borders
from hyperspy_t2t.segmentation.rings import ring_points, rings
from hyperspy_t2t.segmentation.simplification import (
    Lines,
    make_lines,
    remaining,
    simplify,
)
from hyperspy_t2t.segmentation.smoothing import smooth as smoothed

Polygon = tuple[Array, list[Array]]
_TOLERANCE = 0.1
"""Default tolerance of smoothed outlines, in pixels."""
_GROWTH = 1.5


class Contours(dict[int, list[Array]]):
    """Outlines of regions: for each label its closed polygons.

    A polygon is an array (n, 2) of (x, y) in nm with its first point repeated at the
    end. An outer outline has a positive area ½ Σ (x y' − x' y): with y down it runs
    clockwise on the screen. The outlines of its holes follow it and run the other
    way round. Of several parts of a region the largest comes first.
    """

    def polygons(self) -> dict[int, list[Polygon]]:
        """Parts of each region as (outer outline, [holes]).

        ``shapely.Polygon(*part)`` takes each of them.
        """
        return {label: _parts(outlines) for label, outlines in self.items()}

    def ragged_arrays(self) -> tuple[Array, tuple[Ints, Ints, Ints]]:
        """All points in one array, as ``shapely.from_ragged_array`` takes them.

        Returns
        -------
        points : ndarray
            (x, y) in nm, shape (n, 2).
        offsets : tuple of ndarray
            Where each polygon starts in the points, each part in the polygons, and
            each region in the parts; regions in the order of the keys.

        Examples
        --------
        ``shapely.from_ragged_array(shapely.GeometryType.MULTIPOLYGON, *arrays)``
        gives one geometry for each region.
        """
        regions = [_parts(outlines) for outlines in self.values()]
        parts = [part for region in regions for part in region]
        found = [polygon for outer, holes in parts for polygon in (outer, *holes)]
        sizes = (
            [len(polygon) for polygon in found],
            [1 + len(holes) for _, holes in parts],
            [len(region) for region in regions],
        )
        rings, shapes, ends = (np.cumsum([0, *size], dtype=np.int64) for size in sizes)
        return np.concatenate([np.empty((0, 2)), *found]), (rings, shapes, ends)


def signed_area(polygon: Array) -> float:
    """½ Σ (x y' − x' y) of a closed polygon (n, 2)."""
    x, y = (polygon - polygon[0]).T
    return float(x[:-1] @ y[1:] - x[1:] @ y[:-1]) / 2


def _parts(outlines: list[Array]) -> list[Polygon]:
    parts: list[Polygon] = []
    for outline in outlines:
        if signed_area(outline) < 0 and parts:
            parts[-1][1].append(outline)
        else:
            parts.append((outline, []))
    return parts


def region_contours(
    labels: Ints,
    grid: ImageGrid,
    *,
    tolerance: float | None = None,
    max_nodes: int | None = None,
    smooth: bool = True,
) -> Contours:
    """Outlines of all regions of a label image.

    Parameters
    ----------
    labels
        Shape (ny, nx), 0 and above.
    grid, tolerance, max_nodes, smooth
        As in :func:`contours_of`.
    """
    shape = labels.shape
    edges = block_edges(labels, (0, 0), shape, shape)
    return contours_of(
        borders([edges], shape),
        grid,
        tolerance=tolerance,
        max_nodes=max_nodes,
        smooth=smooth,
    )


def contours_of(
    borders: Borders,
    grid: ImageGrid,
    *,
    tolerance: float | None = None,
    max_nodes: int | None = None,
    smooth: bool = True,
) -> Contours:
    """Outlines of all regions, from the borders between them.

    Every border is made once and used by the regions on both sides, so that
    neighbours share its points exactly and the areas sum to that of the image. The
    frame of the image lies at the outer edges of its pixels.

    Parameters
    ----------
    borders
        Of a label image.
    grid
        Pixels in nm.
    tolerance
        Largest distance in nm between an outline and the smoothed border, either
        way; by default a tenth of the shorter side of a pixel, and 0 without
        smoothing.
    max_nodes
        Largest number of points of a region (not of what is unassigned, 0) in all
        its polygons together, the repeated ones not counted. The tolerance of its
        borders grows until they are few enough.
    smooth
        Whether borders are smoothed, see
        :func:`hyperspy_t2t.segmentation.smoothing.smooth`, or follow pixel edges.

    Returns
    -------
    Contours
        For all labels in ascending order, 0 included.

    Raises
    ------
    ValueError
        A tolerance below 0, or a `max_nodes` that some region cannot meet.

    Notes
    -----
    Triple points, ends at the frame and corners of the image are kept. A region keeps
    the area of its pixels up to rounding, unless `max_nodes` takes the last point
    between two triple points, or the region is so thin that the smoothing finds no
    room within its bounds.
    """
    tolerance = _checked_tolerance(tolerance, grid, smooth)
    _check_max_nodes(max_nodes)
    if smooth:
        points, offsets = smoothed(borders, grid.pixel_size)
    else:
        points, offsets = borders.corners[:, ::-1].astype(float), borders.offsets
    points = points * np.array(grid.pixel_size[::-1])
    lines = make_lines(points, offsets, borders.nodes[:, 0] < 0)
    _thin(lines, borders, tolerance, max_nodes, grid)
    around = rings(borders)
    points, offsets = ring_points(around, *remaining(lines))
    outlines = np.split(points + grid.to_nm(-0.5, -0.5), offsets[1:-1])
    found = Contours()
    for label, outline in zip(around.labels.tolist(), outlines, strict=True):
        found.setdefault(label, []).append(outline)
    return found


def _checked_tolerance(tolerance: float | None, grid: ImageGrid, smooth: bool) -> float:
    default = _TOLERANCE * min(grid.pixel_size) if smooth else 0.0
    if tolerance is None:
        return default
    if not (np.isfinite(tolerance) and tolerance >= 0):
        raise ValueError(
            f"Expected a tolerance of 0 nm or more, got {tolerance} nm. Leave it out "
            f"for {default:g} nm."
        )
    return float(tolerance)


def _check_max_nodes(max_nodes: int | None) -> None:
    if max_nodes is not None and (max_nodes != int(max_nodes) or max_nodes < 3):
        raise ValueError(
            "Expected max_nodes, the largest number of points of a region, as a whole "
            f"number of at least 3, got {max_nodes}."
        )


def _thin(
    lines: Lines,
    borders: Borders,
    tolerance: float,
    max_nodes: int | None,
    grid: ImageGrid,
) -> None:
    """Take points away within the tolerance, and beyond it down to `max_nodes`."""
    count = len(borders.labels)
    limits, straighten = np.full(count, tolerance), np.zeros(count, bool)
    simplify(lines, limits, straighten)
    reach = np.hypot(*np.multiply(grid.shape, grid.pixel_size))
    smallest = _TOLERANCE * min(grid.pixel_size)
    while max_nodes is not None:
        numbers = _point_numbers(lines, borders)
        above = np.append(numbers > max_nodes, False)  # the last is OUTSIDE, -1
        theirs = above[borders.labels].any(axis=1)
        if not theirs.any():
            return
        if (limits[theirs] > reach).all():
            _refuse(numbers, max_nodes, borders)
        limits[theirs] = np.maximum(limits[theirs] * _GROWTH, smallest)
        straighten |= theirs
        simplify(lines, limits, straighten)


def _point_numbers(lines: Lines, borders: Borders) -> Ints:
    """Number of points in the outlines of each label but 0, indexed by label."""
    left = np.diff(remaining(lines)[1]) - 1
    inner = borders.labels > 0
    both = np.broadcast_to(left[:, None], inner.shape)
    return np.bincount(borders.labels[inner], both[inner], minlength=1).astype(int)


def _refuse(numbers: Ints, max_nodes: int, borders: Borders) -> NoReturn:
    label = int(numbers.argmax())
    of_it = (borders.labels == label) & (borders.nodes[:, :1] >= 0)
    raise ValueError(
        f"Expected a max_nodes of at least {numbers.max()}, got {max_nodes}. Region "
        f"{label} passes {int(of_it.sum())} triple points, ends at the frame and "
        "corners of the image, which stay, and each island needs 3 points. Merge "
        "small regions or allow more."
    )
