# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""The noise of fringes, measured by how well many g agree on one lattice.

The variance of counts follows the grey level, and so it has the period of the lattice:
noise at g and at g′ is correlated as the image itself at g − g′ and at g + g′. Noise of
a detector is white. With a power density D = D₀ + a (I − Ī) that follows the grey level
I, the correlation of the phases of the fringes k and l is δ_kl + γ C_kl with γ = a/D₀
and the products C of :func:`fringe_products`; neither the gain of the detector nor its
offset need be known.
"""

from dataclasses import dataclass

import numpy as np

from hyperspy_t2t.array_types import Array, Bools, ComplexArray
from hyperspy_t2t.calibration import ImageGrid
from hyperspy_t2t.strain.fringes import Fringes
from hyperspy_t2t.strain.row_noise import RowNoise

FEWEST = 4
"""Number of g from which on noise can be told from their disagreement."""
_LARGEST = 0.97
"""Share of the gain that would leave some combination of fringes without noise."""
_SMALLEST = 0.03
"""Smallest eigenvalue of the correlation."""
_STEPS = 65
_LEAST = 0.05
"""Smallest relative density of the noise where the image is dark."""


@dataclass(frozen=True)
class FringeNoise:
    """Noise of the fringes at n g.

    Parameters
    ----------
    density
        Power density in the reference in squared grey levels times nm².
    gain
        Relative rise of the density per grey level; 0 for white noise.
    level
        Mean grey level of the reference.
    products
        C in grey levels, shape (n, n).
    rows
        What rows off their places add to that, None where they don't.
    """

    density: float
    gain: float
    level: float
    products: Array
    rows: RowNoise | None = None

    @classmethod
    def white(cls, density: float, count: int) -> "FringeNoise":
        """Noise that knows nothing of the image."""
        return cls(float(density), 0.0, 0.0, np.zeros((count, count)))

    def correlation(self, count: int) -> Array | None:
        """Of the phases of the first `count` g, (count, count); None if white."""
        if self.gain == 0:
            return None
        related = np.eye(count) + self.gain * self.products[:count, :count]
        # The gain was found with other fringes, the products have noise themselves.
        values, vectors = np.linalg.eigh(related)
        return (vectors * np.maximum(values, _SMALLEST)) @ vectors.T

    def density_at(self, mean: Array) -> Array:
        """Power density where the local mean of the image is `mean`."""
        return self.density * np.maximum(1 + self.gain * (mean - self.level), _LEAST)


def fringe_products(
    image: Array, window: Array, grid: ImageGrid, g_vectors: Array
) -> Array:
    """How the noise of counts correlates the phases of fringes, shape (n, n).

    With c(q) the Fourier component of the image and φ the phase of c(g), that of g
    with g′ is Re [c(g − g′) e^{−i(φ − φ′)} − c(g + g′) e^{−i(φ + φ′)}]; on the diagonal
    is the second term alone, as c(0) belongs to the mean density.

    Parameters
    ----------
    image, window
        Grey levels, and weights that fall to zero smoothly at the border of the
        reference, shape (ny, nx).
    grid
        Their pixels in nm.
    g_vectors
        g of the reference in 1/nm, to a tenth of the inverse size of the window,
        shape (n, 2).
    """
    first, second = np.triu_indices(len(g_vectors))
    apart, together = (
        _components(image, window, grid, g_vectors[first] + sign * g_vectors[second])
        for sign in (-1, 1)
    )
    own = _components(image, window, grid, g_vectors)
    turn = own.conj() / np.maximum(np.abs(own), np.finfo(float).tiny)
    difference = (apart * turn[first] * turn[second].conj()).real
    product = np.where(first == second, 0.0, difference)
    product -= (together * turn[first] * turn[second]).real
    result = np.empty((len(g_vectors), len(g_vectors)))
    result[first, second] = result[second, first] = product
    return result


def _components(
    image: Array, window: Array, grid: ImageGrid, frequencies: Array
) -> ComplexArray:
    """Windowed Fourier components of an image at frequencies (m, 2) in 1/nm.

    Those closer than a twentieth of the inverse size of the window are taken as one:
    sums and differences of the nodes of a lattice often are.
    """
    extent = np.array(grid.shape[::-1]) * grid.pixel_size[::-1]
    key = np.rint(frequencies * extent * 20).astype(np.int64)
    sign = np.where((key[:, 0] > 0) | ((key[:, 0] == 0) & (key[:, 1] >= 0)), 1, -1)
    _, some, which = np.unique(
        key * sign[:, None], axis=0, return_index=True, return_inverse=True
    )
    frequencies = frequencies[some] * sign[some, None]
    used = tuple(_extent(np.any(window, axis=axis)) for axis in (1, 0))
    weight = window[used] / window.sum()
    # No window is so smooth that a large mean would not leak to other frequencies.
    weighted = (image[used] - (image[used] * weight).sum()) * weight
    y, x = (
        grid.origin[axis]
        + grid.pixel_size[axis] * np.arange(grid.shape[axis])[used[axis]]
        for axis in (0, 1)
    )
    along_y = np.exp(-2j * np.pi * np.outer(frequencies[:, 1], y))
    along_x = np.exp(-2j * np.pi * np.outer(frequencies[:, 0], x))
    lines = along_y.real @ weighted + 1j * (along_y.imag @ weighted)
    value = (lines * along_x).sum(axis=1)[which.ravel()]
    return np.where(sign > 0, value, value.conj())


def _extent(used: Bools) -> slice:
    """From the first to the last that is used."""
    (at,) = np.nonzero(used)
    return slice(int(at[0]), int(at[-1]) + 1)


def _usual(excess: Array, weight: Array) -> Bools:
    """Places that disagree no more than five times as much as half of all do.

    Noise does so at one in a hundred at most; a fault or a foreign particle does.
    """
    inside = weight > 0
    return inside & (excess <= 5 * np.median(excess[inside]))


def _without_rows(seen: Array, of_rows: Array) -> Array:
    """Covariances of slopes along x and along y less those by rows, all (2, m, m).

    Nearly all of these is along y, from so few rows that half of it may be missing or
    too much. So y counts only where more is left of it than rows explain: then the scan
    has other disturbances.
    """
    along_x, along_y = (_less(*pair) for pair in zip(seen, of_rows, strict=True))
    excess = along_y.trace() - along_x.trace()
    return np.stack([along_x, along_y if excess > of_rows[1].trace() else along_x])


def _less(covariance: Array, part: Array) -> Array:
    """A covariance less a part of it, positive."""
    values, vectors = np.linalg.eigh(covariance - part)
    least = _SMALLEST * covariance.trace() / len(covariance)
    return (vectors * np.maximum(values, least)) @ vectors.T


def fringe_noise(
    fringes: Fringes,
    lattice: Array,
    products: Array,
    weight: Array,
    *,
    darkest: float | None = None,
    rows: RowNoise | None = None,
) -> FringeNoise:
    """Density and gain of the noise, from how much fringes disagree in the reference.

    Slopes that no ∂u/∂r explains are noise, whatever the strain; places of extreme
    ones, at faults, are left out. The gain is the most likely one of the covariance
    that is left, a Wishart matrix, with its scale profiled out; the scale is the
    density.

    Parameters
    ----------
    fringes
        Of n ≥ 4 g.
    lattice
        Their g in the reference in 1/nm, shape (n, 2).
    products
        C of :func:`fringe_products`, shape (n, n).
    weight
        Of each place in the reference, sum 1, shape (ny, nx).
    darkest
        Grey level below which there is hardly a pixel, if known: the noise has no
        negative density there, so that its gain is at most 1/(Ī − darkest). Few fringes
        hardly tell.
    rows
        Noise by rows off their places, if there is any: what it adds to the slopes is
        no noise of counts. What it cannot explain along y stays in the density.
    """
    if len(lattice) < FEWEST:
        raise ValueError(
            f"Expected {FEWEST} or more g to tell noise by, got {len(lattice)}."
        )
    slope = fringes.slopes_from(lattice)
    # A slope varies by (1 + σ²|s|²) D/(16π σ⁴ |z|²), s its mean within the mask.
    sigma = fringes.resolution
    offset = 2 * np.pi * np.linalg.norm(lattice - fringes.g_vectors, axis=1)
    steady = 1 / np.sqrt(1 + (sigma * offset) ** 2)
    scaled = (fringes.amplitude * steady[:, None, None])[:, None] * slope
    mean = steady * (fringes.amplitude * weight).sum(axis=(1, 2))
    basis, _ = np.linalg.qr(mean[:, None] * lattice, mode="complete")
    free = basis[:, 2:]
    left = np.einsum("km,kjyx->mjyx", free, scaled)
    usual = _usual((left**2).sum(axis=(0, 1)), weight)
    level = float((fringes.mean * weight).sum())
    weight = usual / usual.sum()  # every place tells as much
    seen = np.einsum("kjyx,ljyx,yx->jkl", left, left, weight, optimize=True)
    if rows is not None:
        of_slopes = mean[:, None] * rows.errors(lattice, sigma).of_slopes * mean
        seen = _without_rows(seen, free.T @ of_slopes @ free)
    seen = seen.mean(axis=0)
    largest = -_LARGEST / min(np.linalg.eigvalsh(products).min(), -1e-300)
    if darkest is not None:
        largest = min(largest, 1 / max(level - darkest, 1e-300))
    gains = np.linspace(0, largest, _STEPS)
    expected = np.eye(len(seen)) + gains[:, None, None] * (free.T @ products @ free)
    scale = np.linalg.solve(expected, seen[None]).trace(axis1=1, axis2=2) / len(seen)
    scale = np.maximum(scale, np.finfo(float).tiny)
    surprise = np.linalg.slogdet(expected)[1] + len(seen) * np.log(scale)
    best = int(surprise.argmin())
    return FringeNoise(
        density=float(scale[best] * 16 * np.pi * sigma**4),
        gain=float(gains[best]),
        level=level,
        products=products,
        rows=rows,
    )
