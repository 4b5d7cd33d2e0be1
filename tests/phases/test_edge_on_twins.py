# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Twins of which one spot is all that they do not share."""

import numpy as np
import pytest

from hyperspy_t2t.phases.distortion import Tolerances
from hyperspy_t2t.phases.independent import RegionSpots
from hyperspy_t2t.phases.indexing import IndexedRegion, PhaseSearch, index_regions
from hyperspy_t2t.phases.library import library_phase
from hyperspy_t2t.phases.orientation_relations import orientation_relation

GOLD = library_phase("Au fcc")
SEARCH = PhaseSearch([GOLD])
SIDE = 10 / GOLD.cell[0]
FIRST = SIDE * np.array(
    [[np.sqrt(2), 1], [np.sqrt(2), -1], [0, 2], [2 * np.sqrt(2), 0]]
)  # {111}, (002), (220) seen along [110]


def mirrored(g: np.ndarray, across: np.ndarray) -> np.ndarray:
    """Mirror image in the plane with this normal."""
    normal = across / np.linalg.norm(across)
    return g - 2 * (g @ normal) * normal


def found(extra: np.ndarray, *, seed: int = 0) -> IndexedRegion:
    """What the spots of gold and others are taken for."""
    rng = np.random.default_rng(seed)
    g = np.concatenate([FIRST, np.reshape(extra, (-1, 2))])
    g = g + rng.normal(0, 0.02, g.shape)
    snr = np.array([140.0, 130.0, 25.0, 20.0, 80.0])[: len(g)]
    spots = RegionSpots(np.concatenate([g, -g]), np.full(2 * len(g), 0.03),
                        np.tile(snr, 2))  # fmt: skip
    return index_regions([spots], SEARCH, tolerances=Tolerances())[0]


@pytest.mark.parametrize("plane", [0, 1])
def test_one_own_spot_tells_a_twin(plane: int) -> None:
    own = mirrored(FIRST[1 - plane], FIRST[plane])
    regions = [found(own, seed=seed) for seed in range(6)]
    regions = [region for region in regions if region.further]
    assert len(regions) >= 5
    for region in regions:
        (twin,) = region.further
        first = region.solutions[0]
        assert twin.matched[4] and not first.matched[4]
        assert twin.matched[plane] and first.matched[plane]
        assert not twin.matched[1 - plane]
        relation = orientation_relation(GOLD, GOLD, first.orientation, twin.orientation)
        assert relation.name == "Σ3 (111) twin"
        assert relation.edge_on


@pytest.mark.parametrize("turn", [4, 10, 20, -10])
def test_a_spot_of_the_right_length_elsewhere_is_no_twin(turn: float) -> None:
    angle = np.deg2rad(turn)
    turned = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    own = turned @ mirrored(FIRST[1], FIRST[0])
    assert found(own).further == []


def test_spots_anywhere_are_hardly_ever_twins() -> None:
    rng = np.random.default_rng(4)
    alarms = 0
    for seed in range(150):
        angle, length = rng.uniform(0, np.pi), rng.uniform(2, 9)
        foreign = length * np.array([np.cos(angle), np.sin(angle)])
        alarms += bool(found(foreign, seed=seed).further)
    assert alarms <= 4


@pytest.mark.parametrize("order", [0.5, 1 / 3, 1.5])
@pytest.mark.parametrize("row", [0, 2, 3])
def test_superlattice_spots_are_no_twins(order: float, row: int) -> None:
    assert found(order * FIRST[row]).further == []


def test_a_single_crystal_has_no_twin() -> None:
    assert found(np.empty((0, 2))).further == []
