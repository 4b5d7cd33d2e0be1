# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""From a StrainMap to its AtomicModel."""

import warnings
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np

from hyperspy_t2t.atoms.filling import RegionAtoms, fill_region
from hyperspy_t2t.atoms.origin import cell_origin, correlation, lattice_components
from hyperspy_t2t.atoms.virtual_cell import VirtualCell, turned_about_beam, virtual_cell
from hyperspy_t2t.calibration import ImageGrid
from hyperspy_t2t.composition.alloy import draw_elements
from hyperspy_t2t.peaks.spectrum import prepare
from hyperspy_t2t.peaks.window import region_window
from hyperspy_t2t.phases.reflections import projected_structure_factor
from hyperspy_t2t.phases.simulation import nearest_reflection
from hyperspy_t2t.phases.solution import PhaseSolution
from hyperspy_t2t.signals import _convert
from hyperspy_t2t.signals._companions import in_memory, user_level
from hyperspy_t2t.signals._composition import (
    check_composition,
    check_shared,
    fractions_at,
)
from hyperspy_t2t.signals._provenance import processing
from hyperspy_t2t.signals._solutions import best_of
from hyperspy_t2t.signals._source import RegionImage, Source
from hyperspy_t2t.signals._strain_fields import field_of_region
from hyperspy_t2t.signals._table import table_axes, table_data, table_metadata
from hyperspy_t2t.strain.maps import LatticeField

COLUMNS = ("x", "y", "z", "number", "region")
UNITS = ("Å", "Å", "Å", "", "")
_MOST_PIXELS = 400_000
"""Pixels of a region used to find the origin of its cell."""


@dataclass(frozen=True)
class MeasuredRegion:
    """A region with all that was measured of it.

    Parameters
    ----------
    label, box
        Its label and its bounding box in the image.
    region
        The pixels of its spectrum.
    cell, solution
        Its cell in the undeformed frame, and its phase and orientation.
    field
        Its displacement.
    """

    label: int
    box: tuple[slice, slice]
    region: RegionImage
    cell: VirtualCell
    solution: PhaseSolution
    field: LatticeField


def atoms_of_strain(
    strain: Any,
    thickness: float,
    *,
    composition: Any,
    seed: int,
    calibration: str,
    contrast: str,
) -> Any:
    """The AtomicModel of all indexed regions of a strain map."""
    _check(strain, thickness, calibration, contrast)
    source: Source = strain._source()
    if composition is not None:
        check_composition(composition)
    regions, empty = _measured_regions(strain, source)
    correction = np.eye(2)
    if calibration == "reference":
        correction = _image_correction(regions, strain.reference_region)
    atoms: dict[int, RegionAtoms] = {}
    for region in regions:
        try:
            atoms[region.label] = _region_atoms(
                region, source, thickness, contrast, seed
            )
        except ValueError as error:
            empty[region.label] = str(error)
    _warn(empty, atoms)
    given = {
        "thickness": thickness,
        "composition": "None" if composition is None else list(composition),
        "seed": seed,
        "calibration": calibration,
        "contrast": contrast,
    }
    return _model(strain, source, atoms, correction, composition, seed, given)


def _measured_regions(
    strain: Any, source: Source
) -> tuple[list[MeasuredRegion], dict[int, str]]:
    """Regions with a phase, and why others that have a lattice stay empty."""
    phases = in_memory(strain.metadata.Phases)
    boxes = source.boxes()
    regions: list[MeasuredRegion] = []
    empty: dict[int, str] = {}
    for domain in strain._domains().values():
        for label in np.asarray(domain["members"]).tolist():
            if label not in boxes:  # cut off with a part of the image
                continue
            solution = best_of(phases, label)
            if solution is None:
                empty[label] = "no phase: add candidates to index_phases"
                continue
            region = source.region(label, boxes[label])
            field = field_of_region(domain, source, label)
            try:
                cell = measured_cell(solution, region, field, domain)
            except ValueError as error:
                empty[label] = str(error)
                continue
            regions.append(
                MeasuredRegion(label, boxes[label], region, cell, solution, field)
            )
    return regions, empty


def _image_correction(regions: list[MeasuredRegion], reference: int) -> np.ndarray:
    """Linear map (2, 2) that makes the reference region a piece of its bulk."""
    for region in regions:
        if region.label == reference:
            return np.linalg.inv(image_distortion(region.cell, region.solution))
    raise ValueError(
        "Expected a reference with a phase for calibration='reference', got region "
        f"{reference} without one. Choose another with gpa(reference=...), or "
        "calibration='nominal'."
    )


def measured_cell(
    solution: PhaseSolution, region: RegionImage, field: LatticeField, domain: dict
) -> VirtualCell:
    """Cell of a region's phase on the undeformed lattice of its domain.

    The reference's two g are seen in this region at (I − βᵀ) g; the reflections of
    the region's own solution nearest to them say which they are.
    """
    g_vectors = np.asarray(domain["g_vectors"])[:2]
    rows, columns = np.nonzero(region.mask)
    step = max(1, len(rows) // 2000)
    sample = region.grid.to_nm(rows[::step], columns[::step])
    beta = np.median(field.gradient_at(sample), axis=1).reshape(2, 2)
    local = g_vectors @ (np.eye(2) - beta)
    hkl = nearest_reflection(
        local,
        solution.crystal,
        solution.zone_axis,
        solution.matrix,
        solution.distortion,
    )
    return virtual_cell(
        solution.crystal, solution.matrix, solution.zone_axis, g_vectors, hkl
    )


def image_distortion(cell: VirtualCell, solution: PhaseSolution) -> np.ndarray:
    """Symmetric D of the image if a region's cell is truly that of the bulk."""
    bulk = 0.1 * solution.matrix[:2] @ solution.crystal.lattice.T
    gradient = cell.projection @ np.linalg.pinv(bulk)
    values, vectors = np.linalg.eigh(gradient @ gradient.T)
    return vectors @ np.diag(np.sqrt(values)) @ vectors.T


def _region_atoms(
    measured: MeasuredRegion,
    source: Source,
    thickness: float,
    contrast: str,
    seed: int,
) -> RegionAtoms:
    """Atoms of one region."""
    mask = source.mask(measured.label, measured.box)
    grid = source.grid.window(*measured.box)
    edge = grid.to_nm(*np.nonzero(mask & ~binary_interior(mask)))
    field = measured.field

    def inside(positions: np.ndarray) -> np.ndarray:
        return _in_mask(mask, grid, positions)

    origin, cell = region_origin(measured, contrast)
    return fill_region(
        cell,
        measured.solution.crystal,
        origin=origin,
        thickness=thickness,
        outline=edge - field.displacement_at(edge).T,
        displacement=field.displacement_at,
        gradient=field.gradient_at,
        inside=inside,
        seed=seed + measured.label,
    )


def binary_interior(mask: np.ndarray) -> np.ndarray:
    """Pixels whose four neighbours are all in a mask."""
    padded = np.pad(mask, 1)
    return padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]


def _in_mask(mask: np.ndarray, grid: ImageGrid, positions: np.ndarray) -> np.ndarray:
    """Whether the pixel that holds each position is in a mask."""
    rows, columns = (np.rint(a).astype(int) for a in grid.to_pixels(positions))
    result = np.zeros(len(positions), bool)
    within = (rows >= 0) & (rows < grid.shape[0])
    within &= (columns >= 0) & (columns < grid.shape[1])
    result[within] = mask[rows[within], columns[within]]
    return result


def region_origin(
    measured: MeasuredRegion, contrast: str
) -> tuple[np.ndarray, VirtualCell]:
    """Origin of a region's cell in the undeformed frame, in nm, and the cell.

    Spots do not tell a crystal from the same crystal turned by 180° about the beam.
    In a polar one the two lay different pictures over the image: the cell returned
    is the one that fits better.
    """
    solution, region, cell = measured.solution, measured.region, measured.cell
    hkl = np.unique(solution.hkl[solution.matched], axis=0)
    hkl = hkl[[tuple(row) > (0, 0, 0) for row in hkl.tolist()]]
    g = hkl @ np.linalg.pinv(cell.projection)
    window = region_window(region.mask, pixel_size=region.grid.pixel_size)
    prepared = prepare(region.image, window)
    if prepared is None:
        raise ValueError("Expected grey values that vary in an indexed region.")
    rows, columns = _most_weighted(window)
    positions = region.grid.to_nm(rows, columns)
    components = lattice_components(
        prepared[0][rows, columns], positions, measured.field.displacement_at, g
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


def _most_weighted(window: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of a compact part of the pixels with the largest weight."""
    rows, columns = np.nonzero(window > 0.05 * window.max())
    if len(rows) <= _MOST_PIXELS:
        return rows, columns
    centre = np.unravel_index(window.argmax(), window.shape)
    distance = np.maximum(np.abs(rows - centre[0]), np.abs(columns - centre[1]))
    near = np.argpartition(distance, _MOST_PIXELS)[:_MOST_PIXELS]
    return rows[near], columns[near]


def _model(
    strain: Any,
    source: Source,
    atoms: dict[int, RegionAtoms],
    correction: np.ndarray,
    composition: Any,
    seed: int,
    given: dict,
) -> Any:
    """Assemble the signal: positions in Å, one region after the other."""
    labels = sorted(atoms)
    positions = np.concatenate([atoms[k].positions for k in labels])
    numbers = np.concatenate([atoms[k].numbers for k in labels])
    counts = np.array([len(atoms[k].numbers) for k in labels])
    if composition is not None:
        elements, fractions = fractions_at(composition, positions[:, :2])
        check_shared(numbers, elements)
        numbers = draw_elements(numbers, fractions, elements, seed=seed)
    rows = np.empty((len(positions), len(COLUMNS)))
    rows[:, :2] = 10 * positions[:, :2] @ correction.T
    rows[:, 2] = 10 * positions[:, 2]
    rows[:, 3] = numbers
    rows[:, 4] = np.repeat(labels, counts)
    data = table_data(rows)
    if source.lazy:
        import dask.array as da

        data = da.from_array(data, chunks=(1 << 20, -1))
    thickness = np.array([atoms[k].thickness for k in labels])
    node = {
        **table_metadata(COLUMNS, UNITS, np.array(labels), counts),
        **_cell(source.grid, correction, thickness),
    }
    metadata = {
        **_convert.acquisition(strain),
        "AtomicModel": node,
        "Processing": processing(strain, "to_atoms", given),
    }
    title = strain.metadata.General.title.rpartition(":")[0]
    return _convert.signal_of(
        "atomic_model",
        data,
        table_axes(len(rows), len(COLUMNS), row_name="atom"),
        metadata,
        title=f"{title}: atoms",
    )


def _cell(grid: ImageGrid, correction: np.ndarray, thickness: np.ndarray) -> dict:
    """A box around the image and as thick as the thickest region, for metadata."""
    step = np.array(grid.pixel_size[::-1])
    extent = np.array(grid.shape[::-1]) * step
    cell, origin = np.zeros((3, 3)), np.zeros(3)
    cell[:2, :2] = 10 * (correction * extent).T
    cell[2, 2] = 10 * thickness.max()
    origin[:2] = 10 * correction @ (np.array(grid.origin[::-1]) - 0.5 * step)
    return {
        "cell": cell,
        "cell_origin": origin,
        "cell_units": "Å",
        "pbc": np.array([False, False, bool(np.ptp(thickness) < 1e-6)]),
        "thickness": thickness,
        "thickness_units": "nm",
        "image_correction": correction,
    }


def _check(strain: Any, thickness: float, calibration: str, contrast: str) -> None:
    if not strain.metadata.has_item("Phases"):
        raise ValueError(
            "Expected a strain map of indexed regions: without phases there is nothing "
            "to fill them with. Use peaks.index_phases([...]).gpa()."
        )
    if not isinstance(thickness, Real) or not 0 < thickness < np.inf:
        raise ValueError(
            f"Expected a thickness above 0 nm, as one number, got {thickness!r}."
        )
    for name, value, known in (
        ("calibration", calibration, ("nominal", "reference")),
        ("contrast", contrast, ("bright", "dark")),
    ):
        if value not in known:
            raise ValueError(
                f"Expected {name} to be one of {', '.join(known)}; got {value!r}."
            )


def _warn(empty: dict[int, str], atoms: dict[int, RegionAtoms]) -> None:
    """Say which regions stay empty and why; an error if all do."""
    reasons = "; ".join(f"region {k}: {empty[k].rstrip('.')}" for k in sorted(empty))
    if not any(len(found.numbers) for found in atoms.values()):
        raise ValueError(
            "Expected at least one region that can be filled with its phase, got none"
            f" ({reasons or 'no region has a lattice'})."
        )
    if empty:
        warnings.warn(
            f"{len(empty)} regions with a lattice stay empty ({reasons}).",
            UserWarning,
            stacklevel=user_level(),
        )
    lost = {label: found.lost for label, found in atoms.items() if found.lost}
    if lost:
        warnings.warn(
            f"The positions of some columns did not converge and were left out: {lost} "
            "(region: columns). The displacement changes too fast there.",
            UserWarning,
            stacklevel=user_level(),
        )
