# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""How far the rows of an image were taken off their places at random."""

import numpy as np

from hyperspy_t2t.array_types import Array, Ints, Mask
from hyperspy_t2t.calibration import ImageGrid
from hyperspy_t2t.strain.fringes import local_fringes
from hyperspy_t2t.strain.gpa import phase_field
from hyperspy_t2t.strain.row_noise import RowNoise
from hyperspy_t2t.strain.scan_distortion import (
    RowOffsets,
    SmoothLattice,
    row_offsets,
)

_ROWS, _COLUMNS = 256, 256
"""Sides in pixels of each of the two frames that are read."""
_DEPTH = 2.0
"""Standard deviations of the average from an outline from which on nothing mixes."""
_QUANTILES = 0.25, 0.75
"""Where their middles are in the reference."""
_APART = 2.0
"""Standard errors by which both may differ if it is the jitter of all rows."""
_FINEST = 0.015
"""Pixels up to which jitter is not told from errors of the model without noise."""
_LEAST, _SURE = 2.0, 4.0
"""Standard errors of what one frame says to look at the other, and of what both do."""


def row_jitter(
    image: Array, grid: ImageGrid, pair: Array, *, reference: Mask, resolution: float
) -> RowNoise | None:
    """How far rows are off their places at random; None if no more than noise says.

    Measured in two frames of the reference, 256 pixels wide and high, by
    :func:`~hyperspy_t2t.strain.scan_distortion.row_offsets`: it is what both halves of
    the rows share at most frequencies. Strain, drift and what has the period of the
    lattice are at few. Where two lattices meet in a frame, its rows seem displaced, but
    not those of the other: if they differ, the smaller jitter is taken.

    Parameters
    ----------
    image, grid
        Grey levels, shape (ny, nx), and their pixels in nm.
    pair
        Two g of the lattice in 1/nm, shape (2, 2).
    reference
        Its pixels, shape (ny, nx).
    resolution
        Standard deviation in nm of the average by which the lattice is followed.
    """
    found: list[RowOffsets] = []
    for quantile in _QUANTILES:
        frame = _frame(reference, quantile)
        window, inside = grid.window(*frame), reference[frame]
        one = _offsets(image[frame], window, pair, inside, resolution)
        if one is None or not (one.jitter_significance > _LEAST).any():
            return None
        found.append(one)
    power, error = _of_all_rows(found)
    finest = _FINEST * np.array(grid.pixel_size[::-1])
    sure = (power > _SURE * error) & (power > finest**2)
    if not sure.any():
        return None
    best = found[int(np.argmax([one.jitter_significance.max() for one in found]))]
    std = np.sqrt(np.where(sure, power, 0.0))
    return RowNoise(std, grid.pixel_size[0], best.reflections, best.pattern)


def _of_all_rows(found: list[RowOffsets]) -> tuple[Array, Array]:
    """Power of the jitter in nm² by two frames and its standard error, (2,)."""
    power = np.array([one.jitter**2 for one in found])
    # A power of zero has no significance that would tell its error.
    error = np.array([one.detectable**2 / _SURE for one in found])
    together = np.abs(power[0] - power[1]) < _APART * np.hypot(*error)
    less, axes = power.argmin(axis=0), np.arange(2)
    return (
        np.where(together, power.mean(axis=0), power[less, axes]),
        np.where(together, np.hypot(*error) / 2, error[less, axes]),
    )


def _offsets(
    image: Array, grid: ImageGrid, pair: Array, reference: Mask, resolution: float
) -> RowOffsets | None:
    """Offsets of the rows of a frame, from the lattice in it alone, if there is one."""
    fringes = local_fringes(image, grid, pair, resolution=resolution)
    places = reference[np.ix_(*grid.nearest(fringes.grid))]
    if not (places & (fringes.amplitude.min(axis=0) > 0)).any():
        return None
    field = phase_field(fringes, reference=places, inside=places)
    lattice = SmoothLattice(
        field.g_vectors, field.grid, field.displacement, field.amplitude
    )
    inside = _inner(reference, grid, _DEPTH * resolution)
    # Patterns have single precision.
    level = np.max(np.abs(image), where=np.isfinite(image), initial=1e-300)
    return row_offsets(image / level, grid, lattice, reference=inside, inside=inside)


def _inner(reference: Mask, grid: ImageGrid, depth: float) -> Mask:
    """What is further than `depth` nm from its outline, but for the frame."""
    from scipy.ndimage import distance_transform_edt

    if reference.all():
        return reference
    return distance_transform_edt(reference, sampling=grid.pixel_size) > depth


def _frame(reference: Mask, quantile: float) -> tuple[slice, slice]:
    """Rows and columns about a quantile of a reference."""
    rows = _about(reference.sum(axis=1), quantile, _ROWS)
    return rows, _about(reference[rows].sum(axis=0), quantile, _COLUMNS)


def _about(count: Ints, quantile: float, size: int) -> slice:
    """`size` places, or all, about the quantile of a distribution."""
    size = min(size, len(count))
    middle = int(np.searchsorted(np.cumsum(count), quantile * count.sum()))
    start = int(np.clip(middle - size // 2, 0, len(count) - size))
    return slice(start, start + size)
