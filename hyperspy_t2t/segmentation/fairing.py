# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""The smoothest course of a line whose points may move a little."""

import numba
import numpy as np

from hyperspy_t2t.array_types import Array

REACH = 0.49
"""How far a point may move, in multiples of its way."""
BENDING = 150.0
"""Weight of the bending energy in px³."""
_SHARP = 1.0
_WINDOW = 1.6
"""No bending energy where the line turns more (rad) within this distance (px)."""
_COURSES, _STEPS = 3, 5
_AVERAGES = (8, 2)
"""Binomial averages of the course that the angles refer to: first and later."""
_SMALLEST_TURN = 1e-3
_SMALLEST_STEP = 0.2
_WALL = 20.0
_STILL = 1e-3


@numba.njit(cache=True)
def fair(middles: Array, ways: Array, stiffness: Array) -> Array:
    """Displacements that make a line smooth.

    Parameters
    ----------
    middles
        Points (x, y) of the line in pixels, shape (n, 2).
    ways
        Vector along which each point may move, by at most :data:`REACH` times its
        length, shape (n, 2); zero for a point that stays.
    stiffness
        μ: weight of the turning angle at each point in px³, shape (n,).

    Returns
    -------
    ndarray
        t, shape (n,): point k moves by t[k]·ways[k].

    Notes
    -----
    Minimises ½ ∫ d² ds + Σ μ|θ| + ½ ν ∫ κ² ds over t with |t| ≤ REACH; d is the
    distance to the middles, θ the turning angles, κ the curvature and ν
    :data:`BENDING`, 0 where the line turns sharply. Angles are linear in t near a
    smoothed copy of the line, which is renewed; their absolute values and the bounds
    are reweighted squares [1]_, so each step solves a system of five diagonals.

    References
    ----------
    .. [1] Daubechies et al., Commun. Pure Appl. Math. 63 (2010) 1,
       https://doi.org/10.1002/cpa.20303
    """
    count = len(middles)
    moved, before = np.zeros(count), np.zeros(count)
    if count < 3:
        return moved
    line, along, off = np.empty((count, 2)), np.empty(count), np.empty(count)
    for course in range(_COURSES):
        for k in range(count):
            line[k, 0] = middles[k, 0] + moved[k] * ways[k, 0]
            line[k, 1] = middles[k, 1] + moved[k] * ways[k, 1]
        _average(line, _AVERAGES[min(course, 1)])
        spacing, turns, normals = _geometry(line)
        for k in range(count):
            x, y = normals[k]
            along[k] = x * ways[k, 0] + y * ways[k, 1]
            off[k] = x * (middles[k, 0] - line[k, 0]) + y * (middles[k, 1] - line[k, 1])
        bending = _bending(spacing, turns) if course else np.zeros(count)
        for _ in range(_STEPS):
            before = moved
            moved = _step(moved, along, off, spacing, turns, stiffness, bending)
            if _largest_change(before, moved) < _STILL:
                break
        for k in range(count):
            moved[k] = min(max(moved[k], -REACH), REACH)
    return moved


@numba.njit(cache=True)
def _largest_change(before: Array, after: Array) -> float:
    largest = 0.0
    for k in range(len(before)):
        largest = max(largest, abs(after[k] - before[k]))
    return largest


@numba.njit(cache=True)
def _average(line: Array, times: int) -> None:
    """Replace inner points by binomial averages (1, 2, 1) / 4."""
    for _ in range(times):
        x0, y0 = line[0]
        for k in range(1, len(line) - 1):
            x, y = line[k]
            line[k, 0] = (x0 + 2 * x + line[k + 1, 0]) / 4
            line[k, 1] = (y0 + 2 * y + line[k + 1, 1]) / 4
            x0, y0 = x, y


@numba.njit(cache=True)
def _geometry(line: Array) -> tuple[Array, Array, Array]:
    """Spacing (n - 1,), turning angles (n,) and unit normals (n, 2)."""
    count = len(line)
    spacing, turns = np.empty(count - 1), np.zeros(count)
    normals = np.empty((count, 2))
    for k in range(count):
        first, last = max(k - 1, 0), min(k + 1, count - 1)
        x, y = line[last] - line[first]
        length = np.hypot(x, y) + 1e-12
        normals[k, 0], normals[k, 1] = -y / length, x / length
        if k > 0:
            ax, ay = line[k] - line[k - 1]
            spacing[k - 1] = max(np.hypot(ax, ay), _SMALLEST_STEP)
            if k < count - 1:
                bx, by = line[k + 1] - line[k]
                turns[k] = np.arctan2(ax * by - ay * bx, ax * bx + ay * by)
    return spacing, turns, normals


@numba.njit(cache=True)
def _bending(spacing: Array, turns: Array) -> Array:
    """Weight of each squared angle, small where the line turns sharply."""
    count = len(turns)
    weights = np.zeros(count)
    for k in range(1, count - 1):
        total = turns[k]
        for step in (-1, 1):
            at, distance = k, 0.0
            while 0 < at + step < count - 1:
                distance += spacing[min(at, at + step)]
                if distance > _WINDOW:
                    break
                at += step
                total += turns[at]
        length = (spacing[k - 1] + spacing[k]) / 2
        weights[k] = BENDING / length / (1 + (total / _SHARP) ** 4)
    return weights


@numba.njit(cache=True)
def _step(
    moved: Array,
    along: Array,
    off: Array,
    spacing: Array,
    turns: Array,
    stiffness: Array,
    bending: Array,
) -> Array:
    """Solve once with the weights of the present displacements."""
    count = len(moved)
    bands, right = np.zeros((3, count)), np.zeros(count)
    for k in range(count):
        before = spacing[k - 1] if k > 0 else 0.0
        after = spacing[k] if k < count - 1 else 0.0
        bands[0, k] += (before + after) / 2 * max(abs(along[k]), 0.2) ** 2
        if abs(moved[k]) > REACH:
            bands[0, k] += _WALL
            right[k] += _WALL * np.sign(moved[k]) * REACH
        if k == 0 or k == count - 1:
            continue
        inward, outward = 1 / before, 1 / after
        slopes = (
            inward * along[k - 1],
            -(inward + outward) * along[k],
            outward * along[k + 1],
        )
        rest = (
            turns[k] + inward * (off[k - 1] - off[k]) + outward * (off[k + 1] - off[k])
        )
        angle = rest
        for i in range(3):
            angle += slopes[i] * moved[k - 1 + i]
        weight = stiffness[k] / max(abs(angle), _SMALLEST_TURN) + bending[k]
        for i in range(3):
            right[k - 1 + i] -= weight * slopes[i] * rest
            for j in range(i, 3):
                bands[j - i, k - 1 + i] += weight * slopes[i] * slopes[j]
    return _solved(bands, right)


@numba.njit(cache=True)
def _solved(bands: Array, right: Array) -> Array:
    """Solution of a symmetric system with diagonals 0, 1, 2, by LDLᵀ, in place."""
    count = len(right)
    for k in range(count):
        if k > 0:
            bands[0, k] -= bands[1, k - 1] ** 2 * bands[0, k - 1]
            right[k] -= bands[1, k - 1] * right[k - 1]
            if k > 1:
                bands[0, k] -= bands[2, k - 2] ** 2 * bands[0, k - 2]
                right[k] -= bands[2, k - 2] * right[k - 2]
            bands[1, k] -= bands[2, k - 1] * bands[1, k - 1] * bands[0, k - 1]
        bands[1, k] /= bands[0, k]
        bands[2, k] /= bands[0, k]
    for k in range(count - 1, -1, -1):
        right[k] /= bands[0, k]
        if k < count - 1:
            right[k] -= bands[1, k] * right[k + 1]
        if k < count - 2:
            right[k] -= bands[2, k] * right[k + 2]
    return right
