# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Files that are complete or not there at all."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hyperspy_t2t.signals._carried.mixin import SignalMixin

_WHOLE = (".hspy", ".zspy")
_IN_PLACE = {"mode", "write_dataset", "close_file"}
"""Options with which HyperSpy changes a file that exists, or keeps it open."""


class SavedWhole(SignalMixin):
    """Signals whose files are complete or not there at all."""

    def save(
        self,
        filename: Any = None,
        overwrite: bool | None = None,
        extension: str | None = None,
        file_format: str | None = None,
        **kwds: Any,
    ) -> None:
        """Save as ``.hspy``, ``.zspy`` or another format, see ``BaseSignal.save``.

        A ``.hspy`` or ``.zspy`` file that exists is replaced only once the new one is
        complete: if saving fails or is interrupted it stays as it was.
        """
        target = None if extension else _target(self, filename, file_format)
        if target is None or _IN_PLACE & set(kwds):
            super().save(filename, overwrite, extension, file_format, **kwds)
            return
        if target.exists() and not overwrite:
            # HyperSpy knows how to ask.
            from rsciio.utils import path

            if overwrite is False or not path.overwrite(target):
                return
        try:
            with whole(target) as hidden:
                super().save(hidden, True, file_format=file_format, **kwds)
        except OSError as error:
            text = f"Expected a place where {target} can be written, got: {error}"
            raise OSError(*filter(None, (error.errno, text))) from error
        for name, value in (
            ("folder", target.parent),
            ("filename", target.stem),
            ("extension", target.suffix),
        ):
            self.tmp_parameters.set_item(name, value)


def _target(signal: Any, filename: Any, file_format: str | None) -> Path | None:
    """The file that HyperSpy would write, None if it isn't one of `_WHOLE`."""
    if filename is None:
        known = signal.tmp_parameters
        if not all(map(known.has_item, ("folder", "filename", "extension"))):
            return None
        suffix = known.extension.lstrip(".")
        filename = Path(known.folder, f"{known.filename}.{suffix}")
    if not isinstance(filename, (str, os.PathLike)):
        return None
    target = Path(filename).resolve()
    if target.is_dir() and target.suffix != ".zspy":
        return None
    if not target.suffix and file_format is None:
        target = target.with_suffix(".hspy")
    return target if target.suffix in _WHOLE else None


@contextmanager
def whole(target: Path) -> Iterator[Path]:
    """A hidden path beside `target` that takes its name once the block is done.

    If the block fails or is interrupted, what it has written is removed, and a file or
    folder that had the name stays as it was.
    """
    hidden = target.with_name(f".{target.stem}.unfinished{target.suffix}")
    _remove(hidden)
    try:
        yield hidden
        _replace(hidden, target)
    finally:
        _remove(hidden)


def _replace(hidden: Path, target: Path) -> None:
    if not (hidden.is_dir() and target.exists()):
        os.replace(hidden, target)
        return
    # A folder takes no other's place: the old one steps aside.
    aside = target.with_name(f".{target.stem}.replaced{target.suffix}")
    _remove(aside)
    os.replace(target, aside)
    try:
        os.replace(hidden, target)
    except BaseException:
        os.replace(aside, target)
        raise
    _remove(aside)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
