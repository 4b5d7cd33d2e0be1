# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""What a phase has on the sites of another phase's lattice."""

import numpy as np
import pytest
from crystal_phases import mixed_phase

from hyperspy_t2t.atoms.site_content import content_on, primitive_content
from hyperspy_t2t.atoms.structure_match import matching_sites
from hyperspy_t2t.phases.crystal_phase import CrystalPhase
from hyperspy_t2t.phases.library import library_phase

PAIRS = [
    ("Si diamond", "Ge diamond"),
    ("Si diamond", "GaAs zincblende"),
    ("GaAs zincblende", "Si diamond"),
    ("InP zincblende", "GaAs zincblende"),
    ("SrTiO3 cubic perovskite", "PbTiO3 tetragonal"),
    ("GaN wurtzite", "AlN wurtzite"),
]


@pytest.mark.parametrize(
    ("name", "places"),
    [("Si diamond", 2), ("Au fcc", 1), ("NaCl rocksalt", 2), ("GaN wurtzite", 4)],
)
def test_a_primitive_cell_holds_its_share_of_the_cell(name: str, places: int) -> None:
    phase = library_phase(name)
    content = primitive_content(phase)
    assert len(content) == places
    cells = len(phase.numbers) // places
    every, count = np.unique(phase.numbers, return_counts=True)
    primitive, fewer = np.unique(content.numbers[:, 0], return_counts=True)
    assert primitive.tolist() == every.tolist()
    assert (cells * fewer).tolist() == count.tolist()


@pytest.mark.parametrize(("lattice", "name"), PAIRS)
@pytest.mark.parametrize("sign", [1, -1])
def test_the_content_stands_where_the_phase_has_it(lattice, name, sign) -> None:
    """Laid back into the phase, each place is one of its sites with its element."""
    ours, theirs = library_phase(lattice), library_phase(name)
    theirs = moved(theirs, sign)
    match = matching_sites(ours, theirs)
    content = content_on(ours, theirs, match)
    places = primitive_content(ours).fractional
    assert np.abs(content.fractional - places).max() < 0.1
    back = (content.fractional - match.shift) * (-1 if match.inverted else 1)
    for place, number in zip(back, content.numbers[:, 0], strict=True):
        away = theirs.fractional - place
        at = np.abs(away - np.rint(away)).max(axis=1)
        assert at.min() < 1e-9
        assert theirs.numbers[at.argmin()] == number


def moved(phase: CrystalPhase, sign: int) -> CrystalPhase:
    """The same crystal from another origin, its sites the other way round."""
    return CrystalPhase(
        name=phase.name,
        cell=phase.cell,
        numbers=phase.numbers[::-1],
        fractional=(sign * phase.fractional[::-1] + (0.1, 0.2, 0.7)) % 1,
        occupancy=phase.occupancy[::-1],
    )


def test_mixed_sites_keep_their_shares() -> None:
    silicon, alloy = library_phase("Si diamond"), mixed_phase()
    content = content_on(silicon, alloy, matching_sites(silicon, alloy))
    assert len(content) == 2
    for numbers, shares in zip(content.numbers, content.shares, strict=True):
        found = dict(zip(numbers.tolist(), shares.tolist(), strict=True))
        assert found == pytest.approx({32: 0.3, 14: 0.7, 0: 0.0})
