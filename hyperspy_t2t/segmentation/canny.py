# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Regions within closed contours: edges whose gaps are bridged."""

import numpy as np

from hyperspy_t2t.array_types import Array, Ints
from hyperspy_t2t.segmentation.binning import filled
from hyperspy_t2t.segmentation.edges import find_edges
from hyperspy_t2t.segmentation.patches import Border, Joining, Patches, find_patches

COVERED = 0.5
"""Share of a border that edges cover if it is a contour."""
GAP = 2.0
"""Half the width in pixels of the gaps that averaging makes where edges cross."""
SLIT = 0.25
"""Half that width over the inner radius of the regions it may keep apart."""


def canny_regions(mean: Array, *, noise: float | None = None, smallest: float) -> Ints:
    """Regions of an image that edges separate.

    Edges are found at the finest scale that shows them (:func:`find_edges`), gaps
    in them are bridged where they are narrowest (:func:`find_patches`), and two
    neighbours stay apart if edges cover at least half of the border between them.
    A slow change of grey level is no edge, noise of one kind is one region, and
    neither the unit nor the sign of the grey levels matters.

    Parameters
    ----------
    mean
        Grey levels, shape (ny, nx), best averaged with a Gaussian of about two
        pixels. Values that are not finite take the nearest one.
    noise
        Standard deviation of its noise, if it is known; otherwise the noise is
        estimated from the image, as is what exceeds it.
    smallest
        Fewest pixels of a region; a smaller one joins the neighbour that differs
        least along their border.

    Returns
    -------
    ndarray
        Labels 1 … n, int32, shape (ny, nx).
    """
    image = without_gaps(mean)
    edges = find_edges(image, noise=noise or 0.0)
    if not edges.on.any():
        return np.ones(mean.shape, np.int32)
    patches = find_patches(edges, image)
    joining = Joining(patches)
    join_uncovered(joining, difference_noise(image))
    joining.join_small(smallest, lambda a, b: mean_step(joining, a, b))
    return (joining.groups()[patches.labels] + 1).astype(np.int32)


def contoured(patches: Patches, noise: float) -> Ints:
    """Group of each patch such that contours separate the groups."""
    joining = Joining(patches)
    join_uncovered(joining, noise)
    return joining.groups()


def join_uncovered(joining: Joining, noise: float) -> None:
    """Join patches until edges cover half of every border.

    First across the borders of which it is surest that no step hides in them, so
    that what surrounds a region is whole before its border is judged: a region with
    a gap in its contour is not given away to the patch outside the gap.

    Parameters
    ----------
    joining
        Patches to join.
    noise
        Standard deviation of the difference of grey levels across a border.
    """

    def cost(a: int, b: int) -> float | None:
        border = joining.neighbours[a][b]
        if is_contour(border):
            return None
        # Averaging correlates about four neighbouring pixels.
        if border.width <= min(GAP, SLIT * min(joining.depth[a], joining.depth[b])):
            return None
        error = noise / np.sqrt(border.length / 4)
        return abs(border.step) / border.length + error

    joining.join_all(cost)


def is_contour(border: Border) -> bool:
    """Whether edges cover half of a border."""
    return border.covered >= COVERED * (border.covered + border.bare)


def mean_step(joining: Joining, a: int, b: int) -> float:
    """Mean difference of grey levels across a border."""
    border = joining.neighbours[a][b]
    return abs(border.step) / border.length


def difference_noise(image: Array) -> float:
    """Median-based standard deviation of differences over five pixels.

    Of the two directions the one with less counts, which is along layers.
    """
    reach = 5
    return min(
        (
            float(np.median(np.abs(moved - np.roll(moved, reach, axis=0))) / 0.6745)
            for moved in (image, image.T)
            if len(moved) > reach
        ),
        default=0.0,
    )


def without_gaps(image: Array) -> Array:
    """Grey levels as float; those that are not finite take the nearest one."""
    image = np.asarray(image, float)
    return filled(image)[0] if np.isfinite(image).any() else np.zeros(image.shape)
