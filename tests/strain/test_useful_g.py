# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Which nodes of a lattice may measure strain, and which of them are of use."""

import numpy as np
import pytest

from hyperspy_t2t.calibration import ImageGrid
from hyperspy_t2t.strain.fringes import Fringes
from hyperspy_t2t.strain.setup import Domain
from hyperspy_t2t.strain.useful_g import MOST, different, lattice_nodes, most_useful

PAIR = np.array([[3.2, 0.0], [1.07, 3.02]])
GRID = ImageGrid((300, 400), (0.02, 0.02))
RESOLUTION = 0.4


def orders(g: np.ndarray, pair: np.ndarray = PAIR) -> set[tuple[int, ...]]:
    """Whole numbers of nodes, those of the Friedel partner with h > 0."""
    node = g @ np.linalg.inv(pair)
    np.testing.assert_allclose(node, np.rint(node), atol=1e-9)
    return {max(tuple(n), tuple(-n)) for n in np.rint(node).astype(int)}


def test_every_node_once_and_the_pair_not_at_all() -> None:
    found = lattice_nodes(PAIR, GRID, RESOLUTION)
    nodes = orders(found)
    assert len(nodes) == len(found)
    assert not nodes & {(1, 0), (0, 1)}
    length = np.linalg.norm(found, axis=1)
    assert (np.diff(length) >= 0).all()
    index = np.arange(-9, 10)
    every = np.stack(np.meshgrid(index, index), -1).reshape(-1, 2)
    near = np.linalg.norm(every @ PAIR, axis=1) < 4.5 * 3.2
    expected = {max(tuple(n), tuple(-n)) for n in every[near & every.any(axis=1)]}
    assert nodes == {n for n in expected - {(1, 0), (0, 1)} if max(map(abs, n)) <= 5}


@pytest.mark.parametrize("steps", [(0.05, 0.07), (0.07, 0.05)])
def test_masks_stay_below_nyquist(steps: tuple[float, float]) -> None:
    found = lattice_nodes(PAIR, ImageGrid((300, 400), steps), RESOLUTION)
    limit = 0.5 / np.array(steps)[::-1] - 1 / (np.pi * RESOLUTION)
    assert len(found) > 4 and (np.abs(found) < limit).all()
    left_out = lattice_nodes(PAIR, GRID, RESOLUTION)
    left_out = left_out[(np.abs(left_out) < limit).all(axis=1)]
    assert orders(found) == orders(left_out)


def test_masks_that_hold_the_zero_frequency() -> None:
    pair = np.array([[3.2, 0.0], [3.7, 0.6]])  # their difference is 0.78 1/nm long
    assert (1, -1) not in orders(lattice_nodes(pair, GRID, 0.4), pair)
    assert (1, -1) in orders(lattice_nodes(pair, GRID, 0.42), pair)


def test_different_takes_each_once() -> None:
    known = np.array([[3.0, 0.0], [0.0, 4.0]])
    g = np.array(
        [[-3.02, 0.01], [3.0, 4.0], [0.29, 4.0], [0.31, 4.0], [-3.0, -4.1], [3.0, -4.0]]
    )  # fmt: skip
    # The fourth is 0.31 1/nm from a known one, a tenth of 3.0 is the limit.
    assert different(g, known).tolist() == [1, 3, 5]
    assert different(g[:0], known).tolist() == []


def fringes(g: np.ndarray, amplitude: np.ndarray) -> Fringes:
    """Fringes of a grid of 6 × 8 places, shape of the amplitude (n,) or with places."""
    grid = ImageGrid((6, 8), (0.2, 0.2))
    level = np.broadcast_to(np.reshape(amplitude, (len(g), -1, 1)), (len(g), 6, 8))
    return Fringes(
        grid, g, RESOLUTION, level.astype(complex), np.zeros((len(g), 2, 6, 8)),
        np.array(level), np.ones(grid.shape), np.ones(grid.shape, bool),
    )  # fmt: skip


EVEN = np.full((6, 8), 1 / 48)
G = np.array([[3.0, 0.0], [0.0, 3.0], [6.0, 0.0], [6.0, 3.0], [9.0, 0.0]])
DENSITY = 0.7
POWER = DENSITY / (4 * np.pi * RESOLUTION**2)
"""Mean |z|² of white noise alone."""


def chosen(ratio: list[float], **options) -> list[int]:
    """Choice among fringes with this power over noise, that of their noise included."""
    allowed = np.array(options.pop("allowed", [True] * len(ratio)))
    options = {"most": 9, "least": 5.0, **options}
    some = fringes(G[: len(ratio)], np.sqrt(POWER * np.array(ratio)))
    return most_useful(some, EVEN, DENSITY, allowed, **options).tolist()


def test_those_above_the_noise_are_taken() -> None:
    """Their own noise is part of the power of fringes: 6 is 5 above it."""
    assert sorted(chosen([5.9, 6.1, 1.0, 300.0, 5.99])) == [1, 3]
    assert sorted(chosen([5.9, 6.1, 1.0, 300.0, 5.99], least=0.5)) == [0, 1, 3, 4]
    assert chosen([1.0, 0.2, 0.0, 1.5, 1.0]) == []


def test_the_most_useful_go_first() -> None:
    """By |g|² times the power over noise: 9·100, 9·50, 36·20, 45·30, 81·2."""
    ratio = [101.0, 51, 21, 31, 3]
    assert chosen(ratio, least=1.0) == [3, 0, 2, 1, 4]
    assert chosen(ratio, least=1.0, most=2) == [3, 0]
    assert chosen(ratio, least=1.0, most=0) == []
    allowed = [True, True, True, False, True]
    assert chosen(ratio, least=1.0, most=2, allowed=allowed) == [0, 2]


def test_only_the_reference_counts() -> None:
    """Rows 0 to 2 are reference; the second fringe is bright elsewhere only."""
    amplitude = np.zeros((2, 6))
    amplitude[0, :3], amplitude[1, 3:] = 10.0, 1000.0
    weight = np.zeros((6, 8))
    weight[:3] = 1 / 24
    some = fringes(G[:2], amplitude)
    allowed = np.ones(2, bool)
    found = most_useful(some, weight, DENSITY, allowed, most=9)
    assert found.tolist() == [0]


def test_without_noise_what_no_camera_sees_is_left_out() -> None:
    some = fringes(G, np.array([1.0, 1e-3, 1e-7, 0.0, 1e-1]))
    found = most_useful(some, EVEN, 0.0, np.ones(5, bool), most=9)
    assert sorted(found.tolist()) == [0, 1, 4]


def test_a_domain_is_found_by_its_pair() -> None:
    domain = Domain(1, (1,), np.concatenate([PAIR, PAIR[:1] + PAIR[1:]]), "")
    np.testing.assert_array_equal(domain.pair, PAIR)
    assert MOST >= 12
