# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Where the rows of a scanning image were really taken, from a lattice in it.

A lattice displaced by a smooth u(r), as phase analysis measured it, is a template for
each row (:mod:`~hyperspy_t2t.strain.row_fit`). What it follows of the displacement of
the rows, the mean of u over each, is added back to what the rows say. The smooth part
of the sum is strain or drift, the rest is jitter.
"""

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from hyperspy_t2t.array_types import Array, ComplexArray, Mask
from hyperspy_t2t.calibration import ImageGrid
from hyperspy_t2t.strain.demodulation import local_amplitude
from hyperspy_t2t.strain.interpolation import SplineField
from hyperspy_t2t.strain.row_fit import FEWEST_PIXELS, row_steps
from hyperspy_t2t.strain.row_trend import smooth_trend
from hyperspy_t2t.strain.visible_nodes import CellNodes, visible_nodes

_FEWEST_ROWS = 48
_OUTLIER = 4.5
"""Standard deviations beyond which a row isn't believed."""
_RIGID = 0.9
"""Share of the power of the bending of a reference that drift must explain."""
_SURE = 4.0
"""Standard errors of the common displacement of two halves of the rows."""


@dataclass(frozen=True)
class RowOffsets:
    """How far from their nominal places the rows of an image were taken.

    Parameters
    ----------
    offset
        (x, y) in nm by row: it shows what is at nominal place + offset; zero where it
        is not known or not significant, shape (ny, 2).
    std
        Standard error of the row-to-row part of the offset in nm, NaN where a row is
        not corrected, shape (ny, 2).
    measured
        Rows whose lattice could be compared with its neighbours, shape (ny,).
    by_reference
        Rows that hold enough of the reference: all that bends its lattice is taken as
        scan distortion. In other rows only what changes from row to row is.
    jitter
        Root mean square (x, y) row-to-row displacement in nm, without noise, shape
        (2,).
    jitter_significance
        Its square over the standard error of that, shape (2,); above 4 it is corrected.
    detectable
        Jitter in nm from which on it would be corrected, shape (2,).
    noise
        Root mean square standard error of a single row before shrinking, in nm, (2,).
    drift
        Smooth part of the offset in nm, constant where there is no reference, zero if
        not significant, shape (ny, 2).
    reflections
        The g in 1/nm that were used, shape (n, 2).
    pattern
        Their waves in the reference, in grey levels, shape (n,).
    """

    offset: Array
    std: Array
    measured: Mask
    by_reference: Mask
    jitter: Array
    jitter_significance: Array
    detectable: Array
    noise: Array
    drift: Array
    reflections: Array
    pattern: ComplexArray

    @property
    def significant(self) -> bool:
        """Whether there is anything to correct."""
        return bool(np.any(self.offset))

    @property
    def jitter_significant(self) -> Mask:
        """Along which of x and y jitter is corrected, shape (2,)."""
        return self.jitter_significance > _SURE

    @property
    def drift_range(self) -> Array:
        """Largest minus smallest drift beyond its linear part, (x, y) in nm."""
        return np.ptp(self.drift, axis=0)


@dataclass(frozen=True)
class SmoothLattice:
    """A lattice as phase analysis measured it.

    Parameters
    ----------
    g_vectors
        Of its reference in 1/nm, the first two not parallel, shape (n, 2).
    grid
        Coarse grid of the next two; it may reach beyond the image.
    displacement
        u in nm, shape (2, *grid.shape).
    amplitude
        Relative amplitude of the fringes, shape grid.shape.
    """

    g_vectors: Array
    grid: ImageGrid
    displacement: Array
    amplitude: Array

    @property
    def smoothing(self) -> float:
        """Length in nm over which u is an average, two steps of the grid."""
        return float(2 * np.mean(self.grid.pixel_size))

    def at_pixels(self, grid: ImageGrid) -> tuple[Array, Array]:
        """u (2, ny, nx) in nm and the amplitude (ny, nx), not below zero."""
        fields = np.concatenate([self.displacement, self.amplitude[None]])
        values = SplineField.through(self.grid, fields).on_grid(grid)
        return values[:2], np.maximum(values[2], 0)


def row_offsets(
    image: Array,
    grid: ImageGrid,
    lattice: SmoothLattice,
    *,
    reference: Mask,
    inside: Mask,
) -> RowOffsets:
    """Displacement of each row along x and y, with its standard error.

    The displacement of a row is common to all its pixels and independent of that of the
    row before: this is called jitter. Its power is the covariance of what the left and
    the right half of the rows say, to which noise does not contribute. Each row's
    displacement is shrunk by jitter power over jitter and noise power (Wiener), so that
    the correction never adds noise.

    In rows that hold enough of the reference, an undeformed crystal, the smooth part
    beyond a straight line is slow-scan drift, unless u varies along the rows as well:
    then the reference is strained. The straight part is in the g of the reference: it
    can't be told from a uniform strain without a known cell, and strain relative to the
    reference is free of it. In other rows the smooth part is left alone: it may be
    strain.

    Parameters
    ----------
    image, grid
        Grey levels, shape (ny, nx), and their pixels in nm; what is not finite does
        not count.
    lattice
        As measured in this image.
    reference, inside
        Pixels of the reference, or of a crystal that stands for it, whose own uniform
        strain does no harm; and all pixels that u describes, shape (ny, nx).

    References
    ----------
    Jones, Nellist, Microsc. Microanal. 19 (2013) 1050,
    https://doi.org/10.1017/S1431927613001402 (row jitter and drift);
    Eilers, Anal. Chem. 75 (2003) 3631, https://doi.org/10.1021/ac034173t (the trend).
    """
    by_reference = _enough(reference)
    depth = 2 * lattice.smoothing
    used = _used_pixels(reference, inside, by_reference, grid, depth)
    used &= np.isfinite(image)
    u, amplitude = lattice.at_pixels(grid)
    nodes = _nodes(image, grid, lattice.g_vectors[:2], u, reference)
    if not len(nodes.order):
        return _nothing(by_reference, nodes.g)
    steps = row_steps(
        _without_mean(image, grid, 1.5 * lattice.smoothing), grid, nodes,
        displacement=u, amplitude=amplitude, used=used, by_reference=by_reference,
    )  # fmt: skip
    measured = np.all(np.isfinite(steps.covariance), axis=(1, 2))
    raw = steps.whole - _row_mean_displacement(u, used)
    raw = np.where(measured[:, None], raw, np.nan)
    apart = steps.halves - steps.whole[:, None]
    segments = _segments(by_reference, depth / grid.pixel_size[0])
    found = _separated(raw, apart, steps.covariance, segments, nodes.g)
    found = replace(found, pattern=steps.pattern[1])
    return _without_strain(found, _within_rows(u, grid, reference))


def _enough(mask: Mask) -> Mask:
    """Rows with at least a quarter as many pixels as the fullest row."""
    count = mask.sum(axis=1)
    return count >= max(FEWEST_PIXELS, 0.25 * count.max(initial=0))


def _used_pixels(
    reference: Mask, lattice: Mask, by_reference: Mask, grid: ImageGrid, depth: float
) -> Mask:
    """Pixels that place the rows: of the reference where there is enough of it.

    Within `depth` nm of its outline the smooth u mixes both sides; such pixels count
    only where the reference has no others.
    """
    from scipy.ndimage import distance_transform_edt

    inner = reference
    if not reference.all():
        inside = distance_transform_edt(reference, sampling=grid.pixel_size)
        for least in (0.5 * depth, depth):
            inner = np.where(_enough(inside > least)[:, None], inside > least, inner)
    return np.where(by_reference[:, None], inner, lattice)


def _nothing(by_reference: Mask, g_vectors: Array) -> RowOffsets:
    rows = len(by_reference)
    zero, unknown = np.zeros((rows, 2)), np.full((rows, 2), np.nan)
    return RowOffsets(
        zero, unknown, np.zeros(rows, bool), by_reference, np.zeros(2), np.zeros(2),
        np.full(2, np.nan), np.full(2, np.nan), zero, g_vectors,
        np.zeros(len(g_vectors), complex),
    )  # fmt: skip


def _nodes(
    image: Array, grid: ImageGrid, pair: Array, u: Array, reference: Mask
) -> CellNodes:
    """Reflections of the lattice that is displaced by u, seen in its reference."""
    # A user's box may be strained against the g: it shows other ones.
    imaged = pair @ (np.eye(2) - _mean_gradient(u, grid, reference))
    nodes = visible_nodes(image, grid, imaged, reference)
    return nodes._replace(basis=nodes.basis @ np.linalg.solve(imaged, pair))


def _without_mean(image: Array, grid: ImageGrid, sigma: float) -> Array:
    """Grey levels minus their local mean, zero where they are not finite."""
    local = local_amplitude(image, grid, np.empty((0, 2)), sigma=sigma)
    mean = SplineField.through(local.grid, local.mean[None]).on_grid(grid)[0]
    return np.where(np.isfinite(image), image - mean, 0)


def _mean_gradient(u: Array, grid: ImageGrid, inside: Mask) -> Array:
    """∂u_i/∂r_j of the plane through u (2, ny, nx) in nm, inside; shape (2, 2)."""
    rows, columns = np.nonzero(inside)
    some = slice(None, None, max(1, len(rows) // 5000))
    if len(rows) < 3:
        return np.zeros((2, 2))
    place = grid.to_nm(rows[some], columns[some])
    design = np.column_stack([place - place.mean(axis=0), np.ones(len(place))])
    return np.linalg.lstsq(design, u[:, rows[some], columns[some]].T)[0][:2].T


def _within_rows(u: Array, grid: ImageGrid, inside: Mask) -> Array:
    """Mean square of how u (2, ny, nx) varies along rows beyond a line, nm², (2,)."""
    slope = _mean_gradient(u, grid, inside)[:, 0, None, None]
    bent = u - slope * grid.pixel_size[1] * np.arange(grid.shape[1])
    count = np.maximum(inside.sum(axis=1), 1)
    mean = np.where(inside, bent, 0).sum(axis=2) / count
    rest = np.where(inside, bent - mean[..., None], 0)
    return (rest**2).sum(axis=(1, 2)) / max(inside.sum(), 1)


def _without_strain(found: RowOffsets, within: Array) -> RowOffsets:
    """Without drift along axes on which u varies within rows nearly as much."""
    rows = found.by_reference
    power = (found.drift[rows] ** 2).mean(axis=0) if rows.any() else np.zeros(2)
    strain = np.where(power < _RIGID * (power + within), found.drift, 0)
    return replace(found, offset=found.offset - strain, drift=found.drift - strain)


def _row_mean_displacement(u: Array, used: Mask) -> Array:
    """Mean of u over the rows, (ny, 2), from changes at pixels of both rows."""
    both = used[1:] & used[:-1]
    change = np.where(both, np.diff(u, axis=1), 0).sum(axis=2)
    change = change / np.maximum(both.sum(axis=1), 1)
    return np.concatenate([np.zeros((1, 2)), np.cumsum(change, axis=1).T])


def _separated(
    raw: Array, apart: Array, noise: Array, segments: list["_Segment"], nodes: Array
) -> RowOffsets:
    """Jitter and drift from what is common to each row.

    Parameters
    ----------
    raw
        Displacement of the rows in nm, NaN where unknown, shape (ny, 2).
    apart
        What the two halves of the rows say beyond that, shape (ny, 2 halves, 2).
    noise
        Covariance of `raw` in nm², shape (ny, 2, 2).
    """
    variance = np.diagonal(noise, axis1=1, axis2=2)
    fast, drift, clean = _without_trend(raw, variance, segments)
    measured = np.isfinite(fast).all(axis=1)
    by_reference = np.zeros(len(raw), bool)
    for segment in segments:
        by_reference[segment.rows] = segment.by_reference
    if not clean.any():
        return _nothing(by_reference, nodes)
    power, error, ratio = _statistics(fast[clean], apart[clean], variance[clean])
    prior = np.diag(np.where(power > _SURE * error, power, 0.0))
    typical = ratio * np.sqrt(np.median(variance[clean], axis=0))
    measured &= _credible(fast, variance * ratio**2, power)
    noise = noise[measured] * ratio[:, None] * ratio
    gain = prior @ np.linalg.pinv(prior + noise, hermitian=True)
    offset, std = drift.copy(), np.full(raw.shape, np.nan)
    offset[measured] += (gain @ fast[measured][..., None])[..., 0]
    left_over = np.diagonal(prior - gain @ prior, axis1=1, axis2=2)
    std[measured] = np.sqrt(np.maximum(left_over, 0))
    return RowOffsets(
        offset, std, measured, by_reference & measured,
        np.sqrt(np.maximum(power, 0)), power / error, np.sqrt(_SURE * error), typical,
        drift, nodes, np.zeros(len(nodes), complex),
    )  # fmt: skip


def _credible(fast: Array, variance: Array, power: Array) -> Mask:
    """Rows that move no further than others do.

    At a slanted border the smooth u mixes two lattices, and a row says nonsense.
    """
    spread = np.sqrt(np.maximum(power, 0) + variance)
    usual = 1.5 * np.nanmedian(np.abs(fast), axis=0)
    return (np.abs(fast) < _OUTLIER * np.maximum(spread, usual)).all(axis=1)


def _statistics(
    fast: Array, apart: Array, variance: Array
) -> tuple[Array, Array, Array]:
    """Power of the jitter in nm², its standard error, and noise over stated, (2,).

    The two halves say how large the noise is, whatever the model leaves out.
    """
    # Rows between columns of atoms say little.
    weight = 1 / (variance + np.median(variance, axis=0))
    left, right = (fast + apart[:, half] for half in (0, 1))
    power, error = _common_power(left * weight, right * weight, weight)
    between = (weight**2 * (left - right) ** 2 / 4).sum(axis=0)
    stated = (weight**2 * variance).sum(axis=0)
    return power, error, np.sqrt(np.maximum(between / np.maximum(stated, 1e-300), 1.0))


def _common_power(left: Array, right: Array, weight: Array) -> tuple[Array, Array]:
    """Mean power in nm² of what two halves share, and its standard error, (2,).

    Halves (m, 2) times their weights. It is the median over all frequencies: what has
    the period of the lattice can't be told from its structure and must not count. The
    power at a frequency is distributed exponentially, with the median ln 2 of the mean.
    """
    left, right = (np.fft.rfft(half, axis=0)[1:] for half in (left, right))
    product = (left * right.conj()).real
    scale = np.log(2) * (weight**2).sum(axis=0)
    alone = np.median(np.abs(left) ** 2, axis=0) * np.median(np.abs(right) ** 2, axis=0)
    error = 1.25 * np.sqrt(alone / 2 / len(product)) / np.log(2) / scale
    return np.median(product, axis=0) / scale, np.maximum(error, 1e-300)


@dataclass(frozen=True)
class _Segment:
    """Neighbouring rows, and how many at either end see the lattice next to them."""

    rows: slice
    by_reference: bool
    margin: tuple[int, int]

    @property
    def clean(self) -> slice:
        """Rows away from other segments."""
        start = self.rows.start + self.margin[0]
        return slice(start, max(start, self.rows.stop - self.margin[1]))


def _segments(by_reference: Mask, depth: float) -> list[_Segment]:
    """Runs of rows with and without reference."""
    size, depth = len(by_reference), int(np.ceil(depth))
    edges = [0, *(np.flatnonzero(np.diff(by_reference)) + 1).tolist(), size]
    return [
        _Segment(
            slice(start, stop),
            bool(by_reference[start]),
            (depth * (start > 0), depth * (stop < size)),
        )
        for start, stop in pairwise(edges)
    ]


def _without_trend(
    raw: Array, variance: Array, segments: list[_Segment]
) -> tuple[Array, Array, Mask]:
    """Fast part of the displacement, NaN if unknown; drift; rows for statistics."""
    fast, drift = np.full(raw.shape, np.nan), np.full(raw.shape, np.nan)
    clean = np.zeros(len(raw), bool)
    for segment in segments:
        rows, known = segment.rows, np.zeros(len(raw), bool)
        known[segment.clean] = np.isfinite(raw[segment.clean]).all(axis=1)
        if known.sum() < _FEWEST_ROWS:
            continue
        clean |= known
        for axis in (0, 1):
            values = np.where(known, raw[:, axis], np.nan)[rows]
            trend, straight = smooth_trend(values, variance[rows, axis])
            fast[rows, axis] = raw[rows, axis] - trend
            if segment.by_reference:
                inside = known[rows]
                drift[rows, axis] = np.where(inside, trend - straight, np.nan)
    return fast, _held(drift), clean


def _held(values: Array) -> Array:
    """Values (ny, 2) with gaps bridged and ends held, zero if there are none."""
    place = np.arange(len(values))
    held = np.zeros(values.shape)
    for axis in (0, 1):
        known = np.isfinite(values[:, axis])
        if known.any():
            held[:, axis] = np.interp(place, place[known], values[known, axis])
    return held
