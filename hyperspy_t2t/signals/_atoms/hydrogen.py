# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Hydrogen on the dangling bonds of a model."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from hyperspy_t2t.atoms.passivation import bond_vectors, hydrogens
from hyperspy_t2t.atoms.primitive import primitive_sites
from hyperspy_t2t.signals._atoms.atom_table import COLUMNS, HYDROGEN, FilledRegion
from hyperspy_t2t.signals._atoms.blocks import Block, Blocks


def passivated(
    regions: Sequence[FilledRegion],
    found: Blocks,
    to_true: np.ndarray,
    period: float | None,
) -> list[FilledRegion]:
    """Regions with hydrogen where a bond of their crystal leads to no atom.

    Parameters
    ----------
    regions
        All filled regions, those without a crystal included.
    found
        The blocks they belong to.
    to_true
        Image to true lengths, shape (2, 2).
    period
        Of the model along the beam in Å, None if it has surfaces there.
    """
    tables = {
        label: _bonds(block, label, to_true)
        for block in found.blocks
        for label in block.members
    }
    bonds = np.full((sum(map(len, tables.values())), 4, 3), np.nan)
    start, first = 0, {}
    for label, table in tables.items():
        first[label] = start
        bonds[start : start + len(table), : table.shape[1]] = table
        start += len(table)
    parts = [_atoms(region, first.get(region.label)) for region in regions]
    position, number, site = (np.concatenate(a) for a in zip(*parts, strict=True))
    ends = np.cumsum([len(part[0]) for part in parts])
    added = hydrogens(position, number, site, bonds, period=period)
    owner = np.searchsorted(ends, added.parent, side="right")
    return [
        replace(
            region,
            single=np.concatenate(
                [region.single, _rows(added.positions[owner == i], region.label)]
            ),
        )
        for i, region in enumerate(regions)
    ]


def _bonds(block: Block, label: int, to_true: np.ndarray) -> np.ndarray:
    """Bonds of each site of a member as strained on average, in Å, (sites, m, 3)."""
    member = block.members[label]
    lattice = replace(block.leader.solution.crystal, cell=member.bulk.cell)
    inverse = np.linalg.inv(np.eye(2) - member.lattice.mean)
    seen = to_true @ inverse @ block.cell.projection
    bulk = 0.1 * block.orientation @ lattice.lattice.T
    beam = bulk @ block.cell.zone_axis
    projected = bulk[:2] - np.outer(beam[:2] / beam[2], bulk[2])
    deformation = np.eye(3)
    deformation[:2, :2] = seen @ np.linalg.pinv(projected)
    deformation[2, 2] = block.cell.period / abs(bulk[2] @ block.cell.axis)
    vectors = bond_vectors(lattice)[primitive_sites(lattice)]
    return vectors @ (deformation @ block.orientation).T


def _atoms(
    region: FilledRegion, first: int | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Positions in Å, numbers and rows of the table of bonds of all atoms."""
    held = region.numbers > 0
    atoms = region.atoms()
    column = atoms.column[held] - region.first_column
    site = region.columns.site[column]
    site = np.full(len(site), -1) if first is None else first + site
    single = region.single
    return (
        np.concatenate([atoms.position[held], single[:, :3]]),
        np.concatenate([region.numbers[held], single[:, 3].astype(np.uint8)]),
        np.concatenate([site, np.full(len(single), -1)]),
    )


def _rows(positions: np.ndarray, label: int) -> np.ndarray:
    """Rows of the table of hydrogen."""
    rows = np.zeros((len(positions), len(COLUMNS)))
    rows[:, :3] = positions
    rows[:, 3], rows[:, 4] = 1, label
    rows[:, 8], rows[:, 9] = -1, HYDROGEN
    return rows
