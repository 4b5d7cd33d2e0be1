# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""May two phases share the sites of one lattice?

What could go wrong: another choice of origin or order of sites; cation on anion; ions
off their ideal places, all in one direction; a tetragonal on a cubic cell; alloys with
two elements on one place; structures of one lattice with other sites (rock salt,
zincblende); as many sites, but not there.
"""

from dataclasses import replace

import numpy as np
import pytest
from ase.data import atomic_numbers

from hyperspy_t2t.atoms.structure_match import _group, matching_sites
from hyperspy_t2t.phases.crystal_phase import CrystalPhase
from hyperspy_t2t.phases.library import library_phase

PAIRS = [
    ("Si diamond", "Ge diamond", {("Si", "Ge")}),
    ("GaAs zincblende", "InSb zincblende", {("Ga", "In"), ("As", "Sb")}),
    ("InP zincblende", "GaAs zincblende", {("In", "Ga"), ("P", "As")}),
    ("ZnS zincblende", "GaP zincblende", {("Zn", "Ga"), ("S", "P")}),
    ("GaAs zincblende", "Ge diamond", {("Ga", "Ge"), ("As", "Ge")}),
    ("GaN wurtzite", "AlN wurtzite", {("Ga", "Al"), ("N", "N")}),
    ("SrTiO3 cubic perovskite", "PbTiO3 tetragonal",
     {("Sr", "Pb"), ("Ti", "Ti"), ("O", "O")}),
    ("SrTiO3 cubic perovskite", "LaAlO3 cubic perovskite",
     {("Sr", "La"), ("Ti", "Al"), ("O", "O")}),
    ("MgO rocksalt", "TiN rocksalt", {("Mg", "Ti"), ("O", "N")}),
    ("Au fcc", "Ag fcc", {("Au", "Ag")}),
]  # fmt: skip
NONE = [
    ("NaCl rocksalt", "GaAs zincblende"),
    ("GaAs zincblende", "GaAs wurtzite"),
    ("Au fcc", "Fe bcc"),
    ("CsCl CsCl-type", "SrTiO3 cubic perovskite"),
    ("GaN wurtzite", "GaN zincblende"),
    ("CaF2 fluorite", "MgAl2O4 spinel"),
    ("TiO2 rutile", "TiO2 anatase"),
]


def moved(phase: CrystalPhase, shift, order, sign: int = 1) -> CrystalPhase:
    """The same crystal, described otherwise."""
    return replace(
        phase,
        fractional=((sign * phase.fractional + shift) % 1)[order],
        numbers=phase.numbers[order],
        occupancy=phase.occupancy[order],
    )


def partners(first: CrystalPhase, second: CrystalPhase) -> set:
    """Elements that stand for each other, after a check of where they stand."""
    match = matching_sites(first, second)
    sign = -1 if match.inverted else 1
    laid = sign * second.fractional[match.site] + match.shift
    away = first.fractional - laid
    assert np.abs(away - np.rint(away)).max() <= 0.06 + 1e-9
    assert match.deviation == pytest.approx(
        np.abs(away - np.rint(away)).max(), abs=1e-8
    )
    symbols = {number: symbol for symbol, number in atomic_numbers.items()}
    return {
        (symbols[one], symbols[two])
        for one, two in zip(
            first.numbers.tolist(), second.numbers[match.site].tolist(), strict=True
        )
    }


@pytest.mark.parametrize(("one", "two", "expected"), PAIRS)
def test_chemistry_does_not_depend_on_the_description(one, two, expected):
    first, second = library_phase(one), library_phase(two)
    random = np.random.default_rng(0)
    for sign in (1, -1, 1):
        order = random.permutation(len(second.numbers))
        other = moved(second, random.random(3), order, sign)
        assert partners(first, other) == expected
        assert partners(other, first) == {(b, a) for a, b in expected}


@pytest.mark.parametrize(("one", "two"), NONE)
def test_other_structures(one, two):
    assert matching_sites(library_phase(one), library_phase(two)) is None
    assert matching_sites(library_phase(two), library_phase(one)) is None


def test_as_it_stands_where_all_is_alike():
    ge = library_phase("Ge diamond")
    match = matching_sites(library_phase("Si diamond"), ge)
    assert not match.inverted
    assert np.abs(match.shift).max() < 1e-9
    eighth = matching_sites(library_phase("Si diamond"), moved(ge, 1 / 8, range(8)))
    assert np.linalg.norm(eighth.shift) == pytest.approx(np.sqrt(3) / 8)


def test_cells_of_other_shape():
    gaas = library_phase("GaAs zincblende")
    a = gaas.cell[0]
    for cell, alike in [
        ((a, a, 1.14 * a, 90, 90, 90), True),
        ((1.3 * a, 1.3 * a, 1.3 * a, 90, 90, 90), True),
        ((a, a, 1.16 * a, 90, 90, 90), False),
        ((a, a, a, 90, 91.9, 90), True),
        ((a, a, a, 90, 92.1, 90), False),
    ]:
        assert (matching_sites(gaas, replace(gaas, cell=cell)) is not None) is alike


def test_alloys_have_several_elements_on_a_place():
    gaas = library_phase("GaAs zincblende")
    alloy = replace(
        gaas,
        numbers=np.r_[gaas.numbers, np.full(4, 49)],
        fractional=np.r_[gaas.fractional, gaas.fractional[:4]],
        occupancy=np.r_[np.full(4, 0.8), np.ones(4), np.full(4, 0.2)],
    )
    match = matching_sites(alloy, gaas)
    assert len(match.site) == 12
    assert (match.site[8:] == match.site[:4]).all()
    assert (matching_sites(gaas, alloy).site == np.arange(8)).all()


def test_groups_of_the_periodic_table():
    groups = {
        1: "H Li Na Cs", 2: "Be Mg Ba", 3: "Sc La Ce Lu U", 4: "Ti Zr Hf",
        11: "Cu Ag Au", 12: "Zn Cd Hg", 13: "B Al Ga In Tl", 14: "C Si Ge Sn Pb",
        15: "N P As Sb Bi", 16: "O S Se Te", 17: "F Cl Br I", 18: "He Ne Ar Xe",
    }  # fmt: skip
    for group, symbols in groups.items():
        numbers = np.array([atomic_numbers[symbol] for symbol in symbols.split()])
        assert (_group(numbers) == group).all()
