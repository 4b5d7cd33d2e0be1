# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Which element goes on which site."""

import numpy as np
import pytest
from ase.data import atomic_numbers, chemical_symbols

from hyperspy_t2t.composition.sublattices import (
    group_of,
    no_site,
    sublattice_of_sites,
    sublattices,
)


def places(sites, elements):
    """``{own elements: elements that came}`` as text."""
    found = sublattices(numbers(sites), numbers(elements))
    return {symbols(part.nominal): symbols(part.elements) for part in found}


def numbers(text):
    return np.array([atomic_numbers[symbol] for symbol in text.split()])


def symbols(group):
    return " ".join(chemical_symbols[number] for number in group)


@pytest.mark.parametrize(
    ("sites", "elements", "expected"),
    [
        ("Si Si", "Si Ge", {"Si": "Si Ge"}),
        ("Ge Ge", "Si Ge Sn", {"Ge": "Si Ge Sn"}),
        ("Ga As", "In Al Ga As Sb P N", {"Ga": "In Al Ga", "As": "As Sb P N"}),
        ("In Sb", "Ga As Mn", {"In": "Ga", "Sb": "As"}),
        ("Si C", "Si C Ge", {"Si": "Si Ge", "C": "C"}),
        ("Zn Se", "Cd Mg S Te", {"Zn": "Cd Mg", "Se": "S Te"}),
        ("Ga N Ga N", "Al In Sc", {"Ga": "Al In Sc", "N": ""}),
        (
            "Sr Ti O O O",
            "La Ba Ca Pb Bi Mn Nb Zr Fe Ru O",
            {"Sr": "La Ba Ca Pb Bi", "Ti": "Mn Nb Zr Fe Ru", "O": "O"},
        ),
        ("La Mn O O O", "Sr Ca Ti", {"La": "Sr Ca", "Mn": "Ti", "O": ""}),
        ("Cu In Se Se", "Ga Ag S", {"Cu": "Ag", "In": "Ga", "Se": "S"}),
        ("Fe Pt", "Co Ni", {"Fe": "Co", "Pt": "Ni"}),
        ("Cu", "Zn Au", {"Cu": "Zn Au"}),
        ("Si Si", "In As", {"Si": ""}),  # no III-V in silicon
        ("Ga As", "Si O", {"Ga": "", "As": ""}),
    ],
)
def test_elements_go_where_they_belong(sites, elements, expected):
    assert places(sites, elements) == expected


def test_elements_that_share_a_site_share_a_sublattice():
    sites = np.array([[49, 31, 0], [33, 0, 0], [31, 13, 49]])
    found = sublattices(sites, [5, 15])
    assert [part.nominal for part in found] == [(13, 31, 49), (33,)]
    assert [part.elements for part in found] == [(5,), (15,)]
    assert sublattice_of_sites(sites, found).tolist() == [0, 1, 0]


def test_groups_of_the_periodic_table():
    known = {
        "H": 1, "He": 18, "Li": 1, "B": 13, "C": 14, "Ne": 18, "Al": 13, "K": 1,
        "Ti": 4, "Zn": 12, "Ga": 13, "Kr": 18, "Ag": 11, "In": 13, "Ba": 2, "La": 3,
        "Lu": 3, "Hf": 4, "Au": 11, "Hg": 12, "Bi": 15, "Rn": 18, "U": 3, "Rf": 4,
    }  # fmt: skip
    assert {s: group_of(atomic_numbers[s]) for s in known} == known


def test_the_message_names_the_sites():
    message = no_site(33, {"Si diamond": np.array([14, 14])})
    assert "As: Si diamond has sites of Si" in message
