# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""What a user points at for Segment Anything."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from hyperspy_t2t.array_types import Array, Ints


class Prompts(NamedTuple):
    """What a user points at, in pixels or in nm."""

    points: Array
    """(x, y), shape (n, 2)."""
    labels: Ints
    """1 in a region that is wanted, 0 in none of them, shape (n,)."""
    boxes: Array
    """(x0, y0, x1, y1), shape (m, 4)."""


def checked_prompts(
    points: npt.ArrayLike | None,
    boxes: npt.ArrayLike | None,
    point_labels: npt.ArrayLike | None,
    *,
    low: npt.ArrayLike,
    high: npt.ArrayLike,
    unit: str,
) -> Prompts:
    """Prompts as arrays, or an error that says what is wrong with them.

    Parameters
    ----------
    points, boxes, point_labels
        As in :func:`sam_regions`; boxes are cut at the border of the image.
    low, high
        (x, y) of two opposite corners of the image.
    unit
        Of all positions, for messages.
    """
    where = np.array([low, high], float)
    (left, top), (right, bottom) = where
    span = f"x from {left:.6g} to {right:.6g}, y from {top:.6g} to {bottom:.6g} {unit}"
    points = _table(points, 2, "points", "(x, y)", unit)
    outside = ~((points >= where[0]) & (points <= where[1])).all(axis=1)
    if outside.any():
        raise ValueError(
            f"Expected points inside the image, {span}; got (x, y) = "
            f"{tuple(points[outside][0].tolist())}."
        )
    boxes = _table(boxes, 4, "boxes", "(x0, y0, x1, y1)", unit)
    cut = np.clip(boxes.reshape(-1, 2, 2), *where)
    empty = ~(cut[:, 1] > cut[:, 0]).all(axis=1)
    if empty.any():
        raise ValueError(
            f"Expected boxes (x0, y0, x1, y1) with x0 < x1 and y0 < y1 in the image, "
            f"{span}; got {tuple(boxes[empty][0].tolist())}."
        )
    labels = _labels(point_labels, len(points))
    if len(points) and not labels.any() and not len(boxes):
        raise ValueError(
            "Expected a point labelled 1 or a box, got only points labelled 0. Point "
            "at what you want, or leave out points for a search without prompts."
        )
    return Prompts(points, labels, cut.reshape(-1, 4))


def _labels(values: npt.ArrayLike | None, count: int) -> Ints:
    """A label of 0 or 1 for each of `count` points, 1 for None."""
    if values is None:
        return np.ones(count, np.int64)
    given = np.asarray(values)
    if given.shape != (count,) or not np.isin(given, (0, 1)).all():
        raise ValueError(
            f"Expected point_labels of 0 or 1, one for each of {count} points; got "
            f"{given.tolist()}."
        )
    return given.astype(np.int64)


def _table(
    values: npt.ArrayLike | None, columns: int, name: str, meaning: str, unit: str
) -> Array:
    """Finite numbers in rows, none for None."""
    table = np.zeros((0, columns)) if values is None else np.asarray(values, float)
    if table.ndim != 2 or table.shape[1] != columns or not np.isfinite(table).all():
        raise ValueError(
            f"Expected {name} as rows {meaning} of finite numbers in {unit}, got shape "
            f"{table.shape}: {np.array2string(table, threshold=8)}."
        )
    return table
