# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Small images that hold only the frequencies next to a spot."""

from typing import NamedTuple

import numpy as np

from hyperspy_t2t.array_types import Array

WIDTH = 32
"""Frequencies kept along each axis."""


class Bands(NamedTuple):
    """Demodulated images on a coarse grid, one for each frequency."""

    values: np.ndarray
    """The values times exp(−2πi g·r), low-passed: (n, 32, 32), or all of them for
    every frequency, (ny, nx), with a carrier of zero."""
    g: Array
    """Carrier (gx, gy) in 1/nm, shape (n, 2)."""
    y: Array
    """Positions of the rows in nm."""
    x: Array
    """Positions of the columns in nm."""


def demodulated(
    values: Array,
    y: Array,
    x: Array,
    g: Array,
    *,
    transform: np.ndarray | None = None,
) -> Bands:
    """The part of an image that its transform near some frequencies knows of.

    The sum Σ v exp(−2πi g·r) at any g near a carrier g₀ is the trigonometric
    interpolation of the transform. It needs only samples near g₀, here 32 by 32, as
    the values end smoothly: what is left out decays with the third power of the
    distance under a Hann window. Samples fade out towards the border, where another
    spot would else be cut in two.

    Parameters
    ----------
    values
        Windowed image, shape (ny, nx).
    y, x
        Positions of rows and columns in nm, evenly spaced.
    g
        (gx, gy) in 1/nm, shape (n, 2).
    transform
        ``rfft2`` of the values, zero-padded or not.

    Returns
    -------
    Bands
        Sums over its values equal sums over the image. An image no larger than a few
        bands is returned as it is.
    """
    if min(values.shape) < 4 * WIDTH:
        return Bands(values, np.zeros((1, 2)), y, x)
    if transform is None:
        transform = np.fft.rfft2(values)
    height = transform.shape[0]
    # A transform of even and of odd length have as many columns: trust the image.
    width = 2 * (transform.shape[1] - 1)
    width += width < values.shape[1]
    step = y[1] - y[0], x[1] - x[0]
    order = np.rint(g * [width * step[1], height * step[0]]).astype(int)
    part = np.arange(WIDTH) - WIDTH // 2
    rows = order[:, 1, None, None] + part[:, None]
    columns = order[:, 0, None, None] + part
    taper = _taper(part)
    band = _at(transform, rows, columns, width) * taper[:, None] * taper
    band = np.fft.ifftshift(band, axes=(1, 2))
    carrier = order / [width * step[1], height * step[0]]
    origin = np.exp(-2j * np.pi * (carrier @ [x[0], y[0]]))
    coarse = np.arange(WIDTH) / WIDTH
    return Bands(
        np.fft.ifft2(band) * origin[:, None, None],
        carrier,
        y[0] + coarse * height * step[0],
        x[0] + coarse * width * step[1],
    )


def _taper(part: np.ndarray) -> Array:
    """One near the middle of a band, falling to zero at its ends."""
    flat = WIDTH // 6
    fall = np.clip((np.abs(part) - flat) / (WIDTH // 2 - flat), 0, 1)
    return np.cos(np.pi / 2 * fall) ** 2


def _at(
    transform: np.ndarray, rows: np.ndarray, columns: np.ndarray, width: int
) -> np.ndarray:
    """Transform at any row and column, by Friedel's law where only −g is stored."""
    height = transform.shape[0]
    rows, columns = np.broadcast_arrays(rows, columns % width)
    other = columns > width // 2
    found = transform[
        np.where(other, -rows, rows) % height, np.where(other, width - columns, columns)
    ]
    return np.where(other, found.conj(), found)
