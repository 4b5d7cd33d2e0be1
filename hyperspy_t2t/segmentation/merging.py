# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Neighbouring regions merged until every border left is a real step.

The border of two regions is a list of pairs of pixels; across each pair a signed
step of the grey level is measured. Steps of noise point either way along a border
and cancel, those of an edge add up, however weak each of them is. Sums over borders
are additive, so regions are merged, weakest border first, without a look back at the
image (a region adjacency graph; G. Koepfler, C. Lopez and J. M. Morel, SIAM J. Numer.
Anal. 31 (1994) 282, https://doi.org/10.1137/0731015).
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numba import njit

from hyperspy_t2t.array_types import Array, Ints, Labels

_LEVELS = np.geomspace(0.01, 100.0, 17)
"""Strengths up to which borders are removed, stage by stage."""
_ROUNDS = 4
"""Passes over all borders before the next stage begins."""
_SMALL = 0.05
"""Size over that of a neighbour below which a region joins it without a look back."""


Strength = Callable[["Borders", Array], tuple[Array, Array]]
"""Strength of each border and what it needs to stay, from borders and region sums."""


class Borders(NamedTuple):
    """Borders of a division, one entry per pair of neighbours."""

    first: Ints
    second: Ints
    """Labels of the pair, first < second."""
    length: Array
    """Pairs of pixels along the border."""
    step: Array
    """Sum over them of the step from the first to the second, (n, channels)."""

    @property
    def mean_step(self) -> Array:
        """Mean step of each border, (n, channels)."""
        return self.step / self.length[:, None]


def borders(labels: Labels, across: tuple[Array, Array]) -> Borders:
    """Borders of a division with the steps across them.

    Parameters
    ----------
    labels
        Shape (ny, nx), 0 and above.
    across
        Steps from each pixel to the next one in x, shape (channels, ny, nx − 1), and
        in y, (channels, ny − 1, nx).
    """
    pairs, steps = [], []
    for axis, step in zip((1, 0), across, strict=True):
        low = labels[:, :-1] if axis else labels[:-1]
        high = labels[:, 1:] if axis else labels[1:]
        where = np.nonzero(low != high)
        pairs.append(np.stack([low[where], high[where]]).astype(np.int64))
        steps.append(np.stack([channel[where] for channel in step], axis=1))
    (one, other), step = np.concatenate(pairs, axis=1), np.concatenate(steps)
    return Borders(*_summed(one, other, np.ones(len(step)), step))


@njit(cache=True, nogil=True)
def _summed(
    one: Ints,
    other: Ints,
    length: Array,
    step: Array,
) -> tuple[Ints, Ints, Array, Array]:
    """Entries of the same two regions added up, those within one region left out.

    Steps are taken from the lower to the higher label.
    """
    first, second = np.empty_like(one), np.empty_like(one)
    entry, count = np.empty_like(one), 0
    for k in range(len(one)):
        if one[k] != other[k]:
            first[count], second[count] = min(one[k], other[k]), max(one[k], other[k])
            entry[count] = k
            count += 1
    first, second, entry = first[:count], second[:count], entry[:count]
    order = _in_order(first, second)
    total, steps = np.zeros(count), np.zeros((count, step.shape[1]))
    a, b = np.empty_like(first), np.empty_like(first)
    last = -1
    for k in order:
        if last < 0 or first[k] != a[last] or second[k] != b[last]:
            last += 1
            a[last], b[last] = first[k], second[k]
        total[last] += length[entry[k]]
        sign = 1.0 if first[k] == one[entry[k]] else -1.0
        for channel in range(step.shape[1]):
            steps[last, channel] += sign * step[entry[k], channel]
    count = last + 1
    return a[:count], b[:count], total[:count], steps[:count]


@njit(cache=True, nogil=True)
def _in_order(first: Ints, second: Ints) -> Ints:
    """Order by first label, then by second: two counting sorts, which are stable."""
    order = np.arange(len(first))
    count = second.max() + 1 if len(second) else 0
    for key in (second, first):
        place = np.zeros(count + 1, np.int64)
        for k in range(len(key)):
            place[key[k] + 1] += 1
        for label in range(count):
            place[label + 1] += place[label]
        moved = np.empty_like(order)
        for one in order:
            moved[place[key[one]]] = one
            place[key[one]] += 1
        order = moved
    return order


def merged(found: Borders, sums: Array, strength: Strength) -> Ints:
    """Merge regions across borders that are no real step, weakest first.

    Parameters
    ----------
    found
        Borders of the division to start from.
    sums
        Additive measures of each label, shape (highest label + 1, measures).
    strength
        Gives the strength of borders and the limits below which they are removed.

    Returns
    -------
    ndarray
        New label of each old one, 0 … n − 1.
    """
    new = np.arange(len(sums))
    for level in _LEVELS:
        rounds = _ROUNDS if level < _LEVELS[-1] else len(sums)
        for _ in range(rounds):
            weight, limit = strength(found, sums)
            weight = np.where(weight < limit, weight, np.inf)
            target = _joined(found.first, found.second, weight, level, sums[:, 0])
            stays = target == np.arange(len(sums))
            if stays.all():
                break
            step = (np.cumsum(stays) - 1)[target]
            sums = _added(step, sums, int(stays.sum()))
            new = step[new]
            found = _contracted(found, step)
    return new


@njit(cache=True, nogil=True)
def _joined(
    first: Ints,
    second: Ints,
    weight: Array,
    limit: float,
    size: Array,
) -> Ints:
    """Label that each region takes when borders below a limit are removed.

    A border goes if it is the weakest of both of its regions, or the weakest of one
    that is so much smaller than the other that the other hardly changes.
    """
    count = len(size)
    weakest = np.full(count, -1)
    for k in range(len(first)):
        for region in (first[k], second[k]):
            best = weakest[region]
            # Of equal borders the first in the list wins, for both regions alike.
            if best < 0 or weight[k] < weight[best]:
                weakest[region] = k
    target = np.arange(count)
    for k in range(len(first)):
        if not weight[k] < limit:
            continue
        a, b = first[k], second[k]
        of_a, of_b = weakest[a] == k, weakest[b] == k
        if not (
            (of_a and of_b)
            or (of_a and size[a] < _SMALL * size[b])
            or (of_b and size[b] < _SMALL * size[a])
        ):
            continue
        while target[a] != a:
            a = target[a]
        while target[b] != b:
            b = target[b]
        target[max(a, b)] = min(a, b)
    for region in range(count):
        # Targets are smaller than what they replace: those before are settled.
        target[region] = target[target[region]]
    return target


@njit(cache=True, nogil=True)
def _added(step: Ints, sums: Array, count: int) -> Array:
    """Sums of the regions that become one."""
    result = np.zeros((count, sums.shape[1]))
    for region in range(len(step)):
        result[step[region]] += sums[region]
    return result


def _contracted(found: Borders, step: Ints) -> Borders:
    """Borders after labels became `step[label]`."""
    first, second, length, steps = found
    return Borders(*_summed(step[first], step[second], length, steps))
