# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Stiffness of phases, and what a foil with free faces does along the beam."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.spatial.transform import Rotation

from hyperspy_t2t.atoms.elastic import (
    _entries,
    mixed_stiffness,
    plane_stress,
    stiffness,
)
from hyperspy_t2t.frames import zone_axis_frame
from hyperspy_t2t.phases.convert import phase_from_ase, phase_to_ase
from hyperspy_t2t.phases.library import library_phase, phase_names

KNOWN = [(f"{e['formula']} {e['structure']}", e) for e in _entries()]
small = st.floats(-0.03, 0.03)
in_planes = st.tuples(small, small, small).map(
    lambda e: np.array([[e[0], e[2]], [e[2], e[1]]])
)


def tensor(matrix: np.ndarray) -> np.ndarray:
    """C_ijkl written out from the Voigt matrix, pair by pair."""
    pairs = [(0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1)]
    full = np.zeros((3, 3, 3, 3))
    for i, (a, b) in enumerate(pairs):
        for j, (c, d) in enumerate(pairs):
            for p, q in {(a, b), (b, a)}:
                for r, s in {(c, d), (d, c)}:
                    full[p, q, r, s] = matrix[i, j]
    return full


def isotropic(poisson: float) -> np.ndarray:
    matrix = np.full((3, 3), poisson) + np.diag(np.full(3, 1 - 2 * poisson))
    return np.block(
        [[matrix, np.zeros((3, 3))], [np.zeros((3, 3)), (0.5 - poisson) * np.eye(3)]]
    )


@pytest.mark.parametrize(("name", "entry"), KNOWN)
def test_every_entry_is_found_stable_and_sourced(name: str, entry: dict) -> None:
    phase = library_phase(name)
    found = stiffness(phase)
    c = entry["constants"]
    np.testing.assert_array_equal(found.matrix, found.matrix.T)
    assert np.linalg.eigvalsh(found.matrix).min() > 0
    assert (found.source, found.status) == (entry["source"], entry["status"])
    assert found.source and found.status
    assert found.matrix[0, 0] == c["C11"]
    # No constant is ten times off: the bulk modulus is one of a solid, in GPa.
    bulk = found.matrix[:3, :3].sum() / 9
    assert 3 < bulk < 450
    assert 0.02 < c["C44"] / bulk < 1.5


@pytest.mark.parametrize(("name", "entry"), KNOWN)
def test_symmetry_of_the_crystal(name: str, entry: dict) -> None:
    """Cubic ones keep their stiffness after 90° about each axis, others any about c."""
    full = tensor(stiffness(library_phase(name)).matrix)
    cubic = entry["space_group"] >= 195
    turns = [np.pi / 2 * axis for axis in np.eye(3)] if cubic else [[0, 0, 0.7]]
    for vector in turns:
        turn = Rotation.from_rotvec(vector).as_matrix()
        turned = np.einsum("ia,jb,kc,ld,abcd", *[turn] * 4, full)
        np.testing.assert_allclose(turned, full, atol=1e-9)


def test_hexagonal_c66() -> None:
    matrix = stiffness(library_phase("GaN wurtzite")).matrix
    assert matrix[5, 5] == (390 - 145) / 2
    assert (matrix[0, 2], matrix[2, 2], matrix[3, 3]) == (106, 398, 105)


def test_gallium_arsenide_is_not_ten_times_too_stiff() -> None:
    matrix = stiffness(library_phase("GaAs zincblende")).matrix
    assert (matrix[0, 0], matrix[0, 1], matrix[3, 3]) == (122.1, 56.6, 60.0)


def test_structure_counts_and_the_name_does_not() -> None:
    silicon = library_phase("Si diamond")
    other = replace(silicon, name="my crystal")
    np.testing.assert_array_equal(stiffness(other).matrix, stiffness(silicon).matrix)
    unknown_group = replace(silicon, space_group=1)  # found by its symmetry
    np.testing.assert_array_equal(
        stiffness(unknown_group).matrix, stiffness(silicon).matrix
    )
    read = phase_from_ase(phase_to_ase(library_phase("GaN wurtzite")))
    assert stiffness(read).matrix[2, 2] == 398
    named = replace(library_phase("Pb fcc"), name="Au fcc")
    with pytest.raises(ValueError, match="got 'Au fcc'"):
        stiffness(named)
    # The same formula and space group with more atoms in the cell, or another lattice.
    with pytest.raises(ValueError, match="SiC 4H"):
        stiffness(library_phase("SiC 4H"))
    with pytest.raises(ValueError, match="graphite"):
        stiffness(library_phase("graphite"))
    zinc = stiffness(library_phase("GaAs zincblende")).matrix
    assert not np.allclose(stiffness(library_phase("GaAs wurtzite")).matrix, zinc)


def test_unknown_stiffness_says_what_is_known() -> None:
    with pytest.raises(ValueError, match=r"Si diamond.*beam_direction='bulk'"):
        stiffness(library_phase("beta-Ga2O3"))
    half = library_phase("Si diamond")
    half = replace(half, occupancy=np.full(8, 0.5))
    with pytest.raises(ValueError, match="known elastic constants"):
        stiffness(half)
    # The axes of the constants are those of the conventional cell.
    primitive = replace(half, occupancy=np.ones(8), cell=(3.84, 3.84, 3.84, 60, 60, 60))
    with pytest.raises(ValueError, match="known elastic constants"):
        stiffness(primitive)


def test_mixed_stiffness_is_linear() -> None:
    silicon, germanium = (
        stiffness(library_phase(f"{e} diamond")) for e in ("Si", "Ge")
    )
    mixed = mixed_stiffness([(silicon, 0.3), (germanium, 0.7)])
    assert mixed.matrix[0, 0] == pytest.approx(165.8 - 0.7 * 37.3)  # not 34.0
    assert mixed.matrix[0, 1] == pytest.approx(63.9 - 0.7 * 15.6)
    assert "linear" in mixed.status
    assert silicon.source in mixed.source and germanium.source in mixed.source
    assert mixed_stiffness([(silicon, 1.0)]) == silicon
    for shares in ((0.3, 0.6), (1.2, -0.2)):
        with pytest.raises(ValueError, match="sum to 1"):
            mixed_stiffness([(silicon, shares[0]), (germanium, shares[1])])


@settings(deadline=None)
@given(in_planes, st.floats(-3, 3))
def test_beam_along_001_of_a_cubic_crystal(strain: np.ndarray, turn: float) -> None:
    phase = library_phase("GaAs zincblende")
    frame = zone_axis_frame(phase.lattice, (0, 0, 1), rotation=turn)
    ezz, lean = plane_stress(strain, stiffness(phase).matrix, frame)
    assert ezz.shape == (1,) and lean.shape == (1, 2)
    np.testing.assert_allclose(ezz, -56.6 / 122.1 * np.trace(strain), atol=1e-15)
    np.testing.assert_allclose(lean, 0, atol=1e-15)


def test_beam_along_110_of_a_cubic_crystal() -> None:
    """x ∥ [001], y ∥ [1-10]: zz of [110] feels C12 of one and C' of the other."""
    c11, c12, c44 = 165.8, 63.9, 79.6
    matrix = stiffness(library_phase("Si diamond")).matrix
    axes = np.array([[0, 0, 1], [1, -1, 0], [-1, -1, 0]]) / [[1], [2**0.5], [2**0.5]]
    frame = axes * np.sign(np.linalg.det(axes))
    along = (c11 + c12 + 2 * c44) / 2
    across = (c11 + c12 - 2 * c44) / 2
    for strain in (np.diag([0.01, 0]), np.diag([0, 0.02]), np.diag([-0.01, -0.01])):
        ezz, lean = plane_stress(strain, matrix, frame)
        expected = -(c12 * strain[0, 0] + across * strain[1, 1]) / along
        np.testing.assert_allclose(ezz, expected, rtol=1e-12)
        np.testing.assert_allclose(lean, 0, atol=1e-15)
    shear = np.array([[0, 0.01], [0.01, 0]])
    ezz, lean = plane_stress(shear, matrix, frame)
    np.testing.assert_allclose(ezz, 0, atol=1e-15)
    np.testing.assert_allclose(lean, 0, atol=1e-15)


@settings(deadline=None)
@given(in_planes, st.floats(0, 0.45), st.integers(0, 99))
def test_isotropic(strain: np.ndarray, poisson: float, seed: int) -> None:
    turn = Rotation.random(random_state=seed).as_matrix()
    ezz, lean = plane_stress(strain, isotropic(poisson), turn)
    expected = -poisson / (1 - poisson) * np.trace(strain)
    np.testing.assert_allclose(ezz, expected, atol=1e-12)
    np.testing.assert_allclose(lean, 0, atol=1e-12)


@pytest.mark.parametrize("axis", [(1, 1, 1), (1, 1, 2), (1, 2, 3)])
@pytest.mark.parametrize("name", ["Si diamond", "GaN wurtzite"])
def test_least_energy_by_brute_force(name: str, axis: tuple) -> None:
    """Free faces let the energy density fall to its least over ezz, exz and eyz."""
    phase = library_phase(name)
    matrix = stiffness(phase).matrix
    frame = zone_axis_frame(phase.lattice, axis, rotation=0.7)
    full = tensor(matrix)
    strain = np.array([[0.8, 0.3], [0.3, -0.5]])

    def energy(free: np.ndarray) -> float:
        image = np.zeros((3, 3))
        image[:2, :2] = strain
        image[2, 2] = free[0]
        image[:2, 2] = image[2, :2] = free[1:]
        crystal = frame.T @ image @ frame
        return 0.5 * np.einsum("ij,ijkl,kl", crystal, full, crystal)

    best = minimize(energy, np.zeros(3), tol=1e-12, options={"gtol": 1e-7})
    ezz, lean = plane_stress(strain, matrix, frame)
    np.testing.assert_allclose([*ezz, *lean[0] / 2], best.x, atol=1e-6)
    if name == "Si diamond":
        assert np.linalg.norm(lean) > 0.05


def test_relaxed_thin_foil() -> None:
    """A film pseudomorphic along one direction of a foil seen along another.

    Free along the growth direction and the beam it stretches by (C11 + 2 C12) /
    (C11 + C12) times the misfit, instead of 1 + 2 C12 / C11 in the bulk: InSb 1.35
    instead of 2.09.
    """
    phase = library_phase("InSb zincblende")
    matrix = stiffness(phase).matrix
    c11, c12 = matrix[0, :2]
    misfit = 0.01
    growth = misfit * c12 / (c11 + c12)
    assert (misfit + growth) / misfit == pytest.approx((c11 + 2 * c12) / (c11 + c12))
    assert (misfit + growth) / misfit == pytest.approx(1.353, abs=1e-3)
    frame = zone_axis_frame(phase.lattice, (1, 0, 0))
    ezz, _ = plane_stress(np.diag([-misfit, growth]), matrix, frame)
    # Growth direction and beam are alike: stress along the film only.
    np.testing.assert_allclose(ezz, growth, rtol=1e-12)


def test_many_places_and_unknown_ones() -> None:
    phase = library_phase("Si diamond")
    matrix, frame = stiffness(phase).matrix, zone_axis_frame(phase.lattice, (1, 1, 2))
    strain = np.random.default_rng(3).normal(0, 0.01, (50, 2, 2))
    strain += strain.swapaxes(1, 2)
    strain[7] = np.nan
    ezz, lean = plane_stress(strain, matrix, frame)
    assert ezz.shape == (50,) and lean.shape == (50, 2)
    assert np.isnan(ezz).nonzero()[0].tolist() == [7]
    one = plane_stress(strain[9], matrix, frame)
    np.testing.assert_allclose(one[0], ezz[9:10])
    np.testing.assert_allclose(one[1], lean[9:10])


def test_each_entry_is_another_phase_of_the_library() -> None:
    assert len({name for name, _ in KNOWN}) == len(KNOWN) == 40
    assert {name for name, _ in KNOWN} <= set(phase_names())
