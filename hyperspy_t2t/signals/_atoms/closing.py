# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Where blocks of atoms meet each other, amorphous regions and vacuum."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from scipy.spatial import cKDTree

from hyperspy_t2t.atoms.amorphous import amorphous_material, packed_atoms
from hyperspy_t2t.atoms.image_frame import ImageFrame
from hyperspy_t2t.atoms.inside_polygon import Polygons
from hyperspy_t2t.atoms.interfaces import Interfaces, close_interfaces
from hyperspy_t2t.signals._atoms.atom_table import AMORPHOUS, COLUMNS, FilledRegion

_REACH = 1.2
"""In nm: columns further from any of another block do not meet it."""
_BESIDE = 0.6
"""In nm: columns nearer to an amorphous region than this are kept clear of."""


def closed_blocks(
    regions: Sequence[FilledRegion],
    block_of: Mapping[int, int],
    polygons: Polygons,
    spacing: Mapping[int, float],
    period: float | None,
) -> tuple[list[FilledRegion], Interfaces | None]:
    """Regions without the primitive cells that overlap those of other blocks.

    Parameters
    ----------
    regions
        All filled regions.
    block_of
        Number of the block of each region.
    polygons
        Outlines of the regions.
    spacing
        Nearest-neighbour distance of each block in Å.
    period
        Of the model along the beam in Å, None without one.
    """
    chosen = _meeting_columns(regions, block_of)
    if not any(map(len, chosen)):
        return list(regions), None
    parts = [
        _atoms_of_columns(region, rows, polygons)
        for region, rows in zip(regions, chosen, strict=True)
    ]
    position, node, layer, label, depth, place = (
        np.concatenate(arrays) for arrays in zip(*parts, strict=True)
    )
    number = np.zeros(max(block_of) + 1, np.int64)
    number[list(block_of)] = list(block_of.values())
    block = number[label]
    unit = np.unique(
        np.column_stack([block, node, layer]), axis=0, return_inverse=True
    )[1].ravel()
    kept, found = close_interfaces(
        position, unit, block, label, spacing, depth=depth, period=period
    )
    result = []
    for region in regions:
        numbers = region.numbers
        gone = place[(label == region.label) & ~kept]
        if len(gone):
            numbers = numbers.copy()
            numbers[gone] = 0
        result.append(replace(region, numbers=numbers))
    return result, found


def _meeting_columns(
    regions: Sequence[FilledRegion], block_of: Mapping[int, int]
) -> list[np.ndarray]:
    """Columns of each region that are near columns of another block."""
    trees = [cKDTree(region.columns.position) for region in regions]
    near = [np.zeros(len(region.columns), bool) for region in regions]
    for i, region in enumerate(regions):
        for j, other in enumerate(regions):
            apart = block_of[region.label] != block_of[other.label]
            if apart and len(region.columns) and len(other.columns):
                distance, _ = trees[j].query(
                    region.columns.position, distance_upper_bound=_REACH
                )
                near[i] |= np.isfinite(distance)
    return [np.flatnonzero(mask) for mask in near]


def _atoms_of_columns(
    region: FilledRegion, rows: np.ndarray, polygons: Polygons
) -> tuple[np.ndarray, ...]:
    """Position, node, layer, label, depth in the region and place of some atoms."""
    counts = region.counts
    starts = np.cumsum(counts) - counts
    part = replace(region, columns=region.columns[rows], first_column=0)
    counts = counts[rows]
    total = int(counts.sum())
    column = np.repeat(np.arange(len(rows)), counts)
    layer = np.arange(total) - np.repeat(np.cumsum(counts) - counts, counts)
    place = starts[rows][column] + layer
    atoms = part.atoms(0, total)
    inside = polygons.depth(part.columns.position, region.label, reach=_REACH)
    inside = np.clip(inside, -_REACH, _REACH)
    held = region.numbers[place] > 0
    return (
        atoms.position[held],
        part.columns.node[column[held]],
        layer[held],
        np.full(int(held.sum()), region.label),
        inside[column[held]],
        place[held],
    )


def amorphous_region(
    label: int,
    material: str | Mapping,
    crystals: Sequence[FilledRegion],
    polygons: Polygons,
    frame: ImageFrame,
    to_true: np.ndarray,
    *,
    thickness: float,
    periodic: bool,
    seed: int,
) -> FilledRegion:
    """Atoms of an amorphous region, clear of the crystals around it."""
    back = np.linalg.inv(to_true)

    def inside(points: np.ndarray) -> np.ndarray:
        seen = points @ back.T
        return frame.holds(seen) & (polygons.region_at(seen) == label)

    corners = np.clip(polygons.of(label).reshape(-1, 2), frame.low, frame.high)
    corners = corners @ to_true.T
    bounds = (*corners.min(axis=0), *corners.max(axis=0))
    found = packed_atoms(
        inside,
        bounds,
        thickness,
        amorphous_material(material),
        seed=seed + label,
        around=_atoms_beside(label, crystals, polygons),
        periodic=periodic,
    )
    rows = np.zeros((len(found.numbers), len(COLUMNS)))
    rows[:, :3] = found.positions
    rows[:, 3], rows[:, 4] = found.numbers, label
    rows[:, 8], rows[:, 9] = -1, AMORPHOUS
    like = crystals[0]
    return replace(
        like,
        label=label,
        columns=like.columns[:0],
        thickness=thickness,
        numbers=like.numbers[:0],
        single=rows,
    )


def _atoms_beside(
    label: int, crystals: Sequence[FilledRegion], polygons: Polygons
) -> np.ndarray:
    """Positions in Å of the atoms of crystals near a region or in it, (m, 3)."""
    found = [np.empty((0, 3))]
    for region in crystals:
        if not len(region.columns):
            continue
        depth = polygons.depth(region.columns.position, label, reach=_BESIDE)
        rows = np.flatnonzero(depth > -_BESIDE)
        if len(rows):
            found.append(_atoms_of_columns(region, rows, polygons)[0])
    return np.concatenate(found)
