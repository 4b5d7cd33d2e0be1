# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Atoms in a CIF file, also where it gives symmetry by operations alone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from hyperspy_t2t.phases.space_groups import find_space_group

if TYPE_CHECKING:
    import ase

_OPERATIONS = {
    "_space_group_symop_operation_xyz",
    "_space_group_symop.operation_xyz",
    "_symmetry_equiv_pos_as_xyz",
}
_NUMBERS = {
    "_space_group.it_number",
    "_space_group_it_number",
    "_symmetry_int_tables_number",
}
_SYMBOLS = ("_space_group_name_h-m_alt", "_symmetry_space_group_name_h-m")


def last_structure(path: str | Path) -> ase.Atoms:
    """Atoms of the full cell of the last structure in a CIF file.

    Raises
    ------
    Exception
        Of any kind, as the parser of ase leaves it; ValueError where there is no
        structure in the file.
    """
    from ase.io.cif import CIFBlock, parse_cif

    with Path(path).open("rb") as file:
        blocks = [block for block in parse_cif(file) if block.has_structure()]
    if not blocks:
        raise ValueError("it holds no cell with atom sites")
    tags = dict(blocks[-1])
    if not _OPERATIONS.isdisjoint(tags) and _NUMBERS.isdisjoint(tags):
        # ase asks for a group it knows even where the operations say all.
        symbols = [tags[key] for key in _SYMBOLS if isinstance(tags.get(key), str)]
        number = find_space_group(symbols[0]) if symbols else None
        tags["_space_group_it_number"] = number or 1
    return CIFBlock(blocks[-1].name, tags).get_atoms()
