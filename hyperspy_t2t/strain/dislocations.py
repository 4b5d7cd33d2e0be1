# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Dislocations along the beam from the residues of the phases of two g.

Once around a dislocation the displacement grows by its Burgers vector b, and the phase
−2π g·u of each fringe by −2π g·b, where g·b is a whole number: the number of fringes
that end (Hÿtch, Putaux, Pénisson, Nature 423 (2003) 270,
https://doi.org/10.1038/nature01638). Two g say what b is in the image plane.
"""

from typing import NamedTuple

import numpy as np

from hyperspy_t2t.array_types import Array, ComplexArray, Ints, Mask
from hyperspy_t2t.calibration import ImageGrid
from hyperspy_t2t.strain.unwrapping import expected_steps, phase_steps

_STEP = slice(None, -1), slice(1, None)
"""Where a step along an axis begins, and where it ends."""
CIRCUIT = 1.5
"""Distance of a circuit from the zeros it encloses in standard deviations. The average
leaves 0.7 of the fringes' amplitude there; zeros nearer than this are one core."""

_SPLIT = 3.2
"""Fringes that end twice in one core have two zeros, measured 2.7 to 3.0 standard
deviations apart: two equal ones that are alone and no further apart are one core."""


class Dislocations(NamedTuple):
    """Dislocations, each with its line along the beam (+z)."""

    position: Array
    """(x, y) in nm, shape (n, 2)."""
    orders: Ints
    """g·b of both g: how many of their fringes end, shape (n, 2)."""
    burgers: Array
    """b in the image plane (x, y) in nm of the reference, shape (n, 2). u grows by b
    once around from +x towards +y (finish to start of a right-handed circuit)."""
    certainty: Array
    """Chance that noise did not change the circuit, shape (n,)."""


def dislocations(
    phases: Array,
    slopes: Array,
    g_vectors: Array,
    amplitude: Array,
    inside: Mask,
    grid: ImageGrid,
    *,
    resolution: float,
    noise: float,
) -> Dislocations:
    """Dislocations where the phases of two g have residues.

    A residue is a circuit of four places around which a phase does not close: in it the
    fringes vanish. Those of both g nearer to each other than 1.5 standard deviations of
    the average belong to one core; opposite ones among them, as noise makes them,
    cancel. A circuit at this distance around them must lie inside the lattice. Noise of
    root mean square s exceeds fringes of amplitude a with the chance exp(−a²/s²); the
    certainty is the chance that it does so nowhere along the circuit.

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
    inside
        Where the lattice is and the average is whole, shape (ny, nx).
    grid
        Where the places are.
    resolution
        Standard deviation of the average in nm.
    noise
        Root mean square amplitude of fringes of noise, relative to the reference.

    Returns
    -------
    Dislocations
        The most certain first. Cores nearer than 1.5 standard deviations are one, and
        none if their Burgers vectors cancel; so are two equal ones nearer than 3.2,
        unless there are more of them.
    """
    number, zeros, signs = _zeros(phases, slopes, amplitude, grid)
    weakest = _weakest_around(phases, slopes, amplitude, grid)
    cores = _groups(zeros, CIRCUIT * resolution)
    cores = _halves_joined(cores, number, zeros, signs, _SPLIT * resolution)
    found = []
    for core in cores:
        orders = _orders(core, number, signs)
        if not orders.any():
            continue
        certainty = _certainty(zeros[core], weakest, inside, grid, resolution, noise)
        if certainty > 0:
            place = _faintest(core, orders, number, signs, zeros, amplitude, grid)
            found.append((certainty, place, orders))
    found.sort(key=lambda core: -core[0])
    certainties, position, charges = zip(*found, strict=True) if found else ((), (), ())
    orders = np.reshape(charges, (-1, 2)).astype(int)
    return Dislocations(
        np.reshape(position, (-1, 2)),
        orders,
        orders @ np.linalg.inv(g_vectors).T,
        np.array(certainties, float),
    )


def _zeros(
    phases: Array, slopes: Array, amplitude: Array, grid: ImageGrid
) -> tuple[Ints, Array, Ints]:
    """Which g, position (x, y) in nm and sign of each residue."""
    rows, columns, number, signs = [], [], [], []
    for k, (phase, slope) in enumerate(zip(phases, slopes, strict=True)):
        residues = phase_steps(phase, slope, grid).residues()
        field = amplitude * np.exp(1j * phase)
        for row, column in np.argwhere(residues):
            down, right = _zero_in_cell(field[row : row + 2, column : column + 2])
            rows.append(row + down)
            columns.append(column + right)
            number.append(k)
            signs.append(residues[row, column])
    return np.array(number, int), grid.to_nm(rows, columns), np.array(signs, int)


def _zero_in_cell(corners: ComplexArray) -> tuple[float, float]:
    """Where a complex field vanishes between four places: shares of a step y and x.

    The plane that fits the corners best; kept within the cell.
    """
    (a, b), (c, d) = corners
    along_y, along_x = (c + d - a - b) / 2, (b + d - a - c) / 2
    middle = corners.mean()
    determinant = (along_y.conjugate() * along_x).imag
    if determinant == 0:
        return 0.5, 0.5
    down = (along_x.conjugate() * middle).imag / determinant
    right = -(along_y.conjugate() * middle).imag / determinant
    return float(np.clip(0.5 + down, 0, 1)), float(np.clip(0.5 + right, 0, 1))


def _weakest_around(
    phases: Array, slopes: Array, amplitude: Array, grid: ImageGrid
) -> Array:
    """Smallest amplitude of both fringes on the way to the neighbours, (ny, nx).

    Across a fault with g·R = ½ they vanish between places where they are strong. On the
    way from one place to the next a fringe goes straight, once the phase that its slope
    lets expect is taken out.
    """
    weakest = amplitude.copy()
    for phase, slope in zip(phases, slopes, strict=True):
        field = amplitude * np.exp(1j * phase)
        for axis, expected in enumerate(expected_steps(slope, grid)):
            here, there = ((slice(None),) * axis + (part,) for part in _STEP)
            start, stop = field[here], field[there] * np.exp(-1j * expected)
            way = stop - start
            share = -(start * way.conj()).real / np.maximum(np.abs(way) ** 2, 1e-30)
            least = np.abs(start + np.clip(share, 0, 1) * way)
            for end in (here, there):
                weakest[end] = np.minimum(weakest[end], least)
    return weakest


def _groups(points: Array, distance: float) -> list[Ints]:
    """Indices of points that are tied by steps shorter than a distance."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components
    from scipy.spatial import cKDTree

    if not len(points):
        return []
    pairs = cKDTree(points).query_pairs(distance, output_type="ndarray")
    tied = coo_array((np.ones(len(pairs)), tuple(pairs.T)), (len(points),) * 2)
    count, group = connected_components(tied, directed=False)
    return [np.flatnonzero(group == k) for k in range(count)]


def _orders(core: Ints, number: Ints, signs: Ints) -> Ints:
    """g·b of both g of the residues of one core, shape (2,)."""
    return -np.rint(np.bincount(number[core], signs[core], minlength=2)).astype(int)


def _faintest(
    core: Ints,
    orders: Ints,
    number: Ints,
    signs: Ints,
    zeros: Array,
    amplitude: Array,
    grid: ImageGrid,
) -> Array:
    """Mean (x, y) of as many zeros of a core as fringes end, where both are faintest.

    Noise and the strain next to a core add pairs, of which one has the same sign.
    """
    rows, columns = (
        np.rint(index).astype(int) for index in grid.to_pixels(zeros[core])
    )
    core = core[np.argsort(amplitude[rows, columns], kind="stable")]
    chosen = [
        core[(number[core] == k) & (np.sign(signs[core]) == -np.sign(order))][
            : abs(order)
        ]
        for k, order in enumerate(orders)
    ]
    return zeros[np.concatenate(chosen)].mean(axis=0)


def _halves_joined(
    cores: list[Ints],
    number: Ints,
    zeros: Array,
    signs: Ints,
    distance: float,
) -> list[Ints]:
    """Cores, with two equal ones near each other and away from others made one."""
    from scipy.spatial import cKDTree

    orders = np.reshape([_orders(core, number, signs) for core in cores], (-1, 2))
    place = np.reshape([zeros[core].mean(axis=0) for core in cores], (-1, 2))
    pairs = cKDTree(place).query_pairs(2 * distance, output_type="ndarray")
    first, second = pairs.T
    pairs = pairs[
        (orders[first] == orders[second]).all(axis=1) & orders[first].any(axis=1)
    ]
    partners = np.bincount(pairs.ravel(), minlength=len(cores))
    joined = list(cores)
    for i, j in pairs:
        near = np.linalg.norm(place[i] - place[j]) < distance
        if near and partners[i] == partners[j] == 1:
            joined[i] = np.concatenate([cores[i], cores[j]])
            joined[j] = np.empty(0, int)
    return [core for core in joined if len(core)]


def _certainty(
    zeros: Array,
    amplitude: Array,
    inside: Mask,
    grid: ImageGrid,
    resolution: float,
    noise: float,
) -> float:
    """Chance that noise turned no fringe along the circuit; 0 if it leaves the inside.

    The circuit runs through all places from 1.5 standard deviations away to one step of
    the grid further.
    """
    from scipy.spatial import cKDTree

    reach = CIRCUIT * resolution + max(grid.pixel_size)
    rows, columns = grid.to_pixels(zeros)
    first, last = [], []
    for axis, at in enumerate((rows, columns)):
        first.append(int(np.floor(at.min() - reach / grid.pixel_size[axis])))
        last.append(int(np.ceil(at.max() + reach / grid.pixel_size[axis])))
    if min(first) < 0 or np.any(np.array(last) >= grid.shape):
        return 0.0
    part = tuple(slice(a, b + 1) for a, b in zip(first, last, strict=True))
    places = grid.to_nm(*np.mgrid[part])
    away, _ = cKDTree(zeros).query(places, distance_upper_bound=1.01 * reach)
    circuit = (away > CIRCUIT * resolution) & (away <= reach)
    if not inside[part][circuit].all():
        return 0.0
    ratio = amplitude[part][circuit] / max(noise, np.finfo(float).tiny)
    return float(np.prod(-np.expm1(-(np.minimum(ratio, 30.0) ** 2))))
