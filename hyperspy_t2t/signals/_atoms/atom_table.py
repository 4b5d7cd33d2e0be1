# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Rows of an AtomicModel from the columns of its regions, whole or block by block."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from hyperspy_t2t.atoms.columns import Columns
from hyperspy_t2t.atoms.expansion import Atoms, atom_counts, expand

COLUMNS = ("x", "y", "z", "number", "region", "ux", "uy", "uz", "column", "flag")
UNITS = ("Å", "Å", "Å", "", "", "Å", "Å", "Å", "", "")
CONTINUED, AMORPHOUS, HYDROGEN = 1, 2, 4
"""Bits of the flag."""
BLOCK = 1 << 20
"""Atoms that are made at once, and rows of a chunk of a lazy table, about."""


@dataclass(frozen=True)
class FilledRegion:
    """Atoms of one region: its columns and what differs from atom to atom.

    Parameters
    ----------
    label
        Of the region.
    columns
        Its columns; none where it has no lattice.
    repeats, thickness
        Periods along the beam, or None where the columns are cut, and nm.
    first_column
        Number of its first column in the model.
    to_true
        Image to true lengths, shape (2, 2).
    lean
        Of the undeformed lattice, shape (2,).
    numbers
        Atomic number of each atom, column by column; 0 where there is none.
    single
        Rows of atoms that belong to no column.
    """

    label: int
    columns: Columns
    repeats: int | None
    thickness: float
    first_column: int
    to_true: np.ndarray
    lean: np.ndarray
    numbers: np.ndarray
    single: np.ndarray = field(default_factory=lambda: np.empty((0, len(COLUMNS))))

    def __len__(self) -> int:
        return int(np.count_nonzero(self.numbers)) + len(self.single)

    @property
    def counts(self) -> np.ndarray:
        """Places of each column, shape (number of columns,)."""
        return atom_counts(self.columns, **self._length())

    def kept_counts(self) -> np.ndarray:
        """Atoms of each column, shape (number of columns,)."""
        counts = self.counts
        column = np.repeat(np.arange(len(counts)), counts)
        return np.bincount(column[self.numbers > 0], minlength=len(counts))

    def atoms(self, start: int = 0, stop: int | None = None) -> Atoms:
        """Places `start` to `stop`, those without an atom included."""
        return expand(
            self.columns,
            transform=self.to_true,
            reference_lean=self.lean,
            rows=(start, len(self.numbers) if stop is None else stop),
            first_column=self.first_column,
            **self._length(),
        )

    def _length(self) -> dict[str, Any]:
        if self.repeats is None:
            return {"thickness": self.thickness}
        return {"repeats": self.repeats}

    def rows(self, start: int, stop: int) -> np.ndarray:
        """Rows of the table of the places `start` to `stop` that hold an atom."""
        numbers = self.numbers[start:stop]
        kept = numbers > 0
        atoms = self.atoms(start, stop)
        column = atoms.column[kept]
        rows = np.empty((len(column), len(COLUMNS)))
        rows[:, :3] = atoms.position[kept]
        rows[:, 3] = numbers[kept]
        rows[:, 4] = self.label
        rows[:, 5:8] = atoms.displacement[kept]
        rows[:, 8] = column
        continued = self.columns.continued[column - self.first_column]
        rows[:, 9] = np.where(continued, CONTINUED, 0)
        return rows

    def blocks(self) -> Iterator[tuple[int, int]]:
        """Ranges of places that are made at once."""
        for start in range(0, len(self.numbers), BLOCK):
            yield start, min(start + BLOCK, len(self.numbers))


def table_of(regions: Sequence[FilledRegion], *, lazy: bool) -> Any:
    """All rows, numpy or dask, shape (n, len(COLUMNS))."""
    if lazy:
        return _lazy_table(regions)
    rows = np.empty((sum(map(len, regions)), len(COLUMNS)))
    end = 0
    for region in regions:
        for start, stop in region.blocks():
            part = region.rows(start, stop)
            rows[end : end + len(part)] = part
            end += len(part)
        rows[end : end + len(region.single)] = region.single
        end += len(region.single)
    return rows


def _lazy_table(regions: Sequence[FilledRegion]) -> Any:
    """Rows made when they are asked for; columns and elements stay in memory."""
    import dask
    import dask.array as da

    parts = []
    for region in regions:
        shared = dask.delayed(region, traverse=False)
        for start, stop in region.blocks():
            count = int(np.count_nonzero(region.numbers[start:stop]))
            block = dask.delayed(FilledRegion.rows)(shared, start, stop)
            shape = (count, len(COLUMNS))
            parts.append(da.from_delayed(block, shape, dtype=float))
        if len(region.single):
            parts.append(da.from_array(region.single, chunks=(BLOCK, -1)))
    return da.concatenate(parts)
