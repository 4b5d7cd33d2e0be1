# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""What a window makes of a single wave: how far a spot spreads in the spectrum."""

from typing import NamedTuple

import numpy as np

from hyperspy_t2t.array_types import Array, Ints

_LARGEST = 128
"""Rows and columns of the window that are kept: spots spread over a few pixels."""
_OVERSAMPLING = 3


class Leakage(NamedTuple):
    """Envelope of a window's power spectrum, relative to its centre."""

    values: Array
    """Largest value within a sample of each place, zero offset in the centre."""
    step: Array
    """Distance of the samples in pixels of the spectrum, (y, x)."""
    correlation: float
    """Side in pixels of the patch over which the noise of the spectrum is alike."""

    def at(self, offset: Array) -> Array:
        """Share of a spot's power at offsets (…, 2) as (y, x) in pixels."""
        middle = np.array(self.values.shape) // 2
        index = middle + np.rint(offset / self.step).astype(int)
        # Beyond what was computed a smooth window leaks less than at the border.
        index = np.clip(index, 0, 2 * middle - 1)
        return self.values[index[..., 0], index[..., 1]]

    def lobe(self, share: Array) -> Ints:
        """Distance in pixels beyond which a spot leaks less than a share of it."""
        middle = np.array(self.values.shape) // 2
        y, x = (
            np.abs(np.arange(n) - m) * s
            for n, m, s in zip(self.values.shape, middle, self.step, strict=True)
        )
        ring = np.ceil(np.maximum(y[:, None], x)).astype(int)
        farthest = int(min(y[0], x[0]))
        inside = ring <= farthest
        outside = np.zeros(farthest + 1)
        np.maximum.at(outside, ring[inside], self.values[inside])
        outside = np.maximum.accumulate(outside[::-1])
        return len(outside) - np.searchsorted(outside, share, side="right")


def window_leakage(window: Array, shape: tuple[int, int]) -> Leakage:
    """Envelope of the leakage of a window.

    Parameters
    ----------
    window
        Weights, (ny, nx).
    shape
        Rows and columns of the spectrum, zero-padded or not.
    """
    from scipy.fft import fftshift, rfft2
    from scipy.ndimage import maximum_filter

    block = tuple(-(-size // _LARGEST) for size in window.shape)
    padded = np.pad(
        window,
        [(0, -size % step) for size, step in zip(window.shape, block, strict=True)],
    )
    rows, columns = (
        size // step for size, step in zip(padded.shape, block, strict=True)
    )
    coarse = padded.reshape(rows, block[0], columns, block[1]).sum(axis=(1, 3))
    # Even lengths have their zero in the same place before and after mirroring.
    length = tuple(2 * (-(-_OVERSAMPLING * size // 2)) for size in coarse.shape)
    half = np.abs(rfft2(coarse, length)) ** 2
    half /= half[0, 0]
    right = fftshift(half, axes=0)
    mirrored = (length[0] - np.arange(length[0])) % length[0]
    power = np.hstack([right[mirrored, :0:-1], right[:, :-1]])
    total = window.sum()
    correlation = np.sqrt(np.prod(shape) * (window**2).sum()) / total
    step = np.array(
        [size / (n * b) for size, n, b in zip(shape, length, block, strict=True)]
    )
    return Leakage(maximum_filter(power, 3), step, float(correlation))
