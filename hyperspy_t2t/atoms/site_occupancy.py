# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Which element, or none, sits on each of many equal sites."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numba import njit

from hyperspy_t2t.array_types import Array, Ints
from hyperspy_t2t.phases.crystal_phase import CrystalPhase

_BLOCK = 1 << 20


@dataclass(frozen=True)
class MixedSites:
    """Places of a cell and what may sit on each.

    Parameters
    ----------
    fractional
        Coordinates of the places, shape (n, 3).
    numbers
        Atomic numbers of the choices at each place, 0 for none, shape (n, k).
    level
        Cumulative occupancies of the choices, the last one 1, shape (n, k).
    """

    fractional: Array
    numbers: Ints
    level: Array

    def __len__(self) -> int:
        return len(self.fractional)

    @property
    def shares(self) -> Array:
        """Occupancy of each choice, shape (n, k); each row sums to 1."""
        return np.diff(self.level, axis=1, prepend=0.0)


def mixed_sites(phase: CrystalPhase, sites: Ints | None = None) -> MixedSites:
    """Sites of a phase with those on one place put together.

    Parameters
    ----------
    phase
        The phase. Occupancies at one place that sum to less than 1 leave it empty now
        and then; a sum above 1 is scaled to 1.
    sites
        Indices of some of its sites, for example those of
        :func:`~hyperspy_t2t.atoms.primitive.primitive_sites`; all by default.
    """
    chosen = np.arange(len(phase.numbers)) if sites is None else np.asarray(sites)
    fractional, occupancy = phase.fractional[chosen], phase.occupancy[chosen]
    difference = fractional[:, None] - fractional[None]
    same = np.abs(difference - np.rint(difference)).max(axis=-1) < 1e-4
    first = same.argmax(axis=1)
    places = np.unique(first)
    choices = [np.flatnonzero(first == place) for place in places]
    full = all(len(c) == 1 for c in choices) and np.all(occupancy > 1 - 1e-6)
    width = 1 if full else max(map(len, choices)) + 1
    numbers = np.zeros((len(places), width), np.int64)
    level = np.ones((len(places), width))
    for row, members in enumerate(choices):
        numbers[row, : len(members)] = phase.numbers[chosen[members]]
        occupied = np.cumsum(occupancy[members])
        level[row, : len(members)] = occupied / max(1.0, occupied[-1])
    return MixedSites(fractional[places], numbers, level)


def draw_numbers(sites: MixedSites, site: Ints, seed: int) -> npt.NDArray[np.int16]:
    """Atomic number at each of many sites, 0 where it stays empty.

    Sites with the same choices hold as many atoms of each as their occupancy says, to
    the nearest whole number; every arrangement of them is equally likely.

    Parameters
    ----------
    sites
        What may sit on each site of the cell.
    site
        Which site of the cell each place is, shape (n,).
    seed
        Of the random numbers.
    """
    if sites.numbers.shape[1] == 1:
        return sites.numbers[:, 0].astype(np.int16)[site]
    kinds, kind = np.unique(
        np.concatenate([sites.numbers, np.round(sites.shares, 6)], axis=1),
        axis=0,
        return_inverse=True,
    )
    kind = kind.ravel()
    totals = np.bincount(
        kind, np.bincount(site, minlength=len(sites)), minlength=len(kinds)
    )
    first = np.array([int(np.flatnonzero(kind == k)[0]) for k in range(len(kinds))])
    left = np.stack(
        [
            _whole_numbers(sites.shares[f] * n)
            for f, n in zip(first, totals, strict=True)
        ]
    )
    choices = sites.numbers[first].astype(np.int16)
    random = np.random.default_rng(seed)
    numbers = np.empty(len(site), np.int16)
    for start in range(0, len(site), _BLOCK):
        part = slice(start, start + _BLOCK)
        of_atom = kind[site[part]]
        _draw(of_atom, random.random(len(of_atom)), left, choices, numbers[part])
    return numbers


def _whole_numbers(wanted: Array) -> Ints:
    """Whole numbers of the same sum as close to the wanted ones as can be."""
    whole = np.floor(wanted + 1e-9).astype(np.int64)
    rest = wanted - whole
    missing = int(np.rint(wanted.sum())) - int(whole.sum())
    whole[np.argsort(-rest, kind="stable")[:missing]] += 1
    return whole


@njit(cache=True, nogil=True)
def _draw(
    kind: Ints, random: Array, left: Ints, choices: Ints,
    numbers: npt.NDArray[np.int16],
) -> None:  # fmt: skip
    """Draw without putting back: `left` (kinds, choices) counts down to zero."""
    for n in range(len(kind)):
        stock = left[kind[n]]
        pick = random[n] * stock.sum()
        choice = 0
        below = stock[0]
        while pick >= below and choice < len(stock) - 1:
            choice += 1
            below += stock[choice]
        stock[choice] -= 1
        numbers[n] = choices[kind[n], choice]
