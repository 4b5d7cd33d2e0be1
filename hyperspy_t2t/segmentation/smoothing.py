# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Borders without the staircase of the pixels."""

from dataclasses import dataclass

import numba
import numpy as np

from hyperspy_t2t.array_types import Array, Bools, Ints
from hyperspy_t2t.segmentation.borders import OUTSIDE, Borders
from hyperspy_t2t.segmentation.fairing import REACH, fair

_STIFFNESS, _STIFFNESS_OF_RUN = 10.0, 0.01
"""Weight in px³ of the turning angle, and its growth with (straight run in px)²."""
_CORNER_RUN = 4
"""Two straight runs of at least this many pixel edges meet at a corner that stays."""
_END_POINTS = 6
"""Points at the end of a border that are continued to where borders meet."""
_HOLD = 0.05
_AREA_STEPS, _AREA_ERROR = 20, 1e-13
_LAP = 32
"""Points by which the two ends of an island's border overlap while it is smoothed."""


def smooth(borders: Borders, pixel_size: tuple[float, float]) -> tuple[Array, Ints]:
    """Smoothest course of each border that keeps every pixel centre on its side.

    Parameters
    ----------
    borders
        Of a label image.
    pixel_size
        (sy, sx); only their ratio matters.

    Returns
    -------
    points : ndarray
        (x, y) along the arcs, in pixels from the upper left corner of the image,
        shape (n, 2). The first and last point of an arc are its nodes; an island
        repeats its first point.
    offsets : ndarray
        Where each arc starts in `points`, and their number.

    Notes
    -----
    A point of the border stands on the line between the centres of each two pixels
    that it separates and may move along it by less than half a pixel, as in
    constrained nets [1]_. Whatever the displacements, borders cannot cross and no
    pixel centre changes sides. Of all such courses the one is taken that minimises

        ½ ∫ d² ds + Σ μ|θ| + ½ ν ∫ κ² ds

    with the distance d to the middles of the pixel edges, the turning angles θ and
    the curvature κ. The sum of absolute angles, as in ℓ₁ trend filtering [2]_, costs
    nothing for a convex outline but something for every stair; μ grows with the
    square of the length of a stair. The bending energy rounds what is left. Where
    two straight runs of four pixels or more meet, the border keeps its corner.

    Borders are smoothed with free ends first. Their continuations give the place of
    the triple point inside its pixel corner; an end at the frame stays on the frame.
    Last, every border moves sideways until the regions have the areas of their
    pixels, as far as the bounds allow.

    References
    ----------
    .. [1] Gibson, MICCAI (1998) 888, https://doi.org/10.1007/BFb0056277
    .. [2] Kim et al., SIAM Rev. 51 (2009) 339, https://doi.org/10.1137/070690274
    """
    unit = np.array(pixel_size[::-1]) / np.sqrt(np.prod(pixel_size))
    chains = _chains(borders, unit)
    free = _faired(chains, chains.homes, False)
    places = _meetings(chains, free, _movable(chains.homes, borders, unit), unit)
    moved = _faired(chains, places, True)
    points, ways, moved, offsets = _joined(chains, places, moved)
    _settle(
        points, ways, moved, offsets, chains.corners, chains.offsets, chains.at_frame
    )
    return points / unit, offsets


@dataclass(frozen=True, eq=False)
class _Chains:
    """The pixel edges of all arcs, in mean pixels, cut into pieces at joints.

    An edge has the index of the corner it leaves from. Joints are nodes and the
    corners that stay.

    Parameters
    ----------
    corners, middles, ways
        Corners, middles of the edges, and the vectors to the pixel centres on their
        left times two, shape (n, 2).
    stiffness
        Of each edge, shape (n,).
    joint
        Number of the joint at each corner, -1 elsewhere, shape (n,).
    homes
        Corners of the joints, shape (joints, 2).
    offsets
        Where each arc starts.
    at_frame
        Which arcs lie on the frame of the image.
    """

    corners: Array
    middles: Array
    ways: Array
    stiffness: Array
    joint: Ints
    homes: Array
    offsets: Ints
    at_frame: Bools


def _chains(borders: Borders, unit: Array) -> _Chains:
    offsets, nodes = borders.offsets, borders.nodes
    firsts, lasts = offsets[:-1], offsets[1:] - 1
    corners = borders.corners[:, ::-1]
    runs, stays = _runs(corners, firsts, lasts, nodes[:, 0] < 0)
    order = _from_a_corner(stays, offsets, nodes[:, 0] < 0)
    corners, runs, stays = corners[order].astype(float), runs[order], stays[order]
    steps = np.diff(corners, axis=0, append=corners[-1:])
    steps[lasts] = 0
    joint = np.where(stays, np.cumsum(stays) - 1 + nodes.max(initial=-1) + 1, -1)
    joint[lasts] = joint[firsts]
    ended = nodes[:, 0] >= 0
    joint[firsts[ended]], joint[lasts[ended]] = nodes[ended].T
    homes = np.zeros((joint.max(initial=-1) + 1, 2))
    homes[joint[joint >= 0]] = corners[joint >= 0]
    return _Chains(
        corners=corners * unit,
        middles=(corners + steps / 2) * unit,
        ways=np.stack([steps[:, 1], -steps[:, 0]], axis=1) * unit,
        stiffness=_STIFFNESS + _STIFFNESS_OF_RUN * runs**2.0,
        joint=joint,
        homes=homes * unit,
        offsets=offsets,
        at_frame=(borders.labels == OUTSIDE).any(axis=1),
    )


def _runs(
    corners: Ints, firsts: Ints, lasts: Ints, islands: Bools
) -> tuple[Ints, Bools]:
    """Length of the straight run of each edge; corners that are no nodes but stay."""
    steps = np.diff(corners, axis=0, append=corners[-1:])
    steps[lasts] = 0
    turned = (steps != np.roll(steps, 1, axis=0)).any(axis=1)
    turned[firsts] = True
    lengths = np.bincount(np.cumsum(turned) - 1)
    runs = lengths[np.cumsum(turned) - 1]
    runs[lasts] = 0
    long = runs >= _CORNER_RUN
    stays = turned & long & np.roll(long, 1)
    # An island starts at its uppermost corner, where it turns.
    stays[firsts] = islands & long[firsts] & long[lasts - 1]
    return runs, stays


@numba.njit(cache=True)
def _from_a_corner(stays: Bools, offsets: Ints, islands: Bools) -> Ints:
    """Order of the corners in which islands start at a corner that stays, if any."""
    order = np.arange(offsets[-1])
    for arc in np.nonzero(islands)[0]:
        first, last = offsets[arc], offsets[arc + 1] - 1
        for start in range(first, last):
            if stays[start]:
                for k in range(first, last + 1):
                    order[k] = first + (k - first + start - first) % (last - first)
                break
    return order


def _movable(homes: Array, borders: Borders, unit: Array) -> Bools:
    """Whether each joint may move along x and along y, shape (joints, 2)."""
    far = np.array(borders.shape[::-1]) * unit
    return (homes > unit / 2) & (homes < far - unit / 2)


def _faired(chains: _Chains, places: Array, fixed: bool) -> Array:
    """Displacement of each edge's middle; `fixed`: the pieces end at `places`."""
    return _faired_pieces(
        chains.middles,
        chains.ways,
        chains.stiffness,
        chains.joint,
        chains.offsets,
        chains.at_frame,
        places,
        fixed,
    )


@numba.njit(cache=True)
def _faired_pieces(
    middles: Array,
    ways: Array,
    stiffness: Array,
    joint: Ints,
    offsets: Ints,
    at_frame: Bools,
    places: Array,
    fixed: bool,
) -> Array:
    moved = np.zeros(len(middles))
    for arc in range(len(offsets) - 1):
        first, last = offsets[arc], offsets[arc + 1] - 1
        if at_frame[arc]:
            continue
        if joint[first] < 0:
            lap = min(2 * (last - first), _LAP)
            line, way, weight = _with_laps(
                middles[first:last], ways[first:last], stiffness[first:last], lap
            )
            moved[first:last] = fair(line, way, weight)[lap : lap + last - first]
            continue
        start = first
        while start < last:
            stop = start + 1
            while joint[stop] < 0:
                stop += 1
            if stop - start > 2:
                line, way = middles[start:stop], ways[start:stop]
                weight = stiffness[start:stop]
                if fixed:
                    line, way, weight = _with_ends(
                        line, way, weight, places[joint[start]], places[joint[stop]]
                    )
                ends = int(fixed)
                moved[start:stop] = fair(line, way, weight)[ends : ends + stop - start]
            start = stop
    return moved


@numba.njit(cache=True)
def _with_laps(
    line: Array, ways: Array, stiffness: Array, lap: int
) -> tuple[Array, Array, Array]:
    """A closed line that goes on beyond both ends."""
    size = len(line)
    count = size + 2 * lap
    longer, more, weights = np.empty((count, 2)), np.empty((count, 2)), np.empty(count)
    for k in range(count):
        at = (k - lap) % size
        longer[k, 0], longer[k, 1] = line[at, 0], line[at, 1]
        more[k, 0], more[k, 1] = ways[at, 0], ways[at, 1]
        weights[k] = stiffness[at]
    return longer, more, weights


@numba.njit(cache=True)
def _with_ends(
    line: Array, ways: Array, stiffness: Array, first: Array, last: Array
) -> tuple[Array, Array, Array]:
    """A piece with its two joints, which do not move."""
    count = len(line) + 2
    longer, still, weights = np.empty((count, 2)), np.zeros((count, 2)), np.ones(count)
    for axis in range(2):
        longer[0, axis], longer[count - 1, axis] = first[axis], last[axis]
        for k in range(len(line)):
            longer[k + 1, axis], still[k + 1, axis] = line[k, axis], ways[k, axis]
    for k in range(len(line)):
        weights[k + 1] = stiffness[k]
    return longer, still, weights


def _meetings(chains: _Chains, moved: Array, movable: Bools, unit: Array) -> Array:
    """Where the straight continuations of the pieces meet, near each joint."""
    line = chains.middles + moved[:, None] * chains.ways
    matrices, right = _continuations(
        line, chains.joint, chains.homes, chains.offsets, chains.at_frame
    )
    matrices = matrices + _HOLD * np.eye(2)
    both = movable.all(axis=1)
    shifts = np.where(movable, right / np.einsum("nii->ni", matrices), 0.0)
    shifts[both] = np.linalg.solve(matrices[both], right[both][..., None])[..., 0]
    return chains.homes + np.clip(shifts, -REACH * unit, REACH * unit)


@numba.njit(cache=True)
def _continuations(
    line: Array, joint: Ints, homes: Array, offsets: Ints, at_frame: Bools
) -> tuple[Array, Array]:
    """Σ w n nᵀ and Σ w n (n·(m − home)) of the lines that end at each joint.

    n is the normal and m the mean of the last points of a piece, and w grows with
    their number.
    """
    matrices, right = np.zeros((len(homes), 2, 2)), np.zeros((len(homes), 2))
    for arc in range(len(offsets) - 1):
        start, last = offsets[arc], offsets[arc + 1] - 1
        if at_frame[arc] or joint[start] < 0:
            continue
        while start < last:
            stop = start + 1
            while joint[stop] < 0:
                stop += 1
            count = min(stop - start, _END_POINTS)
            if count > 1:
                _continue(
                    line[start : start + count], joint[start], homes, matrices, right
                )
                _continue(
                    line[stop - count : stop], joint[stop], homes, matrices, right
                )
            start = stop
    return matrices, right


@numba.njit(cache=True)
def _continue(
    line: Array, joint: int, homes: Array, matrices: Array, right: Array
) -> None:
    """Add the straight line through some points to the sums of a joint."""
    count = len(line)
    x = y = xx = xy = yy = 0.0
    for k in range(count):
        dx, dy = line[k, 0] - homes[joint, 0], line[k, 1] - homes[joint, 1]
        x, y = x + dx / count, y + dy / count
        xx, xy, yy = xx + dx * dx, xy + dx * dy, yy + dy * dy
    angle = np.arctan2(2 * (xy - count * x * y), xx - yy - count * (x * x - y * y)) / 2
    normal = -np.sin(angle), np.cos(angle)
    weight = (count - 1) / (_END_POINTS - 1)
    distance = normal[0] * x + normal[1] * y
    for i in range(2):
        right[joint, i] += weight * distance * normal[i]
        for j in range(2):
            matrices[joint, i, j] += weight * normal[i] * normal[j]


def _joined(
    chains: _Chains, places: Array, moved: Array
) -> tuple[Array, Array, Array, Ints]:
    """Points of all arcs, their ways and displacements, and where each arc starts."""
    count, firsts = len(chains.corners), chains.offsets[:-1]
    lasts = chains.offsets[1:] - 1
    is_last = np.zeros(count, bool)
    is_last[lasts] = True
    is_end = is_last.copy()
    is_end[firsts] = True
    at_frame = np.repeat(chains.at_frame, np.diff(chains.offsets))
    joints = np.flatnonzero((chains.joint >= 0) & (~at_frame | is_end))
    edges = np.flatnonzero(~is_last & ~at_frame)
    closing = chains.joint[lasts] < 0
    order = np.argsort(
        np.concatenate([2 * joints, 2 * edges + 1, 2 * lasts[closing]]), kind="stable"
    )
    edges = np.concatenate([edges, firsts[closing]])
    still = np.zeros((joints.size, 2))
    line = chains.middles[edges] + moved[edges, None] * chains.ways[edges]
    points = np.concatenate([places[chains.joint[joints]], line])[order]
    ways = np.concatenate([still, chains.ways[edges]])[order]
    moved = np.concatenate([still[:, 0], moved[edges]])[order]
    sizes = np.zeros(count, int)
    sizes[joints] += 1
    np.add.at(sizes, np.flatnonzero(~is_last & ~at_frame), 1)
    sizes[lasts[closing]] += 1
    offsets = np.concatenate([[0], np.cumsum(np.add.reduceat(sizes, firsts))])
    return points, ways, moved, offsets


@numba.njit(cache=True)
def _settle(
    points: Array,
    ways: Array,
    moved: Array,
    offsets: Ints,
    corners: Array,
    starts: Ints,
    at_frame: Bools,
) -> None:
    """Move each arc sideways until it encloses what its pixel edges enclose."""
    for arc in range(len(offsets) - 1):
        first, last = offsets[arc], offsets[arc + 1]
        if at_frame[arc]:
            continue
        line, edges = points[first:last], corners[starts[arc] : starts[arc + 1]]
        for _ in range(_AREA_STEPS):
            missing = -_area_between(line, edges)
            if abs(missing) < _AREA_ERROR * (last - first):
                break
            if not _shift(line, ways[first:last], moved[first:last], missing):
                break


@numba.njit(cache=True)
def _area_between(line: Array, edges: Array) -> float:
    """Signed area from the pixel edges of an arc to its smoothed course."""
    closed = 0.0
    x0, y0 = edges[0, 0], edges[0, 1]
    for k in range(len(line)):
        x, y = line[k, 0] - x0, line[k, 1] - y0
        following = line[k + 1] if k + 1 < len(line) else edges[-1]
        closed += x * (following[1] - y0) - y * (following[0] - x0)
    for k in range(len(edges) - 1):
        x, y = edges[k, 0] - x0, edges[k, 1] - y0
        closed -= x * (edges[k + 1, 1] - y0) - y * (edges[k + 1, 0] - x0)
    return closed / 2


@numba.njit(cache=True)
def _shift(line: Array, ways: Array, moved: Array, area: float) -> bool:
    """Move a line along its normals by the same distance, to add an area.

    Points stay within their bounds; False if none can move.
    """
    count = len(line)
    slopes, total = np.zeros(count), 0.0
    for k in range(count - 1):
        last = k - 1 if k > 0 else count - 2
        x, y = line[k + 1, 0] - line[last, 0], line[k + 1, 1] - line[last, 1]
        length = np.hypot(x, y) + 1e-12
        across = (ways[k, 0] * y - ways[k, 1] * x) / length
        step = across / max(across**2, 0.1)
        if abs(moved[k]) < REACH or moved[k] * step * area < 0:
            slopes[k] = step
            total += step * across * length / 2
    if total <= 0:
        return False
    for k in range(count - 1):
        wanted = moved[k] + area / total * slopes[k]
        change = min(max(wanted, -REACH), REACH) - moved[k]
        moved[k] += change
        line[k, 0] += change * ways[k, 0]
        line[k, 1] += change * ways[k, 1]
    if ways[count - 1, 0] != 0 or ways[count - 1, 1] != 0:  # it repeats the first
        line[count - 1, 0], line[count - 1, 1] = line[0, 0], line[0, 1]
    return True
