# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Labels that are kept compressed in memory, and unpacked chunk by chunk.

Regions are connected, so that a label image shrinks a thousandfold; a lazy one that
is read many times need not be worked out anew each time.
"""

import zlib
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np


class Packed(NamedTuple):
    """A label image in some ten kilobytes."""

    content: bytes
    dtype: str
    shape: tuple[int, int]


def pack(labels: np.ndarray) -> Packed:
    """A label image, compressed."""
    small = labels.astype(np.min_scalar_type(int(labels.max(initial=0))))
    return Packed(zlib.compress(small.tobytes(), 1), small.dtype.str, small.shape)


def unpack(packed: Packed) -> np.ndarray:
    """Inverse of :func:`pack`, int32."""
    values = np.frombuffer(zlib.decompress(packed.content), packed.dtype)
    return values.reshape(packed.shape).astype(np.int32)


def packed(labels: Any) -> Any:
    """A dask array of labels, computed now and kept compressed; same chunks."""
    import dask

    blocks = labels.to_delayed()
    found = np.empty(blocks.shape, object)
    tasks = [dask.delayed(pack)(block) for block in blocks.ravel()]
    for index, one in zip(np.ndindex(blocks.shape), dask.compute(*tasks), strict=True):
        found[index] = one
    return _unpacked(found, labels.chunks)


def packed_frames(frames: Mapping[tuple[int, ...], Packed], shape: tuple) -> Any:
    """Dask array (..., ny, nx) of frames by their index, one chunk a frame."""
    found = np.empty((*shape[:-2], 1, 1), object)
    for index, one in frames.items():
        found[(*index, 0, 0)] = one
    chunks = (*((1,) * size for size in shape[:-2]), *((n,) for n in shape[-2:]))
    return _unpacked(found, chunks)


def _unpacked(found: np.ndarray, chunks: tuple[tuple[int, ...], ...]) -> Any:
    """Dask array of chunks that are unpacked when they are read."""
    import dask.array as da

    return da.from_array(found, chunks=1, name=False).map_blocks(
        unpack_block,
        chunks=chunks,
        dtype=np.int32,
        meta=np.empty((0,) * len(chunks), np.int32),
    )


def unpack_block(block: np.ndarray) -> np.ndarray:
    """One chunk, from an array of one :class:`Packed`."""
    return unpack(block.item())[(None,) * (block.ndim - 2)]
