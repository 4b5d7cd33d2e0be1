# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Solutions of all regions as plain arrays in metadata, and back."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from hyperspy_t2t.phases.crystal_phase import CrystalPhase
from hyperspy_t2t.phases.indexing import RegionSolution
from hyperspy_t2t.phases.solution import PhaseSolution


def solutions_to_dict(
    phases: Sequence[CrystalPhase], solutions: dict[int, list[RegionSolution]]
) -> dict:
    """For ``metadata.Phases``.

    One row per solution, region after region, best first; the indices of the
    peaks of solution k are rows offsets[k] to offsets[k + 1] of hkl.
    """
    flat = [(label, s) for label, found in solutions.items() for s in found]
    counts = [len(solution.hkl) for _, solution in flat]

    def stack(values: list, shape: tuple[int, ...], dtype: Any = float) -> np.ndarray:
        return np.asarray(values, dtype).reshape(len(flat), *shape)

    return {
        "schema_version": 1,
        "candidates": {f"phase_{i}": phase.to_dict() for i, phase in enumerate(phases)},
        "region": stack([label for label, _ in flat], (), int),
        "phase": stack([s.phase for _, s in flat], (), int),
        "zone_axis": stack([s.zone_axis for _, s in flat], (3,), int),
        "matrix": stack([s.orientation for _, s in flat], (3, 3)),
        "distortion": stack([s.distortion for _, s in flat], (2, 2)),
        "score": stack([s.score for _, s in flat], ()),
        "residual": stack([s.residual for _, s in flat], ()),
        "offsets": np.concatenate([[0], np.cumsum(counts)]).astype(int),
        "hkl": np.concatenate([np.empty((0, 3), int), *(s.hkl for _, s in flat)]),
        "matched": np.concatenate([np.empty(0, bool), *(s.matched for _, s in flat)]),
    }


def candidates(stored: dict) -> list[CrystalPhase]:
    """The candidate phases of ``metadata.Phases``."""
    found = stored["candidates"]
    return [CrystalPhase.from_dict(found[f"phase_{i}"]) for i in range(len(found))]


def solutions_of(stored: dict, label: int) -> list[PhaseSolution]:
    """Solutions of one region, best first."""
    phases = candidates(stored)
    offsets = np.asarray(stored["offsets"])
    return [
        PhaseSolution(
            crystal=phases[int(stored["phase"][k])],
            zone_axis=np.asarray(stored["zone_axis"][k]),
            matrix=np.asarray(stored["matrix"][k]),
            distortion=np.asarray(stored["distortion"][k]),
            hkl=np.asarray(stored["hkl"][offsets[k] : offsets[k + 1]]),
            matched=np.asarray(stored["matched"][offsets[k] : offsets[k + 1]], bool),
            score=float(stored["score"][k]),
            residual=float(stored["residual"][k]),
        )
        for k in np.flatnonzero(np.asarray(stored["region"]) == label)
    ]


def with_choice(stored: dict, label: int, rank: int) -> dict:
    """The same solutions with number `rank` of a region moved to the front."""
    rows = np.flatnonzero(np.asarray(stored["region"]) == label)
    order = np.arange(len(stored["region"]))
    order[rows] = [rows[rank], *np.delete(rows, rank)]
    offsets = np.asarray(stored["offsets"])
    spans = [slice(offsets[k], offsets[k + 1]) for k in order]
    result = dict(stored)
    for key in (
        "region", "phase", "zone_axis", "matrix", "distortion", "score", "residual"
    ):  # fmt: skip
        result[key] = np.asarray(stored[key])[order]
    for key in ("hkl", "matched"):
        result[key] = np.concatenate([np.asarray(stored[key])[s] for s in spans])
    counts = [s.stop - s.start for s in spans]
    result["offsets"] = np.concatenate([[0], np.cumsum(counts)]).astype(int)
    return result
