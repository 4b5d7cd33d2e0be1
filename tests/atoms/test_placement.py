# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Imaged positions of the atoms of a deformed lattice."""

import numpy as np
import pytest

from hyperspy_t2t.atoms.placement import deformed_positions
from hyperspy_t2t.data.displacements import (
    Displacement,
    GaussianBump,
    Gradient,
    Uniform,
    strained,
)


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
