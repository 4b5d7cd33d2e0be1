# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""CrystalPhase from and to ase, orix and CIF files."""

from dataclasses import replace

import numpy as np
import pytest
from crystal_phases import mixed_phase
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from hyperspy_t2t.phases.convert import (
    phase_from_ase,
    phase_from_cif,
    phase_from_orix,
    phase_to_ase,
    phase_to_orix,
)
from hyperspy_t2t.phases.crystal_phase import CrystalPhase
from hyperspy_t2t.phases.library import library_phase
from hyperspy_t2t.phases.symmetry import symmetry

SEVERAL = [
    "Si diamond",
    "MgAl2O4 spinel",  # origin choice 2
    "Ti hcp",
    "GaN wurtzite",
    "Al2O3 corundum",
    "HfO2 monoclinic",
    "beta-Ga2O3",
]


def assert_same(one: CrystalPhase, other: CrystalPhase) -> None:
    """Same cell, space group and sites, up to whole lattice vectors."""
    np.testing.assert_allclose(one.cell, other.cell, atol=1e-9)
    np.testing.assert_array_equal(one.numbers, other.numbers)
    apart = one.fractional - other.fractional
    np.testing.assert_allclose(apart - np.round(apart), 0, atol=1e-9)
    np.testing.assert_allclose(one.occupancy, other.occupancy)
    np.testing.assert_allclose(one.lattice, other.lattice, atol=1e-9)
    assert (one.name, one.space_group) == (other.name, other.space_group)


@pytest.mark.parametrize("name", SEVERAL)
def test_round_trips(name: str) -> None:
    phase = library_phase(name)
    back = phase_from_ase(phase_to_ase(phase))
    assert_same(back, phase)
    assert (back.source, back.status) == (phase.source, phase.status)
    assert_same(phase_from_orix(phase_to_orix(phase)), phase)
    assert_same(CrystalPhase.from_dict(phase.to_dict()), phase)


@settings(deadline=None, max_examples=40)
@given(
    st.tuples(*[st.floats(3, 12)] * 3),
    st.tuples(*[st.floats(65, 115)] * 3),
    st.integers(0, 2**32 - 1),
)
def test_round_trips_of_random_triclinic_cells(edges, angles, seed) -> None:
    alpha, beta, gamma = np.cos(np.deg2rad(angles))
    assume(1 - alpha**2 - beta**2 - gamma**2 + 2 * alpha * beta * gamma > 0.1)
    rng = np.random.default_rng(seed)
    phase = CrystalPhase(
        name="random",
        cell=(*edges, *angles),
        numbers=np.array([8, 14, 26, 79]),
        fractional=(np.arange(4)[:, None] + rng.random((4, 3)) * 0.5) / 4,
        occupancy=np.array([1.0, 0.5, 0.25, 1.0]),
    )
    found = phase_from_ase(phase_to_ase(phase))
    assert_same(replace(found, space_group=1), phase)
    assert_same(phase_from_orix(phase_to_orix(phase)), phase)


@pytest.mark.parametrize("name", ["GaN wurtzite", "beta-Ga2O3", "Bi A7"])
def test_frames_agree(name: str) -> None:
    from diffsims.crystallography import ReciprocalLatticeVector

    phase = library_phase(name)
    np.testing.assert_allclose(phase_to_ase(phase).cell[:], phase.lattice, atol=1e-9)
    orix_phase = phase_to_orix(phase)
    base = orix_phase.structure.lattice.base
    np.testing.assert_allclose(base, phase.lattice, atol=1e-9)
    vectors = ReciprocalLatticeVector(orix_phase, hkl=np.eye(3))
    np.testing.assert_allclose(10 * vectors.data, phase.reciprocal_lattice, atol=1e-8)


@pytest.mark.parametrize("name", ["Al2O3 corundum", "beta-Ga2O3", "Si diamond"])
def test_copied_and_saved_orix_phases_keep_their_atoms(name: str) -> None:
    from orix.crystal_map import Phase
    from orix.io.plugins.orix_hdf5 import dict2phase, phase2dict

    phase = library_phase(name)
    orix_phase = phase_to_orix(phase)
    assert_same(phase_from_orix(Phase(orix_phase)), phase)
    assert_same(phase_from_orix(dict2phase(phase2dict(orix_phase))), phase)


def test_asymmetric_unit_of_an_orix_phase_is_expanded() -> None:
    from diffpy.structure import Atom, Lattice, Structure
    from orix.crystal_map import Phase

    phase = library_phase("Al2O3 corundum")
    atoms = [Atom("Al3+", (0, 0, 0.3523)), Atom("O", (0.3064, 0, 0.25))]
    structure = Structure(atoms, Lattice(*phase.cell))
    found = phase_from_orix(Phase("alumina", space_group=167, structure=structure))
    assert sorted(found.numbers) == sorted(phase.numbers)
    assert symmetry(found).number == found.space_group == 167


def test_primitive_and_repeated_cells_become_the_conventional_one() -> None:
    from ase.build import bulk

    for atoms in (bulk("Si"), bulk("Si").repeat(2), bulk("Si", cubic=True)):
        found = phase_from_ase(atoms)
        assert (found.name, found.space_group, len(found.numbers)) == ("Si", 227, 8)
        np.testing.assert_allclose(found.cell, [5.43] * 3 + [90] * 3)


def test_left_handed_cells_keep_their_hand() -> None:
    quartz = phase_to_ase(library_phase("alpha-quartz"))
    swapped = quartz.copy()
    swapped.set_cell(quartz.cell[[1, 0, 2]])
    assert np.linalg.det(swapped.cell) < 0
    found = phase_from_ase(swapped)
    assert found.space_group == 154
    assert symmetry(found).number == 154


def test_a_strained_cell_loses_the_space_group_it_was_labelled_with() -> None:
    silicon = phase_to_ase(library_phase("Si diamond"))
    silicon.set_cell(silicon.cell[:] * [1, 1, 1.02], scale_atoms=True)
    found = phase_from_ase(silicon)
    assert found.space_group == 141


def test_mixed_and_partly_occupied_sites(tmp_path) -> None:
    from ase.io import write

    alloy = mixed_phase(space_group=227)
    atoms = phase_to_ase(alloy)
    assert len(atoms) == 8
    assert set(atoms.symbols) == {"Si"}
    path = tmp_path / "alloy.cif"
    write(path, atoms, format="cif")
    for found in (phase_from_ase(atoms), phase_from_cif(path)):
        assert found.space_group == 227
        assert found.occupancy[found.numbers == 32] == pytest.approx([0.3] * 8)
        assert found.occupancy[found.numbers == 14] == pytest.approx([0.7] * 8)
    assert_same(phase_from_orix(phase_to_orix(alloy)), alloy)


@pytest.mark.parametrize("name", ["TiO2 rutile", "beta-Ga2O3", "Bi A7"])
def test_cif_files(name: str, tmp_path) -> None:
    from ase.io import write

    phase = library_phase(name)
    path = tmp_path / "one.cif"
    write(path, phase_to_ase(phase))
    found = phase_from_cif(str(path))
    np.testing.assert_allclose(found.cell, phase.cell, atol=1e-4)
    assert found.space_group == phase.space_group
    assert len(found.numbers) == len(phase.numbers)
    assert (found.name, found.source) == ("one", "CIF one.cif")


def test_no_cif_file() -> None:
    with pytest.raises(FileNotFoundError, match=r"none at 'lost\.cif'\. Check the"):
        phase_from_cif("lost.cif")


@pytest.mark.parametrize("text", ["", "not a structure", "data_x\n_cell_length_a 5\n"])
def test_unreadable_cif_file(text: str, tmp_path) -> None:
    path = tmp_path / "bad.cif"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"bad\.cif' could not be read.*export it"):
        phase_from_cif(path)


def test_atoms_without_a_cell() -> None:
    from ase import Atoms

    with pytest.raises(ValueError, match=r"got 1 atoms in a cell with 0\. Set atoms"):
        phase_from_ase(Atoms("Si"))


def test_orix_phase_without_atoms() -> None:
    from orix.crystal_map import Phase

    with pytest.raises(ValueError, match=r"'nickel' has none.*from_cif"):
        phase_from_orix(Phase("nickel", space_group=225))


def test_overlapping_and_unknown_positions() -> None:
    from ase import Atoms

    atoms = Atoms("SiGe", positions=[[0, 0, 0], [0, 0, 0.1]], cell=[5] * 3, pbc=True)
    with pytest.raises(ValueError, match=r"at least 0\.3 Å apart.*sites 0 and 1"):
        phase_from_ase(atoms)
    atoms.positions[0] = np.nan
    with pytest.raises(ValueError, match="Expected finite cell and positions"):
        phase_from_ase(atoms)
