# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Constants of the Keating model for pairs of elements, each with source and status."""

import json
from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from typing import NamedTuple

from ase.data import atomic_numbers, covalent_radii


class PairConstants(NamedTuple):
    """Keating constants of the bond between two elements."""

    alpha: float
    """Against stretching, N/m."""
    beta: float
    """Against bending, N/m."""
    length: float
    """Bond length without strain, Å."""
    source: str = "given by the caller"
    status: str = ""


@cache
def stored_constants() -> dict[tuple[str, str], PairConstants]:
    """All stored pairs; the two symbols are in alphabetical order."""
    stored = files("hyperspy_t2t.data").joinpath("keating_parameters.json")
    rows = json.loads(stored.read_text(encoding="utf-8"))["pairs"]
    return {
        pair(row["elements"]): PairConstants(
            *(row[name] for name in PairConstants._fields)
        )
        for row in rows
    }


def pair(elements: Iterable[str]) -> tuple[str, str]:
    """The name of a pair: its two symbols in alphabetical order."""
    first, second = sorted(elements)
    return first, second


def bond_length(first: str, second: str) -> float:
    """Length of a bond in Å: of the model, or the sum of covalent radii.

    The radii are those of Cordero et al., Dalton Trans. 2832 (2008), doi:
    10.1039/b801115j, as in :mod:`ase.data`.
    """
    known = stored_constants().get(pair((first, second)))
    if known is not None:
        return known.length
    return float(
        covalent_radii[atomic_numbers[first]] + covalent_radii[atomic_numbers[second]]
    )
