# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Scan distortion of a micrograph from the lattice of its reference region."""

from dataclasses import replace
from typing import Any

import numpy as np

from hyperspy_t2t.calibration import ImageGrid
from hyperspy_t2t.signals._reference import Box, box_pixels
from hyperspy_t2t.signals._source import LARGEST_WINDOW, Source
from hyperspy_t2t.strain.scan_correction import corrected_image
from hyperspy_t2t.strain.scan_distortion import RowOffsets, row_offsets


def scan_offsets(source: Source, domains: dict, box: Box | None = None) -> RowOffsets:
    """Where the rows of a micrograph were taken, from its measured domains.

    Rows that do not hold the lattice of the first domain, which has the reference, take
    their jitter from the domain that fills most of them. Of a lazy image only a window
    of at most 2048² pixels around the reference of each domain is read; other rows stay
    as they are.

    Parameters
    ----------
    source
        The micrograph as it was measured.
    domains
        As ``metadata.Strain.domains``: of each reference, members, g_vectors, grid,
        displacement and amplitude are used.
    box
        (left, top, right, bottom) in nm within which the reference lies, if the user
        gave one.
    """
    first, *others = domains.values()
    found = _of_domain(source, first, box)
    for domain in sorted(others, key=lambda d: -np.size(d["members"])):
        if found.measured.all():
            break
        found = _completed(found, _of_domain(source, domain, None))
    return found


def _of_domain(source: Source, domain: dict, box: Box | None) -> RowOffsets:
    """From one lattice, for all rows of the image."""
    members = [int(label) for label in np.atleast_1d(domain["members"])]
    label = int(domain["reference"])
    if label not in members:
        # A neighbour measured against the reference of another domain.
        label = members[0]
    frame = _frame(source, label, box)
    window = source.grid.window(*frame)
    labels = np.asarray(source.labels[frame])
    reference = labels == label
    if box is not None:
        reference &= _in_box(window, box)
    found = row_offsets(
        np.asarray(source.image[frame], float),
        window,
        g_vectors=np.asarray(domain["g_vectors"]),
        coarse=ImageGrid.from_dict(domain["grid"]),
        displacement=np.asarray(domain["displacement"]),
        amplitude=np.asarray(domain["amplitude"]),
        reference=reference,
        lattice=np.isin(labels, members),
    )
    return _of_all_rows(found, frame[0], source.grid.shape[0])


def _completed(found: RowOffsets, other: RowOffsets) -> RowOffsets:
    """With the jitter that another lattice gives where this one gives none."""
    new = other.measured & ~found.measured
    offset, std = found.offset.copy(), found.std.copy()
    offset[new] += (other.offset - other.drift)[new]
    std[new] = other.std[new]
    return replace(found, offset=offset, std=std, measured=found.measured | new)


def corrected_source(source: Source, offsets: RowOffsets) -> Source:
    """The micrograph with its rows where they belong; lazy stays lazy."""
    if not offsets.significant:
        return source
    return replace(
        source, image=corrected_image(source.image, source.grid, offsets.offset)
    )


def scan_to_dict(offsets: RowOffsets, *, corrected: bool) -> dict:
    """For ``metadata.Strain.scan``: numbers and small arrays."""
    return {
        "corrected": bool(corrected and offsets.significant),
        "offset": offsets.offset,
        "std": offsets.std,
        "units": "nm",
        "rows_measured": offsets.measured,
        "rows_by_reference": offsets.by_reference,
        "jitter": offsets.jitter,
        "jitter_significance": offsets.jitter_significance,
        "noise": offsets.noise,
        "drift_range": offsets.drift_range,
    }


def scan_text(offsets: RowOffsets, *, corrected: bool) -> str:
    """One sentence on what was found and done."""
    if not offsets.measured.any():
        return (
            "Scan distortion: not measured, too few rows hold enough of the lattice. "
            "Nothing was corrected."
        )
    x, y = 1e3 * offsets.jitter
    found = (
        f"Scan distortion: row jitter of {x:.2g} pm along x and {y:.2g} pm along y "
        f"({offsets.jitter_significance[0]:.1f} and "
        f"{offsets.jitter_significance[1]:.1f} standard errors), drift beyond a "
        f"straight line of {1e3 * offsets.drift_range[0]:.2g} and "
        f"{1e3 * offsets.drift_range[1]:.2g} pm"
    )
    if not offsets.significant:
        return f"{found}: not significant. Nothing was corrected."
    rows = len(offsets.measured)
    left = rows - int(offsets.measured.sum())
    smooth = int((offsets.measured & ~offsets.by_reference).sum())
    done = "Corrected" if corrected else "Not corrected (correct_scan=True does it)"
    return (
        f"{found}. {done}; of {rows} rows {left} could not be measured, and in "
        f"{smooth} without enough of the reference only jitter is known, not drift."
    )


def _frame(source: Source, label: int, box: Box | None) -> tuple[slice, slice]:
    """Rows and columns to read."""
    if not source.lazy:
        return tuple(slice(0, size) for size in source.grid.shape)
    frame = source.boxes()[label]
    if box is not None:
        frame = box_pixels(box, source.grid)
    half = LARGEST_WINDOW // 2
    middles = [(part.start + part.stop) // 2 for part in frame]
    return tuple(
        slice(max(part.start, middle - half), min(part.stop, middle + half))
        for part, middle in zip(frame, middles, strict=True)
    )


def _in_box(grid: ImageGrid, box: Box) -> np.ndarray:
    """Pixels in a box (left, top, right, bottom) in nm."""
    position = grid.to_nm(*np.indices(grid.shape))
    left, top, right, bottom = box
    x, y = position[..., 0], position[..., 1]
    return (x >= left) & (x <= right) & (y >= top) & (y <= bottom)


def _of_all_rows(found: RowOffsets, part: slice, rows: int) -> RowOffsets:
    """Offsets of part of the rows for all; drift is held, jitter is not known."""
    if part == slice(0, rows):
        return found
    around = (part.start, rows - part.stop)
    drift = np.pad(found.drift, (around, (0, 0)), mode="edge")
    jitter = np.pad(found.offset - found.drift, (around, (0, 0)))
    return replace(
        found,
        offset=drift + jitter,
        std=np.pad(found.std, (around, (0, 0)), constant_values=np.nan),
        measured=np.pad(found.measured, around),
        by_reference=np.pad(found.by_reference, around),
        drift=drift,
    )


def offsets_of(strain: Any) -> RowOffsets:
    """Scan distortion of the micrograph that a StrainMap carries."""
    stored = np.asarray(strain.metadata.Strain.get_item("reference_box", ()))
    box = tuple(float(side) for side in stored) if stored.size == 4 else None
    return scan_offsets(strain._source(), strain._domains(), box)
