# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Where and how bright columns are imaged: Gaussians fitted to all of them at once.

The image less its background is Σ_j T_j P(r − r_j − δ_j) with the Gaussian P of the
probe: least squares for the brightness T and the displacement δ of every column, three
unknowns each. Columns are fitted one after the other to what the others leave, again
and again (block Gauss-Seidel on the normal equations, which always converges), so that
overlapping neighbours don't pull at each other. Columns closer than the probe resolves
move together and keep their shares: one group.

The standard errors are those of the noise alone, from the normal equations N of a group
and its neighbours: the inverse of N_gg − Σ_k N_gk N_kk⁻¹ N_kg, in which only what the
neighbours share among themselves is left out. Of a lone column without background they
are σ/√N for N counts.
"""

from dataclasses import dataclass

import numba
import numpy as np
import numpy.typing as npt

from hyperspy_t2t.array_types import Array, Bools, Ints
from hyperspy_t2t.calibration import ImageGrid
from hyperspy_t2t.imaging.linear_image import REACH, gaussian_line, window

RESOLVED = 2.0
"""Two equal Gaussians nearer than this in units of σ show no dip between them.
Sparrow, Astrophys. J. 44 (1916) 76, https://doi.org/10.1086/142271."""
_STEP = 0.5
"""Largest step of one sweep in units of σ."""
_OVERLAP = 4.0
"""Columns nearer than this in units of σ know of each other's errors."""
_SINGULAR = 1e-6
"""Least determinant of a normal matrix with ones on its diagonal."""
_DONE = 1e-3
"""Steps below this in units of σ end the sweeps."""
FAINT = 4.0
"""σ over the standard error of a position below which that is not measured: about the
brightness over its own. A fit that looks around finds 3 in noise alone."""


@dataclass(frozen=True)
class Groups:
    """Columns that are fitted as one; n columns in m groups.

    Parameters
    ----------
    member
        Indices of columns, group after group, shape (n,).
    offsets
        First member of each group and n, shape (m + 1,).
    of_column
        Group of each column, shape (n,).
    """

    member: Ints
    offsets: Ints
    of_column: Ints


@dataclass(frozen=True)
class FittedColumns:
    """What was found, for m groups.

    Parameters
    ----------
    brightness
        T in grey levels times nm², shape (m,).
    shift
        δ in nm, imaged less given, shape (m, 2).
    brightness_std, shift_std
        Standard errors by noise, shapes (m,) and (m, 2); infinite where a group is
        not in the picture.
    """

    brightness: Array
    shift: Array
    brightness_std: Array
    shift_std: Array

    def measured(self, probe: float) -> Bools:
        """Groups whose position is known to a part of the probe's σ, shape (m,)."""
        return self.shift_std.max(axis=1) < probe / FAINT


def resolvable_groups(xy: Array, distance: float) -> Groups:
    """Columns with all that lie closer than `distance` and are not taken yet.

    Groups stay smaller than twice the distance, also in a crystal none of whose
    columns is resolved.
    """
    from scipy.spatial import cKDTree

    pairs = cKDTree(xy).query_pairs(distance, output_type="ndarray")
    of_column = _taken(*_neighbours(pairs, len(xy)))
    member = np.argsort(of_column, kind="stable")
    counts = np.bincount(of_column)
    return Groups(member, np.concatenate([[0], np.cumsum(counts)]), of_column)


def _neighbours(pairs: Ints, count: int) -> tuple[Ints, Ints]:
    """Neighbours of each of `count` things: where its own start, and all of them."""
    both = np.unique(np.concatenate([pairs, pairs[:, ::-1]]), axis=0)
    starts = np.searchsorted(both[:, 0], np.arange(count + 1))
    return starts, np.ascontiguousarray(both[:, 1])


def _overlapping(xy: Array, groups: Groups, distance: float) -> tuple[Ints, Ints]:
    """Neighbours of groups with columns nearer than `distance`."""
    from scipy.spatial import cKDTree

    pairs = cKDTree(xy).query_pairs(distance, output_type="ndarray")
    pairs = groups.of_column[pairs]
    pairs = pairs[pairs[:, 0] != pairs[:, 1]]
    return _neighbours(pairs, len(groups.offsets) - 1)


@numba.njit(cache=True)
def _taken(starts: Ints, neighbour: Ints) -> Ints:
    """Group of each point: the first one that takes it."""
    group = np.full(len(starts) - 1, -1, np.int64)
    count = 0
    for n in range(len(group)):
        if group[n] >= 0:
            continue
        group[n] = count
        for k in range(starts[n], starts[n + 1]):
            if group[neighbour[k]] < 0:
                group[neighbour[k]] = count
        count += 1
    return group


def fit_columns(
    image: Array,
    weight: Array,
    grid: ImageGrid,
    xy: Array,
    share: Array,
    groups: Groups,
    probe: float,
    *,
    start: FittedColumns,
    free: Bools,
    limit: float,
    sweeps: int,
) -> FittedColumns:
    """Brightness and displacement of all groups of columns.

    Parameters
    ----------
    image
        Grey levels less the background, shape (ny, nx).
    weight
        One over the variance at each pixel, 0 where it doesn't count.
    grid
        Pixels.
    xy
        Columns in nm, shape (n, 2).
    share
        Of its group's brightness, 1 in sum over a group, shape (n,).
    groups
        Of columns.
    probe
        σ in nm.
    start
        Where to begin; its standard errors are not used.
    free
        Groups that are fitted; others stay as they are, shape (m,).
    limit
        Largest displacement along x and y in nm.
    sweeps
        At most.
    """
    rows, columns = grid.to_pixels(xy)
    pixel = np.array(grid.pixel_size)
    sy, sx = probe / pixel
    norm = 2 * np.pi * sy * sx
    state = np.empty((len(start.brightness), 3))  # peak, rows, columns
    state[:, 0] = start.brightness / pixel.prod() / norm
    state[:, 1:] = start.shift[:, ::-1] / pixel
    order = groups.member
    places = np.stack([rows[order], columns[order]], -1)
    shares = np.ascontiguousarray(share[order], float)
    rest = np.array(image, float)
    offsets = groups.offsets.astype(np.int64)
    _draw(rest, places, shares, offsets, state, sy, sx)
    limits = limit / pixel
    for _ in range(sweeps):
        step = _sweep(
            rest, weight, places, shares, offsets, state, free, limits, sy, sx
        )
        if step < _DONE:
            break
    std = _standard_errors(
        weight, places, shares, offsets, state, free, sy, sx,
        *_overlapping(xy, groups, _OVERLAP * probe),
    )  # fmt: skip
    to_brightness = pixel.prod() * norm
    return FittedColumns(
        state[:, 0] * to_brightness,
        (state[:, 1:] * pixel)[:, ::-1],
        std[:, 0] * to_brightness,
        (std[:, 1:] * pixel)[:, ::-1],
    )


@numba.njit(cache=True, nogil=True)
def _frame(
    places: Array, shift: Array, shape: tuple[int, int], sy: float, sx: float
) -> tuple[int, int, int, int]:
    """Box (top, bottom, left, right) of all members of a group."""
    top, left, bottom, right = shape[0], shape[1], 0, 0
    for place in places:
        first, last = window(place[0] + shift[0], REACH * sy, shape[0])
        top, bottom = min(top, first), max(bottom, last)
        first, last = window(place[1] + shift[1], REACH * sx, shape[1])
        left, right = min(left, first), max(right, last)
    return top, max(top, bottom), left, max(left, right)


@numba.njit(cache=True, nogil=True)
def _profile(
    places: Array, shares: Array, shift: Array, box: tuple[int, int, int, int],
    sy: float, sx: float, profile: Array,
) -> None:  # fmt: skip
    """Sum of the members' Gaussians and its derivatives by the shift, (3, h, w)."""
    top, bottom, left, right = box
    tall, wide = np.empty(bottom - top), np.empty(right - left)
    profile[:] = 0
    for n in range(len(places)):
        y, x = places[n, 0] + shift[0], places[n, 1] + shift[1]
        gaussian_line(y, sy, top, tall)
        gaussian_line(x, sx, left, wide)
        for i in range(bottom - top):
            factor = shares[n] * tall[i]
            slope = (top + i - y) / (sy * sy)
            for j in range(right - left):
                value = factor * wide[j]
                profile[0, i, j] += value
                profile[1, i, j] += value * slope
                profile[2, i, j] += value * (left + j - x) / (sx * sx)


@numba.njit(cache=True, nogil=True)
def _draw(
    rest: Array, places: Array, shares: Array, offsets: Ints, state: Array,
    sy: float, sx: float,
) -> None:  # fmt: skip
    """Take all groups from the image, in place."""
    for g in range(len(state)):
        members = slice(offsets[g], offsets[g + 1])
        box = _frame(places[members], state[g, 1:], rest.shape, sy, sx)
        profile = np.empty((3, box[1] - box[0], box[3] - box[2]))
        _profile(places[members], shares[members], state[g, 1:], box, sy, sx, profile)
        for i in range(profile.shape[1]):
            for j in range(profile.shape[2]):
                rest[box[0] + i, box[2] + j] -= state[g, 0] * profile[0, i, j]


@numba.njit(cache=True, nogil=True)
def _normal(
    rest: Array, weight: Array, box: tuple[int, int, int, int], profile: Array,
    peak: float,
) -> tuple[Array, Array]:  # fmt: skip
    """Normal equations of one group: matrix (3, 3) and right side (3,)."""
    matrix, right = np.zeros((3, 3)), np.zeros(3)
    derivative = np.empty(3)
    for i in range(profile.shape[1]):
        for j in range(profile.shape[2]):
            w = weight[box[0] + i, box[2] + j]
            if w == 0:
                continue
            derivative[0] = profile[0, i, j]
            derivative[1] = peak * profile[1, i, j]
            derivative[2] = peak * profile[2, i, j]
            value = w * rest[box[0] + i, box[2] + j]
            for a in range(3):
                right[a] += derivative[a] * value
                for b in range(a, 3):
                    matrix[a, b] += w * derivative[a] * derivative[b]
    for a in range(3):
        for b in range(a):
            matrix[a, b] = matrix[b, a]
    return matrix, right


@numba.njit(cache=True, nogil=True)
def _sweep(
    rest: Array, weight: Array, places: Array, shares: Array, offsets: Ints,
    state: Array, free: npt.NDArray, limits: Array, sy: float, sx: float,
) -> float:  # fmt: skip
    """Fit each group once to what the others leave; `rest` and `state` in place.

    Returns the root mean square step in units of σ.
    """
    total = 0.0
    for g in range(len(state)):
        if not free[g]:
            continue
        members = slice(offsets[g], offsets[g + 1])
        own, part = places[members], shares[members]
        before, shift = state[g, 0], state[g, 1:]
        box = _frame(own, shift, rest.shape, sy, sx)
        profile = np.empty((3, box[1] - box[0], box[3] - box[2]))
        _profile(own, part, shift, box, sy, sx, profile)
        matrix, right = _normal(rest, weight, box, profile, before)
        inverse = _inverse(matrix)
        step = np.ascontiguousarray(inverse) @ right
        far = max(abs(step[1]) / sy, abs(step[2]) / sx)
        shrink = min(1.0, _STEP / far) if far > 0 else 1.0
        total += (shrink * far) ** 2
        _put(rest, box, profile, before)
        state[g, 0] += step[0]
        for a in range(2):
            moved = shift[a] + shrink * step[a + 1]
            shift[a] = min(max(moved, -limits[a]), limits[a])
        box = _frame(own, shift, rest.shape, sy, sx)
        profile = np.empty((3, box[1] - box[0], box[3] - box[2]))
        _profile(own, part, shift, box, sy, sx, profile)
        _put(rest, box, profile, -state[g, 0])
    return np.sqrt(total / max(1, len(state)))


@numba.njit(cache=True, nogil=True)
def _inverse(matrix: Array) -> Array:
    """Of a normal matrix (3, 3); zeros where it has none."""
    scale = np.sqrt(np.maximum(np.diag(matrix), 0.0))
    if scale.min() <= 0:
        return np.zeros((3, 3))
    scaled: Array = np.empty((3, 3))
    for a in range(3):
        for b in range(3):
            scaled[a, b] = matrix[a, b] / (scale[a] * scale[b])
    if np.linalg.det(scaled) < _SINGULAR:
        return np.zeros((3, 3))
    scaled = np.linalg.inv(scaled)
    for a in range(3):
        for b in range(3):
            scaled[a, b] /= scale[a] * scale[b]
    return scaled


@numba.njit(cache=True, nogil=True)
def _derivatives(
    g: int, box: tuple[int, int, int, int], places: Array, shares: Array,
    offsets: Ints, state: Array, sy: float, sx: float,
) -> Array:  # fmt: skip
    """Of the image by peak, row and column of a group, in a box, (3, h, w)."""
    members = slice(offsets[g], offsets[g + 1])
    result = np.empty((3, box[1] - box[0], box[3] - box[2]))
    _profile(places[members], shares[members], state[g, 1:], box, sy, sx, result)
    result[1:] *= state[g, 0]
    return result


@numba.njit(cache=True, nogil=True)
def _shared(
    weight: Array, box: tuple[int, int, int, int], first: Array, second: Array
) -> Array:
    """Weighted sums of products of derivatives in a box, (3, 3)."""
    result = np.zeros((3, 3))
    for i in range(first.shape[1]):
        for j in range(first.shape[2]):
            w = weight[box[0] + i, box[2] + j]
            for a in range(3):
                factor = w * first[a, i, j]
                for b in range(3):
                    result[a, b] += factor * second[b, i, j]
    return result


@numba.njit(cache=True, nogil=True)
def _standard_errors(
    weight: Array, places: Array, shares: Array, offsets: Ints, state: Array,
    free: npt.NDArray, sy: float, sx: float, starts: Ints, neighbour: Ints,
) -> Array:  # fmt: skip
    """Of peak, row and column of each group beside its neighbours, (m, 3)."""
    own, inverse = np.zeros((len(state), 3, 3)), np.zeros((len(state), 3, 3))
    for g in range(len(state)):
        if free[g]:
            members = slice(offsets[g], offsets[g + 1])
            box = _frame(places[members], state[g, 1:], weight.shape, sy, sx)
            slope = _derivatives(g, box, places, shares, offsets, state, sy, sx)
            own[g] = _shared(weight, box, slope, slope)
            inverse[g] = _inverse(own[g])
    std = np.full((len(state), 3), np.inf)
    for g in range(len(state)):
        if inverse[g, 0, 0] <= 0:
            continue
        members = slice(offsets[g], offsets[g + 1])
        box = _frame(places[members], state[g, 1:], weight.shape, sy, sx)
        slope = _derivatives(g, box, places, shares, offsets, state, sy, sx)
        known = np.zeros((3, 3))
        for k in neighbour[starts[g] : starts[g + 1]]:
            other = _derivatives(k, box, places, shares, offsets, state, sy, sx)
            between = _shared(weight, box, slope, other)
            turned = np.ascontiguousarray(between.T)
            known += between @ np.ascontiguousarray(inverse[k]) @ turned
        # Neighbours that share much are counted twice: then by half, or not at all.
        for part in (1.0, 0.5, 0.0):
            spread = np.diag(_inverse(own[g] - part * known))
            if spread.min() > 0:
                std[g] = np.sqrt(spread)
                break
    return std


@numba.njit(cache=True, nogil=True)
def _put(
    rest: Array, box: tuple[int, int, int, int], profile: Array, factor: float
) -> None:
    """Add a multiple of a profile to the image, in place."""
    for i in range(profile.shape[1]):
        for j in range(profile.shape[2]):
            rest[box[0] + i, box[2] + j] += factor * profile[0, i, j]
