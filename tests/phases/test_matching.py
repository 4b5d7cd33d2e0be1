# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Linear maps between the spots of an image and the reflections of a zone."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.polynomial.hermite_e import hermegauss
from scipy.optimize import minimize
from scipy.special import logsumexp
from scipy.stats import norm

from hyperspy_t2t.frames import rotation_2d
from hyperspy_t2t.phases.crystal_phase import CrystalPhase
from hyperspy_t2t.phases.distortion import (
    DistortionPrior,
    Tolerances,
    distortion_of,
    distortion_parameters,
)
from hyperspy_t2t.phases.evidence import (
    ERROR_PRIOR,
    ERRORS,
    VIOLATED,
    SpotModel,
    intensity_evidence,
)
from hyperspy_t2t.phases.matching import ZoneMatch, match_phase
from hyperspy_t2t.phases.zone_patterns import zone_patterns

PRIOR = Tolerances(scale=0.1, distortion=0.05).search
OBLIQUE = CrystalPhase(
    "oblique", (3.1, 4.2, 5.3, 90.0, 105.0, 90.0), np.array([29, 8]),
    np.array([[0.0, 0, 0], [0.21, 0.5, 0.34]]),
)  # fmt: skip
GOLD = CrystalPhase(
    "gold", (4.08, 4.08, 4.08, 90.0, 90.0, 90.0), np.full(4, 79),
    np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]]), 225,
)  # fmt: skip


def zone_of(phase: CrystalPhase, axis, reach: float = 9.0):
    patterns = zone_patterns(phase, max_index=1, reach=reach)
    zone = int(np.flatnonzero((patterns.axis == axis).all(axis=1))[0])
    rows = slice(patterns.start[zone], patterns.start[zone + 1])
    return patterns, zone, patterns.p[rows], patterns.power[rows]


def model(g, snr, std=None, explained=None) -> SpotModel:
    order = np.argsort(-snr, kind="stable")
    std = 0.03 / np.sqrt(snr) if std is None else np.full(len(g), std)
    explained = np.zeros(len(g), bool) if explained is None else explained
    return SpotModel(g[order], std[order], snr[order], explained[order])


def seen(p, power, linear_map, reach: float = 7.5):
    g = p @ linear_map.T
    snr = 5000 * power[:, 0] * np.exp(-0.03 * (g**2).sum(axis=1))
    kept = (snr > 25) & (np.linalg.norm(p, axis=1) < reach)
    return g[kept], snr[kept]


def best(matches: list[ZoneMatch]) -> ZoneMatch:
    return max(matches, key=lambda one: one.evidence)


def difference(one: float, other: float) -> float:
    """Between angles that count up to half a turn."""
    away = (one - other) % np.pi
    return min(away, np.pi - away)


@settings(max_examples=40)
@given(
    st.floats(-3.1, 3.1), st.floats(-0.08, 0.08), st.floats(-0.02, 0.02),
    st.floats(-0.015, 0.015), st.integers(0, 99),
)  # fmt: skip
def test_the_map_is_found(
    turn: float, scale: float, stretch: float, shear: float, seed: int
) -> None:
    patterns, zone, p, power = zone_of(OBLIQUE, (0, 1, 0))
    distortion = (1 + scale) * np.array([[1 + stretch, shear], [shear, 1 - stretch]])
    true = np.linalg.inv(distortion) @ rotation_2d(turn)
    g, snr = seen(p, power, true)
    sign = np.random.default_rng(seed).choice([-1.0, 1.0], len(g))[:, None]
    one = model(g * sign, snr, std=1e-5)
    match = best(match_phase(one, patterns, PRIOR))
    assert match.zone == zone and match.matched.all()
    # The prior draws the map from the truth by much less than an error of 0.3 %.
    np.testing.assert_allclose(match.distortion, distortion, atol=1e-3)
    assert difference(match.rotation, turn) < 5e-4
    error = [
        np.abs(match.linear_map - true).max(),
        np.abs(match.linear_map + true).max(),
    ]
    assert min(error) < 1e-3
    place = (match.node @ patterns.basis[zone]) @ match.linear_map.T
    away = np.minimum(np.abs(place - one.g), np.abs(place + one.g))
    np.testing.assert_allclose(away, 0, atol=0.01)
    assert 0 < match.seen <= 1


def test_a_spot_off_the_lattice_is_foreign() -> None:
    patterns, zone, p, power = zone_of(OBLIQUE, (0, 1, 0))
    rng = np.random.default_rng(0)
    g, snr = seen(p, power, rotation_2d(0.4))
    g = g + rng.normal(0, 0.004, g.shape)
    foreign = rotation_2d(0.4) @ ([0.5, 1.4] @ patterns.basis[zone])
    with_it = model(np.vstack([g, foreign]), np.append(snr, 300.0), std=0.004)
    match = best(match_phase(with_it, patterns, PRIOR))
    plain = best(match_phase(model(g, snr, std=0.004), patterns, PRIOR))
    np.testing.assert_array_equal(match.matched, with_it.snr != 300)
    assert difference(match.rotation, 0.4) < 0.003
    np.testing.assert_allclose(match.linear_map, plain.linear_map, atol=1e-9)


def test_explained_spots_move_nothing_and_hide_what_is_missing() -> None:
    patterns, _, p, power = zone_of(OBLIQUE, (0, 1, 0))
    g, snr = seen(p, power, rotation_2d(0.4))
    taken = np.zeros(len(g), bool)
    taken[::4] = True
    moved = g + 0.02 * taken[:, None]
    one = best(match_phase(model(moved, snr, 0.01, taken), patterns, PRIOR))
    left = best(match_phase(model(g[~taken], snr[~taken], 0.01), patterns, PRIOR))
    assert np.abs(one.distortion - left.distortion).max() < 1e-3
    assert one.seen > left.seen + 0.05


@pytest.mark.parametrize("change", [1.05 * np.eye(2), np.diag([1.05, 0.97])])
def test_maps_stay_within_the_limits(change: np.ndarray) -> None:
    patterns, _, p, power = zone_of(OBLIQUE, (0, 1, 0))
    g, snr = seen(p, power, np.eye(2))
    tight = DistortionPrior(std=(0.005,) * 3, limit=(0.02, 0.01, 0.01))
    one = model(g, snr, std=0.004)
    assert best(match_phase(one, patterns, tight)).matched.all()
    for found in match_phase(model(g @ change, snr, std=0.004), patterns, tight):
        epsilon, a, b = distortion_parameters(found.distortion)
        assert abs(epsilon) <= 0.02 + 1e-9 and np.hypot(a, b) <= 0.01 + 1e-4
        assert found.matched.sum() < 0.7 * len(g)


def test_parallel_spots_and_too_few_fit_nothing() -> None:
    patterns, _, p, power = zone_of(OBLIQUE, (0, 1, 0))
    row = np.outer([1, 2, 3], p[np.linalg.norm(p, axis=1).argmin()])
    assert match_phase(model(row, np.full(3, 200.0)), patterns, PRIOR) == []
    g, snr = seen(p, power, np.eye(2))
    for count in (0, 1, 2):
        assert match_phase(model(g[:count], snr[:count]), patterns, PRIOR) == []


def test_two_spots_are_enough_where_the_distortion_is_known() -> None:
    patterns, zone, p, power = zone_of(OBLIQUE, (0, 1, 0))
    g, snr = seen(p, power, rotation_2d(0.4))
    order = np.argsort(-snr)[:6]
    g, snr = g[order], snr[order]
    cross = np.abs(g[0, 0] * g[1:, 1] - g[0, 1] * g[1:, 0])
    two = [0, 1 + int(cross.argmax())]
    known = DistortionPrior(std=(0.006,) * 3, limit=(0.02,) * 3)
    found = match_phase(model(g[two], snr[two]), patterns, known)
    own = [one for one in found if one.zone == zone]
    assert own and own[0].matched.all()


def square_case(std: float) -> tuple[SpotModel, DistortionPrior]:
    """Four spots of gold along [001], a little away from their places."""
    p = np.array([[2, 0], [0, 2], [2, 2], [2, -2]]) / 0.408
    true = np.linalg.inv(distortion_of([0.02, 0.006, -0.004])) @ rotation_2d(0.5)
    rng = np.random.default_rng(3)
    g = p @ true.T + rng.normal(0, std, p.shape)
    return model(g, np.array([900.0, 800, 400, 350]), std=std), PRIOR


def log_posterior(x, p, one: SpotModel, prior: DistortionPrior, error: float):
    """ln of the densities of places times the prior of (angle, ε, a, b), (..., 4)."""
    cosine, sine = np.cos(x[..., 0]), np.sin(x[..., 0])
    turn = np.stack([np.stack([cosine, -sine], -1), np.stack([sine, cosine], -1)], -2)
    linear_map = np.linalg.inv(distortion_of(x[..., 1:])) @ turn
    away = one.g - p @ np.swapaxes(linear_map, -1, -2)
    square = one.std**2 + error**2 * (one.g**2).sum(axis=1)
    places = -np.log(2 * np.pi * square) - 0.5 * (away**2).sum(axis=-1) / square
    density = norm.logpdf(x[..., 1:], prior.mean, prior.std).sum(axis=-1)
    return places.sum(axis=-1) + density - np.log(np.pi)


def integrated(p, one: SpotModel, prior: DistortionPrior, error: float) -> float:
    """ln of its integral over all four by Gauss–Hermite quadrature at the maximum."""

    def negative(x):
        return -log_posterior(x, p, one, prior, error)

    options = {"xatol": 1e-9, "fatol": 1e-10, "maxfev": 4000}
    start = np.array([0.5, 0.02, 0.006, -0.004])
    centre = minimize(negative, start, method="Nelder-Mead", options=options).x
    step = 1e-4 * np.eye(4)
    one_way, other_way = step[:, None], step[None]
    hessian = (
        negative(centre + one_way + other_way)
        - negative(centre + one_way - other_way)
        - negative(centre - one_way + other_way)
        + negative(centre - one_way - other_way)
    ) / 4e-8
    root = np.linalg.cholesky(np.linalg.inv(hessian))
    place, weight = hermegauss(9)
    z = np.stack(np.meshgrid(*[place] * 4), -1).reshape(-1, 4)
    weights = np.log(np.stack(np.meshgrid(*[weight] * 4), -1).reshape(-1, 4)).sum(
        axis=1
    )
    value = 0.5 * (z**2).sum(axis=1) - negative(centre + z @ root.T)
    return float(logsumexp(value + weights) + np.log(np.linalg.det(root)))


@pytest.mark.parametrize("std", [0.005, 0.03])
def test_evidence_is_the_integral_of_the_likelihood(std: float) -> None:
    """Over angle and distortion by brute force, with the intensities beside it."""
    one, prior = square_case(std)
    patterns, zone, all_p, power = zone_of(GOLD, (1, 0, 0), reach=9.0)
    match = {found.zone: found for found in match_phase(one, patterns, prior)}[zone]
    assert match.matched.all()
    turned = match.node @ patterns.basis[zone]
    # In the axes in which the angle of the case is 0.5.
    p = turned @ rotation_2d(match.rotation - 0.5).T
    p *= np.sign((p @ rotation_2d(0.5).T * one.g).sum(axis=1))[:, None]
    area = abs(np.linalg.det(patterns.basis[zone]) * np.linalg.det(match.linear_map))
    expected = all_p @ match.linear_map.T
    within = (np.linalg.norm(expected, axis=1) <= one.furthest).sum()
    nodes = max(0.5 * np.pi * one.furthest**2 / area - within, 0)
    absent = np.log(1 - VIOLATED + VIOLATED / (nodes + 1))
    row = np.array([
        int(np.flatnonzero((np.abs(all_p - q) < 1e-6).all(axis=1)
                           | (np.abs(all_p + q) < 1e-6).all(axis=1))[0])
        for q in turned
    ])  # fmt: skip
    own = np.full(len(all_p), -1)
    own[row] = np.arange(len(row))
    intensity = np.mean(np.exp([
        intensity_evidence(one.log_power, one.explained, row, own, power[:, mode],
                           expected, one.falloff, True)[0]
        for mode in (0, 1)
    ]))  # fmt: skip
    places = logsumexp(
        [
            integrated(p, one, prior, e) + w
            for e, w in zip(ERRORS, ERROR_PRIOR, strict=True)
        ]
    )
    brute = places + one.foreign.sum() + absent + np.log(intensity)
    assert match.evidence == pytest.approx(brute, abs=0.05)


def test_the_covariance_is_that_of_the_distortion() -> None:
    """Spread of (ε, a, b) over images of the same crystal with other noise."""
    patterns, _, p, power = zone_of(OBLIQUE, (0, 1, 0))
    rng = np.random.default_rng(0)
    g, snr = seen(p, power, rotation_2d(0.4))
    found, expected = [], []
    for _ in range(60):
        noise = rng.normal(0, 0.02, g.shape)
        match = best(match_phase(model(g + noise, snr, std=0.02), patterns, PRIOR))
        found.append(distortion_parameters(match.distortion))
        expected.append(np.diag(match.covariance))
    ratio = np.std(found, axis=0) / np.sqrt(np.mean(expected, axis=0))
    assert (ratio > 0.6).all() and (ratio < 1.3).all()
    np.testing.assert_allclose(np.mean(found, axis=0), 0, atol=2e-3)
