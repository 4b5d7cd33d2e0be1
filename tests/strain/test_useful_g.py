# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Further g beside the pair, from the spots of the reference."""

import numpy as np
import pytest

from hyperspy_t2t.calibration import ImageGrid
from hyperspy_t2t.strain.setup import Domain, RegionSpots
from hyperspy_t2t.strain.useful_g import further_g_vectors

PAIR = np.array([[3.2, 0.0], [1.07, 3.02]])
NODES = np.array([[1, 0], [0, 1], [1, 1], [2, -1], [2, 0], [1, 2], [3, 1]])
GRID = ImageGrid((300, 400), (0.02, 0.02))
RESOLUTION = 0.4


def spots(g: np.ndarray, *, snr=3000.0, own=None, area: float = 40.0) -> RegionSpots:
    """A region with these spots and their Friedel partners."""
    n = 2 * len(g)
    return RegionSpots(
        g=np.concatenate([g, -g]),
        snr=np.tile(np.broadcast_to(snr, len(g)), 2).astype(float),
        indexed=np.ones(n, bool),
        score=0.8,
        scale=1.0,
        area=area,
        sides=2,
        own=None if own is None else np.tile(own, 2),
    )


def chosen(g: np.ndarray, **options) -> set[tuple[int, ...]]:
    """Nodes of the further g among spots."""
    limits = {key: options.pop(key) for key in ("least", "most") if key in options}
    found = further_g_vectors(spots(g, **options), PAIR, GRID, RESOLUTION, **limits)
    return set(map(tuple, np.rint(found @ np.linalg.inv(PAIR)).astype(int)))


def test_nodes_of_the_lattice_but_the_pair_itself() -> None:
    assert chosen(NODES @ PAIR) == set(map(tuple, NODES[2:]))


@pytest.mark.parametrize(("off", "kept"), [(0.008, True), (0.013, False)])
def test_spots_off_the_lattice_are_left_out(off: float, kept: bool) -> None:
    g = NODES @ PAIR
    g[3] *= 1 + off
    assert (tuple(NODES[3]) in chosen(g)) is kept


def test_satellites_are_left_out() -> None:
    own = np.array([True, True, False, True, True, False, True])
    assert chosen(NODES @ PAIR, own=own) == set(map(tuple, NODES[own][2:]))


def test_noise_is_that_within_the_mask() -> None:
    """4πσ² = 2.01 nm² of 40 nm²: power over noise is a twentieth of the region's."""
    snr = np.array([3000, 3000, 75, 85, 3000, 10, 3000])
    for options, kept in (
        ({}, [3, 4, 6]),
        ({"area": 20.0}, [2, 3, 4, 6]),
        ({"least": 100.0}, [4, 6]),
    ):
        expected = set(map(tuple, NODES[kept]))
        assert chosen(NODES @ PAIR, snr=snr, **options) == expected


def test_the_most_useful_of_many() -> None:
    snr = np.array([3000, 3000, 900, 800, 200, 700, 300])
    g = NODES @ PAIR
    merit = (g**2).sum(axis=1) * snr
    best = NODES[2:][np.argsort(-merit[2:])][:3]
    assert chosen(g, snr=snr, most=5) == set(map(tuple, best))
    assert chosen(g, snr=snr, most=2) == set()


def test_masks_stay_below_nyquist() -> None:
    coarse = ImageGrid((300, 400), (0.06, 0.05))
    found = further_g_vectors(spots(NODES @ PAIR), PAIR, coarse, RESOLUTION)
    limit = 0.5 / np.array([0.05, 0.06]) - 1 / (np.pi * RESOLUTION)
    assert len(found) and (np.abs(found) < limit).all()
    assert len(found) < len(NODES) - 2


def test_short_g_whose_mask_holds_the_zero_frequency() -> None:
    pair = np.array([[3.2, 0.0], [3.7, 0.6]])  # their difference is 0.78 1/nm long
    g = np.concatenate([pair, pair[1:] - pair[:1]])
    assert len(further_g_vectors(spots(g), pair, GRID, 0.3)) == 0
    assert len(further_g_vectors(spots(g), pair, GRID, 0.5)) == 1


def test_a_domain_is_found_by_its_pair() -> None:
    domain = Domain(1, (1,), NODES @ PAIR, "")
    np.testing.assert_array_equal(domain.pair, PAIR)
