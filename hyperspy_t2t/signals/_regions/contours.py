# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Outlines of a SegmentedImage, and label images from outlines."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from hyperspy_t2t.calibration import ImageGrid
from hyperspy_t2t.segmentation.borders import Borders, block_edges, borders
from hyperspy_t2t.segmentation.contours import Contours
from hyperspy_t2t.segmentation.keyholes import keyhole
from hyperspy_t2t.segmentation.polygons import Shapes, fill, make_shapes
from hyperspy_t2t.signals._carried.companions import as_dask
from hyperspy_t2t.signals._carried.selection import units_of

Outline = list[np.ndarray]
_EXPECTED = (
    "Expected contours as {label: outlines} or a list of outlines, each a PolygonROI, "
    "an array (n, 2) of (x, y) in nm with 3 points or more, a shapely geometry, or a "
    "list of these"
)


def image_borders(labels: Any) -> Borders:
    """Borders of a label image, read chunk by chunk."""
    import dask

    labels = as_dask(labels)
    rows, columns = (np.cumsum([0, *sizes]).tolist() for sizes in labels.chunks)
    edges = [
        dask.delayed(block_edges)(
            labels[top : bottom + 1, left : right + 1],
            (top, left),
            (bottom - top, right - left),
            labels.shape,
        )
        for top, bottom in pairwise(rows)
        for left, right in pairwise(columns)
    ]
    return borders(dask.compute(*edges), labels.shape)


def rois_of(signal: Any, contours: Contours) -> dict[int, list[Any]]:
    """One PolygonROI in the units of a signal's axes for each part of each region."""
    from hyperspy.api import roi

    unit = np.array(units_of(signal))
    return {
        label: [
            roi.PolygonROI([(x, y) for x, y in (keyhole(*part) / unit).tolist()])
            for part in parts
        ]
        for label, parts in contours.polygons().items()
    }


def filled_labels(image: Any, grid: ImageGrid, contours: Any) -> Any:
    """Labels of the pixels inside outlines, dask in the chunks of a lazy image."""
    shapes = make_shapes(_labelled(contours, np.array(units_of(image))), grid)
    if isinstance(image.data, np.ndarray):
        return fill(shapes, (0, 0), grid.shape)
    import dask.array as da

    return da.map_blocks(
        _fill_block,
        shapes=tuple(shapes),
        chunks=image.data.chunks,
        dtype=np.int32,
        meta=np.empty((0, 0), np.int32),
    )


def _fill_block(*, shapes: tuple, block_info: dict) -> np.ndarray:
    place = block_info[None]["array-location"]
    start = tuple(int(first) for first, _ in place)
    size = tuple(int(last - first) for first, last in place)
    return fill(Shapes(*shapes), start, size)


def _labelled(contours: Any, unit: np.ndarray) -> Iterator[tuple[int, Outline]]:
    """Label and outlines of every shape."""
    if not isinstance(contours, Mapping):
        if isinstance(contours, str) or not isinstance(contours, Sequence):
            raise TypeError(f"{_EXPECTED}; got {type(contours).__name__}.")
        contours = dict(enumerate(contours, start=1))
    for label, given in contours.items():
        if not isinstance(label, int | np.integer) or not 0 < label <= 1_000_000:
            raise ValueError(
                f"Expected labels from 1 to 1000000, got {label!r}. Pixels outside all "
                "outlines are 0, unassigned."
            )
        for outline in _outlines(given, unit):
            _check(outline, int(label))
            yield int(label), outline


def _outlines(given: Any, unit: np.ndarray) -> Iterator[Outline]:
    """Shapes, each filled by the even-odd rule, of what stands for one region."""
    if hasattr(given, "vertices"):
        yield [np.asarray(given.vertices, float).reshape(-1, 2) * unit]
    elif hasattr(given, "__geo_interface__"):
        yield from _geometry(given.__geo_interface__)
    elif _is_outline(given):
        yield [np.asarray(given, float)]
    elif isinstance(given, list) and all(map(_is_outline, given)):
        yield [np.asarray(outline, float) for outline in given]
    elif isinstance(given, tuple) and len(given) == 2 and _is_outline(given[0]):
        outer, holes = given
        yield [np.asarray(outline, float) for outline in (outer, *holes)]
    elif isinstance(given, list | tuple) and given:
        for part in given:
            yield from _outlines(part, unit)
    else:
        raise TypeError(f"{_EXPECTED}; got {type(given).__name__} {given!r:.60}.")


def _geometry(geometry: Mapping) -> Iterator[Outline]:
    """Polygons of a GeoJSON-like mapping."""
    kind = geometry.get("type")
    if kind == "Polygon":
        yield [np.asarray(ring, float)[:, :2] for ring in geometry["coordinates"]]
    elif kind == "MultiPolygon":
        for rings in geometry["coordinates"]:
            yield [np.asarray(ring, float)[:, :2] for ring in rings]
    elif kind == "GeometryCollection":
        for part in geometry["geometries"]:
            yield from _geometry(part)
    else:
        raise TypeError(f"Expected a Polygon or MultiPolygon, got a geometry {kind!r}.")


def _is_outline(given: Any) -> bool:
    """Whether something is a polygon (n, 2)."""
    try:
        points = np.asarray(given, float)
    except (TypeError, ValueError):
        return False
    return points.ndim == 2 and points.shape[1] == 2


def _check(outlines: Outline, label: int) -> None:
    if not outlines:
        raise ValueError(
            f"Expected outlines of each region, got none for label {label}."
        )
    for outline in outlines:
        if len(outline) < 3 or not np.isfinite(outline).all():
            raise ValueError(
                "Expected outlines of at least 3 points with finite coordinates, got "
                f"{len(outline)} points for label {label}: {outline.tolist()!r:.80}."
            )
