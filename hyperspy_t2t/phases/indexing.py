# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Phase and three-dimensional orientation of one region from its spots."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from hyperspy_t2t.frames import rotation_2d, zone_axis_frame
from hyperspy_t2t.frequencies import upper_half
from hyperspy_t2t.phases.crystal_phase import CrystalPhase
from hyperspy_t2t.phases.matching import (
    Match,
    Spots,
    Tolerances,
    ZonePattern,
    match_zone,
)

Array = npt.NDArray[np.floating]
MIN_D = 0.06
"""Shortest period in nm of the spots that take part in indexing."""
FAINT = 0.05
"""Reflections below this share of the strongest are not looked for."""
FAINT_SNR = 15.0
"""Power over noise at which a spot starts to count as evidence."""
FEWEST = 3
"""Independent spots a solution must explain: a linear map fits any two."""


@dataclass(frozen=True)
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
    hkl
        Indices of each spot, shape (n, 3); zeros where `matched` is False.
    matched
        Whether each spot is explained, shape (n,).
    score
        From 0 to 1.
    residual
        Root mean square distance of the matched spots in 1/nm.
    """

    phase: int
    zone_axis: npt.NDArray[np.int64]
    orientation: Array
    distortion: Array
    hkl: npt.NDArray[np.int64]
    matched: npt.NDArray[np.bool_]
    score: float
    residual: float

    @property
    def scale(self) -> float:
        """Measured length divided by true length."""
        return float(np.sqrt(np.linalg.det(self.distortion)))


def index_region(
    g: Array,
    std: Array,
    snr: Array,
    phases: Sequence[CrystalPhase],
    *,
    tolerances: Tolerances,
    priors: Sequence[float] | None = None,
    max_index: int = 3,
    min_score: float = 0.0,
    most: int = 12,
) -> list[RegionSolution]:
    """Rank the phases and zone axes that explain the spots of one region.

    Parameters
    ----------
    g
        (gx, gy) of all spots in 1/nm, shape (n, 2), Friedel partners included.
    std
        Their standard errors in 1/nm, shape (n,).
    snr
        Their power over the noise, shape (n,).
    phases
        Candidates.
    tolerances
        How far the image may be from its nominal calibration.
    priors
        Factor of the score of each phase, ones by default.
    max_index
        Largest index of the zone axes tried.
    min_score
        Solutions below are not returned.
    most
        Number of solutions returned, best first.
    """
    spots, representative = _independent(g, std, snr)
    if len(spots.g) < 2:
        return []
    # Reflections of a crystal that is imaged too small lie outside the spots.
    shortest = MIN_D * (1 - tolerances.scale - tolerances.distortion)
    found = []
    for number, phase in enumerate(phases):
        for axis, hkl, pattern in zone_patterns(phase, max_index, shortest):
            match = match_zone(spots, pattern, tolerances)
            if match is None or (match.reflection >= 0).sum() < FEWEST:
                continue
            prior = 1.0 if priors is None else priors[number]
            match = replace(match, score=prior * match.score)
            if match.score >= min_score:
                found.append((match.score, number, axis, hkl, match))
    found.sort(key=lambda item: -item[0])
    solutions = [
        _solution(phases[number], number, axis, hkl, match, representative)
        for _, number, axis, hkl, match in found[: 2 * most]
    ]
    return _without_mirror_images(solutions)[:most]


def _independent(g: Array, std: Array, snr: Array) -> tuple[Spots, Array]:
    """One spot of each Friedel pair, and which of them stands for each spot.

    The second result is signed and counts from 1: −k means the partner of spot k,
    0 a spot of too short a period.
    """
    upper = upper_half(g)
    folded = np.where(upper[:, None], g, -g)
    order = np.argsort(-snr, kind="stable")
    chosen: list[int] = []
    representative = np.zeros(len(g), int)
    for i in order[np.linalg.norm(g[order], axis=1) <= 1 / MIN_D]:
        for k, j in enumerate(chosen):
            for sign in (1, -1):
                if np.hypot(*(folded[i] - sign * folded[j])) < 1e-6 + 2 * std[i]:
                    representative[i] = sign * (k + 1) * (1 if upper[i] else -1)
        if representative[i] == 0:
            chosen.append(int(i))
            representative[i] = len(chosen) * (1 if upper[i] else -1)
    # A spot at the limit of significance is no evidence for or against a phase.
    weight = np.log1p(np.maximum(snr[chosen] / FAINT_SNR - 1, 0.1))
    return Spots(folded[chosen], std[chosen], weight), representative


def zone_patterns(
    phase: CrystalPhase, max_index: int, min_d: float = MIN_D
) -> list[tuple[npt.NDArray, npt.NDArray, ZonePattern]]:
    """(zone axis, hkl, in-plane pattern) of each family of zone axes, both ways.

    Reflections go down to a lattice spacing of `min_d` in nm.

    A zone seen from the other side is its mirror image, which for a zone without
    a mirror line is another pattern.
    """
    from hyperspy_t2t.phases.reflections import (
        reflection_table,
        zone_axes,
        zone_reflections,
    )

    table = reflection_table(phase, min_d_nm=min_d)
    patterns = []
    for axis in zone_axes(phase, max_index=max_index):
        zone = zone_reflections(table, axis)
        amplitude = np.abs(zone.structure_factor)
        if not len(amplitude):
            continue
        strong = amplitude > FAINT * amplitude.max()
        amplitude = amplitude[strong] / amplitude.max()
        for towards in (axis, -axis):
            frame = zone_axis_frame(phase.lattice, towards)
            p = zone.g[strong] @ frame[:2].T
            patterns.append((towards, zone.hkl[strong], ZonePattern(p, amplitude)))
    return patterns


def _solution(
    phase: CrystalPhase,
    number: int,
    axis: npt.NDArray,
    hkl: npt.NDArray,
    match: Match,
    representative: npt.NDArray,
) -> RegionSolution:
    reflection = match.reflection[np.abs(representative) - 1]
    matched = (reflection >= 0) & (representative != 0)
    indices = np.where(matched[:, None], hkl[reflection], 0)
    indices = indices * np.sign(representative)[:, None]
    turn = rotation_2d(match.rotation)
    return RegionSolution(
        phase=number,
        zone_axis=np.asarray(axis),
        orientation=zone_axis_frame(phase.lattice, axis, rotation=match.rotation),
        distortion=np.linalg.inv(match.linear_map).T @ turn.T,
        hkl=indices.astype(np.int64),
        matched=matched,
        score=match.score,
        residual=match.residual,
    )


def _without_mirror_images(solutions: list[RegionSolution]) -> list[RegionSolution]:
    """Of [u v w] and [−u −v −w] that explain the spots equally well keep one.

    The two differ by a mirror that a zone's pattern cannot show; the one with the
    larger sum of indices is kept.
    """
    kept: list[RegionSolution] = []
    for solution in solutions:
        twin = next(
            (
                i
                for i, other in enumerate(kept)
                if other.phase == solution.phase
                and np.array_equal(other.zone_axis, -solution.zone_axis)
                and np.isclose(other.score, solution.score, rtol=1e-3)
            ),
            None,
        )
        if twin is None:
            kept.append(solution)
        elif solution.zone_axis.sum() > kept[twin].zone_axis.sum():
            kept[twin] = solution
    return kept


def predicted_g(
    hkl: npt.ArrayLike, phase: CrystalPhase, orientation: Array, distortion: Array
) -> Array:
    """Where reflections of a solution lie in the spectrum of the image.

    g = D⁻ᵀ (M hkl B*), the part in the image plane, in 1/nm.

    Parameters
    ----------
    hkl
        Indices, shape (..., 3).
    phase, orientation, distortion
        As in :class:`RegionSolution`.
    """
    in_plane = (np.asarray(hkl) @ phase.reciprocal_lattice) @ orientation[:2].T
    return in_plane @ np.linalg.inv(distortion)


def nearest_reflection(
    g: Array,
    phase: CrystalPhase,
    zone_axis: npt.ArrayLike,
    orientation: Array,
    distortion: Array,
) -> npt.NDArray[np.int64]:
    """Indices of the zone's lattice points nearest to each g (n, 2), shape (n, 3)."""
    limit = 8
    index = np.arange(-limit, limit + 1)
    hkl = np.stack(np.meshgrid(index, index, index, indexing="ij"), -1).reshape(-1, 3)
    hkl = hkl[hkl @ np.asarray(zone_axis) == 0]
    predicted = predicted_g(hkl, phase, orientation, distortion)
    distance = np.linalg.norm(np.asarray(g)[:, None] - predicted[None], axis=-1)
    return hkl[distance.argmin(axis=1)]
