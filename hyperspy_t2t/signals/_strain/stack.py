# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Strain of a stack of images: every frame by the same g, reference and resolution."""

import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np

from hyperspy_t2t.calibration import ImageGrid, frame_grid
from hyperspy_t2t.frames import Convention, check_convention
from hyperspy_t2t.signals._carried import convert
from hyperspy_t2t.signals._carried.companions import (
    carried,
    drop,
    small_or_dask,
    user_level,
)
from hyperspy_t2t.signals._carried.mixin import SignalMixin
from hyperspy_t2t.signals._carried.provenance import processing
from hyperspy_t2t.signals._carried.source import Source, label_boxes
from hyperspy_t2t.signals._strain.by_hand import (
    given_by_hand,
    setup_by_hand,
    whole_labels,
)
from hyperspy_t2t.signals._strain.fields import (
    COMPONENTS,
    ERRORS,
    by_blocks,
    field_of,
)
from hyperspy_t2t.signals._strain.measured_strain import Setup, measured
from hyperspy_t2t.signals._strain.reference import Box
from hyperspy_t2t.signals._strain.to_strain import domain_to_dict
from hyperspy_t2t.strain.limits import check_resolution
from hyperspy_t2t.strain.maps import strain_block

if TYPE_CHECKING:
    from hyperspy_t2t.signals.strain_map import StrainMap

Index = tuple[int, ...]
_COMMON = (
    "reference", "members", "reason", "resolution", "resolution_reason",
    "g_vectors_reason", "grid",
)  # fmt: skip
"""What all frames share of the metadata of a lattice; the rest is per frame."""
_MAPS = ("displacement", "gradient", "amplitude", *ERRORS)
_ABSENT = {"displacement": 0.0, "gradient": 0.0, "amplitude": 0.0, "faintest": np.inf}
"""What stands for a frame without strain, NaN elsewhere: no fringes to be trusted."""


class SourceInMemory(Source):
    """A source that is read without dask, since this runs inside its tasks."""

    def boxes(self) -> dict[int, tuple[slice, slice]]:
        return label_boxes(self.labels, 0, 0)


def gpa_of_stack(
    stack: Any,
    *,
    g_vectors: Any,
    reference: Any,
    resolution: Any,
    convention: Convention,
) -> Any:
    """StrainMap ``<4, frames | x, y>`` of a micrograph with navigation axes."""
    check_convention(convention)
    grid = frame_grid(stack)
    setup, box = setup_by_hand(stack, grid, g_vectors, reference, resolution)
    given = given_by_hand(setup, box, resolution, convention)
    check_resolution(setup.resolution, setup.domain.g_vectors, grid)
    reason = "chosen by the user"
    if setup.coarsest is not None:
        setup, reason = _one_resolution(stack.data, setup, grid, box, convention)
    shape = stack.data.shape[:-2]
    frames = list(np.ndindex(shape))
    domains = _measured_frames(stack.data, frames, setup, grid, box, convention)
    _warn_of_frames(domains)
    common, arrays = _joined(domains, shape)
    common |= {"resolution_reason": reason, "g_vectors": setup.domain.g_vectors}
    images = _by_frame(stack.data)
    labels = whole_labels(images).astype(np.uint8)  # a quarter of the memory
    sources = (Source(images[i], labels[i], grid, stack._lazy) for i in frames)
    data = frames_by_blocks(
        sources, common, arrays, 4, strain_block, convention=convention
    )
    metadata = {
        **convert.acquisition(stack),
        "Strain": _described(common, arrays, box, convention),
        "Source": Source(images, labels, grid, stack._lazy).to_dict(),
        "Processing": processing(stack, "gpa", given),
    }
    axes = [
        *convert.image_axes(stack)[:-2],
        {"name": "component", "size": len(COMPONENTS), "navigate": True},
        *convert.grid_axes(grid),
    ]
    title = stack.metadata.General.title
    return convert.signal_of(
        "strain_map", data, axes, metadata, title=f"{title}: strain"
    )


def measure_frame(
    image: np.ndarray,
    setup: Setup,
    grid: ImageGrid,
    box: Box | None,
    convention: Convention,
) -> dict | str:
    """The lattice of one frame for metadata, or why it cannot be measured."""
    image = np.asarray(image)
    source = SourceInMemory(image, whole_labels(image), grid, lazy=False)
    if not source.boxes():
        return "it has no finite grey levels"
    try:
        (found,) = measured(source, setup, box)
    except ValueError as error:
        return str(error)
    if not found.faintest < 1:
        return "the fringes of the reference do not stand above the noise"
    labels = source.labels_at(found.field.grid)
    domain = domain_to_dict(found, labels, convention)
    for key in _MAPS:  # half their memory, as there is one for each frame
        domain[key] = np.asarray(domain[key], np.float32)
    return {
        key: value if key in _COMMON else np.asarray(value)
        for key, value in domain.items()
    }


def _measured_frames(
    data: Any, frames: Iterable[Index], *given: Any
) -> dict[Index, dict | str]:
    """:func:`measure_frame` of some frames, as many at a time as dask has workers."""
    import dask

    frames = list(frames)
    shared = dask.delayed(given, traverse=False)
    tasks = [dask.delayed(_measured_frame)(data[index], shared) for index in frames]
    return dict(zip(frames, dask.compute(*tasks), strict=True))


def _measured_frame(image: np.ndarray, given: tuple) -> dict | str:
    return measure_frame(image, *given)


def _one_resolution(data: Any, setup: Setup, *given: Any) -> tuple[Setup, str]:
    """The median of what three frames ask for, and why, so that frames compare."""
    frames = list(np.ndindex(data.shape[:-2]))
    some = dict.fromkeys(frames[i] for i in (0, len(frames) // 2, -1))
    others = ([index] for index in frames if index not in some)
    best: dict[Index, float] = {}
    for tried in chain([some], others):  # others if none of these can be measured
        found = _measured_frames(data, tried, setup, *given).items()
        best = {i: one["resolution"] for i, one in found if isinstance(one, dict)}
        if best:
            break
    sigma = float(np.median([*best.values()])) if best else setup.resolution
    reason = f"median of what is best for the frames {_names([*best])}, for all of them"
    return replace(setup, resolution=sigma, coarsest=None), reason


def _joined(
    domains: dict[Index, dict | str], shape: tuple[int, ...]
) -> tuple[dict, dict[str, np.ndarray]]:
    """What the frames share and, stacked, what is of each; see ``_ABSENT``."""
    first = next(one for one in domains.values() if isinstance(one, dict))
    common = {key: first[key] for key in _COMMON}
    arrays = {}
    for key in first.keys() - set(_COMMON):
        absent = _ABSENT.get(key, np.nan)
        stacked = np.full((*shape, *first[key].shape), absent, first[key].dtype)
        for index, one in domains.items():
            if isinstance(one, dict):
                stacked[index] = one[key]
        arrays[key] = stacked
    return common, arrays


def lattice_block(
    labels: np.ndarray,
    grid: ImageGrid,
    domain: dict,
    *,
    kernel: Any,
    errors: Sequence[str] = (),
    **kwargs: Any,
) -> np.ndarray:
    """kernel(labels, grid, [field of a stored lattice], …) of a block of pixels."""
    return kernel(labels, grid, [field_of(domain, errors=errors)], **kwargs)


def frames_by_blocks(
    sources: Iterable[Source],
    common: dict,
    arrays: dict,
    depth: int,
    kernel: Any,
    **kwargs: Any,
) -> Any:
    """The kernel of all pixels of each frame, shape (frames, depth, ny, nx).

    Splines are made in the tasks: those of all frames would fill the memory.
    """
    shape = arrays["faintest"].shape
    block = partial(lattice_block, kernel=kernel)
    return joined_frames(
        (
            by_blocks(source, depth, block, _of_frame(common, arrays, index), **kwargs)
            for index, source in zip(np.ndindex(shape), sources, strict=True)
        ),
        shape,
    )


def joined_frames(frames: Iterable[Any], shape: tuple[int, ...]) -> Any:
    """Arrays of all frames, numpy or dask, as one, shape (*shape, ...)."""
    each = zip(np.ndindex(shape), frames, strict=True)
    _, first = next(each)
    if not isinstance(first, np.ndarray):
        import dask.array as da

        joined = da.stack([first, *(one for _, one in each)])
        return joined.reshape((*shape, *first.shape))
    result = np.empty((*shape, *first.shape), first.dtype)
    result[(0,) * len(shape)] = first
    for index, one in each:
        result[index] = one
    return result


def _described(
    common: dict, arrays: dict, box: Box | None, convention: Convention
) -> dict:
    """``metadata.Strain``."""
    return {
        "schema_version": 1,
        "convention": convention,
        "components": ", ".join(COMPONENTS),
        "reference_region": common["reference"],
        "reference_reason": common["reason"],
        "reference_box": np.array(box if box is not None else ()),
        "resolution": common["resolution"],
        "resolution_units": "nm",
        "resolution_reason": common["resolution_reason"],
        "g_vectors": arrays["g_vectors"],
        "g_vectors_units": "1/nm",
        "g_vectors_reason": common["g_vectors_reason"],
        "frames": {
            "common": common,
            "arrays": {key: small_or_dask(array) for key, array in arrays.items()},
        },
    }


def _of_frame(common: dict, arrays: dict, index: Index) -> dict:
    """One frame as ``metadata.Strain.domains`` has a lattice.

    One that was not measured keeps the given g, to look at its spectrum.
    """
    own = {key: array[index] for key, array in arrays.items()}
    if not np.isfinite(own["g_vectors"]).all():
        del own["g_vectors"]
    return common | {k: float(v) if v.ndim == 0 else v for k, v in own.items()}


def _by_frame(data: Any) -> Any:
    """A stack as a dask array with frames of their own."""
    import dask.array as da

    if isinstance(data, da.Array):
        return data
    chunks = (1,) * (data.ndim - 2) + data.shape[-2:]
    return da.from_array(data, chunks=chunks, name=False)


def _warn_of_frames(domains: dict[Index, dict | str]) -> None:
    """Name the frames without strain, or with little; an error if all have none."""
    failed = [index for index, one in domains.items() if isinstance(one, str)]
    if len(failed) == len(domains):
        raise ValueError(f"No frame can be measured. The first: {domains[failed[0]]}")
    if failed:
        warnings.warn(
            f"The frames {_names(failed)} cannot be measured and have no strain. The "
            f"first of them: {domains[failed[0]]}",
            UserWarning,
            stacklevel=user_level(),
        )
    faint = [
        index
        for index, one in domains.items()
        if isinstance(one, dict) and np.mean(one["amplitude"] > one["faintest"]) < 0.5
    ]
    if faint:
        warnings.warn(
            f"The fringes of the frames {_names(faint)} stand above the noise in less "
            "than half of their area, the rest has no strain: average over more with a "
            "larger resolution, or choose other g_vectors.",
            UserWarning,
            stacklevel=user_level(),
        )


def _names(frames: Sequence[Index]) -> str:
    """Frames in the order of HyperSpy's navigation indices."""
    shown = [str(i[0] if len(i) == 1 else i[::-1]) for i in frames[:10]]
    return ", ".join(shown) + (", …" if len(frames) > 10 else "")


class StrainStack(SignalMixin):
    """Keeps what a StrainMap of a stack knows of its frames in step with them.

    ``metadata.Strain.frames.arrays`` has the frames as its first axes, as the data.
    """

    data: Any
    metadata: Any
    axes_manager: Any

    def frame(self, *index: int) -> "StrainMap":
        """The map of one frame of a stack, with all that a single map can do.

        Parameters
        ----------
        *index
            One whole number for each axis of the stack, in the order of
            ``axes_manager.navigation_axes`` after the component.

        Returns
        -------
        StrainMap
            The same as ``strain.inav[:, index]``.
        """
        frames = self._frames_shape()[::-1]
        if len(index) != len(frames):
            raise ValueError(
                f"Expected one whole number for each axis of the stack {frames}, got "
                f"{index}."
            )
        components = (slice(None),) * self._has_component_axis()
        return self.inav[(*components, *(int(i) for i in index))]

    def _frames_shape(self) -> tuple[int, ...]:
        """Shape of the stack, () of a single map; an error if frames were lost."""
        shape = self._known_frames()
        if shape != self._shown_frames():
            raise ValueError(
                f"Expected the frames that were measured, {shape[::-1]}, got data of "
                f"shape {self.data.shape}: an operation other than slicing changed "
                "them. Choose frames with strain.inav[:, first:last], and average a "
                "component, strain.exx, instead of the map."
            )
        return shape

    def _known_frames(self) -> tuple[int, ...]:
        if not self.metadata.has_item("Strain.frames"):
            return ()
        return tuple(self.metadata.Strain.frames.arrays.faintest.shape)

    def _shown_frames(self) -> tuple[int, ...]:
        return self.data.shape[: -2 - self._has_component_axis()]

    def _has_component_axis(self) -> bool:
        """Whether the axis in front of the pixels is that of the components."""
        axes = self.axes_manager.navigation_axes
        stacked = self.metadata.has_item("Strain.frames")
        return bool(axes) and (not stacked or axes[0].name == "component")

    def _check_components(self) -> None:
        """Raise a ValueError unless all components are there."""
        if not self._has_component_axis() or self.data.shape[-3] != len(COMPONENTS):
            raise ValueError(
                f"Expected the four components {', '.join(COMPONENTS)}, got data of "
                f"shape {self.data.shape}: this map was sliced along its components."
            )

    def _check_single(self) -> None:
        """Raise a ValueError unless this is the map of one image."""
        if shape := self._frames_shape():
            raise ValueError(
                f"Expected the map of one image, got a stack of {shape[::-1]} frames. "
                f"Choose one, strain.frame({', '.join('0' * len(shape))})."
            )

    def _by_frame_and_block(self, depth: int, kernel: Any, **kwargs: Any) -> Any:
        """kernel(labels, grid, fields) of all pixels of each frame."""
        stored = self.metadata.Strain.frames
        common, arrays = stored.common.as_dictionary(), stored.arrays.as_dictionary()
        sources = (frame._source() for frame in self._each_frame())
        return frames_by_blocks(sources, common, arrays, depth, kernel, **kwargs)

    def _of_frames(self, measure: Any) -> Any:
        """measure(map) of each frame as one array, shape (frames, ...)."""
        return joined_frames(map(measure, self._each_frame()), self._frames_shape())

    def _each_frame(self) -> "Iterator[StrainMap]":
        for index in np.ndindex(self._frames_shape()):
            yield self.frame(*index[::-1])

    def _has_four(self) -> bool:
        """Whether this is the map of one image with all components."""
        return self._has_component_axis() and self.data.shape[:-2] == (len(COMPONENTS),)

    def _slicer(self, slices: Any, isNavigation: Any = None, out: Any = None) -> Any:
        result = super()._slicer(slices, isNavigation, out)
        known = self._known_frames()
        # None means axes of both kinds, as a ROI may have them.
        if isNavigation is not False and known and known == self._shown_frames():
            cut = tuple(self._get_array_slices(slices, isNavigation))
            target = result if out is None else out
            _cut_frames(self, target, cut[: len(known)], cut[-2:])
        return result

    def _without(self, result: Any, operation: str) -> Any:
        """Frames that were turned round or joined are not known any more."""
        result = super()._without(result, operation)
        if result is not None and result.metadata.has_item("Strain.frames"):
            before, after = (
                [(a.name, a.size, a.index_in_array) for a in s.axes_manager._axes]
                for s in (self, result)
            )
            if before != after:
                drop(result, ["Strain.frames"], operation)
        return result


def _cut_frames(strain: Any, target: Any, cut: tuple, pixels: tuple) -> None:
    """Set in `target` what is known of the frames `cut` of `strain`."""
    stored = strain.metadata.Strain.frames
    arrays = {key: array[cut] for key, array in stored.arrays.as_dictionary().items()}
    for path in strain._present():
        target.metadata.set_item(path, carried(strain, path)[(*cut, *pixels)])
    node = target.metadata.Strain
    node.g_vectors = np.asarray(arrays["g_vectors"])
    if arrays["faintest"].ndim:
        for key, array in arrays.items():
            node.frames.arrays.set_item(key, array)
        return
    del node.frames
    own = _of_frame(stored.common.as_dictionary(), arrays, ())
    node.add_dictionary({"domains": {"domain_0": own}})
