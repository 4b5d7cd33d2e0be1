# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Filling the regions that share a lattice with the columns of a crystal."""

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hyperspy_t2t.array_types import Array, Bools, Ints
from hyperspy_t2t.atoms.columns import Columns
from hyperspy_t2t.atoms.inside_polygon import Polygons
from hyperspy_t2t.atoms.node_lattice import Cell, NodeLattice
from hyperspy_t2t.atoms.node_tiles import SIDE, Field, region_samples, tiles_of
from hyperspy_t2t.atoms.ownership import settle
from hyperspy_t2t.atoms.placement import deformed_positions, inverse_steps


@dataclass(frozen=True)
class FillReport:
    """What became of the nodes of a block.

    Parameters
    ----------
    lost
        Columns of each region whose position was not found, for the displacement
        changes too fast there, with the rest of their nodes: they are left out.
    continued
        Columns of each region placed by a displacement continued beyond where it was
        measured.
    contested
        Nodes that the own fields of two regions claimed; one of them got each.
    given
        Nodes at a border that no region's own field claimed; one got each.
    """

    lost: dict[int, int]
    continued: dict[int, int]
    contested: int
    given: int


def fill_block(
    cell: Cell,
    sites: Array | Mapping[int, Array],
    *,
    origin: Array,
    polygons: Polygons,
    labels: Sequence[int],
    common: Field | None,
    fields: Mapping[int, Field],
    measured: Callable[[Array], Bools],
) -> tuple[dict[int, Columns], FillReport]:
    """Columns of the regions that share one lattice.

    The nodes of the lattice in the plane are placed whole, with all sites of the
    primitive cell, so that each region keeps the crystal's composition. A node
    belongs to the region in which its centre is imaged by the common field. Without
    one, each region's own field says which nodes lie in it, and of two images within
    half the distance between nodes one is kept, see
    :func:`~hyperspy_t2t.atoms.ownership.settle`.

    Parameters
    ----------
    cell
        The measured cell of the undeformed lattice.
    sites
        Fractional coordinates of the sites of one primitive cell, shape (s, 3): for
        all regions or for each, in the same order and close to each other.
    origin
        Position of the cell's origin in the undeformed frame, in nm, shape (2,).
    polygons
        Outlines of all regions.
    labels
        The regions of the block; one without an outline stays empty.
    common
        Displacement valid over all of them, if there is one.
    fields
        The displacement of each region.
    measured
        Whether u was measured at positions (n, 2) in nm, or continued.

    Returns
    -------
    columns : dict
        By label, in the order of `labels`.
    report : FillReport
    """
    labels = tuple(labels)
    own = sites if isinstance(sites, Mapping) else dict.fromkeys(labels, sites)
    lattices = {
        k: NodeLattice.of(cell, own[k], origin, like=own[labels[0]]) for k in labels
    }
    lattice = lattices[labels[0]]
    found: dict[int, list[Columns]] = {label: [] for label in labels}
    lost = dict.fromkeys(labels, 0)
    contested = given = 0
    outlined = tuple(label for label in labels if label in polygons)
    if common is not None:
        shares = _common_shares(lattice, polygons, outlined, common)
    else:
        shares = _own_shares(lattice, polygons, outlined, fields)
    for share in shares:
        label = share.label
        columns, missing = _placed(lattices[label], share, fields[label], measured)
        lost[label] += (missing + share.lost) * len(lattice)
        contested, given = contested + share.contested, given + share.given
        found[label].append(columns)
    joined = {k: _joined(found[k], cell.period) for k in labels}
    continued = {k: int(c.continued.sum()) for k, c in joined.items()}
    return joined, FillReport(lost, continued, contested, given)


@dataclass(frozen=True)
class _Share:
    """Some nodes of a region, where their centres are imaged, and for the report."""

    label: int
    nodes: Ints
    centre: Array
    lost: int
    contested: int = 0
    given: int = 0


def _common_shares(
    lattice: NodeLattice, polygons: Polygons, labels: tuple[int, ...], common: Field
) -> Iterator[_Share]:
    """A node belongs to the region in which the common field images its centre."""
    samples = [np.empty((0, 2))]
    samples += [_samples(lattice, polygons, label) for label in labels]
    for nodes, position, found in _images(lattice, np.concatenate(samples), common):
        at = polygons.region_at(position)
        for label in labels:
            mine = at == label
            if mine.any():
                lost = int((mine & ~found).sum())
                mine &= found
                yield _Share(label, nodes[mine], position[mine], lost)


def _own_shares(
    lattice: NodeLattice, polygons: Polygons, labels: tuple[int, ...],
    fields: Mapping[int, Field],
) -> Iterator[_Share]:  # fmt: skip
    """Nodes that each region's own field images in it, one owner at the borders."""

    def nearest(label: int, places: Array) -> tuple[Array, Bools]:
        field = fields[label]
        # Where u is not known no node is found near.
        reference = np.nan_to_num(places - field.displacement_at(places).T)
        return _solved(field, lattice.centres(lattice.nearest(reference)), places)

    for label in labels:
        samples = _samples(lattice, polygons, label)
        for nodes, position, found in _images(lattice, samples, fields[label]):
            lost = int((polygons.region_at(position[~found]) == label).sum())
            nodes, position = nodes[found], position[found]
            own = settle(
                label,
                position,
                polygons=polygons,
                labels=labels,
                nearest=nearest,
                near=lattice.spacing / 2,
            )
            yield _Share(
                label, nodes[own.kept], position[own.kept], lost,
                own.contested, own.given,
            )  # fmt: skip


def _samples(lattice: NodeLattice, polygons: Polygons, label: int) -> Array:
    return region_samples(polygons, label, SIDE * lattice.spacing / 4)


def _images(
    lattice: NodeLattice, samples: Array, field: Field
) -> Iterator[tuple[Ints, Array, Bools]]:
    """Nodes around samples of the image, where they are imaged, and whether found."""
    tiles = tiles_of(samples, field, lattice.start, lattice.in_plane)
    for nodes, tile in tiles.batches():
        centres = lattice.centres(nodes)
        yield nodes, *_solved(field, centres, tiles.guesses(tile, centres))


def _solved(field: Field, reference: Array, start: Array) -> tuple[Array, Bools]:
    return deformed_positions(
        reference, field.displacement_at, field.gradient_at, start=start
    )


def _placed(
    lattice: NodeLattice, share: _Share, field: Field,
    measured: Callable[[Array], Bools],
) -> tuple[Columns, int]:  # fmt: skip
    """Columns of nodes, and how many nodes are left out as one of them is lost."""
    nodes, sites = share.nodes, len(lattice)
    reference, depth = lattice.sites(nodes)
    offset = reference - lattice.centres(nodes)[:, None]
    slope = np.repeat(field.gradient_at(share.centre), sites, axis=1)
    guess = np.repeat(share.centre, sites, axis=0)
    guess += inverse_steps(slope, offset.reshape(-1, 2))
    reference = reference.reshape(-1, 2)
    position, found = _solved(field, reference, guess)
    whole = found.reshape(-1, sites).all(axis=1)
    keep = np.repeat(whole, sites)
    count = int(whole.sum())
    columns = Columns(
        position=position[keep],
        reference=reference[keep],
        depth=depth.ravel()[keep],
        stretch=np.ones(count * sites),
        lean=np.tile(lattice.lean, (count * sites, 1)),
        site=np.tile(np.arange(sites), count),
        node=np.repeat(nodes[whole], sites, axis=0),
        continued=~measured(position[keep]),
        period=lattice.period,
    )
    return columns, len(nodes) - count


def _joined(parts: list[Columns], period: float) -> Columns:
    """One table of all parts."""
    vector, number = np.empty((0, 2)), np.empty(0)
    site, node = np.empty(0, np.int64), np.empty((0, 2), np.int64)
    none = Columns(
        vector, vector, number, number, vector, site, node, np.empty(0, bool), period
    )
    names = [column.name for column in dataclasses.fields(Columns)][:-1]
    joined: dict[str, Any] = {
        name: np.concatenate([getattr(part, name) for part in (none, *parts)])
        for name in names
    }
    return dataclasses.replace(none, **joined)
