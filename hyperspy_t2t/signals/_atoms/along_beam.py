# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""How the columns of a block are strained along the beam, under a stated assumption."""

from dataclasses import replace
from typing import Any

import numpy as np

from hyperspy_t2t.atoms.columns import Columns
from hyperspy_t2t.atoms.elastic import plane_stress
from hyperspy_t2t.signals._atoms.blocks import Block
from hyperspy_t2t.signals._atoms.measured_regions import MeasuredRegion
from hyperspy_t2t.signals._atoms.true_lengths import local_stretch


def strained_along_beam(
    columns: Columns,
    block: Block,
    member: MeasuredRegion,
    to_true: np.ndarray,
    assumption: str | float,
    stiffness: Any,
) -> Columns:
    """Columns of one region with their stretch along the beam.

    Parameters
    ----------
    columns
        Of the region, with the period of the block's lattice.
    block, member
        Where they belong.
    to_true
        Image to true lengths, shape (2, 2).
    assumption
        "bulk": as deep as the bulk of the block's leader, so that coherent regions have
        one period. A number: strain relative to it. "elastic": free of stress across
        the foil, from the local strain in the plane relative to the region's own bulk.
    stiffness
        Of that bulk in GPa, shape (6, 6), for "elastic".
    """
    if assumption == "bulk" or not len(columns):
        return columns
    if assumption != "elastic":
        return replace(columns, stretch=np.full(len(columns), 1.0 + float(assumption)))
    gradient = member.field.gradient_at(columns.position).T.reshape(-1, 2, 2)
    cell = block.cell
    seen = to_true @ np.linalg.inv(np.eye(2) - gradient) @ cell.projection
    orientation = block.orientation
    axes = 0.1 * orientation @ member.bulk.lattice.T
    beam = axes @ cell.zone_axis
    strain = local_stretch(seen, axes[:2] - np.outer(beam[:2] / beam[2], axes[2]))
    along, lean = plane_stress(strain, stiffness, orientation)
    period = abs(axes[2] @ cell.axis)
    stretch = period / cell.period * (1.0 + along)
    # Columns lean in true lengths; the image shows them distorted.
    seen_lean = lean @ np.linalg.inv(to_true).T
    return replace(columns, stretch=stretch, lean=columns.lean + seen_lean)
