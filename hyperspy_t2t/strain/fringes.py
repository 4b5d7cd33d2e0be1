# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""The fringes of several g in one image: phases, slopes, where they count."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numba
import numpy as np

from hyperspy_t2t.array_types import Array, ComplexArray, Ints, Mask
from hyperspy_t2t.calibration import ImageGrid
from hyperspy_t2t.image_rows import rows_in_order
from hyperspy_t2t.strain.border import (
    away_from_border,
    centres_of_weight,
    largest_coverage,
)
from hyperspy_t2t.strain.demodulation import (
    coarse_grid,
    pixels_within_reach,
    spectrum_of_part,
)
from hyperspy_t2t.strain.limits import check_g_vectors
from hyperspy_t2t.strain.sidebands import REACH
from hyperspy_t2t.strain.unwrapping import wrapped

_STEADY = 2e-3
"""Difference of strain or rotation that is never called a leap."""
_PIXELS, _PLACES = 2**23, 2**17
"""Pixels and coarse places that are measured at once, as far as the Gaussian allows."""
_HEIGHT = 4.0
"""Height of a band over that of what it reads beyond its lines, at least."""


@dataclass(frozen=True)
class Fringes:
    """Local Fourier components of an image, corrected for its border.

    Parameters
    ----------
    grid
        The coarse grid, shape (ny, nx).
    g_vectors
        Where they were measured, in 1/nm, shape (n, 2).
    resolution
        Standard deviation of the average in nm.
    phase
        arg z at the place in rad, up to multiples of 2π, shape (n, ny, nx).
    slope
        ∇ arg z in rad/nm, shape (n, 2, ny, nx).
    amplitude
        |z| in grey levels, shape (n, ny, nx).
    mean
        Local mean of the grey levels, shape (ny, nx).
    seen
        Places where no border cuts the average, shape (ny, nx).
    """

    grid: ImageGrid
    g_vectors: Array
    resolution: float
    phase: Array
    slope: Array
    amplitude: Array
    mean: Array
    seen: Mask

    def at(self, chosen: Ints | slice) -> "Fringes":
        """Those of some of the g."""
        return replace(
            self,
            g_vectors=self.g_vectors[chosen],
            phase=self.phase[chosen],
            slope=self.slope[chosen],
            amplitude=self.amplitude[chosen],
        )

    def first(self, count: int) -> "Fringes":
        """Those of the first g only."""
        return self.at(slice(count))

    def phase_from(self, g: Array, k: int) -> Array:
        """Phase of the fringe k without that of an undeformed lattice, (ny, nx).

        arg z + 2π (g − g₀)·r in rad, −π to π, with g₀ in 1/nm: −2π g₀·u is left.
        """
        return wrapped(self.phase[k] - self.turn_to(g, k))

    def slopes_from(self, lattice: Array) -> Array:
        """Slopes of the first m fringes without those of an undeformed lattice.

        ∇ arg z − 2π (g₀ − g) in rad/nm, shape (m, 2, ny, nx), of its g₀ in 1/nm, shape
        (m, 2).
        """
        count = len(lattice)
        change = 2 * np.pi * (lattice - self.g_vectors[:count])
        return self.slope[:count] - change[:, :, None, None]

    def turn_to(self, g: Array, k: int) -> Array:
        """2π (g₀ − g)·r of the fringe k, with g₀ of a lattice, shape (ny, nx)."""
        change = 2 * np.pi * (g - self.g_vectors[k])
        y, x = (
            self.grid.origin[axis]
            + self.grid.pixel_size[axis] * np.arange(self.grid.shape[axis])
            for axis in (0, 1)
        )
        return change[1] * y[:, None] + change[0] * x

    def reference_weight(self, reference: Mask) -> Array:
        """Weight of each place of a reference, sum 1, (ny, nx).

        By the power of its fringes and by its depth inside: a plain mean of slopes is
        the difference of the phases at the two ends, where noise and what leaks in
        from beside weigh most. Where a fringe leaps, as at a fault, or bends far more
        than in most places, is not inside: the lattice is that of the rest.

        Raises
        ------
        ValueError
            If the reference has no fringes.
        """
        from scipy.ndimage import distance_transform_edt

        power = (self.amplitude[:2] ** 2).min(axis=0)
        inside = reference & (power > 0)
        usual = reference & ~self._leaps(inside)
        depth = distance_transform_edt(np.pad(usual, 1), sampling=self.grid.pixel_size)
        weight = power * depth[1:-1, 1:-1]
        if not weight.any():
            raise ValueError(
                "The reference holds no fringes of the given g. Choose a reference "
                "region where both g are seen, or other g."
            )
        return weight / weight.sum()

    def _leaps(self, inside: Mask) -> Mask:
        """Places about which a slope of the first two g is far from most others.

        More than eight median deviations from the median, as at a fault or in a part
        that is strained, and what is within 2σ; none if that is more than half of all.
        """
        from scipy.ndimage import binary_dilation

        leaps = np.zeros_like(inside)
        if inside.sum() < 20:
            return leaps
        for g, slopes in zip(self.g_vectors, self.slope[:2], strict=False):
            steady = 2 * np.pi * np.linalg.norm(g) * _STEADY
            for slope in slopes:
                away = np.abs(slope - np.median(slope[inside]))
                leaps |= inside & (away > max(8 * np.median(away[inside]), steady))
        leaps = binary_dilation(leaps, iterations=4)
        if (leaps & inside).sum() > 0.5 * inside.sum():
            return np.zeros_like(inside)
        return leaps


@dataclass(frozen=True)
class FringeImage:
    """An image whose fringes can be measured part by part.

    Parameters
    ----------
    image, grid
        The micrograph, numpy or dask, shape (ny, nx), and its pixels in nm.
    g_vectors
        (gx, gy) in 1/nm, shape (n, 2).
    resolution
        Standard deviation of the Gaussian in nm.
    device
        Where to compute (:func:`~hyperspy_t2t.strain.array_library.array_library`).
    column_width
        Of columns in nm, whose blur across the Fourier mask is taken out.
    """

    image: Any
    grid: ImageGrid
    g_vectors: Array
    resolution: float
    device: Any = "cpu"
    column_width: float = 0.0

    @property
    def coarse(self) -> ImageGrid:
        """All places where fringes can be measured."""
        return coarse_grid(self.grid, self.resolution)

    def first(self, count: int) -> "FringeImage":
        """The same with the first g only."""
        return replace(self, g_vectors=self.g_vectors[:count])

    def bands(self) -> list[slice]:
        """Lines of the coarse grid that are measured at once.

        What a band reads beyond its lines is a fifth of it, or less where memory
        allows.
        """
        rows, columns = self.coarse.shape
        pitch = self.coarse.pixel_size[0] / self.grid.pixel_size[0]
        margin = 2 * REACH * self.resolution / self.coarse.pixel_size[0]
        pixels = _PIXELS / (pitch * self.grid.shape[1])
        height = max(_HEIGHT * margin, min(_PLACES / columns, pixels - margin))
        count = -(-rows // int(np.ceil(height)))
        edges = np.linspace(0, rows, count + 1).astype(int)
        return [slice(int(a), int(b)) for a, b in pairwise(edges)]

    def by_bands(self, bands: Sequence[slice] | None = None) -> Iterator[Fringes]:
        """Fringes of one band after another; lines of chunks are read once."""
        columns = slice(0, self.coarse.shape[1])
        parts = [(band, columns) for band in (self.bands() if bands is None else bands)]
        where = [pixels_within_reach(self.grid, self.resolution, p) for p in parts]
        blocks = rows_in_order(self.image, [rows for rows, _ in where])
        for block, place, part in zip(blocks, where, parts, strict=True):
            yield self._of_block(block, place, part)

    def of_part(self, part: tuple[slice, slice]) -> Fringes:
        """Fringes of some rows and columns of the coarse grid."""
        where = pixels_within_reach(self.grid, self.resolution, part)
        return self._of_block(np.asarray(self.image[where]), where, part)

    def whole(self) -> Fringes:
        """Fringes of all places."""
        bands = self.bands()
        found = self.by_bands(bands)
        if len(bands) == 1:
            return next(found)
        grid, count = self.coarse, len(self.g_vectors)
        result = Fringes(
            grid, self.g_vectors, self.resolution,
            np.empty((count, *grid.shape)), np.empty((count, 2, *grid.shape)),
            np.empty((count, *grid.shape)),
            np.empty(grid.shape), np.empty(grid.shape, bool),
        )  # fmt: skip
        for rows, band in zip(bands, found, strict=True):
            for name in ("phase", "slope", "amplitude", "mean", "seen"):
                getattr(result, name)[..., rows, :] = getattr(band, name)
        return result

    def _of_block(
        self, block: Array, where: tuple[slice, slice], part: tuple[slice, slice]
    ) -> Fringes:
        local = spectrum_of_part(
            block, where, self.grid, self.g_vectors,
            sigma=self.resolution, part=part, device=self.device,
            column_width=self.column_width,
        )  # fmt: skip
        border = centres_of_weight(self.grid, self.coarse, self.resolution)
        along_y, along_x = (a[:, p] for a, p in zip(border, part, strict=True))
        shape = len(self.g_vectors), *local.mean.shape
        phase, amplitude = np.empty(shape), np.empty(shape)
        slope = np.empty((shape[0], 2, *shape[1:]))
        for k, values in enumerate(local.components):
            at_places(values, along_y, along_x, phase[k], slope[k], amplitude[k])
        fullest = largest_coverage(self.grid, self.resolution)
        return Fringes(
            self.coarse.window(*part), self.g_vectors, self.resolution, phase,
            slope, amplitude, local.mean, away_from_border(local.coverage, fullest),
        )  # fmt: skip


@numba.njit(cache=True, nogil=True, error_model="numpy")
def at_places(
    values: ComplexArray, along_y: Array, along_x: Array, phase: Array, slope: Array,
    amplitude: Array,
) -> None:  # fmt: skip
    """arg z, ∇ arg z = Im(z* ∇z)/|z|² in rad/nm and |z| at places of a coarse grid.

    From z, ∂z/∂x and ∂z/∂y, shape (3, ny, nx), at the centres of weight; these are
    shifted from the places and move less fast, (shift, rate) along each axis.
    """
    for i in range(values.shape[1]):
        for j in range(values.shape[2]):
            z = values[0, i, j]
            power = max(z.real**2 + z.imag**2, 1e-300)
            x = (z.conjugate() * values[1, i, j]).imag / power / along_x[1, j]
            y = (z.conjugate() * values[2, i, j]).imag / power / along_y[1, i]
            turn = x * along_x[0, j] + y * along_y[0, i]
            slope[0, i, j], slope[1, i, j] = x, y
            amplitude[i, j] = np.sqrt(z.real**2 + z.imag**2)
            phase[i, j] = np.arctan2(z.imag, z.real) - turn


def local_fringes(
    image: Any,
    grid: ImageGrid,
    g_vectors: Array,
    *,
    resolution: float,
    device: Any = "cpu",
) -> Fringes:
    """Fringes of an image, numpy or dask, at several g.

    Where the border cuts the Gaussian, phase and gradient belong to its centre of
    weight; both are brought to the place itself.

    Parameters
    ----------
    image, grid
        The micrograph, shape (ny, nx), and its pixels in nm.
    g_vectors
        (gx, gy) in 1/nm, shape (n, 2).
    resolution
        Standard deviation of the Gaussian in nm.
    device
        "cpu", or a device of PyTorch.

    Raises
    ------
    ValueError
        Impossible g-vectors or device.
    """
    check_g_vectors(g_vectors, grid)
    g_vectors = np.asarray(g_vectors, float)
    return FringeImage(image, grid, g_vectors, resolution, device).whole()
