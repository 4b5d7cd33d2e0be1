# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""From the evidence of hypotheses to probabilities, for all regions of an image at once.

Regions of one image share its distortion D₀. With w the evidence of hypothesis k of
region r times its priors, and s the distribution of strain about D₀,

    P(k | r) = Σ_D₀ p(D₀) w_rk s(D_rk − D₀) Π_{q ≠ r} Σ_j w_qj s(D_qj − D₀) / …

where every sum holds "none of these" too. D₀ runs over the distortions that hypotheses
propose.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import logsumexp

from hyperspy_t2t.phases.distortion import STRAIN, DistortionPrior, strained

Array = npt.NDArray[np.float64]
TEMPERATURE = 1.0
"""The model is simpler than an image: differences of evidence count one in this many."""
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
    given = [_given(region, nodes) for region in regions]
    totals = [
        logsumexp(np.column_stack([weight, np.full(len(nodes), none)]), axis=1)
        for weight, none in given
    ]
    node = image.log_density(nodes) + np.sum(totals, axis=0)
    result = []
    for (weight, none), total in zip(given, totals, strict=True):
        others = (node - total)[:, None]
        result.append(
            _normalised(logsumexp(weight + others, axis=0), none + logsumexp(others))
        )
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


def _given(region: Hypotheses, nodes: Array) -> tuple[Array, float]:
    """ln of the weights of hypotheses at each distortion of the image, (nodes, k)."""
    away = region.parameters[None] - nodes[:, None]
    total = np.full((len(nodes), len(region.log_weight)), -np.inf)
    for share, std in STRAIN:
        spread = region.covariance + std**2 * np.eye(3)
        square = np.einsum("nki,kij,nkj->nk", away, np.linalg.inv(spread), away)
        norm = np.linalg.slogdet(2 * np.pi * spread)[1]
        total = np.logaddexp(total, np.log(share) - 0.5 * (square + norm))
    return total + region.log_weight, region.none


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
