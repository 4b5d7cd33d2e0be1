# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Arrays that belong to the pixels of a signal and live in its metadata."""

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from itertools import product
from typing import Any
from uuid import uuid4

import numpy as np

from hyperspy_t2t.signals._carried.mixin import SignalMixin
from hyperspy_t2t.signals._carried.saving import SavedWhole
from hyperspy_t2t.signals._carried.schema import StoredNode

_CHUNK = 2048
_DROPPED = "no longer fit and were dropped"
_INNER = ("hyperspy", "hyperspy_t2t")
_SMALL = 4_000_000
"""Bytes up to which HyperSpy's deep copy of metadata is not felt."""


def carried(signal: Any, path: str) -> Any:
    """The dask array stored at `path` in a signal's metadata.

    An eager load gives numpy there, which HyperSpy would copy in full with every
    operation; it is wrapped on first access.
    """
    import dask.array as da

    value = signal.metadata.get_item(path)
    if value is None or isinstance(value, da.Array):
        return value
    value = as_dask(np.asarray(value))
    signal.metadata.set_item(path, value)
    return value


def as_dask(array: Any) -> Any:
    """Wrap an array in dask with chunks of at most 2048² pixels."""
    import dask.array as da

    if isinstance(array, da.Array):
        return array
    chunks = (-1,) * max(0, array.ndim - 2) + (_CHUNK,) * min(2, array.ndim)
    return da.from_array(array, chunks=chunks, name=False)


def in_memory(node: Any) -> dict:
    """A metadata node as plain dicts and numpy arrays, read all at once."""
    import dask

    return StoredNode(dask.compute(node.as_dictionary())[0])


def look_up(labels: np.ndarray, *, table: np.ndarray) -> np.ndarray:
    """table[labels], for blocks of labels."""
    return table[labels]


def small_or_dask(array: np.ndarray) -> Any:
    """An array as it is if copying it costs nothing, else wrapped in dask."""
    return array if array.nbytes < _SMALL else _in_chunks(array)


def _in_chunks(array: np.ndarray) -> Any:
    """An array that is not written to any more as dask, without the copy of dask's."""
    import dask.array as da

    sizes = (-1,) * (array.ndim - 2) + (_CHUNK,) * min(2, array.ndim)
    chunks = da.core.normalize_chunks(sizes, array.shape)
    name = f"chunks-{uuid4().hex}"
    places = product(*(range(len(edges)) for edges in chunks))
    parts = zip(places, da.core.slices_from_chunks(chunks), strict=True)
    graph = {(name, *place): array[part] for place, part in parts}
    return da.Array(graph, name, chunks, meta=array[:0])


class PixelCompanions(SavedWhole):
    """Keeps arrays in metadata in step with the pixels of a two-dimensional signal.

    Their last two axes are the signal's (y, x). Slicing and cropping cut them
    alike; what changes pixels in any other way drops them with one warning.
    """

    _companions: tuple[str, ...] = ()
    """Paths in the metadata."""
    _per_frame: bool = False
    """Whether their other axes are the signal's navigation axes."""

    def _present(self) -> list[str]:
        return [path for path in self._companions if self.metadata.has_item(path)]

    def _slicer(self, slices: Any, isNavigation: Any = None, out: Any = None) -> Any:
        present = self._present()
        if not present or (isNavigation and not self._per_frame):
            return super()._slicer(slices, isNavigation, out)
        # A single frame loses its axis here, and with it what is set again below.
        with _navigator_drops() if isNavigation else nullcontext():
            result = super()._slicer(slices, isNavigation, out)
        target = result if out is None else out
        cut = tuple(self._get_array_slices(slices, isNavigation))
        if not isNavigation:
            present = target_paths(self, target)
        if all(isinstance(part, slice) for part in cut[-2:]):
            for path in present:
                array = carried(self, path)
                frames = cut[:-2] if array.ndim == len(cut) else (...,)
                target.metadata.set_item(path, array[(*frames, *cut[-2:])])
        return result

    def crop(
        self, axis: Any, start: Any = None, end: Any = None, convert_units: bool = False
    ) -> None:
        cropped = self.axes_manager[axis]
        if cropped.navigate and self._per_frame:
            self._crop_frames(cropped, start, end, convert_units)
            return
        before = [(a.offset, a.scale) for a in self._image_axes()]
        super().crop(axis, start, end)
        cut = [
            slice(first := round((a.offset - offset) / scale), first + a.size)
            for a, (offset, scale) in zip(self._image_axes(), before, strict=True)
        ]
        for path in self._present():
            self.metadata.set_item(path, carried(self, path)[(..., *cut)])
        if convert_units:
            self.axes_manager.convert_units(cropped)

    def _crop_frames(
        self, axis: Any, start: Any, end: Any, convert_units: bool
    ) -> None:
        """Crop a navigation axis; one frame that is left loses the axis."""
        kept = slice(axis._get_index(start), axis._get_index(end))
        cut = (slice(None),) * axis.index_in_array + (kept,)
        arrays = {path: carried(self, path)[cut] for path in self._present()}
        with _navigator_drops():
            super().crop(axis.index_in_axes_manager, start, end, convert_units)
        for path, array in arrays.items():
            self.metadata.set_item(path, array.reshape(self.data.shape))

    def rebin(self, *args: Any, **kwargs: Any) -> Any:
        return self._without(super().rebin(*args, **kwargs), "rebin")

    def transpose(self, *args: Any, **kwargs: Any) -> Any:
        return self._without(super().transpose(*args, **kwargs), "transpose")

    def swap_axes(self, *args: Any, **kwargs: Any) -> Any:
        return self._without(super().swap_axes(*args, **kwargs), "swap_axes")

    def rollaxis(self, *args: Any, **kwargs: Any) -> Any:
        return self._without(super().rollaxis(*args, **kwargs), "rollaxis")

    def interpolate_on_axis(self, *args: Any, **kwargs: Any) -> Any:
        result = super().interpolate_on_axis(*args, **kwargs)
        self._moved(self if result is None else result, "interpolate_on_axis")
        return result

    def align2D(self, *args: Any, **kwargs: Any) -> Any:
        result = super().align2D(*args, **kwargs)
        self._moved(self, "align2D")
        return result

    def _moved(self, target: Any, operation: str) -> None:
        """Drop what no longer fits after pixels were moved."""
        present = [p for p in self._companions if target.metadata.has_item(p)]
        drop(target, present, operation)

    def fft(self, *args: Any, **kwargs: Any) -> Any:
        result = super().fft(*args, **kwargs)
        result = self._without(result, "fft")
        result.set_signal_type("")
        return result

    def plot(self, *args: Any, **kwargs: Any) -> None:
        with _navigator_drops():
            super().plot(*args, **kwargs)

    def _remove_axis(self, axes: Any) -> None:
        image_axes, present = self._image_axes(), self._present()
        frames = list(self.axes_manager.navigation_axes[::-1]) * self._per_frame
        super()._remove_axis(axes)  # HyperSpy may choose another class here
        if any(axis not in self.axes_manager.signal_axes for axis in image_axes):
            drop(self, present, "removing an axis of the image")
            return
        left = self.axes_manager.navigation_axes
        gone = [i for i, axis in enumerate(frames) if axis not in left]
        if any(frames[i].size > 1 for i in gone):
            drop(self, present, "joining frames")
        elif gone:
            for path in present:
                array = carried(self, path)
                if all(array.shape[i] == 1 for i in gone):
                    self.metadata.set_item(path, array.squeeze(tuple(gone)))

    def _image_axes(self) -> list[Any]:
        """[y, x]."""
        return list(self.axes_manager.signal_axes[::-1])

    def _without(self, result: Any, operation: str) -> Any:
        """`result` without companions, with one warning if it had any."""
        if result is None:
            return None
        lost = [path for path in self._companions if result.metadata.has_item(path)]
        if not _still_fits(self, result):
            drop(result, lost, operation)
        return result


class ComputesCarried(SignalMixin):
    """First base of lazy classes: ``compute`` also reads the arrays in metadata."""

    def plot(self, *args: Any, **kwargs: Any) -> None:
        with _navigator_drops():
            super().plot(*args, **kwargs)

    def compute(self, *args: Any, **kwargs: Any) -> None:
        # Before the data: the file may be closed, or replaced, after it.
        for path, array in _dask_leaves(self.metadata.as_dictionary()):
            self.metadata.set_item(path, small_or_dask(np.asarray(array)))
        super().compute(*args, **kwargs)


def _dask_leaves(tree: dict, path: str = "") -> Iterator[tuple[str, Any]]:
    """Paths and values of the dask arrays in a metadata tree."""
    import dask.array as da

    for key, value in tree.items():
        if isinstance(value, dict):
            yield from _dask_leaves(value, f"{path}{key}.")
        elif isinstance(value, da.Array):
            yield f"{path}{key}", value


def drop(signal: Any, paths: list[str], operation: str) -> None:
    """Delete companions that no longer fit, with one warning."""
    for path in paths:
        del_item(signal.metadata, path)
    if paths:
        warnings.warn(
            f"{operation} changes the pixels: {', '.join(paths)} {_DROPPED}. Do it "
            "before the step that made them.",
            UserWarning,
            stacklevel=user_level(),
        )


@contextmanager
def _navigator_drops() -> Iterator[None]:
    """Without the warning of :func:`drop`: a navigator is a sum over the image."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=f".*{_DROPPED}")
        yield


def user_level() -> int:
    """Stack level, for a warning of the caller, of the code that uses HyperSpy."""
    frame, level = sys._getframe(1), 1
    while frame.f_back and frame.f_globals.get("__name__", "").split(".")[0] in _INNER:
        frame, level = frame.f_back, level + 1
    return level


def target_paths(source: Any, target: Any) -> list[str]:
    """Companion paths of `source` that `target` still has."""
    return [path for path in source._present() if target.metadata.has_item(path)]


def _still_fits(source: Any, result: Any) -> bool:
    """Whether the image axes, and those of the frames, are what they were."""

    def key(signal: Any) -> list[list[tuple]]:
        manager = signal.axes_manager
        frames = manager.navigation_axes if source._per_frame else ()
        return [
            [(a.name, a.size, float(a.axis[0]), float(a.axis[-1])) for a in axes]
            for axes in (manager.signal_axes, frames)
        ]

    return key(source) == key(result)


def del_item(metadata: Any, path: str) -> None:
    """Delete a leaf of a metadata tree."""
    parent, _, leaf = path.rpartition(".")
    node = metadata.get_item(parent) if parent else metadata
    delattr(node, leaf)
