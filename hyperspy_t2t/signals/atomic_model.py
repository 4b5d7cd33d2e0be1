# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""AtomicModel: the atoms of a micrograph."""

from collections.abc import Iterable, Sequence
from numbers import Real
from typing import Any

import numpy as np
from hyperspy.signals import LazySignal1D, Signal1D

from hyperspy_t2t.arguments import as_array, checks_arguments, whole_numbers
from hyperspy_t2t.signals._carried.companions import ComputesCarried
from hyperspy_t2t.signals._carried.schema import stored
from hyperspy_t2t.signals._carried.table import FlatTable, table_axes, table_data
from hyperspy_t2t.signals._mechanics.mechanics import Mechanics
from hyperspy_t2t.signals._mechanics.vibrations import Vibrations
from hyperspy_t2t.signals._model.comparison import ModelComparing
from hyperspy_t2t.signals._model.files import ModelFiles
from hyperspy_t2t.signals._model.refinement import ModelRefinement
from hyperspy_t2t.signals._model.report import ModelReport
from hyperspy_t2t.signals._model.views import ModelViews

Range = tuple[float | None, float | None]


@checks_arguments
class AtomicModel(
    ModelViews,
    ModelReport,
    ModelFiles,
    ModelComparing,
    ModelRefinement,
    Mechanics,
    Vibrations,
    FlatTable,
    Signal1D,
):
    """Atoms in one table: a row per atom, grouped by region.

    The columns are ``x``, ``y``, ``z`` in Å, ``number``, ``region``, the displacement
    ``ux``, ``uy``, ``uz`` in Å, ``column`` and ``flag``; models of older files have the
    first five. x and y are those of the image, z runs along the beam, away from the
    source.
    """

    _signal_type = "atomic_model"
    _signal_dimension = 1
    _node = "AtomicModel"

    @property
    def positions(self) -> np.ndarray:
        """Positions in Å, shape (n, 3)."""
        return self._together(("x", "y", "z"))

    @property
    def displacement(self) -> np.ndarray:
        """Displacement u = r − R from the undeformed lattice in Å, shape (n, 3)."""
        missing = [name for name in ("ux", "uy", "uz") if name not in self.columns]
        if missing:
            raise ValueError(
                f"Expected a model with displacements, got one without {missing}: it "
                "was sliced, or made by an older version. Build it anew with to_atoms."
            )
        return self._together(("ux", "uy", "uz"))

    @property
    def numbers(self) -> np.ndarray:
        """Atomic numbers, shape (n,)."""
        return self.column("number").astype(np.int64)

    @property
    def region(self) -> np.ndarray:
        """Region of each atom, shape (n,)."""
        return self.column("region").astype(np.int64)

    @property
    def column_ids(self) -> np.ndarray:
        """Atomic column of each atom, shape (n,); −1 where it belongs to none."""
        return self._whole_numbers("column", missing=-1)

    @property
    def flag(self) -> np.ndarray:
        """What is special about each atom, shape (n,), a sum of bits.

        1: its displacement is continued from where it was measured; 2: of an amorphous
        region; 4: hydrogen that closes a dangling bond.
        """
        return self._whole_numbers("flag", missing=0)

    @property
    def cell(self) -> np.ndarray:
        """Cell vectors as rows in Å, shape (3, 3)."""
        return np.asarray(stored(self, "AtomicModel.cell"))

    @property
    def cell_origin(self) -> np.ndarray:
        """Corner of the cell in Å, shape (3,): the image need not begin at zero."""
        return np.asarray(stored(self, "AtomicModel.cell_origin"))

    @property
    def pbc(self) -> np.ndarray:
        """Which cell vectors are periodic, shape (3,)."""
        return np.asarray(stored(self, "AtomicModel.pbc"), bool)

    @property
    def n_atoms(self) -> int:
        """Number of atoms."""
        return int(self.offsets[-1])

    def formula(self) -> dict[str, int]:
        """Number of atoms of each element."""
        from ase.data import chemical_symbols

        counts = np.bincount(self.numbers, minlength=1)
        return {
            chemical_symbols[number]: int(counts[number])
            for number in np.flatnonzero(counts)
        }

    def select(
        self,
        regions: int | Iterable[int] | None = None,
        *,
        x: Range | None = None,
        y: Range | None = None,
        z: Range | None = None,
        elements: str | Iterable[str] | None = None,
    ) -> "AtomicModel":
        """The atoms of some regions, of a box or of some elements.

        Parameters
        ----------
        regions
            One label or several.
        x, y, z
            (low, high) in Å as :attr:`positions` are (pictures are in nm), low ≤ x <
            high; None for an end that is open.
        elements
            One symbol or several.

        Returns
        -------
        AtomicModel
            Lazy if this one is. Positions stay where they are, and the cell and its
            periodic directions stay those of the whole model: pieces fit together.
            Region labels stay too, some perhaps without atoms.

        Raises
        ------
        KeyError
            No such region.
        ValueError
            No such element, or a range whose ends are reversed.

        Examples
        --------
        >>> import hyperspy_t2t.data
        >>> s = hyperspy_t2t.data.scene("single_crystal", shape=(256, 256), dose=50)
        >>> strain = s.segment().find_peaks().index_phases(["Si"]).gpa()
        >>> model = strain.to_atoms(2)
        >>> part = model.select(x=(20, 40), y=(None, 60))
        >>> bool((part.positions[:, 0] >= 20).all())
        True
        """
        kept = np.ones(self.n_atoms, bool)
        if regions is not None:
            kept[:] = False
            for label in whole_numbers("regions", regions):
                kept[self._rows_of(label)] = True
        given = {"x": x, "y": y, "z": z}
        ranges = {name: limits for name, limits in given.items() if limits is not None}
        names = list(ranges)
        if names or elements is not None:
            table = self._together((*names, "number"))
            for values, name in zip(table.T, names, strict=False):
                kept &= _within(values, name, ranges[name])
            if elements is not None:
                kept &= np.isin(table[:, -1], _numbers_of(elements))
        return self._of_rows(np.flatnonzero(kept))

    def to_ase(self) -> Any:
        """The model as ``ase.Atoms``: regions are its tags, celldisp is cell_origin.

        Displacements, if the model knows them, are its array "displacement".
        """
        from ase import Atoms

        atoms = Atoms(
            numbers=self.numbers,
            positions=self.positions,
            cell=self.cell,
            pbc=self.pbc,
            celldisp=self.cell_origin,
            tags=self.region,
        )
        if {"ux", "uy", "uz"} <= set(self.columns):
            atoms.set_array("displacement", self.displacement)
        return atoms

    def _together(self, names: Sequence[str]) -> np.ndarray:
        """Several columns side by side, (n, k); a lazy table is computed once."""
        known = self.columns
        missing = [name for name in names if name not in known]
        if missing:
            raise KeyError(f"Expected the columns {missing} among {known}.")
        places = [known.index(name) for name in names]
        return np.asarray(self._checked_data()[:, places])

    def _whole_numbers(self, name: str, *, missing: int) -> np.ndarray:
        if name not in self.columns:
            return np.full(self.n_atoms, missing, np.int64)
        return self.column(name).astype(np.int64)

    def _of_rows(self, rows: np.ndarray) -> "AtomicModel":
        """A model of some rows, given in ascending order."""
        from hyperspy_t2t.signals._carried import convert

        data = self._checked_data()[rows]
        if not len(rows):
            data = table_data(np.asarray(data))
            if self._lazy:
                import dask.array as da

                data = da.from_array(data)
        result = convert.signal_of(
            "atomic_model",
            data,
            table_axes(len(rows), len(self.columns), row_name="atom"),
            self.metadata.deepcopy().as_dictionary(),
            title=self.metadata.General.title,
        )
        offsets = np.searchsorted(rows, self.offsets)
        result.metadata.set_item(f"{self._node}.offsets", offsets)
        result.original_metadata.add_dictionary(self.original_metadata.as_dictionary())
        return result


def _within(values: np.ndarray, name: str, limits: Range) -> np.ndarray:
    """Whether low ≤ value < high."""
    ends = as_array(limits)
    known = ends.shape == (2,) and all(
        end is None or isinstance(end, Real) for end in ends.tolist()
    )
    if not known:
        raise ValueError(f"Expected {name}=(low, high) in Å, got {limits!r:.80}.")
    low = -np.inf if limits[0] is None else float(limits[0])
    high = np.inf if limits[1] is None else float(limits[1])
    if not low < high:
        raise ValueError(
            f"Expected {name}=(low, high) in Å with low below high, got {limits!r}."
        )
    return (values >= low) & (values < high)


def _numbers_of(element: str | Iterable[str]) -> list[int]:
    """Atomic numbers of symbols."""
    from ase.data import atomic_numbers

    symbols = as_array(element).ravel().tolist()
    unknown = [
        symbol
        for symbol in symbols
        if not isinstance(symbol, str) or not atomic_numbers.get(symbol)
    ]
    if unknown:
        raise ValueError(f"Expected symbols of elements such as 'Si', got {unknown}.")
    return [atomic_numbers[symbol] for symbol in symbols]


class LazyAtomicModel(ComputesCarried, LazySignal1D, AtomicModel):
    """Lazy twin of :class:`AtomicModel`."""

    def plot(self, **kwargs: Any) -> None:
        # Not through LazySignal.plot, which would compute a navigator.
        AtomicModel.plot(self, **kwargs)

    plot.__doc__ = AtomicModel.plot.__doc__
