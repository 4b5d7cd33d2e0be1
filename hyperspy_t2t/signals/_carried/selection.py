# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Pixels that a user chose with a ROI of HyperSpy, a polygon or a mask."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from hyperspy_t2t.calibration import ImageGrid, image_grid, nanometres_per_unit
from hyperspy_t2t.segmentation.shapes import inside_polygon, inside_ring
from hyperspy_t2t.signals._carried.source import Source

Inside = Callable[[np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Selection:
    """Some pixels of an image.

    Parameters
    ----------
    mask
        True for the pixels, dask, shape and chunks of the labels.
    record
        What was chosen, in nm; of a mask its box, pixels and digest.
    """

    mask: Any
    record: dict[str, Any]

    @classmethod
    def of(cls, where: Any, regions: Any) -> "Selection":
        """What `where` means on the image of a SegmentedImage.

        Raises
        ------
        TypeError
            Neither a shape nor a mask.
        ValueError
            A mask of another shape, a ROI not drawn, or no pixel of the image.
        """
        labels, grid = regions._labels(), image_grid(regions)
        if _is_mask(where, labels.shape):
            mask = _checked_mask(where, labels)
            record: dict[str, Any] = {"where": "mask"}
        else:
            inside, record = _shape(where, grid, units_of(regions))
            mask = pixels_inside(inside, grid, labels.chunks)
        count = int(mask.sum())
        if not count:
            raise ValueError(
                f"Expected pixels of the image, {_span(grid)}, got none in this "
                f"{record['where']}: {_numbers_of(record)}. ROIs are in the units of "
                "the image's axes, polygons in nm."
            )
        if record["where"] == "mask":
            box = Source(mask, mask.astype(np.int8), grid, regions._lazy).boxes()[1]
            record |= {"box": _box_in_nm(box, grid), "sha1": digest(mask)}
        return cls(mask, {**record, "pixels": count})


def line_points(line: Any, units: tuple[float, float]) -> np.ndarray:
    """Points (n, 2) in nm, n ≥ 2, of a line given in nm or as a Line2DROI.

    `units` are those of the (x, y) axes in nm, in which a ROI is.
    """
    names = ("x1", "y1", "x2", "y2")
    if all(hasattr(line, name) for name in names):
        ends = _drawn(line, *names)
        points = np.reshape(ends, (2, 2)) * units
    else:
        points = as_points(line)
        if points is None or len(points) < 2:
            raise ValueError(
                "Expected a line as ((x0, y0), (x1, y1)) in nm, with more points if "
                f"it is bent, or an hs.roi.Line2DROI; got {line!r}."
            )
    points = points[np.append(True, np.diff(points, axis=0).any(axis=1))]
    if len(points) < 2:
        raise ValueError(f"Expected a line between two places, got one: {line!r}.")
    return points


def units_of(signal: Any) -> tuple[float, float]:
    """Length in nm of the units of the x and y axes."""
    x_axis, y_axis = signal.axes_manager.signal_axes
    return nanometres_per_unit(x_axis.units), nanometres_per_unit(y_axis.units)


def as_points(values: Any) -> Any:
    """Finite points (n, 2), None if that is not what the values are."""
    points = _array(values)
    if points is None or points.ndim != 2 or points.shape[1] != 2:
        return None
    points = points.astype(float) if points.dtype.kind in "iuf" else None
    return points if points is not None and np.isfinite(points).all() else None


def pixels_inside(inside: Inside, grid: ImageGrid, chunks: tuple) -> Any:
    """Dask mask, in `chunks`, of the pixels inside a shape.

    `inside` is a function of the positions in nm of rows and of columns.
    """
    import dask.array as da

    y, x = (
        origin + size * da.arange(count, chunks=(sizes,))
        for origin, size, count, sizes in zip(
            grid.origin, grid.pixel_size, grid.shape, chunks, strict=True
        )
    )
    return da.map_blocks(
        inside_block,
        da.zeros(grid.shape, chunks=chunks, dtype=bool),
        y[:, None],
        x[None, :],
        inside=inside,
        dtype=bool,
        meta=np.empty((0, 0), bool),
    )


def inside_block(
    pixels: np.ndarray, y: np.ndarray, x: np.ndarray, *, inside: Inside
) -> np.ndarray:
    """One block of :func:`pixels_inside`."""
    return inside(y.ravel(), x.ravel())


def digest(mask: Any) -> str:
    """SHA-1 of the bytes (0 or 1) of a dask mask, row by row, whatever its chunks."""
    total = hashlib.sha1(usedforsecurity=False)
    ends = np.cumsum(mask.chunks[0])
    for start, end in zip(ends - mask.chunks[0], ends, strict=True):
        total.update(np.ascontiguousarray(mask[start:end], np.uint8).tobytes())
    return total.hexdigest()


def _is_mask(where: Any, shape: tuple[int, int]) -> bool:
    """Whether `where` has one value for each pixel, or truth values."""
    if hasattr(where, "axes_manager"):
        return True
    if not hasattr(where, "dtype"):
        where = _array(where)
    if where is None or where.ndim != 2:
        return False
    return where.dtype == bool or where.shape == shape


def _checked_mask(where: Any, labels: Any) -> Any:
    """A mask as dask in the chunks of the labels."""
    import dask.array as da

    values = where.data if hasattr(where, "axes_manager") else where
    values = values if isinstance(values, da.Array) else np.asarray(values)
    if values.dtype != bool:
        raise TypeError(
            f"Expected a mask of truth values, got {values.dtype}. Compare it with "
            "something, for example labels == 3."
        )
    if values.shape != labels.shape:
        raise ValueError(
            f"Expected a mask of the image's shape {labels.shape} (rows, columns), got "
            f"{values.shape}."
        )
    return da.asarray(values).rechunk(labels.chunks)


def _shape(
    where: Any, grid: ImageGrid, units: tuple[float, float]
) -> tuple[Inside, dict[str, Any]]:
    """Which positions lie in a ROI or polygon, and its record."""
    name = type(where).__name__
    if hasattr(where, "vertices"):
        vertices = np.reshape(_drawn(where, "vertices")[0], (-1, 2)) * units
    elif all(hasattr(where, side) for side in ("left", "top", "right", "bottom")):
        box = np.array(_drawn(where, "left", "top", "right", "bottom")) * (2 * units)
        record = {"where": name, "box": box}
        return partial(inside_polygon, vertices=_snapped(box, grid)), record
    elif all(hasattr(where, part) for part in ("cx", "cy", "r", "r_inner")):
        return _ring(where, units)
    else:
        vertices, name = as_points(where), "polygon"
        if vertices is None or len(vertices) < 3:
            raise TypeError(
                "Expected an hs.roi.PolygonROI, RectangularROI or CircleROI, a mask of "
                "truth values (array or Signal2D of the image's shape) or the corners "
                f"(x, y) of a polygon in nm, shape (n, 2), n ≥ 3; got {where!r}."
            )
    return partial(inside_polygon, vertices=vertices), {
        "where": name, "vertices": vertices,
    }  # fmt: skip


def _ring(roi: Any, units: tuple[float, float]) -> tuple[Inside, dict[str, Any]]:
    """A CircleROI."""
    if units[0] != units[1]:
        raise ValueError(
            "Expected axes of one unit for a CircleROI, got units of "
            f"{units[0]:g} nm along x and {units[1]:g} nm along y. Convert them with "
            's.axes_manager.convert_units("signal", "nm", same_units=True).'
        )
    values = np.array(_drawn(roi, "cx", "cy", "r", "r_inner")) * units[0]
    cx, cy, radius, inner = values.tolist()
    inside = partial(inside_ring, centre=(cx, cy), radius=radius, inner=inner)
    record = {"where": type(roi).__name__, "centre": values[:2]}
    return inside, {**record, "radius": radius, "inner_radius": inner}


def _drawn(roi: Any, *names: str) -> list[Any]:
    """Values of a ROI, or an error if it has none yet."""
    values = [getattr(roi, name) for name in names]
    if not roi.is_valid() or not all(map(np.size, values)):
        raise ValueError(
            f"Expected a {type(roi).__name__} that is drawn, got {roi}. Set its "
            "values, or draw it: s.plot(); roi.add_widget(s)."
        )
    return values


def _snapped(box: np.ndarray, grid: ImageGrid) -> np.ndarray:
    """Corners in nm, between pixels, of the rectangle that HyperSpy would slice."""
    rows, columns = (np.rint(part) - 0.5 for part in grid.to_pixels(box.reshape(2, 2)))
    (top, bottom), (left, right) = rows, columns
    return grid.to_nm([top, top, bottom, bottom], [left, right, right, left])


def _array(values: Any) -> np.ndarray | None:
    """An array of numbers, None if that is not what the values are."""
    try:
        array = np.asarray(values)
    except ValueError:  # rows of different length
        return None
    return array if array.dtype.kind in "iufb" else None


def _box_in_nm(box: tuple[slice, slice], grid: ImageGrid) -> np.ndarray:
    """(left, top, right, bottom): centres of the outermost pixels of a box."""
    return grid.to_nm(*([part.start, part.stop - 1] for part in box)).ravel()


def _span(grid: ImageGrid) -> str:
    """Where an image is, in words."""
    right, bottom = grid.to_nm(grid.shape[0] - 1, grid.shape[1] - 1)
    return (
        f"x from {grid.origin[1]:.4g} to {right:.4g} nm and y from "
        f"{grid.origin[0]:.4g} to {bottom:.4g} nm"
    )


def _numbers_of(record: dict[str, Any]) -> str:
    """The numbers in a record, in words."""
    if "vertices" in record:
        low, high = (f(record["vertices"], axis=0) for f in (np.min, np.max))
        return (
            f"x from {low[0]:g} to {high[0]:g} nm, y from {low[1]:g} to {high[1]:g} nm"
        )
    numbers = {key: value for key, value in record.items() if key != "where"}
    parts = [
        f"{key} {np.round(value, 4).tolist()} nm" for key, value in numbers.items()
    ]
    return ", ".join(parts) or "all its values are False"
