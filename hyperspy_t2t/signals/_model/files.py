# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Writing an AtomicModel to the files of other programs."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from hyperspy_t2t.signals._carried.mixin import SignalMixin
from hyperspy_t2t.signals._carried.saving import whole

_BLOCK = 1 << 17
"""Rows written at once."""
_FORMATS = {
    ".extxyz": "extxyz",
    ".xyz": "xyz",
    ".cif": "cif",
    ".lammps-data": "lammps-data",
    ".lmp": "lammps-data",
    ".data": "lammps-data",
}


class ModelFiles(SignalMixin):
    """Writing an AtomicModel to the files of other programs."""

    def write(
        self, path: str | Path, *, format: str | None = None, **kwargs: Any
    ) -> None:
        """Write the model to a file of another program.

        extxyz, xyz, cif and lammps-data are written block by block, so that models of
        any size need little memory, also lazy ones, which are not computed as a whole.
        Other formats go through ASE and need the whole model.

        Parameters
        ----------
        path
            The suffix names the format: ``.extxyz``, ``.xyz``, ``.cif``; ``.lmp``,
            ``.data`` or ``.lammps-data``; or another that ASE knows. A file that exists
            is replaced only once the new one is complete.
        format
            Name of the format in ``ase.io``, where the suffix does not say it.
        **kwargs
            Passed to ``ase.io.write``, which then also writes the first four formats.

        Raises
        ------
        ValueError
            Neither the suffix nor `format` names a format that can be written.
        FileNotFoundError, PermissionError
            The folder does not exist, or may not be written to.

        Notes
        -----
        ``extxyz`` keeps positions as they are, with the regions and displacements of
        the atoms; ``xyz`` keeps symbols and positions. In ``cif`` and ``lammps-data``
        the corner of the cell is zero, and along vectors that are not periodic the cell
        is longer where atoms stand outside. A CIF is periodic in all directions, so
        leave some vacuum in the model. LAMMPS wants a cell that is lower triangular:
        atoms are turned with it. The first line of the file names the ``boundary``.
        """
        from hyperspy_t2t.atoms.writers import WRITERS

        path = Path(path)
        format = format or _format_of(path)
        if not path.parent.is_dir():
            raise FileNotFoundError(
                f"Expected a folder that exists, got {str(path.parent)!r}."
            )
        if path.is_dir():
            raise IsADirectoryError(f"Expected a file, got the folder {str(path)!r}.")
        # ASE chooses compression by the suffix, which the hidden file keeps.
        with whole(path) as hidden:
            if format in WRITERS and not kwargs:
                with _opened(hidden) as file:
                    WRITERS[format](file, self._atom_source())
            else:
                self._write_by_ase(hidden, format, kwargs)

    def _write_by_ase(self, path: Path, format: str, kwargs: dict) -> None:
        from ase.io import write
        from ase.io.formats import UnknownFileTypeError

        atoms = self.to_ase()
        if format in ("cif", "lammps-data"):  # which know no atoms outside of the cell
            atoms.translate(-self.cell_origin)
        if format == "lammps-data":
            kwargs.setdefault("masses", True)  # or the elements would be lost
        try:
            write(path, atoms, format=format, **kwargs)
        except (UnknownFileTypeError, KeyError) as error:
            raise ValueError(
                f"Expected a format that ase.io.write knows, got {format!r} ({error})."
            ) from error

    def _atom_source(self) -> Any:
        """The model as the writers read it."""
        from hyperspy_t2t.atoms.writers import AtomBlock, AtomSource

        names = self.columns
        place = [names.index(name) for name in ("x", "y", "z", "number", "region")]
        moved = [names.index(name) for name in ("ux", "uy", "uz") if name in names]

        def blocks() -> Iterator[AtomBlock]:
            for rows in self._row_blocks():
                positions, number, region = np.split(rows[:, place], [3, 4], axis=1)
                shift = rows[:, moved] if len(moved) == 3 else None
                yield AtomBlock(positions, number[:, 0], region[:, 0], shift)

        return AtomSource(blocks, self.n_atoms, self.cell, self.cell_origin, self.pbc)

    def _row_blocks(self, *, most: int = _BLOCK) -> Iterator[np.ndarray]:
        """All rows of the table in order, computing one chunk of a lazy one at a time.

        One block without rows if there are none.
        """
        data = self._checked_data()
        chunks = data.chunks[0] if self._lazy else (len(data),)
        start = 0
        for size in chunks:
            chunk = np.asarray(data[start : start + size])
            start += size
            for first in range(0, max(1, size), most):
                yield chunk[first : first + most]


def _format_of(path: Path) -> str:
    """The format that the suffix names, as ASE calls it."""
    from ase.io.formats import UnknownFileTypeError, filetype, get_ioformat

    if path.suffix.lower() in _FORMATS:
        return _FORMATS[path.suffix.lower()]
    try:
        name = filetype(str(path), read=False)
        get_ioformat(name)
    except UnknownFileTypeError as error:
        raise ValueError(
            f"Expected a file name that names a format, such as model.extxyz, got "
            f"{path.name!r}. Or pass format=..., see ase.io.write."
        ) from error
    return name


def _opened(path: Path) -> Any:
    try:
        return path.open("wb")
    except PermissionError as error:
        raise PermissionError(
            f"Expected a folder that may be written to, got {str(path.parent)!r}."
        ) from error
