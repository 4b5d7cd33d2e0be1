# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Maps of a zone's plane to the image that pairs of spots propose."""

import numba
import numpy as np

from hyperspy_t2t.phases.assignment import (
    absent_evidence,
    absent_nodes,
    assign,
    position_evidence,
    project,
)
from hyperspy_t2t.phases.evidence import intensity_evidence
from hyperspy_t2t.phases.refinement import ROUGH, allowed

KEPT = 3
"""Maps of a zone that are kept."""
STRONGEST = 8
"""Spots whose pairs propose maps."""
_TOO_FAINT = 0.003
"""Reflections below this share of the strongest power propose nothing."""
_OPEN = 0.25
"""Sine of the smallest angle between the spots of a pair."""
_MOST_MAPS = 4096


@numba.njit(cache=True, nogil=True)
def propose(
    g, std, log_power, foreign, explained, scalars,
    basis, start, p, power, half, lookup, lookup_start, prior,
):  # fmt: skip
    """Maps that pairs of spots give, and their evidence without refinement.

    Parameters
    ----------
    g, std, log_power, foreign, explained, scalars
        As in ``SpotModel.arrays``.
    basis, start, p, power, half, lookup, lookup_start
        As in ``ZonePatterns``.
    prior
        As in ``DistortionPrior.array``.

    Returns
    -------
    maps, evidence
        The best of each zone, (z, KEPT, 2, 2) and (z, KEPT); −inf where there are less.
    """
    zones = len(start) - 1
    maps = np.zeros((zones, KEPT, 2, 2))
    evidence = np.full((zones, KEPT), -np.inf)
    row, node = np.empty(len(g), np.int64), np.empty((len(g), 2), np.int64)
    away = np.empty(len(g))
    pairs = _pairs(g, explained)
    trials = np.empty((_MOST_MAPS, 2, 2))
    for z in range(zones):
        part = slice(start[z], start[z + 1])
        own, expected = np.empty(len(p[part]), np.int64), np.empty_like(p[part])
        table = lookup[lookup_start[z] : lookup_start[z + 1]]
        for k in range(len(pairs)):
            count = _maps_of_pair(g[pairs[k, 0]], g[pairs[k, 1]], p[part], power[part],
                                  prior, trials)  # fmt: skip
            for t in range(count):
                matched = assign(
                    trials[t], g, std, explained, ROUGH, basis[z], half[z], start[z],
                    table, row, node, own, away,
                )  # fmt: skip
                if matched < 2:
                    continue
                value = _quick_evidence(
                    trials[t], g, std, log_power, foreign, explained, scalars, basis[z],
                    p[part], power[part], row, own, away, expected,
                )  # fmt: skip
                _keep(maps[z], evidence[z], trials[t], value)
    return maps, evidence


@numba.njit(cache=True, nogil=True)
def _pairs(g, explained):
    """Numbers of the strongest spots, two by two, that span an open angle."""
    chosen = np.flatnonzero(~explained)[:STRONGEST]
    pairs = np.empty((len(chosen) * (len(chosen) - 1) // 2, 2), np.int64)
    count = 0
    for one in range(len(chosen)):
        for two in range(one + 1, len(chosen)):
            a, b = g[chosen[one]], g[chosen[two]]
            size = np.sqrt((a**2).sum() * (b**2).sum())
            if abs(a[0] * b[1] - a[1] * b[0]) > _OPEN * size:
                pairs[count, 0], pairs[count, 1] = chosen[one], chosen[two]
                count += 1
    return pairs[:count]


@numba.njit(cache=True, nogil=True)
def _maps_of_pair(a, b, p, power, prior, trials):
    """Maps that take two reflections to spots a and b, into `trials`; their number."""
    slack, mean = prior[2, 0] + prior[2, 1], 1 + prior[0, 0]
    length_a, length_b = np.sqrt((a**2).sum()), np.sqrt((b**2).sum())
    cross = a[0] * b[1] - a[1] * b[0]
    lengths = np.sqrt(p[:, 0] ** 2 + p[:, 1] ** 2)
    bright = np.maximum(power[:, 0], power[:, 1]) > _TOO_FAINT
    count = 0
    for i in range(len(p)):
        if not bright[i] or abs(length_a * mean - lengths[i]) > slack * lengths[i]:
            continue
        for j in range(len(p)):
            if not bright[j] or abs(length_b * mean - lengths[j]) > slack * lengths[j]:
                continue
            area = p[i, 0] * p[j, 1] - p[i, 1] * p[j, 0]
            if area == 0 or count == len(trials):
                continue
            # Of reflection j and its partner the one on the same side as b of a.
            sign = 1.0 if area * cross > 0 else -1.0
            trial = trials[count]
            for r in range(2):
                trial[r, 0] = (a[r] * p[j, 1] - sign * b[r] * p[i, 1]) / area
                trial[r, 1] = (sign * b[r] * p[i, 0] - a[r] * p[j, 0]) / area
            if allowed(trial, prior):
                count += 1
    return count


@numba.njit(cache=True, nogil=True)
def _quick_evidence(
    linear_map, g, std, log_power, foreign, explained, scalars, basis, p, power, row,
    own, away, expected,
):  # fmt: skip
    """Evidence at one error and without refinement, of the better kind of contrast."""
    project(linear_map, p, scalars[1], own, expected)
    best = -np.inf
    absent = absent_nodes(linear_map, basis, expected[: len(p)], scalars[2])
    for mode in range(2):
        value = intensity_evidence(
            log_power, explained, row, own, power[:, mode], expected[: len(p)],
            scalars[0], False,
        )[0]  # fmt: skip
        best = max(best, value)
    best += absent_evidence(g, std, log_power, foreign, explained, row, away, ROUGH,
                             absent)  # fmt: skip
    return best + position_evidence(g, std, foreign, explained, row, away, ROUGH)


@numba.njit(cache=True, nogil=True)
def _keep(maps, quick, trial, value):
    """Put a map in its place among the best that differ by more than two per cent."""
    size = np.abs(trial).max()
    for k in range(KEPT):
        alike = np.abs(maps[k] - trial).max() < 0.02 * size
        opposite = np.abs(maps[k] + trial).max() < 0.02 * size
        if np.isfinite(quick[k]) and (alike or opposite):
            if value > quick[k]:
                quick[k] = value
                maps[k] = trial
            return
    k = np.argmin(quick)
    if value > quick[k]:
        quick[k] = value
        maps[k] = trial
