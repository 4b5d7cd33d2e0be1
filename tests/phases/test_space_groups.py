# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Space groups by symbol, against the tables of ase and diffpy."""

import pytest

from hyperspy_t2t.phases.library import phase_names
from hyperspy_t2t.phases.space_groups import (
    find_space_group,
    nearest_group,
    space_group_number,
    space_group_symbol,
)


def test_all_symbols_of_ase() -> None:
    from ase.spacegroup import Spacegroup

    for number in range(1, 231):
        symbol = Spacegroup(number).symbol
        for text in (symbol, symbol.replace(" ", ""), space_group_symbol(number)):
            assert space_group_number(text) == number, text


def test_all_standard_symbols_of_diffpy() -> None:
    from diffpy.structure.spacegroups import SpaceGroupList

    groups = [one for one in SpaceGroupList if one.number <= 230]
    # The Protein Data Bank writes the hexagonal setting of R with an H.
    texts = [(one.short_name.replace("H", "R"), one.number) for one in groups]
    texts += [(one.pdb_name.replace("H", "R"), one.number) for one in groups]
    # A misprint: the full symbol in the International Tables has a screw axis.
    texts.remove(("P 4/n 2/c 2/c", 130))
    texts.append(("P 4/n 2_1/c 2/c", 130))
    assert len(texts) >= 460
    for text, number in texts:
        assert space_group_number(text) == number, text


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("fd-3m", 227),
        ("Fd3m", 227),
        ("F d -3 m S", 227),
        ("Fd-3m:2", 227),
        ("R -3 m H", 166),
        ("R-3m:r", 166),
        ("P2_1/n", 14),
        ("P 1 21/n 1", 14),
        ("C 1 2/c 1", 15),
        ("I2/a", 15),
        ("Pbnm", 62),
        ("Cmca", 64),
        ("Cmce", 64),
        ("P-43m", 215),
        ("P432", 207),
        ("P4_232", 208),
        (" 14 ", 14),
    ],
)
def test_spellings(text: str, number: int) -> None:
    assert space_group_number(text) == number


@pytest.mark.parametrize("text", ["", " ", "-", "Si", "GaAs", "Fd-3n", "P7", "H"])
def test_what_is_no_symbol(text: str) -> None:
    assert find_space_group(text) is None
    with pytest.raises(ValueError, match="from 1 to 230"):
        space_group_number(text)


def test_no_name_of_the_library_is_a_symbol() -> None:
    assert not [name for name in phase_names() if find_space_group(name)]


def test_nearest_group_stays_in_the_crystal_system() -> None:
    assert nearest_group(196, [194, 201]) == 201
    assert nearest_group(196, [194, 15]) == 194
