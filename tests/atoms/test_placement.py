# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Imaged positions of the atoms of a deformed lattice."""

import numpy as np
import pytest

from hyperspy_t2t.atoms.placement import deformed_positions
from hyperspy_t2t.calibration import ImageGrid
from hyperspy_t2t.data.displacements import (
    Displacement,
    EdgeDislocation,
    GaussianBump,
    Gradient,
    Uniform,
    strained,
)
from hyperspy_t2t.strain.maps import LatticeField


def solve(field: Displacement, reference: np.ndarray, **options):
    return deformed_positions(
        reference,
        lambda r: field.displacement(r).T,
        lambda r: field.gradient(r).reshape(-1, 4).T,
        **options,
    )


@pytest.mark.parametrize(
    "field",
    [
        Uniform(),
        strained(0.5, -0.3, 0.2, rotation=35, origin=(3.0, -2.0)),
        strained(1.0, 0.9, convention="polar"),
        Gradient(0.03, direction=30, strain=0.1),
        Gradient(0.03, direction=30, polarization=120),
        GaussianBump((0.5, -0.4), (1.0, 2.0), 0.8),
        GaussianBump((0.3, 0.3), (1.0, 2.0), 0.6) + strained(0.1, rotation=10),
    ],
)
def test_residual_is_below_the_tolerance(field: Displacement) -> None:
    rng = np.random.default_rng(0)
    reference = rng.uniform(-6, 6, (500, 2))
    r, converged = solve(field, reference)
    assert converged.all()
    assert np.abs(r - field.displacement(r) - reference).max() < 1e-5
    np.testing.assert_allclose(r, field.image_position(reference), atol=3e-5)


def test_taking_the_displacement_at_the_reference_would_be_wrong() -> None:
    field = strained(0.1, 0.1)
    reference = np.array([[10.0, 0.0]])
    r, _ = solve(field, reference)
    np.testing.assert_allclose(r, [[11.0, 0.0]], atol=1e-5)
    naive = reference + field.displacement(reference)
    assert np.abs(r - naive).max() > 0.05


def test_where_there_is_no_solution_it_says_so() -> None:
    """u = 2 r leaves nothing but r = −R, and with a jump not even that."""

    def displacement(r: np.ndarray) -> np.ndarray:
        return np.where(r[:, 0] > 0, 1.0, -1.0) * np.array([[3.0], [0.0]])

    def gradient(r: np.ndarray) -> np.ndarray:
        return np.zeros((4, len(r)))

    _, converged = deformed_positions(
        np.array([[5.0, 0.0], [-5.0, 1.0], [0.2, 0.0]]), displacement, gradient
    )
    assert converged.tolist() == [True, True, True]
    # A displacement that turns back where the atom would be.
    _, converged = deformed_positions(
        np.array([[5.0, 0.0], [0.2, 0.0]]),
        lambda r: -displacement(r),
        gradient,
    )
    assert converged.tolist() == [True, False]
    r, converged = solve(Uniform(), np.empty((0, 2)))
    assert r.shape == (0, 2) and converged.shape == (0,)


def kinked(low: float, high: float, angle: float = 0.6, *, smooth: bool = False):
    """u along n with slope `low` before and `high` behind an interface, and its ∂u/∂r.

    The gradient that goes with it is exact, or one that is smeared over 2 nm.
    """
    n = np.array([np.cos(angle), np.sin(angle)])

    def displacement(r: np.ndarray) -> np.ndarray:
        s = r @ n
        return np.where(s < 0, low * s, high * s) * n[:, None]

    def gradient(r: np.ndarray) -> np.ndarray:
        behind = (r @ n > 0).astype(float)
        if smooth:
            behind = 1 / (1 + np.exp(-2 * (r @ n)))
        return (low + (high - low) * behind) * np.outer(n, n).reshape(4, 1)

    return displacement, gradient, n


@pytest.mark.parametrize("slopes", [(0.0, 0.04), (-2.0, 0.9), (0.9, -2.0), (0.3, -9.0)])
@pytest.mark.parametrize("smooth", [False, True])
def test_a_kink_does_not_make_the_steps_jump_to_and_fro(
    slopes: tuple[float, float], smooth: bool
) -> None:
    displacement, gradient, n = kinked(*slopes, smooth=smooth)
    reference = np.random.default_rng(1).uniform(-6, 6, (4000, 2))
    r, converged = deformed_positions(reference, displacement, gradient)
    assert converged.all()
    s = reference @ n
    along = s / (1 - np.where(s < 0, *slopes))
    expected = reference + (along - s)[:, None] * n
    # Where the slope of R(r) is small, a residual of 1e-5 nm is more than that in r.
    steepness = 1 / np.min(1 - np.array(slopes))
    np.testing.assert_allclose(r, expected, atol=1e-5 * max(1, steepness))


def test_around_a_dislocation_all_that_is_returned_is_a_solution() -> None:
    field = EdgeDislocation((0.38, 0.0), (0.3, 0.2))
    reference = np.random.default_rng(2).uniform(-5, 5, (20_000, 2))
    r, converged = solve(field, reference)
    assert np.abs(r - field.displacement(r) - reference)[converged].max() < 1e-5
    core = np.hypot(*(reference - field.centre).T) < 1.0
    cut = np.abs(reference[:, 1] - 0.2) < 0.1
    assert converged[~core & ~cut].all()
    assert converged.mean() > 0.98


def test_a_place_where_the_lattice_is_folded_over_is_none() -> None:
    """∂u/∂r = 1.5 in x: r − u falls where r grows."""
    r, converged = deformed_positions(
        np.array([[1.0, 2.0]]),
        lambda r: np.stack([1.5 * r[:, 0], 0 * r[:, 1]]),
        lambda r: np.tile([[1.5], [0.0], [0.0], [0.0]], len(r)),
    )
    assert r[0] == pytest.approx([-2.0, 2.0], abs=1e-4) and not converged[0]


def test_a_first_guess_saves_evaluations_and_blocks_change_nothing() -> None:
    field = GaussianBump((0.3, 0.3), (1.0, 2.0), 0.6) + strained(0.4, rotation=10)
    reference = np.random.default_rng(0).uniform(-6, 6, (150_000, 2))
    seen = []

    def displacement(r: np.ndarray) -> np.ndarray:
        seen.append(len(r))
        return field.displacement(r).T

    gradient = lambda r: field.gradient(r).reshape(-1, 4).T  # noqa: E731
    r, converged = deformed_positions(reference, displacement, gradient)
    assert converged.all() and max(seen) <= 1 << 16
    some = slice(100_000, 100_010)
    alone, _ = deformed_positions(reference[some], displacement, gradient)
    np.testing.assert_array_equal(alone, r[some])
    seen.clear()
    deformed_positions(reference, displacement, gradient, start=r)
    assert sum(seen) == len(reference)


def test_a_measured_field_goes_straight_on_beyond_all_sides() -> None:
    """What the atoms beyond the last samples follow: no jump, slope of the border."""
    grid = ImageGrid((17, 23), (0.8, 0.5), (3.0, -2.0))
    y, x = (3.0 + 0.8 * np.arange(17))[:, None], -2.0 + 0.5 * np.arange(23)
    u = np.stack([0.2 * np.sin(x / 2) * np.cos(y / 3), 0.1 * np.cos(x / 3 + y / 2)])
    slope = np.array(
        [
            [0.1 * np.cos(x / 2) * np.cos(y / 3), -np.sin(x / 2) * np.sin(y / 3) / 15],
            [-np.sin(x / 3 + y / 2) / 30, -0.05 * np.sin(x / 3 + y / 2)],
        ]
    )
    field = LatticeField.from_samples(grid, (1,), u, slope, np.ones(grid.shape))
    last = grid.to_nm(16, 22)
    middle = grid.to_nm(7.3, 9.1)
    for axis, edge, way in [
        (0, -2.0, -1),
        (0, last[0], 1),
        (1, 3.0, -1),
        (1, last[1], 1),
    ]:
        border = middle.copy()
        border[axis] = edge
        line = np.tile(border, (5, 1))
        line[:, axis] += way * np.array([-1e-6, 0.0, 1e-6, 1.0, 3.0])
        values = field.displacement_at(line)
        assert np.abs(values[:, 2] - values[:, 0]).max() < 1e-6
        beta = field.gradient_at(line).reshape(2, 2, -1)
        np.testing.assert_allclose(beta[..., 3], beta[..., 1], atol=1e-12)
        step = way * beta[:, axis, 1]
        np.testing.assert_allclose(values[:, 3] - values[:, 1], step, atol=1e-9)
        np.testing.assert_allclose(values[:, 4] - values[:, 1], 3 * step, atol=1e-9)
        # The slope at the border is that of the samples inside.
        inside = line[1] - np.where(np.arange(2) == axis, 0.02 * way, 0)
        change = values[:, 1] - field.displacement_at(inside[None])[:, 0]
        np.testing.assert_allclose(change / 0.02, step, atol=0.02)
    reference = np.random.default_rng(0).uniform((-6, -1), (13, 20), (3000, 2))
    r, converged = deformed_positions(
        reference, field.displacement_at, field.gradient_at
    )
    assert converged.all()
    assert np.abs(r - field.displacement_at(r).T - reference).max() < 1e-5
