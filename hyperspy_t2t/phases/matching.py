# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Which zone of a crystal do these spots belong to, and how is it turned?

Two observed spots and two reflections of a zone give a linear map L from the
crystal's plane to the image, g = L p. It holds the in-plane rotation, the scale
error of the image and its distortion. Every such pair within reach of the prior is
a hypothesis; the best of each zone are refined on all spots by least squares, with
the prior of the distortion, and weighed by their evidence: the likelihood of all
spots that are seen and of all reflections that are not (:mod:`.evidence`),
integrated over L in the Laplace approximation.
"""

from dataclasses import dataclass

import numpy as np

from hyperspy_t2t.array_types import Array, Bools, Ints
from hyperspy_t2t.phases.distortion import DistortionPrior
from hyperspy_t2t.phases.evidence import SpotModel
from hyperspy_t2t.phases.proposals import propose
from hyperspy_t2t.phases.refinement import refine
from hyperspy_t2t.phases.zone_patterns import ZonePatterns


@dataclass(frozen=True, eq=False)
class ZoneMatch:
    """The best hypothesis of one zone.

    Parameters
    ----------
    zone
        Row of the zone patterns.
    inverse, rotation
        L = E R: the symmetric E = D⁻¹ (2, 2), and the angle of R in radians.
    node
        Integers of each spot on the zone's basis, shape (n, 2).
    matched
        Whether each spot is a reflection of the pattern, shape (n,).
    evidence
        Logarithm of the evidence over that of foreign spots, of the intensities and
        positions and of the prior of the distortion, without priors of phase and zone.
    covariance
        Of (ε, a, b), prior included, shape (3, 3).
    seen
        Share of the strength of the expected reflections that is seen.
    residual
        Root mean square distance of the matched spots in 1/nm.
    """

    zone: int
    inverse: Array
    rotation: float
    node: Ints
    matched: Bools
    evidence: float
    covariance: Array
    seen: float
    residual: float

    @property
    def distortion(self) -> Array:
        """D, shape (2, 2)."""
        return np.linalg.inv(self.inverse)

    @property
    def linear_map(self) -> Array:
        """L, shape (2, 2)."""
        cosine, sine = np.cos(self.rotation), np.sin(self.rotation)
        return self.inverse @ np.array([[cosine, -sine], [sine, cosine]])


def match_phase(
    model: SpotModel, patterns: ZonePatterns, prior: DistortionPrior
) -> list[ZoneMatch]:
    """Best hypothesis of each zone of a phase that some pair of spots proposes.

    Parameters
    ----------
    model
        The spots and what is assumed of them.
    patterns
        Zones of the phase.
    prior
        Of the distortion.
    """
    if len(model.g) < 2 or not len(patterns):
        return []
    tables = (
        patterns.basis, patterns.start, patterns.p, patterns.power, patterns.half,
        patterns.lookup, patterns.lookup_start,
    )  # fmt: skip
    maps, quick = propose(*model.arrays, *tables, prior.array)
    best: dict[int, ZoneMatch] = {}
    for zone, rank in zip(*np.nonzero(np.isfinite(quick)), strict=True):
        match = _refined(model, patterns, int(zone), maps[zone, rank], prior)
        if match and match.evidence > getattr(best.get(match.zone), "evidence", -1e9):
            best[match.zone] = match
    return list(best.values())


def _refined(
    model: SpotModel,
    patterns: ZonePatterns,
    zone: int,
    start: Array,
    prior: DistortionPrior,
) -> ZoneMatch | None:
    part = slice(patterns.start[zone], patterns.start[zone + 1])
    table = (
        patterns.basis[zone], patterns.p[part], patterns.power[part],
        patterns.half[zone], patterns.start[zone],
        patterns.lookup[patterns.lookup_start[zone] : patterns.lookup_start[zone + 1]],
    )  # fmt: skip
    found, inverse, rotation, node, matched, evidence, covariance, seen, residual = (
        refine(start, *model.arrays, *table, prior.array)
    )
    if not found:
        return None
    return ZoneMatch(
        zone, inverse, rotation, node, matched, evidence, covariance, seen, residual
    )
