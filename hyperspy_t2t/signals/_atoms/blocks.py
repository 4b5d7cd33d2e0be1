# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Regions that share one lattice, and the blocks of atoms that they make."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from hyperspy_t2t.atoms.coherence import BorderMatch, border_offsets, coherent_groups
from hyperspy_t2t.atoms.image_frame import ImageFrame
from hyperspy_t2t.atoms.nearest_bonds import NearestBonds, nearest_bonds
from hyperspy_t2t.atoms.site_content import content_on, primitive_content
from hyperspy_t2t.atoms.site_occupancy import MixedSites
from hyperspy_t2t.atoms.structure_match import matching_sites
from hyperspy_t2t.atoms.virtual_cell import VirtualCell
from hyperspy_t2t.calibration import ImageGrid
from hyperspy_t2t.phases.reflections import laue_operations
from hyperspy_t2t.signals._atoms.measured_regions import MeasuredRegion, region_origin
from hyperspy_t2t.signals._carried.source import Source
from hyperspy_t2t.signals._strain.epitaxy import sampled_grid
from hyperspy_t2t.signals._strain.fields import field_of
from hyperspy_t2t.strain.epitaxy import borders
from hyperspy_t2t.strain.maps import LatticeField

Pair = tuple[int, int]


@dataclass(frozen=True)
class Block:
    """Regions that are filled with one lattice.

    Parameters
    ----------
    leader
        The region whose cell and origin the lattice has.
    members
        All regions by label, the leader included.
    cell, origin
        The lattice in the undeformed frame, and where its origin lies in nm.
    orientation
        Rotation matrix crystal → image of the lattice, shape (3, 3).
    content
        What stands on the sites in each member.
    common
        Displacement measured over all members, None where they were measured apart.
    """

    leader: MeasuredRegion
    members: Mapping[int, MeasuredRegion]
    cell: VirtualCell
    origin: np.ndarray
    orientation: np.ndarray
    content: Mapping[int, MixedSites]
    common: LatticeField | None

    def bonds(self, label: int) -> list[NearestBonds]:
        """Nearest neighbours of each site of a member's bulk."""
        lattice = self.leader.solution.crystal
        own = replace(lattice, cell=self.members[label].bulk.cell)
        return nearest_bonds(own, self.content[self.leader.label].fractional)

    @property
    def spacing(self) -> float:
        """Shortest distance in Å between atoms of the leader's bulk."""
        return min(bond.length for bond in self.bonds(self.leader.label))


@dataclass(frozen=True)
class Blocks:
    """All blocks, and how the regions meet.

    Parameters
    ----------
    blocks
        That of the reference first.
    matches
        How the displacements of neighbours fit along their border.
    empty
        Why regions stay empty, by label.
    """

    blocks: list[Block]
    matches: dict[Pair, BorderMatch]
    empty: dict[int, str]

    def block_of(self) -> dict[int, int]:
        """Number of the block of each region."""
        return {k: i for i, block in enumerate(self.blocks) for k in block.members}


def find_blocks(
    regions: Mapping[int, MeasuredRegion],
    source: Source,
    *,
    reference: int,
    resolution: float,
    contrast: str,
) -> Blocks:
    """Blocks of regions; a region whose picture says nothing stays empty."""
    matches = _matches(regions, source, resolution)
    blocks: list[Block] = []
    empty: dict[int, str] = {}
    for group in coherent_groups(list(regions), matches, reference=reference):
        members = {label: regions[label] for label in group}
        leader = _leader(members, reference)
        try:
            origin, cell = region_origin(leader, source, contrast)
        except ValueError as error:
            empty |= dict.fromkeys(group, str(error))
            continue
        content = {k: _content(leader, region) for k, region in members.items()}
        common = _common_field(members)
        orientation = _orientation(leader, cell)
        blocks.append(
            Block(leader, members, cell, origin, orientation, content, common)
        )
    return Blocks(blocks, matches, empty)


def _orientation(leader: MeasuredRegion, cell: VirtualCell) -> np.ndarray:
    """That of the leader, half a turn about the zone axis on if its cell is turned."""
    if (cell.projection == leader.cell.projection).all():
        return leader.orientation
    axis = leader.orientation @ leader.bulk.lattice.T @ cell.zone_axis
    axis *= np.pi / np.linalg.norm(axis)
    return Rotation.from_rotvec(axis).as_matrix() @ leader.orientation


def _leader(members: Mapping[int, MeasuredRegion], reference: int) -> MeasuredRegion:
    """The reference, or the region that the image shows most of."""
    if reference in members:
        return members[reference]
    return max(members.values(), key=lambda region: region.lattice.weight.sum())


def _matches(
    regions: Mapping[int, MeasuredRegion], source: Source, resolution: float
) -> dict[Pair, BorderMatch]:
    """How neighbours that may share a lattice fit along their border."""
    grid = sampled_grid(source.grid)
    found: dict[Pair, BorderMatch] = {}
    for pair, points in borders(source.labels_at(grid), grid, gap=resolution).items():
        if not all(label in regions for label in pair):
            continue
        first, second = (regions[label] for label in pair)
        if _one_lattice(first, second):
            found[pair] = border_offsets(
                points,
                first.field.displacement_at(points).T,
                second.field.displacement_at(points).T,
                first.cell.in_plane,
            )
    return found


def _one_lattice(first: MeasuredRegion, second: MeasuredRegion) -> bool:
    """Whether two regions are measured against one lattice that both may have."""
    domains = first.domain, second.domain
    if int(domains[0]["reference"]) != int(domains[1]["reference"]):
        return False
    one, other = (np.asarray(domain["g_vectors"])[:2] for domain in domains)
    if not np.allclose(one, other, rtol=1e-6):
        return False
    if _site_match(first, second) is None:
        return False
    # The same lattice turned by an operation of its symmetry is the same lattice; a
    # tetragonal crystal with c where its neighbour has a is not.
    turned = laue_operations(first.solution.crystal) @ first.lattice.hkl.T
    return bool((turned == second.lattice.hkl.T).all(axis=(1, 2)).any())


def _site_match(first: MeasuredRegion, second: MeasuredRegion) -> Any:
    """The SiteMatch of two regions, None where their sites don't match."""
    return matching_sites(first.solution.crystal, second.solution.crystal)


def _content(leader: MeasuredRegion, region: MeasuredRegion) -> MixedSites:
    """What a region has on the sites of the leader's lattice."""
    if region.solution.crystal.name == leader.solution.crystal.name:
        return primitive_content(leader.solution.crystal)
    return content_on(
        leader.solution.crystal, region.solution.crystal, _site_match(leader, region)
    )


def _common_field(members: Mapping[int, MeasuredRegion]) -> LatticeField | None:
    """The field of the domain that all members belong to, None if they do not."""
    first, *others = (region.domain for region in members.values())
    one = all(np.array_equal(first["members"], domain["members"]) for domain in others)
    return field_of(first) if one else None


def image_frame(grid: ImageGrid) -> ImageFrame:
    """Outline of an image, edges of pixels included."""
    step = np.array(grid.pixel_size[::-1])
    low = np.array(grid.origin[::-1]) - 0.5 * step
    return ImageFrame(low, low + np.array(grid.shape[::-1]) * step)
