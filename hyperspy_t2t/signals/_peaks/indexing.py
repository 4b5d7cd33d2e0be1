# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""From the peaks of an image's regions to their phases."""

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from hyperspy_t2t.peaks.relations import Relation
from hyperspy_t2t.phases.crystal_phase import CrystalPhase
from hyperspy_t2t.signals._carried.companions import user_level
from hyperspy_t2t.signals._peaks.found_peaks import COLUMNS

if TYPE_CHECKING:
    from hyperspy_t2t.phases.independent import RegionSpots
    from hyperspy_t2t.phases.indexing import IndexedRegion

_POOR = 0.3
"""Score below which a best match deserves a warning."""
_DOUBTFUL = 0.05
"""Probability of "none of these" from which it deserves one."""


def indexed_regions(
    peaks: Any,
    phases: Sequence[CrystalPhase],
    priors: Sequence[float],
    *,
    tolerance: float,
    scale_tolerance: float,
    calibrate: int | None,
    joint: bool,
    max_index: int,
) -> "dict[int, IndexedRegion]":
    """What the peaks of each region say of the candidates."""
    from hyperspy_t2t.phases.distortion import Tolerances
    from hyperspy_t2t.phases.indexing import PhaseSearch, index_regions

    labels = peaks.region_labels.tolist()
    found = index_regions(
        [_spots_of(peaks, label) for label in labels],
        PhaseSearch(phases, priors=priors, max_index=max_index),
        tolerances=Tolerances(scale_tolerance, tolerance),
        calibrate=None if calibrate is None else labels.index(calibrate),
        joint=joint,
    )
    indexed = dict(zip(labels, found, strict=True))
    _warn(
        "Regions with a lattice that no candidate explains",
        [
            f"region {label}"
            for label, region in indexed.items()
            if not region.solutions and peaks.is_crystalline(label)
        ],
        "Add candidates, or allow more by scale_tolerance and tolerance.",
    )
    return indexed


def _spots_of(peaks: Any, label: int) -> "RegionSpots":
    from hyperspy_t2t.phases.independent import RegionSpots

    rows = peaks._spots(label)
    # Sums of two lattices and copies of one by the scan say nothing of a phase.
    own = rows[:, COLUMNS.index("relation")] < Relation.SUM
    std = np.hypot(rows[:, 3], rows[:, 4])
    return RegionSpots(rows[:, :2], std, rows[:, 5] * own, rows[:, 2])


def warn_of_doubts(
    phases: Sequence[CrystalPhase], indexed: "dict[int, IndexedRegion]"
) -> None:
    """Warn of regions that may be none of the candidates, or fit poorly."""
    doubtful = [
        f"region {label} ({region.none:.0%})"
        for label, region in indexed.items()
        if region.solutions and region.none > _DOUBTFUL
    ]
    poor = [
        f"region {label}: {phases[region.solutions[0].phase].name}, score "
        f"{region.solutions[0].score:.2f}"
        for label, region in indexed.items()
        if region.none <= 0.5 and region.solutions
        and region.solutions[0].score < _POOR
    ]  # fmt: skip
    see = "See peaks.solutions(label) and peaks.plot(label, rank), or add candidates."
    _warn("Regions that may be none of the candidates", doubtful, see)
    _warn("Poor matches, which leave much unexplained", poor, see)


def _warn(what: str, regions: list[str], advice: str) -> None:
    if regions:
        warnings.warn(
            f"{what}: {'; '.join(regions)}. {advice}",
            UserWarning,
            stacklevel=user_level(),
        )
