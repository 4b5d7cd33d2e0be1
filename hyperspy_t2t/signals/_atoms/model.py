# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""The AtomicModel signal of filled regions, with what is to be known of them."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from hyperspy_t2t.atoms.filling import FillReport
from hyperspy_t2t.atoms.interfaces import Interfaces
from hyperspy_t2t.signals._atoms.atom_table import (
    COLUMNS,
    UNITS,
    FilledRegion,
    table_of,
)
from hyperspy_t2t.signals._atoms.blocks import Block, Blocks, image_frame
from hyperspy_t2t.signals._atoms.composition import Composition
from hyperspy_t2t.signals._atoms.options import AtomOptions
from hyperspy_t2t.signals._atoms.true_lengths import TrueLengths
from hyperspy_t2t.signals._carried import convert
from hyperspy_t2t.signals._carried.provenance import processing
from hyperspy_t2t.signals._carried.source import Source
from hyperspy_t2t.signals._carried.table import table_axes, table_metadata


@dataclass(frozen=True)
class Built:
    """All that was found on the way to a model."""

    strain: Any
    source: Source
    regions: list[FilledRegion]
    found: Blocks
    reports: list[FillReport]
    lengths: TrueLengths
    to_true: np.ndarray
    interfaces: Interfaces | None
    composition: dict[str, Any]
    wanted: Composition | None


def atomic_model(built: Built, options: AtomOptions, *, given: Any) -> Any:
    """The signal of a model, lazy if the micrograph was opened lazily."""
    regions = sorted(built.regions, key=lambda region: region.label)
    data = table_of(regions, lazy=built.source.lazy)
    labels = np.array([region.label for region in regions])
    node = {
        **table_metadata(COLUMNS, UNITS, labels, np.array(list(map(len, regions)))),
        **_cell(built, regions, options),
        "thickness": np.array([region.thickness for region in regions]),
        "thickness_units": "nm",
        "calibration": options.calibration,
        "image_correction": built.to_true,
        "distortion": built.lengths.distortion,
        "calibration_reason": built.lengths.reason,
        "beam_direction": options.beam_direction,
        "phases": _phases(built, options),
        "interfaces": _interfaces(built),
    }
    if built.composition:
        node["composition"] = built.composition
    if built.wanted is not None and built.wanted.registration:
        node["registration"] = built.wanted.registration
    composition = "None" if given is None else [str(key) for key in given]
    parameters = {**options.to_dict(), "composition": composition}
    metadata = {
        **convert.acquisition(built.strain),
        "AtomicModel": node,
        "Processing": processing(built.strain, "to_atoms", parameters),
    }
    title = built.strain.metadata.General.title.rpartition(":")[0]
    return convert.signal_of(
        "atomic_model",
        data,
        table_axes(data.shape[0], len(COLUMNS), row_name="atom"),
        metadata,
        title=f"{title}: atoms",
    )


def _cell(
    built: Built, regions: list[FilledRegion], options: AtomOptions
) -> dict[str, Any]:
    """A box around the image, with vacuum, and as thick as the thickest region."""
    frame = image_frame(built.source.grid)
    cell, origin = np.zeros((3, 3)), np.zeros(3)
    cell[:2, :2] = 10 * (built.to_true * (frame.high - frame.low)).T
    origin[:2] = 10 * built.to_true @ frame.low
    filled = [region for region in regions if len(region.columns)]
    thickness = np.array([region.thickness for region in filled])
    stretch = np.concatenate([region.columns.stretch for region in filled])
    lean = np.concatenate([region.columns.lean for region in filled])
    periodic = options.periodic and all(
        np.ptp(values, axis=0).max() < 1e-9 for values in (thickness, stretch, lean)
    )
    length = 10 * thickness.max()
    if periodic:
        length *= stretch[0]
        origin[2] = 5 * thickness.max() - 0.5 * length
        cell[2, :2] = 10 * thickness.max() * (built.to_true @ lean[0])
        origin[:2] -= 0.5 * cell[2, :2]
    cell[2, 2] = length
    margin = 10 * options.vacuum
    if margin:
        sides = np.linalg.norm(cell, axis=1)
        grown = np.array([True, True, not periodic])
        scale = np.where(grown, 1 + 2 * margin / sides, 1.0)
        origin -= 0.5 * ((scale - 1)[:, None] * cell).sum(axis=0)
        cell *= scale[:, None]
    return {
        "cell": cell,
        "cell_origin": origin,
        "cell_units": "Å",
        "pbc": np.array([False, False, bool(periodic)]),
        "vacuum": options.vacuum,
    }


def _phases(built: Built, options: AtomOptions) -> dict[str, dict]:
    """What each region with a crystal is, by name."""
    lost = {k: n for report in built.reports for k, n in report.lost.items()}
    stretch = {r.label: r.columns.stretch for r in built.regions}
    continued = {r.label: int(r.columns.continued.sum()) for r in built.regions}
    found = {}
    for number, block in enumerate(built.found.blocks):
        for label, member in block.members.items():
            bonds = _bonds(block, label)
            found[f"region_{label}"] = {
                "name": member.solution.crystal.name,
                "bulk": member.bulk.name,
                "block": number,
                "zone_axis": np.asarray(member.solution.zone_axis),
                "matrix": block.orientation,
                "period": block.cell.period,
                **bonds,
                "n_lost": int(lost.get(label, 0)),
                "n_continued": continued.get(label, 0),
                "strain_along_beam": float(
                    np.mean(stretch[label]) - 1 if len(stretch[label]) else 0.0
                ),
            }
    return found


def _bonds(block: Block, label: int) -> dict[str, Any]:
    """Coordination of each site of a region's bulk and its shortest bonds in Å."""
    bonds = block.bonds(label)
    return {
        "coordination": np.array([bond.coordination for bond in bonds]),
        "bond_length": np.array([bond.length for bond in bonds]),
        "site_numbers": block.content[label].numbers,
    }


def _interfaces(built: Built) -> dict[str, np.ndarray]:
    """How regions meet, one entry per pair of neighbours."""
    pairs = dict.fromkeys(built.found.matches)
    closed = built.interfaces
    if closed is not None:
        pairs |= dict.fromkeys(
            zip(closed.first.tolist(), closed.second.tolist(), strict=True)
        )
    nothing = {
        "overlaps": 0,
        "units": 0,
        "atoms": 0,
        "gaps": np.nan,
        "shortest": np.nan,
    }
    rows = []
    for pair in sorted(pairs):
        match = built.found.matches.get(pair)
        row = {
            "first": pair[0],
            "second": pair[1],
            "coherent": bool(match.coherent) if match else False,
            "mismatch": match.mismatch if match else np.nan,
            "offset": match.offset_rms if match else np.nan,
            "length": match.length if match else np.nan,
            **nothing,
        }
        if closed is not None:
            at = np.flatnonzero((closed.first == pair[0]) & (closed.second == pair[1]))
            for name in nothing if len(at) else ():
                row[name] = getattr(closed, name)[at[0]]
        rows.append(row)
    if not rows:
        return {}
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}
