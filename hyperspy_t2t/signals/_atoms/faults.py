# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Columns beside planar faults, placed by the displacement of their own side."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from hyperspy_t2t.atoms.columns import Columns
from hyperspy_t2t.atoms.fault_sides import fault_distance, sides_of_faults
from hyperspy_t2t.atoms.placement import deformed_positions
from hyperspy_t2t.calibration import ImageGrid
from hyperspy_t2t.signals._atoms.cuts import (
    Branched,
    middle_of_nodes,
    sites_of_node,
)
from hyperspy_t2t.signals._atoms.measured_regions import MeasuredRegion
from hyperspy_t2t.signals._carried.source import Source
from hyperspy_t2t.signals._strain.fields import field_of_places
from hyperspy_t2t.strain.continuation import core, nearest_known

_MIXED = 2.0
"""Distance from a fault, in standard deviations of the average, up to which the
displacement is that of both sides."""


def regions_along(line: np.ndarray, source: Source) -> list[int]:
    """Labels of the regions that a line of points (n, 2) in nm runs through."""
    rows, columns = (
        np.clip(np.rint(index).astype(int), 0, size - 1)
        for index, size in zip(
            source.grid.to_pixels(line), source.grid.shape, strict=True
        )
    )
    window = tuple(slice(i.min(), i.max() + 1) for i in (rows, columns))
    labels = np.asarray(source.labels[window])
    found = np.unique(labels[rows - rows.min(), columns - columns.min()])
    return found[found > 0].tolist()


def placed_beside_faults(
    columns: Columns,
    region: MeasuredRegion,
    source: Source,
    lines: Sequence[np.ndarray],
    branched: Branched | None,
) -> tuple[Columns, int]:
    """Columns of a region with faults, and how many were lost.

    A node near a fault stays on the side that it is imaged on and takes the
    displacement measured there, continued up to the fault: both sides meet with the
    shift of the fault. `branched` has the branches of the displacement, if it has cuts.
    """
    grid = ImageGrid.from_dict(region.domain["grid"])
    inside = source.labels_at(grid) == region.label
    sides, count = sides_of_faults(inside, grid, lines)
    if count < 2 or not len(columns):
        return columns, 0
    mixed = _MIXED * float(region.domain["resolution"])
    distance = fault_distance(grid, lines)
    # A spline forgets what is eight samples away.
    near = distance < mixed + 8 * max(grid.pixel_size)
    position, found = columns.position.copy(), np.ones(len(columns), bool)
    middle = np.repeat(middle_of_nodes(columns), sites_of_node(columns), axis=0)
    place = _places(middle, grid, sides > 0)
    side_of = np.where(near[place], sides[place], 0)
    for domain, moved, mine in _by_branch(region.domain, middle, branched):
        for side in range(1, count + 1):
            rows = np.flatnonzero((side_of == side) & mine)
            places = core(sides == side)
            known = places & (distance > mixed)
            field = field_of_places(
                domain, region.label, known if known.any() else places
            )
            position[rows], found[rows] = deformed_positions(
                columns.reference[rows] + moved[rows],
                field.displacement_at,
                field.gradient_at,
                start=columns.position[rows],
            )
    whole = found.reshape(-1, sites_of_node(columns)).all(axis=1)
    whole = np.repeat(whole, sites_of_node(columns))
    return replace(columns, position=position)[whole], int((~whole).sum())


def _by_branch(
    domain: dict, middle: np.ndarray, branched: Branched | None
) -> Iterator[tuple[dict, np.ndarray, np.ndarray]]:
    """Each branch's stored domain, what it adds to references, and its columns."""
    if branched is None:
        yield domain, np.zeros_like(middle), np.ones(len(middle), bool)
        return
    other = branched.branches.preference(middle) > 0
    yield domain, np.zeros_like(middle), ~other
    if other.any():
        yield branched.domain, branched.other_at(middle), other


def _places(
    positions: np.ndarray, grid: ImageGrid, inside: np.ndarray
) -> tuple[np.ndarray, ...]:
    """Row and column of the place inside that is about nearest to each position."""
    rows, columns = (
        np.clip(np.rint(index).astype(int), 0, size - 1)
        for index, size in zip(grid.to_pixels(positions), grid.shape, strict=True)
    )
    return tuple(index[rows, columns] for index in nearest_known(inside))
