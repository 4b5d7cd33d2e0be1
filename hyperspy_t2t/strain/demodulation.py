# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Local Fourier components of an image on a coarse grid, block by block.

Around the coarse position R the component at g is

    z(R) = Σ_r G(R − r) [I(r) − Ī(R)] exp(−2πi g·r),

with a Gaussian G of standard deviation σ. Both G and the wave separate into a
factor in x and one in y, so z = A_y I A_xᵀ with two banded matrices: an image is
summed in blocks of any shape, nothing wraps around, pixels may be non-square, and
a block of the image and its result are all that memory holds.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from hyperspy_t2t.calibration import ImageGrid

REACH = 5.0
"""Half-width of the Gaussian in standard deviations."""


@dataclass(frozen=True)
class LocalSpectrum:
    """Local mean and local Fourier components of one image at n frequencies.

    Parameters
    ----------
    grid
        The coarse grid of the values, shape (ny, nx).
    mean
        Local mean of the grey levels, shape (ny, nx).
    coverage
        Share of the Gaussian's weight that fell on valid pixels, shape (ny, nx).
    component
        z, complex, shape (n, ny, nx); divided by the coverage, so that |z| is half
        the amplitude of the fringes also at the image border.
    gradient
        (∂z/∂x, ∂z/∂y) in 1/nm, complex, shape (n, 2, ny, nx).
    """

    grid: ImageGrid
    mean: npt.NDArray[np.floating]
    coverage: npt.NDArray[np.floating]
    component: npt.NDArray[np.complexfloating]
    gradient: npt.NDArray[np.complexfloating]

    @property
    def amplitude(self) -> npt.NDArray[np.floating]:
        """|z|: half the amplitude of the fringes, in grey levels."""
        return np.abs(self.component)

    @property
    def phase_gradient(self) -> npt.NDArray[np.floating]:
        """∇ arg z = Im(z* ∇z)/|z|² in rad/nm, shape (n, 2, ny, nx)."""
        power = np.abs(self.component) ** 2
        floor = max(power.max(initial=0) * 1e-20, np.finfo(float).tiny)
        product = self.component[:, None].conj() * self.gradient
        return np.imag(product) / np.maximum(power, floor)[:, None]


def coarse_grid(grid: ImageGrid, sigma: float) -> ImageGrid:
    """Coarsest grid of at least two samples per sigma (nm) that covers `grid`."""
    shape, pixel_size = [], []
    for size, step in zip(grid.shape, grid.pixel_size, strict=True):
        extent = (size - 1) * step
        count = max(4, int(np.ceil(2.0 * extent / sigma)) + 1)
        shape.append(min(count, size))
        pixel_size.append(extent / (shape[-1] - 1))
    return ImageGrid(tuple(shape), tuple(pixel_size), grid.origin)


def local_spectrum(
    image: Any, grid: ImageGrid, g_vectors: npt.ArrayLike, *, sigma: float
) -> LocalSpectrum:
    """Local mean and Fourier components of an image at several g.

    Parameters
    ----------
    image
        Array (ny, nx), numpy or dask; of a dask array each chunk is read once.
        Pixels that are not finite have no weight.
    grid
        Its pixels in nm.
    g_vectors
        Frequencies (gx, gy) in 1/nm, shape (n, 2); n may be 0.
    sigma
        Standard deviation of the Gaussian in nm.
    """
    waves = np.concatenate([[[0.0, 0.0]], np.reshape(g_vectors, (-1, 2))])
    coarse = coarse_grid(grid, sigma)
    operators = [_operators(grid, coarse, wave, sigma) for wave in waves]
    total = _sum_blocks(image, operators, coarse.shape)
    coverage = np.maximum(total[0, 1, 0].real, 1e-12)
    mean = total[0, 0, 0].real / coverage
    # The mean varies: its slope is part of the product rule.
    mean_slope = (total[0, 0, 1:].real - mean * total[0, 1, 1:].real) / coverage
    value = total[1:, 0] - mean * total[1:, 1]
    value[:, 1:] -= mean_slope * total[1:, 1, :1]
    component = value[:, 0] / coverage
    slope = value[:, 1:] - component[:, None] * total[0, 1, 1:].real
    return LocalSpectrum(coarse, mean, coverage, component, slope / coverage)


def _operators(
    grid: ImageGrid, coarse: ImageGrid, wave: np.ndarray, sigma: float
) -> tuple[tuple[sparse.csc_array, ...], ...]:
    """((A_y, dA_y), (A_x, dA_x)): rows are coarse, columns are fine positions."""
    return tuple(
        _axis_operators(grid, coarse, axis, frequency, sigma)
        for axis, frequency in ((0, wave[1]), (1, wave[0]))
    )


def _axis_operators(
    grid: ImageGrid, coarse: ImageGrid, axis: int, frequency: float, sigma: float
) -> tuple[sparse.csc_array, sparse.csc_array]:
    """Banded Gaussian × wave along one axis and its derivative by coarse position."""
    size, step = grid.shape[axis], grid.pixel_size[axis]
    centres = np.arange(coarse.shape[axis]) * coarse.pixel_size[axis]
    reach = int(np.ceil(REACH * sigma / step))
    first = np.rint(centres / step).astype(int) - reach
    columns = first[:, None] + np.arange(2 * reach + 1)
    distance = centres[:, None] - columns * step
    value = np.exp(-0.5 * (distance / sigma) ** 2) * step / (sigma * np.sqrt(2 * np.pi))
    wave = np.exp(-2j * np.pi * frequency * (grid.origin[axis] + columns * step))
    inside = (columns >= 0) & (columns < size)
    rows = np.broadcast_to(np.arange(len(centres))[:, None], columns.shape)
    where = (rows[inside], columns[inside])
    shape = (len(centres), size)
    return tuple(
        sparse.csc_array(((kernel * wave)[inside], where), shape=shape)
        for kernel in (value, -distance / sigma**2 * value)
    )


def _sum_blocks(image: Any, operators: list, shape: tuple[int, int]) -> np.ndarray:
    """Sum over all blocks: (n, [value, weight], [z, ∂z/∂x, ∂z/∂y], ny, nx)."""
    if isinstance(image, np.ndarray):
        return process_block(image, operators)
    import dask
    import dask.array as da

    row_edges, column_edges = (np.cumsum([0, *chunks]) for chunks in image.chunks)
    parts = [
        dask.delayed(process_block)(block, _part(operators, rows, columns))
        for rows, line in zip(_spans(row_edges), image.to_delayed(), strict=True)
        for columns, block in zip(_spans(column_edges), line, strict=True)
    ]
    shape = (len(operators), 2, 3, *shape)
    blocks = [da.from_delayed(part, shape, dtype=complex) for part in parts]
    return sum(blocks[1:], start=blocks[0]).compute()


def _spans(edges: np.ndarray) -> list[slice]:
    return [slice(a, b) for a, b in zip(edges[:-1], edges[1:], strict=True)]


def _part(operators: list, rows: slice, columns: slice) -> list:
    """The operators' columns that meet one block of the image."""
    return [
        (tuple(a[:, rows] for a in along_y), tuple(a[:, columns] for a in along_x))
        for along_y, along_x in operators
    ]


def process_block(block: np.ndarray, operators: list) -> np.ndarray:
    """Contribution of one block of the image to all components."""
    finite = np.isfinite(block)
    values = np.where(finite, block, 0).astype(float)
    weights = None if finite.all() else finite.astype(float)
    return np.stack(
        [
            np.stack([_project(values, operator), _project(weights, operator)])
            for operator in operators
        ]
    )


def _project(values: np.ndarray | None, operator: tuple) -> np.ndarray:
    """(A_y V A_xᵀ, A_y V dA_xᵀ, dA_y V A_xᵀ); `None` stands for V = 1 everywhere."""
    (along_y, along_y_slope), (along_x, along_x_slope) = operator
    if values is None:
        y, dy, x, dx = (
            np.asarray(a.sum(axis=1)).ravel()
            for a in (along_y, along_y_slope, along_x, along_x_slope)
        )
        return np.stack([np.outer(y, x), np.outer(y, dx), np.outer(dy, x)])
    # The longer products run over the image rows once for the value and once
    # for the slope; what is left is small.
    first, slope = along_y @ values, along_y_slope @ values
    return np.stack(
        [
            (along_x @ first.T).T,
            (along_x_slope @ first.T).T,
            (along_x @ slope.T).T,
        ]
    )
