# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Parameters and prior of the distortion of an image."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import multivariate_normal

from hyperspy_t2t.frames import rotation_2d
from hyperspy_t2t.phases.distortion import (
    STRAIN,
    DistortionPrior,
    Tolerances,
    distortion_of,
    distortion_parameters,
    near,
    strained,
)

small = st.floats(-0.06, 0.06)


@given(st.floats(-0.15, 0.15), small, small)
def test_parameters_and_matrix_are_inverse(epsilon: float, a: float, b: float) -> None:
    """Up to second order in (a, b): det(I + [[a, b], [b, −a]]) = 1 − a² − b²."""
    matrix = distortion_of([epsilon, a, b])
    found = distortion_parameters(matrix)
    second = a**2 + b**2
    np.testing.assert_allclose(found, [epsilon, a, b], atol=second * 1.2 + 1e-12)
    exact = (1 + epsilon) * np.sqrt(1 - second)
    assert 1 + found[0] == pytest.approx(exact)
    ratio = (1 + epsilon) / exact
    np.testing.assert_allclose(found[1:], [ratio * a, ratio * b], atol=1e-15)


def test_what_the_parameters_mean() -> None:
    """Scale, half the difference of x and y, and half the shear angle."""
    np.testing.assert_allclose(
        distortion_parameters(1.05 * np.eye(2)), [0.05, 0, 0], atol=1e-12
    )
    stretched = distortion_parameters(np.diag([1.02, 0.98]))
    np.testing.assert_allclose(stretched, [0, 0.02, 0], atol=3e-4)
    sheared = distortion_parameters(np.array([[1, 0.01], [0.01, 1]]))
    np.testing.assert_allclose(sheared, [0, 0, 0.01], atol=1e-4)


@given(small, small, st.floats(-3, 3))
def test_a_turn_of_the_image_turns_the_anisotropy_twice(a, b, angle) -> None:
    turn = rotation_2d(angle)
    moved = distortion_parameters(turn @ distortion_of([0.03, a, b]) @ turn.T)
    plain = distortion_parameters(distortion_of([0.03, a, b]))
    assert moved[0] == pytest.approx(plain[0])
    np.testing.assert_allclose(moved[1:], rotation_2d(2 * angle) @ plain[1:], atol=1e-9)


def test_many_at_once() -> None:
    rng = np.random.default_rng(0)
    parameters = rng.uniform(-0.05, 0.05, (4, 5, 3))
    matrices = distortion_of(parameters)
    assert matrices.shape == (4, 5, 2, 2)
    for place in np.ndindex(4, 5):
        np.testing.assert_allclose(matrices[place], distortion_of(parameters[place]))
        np.testing.assert_allclose(
            distortion_parameters(matrices)[place],
            distortion_parameters(matrices[place]),
        )


def test_density_with_and_without_covariance() -> None:
    rng = np.random.default_rng(1)
    prior = DistortionPrior(mean=(0.01, 0.0, -0.02), std=(0.04, 0.02, 0.03))
    root = rng.normal(0, 0.02, (3, 3))
    covariance = root @ root.T
    at = rng.normal(0, 0.03, (6, 3))
    for more in (np.zeros((3, 3)), covariance):
        expected = multivariate_normal.logpdf(
            at, prior.mean, np.diag(np.square(prior.std)) + more
        )
        np.testing.assert_allclose(prior.log_density(at, more), expected, atol=1e-5)
    many = np.stack([covariance * k for k in range(6)])
    each = [
        prior.log_density(one, around) for one, around in zip(at, many, strict=True)
    ]
    np.testing.assert_allclose(prior.log_density(at, many), each)


@pytest.mark.parametrize("scale", [0.0, 0.02, 0.1])
@pytest.mark.parametrize("distortion", [0.0, 0.01, 0.05])
def test_the_search_holds_image_and_strain(scale: float, distortion: float) -> None:
    tolerances = Tolerances(scale=scale, distortion=distortion)
    image, search = tolerances.image, tolerances.search
    assert image.std == pytest.approx((scale / 2, distortion / 3, distortion / 3))
    assert search.mean == (0, 0, 0)
    for k, tolerance in enumerate((scale, distortion, distortion)):
        # Two per cent of strain is looked for even where the image is trusted.
        assert search.limit[k] == pytest.approx(max(tolerance, 0.03))
        assert search.std[k] == pytest.approx(np.hypot(image.std[k], STRAIN[-1][1]))
    np.testing.assert_array_equal(search.array, [search.mean, search.std, search.limit])


def test_strain_of_a_region_and_second_crystals() -> None:
    image = Tolerances(0.1, 0.03).image
    assert sum(share for share, _ in STRAIN) == pytest.approx(1)
    for k, (_, std) in enumerate(STRAIN):
        own = strained(image, k)
        np.testing.assert_allclose(np.square(own.std), np.square(image.std) + std**2)
        assert own.mean == image.mean and own.limit == image.limit
    second = near([0.05, 0.01, -0.02])
    assert second.mean == pytest.approx((0.05, 0.01, -0.02))
    assert max(second.limit) < 0.05 and max(second.std) < 0.01
