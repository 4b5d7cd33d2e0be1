# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""How often phases and orientations are right, and how sure the package is of them.

python benchmarks/indexing.py [--kind KIND ...] [--limit N] [--cases FILE] [--list]

Cases are drawn by indexing_scenes.py, or read from a pickled list of them. Candidates
are all library phases made of elements of the true phase, filled up to a number from 5
to 20 with phases that share an element with it.
"""

import argparse
import pickle
import time
import warnings
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from indexing_scenes import (
    INDEXED,
    KINDS,
    MAX_INDEX,
    SHAPE,
    SPREAD,
    TRUSTED_PHASES,
    VISIBLE,
    Array,
    Case,
    candidates,
    cases,
    expected_power,
    indices_within,
    same_zone,
    shuffled,
    turn_between,
)

from hyperspy_t2t.frames import zone_axis_frame
from hyperspy_t2t.peaks.relations import Relation
from hyperspy_t2t.phases.crystal_phase import CrystalPhase
from hyperspy_t2t.phases.distortion import Tolerances
from hyperspy_t2t.phases.independent import RegionSpots
from hyperspy_t2t.phases.indexing import PhaseSearch, index_regions
from hyperspy_t2t.phases.library import library_phase, phase_names
from hyperspy_t2t.phases.orientation_relations import orientation_relation
from hyperspy_t2t.phases.reflections import zone_axes

ROUGH = Tolerances(scale=0.1, distortion=0.05)
TRUSTED = Tolerances(scale=0.005, distortion=0.0)
PRESENT, ABSENT = 4 * VISIBLE, VISIBLE / 4
"""Expected power over noise from which a reflection is surely seen, and up to which it
surely is not."""
TILT = 5.0
"""Degrees up to which two orientations are those of one zone."""


class Answer(NamedTuple):
    """What the package says of one list of spots."""

    solutions: list[Any]
    """Best first, with phase, zone_axis, orientation."""
    crystals: list[Any]
    """The best and those on the spots it leaves; none if "none" is likelier."""
    probability: Array
    """Of each solution."""
    none: float
    """Probability that no candidate is right."""
    seconds: float
    """CPU time."""


def index(
    case: Case, phases: Sequence[CrystalPhase], tolerances: Tolerances = ROUGH
) -> Answer:
    """The one place that knows how the package is called and what it returns."""
    rows = case["rows"]
    own = rows[:, case["columns"].index("relation")] < Relation.SUM
    start = time.process_time()
    std = np.hypot(rows[:, 3], rows[:, 4])
    spots = RegionSpots(rows[:, :2], std, rows[:, 5] * own, rows[:, 2])
    search = PhaseSearch(phases, max_index=MAX_INDEX)
    found = index_regions([spots], search, tolerances=tolerances)[0]
    seconds = time.process_time() - start
    value = np.array([one.probability for one in found.solutions])
    crystals = found.solutions[:1] + found.further if found.none <= 0.5 else []
    return Answer(found.solutions, crystals, value, found.none, seconds)


def reported(answer: Answer) -> list[int]:
    """Numbers of the solutions reported: down to 0.05 of the first, up to 0.95."""
    before = np.cumsum(answer.probability) - answer.probability
    first = answer.probability.max(initial=0)
    keep = (answer.probability >= 0.05 * first) & (before < 0.95)
    return np.flatnonzero(keep).tolist()


class Lookalike(NamedTuple):
    """A zone of a phase that shows what the true crystal shows."""

    phase: str
    zone_axis: Array
    orientation: Array


def lookalikes(
    case: Case, name: str, *, tolerances: Tolerances = ROUGH, crystal: int = 0
) -> list[Lookalike]:
    """Zones of a phase that cannot be told from the true one in principle.

    A zone is one if a linear map within the tolerances takes its pattern to the true
    one so that no reflection is surely seen in one (expected power over noise above
    `PRESENT`) and surely not in the other (below `ABSENT`). Both patterns are without
    noise and seen by the same probe and dose. Intensities beyond that do not count,
    and a surely seen reflection must lie within three of its standard errors.
    """
    truth = case["crystals"][crystal]
    near = np.linalg.norm(truth["g_image"], axis=1) <= INDEXED
    g, power = truth["g_image"][near], truth["expected_snr"][near]
    extent = SHAPE[1] * min(case["pixel_size"])
    std = np.sqrt(2) * SPREAD / (extent * np.sqrt(power))
    phase = library_phase(name)
    hkl, strength = _sphere(name, case["probe_size"])
    found = []
    for axis in zone_axes(phase, max_index=MAX_INDEX):
        here = hkl @ axis == 0
        if not here.any():
            continue
        for towards in (axis, -axis):
            frame = zone_axis_frame(phase.lattice, towards)
            p = (hkl[here] @ phase.reciprocal_lattice) @ frame[:2].T
            for linear in _alike(g, power, std, p, strength[here], tolerances, extent):
                turn = np.eye(3)
                u, _, v = np.linalg.svd(linear)
                turn[:2, :2] = u @ v
                found.append(Lookalike(name, towards, turn @ frame))
    return found


@lru_cache(maxsize=64)
def _sphere(name: str, probe_size: float) -> tuple[Array, Array]:
    """Reflections of a phase that may be seen, and their expected power."""
    phase = library_phase(name)
    hkl = indices_within(phase, 1.2 * INDEXED)
    power = expected_power(phase, hkl, probe_size)
    return hkl[power > ABSENT], power[power > ABSENT]


def _alike(
    g: Array,
    power: Array,
    std: Array,
    p: Array,
    strength: Array,
    tolerances: Tolerances,
    extent: float,
) -> list[Array]:
    """Linear maps that take a pattern (p, strength) to the true one (g, power)."""
    seen = np.flatnonzero(power > PRESENT)
    if np.linalg.matrix_rank(g[seen], tol=1e-3) < 2:
        seen = np.flatnonzero(power > VISIBLE)
    seen = seen[np.argsort(np.linalg.norm(g[seen], axis=1), kind="stable")]
    first = g[seen[0]]
    second = next(k for k in g[seen] if abs(_cross(first, k)) > 1e-3 * (k @ k))
    maps = _maps(np.stack([first, second], -1), p, tolerances)
    kept: list[Array] = []
    for linear in maps:
        away = np.linalg.norm((p @ linear.T)[None] - g[seen, None], axis=-1)
        partner = away.argmin(axis=1)
        if (away.min(axis=1) > 0.5 / extent + 0.01 * np.linalg.norm(g[seen], axis=1)
            ).any():  # fmt: skip
            continue
        weight = 1 / std[seen, None]
        refined = np.linalg.lstsq(p[partner] * weight, g[seen] * weight, rcond=None)
        linear = refined[0].T
        if not _allowed(linear[None], tolerances)[0]:
            continue
        if not _same_reflections(g, power, std, p @ linear.T, strength, extent):
            continue
        if all(np.abs(linear - other).max() > 1e-3 for other in kept):
            kept.append(linear)
    return kept


def _same_reflections(
    g: Array, power: Array, std: Array, other: Array, strength: Array, extent: float
) -> bool:
    """Whether nothing is surely seen in one pattern and surely not in the other."""
    away = np.linalg.norm(other[None] - g[:, None], axis=-1)
    sure = power > PRESENT
    close = 3 * std + 0.001 * np.linalg.norm(g, axis=1)
    if (away.min(axis=1) > close)[sure].any():
        return False
    length = np.linalg.norm(other, axis=1)
    expected = (strength > PRESENT) & (length < 0.98 * INDEXED)
    possible = away[power > ABSENT].min(axis=0)
    return not (possible > 0.5 / extent)[expected].any()


def _maps(pair: Array, p: Array, tolerances: Tolerances) -> Array:
    """Allowed maps that take two of p (m, 2) to the columns of a pair, (k, 2, 2)."""
    slack = 1.2 * (tolerances.scale + tolerances.distortion) + 1e-3
    length = np.linalg.norm(p, axis=1)
    wanted = np.linalg.norm(pair, axis=0)
    a, b = (p[np.abs(length / size - 1) < slack] for size in wanted)
    a = a[(a[:, 1] > 0) | ((a[:, 1] == 0) & (a[:, 0] > 0))]
    a, b = np.repeat(a, len(b), 0), np.tile(b, (len(a), 1))
    keep = np.abs(_cross(a, b)) > 1e-6
    maps = pair @ np.linalg.inv(np.stack([a[keep], b[keep]], -1))
    return maps[_allowed(maps, tolerances)]


def _allowed(maps: Array, tolerances: Tolerances) -> Array:
    """Whether the scale and the distortion of each map are within the tolerances."""
    values = np.linalg.svd(maps, compute_uv=False)
    scale = np.abs(values.prod(axis=-1) ** -0.5 - 1)
    anisotropy = 0.5 * np.log(values[:, 0] / values[:, 1])
    allowed = (scale <= tolerances.scale) & (anisotropy <= tolerances.distortion + 1e-3)
    return allowed & (np.linalg.det(maps) > 0)


def _cross(a: Array, b: Array) -> Array:
    return a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]


def crystal_record(case: Case, tolerances: Tolerances = ROUGH) -> dict[str, Any]:
    """How one crystal was indexed, with the true phase among the candidates."""
    truth = case["crystals"][0]
    names = candidates(case)
    phases = [library_phase(name) for name in names]
    answer = index(case, phases, tolerances)
    alike = {
        name: lookalikes(case, name, tolerances=tolerances)
        for name in names
        if name != truth["phase"]
    }
    record = judged(case, answer, names)
    record["inseparable"] = sorted(name for name, zones in alike.items() if zones)
    record |= _own_lookalikes(case, tolerances)
    wrong = frozenset({truth["phase"], *record["inseparable"]})
    others = candidates(case, without=wrong)
    others = [
        name
        for name in others
        if name in alike or not lookalikes(case, name, tolerances=tolerances)
    ]
    false = index(case, [library_phase(name) for name in others], tolerances)
    return record | {"wrong_none": false.none, "wrong_top": _top(false, others)}


def _own_lookalikes(case: Case, tolerances: Tolerances) -> dict[str, bool]:
    """Whether another zone, or the same otherwise turned, of the true phase will do."""
    truth = case["crystals"][0]
    phase = library_phase(truth["phase"])
    zone = turn = False
    for other in lookalikes(case, truth["phase"], tolerances=tolerances):
        if not same_zone(phase, other.zone_axis, truth["zone_axis"]):
            zone = True
        elif turn_between(phase, truth["orientation"], other.orientation)[0] > 0.3:
            turn = True
    return {"zone_ambiguous": zone, "turn_ambiguous": zone or turn}


def judged(case: Case, answer: Answer, names: list[str]) -> dict[str, Any]:
    """Comparison of an answer with the truth of the first crystal."""
    truth = case["crystals"][0]
    phase = library_phase(truth["phase"])
    chosen = reported(answer)
    own = [k for k, s in enumerate(answer.solutions) if names[s.phase] == phase.name]
    record: dict[str, Any] = {
        "seed": case["seed"], "phase": phase.name, "zone": truth["zone_axis"],
        "spots": len(case["rows"]) // 2, "none": answer.none,
        "seconds": answer.seconds, "candidates": len(names),
        "top": _top(answer, names), "among": bool(own),
        "in_set": any(k in own for k in chosen),
        "set": sorted({names[answer.solutions[k].phase] for k in chosen}),
        "zone_right": False, "zone_in_set": False, "plane": np.nan,
        "turn_right": False,
    }  # fmt: skip
    total: dict[str, float] = dict.fromkeys(names, 0.0)
    for solution, probability in zip(answer.solutions, answer.probability, strict=True):
        total[names[solution.phase]] += float(probability)
    record["by_phase"] = [(value, name == phase.name) for name, value in total.items()]
    if own:
        best = answer.solutions[own[0]]
        record["found_zone"] = best.zone_axis
        record["zone_right"] = same_zone(phase, truth["zone_axis"], best.zone_axis)
        record["zone_in_set"] = any(
            same_zone(phase, truth["zone_axis"], answer.solutions[k].zone_axis)
            for k in own
            if k in chosen
        )
        angle, plane = turn_between(phase, truth["orientation"], best.orientation)
        record |= {"plane": plane, "turn_right": angle < TILT and plane < 0.3}
    return record


def _top(answer: Answer, names: list[str]) -> str:
    if not answer.solutions or answer.none > answer.probability[0]:
        return "none"
    return names[answer.solutions[0].phase]


def empty_record(case: Case, every: Sequence[str]) -> dict[str, Any]:
    """How spots of no crystal were indexed, with 5 to 20 candidates drawn at random."""
    rng = np.random.default_rng([case["seed"], 8])
    names = shuffled(every, rng)[: int(rng.integers(5, 21))]
    answer = index(case, [library_phase(name) for name in names])
    return {
        "seed": case["seed"], "spots": len(case["rows"]) // 2, "none": answer.none,
        "top": _top(answer, names), "seconds": answer.seconds,
    }  # fmt: skip


def pair_record(case: Case) -> dict[str, Any]:
    """Which of two crystals are found, with phase and orientation."""
    names = candidates(case)
    phases = [library_phase(name) for name in names]
    answer = index(case, phases)
    right = [
        any(
            names[found.phase] == truth["phase"]
            and turn_between(phases[found.phase], truth["orientation"],
                             found.orientation)[0] < 1.0
            for found in answer.crystals
        )
        for truth in case["crystals"]
    ]  # fmt: skip
    related = [
        orientation_relation(
            phases[answer.crystals[0].phase], phases[other.phase],
            answer.crystals[0].orientation, other.orientation,
        ).name
        for other in answer.crystals[1:]
    ]  # fmt: skip
    return {
        "seed": case["seed"], "relation": case["relation"], "none": answer.none,
        "top": _top(answer, names), "spots": len(case["rows"]) // 2,
        "one": any(right), "both": all(right), "named": related,
        "two": len(answer.crystals) == 2, "seconds": answer.seconds,
    }  # fmt: skip


def _share(values: Sequence[bool]) -> str:
    values = list(values)
    share = 100 * np.mean(values) if values else np.nan
    return f"{share:6.1f} %  ({sum(map(bool, values))} of {len(values)})"


def print_crystals(records: list[dict[str, Any]]) -> None:
    """The table of cases with one crystal."""
    alone = [r for r in records if not r["inseparable"]]
    zones = [r for r in records if not r["zone_ambiguous"]]
    right = [r for r in records if r["zone_right"]]
    turns = [r for r in right if not r["turn_ambiguous"]]
    rows = {
        "true phase in the reported set": _share(r["in_set"] for r in records),
        "true phase among all solutions": _share(r["among"] for r in records),
        "first is true": _share(r["top"] == r["phase"] for r in records),
        "first is true, where separable": _share(r["top"] == r["phase"] for r in alone),
        "first is true or inseparable": _share(
            r["top"] in (r["phase"], *r["inseparable"]) for r in records
        ),
        "zone axis of the true phase": _share(r["zone_right"] for r in records),
        "zone axis, where separable": _share(r["zone_right"] for r in zones),
        "true zone in the reported set": _share(r["zone_in_set"] for r in records),
        "turn within 0.3 degrees": _share(r["turn_right"] for r in right),
        "turn within 0.3, where separable": _share(r["turn_right"] for r in turns),
        "wrong candidates: none": _share(r["wrong_none"] > 0.5 for r in records),
        "right candidates: none": _share(r["none"] > 0.5 for r in records),
    }
    for name, text in rows.items():
        print(f"  {name:36s}{text}")
    angles = np.array([r["plane"] for r in turns])
    if len(angles):
        median, most = np.median(angles), np.percentile(angles, 95)
        print(f"  in-plane error: median {median:.3f}, 95 % below {most:.3f} degrees")
    print(
        f"  phases reported: {np.mean([len(r['set']) for r in records]):.2f} on average"
    )
    print_reliability(records)


def print_reliability(records: list[dict[str, Any]]) -> None:
    """How often a phase is right that is given a probability, in ten bins."""
    pairs = np.array([pair for r in records for pair in r["by_phase"]], float)
    value = np.clip(pairs[:, 0], 0, 1)
    bins = np.minimum((value * 10).astype(int), 9)
    print("  probability said, true share, number of phases")
    for k in range(10):
        here = bins == k
        if here.any():
            said, true = value[here].mean(), pairs[here, 1].mean()
            print(f"    {said:.3f}  {true:.3f}  {here.sum()}")


def measure(kind: str, some: Any) -> list[dict[str, Any]]:
    """Records of the cases of a kind."""
    every = phase_names()
    judge = {
        "crystal": crystal_record,
        "trusted": trusted_record,
        "pair": pair_record,
    }.get(kind, lambda case: empty_record(case, every))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return [judge(case) for case in some]


def trusted_record(case: Case) -> dict[str, Any]:
    """Si, Ge or GaAs among each other, with a scale known within half a per cent."""
    answer = index(case, [library_phase(name) for name in TRUSTED_PHASES], TRUSTED)
    record = judged(case, answer, list(TRUSTED_PHASES))
    record["inseparable"] = [
        name
        for name in TRUSTED_PHASES
        if name != record["phase"] and lookalikes(case, name, tolerances=TRUSTED)
    ]
    return record


def print_trusted(records: list[dict[str, Any]]) -> None:
    """Who is named alone where that is possible, and together where it is not."""
    silicon = [r for r in records if r["phase"] == "Si diamond"]
    others = [r for r in records if r["phase"] != "Si diamond"]
    alike = [r for r in records if r["inseparable"]]
    alone = [r for r in others if not r["inseparable"]]
    rows = {
        "Si alone": _share(r["set"] == ["Si diamond"] for r in silicon),
        "Ge and GaAs without Si": _share("Si diamond" not in r["set"] for r in others),
        "Ge and GaAs in the reported set": _share(r["in_set"] for r in others),
        "first is true, where separable": _share(r["top"] == r["phase"] for r in alone),
        "all named, where inseparable": _share(
            {r["phase"], *r["inseparable"]} <= set(r["set"]) for r in alike
        ),
        "none": _share(r["none"] > 0.5 for r in records),
    }
    for name, text in rows.items():
        print(f"  {name:36s}{text}")


def print_pairs(records: list[dict[str, Any]]) -> None:
    """Pairs by how their crystals are related."""
    for relation in ("twin", "grains", "film"):
        here = [r for r in records if r["relation"] == relation]
        print(f"  {relation}")
        for name in ("one", "both", "two"):
            print(f"    {name:14s}{_share(r[name] for r in here)}")
    twins = [r for r in records if r["relation"] == "twin" and r["both"]]
    print(f"  twins named {_share('Σ3 (111) twin' in r['named'] for r in twins)}")


def report(kind: str, records: list[dict[str, Any]], listed: bool) -> None:
    """Print the table of a kind, and single failures if asked."""
    seconds = np.array([r["seconds"] for r in records])
    print(f"{kind}: {len(records)} cases, CPU {np.median(seconds):.2f} s, "
          f"95 % below {np.percentile(seconds, 95):.2f} s")  # fmt: skip
    if kind == "crystal":
        print_crystals(records)
    elif kind == "trusted":
        print_trusted(records)
    elif kind == "pair":
        print_pairs(records)
    else:
        print(f"  none           {_share(r['none'] > 0.5 for r in records)}")
    if listed:
        for r in records:
            if r["top"] != r.get("phase", "none") or not r.get("zone_right", True):
                print("   ", {k: v for k, v in r.items() if k != "by_phase"})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kind", nargs="*", choices=KINDS, default=list(KINDS))
    parser.add_argument("--limit", type=int, help="first cases of each kind only")
    parser.add_argument("--cases", help="pickled list of cases; draws if left out")
    parser.add_argument("--list", action="store_true", help="print failures")
    chosen = parser.parse_args()
    if chosen.cases:
        with open(chosen.cases, "rb") as file:
            stored = pickle.load(file)
        kinds = {kind: [c for c in stored if c["kind"] == kind] for kind in KINDS}
    else:
        kinds = {
            kind: cases(kind, KINDS[kind][1][: chosen.limit]) for kind in chosen.kind
        }
    for kind, some in kinds.items():
        some = some[: chosen.limit] if isinstance(some, list) else some
        records = measure(kind, some)
        if records:
            report(kind, records, chosen.list)


if __name__ == "__main__":
    main()
