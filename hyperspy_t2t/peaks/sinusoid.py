# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Maximum-likelihood frequency of sinusoids seen through a window."""

from typing import NamedTuple

import numpy as np

from hyperspy_t2t.array_types import Array, ComplexArray
from hyperspy_t2t.peaks.bands import demodulated


class Sinusoids(NamedTuple):
    """Frequencies that maximise the windowed power, with what belongs to them."""

    g: Array
    """(gx, gy) in 1/nm, shape (n, 2)."""
    component: ComplexArray
    """Σ w (I − Ī) exp(−2πi g·r), phases referred to r = 0 of the grid, shape (n,)."""
    covariance: Array
    """Covariance of g in 1/nm² for unit noise power, shape (n, 2, 2); multiply
    with (noise power)/|component|²."""


def refine_sinusoids(
    values: Array,
    window: Array,
    y: Array,
    x: Array,
    g_start: Array,
    *,
    max_step: float,
    iterations: int = 12,
    transform: np.ndarray | None = None,
) -> Sinusoids:
    """Climb from `g_start` to the maxima of |Σ w I exp(−2πi g·r)|².

    For one sinusoid in white noise this is the maximum-likelihood frequency and
    is unbiased by the pixels of a discrete spectrum. All frequencies move
    together: a step is three matrix products of the image with waves. Of a large
    image only the frequencies near each start are kept (:mod:`bands`).

    Parameters
    ----------
    values
        Windowed image without its mean, w (I − Ī), shape (ny, nx).
    window
        The weights w, shape (ny, nx).
    y, x
        Positions of rows and columns in nm.
    g_start
        (gx, gy) in 1/nm, shape (n, 2).
    max_step
        Furthest a frequency may travel, in 1/nm; one that would go further
        keeps its start.
    iterations
        Newton steps.
    transform
        ``rfft2`` of the values, zero-padded or not, if it is known already.

    References
    ----------
    Rife, Boorstyn, IEEE Trans. Inf. Theory 20 (1974) 591,
    https://doi.org/10.1109/TIT.1974.1055282
    """
    centre = np.array([_centre(window, x, 1), _centre(window, y, 0)])
    g_start = np.asarray(g_start, float).reshape(-1, 2)
    bands = demodulated(values, y, x, g_start, transform=transform)
    around = bands.y - centre[1], bands.x - centre[0]
    carrier = bands.g
    g = g_start.copy()
    for _ in range(iterations):
        moments = _moments(bands.values, *around, g - carrier)
        step = _newton_step(moments)
        length = np.linalg.norm(step, axis=1, keepdims=True)
        step *= np.minimum(1.0, 0.5 * max_step / np.maximum(length, 1e-300))
        g += step
        if np.all(length < 1e-7 * max_step):
            break
    lost = np.linalg.norm(g - g_start, axis=1) > max_step
    g[lost] = g_start[lost]
    moments = _moments(bands.values, *around, g - carrier)
    component = moments[0] * np.exp(-2j * np.pi * ((g - carrier) @ centre))
    covariance = _covariance(window, y - centre[1], x - centre[0], moments)
    return Sinusoids(g, component, covariance)


def _centre(window: Array, position: Array, axis: int) -> float:
    profile = window.sum(axis=1 - axis)
    return float((profile @ position) / profile.sum())


def _moments(values: np.ndarray, dy: Array, dx: Array, g: Array) -> np.ndarray:
    """Σ v·{1, x, y, xx, xy, yy}·exp(−2πi g·r) for each g, shape (6, n).

    Values are the same for all g, (ny, nx), or each has its own, (n, ny, nx).
    """
    wave_x = np.exp(-2j * np.pi * np.outer(g[:, 0], dx))
    wave_y = np.exp(-2j * np.pi * np.outer(g[:, 1], dy))
    along_x = np.stack([wave_x, dx * wave_x, dx**2 * wave_x], axis=-1)
    along_y = np.stack([wave_y, dy * wave_y, dy**2 * wave_y], axis=1)
    if values.ndim == 2:
        flat = np.moveaxis(along_x, 1, 0).reshape(len(dx), -1)
        lines = values @ flat.real + 1j * (values @ flat.imag)
        lines = np.moveaxis(lines.reshape(len(dy), len(g), 3), 0, 1)
    else:
        lines = values @ along_x
    sums = along_y @ lines  # (n, power of y, power of x)
    pairs = ((0, 0), (0, 1), (1, 0), (0, 2), (1, 1), (2, 0))
    return np.stack([sums[:, i, j] for i, j in pairs])


def _newton_step(moments: np.ndarray) -> Array:
    """Step towards the maximum of ln |c|², shape (n, 2); uphill where not concave."""
    gradient, hessian = _log_power_derivatives(moments)
    values, vectors = np.linalg.eigh(hessian)
    along = np.einsum("nij,ni->nj", vectors, gradient)
    return np.einsum("nij,nj->ni", vectors, along / np.maximum(np.abs(values), 1e-300))


def _log_power_derivatives(moments: np.ndarray) -> tuple[Array, Array]:
    """Gradient (n, 2) and Hessian (n, 2, 2) of ln |c|² by (gx, gy)."""
    safe = np.where(moments[0] == 0, 1e-300, moments[0])
    first = -2j * np.pi * moments[1:3] / safe
    second = (-2j * np.pi) ** 2 * moments[3:6] / safe
    gradient = 2 * first.real.T
    full = second - np.stack([first[0] ** 2, first[0] * first[1], first[1] ** 2])
    xx, xy, yy = 2 * full.real
    return gradient, np.stack([np.stack([xx, xy], -1), np.stack([xy, yy], -1)], -2)


def _covariance(window: Array, dy: Array, dx: Array, moments: np.ndarray) -> Array:
    """Covariance of g per unit of (noise power)/|c|².

    Noise n of the component has E|n|² = N; near the maximum the gradient of
    |c|² has the covariance 2|c|² N (2π)² ⟨r rᵀ⟩ with the mean over w², and the
    Hessian turns it into that of g.
    """
    squares = window**2
    total = squares.sum()
    along_x, along_y = squares.sum(axis=0), squares.sum(axis=1)
    xx = (along_x @ dx**2) / total
    yy = (along_y @ dy**2) / total
    xy = (dy @ squares @ dx) / total
    score = 2 * (2 * np.pi) ** 2 * np.array([[xx, xy], [xy, yy]])
    _, hessian = _log_power_derivatives(moments)
    inverse = np.linalg.pinv(hessian)
    return inverse @ score @ inverse
