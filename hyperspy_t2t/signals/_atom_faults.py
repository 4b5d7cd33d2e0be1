# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Columns beside planar faults, placed by the displacement of their own side."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from hyperspy_t2t.atoms.columns import Columns
from hyperspy_t2t.atoms.fault_sides import fault_distance, sides_of_faults
from hyperspy_t2t.atoms.placement import deformed_positions
from hyperspy_t2t.calibration import ImageGrid
from hyperspy_t2t.signals._atom_regions import MeasuredRegion
from hyperspy_t2t.signals._measured_strain import coarse_labels
from hyperspy_t2t.signals._source import Source
from hyperspy_t2t.signals._strain_fields import field_of_places
from hyperspy_t2t.strain.continuation import core, nearest_known

_MIXED = 2.0
"""Distance from a fault, in standard deviations of the average, up to which the
displacement is that of both sides."""


def placed_beside_faults(
    columns: Columns,
    region: MeasuredRegion,
    source: Source,
    lines: Sequence[np.ndarray],
) -> tuple[Columns, int]:
    """Columns of a region with faults, and how many were lost.

    A node stays on the side that it is imaged on and takes the displacement measured
    there, continued up to the fault: both sides meet with the shift of the fault.
    """
    grid = ImageGrid.from_dict(region.domain["grid"])
    inside = coarse_labels(source, grid) == region.label
    sides, count = sides_of_faults(inside, grid, lines)
    if count < 2 or not len(columns):
        return columns, 0
    far = fault_distance(grid, lines) > _MIXED * float(region.domain["resolution"])
    side_of = _side_of_columns(columns, grid, sides)
    position, found = columns.position.copy(), np.ones(len(columns), bool)
    for side in range(1, count + 1):
        rows = np.flatnonzero(side_of == side)
        places = core(sides == side)
        known = places & far
        field = field_of_places(
            region.domain, region.label, known if known.any() else places
        )
        position[rows], found[rows] = deformed_positions(
            columns.reference[rows],
            field.displacement_at,
            field.gradient_at,
            start=columns.position[rows],
        )
    whole = _whole_nodes(columns, found)
    return replace(columns, position=position)[whole], int((~whole).sum())


def _side_of_columns(
    columns: Columns, grid: ImageGrid, sides: np.ndarray
) -> np.ndarray:
    """Side of the node of each column: that of the place nearest to its middle."""
    node, count = _nodes(columns)
    middle = [np.bincount(node, columns.position[:, axis]) / count for axis in (0, 1)]
    rows, cols = (
        np.clip(np.rint(index).astype(int), 0, size - 1)
        for index, size in zip(
            grid.to_pixels(np.stack(middle, -1)), grid.shape, strict=True
        )
    )
    nearest = nearest_known(sides > 0)
    side = sides[nearest[0][rows, cols], nearest[1][rows, cols]]
    return side[node]


def _whole_nodes(columns: Columns, found: np.ndarray) -> np.ndarray:
    """Which columns belong to nodes whose columns were all found."""
    node, count = _nodes(columns)
    return (np.bincount(node, found) == count)[node]


def _nodes(columns: Columns) -> tuple[np.ndarray, np.ndarray]:
    """Number of the node of each column, and how many columns each node has."""
    _, node, count = np.unique(
        columns.node, axis=0, return_inverse=True, return_counts=True
    )
    return node.ravel(), count
