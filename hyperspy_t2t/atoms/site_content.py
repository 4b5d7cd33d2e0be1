# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""What stands on the sites of a lattice that several phases share."""

import numpy as np

from hyperspy_t2t.atoms.primitive import primitive_sites
from hyperspy_t2t.atoms.site_occupancy import MixedSites, mixed_sites
from hyperspy_t2t.atoms.structure_match import SiteMatch
from hyperspy_t2t.phases.crystal_phase import CrystalPhase


def primitive_content(phase: CrystalPhase) -> MixedSites:
    """Places of one primitive cell of a phase and what may sit on each."""
    return mixed_sites(phase, primitive_sites(phase))


def content_on(
    lattice: CrystalPhase, phase: CrystalPhase, match: SiteMatch
) -> MixedSites:
    """What a phase has on the primitive places of another phase's lattice.

    Parameters
    ----------
    lattice
        The phase whose lattice it is.
    phase
        The phase that sits on it.
    match
        Of `phase` on `lattice`.

    Returns
    -------
    MixedSites
        In the order of ``primitive_content(lattice)``, at the coordinates that `phase`
        has there, as near to those of `lattice` as a lattice vector allows.
    """
    places, own = primitive_content(lattice), mixed_sites(phase)
    site = [_at(lattice.fractional, place) for place in places.fractional]
    theirs = phase.fractional[match.site[site]]
    of_place = [_at(own.fractional, place) for place in theirs]
    laid = (-theirs if match.inverted else theirs) + match.shift
    away = laid - places.fractional
    fractional = places.fractional + away - np.rint(away)
    return MixedSites(fractional, own.numbers[of_place], own.level[of_place])


def _at(fractional: np.ndarray, place: np.ndarray) -> int:
    """Row of the coordinates that are a place but for lattice vectors."""
    away = fractional - place
    return int(np.abs(away - np.rint(away)).max(axis=1).argmin())
