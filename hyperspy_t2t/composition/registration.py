# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Where one image lies in another with other pixels, and how certain that is."""

from dataclasses import dataclass

import numpy as np

from hyperspy_t2t.array_types import Array
from hyperspy_t2t.calibration import ImageGrid

CERTAIN = 0.5
"""Certainty above which a place can be trusted."""
_LARGEST = 256
"""Pixels along the longer side of the smaller image that are compared."""
_LEAST_HEIGHT = 5.0
"""Of the best place over the others, in standard deviations of the correlation."""
_GOOD_CORRELATION = 0.4
"""Or this: images of few layers resemble each other at many places."""
_LEAST_OVERLAP = 0.6
"""Share of the smaller image that must lie in the other."""
_FEWEST = 8
"""Pixels along each side."""
_SCALES = np.linspace(0.88, 1.12, 25)
_LIKELY_SCALE = 0.04
"""Standard deviation of the true pixel size from what a file says."""


class NoMatchError(ValueError):
    """Two images that show nothing in common."""


@dataclass(frozen=True)
class Registration:
    """Where a frame lies in another: r = scale · r' + shift.

    Parameters
    ----------
    shift
        (x, y) in nm.
    scale
        Of the lengths of the registered frame.
    std
        Standard error of the place of the middle of the image, (x, y) in nm.
    certainty
        From 0 to 1: that no other place fits as well.
    correlation
        Of the two images there, from −1 to 1.
    moved
        How far the middle of the image went, (x, y) in nm.
    """

    shift: tuple[float, float]
    scale: float
    std: tuple[float, float]
    certainty: float
    correlation: float
    moved: tuple[float, float]

    def applied(self, grid: ImageGrid) -> ImageGrid:
        """The pixels of the registered frame in the other one."""
        size, start = np.array(grid.pixel_size), np.array(grid.origin)
        return ImageGrid(
            grid.shape,
            tuple((self.scale * size).tolist()),
            tuple((self.scale * start + np.array(self.shift[::-1])).tolist()),
        )


def locate(
    moving: Array,
    moving_grid: ImageGrid,
    fixed: Array,
    fixed_grid: ImageGrid,
    *,
    search_scale: bool = True,
) -> Registration:
    """Find an image in another one by masked normalised cross-correlation.

    Both are averaged over square pixels of the coarser size. The pixel size of the
    moving image may be off by up to 12 %. Of places that fit equally the nearest to
    what the axes say is taken, as for layers, along which no place is better.

    Parameters
    ----------
    moving, fixed
        Images, NaN where nothing is known. Either may be the larger one.
    moving_grid, fixed_grid
        Their pixels in nm.
    search_scale
        Whether to look for the scale of the moving image.

    Raises
    ------
    NoMatchError
        If no place stands out.

    References
    ----------
    Padfield, IEEE Trans. Image Process. 21 (2012) 2706,
    https://doi.org/10.1109/TIP.2011.2181402
    """
    pixel = _common_pixel(moving_grid, fixed_grid)
    still, origin = area_average(fixed, fixed_grid, pixel)
    middle = moving_grid.to_nm(*((np.array(moving_grid.shape) - 1) / 2))[::-1]
    reach = np.array(fixed_grid.shape) * fixed_grid.pixel_size
    places = []
    for scale in _SCALES if search_scale else (1.0,):
        image, start = area_average(moving, moving_grid, pixel / scale)
        if min(*image.shape, *still.shape) < _FEWEST:
            raise NoMatchError(
                f"Expected at least {_FEWEST} pixels of {pixel:.3g} nm along each side "
                f"of both images, got {image.shape} and {still.shape}."
            )
        correlation, overlap = masked_correlation(still, image)
        first = origin - scale * start - (np.array(image.shape) - 1) * pixel
        moved = first + (scale - 1) * middle
        places.append(
            _best_place(correlation, overlap, first, moved, pixel, float(scale), reach)
        )
    best = max(places, key=lambda place: place.merit)
    if best.height < _LEAST_HEIGHT and best.correlation < _GOOD_CORRELATION:
        raise NoMatchError(
            "Expected two images that show the same place, got none that stands out: "
            f"the best one has a correlation of {best.correlation:.2f}, "
            f"{best.height:.1f} standard deviations above the others; "
            f"{_GOOD_CORRELATION:g} or {_LEAST_HEIGHT:g} are needed."
        )
    shift = best.shift
    return Registration(
        shift=tuple(shift[::-1].tolist()),
        scale=best.scale,
        std=tuple(best.std[::-1].tolist()),
        certainty=float(1 - np.exp(-((best.gap / 2) ** 2))),
        correlation=best.correlation,
        moved=tuple(((best.scale - 1) * middle + shift)[::-1].tolist()),
    )


@dataclass(frozen=True)
class _Place:
    """The best place at one scale; lengths as (y, x) in nm."""

    merit: float
    scale: float
    shift: Array
    std: Array
    correlation: float
    height: float
    """Above the other places, in their standard deviations."""
    gap: float
    """Above the next separate place, in the same."""


def _best_place(
    correlation: Array, overlap: Array, first: Array, moved: Array, pixel: float,
    scale: float, reach: Array,
) -> _Place:  # fmt: skip
    """Best place of a correlation whose first element is the shift `first`."""
    from scipy.ndimage import label

    known = np.isfinite(correlation)
    if not known.any():
        raise NoMatchError(
            "Expected two images with contrast that overlap by "
            f"{100 * _LEAST_OVERLAP:.0f} % of the smaller one, got a uniform one or "
            "hardly a known pixel. Give the maps their place by their axes."
        )
    values = np.where(known, correlation, -2.0)
    median = np.median(correlation[known])
    sigma = 1.4826 * np.median(np.abs(correlation[known] - median)) + 1e-12
    y, x = np.ogrid[: values.shape[0], : values.shape[1]]
    far = ((moved[0] + y * pixel) / reach[0]) ** 2
    far = far + ((moved[1] + x * pixel) / reach[1]) ** 2
    best = np.unravel_index((values - 0.5 * sigma * far).argmax(), values.shape)
    peak = float(values[best])
    hills = label(values > 0.5 * (peak + median))[0]
    others = known & (hills != hills[best])
    second = values[others].max() if others.any() else median
    offset, curvature = _parabola(values, best)
    count = overlap[best]
    std = np.sqrt((1 - peak**2) / max(peak, 1e-3) / count / curvature)
    tops = label(values > peak - 0.5 * sigma)[0]
    spread = [np.ptp(places) / 2 for places in np.nonzero(tops == tops[best])]
    std = pixel * np.where(np.greater(spread, 2), spread, std)  # along layers
    return _Place(
        merit=_log_probability(peak, scale, reach / pixel),
        scale=scale,
        shift=first + (np.array(best) + offset) * pixel,
        std=np.minimum(std, reach),
        correlation=peak,
        height=(peak - median) / sigma,
        gap=(peak - second) / sigma,
    )


def _log_probability(correlation: float, scale: float, shape: Array) -> float:
    """Of a scale, from what is left unexplained and from what scales are likely.

    Neighbouring pixels of what is left are correlated, about four of them.
    """
    unexplained = np.log(max(1 - correlation**2, 1e-6))
    unlikely = ((scale - 1) / _LIKELY_SCALE) ** 2
    return float(-0.125 * np.prod(shape) * unexplained - 0.5 * unlikely)


def _parabola(values: Array, best: tuple) -> tuple[Array, Array]:
    """Offset of the top from the highest element, and curvature, along both axes."""
    offset, curvature = np.zeros(2), np.full(2, 1e-9)
    for axis in (0, 1):
        line = np.moveaxis(values, axis, 0)[:, best[1 - axis]]
        at = best[axis]
        if 0 < at < len(line) - 1:
            before, top, after = line[at - 1 : at + 2]
            curvature[axis] = max(2 * top - before - after, 1e-9)
            offset[axis] = np.clip(0.5 * (after - before) / curvature[axis], -0.5, 0.5)
    return offset, curvature


def _common_pixel(one: ImageGrid, other: ImageGrid) -> float:
    """Side in nm of square pixels on which both images are compared."""
    coarsest = max(*one.pixel_size, *other.pixel_size)
    smaller = min(
        max(n * size for n, size in zip(grid.shape, grid.pixel_size, strict=True))
        for grid in (one, other)
    )
    return float(max(coarsest, smaller / _LARGEST))


def area_average(image: Array, grid: ImageGrid, pixel: float) -> tuple[Array, Array]:
    """Mean of an image over square pixels, NaN where less than half is known.

    Parameters
    ----------
    image
        Shape (ny, nx), may hold NaN.
    grid
        Its pixels in nm.
    pixel
        Side of the new pixels in nm.

    Returns
    -------
    image : ndarray
    start : ndarray
        (y, x) of the centre of its first pixel in nm.
    """
    known = np.isfinite(image)
    total, weight = np.where(known, image, 0.0), known.astype(float)
    for axis in (0, 1):
        size, step = grid.shape[axis], grid.pixel_size[axis]
        count = max(1, int(size * step / pixel + 1e-6))
        edges = np.minimum(np.arange(count + 1) * pixel / step, size)
        total, weight = (_between(a, edges, axis) for a in (total, weight))
    steps = np.array(grid.pixel_size)
    covered = weight / (pixel**2 / steps.prod())
    result = np.full(total.shape, np.nan)
    good = covered > 0.5
    result[good] = total[good] / weight[good]
    return result, np.array(grid.origin) - steps / 2 + pixel / 2


def _between(values: Array, edges: Array, axis: int) -> Array:
    """Integral of values, constant within each pixel, between edges along an axis."""
    values = np.moveaxis(values, axis, 0)
    total = np.concatenate([np.zeros((1, *values.shape[1:])), np.cumsum(values, 0)])
    low = np.minimum(edges.astype(int), len(values) - 1)
    part = (edges - low)[:, None]
    upto = total[low] + part * (total[low + 1] - total[low])
    return np.moveaxis(np.diff(upto, axis=0), 0, axis)


def masked_correlation(fixed: Array, moving: Array) -> tuple[Array, Array]:
    """Normalised correlation of what overlaps, for all shifts, and how much that is.

    Parameters
    ----------
    fixed, moving
        Images of shapes (a, b) and (c, d), NaN where unknown.

    Returns
    -------
    correlation
        Shape (a + c − 1, b + d − 1): element (i, j) has the first pixel of the moving
        image at row i − (c − 1) and column j − (d − 1) of the fixed one. NaN where too
        little overlaps.
    overlap
        Pixels that do.
    """
    from scipy.fft import irfft2, next_fast_len, rfft2

    shape = tuple(a + c - 1 for a, c in zip(fixed.shape, moving.shape, strict=True))
    fast = tuple(next_fast_len(n, real=True) for n in shape)

    def transform(image: Array) -> Array:
        return rfft2(image, fast)

    def product(one: Array, other: Array) -> Array:
        return irfft2(one * other, fast)[: shape[0], : shape[1]]

    def parts(image: Array) -> tuple[Array, Array, Array]:
        known = np.isfinite(image)
        mean = image[known].mean() if known.any() else 0.0
        filled = np.where(known, image - mean, 0.0)
        spread = filled.std()
        filled *= 1 / spread if spread > 1e-9 * abs(mean) else 0.0  # rounding
        return transform(known.astype(float)), transform(filled), transform(filled**2)

    mask, first, first2 = parts(fixed)
    other_mask, second, second2 = parts(moving[::-1, ::-1])
    overlap = np.maximum(np.rint(product(mask, other_mask)), 1)
    sum_first, sum_second = product(first, other_mask), product(mask, second)
    covariance = product(first, second) - sum_first * sum_second / overlap
    variance = product(first2, other_mask) - sum_first**2 / overlap
    other_variance = product(mask, second2) - sum_second**2 / overlap
    scale = np.maximum(variance, 0) * np.maximum(other_variance, 0)
    smaller = min(np.isfinite(fixed).sum(), np.isfinite(moving).sum())
    good = (overlap >= _LEAST_OVERLAP * smaller) & (scale > 1e-5 * overlap**2)
    result = np.full(shape, np.nan)
    result[good] = covariance[good] / np.sqrt(scale[good])
    return result, overlap
