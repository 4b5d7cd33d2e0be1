# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Local densities by recursion: the Green's function as a continued fraction.

Lanczos' recursion from a start vector makes D tridiagonal, with a_n on its diagonal and
b_n beside it, and

⟨s| (z − D)⁻¹ |s⟩ = |s|² / (z − a_0 − b_1² / (z − a_1 − b_2² / (z − a_2 − …))).

The coefficients that were not computed are replaced by a constant pair, whose fraction
is a square root (R. Haydock, V. Heine & M. J. Kelly, J. Phys. C 5, 2845 (1972), doi:
10.1088/0022-3719/5/20/004). It gives what is computed in vain, a smooth continuation,
where the density has one band; the ripple of more bands is averaged.
"""

from dataclasses import dataclass

import numpy as np

from hyperspy_t2t.array_types import Array, ComplexArray
from hyperspy_t2t.physics.phonon_operator import PhononOperator

_NODES = 8
"""Places inside of each bin where the density is computed."""
_EXHAUSTED = 1e-5
"""Part of a or of the largest b below which a start vector has nothing new to give."""


@dataclass(frozen=True)
class Recursion:
    """Coefficients of w start vectors after k steps.

    Parameters
    ----------
    diagonal
        a_0 … a_{k−1} in meV², shape (w, k).
    beside
        b_1 … b_k in meV², shape (w, k); 0 where the start vector is exhausted.
    modes
        |s|², shape (w,).
    """

    diagonal: Array
    beside: Array
    modes: Array


def recursion(operator: PhononOperator, starts: Array, steps: int) -> Recursion:
    """Recursion coefficients of the dynamical matrix, one product a step.

    Parameters
    ----------
    operator
        Products with the matrix, D in meV².
    starts
        Start vectors, shape (n, 3, w), none of them zero.
    steps
        Pairs of coefficients, 1 or more.
    """
    starts = np.asarray(starts)
    modes = np.einsum("iaw,iaw->w", starts, starts, dtype=float)
    if steps < 1 or not (modes > 0).all():
        raise ValueError(
            "Expected 1 step or more and start vectors that are not zero, got "
            f"{steps} steps and squares {modes}."
        )
    none = np.zeros(len(modes))
    now, before = operator.load(starts), operator.load(np.zeros_like(starts))
    diagonal, beside = np.zeros((2, steps, len(modes)))
    # Blocks are not of length 1: their lengths, and what to divide them by.
    length, scale, back = np.sqrt(modes), 1 / np.sqrt(modes), none
    for n in range(steps):
        crossed, _ = operator.step(now, before, scale, none, back)
        diagonal[n] = crossed * scale
        square = operator.add(now, before, -diagonal[n] * scale)
        ended = (length == 0) | (square <= (_EXHAUSTED * beside[: n + 1].max(0)) ** 2)
        ended |= square <= (_EXHAUSTED * diagonal[n]) ** 2
        beside[n] = np.where(ended, 0, np.sqrt(square))
        back = beside[n] * scale
        length = beside[n]
        scale = np.divide(1, length, out=np.zeros_like(length), where=length > 0)
        now, before = before, now
    return Recursion(diagonal.T.copy(), beside.T.copy(), modes)


def green_function(squares: ComplexArray, coefficients: Recursion) -> ComplexArray:
    """Diagonal elements ⟨s|(z − D)⁻¹|s⟩ in 1/meV² at z in meV², shape (w, number).

    The continuation has the mean a and b of the last third of the coefficients. Above
    the real axis, Im z ≥ 0, the density of modes is −Im G/π.
    """
    z = np.asarray(squares, complex)
    steps = coefficients.diagonal.shape[1]
    last = slice(-max(1, steps // 3), None)
    result = np.empty((len(coefficients.modes), z.size), complex)
    for row, a, b, modes in zip(
        result, coefficients.diagonal, coefficients.beside, coefficients.modes,
        strict=True,
    ):  # fmt: skip
        fraction = _continuation(z, a[last].mean(), b[last].mean())
        if (b <= 0).any():
            fraction = np.zeros_like(z)
        for a_n, b_n in zip(a[::-1], b[::-1], strict=True):
            fraction = 1 / (z - a_n - b_n**2 * fraction)
        row[:] = modes * fraction
    return result


def recursion_density(
    coefficients: Recursion, edges: Array, *, broadening: float
) -> Array:
    """Modes per meV between edges, averages over each bin.

    Parameters
    ----------
    coefficients
        From :func:`recursion`.
    edges
        Energies ħω in meV, ascending, shape (bins + 1,), negative for unstable modes.
    broadening
        Imaginary part of z, half the width of a sharp mode, in meV² of (ħω)²: divided
        by 2 ħω it is in meV. Above 0, as modes outside of the band are sharp.

    Returns
    -------
    numpy.ndarray
        Shape (w, bins). A Lorentzian has long tails: with a broadening of 1 % of the
        width of the spectrum about 1 % of the modes lie outside.
    """
    if not broadening > 0:
        raise ValueError(f"Expected a broadening above 0 meV², got {broadening} meV².")
    edges = np.asarray(edges, float)
    squares = np.sign(edges) * edges**2
    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    half = np.diff(squares)[:, None] / 2
    at = squares[:-1, None] + half * (1 + nodes)
    density = -green_function(at.ravel() + 1j * broadening, coefficients).imag / np.pi
    modes = (density.reshape(-1, *at.shape) * (half * weights)).sum(axis=2)
    return modes / np.diff(edges)


def _continuation(z: ComplexArray, a: float, b: float) -> ComplexArray:
    """The endless fraction t = 1/(z − a − b² t) that falls off as 1/z."""
    if b <= 0:
        return 1 / (z - a)
    y = (z - a) / (2 * b)
    # The product of two roots has its cut on the band alone.
    return (y - np.sqrt(y - 1) * np.sqrt(y + 1)) / b
