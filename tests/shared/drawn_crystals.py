# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Drawn crystals, and the search for what breaks their fringes."""

from collections.abc import Callable

import numpy as np

from hyperspy_t2t.calibration import ImageGrid
from hyperspy_t2t.data.synthetic import Region, Scan, synthetic_arrays
from hyperspy_t2t.strain.demodulation import local_spectrum

PIXEL = (0.02, 0.026)
CRYSTALS = {
    "Si": ("Si diamond", (1, 1, 0), ((1, -1, 1), (1, -1, -1))),
    "SrTiO3": ("SrTiO3 cubic perovskite", (0, 0, 1), ((1, 0, 0), (0, 1, 0))),
    "GaN": ("GaN wurtzite", (0, 0, 0, 1), ((1, 0, 0), (0, 1, 0))),
}


def crystal(name: str, rotation: float = 0.0, **options) -> Region:
    """A crystal of `CRYSTALS`, turned by degrees."""
    phase, zone_axis, _ = CRYSTALS[name]
    return Region(phase, zone_axis, rotation, **options)


def lattice(name: str, rotation: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Two g in 1/nm and the lattice vectors dual to them in nm, rows of (2, 2)."""
    scan = Scan(shape=(16, 16), pixel_size=(0.03, 0.03))
    _, truth = synthetic_arrays([crystal(name, rotation)], scan)
    known = truth["regions"]["region_1"]
    g = np.array(
        [
            known["g_reference"][(known["hkl"][:, :3] == hkl).all(axis=1)][0]
            for hkl in CRYSTALS[name][2]
        ]
    )
    return g, np.linalg.inv(g).T


def searched(
    search: Callable,
    image: np.ndarray,
    g: np.ndarray,
    sigma: float,
    *,
    pixel: tuple[float, float] = PIXEL,
    parts: Callable | None = None,
):
    """What `dislocations` or `faults` finds in the fringes of an image.

    `parts(x, y)` says where there is a lattice, or numbers the regions with one.
    """
    grid = ImageGrid(image.shape, pixel[::-1])
    local = local_spectrum(image, grid, g, sigma=sigma)
    x, y = np.moveaxis(local.grid.to_nm(*np.indices(local.grid.shape)), -1, 0)
    margin = 2 * sigma
    regions = (x > margin) & (x < x.max() - margin)
    regions &= (y > margin) & (y < y.max() - margin)
    if parts is not None:
        regions = regions * parts(x, y)
    typical = np.median(local.amplitude[:, regions > 0], axis=1)
    counts = float(np.nanmean(image))
    noise = np.sqrt(counts * np.prod(pixel) / (4 * np.pi)) / sigma / typical.min()
    return search(
        np.angle(local.component),
        local.phase_gradient,
        g,
        (local.amplitude / typical[:, None, None]).min(axis=0),
        regions,
        local.grid,
        resolution=sigma,
        noise=max(noise, 0.017),
    )
