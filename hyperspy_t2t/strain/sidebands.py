# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Local Fourier components of one block of an image by cutting out its sidebands.

A Gaussian average of standard deviation σ of I(r) exp(−2πi g·r) has the spectrum
Î(g + k) exp(−2π²σ²k²). Nothing of it is left beyond a few times 1/(2πσ), so that the
small window of Î around g says everything on a coarse grid of two samples per σ, and
times 2πi k also the gradient. One real transform of the block, padded by the reach of
the Gaussian so that nothing wraps around, and a small inverse one per field do it;
M. J. Hÿtch, Microsc. Microanal. Microstruct. 8 (1997) 41,
https://doi.org/10.1051/mmm:1997105.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import ceil, gcd
from typing import Any, NamedTuple

import numpy as np

from hyperspy_t2t.array_types import Array, Bools, ComplexArray, Ints
from hyperspy_t2t.strain.array_library import ArrayLibrary

PARTS = 4
"""The coarse pitch is a multiple of a pixel divided by this."""
REACH = 7.0
"""Standard deviations where the Gaussian and its transform end: at 2e-11."""


def coarse_pitch(size: int, pixel_size: float, sigma: float) -> int:
    """Quarters of a pixel per coarse sample: at least two samples per sigma.

    At least four samples in all, but none closer than a pixel. Products of small
    primes only, so that a block can be a whole number of samples that transforms fast.
    """
    from scipy.fft import next_fast_len

    widest = int(min(0.5 * sigma / pixel_size, (size - 1) / 3) * PARTS * (1 + 1e-9))
    candidates = range(widest, PARTS, -1)
    return next((n for n in candidates if next_fast_len(n) == n), PARTS)


class Sideband(NamedTuple):
    """A window of the spectrum along one axis and what makes fields of it."""

    places: Ints
    """In the whole spectrum: as many as samples in the order of an inverse transform,
    then those beyond, that repeat as `beyond` on the coarse grid."""
    beyond: slice
    samples: int
    filters: ComplexArray
    """For the component and for its derivative, shape (2, places)."""
    ramp: ComplexArray
    """Phase of each coarse sample from the middle of the window to the frequency."""

    def folded(self, window: Any) -> Any:
        """The first `samples` of the first axis, with those beyond added."""
        window[self.beyond] += window[self.samples :]
        return window[: self.samples]


@dataclass(frozen=True)
class Line:
    """One axis of a block of pixels and of the coarse positions that it meets.

    Parameters
    ----------
    pixel_size
        In nm.
    start
        Position of the first pixel in nm.
    size
        Number of pixels.
    first, count
        The first coarse position, in quarters of a pixel from the first pixel, and
        their number.
    pitch
        Quarters of a pixel per coarse sample.
    sigma
        Standard deviation of the Gaussian in nm.
    column_width
        Standard deviation in nm of columns whose blur is taken out of the mask.
    """

    pixel_size: float
    start: float
    size: int
    first: int
    count: int
    pitch: int
    sigma: float
    column_width: float = 0.0

    @cached_property
    def lengths(self) -> tuple[int, int]:
        """Pixels and coarse samples of the padded block, of the same extent."""
        from scipy.fft import next_fast_len

        extent = (self.count - 1) * self.pitch / PARTS
        first = self.first / PARTS
        furthest = max(first + extent, self.size - 1 - first, extent)
        reach = REACH * self.sigma / self.pixel_size
        least = max(self.size, ceil(furthest + reach)) + 1
        common = gcd(self.pitch, PARTS)
        step, samples = self.pitch // common, PARTS // common
        times = next_fast_len(-(-least // step))
        return times * step, times * samples

    def sideband(self, frequency: float) -> Sideband:
        """What to cut out of the spectrum around a frequency in 1/nm."""
        length, samples = self.lengths
        extent = length * self.pixel_size
        index = np.arange(samples)
        index[index > samples // 2] -= samples
        more = max(0, ceil(REACH / (2 * np.pi * self.sigma) * extent - samples / 2))
        more = 0 if samples == length else more  # There is no more than all.
        beyond = slice(samples // 2 + 1 - more, samples // 2 + 1 + more)
        index = np.concatenate(
            [index, index[beyond] + samples * np.repeat([-1, 1], more)]
        )
        index += round(frequency * extent)
        k = index / extent - frequency
        place = np.arange(self.count) * (self.pitch * self.pixel_size / PARTS)
        ramp = np.exp(2j * np.pi * k[0] * place)
        filters = self._filters(k, frequency)
        return Sideband(index % length, beyond, samples, filters, ramp)

    def _filters(self, k: Array, frequency: float) -> ComplexArray:
        """Gaussian and its product with 2πi k, for samples that begin at `first`."""
        length, samples = self.lengths
        k = k[:, None]
        if samples == length:  # A Gaussian on pixels repeats with their frequency.
            narrowest = 2 * np.pi * self.sigma / self.pixel_size
            orders = ceil(REACH / narrowest + 1)
            k = k + np.arange(-orders, orders + 1) / self.pixel_size
        mask = np.exp(-2 * (np.pi * self.sigma * k) ** 2) * (samples / length)
        # What columns of this width lose at g + k more than at g is given back.
        fall = 2 * (np.pi * self.column_width) ** 2
        mask = mask * np.exp(fall * (2 * frequency + k) * k)
        offset = self.first * self.pixel_size / PARTS
        mask = mask * np.exp(2j * np.pi * (k * offset - frequency * self.start))
        return np.stack([mask.sum(axis=1), (2j * np.pi * k * mask).sum(axis=1)])

    def of_ones(self, frequency: float) -> ComplexArray:
        """Component and derivative along this axis of 1 at every pixel, (2, count)."""
        from scipy.fft import fft, ifft

        band = self.sideband(frequency)
        spectrum = fft(np.ones(self.size), n=self.lengths[0])
        samples = ifft(band.folded((spectrum[band.places] * band.filters).T), axis=0)
        return samples[: self.count].T * band.ramp


def local_components(
    values: Array,
    lines: tuple[Line, Line],
    frequencies: Array,
    orders: Sequence[tuple[int, int]],
    library: ArrayLibrary,
) -> ComplexArray:
    """All of :func:`each_component`, shape (n, orders, coarse ny, coarse nx)."""
    shape = (len(frequencies), len(orders), *(line.count for line in lines))
    result = np.empty(shape, complex)
    each = each_component(values, lines, frequencies, orders, library)
    for target, component in zip(result, each, strict=True):
        target[...] = component
    return result


def each_component(
    values: Array,
    lines: tuple[Line, Line],
    frequencies: Array,
    orders: Sequence[tuple[int, int]],
    library: ArrayLibrary,
) -> Iterator[ComplexArray]:
    """Σ_r G(R − r) I(r) exp(−2πi g·r) of one block, or its derivatives by R.

    Parameters
    ----------
    values
        Finite grey levels of the block, shape (ny, nx).
    lines
        Its axes, y first.
    frequencies
        (gx, gy) in 1/nm, shape (n, 2).
    orders
        Of the derivative along (y, x), 0 or 1, for each result.
    library
        Where to compute.

    Yields
    ------
    ndarray
        Of each frequency, complex, shape (orders, coarse ny, coarse nx).
    """
    along_y, along_x = lines
    bands = [(along_y.sideband(gy), along_x.sideband(gx)) for gx, gy in frequencies]
    width = along_x.lengths[0]
    columns = np.stack([band.places for _, band in bands])
    mirrored = columns > width // 2
    kept, columns = np.unique(
        np.where(mirrored, width - columns, columns), return_inverse=True
    )
    columns = columns.reshape(mirrored.shape)
    # Columns that no sideband needs are not transformed along y.
    spectrum = library.spectrum(values, (along_y.lengths[0], width), kept)
    for k, (of_y, of_x) in enumerate(bands):
        result = np.empty((len(orders), along_y.count, along_x.count), complex)
        window = _cut(spectrum, of_y.places, columns[k], mirrored[k], library)
        for y in {y for y, _ in orders}:
            part = of_y.folded(window * library.asarray(of_y.filters[y][:, None]))
            part = library.ifft(part, 0)[: along_y.count]
            part = part * library.asarray(of_y.ramp[:, None])
            for index, x in [(i, x) for i, (of, x) in enumerate(orders) if of == y]:
                samples = of_x.folded((part * library.asarray(of_x.filters[x])).T)
                samples = library.ifft(samples, 0)[: along_x.count].T
                np.multiply(library.fetch(samples), of_x.ramp, out=result[index])
        yield result


def _cut(
    spectrum: Any,
    rows: Ints,
    columns: Ints,
    mirrored: Bools,
    library: ArrayLibrary,
) -> Any:
    """Window of the whole spectrum, whose other half is F(−f) = F(f)*."""
    rows = rows[:, None]
    if not mirrored.any():
        return spectrum[library.asarray(rows), library.asarray(columns)]
    rows = np.where(mirrored, -rows % spectrum.shape[0], rows)
    columns = np.broadcast_to(columns, rows.shape).copy()
    window = spectrum[library.asarray(rows), library.asarray(columns)]
    return library.where(library.asarray(mirrored), window.conj(), window)
