# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Compiled loops that make cubic B-splines and evaluate them at millions of pixels.

The splines are separable: each line of coefficients is interpolated along x once, and
each line of pixels is a sum of four of these. Nothing larger than a few lines is held.
An axis is given by the first of four coefficients of each pixel and their weights,
shapes (n,) and (n, 4).
"""

import numba
import numpy as np

from hyperspy_t2t.array_types import Array, Bools, Ints

AS_THEY_ARE, NOT_NEGATIVE, REFERENCE, GPA, POLAR = range(5)
"""What :func:`fill_pixels` makes of the values of a pixel."""


@numba.njit(cache=True, nogil=True)
def natural_coefficients(samples: Array) -> Array:
    """Coefficients (n, ny + 2, nx + 2) of splines through samples (n, ny, nx).

    At the border they have no curvature: they go straight on.
    """
    fields, ny, nx = samples.shape
    result = np.zeros((fields, ny + 2, nx + 2))
    for field in range(fields):
        turned = np.zeros((nx + 2, ny + 2))
        for j in range(nx):
            for i in range(ny):
                turned[j + 1, i + 1] = samples[field, i, j]
        _solve(turned)
        for i in range(ny + 2):
            for j in range(nx + 2):
                result[field, i, j] = turned[j, i]
        _solve(result[field])
    return result


@numba.njit(cache=True, nogil=True)
def _solve(lines: Array) -> None:
    """c[i − 1] + 4 c[i] + c[i + 1] = 6 f[i] along the first axis, in place.

    Without curvature at the ends, the coefficients there are the samples themselves.
    """
    last = len(lines) - 2
    factor = np.zeros(last + 1)
    for i in range(2, last):
        factor[i] = 1 / (4 - factor[i - 1])
        for j in range(lines.shape[1]):
            lines[i, j] = (6 * lines[i, j] - lines[i - 1, j]) * factor[i]
    for i in range(last - 1, 1, -1):
        for j in range(lines.shape[1]):
            lines[i, j] -= factor[i] * lines[i + 1, j]
    inner = min(2, last)
    for j in range(lines.shape[1]):
        lines[0, j] = 2 * lines[1, j] - lines[inner, j]
        lines[last + 1, j] = 2 * lines[last, j] - lines[last + 1 - inner, j]


@numba.njit(cache=True, nogil=True)
def _along_x(
    coefficients: Array, row: int, first: Ints, weight: Array, ring: Array, held: Ints
) -> None:
    """Four lines of coefficients from `row` on at each pixel of x, into a ring of four.

    `ring` has the shape (fields, 4, nx); `held` says which lines it holds already.
    """
    for line in range(row, row + 4):
        slot = line % 4
        if held[slot] == line:
            continue
        held[slot] = line
        for field in range(len(coefficients)):
            source, target = coefficients[field, line], ring[field, slot]
            for j in range(len(first)):
                k = first[j]
                target[j] = (
                    weight[j, 0] * source[k]
                    + weight[j, 1] * source[k + 1]
                    + weight[j, 2] * source[k + 2]
                    + weight[j, 3] * source[k + 3]
                )


@numba.njit(cache=True, nogil=True)
def _along_y(ring: Array, row: int, weight: Array, line: Array) -> None:
    """One line of pixels of all fields, shape (fields, nx), from a ring of four."""
    for field in range(len(line)):
        a, b = ring[field, row % 4], ring[field, (row + 1) % 4]
        c, d = ring[field, (row + 2) % 4], ring[field, (row + 3) % 4]
        target = line[field]
        for j in range(len(target)):
            target[j] = (
                weight[0] * a[j]
                + weight[1] * b[j]
                + weight[2] * c[j]
                + weight[3] * d[j]
            )


@numba.njit(cache=True, nogil=True)
def fill_grid(
    coefficients: Array, rows: Ints, along_y: Array, columns: Ints, along_x: Array,
    result: Array,
) -> None:  # fmt: skip
    """Values of all fields at all pixels into `result`, shape (fields, ny, nx)."""
    ring = np.empty((len(coefficients), 4, len(columns)))
    line = np.empty((len(coefficients), len(columns)))
    held = np.full(4, -1)
    for i in range(len(rows)):
        _along_x(coefficients, rows[i], columns, along_x, ring, held)
        _along_y(ring, rows[i], along_y[i], line)
        for field in range(len(line)):
            for j in range(len(columns)):
                result[field, i, j] = line[field, j]


@numba.njit(cache=True, nogil=True)
def fill_pixels(
    coefficients: Array, rows: Ints, along_y: Array, columns: Ints, along_x: Array,
    labels: Ints, members: Bools, faintest: float,
    kind: int, result: Array, fresh: bool,
) -> None:  # fmt: skip
    """What a lattice says of its pixels into `result`, (n, ny, nx), line by line.

    Parameters
    ----------
    coefficients
        Of the amplitude and n other fields, shape (n + 1, …), see
        :func:`natural_coefficients`.
    rows, along_y, columns, along_x
        The axes.
    labels, members
        Label of each pixel, and whether a label belongs to the lattice.
    faintest
        Amplitude that a pixel must exceed to be known.
    kind
        The constant for what is given: the fields themselves or, from
        β = ∂u/∂r as xx, xy, yx, yy, the components of strain.
    fresh
        Whether other pixels become NaN; else they stay as they are.
    """
    ring = np.empty((len(coefficients), 4, len(columns)))
    held = np.full(4, -1)
    line = np.empty((len(coefficients), len(columns)))
    member = np.empty(len(columns), np.bool_)
    for i in range(len(rows)):
        low, high = len(columns), 0
        for j in range(len(columns)):
            member[j] = _is_member(labels[i, j], members)
            if member[j]:
                low, high = min(low, j), j + 1
        if high > 0:
            _along_x(coefficients, rows[i], columns, along_x, ring, held)
            _along_y(ring, rows[i], along_y[i], line)
            _convert(line[1:], low, high, kind)
            for j in range(len(columns)):
                member[j] = member[j] and line[0, j] > faintest
        for n in range(len(result)):
            if fresh:
                for j in range(len(columns)):
                    result[n, i, j] = line[n + 1, j] if member[j] else np.nan
            else:
                for j in range(low, high):
                    if member[j]:
                        result[n, i, j] = line[n + 1, j]


@numba.njit(cache=True, nogil=True)
def _is_member(label: int, members: Bools) -> bool:
    return 0 <= label < len(members) and members[label]


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _convert(values: Array, low: int, high: int, kind: int) -> None:
    """Values of one line, shape (n, nx), as `kind` wants them, in place."""
    if kind == NOT_NEGATIVE:
        for field in values:
            for j in range(low, high):
                field[j] = 0.0 if field[j] < 0.0 else field[j]
    elif kind != AS_THEY_ARE:
        xx, xy, yx, yy = values[0], values[1], values[2], values[3]
        if kind != GPA:
            _deformation(xx, xy, yx, yy, low, high)
        if kind == POLAR:
            _polar(xx, xy, yx, yy, low, high)
        else:
            for j in range(low, high):
                shear, turn = 0.5 * (xy[j] + yx[j]), 0.5 * (yx[j] - xy[j])
                xy[j], yx[j], yy[j] = yy[j], shear, turn


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _deformation(
    xx: Array, xy: Array, yx: Array, yy: Array, low: int, high: int
) -> None:
    """F − I from β in place, F = (I − β)⁻¹."""
    for j in range(low, high):
        a, b, c, d = 1 - xx[j], -xy[j], -yx[j], 1 - yy[j]
        scale = 1 / (a * d - b * c)
        xx[j], xy[j] = d * scale - 1, -b * scale
        yx[j], yy[j] = -c * scale, a * scale - 1


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _polar(xx: Array, xy: Array, yx: Array, yy: Array, low: int, high: int) -> None:
    """Stretch (xx, yy, xy) − I and angle from F − I in place."""
    for j in range(low, high):
        a, b, c, d = 1 + xx[j], xy[j], yx[j], 1 + yy[j]
        along, across = a + d, c - b
        length = np.hypot(along, across)
        cosine, sine = along / length, across / length
        xx[j] = cosine * a + sine * c - 1
        xy[j] = cosine * d - sine * b - 1
        yx[j] = 0.5 * (cosine * (b + c) + sine * (d - a))
        yy[j] = np.arctan2(across, along)


@numba.njit(cache=True, nogil=True)
def values_at(coefficients: Array, rows: Array, columns: Array, result: Array) -> None:
    """Values of all fields at scattered places into `result`, shape (fields, n).

    Parameters
    ----------
    coefficients
        See :func:`natural_coefficients`.
    rows, columns
        Fractional, in samples; those beyond the border count as on it. Shape (n,).
    """
    ny, nx = coefficients.shape[1] - 2, coefficients.shape[2] - 2
    along_y, along_x = np.empty(4), np.empty(4)
    for n in range(len(rows)):
        if not (rows[n] == rows[n] and columns[n] == columns[n]):
            result[:, n] = np.nan
            continue
        i = _weights(rows[n], ny, along_y)
        j = _weights(columns[n], nx, along_x)
        for field in range(len(coefficients)):
            total = 0.0
            for a in range(4):
                line = coefficients[field, i + a]
                total += along_y[a] * (
                    along_x[0] * line[j]
                    + along_x[1] * line[j + 1]
                    + along_x[2] * line[j + 2]
                    + along_x[3] * line[j + 3]
                )
            result[field, n] = total


@numba.njit(cache=True, nogil=True)
def _weights(position: float, size: int, weight: Array) -> int:
    """Four cubic B-spline weights at a place, and the first coefficient they are of."""
    position = min(max(position, 0.0), size - 1.0)
    first = min(int(position), size - 2)
    t = position - first
    s = 1 - t
    weight[0] = s * s * s / 6
    weight[1] = (4 - 6 * t * t + 3 * t * t * t) / 6
    weight[2] = (4 - 6 * s * s + 3 * s * s * s) / 6
    weight[3] = t * t * t / 6
    return first
