# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Local vibrational densities of many groups of atoms, without diagonalisation.

Two ways to the trace of a density over a group of atoms:

- ``"own"``: each group has vectors of its own, of random signs on its atoms. A vector
  takes half a product a moment. Few groups.
- ``"shared"``: all groups share vectors on all atoms, of which each takes its part. A
  vector takes a product a moment whatever the number of groups: layers, columns. Their
  densities add up to that of their union.

The relative error of a density is about √(2/(m v)) for v vectors and m modes within the
resolution, and is measured, from the scatter of the vectors. Groups of so few atoms
that unit vectors cost no more are exact.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.special import ndtr

from hyperspy_t2t.array_types import Array, Ints
from hyperspy_t2t.physics.kernel_polynomials import (
    Kernel,
    Window,
    binned_density,
    chebyshev_moments,
    grouped_moments,
    modes_below,
    resolution,
    spectrum_window,
)
from hyperspy_t2t.physics.phonon_operator import PhononOperator

Starts = Literal["own", "shared"]
_BATCH = 16
"""Vectors at a time."""
_UNSTABLE = 3.0
"""Widths of a sharp mode at zero below which ω² is counted as negative."""
_FWHM = np.sqrt(8 * np.log(2))


@dataclass(frozen=True)
class LocalDensities:
    """Vibrational densities of g groups in e bins of energy.

    Parameters
    ----------
    energies
        Centres of the bins, ħω in meV, shape (e,); unstable modes, ω² < 0, are at
        −|ħω|.
    density
        Modes per meV, averages over the bins, shape (g, e).
    error
        Standard error of `density`, shape (g, e): 0 where it is exact, NaN for a single
        random vector.
    modes
        Modes of each group, 3 an atom, shape (g,).
    unstable
        Share of the modes with ω² < 0, beyond the resolution, shape (g,).
    resolution
        Width of a sharp mode in meV (Jackson: standard deviation), shape (e,).
    window
        Where the spectrum is.
    """

    energies: Array
    density: Array
    error: Array
    modes: Array
    unstable: Array
    resolution: Array
    window: Window


def local_densities(
    operator: PhononOperator,
    groups: Ints,
    *,
    energies: Array | None = None,
    moments: int = 400,
    vectors: int = 8,
    starts: Starts = "own",
    kernel: Kernel = "jackson",
    window: Window | None = None,
    seed: int = 0,
    progress: Callable[[float], None] | None = None,
) -> LocalDensities:
    """Vibrational density of states of groups of atoms by kernel polynomials.

    Parameters
    ----------
    operator
        Products with the dynamical matrix in meV².
    groups
        Group of each atom, shape (n,), or of each degree of freedom, shape (n, 3), −1
        for none. See :func:`split`.
    energies
        Centres of bins in meV, ascending. By default 0.2 meV over all of the spectrum.
    moments
        Even; the resolution is inversely proportional.
    vectors
        Random vectors of each group, or shared.
    starts, kernel
        See above and :func:`.binned_density`.
    window
        By default from :func:`.spectrum_window`.
    seed
        Of the vectors. The result does not depend on the number of threads, and that of
        a group with own vectors not on the others.
    progress
        Called with the part that is done after each 16 vectors.

    Notes
    -----
    Memory: the matrix, two or three blocks of 0.2 kB an atom, and ``"shared"`` 8 bytes
    for each moment, vector and group.
    """
    groups = _degrees_of_freedom(operator, groups)
    modes = np.bincount(groups[groups >= 0]).astype(float)
    if vectors < 1 or not modes.size or not modes.all():
        raise ValueError(
            "Expected 1 vector or more and groups 0, 1, 2 … that all have atoms, got "
            f"{vectors} vectors and groups of {modes / 3} atoms."
        )
    window = window or spectrum_window(operator, seed=seed)
    grid = _default_energies(window) if energies is None else np.asarray(energies)
    edges = bin_edges(grid)
    # Both ends of bins, and where modes begin to be unstable.
    at_zero = resolution(np.zeros(1), window, moments, kernel=kernel)[0]
    below_zero = -np.sqrt(_UNSTABLE) * at_zero
    density, error = np.empty((2, len(modes), len(grid)))
    unstable = np.empty(len(modes))
    collect = {"own": _own_moments, "shared": _shared_moments}[_known(starts)]
    for group, found, exact in collect(
        operator, groups, modes, moments, vectors, window, seed, progress
    ):
        each = binned_density(found, window, edges, kernel=kernel)
        scale = len(found) if exact else 1
        density[group] = scale * each.mean(axis=0)
        error[group] = 0 if exact else _standard_error(each)
        unstable[group] = (
            scale
            * modes_below(found.mean(axis=0), window, below_zero, kernel=kernel).item()
        )
    width = resolution(grid, window, moments, kernel=kernel)
    return LocalDensities(grid, density, error, modes, unstable / modes, width, window)


def split(
    groups: Ints, *, species: Ints | None = None, directions: bool = False
) -> tuple[Ints, Ints]:
    """Divide groups by element, by direction x, y, z or by both.

    Parameters
    ----------
    groups
        Shape (n,), −1 for none.
    species
        Number of the element of each atom, shape (n,), 0 or more.
    directions
        Whether the three directions are apart.

    Returns
    -------
    parts
        Part of each degree of freedom, shape (n, 3), numbered without gaps.
    keys
        Group, species (0 if they are together) and direction (0 if they are together)
        of each part, shape (parts, 3).
    """
    groups = np.asarray(groups)
    keys = np.zeros((len(groups), 3, 3), np.int64)
    keys[:, :, 0] = groups[:, None]
    if species is not None:
        keys[:, :, 1] = np.asarray(species)[:, None]
    if directions:
        keys[:, :, 2] = np.arange(3)
    inside = keys[:, :, 0] >= 0
    limits = keys.max(axis=(0, 1), initial=0) + 1
    codes = np.ravel_multi_index(keys[inside].T, limits)
    used = np.flatnonzero(np.bincount(codes))
    parts = np.full(inside.shape, -1, np.int64)
    parts[inside] = np.searchsorted(used, codes)
    return parts, np.stack(np.unravel_index(used, limits), axis=1)


def bin_edges(energies: Array) -> Array:
    """Edges half-way between energies, shape (e + 1,); the ends are as wide again."""
    energies = np.asarray(energies, float)
    if energies.ndim != 1 or len(energies) < 2 or not (np.diff(energies) > 0).all():
        raise ValueError(
            "Expected two or more energies in meV that ascend, got shape "
            f"{energies.shape}."
        )
    middle = (energies[1:] + energies[:-1]) / 2
    return np.concatenate(
        [[2 * energies[0] - middle[0]], middle, [2 * energies[-1] - middle[-1]]]
    )


def convolved(energies: Array, density: Array, fwhm: float) -> Array:
    """Densities as a spectrometer with a Gaussian resolution sees them.

    Parameters
    ----------
    energies
        Centres of bins in meV, ascending, shape (e,); they may differ in width.
    density
        Averages over the bins, shape (…, e).
    fwhm
        Full width at half maximum in meV. That of `density` itself is 2.35 times its
        resolution; both widths add in squares.

    Returns
    -------
    numpy.ndarray
        Shape (…, e). What spreads beyond the first and last bin is lost.
    """
    if not fwhm > 0:
        raise ValueError(f"Expected a width above 0 meV, got {fwhm} meV.")
    edges = bin_edges(energies)
    widths = np.diff(edges)
    # What of a bin, as if all at its centre, goes to each other one; the box of the
    # bins is part of the result on both sides.
    share = np.diff(ndtr((edges[:, None] - energies) * _FWHM / fwhm), axis=0)
    return (density * widths) @ share.T / widths


def start_vectors(
    members: Sequence[Ints],
    batch: Sequence[tuple[int, int]],
    vectors: int,
    n_atoms: int,
    seed: int,
) -> Array:
    """Vectors on single groups: random signs, or unit vectors where they are few.

    Parameters
    ----------
    members
        Degrees of freedom of each group.
    batch
        Group and number of each vector, length w.
    vectors
        Groups of so few degrees of freedom have a unit vector for each.
    n_atoms
        Of the operator.
    seed
        Of the signs.

    Returns
    -------
    ndarray
        float32, shape (n_atoms, 3, w).
    """
    block = np.zeros((3 * n_atoms, len(batch)), np.float32)
    for lane, (group, k) in enumerate(batch):
        own = members[group]
        if len(own) <= vectors:
            block[own[k], lane] = 1
        else:
            rng = np.random.default_rng([seed, group, k])
            block[own, lane] = 2 * rng.integers(0, 2, len(own), np.int8) - 1
    return block.reshape(n_atoms, 3, len(batch))


def _own_moments(
    operator: PhononOperator,
    groups: Ints,
    modes: Array,
    number: int,
    vectors: int,
    window: Window,
    seed: int,
    progress: Callable[[float], None] | None,
) -> Iterator[tuple[int, Array, bool]]:
    """Number of each group, moments of its vectors, and whether these are exact."""
    order = np.argsort(groups, axis=None, kind="stable")
    order = order[np.count_nonzero(groups < 0) :]
    members = np.split(order, np.cumsum(modes.astype(np.int64))[:-1])
    columns = [
        (group, k) for group, own in enumerate(members)
        for k in range(min(vectors, len(own)))
    ]  # fmt: skip
    waiting: list[Array] = []
    for first in range(0, len(columns), _BATCH):
        batch = columns[first : first + _BATCH]
        block = start_vectors(members, batch, vectors, groups.size // 3, seed)
        found = chebyshev_moments(operator, block, number, window)
        for (group, k), row in zip(batch, found, strict=True):
            waiting.append(row)
            if k + 1 == min(vectors, len(members[group])):
                yield group, np.array(waiting), len(members[group]) <= vectors
                waiting = []
        if progress is not None:
            progress((first + len(batch)) / len(columns))


def _shared_moments(
    operator: PhononOperator,
    groups: Ints,
    modes: Array,
    number: int,
    vectors: int,
    window: Window,
    seed: int,
    progress: Callable[[float], None] | None,
) -> Iterator[tuple[int, Array, bool]]:
    """As :func:`_own_moments`, of vectors on the atoms of all groups."""
    found = np.empty((len(modes), vectors, number))
    for first in range(0, vectors, _BATCH):
        last = min(first + _BATCH, vectors)
        block = np.zeros((*groups.shape, last - first), np.float32)
        for k in range(first, last):
            signs = np.random.default_rng([seed, k]).integers(
                0, 2, groups.shape, np.int8
            )
            block[:, :, k - first] = np.where(groups >= 0, 2 * signs - 1, 0)
        found[:, first:last] = grouped_moments(operator, block, groups, number, window)
        if progress is not None:
            progress(last / vectors)
    for group, own in enumerate(found):
        yield group, own, False


def _standard_error(each: Array) -> Array:
    """Of the mean of vectors, (v, e) to (e,)."""
    if len(each) < 2:
        return np.full(each.shape[1], np.nan)
    return each.std(axis=0, ddof=1) / np.sqrt(len(each))


def _default_energies(window: Window) -> Array:
    low, high = window.energies
    step = 0.2
    return step * np.arange(np.floor(low / step), np.ceil(high / step) + 1)


def _degrees_of_freedom(operator: PhononOperator, groups: Ints) -> Ints:
    groups = np.asarray(groups)
    n = operator.n_atoms
    if groups.shape not in ((n,), (n, 3)) or groups.dtype.kind not in "iu":
        raise ValueError(
            f"Expected whole numbers of groups of shape ({n},) or ({n}, 3), got "
            f"{groups.dtype} of shape {groups.shape}."
        )
    if groups.ndim == 1:
        groups = np.repeat(groups[:, None], 3, axis=1)
    return groups


def _known(starts: str) -> str:
    if starts not in ("own", "shared"):
        raise ValueError(f'Expected starts "own" or "shared", got {starts!r}.')
    return starts
