# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""The embedded phase library and the names a user may call a phase by."""

import json
import subprocess
import sys
from importlib.resources import files

import numpy as np
import pytest

from hyperspy_t2t.phases.candidates import resolve_phases
from hyperspy_t2t.phases.convert import phase_to_ase, phase_to_orix
from hyperspy_t2t.phases.crystal_phase import CrystalPhase
from hyperspy_t2t.phases.library import (
    library_phase,
    phase_names,
    phases_of_elements,
)
from hyperspy_t2t.phases.symmetry import symmetry

STORED = json.loads(
    files("hyperspy_t2t.data").joinpath("phases.json").read_text(encoding="utf-8")
)["phases"]


def names(candidates: object) -> list[str]:
    """Names of what `candidates` resolve to."""
    return [phase.name for phase in resolve_phases(candidates)]


def test_every_phase_has_its_density_and_number_of_atoms() -> None:
    from ase.data import atomic_masses

    phases = [library_phase(entry["name"]) for entry in STORED]
    mass = np.array([atomic_masses[phase.numbers].sum() for phase in phases])
    volume = np.array([np.linalg.det(phase.lattice) for phase in phases])
    density = mass / volume * 1.66053906660
    assert len(phases) == len(phase_names()) == 301
    np.testing.assert_allclose(density, [e["density"] for e in STORED], rtol=0.01)
    assert [len(phase.numbers) for phase in phases] == [e["n_atoms"] for e in STORED]


def test_every_phase_has_the_composition_of_its_formula() -> None:
    from ase.formula import Formula

    for entry in STORED:
        numbers = phase_to_ase(library_phase(entry["name"])).symbols
        found = Formula(str(numbers)).reduce()[0].count()
        expected = Formula(entry["formula"]).reduce()[0].count()
        assert found == expected, entry["name"]


def test_spglib_finds_the_space_group_of_every_phase() -> None:
    found = {e["name"]: symmetry(library_phase(e["name"])).number for e in STORED}
    assert found == {e["name"]: e["space_group"] for e in STORED}


def test_every_phase_says_where_it_is_from_and_how_far_it_was_checked() -> None:
    assert all(entry["source"] and entry["status"] for entry in STORED)
    silicon = library_phase("Si diamond")
    assert "xrayutilities" in silicon.source
    assert silicon.status == "checked"
    assert library_phase("Cu3-xTe2 rickardite (Cu4-xTe2)").status.startswith("flagged")


def test_names_need_no_crystallography_package() -> None:
    code = (
        "import sys; from hyperspy_t2t.phases.library import phase_names; "
        "assert len(phase_names()) == 301; "
        "assert not {'orix', 'diffsims', 'ase', 'spglib'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_arrays_of_the_library_are_read_only() -> None:
    with pytest.raises(ValueError, match="read-only"):
        library_phase("Si diamond").fractional[0] = 0.3


def test_phases_of_elements() -> None:
    found = [phase.name for phase in phases_of_elements(["Ga", "As"])]
    assert found == ["GaAs zincblende", "GaAs wurtzite", "As A7", "Ga alpha"]


@pytest.mark.parametrize(
    ("candidates", "expected"),
    [
        ("Si", ["Si diamond"]),
        (["Si", "Ge"], ["Si diamond", "Ge diamond"]),
        (["Al fcc", "Ge", "Si"], ["Al fcc", "Si diamond", "Ge diamond"]),
        (["Ge diamond", "Si", "Ge"], ["Ge diamond", "Si diamond"]),
        ("si DIAMOND", ["Si diamond"]),
        ("GaAs", ["GaAs zincblende", "GaAs wurtzite"]),
        ("AsGa", ["GaAs zincblende", "GaAs wurtzite"]),
        ("PtS", ["PtS"]),
        ("MgO rock", ["MgO rocksalt"]),
        (("Si diamond", "Si diamond"), ["Si diamond"]),
    ],
)
def test_resolve_names(candidates: object, expected: list[str]) -> None:
    assert names(candidates) == expected


def test_resolve_objects_and_files_in_the_order_given(tmp_path) -> None:
    from ase.io import write

    rutile = phase_to_ase(library_phase("TiO2 rutile"))
    path = tmp_path / "rutile.CIF"
    write(path, rutile, format="cif")
    own = CrystalPhase(
        "own", (4.0, 4.0, 4.0, 90.0, 90.0, 90.0), np.array([84]), np.zeros((1, 3))
    )
    orix_phase = phase_to_orix(library_phase("GaN wurtzite"))
    given = [own, path, rutile, orix_phase, "Si diamond", str(path)]
    expected = ["own", "rutile", "TiO2 rutile", "GaN wurtzite", "Si diamond"]
    assert names(given) == expected
    assert names(rutile) == ["TiO2 rutile"]
    assert names(orix_phase) == ["GaN wurtzite"]


def test_another_structure_of_the_same_name_is_kept_under_a_number() -> None:
    from ase.build import bulk

    strained = bulk("Si", a=5.6)
    assert names([bulk("Si"), strained, bulk("Si"), strained]) == ["Si", "Si (2)"]


@pytest.mark.parametrize(
    ("candidates", "message"),
    [
        ([], r"at least one candidate phase: element symbols.*Got an empty list"),
        ("si", r"'si' begins the names of 6: 'Si diamond'.*the element as 'Si'"),
        ("Sillicon", r"301 phases.*got 'Sillicon'\. Close matches: 'Si diamond'"),
        ("qqqq", r"got 'qqqq'\. Choose one, or give the structure as a CIF"),
        ("Xe", r"no phase made only of Xe contains Xe\. Give its structure as a CIF"),
        (["Si", "Xe"], r"no phase made only of Si, Xe contains Xe"),
    ],
)
def test_names_that_mean_no_phase(candidates: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        resolve_phases(candidates)


def test_an_item_of_another_kind() -> None:
    with pytest.raises(TypeError, match=r"got 3\.2 of type float\. Convert it"):
        resolve_phases(["Si", 3.2])


def test_library_phase_of_an_unknown_name_lists_close_ones() -> None:
    with pytest.raises(ValueError, match=r"got 'GaAs zinkblende'.*'GaAs zincblende'"):
        library_phase("GaAs zinkblende")


@pytest.mark.parametrize(
    ("elements", "got"), [(["Ga", "Zz"], "'Zz'"), ([], "an empty list")]
)
def test_phases_of_elements_that_are_none(elements: list[str], got: str) -> None:
    with pytest.raises(ValueError, match=f"Expected chemical symbols.*got {got}"):
        phases_of_elements(elements)
