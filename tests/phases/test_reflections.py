# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Reflections, kinematic structure factors and zone axes."""

from dataclasses import replace

import numpy as np
import pytest

from hyperspy_t2t.phases.convert import phase_to_orix
from hyperspy_t2t.phases.crystal_phase import CrystalPhase
from hyperspy_t2t.phases.library import library_phase
from hyperspy_t2t.phases.reflections import (
    ReflectionTable,
    laue_operations,
    projected_structure_factor,
    reflection_table,
    structure_factors,
    zone_axes,
    zone_reflections,
)


def row(table: ReflectionTable, hkl: list[int]) -> np.ndarray:
    """Rows of the table with these indices; none where the reflection is absent."""
    return np.flatnonzero((table.hkl == hkl).all(axis=1))


@pytest.mark.parametrize(
    ("name", "absent", "present"),
    [
        ("Si diamond", [[2, 0, 0], [2, 2, 2], [1, 0, 0]], [[1, 1, 1], [4, 0, 0]]),
        ("Ti hcp", [[0, 0, 1], [1, 1, 1], [0, 0, 3]], [[0, 0, 2], [1, 0, 1]]),
        ("NaCl rocksalt", [[1, 0, 0], [1, 1, 0]], [[1, 1, 1], [2, 0, 0]]),
        ("Fe bcc", [[1, 0, 0], [1, 1, 1]], [[1, 1, 0], [2, 0, 0]]),
        ("beta-Ga2O3", [[1, 0, 0], [0, 1, 0]], [[2, 0, 0], [1, 1, 0]]),
    ],
)
def test_absences(name: str, absent: list, present: list) -> None:
    table = reflection_table(library_phase(name))
    assert all(len(row(table, hkl)) == 0 for hkl in absent)
    assert all(len(row(table, hkl)) == 1 for hkl in present)


def test_odd_reflections_of_rocksalt_are_weak() -> None:
    table = reflection_table(library_phase("KCl rocksalt"))
    odd, even = row(table, [1, 1, 1])[0], row(table, [2, 0, 0])[0]
    assert 0 < table.intensity[odd] < 0.05 * table.intensity[even]


@pytest.mark.parametrize("name", ["GaN wurtzite", "HfO2 monoclinic", "Bi A7"])
def test_g_lies_in_the_crystal_frame(name: str) -> None:
    phase = library_phase(name)
    table = reflection_table(phase)
    products = table.g @ (phase.lattice / 10).T  # g·a = h, g·b = k, g·c = l
    np.testing.assert_allclose(products, table.hkl, atol=1e-9)
    np.testing.assert_allclose(1 / np.linalg.norm(table.g, axis=1), table.d)
    star = phase.reciprocal_lattice[2]
    np.testing.assert_allclose(star / np.linalg.norm(star), [0, 0, 1], atol=1e-12)
    assert table.d.min() >= 0.08 * (1 - 1e-6)
    assert (np.diff(table.d) <= 1e-9).all()
    assert table.intensity.max() == 1


def test_known_lattice_spacings() -> None:
    silicon = reflection_table(library_phase("Si diamond"))
    assert silicon.d[row(silicon, [1, 1, 1])] == pytest.approx(0.5431 / np.sqrt(3))
    hafnia = library_phase("HfO2 monoclinic")
    a, b, c, _, beta, _ = hafnia.cell
    sine, cosine = np.sin(np.deg2rad(beta)), np.cos(np.deg2rad(beta))
    inverse = (1 / a**2 + sine**2 / b**2 + 1 / c**2 + 2 * cosine / (a * c)) / sine**2
    table = reflection_table(hafnia)
    assert table.d[row(table, [-1, 1, 1])] == pytest.approx(inverse**-0.5 / 10)


def test_all_reflections_within_the_limit_are_there() -> None:
    cell = (5.0, 6.0, 7.0, 80.0, 100.0, 110.0)
    phase = CrystalPhase("P", cell, np.array([14]), np.zeros((1, 3)))
    table = reflection_table(phase, min_d_nm=0.1)
    volume = np.linalg.det(phase.lattice) / 1000
    assert len(table) == pytest.approx(4 / 3 * np.pi * 10**3 * volume, rel=0.05)
    index = np.arange(-12, 13)
    hkl = np.stack(np.meshgrid(index, index, index), -1).reshape(-1, 3)
    length = np.linalg.norm(hkl @ phase.reciprocal_lattice, axis=1)
    assert len(table) == ((length <= 10) & (length > 0)).sum()


@pytest.mark.parametrize(
    "name",
    ["Si diamond", "GaN wurtzite", "HfO2 monoclinic", "MgAl2O4 spinel", "BiFeO3"],
)
@pytest.mark.parametrize("scattering", ["lobato", "xtables"])
def test_structure_factors_equal_those_of_diffsims(name: str, scattering: str) -> None:
    from diffsims.crystallography import ReciprocalLatticeVector
    from diffsims.utils.sim_utils import get_kinematical_intensities

    phase = library_phase(name)
    table = reflection_table(phase, scattering=scattering)
    orix_phase = phase_to_orix(phase)
    intensities = get_kinematical_intensities(
        orix_phase.structure, table.hkl, 0.1 / table.d, scattering_params=scattering
    )
    own = np.abs(table.structure_factor) ** 2
    np.testing.assert_allclose(own, intensities, atol=1e-6 * own.max())
    vectors = ReciprocalLatticeVector(orix_phase, hkl=table.hkl)
    vectors.calculate_structure_factor(scattering)
    strength = np.abs(vectors.structure_factor)
    np.testing.assert_allclose(np.sqrt(own), strength, atol=1e-6 * strength.max())


def test_phases_follow_the_origin() -> None:
    phase = library_phase("HfO2 monoclinic")
    shift = np.array([0.1, 0.2, 0.3])
    moved = replace(phase, fractional=phase.fractional + shift)
    hkl = reflection_table(phase).hkl
    turn = np.exp(-2j * np.pi * hkl @ shift)
    for factors in (structure_factors, projected_structure_factor):
        np.testing.assert_allclose(
            factors(moved, hkl), factors(phase, hkl) * turn, atol=1e-8
        )


def test_projected_structure_factor() -> None:
    phase = library_phase("GaAs zincblende")
    expected = 4 * (31**1.7 + 33**1.7 * np.exp(-1.5j * np.pi))
    found = projected_structure_factor(phase, [[1, 1, 1], [0, 0, 0], [1, 0, 0]])
    weight = 4 * (31**1.7 + 33**1.7)
    np.testing.assert_allclose(found, [expected, weight, 0], atol=1e-9 * weight)
    half = replace(phase, occupancy=np.full(8, 0.5))
    assert projected_structure_factor(half, [1, 1, 1]) == pytest.approx(expected / 2)


def test_the_fringe_of_a_single_atom_peaks_on_it() -> None:
    cell, place = (4.0, 4.0, 4.0, 90.0, 90.0, 90.0), np.array([[0.3, 0.1, 0.0]])
    phase = CrystalPhase("one", cell, np.array([6]), place)
    factor = projected_structure_factor(phase, [1, 0, 0])
    x = np.linspace(0, 1, 1000, endpoint=False)
    fringe = (factor * np.exp(2j * np.pi * x)).real
    assert x[fringe.argmax()] == pytest.approx(0.3)


def test_tables_are_kept_by_content() -> None:
    phase = library_phase("Si diamond")
    table = reflection_table(phase)
    assert reflection_table(replace(phase, status="")) is table
    assert reflection_table(phase, min_d_nm=0.1) is not table
    with pytest.raises(ValueError, match="read-only"):
        table.g[0] = 0


def test_zone_reflections() -> None:
    table = reflection_table(library_phase("Si diamond"))
    zone = zone_reflections(table, [1, 1, 0])
    assert (zone.hkl @ [1, 1, 0] == 0).all()
    strongest = zone.hkl[zone.intensity > 0.9].tolist()
    assert sorted(strongest) == [[-1, 1, -1], [-1, 1, 1], [1, -1, -1], [1, -1, 1]]
    assert len(zone_reflections(table, np.array([7, 11, 13]))) == 0


@pytest.mark.parametrize("axis", [[0, 0, 0], [1, 0], [0.5, 0, 1]])
def test_zone_axes_that_are_none(axis: list) -> None:
    table = reflection_table(library_phase("Si diamond"))
    with pytest.raises(ValueError, match=r"three integers .* Give direct-space"):
        zone_reflections(table, axis)


def test_cubic_zone_axes() -> None:
    found = zone_axes(library_phase("Si diamond"), max_index=2)
    expected = [[1, 0, 0], [1, 1, 0], [1, 1, 1], [2, 1, 0], [2, 1, 1], [2, 2, 1]]
    assert found.tolist() == expected
    assert len(zone_axes(library_phase("Si diamond"))) == 13


def test_hexagonal_zone_axes() -> None:
    found = zone_axes(library_phase("Ti hcp"), max_index=1)
    assert len(found) == 5
    # <100> = [100], [010], [110]; [001]; <1-10>; <101>; <1-11>
    np.testing.assert_array_equal(
        sorted(map(tuple, np.abs(found))),
        [(0, 0, 1), (1, 1, 0), (1, 1, 0), (1, 1, 1), (1, 1, 1)],
    )


@pytest.mark.parametrize(
    ("name", "order"),
    [
        ("Si diamond", 48),
        ("GaN wurtzite", 24),
        ("Al2O3 corundum", 12),
        ("TiO2 rutile", 16),
        ("HfO2 monoclinic", 4),
    ],
)
def test_laue_operations_keep_lengths_and_intensities(name: str, order: int) -> None:
    phase = library_phase(name)
    operations = laue_operations(phase)
    metric = phase.lattice @ phase.lattice.T
    kept = operations.transpose(0, 2, 1) @ metric @ operations
    assert len(operations) == order
    np.testing.assert_allclose(kept, np.broadcast_to(metric, kept.shape), atol=1e-6)
    hkl = reflection_table(phase).hkl[:40]
    strength = np.abs(structure_factors(phase, hkl @ np.linalg.inv(operations)))
    expected = np.abs(structure_factors(phase, hkl))
    assert np.abs(strength - expected).max() < 1e-3 * expected.max()


def test_monoclinic_zone_axes_have_unique_axis_b() -> None:
    found = zone_axes(library_phase("HfO2 monoclinic"), max_index=1).tolist()
    # 13 pairs ±uvw; b is the two-fold axis: [uvw] ~ [u-vw]
    assert len(found) == 9
    assert [1, 0, 1] in found
    assert [1, 0, -1] in found or [-1, 0, 1] in found


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"min_d_nm": 0.0}, r"positive number of nm; got 0\.0"),
        ({"min_d_nm": np.nan}, "positive number of nm; got nan"),
        ({"min_d_nm": 0.8}, r"d ≥ 0\.8 nm; phase 'Si diamond' has none.*Lower"),
        ({"min_d_nm": 1e-3}, r"at most 2,000,000 reflections.*Raise min_d_nm"),
        ({"scattering": "xray"}, "'lobato' or 'xtables'; got 'xray'"),
    ],
)
def test_reflection_options_that_are_wrong(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        reflection_table(library_phase("Si diamond"), **options)


def test_elements_without_scattering_factors() -> None:
    cell = (4.0, 4.0, 4.0, 90.0, 90.0, 90.0)
    phase = CrystalPhase("heavy", cell, np.array([110]), np.zeros((1, 3)))
    with pytest.raises(ValueError, match=r"'lobato' scattering factors; got 'Ds'"):
        reflection_table(phase)


def test_no_zone_axis_index() -> None:
    with pytest.raises(ValueError, match="max_index from 1 to 12; got 0"):
        zone_axes(library_phase("Si diamond"), max_index=0)
