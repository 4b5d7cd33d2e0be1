# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Strain maps and cells of regions against the bulk of their phases."""

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np

from hyperspy_t2t.atoms.virtual_cell import conventional_basis, virtual_cell
from hyperspy_t2t.signals._carried import convert
from hyperspy_t2t.signals._carried.companions import (
    in_memory,
    small_or_dask,
    user_level,
)
from hyperspy_t2t.signals._carried.provenance import processing
from hyperspy_t2t.signals._carried.source import Source
from hyperspy_t2t.signals._peaks.solutions import best_of
from hyperspy_t2t.signals._strain.fields import (
    by_blocks,
    field_of,
    field_of_region,
    when_needed,
)
from hyperspy_t2t.signals._strain.mean_lattices import (
    MeanLattice,
    bulk_g,
    mean_lattices,
    reference_pair,
    reflections,
)
from hyperspy_t2t.strain.absolute import (
    LatticeCell,
    lattice_cell,
    lattice_orders,
    map_to_bulk,
    mapped_displacement,
    mapped_gradient,
    stretch_between,
)
from hyperspy_t2t.strain.maps import LatticeField, strain_block

CALIBRATIONS = ("reference", "nominal")


@dataclass(frozen=True)
class RegionCell:
    """Mean in-plane cell of a region: the two shortest lattice vectors seen.

    Parameters
    ----------
    vectors
        Direct-space indices [u, v, w] of both, shape (2, 3).
    directions
        Of both in the image, in degrees from +x towards +y, shape (2,).
    measured, std
        Their lengths in nm and the angle between them in degrees, and the standard
        errors of all three.
    bulk
        The same of the bulk.
    ratio, ratio_std
        b over a as measured: c/a of a tetragonal crystal whose c lies in the image.
    """

    vectors: np.ndarray
    directions: np.ndarray
    measured: LatticeCell
    std: LatticeCell
    bulk: LatticeCell
    ratio: float
    ratio_std: float


def absolute_strain(strain: Any, *, calibration: str) -> Any:
    """The strain map against the bulk of each region's phase."""
    check_calibration(calibration)
    _check(strain)
    source: Source = strain._source()
    lattices = mean_lattices(strain, source)
    correction = np.eye(2)
    if calibration == "reference":
        correction = image_correction(strain)
    without = sorted(k for k, lattice in lattices.items() if lattice.bulk is None)
    entries = [
        _absolute_domain(strain, source, lattice, correction)
        for lattice in lattices.values()
        if lattice.bulk is not None
    ]
    if not entries:
        raise ValueError(
            "Expected a region with strain and a phase, got none (regions with strain: "
            f"{sorted(lattices)}). Add candidates to index_phases."
        )
    _warn_without(without)
    # The reference first, as in every strain map.
    first = strain.reference_region
    entries.sort(key=lambda entry: int(entry["members"][0]) != first)
    domains = {f"domain_{i}": entry for i, entry in enumerate(entries)}
    return _absolute_map(strain, source, domains, correction, calibration)


def _absolute_domain(
    strain: Any, source: Source, lattice: MeanLattice, correction: np.ndarray
) -> dict:
    """The stored domain of one region against its bulk, in the frame of the image."""
    domain, grid = lattice.domain, lattice.grid
    to_bulk = _map_to_bulk(strain, lattice, correction)
    orders = lattice_orders(np.asarray(domain["g_vectors"]))
    field = field_of_region(domain, source, lattice.label)
    gradient = field.gradient.on_grid(grid).reshape(2, 2, *grid.shape)
    displacement = mapped_displacement(
        field.displacement.on_grid(grid),
        to_bulk,
        grid.to_nm(*np.indices(grid.shape)),
        lattice.weight > 0,
    )
    return {
        **domain,
        "members": np.array([lattice.label]),
        "g_vectors": orders @ reference_pair(domain) @ np.linalg.inv(to_bulk),
        "displacement": small_or_dask(displacement),
        "gradient": small_or_dask(mapped_gradient(gradient, to_bulk)),
    }


def _map_to_bulk(
    strain: Any, lattice: MeanLattice, correction: np.ndarray
) -> np.ndarray:
    """M of a region, between positions as the distorted image shows them."""
    nominal = reference_pair(lattice.domain)
    bulk_reference = _bulk_of(strain, lattice.reference, nominal)
    # With r corrected to T r, g becomes g T⁻¹.
    corrected = nominal @ np.linalg.inv(correction)
    to_bulk = map_to_bulk(corrected, lattice.bulk, bulk_reference)
    return np.linalg.solve(correction, to_bulk @ correction)


def _bulk_of(strain: Any, label: int, g: np.ndarray) -> np.ndarray | None:
    """Two measured g of a region as its bulk has them, None without a phase."""
    solution = best_of(in_memory(strain.metadata.Phases), label)
    hkl = reflections(solution, g)
    return None if hkl is None or solution is None else bulk_g(solution, hkl)


def image_correction(strain: Any) -> np.ndarray:
    """T, symmetric (2, 2): T r makes the reference region a piece of its bulk."""
    g = _reference_g(strain)
    bulk = _bulk_of(strain, strain.reference_region, g)
    if bulk is None:
        raise ValueError(
            "Expected a reference with a phase for calibration='reference', got region "
            f"{strain.reference_region} without one. Choose another with "
            "gpa(reference=...), or calibration='nominal'."
        )
    return stretch_between(g, bulk)


def _reference_g(strain: Any) -> np.ndarray:
    """The first two g of the reference as measured, also of an absolute map."""
    kept = strain.metadata.get_item("Strain.absolute.reference_g")
    if kept is not None:
        return np.asarray(kept)
    return reference_pair(strain._domains()["domain_0"])


def correction_of(strain: Any) -> np.ndarray:
    """T of the strain that a map shows: the identity unless it was corrected."""
    stored = strain.metadata.get_item("Strain.absolute.image_correction")
    return np.eye(2) if stored is None else np.asarray(stored)


def _absolute_map(
    strain: Any, source: Source, domains: dict, correction: np.ndarray, calibration: str
) -> Any:
    """Assemble the signal."""
    node = {
        **in_memory(strain.metadata.Strain),
        "domains": domains,
        "g_vectors": domains["domain_0"]["g_vectors"],
        "absolute": {
            "calibration": calibration,
            "image_correction": correction,
            "reference_g": _reference_g(strain),
        },
    }
    metadata = {
        **convert.acquisition(strain),
        "Strain": node,
        "Source": source.to_dict(),
        "Phases": strain.metadata.Phases.as_dictionary(),
        "Processing": processing(strain, "absolute", {"calibration": calibration}),
    }
    angle = np.deg2rad(float(node.get("axes_angle", 0.0)))
    fields = when_needed(source, _corrected_fields, domains.values(), correction, angle)
    data = by_blocks(source, 4, strain_block, fields, convention=strain.convention)
    axes = [
        {"name": "component", "size": 4, "navigate": True},
        *convert.grid_axes(source.grid),
    ]
    title = strain.metadata.General.title.rpartition(":")[0]
    return convert.signal_of(
        "strain_map", data, axes, metadata, title=f"{title}: absolute strain"
    )


def _corrected_fields(
    domains: list[dict], correction: np.ndarray, angle: float
) -> list[LatticeField]:
    """Fields of domains in the corrected image, along axes turned by an angle."""
    return [_corrected_field(one, correction).in_axes(angle) for one in domains]


def _corrected_field(domain: dict, correction: np.ndarray) -> LatticeField:
    """Field of a domain with the gradient of the corrected image, T β T⁻¹."""
    gradient = np.asarray(domain["gradient"])
    inverse = np.linalg.inv(correction)
    corrected = np.einsum("ik,klyx,lj->ijyx", correction, gradient, inverse)
    return field_of({**domain, "gradient": corrected})


def region_cell(strain: Any, label: int, *, calibration: str) -> RegionCell:
    """Mean in-plane cell of a region."""
    check_calibration(calibration)
    _check_phases(strain)
    source: Source = strain._source()
    lattice = mean_lattices(strain, source).get(label)
    if lattice is None or lattice.hkl is None:
        raise ValueError(
            f"Expected a region with strain and a phase, got {label}. "
            "strain.reference_of lists regions with strain, peaks.best(label) says "
            "whether one has a phase."
        )
    solution, hkl = lattice.solution, lattice.hkl
    correction = np.eye(2)
    if calibration == "reference":
        correction = image_correction(strain)
    how = (solution.crystal, solution.matrix, solution.zone_axis)
    cell = virtual_cell(*how, lattice.g, hkl)
    basis = conventional_basis(cell.zone_axis, cell.projection)
    seen = basis @ cell.projection.T
    measured = lattice_cell(seen @ correction.T)
    bulk = virtual_cell(*how, lattice.bulk, hkl)
    std, ratio_std = _cell_errors(lattice, seen, measured)
    return RegionCell(
        basis,
        np.degrees(np.arctan2(seen[:, 1], seen[:, 0])),
        measured,
        std,
        lattice_cell(basis @ bulk.projection.T),
        measured.b / measured.a,
        ratio_std,
    )


def _cell_errors(
    lattice: MeanLattice, vectors: np.ndarray, measured: LatticeCell
) -> tuple[LatticeCell, float]:
    """Standard errors of lengths, angle, and ratio of two lattice vectors."""
    units = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    first, second = (lattice.error(unit, unit) for unit in units)
    turn, other = (lattice.error(np.array([-unit[1], unit[0]]), unit) for unit in units)
    std = LatticeCell(
        measured.a * first,
        measured.b * second,
        float(np.degrees(np.hypot(turn, other))),
    )
    return std, float(np.hypot(first, second) * measured.b / measured.a)


def check_calibration(calibration: str) -> None:
    """Raise a ValueError unless it is one of the two known ones."""
    if calibration not in CALIBRATIONS:
        raise ValueError(
            f"Expected calibration to be one of {', '.join(CALIBRATIONS)}; got "
            f"{calibration!r}."
        )


def _check(strain: Any) -> None:
    if strain.metadata.has_item("Strain.absolute"):
        raise ValueError(
            "Expected strain against a reference region, got a map that is absolute "
            "already. Call absolute() on the map that gpa() gave."
        )
    _check_phases(strain)


def _check_phases(strain: Any) -> None:
    if not strain.metadata.has_item("Phases"):
        raise ValueError(
            "Expected a strain map of indexed regions: without phases there is no bulk "
            "to compare with. Use peaks.index_phases([...]).gpa()."
        )


def _warn_without(labels: list[int]) -> None:
    if labels:
        warnings.warn(
            f"The regions {labels} have strain but no phase with reflections at their "
            "fringes: they have no absolute strain. Add candidates to index_phases.",
            UserWarning,
            stacklevel=user_level(),
        )
