# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""The linear image of atomic columns: a Gaussian probe laid on each of them.

Incoherent Z-contrast in its simplest form: every column adds its brightness, the sum of
Z^1.7 over its atoms, spread by the probe; depth does not matter. The Gaussians are
summed where pixels are, so that no rounding to a grid moves or blurs a column.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numba
import numpy as np
import numpy.typing as npt

from hyperspy_t2t.array_types import Array, Ints
from hyperspy_t2t.calibration import ImageGrid

EXPONENT = 1.7
"""Brightness of an atom is Z to this power."""
REACH = 4.8
"""Half width of a drawn column in probe widths; what is cut off is below 1e-5."""
_SAME = 0.01
"""Atoms closer than this in Å, in a model without column numbers, are one column."""


@dataclass(frozen=True)
class ProjectedColumns:
    """Columns of a model, looked at along the beam; n of them.

    Parameters
    ----------
    number
        What the model calls them, shape (n,).
    xy
        Mean position of the atoms weighted with their brightness, shape (n, 2).
    brightness
        Sum over the atoms, shape (n,).
    region
        Shape (n,).
    """

    number: Ints
    xy: Array
    brightness: Array
    region: Ints

    def __getitem__(self, kept: npt.NDArray) -> "ProjectedColumns":
        return ProjectedColumns(
            self.number[kept], self.xy[kept], self.brightness[kept], self.region[kept]
        )


def atom_brightness(
    numbers: Ints, *, exponent: float = EXPONENT, given: Mapping[int, float] = {}
) -> Array:
    """Brightness Z^exponent of atoms, shape (n,).

    Parameters
    ----------
    numbers
        Atomic numbers, shape (n,).
    exponent
        From 1.6 to 2 for annular dark field, after the inner angle.
    given
        Brightness of some atomic numbers, instead of the power.

    References
    ----------
    Kirkland, Advanced Computing in Electron Microscopy (2010),
    https://doi.org/10.1007/978-1-4419-6533-2
    """
    table = np.arange(max(120, int(numbers.max(initial=0)) + 1), dtype=float)
    table **= exponent
    for number, value in given.items():
        table[number] = value
    return table[numbers]


def column_numbers(xy: Array, region: Ints) -> Ints:
    """Numbers of columns from atoms at the same place, shape (n,).

    Parameters
    ----------
    xy
        Positions in Å, shape (n, 2).
    region
        Shape (n,).
    """
    steps = np.rint(xy / _SAME).astype(np.int64)
    steps -= steps.min(axis=0, initial=0)
    wide, high = steps.max(axis=0, initial=0) + 1
    key = (region * high + steps[:, 1]) * wide + steps[:, 0]
    return np.unique(key, return_inverse=True)[1]


def project_columns(
    xy: Array, brightness: Array, column: Ints, region: Ints
) -> ProjectedColumns:
    """Merge the atoms of each column; those of column −1 belong to none.

    Parameters
    ----------
    xy
        Positions of atoms, shape (n, 2), any unit.
    brightness, column, region
        Of each atom, shape (n,).
    """
    first = int(column.min(initial=0))
    total = np.bincount(column - first, brightness)
    safe = np.where(total > 0, total, 1)
    mean = [np.bincount(column - first, brightness * part) / safe for part in xy.T]
    regions = np.zeros(len(total), np.int64)
    regions[column - first] = region
    number = np.arange(len(total)) + first
    kept = (total > 0) & (number >= 0)
    return ProjectedColumns(
        number[kept], np.stack(mean, -1)[kept], total[kept], regions[kept]
    )


def linear_image(xy: Array, brightness: Array, grid: ImageGrid, probe: float) -> Array:
    """Sum of Gaussians at the pixels of an image.

    I(r) = Σ_j B_j / (2π σ²) exp(−|r − r_j|² / 2σ²)

    Parameters
    ----------
    xy
        Columns in nm in the frame of the image, shape (n, 2); also those outside.
    brightness
        B, shape (n,).
    grid
        Pixels.
    probe
        σ in nm.

    Returns
    -------
    ndarray
        Brightness per nm², shape (ny, nx).
    """
    image = np.zeros(grid.shape)
    rows, columns = grid.to_pixels(xy)
    sy, sx = probe / np.array(grid.pixel_size)
    peak = np.asarray(brightness, float) / (2 * np.pi * probe**2)
    _add_gaussians(image, rows, columns, peak, sy, sx)
    return image


@numba.njit(cache=True, nogil=True)
def gaussian_line(centre: float, sigma: float, start: int, line: Array) -> None:
    """exp(−(i − centre)²/2σ²) at the pixels i from `start`, into a line."""
    for i in range(len(line)):
        distance = (start + i - centre) / sigma
        line[i] = np.exp(-0.5 * distance * distance)


@numba.njit(cache=True, nogil=True)
def window(centre: float, reach: float, size: int) -> tuple[int, int]:
    """First pixel and the one behind the last within `reach`, inside the image."""
    return max(0, int(np.ceil(centre - reach))), min(
        size, int(np.floor(centre + reach)) + 1
    )


@numba.njit(cache=True, nogil=True)
def _add_gaussians(
    image: Array, rows: Array, columns: Array, peak: Array, sy: float, sx: float
) -> None:
    ny, nx = image.shape
    tall, wide = np.empty(int(2 * REACH * sy) + 2), np.empty(int(2 * REACH * sx) + 2)
    for n in range(len(rows)):
        top, bottom = window(rows[n], REACH * sy, ny)
        left, right = window(columns[n], REACH * sx, nx)
        if top >= bottom or left >= right:
            continue
        gaussian_line(rows[n], sy, top, tall[: bottom - top])
        gaussian_line(columns[n], sx, left, wide[: right - left])
        for i in range(top, bottom):
            factor = peak[n] * tall[i - top]
            for j in range(left, right):
                image[i, j] += factor * wide[j - left]


def nearest_column(xy: Array, grid: ImageGrid, reach: float) -> Ints:
    """Index of the nearest column of each pixel, −1 further than `reach` nm away."""
    nearest = np.full(grid.shape, -1, np.int32)
    best = np.full(grid.shape, reach * reach)
    rows, columns = grid.to_pixels(xy)
    _paint(nearest, best, rows, columns, *grid.pixel_size, reach)
    return nearest


@numba.njit(cache=True, nogil=True)
def _paint(
    nearest: Ints, best: Array, rows: Array, columns: Array, py: float, px: float,
    reach: float,
) -> None:  # fmt: skip
    ny, nx = nearest.shape
    for n in range(len(rows)):
        top, bottom = window(rows[n], reach / py, ny)
        left, right = window(columns[n], reach / px, nx)
        for i in range(top, bottom):
            high = ((i - rows[n]) * py) ** 2
            for j in range(left, right):
                square = high + ((j - columns[n]) * px) ** 2
                if square < best[i, j]:
                    best[i, j] = square
                    nearest[i, j] = n


def one_sidedness(xy: Array, grid: ImageGrid, width: float) -> Array:
    """How far the columns around each pixel lie to one side, shape (ny, nx).

    Length of their mean distance vector in a Gaussian window, in units of its standard
    deviation `width` in nm: about 0 in a crystal, 0.8 at its straight edge, 0.5 half a
    width inside.
    """
    rows, columns = grid.to_pixels(xy)
    sy, sx = width / np.array(grid.pixel_size)
    sums = []
    for values in (np.ones(len(xy)), rows, columns):
        image = np.zeros(grid.shape)
        _add_gaussians(image, rows, columns, values, sy, sx)
        sums.append(image)
    count, y, x = sums
    count = np.maximum(count, 1e-12)
    y, x = y / count - np.arange(len(y))[:, None], x / count - np.arange(x.shape[1])
    return np.hypot(y / sy, x / sx)


def column_spacing(xy: Array) -> float:
    """Side of the square that holds one column in the middle of a crystal.

    From the eighth neighbours, within whose distance lie 8½ columns; the median is
    that of the inside as long as most columns are not at an edge.
    """
    from scipy.spatial import cKDTree

    order = min(9, len(xy))
    sample = xy[:: max(1, len(xy) // 5000)]
    distance = cKDTree(xy).query(sample, k=[order])[0][:, 0]
    return float(np.median(distance) * np.sqrt(np.pi / (order - 0.5)))
