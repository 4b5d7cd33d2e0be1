# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Displacement of single rows of an image from a lattice drawn through all of them.

Row j shows a lattice displaced by a smooth u(r) at r + o(j) instead of r,

    T(x) = A(r) f(r − u(r) + o),    f(r) = Σ_g c_g exp(2πi g·r).

The pattern f of the unit cell is that of all rows, o is fitted to each row by least
squares. Rows of the reference share one pattern, all others have another.
"""

from typing import NamedTuple

import numpy as np

from hyperspy_t2t.array_types import Array, ComplexArray, Ints, Mask
from hyperspy_t2t.calibration import ImageGrid
from hyperspy_t2t.strain.row_kernels import Pixels, cell_residual, row_moments
from hyperspy_t2t.strain.visible_nodes import CellNodes

FEWEST_PIXELS = 48
"""Pixels of a lattice a row must hold."""
_PASSES, _NEWTON = 6, 2
_FIRST_FIT = 4
"""The passes before fit the pattern only: what it still lacks then looks like offsets
with its period, a tenth of a pixel after two passes. More passes after would bend it
along the offsets: a displacement with the period of the lattice along y is a lattice,
too."""
_SAMPLES = 16
"""Of a pattern within the period of its finest wave."""


class RowSteps(NamedTuple):
    """Offsets of rows from the lattice drawn through them."""

    whole: Array
    """(x, y) in nm, shape (ny, 2)."""
    halves: Array
    """What the left and the right half of each row say, shape (ny, 2 halves, 2)."""
    covariance: Array
    """Of `whole` by noise in nm², NaN where a row has too little of a lattice,
    shape (ny, 2, 2)."""
    pattern: ComplexArray
    """Waves of the nodes in other rows and in those of the reference, shape (2, n)."""


def row_steps(
    flat: Array,
    grid: ImageGrid,
    nodes: CellNodes,
    *,
    displacement: Array,
    amplitude: Array,
    used: Mask,
    by_reference: Mask,
) -> RowSteps:
    """Offset of each row from the pattern.

    Parameters
    ----------
    flat, grid
        Grey levels without their local mean, shape (ny, nx), and their pixels in nm.
    nodes
        All reflections of the lattice, one of each Friedel pair.
    displacement, amplitude
        u in nm, shape (2, ny, nx), and A, shape (ny, nx).
    used
        Pixels that count, shape (ny, nx).
    by_reference
        Rows of the reference, shape (ny,); other rows have their own pattern.
    """
    left = np.cumsum(used, axis=1) <= used.sum(axis=1)[:, None] / 2
    pixels = Pixels(
        flat,
        np.where(used, np.where(left, 1, 2), 0).astype(np.int8),
        by_reference.astype(np.int8),
        displacement,
        amplitude,
        grid.origin[1] + grid.pixel_size[1] * np.arange(grid.shape[1]),
        grid.origin[0] + grid.pixel_size[0] * np.arange(grid.shape[0]),
        nodes.basis,
    )
    steps = np.zeros((grid.shape[0], 2))
    pattern = np.zeros((2, len(nodes.order)), complex)
    for number in range(_PASSES):
        tables = _tables(pattern, nodes)
        if number == _FIRST_FIT:
            steps[:, 0] = _best_trial(pixels, tables, nodes.g, grid.pixel_size[1])
        for _ in range(_NEWTON if number >= _FIRST_FIT else 0):
            change = _newton(row_moments(pixels, tables, steps).sum(axis=1))[0]
            # No further than a tenth of the finest fringe at once.
            limit = 0.1 / np.linalg.norm(nodes.g, axis=1).max()
            steps += np.clip(change, -limit, limit)
        if number < _PASSES - 1:
            pattern += _left_in_cell(pixels, tables, steps, nodes.order)
    return _with_errors(steps, row_moments(pixels, tables, steps), pattern)


def _tables(pattern: ComplexArray, nodes: CellNodes) -> Array:
    """Values and slopes of patterns (2, n) in the cell, (2, *size, 3)."""
    from scipy.fft import ifft2

    finest = np.abs(nodes.order).max(axis=0)
    size = [1 << int(np.ceil(np.log2(_SAMPLES * max(1, h)))) for h in finest]
    slope = 2j * np.pi * nodes.g.T
    spectrum = np.zeros((2, 3, *size), np.complex64)
    first, second = nodes.order.T
    for part, factor in enumerate((1, *slope)):
        spectrum[:, part, first, second] = pattern * factor
    # The other half of the Friedel pairs is the complex conjugate.
    tables = 2 * np.prod(size) * ifft2(spectrum).real
    return np.ascontiguousarray(np.moveaxis(tables, 1, -1))


def _left_in_cell(
    pixels: Pixels, tables: Array, steps: Array, order: Ints
) -> ComplexArray:
    """Waves that the patterns lack, shape (2, n)."""
    rest, weight = cell_residual(pixels, tables, steps)
    waves = np.fft.fft2(rest)[:, order[:, 0], order[:, 1]]
    return waves / np.maximum(weight, 1e-12 * max(weight.max(), 1e-300))[:, None]


def _best_trial(pixels: Pixels, tables: Array, g: Array, pixel: float) -> Array:
    """Rough displacement of each row along x, (ny,), from trials up to two pixels."""
    finest = 0.15 / np.abs(g[:, 0]).max()
    count = int(np.ceil(2 * pixel / finest))
    trials = np.arange(-count, count + 1) * finest
    misfit = np.empty((len(trials), len(pixels.y)))
    for row, trial in zip(misfit, trials, strict=True):
        offset = np.tile([trial, 0.0], (len(pixels.y), 1))
        scatter, number = _scatter(row_moments(pixels, tables, offset).sum(axis=1))
        row[:] = scatter[:, 0, 0] / np.maximum(number, 1)
    noise = np.maximum(misfit.min(axis=0), 1e-300)
    # A displacement of a pixel is unusual; a faint row shall not jump by chance.
    total = number * misfit / noise + (trials[:, None] / pixel) ** 2
    return trials[np.argmin(total, axis=0)]


def _scatter(moments: Array) -> tuple[Array, Array]:
    """Products of residual and slopes, free of their means (b, 3, 3), and pixels."""
    count, total = moments[:, 0, 0], moments[:, 0, 1:]
    mean = total / np.maximum(count, 1)[:, None]
    return moments[:, 1:, 1:] - mean[:, :, None] * total[:, None], count


def _newton(moments: Array) -> tuple[Array, Array, Array]:
    """Change of the offsets (b, 2), inverse normal matrices, variance of the rest."""
    scatter, count = _scatter(moments)
    seen = scatter[:, 0, 1:]
    inverse = np.linalg.pinv(scatter[:, 1:, 1:], rcond=1e-6, hermitian=True)
    change = (inverse @ seen[..., None])[..., 0]
    left_over = scatter[:, 0, 0] - (change * seen).sum(axis=1)
    return change, inverse, left_over / np.maximum(count - 3, 1)


def _with_errors(steps: Array, moments: Array, pattern: ComplexArray) -> RowSteps:
    """Offsets with those of the halves and the covariance of noise."""
    whole = moments.sum(axis=1)
    _, inverse, variance = _newton(whole)
    halves = [steps + _newton(moments[:, half])[0] for half in (0, 1)]
    seen = whole[:, 0, 0] >= FEWEST_PIXELS
    seen &= (np.trace(inverse, axis1=1, axis2=2) > 0) & (variance > 0)
    noise = variance[:, None, None] * inverse
    return RowSteps(
        steps,
        np.stack(halves, axis=1),
        np.where(seen[:, None, None], noise, np.nan),
        pattern,
    )
