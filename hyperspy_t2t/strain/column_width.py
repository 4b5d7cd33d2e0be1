# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""How wide the columns of an image are, which falsifies strain where they change.

Columns of standard deviation s make fringes at q fainter by exp(−2π²s²q²), more so on
the far side of the Fourier mask around g than on the near one. Where the brightness of
columns changes from place to place, so that the mask holds more than g itself, this
shifts the phase: a displacement s² ∇ln|z| is seen where there is none.
"""

import numpy as np

from hyperspy_t2t.array_types import Array

WIDEST = 0.3
"""Largest width that is taken out, as a share of the resolution."""


def column_width(amplitude: Array, g_vectors: Array, *, resolution: float) -> float:
    """Standard deviation s in nm of columns, from fringes of the same strength.

    The median over all pairs of g of different length of
    s² = −ln(|z₁|/|z₂|)/(2π² (g₁² − g₂²)); zero if there are none.

    Parameters
    ----------
    amplitude
        |z| of each g in the reference over its structure factor, shape (n,).
    g_vectors
        In 1/nm, shape (n, 2).
    resolution
        Standard deviation of the average in nm; s is at most 0.3 of it.
    """
    squared = (g_vectors**2).sum(axis=1)
    first, second = np.triu_indices(len(squared), 1)
    apart = squared[first] - squared[second]
    clear = np.abs(apart) > 0.2 * squared.min()
    if not clear.any():
        return 0.0
    fall = np.log(amplitude[first] / amplitude[second])[clear]
    square = float(np.median(-fall / (2 * np.pi**2 * apart[clear])))
    return min(np.sqrt(max(square, 0.0)), WIDEST * resolution)
