# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Scan distortion of a micrograph from the lattice of its reference region."""

import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from hyperspy_t2t.array_types import pair
from hyperspy_t2t.calibration import ImageGrid, grey_values
from hyperspy_t2t.signals._carried.companions import user_level
from hyperspy_t2t.signals._carried.source import LARGEST_WINDOW, Source
from hyperspy_t2t.signals._strain.reference import Box, box_pixels
from hyperspy_t2t.strain.scan_correction import corrected_image
from hyperspy_t2t.strain.scan_distortion import (
    RowOffsets,
    SmoothLattice,
    row_offsets,
)

Boxes = dict[int, tuple[slice, slice]]
Domains = dict[str, dict]
_NEARLY_ALL = 0.99
_TINY = np.finfo(float).tiny
MOST_ROWS = 4096
"""Rows that are read at once."""


def scan_corrected(
    source: Source,
    domains: Domains,
    box: Box | None,
    measure: Callable[[Source], Domains],
) -> tuple[Source, Domains, dict]:
    """The micrograph with its rows where they belong, measured again.

    It warns if nothing was corrected, or in less than 99 % of the rows.

    Parameters
    ----------
    source, domains, box
        As for :func:`scan_offsets`.
    measure
        Gives the domains of a source.

    Returns
    -------
    Source, domains, dict
        Those given if nothing significant was found; for ``metadata.Strain.scan``.
    """
    offsets = scan_offsets(source, domains, box)
    if offsets.significant:
        # Displaced rows draw each spot out along gy, over others: without that the
        # lattice is known better, and from it the rows.
        better = measure(corrected_source(source, offsets))
        offsets = scan_offsets(source, better, box)
    if not offsets.significant or offsets.measured.mean() < _NEARLY_ALL:
        text = scan_text(offsets, corrected=True)
        warnings.warn(text, UserWarning, stacklevel=user_level())
    if offsets.significant:
        source = corrected_source(source, offsets)
        domains = measure(source)
    return source, domains, scan_to_dict(offsets, corrected=True)


def scan_offsets(
    source: Source, domains: Domains, box: Box | None = None
) -> RowOffsets:
    """Where the rows of a micrograph were taken, from its measured domains.

    Rows that do not hold the lattice of the first domain, which has the reference, take
    their jitter from the domains of the most regions. Of each lattice at most 4096 rows
    and 2048 columns around its reference are read; further rows stay as they are.

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
    boxes = source.boxes()
    found = _of_domain(source, boxes, first, box)
    for domain in sorted(others, key=lambda d: -np.size(d["members"])):
        if found.measured.all():
            break
        found = _completed(found, _of_domain(source, boxes, domain, None))
    return found


def _of_domain(
    source: Source, boxes: Boxes, domain: dict, box: Box | None
) -> RowOffsets:
    """From one lattice, for all rows of the image."""
    members = [int(label) for label in np.atleast_1d(domain["members"])]
    label = int(domain["reference"])
    if label not in members:
        # A neighbour measured against the reference of another domain.
        label = members[0]
    middle = boxes[label] if box is None else box_pixels(box, source.grid)
    frame = _frame([boxes[member] for member in members], middle, source.grid.shape)
    window = source.grid.window(*frame)
    labels = np.asarray(source.labels[frame])
    reference = labels == label
    if box is not None:
        reference &= _in_box(window, box)
    lattice = SmoothLattice(
        np.asarray(domain["g_vectors"]),
        ImageGrid.from_dict(domain["grid"]),
        np.asarray(domain["displacement"]),
        np.asarray(domain["amplitude"]),
    )
    image = grey_values(source.image[frame])
    # Offsets do not depend on the unit of grey, and patterns have single precision.
    image = image / np.max(np.abs(image), where=np.isfinite(image), initial=_TINY)
    inside = np.isin(labels, members)
    found = row_offsets(image, window, lattice, reference=reference, inside=inside)
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
        "jitter_detectable": offsets.detectable,
        "noise": offsets.noise,
        "drift_range": offsets.drift_range,
    }


def scan_text(offsets: RowOffsets, *, corrected: bool) -> str:
    """What was found and done, in one or two sentences."""
    if not offsets.measured.any():
        return (
            "Scan distortion: not measured, too few rows hold enough of the lattice. "
            "Nothing was corrected."
        )
    found = "Scan distortion: " + ", ".join(
        _jitter_text(offsets, axis) for axis in (0, 1)
    )
    x, y = 1e3 * offsets.drift_range
    found += (
        f", drift beyond a straight line of {x:.2g} pm along x and {y:.2g} pm along y"
    )
    if not offsets.significant:
        return f"{found}. Nothing was corrected."
    rows = len(offsets.measured)
    left = rows - int(offsets.measured.sum())
    smooth = int((offsets.measured & ~offsets.by_reference).sum())
    done = "Corrected" if corrected else "Not corrected (correct_scan=True does it)"
    return (
        f"{found}. {done}; of {rows} rows {left} could not be measured, and in "
        f"{smooth} without enough of the reference only jitter is known, not drift."
    )


def _jitter_text(offsets: RowOffsets, axis: int) -> str:
    """Row jitter along x (0) or y (1) in words."""
    name, least = "xy"[axis], 1e3 * offsets.detectable[axis]
    if not offsets.jitter_significant[axis]:
        return f"no row jitter along {name} (it would be seen above {least:.2g} pm)"
    return (
        f"row jitter of {1e3 * offsets.jitter[axis]:.2g} pm along {name} "
        f"({offsets.jitter_significance[axis]:.0f} standard errors)"
    )


def _frame(
    boxes: list[tuple[slice, slice]],
    middle: tuple[slice, slice],
    shape: tuple[int, int],
) -> tuple[slice, slice]:
    """Rows and columns to read: all of some boxes, or what lies around the middle."""
    return pair(
        _around(
            min(box[axis].start for box in boxes),
            max(box[axis].stop for box in boxes),
            (middle[axis].start + middle[axis].stop) // 2,
            most,
            shape[axis],
        )
        for axis, most in enumerate((MOST_ROWS, LARGEST_WINDOW))
    )


def _around(start: int, stop: int, middle: int, most: int, size: int) -> slice:
    """From `start` to `stop` with a pixel more, or `most` of it around its `middle`."""
    # The pixel shows that a region ends there.
    start, stop = max(0, start - 1), min(size, stop + 1)
    first = min(max(start, middle - most // 2), max(start, stop - most))
    return slice(first, min(stop, first + most))


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
    box: Any = tuple(float(side) for side in stored) if stored.size == 4 else None
    return scan_offsets(strain._source(), strain._domains(), box)
