# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Filling the regions of blocks with columns, strained as measured."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from hyperspy_t2t.atoms.alloy_bulk import stiffness_of_alloy
from hyperspy_t2t.atoms.columns import Columns
from hyperspy_t2t.atoms.elastic import stiffness
from hyperspy_t2t.atoms.expansion import atom_counts, periodic_repeats
from hyperspy_t2t.atoms.filling import FillReport, fill_block
from hyperspy_t2t.atoms.image_frame import ImageFrame
from hyperspy_t2t.atoms.inside_polygon import Polygons
from hyperspy_t2t.atoms.site_occupancy import MixedSites, draw_numbers
from hyperspy_t2t.signals._atoms.along_beam import strained_along_beam
from hyperspy_t2t.signals._atoms.atom_table import FilledRegion
from hyperspy_t2t.signals._atoms.blocks import Block
from hyperspy_t2t.signals._atoms.cuts import (
    Branched,
    branched_regions,
    filled_beside_cuts,
)
from hyperspy_t2t.signals._atoms.faults import placed_beside_faults
from hyperspy_t2t.signals._atoms.measured_regions import MeasuredRegion
from hyperspy_t2t.signals._atoms.options import AtomOptions
from hyperspy_t2t.signals._carried.source import Source
from hyperspy_t2t.strain.maps import LatticeField


@dataclass(frozen=True)
class Surroundings:
    """What the filling of every block needs.

    Parameters
    ----------
    source
        The micrograph with its labels.
    frame
        Of the image.
    polygons
        Outlines of all regions, which go on beyond it.
    to_true
        Image to true lengths, shape (2, 2).
    shares
        Of the elements on their sublattice, by label, where a composition is known.
    faults
        (x, y) in nm along the faults of each region, by label.
    """

    source: Source
    frame: ImageFrame
    polygons: Polygons
    to_true: np.ndarray
    shares: Mapping[int, Mapping[str, float]]
    faults: Mapping[int, list[np.ndarray]]


def filled_block(
    block: Block, around: Surroundings, options: AtomOptions, first_column: int
) -> tuple[dict[int, FilledRegion], FillReport]:
    """Regions of one block, by label, with the elements that their phases have."""
    repeats = None
    if options.periodic:
        repeats = periodic_repeats(
            block.cell.period,
            options.thickness,
            phase=block.leader.solution.crystal.name,
            zone_axis=block.cell.zone_axis.tolist(),
        )
    # Columns lean in true lengths; the image shows them distorted.
    lean = np.linalg.solve(around.to_true, block.cell.lean)
    cell = replace(block.cell, lean=lean)
    content = {label: block.content[label].fractional for label in block.members}

    def fill(polygons: Polygons, common: Any, fields: Any) -> Any:
        return fill_block(
            cell,
            content,
            origin=block.origin,
            polygons=polygons,
            labels=tuple(block.members),
            common=common,
            fields=fields,
            measured=lambda points: np.ones(len(points), bool),  # told below
        )

    branched = branched_regions(block, around.source)
    found, report = filled_beside_cuts(
        fill, block, branched, around.source, around.polygons
    )
    regions: dict[int, FilledRegion] = {}
    for label, columns in found.items():
        member = block.members[label]
        columns, lost = _strained(
            columns, block, member, around, options, branched.get(label)
        )
        report.lost[label] += lost
        regions[label] = _region(
            columns, block.content[label], label, around, options, repeats,
            first_column, lean,
        )  # fmt: skip
        first_column += len(columns)
    return regions, report


def _strained(
    columns: Columns,
    block: Block,
    member: MeasuredRegion,
    around: Surroundings,
    options: AtomOptions,
    branched: Branched | None,
) -> tuple[Columns, int]:
    """Columns beside faults by their own side, strained along the beam.

    Also how many of them were lost.
    """
    columns = columns[_cells_in_image(columns, around.frame)]
    seen = _measured(member.field, around.frame, columns.position)
    columns = replace(columns, continued=~seen)
    lost, lines = 0, around.faults.get(member.label, [])
    if lines:
        columns, lost = placed_beside_faults(
            columns, member, around.source, lines, branched
        )
    constants = None
    if options.beam_direction == "elastic":
        constants = _stiffness(member, around.shares.get(member.label))
    columns = strained_along_beam(
        columns, block, member, around.to_true, options.beam_direction, constants
    )
    return columns, lost


def _cells_in_image(columns: Columns, frame: ImageFrame) -> np.ndarray:
    """Columns of primitive cells with at least one column in the image, (n,)."""
    sites = int(columns.site.max(initial=0)) + 1  # columns of a cell stand together
    inside = frame.holds(columns.position).reshape(-1, sites).any(axis=1)
    return np.repeat(inside, sites)


def _stiffness(
    member: MeasuredRegion, shares: Mapping[str, float] | None
) -> np.ndarray:
    """Of a region's phase or alloy in GPa, shape (6, 6)."""
    phase = member.solution.crystal
    found = stiffness_of_alloy(phase, shares) if shares else stiffness(phase)
    return found.matrix


def _measured(
    field: LatticeField, frame: ImageFrame, positions: np.ndarray
) -> np.ndarray:
    """Whether u was measured at positions (n, 2) in nm, or continued."""
    seen = field.amplitude.at(positions)[0] > field.faintest
    return frame.holds(positions) & seen


def _region(
    columns: Columns,
    content: MixedSites,
    label: int,
    around: Surroundings,
    options: AtomOptions,
    repeats: int | None,
    first_column: int,
    lean: np.ndarray,
) -> FilledRegion:
    """A region with the elements that its phase has on its sites."""
    thickness = options.thickness
    if repeats is not None:
        thickness = repeats * columns.period
    length = {"thickness": thickness} if repeats is None else {"repeats": repeats}
    site = np.repeat(columns.site.astype(np.int16), atom_counts(columns, **length))
    numbers = draw_numbers(content, site, options.seed + label)
    return FilledRegion(
        label,
        columns,
        repeats,
        thickness,
        first_column,
        around.to_true,
        lean,
        numbers.astype(np.uint8),
    )
