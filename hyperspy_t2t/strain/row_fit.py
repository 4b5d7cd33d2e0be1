# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Displacement of single rows of an image from a lattice drawn through all of them.

Row j shows a lattice displaced by a smooth u(r) at r + o(j) instead of r,

    T(x) = Σ_g c_g A(x) exp(2πi g·(r − u(r) + o)).

The c_g are those of all rows, o is fitted to each row by least squares with all g.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from hyperspy_t2t.calibration import ImageGrid

Array = npt.NDArray[np.floating]
Complex = npt.NDArray[np.complexfloating]
Mask = npt.NDArray[np.bool_]
FEWEST_PIXELS = 48
"""Pixels of a lattice a row must hold."""
_BLOCK = 16
_PASSES, _NEWTON = 4, 2
_FIRST_FIT = 2
"""The passes before fit the c_g only. More passes would bend them along the offsets:
a displacement with the period of the lattice along y is a lattice, too."""


class RowSteps(NamedTuple):
    """Offsets of rows from the lattice drawn through them."""

    whole: Array
    """(x, y) in nm, shape (ny, 2)."""
    halves: Array
    """What the left and the right half of each row say, shape (ny, 2 halves, 2)."""
    covariance: Array
    """Of `whole` by noise in nm², NaN where a row has too little of a lattice,
    shape (ny, 2, 2)."""


def row_steps(
    flat: Array,
    grid: ImageGrid,
    nodes: Array,
    *,
    displacement: Array,
    amplitude: Array,
    used: Mask,
    by_reference: Mask,
) -> RowSteps:
    """Offset of each row from the template.

    Parameters
    ----------
    flat, grid
        Grey levels without their local mean, shape (ny, nx), and their pixels in nm.
    nodes
        All reflections of the lattice in 1/nm, one of each Friedel pair, shape (n, 2).
    displacement, amplitude
        u in nm, shape (2, ny, nx), and A, shape (ny, nx).
    used
        Pixels that count, shape (ny, nx).
    by_reference
        Rows of the reference, shape (ny,); the c_g of other rows are their own.
    """
    rows = partial(_blocks, flat, grid, nodes, displacement, amplitude, used)
    return _fitted_steps(rows, nodes, by_reference, grid.pixel_size[1])


@dataclass(frozen=True)
class _Rows:
    """Some rows of an image and the waves A exp(2πi g·(r − u)) in them.

    Grey levels (b, nx), free of their local mean; waves (b, n, nx); used pixels
    (b, nx) and their left halves.
    """

    where: slice
    flat: Array
    wave: Complex
    used: Mask
    left: Mask


def _blocks(
    flat: Array, grid: ImageGrid, nodes: Array, u: Array, strength: Array, used: Mask
) -> Iterator[_Rows]:
    """The image in blocks of rows."""
    left = used & (np.cumsum(used, axis=1) <= used.sum(axis=1)[:, None] / 2)
    for start in range(0, grid.shape[0], _BLOCK):
        part = slice(start, min(grid.shape[0], start + _BLOCK))
        window = grid.window(part, slice(0, grid.shape[1]))
        place = np.moveaxis(window.to_nm(*np.indices(window.shape)), -1, 0) - u[:, part]
        turns = np.moveaxis(np.tensordot(nodes, place, 1), 0, 1)
        # Whole turns are taken out before the phase is rounded to single precision.
        angle = (2 * np.pi * (turns - np.rint(turns))).astype(np.float32)
        wave = np.empty(angle.shape, np.complex64)
        wave.real, wave.imag = np.cos(angle), np.sin(angle)
        wave *= strength[part, None].astype(np.float32)
        yield _Rows(part, flat[part], wave, used[part], left[part])


def _fitted_steps(
    rows: Callable[[], Iterator[_Rows]],
    nodes: Array,
    by_reference: Mask,
    pixel: float,
) -> RowSteps:
    """Fit c_g and offsets in turn, reading the rows once in each pass."""
    size = len(by_reference)
    step, halves = np.zeros((size, 2)), np.zeros((size, 2, 2))
    noise = np.full((size, 2, 2), np.nan)
    waves = np.zeros((2, len(nodes)), complex)
    zone = by_reference.astype(int)
    for number in range(_PASSES):
        change = np.zeros(waves.shape, complex)
        weight = np.zeros(waves.shape)
        for block in rows():
            at = block.where
            common = waves[zone[at]]
            if number == _FIRST_FIT:
                step[at, 0] = _best_trial(block, nodes, common, pixel)
            for _ in range(_NEWTON if number >= _FIRST_FIT else 0):
                moved = _newton(block, nodes, common, step[at], block.used)[0]
                # No further than a tenth of the finest fringe at once.
                limit = 0.1 / np.linalg.norm(nodes, axis=1).max()
                step[at] += np.clip(moved, -limit, limit)
            if number == _PASSES - 1:
                halves[at], noise[at] = _halves_and_noise(
                    block, nodes, common, step[at]
                )
            seen, norm = _residual_waves(block, nodes, common, step[at])
            for i in (0, 1):
                change[i] += seen[zone[at] == i].sum(axis=0)
                weight[i] += norm[zone[at] == i].sum(axis=0)
        waves += change / np.maximum(weight, 1e-12 * max(weight.max(), 1e-300))
    return RowSteps(step, halves, noise)


def _shifted(common: Complex, nodes: Array, step: Array) -> Complex:
    """c_g exp(2πi g·o) of each row, (b, n)."""
    return common * np.exp(2j * np.pi * step @ nodes.T)


def _drawn(block: _Rows, factors: Complex) -> Array:
    """2 Re Σ_g factor f_g of each row: factors (b, m, n) give (b, m, nx)."""
    return 2 * (factors.astype(np.complex64) @ block.wave).real.astype(float)


def _residual_waves(
    block: _Rows, nodes: Array, common: Complex, step: Array
) -> tuple[Complex, Array]:
    """Σ f*_g (I − T), brought back by the offset, and Σ |f_g|², both (b, n)."""
    amplitude = _shifted(common, nodes, step)
    residual = _free(block.flat - _drawn(block, amplitude[:, None])[:, 0], block.used)
    seen = (block.wave @ residual[..., None].astype(np.complex64)).conj()
    # The waves are conjugated, the residual is real.
    norm = (np.abs(block.wave) ** 2 @ block.used[..., None].astype(np.float32))[..., 0]
    back = np.exp(-2j * np.pi * step @ nodes.T)
    return seen[..., 0] * back, norm


def _free(values: Array, used: Mask) -> Array:
    """Values of the used pixels without the mean of their row, zero elsewhere."""
    count = np.maximum(used.sum(axis=-1, keepdims=True), 1)
    values = np.where(used, values, 0)
    return np.where(used, values - values.sum(axis=-1, keepdims=True) / count, 0)


def _best_trial(block: _Rows, nodes: Array, common: Complex, pixel: float) -> Array:
    """Rough displacement of each row along x, (b,), from trials up to two pixels."""
    finest = 0.15 / np.abs(nodes[:, 0]).max()
    count = int(np.ceil(2 * pixel / finest))
    trials = np.arange(-count, count + 1) * finest
    turn = np.exp(2j * np.pi * trials[:, None] * nodes[:, 0])
    drawn = _drawn(block, common[:, None] * turn)
    misfit = _free(block.flat[:, None] - drawn, block.used[:, None])
    misfit = (misfit**2).sum(axis=2)
    pixels = np.maximum(block.used.sum(axis=1), 1)
    noise = np.maximum(misfit.min(axis=1) / pixels, 1e-300)
    # A displacement of a pixel is unusual; a faint row shall not jump by chance.
    total = misfit / noise[:, None] + (trials / pixel) ** 2
    return trials[np.argmin(total, axis=1)]


def _newton(
    block: _Rows, nodes: Array, common: Complex, step: Array, used: Mask
) -> tuple[Array, Array, Array]:
    """Change of the offsets (b, 2), inverse normal matrices, variance of the rest."""
    amplitude = _shifted(common, nodes, step)
    slopes = 2j * np.pi * nodes.T * amplitude[:, None]
    drawn = _drawn(block, np.concatenate([amplitude[:, None], slopes], axis=1))
    slope = _free(drawn[:, 1:], used[:, None])
    residual = _free(block.flat - drawn[:, 0], used)
    inverse = np.linalg.pinv(
        slope @ slope.transpose(0, 2, 1), rcond=1e-6, hermitian=True
    )
    change = (inverse @ (slope @ residual[..., None]))[..., 0]
    left_over = residual - (change[:, None] @ slope)[:, 0]
    freedom = np.maximum(used.sum(axis=1) - 3, 1)
    return change, inverse, (left_over**2).sum(axis=1) / freedom


def _halves_and_noise(
    block: _Rows, nodes: Array, common: Complex, step: Array
) -> tuple[Array, Array]:
    """Offsets of the halves (b, 2, 2), and the covariance of a whole row (b, 2, 2)."""
    _, inverse, variance = _newton(block, nodes, common, step, block.used)
    halves = [
        step + _newton(block, nodes, common, step, side)[0]
        for side in (block.left, block.used & ~block.left)
    ]
    seen = block.used.sum(axis=1) >= FEWEST_PIXELS
    seen &= (np.trace(inverse, axis1=1, axis2=2) > 0) & (variance > 0)
    noise = variance[:, None, None] * inverse
    return np.stack(halves, axis=1), np.where(seen[:, None, None], noise, np.nan)
