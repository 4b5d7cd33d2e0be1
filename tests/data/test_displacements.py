# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hyperspy_t2t import frames
from hyperspy_t2t.data.displacements import (
    EdgeDislocation,
    GaussianBump,
    Gradient,
    Sum,
    Uniform,
    coherent_epitaxy,
    relaxed_epitaxy,
    strained,
)

STRAINS = st.floats(-0.3, 0.5)
POINTS = np.random.default_rng(0).uniform(0, 20, (200, 2))


def finite_difference(field, r, step=1e-5):
    """∂u_i/∂r_j by central differences."""
    columns = [
        (field.displacement(r + step * e) - field.displacement(r - step * e))
        / (2 * step)
        for e in np.eye(2)
    ]
    return np.stack(columns, -1)


FIELDS = [
    strained(0.5, -0.3, 0.2, rotation=25, origin=(3, 7)),
    Uniform(((1.1, 0.3), (-0.2, 0.9)), (1, 2), (0.3, -0.4)),
    Gradient(0.01, direction=30, strain=0.05, origin=(4, 5)),
    Gradient(-0.012, direction=200, polarization=290, origin=(4, 5)),
    GaussianBump((0.5, -0.8), (10, 9), 2.0),
    EdgeDislocation((0.3, 0.2), (10.02, 9.97), poisson=0.3, core=0.2),
    EdgeDislocation((0.0, -0.38), (5.0, 9.0), poisson=0.0, core=0.0),
    coherent_epitaxy(0.1, growth_direction=-60, interface=(2, 3)),
    relaxed_epitaxy(-0.04, rotation=3, origin=(2, 3)),
    Uniform(((1.2, 0.0), (0.1, 0.9))) + GaussianBump((0.3, 0.1), (8, 8), 3.0),
]


@pytest.mark.parametrize("field", FIELDS, ids=lambda field: type(field).__name__)
def test_gradient_is_the_derivative(field):
    np.testing.assert_allclose(
        field.gradient(POINTS), finite_difference(field, POINTS), atol=2e-8
    )


@settings(max_examples=60, deadline=None)
@given(exx=STRAINS, eyy=STRAINS, exy=st.floats(-0.2, 0.2), rotation=st.floats(-90, 90))
def test_uniform_strain_round_trip(exx, eyy, exy, rotation):
    field = strained(exx, eyy, exy, rotation=rotation, origin=(5, 6))
    np.testing.assert_allclose(
        field.gradient(POINTS), finite_difference(field, POINTS), atol=1e-7
    )
    polar = frames.strain_components(
        field.deformation_gradient(POINTS[0]), convention="polar"
    )
    np.testing.assert_allclose(polar, [exx, eyy, exy, np.deg2rad(rotation)], atol=1e-9)


@settings(max_examples=40, deadline=None)
@given(
    amplitude=st.floats(0, 1.5),
    angle=st.floats(0, 6.3),
    sigma=st.floats(1, 4),
    exx=STRAINS,
    eyy=STRAINS,
)
def test_image_position_solves_its_equation(amplitude, angle, sigma, exx, eyy):
    vector = (amplitude * np.cos(angle), amplitude * np.sin(angle))
    bump = GaussianBump(vector, (10, 10), sigma)
    inner = strained(exx, eyy)
    for field in (bump, inner):
        r = field.image_position(POINTS)
        residual = r - POINTS - field.displacement(r)
        assert np.abs(residual).max() < 1e-6


@pytest.mark.parametrize("convention", ["reference", "gpa", "polar"])
def test_strained_reads_back_in_every_convention(convention):
    field = strained(0.5, -0.1, 0.05, rotation=20, convention=convention)
    read = frames.strain_components(
        field.deformation_gradient(np.zeros(2)), convention=convention
    )
    np.testing.assert_allclose(read, [0.5, -0.1, 0.05, np.deg2rad(20)], atol=1e-12)


def test_rotation_turns_x_towards_y():
    field = strained(rotation=90)
    np.testing.assert_allclose(field.image_position([1.0, 0.0]), [0, 1], atol=1e-12)


def test_uniform_strain_of_half_makes_lengths_half_as_long_again():
    field = strained(0.5, 0.0, origin=(2, 2))
    np.testing.assert_allclose(field.image_position([3.0, 3.0]), [3.5, 3.0])
    # GPA's linear formula reads a third there
    np.testing.assert_allclose(field.gradient(np.zeros(2))[0, 0], 1 / 3)


def test_burgers_circuit_closes_with_the_burgers_vector():
    field = EdgeDislocation((0.3, 0.2), (1, 2), 0.3)
    angle = np.arctan2(0.2, 0.3) + np.linspace(-np.pi + 1e-9, np.pi - 1e-9, 2001)
    circle = np.array([1, 2]) + 3 * np.stack([np.cos(angle), np.sin(angle)], -1)
    u = field.displacement(circle)
    np.testing.assert_allclose(u[-1] - u[0], [0.3, 0.2], atol=1e-8)
    # the same from the gradient, which has no cut
    steps = np.diff(circle, axis=0)
    middle = (circle[1:] + circle[:-1]) / 2
    total = np.einsum("nij,nj->i", field.gradient(middle), steps)
    np.testing.assert_allclose(total, [0.3, 0.2], atol=1e-5)


def test_dislocation_stress_is_in_equilibrium():
    """Plane strain with μ = 1: ∂σ_ij/∂r_j = 0 away from the core."""
    nu, step = 0.3, 1e-4
    field = EdgeDislocation((0.3, 0.0), (0, 0), nu, core=0.0)

    def stress(r):
        beta = field.gradient(r)
        strain = (beta + np.swapaxes(beta, -1, -2)) / 2
        trace = np.trace(strain, axis1=-2, axis2=-1)[..., None, None]
        return 2 * strain + 2 * nu / (1 - 2 * nu) * trace * np.eye(2)

    r = POINTS[np.linalg.norm(POINTS, axis=1) > 2]
    force = sum(
        (stress(r + step * e) - stress(r - step * e))[..., axis] / (2 * step)
        for axis, e in enumerate(np.eye(2))
    )
    assert np.abs(force).max() < 1e-7


def test_dislocation_compresses_the_side_ninety_degrees_from_it():
    beta = EdgeDislocation((0.3, 0.0)).gradient([[0.0, 2.0], [0.0, -2.0]])
    assert beta[0, 0, 0] < 0 < beta[1, 0, 0]


def test_coherent_film_keeps_the_in_plane_lattice():
    f, nu = 0.03, 0.28
    film = coherent_epitaxy(f, poisson=nu)
    deformation = film.deformation_gradient(np.zeros(2))
    np.testing.assert_allclose(deformation[0], [1, 0], atol=1e-15)
    np.testing.assert_allclose(deformation[1, 1], 1 + f * (1 + nu) / (1 - nu))
    own = coherent_epitaxy(f, poisson=nu, reference="film")
    # both lattices describe the same film
    ratio = deformation @ np.linalg.inv(own.deformation_gradient(np.zeros(2)))
    np.testing.assert_allclose(ratio, (1 + f) * np.eye(2), atol=1e-14)
    # no stress along the normal
    strain = np.diag(own.deformation_gradient(np.zeros(2))) - 1
    np.testing.assert_allclose((1 - nu) * strain[1] + 2 * nu * strain[0], 0, atol=1e-15)


def test_sum_adds():
    parts = (GaussianBump((0.5, 0), (10, 9), 2.0), Gradient(0.01))
    total = Sum(parts)
    np.testing.assert_allclose(
        total.displacement(POINTS), sum(part.displacement(POINTS) for part in parts)
    )
    assert total.constant_gradient is None and total.single_valued
    assert not (total + EdgeDislocation((0.3, 0))).single_valued
    assert (strained(0.1) + strained(0.1)).constant_gradient is not None


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: GaussianBump((2, 0), (0, 0), 1.0), "below 1.649 nm"),
        (lambda: Uniform(((1, 0), (0, -1))), "positive determinant"),
        (lambda: Uniform(origin=(1, np.nan)), "two numbers"),
        (lambda: Sum(()), "at least one"),
        (lambda: coherent_epitaxy(0.1, reference="both"), "'substrate' or 'film'"),
        (lambda: strained(0.1, convention="green"), "convention"),
    ],
)
def test_errors_say_what_was_expected(make, message):
    with pytest.raises(ValueError, match=message):
        make()
