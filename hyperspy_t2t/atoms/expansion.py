# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""From columns of atoms to atoms, as many as the thickness holds."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numba import njit

from hyperspy_t2t.array_types import Array, Ints
from hyperspy_t2t.atoms.columns import Columns

_SAME = 1e-6
"""Share of a period below which two depths are one."""


@dataclass(frozen=True)
class Atoms:
    """Rows of atoms, those of one column next to each other.

    Parameters
    ----------
    position
        (x, y, z) in Å, shape (n, 3), z along the beam.
    displacement
        u = r − R in Å, shape (n, 3); R has the undeformed depth.
    column
        Which of the columns each atom belongs to, shape (n,).
    """

    position: Array
    displacement: Array
    column: npt.NDArray

    def __len__(self) -> int:
        return len(self.column)


def periodic_repeats(
    period: float, thickness: float, *, phase: str = "", zone_axis: Sequence[int] = ()
) -> int:
    """Whole number of periods nearest to a thickness.

    Parameters
    ----------
    period, thickness
        Along the beam in nm.
    phase, zone_axis
        Named in the error.

    Raises
    ------
    ValueError
        A thickness below one period.
    """
    if not thickness >= period * (1 - 1e-3):
        what = f" of {phase}" if phase else ""
        if len(zone_axis):
            what += f" along [{' '.join(str(int(i)) for i in zone_axis)}]"
        raise ValueError(
            f"Expected a thickness of at least one period{what}, {period:.4g} nm; got "
            f"{thickness:.4g} nm."
        )
    return max(1, round(thickness / period))


def atom_counts(
    columns: Columns, *, repeats: int | None = None, thickness: float | None = None
) -> Ints:
    """Number of atoms of each column, see :func:`expand`, shape (n,)."""
    first, last, _ = _layers(columns, repeats, thickness)
    return last - first


def expand(
    columns: Columns,
    *,
    repeats: int | None = None,
    thickness: float | None = None,
    transform: npt.ArrayLike = ((1.0, 0.0), (0.0, 1.0)),
    reference_lean: npt.ArrayLike = (0.0, 0.0),
    rows: tuple[int, int] | None = None,
    first_column: int = 0,
    out: tuple[npt.NDArray, npt.NDArray, npt.NDArray] | None = None,
) -> Atoms:
    """Atoms of columns along the beam.

    Atom k of a column lies at depth d = depth + k·period; with m the middle of the
    thickness, z = m + (d − m)·stretch and xy = position + lean·(d − m).

    Parameters
    ----------
    columns
        The columns.
    repeats
        Periods along the beam: every column has as many atoms, and m is half their
        length.
    thickness
        In nm, instead of `repeats`: all atoms with 0 ≤ z < thickness.
    transform
        Linear map applied to x and y, and those of u, shape (2, 2).
    reference_lean
        Lean of the undeformed lattice (its tilt), not a part of u, shape (2,).
    rows
        First and last (not included) of the atoms to make; all by default.
    first_column
        Number of the first column.
    out
        Where to write positions (n, 3), displacements (n, 3) and columns (n,); may be
        parts of a larger table.
    """
    first, last, middle = _layers(columns, repeats, thickness)
    ends = np.concatenate([[0], np.cumsum(last - first)])
    start, stop = (0, int(ends[-1])) if rows is None else rows
    if out is None:
        size = stop - start
        out = np.empty((size, 3)), np.empty((size, 3)), np.empty(size, np.int64)
    if stop > start:
        one = int(np.searchsorted(ends, start, side="right")) - 1
        end = int(np.searchsorted(ends, stop, side="left"))
        some = slice(one, end)
        _expand(
            *(
                np.ascontiguousarray(a[some], float)
                for a in (columns.position, columns.reference, columns.depth,
                          columns.stretch, columns.lean)
            ),
            first[some], ends[one : end + 1] - start, float(columns.period), middle,
            10.0 * np.asarray(transform, float), np.asarray(reference_lean, float),
            first_column + one, stop - start, *out,
        )  # fmt: skip
    return Atoms(*out)


def _layers(
    columns: Columns, repeats: int | None, thickness: float | None
) -> tuple[Ints, Ints, float]:
    """First and last (not included) k of each column and the middle depth in nm."""
    if (repeats is None) == (thickness is None):
        raise ValueError(
            "Expected either repeats or a thickness, got "
            f"repeats={repeats}, thickness={thickness}."
        )
    if repeats is not None:
        first = np.zeros(len(columns), np.int64)
        return first, first + repeats, 0.5 * repeats * columns.period
    assert thickness is not None  # one of the two is
    middle = 0.5 * thickness
    half = middle / np.asarray(columns.stretch)
    # Atoms from −half to +half about the middle; a hair below a face counts as on it.
    low = (middle - half - columns.depth) / columns.period
    high = (middle + half - columns.depth) / columns.period
    first = np.ceil(low - _SAME).astype(np.int64)
    return first, np.maximum(first, np.ceil(high - _SAME).astype(np.int64)), middle


@njit(cache=True, nogil=True)
def _expand(
    position: Array, reference: Array, depth: Array, stretch: Array, lean: Array,
    first: Ints, ends: Ints, period: float, middle: float, transform: Array,
    reference_lean: Array, number: int, size: int, at: Array, u: Array, column: Array,
) -> None:  # fmt: skip
    """Rows 0 … size of the atoms; those of column c are ends[c] … ends[c + 1]."""
    a, b, c, d = transform[0, 0], transform[0, 1], transform[1, 0], transform[1, 1]
    for n in range(len(depth)):
        for row in range(max(ends[n], 0), min(ends[n + 1], size)):
            deep = depth[n] + (first[n] + row - ends[n]) * period
            off = deep - middle
            x = position[n, 0] + lean[n, 0] * off
            y = position[n, 1] + lean[n, 1] * off
            z = middle + off * stretch[n]
            ux = x - reference[n, 0] - reference_lean[0] * off
            uy = y - reference[n, 1] - reference_lean[1] * off
            at[row, 0], at[row, 1], at[row, 2] = a * x + b * y, c * x + d * y, 10 * z
            u[row, 0], u[row, 1] = a * ux + b * uy, c * ux + d * uy
            u[row, 2] = 10 * (z - deep)
            column[row] = number + n
