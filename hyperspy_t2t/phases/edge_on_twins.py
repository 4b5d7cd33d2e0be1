# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Twins whose plane is seen edge-on, on the spots that a first crystal leaves.

The pattern of such a twin is the mirror image of the first one's across the row of the
twin plane. So the first crystal tells all of it, and shares that row: one spot of its
own at its place is evidence, where any other crystal needs two to be known at all.
"""

from typing import NamedTuple

import numpy as np
from scipy.special import logsumexp

from hyperspy_t2t.array_types import Array, Ints
from hyperspy_t2t.phases.assignment import (
    absent_evidence,
    absent_nodes,
    assign,
    position_evidence,
    project,
)
from hyperspy_t2t.phases.crystal_phase import CrystalPhase
from hyperspy_t2t.phases.evidence import ERROR_PRIOR, ERRORS, SpotModel
from hyperspy_t2t.phases.matching import ZoneMatch
from hyperspy_t2t.phases.refinement import ROUGH, best_contrast
from hyperspy_t2t.phases.relation_catalogue import related_crystal, relation_catalogue
from hyperspy_t2t.phases.symmetry import cartesian_operations
from hyperspy_t2t.phases.zone_patterns import ZonePatterns

STRAINED = 0.006
"""Relative error of g by which a twin may differ from the image of the first."""


class _Pattern(NamedTuple):
    """A zone and the angle of its pattern in the image."""

    zone: int
    rotation: float


def twin_matches(
    model: SpotModel, phase: CrystalPhase, patterns: ZonePatterns, first: ZoneMatch
) -> list[ZoneMatch]:
    """How well each edge-on twin of a crystal explains the spots that it leaves.

    Parameters
    ----------
    model
        The spots; those that the first crystal explains are marked so.
    phase
        That of both crystals.
    patterns
        Its zones.
    first
        The first crystal.

    Returns
    -------
    list of ZoneMatch
        One for each twin plane whose normal lies in the image: reflection twins of
        cubic crystals on {111}, of others on planes of low indices. `evidence` is −inf
        where no spot is the twin's own, or none is shared. Distortion and covariance
        are those of the first.
    """
    turn = _turn(first.rotation) @ patterns.frame[first.zone]
    found = []
    for normal in _edge_on_normals(phase, patterns.axis[first.zone]):
        twinned = turn @ (2 * np.outer(normal, normal) - np.eye(3))
        seen = _seen_as(phase, patterns, twinned)
        if seen is not None:
            found.append(_fixed_match(model, patterns, first, seen))
    return found


def _edge_on_normals(phase: CrystalPhase, zone_axis: Ints) -> list[Array]:
    """Unit normals, in the crystal, of the twin planes that hold a zone axis."""
    crystal = related_crystal(phase)
    inverse = np.round(np.linalg.inv(crystal.operations)).astype(np.int64)
    normals: list[Array] = []
    for relation in relation_catalogue(phase, phase).relations:
        if relation.plane is None:
            continue
        planes = np.unique(np.array(relation.plane) @ inverse, axis=0)
        for plane in planes[planes @ zone_axis == 0]:
            normal = plane @ crystal.reciprocal
            normal /= np.linalg.norm(normal)
            if all(abs(normal @ other) < 1 - 1e-6 for other in normals):
                normals.append(normal)
    return normals


def _seen_as(
    phase: CrystalPhase, patterns: ZonePatterns, matrix: Array
) -> _Pattern | None:
    """The zone that a crystal with this matrix (crystal → image) shows."""
    turns = cartesian_operations(phase, related_crystal(phase).rotations)
    about = np.einsum("ij,kjl,zml->kzim", matrix, turns, patterns.frame)
    k, zone = np.unravel_index(about[..., 2, 2].argmax(), about.shape[:2])
    best = about[k, zone]
    if best[2, 2] < 1 - 1e-6:
        return None
    return _Pattern(int(zone), float(np.arctan2(best[1, 0], best[0, 0])))


def _fixed_match(
    model: SpotModel, patterns: ZonePatterns, first: ZoneMatch, seen: _Pattern
) -> ZoneMatch:
    """Evidence of a pattern all of which is known."""
    g, std, log_power, foreign, explained, scalars = model.arrays
    zone, start = seen.zone, patterns.start
    part = slice(start[zone], start[zone + 1])
    p, power, basis = patterns.p[part], patterns.power[part], patterns.basis[zone]
    first_entry, end = patterns.lookup_start[zone : zone + 2]
    linear_map = first.inverse @ _turn(seen.rotation)[:2, :2]
    row, node = np.full(len(g), -1), np.zeros((len(g), 2), np.int64)
    own, away = np.empty(len(p), np.int64), np.empty(len(g))
    count = assign(linear_map, g, std, explained, ROUGH, basis, patterns.half[zone],
                   start[zone], patterns.lookup[first_entry:end], row, node, own,
                   away)  # fmt: skip
    matched, evidence, share = row != -1, -np.inf, 0.0
    if count and (matched & explained).any():
        expected = np.empty((len(p), 2))
        project(linear_map, p, scalars[1], own, expected)
        evidence, share = best_contrast(log_power, explained, row, own, power, expected,
                                        scalars[0])  # fmt: skip
        absent = absent_nodes(linear_map, basis, expected, scalars[2])
        places = [
            position_evidence(g, std, foreign, explained, row, away, error)
            + absent_evidence(
                g, std, log_power, foreign, explained, row, away, error, absent
            )
            for error in np.hypot(ERRORS, STRAINED)
        ]
        evidence += logsumexp(np.array(places) + ERROR_PRIOR)
    residual = float(np.sqrt(away[matched].mean())) if matched.any() else 0.0
    return ZoneMatch(zone, first.inverse, seen.rotation, node, matched, float(evidence),
                     first.covariance, float(share), residual)  # fmt: skip


def _turn(angle: float) -> Array:
    """Rotation about the beam, (3, 3)."""
    cosine, sine = np.cos(angle), np.sin(angle)
    return np.array([[cosine, -sine, 0.0], [sine, cosine, 0.0], [0.0, 0.0, 1.0]])
