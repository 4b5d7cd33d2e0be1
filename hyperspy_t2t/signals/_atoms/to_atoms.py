# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""From a StrainMap to its AtomicModel."""

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np

from hyperspy_t2t.atoms.filling import FillReport
from hyperspy_t2t.atoms.image_frame import ImageFrame
from hyperspy_t2t.atoms.inside_polygon import Polygons
from hyperspy_t2t.atoms.interfaces import Interfaces
from hyperspy_t2t.signals._atoms.atom_table import FilledRegion
from hyperspy_t2t.signals._atoms.blocks import Blocks, find_blocks, image_frame
from hyperspy_t2t.signals._atoms.closing import amorphous_region, closed_blocks
from hyperspy_t2t.signals._atoms.composition import Composition
from hyperspy_t2t.signals._atoms.drawn_composition import BulkCrystals, drawn
from hyperspy_t2t.signals._atoms.faults import regions_along
from hyperspy_t2t.signals._atoms.filling import Surroundings, filled_block
from hyperspy_t2t.signals._atoms.hydrogen import passivated
from hyperspy_t2t.signals._atoms.measured_regions import measured_regions
from hyperspy_t2t.signals._atoms.model import Built, atomic_model
from hyperspy_t2t.signals._atoms.options import AtomOptions
from hyperspy_t2t.signals._atoms.true_lengths import true_lengths
from hyperspy_t2t.signals._carried.companions import user_level
from hyperspy_t2t.signals._carried.schema import stored
from hyperspy_t2t.signals._carried.source import Source
from hyperspy_t2t.signals._peaks.solutions import of_several_crystals
from hyperspy_t2t.signals._regions.contours import image_borders

_BEYOND = 1.0
"""In nm: as far as regions go on beyond the image, more than half a primitive cell."""


def atoms_of_strain(strain: Any, composition: Any, options: AtomOptions) -> Any:
    """The AtomicModel of all indexed regions of a strain map."""
    _check(strain, options)
    source: Source = strain._source()
    wanted = None
    if composition is not None:
        wanted = Composition.of(
            composition,
            register=options.register,
            source=source,
            contrast=options.contrast,
        )
    # Before the fields of regions are in memory: the search takes as much.
    faults = _faults(strain, source, options)
    bulk = BulkCrystals(wanted, source)
    regions, empty = measured_regions(
        strain, source, tilt=options.tilt, bulk_of=bulk.of_region
    )
    _warn_of_several(strain, [*regions, *empty])
    _check_any(regions, empty)
    lengths = true_lengths(regions, strain.reference_region)
    found = find_blocks(
        regions,
        source,
        reference=strain.reference_region,
        resolution=float(stored(strain, "Strain.resolution")),
        contrast=options.contrast,
    )
    to_true = np.eye(2)
    if options.calibration == "reference":
        to_true = np.linalg.inv(lengths.distortion)
    frame = image_frame(source.grid)
    around = Surroundings(
        source,
        frame,
        _outlines(source, frame),
        to_true,
        bulk.shares,
        faults,
    )
    filled, reports = _filled(found, around, options, empty)
    found.empty.update(empty)
    _warn(found.empty, filled, reports)
    period = _period(filled, options)
    closed, interfaces = _closed(found, filled, around, period)
    closed, composed = drawn(wanted, closed, found, options)
    closed += _amorphous(options, closed, around)
    if options.passivate:
        closed = passivated(closed, found, to_true, period)
    return atomic_model(
        Built(
            strain, source, closed, found, reports, lengths, to_true, interfaces,
            composed, wanted,
        ),
        options,
        given=composition,
    )  # fmt: skip


def _outlines(source: Source, frame: ImageFrame) -> Polygons:
    """Outlines of all regions, which neighbours share point by point.

    They go on beyond the image: primitive cells that it cuts have atoms in it.
    """
    from hyperspy_t2t.segmentation.contours import contours_of

    contours = contours_of(image_borders(source.labels), source.grid)
    contours.pop(0, None)
    return Polygons.from_contours(frame.widened(contours, _BEYOND))


def _faults(
    strain: Any, source: Source, options: AtomOptions
) -> dict[int, list[np.ndarray]]:
    """Lines of the planar faults that run through each region."""
    found: dict[int, list[np.ndarray]] = {}
    if options.faults is None or strain.metadata.has_item("Strain.absolute"):
        return found
    for line in map(np.asarray, strain.faults()["points"]):
        for label in regions_along(line, source):
            found.setdefault(label, []).append(line)
    return found


def _filled(
    found: Blocks, around: Surroundings, options: AtomOptions, empty: dict[int, str]
) -> tuple[list[FilledRegion], list[FillReport]]:
    """All regions of all blocks; those that can't be filled are added to `empty`."""
    filled: list[FilledRegion] = []
    reports: list[FillReport] = []
    columns = 0
    for block in list(found.blocks):
        try:
            regions, report = filled_block(block, around, options, columns)
        except ValueError as error:
            empty |= dict.fromkeys(block.members, str(error))
            found.blocks.remove(block)
            continue
        filled += regions.values()
        reports.append(report)
        columns += sum(len(region.columns) for region in regions.values())
    return filled, reports


def _period(filled: list[FilledRegion], options: AtomOptions) -> float | None:
    """Length in Å after which all regions repeat along the beam, if they do."""
    lengths = [region.thickness for region in filled]
    same = options.periodic and max(lengths) - min(lengths) < 1e-6
    return 10 * max(lengths) if same else None


def _closed(
    found: Blocks,
    filled: list[FilledRegion],
    around: Surroundings,
    period: float | None,
) -> tuple[list[FilledRegion], Interfaces | None]:
    """Regions whose blocks do not overlap."""
    spacing = {i: block.spacing for i, block in enumerate(found.blocks)}
    return closed_blocks(filled, found.block_of(), around.polygons, spacing, period)


def _amorphous(
    options: AtomOptions, crystals: list[FilledRegion], around: Surroundings
) -> list[FilledRegion]:
    """The amorphous regions that were asked for."""
    found: list[FilledRegion] = []
    thickness = max(region.thickness for region in crystals)
    filled = {region.label for region in crystals}
    for label, material in (options.amorphous or {}).items():
        known = sorted(set(around.polygons.labels.tolist()) - filled)
        if label not in known:
            raise ValueError(
                f"Expected amorphous regions among those without a crystal, {known}; "
                f"got {label}."
            )
        found.append(
            amorphous_region(
                int(label),
                material,
                crystals,
                around.polygons,
                around.frame,
                around.to_true,
                thickness=thickness,
                periodic=options.periodic,
                seed=options.seed,
            )
        )
    return found


def _check(strain: Any, options: AtomOptions) -> None:
    if not strain.metadata.has_item("Phases"):
        raise ValueError(
            "Expected a strain map of indexed regions: without phases there is nothing "
            "to fill them with. Use peaks.index_phases([...]).gpa()."
        )


def _check_any(filled: Any, empty: Mapping[int, str]) -> None:
    """Raise a ValueError with all reasons if nothing can be filled."""
    if not len(filled):
        raise ValueError(
            "Expected at least one region that can be filled with its phase, got none"
            f" ({_reasons(empty) or 'no region has a lattice'})."
        )


def _reasons(empty: Mapping[int, str]) -> str:
    return "; ".join(f"region {k}: {empty[k].rstrip('.')}" for k in sorted(empty))


def _warn(
    empty: dict[int, str], filled: list[FilledRegion], reports: list[FillReport]
) -> None:
    """Say which regions stay empty and why; an error if all do."""
    _check_any([region for region in filled if len(region)], empty)
    if empty:
        warnings.warn(
            f"{len(empty)} regions with a lattice stay empty ({_reasons(empty)}).",
            UserWarning,
            stacklevel=user_level(),
        )
    lost = {k: n for report in reports for k, n in report.lost.items() if n}
    if lost:
        warnings.warn(
            f"The positions of some columns did not converge and were left out: {lost} "
            "(region: columns). The displacement changes too fast there.",
            UserWarning,
            stacklevel=user_level(),
        )


def _warn_of_several(strain: Any, regions: list[int]) -> None:
    """Say which regions are filled with one of their crystals alone."""
    several = of_several_crystals(strain.metadata.Phases.as_dictionary())
    labels = sorted(several.keys() & set(regions))
    if labels:
        found = ", ".join(f"region {label}: {several[label]}" for label in labels)
        warnings.warn(
            f"index_phases found several crystals in one region ({found}), as of a "
            "twin, but the whole region is filled with the first. "
            "peaks.split_crystals() makes each crystal a region; go on from there with "
            "find_peaks().",
            UserWarning,
            stacklevel=user_level(),
        )
