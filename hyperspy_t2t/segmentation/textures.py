# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Regions of equal grey level told by the strength of their texture.

Vacuum has the noise of counting only; an amorphous film adds speckle, in the octaves of
frequency that the microscope transfers. The power of an octave is the mean square of
the details of Haar's wavelets of one size, sums over 2 × 2 means less their mean; of
white noise it is the variance of a pixel at every size. A. Haar, Math. Ann. 69 (1910)
331, https://doi.org/10.1007/BF01456326.
"""

from typing import Any, NamedTuple

import numpy as np
from numba import njit

from hyperspy_t2t.array_types import Array, Bools, Ints, Labels
from hyperspy_t2t.image_rows import rows_in_order
from hyperspy_t2t.segmentation.coherence import most_frequent
from hyperspy_t2t.segmentation.grey import at_borders, grey_regions
from hyperspy_t2t.segmentation.merging import Borders, borders, merged

_OCTAVES = 4
"""Periods from 2 up to 32 pixels; coarser texture is that of the grey levels."""
_TILE, _TILES = 16, 160
"""Side in pixels of the smallest tiles, and their largest number along an image."""
_STRONGER = 2.0
"""Ratio of the power of two textures that differ."""
_FEWEST = 6
"""Fewest tiles along a side that can be divided."""
_AROUND = 3
"""Side in tiles of the square that tells how the power varies."""
_CLEAR = 8.0
"""Range of the power of an octave over its scatter from which it is looked at."""
_EQUAL = 0.5
"""Step of the mean, over the standard deviation of the speckle, that is none."""
_COLOURED = 4.0
"""Power of an octave over that of the highest up to which it is the noise of counting,
which a detector that blurs makes weaker at high frequencies."""
_LEAST = 1e-6
"""Power over the largest below which it is none."""


class Textures(NamedTuple):
    """Textures of an image."""

    labels: Ints
    """1 … n at the pixels of the image worked on."""
    power: Array
    """Median of each octave, the highest first, squared grey levels, shape (4, n)."""
    octave: int
    """The one that tells them apart."""
    thinnest: float
    """Pixels of `labels` along a tile: what is thinner cannot be told."""


@njit(cache=True, nogil=True)
def _details(strip: Array, tile: int, octaves: int) -> Array:
    """Mean square of the details of each octave and tile, NaN where data lack."""
    rows, columns = strip.shape[0] // tile, strip.shape[1] // tile
    result = np.zeros((octaves, rows, columns))
    work = np.empty((tile, tile), np.float32)
    for row in range(rows):
        for column in range(columns):
            for i in range(tile):
                for j in range(tile):
                    work[i, j] = strip[row * tile + i, column * tile + j]
            side = tile
            for octave in range(octaves):
                half = side // 2
                total = 0.0
                for i in range(half):
                    for j in range(half):
                        a, b = work[2 * i, 2 * j], work[2 * i, 2 * j + 1]
                        c, d = work[2 * i + 1, 2 * j], work[2 * i + 1, 2 * j + 1]
                        mean = (a + b + c + d) / 4
                        total += (a - mean) ** 2 + (b - mean) ** 2
                        total += (c - mean) ** 2 + (d - mean) ** 2
                        # Twice the mean, so that white noise keeps its variance.
                        work[i, j] = 2 * mean
                result[octave, row, column] = total / (3 * half * half)
                side = half
    return result


def octave_powers(image: Any, tile: int) -> Array:
    """Power of octaves of frequency in tiles of an image, the highest first.

    Parameters
    ----------
    image
        Array (ny, nx), numpy or dask, read strip by strip.
    tile
        Side of the tiles in pixels, a multiple of 16; what is left over is not used.

    Returns
    -------
    ndarray
        Squared grey levels per pixel, shape (4, ny // tile, nx // tile); NaN in tiles
        with pixels that are not finite.
    """
    strip = tile * max(1, 512 // tile)
    starts = range(0, image.shape[0] - tile + 1, strip)
    spans = [slice(start, min(start + strip, image.shape[0])) for start in starts]
    return np.concatenate([
        _details(np.ascontiguousarray(rows, np.float32), tile, _OCTAVES)
        for rows in rows_in_order(image, spans)
    ], axis=1)  # fmt: skip


def find_textures(
    image: Any,
    labels: Labels,
    lattice: Labels,
    *,
    binning: int,
) -> Textures | None:
    """Where the texture of what has no lattice makes a step.

    The octave whose power varies the most, in units of its scatter, is divided as grey
    levels are; what differs by less than a factor of two joins.

    Parameters
    ----------
    image
        Array (ny, nx), numpy or dask.
    labels
        Regions of equal grey level in the image binned by `binning`, 1 and above; at
        their borders the step is no texture.
    lattice
        The lattice of each of its pixels, 0 for none; fringes are no texture.
    binning
        Pixels of the image along one of `labels`.

    Returns
    -------
    Textures or None
        None without a step.
    """
    tile = _TILE * max(1, -(-max(image.shape) // (_TILE * _TILES)))
    if min(image.shape) < _FEWEST * tile:
        return None
    power = octave_powers(image, tile)
    size = tile / binning
    allowed = np.isfinite(power[0]) & ~_tiles_of(lattice > 0, power[0].shape, size)
    known = allowed & ~_tiles_of(at_borders(labels), power[0].shape, size)
    known = _with_speckle(power, known, allowed, tile)
    if known.sum() < _FEWEST**2:
        return None
    power = np.stack([np.where(known, one, 0) for one in power])
    best = _clearest(power, known, tile)
    if best is None:
        return None
    level = np.log(np.maximum(power[best], 1e-300 + _LEAST * power[best].max()))
    level = _continued(level, known)
    parts = grey_regions(level).labels
    parts = _distinct(parts, level, known)
    if parts.max() < 2:
        return None
    typical = np.stack([
        np.median(power[:, known & (parts == k)], axis=1)
        for k in range(1, parts.max() + 1)
    ], axis=1)  # fmt: skip
    return Textures(_at_pixels(parts, labels.shape, size), typical, best, size)


def _tiles_of(mask: Bools, shape: tuple[int, int], size: float) -> Bools:
    """Tiles with pixels of a mask, and those beside them; `size` of one in pixels."""
    from scipy.ndimage import binary_dilation

    rows, columns = (
        np.minimum((np.arange(n) // size).astype(np.intp), m - 1)
        for n, m in zip(mask.shape, shape, strict=True)
    )
    result = np.zeros(shape, bool)
    at = np.nonzero(mask)
    result[rows[at[0]], columns[at[1]]] = True
    return binary_dilation(result, np.ones((3, 3)))


def _with_speckle(
    power: Array,
    known: Bools,
    allowed: Bools,
    tile: int,
) -> Bools:
    """Known tiles, and of the allowed ones those whose borders are drawn in speckle.

    At a true border some octave is stronger than that of what lies beside it.
    """
    from scipy.ndimage import uniform_filter

    # Twice the scatter of one tile is left to chance.
    samples = 3 * (tile / 2.0 ** np.arange(1, _OCTAVES + 1)) ** 2
    limit = _STRONGER * (1 + 2 * np.sqrt(2 / samples))
    for _ in range(max(known.shape)):
        weight = uniform_filter(known.astype(float), 3)
        open_ = np.nonzero(allowed & ~known & (weight > 1e-3))
        usual = [uniform_filter(np.where(known, one, 0), 3)[open_] for one in power]
        found = power[:, open_[0], open_[1]] * weight[open_] < np.stack(
            [most * one for most, one in zip(limit, usual, strict=True)]
        )
        found = found.all(axis=0)
        if not found.any():
            break
        known = known.copy()
        known[tuple(index[found] for index in open_)] = True
    return known


def _clearest(power: Array, known: Bools, tile: int) -> int | None:
    """The octave that varies the most in units of its scatter, if by enough."""
    from scipy.ndimage import uniform_filter

    weight = np.maximum(uniform_filter(known.astype(float), _AROUND), 1e-9)
    found, best = None, _CLEAR
    for octave, one in enumerate(power):
        mean = uniform_filter(one, _AROUND)[known] / weight[known]
        low, high = np.log(np.maximum(np.percentile(mean, [3, 97]), 1e-300))
        samples = 3 * (tile / 2 ** (octave + 1) * _AROUND) ** 2
        scatter = np.sqrt(2 / samples)
        clear = (high - low) / scatter
        if high - low > np.log(_STRONGER) and clear > best:
            found, best = octave, clear
    return found


def _continued(level: Array, known: Bools) -> Array:
    from scipy.ndimage import distance_transform_edt

    index = distance_transform_edt(~known, return_distances=False, return_indices=True)
    return level[tuple(index)]


def _distinct(parts: Labels, level: Array, known: Bools) -> Labels:
    """Neighbours of like power joined, those most alike first; labels 1 … n."""

    def strength(found: Borders, sums: Array) -> tuple[Array, Array]:
        mean = sums[:, 1] / np.maximum(sums[:, 0], 1e-9)
        apart = np.abs(mean[found.first] - mean[found.second])
        few = np.minimum(sums[found.first, 0], sums[found.second, 0]) < _AROUND**2
        return np.where(few, 1e-3 * apart, apart), np.full(
            len(apart), np.log(_STRONGER)
        )

    parts = parts - parts.min()
    flat, one = parts.ravel(), known.ravel().astype(float)
    sums = np.stack([np.bincount(flat, one), np.bincount(flat, one * level.ravel())], 1)
    none = np.zeros((1, *level.shape))
    across = none[:, :, 1:], none[:, 1:]
    return merged(borders(parts, across), sums, strength)[parts] + 1


def _at_pixels(parts: Labels, shape: tuple[int, int], size: float) -> Labels:
    """Parts of tiles at pixels, of which `size` are a tile, along smooth borders."""
    from scipy.ndimage import gaussian_filter

    first, best = np.ones(shape, np.intp), np.zeros(shape)
    for number in range(1, parts.max() + 1):
        share = gaussian_filter((parts == number).astype(float), 1.0, mode="nearest")
        for axis, count in enumerate(shape):
            place = (np.arange(count) + 0.5) / size - 0.5
            place = np.clip(place, 0, share.shape[axis] - 1)
            low = np.minimum(place.astype(int), share.shape[axis] - 2)
            part = (place - low).reshape((-1, 1) if axis == 0 else -1)
            share = (1 - part) * share.take(low, axis) + part * share.take(
                low + 1, axis
            )
        first[share > best] = number
        best = np.maximum(best, share)
    return first


def texture_classes(
    image: Array, parts: Labels, lattice: Labels, found: Textures
) -> tuple[Labels, Bools]:
    """The texture of each pixel in regions that textures of equal mean divide.

    The weakest texture of a region has to be that of counts, about the same in all
    octaves; others come apart from it if their mean is the same, in units of their
    speckle. Otherwise structure is meant that the grey level shows as well.

    Parameters
    ----------
    image
        Grey levels, shape (ny, nx).
    parts
        Regions, same shape, 1 and above.
    lattice
        The lattice of each pixel, 0 for none, same shape.
    found
        Textures of the image.

    Returns
    -------
    classes, speckle
        The texture of each pixel, of most pixels in a region that is not divided, 0 in
        one with a lattice; and for each texture from 0 on whether it came apart.
    """
    count = found.power.shape[1] + 1
    usual = most_frequent(parts, found.labels)
    usual[most_frequent(parts, lattice) > 0] = 0
    table = np.repeat(usual[:, None], count, axis=1)
    speckle = np.zeros(count, bool)
    pair = (parts * count + found.labels).ravel()
    area = np.bincount(pair, minlength=table.size).reshape(table.shape)
    total = np.bincount(pair, image.ravel(), table.size).reshape(table.shape)
    mean = total / np.maximum(area, 1)
    deciding = found.power[found.octave]
    for region in np.flatnonzero(usual):
        there = np.flatnonzero(area[region] > (_AROUND * found.thinnest) ** 2)
        if len(there) < 2:
            continue
        weakest = there[deciding[there - 1].argmin()]
        table[region] = weakest
        if deciding[weakest - 1] > _COLOURED * found.power[0, weakest - 1]:
            continue
        more = found.power - found.power[:, [weakest - 1]]
        # Details of the octave n have 3 / 4ⁿ of the degrees of freedom.
        octaves = 3 / 4.0 ** np.arange(1, _OCTAVES + 1)
        spread = np.sqrt(np.maximum(octaves @ more, 0))
        for other in there[there != weakest]:
            step = abs(mean[region, other] - mean[region, weakest])
            if step < _EQUAL * spread[other - 1]:
                table[region, other], speckle[other] = other, True
    return table[parts, found.labels], speckle
