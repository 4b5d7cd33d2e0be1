# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Where the atomic columns of a region are and how bright: pure array functions.

Positions in nm in the true specimen frame (image directions x, y).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numba
import numpy as np
import numpy.typing as npt

from hyperspy_t2t.array_types import Array, Ints
from hyperspy_t2t.data.displacements import Displacement, newton
from hyperspy_t2t.data.synthetic_regions import Composition, contrast, element_fractions

Thickness = Callable[[Array], Array]
MERGE = 1e-3
"""Columns closer than this in nm are one."""


@dataclass(frozen=True, eq=False)
class Projection:
    """A crystal seen along a zone axis: a plane lattice and its columns.

    Parameters
    ----------
    basis
        Plane lattice vectors as rows in nm, (2, 2), image frame.
    indices
        Crystal indices [u, v, w] of the two vectors and of the zone axis, (3, 3).
    repeat
        Period along the beam in nm.
    positions
        Columns of one plane cell in nm, (m, 2).
    occupancy
        For each element of the phase, atoms per column and period, (m,).
    """

    basis: Array
    indices: Ints
    repeat: float
    positions: Array
    occupancy: dict[str, Array]


def plane_indices(lattice: Array, zone_axis: npt.ArrayLike) -> Ints:
    """Two lattice directions that with the zone axis make a primitive basis.

    Parameters
    ----------
    lattice
        Lattice vectors as rows, (3, 3), any unit.
    zone_axis
        Coprime [u, v, w].

    Returns
    -------
    ndarray
        Whole numbers (3, 3), determinant ±1; the first two rows are as short in
        projection as can be, the third is the zone axis.
    """
    zone = np.asarray(zone_axis, np.int64)
    limit = int(np.abs(zone).max()) + 2
    index = np.arange(-limit, limit + 1)
    uvw = np.stack(np.meshgrid(index, index, index, indexing="ij"), -1).reshape(-1, 3)
    along = zone @ lattice / np.linalg.norm(zone @ lattice)
    vectors = uvw @ lattice
    length = np.linalg.norm(vectors - np.outer(vectors @ along, along), axis=1)
    uvw = uvw[np.lexsort((np.abs(vectors @ along).round(6), length.round(6)))]
    normals = np.cross(uvw, zone)
    primitive = np.gcd.reduce(normals, axis=1) == 1
    for first in uvw[primitive]:
        unimodular = np.abs(np.cross(first, uvw) @ zone) == 1
        if unimodular.any():
            return np.stack([first, uvw[unimodular][0], zone])
    raise ValueError(
        "Expected a zone axis of small whole numbers; found no plane lattice across "
        f"{zone.tolist()}. Give smaller indices."
    )


def project(
    lattice: Array,
    symbols: list[str],
    fractional: Array,
    occupancy: Array,
    zone_axis: npt.ArrayLike,
    crystal_to_image: Array,
) -> Projection:
    """Project a crystal along a zone axis.

    Parameters
    ----------
    lattice
        Lattice vectors as rows in nm, crystal frame, (3, 3).
    symbols, fractional, occupancy
        Sites of the cell: n chemical symbols, (n, 3), (n,).
    zone_axis
        Coprime [u, v, w].
    crystal_to_image
        Rotation matrix, (3, 3).
    """
    indices = plane_indices(lattice, zone_axis)
    to_image = lattice @ crystal_to_image.T
    basis = (indices[:2] @ to_image)[:, :2]
    plane = (fractional @ to_image)[:, :2] @ np.linalg.inv(basis)
    plane -= np.floor(plane + MERGE)
    group = np.full(len(plane), -1)
    centres: list[Array] = []
    for site, point in enumerate(plane):
        for number, centre in enumerate(centres):
            offset = (point - centre) - np.round(point - centre)
            if np.linalg.norm(offset @ basis) < MERGE:
                group[site] = number
                break
        else:
            group[site] = len(centres)
            centres.append(point)
    kinds = np.asarray(symbols)
    per_element = {
        str(kind): np.bincount(
            group, occupancy * (kinds == kind), minlength=len(centres)
        )
        for kind in dict.fromkeys(symbols)
    }
    repeat = float(np.linalg.norm(indices[2] @ lattice))
    return Projection(basis, indices, repeat, np.array(centres) @ basis, per_element)


def column_positions(
    projection: Projection,
    origin: npt.ArrayLike,
    displacement: Displacement,
    box: Array,
) -> tuple[Array, Ints]:
    """Image positions of all columns inside a box.

    Parameters
    ----------
    projection
        The undistorted plane lattice.
    origin
        Where its origin stands in nm.
    displacement
        Field u(r); a column at R of the lattice is drawn at r = R + u(r).
    box
        ((x0, y0), (x1, y1)) in nm, (2, 2).

    Returns
    -------
    tuple
        Positions (n, 2) in nm and the column of the plane cell each one is, (n,).
    """
    samples = _grid(box, 65)
    reference = displacement.reference_position(samples)
    if displacement.single_valued:
        _check_folding(displacement, samples)
        span = reference.max(axis=0) - reference.min(axis=0)
        low, high = reference.min(axis=0), reference.max(axis=0)
        margin = 0.02 * span.max() + np.abs(projection.basis).sum()
        targets, kind = _lattice_points(
            projection, origin, np.stack([low - margin, high + margin])
        )
        r = displacement.image_position(targets)
    else:
        r, kind = _seeded_points(
            projection, np.asarray(origin, float), displacement, box
        )
    with np.errstate(invalid="ignore"):
        keep = ((r >= box[0]) & (r <= box[1])).all(axis=1)
    return r[keep], kind[keep]


def _grid(box: Array, count: int) -> Array:
    x, y = (np.linspace(box[0, axis], box[1, axis], count) for axis in (0, 1))
    return np.stack(np.meshgrid(x, y), -1).reshape(-1, 2)


def _check_folding(displacement: Displacement, samples: Array) -> None:
    beta = displacement.gradient(samples)
    determinant = np.linalg.det(np.eye(2) - beta)
    if not (determinant > 0).all():
        x, y = samples[np.argmin(determinant)]
        raise ValueError(
            "The displacement must leave the lattice unfolded, det(I − ∂u/∂r) > 0; "
            f"got {determinant.min():.3g} at ({x:.3g}, {y:.3g}) nm. Lower the strain."
        )


def _lattice_points(
    projection: Projection, origin: npt.ArrayLike, box: Array
) -> tuple[Array, Ints]:
    """Columns of the undistorted lattice in a box, and their kinds."""
    corners = _grid(box, 2) - origin
    cells = corners @ np.linalg.inv(projection.basis)
    first, last = np.floor(cells.min(axis=0)) - 1, np.ceil(cells.max(axis=0)) + 1
    i, j = (np.arange(first[axis], last[axis] + 1) for axis in (0, 1))
    nodes = np.stack(np.meshgrid(i, j, indexing="ij"), -1).reshape(-1, 2)
    nodes = nodes @ projection.basis + origin
    slack = np.abs(projection.basis).sum()
    nodes = nodes[((nodes > box[0] - slack) & (nodes < box[1] + slack)).all(axis=1)]
    points = nodes[:, None] + projection.positions
    kind = np.broadcast_to(np.arange(len(projection.positions)), points.shape[:2])
    return points.reshape(-1, 2), kind.reshape(-1)


def _seeded_points(
    projection: Projection, origin: Array, displacement: Displacement, box: Array
) -> tuple[Array, Ints]:
    """Columns under a displacement that jumps by lattice vectors across a cut.

    Seeds all over the box step to the r for which r − u(r) is the nearest lattice
    point of one kind, whichever it is; the same column found twice is kept once.
    """
    from scipy.spatial import cKDTree

    inverse = np.linalg.inv(projection.basis)
    spacing = 0.3 * np.sqrt(abs(np.linalg.det(projection.basis)))
    counts = np.ceil((box[1] - box[0]) / spacing).astype(int) + 1
    x, y = (np.linspace(box[0, k], box[1, k], counts[k]) for k in (0, 1))
    seeds = np.stack(np.meshgrid(x, y), -1).reshape(-1, 2)
    found, kinds = [], []
    for kind, offset in enumerate(projection.positions + origin):

        def residual(at: Array, offset: Array = offset) -> Array:
            cell = (at - offset) @ inverse
            return (cell - np.round(cell)) @ projection.basis

        r = newton(displacement, seeds, residual)
        r = r[np.isfinite(r).all(axis=1)]
        r = r[np.lexsort(np.round(r / MERGE).T)]
        twins = cKDTree(r).query_pairs(2 * MERGE, output_type="ndarray")
        r = np.delete(r, np.unique(twins.max(axis=1)), axis=0) if len(twins) else r
        found.append(r)
        kinds.append(np.full(len(r), kind))
    return np.concatenate(found), np.concatenate(kinds)


def column_intensities(
    projection: Projection,
    composition: Composition | None,
    r: Array,
    kind: Ints,
    thickness: Array,
    rng: np.random.Generator,
) -> Array:
    """Sum of Z^1.7 over the atoms of each column, (n,).

    Parameters
    ----------
    projection
        Atoms per column and period.
    composition
        What stands on the sites of each element; the elements of an alloy are
        drawn atom by atom.
    r, kind
        Image positions (n, 2) in nm and which column of the plane cell, (n,).
    thickness
        In nm at each column, (n,).
    rng
        Source of the alloy disorder.
    """
    total = np.zeros(len(r))
    for element, per_period in projection.occupancy.items():
        atoms = per_period[kind] * thickness / projection.repeat
        symbols, fractions = element_fractions(composition, element, r)
        weights = np.array([contrast(symbol) for symbol in symbols])
        if len(symbols) == 1:
            total += atoms * weights[0]
            continue
        whole = np.maximum(np.round(atoms), 1).astype(np.int64)
        drawn = rng.multinomial(whole, fractions) / whole[:, None]
        total += atoms * (drawn @ weights)
    return total


def amorphous_atoms(
    box: Array,
    thickness: float,
    density: float,
    minimum_distance: float,
    rng: np.random.Generator,
) -> Array:
    """Random atoms no two of which are closer than a distance in space.

    Parameters
    ----------
    box
        ((x0, y0), (x1, y1)) in nm, (2, 2).
    thickness, density, minimum_distance
        In nm, atoms per nm³, nm.
    rng
        Source of the positions.

    Returns
    -------
    ndarray
        Positions (n, 3) in nm, by random sequential addition.

    References
    ----------
    Widom, J. Chem. Phys. 44 (1966) 3888, https://doi.org/10.1063/1.1726548
    """
    size = np.append(box[1] - box[0], thickness)
    count = round(density * float(np.prod(size)))
    side = minimum_distance / np.sqrt(3)
    cells = np.ceil(size / side).astype(np.int64) + 4
    atoms = np.empty((count, 3))
    grid = np.full(tuple(cells), -1, np.int32)
    placed = 0
    while placed < count:
        trials = rng.random((count, 3)) * size
        placed = _add_atoms(atoms, placed, trials, grid, side, minimum_distance)
    return atoms + np.append(box[0], 0.0)


@numba.njit(cache=True)
def _add_atoms(
    atoms: Array,
    placed: int,
    trials: Array,
    grid: Ints,
    side: float,
    distance: float,
) -> int:
    """Add those trial atoms that are far enough from all before them."""
    for number in range(len(trials)):
        if placed == len(atoms):
            break
        x, y, z = trials[number]
        i, j, k = int(x / side) + 2, int(y / side) + 2, int(z / side) + 2
        free = grid[i, j, k] < 0
        for a in range(i - 2, i + 3):
            for b in range(j - 2, j + 3):
                for c in range(k - 2, k + 3):
                    other = grid[a, b, c]
                    if free and other >= 0:
                        near = (
                            (atoms[other, 0] - x) ** 2
                            + (atoms[other, 1] - y) ** 2
                            + (atoms[other, 2] - z) ** 2
                        )
                        free = near >= distance * distance
        if free:
            atoms[placed, 0], atoms[placed, 1], atoms[placed, 2] = x, y, z
            grid[i, j, k] = placed
            placed += 1
    return placed


def thickness_ramp(
    thickness: float, direction: float, amplitude: float, field: Array
) -> Thickness:
    """Thickness in nm as a function of position, for a wedge across the field.

    Parameters
    ----------
    thickness
        In nm at the centre of the field.
    direction
        Degrees from +x towards +y in which it grows.
    amplitude
        Relative change from one end of the field to the other.
    field
        ((x0, y0), (x1, y1)) in nm, (2, 2).
    """
    angle = np.deg2rad(direction)
    normal = np.array([np.cos(angle), np.sin(angle)])
    length = float(np.abs(normal) @ (field[1] - field[0]))
    centre = field.mean(axis=0)

    def at(r: Array) -> Array:
        return thickness * (1 + amplitude * ((r - centre) @ normal) / length)

    return at


def clipped_box(points: Array, field: Array) -> Array | None:
    """Part of the field that a polygon can touch, (2, 2); None where there's none."""
    low = np.maximum(points.min(axis=0), field[0])
    high = np.minimum(points.max(axis=0), field[1])
    return None if (low >= high).any() else np.stack([low, high])
