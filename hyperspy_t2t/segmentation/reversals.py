# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Bands without fringes inside one lattice, where its contrast reverses.

In HRTEM the amplitude of a fringe goes with thickness and defocus as a cosine: it
passes through zero, and bright and dark change places. The fringes of both sides of
such a band, continued into it, are opposite in phase, and their sum weighted with the
distance, which passes through zero, is what is seen there. Behind a patch of another
material the fringes of one crystal are in phase, those of another have any phase; and
at the border they end abruptly.
"""

from collections.abc import Sequence

import numpy as np
from numba import njit

from hyperspy_t2t.array_types import Array, Ints, Mask
from hyperspy_t2t.segmentation.distortion import phase_turn
from hyperspy_t2t.segmentation.fringes import FringeMaps
from hyperspy_t2t.segmentation.gaussian import gaussian

_OPPOSITE = 0.7
"""Mean of −cos of the phase difference from which two sides are opposite, 45°."""
_BESIDE = 1.75
"""Distance from a band, in σ, at which the Gaussian no longer reaches into it."""
_LEFT = 0.5
"""Least share of the expected amplitude, as at the border of a crystal."""
_BEYOND = 2.0
"""Expected amplitude, over one that is just seen, at which both sides of what is too
faint to be seen have to show it: across a patch of another material neither does."""


def reversal_bands(
    maps: FringeMaps,
    lattices: Sequence[tuple[Ints, float]],
    owner: Ints,
    present: Mask,
    hidden: Array,
) -> Mask:
    """Samples without a lattice where the contrast of one reverses.

    Each lies between the nearest sample with a lattice and the first one in the
    opposite direction.

    Parameters
    ----------
    maps
        Waves at all frequencies.
    lattices
        Indices of the frequencies of each and the root mean square of its amplitudes.
    owner
        Index of the lattice nearest to each sample, shape (ny, nx).
    present
        Samples with a lattice, same shape.
    hidden
        Amplitude over that of its lattice below which none is seen, same shape.
    """
    result = np.zeros_like(present)
    if present.all() or not present.any():
        return result
    sides = _both_sides(present, _BESIDE * maps.sigma / maps.pitch)
    lattice = owner[tuple(sides[1])]
    same = lattice == owner[tuple(sides[2])]
    sides, lattice = sides[:, :, same], lattice[same]
    for index, (members, plateau) in enumerate(lattices):
        mine = sides[:, :, lattice == index]
        if mine.size:
            hit = _is_reversal(maps, members, mine, hidden * plateau)
            result[tuple(mine[0][:, hit])] = True
    return result


def _both_sides(present: Mask, beside: float) -> Ints:
    """Samples without a lattice, and those with one on both sides of each.

    Shape (3, 2, n); the latter a distance `beside` from the border if present there.
    """
    from scipy.ndimage import distance_transform_edt

    distance, index = distance_transform_edt(~present, return_indices=True)
    at = np.stack(np.nonzero(~present))
    nearest = index[:, at[0], at[1]]
    away = (at - nearest) / distance[tuple(at)]
    one = np.rint(nearest - beside * away).astype(np.intp)
    last = np.reshape(present.shape, (2, 1)) - 1
    first = _steps_to(present, at, away)
    found = first > 0
    at, one, away = at[:, found], one[:, found], away[:, found]
    other = np.rint(at + (first[found] + beside) * away).astype(np.intp)
    one, other = np.clip(one, 0, last), np.clip(other, 0, last)
    keep = present[tuple(one)] & present[tuple(other)]
    return np.stack([at, one, other])[:, :, keep]


@njit(cache=True, nogil=True)
def _steps_to(present: Mask, at: Ints, away: Array) -> Ints:
    """Steps along a direction to the first sample present, 0 without one."""
    rows, columns = present.shape
    result = np.zeros(at.shape[1], np.intp)
    for k in range(at.shape[1]):
        step = 1
        while True:
            row = int(np.rint(at[0, k] + step * away[0, k]))
            column = int(np.rint(at[1, k] + step * away[1, k]))
            if row < 0 or column < 0 or row >= rows or column >= columns:
                break
            if present[row, column]:
                result[k] = step
                break
            step += 1
    return result


def _is_reversal(maps: FringeMaps, members: Ints, sides: Ints, hidden: Array) -> Mask:
    """Whether the waves of both sides are opposite and add up to what is seen."""
    at, one, other = (tuple(side) for side in sides)
    length = np.maximum(np.linalg.norm(sides[2] - sides[1], axis=0), 1)
    share = np.linalg.norm(sides[0] - sides[1], axis=0) / length
    overlap, both, expected, left, right = np.zeros((5, sides.shape[2]))
    for wave in maps.wave[members]:
        turns = [
            np.angle(gaussian(phase_turn(wave, axis), maps.sigma / maps.pitch))
            for axis in (0, 1)
        ]
        slope = np.array([(turn[one] + turn[other]) / 2 for turn in turns])
        start = wave[one] * np.exp(1j * (slope * (sides[0] - sides[1])).sum(axis=0))
        end = wave[other] * np.exp(1j * (slope * (sides[0] - sides[2])).sum(axis=0))
        overlap += (start * end.conj()).real
        both += np.abs(start * end)
        expected += np.abs((1 - share) * start + share * end) ** 2
        left += np.abs(start) ** 2
        right += np.abs(end) ** 2
    expected, left, right = (np.sqrt(v / len(members)) for v in (expected, left, right))
    seen = np.sqrt((np.abs(maps.wave[members]) ** 2).mean(axis=0))
    shown = seen[at] > _LEFT * expected
    faint = expected < hidden[at]
    zero = left / np.maximum(left + right, 1e-300)
    for sign in (-1, 1):
        where = zero + sign * _BEYOND * hidden[at] / np.maximum(left + right, 1e-300)
        where = np.clip(where, 0, 1)
        place = np.rint(sides[1] + where * (sides[2] - sides[1])).astype(np.intp)
        least = _LEFT * np.abs(where - zero) * (left + right)
        faint &= seen[tuple(place)] > least
    return (overlap < -_OPPOSITE * both) & np.where(expected < hidden[at], faint, shown)
