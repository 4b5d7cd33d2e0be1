# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Where in the image the origin of a crystal's cell lies."""

from collections.abc import Callable

import numpy as np

from hyperspy_t2t.array_types import Array, ComplexArray


def lattice_components(
    values: Array,
    positions: Array,
    displacement: Callable[[Array], Array],
    g: Array,
) -> ComplexArray:
    """Fourier components of an image in the undeformed frame R = r − u(r).

    Parameters
    ----------
    values
        Weighted grey levels w (I − Ī), shape (n,).
    positions
        r in nm, shape (n, 2).
    displacement
        u at positions, shape (2, n) in nm.
    g
        Frequencies of the undeformed lattice in 1/nm, shape (k, 2).
    """
    reference = positions - displacement(positions).T
    total = np.zeros(len(g), complex)
    block = 1 << 17
    for start in range(0, len(values), block):
        part = slice(start, start + block)
        wave = np.exp(-2j * np.pi * (reference[part] @ g.T))
        total += values[part] @ wave
    return total


def cell_origin(
    components: ComplexArray,
    structure_factors: ComplexArray,
    g: Array,
    in_plane: Array,
    *,
    samples: int = 64,
) -> Array:
    """Translation t that lays the projected structure over the image.

    It maximises Σ_k Re[c_k* S_k exp(−2πi g_k·t)], the correlation of the image with
    the crystal's projection, first on a grid over one cell and then by Newton steps.

    Parameters
    ----------
    components
        c_k of the image, shape (k,); their negative if atoms are dark.
    structure_factors
        S_k = Σ_j w_j exp(−2πi hkl_k·x_j), shape (k,).
    g
        Frequencies in 1/nm, shape (k, 2).
    in_plane
        Two projected lattice vectors as rows in nm, shape (2, 2).
    samples
        Grid points along each lattice vector.

    Returns
    -------
    ndarray
        (x, y) in nm, shape (2,).
    """
    product = components.conj() * structure_factors
    fraction = np.arange(samples) / samples
    trial = np.stack(np.meshgrid(fraction, fraction, indexing="ij"), -1).reshape(-1, 2)
    trial = trial @ in_plane
    correlation = (np.exp(-2j * np.pi * (trial @ g.T)) @ product).real
    # A centred lattice has several equal maxima: the first is taken, not the one
    # that rounding favours.
    best = correlation >= correlation.max() - 1e-6 * np.abs(correlation).max()
    t = trial[best.argmax()]
    for _ in range(20):
        wave = product * np.exp(-2j * np.pi * (g @ t))
        slope = (-2j * np.pi * wave @ g).real
        curvature = (
            ((-2j * np.pi) ** 2 * wave)[:, None, None] * (g[:, :, None] * g[:, None, :])
        ).real.sum(axis=0)
        step = np.linalg.lstsq(-curvature, slope, rcond=None)[0]
        t = t + step
        if np.linalg.norm(step) < 1e-9:
            break
    return t


def correlation(
    components: ComplexArray,
    structure_factors: ComplexArray,
    g: Array,
    origin: Array,
) -> float:
    """Correlation of the image with the projected structure laid at an origin.

    Parameters are those of :func:`cell_origin`; `origin` is (x, y) in nm.
    """
    wave = np.exp(-2j * np.pi * (g @ origin))
    return float((components.conj() * structure_factors * wave).real.sum())
