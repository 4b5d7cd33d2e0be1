# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Local vibrational densities of small models by diagonalisation."""

import numpy as np
from scipy.linalg import eigh
from scipy.sparse import bsr_array

from hyperspy_t2t.array_types import Array, Ints
from hyperspy_t2t.physics.densities import LocalDensities, bin_edges
from hyperspy_t2t.physics.kernel_polynomials import Window

MOST_ATOMS = 3000
"""1.3 GB and some minutes."""
_ZERO = 1e-9
"""Part of the largest (ħω)² that rounding makes of zero."""


def exact_modes(matrix: bsr_array, groups: Ints) -> tuple[Array, Array]:
    """Energies of all modes, and how much of each is in each group.

    Parameters
    ----------
    matrix
        Dynamical matrix in meV², (3 n, 3 n), n of at most 3000.
    groups
        Group of each atom, shape (n,), −1 for none.

    Returns
    -------
    energies
        ħω in meV, ascending, shape (3 n,); −|ħω| of unstable modes.
    weights
        Shape (groups, 3 n).
    """
    n = matrix.shape[0] // 3
    if n > MOST_ATOMS:
        raise ValueError(
            f"Expected at most {MOST_ATOMS} atoms to diagonalise, got {n}: use the "
            "kernel polynomial method or a piece of the model."
        )
    squares, vectors = eigh(
        matrix.astype(float).toarray(), overwrite_a=True, check_finite=False
    )
    squares[np.abs(squares) < _ZERO * np.abs(squares).max(initial=0)] = 0
    parts = np.square(vectors, out=vectors).reshape(n, 3, -1).sum(axis=1)
    weights = np.zeros((int(groups.max(initial=-1)) + 1, 3 * n))
    np.add.at(weights, groups[groups >= 0], parts[groups >= 0])
    return np.sign(squares) * np.sqrt(np.abs(squares)), weights


def exact_densities(matrix: bsr_array, groups: Ints, energies: Array) -> LocalDensities:
    """Vibrational density of states of groups of atoms, counted in bins.

    Parameters
    ----------
    matrix, groups
        See :func:`exact_modes`.
    energies
        Centres of bins in meV, ascending, shape (e,); modes on an edge are above it.

    Returns
    -------
    LocalDensities
        Without error; its resolution is the standard deviation of a box as wide as the
        bin.
    """
    modes, weights = exact_modes(matrix, groups)
    edges = bin_edges(energies)
    place = np.searchsorted(edges, modes, side="right") - 1
    inside = (place >= 0) & (place < len(energies))
    density = np.zeros((len(weights), len(energies)))
    np.add.at(density.T, place[inside], weights.T[inside])
    density /= np.diff(edges)
    number = weights.sum(axis=1)
    low, high = np.sign(modes[[0, -1]]) * modes[[0, -1]] ** 2
    return LocalDensities(
        energies, density, np.zeros_like(density), number,
        weights[:, modes < 0].sum(axis=1) / number, np.diff(edges) / np.sqrt(12),
        Window(float(low + high) / 2, float(high - low) / 2),
    )  # fmt: skip
