# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Two independent steps of a kernel on two cores."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from typing import TypeVar

_LAZY = {
    "scipy.fft": "rfft2",
    "scipy.ndimage": "gaussian_filter",
    "scipy.spatial": "distance",
    "skimage.measure": "label",
    "skimage.morphology": "local_minima",
    "skimage.segmentation": "watershed",
}
"""Modules that both sides import when they first need them, and a name in each, as
scikit-image loads its modules only when a name in them is asked for. Packages whose
modules import each other, such as `scipy.spatial` and its `distance`, are seen half
made if two threads begin at different ends."""

One = TypeVar("One")
Other = TypeVar("Other")


def side_by_side(
    one: Callable[[], One], other: Callable[[], Other]
) -> tuple[One, Other]:
    """Results of two functions of which neither needs the other.

    The second runs in a thread of its own: NumPy, SciPy and compiled loops let go of
    Python's lock. An error of either is raised after both have ended. What
    both import when called has to be named in `_LAZY` of this module: it is imported
    before the thread starts.
    """
    for module, name in _LAZY.items():
        getattr(import_module(module), name)
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(other)
        return one(), future.result()
