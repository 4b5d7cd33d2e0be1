# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Space groups by number and by Hermann-Mauguin symbol, in the usual spellings."""

import difflib
import re
from bisect import bisect_left
from collections.abc import Iterable
from functools import cache
from numbers import Integral

_FIRST_CUBIC = 195
_LAST_OF_SYSTEM = (2, 15, 74, 142, 167, 194, 230)
"""Last space group of each crystal system."""
_GLIDES = ("bc", "ac", "ab")
"""Glides that the e of 1992 stands for, perpendicular to a, b and c."""


def space_group_number(group: int | str) -> int:
    """Number in the International Tables of a space group.

    Parameters
    ----------
    group
        Its number, 1 to 230, or its Hermann-Mauguin symbol: short or full, in any
        setting spglib tabulates, with or without spaces and underscores, in any
        case. Older forms such as ``Fd3m`` and ``Cmca`` count, and a setting at the
        end, as in ``Fd-3m:2`` or ``R -3 m H``, is left out.

    Raises
    ------
    ValueError
        Where there is no such number or symbol; the message lists the closest.
    TypeError
        Where it is neither an integer nor a string.

    References
    ----------
    International Tables for Crystallography A, https://doi.org/10.1107/97809553602060000114

    Examples
    --------
    >>> space_group_number("P6_3/mmc"), space_group_number("F d -3 m")
    (194, 227)
    """
    whole = isinstance(group, Integral) and not isinstance(group, bool)
    if not (whole or isinstance(group, str)):
        raise TypeError(
            "Expected a space group as a number from 1 to 230 or a Hermann-Mauguin "
            f"symbol such as 'Fd-3m'; got {group!r} of type {type(group).__name__}. "
            "Give one of these, or a list of them."
        )
    number = int(group) if whole else find_space_group(str(group))
    if number is not None and 1 <= number <= 230:
        return number
    near = close_symbols(group) if isinstance(group, str) else []
    close = f"Close symbols: {', '.join(map(repr, near))}. " if near else ""
    raise ValueError(
        "Expected a space group as a number from 1 to 230 or a Hermann-Mauguin "
        f"symbol such as 'Fd-3m'; got {group!r}. {close}Check the spelling, or give "
        "the number."
    )


def find_space_group(text: str) -> int | None:
    """Number of the space group that `text` is the symbol or number of, else None."""
    text = text.strip()
    if re.fullmatch(r"\d{1,3}", text):
        return int(text)
    # Upper case letters after the first name a setting in files of databases.
    bare = re.sub(r"\s*:\s*\w+$|(?<=[a-z\d ])[HRSZ]$", "", text)
    return _numbers().get(_plain(bare))


def space_group_symbol(number: int) -> str:
    """Short Hermann-Mauguin symbol of a space group, with underscores: P6_3/mmc."""
    return _symbols()[space_group_number(number)]


def close_symbols(text: str) -> list[str]:
    """Short symbols that are spelled almost like `text`, the closest first."""
    plain = {_plain(symbol): symbol for symbol in _symbols().values()}
    close = difflib.get_close_matches(_plain(text), plain, n=4, cutoff=0.7)
    return [plain[one] for one in close]


def nearest_group(number: int, among: Iterable[int]) -> int:
    """The group nearest in the tables, of the same crystal system where possible."""

    def distance(other: int) -> tuple[bool, int]:
        systems = [bisect_left(_LAST_OF_SYSTEM, one) for one in (number, other)]
        return systems[0] != systems[1], abs(number - other)

    return min(among, key=distance)


def _plain(symbol: str) -> str:
    return re.sub(r"[\s_]", "", symbol).casefold()


@cache
def _symbols() -> dict[int, str]:
    import spglib

    types = [spglib.get_spacegroup_type(hall) for hall in range(1, 531)]
    # The first of a group's settings is the standard one.
    return {one.number: one.international_short for one in reversed(types)}


@cache
def _numbers() -> dict[str, int]:
    """Number for every spelling, plain."""
    import spglib

    found: dict[str, int] = {}
    for hall in range(1, 531):
        one = spglib.get_spacegroup_type(hall)
        spellings = [one.international_short, one.international_full]
        spellings += one.international.split("=")
        for spelling in spellings:
            for form in (spelling, *_other_forms(spelling, one.number)):
                found.setdefault(_plain(form), one.number)
    return found


def _other_forms(symbol: str, number: int) -> list[str]:
    """What else a symbol is written as.

    Short forms of monoclinic settings, full forms spglib lacks, cubic symbols before
    1983, and double glide planes before 1992.
    """
    if number >= _FIRST_CUBIC:
        return [symbol.replace("-3", "3")]
    parts = symbol.strip().split(" ")
    if len(parts) != 4:
        return []
    if 3 <= number <= 15:
        return ["".join(part for part in parts if part != "1")]
    if number in (73, 74):  # the centring puts screw axes between the axes
        return [symbol.replace("2/", "2_1/")]
    if 127 <= number <= 130:
        return [" ".join([*parts[:3], f"2/{parts[3]}"])]
    return [
        " ".join([*parts[: axis + 1], part.replace("e", glide), *parts[axis + 2 :]])
        for axis, part in enumerate(parts[1:])
        if "e" in part
        for glide in _GLIDES[axis]
    ]
