# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Fast products of the dynamical matrix with blocks of vectors, on CPU or GPU.

All that recursions on the matrix D need is one step,

u ← scale (D v) + shift v − back u,

with its inner products v·u and u·u, which are summed in double precision while u is at
hand. A block is (n, 3, w): the w vectors of an atom lie side by side, so that each
3 × 3 block of D is read once for all of them. One row of a tetrahedral crystal has 17
blocks; in single precision they are 0.7 kB.
"""

from typing import Any, Protocol

import numba
import numpy as np
import numpy.typing as npt
from scipy.sparse import bsr_array

Array = npt.NDArray[np.floating]
Ints = npt.NDArray[np.integer]
WIDTHS = (1, 4, 8)
"""Vectors of a block that kernels are compiled for."""
_CHUNK = 512
"""Rows of atoms that one thread takes at a time."""


class PhononOperator(Protocol):
    """What recursions need of a dynamical matrix; blocks are opaque to them."""

    n_atoms: int

    def load(self, block: Array) -> Any:
        """A block (n, 3, w) where the products are computed, in their precision."""

    def fetch(self, block: Any) -> Array:
        """A block as an array (n, 3, w)."""

    def step(
        self, v: Any, u: Any, scale: Array, shift: Array, back: Array
    ) -> tuple[Array, Array]:
        """Write scale (D v) + shift v − back u into u; v·u and u·u of each vector.

        The factors are (w,), one for each vector, and so are the inner products.
        """


class CompiledOperator:
    """Products compiled for all cores.

    Parameters
    ----------
    matrix
        Symmetric (3 n, 3 n) with blocks of 3 × 3, from
        :func:`~hyperspy_t2t.physics.hessian.force_constants` with masses, in meV².
    dtype
        Of matrix and vectors. Single precision has moments right to 1e-6 and is about
        twice as fast as double.
    """

    def __init__(self, matrix: bsr_array, *, dtype: npt.DTypeLike = np.float32):
        matrix = checked_matrix(matrix)
        self.n_atoms = matrix.shape[0] // 3
        self.dtype = np.dtype(dtype)
        self.blocks = np.ascontiguousarray(matrix.data, self.dtype).reshape(-1, 9)
        self.columns = matrix.indices
        self.starts = matrix.indptr

    def load(self, block: Array) -> Array:
        width = block.shape[2]
        wide = next((w for w in WIDTHS if w >= width), width)
        result = np.zeros((self.n_atoms, 3, wide), self.dtype)
        result[:, :, :width] = block
        return result

    def fetch(self, block: Array) -> Array:
        return block

    def step(
        self, v: Array, u: Array, scale: Array, shift: Array, back: Array
    ) -> tuple[Array, Array]:
        width = v.shape[2]
        factors = np.zeros((3, width), self.dtype)
        for row, values in zip(factors, (scale, shift, back), strict=True):
            row[: np.size(values)] = values
        chunks = (self.n_atoms + _CHUNK - 1) // _CHUNK
        partial = np.zeros((chunks, 2, width))
        _step(
            self.blocks, self.columns, self.starts, v, u, factors, (0,) * width, partial
        )
        return tuple(partial.sum(axis=0)[:, : np.size(scale)])


@numba.njit(parallel=True, cache=True, fastmath=True, boundscheck=False)
def _step(
    blocks: Array,
    columns: Ints,
    starts: Ints,
    v: Array,
    u: Array,
    factors: Array,
    lanes: tuple,
    partial: Array,
) -> None:
    """One step; `lanes` has as many items as a block has vectors, known to the compiler.

    Partial sums of v·u and u·u of chunks of rows, (chunks, 2, w), do not depend on the
    number of threads.
    """
    n = len(starts) - 1
    for chunk in numba.prange(len(partial)):
        row = np.empty((3, len(lanes)), v.dtype)
        for i in range(chunk * _CHUNK, min(n, (chunk + 1) * _CHUNK)):
            row[:] = 0
            for place in range(starts[i], starts[i + 1]):
                j = columns[place]
                for a in range(3):
                    x = blocks[place, 3 * a]
                    y = blocks[place, 3 * a + 1]
                    z = blocks[place, 3 * a + 2]
                    for lane in range(len(lanes)):
                        row[a, lane] += (
                            x * v[j, 0, lane] + y * v[j, 1, lane] + z * v[j, 2, lane]
                        )
            for a in range(3):
                for lane in range(len(lanes)):
                    value = (
                        factors[0, lane] * row[a, lane]
                        + factors[1, lane] * v[i, a, lane]
                        - factors[2, lane] * u[i, a, lane]
                    )
                    u[i, a, lane] = value
                    partial[chunk, 0, lane] += v[i, a, lane] * value
                    partial[chunk, 1, lane] += value * value


def checked_matrix(matrix: bsr_array) -> bsr_array:
    """The matrix if it is one of blocks of 3 × 3."""
    shape = getattr(matrix, "blocksize", None)
    if shape != (3, 3) or matrix.shape[0] != matrix.shape[1]:
        raise ValueError(
            "Expected a square sparse matrix of blocks of 3 × 3 (scipy.sparse."
            f"bsr_array), got {type(matrix).__name__} of shape {matrix.shape} and "
            f"blocks {shape}."
        )
    return matrix
