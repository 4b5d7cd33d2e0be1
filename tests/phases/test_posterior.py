# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""From evidence to probabilities, of one region and of several with one distortion."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import multivariate_normal

from hyperspy_t2t.phases.distortion import STRAIN, DistortionPrior
from hyperspy_t2t.phases.posterior import Hypotheses, probabilities

IMAGE = DistortionPrior(std=(0.05, 0.017, 0.017))
COVARIANCE = np.diag([1e-3, 1e-3, 1e-3]) ** 2


def region(log_weight, epsilon, none=0.0, covariance=COVARIANCE) -> Hypotheses:
    count = len(log_weight)
    parameters = np.zeros((count, 3))
    parameters[:, 0] = epsilon
    spread = np.broadcast_to(covariance, (count, 3, 3))
    return Hypotheses(np.array(log_weight, float), parameters, spread, none)


def test_one_region_is_weight_times_the_density_of_its_distortion() -> None:
    rng = np.random.default_rng(0)
    parameters = rng.normal(0, 0.02, (5, 3))
    spread = rng.normal(0, 2e-3, (5, 3, 3))
    covariance = spread @ np.swapaxes(spread, 1, 2) + COVARIANCE
    log_weight, none = rng.normal(0, 2, 5), 8.0
    density = [
        sum(
            share
            * multivariate_normal.pdf(
                at, np.zeros(3), np.diag(np.square(IMAGE.std) + std**2) + around
            )
            for share, std in STRAIN
        )
        for at, around in zip(parameters, covariance, strict=True)
    ]
    weight = np.append(np.exp(log_weight) * density, np.exp(none))
    one = Hypotheses(log_weight, parameters, covariance, none)
    for joint in (True, False):
        chance, rest = probabilities([one], IMAGE, joint=joint)[0]
        np.testing.assert_allclose([*chance, rest], weight / weight.sum(), rtol=1e-6)


weights = st.lists(st.floats(-3000, 3000), min_size=0, max_size=6)


@given(st.lists(weights, min_size=1, max_size=4), st.booleans(), st.integers(0, 99))
def test_probabilities_sum_to_one(lists, joint: bool, seed: int) -> None:
    rng = np.random.default_rng(seed)
    regions = [
        region(one, rng.normal(0, 0.03, len(one)), rng.normal()) for one in lists
    ]
    for (chance, none), one in zip(
        probabilities(regions, IMAGE, joint=joint), lists, strict=True
    ):
        assert len(chance) == len(one)
        assert chance.sum() + none == pytest.approx(1)
        assert (chance >= 0).all() and none >= 0
        if not one:
            assert none == pytest.approx(1)


def test_one_region_decides_the_distortion_of_all() -> None:
    ambiguous = region([10.0, 10.0], [0.03, -0.03])
    certain = region([30.0], [0.03])
    alone = probabilities([ambiguous, certain], IMAGE, joint=False)[0][0]
    np.testing.assert_allclose(alone, 0.5, atol=1e-3)
    together = probabilities([ambiguous, certain], IMAGE)
    assert together[0][0][0] > 0.98
    swapped = probabilities([certain, ambiguous], IMAGE)
    np.testing.assert_allclose(swapped[1][0], together[0][0])


def test_the_order_of_hypotheses_changes_nothing() -> None:
    rng = np.random.default_rng(3)
    parameters, log_weight = rng.normal(0, 0.02, (8, 3)), rng.normal(0, 3, 8)
    spread = np.broadcast_to(COVARIANCE, (8, 3, 3))
    other = region([2.0, 1.0], [0.01, -0.02])
    order = rng.permutation(8)
    plain = probabilities(
        [Hypotheses(log_weight, parameters, spread, 1.0), other], IMAGE
    )
    moved = probabilities(
        [Hypotheses(log_weight[order], parameters[order], spread, 1.0), other], IMAGE
    )
    np.testing.assert_allclose(moved[0][0], plain[0][0][order])
    np.testing.assert_allclose(moved[1][0], plain[1][0])


def joint_density(one: Hypotheses, k: int, other: Hypotheses, j: int) -> float:
    """Of both distortions, integrated over that of the image: Gaussians of six."""
    image = np.diag(np.square(IMAGE.std))
    at = np.concatenate([one.parameters[k], other.parameters[j]])
    total = 0.0
    for share, std in STRAIN:
        for share_other, std_other in STRAIN:
            spread = np.block([
                [image + one.covariance[k] + std**2 * np.eye(3), image],
                [image, image + other.covariance[j] + std_other**2 * np.eye(3)],
            ])  # fmt: skip
            density = multivariate_normal.pdf(at, np.zeros(6), spread)
            total += share * share_other * density
    return total


def integrated(one: Hypotheses, other: Hypotheses) -> list[np.ndarray]:
    """Exact probabilities of two regions that share the distortion; none is last."""
    alone = [
        np.exp(region.log_weight)
        * sum(
            share
            * np.array([
                multivariate_normal.pdf(
                    at, np.zeros(3), np.diag(np.square(IMAGE.std) + std**2) + around
                )
                for at, around in zip(region.parameters, region.covariance, strict=True)
            ])
            for share, std in STRAIN
        )
        for region in (one, other)
    ]  # fmt: skip
    table = np.empty((len(alone[0]) + 1, len(alone[1]) + 1))
    for k, weight in enumerate(np.exp(one.log_weight)):
        for j, weight_other in enumerate(np.exp(other.log_weight)):
            table[k, j] = weight * weight_other * joint_density(one, k, other, j)
    table[:-1, -1] = alone[0] * np.exp(other.none)
    table[-1, :-1] = alone[1] * np.exp(one.none)
    table[-1, -1] = np.exp(one.none + other.none)
    return [table.sum(axis=1) / table.sum(), table.sum(axis=0) / table.sum()]


def test_a_region_that_says_nothing_changes_nothing() -> None:
    """Its hypotheses are hopeless against none of these."""
    doubtful = region([-8.0, -9.0], [0.03, -0.03])
    hopeless = region([-500.0], [0.01])
    alone = probabilities([doubtful], IMAGE)[0]
    joint = probabilities([doubtful, hopeless], IMAGE)[0]
    expected = integrated(doubtful, hopeless)[0]
    np.testing.assert_allclose([*alone[0], alone[1]], expected, atol=1e-3)
    np.testing.assert_allclose([*joint[0], joint[1]], expected, atol=0.1)


@pytest.mark.parametrize("weight", [-13.0, -11.0, -9.0])
def test_two_regions_as_integrated_over_the_distortion(weight: float) -> None:
    regions = [
        region([weight, weight], [0.03, -0.03]),
        region([weight - 1, weight - 1], [0.031, -0.01]),
    ]
    for (chance, none), true in zip(
        probabilities(regions, IMAGE), integrated(*regions), strict=True
    ):
        np.testing.assert_allclose([*chance, none], true, atol=0.2)
