# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Planar faults seen edge-on: lines across which the lattice is shifted rigidly.

At a stacking fault, an antiphase or a translation boundary both sides have the same
strain, but the phases −2π g·u jump by −2π g·R (Hÿtch, Snoeck, Kilaas, Ultramicroscopy
74 (1998) 131, https://doi.org/10.1016/S0304-3991(98)00035-7). R is known up to vectors
of the lattice that the two g span; one of these is no fault.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from hyperspy_t2t.array_types import Array, ComplexArray, Ints, Mask
from hyperspy_t2t.calibration import ImageGrid

_PLACES = 500_000
"""Of the grid, in which faults are looked for at a time."""
REACH = 3.5
"""Distance from the fault in standard deviations at which both sides are read: there
the average has lost 99 % of its blur."""
SHORTEST = 6.0
"""Least length of a fault in standard deviations."""
_DIRECTIONS = 8
_LEAST_SHIFT = 0.1
"""Least R as a share of the shortest vector of the lattice of the two g."""
_CLEAR = 5.0
"""Standard errors that R must have at least."""
_SHARP = 0.6
"""Slope in the middle over that of an ideal fault; a thin layer has less."""
_OVER_STRAIN = 3.0
"""Least R over what the change of the slopes makes of the distance."""
_ALIKE = 0.2
"""Largest difference of two shifts along one fault, relative to R."""


class Fault(NamedTuple):
    """One planar fault."""

    points: Array
    """(x, y) in nm along the line, in order, shape (m, 2)."""
    normal: Array
    """Unit vector (x, y) across it, shape (2,)."""
    orders: Array
    """g·R of both g, shape (2,)."""
    vector: Array
    """R in nm of the reference, shape (2,): how far the side that the normal points to
    is shifted against the other; the shortest, of equal ones the most in the plane."""
    certainty: float
    """Share of the length of the line along which the same shift was seen."""


class _Jumps(NamedTuple):
    """What is measured across a place in one direction."""

    orders: Array
    """g·R, −½ to ½, shape (2, ny, nx)."""
    sharpness: Array
    """Slope relative to that of a fault, zero where nothing is measured, (ny, nx)."""
    candidate: Mask
    """Whether it may be a fault, shape (ny, nx)."""


class _Ridge(NamedTuple):
    """Places in the middle of faults."""

    position: Array
    """(x, y) in nm, shape (n, 2)."""
    across: Array
    """Unit vector in which the jump was measured, shape (n, 2)."""
    orders: Array
    """g·R, shape (n, 2)."""


def faults(
    phases: Array,
    slopes: Array,
    g_vectors: Array,
    amplitude: Array,
    regions: Ints,
    grid: ImageGrid,
    *,
    resolution: float,
    noise: float,
) -> list[Fault]:
    """Lines across which the phases of two g jump.

    Across each place, in eight directions, both phases are continued from 3.5 standard
    deviations on both sides along their slopes; where they meet they differ by −2π g·R.
    A place is of a fault if R is clear of noise and larger than what the difference of
    the slopes could do (at a coherent interface the slopes differ), if the phase
    changes as fast as the average allows, and if it does so most in this very place.
    All places of a line must agree on R: around a dislocation it turns over.

    Parameters
    ----------
    phases
        −2π g·u in rad, up to multiples of 2π, shape (2, ny, nx).
    slopes
        (∂/∂x, ∂/∂y) of the phases in rad/nm, shape (2, 2, ny, nx).
    g_vectors
        In 1/nm, not parallel, shape (2, 2).
    amplitude
        Of the weaker fringes relative to the reference, shape (ny, nx).
    regions
        Both sides of a fault have the same number, 0 where there is no lattice or the
        average is cut, shape (ny, nx).
    grid
        Where the places are.
    resolution
        Standard deviation of the average in nm.
    noise
        Root mean square amplitude of fringes of noise, relative to the reference.

    Returns
    -------
    list of Fault
        The longest first; none shorter than 6 standard deviations. Two nearer than 3.5
        are seen as one or not at all.
    """
    known = (regions > 0) & (amplitude > 3 * noise)
    sides = np.where(known, regions, 0)
    angles = np.pi * np.arange(_DIRECTIONS) / _DIRECTIONS
    steps = [_offset(angle, REACH * resolution, grid) for angle in angles]
    parts = []
    for band, core in _bands(grid.shape, 3 + max(abs(step[0]) for step in steps)):
        part = grid.window(band, slice(0, grid.shape[1]))
        jumps = [
            _jumps(
                phases[:, band], slopes[:, :, band], g_vectors, amplitude[band],
                sides[band], part, step, resolution, noise,
            )
            for step in steps
        ]  # fmt: skip
        parts.append(_ridge(jumps, steps, part, core))
    ridge = _Ridge(*(np.concatenate(part) for part in zip(*parts, strict=True)))
    lines = _lines(ridge, g_vectors, 1.5 * float(np.hypot(*grid.pixel_size)))
    found = [_fault(ridge, line, g_vectors, grid, resolution) for line in lines]
    return sorted(
        (fault for fault in found if fault is not None),
        key=lambda fault: -np.linalg.norm(fault.points[-1] - fault.points[0]),
    )


def _bands(shape: tuple[int, int], margin: int) -> Iterator[tuple[slice, slice]]:
    """Rows with a margin, and those without it among them: maps of all take much."""
    most = max(1, _PLACES // shape[1])
    for start in range(0, shape[0], most):
        first, stop = max(0, start - margin), min(shape[0], start + most)
        last = min(shape[0], stop + margin)
        yield slice(first, last), slice(start - first, stop - first)


def _offset(angle: float, distance: float, grid: ImageGrid) -> tuple[int, int]:
    """Rows and columns of a step in some direction."""
    return (
        round(distance * np.sin(angle) / grid.pixel_size[0]),
        round(distance * np.cos(angle) / grid.pixel_size[1]),
    )


def _jumps(
    phases: Array,
    slopes: Array,
    g_vectors: Array,
    amplitude: Array,
    sides: Ints,
    grid: ImageGrid,
    step: tuple[int, int],
    resolution: float,
    noise: float,
) -> _Jumps:
    """Candidates for places of faults that a step leads across."""
    before, after = (_shifted(sides, step, sign) for sign in (-1, 1))
    same = (before > 0) & (before == after)
    slope_before, slope_after = (_shifted(slopes, step, sign) for sign in (-1, 1))
    jump = _shifted(phases, step, 1) - _shifted(phases, step, -1)
    along = _in_nm(step, grid)
    orders = np.einsum("kjyx,j->kyx", slope_before + slope_after, along) - jump
    orders /= 2 * np.pi
    orders -= np.rint(orders)
    inverse = np.linalg.inv(g_vectors)
    size = _length(inverse, orders)
    change = (slope_after - slope_before) / (2 * np.pi)
    strain = np.hypot(*(_length(inverse, change[:, axis]) for axis in (0, 1)))
    weaker = np.minimum(*(_shifted(amplitude, step, sign) for sign in (-1, 1)))
    # Noise s of a fringe makes s/√2 of phase and s/2σ of slope, on each of the sides.
    error = noise / np.maximum(weaker, 1e-12) * np.sqrt(1 + REACH**2 / 2)
    error *= np.linalg.norm(inverse, 2) / (2 * np.pi)
    least = np.maximum(_LEAST_SHIFT * _shortest(inverse), _CLEAR * error)
    least = np.maximum(least, _OVER_STRAIN * np.linalg.norm(along) * strain)
    sharpness = _sharpness(
        amplitude * np.exp(1j * phases), 0.5 * (slope_before + slope_after), orders,
        0.5 * (_shifted(amplitude, step, -1) + _shifted(amplitude, step, 1)),
        grid, along, resolution,
    )  # fmt: skip
    candidate = same & (size > least) & (sharpness > _SHARP)
    return _Jumps(orders, np.where(same, sharpness, 0.0), candidate)


def _sharpness(
    fringes: ComplexArray,
    slope: Array,
    orders: Array,
    amplitude: Array,
    grid: ImageGrid,
    along: Array,
    resolution: float,
) -> Array:
    """How fast fringes change relative to those in the middle of an ideal fault.

    Averaging makes z = a [1 − Φ(d/σ) + exp(−2πi g·R) Φ(d/σ)] of a jump at d = 0, whose
    slope is a Gaussian in d, at its largest a |exp(−2πi g·R) − 1| / (σ √2π). The slope
    that the fringes have far away is taken out.
    """
    direction = along / np.linalg.norm(along)
    by_y, by_x = np.gradient(fringes, *grid.pixel_size, axis=(1, 2))
    change = by_x * direction[0] + by_y * direction[1]
    change -= 1j * np.einsum("kjyx,j->kyx", slope, direction) * fringes
    jump = np.abs(np.exp(2j * np.pi * orders) - 1)
    ideal = amplitude * (jump**2).sum(axis=0) / (np.sqrt(2 * np.pi) * resolution)
    return (np.abs(change) * jump).sum(axis=0) / np.maximum(ideal, 1e-12)


def _unit(step: tuple[int, int]) -> tuple[int, int]:
    """The step to the nearest of the eight neighbours in a direction."""
    reach = np.hypot(*step)
    return round(step[0] / reach), round(step[1] / reach)


def _in_nm(step: tuple[int, int], grid: ImageGrid) -> Array:
    """(x, y) of a step in rows and columns."""
    return np.array([step[1] * grid.pixel_size[1], step[0] * grid.pixel_size[0]])


def _shifted(values: Array, step: tuple[int, int], sign: int) -> Array:
    """Values one step further, zero beyond the border of the grid."""
    result = np.zeros_like(values)
    ny, nx = values.shape[-2:]
    rows, columns = sign * step[0], sign * step[1]
    to = (slice(max(0, -rows), ny - max(0, rows)),
          slice(max(0, -columns), nx - max(0, columns)))  # fmt: skip
    of = (slice(max(0, rows), ny + min(0, rows)),
          slice(max(0, columns), nx + min(0, columns)))  # fmt: skip
    result[(..., *to)] = values[(..., *of)]
    return result


def _reduced(orders: Array, inverse: Array) -> Array:
    """Orders (n, 2) of the shortest R that differ from the given by whole numbers."""
    choices = _equivalent(orders)
    best = np.linalg.norm(choices @ inverse.T, axis=-1).argmin(axis=1)
    return choices[np.arange(len(orders)), best]


def _equivalent(orders: Array) -> Array:
    """Small orders that differ from the given (n, 2) by whole numbers, (n, 9, 2)."""
    whole = np.stack(np.meshgrid([-1, 0, 1], [-1, 0, 1]), axis=-1).reshape(-1, 2)
    return (orders - np.rint(orders))[:, None] + whole


def _in_plane(orders: Array, inverse: Array, normal: Array) -> Array:
    """Orders (2,) of the shortest R; of equal ones that closest to the fault plane.

    Of two opposite ones that a quarter turn from the normal, or along it, is taken.
    """
    choices = _equivalent(orders[None])[0]
    vectors = choices @ inverse.T
    length = np.linalg.norm(vectors, axis=1)
    across, along = vectors @ normal, vectors @ np.array([-normal[1], normal[0]])
    cost = np.abs(across) - 0.1 * along - 0.05 * across
    return choices[np.where(length < 1.1 * length.min(), cost, np.inf).argmin()]


def _length(inverse: Array, orders: Array) -> Array:
    """Length in nm of the displacement of orders (2, ny, nx)."""
    return np.sqrt((np.einsum("ik,kyx->iyx", inverse, orders) ** 2).sum(axis=0))


def _shortest(inverse: Array) -> float:
    """Length of the shortest vector of the lattice that two g span."""
    index = np.stack(np.meshgrid([-2, -1, 0, 1, 2], [0, 1, 2]), axis=-1).reshape(-1, 2)
    length = np.linalg.norm(index @ inverse.T, axis=1)
    return float(length[length > 0].min())


def _ridge(
    jumps: list[_Jumps], steps: list[tuple[int, int]], grid: ImageGrid, core: slice
) -> _Ridge:
    """Places in some rows sharper than both neighbours across, in that direction.

    Between places of the grid by the parabola through the three.
    """
    sharpest = [np.where(jump.candidate, jump.sharpness, 0.0) for jump in jumps]
    best = np.argmax(sharpest, axis=0)
    position, across, orders = [], [], []
    for k, (jump, step) in enumerate(zip(jumps, steps, strict=True)):
        unit, here = _unit(step), jump.sharpness
        before, after = (_shifted(here, unit, sign) for sign in (-1, 1))
        top = jump.candidate & (best == k) & (here >= before) & (here > after)
        top &= (before > 0) & (after > 0)
        top[: core.start] = top[core.stop :] = False
        before, here, after = before[top], here[top], after[top]
        shift = 0.5 * (after - before) / (2 * here - before - after)
        rows, columns = np.nonzero(top)
        position.append(grid.to_nm(rows + shift * unit[0], columns + shift * unit[1]))
        normal = _in_nm(step, grid) / np.linalg.norm(_in_nm(step, grid))
        across.append(np.tile(normal, (len(rows), 1)))
        orders.append(jump.orders[:, top].T)
    return _Ridge(*(np.concatenate(part) for part in (position, across, orders)))


def _lines(ridge: _Ridge, g_vectors: Array, distance: float) -> list[Ints]:
    """Places that are tied by short steps between which the shift is the same."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components
    from scipy.spatial import cKDTree

    count = len(ridge.position)
    if not count:
        return []
    pairs = cKDTree(ridge.position).query_pairs(distance, output_type="ndarray")
    first, second = pairs.T
    side = np.sign((ridge.across[first] * ridge.across[second]).sum(axis=1))
    inverse = np.linalg.inv(g_vectors)
    change = ridge.orders[first] - side[:, None] * ridge.orders[second]
    change = np.linalg.norm(_reduced(change, inverse) @ inverse.T, axis=1)
    size = np.linalg.norm(_reduced(ridge.orders[first], inverse) @ inverse.T, axis=1)
    alike = change < _ALIKE * size
    tied = coo_array((alike[alike], (first[alike], second[alike])), (count, count))
    number, group = connected_components(tied, directed=False)
    return [np.flatnonzero(group == k) for k in range(number)]


def _fault(
    ridge: _Ridge, line: Ints, g_vectors: Array, grid: ImageGrid, resolution: float
) -> Fault | None:
    """The fault of a line of places; None if it is too short or its shift changes."""
    position = ridge.position[line]
    centre = position.mean(axis=0)
    _, axes = np.linalg.eigh((position - centre).T @ (position - centre))
    normal, along = axes.T
    place = (position - centre) @ along
    length = np.ptp(place)
    if length < SHORTEST * resolution:
        return None
    normal = normal * np.sign(normal[np.abs(normal).argmax()])
    side = np.sign(ridge.across[line] @ normal)[:, None]
    inverse = np.linalg.inv(g_vectors)
    turns = np.exp(2j * np.pi * side * ridge.orders[line])
    orders = _in_plane(np.angle(turns.mean(axis=0)) / (2 * np.pi), inverse, normal)
    away = _reduced(side * ridge.orders[line] - orders, inverse) @ inverse.T
    vector = inverse @ orders
    agree = np.linalg.norm(away, axis=1) < _ALIKE * np.linalg.norm(vector)
    bins = int(length / resolution)
    seen = np.histogram(place[agree], bins, (place.min(), place.max()))[0] > 0
    points = centre + _smoothed(place, (position - centre) @ normal, resolution) @ (
        np.stack([along, normal])
    )
    return Fault(points, normal, orders, vector, float(seen.mean()))


def _smoothed(place: Array, height: Array, resolution: float) -> Array:
    """Points (place, height) of a line, averaged as the fringes are, shape (m, 2)."""
    count = max(2, round(2 * np.ptp(place) / resolution) + 1)
    at = np.linspace(place.min(), place.max(), count)
    weight = np.exp(-0.5 * ((at[:, None] - place) / resolution) ** 2)
    return np.stack([at, weight @ height / weight.sum(axis=1)], axis=1)
