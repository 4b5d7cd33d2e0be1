# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""The part of an image that holds data: constant frames and NaN left out."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from hyperspy_t2t.array_types import Bools, pair

_OUTERMOST = (0, -1, (slice(None), 0), (slice(None), -1))
"""First and last row and column."""
_WIDEST = 1 / 8
"""Widest frame on one side, as a share of the image."""
_FOREIGN = 0.5
"""Share of the first line inside a frame that may have the frame's grey level."""


class _Lines(NamedTuple):
    """Smallest and largest finite value of each line; inf, −inf of one without."""

    low: npt.NDArray
    high: npt.NDArray

    def constant(self) -> Bools:
        return self.high <= self.low

    def empty(self) -> Bools:
        return self.high < self.low


def valid_frame(image: Any) -> tuple[slice, slice]:
    """Rows and columns left when constant lines at the borders are cut away.

    Registration and rotation leave frames of one grey value, or of NaN, which
    would be taken for a region and would ring in every transform. A region that is
    constant up to the border (vacuum clipped to 0, saturation, a drawing) is no
    frame: it is wider than an eighth of the image, or goes on further inside.

    Parameters
    ----------
    image
        Array (ny, nx), numpy or dask; read once at most, chunk by chunk, and four
        lines of it a second time.

    Raises
    ------
    ValueError
        No pixel is finite.
    """
    whole = pair(slice(0, size) for size in image.shape)
    edges = read_together(*(image[cut] for cut in _OUTERMOST))
    if all(_varies(line) for line in edges):
        return whole
    rows, columns = _extremes(image)
    if rows.empty().all():
        raise ValueError(
            "Expected an image with grey levels, got no finite value in any of its "
            f"{image.shape[0]} × {image.shape[1]} pixels."
        )
    frame = pair(_inner(lines.empty()) for lines in (rows, columns))
    values = [line[np.isfinite(line)] for line in edges]
    values = [line[0] for line in values if line.size and line.min() == line.max()]
    for value in np.unique(values):
        cut = pair(
            _inner(lines.empty() | (lines.constant() & (lines.low == value)))
            for lines in (rows, columns)
        )
        if _is_frame(image, cut, value):
            frame = pair(
                slice(max(a.start, b.start), min(a.stop, b.stop))
                for a, b in zip(frame, cut, strict=True)
            )
    return frame


def _extremes(image: Any) -> tuple[_Lines, _Lines]:
    """Of rows and of columns."""
    lowest, highest = image, image
    if image.dtype.kind == "f":
        finite = np.isfinite(image)
        lowest = np.where(finite, image, np.inf)
        highest = np.where(finite, image, -np.inf)
    low_rows, high_rows, low_columns, high_columns = read_together(
        *(extreme for axis in (1, 0)
          for extreme in (lowest.min(axis=axis), highest.max(axis=axis)))
    )  # fmt: skip
    return _Lines(low_rows, high_rows), _Lines(low_columns, high_columns)


def _is_frame(image: Any, cut: tuple[slice, slice], value: float) -> bool:
    """Whether what is cut away is narrow and something else begins right inside."""
    for part, size in zip(cut, image.shape, strict=True):
        widest = max(part.start, size - part.stop)
        if part.stop <= part.start or widest > _WIDEST * size:
            return False
    inside = image[cut]
    for axis, part in enumerate(cut):
        for cut_away, index in (
            (part.start > 0, 0),
            (part.stop < image.shape[axis], -1),
        ):
            if not cut_away:
                continue
            (line,) = read_together(inside[index] if axis == 0 else inside[:, index])
            # A line of one other grey level begins the next layer of a drawing.
            if not _varies(line) or np.mean(line == value) > _FOREIGN:
                return False
    return True


def read_together(*arrays: Any) -> tuple[npt.NDArray, ...]:
    """Dask arrays computed together, so that no chunk is read twice."""
    if isinstance(arrays[0], np.ndarray):
        return arrays
    import dask

    return dask.compute(*arrays)


def _varies(line: npt.NDArray) -> bool:
    """Whether a line has two finite values."""
    line = line[np.isfinite(line)]
    return bool(line.size and line.min() < line.max())


def _inner(outer: Bools) -> slice:
    """Range of lines between those at both ends that are `outer`."""
    kept = np.flatnonzero(~outer)
    return slice(int(kept[0]), int(kept[-1]) + 1) if len(kept) else slice(0, 0)
