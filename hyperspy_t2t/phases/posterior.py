# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""From the evidence of hypotheses to probabilities, for all regions of an image.

Regions of one image share its distortion D₀. With w the evidence of hypothesis k of
region r times its priors, s the distribution of strain about D₀ and none of region q
the weight of "none of these",

    P(k | r) ∝ ∫ p(D₀) w_rk s(D_rk − D₀) Π_{q≠r} [none_q + Σ_j w_qj s(D_qj − D₀)] dD₀.

The integral is a sum over the distortions that hypotheses propose, each with the volume
that strain gives it, 1/Σ_m s(D_m − D₀), and one place elsewhere, which has the rest of
the prior and where there is only "none of these".
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import logsumexp

from hyperspy_t2t.array_types import Array
from hyperspy_t2t.phases.distortion import STRAIN, DistortionPrior, strained

_LEAST = 1e-12
SAME = 0.003
"""Distortions closer than this are one."""
CONSIDERED = 24
"""Best hypotheses of a region that say what the distortion may be."""


@dataclass(frozen=True, eq=False)
class Hypotheses:
    """What is known of the hypotheses of one region.

    Parameters
    ----------
    log_weight
        ln of evidence times priors, but for that of the distortion, shape (k,).
    parameters
        (ε, a, b), shape (k, 3).
    covariance
        Of the parameters, shape (k, 3, 3).
    none
        The same as `log_weight` for "none of these".
    """

    log_weight: Array
    parameters: Array
    covariance: Array
    none: float


def probabilities(
    regions: Sequence[Hypotheses], image: DistortionPrior, *, joint: bool = True
) -> list[tuple[Array, float]]:
    """Probability of each hypothesis and of "none of these", for each region.

    Parameters
    ----------
    regions
        Hypotheses of each region.
    image
        Prior of the distortion of the image.
    joint
        Whether the regions share it.
    """
    several = sum(len(region.log_weight) > 0 for region in regions) > 1
    if not (joint and several):
        return [_normalised(_alone(region, image), region.none) for region in regions]
    nodes = _nodes(regions, image)
    share = image.log_density(nodes) - logsumexp(
        _log_strain(nodes[None] - nodes[:, None], np.zeros((3, 3))), axis=1
    )
    elsewhere = np.log(max(1 - np.exp(logsumexp(share)), _LEAST))
    share = np.append(share, elsewhere)
    weights = [_at_nodes(region, nodes) for region in regions]
    totals = [
        np.logaddexp(logsumexp(weight, axis=1), region.none)
        if weight.shape[1]
        else np.full(len(share), region.none)
        for weight, region in zip(weights, regions, strict=True)
    ]
    share = share + np.sum(totals, axis=0)
    result = []
    for weight, region, total in zip(weights, regions, totals, strict=True):
        others = share - total
        own = logsumexp(weight + others[:, None], axis=0)
        result.append(_normalised(own, region.none + logsumexp(others)))
    return result


def _normalised(log_weight: Array, none: float) -> tuple[Array, float]:
    total = logsumexp(np.append(log_weight, none))
    return np.exp(log_weight - total), float(np.exp(none - total))


def _alone(region: Hypotheses, image: DistortionPrior) -> Array:
    """ln of the weights with the prior of the distortion of a single region."""
    if not len(region.log_weight):
        return region.log_weight
    priors = [
        np.log(share)
        + strained(image, k).log_density(region.parameters, region.covariance)
        for k, (share, _) in enumerate(STRAIN)
    ]
    return region.log_weight + logsumexp(priors, axis=0)


def _at_nodes(region: Hypotheses, nodes: Array) -> Array:
    """ln of the weights at each distortion and elsewhere, (nodes + 1, k)."""
    away = region.parameters[None] - nodes[:, None]
    weight = region.log_weight + _log_strain(away, region.covariance)
    return np.vstack([weight, np.full((1, len(region.log_weight)), -np.inf)])


def _log_strain(away: Array, covariance: Array) -> Array:
    """ln of the density of strain, (..., 3) to (...), known with a covariance."""
    total = np.full(away.shape[:-1], -np.inf)
    for share, std in STRAIN:
        spread = covariance + std**2 * np.eye(3)
        square = np.einsum("...i,...ij,...j->...", away, np.linalg.inv(spread), away)
        norm = np.linalg.slogdet(2 * np.pi * spread)[1]
        total = np.logaddexp(total, np.log(share) - 0.5 * (square + norm))
    return total


def _nodes(regions: Sequence[Hypotheses], image: DistortionPrior) -> Array:
    """Distortions that the best hypotheses propose, each once, shape (m, 3)."""
    proposed, weight = [], []
    for region in regions:
        best = np.argsort(-region.log_weight, kind="stable")[:CONSIDERED]
        total = _alone(region, image)
        proposed.append(region.parameters[best])
        weight.append(total[best] - total.max(initial=-np.inf))
    proposals = np.concatenate(proposed)[np.argsort(-np.concatenate(weight))]
    kept: list[Array] = []
    for one in proposals:
        if all(np.abs(one - other).max() > SAME for other in kept):
            kept.append(one)
    return np.array(kept)
