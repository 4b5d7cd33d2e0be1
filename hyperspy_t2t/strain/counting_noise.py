# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""How counting noise correlates the phases of a lattice's fringes.

The variance of counts follows the grey level, and so it has the period of the lattice:
noise at g and at g′ is correlated as the image itself at g − g′ and at g + g′.
"""

import numpy as np
import numpy.typing as npt

from hyperspy_t2t.calibration import ImageGrid

Array = npt.NDArray[np.floating]
_LEAST = 0.03
"""Smallest eigenvalue of the correlation: the image that says it has noise itself."""


def phase_correlation(
    image: Array, window: Array, grid: ImageGrid, g_vectors: Array
) -> Array:
    """Correlation of the noise of phases where the variance is that of counts.

    With c(q) the Fourier component of the image, c(0) its mean and φ the phase of
    c(g), that of g with g′ is Re [c(g − g′) e^{−i(φ − φ′)} − c(g + g′) e^{−i(φ + φ′)}]
    / c(0). On the diagonal is what the noise of a phase is relative to white noise of
    the same mean variance.

    Parameters
    ----------
    image, window
        Grey levels from zero at no counts, and weights that fall to zero smoothly at
        the border of the reference, shape (ny, nx).
    grid
        Their pixels in nm.
    g_vectors
        g of the reference in 1/nm, to a tenth of the inverse size of the window,
        shape (n, 2).

    Returns
    -------
    ndarray
        Symmetric and positive definite, shape (n, n).
    """
    weighted = image * (window / window.sum())
    y, x = (
        grid.origin[axis] + grid.pixel_size[axis] * np.arange(grid.shape[axis])
        for axis in (0, 1)
    )

    def component(q: Array) -> complex:
        along_y, along_x = (
            np.exp(-2j * np.pi * q[i] * at) for i, at in ((1, y), (0, x))
        )
        return complex(along_y @ weighted @ along_x)

    mean = float(weighted.sum())
    if not mean > 0:
        raise ValueError(
            "Expected grey levels with a positive mean, zero where nothing is counted, "
            f"got a mean of {mean:.4g}. Subtract the offset of the detector."
        )
    phase = np.exp(-1j * np.array([np.angle(component(g)) for g in g_vectors]))
    result = np.empty((len(g_vectors), len(g_vectors)))
    for k, g in enumerate(g_vectors):
        for m, other in enumerate(g_vectors[: k + 1]):
            apart = component(g - other) * phase[k] * phase[m].conj()
            together = component(g + other) * phase[k] * phase[m]
            result[k, m] = result[m, k] = (apart - together).real / mean
    values, vectors = np.linalg.eigh(result)
    return (vectors * np.maximum(values, _LEAST)) @ vectors.T
