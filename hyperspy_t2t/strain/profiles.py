# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Profiles along a line, averaged across it, and how noise averages with them."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from hyperspy_t2t.array_types import Array
from hyperspy_t2t.calibration import ImageGrid


class Line(NamedTuple):
    """Where a profile is sampled."""

    positions: Array
    """(x, y) in nm, shape (across, along, 2)."""
    step: float
    """Distance in nm between samples along the line."""
    direction: Array
    """Unit vector (x, y) from start to end."""


class Profile(NamedTuple):
    """Means across a line."""

    values: Array
    """Mean of the valid samples, NaN where there is none, shape (n, along)."""
    valid: Array
    """Share of the samples across the line that are valid, shape (n, along)."""


def sampled_line(
    start: npt.ArrayLike, end: npt.ArrayLike, grid: ImageGrid, *, width: float = 0.0
) -> Line:
    """Samples about a pixel apart along a line and, evenly, across its width.

    Parameters
    ----------
    start, end
        (x, y) in nm; both are sampled.
    grid
        The pixels in nm, square or not.
    width
        In nm, half of it on either side of the line; 0 samples the line alone.

    Raises
    ------
    ValueError
        Without a length, with a negative width, or not within the image.
    """
    start, end = np.asarray(start, float), np.asarray(end, float)
    _check_ends(start, end, grid)
    widest = float(np.hypot(*np.multiply(grid.shape, grid.pixel_size)))
    if not 0 <= width <= widest:
        raise ValueError(
            f"Expected a width from 0 nm to the image's diagonal, {widest:.4g} nm, got "
            f"{width!r} nm."
        )
    length = float(np.linalg.norm(end - start))
    direction = (end - start) / length
    across = np.array([-direction[1], direction[0]])
    pixel = np.array(grid.pixel_size[::-1])
    along_count = max(1, round(length * np.linalg.norm(direction / pixel))) + 1
    across_count = max(1, int(np.ceil(width * np.linalg.norm(across / pixel))))
    along = np.linspace(0, length, along_count)
    offset = ((np.arange(across_count) + 0.5) / across_count - 0.5) * width
    positions = (
        start + along[None, :, None] * direction + offset[:, None, None] * across
    )
    return Line(positions, length / (along_count - 1), direction)


def _check_ends(start: Array, end: Array, grid: ImageGrid) -> None:
    """Raise a ValueError unless a line leads from one place of the image to another."""
    first, last = grid.to_nm(-0.5, -0.5), grid.to_nm(*(n - 0.5 for n in grid.shape))
    for name, place in (("start", start), ("end", end)):
        slack = 1e-6 * np.abs(last - first)
        if place.shape != (2,) or not np.all(
            (place >= first - slack) & (place <= last + slack)
        ):
            raise ValueError(
                f"Expected {name} as (x, y) in nm within the image, x from "
                f"{first[0]:.4g} to {last[0]:.4g} and y from {first[1]:.4g} to "
                f"{last[1]:.4g}; got {place.tolist()}."
            )
    if np.array_equal(start, end):
        raise ValueError(
            f"Expected two different places as start and end, got {start.tolist()} nm "
            "twice."
        )


def mean_across(data: Array, grid: ImageGrid, line: Line) -> Profile:
    """Mean across a line of images given on a grid, NaN where nothing is valid.

    Parameters
    ----------
    data
        Images, shape (n, ny, nx); NaN where there is no value.
    grid
        Their pixels in nm.
    line
        From :func:`sampled_line`; samples outside of the grid have no value.
    """
    values = bilinear(data, grid, line.positions)
    valid = np.isfinite(values)
    count = valid.sum(axis=1)
    total = np.where(valid, values, 0.0).sum(axis=1)
    mean = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    return Profile(mean, count / values.shape[1])


def bilinear(data: Array, grid: ImageGrid, positions: Array) -> Array:
    """Images at (x, y) in nm, (..., 2) → (n, ...), NaN where the nearest pixel is.

    Pixels without a value have no weight. Beyond the centres of the outermost pixels
    their values count, half a pixel further there are none.
    """
    rows, columns = grid.to_pixels(positions)
    ny, nx = grid.shape
    slack = 1e-6
    outside = (np.abs(rows - (ny - 1) / 2) > ny / 2 + slack) | (
        np.abs(columns - (nx - 1) / 2) > nx / 2 + slack
    )
    rows, columns = np.clip(rows, 0, ny - 1), np.clip(columns, 0, nx - 1)
    top = np.minimum(rows.astype(int), max(ny - 2, 0))
    left = np.minimum(columns.astype(int), max(nx - 2, 0))
    total = np.zeros((len(data), *rows.shape))
    weight = np.zeros_like(total)
    for i in (0, 1):
        for j in (0, 1):
            share = np.abs(1 - i - (rows - top)) * np.abs(1 - j - (columns - left))
            values = data[:, np.minimum(top + i, ny - 1), np.minimum(left + j, nx - 1)]
            known = np.isfinite(values)
            total += np.where(known, values, 0.0) * share
            weight += known * share
    nearest = data[:, np.rint(rows).astype(int), np.rint(columns).astype(int)]
    missing = outside | ~np.isfinite(nearest)
    return np.where(missing, np.nan, total / np.maximum(weight, 1e-12))


def averaged_variance(
    variance: Array, direction: Array, width: npt.ArrayLike, sigma: float
) -> Array:
    """Variance of exx, eyy, exy and rotation after a mean across a line.

    The noise of a phase is white noise averaged with a Gaussian of standard deviation
    σ: its correlation at a distance d is exp(−d²/4σ²). Strain is made of derivatives
    of phases. With t = w/2σ a mean over the width w multiplies the variance of a
    derivative along the line by (√π t erf t − 1 + exp(−t²))/t², about 2√π σ/w, and
    that of a derivative across it by (1 − exp(−t²))/t², about 4σ²/w²: its mean is a
    difference of two phases. exx holds ∂/∂x alone, eyy ∂/∂y, and exy and rotation
    both, in shares told by the noise of eyy and exx; errors of u_x and u_y are taken
    as independent, which for lines along x and y makes no difference.

    Parameters
    ----------
    variance
        Of the four components at a place, shape (4, n).
    direction
        Unit vector (x, y) of the line.
    width
        In nm, a number or shape (n,).
    sigma
        Standard deviation of the average in nm.
    """
    from scipy.special import erf

    t = np.maximum(np.asarray(width, float) / (2 * sigma), 1e-3)
    decay = -np.expm1(-(t**2))
    along = (np.sqrt(np.pi) * t * erf(t) - decay) / t**2
    across = decay / t**2
    nx2, ny2 = np.asarray(direction) ** 2
    both = variance[0] + variance[1]
    mixed = (variance[0] * ny2 + variance[1] * nx2) / np.where(both > 0, both, 1)
    share = np.stack(np.broadcast_arrays(nx2, ny2, mixed, mixed))
    return variance * (share * along + (1 - share) * across)
