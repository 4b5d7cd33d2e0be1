# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Small integer indices of planes and directions, and how they are written."""

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from hyperspy_t2t.array_types import Ints

Index = tuple[int, int, int]


def nicest(indices: Ints) -> Index:
    """The row with the fewest negative, then the largest leading indices."""
    order = np.lexsort((*-indices.T[::-1], (indices < 0).sum(axis=1)))
    return triple(indices[order[0]])


def triple(indices: npt.ArrayLike) -> Index:
    """Three indices as a tuple, which can be compared and kept in a set."""
    first, second, third = (int(value) for value in np.asarray(indices))
    return first, second, third


@lru_cache(maxsize=8)
def primitive_indices(largest: int) -> Ints:
    """All index triples up to `largest` without a common divisor; shape (n, 3)."""
    index = np.arange(-largest, largest + 1)
    triples = np.stack(np.meshgrid(index, index, index, indexing="ij"), -1)
    triples = triples.reshape(-1, 3)
    triples = triples[np.gcd.reduce(triples, axis=1) == 1]
    triples.flags.writeable = False
    return triples


def plane_text(hkl: Index, *, hexagonal: bool) -> str:
    """(hkl), or (hkil) on hexagonal axes."""
    h, k, last = hkl
    return f"({h}{k}{-h - k}{last})" if hexagonal else f"({h}{k}{last})"


def direction_text(uvw: Index, *, hexagonal: bool) -> str:
    """[uvw], or its four indices on hexagonal axes in lowest terms."""
    if not hexagonal:
        return "[{}{}{}]".format(*uvw)
    u, v, w = uvw
    four = np.array([2 * u - v, 2 * v - u, -u - v, 3 * w])
    return "[{}{}{}{}]".format(*(four // max(1, np.gcd.reduce(four))))


def zone_text(axis: npt.ArrayLike) -> str:
    """[u v w] with spaces between the indices."""
    return f"[{' '.join(str(int(index)) for index in np.asarray(axis))}]"
