# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""The translations of a structure, its primitive lattice and sites."""

from dataclasses import replace

import numpy as np
import pytest
import spglib
from hypothesis import given, settings
from hypothesis import strategies as st

from hyperspy_t2t.atoms.primitive import (
    primitive_basis,
    primitive_sites,
    pure_translations,
)
from hyperspy_t2t.phases.crystal_phase import CrystalPhase
from hyperspy_t2t.phases.library import library_phase, phase_names

pytestmark = pytest.mark.filterwarnings("ignore:Set OLD_ERROR_HANDLING")
COUNTS = {
    "SrTiO3 cubic perovskite": 1,
    "HfO2 monoclinic": 1,
    "GaN wurtzite": 1,
    "Fe bcc": 2,
    "beta-Ga2O3": 2,
    "Ga alpha": 2,
    "Bi2Te3": 3,
    "Si diamond": 4,
    "TiSi2 C54": 4,
}


def spanned(phase: CrystalPhase) -> np.ndarray:
    """Sites of one primitive cell at all lattice points in the conventional cell."""
    basis = primitive_basis(phase)
    steps = np.stack(np.meshgrid(*[np.arange(-9, 10)] * 3), -1).reshape(-1, 3) @ basis
    steps = steps[((steps > -1e-9) & (steps < 1 - 1e-9)).all(axis=1)]
    sites = primitive_sites(phase)
    places = (phase.fractional[sites] + steps[:, None]).reshape(-1, 3)
    numbers = np.tile(phase.numbers[sites], len(steps))
    return np.column_stack([numbers, places])


def assert_same_structure(phase: CrystalPhase) -> None:
    made = spanned(phase)
    assert len(made) == len(phase.numbers)
    gap = made[:, None, 1:] - phase.fractional
    gap = np.abs(gap - np.rint(gap)).max(axis=-1)
    gap[made[:, :1] != phase.numbers] = np.inf
    assert gap.min(axis=1).max() < 2e-4
    assert len(set(gap.argmin(axis=1))) == len(phase.numbers)


def repeated(phase: CrystalPhase, times: tuple[int, int, int]) -> CrystalPhase:
    """A cell `times` as large, as a P1 structure."""
    steps = np.stack(np.meshgrid(*[np.arange(n) for n in times]), -1).reshape(-1, 3)
    places = (phase.fractional[:, None] + steps).reshape(-1, 3) / times
    cell = tuple(np.array(phase.cell) * [*times, 1, 1, 1])
    return CrystalPhase(
        "repeated", cell, np.repeat(phase.numbers, len(steps)), places, 1,
        np.repeat(phase.occupancy, len(steps)),
    )  # fmt: skip


@pytest.mark.parametrize(("name", "count"), COUNTS.items())
def test_centring(name: str, count: int) -> None:
    phase = library_phase(name)
    assert len(pure_translations(phase)) == count
    assert np.linalg.det(primitive_basis(phase)) == pytest.approx(1 / count)
    assert_same_structure(phase)


@pytest.mark.parametrize("name", phase_names()[::9])
def test_as_spglib_finds_it(name: str) -> None:
    phase = library_phase(name)
    cell = (phase.lattice, phase.fractional, phase.numbers)
    found = spglib.get_symmetry(cell, symprec=1e-3)
    pure = (found["rotations"] == np.eye(3)).all(axis=(1, 2))
    expected = found["translations"][pure] % 1
    shifts = pure_translations(phase)
    assert len(shifts) == len(expected)
    gap = shifts[:, None] - expected
    assert np.abs(gap - np.rint(gap)).max(axis=-1).min(axis=1).max() < 1e-4


@pytest.mark.parametrize(
    "shift", [(0, 0.5, 0.5), (0.5, 0, 0.5), (0.5, 0.5, 0), (0.5, 0.5, 0.5)]
)
def test_hand_made_centrings(shift: tuple) -> None:
    places = np.array([(0.11, 0.23, 0.37), (0.6, 0.01, 0.8)])
    phase = CrystalPhase(
        "centred", (4, 5, 6, 80, 95, 105), np.array([8, 30, 8, 30]),
        np.concatenate([places, places + shift]),
    )  # fmt: skip
    np.testing.assert_allclose(pure_translations(phase), [(0, 0, 0), shift])
    assert primitive_sites(phase).tolist() == [0, 1]


@settings(max_examples=25, deadline=None)
@given(
    st.tuples(*[st.integers(1, 4)] * 3),
    st.sampled_from(["Si diamond", "GaAs zincblende", "Bi A7", "HfO2 monoclinic"]),
    st.integers(0, 9),
)
def test_finer_than_the_cell_says(times: tuple, name: str, seed: int) -> None:
    """A supercell in P1, sites in any order and written with five decimals."""
    phase = library_phase(name)
    large = repeated(phase, times)
    order = np.random.default_rng(seed).permutation(len(large.numbers))
    large = replace(
        large,
        numbers=large.numbers[order],
        fractional=np.round(large.fractional[order] - 1e-17, 5),
    )
    count = len(pure_translations(phase)) * np.prod(times)
    assert len(pure_translations(large)) == count
    assert len(primitive_sites(large)) == len(primitive_sites(phase))
    assert np.linalg.det(primitive_basis(large)) == pytest.approx(1 / count)
    # Exact rationals, although coordinates are rounded.
    whole = pure_translations(large) * count
    np.testing.assert_allclose(whole, np.rint(whole), atol=1e-9)


def test_thirds_written_with_four_decimals() -> None:
    places = np.round([(0, 0, 0), (2 / 3, 1 / 3, 1 / 3), (1 / 3, 2 / 3, 2 / 3)], 4)
    phase = CrystalPhase("r", (4, 4, 9, 90, 90, 120), np.full(3, 83), places)
    found = pure_translations(phase) * 3
    np.testing.assert_allclose(found, [(0, 0, 0), (1, 2, 2), (2, 1, 1)], atol=1e-12)


def test_sites_that_share_a_place_stay_together() -> None:
    gaas = library_phase("GaAs zincblende")
    gallium = gaas.numbers == 31
    mixed = CrystalPhase(
        "AlGaAs",
        gaas.cell,
        np.concatenate([gaas.numbers, np.full(4, 13)]),
        np.concatenate([gaas.fractional, gaas.fractional[gallium]]),
        occupancy=np.concatenate([np.where(gallium, 0.7, 1.0), np.full(4, 0.3)]),
    )
    assert len(pure_translations(mixed)) == 4
    sites = primitive_sites(mixed)
    assert sorted(mixed.numbers[sites]) == [13, 31, 33]
    of = {int(mixed.numbers[site]): mixed.fractional[site] for site in sites}
    np.testing.assert_allclose(of[13], of[31])
    # Another occupancy on one of the four places: the centring is gone.
    occupancy = mixed.occupancy.copy()
    occupancy[-1] = 0.25
    broken = replace(mixed, occupancy=occupancy)
    assert len(pure_translations(broken)) == 1
    assert len(primitive_sites(broken)) == len(broken.numbers)


def test_almost_centred_is_not_centred() -> None:
    shift = np.array([0.5, 0.5, 0.5 + 4e-4])
    phase = CrystalPhase(
        "almost",
        (4, 5, 6, 90, 90, 90),
        np.array([14, 14]),
        np.array([shift * 0, shift]),
    )
    assert pure_translations(phase).tolist() == [[0, 0, 0]]
    # Quarters hold within the tolerance from each site to the next, halves do not.
    off = np.array([0, 0.9e-4, 1.8e-4, 0.9e-4])
    places = np.stack([np.arange(4) / 4 + off, off * 0, off * 0], axis=1)
    phase = CrystalPhase("almost", (9, 5, 6, 90, 90, 90), np.full(4, 14), places)
    assert pure_translations(phase).tolist() == [[0, 0, 0]]
