# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Regions divided by steps of the grey level, found without a parameter to set.

Basins of the slope (a watershed) are merged twice. First as long as one plane
describes two neighbours as well as two planes do, by what the merger costs in noise
units per length of border (D. Mumford and J. Shah, Comm. Pure Appl. Math. 42 (1989)
577, https://doi.org/10.1002/cpa.3160420503): this uses every pixel and finds faint
steps. Then across borders where the grey level makes no step of its own: a slope that
goes on at both sides, as that of a wedge or of the illumination, is none.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from hyperspy_t2t.array_types import Array, Bools, Ints, Labels
from hyperspy_t2t.segmentation.flooding import basins, flooded
from hyperspy_t2t.segmentation.illumination import common_illumination
from hyperspy_t2t.segmentation.merging import Borders, borders, merged
from hyperspy_t2t.segmentation.noise import Noise, image_noise, low_percentile
from hyperspy_t2t.segmentation.planes import merger_costs, moments, region_planes
from hyperspy_t2t.segmentation.relaxation import relaxed
from hyperspy_t2t.segmentation.scale import Smoothed, averaged, smoothed
from hyperspy_t2t.segmentation.steps import (
    Relief,
    StepTest,
    between,
    edge_pieces,
    merge_without_step,
)

_COST = 0.5
"""Smallest cost of a merger that stops it, per pixel of border, in noise units: above
what a watershed of pure noise leaves."""
_SLOPE = 0.5
"""Change of grey level over the image, as a share of its range, that one region may
have from a wedge or the illumination; the spread of the prior of its slope."""
_CROWDED = 64
"""Number of regions above which steps need to be stronger, twice if it must be."""


@dataclass(frozen=True)
class GreyRegions:
    """Regions whose grey level makes a step at their borders."""

    labels: Labels
    """1 … n, shape (ny, nx)."""
    test: StepTest
    """Of the image they were found in."""
    _start: Labels
    """Pieces that they were merged from, and what was known of the image then."""
    _view: "_View"

    def with_textures(self, textures: Ints) -> "GreyRegions":
        """Regions found again, if pixels of one grey level differ in their noise.

        Parameters
        ----------
        textures
            Number from 0 of the material of each pixel; of the same grey level each
            has a noise of its own.
        """
        if _is_flat(self._view.smooth):
            return self
        return _found(self._start, replace(self._view, textures=textures))


def grey_regions(
    image: Array,
    *,
    texture: float = 0.0,
    smallest: float = 0.0,
    faintest: float = 1.0,
    smooth: Smoothed | None = None,
) -> GreyRegions:
    """Regions whose grey level makes a step at their borders.

    Parameters
    ----------
    image
        Grey levels, shape (ny, nx), finite.
    texture
        As in :func:`smoothed`.
    smallest
        Fewest pixels of a region.
    faintest
        Factor on what a step needs to count as a border.
    smooth
        The image smoothed for this texture, if it is at hand.
    """
    if smooth is None:
        smooth = smoothed(image, texture=texture)
    # Of a smaller one no lattice could be told.
    smallest = max(smallest, (3 * smooth.sigma) ** 2, (5 * texture) ** 2)
    fine = averaged(image, texture, texture) if texture > 0.5 else image
    relief = Relief(smooth.value, smooth.sigma)
    view = _View(fine, smooth, relief, texture, smallest, faintest)
    if _is_flat(smooth):
        whole = np.ones(image.shape, np.intp)
        return GreyRegions(whole, view.test, whole, view)
    return _found(_by_cost(basins(relief.slope), view), view)


def _is_flat(smooth: Smoothed) -> bool:
    """Whether an image has no grey levels but one."""
    return smooth.range <= 1e-9 * np.abs(smooth.value).max()


def _found(start: Labels, first: "_View") -> GreyRegions:
    """Regions merged from pieces of the image."""
    from skimage.measure import label

    labels, view = _divided(start, first)
    if view.smooth.sigma > 1.2 * max(1.0, view.texture):
        smooth = view.smooth
        labels = relaxed(labels, view.fine, smooth.noise, smooth.sigma)
        parts = label(labels, background=0, connectivity=1)
        labels = without_small(parts, view.across, view.smallest)
    return GreyRegions(labels, view.test, start, first)


@dataclass(frozen=True)
class _View:
    """An image and what is known of it so far."""

    fine: Array
    """Grey levels, smoothed over the texture only."""
    smooth: Smoothed
    relief: Relief
    """Of its grey levels."""
    texture: float
    smallest: float
    faintest: float
    textures: Ints | None = None

    def noise(self, rest: Array) -> Noise:
        """Noise of what is left of the image as it was first smoothed."""
        smooth = self.smooth
        if self.textures is None:
            return image_noise(smooth.value, smooth.noise, smooth.sigma, rest)
        level = smooth.value - smooth.value.min()
        # Pixels of the same integer part are of one material.
        alike = self.textures + 0.5 * level / max(level.max(), 1e-300)
        white = np.maximum(smooth.noise, _slope_noise(smooth, self.textures))
        return image_noise(alike, white, smooth.sigma, rest)

    @property
    def thinnest(self) -> float:
        """Depth of regions too thin to be any.

        Where two grains meet the density is off along a seam as wide as the average.
        """
        return (1.5 if self.texture else 1.0) * self.smooth.sigma + 0.01

    def with_noise(self, noise: Noise) -> "_View":
        smooth = self.smooth._replace(noise=noise.level, reach=noise.reach)
        return replace(self, smooth=smooth)

    @property
    def across(self) -> tuple[Array, Array]:
        """Steps between neighbouring pixels."""
        return self.relief.sharp[0]

    @cached_property
    def test(self) -> StepTest:
        """Of steps on the noise known so far."""
        return StepTest(self.smooth, relief=self.relief)

    @cached_property
    def weight(self) -> Array:
        """Of each pixel in sums over regions; little within a blurred edge."""
        smooth = self.smooth
        blurred = 2 * max(1.0, self.texture, smooth.blur) * self.relief.slope
        reach = np.maximum(smooth.reach, smooth.sigma)
        return 1 / (4 * np.pi * (reach * smooth.noise) ** 2 + blurred**2)


def _divided(start: Labels, view: _View) -> tuple[Labels, _View]:
    """Regions, and the view with its noise and without its illumination.

    Done again if the first division tells something: the noise measured in an image
    whose regions are known is less, and what all regions share is taken out.
    """
    first, raw = view, view.smooth.value
    noise = first.noise(raw)
    view = view.with_noise(noise)
    labels = _without_steps(start, view)
    light = common_illumination(raw, labels, _inside(labels, view), noise)
    flat = raw if light is None else light.removed(raw)
    rest = flat - region_planes(labels, flat)
    less = first.noise(rest if light is None else rest * light.gain)
    if light is None and np.mean(less.power > 0.8 * noise.power) > 0.95:
        return labels, view
    view = view.with_noise(less)
    if light is not None:
        smooth = view.smooth._replace(value=flat, noise=less.level / light.gain)
        relief = Relief(flat, smooth.sigma)
        view = replace(
            view, fine=light.removed(view.fine), smooth=smooth, relief=relief
        )
    return _without_steps(start, view), view


def _slope_noise(smooth: Smoothed, textures: Ints) -> Array:
    """Noise of each material from the slopes that edges do not reach, at each pixel."""
    slope = np.hypot(*np.gradient(smooth.value))
    usual = np.zeros(textures.max() + 1)
    for number in np.flatnonzero(np.bincount(textures.ravel())):
        usual[number] = low_percentile(slope[textures == number])
    # Of white noise the 20th percentile is √(−2 ln 0.8) of its slope along a line.
    return (np.sqrt(2 / (-2 * np.log(0.8))) * smooth.sigma * usual)[textures]


def _inside(labels: Labels, view: _View) -> Bools:
    """Pixels that no blurred border reaches."""
    from scipy.ndimage import maximum_filter

    reach = int(np.ceil(3 * np.hypot(view.smooth.sigma, view.smooth.blur)))
    return ~maximum_filter(at_borders(labels), 2 * reach + 1)


def _without_steps(start: Labels, view: _View) -> Labels:
    """Regions after mergers across what is no step."""
    smooth = view.smooth
    start = _by_cost(start, view)
    width = min(float(np.hypot(smooth.sigma, smooth.blur)), 2 * smooth.sigma)
    start = relaxed(start, view.fine, smooth.noise, width)
    across = view.test.across
    for factor in (1.0, 1.5, 2.0):
        test = replace(view.test, faintest=factor * view.faintest)
        labels = merge_without_step(
            start, view.fine, view.weight, view.relief.slope, test, across
        )
        labels = without_thin(
            labels, view.across, view.relief.slope, smooth.sigma, thinnest=view.thinnest
        )
        labels = without_small(labels, view.across, view.smallest)
        if labels.max() <= _CROWDED:
            break
    return labels


def _by_cost(labels: Labels, view: _View) -> Labels:
    """Merge neighbours that one plane describes as well as two; labels 1 … n."""
    prior = (max(labels.shape) / (_SLOPE * view.smooth.range)) ** 2

    def strength(found: Borders, sums: Array) -> tuple[Array, Array]:
        cost = merger_costs(found.first, found.second, sums, prior)
        per_length = np.maximum(cost, 0) / found.length
        # A border through noise of longer reach can bend to fit it less often.
        reach = sums[:, -1] / sums[:, -2]
        reach = np.maximum(reach[found.first], reach[found.second])
        bends = view.smooth.sigma / reach
        needed = np.maximum(_COST * bends, 12 / found.length) * view.faintest**2
        return per_length, needed

    # Labels from 0, so that none is without pixels.
    labels = labels - labels.min()
    reach = np.maximum(view.smooth.reach, view.smooth.sigma) + np.zeros(labels.shape)
    sums = np.column_stack([
        moments(labels, view.fine, view.weight),
        np.maximum(np.bincount(labels.ravel()), 1),
        np.bincount(labels.ravel(), reach.ravel()),
    ])  # fmt: skip
    return merged(borders(labels, view.across), sums, strength)[labels] + 1


def without_thin(
    labels: Labels,
    across: tuple[Array, Array],
    slope: Array,
    sigma: float,
    *,
    thinnest: float,
) -> Labels:
    """Regions given up that lie within one blurred edge.

    Those nowhere deeper than `thinnest`; those nowhere deeper than 2 σ whose grey
    level lies between those at their two sides; and pieces of an edge up to 4 σ deep.
    """
    from scipy.ndimage import distance_transform_edt

    labels = numbered(labels)
    edge = at_borders(labels)
    if not edge.any():
        return labels
    depth = np.zeros(labels.max() + 1)
    np.maximum.at(depth, labels.ravel(), distance_transform_edt(~edge).ravel() + 1)
    found = borders(labels, across)
    flank = between(found.first, found.second, found.step[:, 0], len(depth))
    shallow = np.where(flank, max(2 * sigma + 0.5, thinnest), thinnest)
    shallow[edge_pieces(found, flank)] = 4 * sigma
    keep = depth > shallow
    if keep[1:].all() or not keep[1:].any():
        return labels
    return flooded(slope, np.where(keep[labels], labels, 0))


def numbered(labels: Ints) -> Labels:
    """Labels 1 … n in the order of the given ones, of which 0 is one."""
    return np.cumsum(np.bincount(labels.ravel()) > 0)[labels]


def at_borders(labels: Ints) -> Bools:
    """Pixels with a neighbour of another label."""
    edge = np.zeros(labels.shape, bool)
    for axis in (0, 1):
        differs = np.diff(labels, axis=axis) != 0
        low = [slice(None)] * 2
        high = [slice(None)] * 2
        low[axis], high[axis] = slice(None, -1), slice(1, None)
        edge[tuple(low)] |= differs
        edge[tuple(high)] |= differs
    return edge


def without_small(
    labels: Labels, across: tuple[Array, Array], smallest: float
) -> Labels:
    """Regions of too few pixels merged where their border is the weakest."""

    def strength(found: Borders, sums: Array) -> tuple[Array, Array]:
        size = np.minimum(sums[found.first, 0], sums[found.second, 0])
        step = np.abs(found.mean_step[:, 0])
        # The smallest first, and each across its weakest border.
        order = size + step / max(step.max(initial=0) * 1.01, 1e-300)
        return order / smallest, np.ones(len(size))

    size = np.bincount(labels.ravel())[:, None].astype(float)
    labels = merged(borders(labels, across), size, strength)[labels]
    return numbered(labels)
