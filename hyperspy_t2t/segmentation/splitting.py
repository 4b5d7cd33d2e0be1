# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Regions split by the class of their pixels."""

import numpy as np

from hyperspy_t2t.array_types import Array, Bools, Ints, Labels
from hyperspy_t2t.segmentation.nearest import nearest_label


def split_regions(
    labels: Ints,
    classes: Ints,
    *,
    smallest: float,
    thinnest: float | Array,
    narrowest: float | Array | None = None,
) -> Labels:
    """Split each region into its connected parts of equal class.

    Parts too small or too thin to be regions join the nearest other part of the
    same region, so that borders found before stay where they are.

    Parameters
    ----------
    labels
        Regions to split, shape (ny, nx); 0 stays 0.
    classes
        Class of each pixel, shape (ny, nx).
    smallest
        Fewest pixels of a part.
    thinnest
        Smallest distance in pixels from the inside of a part to its outline, the
        same for all or one for each class.
    narrowest
        The same for parts that are about disks, of less than twice the area of the
        largest disk in them; `thinnest` unless given.
    """
    from scipy.ndimage import find_objects
    from skimage.measure import label

    pair = labels.astype(np.int64) * (classes.max() + 1) + classes + 1
    parts = label(np.where(labels > 0, pair, 0), background=0, connectivity=1)
    area = np.bincount(parts.ravel())
    depth = _depth(parts, area >= smallest)
    of_part = np.zeros(len(area), np.intp)
    of_part[parts] = classes
    least, disks = (
        np.broadcast_to(one, classes.max() + 1)[of_part]
        for one in (thinnest, thinnest if narrowest is None else narrowest)
    )
    is_disk = area < 2 * np.pi * depth**2
    keep = (area >= smallest) & (depth >= np.where(is_disk, disks, least))
    keep[0] = False
    result = np.zeros(labels.shape, np.int32)
    for region, box in enumerate(find_objects(labels), start=1):
        if box is None:
            continue
        inside = labels[box] == region
        kept = np.where(inside & keep[parts[box]], parts[box], 0)
        if not kept.any():
            kept = np.where(inside, parts[box][inside][0], 0)
        if (kept > 0)[inside].all():
            result[box][inside] = kept[inside]
        else:
            result[box][inside] = nearest_label(kept, (1.0, 1.0))[inside]
    return result


def _depth(parts: Ints, wanted: Bools) -> Array:
    """Largest distance of each wanted part's pixels to its outline, 0 of others."""
    from scipy.ndimage import distance_transform_edt, find_objects

    depth = np.zeros(parts.max() + 1)
    for index, box in enumerate(find_objects(parts), start=1):
        if not wanted[index]:
            continue
        frame = tuple(slice(max(0, s.start - 1), s.stop + 1) for s in box)
        inside = parts[frame] == index
        depth[index] = distance_transform_edt(inside).max()
    return depth
