# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""What a part of the reference tells: nodes of use, and the noise."""

import numpy as np
import pytest

from hyperspy_t2t.calibration import ImageGrid
from hyperspy_t2t.strain.probe import probe
from hyperspy_t2t.strain.useful_g import MOST, lattice_nodes

SIGMA = 0.35
SQUARE = ImageGrid((400, 440), (0.022, 0.022), (3.0, -5.0))
OBLONG = ImageGrid((420, 400), (0.019, 0.026), (-2.0, 4.0))
PAIR = np.array([[2.6, 0.3], [-0.5, 2.9]])
SEEN = {(1, 1): 0.8, (1, -1): 0.5, (2, 0): 0.6, (0, 2): 0.4, (2, 1): 0.3, (1, 2): 0.3}
"""Amplitudes relative to those of the pair."""


def crystal(grid: ImageGrid, seen: dict, dose: float = 40.0) -> np.ndarray:
    """Mean counts of a lattice that has the pair and these nodes."""
    at = grid.to_nm(*np.indices(grid.shape))
    counts = np.zeros(grid.shape)
    for order, amplitude in {(1, 0): 1.0, (0, 1): 1.0, **seen}.items():
        counts += amplitude * np.cos(2 * np.pi * (at @ (np.array(order) @ PAIR)) + 0.3)
    return dose * (1 + 0.9 * counts / np.abs(counts.min()))


def told(
    image: np.ndarray,
    grid: ImageGrid = SQUARE,
    *,
    reference: np.ndarray | None = None,
    usable: bool = True,
    given: np.ndarray = PAIR,
) -> tuple[set[tuple[int, ...]], np.ndarray, object]:
    """Orders of the added nodes, all g, and the noise."""
    nodes = lattice_nodes(PAIR, grid, SIGMA)
    whole = np.ones(grid.shape, bool) if reference is None else reference
    g, noise, _ = probe(
        image, whole, grid, given, nodes, np.full(len(nodes), usable), resolution=SIGMA
    )
    np.testing.assert_array_equal(g[: len(given)], given)
    order = np.rint(g[len(given) :] @ np.linalg.inv(PAIR)).astype(int)
    order *= np.where(
        (order[:, :1] < 0) | ((order[:, :1] == 0) & (order[:, 1:] < 0)), -1, 1
    )
    return set(map(tuple, order.tolist())), g, noise


@pytest.mark.parametrize("grid", [SQUARE, OBLONG], ids=["square", "oblong"])
@pytest.mark.parametrize("seed", [0, 1])
def test_the_nodes_that_are_there_are_found(grid: ImageGrid, seed: int) -> None:
    image = crystal(grid, SEEN)
    found, g, noise = told(np.random.default_rng(seed).poisson(image), grid)
    assert found == set(SEEN)
    assert noise.products.shape == (len(g), len(g))
    density = image.mean() * np.prod(grid.pixel_size)
    assert noise.density == pytest.approx(density, rel=0.25)


@pytest.mark.parametrize("seed", range(4))
def test_noise_is_no_node(seed: int) -> None:
    """Two fringes alone, at a dose where each node of noise might look like one."""
    image = crystal(SQUARE, {}, dose=4.0)
    found, _, noise = told(np.random.default_rng(seed).poisson(image))
    assert found == set()
    density = 4.0 * np.prod(SQUARE.pixel_size)
    assert noise.density == pytest.approx(density, rel=0.35)


def test_what_noise_drowns_is_left_out() -> None:
    """The same nodes, a thousand times fewer counts."""
    image = crystal(SQUARE, SEEN, dose=0.04)
    found, _, _ = told(np.random.default_rng(0).poisson(image))
    assert found < set(SEEN)


def test_nodes_that_may_not_measure_still_tell_the_noise() -> None:
    image = crystal(SQUARE, SEEN)
    counts = np.random.default_rng(0).poisson(image)
    found, g, noise = told(counts, usable=False)
    *_, with_all = told(counts)
    assert found == set() and len(g) == 2
    assert noise.density == with_all.density and noise.gain == with_all.gain > 0
    np.testing.assert_allclose(noise.products, with_all.products[:2, :2], rtol=1e-9)


def test_given_g_come_first_and_none_comes_twice() -> None:
    given = np.concatenate([PAIR, -(PAIR[:1] + PAIR[1:])])
    image = crystal(SQUARE, SEEN)
    counts = np.random.default_rng(0).poisson(image)
    found, g, _ = told(counts, given=given)
    assert found == set(SEEN) - {(1, 1)} and len(g) == 3 + len(found)


def test_not_more_than_are_of_use() -> None:
    every = {
        (h, k): 0.5 for h in range(5) for k in range(-4, 5) if (h, k) > (0, 0)
    }  # fmt: skip
    image = crystal(SQUARE, every, dose=1e4)
    _, g, _ = told(np.random.default_rng(0).poisson(image))
    assert len(g) == MOST


def test_outside_the_reference_and_missing_pixels_say_nothing() -> None:
    """Another crystal with other nodes, then nothing at all, beside the reference."""
    image = crystal(SQUARE, SEEN)
    counts = np.random.default_rng(0).poisson(image).astype(float)
    reference = np.zeros(SQUARE.shape, bool)
    reference[:, :300] = True
    beside = crystal(SQUARE, {(3, 0): 3.0, (1, 3): 3.0}, dose=400.0)
    for other in (beside, np.nan):
        spoiled = np.where(reference, counts, other)
        found, _, noise = told(spoiled, reference=reference)
        assert found == set(SEEN)
        density = image.mean() * np.prod(SQUARE.pixel_size)
        assert noise.density == pytest.approx(density, rel=0.35)


def test_without_noise_the_nodes_are_found() -> None:
    found, _, noise = told(crystal(SQUARE, SEEN))
    assert set(SEEN) <= found
    assert noise.density < 1e-3 * 40 * np.prod(SQUARE.pixel_size)


def test_three_fringes_take_the_noise_between_the_spots() -> None:
    """No further node could be below Nyquist: the disagreement tells nothing."""
    image = crystal(SQUARE, {})
    counts = np.random.default_rng(0).poisson(image).astype(float)
    whole = np.ones(SQUARE.shape, bool)
    g, noise, _ = probe(
        counts, whole, SQUARE, PAIR, np.empty((0, 2)), np.empty(0, bool),
        resolution=SIGMA,
    )  # fmt: skip
    np.testing.assert_array_equal(g, PAIR)
    assert noise.gain == 0
    density = image.mean() * np.prod(SQUARE.pixel_size)
    assert noise.density == pytest.approx(density, rel=0.35)


def test_the_width_of_the_columns() -> None:
    """From how fringes fall off with |g|, where structure factors are known."""
    width, structure = 0.05, dict.fromkeys([(1, 0), (0, 1), *SEEN], 0.8)
    structure[2, 0] = 0.1  # too weak to be trusted
    amplitude = {
        order: factor * np.exp(-2 * (np.pi * width) ** 2 * ((order @ PAIR) ** 2).sum())
        for order, factor in structure.items()
    }
    relative = {
        order: value / amplitude[1, 0] for order, value in amplitude.items()
    }  # fmt: skip
    at = SQUARE.to_nm(*np.indices(SQUARE.shape))
    image = sum(
        value * np.cos(2 * np.pi * (at @ (np.array(order) @ PAIR)))
        for order, value in relative.items()
    )
    counts = np.random.default_rng(0).poisson(100 * (1 + image / np.abs(image.min())))
    nodes = np.array(list(structure)[2:]) @ PAIR
    strength = np.array(list(structure.values()))
    strength[list(structure).index((2, 0))] = 0.25
    usable, whole = np.ones(len(nodes), bool), np.ones(SQUARE.shape, bool)
    found = probe(
        counts, whole, SQUARE, PAIR, nodes, usable, resolution=SIGMA, strength=strength
    )
    assert found.column_width == pytest.approx(width, rel=0.05)
    unasked = probe(counts, whole, SQUARE, PAIR, nodes, usable, resolution=SIGMA)
    assert unasked.column_width == 0
