# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Amplitude and phase of lattice fringes at each place of an image of any size.

The wave at the frequency f around R is Σ_r G(R − r) w(r) [I(r) − B(r)]
exp(−2πi f·r) / Σ_r G(R − r) w(r), with a Gaussian G, weights w of 1 where there is
data, and the smooth background B. Its modulus is half the amplitude of the fringes,
the gradient of its phase 2π times how far their local frequency lies from f. It is
the inverse transform of a small window of the image's spectrum, block by block of a
large image; M. J. Hÿtch, Microsc. Microanal. Microstruct. 8 (1997) 41,
https://doi.org/10.1051/mmm:1997105.
"""

from collections.abc import Iterator
from itertools import product
from typing import Any, NamedTuple

import numpy as np

from hyperspy_t2t.array_types import Array, ComplexArray, Ints

_BLOCK = 2560
"""Largest side in pixels of what is transformed at once, without its margins."""
_REACH = 4.0
"""Half-width of the Gaussian, in standard deviations, that blocks overlap by."""


class _Spectrum(NamedTuple):
    """Half of a block's spectrum, as `rfft2` gives it, and the block's shape."""

    values: ComplexArray
    shape: tuple[int, int]


class FringeMaps(NamedTuple):
    """Waves of fringes on every `pitch`-th pixel in both directions."""

    pitch: int
    sigma: float
    """Standard deviation in pixels of the Gaussian they are seen through."""
    wave: ComplexArray
    """Half the amplitude in grey levels, and phase, shape (frequencies, ny, nx)."""


def fringe_maps(
    image: Any,
    frequencies: Array,
    *,
    sigmas: tuple[float, ...],
    background: Array,
    binning: int,
) -> tuple[FringeMaps, ...]:
    """Waves of an image at several frequencies, through one or more Gaussians.

    Parameters
    ----------
    image
        Array (ny, nx), numpy or dask, read block by block; pixels that are not
        finite have no weight.
    frequencies
        (fx, fy) in periods per pixel, shape (n, 2).
    sigmas
        Standard deviations of the Gaussians in pixels, the smallest first.
    background
        Smooth grey levels of the image on a grid of `binning` pixels.
    """
    finest = _smooth_number(int(sigmas[0] / 2))
    # All grids are parts of one, so that they can share the blocks.
    pitches = [finest * _smooth_number(int(s / 2 / finest)) for s in sigmas]
    pitch = int(np.lcm.reduce(pitches))
    margin = pitch * int(np.ceil(_REACH * max(sigmas) / pitch))
    maps = [
        FringeMaps(step, sigma, np.zeros(
            (len(frequencies), *(-(-size // step) for size in image.shape)),
            np.complex64,
        ))
        for step, sigma in zip(pitches, sigmas, strict=True)
    ]  # fmt: skip
    for part in _blocks(image.shape, pitch):
        padded, weight = _padded(image, part, margin, pitch, background, binning)
        origin = np.array([cut.start - margin for cut in part])
        for found in maps:
            _fill(found, frequencies, padded, weight, origin, margin, part)
    return tuple(maps)


def _fill(
    found: FringeMaps,
    frequencies: Array,
    padded: _Spectrum,
    weight: _Spectrum,
    origin: Ints,
    margin: int,
    part: tuple[slice, slice],
) -> None:
    """Samples of one block; the block and its weights as spectra."""
    step = found.pitch
    target = tuple(slice(cut.start // step, -(-cut.stop // step)) for cut in part)
    inner = tuple(
        slice(margin // step, margin // step + t.stop - t.start) for t in target
    )
    still = _windowed(weight, np.zeros((1, 2)), found.sigma, step, origin)
    cover = np.maximum(np.abs(next(still))[inner], np.float32(1e-3))
    waves = _windowed(padded, frequencies, found.sigma, step, origin)
    for index, wave in enumerate(waves):
        found.wave[index][target] = wave[inner] / cover


def _smooth_number(largest: int) -> int:
    """Largest number up to `largest` whose only factors are 2, 3 and 5."""
    from scipy.fft import next_fast_len

    candidates = range(max(1, largest), 0, -1)
    return next(n for n in candidates if next_fast_len(n, real=True) == n)


def _blocks(shape: tuple[int, int], pitch: int) -> Iterator[tuple[slice, slice]]:
    """Blocks of pixels that begin on the grid."""
    axes = []
    for size in shape:
        # Of equal size: a narrow last one costs as much as its margins.
        count = -(-size // _BLOCK)
        side = pitch * -(-size // (count * pitch))
        axes.append([
            slice(start, min(start + side, size)) for start in range(0, size, side)
        ])  # fmt: skip
    yield from product(*axes)


def _padded(
    image: Any,
    part: tuple[slice, slice],
    margin: int,
    pitch: int,
    background: Array,
    binning: int,
) -> tuple[_Spectrum, _Spectrum]:
    """Spectra of a block less its background with what surrounds it, and of weights.

    Beyond the image it is 0. Its sides are multiples of `pitch` that transform fast.
    """
    from scipy.fft import next_fast_len, rfft2

    sides, wanted, place = [], [], []
    for cut, size in zip(part, image.shape, strict=True):
        low, high = max(0, cut.start - margin), min(size, cut.stop + margin)
        needed = cut.stop - cut.start + 2 * margin
        sides.append(pitch * next_fast_len(-(-needed // pitch), real=True))
        wanted.append(slice(low, high))
        first = low - (cut.start - margin)
        place.append(slice(first, first + high - low))
    block = np.asarray(image[tuple(wanted)], np.float32)
    rows, columns = (
        np.minimum(np.arange(cut.start, cut.stop) // binning, size - 1)
        for cut, size in zip(wanted, background.shape, strict=True)
    )
    padded = np.zeros(sides, np.float32)
    inner = padded[tuple(place)]
    # Whole rows last: they lie together in memory.
    np.subtract(block, background.astype(np.float32)[:, columns][rows], out=inner)
    valid = np.isfinite(inner)
    if valid.all():
        weight = _rectangle(sides, place)
    else:
        inner[~valid] = 0
        weight = np.zeros(sides, np.float32)
        weight[tuple(place)] = valid
        weight = rfft2(weight, workers=-1)
    return (
        _Spectrum(rfft2(padded, workers=-1), padded.shape),
        _Spectrum(weight, padded.shape),
    )


def _rectangle(sides: list[int], place: list[slice]) -> ComplexArray:
    """Spectrum, as of `rfft2`, of 1 in a rectangle and 0 around it: a product."""
    from scipy.fft import fft, rfft

    rows, columns = (np.zeros(size, np.float32) for size in sides)
    rows[place[0]], columns[place[1]] = 1, 1
    return np.multiply.outer(fft(rows), rfft(columns))


def _windowed(
    block: _Spectrum,
    frequencies: Array,
    sigma: float,
    pitch: int,
    origin: Ints,
) -> Iterator[ComplexArray]:
    """Local wave on every `pitch`-th pixel, one frequency after the other.

    Its phase is that of exp(2πi f·r) at pixels counted from the image's first one,
    `origin` pixels before the block's.
    """
    from scipy import fft

    shape = np.array(block.shape)
    count = shape // pitch
    for fx, fy in frequencies:
        centre = np.rint(np.array([fy, fx]) * shape).astype(int)
        rows, columns = (
            c + np.fft.fftfreq(n, 1 / n).astype(int)
            for c, n in zip(centre, count, strict=True)
        )
        window = _gathered(block, rows, columns)
        window = window * _gaussian(rows / shape[0] - fy, sigma)[:, None]
        window = window * _gaussian(columns / shape[1] - fx, sigma)[None]
        wave = fft.ifft2(window.astype(np.complex64), workers=-1)
        # From the nearest frequency of the transform to the one asked for.
        turn = [
            np.exp(2j * np.pi * ((c / size - f) * pitch * np.arange(n) - f * start))
            for c, size, f, n, start in zip(
                centre, shape, (fy, fx), count, origin, strict=True
            )
        ]
        wave *= (turn[0] / pitch**2).astype(np.complex64)[:, None]
        yield wave * turn[1].astype(np.complex64)


def _gaussian(frequency: Array, sigma: float) -> Array:
    """Spectrum of a Gaussian of unit sum."""
    return np.exp(-2 * (np.pi * sigma * frequency) ** 2)


def _gathered(block: _Spectrum, rows: Ints, columns: Ints) -> ComplexArray:
    """Values of a full spectrum at rows × columns, of which `rfft2` keeps half."""
    spectrum, shape = block.values, block.shape
    rows, columns = rows % shape[0], columns % shape[1]
    mirrored = columns > shape[1] // 2
    values = np.empty((len(rows), len(columns)), np.complex64)
    values[:, ~mirrored] = spectrum[np.ix_(rows, columns[~mirrored])]
    partner = np.ix_(-rows % shape[0], -columns[mirrored] % shape[1])
    values[:, mirrored] = spectrum[partner].conj()
    return values
