# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""A region divided between seeds, along edges and necks.

From every pixel a walker starts that steps at random to one of the four neighbours
inside the region, rarely where the grey level steps. The pixel goes to the seed
which the walker most probably meets first. Borders therefore follow edges of the
grey level; where there are none they run through the necks of the region, and
through a region without either about halfway between the seeds.

L. Grady, IEEE Trans. Pattern Anal. Mach. Intell. 28 (2006) 1768,
https://doi.org/10.1109/TPAMI.2006.233.
"""

from typing import Any

import numpy as np

from hyperspy_t2t.array_types import Array, Ints, Mask
from hyperspy_t2t.calibration import ImageGrid
from hyperspy_t2t.segmentation.nearest import nearest_label
from hyperspy_t2t.segmentation.regions import noise_to_contrast
from hyperspy_t2t.segmentation.sampling import sampled_frequencies
from hyperspy_t2t.strain.demodulation import local_amplitude

MOST_POINTS = 90_000
"""Points of the coarse grid on which a region is divided: about one second."""
_EDGE = 2.0
"""Slope, in units of its usual size in the region, from which it is an edge."""
_LEAK = 1e-4
"""Conductance of the sharpest edge, relative to none."""


def divide_by_seeds(mean: Array, mask: Mask, seeds: Ints, spacing: tuple) -> Ints:
    """Part of each point of a region: the seed a random walk reaches first.

    The conductance between two neighbours is exp(−(s/2s₀)²) with the slope s of the
    grey level between them and its standard deviation s₀, estimated from its median
    size, so that noise and gradual changes count little. A seed is the disk around
    its point of 0.3 times the distance to the outline, but no further than a quarter
    of the way to the next seed. Parts without a seed join what is nearest.

    Parameters
    ----------
    mean
        Smooth grey levels, shape (ny, nx); read inside the region only.
    mask
        True inside the region, same shape.
    seeds
        (row, column) of n different points of the region, shape (n, 2), n ≥ 2.
    spacing
        (sy, sx) between rows and columns in nm.

    Returns
    -------
    ndarray
        1 … n in the order of the seeds, shape (ny, nx), outside the region too,
        where it is the part that is nearest.
    """
    parts = np.zeros(mask.shape, np.int32)
    links, conductance = _network(mean, mask, spacing)
    parts[mask] = _first_reached(
        links, conductance, _disks(mask, seeds, spacing)[mask], len(seeds)
    )
    return nearest_label(parts, spacing)


def coarse_region(
    image: Any, mask: Any, grid: ImageGrid
) -> tuple[ImageGrid, Array, Mask]:
    """A region on a coarse grid: the grid in nm, its mean grey levels and its mask.

    Grey levels are averaged over noise and over the longest period of the lattices
    that are seen, inside the region only; NaN where the region has no data.

    Parameters
    ----------
    image, mask
        Grey levels and True inside the region, both numpy or both dask, shape
        (ny, nx) with sides of four pixels or more.
    grid
        Their pixels in nm.
    """
    extent = np.multiply(grid.shape, grid.pixel_size)
    sigma = max(_smoothing(image, grid), 2 * np.sqrt(np.prod(extent) / MOST_POINTS))
    inside = _where(mask, image, np.nan)
    local = local_amplitude(inside, grid, [], sigma=sigma)
    mean = np.where(local.coverage > 1e-6, local.mean, np.nan)
    rows, columns = grid.nearest(local.grid)
    return local.grid, mean, np.asarray(mask[rows][:, columns])


def _where(mask: Any, image: Any, other: float) -> Any:
    """np.where for numpy, dask.array.where for dask."""
    if isinstance(mask, np.ndarray):
        return np.where(mask, image, other)
    import dask.array as da

    return da.where(mask, image, other)


def _smoothing(image: Any, grid: ImageGrid) -> float:
    """Standard deviation in nm that averages over noise and the longest period."""
    middle = tuple(slice(max(0, n // 2 - 256), n // 2 + 256) for n in grid.shape)
    noise = noise_to_contrast(np.asarray(image[middle], float))
    sigma = np.clip(25 * noise, 1, 5) * max(grid.pixel_size)
    frequencies = sampled_frequencies(image) / grid.pixel_size[::-1]
    return max(sigma, 0.7 / min(np.linalg.norm(frequencies, axis=1), default=np.inf))


def _network(
    mean: Array, mask: Mask, spacing: tuple[float, float]
) -> tuple[Ints, Array]:
    """Pairs (m, 2) of neighbours among the points of a region, and conductances.

    A link is as wide as the rows or columns that it connects are apart.
    """
    index = np.cumsum(mask).reshape(mask.shape) - 1
    links, slopes, shape = [], [], []
    for axis, (along, across) in enumerate((spacing, spacing[::-1])):
        ends = [np.moveaxis(a, axis, 0) for a in (mask, index, mean)]
        (inside, other), (first, second), (low, high) = ((a[:-1], a[1:]) for a in ends)
        both = inside & other
        links.append(np.stack([first[both], second[both]], axis=-1))
        slopes.append(np.nan_to_num(np.abs(high - low)[both] / along))
        shape.append(np.full(len(slopes[-1]), across / along))
    slope = np.concatenate(slopes)
    usual = np.median(slope) / 0.6745 if len(slope) else 0.0
    # Without noise everything that can be seen at all is an edge.
    usual = max(usual, 1e-6 * slope.max(initial=0.0), np.finfo(float).tiny)
    passes = np.exp(-(np.minimum(slope / (_EDGE * usual), 20.0) ** 2))
    return np.concatenate(links), np.concatenate(shape) * (passes + _LEAK)


def _disks(mask: Mask, seeds: Ints, spacing: tuple[float, float]) -> Ints:
    """1 … n on the points that belong to a seed, else 0, shape (ny, nx)."""
    from scipy.ndimage import distance_transform_edt

    depth = distance_transform_edt(np.pad(mask, 1), sampling=spacing)[1:-1, 1:-1]
    places = seeds * np.asarray(spacing)
    rows, columns = (np.arange(n) * s for n, s in zip(mask.shape, spacing, strict=True))
    disks = np.zeros(mask.shape, np.int32)
    for number, (seed, place) in enumerate(zip(seeds, places, strict=True), start=1):
        between = np.linalg.norm(np.delete(places, number - 1, axis=0) - place, axis=1)
        radius = min(0.3 * depth[tuple(seed)], 0.125 * between.min())
        distance = np.hypot(rows[:, None] - place[0], columns[None, :] - place[1])
        disks[mask & (distance <= radius)] = number
    return disks


def _first_reached(
    links: Ints,
    conductance: Array,
    seeds: Ints,
    count: int,
) -> Ints:
    """1 … count for each point of a network, 0 where no seed can be reached.

    The probabilities of meeting each seed first are harmonic: at every point but the
    seeds the mean of the neighbours', weighed by the conductances.
    """
    from scipy import sparse
    from scipy.sparse.csgraph import connected_components
    from scipy.sparse.linalg import splu

    size = (len(seeds), len(seeds))
    weights = sparse.coo_array((conductance, tuple(links.T)), shape=size).tocsr()
    weights = (weights + weights.T).tocsr()
    _, part = connected_components(weights, directed=False)
    free = np.isin(part, part[seeds > 0]) & (seeds == 0)
    fixed = seeds > 0
    if not free.any():
        return seeds
    total = sparse.diags_array(weights.sum(axis=1))
    inner = (total - weights).tocsr()[free][:, free].tocsc()
    known = (seeds[fixed, None] == np.arange(1, count + 1)).astype(float)
    chance = splu(inner).solve(weights[free][:, fixed] @ known)
    reached = seeds.copy()
    reached[free] = chance.argmax(axis=1) + 1
    return reached
