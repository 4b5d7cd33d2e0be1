# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Arrays as images with axes in nm, for the scripts beside this one."""

from typing import Any


def image_in_nm(data: Any, pixel: Any, *, kind: str = "") -> Any:
    """Signal2D of a numpy or dask array (ny, nx).

    Parameters
    ----------
    data
        The image; the signal of a dask array is lazy.
    pixel
        Size of a pixel in nm, one number or (x, y).
    kind
        Signal type, for example "micrograph".
    """
    from hyperspy.signals import LazySignal2D, Signal2D

    signal = (LazySignal2D if hasattr(data, "dask") else Signal2D)(data)
    x, y = pixel if hasattr(pixel, "__len__") else (pixel, pixel)
    for axis, name, scale in zip(
        signal.axes_manager.signal_axes, "xy", (x, y), strict=True
    ):
        axis.name, axis.scale, axis.units = name, float(scale), "nm"
    if kind:
        signal.set_signal_type(kind)
    return signal
