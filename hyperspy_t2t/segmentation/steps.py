# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Borders kept only where the grey level makes a step of its own.

A slope that goes on at both sides, as that of a wedge or of the illumination, is no
step. A step is sharp on the scale of the smoothing, or soft: spread over more.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numba import njit

from hyperspy_t2t.array_types import Array, Bools, Ints, Labels
from hyperspy_t2t.segmentation.flooding import flooded
from hyperspy_t2t.segmentation.gaussian import gaussian
from hyperspy_t2t.segmentation.merging import Borders, borders, merged
from hyperspy_t2t.segmentation.scale import Smoothed

_COARSE = 3.0
"""Smoothing for soft steps, in σ."""
_SHARP, _SOFT = (1.5, 3.0), (4.5,)
"""Distances in σ to both sides of a border over which its step is taken."""
_FAINTEST_SHARP, _FAINTEST_SOFT = 1 / 30, 1 / 10
"""Steps below this share of the range of grey levels are no borders."""
_SINGLE, _TOGETHER = 1.25, 7.0
"""Mean step over the noise of one step, and over that of the mean along the border,
from which it is one: chosen so that a watershed of pure noise leaves one region."""

_CONTACT, _BACKED = 0.5, 8.0
"""Length over the root of the smaller area below which a border is a mere contact, and
the stretches that it counts as."""


@dataclass(frozen=True)
class Relief:
    """Slopes and steps of a smoothed image, whatever its noise; each measured once."""

    value: Array
    """Grey levels, shape (ny, nx)."""
    sigma: float
    """Standard deviation of the smoothing in pixels."""

    @cached_property
    def slope(self) -> Array:
        """Size of the gradient, shape (ny, nx)."""
        return np.hypot(*np.gradient(self.value)).astype(np.float32)

    @cached_property
    def sharp(self) -> list[tuple[Array, Array]]:
        """Result of :func:`steps_across` for each of the sharp distances."""
        return [steps_across(self.value, self.sigma, d) for d in _SHARP]

    @cached_property
    def soft(self) -> list[tuple[Array, Array]]:
        """The same for the soft distances, in the image smoothed more."""
        coarse = gaussian(self.value, self.more, truncate=3)
        return [steps_across(coarse, self.sigma, d) for d in _SOFT]

    @property
    def more(self) -> float:
        """Standard deviation of what soft steps are smoothed by."""
        return float(np.sqrt((_COARSE * self.sigma) ** 2 - self.sigma**2))


@dataclass(frozen=True)
class StepTest:
    """What the steps at borders of one smoothed image are, and what they need.

    Parameters
    ----------
    smooth
        The image.
    faintest
        Factor on what a step needs to count as a border.
    relief
        That of the image, if it is at hand.
    """

    smooth: Smoothed
    faintest: float = 1.0
    relief: Relief | None = None

    @cached_property
    def across(self) -> tuple[Array, Array]:
        """Steps between neighbours in x and in y, for :func:`merging.borders`.

        Two for each of the sharp and the soft distances: in grey levels and in units
        of their noise, in turn. Soft steps are looked for in the image smoothed more.
        """
        smooth = self.smooth
        relief = self.relief or Relief(smooth.value, smooth.sigma)
        reach = np.maximum(smooth.reach, smooth.sigma)
        left = smooth.noise * (reach / np.hypot(reach, relief.more))
        rows, columns = smooth.value.shape
        count = 2 * len(_SHARP + _SOFT)
        result = (
            np.empty((count, rows, columns - 1)), np.empty((count, rows - 1, columns))
        )  # fmt: skip
        first = 0
        for steps, noise in ((relief.sharp, smooth.noise), (relief.soft, left)):
            level = (
                np.maximum(noise[:, 1:], noise[:, :-1]),
                np.maximum(noise[1:], noise[:-1]),
            )
            for one in steps:
                _add_relative(one, level, [kept[first:] for kept in result])
                first += 2
        return result

    def sharp(self, found: Borders, sums: Array) -> Array:
        """Strength of sharp steps, 1 where it is just enough."""
        step, stretches = np.abs(found.mean_step), self._stretches(found, sums)
        return np.maximum.reduce([
            self._enough(step[:, 2 * k : 2 * k + 2], stretches, _FAINTEST_SHARP)
            for k in range(len(_SHARP))
        ])  # fmt: skip

    def soft(self, found: Borders, sums: Array) -> Array:
        """Strength of soft steps between regions wide enough to have one.

        At most the difference of the regions' grey levels counts: the soft step of a
        part that lies beside a strong edge is not its own.
        """
        step = np.abs(found.mean_step)
        level = sums[:, 1] / sums[:, 0]
        apart = np.abs(level[found.first] - level[found.second])
        best, stretches = np.zeros(len(step)), self._stretches(found, sums)
        for column in range(2 * len(_SHARP), step.shape[1], 2):
            both = step[:, column : column + 2].copy()
            both[:, 0] = np.minimum(both[:, 0], apart)
            best = np.maximum(best, self._enough(both, stretches, _FAINTEST_SOFT))
        small = np.minimum(sums[found.first, 2], sums[found.second, 2])
        return np.where(small < (3 * _SOFT[0] * self.smooth.sigma) ** 2, 0, best)

    def _stretches(self, found: Borders, sums: Array) -> Array:
        """Independent stretches of each border: as long as its noise reaches.

        Where two regions meet along a small part of their outlines, these are no
        chance of that place: the steps elsewhere back it.
        """
        reach = sums[:, 3] / sums[:, 2]
        reach = np.maximum(reach[found.first], reach[found.second])
        smaller = np.minimum(sums[found.first, 2], sums[found.second, 2])
        short = found.length < _CONTACT * np.sqrt(smaller)
        return np.maximum(found.length / (3 * reach), np.where(short, _BACKED, 0))

    def _enough(self, step: Array, stretches: Array, share: float) -> Array:
        """Steps over what they need; below 1 if too faint, whatever the noise."""
        needed = np.maximum(_SINGLE, _TOGETHER / np.sqrt(stretches)) * self.faintest
        result = step[:, 1] / needed
        faint = step[:, 0] < share * self.smooth.range * self.faintest
        return np.where(faint, np.minimum(result, 0.99), result)


def merge_without_step(
    labels: Labels,
    image: Array,
    weight: Array,
    slope: Array,
    test: StepTest,
    across: tuple[Array, Array],
) -> Labels:
    """Merge neighbours without a step at their border, weakest first.

    Of regions that only have soft steps, those between lower and higher grey levels
    are the slopes of soft edges: their pixels go to both sides.

    Parameters
    ----------
    labels
        Shape (ny, nx), 0 and above.
    image, weight
        Grey levels and their weights, same shape.
    slope
        Size of the gradient, same shape.
    test
        What a step needs.
    across
        Its :attr:`StepTest.across`.
    """

    def strength(found: Borders, sums: Array) -> tuple[Array, Array]:
        order = np.abs(found.mean_step[:, 1::2]).max(axis=1)
        stays = np.maximum(test.sharp(found, sums), test.soft(found, sums)) >= 1
        return order, np.where(stays, 0, np.inf)

    sums = level_sums(labels, image, weight, test.smooth)
    labels = merged(borders(labels, across), sums, strength)[labels] + 1
    found = borders(labels, across)
    sharp = np.zeros(labels.max() + 1, bool)
    sums = level_sums(labels, image, weight, test.smooth)
    is_sharp = test.sharp(found, sums) >= 1
    sharp[found.first[is_sharp]] = sharp[found.second[is_sharp]] = True
    keep = sharp | ~between(found.first, found.second, found.step[:, -2], len(sharp))
    if keep[1:].all() or not keep[1:].any():
        return labels
    return flooded(slope, np.where(keep[labels], labels, 0))


def steps_across(value: Array, sigma: float, distance: float) -> tuple[Array, Array]:
    """Step between neighbouring pixels in x and in y, less a slope that goes on.

    The step is the difference over `distance` σ to both sides. Of it is taken the
    smaller of the slopes that follow on either side, if it has the same sign.

    Returns
    -------
    x, y
        Shapes (1, ny, nx − 1) and (1, ny − 1, nx), for :func:`merging.borders`.
    """
    reach = max(1, round(distance * sigma))
    beyond = max(2, round((distance + 0.5) * sigma))
    value = np.ascontiguousarray(value)
    return tuple(_steps_along(value, axis, reach, beyond)[None] for axis in (1, 0))


@njit(cache=True, nogil=True)
def _steps_along(value: Array, axis: int, reach: int, beyond: int) -> Array:
    """Steps between neighbours along an axis; distances in pixels."""
    down, right = 1 - axis, axis
    last = value.shape[axis] - 1
    result = np.empty((value.shape[0] - down, value.shape[1] - right))
    for row in range(result.shape[0]):
        for column in range(result.shape[1]):
            here = column if axis else row
            low, high = max(here - reach, 0), min(here + 1 + reach, last)
            far_low, far_high = max(low - beyond, 0), min(high + beyond, last)
            if axis:
                a, b = value[row, far_low], value[row, low]
                c, d = value[row, high], value[row, far_high]
            else:
                a, b = value[far_low, column], value[low, column]
                c, d = value[high, column], value[far_high, column]
            step = c - b
            sign = np.sign(step)
            least = np.inf
            # At the frame only the other side tells.
            if far_high - high > beyond // 2:
                least = sign * (d - c) / (far_high - high)
            if low - far_low > beyond // 2:
                least = min(least, sign * (b - a) / (low - far_low))
            least = max(least, 0.0) if least < np.inf else 0.0
            result[row, column] = step - sign * least * (high - low)
    return result


def level_sums(labels: Labels, image: Array, weight: Array, smooth: Smoothed) -> Array:
    """For each label sums of weights, weighted grey levels, pixels, reach of noise."""
    flat = labels.ravel()
    reach = np.broadcast_to(np.maximum(smooth.reach, smooth.sigma), labels.shape)
    terms = (
        weight.ravel(),
        (weight * image).ravel(),
        np.ones(flat.size),
        reach.ravel(),
    )
    return np.maximum(
        np.stack([np.bincount(flat, term) for term in terms], axis=1), 1e-300
    )


def _add_relative(
    across: tuple[Array, Array], level: tuple[Array, Array], result: list[Array]
) -> None:
    """Set steps, and steps in units of what those of noise alone spread."""
    for kept, step, unit in zip(result, across, level, strict=True):
        kept[0] = step[0]
        np.divide(step[0], unit, out=kept[1])
    # Less than √2 of the noise of a pixel, as both ends correlate.
    spread = np.percentile(np.abs(result[0][1]), 25, overwrite_input=True) / 0.3186
    spread = min(max(spread, 1.0), 1.5)
    for kept in result:
        kept[1] /= spread


def between(
    first: Ints,
    second: Ints,
    step: Array,
    count: int,
) -> Bools:
    """For each label whether grey levels go up at one side of it and down at another.

    Down counts from a tenth of what goes up, and the other way round.
    """
    up, down = np.zeros((2, count))
    for region, outward in ((first, step), (second, -step)):
        np.add.at(up, region, np.maximum(outward, 0))
        np.add.at(down, region, np.maximum(-outward, 0))
    return np.minimum(up, down) > 0.1 * np.maximum(up, down)


def edge_pieces(found: Borders, flank: Bools) -> list[int]:
    """Labels between a higher and a lower region that meet beside them as well.

    Along a blurred edge a watershed leaves pieces of the slope. A layer keeps the
    regions at its sides apart; beside a piece of an edge they have a border.
    """
    length = dict(
        zip(zip(found.first, found.second, strict=True), found.length, strict=True)
    )
    sides: dict[int, tuple[dict, dict]] = {
        int(k): ({}, {}) for k in np.nonzero(flank)[0]
    }
    for one, other, along, step in zip(
        found.first, found.second, found.length, found.step[:, 0], strict=True
    ):
        if one in sides:
            sides[one][int(step > 0)][other] = along
        if other in sides:
            sides[other][int(step <= 0)][one] = along
    pieces = []
    for region, (lower, higher) in sides.items():
        if not (lower and higher):
            continue
        a = max(lower, key=lower.__getitem__)
        b = max(higher, key=higher.__getitem__)
        direct = length.get((min(a, b), max(a, b)), 0.0)
        if direct > 0.5 * min(lower[a], higher[b]):
            pieces.append(region)
    return pieces
