# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Linear maps between the spots of an image and the reflections of a zone."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from hyperspy_t2t.frames import rotation_2d
from hyperspy_t2t.phases.matching import (
    Match,
    Spots,
    Tolerances,
    ZonePattern,
    match_zone,
    pair_hypotheses,
)

TOLERANCES = Tolerances(scale=0.1, distortion=0.05)
INDEX = np.array([(h, k) for h in range(-3, 4) for k in range(-3, 4) if h or k])
OBLIQUE = INDEX @ np.array([[2.9, 0.0], [0.8, 3.7]])
PATTERN = ZonePattern(OBLIQUE, 1 / (1 + np.linalg.norm(OBLIQUE, axis=1)))


def spots(g: np.ndarray) -> Spots:
    ones = np.ones(len(g))
    return Spots(g, 0.003 * ones, ones)


def half(p: np.ndarray) -> np.ndarray:
    return p[(p[:, 0] > 0) | ((p[:, 0] == 0) & (p[:, 1] > 0))]


@given(
    st.floats(-3.1, 3.1), st.floats(-0.07, 0.07), st.floats(-0.02, 0.02),
    st.floats(-0.02, 0.02), st.integers(0, 99),
)  # fmt: skip
def test_the_map_is_found(
    turn: float, scale: float, stretch: float, shear: float, seed: int
) -> None:
    distortion = (1 + scale) * np.array([[1 + stretch, shear], [shear, 1 - stretch]])
    true = np.linalg.inv(distortion).T @ rotation_2d(turn)
    g = half(OBLIQUE[np.linalg.norm(OBLIQUE, axis=1) < 8] @ true.T)
    g = g[np.random.default_rng(seed).permutation(len(g))]
    match = match_zone(spots(g), PATTERN, TOLERANCES)
    error = min(
        np.abs(match.linear_map - true).max(), np.abs(match.linear_map + true).max()
    )
    assert error < 1e-9
    assert match.scale == pytest.approx(np.sqrt(np.linalg.det(distortion)))
    difference = (match.rotation - turn) % np.pi
    assert min(difference, np.pi - difference) < 1e-6
    np.testing.assert_allclose(
        PATTERN.p[match.reflection] @ match.linear_map.T, g, atol=1e-9
    )
    assert match.residual < 1e-9 and 0.5 < match.score <= 1


@given(st.floats(-3.1, 3.1), st.integers(0, 99))
def test_a_foreign_spot_and_noise_do_not_move_the_map(turn: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    true = rotation_2d(turn)
    g = half(OBLIQUE[np.linalg.norm(OBLIQUE, axis=1) < 8] @ true.T)
    noisy = g + rng.normal(0, 0.005, g.shape)
    foreign = true @ [1.45, 1.85 / 2]
    match = match_zone(spots(np.vstack([noisy, foreign])), PATTERN, TOLERANCES)
    assert match.reflection[-1] == -1 and (match.reflection[:-1] >= 0).all()
    turned = (match.rotation - turn) % np.pi
    assert min(turned, np.pi - turned) < 0.005


def test_hypotheses_stay_within_the_tolerances() -> None:
    rng = np.random.default_rng(1)
    observed = rng.uniform(-6, 6, (8, 2))
    maps = pair_hypotheses(observed, OBLIQUE, TOLERANCES)
    assert len(maps)
    singular = np.linalg.svd(maps, compute_uv=False)
    assert np.all(np.linalg.det(maps) > 0)
    assert np.all(np.abs(singular.prod(axis=1) ** -0.5 - 1) <= 0.1 + 1e-9)
    assert np.all(0.5 * np.log(singular[:, 0] / singular[:, 1]) <= 0.05 + 1e-9)
    # Each takes two reflections to two of the spots.
    seen = OBLIQUE @ np.swapaxes(maps, 1, 2)
    distance = np.linalg.norm(observed[None, :, None] - seen[:, None], axis=-1)
    assert np.all((distance.min(axis=2) < 1e-9).sum(axis=1) >= 2)


def test_a_pattern_too_large_or_too_distorted_does_not_match() -> None:
    g = half(OBLIQUE[np.linalg.norm(OBLIQUE, axis=1) < 6])
    tight = Tolerances(scale=0.01, distortion=0.005)
    assert match_zone(spots(g), PATTERN, tight).score > 0.5
    for change in (1.03 * np.eye(2), np.diag([1.02, 0.98])):
        match = match_zone(spots(g @ change), PATTERN, tight)
        assert match is None or (match.reflection >= 0).sum() < len(g) / 2


def test_parallel_spots_fit_nothing() -> None:
    g = np.array([[2.9, 0.0], [5.8, 0.0], [8.7, 0.0]])
    assert match_zone(spots(g), PATTERN, TOLERANCES) is None


@given(st.floats(0.9, 1.1), st.floats(-3, 3))
def test_scale_and_rotation_of_a_map(scale: float, turn: float) -> None:
    assume(abs(scale) > 0)
    match = Match(rotation_2d(turn) / scale, np.zeros(1, int), 1.0, 0.0)
    assert match.scale == pytest.approx(scale)
    assert match.rotation == pytest.approx(turn)
