# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Local Fourier components of an image of any size on a coarse grid.

Around the coarse position R the component at g is

    z(R) = Σ_r G(R − r) [I(r) − Ī(R)] exp(−2πi g·r) / Σ_r G(R − r),

with a Gaussian G of standard deviation σ and the local mean Ī, over the valid pixels r.
The sums are linear in the image: blocks of any shape add up, nothing wraps around,
pixels may be non-square, and a block and the result are all that memory holds.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import pairwise, product
from typing import Any, NamedTuple
from uuid import uuid4

import numba
import numpy as np
import numpy.typing as npt

from hyperspy_t2t.array_types import Array, ComplexArray, Ints, pair
from hyperspy_t2t.calibration import ImageGrid
from hyperspy_t2t.strain.array_library import array_library
from hyperspy_t2t.strain.sidebands import (
    PARTS,
    REACH,
    Line,
    coarse_pitch,
    each_component,
    local_components,
)

Orders = tuple[tuple[int, int], ...]
# Sums over pixels and over missing pixels, if there are any.
Parts = tuple[Any, Any]
_VALUE: Orders = ((0, 0),)
_VALUE_AND_SLOPES: Orders = ((0, 0), (0, 1), (1, 0))
"""Orders of the derivative along (y, x) of what is summed."""
_BLOCK = 2560
"""Largest side in pixels of what is transformed at once."""
_FAINTEST = 1e-7
"""Coverage, more than five standard deviations from any pixel, that counts as none."""


@dataclass(frozen=True)
class LocalSpectrum:
    """Local mean and local Fourier components of one image at n frequencies.

    Parameters
    ----------
    grid
        The coarse grid of the values, shape (ny, nx).
    mean
        Local mean of the grey levels, shape (ny, nx).
    coverage
        Share of the Gaussian's weight that fell on valid pixels, shape (ny, nx).
    component
        z, complex, shape (n, ny, nx); divided by the coverage, so that |z| is half
        the amplitude of the fringes also at the image border.
    gradient
        (∂z/∂x, ∂z/∂y) in 1/nm, complex, shape (n, 2, ny, nx).
    """

    grid: ImageGrid
    mean: Array
    coverage: Array
    component: ComplexArray
    gradient: ComplexArray

    @property
    def amplitude(self) -> Array:
        """|z|: half the amplitude of the fringes, in grey levels."""
        return np.abs(self.component)

    @property
    def phase_gradient(self) -> Array:
        """∇ arg z = Im(z* ∇z)/|z|² in rad/nm, shape (n, 2, ny, nx)."""
        power = np.abs(self.component) ** 2
        floor = max(power.max(initial=0) * 1e-20, np.finfo(float).tiny)
        product = self.component[:, None].conj() * self.gradient
        return np.imag(product) / np.maximum(power, floor)[:, None]


def coarse_grid(grid: ImageGrid, sigma: float) -> ImageGrid:
    """Grid of at least two samples per sigma (nm) that covers `grid`.

    It begins on the first pixel; its last places may lie less than a sample beyond the
    last pixels. The pitch is a whole number of quarter pixels, one pixel at least.
    """
    shape, pixel_size = [], []
    for size, step in zip(grid.shape, grid.pixel_size, strict=True):
        pitch = coarse_pitch(size, step, sigma)
        shape.append(-(-(size - 1) * PARTS // pitch) + 1)
        pixel_size.append(pitch * step / PARTS)
    return ImageGrid(pair(shape), pair(pixel_size), grid.origin)


class LocalAmplitude(NamedTuple):
    """Local mean and fringe amplitudes of one image at n frequencies."""

    grid: ImageGrid
    """The coarse grid, shape (ny, nx)."""
    mean: Array
    """Local mean of the grey levels, shape (ny, nx)."""
    coverage: Array
    """Share of the Gaussian's weight that fell on valid pixels, shape (ny, nx)."""
    amplitude: Array
    """Half the amplitude of the fringes, shape (n, ny, nx)."""


def local_spectrum(
    image: Any,
    grid: ImageGrid,
    g_vectors: npt.ArrayLike,
    *,
    sigma: float,
    device: Any = "cpu",
) -> LocalSpectrum:
    """Local mean and Fourier components of an image at several g.

    Parameters
    ----------
    image
        Array (ny, nx), numpy or dask; of a dask array each chunk is read once.
        Pixels that are not finite have no weight.
    grid
        Its pixels in nm.
    g_vectors
        Frequencies (gx, gy) in 1/nm, shape (n, 2).
    sigma
        Standard deviation of the Gaussian in nm.
    device
        "cpu" computes with SciPy; another device of PyTorch, such as "cuda", there.

    Raises
    ------
    ValueError
        The device is unknown, missing, or has no double precision.
    """
    sums = _Sums(grid, _waves(g_vectors), float(sigma), _VALUE_AND_SLOPES, device)
    total, missing = sums.of(image)
    ones = sums.of_ones(0, _of_first(missing)).real
    coverage, divisor = _coverage(ones[0])
    mean = total[0, 0].real / divisor
    # The mean varies: its slope is part of the product rule.
    mean_slope = (total[0, 1:].real - mean * ones[1:]) / divisor
    for k in range(1, len(total)):
        gap = np.empty((0, *mean.shape), complex) if missing is None else missing[k]
        options = gap, ones, divisor, mean, mean_slope
        _normalise(total[k], *sums.along_axes(k), *options)
    return LocalSpectrum(sums.coarse, mean, coverage, total[1:, 0], total[1:, 1:])


class PartOfSpectrum(NamedTuple):
    """What :func:`spectrum_of_part` finds."""

    mean: Array
    """Local mean of the grey levels, shape (ny, nx)."""
    coverage: Array
    """Share of the Gaussian's weight that fell on valid pixels, shape (ny, nx)."""
    components: Iterator[ComplexArray]
    """Of each g z, ∂z/∂x and ∂z/∂y, shape (3, ny, nx), worked out when asked for."""


def pixels_within_reach(
    grid: ImageGrid, sigma: float, part: tuple[slice, slice]
) -> tuple[slice, slice]:
    """Rows and columns of the pixels that a part of the coarse grid depends on."""
    result = []
    for axis, places in enumerate(part):
        step, size = grid.pixel_size[axis], grid.shape[axis]
        pitch = coarse_pitch(size, step, sigma) / PARTS
        reach = REACH * sigma / step
        first = int(np.floor(places.start * pitch - reach))
        last = int(np.ceil((places.stop - 1) * pitch + reach))
        result.append(slice(max(0, min(first, size - 1)), min(size, last + 1)))
    return result[0], result[1]


def spectrum_of_part(
    block: npt.NDArray,
    where: tuple[slice, slice],
    grid: ImageGrid,
    g_vectors: npt.ArrayLike,
    *,
    sigma: float,
    part: tuple[slice, slice],
    column_width: float = 0.0,
    device: Any = "cpu",
) -> PartOfSpectrum:
    """:func:`local_spectrum` of a part of the coarse grid, one g after another.

    Parameters
    ----------
    block, where
        The pixels of :func:`pixels_within_reach`, and their rows and columns.
    grid
        All pixels of the image.
    part
        Rows and columns of the coarse grid.
    column_width
        Standard deviation in nm of the columns; what they lose across the mask is
        given back (:mod:`~hyperspy_t2t.strain.column_width`).
    """
    sums = _Sums(
        grid, _waves(g_vectors), float(sigma), _VALUE_AND_SLOPES, device, column_width
    )
    present, gaps = sums.of_part(block, where, part)
    gap = None if gaps is None else next(gaps)
    total = next(present)
    ones = sums.of_ones(0, gap, part).real
    coverage, divisor = _coverage(ones[0])
    mean = total[0].real / divisor
    mean_slope = (total[1:].real - mean * ones[1:]) / divisor

    def components() -> Iterator[ComplexArray]:
        for k, values in enumerate(present, start=1):
            gap = np.empty((0, *mean.shape), complex) if gaps is None else next(gaps)
            options = gap, ones, divisor, mean, mean_slope
            _normalise(values, *sums.along_axes(k, part), *options)
            yield values

    return PartOfSpectrum(mean, coverage, components())


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _normalise(
    sums: ComplexArray, along_y: ComplexArray, along_x: ComplexArray, gap: ComplexArray,
    ones: Array, divisor: Array, mean: Array, mean_slope: Array,
) -> None:  # fmt: skip
    """From sums over I to z, ∂z/∂x and ∂z/∂y of one g, (3, ny, nx), in place.

    Those over a wave without I are the products of `along_y` and `along_x` less `gap`
    at missing pixels, if there are any, those over 1 are `ones`.
    """
    for i in range(sums.shape[1]):
        for j in range(sums.shape[2]):
            wave = along_y[0, i] * along_x[0, j]
            wave_x = along_y[0, i] * along_x[1, j]
            wave_y = along_y[1, i] * along_x[0, j]
            if len(gap) > 0:
                wave -= gap[0, i, j]
                wave_x -= gap[1, i, j]
                wave_y -= gap[2, i, j]
            level, share = mean[i, j], 1 / divisor[i, j]
            z = (sums[0, i, j] - level * wave) * share
            z_x = sums[1, i, j] - level * wave_x - mean_slope[0, i, j] * wave
            z_y = sums[2, i, j] - level * wave_y - mean_slope[1, i, j] * wave
            sums[0, i, j] = z
            sums[1, i, j] = (z_x - z * ones[1, i, j]) * share
            sums[2, i, j] = (z_y - z * ones[2, i, j]) * share


def local_amplitude(
    image: Any,
    grid: ImageGrid,
    g_vectors: npt.ArrayLike,
    *,
    sigma: float,
    device: Any = "cpu",
) -> LocalAmplitude:
    """Local mean and amplitudes only; parameters as for :func:`local_spectrum`."""
    sums = _Sums(grid, _waves(g_vectors), float(sigma), _VALUE, device)
    total, missing = sums.of(image)
    coverage, divisor = _coverage(sums.of_ones(0, _of_first(missing))[0].real)
    mean = total[0, 0].real / divisor
    amplitude = np.empty((len(total) - 1, *mean.shape))
    for k, value in enumerate(total[1:, 0], start=1):
        gap = None if missing is None else missing[k]
        value -= mean * sums.of_ones(k, gap)[0]
        amplitude[k - 1] = np.abs(value) / divisor
    return LocalAmplitude(sums.coarse, mean, coverage, amplitude)


def _waves(g_vectors: npt.ArrayLike) -> Array:
    """The zero frequency, for the mean, before all others; shape (n + 1, 2)."""
    return np.concatenate([[[0.0, 0.0]], np.reshape(g_vectors, (-1, 2))])


def _coverage(
    weight: Array,
) -> tuple[Array, Array]:
    """Coverage, and what to divide by: all is zero where there is no coverage."""
    seen = weight > _FAINTEST
    return np.where(seen, weight, 1e-12), np.where(seen, weight, np.inf)


@dataclass(frozen=True)
class _Sums:
    """Sums over the pixels of an image, or of any block of it, at coarse positions."""

    grid: ImageGrid
    waves: Array
    sigma: float
    orders: Orders
    device: Any
    column_width: float = 0.0

    @property
    def coarse(self) -> ImageGrid:
        return coarse_grid(self.grid, self.sigma)

    @property
    def shape(self) -> tuple[int, ...]:
        return len(self.waves), len(self.orders), *self.coarse.shape

    def line(self, axis: int, block: slice, met: slice) -> Line:
        """Axis of a block of pixels with the coarse positions it meets."""
        step = self.grid.pixel_size[axis]
        pitch = coarse_pitch(self.grid.shape[axis], step, self.sigma)
        return Line(
            pixel_size=step,
            start=self.grid.origin[axis] + block.start * step,
            size=block.stop - block.start,
            first=met.start * pitch - block.start * PARTS,
            count=met.stop - met.start,
            pitch=pitch,
            sigma=self.sigma,
            column_width=self.column_width,
        )

    def met_by(self, axis: int, block: slice) -> slice:
        """Coarse positions along an axis within reach of a block of pixels."""
        step = self.grid.pixel_size[axis]
        pitch = coarse_pitch(self.grid.shape[axis], step, self.sigma) / PARTS
        reach = REACH * self.sigma / step + 1
        first = int((block.start - reach) // pitch)
        last = int(-(-(block.stop + reach) // pitch))
        return slice(max(0, first), min(self.coarse.shape[axis], last + 1))

    def of(self, image: Any) -> Parts:
        """Sums over the image, and over its missing pixels as if they were 1."""
        if not isinstance(image, np.ndarray):
            return self._of_dask(image)
        total: Parts = (None, None)
        for where in _blocks([_cuts(size) for size in image.shape]):
            total = self.add(total, self.of_block(image[where], where), where)
        return total

    def _of_dask(self, image: Any) -> Parts:
        """Sums over all chunks, one by one: their parts are never held at once."""
        import dask
        from dask.delayed import Delayed
        from dask.highlevelgraph import HighLevelGraph

        (image,) = dask.optimize(image)
        edges = [np.cumsum([0, *chunks]) for chunks in image.chunks]
        places = product(*(range(count) for count in image.numblocks))
        name = f"local-sums-{uuid4().hex}"
        total = f"{name}-0"
        graph: dict[str, Any] = {total: (tuple, [None, None])}
        for i, (where, place) in enumerate(zip(_blocks(edges), places, strict=True), 1):
            part, last, total = f"{name}-part-{i}", total, f"{name}-{i}"
            graph[part] = (partial(self.of_block, where=where), (image.name, *place))
            graph[total] = (partial(self.add, where=where), last, part)
        layers = HighLevelGraph.from_collections(name, graph, dependencies=[image])
        return Delayed(total, layers, layer=name).compute()

    def of_block(self, block: npt.NDArray, where: tuple[slice, slice]) -> Parts:
        """What a block adds to :meth:`of`, at the coarse positions it meets."""
        lines = pair(
            self.line(axis, where[axis], self.met_by(axis, where[axis]))
            for axis in (0, 1)
        )
        finite = np.isfinite(block)
        whole = finite.all()
        values = block if whole else np.where(finite, block, 0)
        options = self.waves, self.orders, array_library(self.device)
        missing = None if whole else ~finite
        return (
            local_components(values, lines, *options),
            None if missing is None else local_components(missing, lines, *options),
        )

    def add(self, total: Parts, parts: Parts, where: tuple[slice, slice]) -> Parts:
        """Total with the parts of a block, in the same memory where that is allowed."""
        met = tuple(self.met_by(axis, where[axis]) for axis in (0, 1))
        result = list(total)
        for index, part in enumerate(parts):
            if part is None:
                continue
            if part.shape == self.shape and result[index] is None:
                result[index] = part
                continue
            if result[index] is None:
                result[index] = np.zeros(self.shape, complex)
            elif not result[index].flags.writeable:
                result[index] = result[index].copy()
            result[index][(..., *met)] += part
        return result[0], result[1]

    def of_part(
        self, block: npt.NDArray, where: tuple[slice, slice], part: tuple[slice, slice]
    ) -> tuple[Iterator[ComplexArray], Iterator[ComplexArray] | None]:
        """Sums of a block, and of its missing pixels, at a part of the coarse grid."""
        lines = self.line(0, where[0], part[0]), self.line(1, where[1], part[1])
        finite = np.isfinite(block)
        options = lines, self.waves, self.orders, array_library(self.device)
        if finite.all():
            return each_component(block, *options), None
        values = np.where(finite, block, 0)
        return each_component(values, *options), each_component(~finite, *options)

    def along_axes(
        self, index: int, part: tuple[slice, slice] = (slice(None), slice(None))
    ) -> list[ComplexArray]:
        """Sums over all pixels of an axis as if they were 1, y first, each (2, n)."""
        axes = zip(
            self.grid.shape, self.coarse.shape, self.waves[index, ::-1], part,
            strict=True,
        )  # fmt: skip
        return [
            self.line(axis, slice(0, size), slice(0, count)).of_ones(frequency)[
                :, places
            ]
            for axis, (size, count, frequency, places) in enumerate(axes)
        ]

    def of_ones(
        self,
        index: int,
        gap: ComplexArray | None,
        part: tuple[slice, slice] = (slice(None), slice(None)),
    ) -> ComplexArray:
        """Sums over the valid pixels as if they were 1, shape (orders, ny, nx)."""
        along_y, along_x = self.along_axes(index, part)
        ones = np.stack([along_y[y][:, None] * along_x[x] for y, x in self.orders])
        return ones if gap is None else ones - gap


def _of_first(missing: ComplexArray | None) -> ComplexArray | None:
    """What is missing of the zero frequency, which is the first."""
    return None if missing is None else missing[0]


def _cuts(size: int) -> Ints:
    """Edges of blocks of equal size: a narrow last one costs as much as its margins."""
    return np.linspace(0, size, -(-size // _BLOCK) + 1).astype(int)


def _blocks(edges: Any) -> Iterator[tuple[slice, slice]]:
    """Rows and columns of all blocks, line by line."""
    spans = [[slice(int(a), int(b)) for a, b in pairwise(axis)] for axis in edges]
    yield from product(*spans)
