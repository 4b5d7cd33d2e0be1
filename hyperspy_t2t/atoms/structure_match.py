# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Which sites of one phase stand for those of another when both share a lattice."""

from dataclasses import dataclass

import numpy as np

from hyperspy_t2t.array_types import Array, Ints
from hyperspy_t2t.phases.crystal_phase import CrystalPhase

_ANGLE = 2.0
"""Degrees by which angles of the cells may differ."""
_RATIO = 0.15
"""Share by which the ratios of the axes may differ."""
_APART = 0.06
"""Largest fractional coordinate between two sites that stand for each other."""
_SAME_PLACE = 1e-3
"""Fractional coordinates of elements that share one place differ by less."""
_PERIODS = np.array([1, 3, 11, 19, 37, 55, 87])
"""First element of each period of the periodic table."""
_ELECTRONEGATIVITY = np.array([
    2.2, 0, .98, 1.57, 2.04, 2.55, 3.04, 3.44, 3.98, 0, .93, 1.31, 1.61, 1.90, 2.19,
    2.58, 3.16, 0, .82, 1.0, 1.36, 1.54, 1.63, 1.66, 1.55, 1.83, 1.88, 1.91, 1.90, 1.65,
    1.81, 2.01, 2.18, 2.55, 2.96, 3.0, .82, .95, 1.22, 1.33, 1.6, 2.16, 1.9, 2.2, 2.28,
    2.2, 1.93, 1.69, 1.78, 1.96, 2.05, 2.1, 2.66, 2.6, .79, .89, 1.1, 1.12, 1.13, 1.14,
    1.13, 1.17, 1.2, 1.2, 1.1, 1.22, 1.23, 1.24, 1.25, 1.1, 1.27, 1.3, 1.5, 2.36, 1.9,
    2.2, 2.2, 2.28, 2.54, 2.0, 1.62, 2.33, 2.02, 2.0, 2.2, 0, .7, .9, 1.1, 1.3, 1.5,
    1.38, 1.36, 1.28,
])  # fmt: skip
"""Of H to Pu on Pauling's scale, A. L. Allred, J. Inorg. Nucl. Chem. 17 (1961) 215,
https://doi.org/10.1016/0022-1902(61)80142-5, as in the CRC Handbook of Chemistry and
Physics; 0 where there is none."""


@dataclass(frozen=True)
class SiteMatch:
    """Sites of a second phase on those of a first.

    Parameters
    ----------
    site
        For each site of the first phase, which site of the second stands there, shape
        (n,). Of elements that share a place, the first listed.
    shift
        Fractional shift that lays the second on the first, −½ to ½, shape (3,).
    inverted
        Whether the second is turned over first, x → −x: its lattice is the same.
    deviation
        Largest fractional coordinate between two such sites.
    """

    site: Ints
    shift: Array
    inverted: bool
    deviation: float


def matching_sites(first: CrystalPhase, second: CrystalPhase) -> SiteMatch | None:
    """Sites of the second phase where those of the first are, if their cells are alike.

    The cells are alike where their angles are equal within 2° and the ratios of their
    axes within 15 %, whatever their size. After one shift, with or without inversion,
    each site must lie on one of the other within 0.06 of the axes, all shifted ions
    about their common middle. Of several ways that with most equal elements is taken,
    then that with most of one group of the periodic table, then that with the nearest
    electronegativities, then that without inversion and with the smallest shift.

    Returns
    -------
    SiteMatch or None
        None where the phases have no such sites in common.
    """
    if not _alike(first.cell, second.cell):
        return None
    ours, theirs = _places(first), _places(second)
    if len(ours.fractional) != len(theirs.fractional):
        return None
    found = []
    for sign in (1, -1):
        turned = sign * theirs.fractional
        for shift in ours.fractional[0] - turned:
            laid = _laid(ours.fractional, turned, shift)
            if laid is not None:
                place, shift, deviation = laid
                cost = _chemistry(ours.number, theirs.number[place])
                order = (*cost, sign < 0, round(float(np.linalg.norm(shift)), 6))
                found.append((order, place, shift, deviation))
    if not found:
        return None
    order, place, shift, deviation = min(found, key=lambda way: way[0])
    site = theirs.site[place[ours.of_site]]
    return SiteMatch(site, shift, bool(order[3]), float(deviation))


@dataclass(frozen=True)
class _Places:
    """Places of the sites of a phase; elements that share one are one."""

    fractional: Array
    number: Ints
    """Of the element with the largest occupancy."""
    site: Ints
    """First site of each place."""
    of_site: Ints
    """Place of each site."""


def _places(phase: CrystalPhase) -> _Places:
    difference = phase.fractional[:, None] - phase.fractional
    same = np.abs(difference - np.rint(difference)).max(axis=-1) < _SAME_PLACE
    site, of_site = np.unique(same.argmax(axis=1), return_inverse=True)
    most = [
        max(np.flatnonzero(of_site == k), key=lambda i: phase.occupancy[i])
        for k in range(len(site))
    ]
    return _Places(phase.fractional[site], phase.numbers[most], site, of_site.ravel())


def _alike(first: tuple, second: tuple) -> bool:
    """Whether two cells have the same angles and ratios of axes, nearly."""
    lengths, angles = np.split(np.array([first, second], float), 2, axis=1)
    ratios = lengths[0] / lengths[1]
    return bool(
        np.abs(angles[0] - angles[1]).max() <= _ANGLE
        and ratios.max() <= (1 + _RATIO) * ratios.min()
    )


def _laid(ours: Array, theirs: Array, shift: Array) -> tuple | None:
    """Which of their places lies on each of ours, the best shift, and what is left."""
    difference = ours[:, None] - theirs - shift
    difference -= np.rint(difference)
    place = np.abs(difference).max(axis=-1).argmin(axis=1)
    if len(np.unique(place)) < len(place):
        return None
    difference = difference[np.arange(len(place)), place]
    # The shift from one pair of sites is not the best where ions are off their places.
    middle = 0.5 * (difference.max(axis=0) + difference.min(axis=0))
    deviation = np.abs(difference - middle).max()
    if deviation > _APART + 1e-9:
        return None
    shift = shift + middle
    return place, np.round(shift - np.rint(shift - 1e-9), 9) + 0.0, deviation


def _chemistry(ours: Ints, theirs: Ints) -> tuple[int, int, float]:
    """How unlike two lists of elements are: the smaller, the better."""
    equal = ours == theirs
    group = ~equal & (_group(ours) == _group(theirs))
    top = len(_ELECTRONEGATIVITY)
    pairs = [_ELECTRONEGATIVITY[np.clip(z, 1, top) - 1] for z in (ours, theirs)]
    apart = np.abs(pairs[0] - pairs[1]).sum()
    return -int(equal.sum()), -int(group.sum()), round(float(apart), 6)


def _group(numbers: Ints) -> Ints:
    """Group of the periodic table, 1 to 18, 3 for lanthanides and actinides."""
    period = np.searchsorted(_PERIODS, numbers, side="right") - 1
    group = numbers - _PERIODS[period] + 1
    short = ((period == 0) & (group > 1)) | ((period > 0) & (period < 3) & (group > 2))
    group = np.where(short, group + np.where(period == 0, 16, 10), group)
    long = period > 4
    return np.where(
        long & (group > 17), group - 14, np.where(long & (group > 3), 3, group)
    )
