# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Flat tables: one row per peak or atom, one named column per quantity."""

from typing import Any

import numpy as np

from hyperspy_t2t.signals._carried.saving import SavedWhole
from hyperspy_t2t.signals._carried.schema import stored


class FlatTable(SavedWhole):
    """A signal of rows (navigation) and columns (signal), grouped by region.

    ``metadata.<node>`` holds ``columns``, ``columns_units``, ``region_labels`` and
    ``offsets``: region k has the rows offsets[k] to offsets[k + 1]. Slicing rows
    or columns keeps them in step. HyperSpy can't save a table without rows: an empty
    one has a single row of NaN, which no offset reaches.
    """

    _node: str = ""

    @property
    def columns(self) -> list[str]:
        """Names of the columns."""
        return [str(name) for name in stored(self, f"{self._node}.columns")]

    @property
    def columns_units(self) -> list[str]:
        """Units of the columns; empty where a quantity has none."""
        units = stored(self, f"{self._node}.columns_units")
        return [str(unit) for unit in units]

    @property
    def region_labels(self) -> np.ndarray:
        """Labels of the regions the table was made for, in the order of its rows."""
        return np.asarray(stored(self, f"{self._node}.region_labels"))

    @property
    def offsets(self) -> np.ndarray:
        """First row of each region and the number of rows, shape (n_regions + 1,)."""
        return np.asarray(stored(self, f"{self._node}.offsets"))

    @property
    def table(self) -> np.ndarray:
        """All rows as a numpy array (rows, columns)."""
        return self._rows(slice(None))

    def column(self, name: str) -> np.ndarray:
        """One column by name, shape (rows,)."""
        names = self.columns
        if name not in names:
            raise KeyError(f"Expected one of the columns {names}, got {name!r}.")
        return np.asarray(self._checked_data()[:, names.index(name)])

    def _rows(self, rows: slice) -> np.ndarray:
        return np.asarray(self._checked_data()[rows])

    def _checked_data(self) -> Any:
        """The data as (rows, columns), if they are what the metadata say."""
        data = self.data if self.data.ndim == 2 else self.data[None]
        rows, columns = int(self.offsets[-1]), len(self.columns)
        if data.shape[1] != columns or len(data) not in (rows, max(1, rows)):
            raise ValueError(
                f"Expected a table of {rows} rows and {columns} columns, got data of "
                f"shape {self.data.shape}: an operation other than slicing changed it. "
                "Start again from the table it was made of."
            )
        return data[:rows]

    def _rows_of(self, label: int) -> slice:
        where = np.flatnonzero(self.region_labels == label)
        if not len(where):
            raise KeyError(
                f"Expected a region label among {self.region_labels.tolist()}, got "
                f"{label!r}."
            )
        start, stop = self.offsets[where[0] : where[0] + 2]
        return slice(int(start), int(stop))

    def _slicer(self, slices: Any, isNavigation: Any = None, out: Any = None) -> Any:
        result = super()._slicer(slices, isNavigation, out)
        target = result if out is None else out
        cut = self._get_array_slices(slices, isNavigation)
        rows, columns = cut[0] if len(cut) > 1 else slice(None), cut[-1]
        node = self._node
        if isinstance(columns, slice) and columns != slice(None):
            for leaf in ("columns", "columns_units"):
                values = getattr(self, leaf)[columns]
                target.metadata.set_item(f"{node}.{leaf}", values)
        if len(cut) > 1 and rows != slice(None):
            kept = np.atleast_1d(np.arange(self.data.shape[0])[rows])
            if len(kept) > 1 and kept[0] > kept[-1]:
                raise IndexError(
                    "Expected rows in ascending order, since they are grouped by "
                    "region, got a slice with a negative step."
                )
            offsets = np.searchsorted(kept, self.offsets)
            target.metadata.set_item(f"{node}.offsets", offsets)
        return result


def table_metadata(
    columns: tuple[str, ...],
    units: tuple[str, ...],
    labels: np.ndarray,
    counts: np.ndarray,
) -> dict:
    """The leaves that describe a table, for its metadata node."""
    return {
        "schema_version": 1,
        "columns": list(columns),
        "columns_units": list(units),
        "region_labels": np.asarray(labels, np.int64),
        "offsets": np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
    }


def table_data(rows: np.ndarray) -> np.ndarray:
    """Rows as float64, with the one row of NaN that stands for none."""
    rows = np.asarray(rows, float)
    return rows if len(rows) else np.full((1, rows.shape[1]), np.nan)


def table_axes(rows: int, columns: int, *, row_name: str) -> list[dict]:
    """Axes of a table for the constructor of a signal."""
    return [
        {"name": row_name, "size": max(1, rows), "navigate": True},
        {"name": "column", "size": columns, "navigate": False},
    ]
