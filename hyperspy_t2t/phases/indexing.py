# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Phase and three-dimensional orientation of the crystals of regions."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import chain

import numpy as np

from hyperspy_t2t.array_types import Array, Bools, Ints
from hyperspy_t2t.phases.crystal_phase import CrystalPhase
from hyperspy_t2t.phases.distortion import (
    DistortionPrior,
    Tolerances,
    distortion_parameters,
    near,
)
from hyperspy_t2t.phases.edge_on_twins import twin_matches
from hyperspy_t2t.phases.evidence import SpotModel
from hyperspy_t2t.phases.independent import RegionSpots
from hyperspy_t2t.phases.matching import ZoneMatch, match_phase
from hyperspy_t2t.phases.posterior import Hypotheses, probabilities
from hyperspy_t2t.phases.unknown_lattice import lattice_evidence
from hyperspy_t2t.phases.zone_patterns import REACHES, ZonePatterns, zone_patterns

DOUBT = 0.3
"""What each spot beyond the four that determine a map must give a candidate more than
an unknown crystal: the model of an image is simpler than the image."""
ANOTHER = -3.0
"""ln of the odds of a further crystal in a region before its spots are looked at."""
AGAIN = 2.0
"""ln of the odds that a further crystal is of the phase of the first to another's."""
TWIN = 0.3
"""Probability that a further crystal is one of the edge-on twins of the first."""
MOST_CRYSTALS = 4
"""Crystals looked for in one region."""
FEWEST_NEW = 2
"""Spots that a further crystal, if no twin, needs besides those of others."""
EXTENDED, WITHIN = 4, 25.0
"""Phases for which further crystals are looked for before they are compared: so many
of the likeliest, and those within this ln of the evidence of the first."""


@dataclass(frozen=True, eq=False)
class RegionSolution:
    """One way to index the spots of a region.

    Parameters
    ----------
    phase
        Index into the list of candidate phases.
    zone_axis
        [u, v, w], pointing towards the source.
    orientation
        Rotation matrix crystal → image, shape (3, 3).
    distortion
        D, shape (2, 2): a vector r of the crystal's plane is seen at D r. It is
        symmetric; its mean is the scale of the image.
    covariance
        Of (ε, a, b), D = (1 + ε)(I + [[a, b], [b, −a]]), shape (3, 3).
    hkl
        Indices of each spot, shape (n, 3); zeros where `matched` is False.
    matched
        Whether each spot is explained, shape (n,).
    probability
        Of this phase and zone axis among the candidates and "none of these".
    score
        Share of the spots' evidence that is explained times the share of expected
        strength that is seen, from 0 to 1: how well it fits, not how likely it is.
    share
        Share of the spots' evidence that this crystal alone explains.
    residual
        Root mean square distance of the matched spots in 1/nm.
    """

    phase: int
    zone_axis: Ints
    orientation: Array
    distortion: Array
    covariance: Array
    hkl: Ints
    matched: Bools
    probability: float
    score: float
    share: float
    residual: float

    @property
    def scale(self) -> float:
        """Measured length divided by true length."""
        return float(np.sqrt(np.linalg.det(self.distortion)))


@dataclass(frozen=True, eq=False)
class IndexedRegion:
    """What the spots of one region say.

    Parameters
    ----------
    solutions
        Ways to index its main crystal: the likeliest phase first, of one phase the
        likeliest zone axis.
    none
        Probability that it is none of the candidates.
    further
        Best solution of each further crystal, on the spots that those before it leave.
    """

    solutions: list[RegionSolution]
    none: float
    further: list[RegionSolution] = field(default_factory=list)


@dataclass(frozen=True, eq=False)
class _Hypothesis:
    phase: int
    patterns: ZonePatterns
    match: ZoneMatch
    log_weight: float
    probability: float = 0.0
    earlier: Bools | None = None
    """Spots that crystals before it explain."""
    further: tuple["_Hypothesis", ...] = ()


class PhaseSearch:
    """Candidates with their priors, and the search among them.

    Parameters
    ----------
    phases
        Candidates.
    priors
        Factor of the prior probability of each phase, ones by default.
    max_index
        Largest index of the zone axes tried.
    """

    def __init__(
        self,
        phases: Sequence[CrystalPhase],
        *,
        priors: Sequence[float] | None = None,
        max_index: int = 3,
    ) -> None:
        self.phases = list(phases)
        weights = np.ones(len(self.phases)) if priors is None else np.array(priors)
        self.log_priors = np.log(weights / weights.sum())
        self.max_index = max_index

    def hypotheses(self, model: SpotModel, prior: DistortionPrior) -> list[_Hypothesis]:
        """The best hypothesis of every zone that can explain the spots."""
        reach = next((r for r in REACHES if r >= 1.15 * model.furthest), REACHES[-1])

        def of_phase(number: int) -> list[_Hypothesis]:
            patterns = zone_patterns(
                self.phases[number], max_index=self.max_index, reach=reach
            )
            return [
                _Hypothesis(
                    number, patterns, match, match.evidence
                    + self.log_priors[number] + np.log(patterns.prior[match.zone]),
                )
                for match in match_phase(model, patterns, prior)
            ]  # fmt: skip

        with ThreadPoolExecutor(2) as pool:
            found = list(pool.map(of_phase, range(len(self.phases))))
        return sorted(chain.from_iterable(found), key=lambda one: -one.log_weight)


def index_regions(
    regions: Sequence[RegionSpots],
    search: PhaseSearch,
    *,
    tolerances: Tolerances,
    calibrate: int | None = None,
    joint: bool = True,
    most: int = 20,
) -> list[IndexedRegion]:
    """Rank the phases and zone axes that explain the spots of the regions of an image.

    Parameters
    ----------
    regions
        Spots of each.
    search
        The candidates.
    tolerances
        How far the image may be from its nominal calibration.
    calibrate
        Number of the region whose distortion holds for all; None for no such region.
    joint
        Whether all regions share the distortion of the image.
    most
        Number of solutions of each region.
    """
    prior = tolerances.search
    found = [
        _with_further(search, region.model, search.hypotheses(region.model, prior))
        for region in regions
    ]
    rivals = [
        _hypotheses(one, region.model, prior)
        for one, region in zip(found, regions, strict=True)
    ]
    image = tolerances.image
    if calibrate is not None and found[calibrate]:
        known = _ranked(found[calibrate], *probabilities([rivals[calibrate]], image)[0])
        mean = distortion_parameters(known[0].match.distortion)
        image = replace(near(mean), std=(0.002,) * 3)
    return [
        _indexed(region, hypotheses, *chance, most)
        for region, hypotheses, chance in zip(
            regions, found, probabilities(rivals, image, joint=joint), strict=True
        )
    ]


def _hypotheses(
    found: list[_Hypothesis], model: SpotModel, search: DistortionPrior
) -> Hypotheses:
    """Their weights without the prior of the distortion with which they were found."""
    unknown = np.logaddexp(model.all_foreign, lattice_evidence(model))
    none = unknown + DOUBT * max((~model.explained).sum() - 4, 0)
    if not found:
        empty = np.empty((0, 3))
        return Hypotheses(np.empty(0), empty, np.empty((0, 3, 3)), float(none))
    parameters = distortion_parameters([one.match.distortion for one in found])
    log_weight = np.array([one.log_weight for one in found])
    log_weight = log_weight - search.log_density(parameters)
    covariance = np.array([one.match.covariance for one in found])
    return Hypotheses(log_weight, parameters, covariance, float(none))


def _with_further(
    search: PhaseSearch, model: SpotModel, found: list[_Hypothesis]
) -> list[_Hypothesis]:
    """The likeliest phases get further crystals, on the spots that they leave.

    A twin or two grains must not lose against one large cell that holds all spots.
    """
    seen: set[int] = set()
    result = []
    for one in found:
        near_first = one.log_weight > found[0].log_weight - WITHIN
        if one.phase not in seen and len(seen) < EXTENDED and near_first:
            seen.add(one.phase)
            one = _extended(search, model, one)
        result.append(one)
    return result


def _extended(search: PhaseSearch, model: SpotModel, first: _Hypothesis) -> _Hypothesis:
    """A hypothesis with crystals on the spots it leaves, one after another."""
    explained, total = first.match.matched, first.log_weight
    further: list[_Hypothesis] = []
    while len(further) < MOST_CRYSTALS - 1 and not explained.all():
        best = _another(search, replace(model, explained=explained), first)
        if best is None:
            break
        further.append(replace(best, earlier=explained))
        explained = explained | best.match.matched
        total += best.log_weight + ANOTHER
    return replace(first, log_weight=total, further=tuple(further))


def _another(
    search: PhaseSearch, rest: SpotModel, first: _Hypothesis
) -> _Hypothesis | None:
    """The likeliest crystal on the spots that others leave; None if none is likelier.

    Any that has two of them; else a twin of the first, of which one says enough.
    """
    prior = near(distortion_parameters(first.match.distortion))
    found = []
    if (~rest.explained).sum() >= FEWEST_NEW:
        found = [
            replace(one, log_weight=one.log_weight + AGAIN * (one.phase == first.phase))
            for one in search.hypotheses(rest, prior)
        ]
    rivals = _hypotheses(found, rest, prior)
    rivals = replace(rivals, none=rivals.none - ANOTHER)
    chances = probabilities([rivals], prior)[0]
    if found and chances[1] <= 0.5:
        return _ranked(found, *chances)[0]
    return _twin(search, rest, first, rivals.none)


def _twin(
    search: PhaseSearch, rest: SpotModel, first: _Hypothesis, none: float
) -> _Hypothesis | None:
    """The edge-on twin of the first crystal that is likelier than none."""
    phase, patterns = search.phases[first.phase], first.patterns
    matches = twin_matches(rest, phase, patterns, first.match)
    if not matches:
        return None
    best = max(matches, key=lambda match: match.evidence)
    log_weight = best.evidence + np.log(TWIN / len(matches))
    probability = 1 / (1 + np.exp(min(none - log_weight, 700.0)))
    if probability <= 0.5:
        return None
    return _Hypothesis(first.phase, patterns, best, log_weight, float(probability))


def _ranked(
    found: list[_Hypothesis], probability: Array, none: float
) -> list[_Hypothesis]:
    """Hypotheses with their probabilities, the likeliest first.

    The likeliest zone of each phase stands where all its zones together belong: a
    phase of low symmetry has many that are nearly alike.
    """
    phase = np.array([one.phase for one in found], int)
    place = probability.copy()
    total = np.bincount(phase, probability) if len(found) else probability
    for number in np.unique(phase):
        own = np.flatnonzero(phase == number)
        place[own[probability[own].argmax()]] = total[number]
    order = np.lexsort((-probability, -place))
    return [replace(found[k], probability=float(probability[k])) for k in order]


def _indexed(
    region: RegionSpots,
    found: list[_Hypothesis],
    probability: Array,
    none: float,
    most: int,
) -> IndexedRegion:
    ranked = _ranked(found, probability, none)[:most]
    solutions = [_solution(region, one) for one in ranked]
    if not solutions or none > 0.5:
        return IndexedRegion(solutions, none)
    further = [_solution(region, one) for one in ranked[0].further]
    return IndexedRegion(solutions, none, further)


def _solution(region: RegionSpots, one: _Hypothesis) -> RegionSolution:
    match, patterns = one.match, one.patterns
    hkl, matched = region.spread(patterns.hkl(match.zone, match.node), match.matched)
    weight = region.weight / region.weight.sum()
    new = match.matched if one.earlier is None else match.matched & ~one.earlier
    cosine, sine = np.cos(match.rotation), np.sin(match.rotation)
    turn = np.array([[cosine, -sine, 0], [sine, cosine, 0], [0, 0, 1]])
    return RegionSolution(
        phase=one.phase,
        zone_axis=patterns.axis[match.zone],
        orientation=turn @ patterns.frame[match.zone],
        distortion=match.distortion,
        covariance=match.covariance,
        hkl=hkl,
        matched=matched,
        probability=one.probability,
        score=float(weight[match.matched].sum() * match.seen),
        share=float(weight[new].sum()),
        residual=match.residual,
    )
