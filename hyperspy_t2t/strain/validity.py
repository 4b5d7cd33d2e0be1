# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Where strain is that of one lattice alone."""

from collections.abc import Sequence

import numpy as np

from hyperspy_t2t.array_types import Array, Ints, Mask
from hyperspy_t2t.calibration import ImageGrid
from hyperspy_t2t.strain.maps import LatticeField


def unmixed(
    labels: Ints,
    grid: ImageGrid,
    members: Sequence[int],
    *,
    reach: float,
) -> Mask:
    """Places further than `reach` nm from the image border and from other regions.

    Parameters
    ----------
    labels
        Region at each place of a coarse grid, shape (ny, nx).
    grid
        Where the places are.
    members
        Regions that share the lattice, each with a strain of its own.
    """
    from scipy.ndimage import distance_transform_edt

    result = np.zeros(labels.shape, bool)
    for member in members:
        inside = np.pad(labels == member, 1)
        distance = distance_transform_edt(inside, sampling=grid.pixel_size)
        result |= distance[1:-1, 1:-1] > reach
    return result


def validity_block(
    labels: Ints,
    grid: ImageGrid,
    fields: Sequence[LatticeField],
    places: Sequence[Mask],
) -> Array:
    """1 where strain of a block of pixels is valid, else 0, shape (1, ny, nx).

    Parameters
    ----------
    labels, grid
        Region of each pixel, shape (ny, nx), and the pixels in nm.
    fields, places
        Lattices, and for each where it is unmixed, on the coarse grid of its amplitude.
    """
    result = np.zeros((1, *labels.shape), np.float32)
    for field, unmixed_places in zip(fields, places, strict=True):
        coarse = field.amplitude.grid
        rows, columns = (
            np.clip(
                np.rint(
                    (
                        grid.origin[axis]
                        + grid.pixel_size[axis] * np.arange(grid.shape[axis])
                        - coarse.origin[axis]
                    )
                    / coarse.pixel_size[axis]
                ).astype(int),
                0,
                coarse.shape[axis] - 1,
            )
            for axis in (0, 1)
        )
        seen = field.amplitude.on_grid(grid)[0] > field.faintest
        alone = unmixed_places[np.ix_(rows, columns)]
        result[0] += np.isin(labels, field.members) & seen & alone
    return result
