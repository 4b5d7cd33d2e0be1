# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Columns along the cuts of a displacement with dislocations."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from dataclasses import fields as table_fields

import numpy as np
from scipy.spatial import cKDTree

from hyperspy_t2t.atoms.columns import Columns
from hyperspy_t2t.atoms.dislocation_cuts import Branches, branches
from hyperspy_t2t.atoms.filling import FillReport
from hyperspy_t2t.atoms.inside_polygon import Polygons
from hyperspy_t2t.atoms.virtual_cell import VirtualCell
from hyperspy_t2t.calibration import ImageGrid
from hyperspy_t2t.signals._atoms.blocks import Block
from hyperspy_t2t.signals._carried.source import Source
from hyperspy_t2t.signals._strain.fields import field_of, field_of_region
from hyperspy_t2t.strain.continuation import core
from hyperspy_t2t.strain.maps import LatticeField

_CLOSE = 0.75
"""Share of the least distance of columns in the bulk below which one is too many."""
_MARGIN = 16
"""Places around regions, beyond which a spline forgets."""
Found = tuple[dict[int, Columns], FillReport]
Fill = Callable[[Polygons, LatticeField | None, Mapping[int, LatticeField]], Found]


@dataclass(frozen=True)
class Branched:
    """Branches of the displacement of a stored domain.

    Parameters
    ----------
    branches
        The kernel's.
    domain
        The stored domain with the displacement of the other branch.
    in_plane
        Lattice vectors (rows) in nm, shape (2, 2).
    """

    branches: Branches
    domain: dict
    in_plane: np.ndarray

    def other_at(self, positions: np.ndarray) -> np.ndarray:
        """Lattice vectors in nm that the other branch has more, (n, 2) → (n, 2)."""
        return self.branches.turns_at(positions) @ self.in_plane


def branched_regions(block: Block, source: Source) -> dict[int, Branched]:
    """Branches of those regions of a block whose displacement has cuts."""
    groups: dict[int, list[int]] = {}
    for label in block.members:
        first = label if block.common is None else block.leader.label
        groups.setdefault(first, []).append(label)
    result: dict[int, Branched] = {}
    for first, labels in groups.items():
        found = _branched(block.members[first].domain, block, labels, source)
        if found is not None:
            result |= dict.fromkeys(labels, found)
    return result


def _branched(
    domain: dict, block: Block, labels: list[int], source: Source
) -> Branched | None:
    """Branches of one stored domain in some of its regions."""
    grid, in_plane = ImageGrid.from_dict(domain["grid"]), block.cell.in_plane
    inside = np.isin(source.labels_at(grid), labels)
    if not inside.any():
        return None
    window = _around(inside)
    grid, inside = grid.window(*window), inside[window]
    u, beta, amplitude = (
        np.asarray(domain[name])[..., *window]
        for name in ("displacement", "gradient", "amplitude")
    )
    strong = inside & (amplitude > float(domain["faintest"]))
    # At the outline an average sees more than this lattice: no jump there counts.
    known = core(strong if strong.any() else inside)
    found = branches(u, beta, in_plane, inside, known, grid)
    if found is None:
        return None
    other = np.array(domain["displacement"])
    other[:, *window] += np.einsum("iyx,ij->jyx", found.turns, in_plane)
    return Branched(found, {**domain, "displacement": other}, in_plane)


def _around(inside: np.ndarray) -> tuple[slice, slice]:
    """Rows and columns of a mask with a margin."""
    result = []
    for axis in (1, 0):
        used = np.flatnonzero(inside.any(axis=axis))
        start, stop = max(used[0] - _MARGIN, 0), used[-1] + 1 + _MARGIN
        result.append(slice(int(start), int(min(stop, inside.shape[1 - axis]))))
    return result[0], result[1]


def filled_beside_cuts(
    fill: Fill,
    block: Block,
    branched: Mapping[int, Branched],
    source: Source,
    polygons: Polygons,
) -> Found:
    """Columns of a block, placed near cuts by the branch that is smooth there.

    Parameters
    ----------
    fill
        Fills regions with these outlines, a common field and one of each region.
    block, branched
        What to fill, and the branches of its regions that have cuts.
    source, polygons
        The micrograph and the outlines of all regions.

    Returns
    -------
    columns, report
        As of :func:`~hyperspy_t2t.atoms.filling.fill_block`. References and nodes are
        those of the stored branch: where a cut opens the undeformed lattice a node may
        be there twice, on either side.
    """
    fields = {label: member.field for label, member in block.members.items()}
    if not branched:
        return fill(polygons, block.common, fields)
    reach = 0.5 * min(np.linalg.norm(block.cell.in_plane, axis=1))
    stored = fill(
        PartOfPolygons.cut_from(polygons, branched, -1, reach), block.common, fields
    )
    others = {
        label: field_of_region(one.domain, source, label)
        for label, one in branched.items()
    }
    common = None
    if block.common is not None:
        common = field_of(branched[block.leader.label].domain)
    other = fill(
        PartOfPolygons.cut_from(polygons, branched, 1, reach), common, fields | others
    )
    columns = dict(stored[0])
    for label, one in branched.items():
        columns[label] = _merged(
            columns[label], other[0][label], one, block.cell, reach
        )
    columns = _apart(columns, branched, block)
    return columns, _one_report(columns, stored[1], other[1])


@dataclass(frozen=True)
class PartOfPolygons(Polygons):
    """Outlines of regions of which only that part counts that one branch fills.

    Parameters
    ----------
    branched
        Branches by label; a region without is filled by the stored displacement.
    side
        −1 for the stored branch, 1 for the other.
    reach
        In nm, by which the parts of both overlap.
    """

    branched: Mapping[int, Branched]
    side: int
    reach: float

    @classmethod
    def cut_from(
        cls, whole: Polygons, branched: Mapping[int, Branched], side: int, reach: float
    ) -> "PartOfPolygons":
        """The part of one branch."""
        own = {
            field.name: getattr(whole, field.name) for field in table_fields(Polygons)
        }
        return cls(**own, branched=branched, side=side, reach=reach)

    def region_at(self, points: np.ndarray) -> np.ndarray:
        """Label of the region whose part holds each point, 0 for none."""
        found = super().region_at(points)
        if self.side > 0:
            found[~np.isin(found, list(self.branched))] = 0
        for label, one in self.branched.items():
            rows = np.flatnonzero(found == label)
            liked = self.side * one.branches.preference(points[rows])
            found[rows[liked <= -self.reach]] = 0
        return found


def _merged(
    stored: Columns, other: Columns, one: Branched, cell: VirtualCell, reach: float
) -> Columns:
    """Columns of nodes where each branch is better, both in the stored one's terms.

    Where the branches meet a node may seem to lie a hair on either side: of two that
    are one the stored branch's is taken.
    """
    kept = one.branches.preference(middle_of_nodes(stored)) <= 0
    stored = stored[np.repeat(kept, sites_of_node(stored))]
    middle = middle_of_nodes(other)
    liked = one.branches.preference(middle)
    kept = liked > -reach
    edge = np.flatnonzero(kept & (liked < reach))
    if len(edge) and len(stored):
        apart, _ = cKDTree(middle_of_nodes(stored)).query(middle[edge])
        kept[edge[apart < reach]] = False
    other = other[np.repeat(kept, sites_of_node(other))]
    turns = one.branches.turns_at(middle[kept])
    turns = np.repeat(turns, sites_of_node(other), axis=0)
    other = replace(
        other,
        reference=other.reference - turns @ one.in_plane,
        node=other.node - turns,
        depth=_in_period(other.depth - turns @ cell.basis @ cell.depth, other.period),
    )
    joined = {
        field.name: np.concatenate(
            [getattr(part, field.name) for part in (stored, other)]
        )
        for field in table_fields(Columns)[:-1]
    }
    return Columns(**joined, period=stored.period)


def _in_period(depth: np.ndarray, period: float) -> np.ndarray:
    """Depths from 0 to one period, a hair below counting as zero."""
    hair = 1e-6 * period
    return np.maximum((depth + hair) % period - hair, 0.0)


def _upright(columns: Columns, near: np.ndarray, most: float) -> Columns:
    """Columns near a core with crumpled cells put there as they are undeformed.

    In a core the average knows no strain. `most` is how far in nm a column may be from
    where it is in its undeformed cell.
    """
    sites = sites_of_node(columns)
    rows = (sites * np.unique(near // sites))[:, None] + np.arange(sites)
    seen, straight = (
        table[rows] - table[rows].mean(axis=1, keepdims=True)
        for table in (columns.position, columns.reference)
    )
    crumpled = np.hypot(*np.moveaxis(seen - straight, -1, 0)).max(axis=1) > most
    position = columns.position.copy()
    position[rows[crumpled]] += (straight - seen)[crumpled]
    return replace(columns, position=position)


def _apart(
    columns: dict[int, Columns], branched: Mapping[int, Branched], block: Block
) -> dict[int, Columns]:
    """Columns of which none near a core lies on one of another node."""
    result = dict(columns)
    place, owner = [np.empty((0, 2))], [np.empty((0, 2), int)]
    shortest = min(_shortest(block, label) for label in branched)
    for label, one in branched.items():
        own = columns[label]
        near = np.flatnonzero(np.isfinite(one.branches.preference(own.position)))
        result[label] = own = _upright(own, near, (1 - _CLOSE) * shortest)
        place.append(own.position[near])
        node = near // sites_of_node(own)
        owner.append(np.stack([np.full(len(near), label), node], axis=1))
    nodes, of = np.unique(np.concatenate(owner), axis=0, return_inverse=True)
    pairs = cKDTree(np.concatenate(place)).query_pairs(
        _CLOSE * shortest, output_type="ndarray"
    )
    gone = np.zeros(len(nodes), bool)
    for first, second in np.sort(of.ravel()[pairs], axis=1):
        gone[second] |= first != second and not gone[first]
    for label in branched:
        sites = sites_of_node(result[label])
        kept = np.ones(len(result[label]) // sites, bool)
        kept[nodes[gone & (nodes[:, 0] == label), 1]] = False
        result[label] = result[label][np.repeat(kept, sites)]
    return result


def _shortest(block: Block, label: int) -> float:
    """Least distance in nm of columns of the undeformed lattice, if not one."""
    sites = block.content[label].fractional @ block.cell.projection.T
    steps = np.stack(np.meshgrid(*[(-1, 0, 1)] * 2), -1).reshape(-1, 2)
    apart = (sites[:, None] - sites)[:, :, None] + steps @ block.cell.in_plane
    length = np.hypot(*np.moveaxis(apart, -1, 0))
    return float(length[length > 1e-3].min())


def sites_of_node(columns: Columns) -> int:
    """Number of columns of a node."""
    return int(columns.site.max(initial=0)) + 1


def middle_of_nodes(columns: Columns) -> np.ndarray:
    """Mean (x, y) in nm of the columns of each node, which follow each other."""
    return columns.position.reshape(-1, sites_of_node(columns), 2).mean(axis=1)


def _one_report(
    columns: Mapping[int, Columns], first: FillReport, second: FillReport
) -> FillReport:
    return FillReport(
        {k: first.lost[k] + second.lost[k] for k in first.lost},
        {k: int(one.continued.sum()) for k, one in columns.items()},
        first.contested + second.contested,
        first.given + second.given,
    )
