# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Local vibrational densities of groups of atoms by Haydock's recursion.

Random vectors as in :mod:`hyperspy_t2t.physics.densities`, each continued into a
Green's function by its own coefficients. What the tails of the Lorentzians have outside
of the window of the spectrum is given back in proportion: the densities add up to the
number of modes over all of the window.
"""

from collections.abc import Callable

import numpy as np
from scipy.linalg import eigh_tridiagonal

from hyperspy_t2t.array_types import Array, Ints
from hyperspy_t2t.physics.densities import LocalDensities, bin_edges, start_vectors
from hyperspy_t2t.physics.haydock import Recursion, recursion, recursion_density
from hyperspy_t2t.physics.kernel_polynomials import Window, spectrum_window
from hyperspy_t2t.physics.phonon_operator import PhononOperator

_BATCH = 16
"""Vectors at a time."""
_UNSTABLE = 3.0
"""Widths of a sharp mode below zero from which ω² is counted as negative."""


def recursion_densities(
    operator: PhononOperator,
    groups: Ints,
    energies: Array,
    *,
    steps: int = 200,
    vectors: int = 8,
    window: Window | None = None,
    seed: int = 0,
    progress: Callable[[float], None] | None = None,
) -> LocalDensities:
    """Vibrational density of states of groups of atoms, one product a step.

    Parameters
    ----------
    operator
        Products with the dynamical matrix in meV².
    groups
        Group of each atom, shape (n,), −1 for none; all of 0, 1, 2 … have atoms.
    energies
        Centres of bins in meV, ascending, shape (e,).
    steps
        Pairs of coefficients. The half width of a sharp mode in (ħω)² is π/2 times the
        half of the window over the steps.
    vectors
        Random vectors of each group; groups of so few degrees of freedom are exact.
    window
        By default from :func:`.spectrum_window`.
    seed
        Of the vectors.
    progress
        Called with the part that is done after each 16 vectors.

    Returns
    -------
    LocalDensities
        Its `resolution` is half of the width of a Lorentzian in meV.
    """
    window = window or spectrum_window(operator, seed=seed)
    edges = bin_edges(energies)
    broadening = 0.5 * np.pi * window.half / steps
    members = _members(groups)
    columns = [
        (g, k) for g, own in enumerate(members) for k in range(min(vectors, len(own)))
    ]
    density, unstable = np.empty((len(columns), len(edges) - 1)), np.empty(len(columns))
    for first in range(0, len(columns), _BATCH):
        batch = columns[first : first + _BATCH]
        starts = start_vectors(members, batch, vectors, operator.n_atoms, seed)
        found = recursion(operator, starts, steps)
        rows = slice(first, first + len(batch))
        density[rows] = _whole_density(found, edges, window, broadening)
        unstable[rows] = _below(found, -_UNSTABLE * broadening)
        if progress is not None:
            progress((first + len(batch)) / len(columns))
    group = np.array([g for g, _ in columns])
    modes = np.array([len(own) for own in members], float)
    result, error, share = _averages(group, density, unstable, modes, vectors)
    width = broadening / (2 * np.maximum(np.abs(energies), np.sqrt(broadening)))
    return LocalDensities(energies, result, error, modes, share, width, window)


def _members(groups: Ints) -> list[Ints]:
    """Degrees of freedom of each group."""
    flat = np.repeat(np.asarray(groups), 3)
    order = np.argsort(flat, kind="stable")[np.count_nonzero(flat < 0) :]
    counts = np.bincount(flat[flat >= 0])
    if not counts.size or not counts.all():
        raise ValueError(
            "Expected groups 0, 1, 2 … that all have atoms, got groups of "
            f"{counts // 3} atoms."
        )
    return np.split(order, np.cumsum(counts)[:-1])


def _whole_density(
    found: Recursion, edges: Array, window: Window, broadening: float
) -> Array:
    """Density in bins, (w, e), scaled so that the window has all modes."""
    step = np.diff(edges).min()
    low, high = window.energies
    inside = np.linspace(low, high, max(2, int(np.ceil((high - low) / step)) + 1))
    modes = recursion_density(found, inside, broadening=broadening) @ np.diff(inside)
    density = recursion_density(found, edges, broadening=broadening)
    return density * (found.modes / modes)[:, None]


def _below(found: Recursion, limit: float) -> Array:
    """Modes of each vector below a square of energy: Gauss' quadrature."""
    result = np.zeros(len(found.modes))
    for k, (a, b, modes) in enumerate(
        zip(found.diagonal, found.beside, found.modes, strict=True)
    ):
        used = int(np.argmin(b)) + 1 if (b <= 0).any() else len(b)
        values, vectors = eigh_tridiagonal(a[:used], b[: used - 1])
        result[k] = modes * (vectors[0, values < limit] ** 2).sum()
    return result


def _averages(
    group: Ints, density: Array, unstable: Array, modes: Array, vectors: int
) -> tuple[Array, Array, Array]:
    """Density and standard error, (g, e), and share of unstable modes, (g,)."""
    result, error = np.empty((2, len(modes), density.shape[1]))
    share = np.empty(len(modes))
    for g, number in enumerate(modes):
        each = density[group == g]
        exact = number <= vectors
        result[g] = each.sum(axis=0) if exact else each.mean(axis=0)
        error[g] = 0 if exact else np.nan
        if not exact and len(each) > 1:
            error[g] = each.std(axis=0, ddof=1) / np.sqrt(len(each))
        total = unstable[group == g]
        share[g] = (total.sum() if exact else total.mean()) / number
    return result, error, share
