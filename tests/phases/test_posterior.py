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
        np.testing.assert_allclose(
            [*chance, rest], weight / weight.sum(), rtol=1e-6
        )


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
    plain = probabilities([Hypotheses(log_weight, parameters, spread, 1.0), other], IMAGE)
    moved = probabilities(
        [Hypotheses(log_weight[order], parameters[order], spread, 1.0), other], IMAGE
    )
    np.testing.assert_allclose(moved[0][0], plain[0][0][order])
    np.testing.assert_allclose(moved[1][0], plain[1][0])


def integrated(regions: list[Hypotheses]) -> list[np.ndarray]:
    """Probabilities of regions that differ in ε alone, by sums over a fine grid of D₀.

    The densities of a and b about zero are integrated in closed form.
    """
    image = np.diag(np.square(IMAGE.std))
    grid = np.linspace(-0.3, 0.3, 12001)
    prior = multivariate_normal.pdf(grid, 0, image[0, 0])
    each = []
    for one in regions:
        rows = []
        for k, weight in enumerate(np.exp(one.log_weight)):
            total = np.zeros(len(grid))
            for share, std in STRAIN:
                around = np.diag(one.covariance[k]) + std**2
                wide = around[1:] + np.diag(image)[1:]
                total += (
                    share
                    * multivariate_normal.pdf(grid, one.parameters[k, 0], around[0])
                    / (2 * np.pi * np.sqrt(wide.prod()))
                )
            rows.append(weight * total)
        each.append(np.vstack([*rows, np.full(len(grid), np.exp(one.none))]))
    found = []
    for k, one in enumerate(each):
        others = np.prod([row.sum(axis=0) for j, row in enumerate(each) if j != k], 0)
        weight = (one * others * prior).sum(axis=1)
        found.append(weight / weight.sum())
    return found


def test_a_region_that_says_nothing_changes_nothing() -> None:
    """Its hypotheses are hopeless against none of these."""
    doubtful = region([-8.0, -9.0], [0.03, -0.03])
    hopeless = region([-500.0], [0.01])
    alone = probabilities([doubtful], IMAGE)[0]
    joint = probabilities([doubtful, hopeless], IMAGE)[0]
    expected = integrated([doubtful, hopeless])[0]
    np.testing.assert_allclose([*alone[0], alone[1]], expected, atol=0.02)
    np.testing.assert_allclose([*joint[0], joint[1]], expected, atol=0.05)
