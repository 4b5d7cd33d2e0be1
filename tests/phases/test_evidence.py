# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""The parts of the likelihood against scipy and against plain sums."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.optimize import minimize
from scipy.special import betaln, gammaln
from scipy.stats import logistic

from hyperspy_t2t.phases.evidence import (
    BROAD,
    BROAD_PRIOR,
    DYNAMIC_RANGE,
    FOREIGN_SHARE,
    LEAST,
    MISSED,
    MOST_FOREIGN,
    THRESHOLD,
    UNUSUAL,
    SpotModel,
    envelope,
    envelope_terms,
    intensity_evidence,
    log_any,
    log_gamma,
    log_intensity,
    log_share,
    softplus,
)


@given(st.floats(-700, 700))
def test_softplus(value: float) -> None:
    assert softplus(value) == pytest.approx(np.logaddexp(0, value), rel=1e-12)


@given(st.floats(1, 1e4))
def test_log_gamma(value: float) -> None:
    assert log_gamma(value) == pytest.approx(gammaln(value), rel=1e-9, abs=1e-9)


@given(st.integers(0, 40), st.floats(0, 200))
def test_log_share(seen: int, more: float) -> None:
    expected = betaln(seen + 1, more + 1)
    assert log_share(seen, seen + more) == pytest.approx(expected, abs=1e-8)
    assert log_share(seen, 0.0) == pytest.approx(-np.log(seen + 1), abs=1e-8)


def test_log_share_is_the_integral() -> None:
    value = quad(lambda q: q**3 * (1 - q) ** 8, 0, 1)[0]
    assert np.exp(log_share(3, 11)) == pytest.approx(value)


def test_any_intensity_is_a_density_above_the_threshold() -> None:
    total = quad(lambda x: np.exp(log_any(x)), THRESHOLD, 200)[0]
    assert total == pytest.approx(1)


@pytest.mark.parametrize("broad", BROAD)
def test_the_density_of_intensities(broad: float) -> None:
    rng = np.random.default_rng(0)
    for away, power in zip(
        rng.normal(0, 4, 20), rng.uniform(THRESHOLD, 10, 20), strict=True
    ):
        expected = (1 - UNUSUAL) * logistic.pdf(away, scale=broad)
        expected += UNUSUAL * np.exp(log_any(power))
        assert log_intensity(away, power, broad) == pytest.approx(np.log(expected))


def spots(count: int = 12, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    angle, length = rng.uniform(0, np.pi, count), rng.uniform(2, 8, count)
    return length[:, None] * np.stack([np.cos(angle), np.sin(angle)], -1)


TRUE = np.array([7.3, 0.05, 0.004, -0.006])


def terms(g: np.ndarray) -> np.ndarray:
    x, y = g.T
    return np.stack([np.ones(len(g)), -(x**2) - y**2, x**2 - y**2, 2 * x * y], -1)


def test_terms_of_the_envelope() -> None:
    g = spots()
    for one, expected in zip(g, terms(g), strict=True):
        np.testing.assert_allclose(envelope_terms(one), expected)


def cost(c: np.ndarray, log_power, g, falloff: float, broad: float) -> float:
    """−2 ln of logistic densities, and the prior of the last three."""
    t = (log_power - terms(g) @ c) / (2 * broad)
    tight = np.array([1e-6, 4, 16, 16]) / np.array([1, *[falloff**2] * 3])
    prior = tight * (c - [0, falloff, 0, 0]) ** 2
    return float((2 * np.logaddexp(t, -t) - 2 * np.log(2)).sum() + 0.5 * prior.sum())


@pytest.mark.parametrize("noise", [0.0, 0.3])
def test_the_envelope_is_the_likeliest(noise: float) -> None:
    g = spots(14)
    rng = np.random.default_rng(1)
    log_power = terms(g) @ TRUE + noise * rng.normal(size=len(g))
    found = envelope(log_power, g, 0.05, True, 0.7)
    best = minimize(cost, found, args=(log_power, g, 0.05, 0.7), tol=1e-10).x
    np.testing.assert_allclose(terms(g) @ (found - best), 0, atol=0.02)
    if noise == 0:
        # The prior draws it from the truth, but little.
        np.testing.assert_allclose(terms(g) @ (found - TRUE), 0, atol=0.3)


def test_the_envelope_of_isotropic_data_is_exact() -> None:
    g = spots(14)
    expected = np.array([7.3, 0.05, 0, 0])
    found = envelope(terms(g) @ expected, g, 0.05, True, 0.7)
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_one_outlier_moves_the_envelope_little() -> None:
    g = spots(14)
    log_power = terms(g) @ [7.3, 0.05, 0, 0]
    log_power[3] += 6
    found = envelope(log_power, g, 0.05, True, 0.7)
    others = np.arange(14) != 3
    np.testing.assert_allclose((terms(g) @ found - log_power)[others], 0, atol=0.8)


def test_a_stiff_envelope_has_the_given_falloff() -> None:
    g = spots(14)
    log_power = terms(g) @ TRUE
    for count, flexible in ((14, False), (2, True)):
        found = envelope(log_power[:count], g[:count], 0.04, flexible, 0.7)
        np.testing.assert_allclose(found[1:], [0.04, 0, 0])
        mean = (log_power + 0.04 * (g**2).sum(axis=1))[:count].mean()
        assert found[0] == pytest.approx(mean)


def pattern(seed: int = 0) -> dict:
    """Ten reflections, of which the first seven are seen, with a foreign spot."""
    rng = np.random.default_rng(seed)
    g = spots(10, seed)
    power = np.geomspace(1, 0.01, 10)
    power[2] = 1e-9
    expected = np.log(np.maximum(power, LEAST)) + terms(g) @ [9.5, 0.03, 0, 0]
    log_power = np.maximum(expected[:7] + rng.normal(0, 0.4, 7), THRESHOLD)
    return {
        "log_power": np.append(log_power, 4.0),
        "explained": np.zeros(8, bool),
        "row": np.array([*range(7), -1]),
        "own_row": np.array([*range(7), -1, -1, -1]),
        "power": power,
        "expected_g": g,
        "falloff": 0.03,
        "flexible": True,
    }


def summed(one: dict) -> tuple[float, float]:
    """The sums of the module's text, one after another."""
    used = np.flatnonzero((one["row"] >= 0) & ~one["explained"])
    rows = one["row"][used]
    strength = np.log(np.maximum(one["power"], LEAST))
    fitted = envelope(
        one["log_power"][used] - strength[rows], one["expected_g"][rows],
        one["falloff"], one["flexible"], BROAD[1],
    )  # fmt: skip
    mean = strength + terms(one["expected_g"]) @ fitted
    missing = one["own_row"] == -1
    total = []
    for prior, broad in zip(BROAD_PRIOR, BROAD, strict=True):
        away = one["log_power"][used] - mean[rows]
        usual = (1 - UNUSUAL) * logistic.pdf(away, scale=broad)
        unusual = [UNUSUAL * np.exp(log_any(x)) for x in one["log_power"][used]]
        unseen = logistic.logcdf(THRESHOLD - mean[missing], scale=broad)
        total.append(
            prior + np.log(usual + unusual).sum() + np.maximum(unseen, -MISSED).sum()
        )
    above = np.logaddexp(0, mean - THRESHOLD)
    counted = one["own_row"] != -2
    share = above[counted & ~missing].sum() / above[counted].sum()
    return float(np.logaddexp.reduce(total)), float(share)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("change", ["none", "hidden", "explained", "stiff"])
def test_evidence_of_intensities_is_the_sum(seed: int, change: str) -> None:
    one = pattern(seed)
    if change == "hidden":
        one["own_row"][8] = -2
    if change == "explained":
        one["explained"][1] = True
    if change == "stiff":
        one["flexible"] = False
    evidence, seen = intensity_evidence(*one.values())
    expected, share = summed(one)
    assert evidence == pytest.approx(expected)
    assert seen == pytest.approx(share)


def test_a_strong_reflection_that_is_missing_counts_against_a_pattern() -> None:
    """More than a faint one, at most MISSED, and not where it may be hidden."""
    one = pattern()
    plain = intensity_evidence(*one.values())[0]
    cost_of = {}
    for power in (1e-4, 0.1, 1.0):
        more = {**one, "power": np.append(one["power"], power)}
        more["own_row"] = np.append(one["own_row"], -1)
        more["expected_g"] = np.vstack([one["expected_g"], [2.0, 1.0]])
        cost_of[power] = plain - intensity_evidence(*more.values())[0]
        more["own_row"][-1] = -2
        assert intensity_evidence(*more.values())[0] == pytest.approx(plain)
    assert 0 <= cost_of[1e-4] < cost_of[0.1] < cost_of[1.0] <= MISSED + 1e-9
    assert cost_of[1e-4] < 0.5 and cost_of[1.0] > 2


def test_nothing_seen_is_no_evidence() -> None:
    one = pattern()
    one["row"][:] = -1
    assert intensity_evidence(*one.values()) == (-np.inf, 0)


def model(count: int = 9, seed: int = 0) -> SpotModel:
    rng = np.random.default_rng(seed)
    snr = np.sort(np.exp(rng.uniform(3, 7, count)))[::-1]
    none = np.zeros(count, bool)
    return SpotModel(spots(count, seed), 0.03 / np.sqrt(snr), snr, none)


def test_foreign_spots_have_the_expected_number() -> None:
    """Their density over half a disc and all powers above the threshold."""
    one = model()
    area = 0.5 * np.pi * (1.1 * one.furthest) ** 2
    number = 0.5 + FOREIGN_SHARE * len(one.g)
    at_threshold = SpotModel(
        one.g, one.std, np.full(len(one.g), np.exp(THRESHOLD)), one.explained
    )
    decay = one.foreign - at_threshold.foreign
    slope = np.polyfit(one.log_power, decay, 1)[0]
    density = np.exp(-at_threshold.foreign[0])
    assert density / slope * area == pytest.approx(number)
    np.testing.assert_allclose(decay, slope * (one.log_power - THRESHOLD), atol=1e-9)


@pytest.mark.parametrize("count", [0, 3, 9, 15])
def test_all_foreign_is_the_integral_over_their_number(count: int) -> None:
    """∫ λⁿ exp(−λ) dλ / most over mⁿ exp(−m)."""
    one = model(count) if count else SpotModel(
        np.empty((0, 2)), np.empty(0), np.empty(0), np.empty(0, bool)
    )  # fmt: skip
    few = 0.5 + FOREIGN_SHARE * count
    integral = quad(lambda number: number**count * np.exp(-number), 0, 200)[0]
    most = max(MOST_FOREIGN, 2 * count)
    expected = np.log(integral / most) - count * np.log(few) + few
    assert one.all_foreign == pytest.approx(expected, rel=1e-6)


def test_the_falloff_is_that_of_the_spots_and_positive() -> None:
    g = spots(30, 1)
    square = (g**2).sum(axis=1)
    none = np.zeros(30, bool)
    falling = SpotModel(g, np.full(30, 0.01), np.exp(8 - 0.06 * square), none)
    assert falling.falloff == pytest.approx(0.06)
    rising = SpotModel(g, np.full(30, 0.01), np.exp(4 + 0.06 * square), none)
    assert rising.falloff == pytest.approx(0.2 / rising.furthest**2)
    few = SpotModel(g[:2], np.full(2, 0.01), np.full(2, 99.0), none[:2])
    assert few.falloff == pytest.approx(1 / few.furthest**2)


def test_powers_below_the_threshold_and_of_images_without_noise() -> None:
    none = np.zeros(4, bool)
    usual = SpotModel(spots(4), np.full(4, 0.01), np.array([9e4, 900, 50, 3.0]), none)
    np.testing.assert_allclose(usual.log_power[:3], np.log([9e4, 900, 50]))
    assert usual.log_power[3] == pytest.approx(THRESHOLD)
    clean = SpotModel(usual.g, usual.std, np.array([1e15, 1e13, 1e11, 1e3]), none)
    above = clean.log_power - THRESHOLD
    expected = np.log(DYNAMIC_RANGE) - np.log([1, 1e2, 1e4, 1e12])
    np.testing.assert_allclose(above, expected, atol=1e-9)
