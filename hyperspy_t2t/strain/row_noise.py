# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Errors of strain by rows that were taken off their places at random.

Row y shows the lattice f = Σ_q c_q exp(2πi q·r) at r + s(y). A Gaussian average of
standard deviation σ then adds to the phase at g ∫ G ε_g, with

    ε_g = Im Σ_q w_q (c_q/c_g) exp(2πi (q − g)·r) (exp(2πi q·s) − ⟨exp(2πi q·s)⟩)
          / ⟨exp(2πi g·s)⟩,    w_q = exp(−2π² σ² (q_x − g_x)²).

The term q = g is the displacement −2π g·u of all fringes alike; others stand beside g
on the same streak along y. Displacements that are independent from row to row, p
apart, so give the slopes along y of two phases the covariance ⟨ε_g ε_g′⟩ p / (4√π σ³).
Those along x have ⟨∂ε_g/∂x ∂ε_g′/∂x⟩ p / (2√π σ), where spots stand beside a streak.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.special import ndtri

from hyperspy_t2t.array_types import Array, Bools, ComplexArray

_NEAR = 0.5
"""Standard deviations of the Fourier mask within which a reflection is that of a g."""
_SAMPLES = 2048
"""Places and displacements over which ε is averaged."""
_RATIO = 1.1673039782614187
"""The positive root of x⁵ = x + 1."""


class RowErrors(NamedTuple):
    """Errors of n fringes by the rows."""

    of_slopes: Array
    """Covariance of ∂φ/∂x and of ∂φ/∂y in rad²/nm², shape (2, n, n)."""
    beyond_displacement: Array
    """Variance of φ in rad² beyond −2π g·u of a displacement u, shape (n,); infinite
    where the pattern has no spot at g: a streak would outshine it."""


@dataclass(frozen=True)
class RowNoise:
    """Independent displacement of the rows of an image, and what it displaces.

    Parameters
    ----------
    std
        Standard deviation (x, y) in nm, zero where it is not significant.
    pitch
        Of the rows in nm.
    g_vectors, pattern
        Reflections q of the lattice in 1/nm, one of each Friedel pair, shape (m, 2),
        and their waves c in any unit, (m,).
    """

    std: Array
    pitch: float
    g_vectors: Array
    pattern: ComplexArray

    def errors(self, g_vectors: Array, sigma: float) -> RowErrors:
        """Errors of the fringes at g (n, 2) in 1/nm, averaged over σ in nm."""
        place, offset = _sample()
        offset = self.std * offset
        turn, change = self._turns(g_vectors, sigma, place, offset)
        beyond = turn - 2 * np.pi * (g_vectors @ offset.T)
        white = self.pitch / (2 * np.sqrt(np.pi) * sigma)
        beyond[~self._known(g_vectors, sigma)] = np.inf
        along_x, along_y = (one @ one.T / _SAMPLES for one in (change, turn))
        return RowErrors(
            white * np.stack([along_x, along_y / (2 * sigma**2)]),
            white * (beyond**2).mean(axis=1),
        )

    def _turns(
        self, g_vectors: Array, sigma: float, place: Array, offset: Array
    ) -> tuple[Array, Array]:
        """ε of fringes at g (n, 2) and ∂ε/∂x, at places, by offsets in nm; (n, p)."""
        q = np.concatenate([self.g_vectors, -self.g_vectors])
        wave = np.concatenate([self.pattern, self.pattern.conj()])
        there = np.exp(2j * np.pi * (q @ place.T))
        rest = there * self._displaced(q, offset)
        turns = np.zeros((2, len(g_vectors), len(place)))
        known = self._known(g_vectors, sigma)
        for k, g in enumerate(g_vectors):
            own = int(np.linalg.norm(q - g, axis=1).argmin())
            if not known[k]:
                turns[0, k] = self._displaced(g[None], offset)[0].imag
                continue
            across = q[:, 0] - q[own, 0]
            share = wave / wave[own] * np.exp(-2 * (np.pi * sigma * across) ** 2)
            shares = np.stack([share, 2j * np.pi * across * share])
            turns[:, k] = (shares @ rest * there[own].conj()).imag
            turns[:, k] /= self._left(q[own])
        return turns[0], turns[1]

    def _known(self, g_vectors: Array, sigma: float) -> Bools:
        """Which of g (n, 2) are spots of the pattern, shape (n,)."""
        some = self.g_vectors[self.pattern != 0]
        q = np.concatenate([some, -some])
        distance = np.linalg.norm(q - g_vectors[:, None], axis=2).min(
            axis=1, initial=np.inf
        )
        return distance * 2 * np.pi * sigma < _NEAR

    def _displaced(self, q: Array, offset: Array) -> ComplexArray:
        """exp(2πi q·s) less its mean, for q (m, 2) and offsets s (p, 2); (m, p)."""
        return np.exp(2j * np.pi * (q @ offset.T)) - self._left(q)[..., None]

    def _left(self, q: Array) -> Array:
        """⟨exp(2πi q·s)⟩, what displaced rows leave of waves at q (…, 2)."""
        return np.exp(-2 * np.pi**2 * ((q * self.std) ** 2).sum(axis=-1))


def _sample() -> tuple[Array, Array]:
    """Places in nm that fill many cells evenly, and normal numbers, both (p, 2)."""
    # The additive recurrence of Roberts in four dimensions.
    even = (0.5 + np.arange(_SAMPLES)[:, None] / _RATIO ** np.arange(1, 5)) % 1.0
    return 1e3 * even[:, :2], ndtri(even[:, 2:])
