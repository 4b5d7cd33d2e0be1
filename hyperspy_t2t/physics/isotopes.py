# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Masses of atoms: natural averages, isotopes drawn at random, or given ones."""

import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

import numpy as np
from ase.data import atomic_masses, chemical_symbols

from hyperspy_t2t.array_types import Array, Ints

Isotopes = str | Mapping[str, int | Mapping[int, float]]


@cache
def natural_isotopes() -> dict[str, dict[int, tuple[float, float]]]:
    """Mass in u and natural share of the isotopes of each stored element.

    Elements of tetrahedral semiconductors; sources are in the file.
    """
    stored = files("hyperspy_t2t.data").joinpath("isotope_masses.json")
    rows = json.loads(stored.read_text(encoding="utf-8"))["isotopes"]
    return {
        symbol: {nucleons: (mass, share) for nucleons, mass, share in isotopes}
        for symbol, isotopes in rows.items()
    }


def masses_of(numbers: Ints, *, isotopes: Isotopes = "average", seed: int = 0) -> Array:
    """Mass of each atom.

    Parameters
    ----------
    numbers
        Atomic numbers, shape (n,).
    isotopes
        ``"average"``, the natural mean of each element; ``"natural"``, isotopes drawn
        with their natural shares; or a mapping from symbols to the number of nucleons
        (``{"Si": 28}``) or to shares (``{"Ge": {70: 0.5, 76: 0.5}}``, in any unit).
        Elements that are not in the mapping have their natural mean.
    seed
        Of what is drawn. The isotopes of one element do not depend on the others.

    Returns
    -------
    numpy.ndarray
        In u, shape (n,).

    Raises
    ------
    ValueError
        If an isotope is not known or shares are not positive.
    """
    numbers = np.asarray(numbers)
    masses = atomic_masses[numbers]
    if isinstance(isotopes, str):
        if isotopes not in ("average", "natural"):
            raise ValueError(
                'Expected isotopes "average", "natural" or a mapping such as '
                f'{{"Si": 28}}, got {isotopes!r}.'
            )
        if isotopes == "average":
            return masses
    for number in np.flatnonzero(np.bincount(numbers)):
        symbol = chemical_symbols[number]
        if isinstance(isotopes, str):
            shares: Mapping[int, float] = {
                a: share for a, (_, share) in _known(symbol).items()
            }
        elif symbol in isotopes:
            given = isotopes[symbol]
            shares = given if isinstance(given, Mapping) else {int(given): 1.0}
        else:
            continue
        own = numbers == number
        rng = np.random.default_rng([seed, int(number)])
        masses[own] = _drawn(symbol, shares, int(own.sum()), rng)
    return masses


def _drawn(
    symbol: str, shares: Mapping[int, float], count: int, rng: np.random.Generator
) -> Array:
    known = _known(symbol)
    missing = [nucleons for nucleons in shares if nucleons not in known]
    parts = np.array(list(shares.values()), float)
    if missing or not (parts >= 0).all() or not parts.sum() > 0:
        raise ValueError(
            f"Expected shares of 0 or more of isotopes of {symbol}, which has "
            f"{sorted(known)}, got {dict(shares)}."
        )
    each = np.array([known[nucleons][0] for nucleons in shares])
    return each[rng.choice(len(each), count, p=parts / parts.sum())]


def _known(symbol: str) -> dict[int, tuple[float, float]]:
    stored = natural_isotopes()
    if symbol not in stored:
        raise ValueError(
            f"Expected an element with stored isotopes ({', '.join(stored)}), got "
            f"{symbol}: leave it out of the mapping to use its natural mean."
        )
    return stored[symbol]
