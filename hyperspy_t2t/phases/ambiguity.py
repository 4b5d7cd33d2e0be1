# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Solutions that the spots of a region cannot tell apart, and what could."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Protocol

import numpy as np
import numpy.typing as npt

from hyperspy_t2t.array_types import Array, Bools, Ints
from hyperspy_t2t.phases.crystal_phase import CrystalPhase
from hyperspy_t2t.phases.indices import zone_text
from hyperspy_t2t.phases.other_zones import (
    Imaged,
    Pattern,
    ZoneDifference,
    partners,
    present_pattern,
    separating_zone,
)
from hyperspy_t2t.phases.undetermined import open_questions, same_spots

COVERED = 0.95
"""Share of the probability of all solutions that the set of alternatives holds."""
NEGLIGIBLE = 0.05
"""A solution less probable than this share of the first is no alternative."""
_SAME_SCALE = 0.002
_SAME_DISTORTION = 0.005
_SAME_SHARE = 0.02
_SEEN = 0.02
_MAX_INDEX = 3


class Solution(Imaged, Protocol):
    """What is read of one way to index a region, see ``PhaseSolution``."""

    hkl: Ints
    matched: Bools
    probability: float

    @property
    def scale(self) -> float:
        """Measured length over true length."""
        ...


@dataclass(frozen=True, eq=False)
class Ambiguity:
    """Which solutions of a region remain, and what would decide between them.

    Parameters
    ----------
    ranks
        Positions of the solutions that cannot be told apart, most probable first: one
        where there is no ambiguity, none where there is no solution.
    names, probabilities
        Of these solutions: phase and zone axis, and probability from 0 to 1, that of
        equivalent orientations included.
    none_probability
        Probability that none of the candidates is there.
    separated_by
        Sentences on what would tell them apart, each with its kind in front: scale,
        distortion, composition, intensities, another zone axis.
    statements
        Sentences on what the spots leave open about the first solution: half a turn
        about the beam, the side towards the source, polarity.
    """

    ranks: tuple[int, ...]
    names: tuple[str, ...]
    probabilities: tuple[float, ...]
    none_probability: float
    separated_by: tuple[str, ...]
    statements: tuple[str, ...]

    @property
    def is_ambiguous(self) -> bool:
        """Whether more than one solution remains."""
        return len(self.ranks) > 1

    def summary(self) -> str:
        """A few lines for people."""
        none = f"none of the candidates: {_percent(self.none_probability)}"
        if not self.ranks:
            return f"No solution; {none}"
        lines = [
            f"{len(self.ranks)} solutions cannot be told apart"
            if self.is_ambiguous
            else "One solution"
        ]
        width = max(map(len, self.names))
        rows = zip(self.ranks, self.names, self.probabilities, strict=True)
        lines += [f"  {k}  {name:{width}}  {_percent(p)}" for k, name, p in rows]
        lines.append(f"  {none}")
        if self.separated_by:
            lines.append("What would tell them apart")
            lines += [f"  {sentence}" for sentence in self.separated_by]
        if self.statements:
            lines.append("What the first one leaves open")
            lines += [f"  {sentence}" for sentence in self.statements]
        return "\n".join(lines)

    def __str__(self) -> str:
        return self.summary()


def ambiguity_of(
    solutions: Sequence[Solution], none_probability: float = 0.0
) -> Ambiguity:
    """The solutions of a region that remain, and what would decide between them.

    Parameters
    ----------
    solutions
        All ways to index one region.
    none_probability
        Probability that none of them is right. With the solutions it sums to one, or
        to less where improbable solutions were left out.

    Returns
    -------
    Ambiguity
        ``statements`` are about ``solutions[0]``, which a human may have chosen.

    Raises
    ------
    ValueError
        Where probabilities are not from 0 to 1 or sum to more than one.
    """
    probability = np.array([float(s.probability) for s in solutions])
    _check(probability, none_probability)
    probability = _merged(solutions, probability)
    ranks = alternatives(probability, none_probability)
    chosen = [solutions[k] for k in ranks]
    separated_by: list[str] = []
    if len(chosen) > 1:
        names = _short_names(chosen)
        for kind in (_scale, _distortion, _composition, _intensities, _zones):
            separated_by += kind(chosen, names)
    statements: tuple[str, ...] = ()
    if len(solutions):
        first = solutions[0]
        statements = open_questions(first.crystal, first.zone_axis)
    return Ambiguity(
        ranks=ranks,
        names=tuple(f"{s.crystal.name} {zone_text(s.zone_axis)}" for s in chosen),
        probabilities=tuple(float(probability[k]) for k in ranks),
        none_probability=float(none_probability),
        separated_by=tuple(separated_by),
        statements=statements,
    )


def alternatives(probability: Array, none_probability: float = 0.0) -> tuple[int, ...]:
    """The fewest solutions that hold 95 % of what is not "none", best first.

    Parameters
    ----------
    probability
        Of each solution, shape (n,).
    none_probability
        Of "none of the candidates".

    Returns
    -------
    tuple of int
        Positions in `probability`; without those below 5 % of the first of them.
    """
    order = np.argsort(-probability, kind="stable")
    ranked = probability[order]
    if not len(ranked) or ranked[0] <= 0:
        return ()
    # Rounding must not add one more solution than the share asks for.
    needed = COVERED * (1 - none_probability) - 1e-9
    count = int(np.searchsorted(np.cumsum(ranked), needed)) + 1
    kept = order[:count][ranked[:count] >= NEGLIGIBLE * ranked[0]]
    return tuple(int(k) for k in kept)


def _check(probability: Array, none_probability: float) -> None:
    values = np.append(probability, none_probability)
    if not (np.isfinite(values) & (values >= 0) & (values <= 1)).all():
        raise ValueError(
            f"Expected probabilities from 0 to 1; got {values.tolist()}, the last "
            "for none of the candidates. Index the peaks again."
        )
    if values.sum() > 1 + 1e-6:
        raise ValueError(
            f"Expected probabilities of all solutions and of none that sum to one at "
            f"most; got {values.sum():.4f}. Divide them by their sum."
        )


def _merged(solutions: Sequence[Solution], probability: Array) -> Array:
    """Probabilities, those of equivalent orientations given to the first of them."""
    merged = probability.copy()
    for k, solution in enumerate(solutions):
        if probability[k] < 1e-3:
            continue
        for i in np.flatnonzero(merged[:k] > 0):
            earlier = solutions[int(i)]
            if (
                earlier.crystal.name == solution.crystal.name
                and abs(np.log(earlier.scale / solution.scale)) <= _SAME_SCALE
                and same_spots(
                    earlier.crystal, earlier.zone_axis, earlier.matrix, solution.matrix
                )
            ):
                merged[i] += merged[k]
                merged[k] = 0.0
                break
    return merged


def _short_names(solutions: Sequence[Solution]) -> list[str]:
    """The name of each phase, with the zone axis and rank where it is not enough."""
    names = [s.crystal.name for s in solutions]
    zones = [f"{s.crystal.name} {zone_text(s.zone_axis)}" for s in solutions]
    count = Counter(names)
    names = [z if count[n] > 1 else n for n, z in zip(names, zones, strict=True)]
    count = Counter(names)
    return [
        f"{name} (number {k + 1})" if count[name] > 1 else name
        for k, name in enumerate(names)
    ]


def _scale(solutions: Sequence[Solution], names: list[str]) -> list[str]:
    scale = np.array([s.scale for s in solutions])
    gap = _smallest_gap(np.log(scale)[:, None], _SAME_SCALE)
    if gap is None:
        return []
    needed = [f"{n} {s:.3f}" for n, s in zip(names, scale, strict=True)]
    return [
        f"scale: a pixel size known to {_accuracy(gap)} (measured over true length: "
        f"{', '.join(needed)})"
    ]


def _distortion(solutions: Sequence[Solution], names: list[str]) -> list[str]:
    strains = []
    for solution in solutions:
        d = np.asarray(solution.distortion) / solution.scale
        strains.append((d[0, 0] - d[1, 1], d[0, 1] + d[1, 0]))
    gap = _smallest_gap(np.array(strains), _SAME_DISTORTION)
    if gap is None:
        return []
    needed = [
        f"{name} needs x {100 * difference:+.1f} % against y and "
        f"{np.degrees(shear):+.2f}° between them"
        for name, (difference, shear) in zip(names, strains, strict=True)
    ]
    return [
        f"distortion: the shape of the pixels known to {_accuracy(gap)} "
        f"({'; '.join(needed)})"
    ]


def _composition(solutions: Sequence[Solution], names: list[str]) -> list[str]:
    """Which elements decide; where they are the same, which share does."""
    shares = [_shares(s.crystal) for s in solutions]
    elements = sorted({element for share in shares for element in share})
    common = [e for e in elements if all(e in share for share in shares)]
    some = [e for e in elements if e not in common]
    if some:
        held = {
            e: [n for n, share in zip(names, shares, strict=True) if e in share]
            for e in some
        }
        parts = [
            f"{_listed([e for e in some if held[e] == owners])} only in "
            f"{_listed(owners)}"
            for owners in _unique(held.values())
        ]
        rest = f"; {_listed(common)} in all" if common else ""
        return [f"composition: by EDS or EELS, {', '.join(parts)}{rest}"]
    table = np.array([[share[e] for e in elements] for share in shares])
    spread = np.ptp(table, axis=0)
    if spread.max() < _SAME_SHARE:
        return []
    k = int(spread.argmax())
    parts = [
        f"{_percent(share)} in {name}"
        for share, name in zip(table[:, k], names, strict=True)
    ]
    return [f"composition: by EDS or EELS, the share of {elements[k]} atoms is "
            f"{', '.join(parts)}"]  # fmt: skip


def _shares(crystal: CrystalPhase) -> dict[str, float]:
    """Share of the atoms of each element."""
    from ase.data import chemical_symbols

    count: dict[str, float] = {}
    for number, occupancy in zip(crystal.numbers, crystal.occupancy, strict=True):
        symbol = chemical_symbols[int(number)]
        count[symbol] = count.get(symbol, 0.0) + float(occupancy)
    total = sum(count.values())
    return {symbol: n / total for symbol, n in count.items()}


def _intensities(solutions: Sequence[Solution], names: list[str]) -> list[str]:
    """For each pair, the reflection that is much stronger in one of the two."""
    min_d = _resolved(solutions)
    patterns = [present_pattern(s, min_d_nm=min_d) for s in solutions]
    weaker: dict[tuple[int, str, str], list[str]] = {}
    for i, j in combinations(range(len(solutions)), 2):
        contrast = _contrast(patterns[i], patterns[j], 1 / min_d)
        if contrast is not None:
            hkl, in_one, in_other, of_first = contrast
            here, there = (i, j) if of_first else (j, i)
            spot = (here, _indices(hkl), f"{in_one:.2f}")
            weaker.setdefault(spot, []).append(f"{in_other:.2f} in {names[there]}")
    return [
        f"intensities: spot {hkl} of {names[here]} has {amplitude} of the strongest "
        f"amplitude, against {_listed(others)} (kinematic)"
        for (here, hkl, amplitude), others in weaker.items()
    ]


def _contrast(
    one: Pattern, other: Pattern, reach: float
) -> tuple[Ints, float, float, bool] | None:
    """The spot with the largest difference among those at least twice as strong.

    hkl, its amplitude in the crystal that has more of it, that in the other, and
    whether the first has more.
    """
    best = None
    for a, b, of_first in ((one, other, True), (other, one, False)):
        if not (len(a.g) and len(b.g)):
            continue
        partner = partners(a, b)
        there = np.where(partner >= 0, b.amplitude[partner], 0.0)
        clear = (a.amplitude >= _SEEN) & (there <= a.amplitude / 2)
        clear &= np.linalg.norm(a.g, axis=1) <= reach
        difference = np.where(clear, a.amplitude - there, 0.0)
        k = int(difference.argmax())
        if clear.any() and (best is None or difference[k] > best[1] - best[2]):
            best = (a.hkl[k], float(a.amplitude[k]), float(there[k]), of_first)
    return best


def _zones(solutions: Sequence[Solution], names: list[str]) -> list[str]:
    """For the first against each other one, the nearest zone that tells them apart."""
    first, *others = solutions
    min_d = _resolved(solutions)
    found: dict[str, list[str]] = {}
    for other, name in zip(others, names[1:], strict=True):
        difference = separating_zone(first, other, max_index=_MAX_INDEX, min_d_nm=min_d)
        same_scale = abs(np.log(first.scale / other.scale)) <= _SAME_SCALE
        text = _zone_sentence(difference, first, names[0], same_scale)
        found.setdefault(text, []).append(name)
    return [text.replace("{others}", _listed(group)) for text, group in found.items()]


def _zone_sentence(
    difference: ZoneDifference, first: Solution, name: str, same_scale: bool
) -> str:
    """What a tilt would show; {others} stands for what it is told from."""
    owner = name if difference.of_first else "{others}"
    if difference.zone_axis is not None and difference.hkl is not None:
        return (
            f"another zone axis: {zone_text(difference.zone_axis)} of {name}, "
            f"{difference.tilt:.1f}° from {zone_text(first.zone_axis)}, tells it from "
            f"{{others}} (only {owner} has its spot {_indices(difference.hkl)} there)"
        )
    reasons = [] if same_scale else ["the scale"]
    if difference.hkl is not None:
        reasons.append(
            f"weak reflections such as {_indices(difference.hkl)} of {owner}"
        )
    by = f"differ only by {_listed(reasons)}" if reasons else "are the same"
    return (
        f"another zone axis: none with indices up to {_MAX_INDEX} tells {name} from "
        f"{{others}}, their spots {by}"
    )


def _resolved(solutions: Sequence[Solution]) -> float:
    """The smallest spacing of an explained peak in nm, within 0.07 to 0.15."""
    spacings = []
    for solution in solutions:
        hkl = np.asarray(solution.hkl)[np.asarray(solution.matched, bool)]
        g = np.linalg.norm(hkl @ solution.crystal.reciprocal_lattice, axis=1)
        spacings += [1 / g.max()] if g.any() else []
    return float(np.clip(min(spacings, default=0.1), 0.07, 0.15))


def _smallest_gap(values: Array, same: float) -> float | None:
    """Smallest distance between groups of values (n, k); None where there is one group.

    Values nearer than `same` to any of a group belong to it.
    """
    distance = np.linalg.norm(values[:, None] - values[None], axis=2)
    linked = distance <= same
    for _ in range(len(values)):
        linked = linked @ linked
    return None if linked.all() else float(distance[~linked].min())


def _accuracy(gap: float) -> str:
    """Half a relative gap in percent, rounded down to a digit, two after a 1."""
    half = 50 * gap
    step = 10.0 ** np.floor(np.log10(half))
    step = step / 10 if half < 2 * step else step
    return f"{np.floor(half / step * (1 + 1e-9)) * step:.3g} %"


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _indices(hkl: npt.ArrayLike) -> str:
    return " ".join(str(int(index)) for index in np.asarray(hkl))


def _listed(words: Sequence[str]) -> str:
    *most, last = words
    return f"{', '.join(most)} and {last}" if most else last


def _unique(lists: Iterable[list[str]]) -> list[list[str]]:
    found: list[list[str]] = []
    for one in lists:
        if one not in found:
            found.append(one)
    return found
