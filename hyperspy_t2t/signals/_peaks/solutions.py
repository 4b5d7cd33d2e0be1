# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Solutions of all regions as plain arrays in metadata, and back."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from hyperspy_t2t.phases.crystal_phase import CrystalPhase
from hyperspy_t2t.phases.simulation import predicted_g
from hyperspy_t2t.phases.solution import PhaseSolution

if TYPE_CHECKING:
    from hyperspy_t2t.phases.indexing import IndexedRegion

_COLUMNS = {
    "phase": ((), int),
    "zone_axis": ((3,), int),
    "orientation": ((3, 3), float),
    "distortion": ((2, 2), float),
    "covariance": ((3, 3), float),
    "probability": ((), float),
    "score": ((), float),
    "share": ((), float),
    "residual": ((), float),
}
"""Shape and kind of what is stored of each solution."""
_SCHEMA = 2
_SINCE_2 = ("covariance", "probability", "share")
"""Columns that files of schema 1 lack."""


def solutions_to_dict(
    phases: Sequence[CrystalPhase], indexed: "dict[int, IndexedRegion]"
) -> dict:
    """For ``metadata.Phases``.

    One row per solution, region after region: those of its main crystal, the first
    first, then one for each further crystal (`crystal` counts from 0). The indices of
    the peaks of solution k are rows offsets[k] to offsets[k + 1] of hkl. `none` is the
    probability of "none of these" of each region in `regions`.
    """
    flat = [
        (label, number, solution)
        for label, region in indexed.items()
        for number, solutions in enumerate(
            [region.solutions, *([one] for one in region.further)]
        )
        for solution in solutions
    ]
    counts = [len(solution.hkl) for *_, solution in flat]
    columns: dict[str, np.ndarray] = {
        name: np.asarray([getattr(s, name) for *_, s in flat], kind).reshape(
            len(flat), *shape
        )
        for name, (shape, kind) in _COLUMNS.items()
    }
    return {
        "schema_version": _SCHEMA,
        "candidates": {f"phase_{i}": phase.to_dict() for i, phase in enumerate(phases)},
        "regions": np.asarray(list(indexed), int),
        "none": np.asarray([region.none for region in indexed.values()], float),
        "region": np.asarray([label for label, *_ in flat], int),
        "crystal": np.asarray([number for _, number, _ in flat], int),
        **columns,
        "offsets": np.concatenate([[0], np.cumsum(counts)]).astype(int),
        "hkl": np.concatenate([np.empty((0, 3), int), *(s.hkl for *_, s in flat)]),
        "matched": np.concatenate([np.empty(0, bool), *(s.matched for *_, s in flat)]),
    }


def candidates(stored: dict) -> list[CrystalPhase]:
    """The candidate phases of ``metadata.Phases``."""
    found = stored["candidates"]
    return [CrystalPhase.from_dict(found[f"phase_{i}"]) for i in range(len(found))]


def _upgraded(stored: dict) -> dict:
    """What was stored, in today's schema.

    Schema 1 had a ranked list of solutions for each region, without probabilities: they
    are NaN. It held no solution where no candidate was good enough.
    """
    version = int(stored["schema_version"])
    if version == _SCHEMA:
        return stored
    if version != 1:
        raise ValueError(
            f"Expected solutions stored with schema_version 1 or {_SCHEMA}, got "
            f"{version}: a newer hyperspy_t2t wrote them. Update it, or call "
            "index_phases again."
        )
    region = np.asarray(stored["region"])
    regions = np.unique(region)
    unknown = {
        name: np.full((len(region), *_COLUMNS[name][0]), np.nan) for name in _SINCE_2
    }
    return {
        **{name: value for name, value in stored.items() if name != "matrix"},
        **unknown,
        "schema_version": _SCHEMA,
        "orientation": stored["matrix"],
        "regions": regions,
        "none": np.zeros(len(regions)),
        "crystal": np.zeros(len(region), int),
    }


def none_of_these(stored: dict, label: int) -> float:
    """Probability that a region is none of the candidates."""
    stored = _upgraded(stored)
    place = np.asarray(stored["regions"]) == label
    # Only schema 1 left out regions: those without a solution.
    return float(np.asarray(stored["none"])[place][0]) if place.any() else 1.0


def best_of(
    stored: dict, label: int, g: np.ndarray | None = None
) -> PhaseSolution | None:
    """The first solution of a region, None if "none of these" is likelier."""
    if none_of_these(stored, label) > 0.5:
        return None
    return next(iter(solutions_of(stored, label, g)), None)


def solutions_of(
    stored: dict, label: int, g: np.ndarray | None = None, *, crystal: int = 0
) -> list[PhaseSolution]:
    """Solutions of one crystal of a region, best first.

    Without its peaks g (n, 2), residuals of single peaks are NaN.
    """
    stored = _upgraded(stored)
    rows = np.flatnonzero(
        (np.asarray(stored["region"]) == label)
        & (np.asarray(stored["crystal"]) == crystal)
    )
    if not len(rows):
        return []
    phases = candidates(stored)
    return [_solution(stored, int(k), phases, g) for k in rows]


def of_several_crystals(stored: dict) -> dict[int, int]:
    """Number of crystals of each region in which more than one was found."""
    stored = _upgraded(stored)
    regions, crystal = np.asarray(stored["region"]), np.asarray(stored["crystal"])
    return {
        int(label): int(crystal[regions == label].max()) + 1
        for label in np.unique(regions[crystal > 0])
        if none_of_these(stored, label) <= 0.5
    }


def _solution(
    stored: dict, k: int, phases: list[CrystalPhase], g: np.ndarray | None
) -> PhaseSolution:
    own = slice(*np.asarray(stored["offsets"])[k : k + 2])
    hkl = np.asarray(stored["hkl"][own])
    matched = np.asarray(stored["matched"][own], bool)
    values: dict[str, Any] = {name: np.asarray(stored[name])[k] for name in _COLUMNS}
    crystal = phases[int(values.pop("phase"))]
    matrix = values.pop("orientation")
    away = np.full(len(hkl), np.nan)
    if g is not None:
        expected = predicted_g(hkl, crystal, matrix, values["distortion"])
        away = np.linalg.norm(expected - g, axis=1)
    return PhaseSolution(
        crystal=crystal,
        matrix=matrix,
        hkl=hkl,
        matched=matched,
        residuals=np.where(matched, away, np.nan),
        **{  # type: ignore[arg-type]
            name: float(value) if value.ndim == 0 else value
            for name, value in values.items()
        },
    )


def with_choice(stored: dict, label: int, rank: int) -> dict:
    """The same with solution `rank` of a region first, which is then certain."""
    stored = _upgraded(stored)
    rows = np.flatnonzero(
        (np.asarray(stored["region"]) == label) & (np.asarray(stored["crystal"]) == 0)
    )
    order = np.arange(len(stored["region"]))
    order[rows] = [rows[rank], *np.delete(rows, rank)]
    if rank:
        # Further crystals are those on the spots that the first one left.
        own = np.asarray(stored["region"]) == label
        order = order[~(own & (np.asarray(stored["crystal"]) > 0))[order]]
    offsets = np.asarray(stored["offsets"])
    spans = [slice(offsets[k], offsets[k + 1]) for k in order]
    result = dict(stored)
    for key in ("region", "crystal", *_COLUMNS):
        result[key] = np.asarray(stored[key])[order]
    for key in ("hkl", "matched"):
        result[key] = np.concatenate([np.asarray(stored[key])[s] for s in spans])
    counts = [s.stop - s.start for s in spans]
    result["offsets"] = np.concatenate([[0], np.cumsum(counts)]).astype(int)
    # Who chooses a solution says that it is one of the candidates.
    chosen = np.asarray(stored["regions"]) == label
    result["none"] = np.where(chosen, 0.0, stored["none"])
    return result
