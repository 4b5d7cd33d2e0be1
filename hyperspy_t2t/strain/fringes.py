# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""The fringes of several g in one image: complex fields, slopes, where they count."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from hyperspy_t2t.calibration import ImageGrid
from hyperspy_t2t.strain.border import away_from_border, centres_of_weight
from hyperspy_t2t.strain.demodulation import local_spectrum
from hyperspy_t2t.strain.limits import check_g_vectors

Array = npt.NDArray[np.floating]
Complex = npt.NDArray[np.complexfloating]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Fringes:
    """Local Fourier components of an image, corrected for its border.

    Parameters
    ----------
    grid
        The coarse grid, shape (ny, nx).
    g_vectors
        Where they were measured, in 1/nm, shape (n, 2).
    resolution
        Standard deviation of the average in nm.
    component
        z, complex, shape (n, ny, nx), with the phase of its place.
    slope
        ∇ arg z in rad/nm, shape (n, 2, ny, nx).
    amplitude
        |z| in grey levels, shape (n, ny, nx).
    mean
        Local mean of the grey levels, shape (ny, nx).
    seen
        Places where no border cuts the average, shape (ny, nx).
    """

    grid: ImageGrid
    g_vectors: Array
    resolution: float
    component: Complex
    slope: Array
    amplitude: Array
    mean: Array
    seen: Mask

    def at(self, chosen: npt.NDArray[np.intp] | slice) -> "Fringes":
        """Those of some of the g."""
        return replace(
            self,
            g_vectors=self.g_vectors[chosen],
            component=self.component[chosen],
            slope=self.slope[chosen],
            amplitude=self.amplitude[chosen],
        )

    def first(self, count: int) -> "Fringes":
        """Those of the first g only."""
        return self.at(slice(count))

    def relative_to(self, lattice: Array) -> tuple[Complex, Array]:
        """z and its slope without the fringes of an undeformed lattice.

        Parameters
        ----------
        lattice
            Its g in 1/nm, shape (m, 2), near the first m that were measured.

        Returns
        -------
        ndarray, ndarray
            z exp(−2πi (g₀ − g)·r), shape (m, ny, nx), and ∇ arg z − 2π (g₀ − g),
            shape (m, 2, ny, nx): what remains is −2π g₀·u, and its slope.
        """
        count = len(lattice)
        change = 2 * np.pi * (lattice - self.g_vectors[:count])
        y, x = (
            self.grid.origin[axis]
            + self.grid.pixel_size[axis] * np.arange(self.grid.shape[axis])
            for axis in (0, 1)
        )
        ramp = (
            np.exp(-1j * change[:, 1, None] * y)[:, :, None]
            * (np.exp(-1j * change[:, 0, None] * x)[:, None, :])
        )
        return self.component[:count] * ramp, (
            self.slope[:count] - change[:, :, None, None]
        )

    def reference_weight(self, reference: Mask) -> Array:
        """Weight of each place of a reference, sum 1, (ny, nx).

        By the power of its fringes and by its depth inside: a plain mean of slopes is
        the difference of the phases at the two ends, where noise and what leaks in
        from beside weigh most.

        Raises
        ------
        ValueError
            If the reference has no fringes.
        """
        from scipy.ndimage import distance_transform_edt

        power = (self.amplitude[:2] ** 2).min(axis=0)
        depth = distance_transform_edt(
            np.pad(reference, 1), sampling=self.grid.pixel_size
        )[1:-1, 1:-1]
        weight = power * depth
        if not weight.any():
            raise ValueError(
                "The reference holds no fringes of the given g. Choose a reference "
                "region where both g are seen, or other g."
            )
        return weight / weight.sum()


def local_fringes(
    image: Any, grid: ImageGrid, g_vectors: Array, *, resolution: float
) -> Fringes:
    """Fringes of an image, numpy or dask, at several g.

    Where the border cuts the Gaussian, phase and gradient belong to its centre of
    weight; both are brought to the place itself.

    Parameters
    ----------
    image, grid
        The micrograph, shape (ny, nx), and its pixels in nm.
    g_vectors
        (gx, gy) in 1/nm, shape (n, 2).
    resolution
        Standard deviation of the Gaussian in nm.

    Raises
    ------
    ValueError
        Impossible g-vectors.
    """
    check_g_vectors(g_vectors, grid)
    g_vectors = np.asarray(g_vectors, float)
    local = local_spectrum(image, grid, g_vectors, sigma=resolution)
    shift, stretch = centres_of_weight(grid, local.grid, resolution)
    slope = local.phase_gradient / stretch
    component = local.component * np.exp(-1j * (slope * shift).sum(axis=1))
    return Fringes(
        local.grid,
        g_vectors,
        resolution,
        component,
        slope,
        local.amplitude,
        local.mean,
        away_from_border(local.coverage),
    )
