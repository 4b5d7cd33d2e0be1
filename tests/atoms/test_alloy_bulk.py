# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Bulk cell and stiffness of alloys between phases of the library."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hyperspy_t2t.atoms.alloy_bulk import (
    bulk_of_alloy,
    end_members,
    stiffness_of_alloy,
)
from hyperspy_t2t.data.synthetic_regions import vegard
from hyperspy_t2t.phases.library import library_phase

SI, GE = library_phase("Si diamond"), library_phase("Ge diamond")


def lattice_parameter(symbols: str) -> float:
    return library_phase(f"{symbols} zincblende").cell[0]


@settings(deadline=None, max_examples=25)
@given(st.floats(0, 1))
def test_silicon_germanium_bows(ge: float) -> None:
    alloy = bulk_of_alloy(GE, {"Si": 1 - ge, "Ge": ge})
    # Published for end points 5.431 and 5.658; the library's are within 1e-4 of them.
    published = 5.431 + 0.2 * ge + 0.027 * ge**2
    np.testing.assert_allclose(alloy.cell[:3], published, atol=2e-4)
    assert alloy.cell[3:] == GE.cell[3:]
    # How far from the straight line: never more than 0.13 %.
    straight = vegard(SI, GE, ge).cell[0]
    assert -1.3e-3 < alloy.cell[0] / straight - 1 <= 1e-12


def test_end_points_are_those_of_the_library() -> None:
    for phase in (SI, GE):
        assert bulk_of_alloy(phase, {"Si": 1}).cell == pytest.approx(SI.cell)
        assert bulk_of_alloy(phase, {"Ge": 1.0, "Si": 0.0}).cell == pytest.approx(
            GE.cell
        )
    assert bulk_of_alloy(SI, {}).cell == SI.cell


def test_sites_are_those_of_the_lattice() -> None:
    alloy = bulk_of_alloy(GE, {"Si": 0.25, "Ge": 0.75})
    np.testing.assert_array_equal(alloy.numbers, GE.numbers)
    np.testing.assert_array_equal(alloy.fractional, GE.fractional)
    assert alloy.space_group == 227
    assert "Si 0.25" in alloy.name and "Dismukes" in alloy.source
    assert alloy.status == "computed"


def test_ternary_of_one_sublattice() -> None:
    """In0.532Ga0.468As fits InP: the well-known composition of that substrate."""
    alloy = bulk_of_alloy(library_phase("InAs zincblende"), {"In": 0.532, "Ga": 0.468})
    assert alloy.cell[0] == pytest.approx(lattice_parameter("InP"), abs=2e-3)


def test_quaternary_by_the_product_rule() -> None:
    x, y = (
        0.28,
        0.61,
    )  # of gallium on the indium sites, of arsenic on the phosphorus sites
    phase = library_phase("InP zincblende")
    fractions = {"Ga": x, "In": 1 - x, "As": y, "P": 1 - y}
    expected = (
        x * y * lattice_parameter("GaAs")
        + x * (1 - y) * lattice_parameter("GaP")
        + (1 - x) * y * lattice_parameter("InAs")
        + (1 - x) * (1 - y) * lattice_parameter("InP")
    )
    alloy = bulk_of_alloy(phase, fractions)
    np.testing.assert_allclose(alloy.cell[:3], expected, rtol=1e-12)
    # On any of the four lattices the same, and stiffness in the same shares.
    other = bulk_of_alloy(library_phase("GaAs zincblende"), fractions)
    assert other.cell == pytest.approx(alloy.cell)
    c11 = stiffness_of_alloy(phase, fractions).matrix[0, 0]
    shares = [x * y, x * (1 - y), (1 - x) * y, (1 - x) * (1 - y)]
    assert c11 == pytest.approx(np.dot(shares, [122.1, 140.5, 83.29, 101.1]))


def test_five_elements_on_two_sublattices() -> None:
    parts = end_members(
        library_phase("InSb zincblende"),
        {"Al": 0.2, "Ga": 0.3, "In": 0.5, "As": 0.1, "Sb": 0.9},
    )
    assert sum(share for _, share in parts) == pytest.approx(1)
    found = {phase.name.split()[0]: share for phase, share in parts}
    assert found["AlSb"] == pytest.approx(0.18)
    assert set(found) == {"AlAs", "AlSb", "GaAs", "GaSb", "InAs", "InSb"}


def test_hexagonal_cells_mix_both_parameters() -> None:
    gan, aln = library_phase("GaN wurtzite"), library_phase("AlN wurtzite")
    alloy = bulk_of_alloy(gan, {"Al": 0.3, "Ga": 0.7})
    expected = 0.7 * np.array(gan.cell) + 0.3 * np.array(aln.cell)
    np.testing.assert_allclose(alloy.cell, expected)
    perovskite = library_phase("BaTiO3 cubic perovskite")
    alloy = bulk_of_alloy(perovskite, {"Ba": 0.5, "Sr": 0.5})
    assert alloy.cell[0] == pytest.approx((4.006 + 3.905) / 2)


def test_an_own_lattice_and_another_setting() -> None:
    """A user's germanium with its origin elsewhere and its own lattice parameter."""
    own = replace(
        GE, name="own", cell=(5.66,) * 3 + (90.0,) * 3,
        fractional=(GE.fractional + 0.125) % 1,
    )  # fmt: skip
    assert bulk_of_alloy(own, {"Ge": 1.0}).cell[0] == 5.66
    half = bulk_of_alloy(own, {"Ge": 0.5, "Si": 0.5}).cell[0]
    assert half == pytest.approx((5.66 + 5.431) / 2 - 0.027 / 4)
    gaas = library_phase("GaAs zincblende")
    turned = replace(gaas, fractional=(-gaas.fractional + 0.5) % 1)
    alloy = bulk_of_alloy(turned, {"Ga": 0.5, "In": 0.5})
    assert alloy.cell[0] == pytest.approx(
        (lattice_parameter("GaAs") + lattice_parameter("InAs")) / 2
    )


def test_another_structure_is_no_end_member() -> None:
    """Pnma with four formula units is the group of PtSi and of SnS."""
    ptsi, pdsi = library_phase("PtSi MnP-type"), library_phase("PdSi MnP-type")
    fractions = {"Pt": 0.5, "Pd": 0.5}
    mean = bulk_of_alloy(ptsi, fractions).cell
    np.testing.assert_allclose(mean, np.mean([ptsi.cell, pdsi.cell], axis=0))
    sns = library_phase("SnS Pnma")
    numbers = np.where(sns.numbers == 50, 46, 14)
    with pytest.raises(ValueError, match=r"got Pd, for which the library lacks"):
        bulk_of_alloy(ptsi, fractions, [replace(sns, numbers=numbers)])
    # The right places with two elements exchanged.
    numbers = library_phase("InAs zincblende").numbers.copy()
    numbers[[0, -1]] = numbers[[-1, 0]]
    exchanged = replace(library_phase("InAs zincblende"), numbers=numbers)
    with pytest.raises(ValueError, match=r"got In, for which the library lacks"):
        gaas = library_phase("GaAs zincblende")
        bulk_of_alloy(gaas, {"Ga": 0.5, "In": 0.5}, [exchanged])


def test_what_is_missing_is_named() -> None:
    with pytest.raises(ValueError, match=r"got Bi, .*lacks GaBi or BiAs"):
        bulk_of_alloy(library_phase("GaAs zincblende"), {"As": 0.95, "Bi": 0.05})
    library = [library_phase(f"{n} zincblende") for n in ("InP", "InAs", "GaAs")]
    mixture = {"In": 0.5, "Ga": 0.5, "As": 0.5, "P": 0.5}
    with pytest.raises(ValueError, match="Expected GaP with the structure of 'InAs"):
        bulk_of_alloy(library_phase("InAs zincblende"), mixture, library)
    # Without any GaP or InAs nothing says which sites gallium takes in InP.
    with pytest.raises(ValueError, match=r"got Ga, .*lacks GaP or InGa"):
        bulk_of_alloy(library_phase("InP zincblende"), mixture, library[:1])


def test_fractions_that_do_not_sum_to_one() -> None:
    with pytest.raises(ValueError, match=r"Ge sites.*sum of 0\.8"):
        bulk_of_alloy(GE, {"Si": 0.3, "Ge": 0.5})
    with pytest.raises(ValueError, match=r"As sites.*sum of 0\.4"):
        # Fractions of all atoms instead of those of a sublattice.
        bulk_of_alloy(library_phase("GaAs zincblende"), {"Ga": 1, "As": 0.4})
    with pytest.raises(ValueError, match="at least 0"):
        bulk_of_alloy(GE, {"Si": -0.3, "Ge": 1.3})


def test_stiffness_of_silicon_germanium() -> None:
    mixed = stiffness_of_alloy(GE, {"Si": 0.3, "Ge": 0.7})
    assert mixed.matrix[0, 0] == pytest.approx(165.8 - 0.7 * 37.3)
    with pytest.raises(ValueError, match="alpha-Sn"):
        stiffness_of_alloy(GE, {"Sn": 0.1, "Ge": 0.9})


def test_phases_that_the_library_cannot_help_with() -> None:
    other_group = replace(GE, space_group=3)
    assert bulk_of_alloy(other_group, {"Ge": 1}).cell == GE.cell
    with pytest.raises(ValueError, match="got Si, for which the library lacks"):
        bulk_of_alloy(other_group, {"Ge": 0.5, "Si": 0.5})
    mixed = replace(GE, name="mixed", occupancy=np.full(8, 0.7))
    with pytest.raises(ValueError, match=r"'mixed' with occupancies down to 0\.7"):
        bulk_of_alloy(mixed, {"Ge": 1})
