# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Regions divided by steps of the grey level, found without a parameter to set.

Basins of the slope (a watershed) are merged twice. First as long as one plane
describes two neighbours as well as two planes do, by what the merger costs in noise
units per length of border (D. Mumford and J. Shah, Comm. Pure Appl. Math. 42 (1989)
577, https://doi.org/10.1002/cpa.3160420503): this uses every pixel and finds faint
steps. Then across borders where the grey level makes no step of its own: a slope that
goes on at both sides, as that of a wedge or of the illumination, is none.
"""

import numpy as np
import numpy.typing as npt

from hyperspy_t2t.segmentation.illumination import common_illumination
from hyperspy_t2t.segmentation.merging import Borders, borders, merged
from hyperspy_t2t.segmentation.noise import image_noise
from hyperspy_t2t.segmentation.relaxation import relaxed
from hyperspy_t2t.segmentation.scale import Smoothed, smoothed
from hyperspy_t2t.segmentation.steps import (
    StepTest,
    between,
    edge_pieces,
    merge_without_step,
    steps_across,
)

Array = npt.NDArray[np.floating]
Labels = npt.NDArray[np.intp]
_COST = 0.45
"""Smallest cost of a merger that stops it, per pixel of border, in noise units: above
what a watershed of pure noise leaves."""
_SLOPE = 0.5
"""Change of grey level over the image, as a share of its range, that one region may
have from a wedge or the illumination; the spread of the prior of its slope."""
_PASSES = 2
"""Divisions of an image, each with the noise away from the borders of the last."""
_CROWDED = 64
"""Number of regions above which steps need to be stronger, twice if it must be."""


def grey_regions(
    image: Array,
    *,
    texture: float = 0.0,
    smallest: float = 0.0,
    faintest: float = 1.0,
) -> tuple[Labels, Smoothed]:
    """Regions whose grey level makes a step at their borders.

    Parameters
    ----------
    image
        Grey levels, shape (ny, nx), finite.
    texture
        As in :func:`smoothed`.
    smallest
        Fewest pixels of a region.
    faintest
        Factor on what a step needs to count as a border.

    Returns
    -------
    labels, smoothed
        Labels 1 … n, shape (ny, nx), and the image they were found in.
    """
    from scipy.ndimage import gaussian_filter, maximum_filter
    from skimage.measure import label
    from skimage.segmentation import watershed

    smooth = smoothed(image, texture=texture)
    if smooth.range <= 1e-9 * max(1.0, np.abs(smooth.value).max()):
        return np.ones(image.shape, np.intp), smooth
    slope = np.hypot(*np.gradient(smooth.value)).astype(np.float32)
    basins = watershed(slope)
    fine = gaussian_filter(image, texture) if texture > 0.5 else image
    # Of a smaller one no lattice could be told.
    smallest = max(smallest, (3 * smooth.sigma) ** 2, (5 * texture) ** 2)
    raw, white, bare, light = smooth.value, smooth.noise, fine, None
    rest = raw
    for _ in range(_PASSES):
        noise = image_noise(raw, white, smooth.sigma, rest)
        gain = 1.0 if light is None else light.gain
        smooth = smooth._replace(noise=noise.level / gain, reach=noise.reach)
        labels = _divided(basins, fine, slope, smooth, texture, smallest, faintest)
        edge = 2 * int(np.ceil(3 * np.hypot(smooth.sigma, smooth.blur))) + 1
        inside = ~maximum_filter(at_borders(labels), edge)
        light = common_illumination(raw, labels, inside, noise)
        fine, value = light.removed(bare), light.removed(raw)
        smooth = smooth._replace(value=value)
        slope = np.hypot(*np.gradient(value)).astype(np.float32)
        rest = (value - region_planes(labels, value)) * light.gain
    if smooth.sigma > 1.2 * max(1.0, texture):
        across = steps_across(smooth.value, smooth.sigma, 1.5)
        labels = relaxed(labels, fine, smooth.noise, smooth.sigma)
        parts = label(labels, background=0, connectivity=1)
        labels = without_small(parts, across, smallest)
    return labels, smooth


def _divided(basins, fine, slope, smooth, texture, smallest, faintest):
    across = steps_across(smooth.value, smooth.sigma, 1.5)
    # Pixels within a blurred edge tell little about either side.
    blurred = 2 * max(1.0, texture, smooth.blur) * slope
    power = 4 * np.pi * (smooth.reach * smooth.noise) ** 2
    weight = 1 / (power + blurred**2)
    start = _by_cost(basins, fine, weight, across, smooth, faintest)
    start = np.unique(start, return_inverse=True)[1].reshape(start.shape) + 1
    width = float(np.hypot(smooth.sigma, smooth.blur))
    start = relaxed(start, fine, smooth.noise, min(width, 2 * smooth.sigma))
    for factor in (1.0, 1.5, 2.0):
        test = StepTest(smooth, factor * faintest)
        labels = merge_without_step(start, fine, weight, slope, test)
        labels = without_thin(labels, across, slope, smooth.sigma)
        labels = without_small(labels, across, smallest)
        if labels.max() <= _CROWDED:
            break
    return labels


def _by_cost(
    labels: Labels,
    image: Array,
    weight: Array,
    across: tuple[Array, Array],
    smooth: Smoothed,
    faintest: float,
) -> Labels:
    """Merge neighbours that one plane describes as well as two."""
    prior = (max(image.shape) / (_SLOPE * smooth.range)) ** 2

    def strength(found: Borders, sums: Array) -> tuple[Array, Array]:
        apart = _residual(sums, prior)
        both = _residual(sums[found.first] + sums[found.second], prior)
        cost = both - apart[found.first] - apart[found.second]
        per_length = np.maximum(cost, 0) / found.length
        return per_length, np.maximum(_COST, 12 / found.length) * faintest**2

    new = merged(borders(labels, across), _moments(labels, image, weight), strength)
    return new[labels]


def _moments(labels: Labels, image: Array, weight: Array) -> Array:
    """For each label the weighted sums of 1, x, y, xx, xy, yy, v, vx, vy, vv."""
    y, x = (
        index.ravel() - size / 2
        for index, size in zip(np.indices(image.shape), image.shape, strict=True)
    )
    v, w = (image - image.mean()).ravel(), weight.ravel()
    wx, wy, wv = w * x, w * y, w * v
    terms = (w, wx, wy, wx * x, wx * y, wy * y, wv, wv * x, wv * y, wv * v)
    flat = labels.ravel()
    return np.stack([np.bincount(flat, term) for term in terms], axis=1)


def region_planes(labels: Labels, image: Array) -> Array:
    """The plane that fits each region's grey levels, at its pixels.

    Its slope has a weak prior of zero, so that a region a pixel wide has one level.
    """
    n, x, y, xx, xy, yy, v, vx, vy, _ = _moments(
        labels, image, np.ones(image.shape)
    ).T  # fmt: skip
    n = np.maximum(n, 1)
    cxx, cxy, cyy = xx - x * x / n + 9, xy - x * y / n, yy - y * y / n + 9
    bx, by = vx - x * v / n, vy - y * v / n
    determinant = cxx * cyy - cxy**2
    right, down = (
        (bx * cyy - by * cxy) / determinant,
        (by * cxx - bx * cxy) / determinant,
    )
    level = image.mean() + (v - right * x - down * y) / n
    rows, columns = (
        index - size / 2
        for index, size in zip(
            np.indices(image.shape, sparse=True), image.shape, strict=True
        )
    )
    return level[labels] + right[labels] * columns + down[labels] * rows


def _residual(sums: Array, prior: float) -> Array:
    """Squares left by the best plane, whose slope has a normal prior."""
    n, x, y, xx, xy, yy, v, vx, vy, vv = sums.T
    n = np.maximum(n, 1e-300)
    cxx, cxy, cyy = xx - x * x / n + prior, xy - x * y / n, yy - y * y / n + prior
    bx, by = vx - x * v / n, vy - y * v / n
    explained = (bx * bx * cyy - 2 * bx * by * cxy + by * by * cxx) / (
        cxx * cyy - cxy**2
    )
    return vv - v * v / n - explained


def without_thin(
    labels: Labels, across: tuple[Array, Array], slope: Array, sigma: float
) -> Labels:
    """Regions given up that lie within one blurred edge.

    Those nowhere deeper than σ; those nowhere deeper than 2 σ whose grey level lies
    between those at their two sides; and pieces of an edge up to 4 σ deep.
    """
    from scipy.ndimage import distance_transform_edt, maximum
    from skimage.segmentation import watershed

    labels = np.unique(labels, return_inverse=True)[1].reshape(labels.shape) + 1
    edge = at_borders(labels)
    if not edge.any():
        return labels
    index = np.arange(labels.max() + 1)
    depth = np.asarray(maximum(distance_transform_edt(~edge) + 1, labels, index))
    found = borders(labels, across)
    flank = between(found.first, found.second, found.step[:, 0], len(index))
    shallow = np.where(flank, 2 * sigma + 0.5, sigma + 0.01)
    shallow[edge_pieces(found, flank)] = 4 * sigma
    keep = depth > shallow
    if keep[1:].all() or not keep[1:].any():
        return labels
    return watershed(slope, np.where(keep[labels], labels, 0)).astype(np.intp)


def at_borders(labels: npt.NDArray[np.integer]) -> npt.NDArray[np.bool_]:
    """Pixels with a neighbour of another label."""
    edge = np.zeros(labels.shape, bool)
    for axis in (0, 1):
        differs = np.diff(labels, axis=axis) != 0
        low = [slice(None)] * 2
        high = [slice(None)] * 2
        low[axis], high[axis] = slice(None, -1), slice(1, None)
        edge[tuple(low)] |= differs
        edge[tuple(high)] |= differs
    return edge


def without_small(
    labels: Labels, across: tuple[Array, Array], smallest: float
) -> Labels:
    """Regions of too few pixels merged where their border is the weakest."""

    def strength(found: Borders, sums: Array) -> tuple[Array, Array]:
        size = np.minimum(sums[found.first, 0], sums[found.second, 0])
        step = np.abs(found.mean_step[:, 0])
        # The smallest first, and each across its weakest border.
        order = size + step / max(step.max(initial=0) * 1.01, 1e-300)
        return order / smallest, np.ones(len(size))

    size = np.bincount(labels.ravel())[:, None].astype(float)
    labels = merged(borders(labels, across), size, strength)[labels]
    return np.unique(labels, return_inverse=True)[1].reshape(labels.shape) + 1
