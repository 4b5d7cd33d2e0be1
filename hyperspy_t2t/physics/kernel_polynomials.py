# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Densities of modes by Chebyshev polynomials of the dynamical matrix.

With x = ((ħω)² − c)/h in [−1, 1] and T_n(cos θ) = cos nθ, the moments

μ_n = ⟨s| T_n(x) |s⟩, μ_2n = 2 ⟨T_n s|T_n s⟩ − μ_0, μ_2n+1 = 2 ⟨T_n+1 s|T_n s⟩ − μ_1

of a start vector take half a product each, and the modes below x = cos θ are

N(x) = g_0 μ_0 (1 − θ/π) − (2/π) Σ g_n μ_n sin(nθ)/n.

The factors g_n damp the ripple of a sum that ends, at the cost of resolution (A. Weiße
et al., Rev. Mod. Phys. 78, 275 (2006), doi:10.1103/RevModPhys.78.275). Differences of N
between edges of bins have dω²/dω in them and add up to μ_0 exactly.
"""

from typing import Literal, NamedTuple

import numpy as np
from scipy.linalg import eigh_tridiagonal

from hyperspy_t2t.array_types import Array, Ints
from hyperspy_t2t.physics.haydock import recursion
from hyperspy_t2t.physics.phonon_operator import PhononOperator

Kernel = Literal["jackson", "lorentz"]
_LORENTZ = 4.0
"""λ of the Lorentz kernel, a usual compromise of ripple and width."""


class Window(NamedTuple):
    """Where all (ħω)² are: centre ± half, in meV²."""

    centre: float
    half: float

    def scaled(self, energies: Array) -> Array:
        """x of energies in meV; negative energies are those of ω² < 0."""
        energies = np.asarray(energies, float)
        squares = np.sign(energies) * energies**2
        return (squares - self.centre) / self.half

    @property
    def energies(self) -> tuple[float, float]:
        """Lowest and highest energy in meV, the lowest negative if ω² is."""
        low, high = self.centre - self.half, self.centre + self.half
        lowest, highest = _signed_root(np.array([low, high])).tolist()
        return lowest, highest


def spectrum_window(
    operator: PhononOperator, *, steps: int = 80, margin: float = 0.02, seed: int = 0
) -> Window:
    """Where the spectrum is, from Lanczos steps with a random vector.

    The outermost Ritz values, moved outwards by their residuals and by `margin` of the
    width; zero is always in it, as nothing resists a shift of all atoms. A mode far
    outside of the bands, such as that of one light atom among 10⁶, is found too: its
    share of the vector grows most of all.
    """
    start = _signs(np.random.default_rng(seed), (operator.n_atoms, 3, 1))
    steps = min(steps, 3 * operator.n_atoms)
    found = recursion(operator, start, steps)
    beside = found.beside[0]
    used = int(np.argmin(beside)) + 1 if (beside == 0).any() else steps
    values, vectors = eigh_tridiagonal(found.diagonal[0, :used], beside[: used - 1])
    residual = beside[used - 1] * np.abs(vectors[-1])
    low = min(values[0] - residual[0], 0.0)
    high = max(values[-1] + residual[-1], 0.0)
    extra = margin * (high - low) if high > low else 1.0
    return Window(float(low + high) / 2, float(high - low) / 2 + extra)


def chebyshev_moments(
    operator: PhononOperator, starts: Array, number: int, window: Window
) -> Array:
    """Moments of start vectors, number/2 products.

    Parameters
    ----------
    operator
        Products with the matrix, D in meV².
    starts
        Start vectors, shape (n, 3, w).
    number
        Of moments, 2 or more, even.
    window
        From :func:`spectrum_window`.

    Returns
    -------
    numpy.ndarray
        Shape (w, number); μ_0 is |s|².

    Raises
    ------
    RuntimeError
        If the window does not hold the spectrum.
    """
    number, width = _checked_number(number), starts.shape[2]
    one = np.ones(width)
    before, now = operator.load(starts), operator.load(np.zeros_like(starts))
    moments = np.empty((number, width))
    moments[0] = np.einsum("iaw,iaw->w", starts, starts, dtype=float)
    first = one / window.half
    moments[1], square = operator.step(
        before, now, first, -window.centre * first, 0 * one
    )
    for n in range(2, number, 2):
        moments[n] = 2 * square - moments[0]
        cross, square = operator.step(
            now, before, 2 * first, -2 * window.centre * first, one
        )
        moments[n + 1] = 2 * cross - moments[1]
        before, now = now, before
    return _bounded(moments.T, moments[0][:, None])


def grouped_moments(
    operator: PhononOperator,
    starts: Array,
    groups: Ints,
    number: int,
    window: Window,
) -> Array:
    """Moments ⟨s_g| T_n |s⟩ of the part s_g of each group of one vector for all.

    Takes a product for each moment, however many groups there are. Of vectors of random
    signs the mean is the trace over the group.

    Parameters
    ----------
    operator, starts, number, window
        As of :func:`chebyshev_moments`.
    groups
        Group of each degree of freedom, shape (n, 3), −1 for none.

    Returns
    -------
    numpy.ndarray
        Shape (groups, w, number).
    """
    number, width = _checked_number(number), starts.shape[2]
    count = int(groups.max(initial=-1)) + 1
    one, loaded = np.ones(width), operator.load_groups(groups)
    start, before = operator.load(starts), operator.load(starts)
    now = operator.load(np.zeros_like(starts))
    moments = np.empty((count, width, number))
    first = one / window.half
    operator.step(before, now, first, -window.centre * first, 0 * one)
    moments[:, :, 0] = operator.grouped(start, before, loaded, count, width)
    for n in range(1, number):
        moments[:, :, n] = operator.grouped(start, now, loaded, count, width)
        if n + 1 < number:
            operator.step(now, before, 2 * first, -2 * window.centre * first, one)
            before, now = now, before
    total = np.einsum("iaw,iaw->w", starts, starts, dtype=float)
    return _bounded(moments, total[:, None])


def damping(number: int, kernel: Kernel = "jackson") -> Array:
    """Factors g_n of a kernel, shape (number,), 1 at first and about 0 at last."""
    n = np.arange(number)
    if kernel == "jackson":
        angle = np.pi / (number + 1)
        ends = (number - n + 1) * np.cos(angle * n)
        return (ends + np.sin(angle * n) / np.tan(angle)) / (number + 1)
    if kernel == "lorentz":
        return np.sinh(_LORENTZ * (1 - n / number)) / np.sinh(_LORENTZ)
    raise ValueError(f'Expected kernel "jackson" or "lorentz", got {kernel!r}.')


def modes_below(
    moments: Array, window: Window, energies: Array, *, kernel: Kernel = "jackson"
) -> Array:
    """Number of modes below energies in meV, shape (…, energies)."""
    number = moments.shape[-1]
    damped = moments * damping(number, kernel)
    angle = np.arccos(np.clip(window.scaled(energies), -1, 1))
    n = np.arange(1, number)
    waves = np.sin(n[:, None] * angle) / n[:, None]
    share = damped[..., :1] * (1 - angle / np.pi)
    return share - (2 / np.pi) * (damped[..., 1:] @ waves)


def binned_density(
    moments: Array, window: Window, edges: Array, *, kernel: Kernel = "jackson"
) -> Array:
    """Modes per meV between edges, averages over each bin.

    Parameters
    ----------
    moments
        Shape (…, number).
    window
        They were computed in.
    edges
        Energies in meV, ascending, shape (bins + 1,), negative for unstable modes.
    kernel
        ``"jackson"``, positive and nearly Gaussian, or ``"lorentz"``, which makes
        Lorentzians of sharp modes.

    Returns
    -------
    numpy.ndarray
        Shape (…, bins). Times the widths of the bins they add up to μ_0 where these
        cover the window.
    """
    below = modes_below(moments, window, edges, kernel=kernel)
    return np.diff(below, axis=-1) / np.diff(np.asarray(edges, float))


def resolution(
    energies: Array, window: Window, number: int, *, kernel: Kernel = "jackson"
) -> Array:
    """Width in meV of a sharp mode at energies in meV.

    Jackson: the standard deviation, about π h √(1 − x²)/N in (ħω)² and never less than
    π h/N^{3/2}. Lorentz: half of the width at half height, λ h √(1 − x²)/N. In energy
    that is the half of what lies between (ħω)² − σ and (ħω)² + σ: σ/(2 ħω) away from
    zero.
    """
    inside = np.clip(window.scaled(energies), -1, 1)
    if kernel == "jackson":
        square = (number - inside**2 * (number - 1)) / (number + 1)
        width = np.sin(np.pi / (number + 1)) * np.sqrt(square)
    else:
        width = _LORENTZ / number * np.sqrt(1 - inside**2 + 1 / number)
    centre = np.sign(energies) * np.asarray(energies, float) ** 2
    spread = window.half * width
    return (_signed_root(centre + spread) - _signed_root(centre - spread)) / 2


def _signed_root(squares: Array) -> Array:
    return np.sign(squares) * np.sqrt(np.abs(squares))


def _signs(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """+1 and −1 at random, float32."""
    return (2 * rng.integers(0, 2, shape, np.int8) - 1).astype(np.float32)


def _checked_number(number: int) -> int:
    if number < 2 or number % 2:
        raise ValueError(f"Expected an even number of moments of 2 or more: {number}.")
    return number


def _bounded(moments: Array, most: Array) -> Array:
    """The moments if none is larger than that of a vector in the window can be."""
    if not (np.abs(moments) <= 1.01 * most).all():
        raise RuntimeError(
            "Expected a window that holds all of the spectrum, but polynomials of "
            "the matrix grow: take more steps or a wider margin for the window."
        )
    return moments
