# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Which of several crystals each place of a region belongs to.

Spots that only one of the crystals has tell it: the local amplitude of its fringes is
half its full value at the border of a crystal, from either side. So a place belongs to
the crystal whose amplitude, relative to its full value, is the largest.
"""

import numpy as np
from scipy.ndimage import gaussian_filter1d, median_filter, sum_labels
from scipy.ndimage import label as connected

from hyperspy_t2t.array_types import Array, Ints, Mask
from hyperspy_t2t.segmentation.nearest import nearest_label

Parts = Ints
OVERLAP = 0.6
"""Amplitude of a crystal elsewhere over that in its own part from which the two lie
above one another rather than side by side."""
PLANAR = 0.85
"""Share of each crystal's part that must agree with planes for borders to be planes."""
_SHARED_ROW = 0.3
"""Share of the plane spacing by which a border may be nearer to the dark row that
leaves a row between to the second crystal, and still leave it to the first."""
_ROUNDS = 4


def crystal_parts(power: Array, inside: Mask, *, least: float) -> Parts:
    """The crystal of each place, from the power of its own spots.

    Parameters
    ----------
    power
        Sum of the squared amplitudes of each crystal's own spots, less noise, shape
        (crystals, ny, nx); the main crystal first.
    inside
        Where the region is, (ny, nx).
    least
        Number of places of the smallest part.

    Returns
    -------
    ndarray
        Numbers of the crystals from 0, −1 outside, int32. A crystal without a part of
        its own has none: others are as strong there (crystals above one another), or
        it is too small.
    """
    strength = np.sqrt(np.maximum(power, 0.0))
    kept = list(range(len(power)))
    while len(kept) > 1:
        parts = _divided(strength[kept], inside, least)
        worst = _not_apart(strength[kept], parts)
        if worst is None:
            return np.append(kept, -1).astype(np.int32)[parts]
        kept.pop(worst)
    return np.where(inside, np.int32(kept[0]), np.int32(-1))


def planar_parts(parts: Parts, height: Array, image: Array, *, step: float) -> Parts:
    """The same parts with borders on planes, if theirs are nearly that.

    A border is moved by less than a plane to where the planes are darkest on average:
    between two rows of atoms where these are bright, so that no row is cut.

    Parameters
    ----------
    parts
        Of two crystals, −1 outside, (ny, nx).
    height
        Place across the planes in spacings of the planes, (ny, nx).
    image
        Grey levels, (ny, nx).
    step
        Distance of the places of the grid in spacings of the planes.

    Returns
    -------
    ndarray
        Every plane has the crystal that most of it had; the parts themselves unless
        that leaves 85 % of each of them.
    """
    inside = parts >= 0
    numbers = np.unique(parts[inside])
    place = np.rint((height - height[inside].min()) / step).astype(np.intp)
    place = np.where(inside, place, 0)
    size = int(place.max()) + 1
    votes = np.stack([np.bincount(place[parts == k], minlength=size) for k in numbers])
    voted = numbers[votes.argmax(axis=0)][place]
    if min((voted[parts == k] == k).mean() for k in numbers) < PLANAR:
        return parts
    total = np.bincount(place[inside], image[inside], minlength=size)
    level = total / np.maximum(votes.sum(axis=0), 1)
    of_plane = _between_rows(votes.argmax(axis=0), level, 1 / step)
    return np.where(inside, numbers[of_plane][place], -1).astype(np.int32)


def _between_rows(of_plane: Ints, level: Array, spacing: float) -> Ints:
    """Crystal of each plane, its changes moved to the nearest lowest level.

    A row that both share, as the twin plane of fcc, goes to the first crystal.
    """
    # Without runs of less than one plane.
    of_plane = median_filter(of_plane, 2 * int(spacing) + 1, mode="nearest")
    smooth = gaussian_filter1d(level, max(spacing / 8, 0.5))
    dark = 1 + np.flatnonzero(
        (smooth[1:-1] <= smooth[:-2]) & (smooth[1:-1] < smooth[2:])
    )
    changes = np.flatnonzero(np.diff(of_plane)) + 1
    result = of_plane.copy()
    for change, end in zip(changes, [*changes[1:], len(of_plane)], strict=True):
        before, after = of_plane[change - 1], of_plane[change]
        # Positive where the first crystal gains.
        gain = (dark - change) * (1 if before < after else -1)
        away = np.abs(gain) + _SHARED_ROW * spacing * (gain < 0)
        border = int(change)
        if len(dark) and away.min() <= (0.5 + _SHARED_ROW) * spacing:
            border = int(dark[away.argmin()])
        result[min(border, change) : border] = before
        result[border:end] = after
    return result


def _divided(strength: Array, inside: Mask, least: float) -> Parts:
    """The strongest relative to its full value, which its own part tells."""
    full = strength[:, inside].max(axis=1)
    for _ in range(_ROUNDS):
        relative = strength / np.maximum(full, 1e-30)[:, None, None]
        parts = np.where(inside, relative.argmax(axis=0), -1).astype(np.int32)
        parts = _without_small(parts, inside, least)
        full = np.array([
            np.percentile(one[parts == k], 75) if (parts == k).any() else full[k]
            for k, one in enumerate(strength)
        ])  # fmt: skip
    return parts


def _without_small(parts: Parts, inside: Mask, least: float) -> Parts:
    """Parts that are too small go to the nearest others."""
    kept = np.zeros_like(parts)
    for k in np.unique(parts[inside]):
        pieces, count = connected(parts == k)
        large = sum_labels(np.ones_like(pieces), pieces, np.arange(count + 1)) >= least
        large[0] = False
        kept[large[pieces]] = k + 1
    if not kept.any():
        return np.where(inside, np.int32(0), np.int32(-1))
    return np.where(inside, nearest_label(kept, (1.0, 1.0)) - 1, -1).astype(np.int32)


def _not_apart(strength: Array, parts: Parts) -> int | None:
    """A crystal, not the first, that is none of its own; None if there is none."""
    for k in range(len(strength) - 1, 0, -1):
        if not (parts == k).any() or not (parts == 0).any():
            return k
        for one, other in ((0, k), (k, 0)):
            own = np.median(strength[one][parts == one])
            if np.median(strength[one][parts == other]) > OVERLAP * own:
                return k
    return None
