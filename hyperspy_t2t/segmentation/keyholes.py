# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""A polygon with holes as one closed line."""

from collections.abc import Sequence

import numpy as np

from hyperspy_t2t.array_types import Array


def keyhole(outer: Array, holes: Sequence[Array]) -> Array:
    """Join holes to an outer outline by cuts of no width.

    Each hole is cut open at its leftmost point, from where the cut runs to the left
    and back on the same way. Points are inside the one line by the even-odd rule
    exactly if they are inside the polygon with its holes.

    Parameters
    ----------
    outer, holes
        Closed polygons (n, 2) with the first point repeated at the end.

    Returns
    -------
    ndarray
        Points (n, 2) of the line, the first not repeated.
    """
    line = outer[:-1]
    for hole in sorted(holes, key=lambda hole: hole[:, 0].min()):
        hole = hole[:-1]
        hole = np.roll(hole, -int(hole[:, 0].argmin()), axis=0)
        edge, meeting = _to_the_left(line, hole[0])
        cut = np.concatenate([[meeting], hole, hole[:1], [meeting]])
        line = np.concatenate([line[: edge + 1], cut, line[edge + 1 :]])
    return line


def _to_the_left(line: Array, point: Array) -> tuple[int, Array]:
    """Number of the first edge to the left of a point, and where it is met."""
    x, y = point
    (x0, y0), (x1, y1) = line.T, np.roll(line, -1, axis=0).T
    with np.errstate(divide="ignore", invalid="ignore"):
        crossing = x0 + (y - y0) * (x1 - x0) / (y1 - y0)
    met = ((y0 <= y) != (y1 <= y)) & (crossing <= x)
    if not met.any():  # the hole touches the line right here
        edge = int(np.hypot(x0 - x, y0 - y).argmin())
        return edge, line[edge]
    edge = int(np.where(met, crossing, -np.inf).argmax())
    return edge, np.array([crossing[edge], y])
