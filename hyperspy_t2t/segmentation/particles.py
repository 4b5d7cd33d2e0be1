# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Particles that touch: regions cut where they narrow between two bulges."""

import numpy as np

from hyperspy_t2t.array_types import Array, Ints, Mask
from hyperspy_t2t.segmentation.canny import (
    contoured,
    difference_noise,
    is_contour,
    mean_step,
    without_gaps,
)
from hyperspy_t2t.segmentation.edges import Edges, find_edges
from hyperspy_t2t.segmentation.patches import Joining, Patches, find_patches, joined

NECK = 0.85
"""Width of a neck between two particles over that of the narrower particle. Circles
that overlap by a third of their radius have such a neck; the arms of a T, an L or a
cross are 0.85 times as wide as the circle in their corner."""
BULGE = 0.01
"""Least mean bulge of a particle's outline: how much less than half of a circle around
its points is inside. A circle has 0.08, a straight line 0, a background less."""
CORNER = 0.1
"""Largest bulge that one point may have: cusps between particles are short."""
FEWEST, FINEST = 9, 1e-4
"""Smallest region by default: in pixels, half a circle of five pixels, and over the
area of the image."""
CROWD, LIKE = 20, 4.0
"""Fewest particles of a crowd, and the largest ratio of the 90th percentile of their
areas to the 10th."""
SPECK, COVERED_BY_CROWD = 12, 0.1
"""Fewest pixels of its smaller particles, and least share of the image that they cover:
specks of noise are of like size as well."""
SAMPLES = 512
"""Rows or columns to which a smaller image is interpolated, so that particles of
some five pixels have an inside and an outline."""
_MOST_SAMPLES = 4
"""Largest number of interpolated rows per row."""
_POINTS, _DIRECTIONS = 20_000, 32
"""Points of outlines, and points of the circle around each, that are looked at."""


def touching_particles(mean: Array, *, smallest: float | None = None) -> Ints:
    """Each particle as a region of its own, also where particles touch.

    Contours separate what differs in grey level (:func:`canny_regions`). Of the
    regions within them, those on the side of the edges that bulges are particles,
    bright or dark; they are cut where they narrow to three quarters of the width of
    the parts on both sides, or, with less of a neck, where the grey level falls off
    as well: it is the product that counts, the area of contact of two particles in
    projection. Background and support stay whole.

    Parameters
    ----------
    mean
        Grey levels, shape (ny, nx), averaged as little as their noise allows.
        Particles should be five or more pixels wide. Values that are not finite take
        the nearest one.
    smallest
        Fewest pixels of a region; a smaller one joins a neighbour. By default nine,
        or a ten-thousandth of the image.

    Returns
    -------
    ndarray
        Labels 1 … n, int32, shape (ny, nx).
    """
    image = without_gaps(mean)
    factor = int(np.clip(np.ceil(SAMPLES / max(image.shape)), 1, _MOST_SAMPLES))
    image = _interpolated(image, factor)
    edges = find_edges(image)
    if not edges.on.any():
        return np.ones(mean.shape, np.int32)
    patches = find_patches(edges, image)
    regions = contoured(patches, difference_noise(image))
    bulging = bulge(edges, patches, regions, image) > BULGE
    sign, ground = _surroundings(joined(patches, regions))
    parts = _parts(patches, regions, bulging, sign, ground)
    pieces = joined(patches, parts)
    region = np.zeros(len(pieces.area), np.intp)
    region[parts] = regions
    if smallest is None:
        smallest = max(FEWEST, FINEST * mean.size)
    groups = _without_fragments(pieces, region, smallest * factor**2)
    labels = groups[pieces.labels][factor // 2 :: factor, factor // 2 :: factor]
    return (np.unique(labels, return_inverse=True)[1] + 1).astype(np.int32)


def is_crowd(labels: Ints) -> bool:
    """Whether regions other than the largest are many particles of like size.

    Then their borders are worth more than those of regions of equal grey level: a
    layer of touching spheres is one region of one grey level.
    """
    area = np.sort(np.bincount(labels.ravel())[1:])[:-1]
    if len(area) < CROWD:
        return False
    small, large = np.percentile(area, [10, 90])
    wide = small >= SPECK and area.sum() >= COVERED_BY_CROWD * labels.size
    return bool(wide and large <= LIKE * small)


def _interpolated(image: Array, factor: int) -> Array:
    """Image with `factor` rows and columns for each one, by cubic splines."""
    from scipy.ndimage import zoom

    if factor == 1:
        return image
    return zoom(image, factor, order=3, mode="nearest", grid_mode=True)


def bulge(edges: Edges, patches: Patches, regions: Ints, image: Array) -> Array:
    """How far the outlines of regions bulge, on average.

    Around a point of an edge, less than half of a circle is on the side that bulges.
    The circle is half as large as the smaller of the patches beside the edge.

    Parameters
    ----------
    edges
        Edges of the image.
    patches
        Patches between them.
    regions
        Region 0 … n − 1 of each patch.
    image
        Grey levels.
    """
    rows, columns = np.nonzero(edges.on)
    every = max(1, len(rows) // _POINTS)
    point = np.stack([rows[::every], columns[::every]])
    size = np.reshape(image.shape, (2, 1))
    aside = 2 * edges.side[:, *point].astype(np.intp)
    beside = [np.clip(point + step, 0, size - 1) for step in (aside, -aside)]
    patch = [patches.labels[tuple(place)] for place in beside]
    radius = np.maximum(0.5 * np.minimum(*(patches.depth[p] for p in patch)), 2)
    angle = 2 * np.pi * np.arange(_DIRECTIONS) / _DIRECTIONS
    circle = np.stack([np.sin(angle), np.cos(angle)])[:, None]
    there = np.rint(point[..., None] + radius[:, None] * circle).astype(np.intp)
    whole = ((there >= 0) & (there < size[..., None])).all(axis=(0, 2))
    one, other = (regions[p] for p in patch)
    used = whole & (one != other)
    brighter = image[tuple(there[:, used])] > image[tuple(point[:, used])][:, None]
    bright = np.clip(0.5 - brighter.mean(axis=1), -CORNER, CORNER)
    up = image[tuple(beside[0])] > image[tuple(beside[1])]
    own = np.where(up[used], bright, -bright)
    count = int(regions.max()) + 1
    total = np.bincount(one[used], own, count) - np.bincount(other[used], own, count)
    points = np.bincount(one[used], minlength=count)
    points = points + np.bincount(other[used], minlength=count)
    return total / np.maximum(points, 1)


def _surroundings(contours: Patches) -> tuple[Array, Array]:
    """Sign of each region's step up from its neighbours, and their level.

    Of the neighbours' levels times the sign the lowest: particles lie on it.
    """
    up = np.zeros(len(contours.area))
    for (a, b), border in contours.borders.items():
        up[a] -= border.step
        up[b] += border.step
    sign = np.where(up < 0, -1.0, 1.0)
    ground = np.full(len(up), np.inf)
    for a, b in contours.borders:
        ground[a] = min(ground[a], sign[a] * contours.level[b])
        ground[b] = min(ground[b], sign[b] * contours.level[a])
    return sign, ground


def _parts(
    patches: Patches, regions: Ints, bulging: Mask, sign: Array, ground: Array
) -> Ints:
    """Group of each patch such that necks and contours separate the groups."""
    joining = Joining(patches, within=regions)

    def cost(a: int, b: int) -> float | None:
        region = regions[a]
        if not bulging[region]:
            return -np.inf
        border = joining.neighbours[a][b]
        if is_contour(border):
            return None
        height, of_a, of_b = (
            sign[region] * level - ground[region]
            for level in (border.level, joining.level[a], joining.level[b])
        )
        neck = border.width / min(joining.depth[a], joining.depth[b])
        neck *= np.clip(height / max(min(of_a, of_b), height, 1e-300), 0, 1)
        return -float(neck) if neck >= NECK else None

    joining.join_all(cost)
    return joining.groups()


def _without_fragments(pieces: Patches, region: Ints, smallest: float) -> Ints:
    """Group of each piece such that none is small.

    A fragment joins what belongs to the same region, else what differs least.
    """
    joining = Joining(pieces)

    def cost(a: int, b: int) -> tuple[bool, float]:
        return bool(region[a] != region[b]), mean_step(joining, a, b)

    joining.join_small(smallest, cost)
    return joining.groups()
