# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Regions of a strain map with all that their atoms need."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from hyperspy_t2t.atoms.origin import cell_origin, correlation, lattice_components
from hyperspy_t2t.atoms.virtual_cell import VirtualCell, turned_about_beam, virtual_cell
from hyperspy_t2t.peaks.spectrum import prepare
from hyperspy_t2t.peaks.window import region_window
from hyperspy_t2t.phases.crystal_phase import CrystalPhase
from hyperspy_t2t.phases.reflections import projected_structure_factor
from hyperspy_t2t.phases.solution import PhaseSolution
from hyperspy_t2t.signals._carried.source import Source
from hyperspy_t2t.signals._strain.fields import field_of_region
from hyperspy_t2t.signals._strain.mean_lattices import (
    MeanLattice,
    mean_lattices,
    reference_pair,
)
from hyperspy_t2t.strain.maps import LatticeField

_MOST_PIXELS = 400_000
"""Pixels of a region used to find the origin of its cell."""


@dataclass(frozen=True)
class MeasuredRegion:
    """A region with a phase and all that was measured of it.

    Parameters
    ----------
    label, box
        Its label and its bounding box in the image.
    solution
        Its phase and orientation.
    lattice
        Its mean lattice, and the stored domain it is measured in.
    field
        Its displacement, continued from its inside.
    bulk
        Its phase without strain: with the cell of its alloy, if that is known.
    orientation
        Rotation matrix crystal → image, tilt included, shape (3, 3).
    cell
        Its cell on the undeformed lattice of the domain, as the image shows it.
    """

    label: int
    box: tuple[slice, slice]
    solution: PhaseSolution
    lattice: MeanLattice
    field: LatticeField
    bulk: CrystalPhase
    orientation: np.ndarray
    cell: VirtualCell

    @property
    def domain(self) -> dict:
        """The stored domain."""
        return self.lattice.domain


def measured_regions(
    strain: Any,
    source: Source,
    *,
    tilt: tuple[float, float],
    bulk_of: Callable[[int, CrystalPhase], CrystalPhase],
) -> tuple[dict[int, MeasuredRegion], dict[int, str]]:
    """Regions with a lattice and a phase, and why others with a lattice stay empty.

    Parameters
    ----------
    strain, source
        The strain map and its micrograph.
    tilt
        Of the crystals, in degrees about x and y.
    bulk_of
        What the phase of a region is without strain.
    """
    found: dict[int, MeasuredRegion] = {}
    empty: dict[int, str] = {}
    boxes = source.boxes()
    for label, lattice in mean_lattices(strain, source).items():
        if lattice.solution is None:
            empty[label] = "no phase: add candidates to index_phases"
        elif lattice.hkl is None:
            empty[label] = (
                f"no reflections of {lattice.solution.crystal.name} near the g-vectors "
                "of the strain: choose others with gpa(g_vectors=...)"
            )
        else:
            bulk = bulk_of(label, lattice.solution.crystal)
            found[label] = _measured(source, lattice, boxes[label], bulk, tilt)
    for label in _faint(strain, boxes, found, empty):
        empty[label] = "no fringes above the noise"
    return found, empty


def _faint(strain: Any, boxes: dict, found: dict, empty: dict) -> list[int]:
    """Members of domains in which no lattice is seen."""
    members = {
        label
        for domain in strain._domains().values()
        for label in np.asarray(domain["members"]).tolist()
    }
    return sorted(members & set(boxes) - set(found) - set(empty))


def _measured(
    source: Source,
    lattice: MeanLattice,
    box: tuple[slice, slice],
    bulk: CrystalPhase,
    tilt: tuple[float, float],
) -> MeasuredRegion:
    """All of one region.

    The reference's g are seen in this region at (I − βᵀ) g: they are the same
    reflections, so that the region's cell and the displacement belong together.
    """
    solution = lattice.solution
    cell = virtual_cell(
        bulk,
        solution.matrix,
        solution.zone_axis,
        reference_pair(lattice.domain),
        lattice.hkl,
        tilt=tilt,
    )
    return MeasuredRegion(
        lattice.label,
        box,
        solution,
        lattice,
        field_of_region(lattice.domain, source, lattice.label),
        bulk,
        Rotation.from_rotvec([*tilt, 0.0], degrees=True).as_matrix() @ solution.matrix,
        cell,
    )


def region_origin(
    measured: MeasuredRegion, source: Source, contrast: str
) -> tuple[np.ndarray, VirtualCell]:
    """Origin of a region's cell in the undeformed frame, in nm, and the cell.

    Spots do not tell a crystal from the same crystal turned by 180° about the beam.
    In a polar one the two lay different pictures over the image: the cell returned
    is the one that fits better.
    """
    solution, cell = measured.solution, measured.cell
    hkl = np.unique(solution.hkl[solution.matched], axis=0)
    hkl = hkl[[tuple(row) > (0, 0, 0) for row in hkl.tolist()]]
    g = hkl @ np.linalg.pinv(cell.projection)
    values, positions = _weighted_pixels(measured, source)
    components = lattice_components(
        values, positions, measured.field.displacement_at, g
    )
    components = components * (-1.0 if contrast == "dark" else 1.0)
    factors = projected_structure_factor(solution.crystal, hkl)
    turned = turned_about_beam(cell)
    fits = [
        (cell_origin(components, s, g, c.in_plane), s, c)
        for s, c in ((factors, cell), (factors.conj(), turned))
    ]
    upright, other = (correlation(components, s, g, t) for t, s, _ in fits)
    best = fits[1] if other > upright * (1 + 1e-6) else fits[0]
    return best[0], best[2]


def _weighted_pixels(
    measured: MeasuredRegion, source: Source
) -> tuple[np.ndarray, np.ndarray]:
    """Apodised grey values (n,) of a compact part of a region, and (x, y) in nm."""
    region = source.region(measured.label, measured.box)
    window = region_window(region.mask, pixel_size=region.grid.pixel_size)
    prepared = prepare(region.image, window)
    if prepared is None:
        raise ValueError("Expected grey values that vary in an indexed region.")
    rows, columns = _most_weighted(window)
    return prepared[0][rows, columns], region.grid.to_nm(rows, columns)


def _most_weighted(window: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of a compact part of the pixels with the largest weight."""
    rows, columns = np.nonzero(window > 0.05 * window.max())
    if len(rows) <= _MOST_PIXELS:
        return rows, columns
    centre = np.unravel_index(window.argmax(), window.shape)
    distance = np.maximum(np.abs(rows - centre[0]), np.abs(columns - centre[1]))
    near = np.argpartition(distance, _MOST_PIXELS)[:_MOST_PIXELS]
    return rows[near], columns[near]
