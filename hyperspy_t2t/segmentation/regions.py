# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Regions of an image by grey level, by lattice, by contours or as particles."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, get_args

import numpy as np

from hyperspy_t2t.array_types import Array, Bools, Ints, Labels
from hyperspy_t2t.calibration import ImageGrid
from hyperspy_t2t.segmentation.binning import (
    binned,
    binned_grid,
    filled,
    in_single_precision,
    without_extremes,
    without_outliers,
)
from hyperspy_t2t.segmentation.canny import canny_regions
from hyperspy_t2t.segmentation.coherence import without_faint_steps
from hyperspy_t2t.segmentation.confidence import (
    border_strengths,
    confidence_map,
    merged_to,
)
from hyperspy_t2t.segmentation.flooding import flooded
from hyperspy_t2t.segmentation.gaussian import gaussian, gaussian_in
from hyperspy_t2t.segmentation.grey import GreyRegions, at_borders, grey_regions
from hyperspy_t2t.segmentation.intensity import intensity_classes
from hyperspy_t2t.segmentation.lattices import (
    LatticeMap,
    emptied_radius,
    lattice_classes,
    lattice_map,
    usable,
    without_halos,
)
from hyperspy_t2t.segmentation.particles import FEWEST, is_crowd, touching_particles
from hyperspy_t2t.segmentation.sampling import sampled_frequencies
from hyperspy_t2t.segmentation.scale import Smoothed, smoothed
from hyperspy_t2t.segmentation.splitting import split_regions
from hyperspy_t2t.segmentation.steps import StepTest
from hyperspy_t2t.segmentation.textures import find_textures, texture_classes
from hyperspy_t2t.segmentation.threads import side_by_side

Method = Literal["auto", "threshold", "lattice", "canny", "watershed", "sam"]
METHODS: tuple[str, ...] = get_args(Method)
_FINE, _WORKING = 4096, 560
"""Largest sides, of a square image, of the label image and of the one worked on."""
_NARROWEST = 6
"""Fewest rows and columns that can be divided."""
_SMALLEST = 1e-4
"""Smallest region as a share of the image unless asked."""
_SIDE = 128
"""Side in pixels of the blocks in which slopes are taken."""
_SENSITIVITIES = (1.0, 0.7, 0.5, 0.35)
"""Factors on what a step needs, tried until as many regions are found as hinted."""


class CoarseRegions(NamedTuple):
    """Labels on a grid, the image's or a coarser one, that spans the image."""

    grid: ImageGrid
    labels: Labels
    confidence: Array
    """Certainty of each label between 0 and 1, same shape."""
    structured: bool
    """Whether there are several regions, or a lattice."""


@dataclass(frozen=True)
class _View:
    """An image at the resolution it is divided at."""

    image: Any
    """All pixels."""
    working: Array
    """Means over blocks of `binning` pixels, finite."""
    binning: int
    frequencies: Array
    """Of lattices, (fx, fy) in periods per pixel of the image."""
    smallest: float
    """Fewest pixels of `working` in a region."""

    @property
    def texture(self) -> float:
        """Standard deviation that averages over the longest period of a lattice."""
        if not len(self.frequencies):
            return 0.0
        longest = 1 / np.linalg.norm(self.frequencies, axis=1).min()
        return float(0.7 * longest / self.binning)


class _Division(NamedTuple):
    """Regions, those of grey levels alone, and what they were found in."""

    labels: Ints
    grey: Ints
    test: StepTest
    lattices: "_Lattices | None" = None
    classes: Ints | None = None
    """The lattice of each pixel, 0 for none; None if there is none."""
    doublings: Array | None = None
    """Power of the texture of each pixel as a power of two, NaN where fringes are;
    None unless textures divide a region."""

    @property
    def smooth(self) -> Smoothed:
        """The image they were found in."""
        return self.test.smooth

    @property
    def lattice_of_each(self) -> Ints:
        """The lattice of each pixel, 0 for none."""
        if self.classes is None:
            return np.zeros(self.labels.shape, np.intp)
        return self.classes


class _Lattices(NamedTuple):
    """Lattices of an image at the pixels that are divided."""

    found: LatticeMap
    strength: Array
    """Shape (lattices, ny, nx)."""
    classes: Ints
    """The lattice of each pixel, 0 for none, shape (ny, nx)."""


def find_regions(
    image: Any,
    grid: ImageGrid,
    *,
    method: Method = "auto",
    n_regions: int | None = None,
    min_area: float | None = None,
) -> CoarseRegions:
    """Regions of an image without a parameter to set.

    Nothing depends on the size of a pixel: the noise and the lattices of the image
    set the scale on which it is smoothed. Grey levels divide it where they make a
    step; each part is divided further by the lattice seen at each place; connected
    parts become regions and those too small or too thin join their neighbour.

    Parameters
    ----------
    image
        Array (ny, nx), numpy or dask.
    grid
        Its pixels in nm.
    method
        "auto" uses grey levels and lattices, "threshold" and "lattice" one of them;
        "canny" uses contours, "watershed" parts particles that touch.
    n_regions
        Number of regions expected: fainter steps count until there are as many, and
        the weakest borders are removed until there are no more.
    min_area
        Smallest region in nm²; by default a ten-thousandth of the image.

    Returns
    -------
    CoarseRegions
        Labels 1 … n, the largest region first; 0 where the image has no data.
    """
    if method not in METHODS or method == "sam":
        raise ValueError(
            f"The segmentation method must be one of {', '.join(METHODS[:-1])}; got "
            f"{method!r}."
        )
    image = in_single_precision(without_extremes(image))
    side = np.sqrt(np.prod(image.shape))
    first = max(1, int(np.ceil(side / _FINE)))
    fine = binned(image, first)
    factor = min(max(1, round(side / first / _WORKING)), *fine.shape)
    working, missing = filled(binned(fine, factor).astype(float))
    if min(working.shape) < _NARROWEST or np.ptp(working) == 0:
        whole = np.where(np.isfinite(fine), 1, 0).astype(np.int32)
        grid = binned_grid(grid, first)
        return CoarseRegions(grid, whole, whole.astype(np.float32), False)
    working = without_outliers(working)
    pixel = np.prod(grid.pixel_size) * (first * factor) ** 2
    view = _View(
        image,
        working,
        first * factor,
        usable(sampled_frequencies(image)),
        min_area / pixel if min_area else _SMALLEST * working.size,
    )
    found = _divided(view, method, n_regions)
    labels, smooth, strength = found.labels, found.smooth, None
    if found.lattices is not None:
        strength = found.lattices.strength
    if n_regions is not None:
        edges, certain = border_strengths(labels, found.test, strength, found.doublings)
        labels = merged_to(labels, edges, certain, n_regions)
    known, grey = (np.where(missing, 0, a) for a in (labels, found.grey))
    full, confidence = side_by_side(
        lambda: by_area(sharpened(fine, known, grey, factor, smooth.sigma * factor)),
        lambda: confidence_map(
            labels,
            *border_strengths(labels, found.test, strength, found.doublings),
            smooth.sigma,
        ),
    )
    return CoarseRegions(
        binned_grid(grid, first),
        full,
        _spread(confidence, fine.shape, factor),
        bool(known.max() > 1 or len(view.frequencies)),
    )


def _divided(view: _View, method: str, n_regions: int | None) -> _Division:
    """Regions by one method, as many as hinted if fainter steps give them."""
    for faintest in _SENSITIVITIES:
        found = _METHODS[method](view, faintest)
        if n_regions is None or found.labels.max() >= n_regions:
            break
    return found


def _by_grey_and_lattice(view: _View, faintest: float) -> _Division:
    options: dict[str, Any] = {
        "texture": view.texture, "smallest": view.smallest, "faintest": faintest
    }  # fmt: skip
    if len(view.frequencies):
        smooth = smoothed(view.working, texture=view.texture)
        grey, lattices = side_by_side(
            lambda: grey_regions(view.working, smooth=smooth, **options),
            lambda: _lattices(view, smooth),
        )
        return _by_texture(view, grey, _by_lattice(view, grey, lattices))
    grey, crowd = side_by_side(
        lambda: grey_regions(view.working, **options),
        lambda: touching_particles(view.working, smallest=max(view.smallest, FEWEST)),
    )
    if is_crowd(crowd) and crowd.max() > grey.labels.max():
        return _Division(crowd, crowd, grey.test)
    return _by_texture(view, grey, _Division(grey.labels, grey.labels, grey.test))


def _by_lattice_alone(view: _View, faintest: float) -> _Division:
    smooth = smoothed(view.working, texture=view.texture)
    whole = np.ones(view.working.shape, np.intp)
    lattices = _lattices(view, smooth)
    return _divided_by_lattice(view, whole, StepTest(smooth), lattices)


def _lattices(view: _View, smooth: Smoothed) -> _Lattices | None:
    """Lattices of the image less its smooth grey levels, None without any."""
    if not len(view.frequencies):
        return None
    found = lattice_map(
        view.image, view.frequencies, background=smooth.value, binning=view.binning
    )
    if found is None:
        return None
    shape, binning = smooth.value.shape, view.binning
    strength = found.on(shape, binning)
    classes = lattice_classes(strength, found.presence_on(shape, binning))
    return _Lattices(found, strength, classes)


def _by_contours(view: _View, faintest: float) -> _Division:
    smooth = smoothed(view.working, texture=view.texture)
    labels = canny_regions(
        smooth.value, noise=float(np.median(smooth.noise)), smallest=view.smallest
    )
    return _Division(labels, labels, StepTest(smooth))


def _by_particles(view: _View, faintest: float) -> _Division:
    smooth = smoothed(view.working, texture=view.texture)
    value = view.working
    if view.texture > 0.5:
        value = gaussian(value, view.texture)
    labels = touching_particles(value, smallest=max(view.smallest, FEWEST))
    return _Division(labels, labels, StepTest(smooth))


def _by_threshold(view: _View, faintest: float) -> _Division:
    """Regions of equal class of grey level."""
    smooth = smoothed(view.working, texture=view.texture)
    # A threshold is passed by chance where the noise of one pixel is not far below.
    more = 48 * float(np.median(smooth.noise)) / max(smooth.range, 1e-300)
    sigma = smooth.sigma * float(np.clip(more, 1, 4))
    value = gaussian(smooth.value, np.sqrt(sigma**2 - smooth.sigma**2))
    contrast = float(np.ptp(np.percentile(view.working, [1, 99])))
    classes = intensity_classes(value, contrast=contrast)
    whole = np.ones(view.working.shape, np.int32)
    smallest, thinnest = max(view.smallest, (3 * sigma) ** 2), max(1.5, sigma)
    labels = split_regions(whole, classes, smallest=smallest, thinnest=thinnest)
    return _Division(labels, labels, StepTest(smooth))


def _by_lattice(
    view: _View, grey: GreyRegions, lattices: _Lattices | None
) -> _Division:
    """Regions of grey levels divided further by the lattice seen in them."""
    return _divided_by_lattice(view, grey.labels, grey.test, lattices)


def _divided_by_lattice(
    view: _View,
    labels: Ints,
    test: StepTest,
    lattices: _Lattices | None,
) -> _Division:
    """Regions divided further by the lattice seen in them."""
    if lattices is None:
        return _Division(labels, labels, test)
    found = lattices.found
    sigma = found.sigma / view.binning
    classes = without_halos(labels, lattices.classes, lattices.strength.max(axis=0))
    # Lattices are seen through a Gaussian: what is thinner cannot be told apart.
    thinnest = np.full(classes.max() + 1, sigma)
    # What has no lattice may be the rim of a crystal that is tilted or thin there.
    thinnest[0] = 1.5 * sigma
    smallest = max(view.smallest, (2 * sigma) ** 2)
    # A hole in a lattice is none of these: it is not long.
    least = thinnest.copy()
    least[0] = min(emptied_radius(found.fine_sigma) / view.binning, least[0])
    parts = split_regions(
        labels, classes, smallest=smallest, thinnest=thinnest, narrowest=least
    )
    if labels.max() > 1:
        parts, labels = without_faint_steps(parts, labels, classes, test)
    return _Division(parts, labels, test, lattices, classes)


def _by_texture(view: _View, grey: GreyRegions, found: _Division) -> _Division:
    """Regions divided further by the texture of what has no lattice in them."""
    textures = find_textures(
        view.image, found.grey, found.lattice_of_each, binning=view.binning
    )
    if textures is None:
        return found
    speckle = texture_classes(
        view.working, found.labels, found.lattice_of_each, textures
    )[1]
    if not speckle.any():
        return found
    # Known textures have a noise of their own: what looked like steps is speckle.
    own = np.where(speckle[textures.labels], textures.labels, 0)
    own = np.where(found.lattice_of_each > 0, 0, own)
    found = _by_lattice(view, grey.with_textures(own), found.lattices)
    classes = texture_classes(
        view.working, found.labels, found.lattice_of_each, textures
    )[0]
    smallest = max(view.smallest, textures.thinnest**2)
    parts = split_regions(
        found.labels, classes, smallest=smallest, thinnest=textures.thinnest
    )
    power = np.concatenate([[np.nan], textures.power[textures.octave]])
    return found._replace(labels=parts, doublings=np.log2(power)[classes])


_METHODS = {
    "auto": _by_grey_and_lattice,
    "threshold": _by_threshold,
    "lattice": _by_lattice_alone,
    "canny": _by_contours,
    "watershed": _by_particles,
}


def _spread(values: Array, shape: tuple[int, int], factor: int) -> Array:
    """Values of binned pixels at all of their pixels."""
    index = (
        np.minimum(np.arange(size) // factor, count - 1)
        for size, count in zip(shape, values.shape, strict=True)
    )
    rows, columns = index
    return values.take(columns, 1).take(rows, 0)


def sharpened(
    fine: Array,
    labels: Ints,
    grey: Ints,
    factor: int,
    sigma: float,
) -> Labels:
    """Labels of a binned image on all of its pixels.

    Borders between grey levels move, within two binned pixels, to where the slope
    of the image is steepest; others are taken as they are.

    Parameters
    ----------
    fine
        The image, shape (ny, nx).
    labels, grey
        Labels of the image binned by `factor`, and those of its grey levels alone.
    factor
        Pixels of the image along a binned one.
    sigma
        Standard deviation in pixels with which `labels` were found.
    """
    full = _spread(labels.astype(np.int32), fine.shape, factor)
    if factor == 1:
        return full
    near = _and_beside(at_borders(grey) & (grey > 0))
    band = _spread(near, fine.shape, factor) & (full > 0)
    markers = _and_beside(band) & ~band & (full > 0)
    if not markers.any():
        return full
    slope = _slope_in(band | markers, filled(fine)[0], max(1.0, 0.7 * sigma))
    settled = flooded(slope, np.where(markers, full, 0), band | markers)
    # Parts of the band that no marker reaches stay what they were.
    return np.where(band & (settled > 0), settled, full)


def _and_beside(mask: Bools) -> Bools:
    """A mask and the pixels with an edge in common with one of it."""
    result = mask.copy()
    result[1:] |= mask[:-1]
    result[:-1] |= mask[1:]
    result[:, 1:] |= mask[:, :-1]
    result[:, :-1] |= mask[:, 1:]
    return result


def _slope_in(mask: Bools, image: Array, sigma: float) -> Array:
    """Slope of the smoothed image in the blocks where a mask is true, else 0."""
    slope = np.zeros(image.shape, image.dtype)
    for top in range(0, image.shape[0], _SIDE):
        rows = slice(top, min(top + _SIDE, image.shape[0]))
        for left, right in _runs(np.any(mask[rows], axis=0)):
            around = [
                (max(0, first - 1), min(size, last + 1))
                for first, last, size in zip(
                    (rows.start, left), (rows.stop, right), image.shape, strict=True
                )
            ]
            value = gaussian_in(image, sigma, *zip(*around, strict=True))
            inner = tuple(
                slice(first - low, last - low)
                for (low, _), first, last in zip(
                    around, (rows.start, left), (rows.stop, right), strict=True
                )
            )
            slope[rows, left:right] = np.hypot(*np.gradient(value))[inner]
    return slope


def _runs(needed: Bools) -> Iterator[tuple[int, int]]:
    """First and last + 1 of the runs of blocks of columns with one that is needed."""
    starts = range(0, len(needed), _SIDE)
    some = [bool(needed[start : start + _SIDE].any()) for start in starts]
    edges = np.flatnonzero(np.diff([False, *some, False]))
    for first, last in edges.reshape(-1, 2).tolist():
        yield first * _SIDE, min(last * _SIDE, len(needed))


def by_area(labels: Ints) -> Labels:
    """Labels renumbered 1 … n from the largest to the smallest region; 0 stays."""
    area = np.bincount(labels.ravel())
    area[0] = 0
    order = np.argsort(-area, kind="stable")[: np.count_nonzero(area)]
    new = np.zeros(len(area), np.int32)
    new[order] = np.arange(1, len(order) + 1)
    return new[labels]


def noise_to_contrast(image: Array) -> float:
    """Standard deviation of pixel noise over the range of grey levels.

    The noise is estimated from the median absolute second difference along rows.
    """
    values = image[np.isfinite(image)]
    contrast = float(np.ptp(np.percentile(values, [1, 99]))) if len(values) else 0.0
    if image.shape[1] < 3 or contrast == 0:
        return 0.0
    second = image[:, 2:] - 2 * image[:, 1:-1] + image[:, :-2]
    return float(np.nanmedian(np.abs(second)) / (0.6745 * np.sqrt(6)) / contrast)
