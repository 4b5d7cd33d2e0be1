# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""The part of an image that holds data: constant frames and NaN left out."""

from typing import Any

import numpy as np
import numpy.typing as npt


def valid_frame(image: Any) -> tuple[slice, slice]:
    """Rows and columns left when constant lines at the borders are cut away.

    Registration and rotation leave frames of one grey value, or of NaN, which
    would be taken for a region and would ring in every transform.

    Parameters
    ----------
    image
        Array (ny, nx), numpy or dask; read once, chunk by chunk.

    Raises
    ------
    ValueError
        All pixels have one value, or none is finite.
    """
    frame = []
    for axis in (1, 0):
        low, high = _extremes(image, axis)
        frame.append(_inner(low, high))
    if any(part.stop <= part.start for part in frame):
        raise ValueError(
            "Expected an image with contrast, got one grey value (or NaN) in all of "
            f"its {image.shape[0]} × {image.shape[1]} pixels."
        )
    return tuple(frame)


def _extremes(image: Any, axis: int) -> tuple[npt.NDArray, npt.NDArray]:
    """Smallest and largest finite value of each line."""
    lowest, highest = image, image
    if image.dtype.kind == "f":
        finite = np.isfinite(image)
        lowest = np.where(finite, image, np.inf)
        highest = np.where(finite, image, -np.inf)
    result = lowest.min(axis=axis), highest.max(axis=axis)
    if not isinstance(image, np.ndarray):
        import dask

        result = dask.compute(*result)
    return result


def _inner(low: npt.NDArray, high: npt.NDArray) -> slice:
    """Range of lines between the constant ones at both ends."""
    varies = np.flatnonzero(high > low)
    return slice(int(varies[0]), int(varies[-1]) + 1) if len(varies) else slice(0, 0)
