# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""What a part of the reference tells: which g are of use, and the noise of fringes."""

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from hyperspy_t2t.array_types import Array, Bools, Ints, Mask
from hyperspy_t2t.calibration import ImageGrid
from hyperspy_t2t.peaks.manual import noise_densities
from hyperspy_t2t.peaks.window import region_window
from hyperspy_t2t.strain.column_width import column_width
from hyperspy_t2t.strain.continuation import core
from hyperspy_t2t.strain.counting_noise import (
    FEWEST,
    FringeNoise,
    fringe_noise,
    fringe_products,
)
from hyperspy_t2t.strain.fringes import Fringes, local_fringes
from hyperspy_t2t.strain.gpa import mean_lattice
from hyperspy_t2t.strain.row_noise import RowNoise
from hyperspy_t2t.strain.useful_g import MOST, different, most_useful

DEPTH = 7.0
"""Coarse pixels, half a σ each, from an outline from which on nothing leaks in."""
_ENOUGH = 60
"""Independent places that tell the noise well enough."""
_STRONG = 0.3
"""Structure factor relative to all sites in phase, from which it is to be trusted."""
_GREY, _DARK = 2**18, 1.0
"""Grey levels of the reference that are looked at, and per cent that are darkest."""
_TOLD = 14
"""Fringes that tell of the noise."""
_SEEN = 0.05
"""Share of the strongest fringes from which on others tell of the noise."""


class Probed(NamedTuple):
    """What a part of the reference tells."""

    g_vectors: Array
    """The given g, then those nodes that are of use, in 1/nm, shape (n, 2)."""
    noise: FringeNoise
    """Of their fringes."""
    column_width: float
    """Standard deviation of the columns in nm; 0 where it is not asked for."""


def probe(
    image: Array,
    reference: Mask,
    grid: ImageGrid,
    g_vectors: Array,
    nodes: Array,
    usable: Bools,
    *,
    resolution: float,
    strength: Array | None = None,
    rows: RowNoise | None = None,
    device: Any = "cpu",
) -> Probed:
    """Which nodes of a lattice are of use beside given g, and the noise of all.

    The noise is that by which four or more fringes disagree, else that between the
    spots of the spectrum.

    Parameters
    ----------
    image, reference
        Grey levels, and which of the pixels are reference, shape (ny, nx).
    grid
        The pixels in nm.
    g_vectors
        Those that are taken in any case in 1/nm, (n, 2), the first two independent.
    nodes, usable
        Others of the lattice, (m, 2), and which of them may be taken, (m,).
    resolution
        Standard deviation of the average in nm.
    strength
        Structure factors of the given g and of the nodes relative to the strongest
        possible, shape (n + m,): those above 0.3 tell how wide columns are.
    rows
        Noise by rows off their places, if there is any.
    device
        "cpu", or a device of PyTorch.
    """
    count = len(g_vectors)
    new = different(nodes, g_vectors)
    if not usable.any():  # Some, the shortest, tell enough of the noise.
        new = new[: 2 * max(0, _TOLD - count)]
    candidates = np.concatenate([g_vectors, nodes[new]])
    fringes = local_fringes(
        image, grid, candidates, resolution=resolution, device=device
    )
    places = core(reference[np.ix_(*grid.nearest(fringes.grid))], depth=DEPTH)
    weight = fringes.reference_weight(places)
    window = region_window(reference, pixel_size=grid.pixel_size)
    counted = np.where(np.isfinite(image), image, 0.0)

    def products(some: Fringes) -> Array:
        return fringe_products(counted, window, grid, mean_lattice(some, places))

    telling = _telling(fringes, weight, count)
    told = fringes.at(telling)
    if len(told.g_vectors) < FEWEST:
        density = noise_densities(image, reference, grid.pixel_size, g_vectors).max()
        white = replace(FringeNoise.white(density, count), rows=rows)
        return Probed(g_vectors, white, 0.0)
    noise = fringe_noise(
        told, mean_lattice(told, places), products(told), weight,
        darkest=_darkest(image, reference), rows=rows,
    )  # fmt: skip
    allowed = np.concatenate([np.zeros(count, bool), usable[new]])
    most = max(0, MOST - count)
    streaks = np.zeros(len(candidates))
    if rows is not None:  # A phase varies by half of the power of its noise.
        streaks = 2 * rows.errors(candidates, resolution).beyond_displacement
    added = most_useful(
        fringes, weight, noise.density, allowed, streaks=streaks, most=most
    )
    chosen = np.concatenate([np.arange(count), added])
    taken, width = fringes.at(chosen), 0.0
    if strength is not None:
        known = np.concatenate([strength[:count], strength[count:][new]])[chosen]
        width = _width(taken, weight, known)
    if not np.array_equal(chosen, telling):
        noise = replace(noise, products=products(taken))
    return Probed(candidates[chosen], noise, width)


def _width(fringes: Fringes, weight: Array, strength: Array) -> float:
    """Standard deviation of columns in nm, from the fringes that are strong enough."""
    strong = strength > _STRONG
    level = (fringes.amplitude * weight).sum(axis=(1, 2))[strong] / strength[strong]
    return column_width(level, fringes.g_vectors[strong], resolution=fringes.resolution)


def resolution_within(reference: Mask, grid: ImageGrid, *, resolution: float) -> float:
    """The resolution, or a finer one at which a small reference tells the noise.

    One for which nothing leaks into a thin reference, and which leaves 60 independent
    places of 4πσ² in a small one.
    """
    from scipy.ndimage import distance_transform_edt

    step = max(1, max(reference.shape) // 256)
    distance = distance_transform_edt(
        np.pad(reference[::step, ::step], 1),
        sampling=[step * size for size in grid.pixel_size],
    )
    # DEPTH is in coarse pixels of half a resolution.
    within = float(distance.max()) / (0.5 * DEPTH + 1)
    area = float(reference.sum() * np.prod(grid.pixel_size))
    return min(resolution, within, np.sqrt(area / (4 * np.pi * _ENOUGH)))


def _darkest(image: Array, reference: Mask) -> float:
    """Grey level below which there is hardly a pixel of the reference."""
    grey = image[reference & np.isfinite(image)]
    return float(np.percentile(grey[:: 1 + len(grey) // _GREY], _DARK))


def _telling(fringes: Fringes, weight: Array, count: int) -> Ints:
    """The given fringes and the strongest others, to tell the noise by."""
    level = (fringes.amplitude * weight).sum(axis=(1, 2))
    seen = count + np.flatnonzero(level[count:] > _SEEN * level.max())
    others = seen[np.argsort(-level[seen], kind="stable")]
    return np.concatenate([np.arange(count), others[: max(0, _TOLD - count)]])
