# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Bragg-filtered images: what the neighbourhoods of chosen spots hold of an image.

    I_f(r) = Ī(r) + Σ_g 2 Re [z_g(r) exp(2πi g·r)]

with the local mean Ī and the local Fourier components z of one g of each Friedel pair.
The mask around each spot is a Gaussian of standard deviation 1/(2πσ).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from hyperspy_t2t.array_types import Array, Ints
from hyperspy_t2t.calibration import ImageGrid
from hyperspy_t2t.strain.demodulation import local_spectrum
from hyperspy_t2t.strain.interpolation import SplineField

_COVERED = 0.1
"""Share of the Gaussian on valid pixels that a value needs; image corners have 0.25."""
_STRIP = 256
"""Rows filtered at once: the intermediate arrays stay small."""


@dataclass(frozen=True)
class BraggField:
    """Local Fourier components of one lattice, as splines.

    Parameters
    ----------
    g_vectors
        (gx, gy) in 1/nm, one of each Friedel pair, shape (n, 2).
    components
        Real parts of z, then imaginary parts, shape (2 n, ny, nx).
    mean
        Local mean of the grey levels and coverage, shape (2, ny, nx).
    members
        Labels of the regions that show this lattice; None for all pixels.
    """

    g_vectors: Array
    components: SplineField
    mean: SplineField
    members: tuple[int, ...] | None = None


def bragg_field(
    image: Any,
    grid: ImageGrid,
    g_vectors: npt.ArrayLike,
    *,
    sigma: float,
    members: Sequence[int] | None = None,
) -> BraggField:
    """Measure what a filtered image is made of.

    Parameters
    ----------
    image, grid
        Array (ny, nx), numpy or dask, and its pixels in nm.
    g_vectors
        Frequencies in 1/nm, shape (n, 2). A g whose −g or self came before is left
        out: the image is real.
    sigma
        Standard deviation in nm of the average, 1/(2π) of that of the mask.
    members
        See :class:`BraggField`.

    Raises
    ------
    ValueError
        g of zero, beyond the Nyquist frequency or not finite.
    """
    g_vectors = _one_of_each_pair(_checked(g_vectors, grid), sigma)
    local = local_spectrum(image, grid, g_vectors, sigma=sigma)
    parts = np.concatenate([local.component.real, local.component.imag])
    return BraggField(
        g_vectors,
        SplineField.through(local.grid, parts),
        SplineField.through(local.grid, np.stack([local.mean, local.coverage])),
        None if members is None else tuple(int(label) for label in members),
    )


def _checked(g_vectors: npt.ArrayLike, grid: ImageGrid) -> Array:
    g = np.asarray(g_vectors, float)
    if g.ndim != 2 or g.shape[1] != 2 or not len(g):
        raise ValueError(
            "Expected one or more g-vectors (gx, gy) in 1/nm, shape (n, 2), got shape "
            f"{g.shape}."
        )
    nyquist = 0.5 / np.array(grid.pixel_size)[::-1]
    if not (np.all(np.abs(g) < nyquist) and np.all(g.any(axis=1))):
        raise ValueError(
            "Expected g-vectors other than zero, below the Nyquist frequency of "
            f"{nyquist[0]:.4g} (x) and {nyquist[1]:.4g} (y) 1/nm, got {g.tolist()}. "
            "Check their unit (1/nm, without 2π) and the pixel size."
        )
    return g


def _one_of_each_pair(g: Array, sigma: float) -> Array:
    """g without those that are ±another before them, to half the mask."""
    same = 0.5 / (2 * np.pi * sigma)
    kept: list[Array] = []
    for one in g:
        if all(
            min(np.hypot(*(one - other)), np.hypot(*(one + other))) > same
            for other in kept
        ):
            kept.append(one)
    return np.array(kept)


def bragg_block(
    labels: Ints,
    grid: ImageGrid,
    fields: Sequence[BraggField],
    *,
    mean: bool,
) -> Array:
    """Filtered grey levels of a block of pixels, shape (1, ny, nx), NaN without any.

    Parameters
    ----------
    labels
        Region of each pixel, shape (ny, nx).
    grid
        The pixels in nm.
    fields
        One for each lattice.
    mean
        Whether the local mean is added to the fringes.
    """
    result = np.full((1, *labels.shape), np.nan, np.float32)
    for first in range(0, labels.shape[0], _STRIP):
        rows = slice(first, min(first + _STRIP, labels.shape[0]))
        window = grid.window(rows, slice(0, labels.shape[1]))
        for field in fields:
            here = (
                np.ones(window.shape, bool)
                if field.members is None
                else np.isin(labels[rows], field.members)
            )
            if here.any():
                result[0, rows][here] = _filtered(field, window, mean)[here]
    return result


def _filtered(field: BraggField, grid: ImageGrid, mean: bool) -> Array:
    """Sum of one lattice's waves on a grid, NaN where no valid pixel is near."""
    level, coverage = field.mean.on_grid(grid)
    result = level if mean else np.zeros(grid.shape)
    real, imaginary = np.split(field.components.on_grid(grid), 2)
    y, x = (
        grid.origin[axis] + grid.pixel_size[axis] * np.arange(grid.shape[axis])
        for axis in (0, 1)
    )
    for (gx, gy), a, b in zip(field.g_vectors, real, imaginary, strict=True):
        wave = np.outer(np.exp(2j * np.pi * gy * y), np.exp(2j * np.pi * gx * x))
        result += 2 * (a * wave.real - b * wave.imag)
    return np.where(coverage >= _COVERED, result, np.nan)
