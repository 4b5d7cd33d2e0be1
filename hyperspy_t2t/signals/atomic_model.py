# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""AtomicModel: the atoms of a micrograph."""

from pathlib import Path
from typing import Any

import numpy as np
from hyperspy.signals import LazySignal1D, Signal1D

from hyperspy_t2t.signals._companions import ComputesCarried
from hyperspy_t2t.signals._table import FlatTable


class AtomicModel(FlatTable, Signal1D):
    """Atoms in one table: ``x``, ``y``, ``z`` in Å, ``number``, ``region``.

    x and y are those of the image (in Å), z runs along the beam, away from the
    source.
    """

    _signal_type = "atomic_model"
    _signal_dimension = 1
    _node = "AtomicModel"

    @property
    def positions(self) -> np.ndarray:
        """Positions in Å, shape (n, 3)."""
        return np.stack([self.column(name) for name in "xyz"], axis=-1)

    @property
    def numbers(self) -> np.ndarray:
        """Atomic numbers, shape (n,)."""
        return self.column("number").astype(np.int64)

    @property
    def region(self) -> np.ndarray:
        """Region of each atom, shape (n,)."""
        return self.column("region").astype(np.int64)

    @property
    def cell(self) -> np.ndarray:
        """Cell vectors as rows in Å, shape (3, 3)."""
        return np.asarray(self.metadata.AtomicModel.cell)

    @property
    def cell_origin(self) -> np.ndarray:
        """Corner of the cell in Å, shape (3,): the image need not begin at zero."""
        return np.asarray(self.metadata.AtomicModel.cell_origin)

    @property
    def pbc(self) -> np.ndarray:
        """Which cell vectors are periodic, shape (3,)."""
        return np.asarray(self.metadata.AtomicModel.pbc, bool)

    @property
    def n_atoms(self) -> int:
        """Number of atoms."""
        return int(self.offsets[-1])

    def formula(self) -> dict[str, int]:
        """Number of atoms of each element."""
        from ase.data import chemical_symbols

        numbers, counts = np.unique(self.numbers, return_counts=True)
        return {
            chemical_symbols[number]: int(count)
            for number, count in zip(numbers, counts, strict=True)
        }

    def to_ase(self) -> Any:
        """The model as ``ase.Atoms``; regions are its tags, celldisp is cell_origin."""
        from ase import Atoms

        return Atoms(
            numbers=self.numbers,
            positions=self.positions,
            cell=self.cell,
            pbc=self.pbc,
            celldisp=self.cell_origin,
            tags=self.region,
        )

    def write(self, path: str | Path, **kwargs: Any) -> None:
        """Write the model with ``ase.io.write``; the suffix names the format.

        Parameters
        ----------
        path
            For example ``model.extxyz``, ``.xyz``, ``.cif`` or ``.lammps-data``. A file
            that exists is replaced only once the new one is complete. In a CIF or
            LAMMPS file the corner of the cell is the zero of the coordinates.
        **kwargs
            Passed to ``ase.io.write``.
        """
        from ase.io import write
        from ase.io.formats import UnknownFileTypeError, filetype, get_ioformat

        path = Path(path)
        kwargs.setdefault("format", _FORMATS.get(path.suffix.lower()))
        if kwargs["format"] is None:
            try:
                kwargs["format"] = filetype(str(path), read=False)
                get_ioformat(kwargs["format"])
            except UnknownFileTypeError as error:
                raise ValueError(
                    f"Expected a file name that names a format, such as model.extxyz, "
                    f"got {path.name!r}. Or pass format=..., see ase.io.write."
                ) from error
        partial = path.with_name(f".{path.name}.partial{path.suffix}")
        try:
            atoms = self.to_ase()
            if kwargs["format"] in _FROM_CORNER:
                atoms.translate(-self.cell_origin)
            if kwargs["format"] == "lammps-data":
                kwargs.setdefault("masses", True)  # or the elements would be lost
            write(partial, atoms, **kwargs)
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)

    def plot(self, *, ax: Any = None, most: int = 200_000, **kwargs: Any) -> None:
        """Draw the model as seen along the beam, coloured by element.

        Parameters
        ----------
        ax
            Matplotlib axes; a new figure by default.
        most
            Atoms drawn at most, evenly chosen.
        **kwargs
            Passed to ``Axes.scatter``.
        """
        from hyperspy_t2t.signals._plot import draw_atoms

        kwargs.pop("navigator", None)
        step = max(1, -(-self.n_atoms // most))
        draw_atoms(self.positions[::step], self.numbers[::step], ax=ax, **kwargs)


_FROM_CORNER = ("cif", "lammps-data")
"""Formats that know no atoms outside of the cell."""
_FORMATS = {
    ".extxyz": "extxyz",
    ".xyz": "xyz",
    ".cif": "cif",
    ".lammps-data": "lammps-data",
    ".lmp": "lammps-data",
    ".data": "lammps-data",
}


class LazyAtomicModel(ComputesCarried, LazySignal1D, AtomicModel):
    """Lazy twin of :class:`AtomicModel`."""

    def plot(self, **kwargs: Any) -> None:
        # Not through LazySignal.plot, which would compute a navigator.
        AtomicModel.plot(self, **kwargs)

    plot.__doc__ = AtomicModel.plot.__doc__
