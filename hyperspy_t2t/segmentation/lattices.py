# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Where in an image which lattice is: maps of local Fourier amplitude, grouped."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from hyperspy_t2t.calibration import ImageGrid
from hyperspy_t2t.frequencies import hann_window, upper_half
from hyperspy_t2t.peaks.spots import find_spots
from hyperspy_t2t.strain.demodulation import local_amplitude

Array = npt.NDArray[np.floating]
_SMALLEST_TILE, _TILE = 128, 512
"""Sides of tiles in pixels."""
_MAX_TILES = 6
FAINT = 0.03
"""Amplitude below which a tile's frequency counts as an artefact of another tile's."""


class LatticeMap(NamedTuple):
    """Which lattice is where."""

    grid: ImageGrid
    lattice: npt.NDArray[np.intp]
    """0 where no lattice is seen, else 1 … n, shape (ny, nx)."""
    strength: Array
    """Amplitude of that lattice relative to its plateau, shape (ny, nx)."""


def sampled_spots(image: Any, grid: ImageGrid, *, most: int = 16) -> Array:
    """Strongest frequencies (n, 2) in 1/nm met in tiles spread over an image.

    Each tile in turn gives its strongest frequency that is new, so that a small
    region is heard beside a large one.

    Parameters
    ----------
    image
        Array (ny, nx), numpy or dask; only the tiles are read.
    grid
        Its pixels in nm.
    most
        Largest number of frequencies returned, one of each Friedel pair.
    """
    tiles = _tiles(grid.shape)
    found = [_tile_spots(np.asarray(image[tile], float), grid) for tile in tiles]
    width = 2.0 / min(
        (part.stop - part.start) * step
        for part, step in zip(tiles[0], grid.pixel_size, strict=True)
    )
    strongest = max(spots[0, 2] if len(spots) else 0.0 for spots in found)
    kept: list[Array] = []
    for rank in range(max(map(len, found))):
        for spots in found:
            if rank >= len(spots) or spots[rank, 2] < FAINT * strongest:
                continue
            if _is_new(spots[rank, :2], kept, width):
                kept.append(spots[rank, :2])
    return np.reshape(kept[:most], (-1, 2))


def _tile_spots(tile: Array, grid: ImageGrid) -> Array:
    """gx, gy and amplitude in grey levels of a tile's half plane, strongest first."""
    window = hann_window(tile.shape)
    spots = find_spots(tile, window, grid.pixel_size)[:, :3]
    spots = spots[upper_half(spots)]
    mean = np.nansum(tile * window) / window.sum()
    spots[:, 2] = np.sqrt(spots[:, 2]) * abs(mean)
    return spots[np.argsort(-spots[:, 2], kind="stable")]


def _is_new(spot: Array, kept: list[Array], width: float) -> bool:
    """Whether a frequency and its partner are further than `width` from others."""
    return all(
        min(np.hypot(*(spot - other)), np.hypot(*(spot + other))) > width
        for other in kept
    )


def _tiles(shape: tuple[int, int]) -> list[tuple[slice, slice]]:
    """Half-overlapping tiles that cover an image, or sample a large one evenly.

    A small image is also taken whole: more periods, sharper spots.
    """
    axes = []
    for size in shape:
        length = min(size, max(_SMALLEST_TILE, min(_TILE, size // 2)))
        count = min(_MAX_TILES, 2 * -(-size // length) - 1)
        starts = np.linspace(0, size - length, count).astype(int)
        axes.append([slice(int(a), int(a) + length) for a in starts])
    tiles = [(rows, columns) for rows in axes[0] for columns in axes[1]]
    if max(shape) <= 2 * _TILE:
        tiles.append((slice(0, shape[0]), slice(0, shape[1])))
    return tiles


def lattice_map(image: Any, grid: ImageGrid, spots: Array) -> LatticeMap:
    """Split an image by the lattices whose frequencies are `spots`.

    Frequencies seen in the same places belong to one lattice. A place belongs to
    the lattice that is strongest there relative to its own plateau, or to none where
    all stay below three tenths of it or below four times the noise, measured at
    control frequencies away from the spots. Gaps narrower than four pixels of the
    coarse grid are grown over, and the outer three pixels take what is next to them.

    Parameters
    ----------
    image, grid
        As in :func:`sampled_spots`.
    spots
        (gx, gy) in 1/nm, shape (n, 2), n ≥ 1.
    """
    sigma = 3.0 / np.linalg.norm(spots, axis=1).min()
    controls = _control_frequencies(spots)
    local = local_amplitude(image, grid, np.concatenate([spots, controls]), sigma=sigma)
    amplitude = local.amplitude[: len(spots)]
    noise = local.amplitude[len(spots) :]
    # Robust, since a control may be a frequency of some small region.
    floor = 4 * np.median(noise)
    strength = []
    for members in _groups(amplitude, floor):
        # The root mean square weighs strong frequencies more.
        combined = np.sqrt((amplitude[members] ** 2).mean(axis=0))
        above = combined > floor
        if above.mean() < 0.002:
            continue
        # Of what is clearly lattice: a faint halo may cover more of the image.
        plateau = np.percentile(combined[above & (combined > 0.3 * combined.max())], 80)
        strength.append(np.where(above, combined / plateau, 0.0))
    if not strength:
        nothing = np.zeros(local.grid.shape)
        return LatticeMap(local.grid, nothing.astype(np.intp), nothing)
    stack = np.stack(strength)
    lattice = np.where(stack.max(axis=0) > 0.3, stack.argmax(axis=0) + 1, 0)
    lattice = _without_seams(lattice)
    return LatticeMap(
        local.grid, without_border(lattice), without_border(stack.max(axis=0))
    )


def _without_seams(lattice: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
    """Lattices grown over the places without one that are too narrow to be seen.

    Between two grains the average mixes both; a gap narrower than two standard
    deviations, four pixels, is a border and no region.
    """
    from scipy.ndimage import binary_opening, distance_transform_edt
    from skimage.morphology import disk

    if not lattice.any():
        return lattice
    padded = np.pad(lattice == 0, 2, mode="edge")
    wide = binary_opening(padded, disk(2))[2:-2, 2:-2]
    nearest = distance_transform_edt(
        lattice == 0, return_distances=False, return_indices=True
    )
    return np.where(wide, 0, lattice[tuple(nearest)])


def without_halos(
    labels: npt.NDArray[np.integer], lattice: npt.NDArray[np.integer], strength: Array
) -> npt.NDArray[np.integer]:
    """Lattices without what they shed beyond the borders of their regions.

    Seen through a Gaussian, a lattice falls to half of its plateau at its border and
    goes on beyond it. A part inside another region that nowhere exceeds three
    fifths of the plateau is such a halo and becomes 0.

    Parameters
    ----------
    labels
        Regions with true borders, shape (ny, nx).
    lattice, strength
        As in :class:`LatticeMap`, on the same grid.
    """
    from scipy.ndimage import maximum
    from skimage.measure import label

    pair = labels.astype(np.int64) * (lattice.max() + 1) + lattice
    parts = label(np.where(lattice > 0, pair + 1, 0), background=0, connectivity=1)
    highest = maximum(strength, parts, np.arange(parts.max() + 1))
    return np.where(np.asarray(highest)[parts] < 0.6, 0, lattice)


def without_border(values: npt.NDArray, *, width: int = 3) -> npt.NDArray:
    """Values on a coarse grid whose border is replaced by what is next to it.

    At the border of the image the Gaussian is cut, and neighbouring frequencies
    leak into a local component.
    """
    width = min(width, (min(values.shape) - 1) // 2)
    inner = values[width:-width, width:-width] if width else values
    return np.pad(inner, width, mode="edge")


def _control_frequencies(spots: Array) -> Array:
    """Frequencies of the spots' length, as far in angle from all spots as possible."""
    length = np.median(np.linalg.norm(spots, axis=1))
    both = np.concatenate([spots, -spots])
    angle = np.linspace(0, np.pi, 90, endpoint=False)
    trial = length * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    distance = np.linalg.norm(trial[:, None] - both[None], axis=-1).min(axis=1)
    # Not along the axes, where scan noise is.
    distance[(np.abs(np.cos(angle)) < 0.1) | (np.abs(np.sin(angle)) < 0.1)] = 0
    return trial[np.argsort(-distance, kind="stable")[:2]]


def _groups(amplitude: Array, floor: float) -> list[npt.NDArray[np.intp]]:
    """Indices of frequencies that are seen in the same places.

    Amplitudes of one lattice fluctuate independently with thickness and scan noise,
    so places are compared, not amplitudes: two frequencies belong together when
    the one seen in fewer places is mostly seen where the other is.
    """
    from scipy.cluster.hierarchy import fcluster, linkage
    from scipy.spatial.distance import squareform

    count = len(amplitude)
    if count == 1:
        return [np.array([0])]
    maps = amplitude.reshape(count, -1)
    plateau = np.percentile(maps, 99, axis=1, keepdims=True)
    seen = (maps > np.maximum(0.4 * plateau, floor)).astype(float)
    both = seen @ seen.T
    places = np.maximum(np.diag(both), 1.0)
    distance = 1 - both / np.minimum(places[:, None], places[None])
    np.fill_diagonal(distance, 0)
    tree = linkage(squareform(distance, checks=False), method="average")
    cluster = fcluster(tree, 0.5, criterion="distance")
    return [np.flatnonzero(cluster == label) for label in np.unique(cluster)]
