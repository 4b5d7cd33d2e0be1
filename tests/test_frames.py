# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Strain conventions, signs of rotations and the frame of a zone axis."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.linalg import polar

from hyperspy_t2t import frames
from hyperspy_t2t.phases.crystal_phase import CrystalPhase

entries = arrays(float, (2, 2), elements=st.floats(-0.5, 0.5))
index = st.integers(-3, 3)


def lattice(*cell: float) -> np.ndarray:
    return CrystalPhase("cell", cell, np.array([1]), np.zeros((1, 3))).lattice


LATTICES = {
    "cubic": lattice(5, 5, 5, 90, 90, 90),
    "hexagonal": lattice(3.2, 3.2, 5.2, 90, 90, 120),
    "monoclinic": lattice(12.2, 3.04, 5.8, 90, 103.8, 90),
    "triclinic": lattice(4.1, 5.3, 7.9, 78, 101, 113),
    "flat triclinic": lattice(4.0, 4.1, 9.0, 70, 65, 50),
}


def test_a_film_with_ten_percent_mismatch_reads_ten_percent() -> None:
    stretched = np.diag([1.1, 1.0])
    for convention, expected in (
        ("reference", 0.1),
        ("gpa", 0.1 / 1.1),
        ("polar", 0.1),
    ):
        exx, eyy, exy, turn = frames.strain_components(stretched, convention=convention)
        np.testing.assert_allclose(
            [exx, eyy, exy, turn], [expected, 0, 0, 0], atol=1e-15
        )


def test_simple_shear_splits_into_shear_and_rotation() -> None:
    sheared = np.array([[1.0, 0.2], [0.0, 1.0]])  # x grows with y
    values = frames.strain_components(sheared)
    np.testing.assert_allclose(values, [0, 0, 0.1, -0.1], atol=1e-15)


@pytest.mark.parametrize("convention", frames.CONVENTIONS)
@pytest.mark.parametrize("degrees", [-70, -3, 0.1, 44])
def test_rotation_is_positive_from_x_towards_y(convention: str, degrees: float) -> None:
    angle = np.deg2rad(degrees)
    turned = frames.rotation_2d(angle)
    np.testing.assert_allclose(turned @ [1, 0], [np.cos(angle), np.sin(angle)])
    values = frames.strain_components(turned, convention=convention)
    expected = angle if convention == "polar" else np.sin(angle)
    assert values[3] == pytest.approx(expected)
    if convention == "polar":
        np.testing.assert_allclose(values[:3], 0, atol=1e-15)


@given(entries)
def test_deformation_and_displacement_gradient_are_inverse(change: np.ndarray) -> None:
    deformation = np.eye(2) + change
    assume(np.linalg.det(deformation) > 0.05)
    beta = frames.displacement_gradient(deformation)
    back = frames.deformation_gradient(beta)
    np.testing.assert_allclose(back, deformation, atol=1e-9)


@given(entries)
def test_polar_agrees_with_scipy(change: np.ndarray) -> None:
    deformation = np.eye(2) + change
    assume(np.linalg.det(deformation) > 0.05)
    rotation, stretch = polar(deformation)
    exx, eyy, exy, angle = frames.strain_components(deformation, convention="polar")
    np.testing.assert_allclose([[exx, exy], [exy, eyy]], stretch - np.eye(2), atol=1e-9)
    np.testing.assert_allclose(frames.rotation_2d(angle), rotation, atol=1e-9)


@given(arrays(float, (2, 2), elements=st.floats(-1e-4, 1e-4)))
def test_conventions_agree_for_small_strain(change: np.ndarray) -> None:
    reference, gpa, exact = (
        frames.strain_components(np.eye(2) + change, convention=convention)
        for convention in frames.CONVENTIONS
    )
    np.testing.assert_allclose(gpa, reference, atol=1e-7)
    np.testing.assert_allclose(exact, reference, atol=1e-7)


def test_maps_keep_their_shape() -> None:
    rng = np.random.default_rng(0)
    deformation = np.eye(2) + 0.3 * rng.uniform(-1, 1, (3, 4, 2, 2))
    for convention in frames.CONVENTIONS:
        values = frames.strain_components(deformation, convention=convention)
        single = frames.strain_components(deformation[2, 1], convention=convention)
        assert values.shape == (4, 3, 4)
        np.testing.assert_allclose(values[:, 2, 1], single)


def test_an_unknown_convention_is_refused() -> None:
    with pytest.raises(ValueError, match=r"reference, gpa, polar; got 'lagrange'"):
        frames.strain_components(np.eye(2), convention="lagrange")


@pytest.mark.parametrize("cell", LATTICES)
@given(st.tuples(index, index, index).filter(any), st.floats(-3.1, 3.1))
def test_zone_axis_frame(cell: str, axis: tuple[int, int, int], turn: float) -> None:
    rows = LATTICES[cell]
    frame = frames.zone_axis_frame(rows, axis, rotation=turn)
    np.testing.assert_allclose(frame @ frame.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(frame) == pytest.approx(1)
    seen = frame @ (np.array(axis) @ rows)
    np.testing.assert_allclose(seen / np.linalg.norm(seen), -frames.BEAM, atol=1e-12)
    # Brute force over many more indices than the function tries.
    hkl = np.stack(np.meshgrid(*[np.arange(-9, 10)] * 3), -1).reshape(-1, 3)
    hkl = hkl[(hkl @ axis == 0) & hkl.any(axis=1)]
    g = hkl @ np.linalg.inv(rows).T @ frame.T
    length = np.linalg.norm(g, axis=1)
    shortest = g[length < length.min() * (1 + 1e-6)] / length.min()
    along = [np.cos(turn), np.sin(turn), 0]
    assert np.linalg.norm(shortest - along, axis=1).min() < 1e-9


def test_of_equally_short_reflections_the_last_lies_along_x() -> None:
    cubic = LATTICES["cubic"]
    assert frames.shortest_zone_reflection(cubic, [0, 0, 1]).tolist() == [1, 0, 0]
    frame = frames.zone_axis_frame(cubic, [0, 0, 1])
    np.testing.assert_allclose(frame, np.diag([1, -1, -1]), atol=1e-15)
