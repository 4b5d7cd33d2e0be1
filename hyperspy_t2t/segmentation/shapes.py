# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Which pixels lie in a shape that was drawn by hand.

A pixel belongs to a shape if its centre does. What a function says of a pixel does
not depend on the pixels it is asked about together with it, so that an image may be
treated in blocks.
"""

import numpy as np

from hyperspy_t2t.array_types import Array, Mask

_CORNERS = 32
"""Corners of the full circle that closes a line far outside the image."""


def inside_polygon(y: Array, x: Array, vertices: Array) -> Mask:
    """Pixels inside a polygon, by the even-odd rule.

    Along each row of pixels an edge that is crossed turns outside into inside and
    back, so that places which a polygon covers twice are outside.

    Parameters
    ----------
    y, x
        Positions of the pixel centres in nm, ascending, shapes (ny,) and (nx,).
    vertices
        Corners (x, y) in nm, shape (n, 2), n ≥ 3; the last is joined to the first.

    Returns
    -------
    ndarray
        True inside, shape (ny, nx). Pixels exactly on an edge are inside if the
        shape lies to the right of or below it.
    """
    turns = np.zeros((len(y), len(x) + 1), np.uint8)
    for ends in zip(vertices, np.roll(vertices, -1, axis=0), strict=True):
        # The same rounding for both polygons that share an edge.
        (x0, y0), (x1, y1) = sorted(map(tuple, ends))
        rows = np.flatnonzero((y0 > y) != (y1 > y))
        if len(rows):
            crossed = x0 + (y[rows] - y0) * (x1 - x0) / (y1 - y0)
            turns[rows, np.searchsorted(x, crossed)] ^= 1
    return np.bitwise_xor.accumulate(turns[:, :-1], axis=1).astype(bool)


def inside_ring(
    y: Array, x: Array, centre: tuple[float, float], radius: float, inner: float = 0.0
) -> Mask:
    """Pixels inside a circle and not inside a smaller one.

    Parameters
    ----------
    y, x
        Positions of the pixel centres in nm, shapes (ny,) and (nx,).
    centre
        (x, y) in nm.
    radius, inner
        Radii in nm; a pixel at either distance belongs to the ring.
    """
    distance = np.hypot(x[None, :] - centre[0], y[:, None] - centre[1])
    # A circle of 1 nm reaches a pixel at 10 × 0.1 nm in spite of rounding.
    slack = 1e-9 * radius
    return (distance <= radius + slack) & (distance >= inner - slack)


def left_of_line(points: Array, *, reach: float) -> Array:
    """Polygon around everything to the left of a line.

    The first and the last part of the line go on straight to infinity; the polygon
    is closed around the left side far outside the image. Left is seen along the
    line from its first point on, with y pointing down.

    Parameters
    ----------
    points
        Points (x, y) in nm of a line with one part or more, shape (n, 2), n ≥ 2.
    reach
        Distance in nm from the line's first point within which sides are asked for.

    Returns
    -------
    ndarray
        Corners (x, y) in nm, shape (m, 2).
    """
    far = 10.0 * (reach + float(np.ptp(points, axis=0).sum()))
    first, last = points[0] - points[1], points[-1] - points[-2]
    start = points[0] + far * first / np.linalg.norm(first)
    end = points[-1] + far * last / np.linalg.norm(last)
    # Angles from +x towards +y grow to the right of a line that runs outwards.
    (begin, stop) = (np.arctan2(*(p - points[0])[::-1]) for p in (end, start))
    turn = (begin - stop) % (2 * np.pi)
    angles = begin - np.linspace(0, turn, _CORNERS)[1:-1]
    around = points[0] + 2 * far * np.stack([np.cos(angles), np.sin(angles)], axis=-1)
    return np.concatenate([[start], points, [end], around])
