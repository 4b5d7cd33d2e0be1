# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Amplitude of lattice fringes at each place of an image of any size.

The amplitude at the frequency f around R is |Σ_r G(R − r) w(r) [I(r) − B(r)]
exp(−2πi f·r)| / Σ_r G(R − r) w(r), with a Gaussian G, weights w of 1 where there is
data, and the smooth background B. It is the inverse transform of a small window of
the image's spectrum, block by block of a large image; M. J. Hÿtch, Microsc.
Microanal. Microstruct. 8 (1997) 41, https://doi.org/10.1051/mmm:199700801041300.
"""

from collections.abc import Iterator
from itertools import product
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.floating]
_BLOCK = 2048
"""Side in pixels of what is transformed at once."""
_REACH = 4.0
"""Half-width of the Gaussian, in standard deviations, that blocks overlap by."""


class FringeMaps(NamedTuple):
    """Fringe amplitudes on every `pitch`-th pixel in both directions."""

    pitch: int
    amplitude: Array
    """Half the amplitude in grey levels, shape (frequencies, ny, nx), float32."""


def fringe_maps(
    image: Any,
    frequencies: Array,
    *,
    sigma: float,
    background: Array,
    binning: int,
) -> FringeMaps:
    """Maps of the amplitude of an image at several frequencies.

    Parameters
    ----------
    image
        Array (ny, nx), numpy or dask, read block by block; pixels that are not
        finite have no weight.
    frequencies
        (fx, fy) in periods per pixel, shape (n, 2).
    sigma
        Standard deviation of the Gaussian in pixels.
    background
        Smooth grey levels of the image on a grid of `binning` pixels.
    """
    pitch = _smooth_number(int(sigma / 2))
    margin = pitch * int(np.ceil(_REACH * sigma / pitch))
    shape = tuple(-(-size // pitch) for size in image.shape)
    maps = np.zeros((len(frequencies), *shape), np.float32)
    for part, target in _blocks(image.shape, pitch):
        padded, weight = _padded(image, part, margin, pitch, background, binning)
        count = tuple(t.stop - t.start for t in target)
        inner = tuple(slice(margin // pitch, margin // pitch + n) for n in count)
        cover = next(_windowed(weight, np.zeros((1, 2)), sigma, pitch))[inner]
        cover = np.maximum(cover, 1e-3)
        for index, wave in enumerate(_windowed(padded, frequencies, sigma, pitch)):
            maps[(index, *target)] = wave[inner] / cover
    return FringeMaps(pitch, maps)


def _smooth_number(largest: int) -> int:
    """Largest number up to `largest` whose only factors are 2, 3 and 5."""
    from scipy.fft import next_fast_len

    candidates = range(max(1, largest), 0, -1)
    return next(n for n in candidates if next_fast_len(n, real=True) == n)


def _blocks(
    shape: tuple[int, int], pitch: int
) -> Iterator[tuple[tuple[slice, slice], tuple[slice, slice]]]:
    """Blocks of pixels that begin on the grid, and the samples within each."""
    side = pitch * max(1, _BLOCK // pitch)
    axes = []
    for size in shape:
        starts = range(0, size, side)
        axes.append([
            (
                slice(start, min(start + side, size)),
                slice(start // pitch, -(-min(start + side, size) // pitch)),
            )
            for start in starts
        ])  # fmt: skip
    for (rows, y), (columns, x) in product(*axes):
        yield (rows, columns), (y, x)


def _padded(
    image: Any,
    part: tuple[slice, slice],
    margin: int,
    pitch: int,
    background: Array,
    binning: int,
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """A block less its background with what surrounds it, 0 beyond the image.

    Its sides are multiples of `pitch` that transform fast. The second array is 1
    where there is data.
    """
    from scipy.fft import next_fast_len

    sides, wanted, place = [], [], []
    for cut, size in zip(part, image.shape, strict=True):
        low, high = max(0, cut.start - margin), min(size, cut.stop + margin)
        needed = cut.stop - cut.start + 2 * margin
        sides.append(pitch * next_fast_len(-(-needed // pitch), real=True))
        wanted.append(slice(low, high))
        first = low - (cut.start - margin)
        place.append(slice(first, first + high - low))
    block = np.asarray(image[tuple(wanted)], np.float32)
    index = [
        np.minimum(np.arange(cut.start, cut.stop) // binning, size - 1)
        for cut, size in zip(wanted, background.shape, strict=True)
    ]
    block = block - background.astype(np.float32)[np.ix_(*index)]
    valid = np.isfinite(block)
    padded, weight = np.zeros((2, *sides), np.float32)
    padded[tuple(place)] = np.where(valid, block, 0)
    weight[tuple(place)] = valid
    return padded, weight


def _windowed(
    block: npt.NDArray[np.float32], frequencies: Array, sigma: float, pitch: int
) -> Iterator[npt.NDArray[np.float32]]:
    """Local amplitude on every `pitch`-th pixel, one frequency after the other."""
    from scipy import fft

    spectrum = fft.rfft2(block, workers=-1)
    shape = np.array(block.shape)
    count = shape // pitch
    for fx, fy in frequencies:
        centre = np.rint(np.array([fy, fx]) * shape).astype(int)
        rows, columns = (
            c + np.fft.fftfreq(n, 1 / n).astype(int)
            for c, n in zip(centre, count, strict=True)
        )
        window = _gathered(spectrum, rows, columns, block.shape)
        window = window * _gaussian(rows / shape[0] - fy, sigma)[:, None]
        window = window * _gaussian(columns / shape[1] - fx, sigma)[None]
        wave = fft.ifft2(window.astype(np.complex64), workers=-1)
        yield np.abs(wave) / np.float32(pitch**2)


def _gaussian(frequency: Array, sigma: float) -> Array:
    """Spectrum of a Gaussian of unit sum."""
    return np.exp(-2 * (np.pi * sigma * frequency) ** 2)


def _gathered(
    spectrum: npt.NDArray[np.complex64],
    rows: npt.NDArray[np.intp],
    columns: npt.NDArray[np.intp],
    shape: tuple[int, int],
) -> npt.NDArray[np.complex64]:
    """Values of a full spectrum at rows × columns, of which `rfft2` keeps half."""
    rows, columns = rows % shape[0], columns % shape[1]
    mirrored = columns > shape[1] // 2
    values = np.empty((len(rows), len(columns)), np.complex64)
    values[:, ~mirrored] = spectrum[np.ix_(rows, columns[~mirrored])]
    partner = np.ix_(-rows % shape[0], -columns[mirrored] % shape[1])
    values[:, mirrored] = spectrum[partner].conj()
    return values
