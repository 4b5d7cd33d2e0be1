# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Names of the kinds of arrays that signatures speak of, whatever their precision.

The kind is for the reader. Type checkers see arrays of any kind: NumPy's own types
give integers for weighted counts, and scalars for sums along an axis.
"""

from collections.abc import Iterable
from typing import Any, TypeAlias, TypeVar

import numpy.typing as npt

Array: TypeAlias = npt.NDArray[Any]
"""Real numbers."""
ComplexArray: TypeAlias = npt.NDArray[Any]
Ints: TypeAlias = npt.NDArray[Any]
Bools: TypeAlias = npt.NDArray[Any]

Labels: TypeAlias = Ints
"""The region of each pixel, 0 where it has none."""
Mask: TypeAlias = Bools
"""Whether each pixel is meant."""

_One = TypeVar("_One")


def pair(values: Iterable[_One]) -> tuple[_One, _One]:
    """Two values, of rows and columns or of x and y, as a tuple."""
    first, second = values
    return first, second
