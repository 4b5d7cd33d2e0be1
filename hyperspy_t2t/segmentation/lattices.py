# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Where in an image which lattice is: maps of local Fourier amplitude, grouped."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from hyperspy_t2t.calibration import ImageGrid
from hyperspy_t2t.frequencies import hann_window
from hyperspy_t2t.peaks.spots import find_spots
from hyperspy_t2t.strain.demodulation import local_amplitude

Array = npt.NDArray[np.floating]
_TILE = 512
_MAX_TILES = 6


class LatticeMap(NamedTuple):
    """Which lattice is where."""

    grid: ImageGrid
    lattice: npt.NDArray[np.intp]
    """0 where no lattice is seen, else 1 … n, shape (ny, nx)."""


def sampled_spots(image: Any, grid: ImageGrid, *, most: int = 16) -> Array:
    """Strongest frequencies (n, 2) in 1/nm met in tiles spread over an image.

    Parameters
    ----------
    image
        Array (ny, nx), numpy or dask; only the tiles are read.
    grid
        Its pixels in nm.
    most
        Largest number of frequencies returned, one of each Friedel pair.
    """
    found = [
        find_spots(np.asarray(image[tile], float), hann_window(shape), grid.pixel_size)
        for tile, shape in _tiles(grid.shape)
    ]
    spots = np.concatenate(found)[:, [0, 1, 5]]
    upper = (spots[:, 0] > 0) | ((spots[:, 0] == 0) & (spots[:, 1] > 0))
    spots = spots[upper]
    spots = spots[np.argsort(-spots[:, 2], kind="stable")]
    width = 2.0 / min(
        min(size, _TILE) * step
        for size, step in zip(grid.shape, grid.pixel_size, strict=True)
    )
    kept: list[Array] = []
    for spot in spots:
        if all(np.hypot(*(spot[:2] - other)) > width for other in kept):
            kept.append(spot[:2])
    return np.reshape(kept[:most], (-1, 2))


def _tiles(shape: tuple[int, int]) -> list[tuple[tuple[slice, slice], tuple[int, int]]]:
    """Tiles that cover an image, or sample it evenly when it is large."""
    axes = []
    for size in shape:
        length = min(size, _TILE)
        count = min(_MAX_TILES, -(-size // length))
        starts = np.linspace(0, size - length, count).astype(int)
        axes.append([slice(int(a), int(a) + length) for a in starts])
    return [
        ((rows, columns), (rows.stop - rows.start, columns.stop - columns.start))
        for rows in axes[0]
        for columns in axes[1]
    ]


def lattice_map(image: Any, grid: ImageGrid, spots: Array) -> LatticeMap:
    """Split an image by the lattices whose frequencies are `spots`.

    Frequencies seen in the same places belong to one lattice. A place belongs to
    the lattice that is strongest there relative to its own plateau, or to none where
    all stay below three tenths of it or below the noise, measured at control
    frequencies between the spots.

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
    floor = noise.mean() + 4 * noise.std()
    strength = []
    for members in _groups(amplitude, floor):
        # The root mean square weighs strong frequencies more.
        combined = np.sqrt((amplitude[members] ** 2).mean(axis=0))
        above = combined > floor
        if above.mean() < 0.002:
            continue
        plateau = np.percentile(combined[above], 80)
        strength.append(np.where(above, combined / plateau, 0.0))
    if not strength:
        return LatticeMap(local.grid, np.zeros(local.grid.shape, np.intp))
    stack = np.stack(strength)
    lattice = np.where(stack.max(axis=0) > 0.3, stack.argmax(axis=0) + 1, 0)
    return LatticeMap(local.grid, lattice)


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
    plateau = np.percentile(maps, 90, axis=1, keepdims=True)
    seen = (maps > np.maximum(0.4 * plateau, floor)).astype(float)
    both = seen @ seen.T
    places = np.maximum(np.diag(both), 1.0)
    distance = 1 - both / np.minimum(places[:, None], places[None])
    np.fill_diagonal(distance, 0)
    tree = linkage(squareform(distance, checks=False), method="average")
    cluster = fcluster(tree, 0.5, criterion="distance")
    return [np.flatnonzero(cluster == label) for label in np.unique(cluster)]
