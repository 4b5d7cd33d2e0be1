# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""How certain the region of each pixel is."""

import numpy as np

from hyperspy_t2t.array_types import Array, Labels, pair
from hyperspy_t2t.segmentation.lattices import SEEN
from hyperspy_t2t.segmentation.merging import Borders, borders
from hyperspy_t2t.segmentation.steps import StepTest, level_sums


def border_strengths(
    labels: Labels,
    test: StepTest,
    strength: Array | None,
    doublings: Array | None = None,
) -> tuple[Borders, Array]:
    """Borders of a division and how far each exceeds what a border needs.

    The largest of the mean step of the grey level over what noise and the faintest
    step allow, of the mean change of a lattice's strength over three tenths, and of
    how often the power of one texture doubles to that of the other.

    Parameters
    ----------
    labels
        Shape (ny, nx), 1 and above.
    test
        Of the image they were found in.
    strength
        Strengths of lattices, shape (lattices, ny, nx), or None.
    doublings
        Power of the texture of each pixel as a power of two, NaN where fringes are,
        shape (ny, nx), or None.
    """
    found = borders(labels, test.across)
    sums = level_sums(labels, test.smooth.value, np.ones(labels.shape), test.smooth)
    result = np.maximum(test.sharp(found, sums), test.soft(found, sums))
    if strength is not None:
        reach = pair(
            np.concatenate([_difference(one, axis) for one in strength])
            for axis in (1, 0)
        )
        change = np.abs(borders(labels, reach).mean_step).max(axis=1)
        result = np.maximum(result, change / SEEN)
    if doublings is not None:
        mean = _region_means(labels, doublings)
        ratio = np.abs(mean[found.first] - mean[found.second])
        result = np.fmax(result, ratio)
    return found, result


def _region_means(labels: Labels, values: Array) -> Array:
    """Mean of the finite values of each region, NaN without any."""
    finite = np.isfinite(values)
    count, total = (
        np.bincount(labels[finite], weight, labels.max() + 1)
        for weight in (None, values[finite])
    )
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _difference(strength: Array, axis: int) -> Array:
    """Change of a lattice's strength across each pair of pixels, (1, …).

    Taken over an eighth of the image at most: strengths are smooth.
    """
    value = np.moveaxis(strength, axis, -1)
    last = value.shape[-1] - 1
    reach = max(1, last // 16)
    index = np.arange(last)
    low, high = np.clip([index - reach, index + 1 + reach], 0, last)
    return np.moveaxis(value[..., high] - value[..., low], -1, axis)[None]


def merged_to(labels: Labels, found: Borders, strength: Array, count: int) -> Labels:
    """Regions merged across their weakest borders until `count` are left."""
    length = found.length
    found = found._replace(step=(strength * length)[:, None])
    while labels.max() > count and len(found.first):
        weakest = int(np.argmin(found.step[:, 0] / found.length))
        pair = {int(found.first[weakest]), int(found.second[weakest])}
        labels, found = _joined(labels, found, pair)
    return labels


def _joined(labels: Labels, found: Borders, pair: set[int]) -> tuple[Labels, Borders]:
    """Two regions made one, labels 1 … n, strengths averaged by length."""
    keep, gone = min(pair), max(pair)
    table = np.arange(labels.max() + 1)
    table[gone] = keep
    table[table > gone] -= 1
    first, second = np.sort([table[found.first], table[found.second]], axis=0)
    left = first != second
    key = first[left] * len(table) + second[left]
    _, index, inverse = np.unique(key, return_index=True, return_inverse=True)
    return table[labels], Borders(
        first[left][index],
        second[left][index],
        np.bincount(inverse, found.length[left]),
        np.bincount(inverse, found.step[left, 0])[:, None],
    )


def confidence_map(
    labels: Labels, found: Borders, strength: Array, sigma: float
) -> Array:
    """Certainty between 0 and 1 that each pixel belongs to its region.

    A border that exceeds what it needs s times exists with the certainty
    e = 1 − exp(−s). At the distance d of a border the certainty of the pixel is
    ē [1 − (1 − e / 2) exp(−d² / 2σ²)]: one half at a certain border, and far from
    all borders the mean ē over those of the region, by length.

    Parameters
    ----------
    labels
        Shape (ny, nx); 0 has no certainty.
    found, strength
        Result of :func:`border_strengths`.
    sigma
        Standard deviation in pixels to which a border's place is known.
    """
    from scipy.ndimage import distance_transform_edt

    result = np.where(labels > 0, 1.0, 0.0).astype(np.float32)
    if not len(found.first):
        return result
    exists = 1 - np.exp(-strength)
    weight, total = np.zeros((2, labels.max() + 1))
    for region in (found.first, found.second):
        np.add.at(weight, region, found.length)
        np.add.at(total, region, found.length * exists)
    whole = np.where(weight > 0, total / np.maximum(weight, 1e-300), 1.0)
    at_border = _border_certainty(labels, found, exists)
    distance, nearest = distance_transform_edt(np.isnan(at_border), return_indices=True)
    near = at_border[tuple(nearest)]
    local = 1 - (1 - near / 2) * np.exp(-((distance / sigma) ** 2) / 2)
    return (result * whole[labels] * local).astype(np.float32)


def _border_certainty(labels: Labels, found: Borders, exists: Array) -> Array:
    """Certainty of the border at pixels that have one, NaN at all others."""
    count = int(labels.max()) + 1
    key = found.first * count + found.second
    order = np.argsort(key)
    result = np.full(labels.shape, np.nan)
    for axis in (0, 1):
        low, high = [slice(None)] * 2, [slice(None)] * 2
        low[axis], high[axis] = slice(None, -1), slice(1, None)
        one, other = labels[tuple(low)], labels[tuple(high)]
        where = (one != other) & (one > 0) & (other > 0)
        pair = np.minimum(one, other)[where].astype(np.int64) * count
        pair += np.maximum(one, other)[where]
        value = exists[order[np.searchsorted(key[order], pair)]]
        for side in (low, high):
            view = result[tuple(side)]
            view[where] = np.fmin(view[where], value)
    return result
