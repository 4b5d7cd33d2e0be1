# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Rows of numbers as lines of text, about fifty million digits a second."""

import numba
import numpy as np
import numpy.typing as npt

from hyperspy_t2t.array_types import Array, Ints

SYMBOL = -1
"""Format of a column of atomic numbers that is written as element symbols."""
JOINED = -2
"""Symbols with no space after them."""
_LONGEST = 24
"""Bytes of the longest field and its separator."""


def lines_of(values: Array, formats: tuple[int, ...]) -> npt.NDArray[np.uint8]:
    """Lines of a text file, as bytes.

    Parameters
    ----------
    values
        One row per line, (n, k).
    formats
        Of each column: digits after the point (0 writes a whole number), ``SYMBOL`` or
        ``JOINED``.

    Returns
    -------
    numpy.ndarray
        ASCII bytes: fields with a space between them, each line with its line feed.

    Raises
    ------
    ValueError
        A value is not finite, or too large for a fixed point.
    """
    values = np.ascontiguousarray(values, float)
    if values.shape[1:] != (len(formats),):
        raise ValueError(
            f"Expected rows of {len(formats)} values, got the shape {values.shape}."
        )
    text = np.empty(values.size * _LONGEST, np.uint8)
    length = _write_lines(values, np.array(formats, np.int64), _symbols(), text)
    if length < 0:
        row = values[-1 - length]
        raise ValueError(
            "Expected finite numbers below 1e17 with all their decimals, and atomic "
            f"numbers of elements, got the row {row.tolist()}."
        )
    return text[:length]


def _symbols() -> npt.NDArray[np.uint8]:
    """Two letters of each element by atomic number, 0 where there is no second."""
    from ase.data import chemical_symbols

    names = np.array(chemical_symbols, "S2")
    return names.view(np.uint8).reshape(-1, 2)


@numba.njit(cache=True, nogil=True)
def _write_lines(
    values: Array,
    formats: Ints,
    symbols: npt.NDArray[np.uint8],
    text: npt.NDArray[np.uint8],
) -> int:
    """Length of the text, or −1 − row of a value that can't be written."""
    at = 0
    for row in range(len(values)):
        for column in range(len(formats)):
            decimals, value = formats[column], values[row, column]
            if decimals >= 0:
                scaled = value * 10.0**decimals
                if not abs(scaled) < 1e17:
                    return -1 - row
                at = _write_number(np.int64(np.rint(scaled)), decimals, text, at)
            else:
                if not 1 <= value < len(symbols):
                    return -1 - row
                for letter in symbols[np.int64(value)]:
                    if letter:
                        text[at] = letter
                        at += 1
            if decimals != JOINED:
                text[at] = 32
                at += 1
        text[at - 1] = 10
    return at


@numba.njit(cache=True, nogil=True)
def _write_number(
    scaled: int, decimals: int, text: npt.NDArray[np.uint8], at: int
) -> int:
    """Write scaled · 10^−decimals; where the text goes on."""
    if scaled < 0:
        text[at] = 45
        at += 1
        scaled = -scaled
    digits, rest = 1, scaled
    while rest >= 10 or digits <= decimals:
        rest //= 10
        digits += 1
    end = at + digits + (decimals > 0)
    for place in range(digits):
        if decimals > 0 and place == decimals:
            end -= 1
            text[end] = 46
        end -= 1
        text[end] = 48 + scaled % 10
        scaled //= 10
    return at + digits + (decimals > 0)
