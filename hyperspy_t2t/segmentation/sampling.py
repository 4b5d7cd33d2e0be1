# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Lattice frequencies met in tiles spread over an image, in periods per pixel."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np

from hyperspy_t2t.array_types import Array, Bools, Ints
from hyperspy_t2t.frequencies import hann_window
from hyperspy_t2t.segmentation.frame import read_together

_SMALLEST_TILE, _TILE, _WHOLE = 128, 512, 1024
"""Sides of tiles in pixels, and of the largest square image also taken whole."""
_MAX_TILES = 6
_THREADS = 2
"""Tiles at work at once, each a few MB; the transforms let go of Python's lock."""
_STRIP = 2.5
"""Ratio of a tile's sides from which it is a strip."""
_FEWEST_PERIODS = 6
"""Periods in a tile below which a frequency is structure and no lattice."""
_HIGHEST = 0.48
"""Highest frequency in periods per pixel."""
_SIGNIFICANT = 25.0
"""Power over that of the noise: exp(−25) of the maxima of noise exceed it."""
_ABOVE = 15.0
"""Power over that of streaks and surroundings: exp(−15) of what is in them exceeds."""
_FAINT = 0.03
"""Amplitude below which a tile's frequency counts as an artefact of another tile's."""


def sampled_frequencies(image: Any, *, most: int = 48) -> Array:
    """Strongest lattice frequencies met anywhere in an image.

    Each tile in turn gives its strongest frequency that is new, so that a small
    region is heard beside a large one.

    Parameters
    ----------
    image
        Array (ny, nx), numpy or dask; only the tiles are read.
    most
        Largest number of frequencies returned, one of each Friedel pair.

    Returns
    -------
    ndarray
        (fx, fy) in periods per pixel with fx ≥ 0, shape (n, 2).
    """
    tiles = _tiles(image.shape)
    found = _in_tiles(image, tiles)
    width = 2.0 / min(part.stop - part.start for part in tiles[0])
    strongest = max(spots[0, 2] if len(spots) else 0.0 for spots in found)
    kept: list[Array] = []
    for rank in range(max(map(len, found))):
        for spots in found:
            if rank >= len(spots) or spots[rank, 2] < _FAINT * strongest:
                continue
            if _is_new(spots[rank, :2], kept, width):
                kept.append(spots[rank, :2])
    return np.reshape(kept[:most], (-1, 2))


def _in_tiles(image: Any, tiles: list[tuple[slice, slice]]) -> list[Array]:
    """Frequencies of each tile, two tiles at a time."""
    frames = {shape: Frame.of(shape) for shape in {_shape_of(tile) for tile in tiles}}

    def one(values: Any) -> Array:
        return tile_frequencies(np.asarray(values, np.float32), frames[values.shape])

    parts = read_together(*(image[tile] for tile in tiles))
    with ThreadPoolExecutor(_THREADS) as pool:
        return list(pool.map(one, parts))


def _shape_of(tile: tuple[slice, slice]) -> tuple[int, int]:
    return tuple(part.stop - part.start for part in tile)


def _tiles(shape: tuple[int, int]) -> list[tuple[slice, slice]]:
    """Half-overlapping tiles that cover an image, or sample a large one evenly.

    A small image is also taken whole: more periods, sharper spots.
    """
    axes = []
    lengths = [
        max(_SMALLEST_TILE, min(_TILE, size // 2))
        if size >= 2 * _SMALLEST_TILE
        else size
        for size in shape
    ]
    # Only of a strip the tiles are strips.
    shortest = int(np.ceil(max(lengths) / _STRIP))
    for size, length in zip(shape, lengths, strict=True):
        length = min(size, max(length, shortest))
        count = min(_MAX_TILES, 2 * -(-size // length) - 1)
        starts = np.linspace(0, size - length, count).astype(int)
        axes.append([slice(int(a), int(a) + length) for a in starts])
    tiles = [(rows, columns) for rows in axes[0] for columns in axes[1]]
    if max(shape) <= _WHOLE or np.prod(shape) <= _WHOLE**2 / 3:
        tiles.append((slice(0, shape[0]), slice(0, shape[1])))
    return tiles


def _is_new(spot: Array, kept: list[Array], width: float) -> bool:
    """Whether a frequency and its partner are further than `width` from others."""
    others = np.reshape(kept, (-1, 2))
    apart = (np.hypot(*(spot + sign * others).T) for sign in (-1, 1))
    return bool((np.minimum(*apart) > width).all())


class Frame(NamedTuple):
    """What the spectra of tiles of one shape have in common."""

    shape: tuple[int, int]
    window: Array
    """Hann window, shape (ny, nx), float32."""
    ring: Ints
    """Ring of equal length of each frequency, shape (ny, nx // 2 + 1)."""
    inside: Bools
    """Whether a lattice may have it, same shape."""

    @classmethod
    def of(cls, shape: tuple[int, int]) -> "Frame":
        """Frame of tiles of a shape."""
        radius, periods = _lengths(shape)
        return cls(
            shape,
            hann_window(shape).astype(np.float32),
            np.rint(radius * max(shape[0], shape[1] // 2 + 1)).astype(np.intp),
            (periods >= _FEWEST_PERIODS) & (radius < _HIGHEST),
        )


def tile_frequencies(tile: Array, frame: Frame | None = None) -> Array:
    """Sharp maxima of a tile's power spectrum, strongest first.

    A maximum counts if it stands above the noise of its ring of frequencies, above
    its surroundings, and above the streaks through it: of edges along the line to
    the origin, of scan noise along x and y.

    Parameters
    ----------
    tile
        Grey levels, shape (ny, nx).
    frame
        That of its shape, if it is at hand.

    Returns
    -------
    ndarray
        fx, fy in periods per pixel and amplitude in grey levels, shape (n, 3).
    """
    frame = frame or Frame.of(tile.shape)
    power, total = _power(tile, frame.window)
    if power is None:
        return np.empty((0, 3))
    floor = _ring_floor(power, frame.ring)
    rows, columns = _maxima(power, floor, frame.inside)
    if not len(rows):
        return np.empty((0, 3))
    background = _surroundings(power, floor, rows, columns, tile.shape)
    height = power[rows, columns]
    keep = height > _ABOVE * background
    rows, columns, height = rows[keep], columns[keep], height[keep]
    order = np.argsort(-height, kind="stable")
    spots = np.stack([
        *_refined(power, rows, columns, tile.shape), np.sqrt(height) / total
    ], axis=1)[order]  # fmt: skip
    return spots[_not_side_lobes(spots, tile.shape)]


def _power(tile: Array, window: Array) -> tuple[Array | None, float]:
    """Power spectrum through a window, shape (ny, nx // 2 + 1), and Σ w."""
    from scipy import fft

    valid = np.isfinite(tile)
    if not valid.all():
        window, tile = np.where(valid, window, 0), np.where(valid, tile, 0)
    total = float(window.sum())
    if total < 0.1 * tile.size / 4:
        return None, total
    tile = (tile - (tile * window).sum() / total) * window
    wave = fft.rfft2(tile)
    power = wave.real**2 + wave.imag**2
    if not power.max() > 0:
        return None, total
    return power, total


def _lengths(shape: tuple[int, int]) -> tuple[Array, Array]:
    """Length of each frequency in periods per pixel, and its periods in the tile."""
    fy, fx = np.fft.fftfreq(shape[0])[:, None], np.fft.rfftfreq(shape[1])[None]
    return np.hypot(fy, fx), np.abs(fy) * shape[0] + fx * shape[1]


def _ring_floor(power: Array, ring: Ints) -> Array:
    """Noise power in each ring: its geometric mean, which few spots hardly raise."""
    logarithm = np.log(np.maximum(power.ravel(), power.max() * 1e-14))
    count = np.maximum(np.bincount(ring.ravel()), 1)
    mean = np.bincount(ring.ravel(), logarithm) / count
    # The mean logarithm of an exponential distribution lies γ below that of its mean.
    return np.exp(mean + np.euler_gamma).astype(power.dtype)[ring]


def _maxima(power: Array, floor: Array, inside: Bools) -> tuple[Ints, Ints]:
    """Rows and columns of local maxima, in a box of 5², above their ring's noise."""
    rows, columns = np.nonzero(inside & (power > _SIGNIFICANT * floor))
    if len(rows) > 20_000:
        strongest = np.argpartition(
            -power[rows, columns] / floor[rows, columns], 20_000
        )
        rows, columns = rows[strongest[:20_000]], columns[strongest[:20_000]]
    keep = np.ones(len(rows), bool)
    for dy in range(-2, 3):
        for dx in range(-2, 3):
            at = (rows + dy) % power.shape[0], (columns + dx) % power.shape[1]
            keep &= power[rows, columns] >= power[at]
    return rows[keep], columns[keep]


def _surroundings(
    power: Array,
    floor: Array,
    rows: Ints,
    columns: Ints,
    shape: tuple[int, int],
) -> Array:
    """Power around each maximum: of its ring, its box, and the streaks through it."""
    fy = np.where(rows > shape[0] // 2, rows - shape[0], rows)
    length = np.maximum(np.hypot(fy, columns), 1)
    radial = np.stack([fy / length, columns / length])
    upright, level = np.zeros((2, 2, len(rows)))
    upright[0], level[1] = 1, 1
    result = floor[rows, columns]
    # The spots of a strip merge across it: only along it they stand apart.
    narrow = max(shape) > _STRIP * min(shape) and min(shape) < 2 * _SMALLEST_TILE
    along = upright if shape[0] > shape[1] else level
    for direction in (radial, along) if narrow else (radial, upright, level):
        for sign in (-1, 1):
            steps = sign * np.arange(4, 11)[:, None]
            values = _at(power, rows + steps * direction[0],
                         columns + steps * direction[1])  # fmt: skip
            result = np.maximum(result, np.median(values, axis=0) / np.log(2))
    if narrow:
        return result
    dy, dx = (d.ravel()[:, None] for d in np.indices((13, 13)) - 6)
    ring = np.maximum(np.abs(dy), np.abs(dx)).ravel() > 3
    box = _at(power, rows + dy[ring], columns + dx[ring])
    return np.maximum(result, np.median(box, axis=0) / np.log(2))


def _at(power: Array, rows: Array, columns: Array) -> Array:
    """Power at any row and column, by its symmetry where `rfft2` keeps none."""
    rows, columns = np.rint(rows).astype(int), np.rint(columns).astype(int)
    width = power.shape[1]
    mirrored = columns < 0
    rows = np.where(mirrored, -rows, rows) % power.shape[0]
    return power[rows, np.minimum(np.abs(columns), width - 1)]


def _refined(
    power: Array,
    rows: Ints,
    columns: Ints,
    shape: tuple[int, int],
) -> tuple[Array, Array]:
    """fx and fy of maxima by a parabola through the logarithms."""

    def offset(dy: int, dx: int) -> Array:
        low, high = _at(power, rows - dy, columns - dx), _at(power, rows + dy,
                                                            columns + dx)  # fmt: skip
        low, mid, high = np.log(np.maximum([low, power[rows, columns], high], 1e-300))
        return np.clip((high - low) / np.maximum(2 * (2 * mid - low - high), 1e-9),
                       -0.5, 0.5)  # fmt: skip

    fy = rows + offset(1, 0)
    fy = np.where(rows > shape[0] // 2, fy - shape[0], fy) / shape[0]
    return (columns + offset(0, 1)) / shape[1], fy


def _not_side_lobes(spots: Array, shape: tuple[int, int]) -> Bools:
    """Whether no spot thirty times stronger lies within eight spectral pixels."""
    keep = np.ones(len(spots), bool)
    for index in range(1, len(spots)):
        apart = (spots[:index, :2] - spots[index, :2]) * shape[::-1]
        strong = spots[:index, 2] > 30 * spots[index, 2]
        keep[index] = not np.any(strong & (np.hypot(*apart.T) < 8))
    return keep
