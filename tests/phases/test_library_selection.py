# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Phases by space group, by several conditions, and from files and objects."""

import warnings
from pathlib import Path

import numpy as np
import pytest
from crystal_phases import mixed_phase

from hyperspy_t2t.phases.candidates import candidate_priors, resolve_phases
from hyperspy_t2t.phases.convert import (
    formula,
    phase_from_cif,
    phase_from_diffpy,
    phase_to_ase,
    phase_to_orix,
    phases_from_folder,
)
from hyperspy_t2t.phases.library import (
    library_phase,
    phase_names,
    phases_of_space_group,
    select_phases,
)
from hyperspy_t2t.phases.reflections import reflection_table
from hyperspy_t2t.phases.symmetry import symmetry
from hyperspy_t2t.phases.table import density, phase_table

RUTILE_OPERATIONS = """x,y,z -x,-y,z -y+1/2,x+1/2,z+1/2 y+1/2,-x+1/2,z+1/2
-x+1/2,y+1/2,-z+1/2 x+1/2,-y+1/2,-z+1/2 y,x,-z -y,-x,-z -x,-y,-z x,y,-z
y+1/2,-x+1/2,-z+1/2 -y+1/2,x+1/2,-z+1/2 x+1/2,-y+1/2,z+1/2 -x+1/2,y+1/2,z+1/2
-y,-x,z y,x,z""".split()


def write_cif(
    path: Path, *, cell: tuple, sites: list[tuple], symbol: str = "", operations=()
) -> Path:
    """A CIF file as short as one may be; sites are (element, x, y, z, occupancy)."""
    keys = ["length_a", "length_b", "length_c"]
    keys += ["angle_alpha", "angle_beta", "angle_gamma"]
    lines = ["data_x"]
    lines += [f"_cell_{key} {one}" for key, one in zip(keys, cell, strict=True)]
    if symbol:
        lines.append(f"_symmetry_space_group_name_H-M '{symbol}'")
    if operations:
        lines += ["loop_", "_symmetry_equiv_pos_as_xyz"]
        lines += [f"'{one}'" for one in operations]
    lines += ["loop_", "_atom_site_label", "_atom_site_type_symbol"]
    lines += [f"_atom_site_fract_{axis}" for axis in "xyz"]
    lines.append("_atom_site_occupancy")
    for number, (element, *rest) in enumerate(sites):
        lines.append(" ".join(map(str, (f"{element}{number}", element, *rest))))
    path.write_text("\n".join(lines) + "\n")
    return path


def rutile_cif(path: Path, **options) -> Path:
    """Rutile with its oxygen site filled by `share`."""
    share = options.pop("share", 1)
    cell = (4.594, 4.594, 2.959, 90, 90, 90)
    sites = [("Ti", 0, 0, 0, 1), ("O", 0.3053, 0.3053, 0, share)]
    return write_cif(path, cell=cell, sites=sites, **options)


def names(candidates: object) -> list[str]:
    """Names of what `candidates` resolve to."""
    return [phase.name for phase in resolve_phases(candidates)]


@pytest.mark.parametrize(
    ("candidates", "number"),
    [
        (227, 227),
        (np.int64(227), 227),
        ("Fd-3m", 227),
        ("227", 227),
        ("P6_3mc", 186),
        ("P 63 m c", 186),
        ("P6_3/mmc", 194),
        ("P 6_3/m m c", 194),
        (["P2_1/n"], 14),
    ],
)
def test_space_groups_as_candidates(candidates: object, number: int) -> None:
    found = resolve_phases(candidates)
    assert found
    assert [phase.name for phase in found] == [
        name for name in phase_names() if library_phase(name).space_group == number
    ]


def test_space_groups_in_a_list_with_others() -> None:
    found = names(["Ge", 176, "Si diamond", "P6_3/m"])
    assert found == ["Ge diamond", "Si3N4 beta", "Si diamond"]


def test_elements_keep_their_priors_beside_space_groups() -> None:
    given = ["Ti", "N", 176]
    phases = resolve_phases(given)
    priors = dict(
        zip([p.name for p in phases], candidate_priors(given, phases), strict=True)
    )
    assert priors["Si3N4 beta"] == priors["TiN rocksalt"] == 1.0
    assert priors["Ti hcp"] == 0.9


def test_elements_and_formulas_win_over_symbols_of_space_groups() -> None:
    assert names("C2") == ["C diamond", "graphite"]
    assert names("C2/m") == ["beta-Ga2O3"]
    with pytest.raises(ValueError, match=r"contains Cm\..*As a space group write 'C m"):
        resolve_phases(["Cm"])
    with pytest.raises(ValueError, match=r"got Cm \(8\), of which it has none"):
        resolve_phases("C m")


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        ({"elements": ["Ga", "As"], "space_group": 216}, ["GaAs zincblende"]),
        ({"elements": "Si"}, ["Si diamond"]),
        ({"name": "rutile", "elements": ["Ti", "O"]}, ["TiO2 rutile"]),
        ({"name": "AsGa"}, ["GaAs zincblende", "GaAs wurtzite"]),
        ({"name": "WURTZ", "space_group": "F-43m", "elements": ["Zn"]}, None),
        (
            {"elements": ["Zn", "S"], "space_group": ["F-43m", 186]},
            ["ZnS zincblende", "ZnS wurtzite"],
        ),
    ],
)
def test_conditions_are_met_together(conditions: dict, expected: list | None) -> None:
    if expected is None:
        with pytest.raises(ValueError, match=r"no phase made only of Zn|none meets"):
            select_phases(**conditions)
    else:
        assert [phase.name for phase in select_phases(**conditions)] == expected


def test_selected_phases_are_candidates() -> None:
    phases = select_phases(elements=["Ga", "As"], space_group=216)
    assert resolve_phases(phases) == phases
    assert resolve_phases([*phases, "Si"])[0] is phases[0]


def test_no_condition_is_the_whole_library() -> None:
    assert [phase.name for phase in select_phases()] == phase_names()


@pytest.mark.parametrize(
    ("conditions", "message"),
    [
        (
            {"elements": ["Ga", "N"], "space_group": "Fd-3m"},
            r"none meets elements=\['Ga', 'N'\], space_group='Fd-3m'.*without "
            r"space_group 'GaN zincblende'",
        ),
        (
            {"space_group": 225, "name": "rutile", "elements": "Si"},
            "none with one condition less",
        ),
        ({"space_group": "F23"}, r"F23 \(196\).*closest 'FeSi B20' \(P2_13, 198\)"),
        ({"space_group": [216, 196]}, r"got F23 \(196\)"),
        ({"space_group": "Fd-3n"}, r"got 'Fd-3n'\. Close symbols: 'Fd-3', 'Fd-3m'"),
        ({"space_group": 0}, r"from 1 to 230.*got 0"),
        ({"space_group": 231}, r"from 1 to 230.*got 231"),
        ({"space_group": []}, "got an empty list"),
        ({"name": "rutil e"}, r"got 'rutil e'"),
        ({"name": " "}, r"got ' '"),
        ({"elements": []}, "got an empty list"),
    ],
)
def test_conditions_that_no_phase_meets(conditions: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        select_phases(**conditions)


def test_a_mistyped_space_group_among_candidates_gets_the_closest() -> None:
    with pytest.raises(ValueError, match="Close space groups: 'Fd-3', 'Fd-3m'"):
        resolve_phases("Fd-3n")


@pytest.mark.parametrize("item", [True, 3.2, None])
def test_what_is_no_space_group(item: object) -> None:
    with pytest.raises(TypeError, match="Expected"):
        resolve_phases([item])
    with pytest.raises(TypeError, match=r"Expected a space group as a number"):
        phases_of_space_group([item])


def test_folder_of_cif_files(tmp_path, monkeypatch) -> None:
    folder = tmp_path / "structures"
    (folder / "inside.cif").mkdir(parents=True)
    for name in ("b.cif", "a.CIF", "c.cif"):
        rutile_cif(folder / name, symbol="P 42/m n m")
    (folder / "notes.txt").write_text("none")
    assert names(folder) == names([str(folder), "TiO2 rutile"])[:3] == ["a", "b", "c"]
    monkeypatch.chdir(tmp_path)
    assert names("structures") == ["a", "b", "c"]
    (tmp_path / "Si").mkdir()
    assert names("Si") == ["Si diamond"]


def test_folder_with_files_that_cannot_be_read(tmp_path) -> None:
    rutile_cif(tmp_path / "good.cif", symbol="P 42/m n m")
    for name in ("bad.cif", "empty.cif"):
        (tmp_path / name).write_text("data_x\n_cell_length_a 5\n"[: -5 * len(name)])
    with pytest.raises(ValueError, match=r"(?s)bad\.cif \(.*empty\.cif \(") as error:
        phases_from_folder(tmp_path)
    assert "good.cif" not in str(error.value)


def test_folder_without_cif_files(tmp_path) -> None:
    with pytest.raises(ValueError, match=r"no file that ends in \.cif"):
        resolve_phases(tmp_path)
    with pytest.raises(FileNotFoundError, match="Expected a folder of CIF files"):
        resolve_phases(tmp_path / "lost")


@pytest.mark.parametrize("symbol", ["", "P 4_2/m n m", "P 42/m n m :1", "unknown"])
def test_cif_with_symmetry_operations_only(symbol: str, tmp_path) -> None:
    path = rutile_cif(tmp_path / "r.cif", symbol=symbol, operations=RUTILE_OPERATIONS)
    phase = phase_from_cif(path)
    assert phase.space_group == symmetry(phase).number == 136
    assert sorted(phase.numbers) == [8] * 4 + [22] * 2
    assert density(phase) == pytest.approx(4.25, rel=0.01)


def test_cif_in_another_setting_is_expanded_by_its_own_operations(tmp_path) -> None:
    # P2_1/n: the glide is along a + c, which the standard setting P2_1/c has not.
    path = write_cif(
        tmp_path / "m.cif",
        cell=(5.0, 6.0, 7.0, 90, 95, 90),
        sites=[("Si", 0.1, 0.2, 0.3, 1)],
        symbol="P 1 21/n 1",
        operations="x,y,z -x,-y,-z 1/2-x,1/2+y,1/2-z 1/2+x,1/2-y,1/2+z".split(),
    )
    phase = phase_from_cif(path)
    expected = [[0.1, 0.2, 0.3], [0.4, 0.7, 0.2], [0.6, 0.3, 0.8], [0.9, 0.8, 0.7]]
    found = sorted(np.round(phase.fractional % 1, 6).tolist())
    assert found == expected
    assert (phase.space_group, symmetry(phase).number) == (14, 14)


def test_cif_keeps_the_group_it_states_beside_its_operations(tmp_path) -> None:
    # One atom in a cubic cell is Pm-3m by itself; the file says it is not.
    path = write_cif(
        tmp_path / "p.cif",
        cell=(3.36, 3.36, 3.36, 90, 90, 90),
        sites=[("Po", 0, 0, 0, 1)],
        symbol="P 4/m m m",
        operations=["x,y,z", "-x,-y,-z"],
    )
    assert phase_from_cif(path).space_group == 123


def test_cif_with_partly_occupied_sites(tmp_path) -> None:
    path = rutile_cif(tmp_path / "r.cif", symbol="P 42/m n m", share=0.9)
    phase = phase_from_cif(path)
    assert phase.occupancy[phase.numbers == 8] == pytest.approx([0.9] * 4)
    assert phase.space_group == 136
    assert formula(phase) == "TiO1.8"
    # (210) of rutile: only the oxygen scatters, so |F|² falls as the share squared.
    full = phase_from_cif(rutile_cif(tmp_path / "f.cif", symbol="P 42/m n m"))
    weak, strong = (reflection_table(one, min_d_nm=0.15) for one in (phase, full))
    row = int(np.flatnonzero((strong.hkl == [2, 1, 0]).all(axis=1))[0])
    ratio = abs(weak.structure_factor[row] / strong.structure_factor[row])
    assert ratio == pytest.approx(0.9)


@pytest.mark.parametrize("name", ["Si diamond", "Al2O3 corundum", "beta-Ga2O3"])
def test_every_kind_of_object_is_the_same_crystal(name: str) -> None:
    from diffpy.structure import Atom, Lattice, Structure

    phase = library_phase(name)
    atoms = phase_to_ase(phase)
    sites = zip(atoms.symbols, phase.fractional, strict=True)
    structure = Structure([Atom(*site) for site in sites], Lattice(*phase.cell))
    turned = Structure(lattice=Lattice(base=phase.lattice))
    for symbol, xyz in zip(atoms.symbols, phase.fractional, strict=True):
        turned.append(Atom(symbol, xyz))
    orix_phase = phase_to_orix(phase)
    strongest = None
    for item in (phase, atoms, orix_phase, structure, turned, orix_phase.structure):
        (found,) = resolve_phases(item)
        assert found.space_group == phase.space_group
        np.testing.assert_allclose(found.cell, phase.cell, atol=1e-6)
        table = reflection_table(found, min_d_nm=0.12)
        order = np.lexsort(table.hkl.T)
        intensity = table.intensity[order]
        strongest = intensity if strongest is None else strongest
        np.testing.assert_allclose(intensity, strongest, atol=1e-6)


def test_diffpy_structures_beside_others() -> None:
    from diffpy.structure import Atom, Lattice, Structure

    structure = Structure(
        [Atom("Po", (0, 0, 0), occupancy=0.5)], Lattice(3.36, 3.36, 3.36, 90, 90, 90)
    )
    (phase,) = resolve_phases(structure)
    assert (phase.name, phase.space_group) == ("Po0.5", 221)
    structure.title = "polonium"
    given = ["Si", structure]
    assert names(given) == ["Si diamond", "polonium"]
    assert candidate_priors(structure, resolve_phases(structure)) == [1.0]
    with pytest.raises(ValueError, match="diffpy structure with atoms"):
        phase_from_diffpy(Structure())


def test_table_of_the_library() -> None:
    rows = phase_table()
    assert [row["name"] for row in rows] == phase_names()
    assert all(row["source"] and row["status"] for row in rows)
    row = {row["name"]: row for row in rows}["GaN wurtzite"]
    assert (row["formula"], row["space_group"], row["symbol"]) == ("GaN", 186, "P6_3mc")
    assert (row["a"], row["gamma"]) == (pytest.approx(3.19, rel=2e-3), 120)
    assert row["density"] == pytest.approx(6.1, rel=0.02)
    flagged = [row["name"] for row in rows if row["status"].startswith("flagged")]
    assert flagged == ["Cu3-xTe2 rickardite (Cu4-xTe2)"]


def test_table_of_other_phases() -> None:
    silicon, row = phase_table(["Si", mixed_phase(source="mine")])
    assert silicon["name"] == "Si diamond"
    assert (row["formula"], row["symbol"]) == ("Ge0.3Si0.7", "P1")
    assert (row["source"], row["status"]) == ("mine", "")
    mass = 8 * (0.3 * 72.63 + 0.7 * 28.085)
    assert row["density"] == pytest.approx(mass * 1.66054 / 5.5**3, rel=1e-4)


def test_formulas_agree_with_those_of_the_library() -> None:
    from ase.formula import Formula

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for row in phase_table():
            found = Formula(formula(library_phase(row["name"])))
            assert found.count() == Formula(row["formula"]).reduce()[0].count()
