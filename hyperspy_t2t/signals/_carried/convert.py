# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Making signals of this package from arrays and from other signals."""

from typing import Any

import numpy as np

from hyperspy_t2t.calibration import ImageGrid


def image_axes(signal: Any) -> list[dict]:
    """Axes of an image for the constructor of a signal: y, x in nm.

    The units become nm whatever the source was calibrated in; names stay. Axes of a
    stack come before them as they are.
    """
    from hyperspy_t2t.calibration import frame_grid

    names = [axis.name for axis in signal.axes_manager.signal_axes]
    stack = [
        axis.get_axis_dictionary() for axis in signal.axes_manager.navigation_axes[::-1]
    ]
    return stack + grid_axes(frame_grid(signal), names=names)


def grid_axes(grid: ImageGrid, *, names: list[Any] | None = None) -> list[dict]:
    """Axes (y, x) in nm of a grid; `names` are those of x and y."""
    names = [name if isinstance(name, str) else None for name in names or [None] * 2]
    return [
        {
            "name": names[1 - i] or "yx"[i],
            "size": grid.shape[i],
            "scale": grid.pixel_size[i],
            "offset": grid.origin[i],
            "units": "nm",
            "navigate": False,
        }
        for i in (0, 1)
    ]


def signal_of(
    signal_type: str, data: Any, axes: list[dict], metadata: dict, *, title: str
) -> Any:
    """A signal of one of our classes; lazy if its data is a dask array."""
    from hyperspy_t2t import signals

    name = {
        "micrograph": "Micrograph",
        "segmented_image": "SegmentedImage",
        "fft_peak_set": "FFTPeakSet",
        "strain_map": "StrainMap",
        "atomic_model": "AtomicModel",
    }[signal_type]
    lazy = not isinstance(data, np.ndarray)
    result = getattr(signals, f"Lazy{name}" if lazy else name)(data, axes=axes)
    result.metadata.add_dictionary(metadata)
    result.metadata.General.title = title
    result.metadata.Signal.signal_type = signal_type
    return result


def plain_image(data: Any, axes: list[dict], *, title: str, quantity: str = "") -> Any:
    """A Signal2D, lazy if its data is a dask array."""
    from hyperspy.signals import LazySignal2D, Signal2D

    maker = Signal2D if isinstance(data, np.ndarray) else LazySignal2D
    result = maker(data, axes=axes)
    result.metadata.General.title = title
    if quantity:
        result.metadata.Signal.quantity = quantity
    return result


def acquisition(signal: Any) -> dict:
    """The parts of the metadata that describe the experiment."""
    nodes = ("Acquisition_instrument", "Sample")
    found = {node: signal.metadata.get_item(node) for node in nodes}
    return {
        node: tree.as_dictionary() for node, tree in found.items() if tree is not None
    }
