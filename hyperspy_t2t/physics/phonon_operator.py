# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Fast products of the dynamical matrix with blocks of vectors, on CPU or GPU.

All that recursions on the matrix D need is one step,

u ← scale (D v) + shift v − back u,

with its inner products v·u and u·u. A block is (n, 3, w): the w vectors of an atom lie
side by side, so that each 3 × 3 block of D is read once for all of them. An atom of a
tetrahedral crystal has 17 of these; in single precision they are 0.7 kB.
"""

import warnings
from typing import TYPE_CHECKING, Any, Protocol

import numba
import numpy as np
import numpy.typing as npt
from numba.core.compiler import Compiler
from numba.core.compiler_machinery import PassManager
from scipy.sparse import bsr_array

from hyperspy_t2t.array_types import Array, Ints
from hyperspy_t2t.physics.threads import in_parallel

if TYPE_CHECKING:
    import torch

WIDTHS = (1, 16)
"""Vectors of a block that compile into vector instructions; others are filled up."""
_CHUNK = 512
"""Rows of atoms that are added up together."""
_PARTS = 16
"""Parts of the atoms whose sums over groups are kept apart."""


class PhononOperator(Protocol):
    """What recursions need of a dynamical matrix; how it keeps blocks is its own."""

    n_atoms: int

    def load(self, block: Array) -> Any:
        """A copy of a block (n, 3, w) where products are computed."""

    def fetch(self, block: Any, width: int) -> Array:
        """The first vectors of a loaded block as an array (n, 3, width)."""

    def step(
        self, v: Any, u: Any, scale: Array, shift: Array, back: Array
    ) -> tuple[Array, Array]:
        """Write scale (D v) + shift v − back u into u; v·u and u·u of each vector.

        The blocks must not be one. The factors are (w,), one for each vector, and so
        are the inner products.
        """

    def add(self, v: Any, u: Any, factor: Array) -> Array:
        """Add factor v to u; u·u of each vector. The factors are (w,)."""

    def grouped(self, v: Any, u: Any, groups: Any, number: int, width: int) -> Array:
        """Sums of v times u over the degrees of freedom of each group, (number, w)."""

    def load_groups(self, groups: Ints) -> Any:
        """Groups (n, 3), −1 for none, where products are computed."""


class CompiledOperator:
    """Products compiled for all cores, or one where the atoms are few.

    Parameters
    ----------
    matrix
        Symmetric (3 n, 3 n) with blocks of 3 × 3, from
        :func:`~hyperspy_t2t.physics.hessian.force_constants` with masses, in meV².
        Atoms that are near should be near in the order, too: in a random order 10⁵ take
        two to four times as long, as memory is read from all over.
    dtype
        Of matrix and vectors. Single precision has moments right to 1e-5 of the first
        and takes half of the memory.
    """

    def __init__(self, matrix: bsr_array, *, dtype: npt.DTypeLike = np.float32):
        matrix = _checked_matrix(matrix)
        self.n_atoms = matrix.shape[0] // 3
        self.dtype = np.dtype(dtype)
        self._blocks = np.ascontiguousarray(matrix.data, self.dtype).reshape(-1, 9)
        self._columns, self._starts = matrix.indices, matrix.indptr

    def load(self, block: Array) -> Array:
        width = block.shape[2]
        wide = next((known for known in WIDTHS if known >= width), width)
        result = np.zeros((self.n_atoms, 3, wide), self.dtype)
        result[:, :, :width] = block
        return result

    def fetch(self, block: Array, width: int) -> Array:
        return block[:, :, :width]

    def step(
        self, v: Array, u: Array, scale: Array, shift: Array, back: Array
    ) -> tuple[Array, Array]:
        factors = self._factors(v.shape[2], scale, shift, back)
        sums = np.zeros((self._chunks, 2, v.shape[2]))
        in_parallel(
            _step, len(sums), self._blocks, self._columns, self._starts, v, u, factors,
            (0,) * v.shape[2], sums, n_atoms=self.n_atoms,
        )  # fmt: skip
        first, second = sums.sum(axis=0)[:, : len(scale)]
        return first, second

    def add(self, v: Array, u: Array, factor: Array) -> Array:
        sums = np.zeros((self._chunks, v.shape[2]))
        factors = self._factors(v.shape[2], factor)[0]
        in_parallel(_add, len(sums), v, u, factors, sums, n_atoms=self.n_atoms)
        return sums.sum(axis=0)[: len(factor)]

    def grouped(
        self, v: Array, u: Array, groups: Ints, number: int, width: int
    ) -> Array:
        sums = np.zeros((_PARTS, number, width))
        in_parallel(_grouped, _PARTS, v, u, groups, sums, n_atoms=self.n_atoms)
        return sums.sum(axis=0)

    def load_groups(self, groups: Ints) -> Ints:
        return np.ascontiguousarray(groups, np.int32)

    @property
    def _chunks(self) -> int:
        return (self.n_atoms + _CHUNK - 1) // _CHUNK

    def _factors(self, width: int, *rows: Array) -> Array:
        factors = np.zeros((len(rows), width), self.dtype)
        for factor, row in zip(factors, rows, strict=True):
            factor[: len(row)] = row
        return factors


class TorchOperator:
    """The same products in torch, on a GPU.

    Parameters
    ----------
    matrix, dtype
        As of :class:`CompiledOperator`. The matrix takes 1.2 kB an atom of the memory
        of the device in single precision, a block of 16 vectors 0.2 kB.
    device
        Of torch, such as ``"cuda"``.
    """

    def __init__(
        self,
        matrix: bsr_array,
        *,
        device: str = "cuda",
        dtype: npt.DTypeLike = np.float32,
    ):
        import torch

        matrix = _checked_matrix(matrix)
        self.n_atoms = matrix.shape[0] // 3
        self.dtype, self.device = np.dtype(dtype), torch.device(device)
        n, size = self.n_atoms, matrix.data.size
        kind = matrix.indices.dtype if size < 2**31 else np.int64
        starts, columns = np.zeros(3 * n + 1, kind), np.empty(size, kind)
        values = np.empty(size, self.dtype)
        _rows_of_blocks(
            matrix.data, matrix.indices, matrix.indptr, starts, columns, values
        )
        with warnings.catch_warnings():  # that such matrices are new in torch
            warnings.filterwarnings("ignore", "Sparse CSR tensor support")
            self._matrix = torch.sparse_csr_tensor(
                *(torch.from_numpy(part) for part in (starts, columns, values)),
                size=matrix.shape,
                device=self.device,
                check_invariants=False,
            )

    def load(self, block: Array) -> "torch.Tensor":
        import torch

        flat = np.array(block, self.dtype).reshape(3 * self.n_atoms, -1)
        return torch.from_numpy(flat).to(self.device)

    def fetch(self, block: "torch.Tensor", width: int) -> Array:
        return block[:, :width].cpu().numpy().reshape(self.n_atoms, 3, width)

    def step(
        self,
        v: "torch.Tensor",
        u: "torch.Tensor",
        scale: Array,
        shift: Array,
        back: Array,
    ) -> tuple[Array, Array]:
        import torch

        scale, shift, back = (self._factor(row) for row in (scale, shift, back))
        u.mul_(-back).addcmul_(self._matrix @ v, scale).addcmul_(v, shift)
        sums = torch.stack([self._inner(v, u), self._inner(u, u)])
        first, second = sums.cpu().numpy()
        return first, second

    def add(self, v: "torch.Tensor", u: "torch.Tensor", factor: Array) -> Array:
        u.addcmul_(v, self._factor(factor))
        return self._inner(u, u).cpu().numpy()

    def grouped(
        self,
        v: "torch.Tensor",
        u: "torch.Tensor",
        groups: "torch.Tensor",
        number: int,
        width: int,
    ) -> Array:
        import torch

        sums = torch.zeros((number + 1, width), dtype=torch.float64, device=self.device)
        sums.index_add_(0, groups, (v * u).double())
        return sums[:number].cpu().numpy()

    def load_groups(self, groups: Ints) -> "torch.Tensor":
        import torch

        flat = np.asarray(groups, np.int64).ravel()
        last = flat.max(initial=-1) + 1
        return torch.from_numpy(np.where(flat < 0, last, flat)).to(self.device)

    def _factor(self, row: Array) -> "torch.Tensor":
        import torch

        return torch.from_numpy(np.asarray(row, self.dtype)).to(self.device)

    def _inner(self, v: "torch.Tensor", u: "torch.Tensor") -> "torch.Tensor":
        import torch

        return (v * u).sum(0, dtype=torch.float64)


class _Apart(Compiler):
    """Lets the compiler take it that no two arrays overlap: half the time."""

    def define_pipelines(self) -> list[PassManager]:
        if hasattr(self.state.flags, "noalias"):  # which numba sets in its own loops
            self.state.flags.noalias = True
        return super().define_pipelines()


@numba.njit(cache=True, nogil=True, fastmath=True, pipeline_class=_Apart)
def _step(
    begin: int,
    end: int,
    blocks: Array,
    columns: Ints,
    starts: Ints,
    v: Array,
    u: Array,
    factors: Array,
    lanes: tuple[int, ...],
    sums: Array,
) -> None:
    """One step of a range of chunks of rows, and their sums, (chunks, 2, w).

    `lanes` has w items, so that the compiler knows their number.
    """
    n = len(starts) - 1
    row = np.empty((3, len(lanes)), v.dtype)
    for chunk in range(begin, end):
        for i in range(chunk * _CHUNK, min(n, (chunk + 1) * _CHUNK)):
            row[:] = 0
            for place in range(starts[i], starts[i + 1]):
                j = columns[place]
                block = blocks[place]
                # In variables of their own they stay in registers.
                xx, xy, xz = block[0], block[1], block[2]
                yx, yy, yz = block[3], block[4], block[5]
                zx, zy, zz = block[6], block[7], block[8]
                for lane in range(len(lanes)):
                    x, y, z = v[j, 0, lane], v[j, 1, lane], v[j, 2, lane]
                    row[0, lane] += xx * x + xy * y + xz * z
                    row[1, lane] += yx * x + yy * y + yz * z
                    row[2, lane] += zx * x + zy * y + zz * z
            for a in range(3):
                for lane in range(len(lanes)):
                    value = (
                        factors[0, lane] * row[a, lane]
                        + factors[1, lane] * v[i, a, lane]
                        - factors[2, lane] * u[i, a, lane]
                    )
                    u[i, a, lane] = value
                    sums[chunk, 0, lane] += v[i, a, lane] * value
                    sums[chunk, 1, lane] += value * value


@numba.njit(cache=True, nogil=True, fastmath=True, pipeline_class=_Apart)
def _add(begin: int, end: int, v: Array, u: Array, factor: Array, sums: Array) -> None:
    """Add factor v to u; u·u of a range of chunks of atoms, (chunks, w)."""
    n = len(u)
    for chunk in range(begin, end):
        for i in range(chunk * _CHUNK, min(n, (chunk + 1) * _CHUNK)):
            for a in range(3):
                for lane in range(len(factor)):
                    value = u[i, a, lane] + factor[lane] * v[i, a, lane]
                    u[i, a, lane] = value
                    sums[chunk, lane] += value * value


@numba.njit(cache=True, nogil=True)
def _grouped(
    begin: int, end: int, v: Array, u: Array, groups: Ints, sums: Array
) -> None:
    """Add up v times u of each group in parts of the atoms, (parts, groups, w)."""
    n = len(v)
    for part in range(begin, end):
        for i in range(n * part // len(sums), n * (part + 1) // len(sums)):
            for a in range(3):
                group = groups[i, a]
                if group >= 0:
                    for lane in range(sums.shape[2]):
                        sums[part, group, lane] += v[i, a, lane] * u[i, a, lane]


@numba.njit(cache=True, nogil=True)
def _rows_of_blocks(
    blocks: Array,
    block_columns: Ints,
    block_starts: Ints,
    starts: Ints,
    columns: Ints,
    values: Array,
) -> None:
    """Write blocks of 3 × 3 as sparse rows, without the coordinates scipy goes by."""
    place = 0
    for i in range(len(block_starts) - 1):
        for a in range(3):
            for block in range(block_starts[i], block_starts[i + 1]):
                for b in range(3):
                    columns[place] = 3 * block_columns[block] + b
                    values[place] = blocks[block, a, b]
                    place += 1
            starts[3 * i + a + 1] = place


def _checked_matrix(matrix: bsr_array) -> bsr_array:
    blocks = getattr(matrix, "blocksize", None)
    if blocks != (3, 3) or matrix.shape[0] != matrix.shape[1]:
        raise ValueError(
            "Expected a square scipy.sparse.bsr_array of blocks of 3 × 3, got "
            f"{type(matrix).__name__} of shape {matrix.shape}, blocks {blocks}."
        )
    return matrix
