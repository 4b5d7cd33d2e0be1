# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Separate crystals meet.

What could go wrong: overlaps left, also across the period; cells cut, so that a region
loses its stoichiometry; more taken out than needed; always from the same side; overlaps
of many units with one; a gap that is not seen, or seen through a thin layer; overlaps
within a block taken for some; time and memory with millions of atoms.
"""

import numpy as np
import pytest
from scipy.spatial import cKDTree

from hyperspy_t2t.atoms.interfaces import close_interfaces, least_removed

SPACING = {0: 2.45, 7: 2.8}


def crystal(a: float, angle: float, low, high, shape=(14, 14, 5)) -> tuple:
    """Zincblende atoms of a box in xy, whole cells only, and the cell of each."""
    fcc = np.array([[0, 0, 0], [0, 1, 1], [1, 0, 1], [1, 1, 0]]) / 2
    c, s = np.cos(angle), np.sin(angle)
    turn = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
    index = np.stack(np.meshgrid(*(np.arange(n) for n in shape), indexing="ij"), -1)
    cells = (index.reshape(-1, 1, 3) + fcc).reshape(-1, 3)
    cells = cells - [shape[0] / 2, shape[1] / 2, 0]
    kept = a * cells @ turn.T
    within = ((kept[:, :2] >= low) & (kept[:, :2] < high)).all(axis=1)
    kept = kept[within]
    atoms = np.concatenate([kept, kept + a * turn @ [0.25, 0.25, 0.25]])
    return atoms, np.tile(np.arange(len(kept)), 2)


def two_blocks(over: float = 1.0, period: bool = True) -> dict:
    """Two crystals that reach over x = 0 by some ångström, the second turned by 20°."""
    first, unit_1 = crystal(5.65, 0.0, (-35, -30), (over, 30))
    second, unit_2 = crystal(6.48, 0.35, (-over, -30), (35, 30), (16, 16, 4))
    second[:, 2] *= 5 * 5.65 / (4 * 6.48)
    n_1, n_2 = len(first), len(second)
    positions = np.concatenate([first, second])
    return {
        "positions": positions,
        "unit": np.concatenate([unit_1, 10**12 + unit_2]),
        "block": np.repeat([0, 7], [n_1, n_2]),
        "region": np.repeat([4, 2], [n_1, n_2]),
        "spacing": SPACING,
        "depth": np.concatenate([-first[:, 0], second[:, 0]]),
        "period": 5 * 5.65 if period else None,
    }


def shortest(positions, block, period) -> float:
    shifts = [0.0] if period is None else [-period, 0.0, period]
    tree = cKDTree(
        np.concatenate([positions[block == 0] + np.array([0, 0, z]) for z in shifts])
    )
    return float(tree.query(positions[block == 7])[0].min())


@pytest.mark.parametrize("period", [True, False])
@pytest.mark.parametrize("depth", [True, False])
def test_no_overlap_is_left_and_cells_stay_whole(period, depth):
    model = two_blocks(period=period)
    if not depth:
        model["depth"] = None
    kept, report = close_interfaces(**model)
    positions, block = model["positions"], model["block"]
    limit = 0.7 * 2.45
    assert shortest(positions, block, model["period"]) < limit
    left = shortest(positions[kept], block[kept], model["period"])
    assert left >= limit
    assert report.shortest == pytest.approx([left], abs=1e-4)
    size = np.unique(model["unit"][kept], return_counts=True)[1]
    assert (size == 2).all()
    assert report.first.tolist() == [2] and report.second.tolist() == [4]
    assert report.atoms.tolist() == [(~kept).sum()] == [2 * report.units[0]]
    pairs = cKDTree(positions[block == 0]).count_neighbors(
        cKDTree(positions[block == 7]), limit
    )
    if not period:
        assert report.overlaps.tolist() == [pairs]
    else:
        assert report.overlaps[0] >= pairs
    # From both sides, and only near the border.
    assert {0, 7} == set(block[~kept].tolist())
    assert np.abs(positions[~kept, 0]).max() < 1.0 + 0.5 * 5 + limit


def test_no_unit_is_out_for_nothing():
    model = two_blocks(2.0)
    kept, _ = close_interfaces(**model)
    positions, block, unit = (model[k] for k in ("positions", "block", "unit"))
    for lost in np.unique(unit[~kept]):
        own = unit == lost
        other = kept & (block != block[own][0])
        shifted = np.concatenate(
            [
                positions[other] + np.array([0, 0, z * model["period"]])
                for z in (-1, 0, 1)
            ]
        )
        assert cKDTree(shifted).query(positions[own])[0].min() < 0.7 * 2.45


def test_the_one_in_the_way_of_most_goes_and_ties_by_depth():
    pairs = np.array([[0, 1], [0, 2], [0, 3], [4, 5], [7, 6]])
    over = np.array([9.0, 0, 0, 0, 1.0, 2.0, 0.5, 0.6])
    gone = least_removed(pairs, 8, over)
    assert np.flatnonzero(gone).tolist() == [0, 4, 6]
    # Ring of five: three must go; a star of which the middle turns out needless.
    ring = np.array([[0, 1], [1, 2], [2, 3], [3, 4], [4, 0]])
    assert least_removed(ring, 5, np.zeros(5)).sum() == 3
    star = np.array([[0, 1], [0, 2], [0, 3], [1, 4], [1, 5], [2, 6], [2, 7], [3, 8],
                     [3, 9]])  # fmt: skip
    gone = least_removed(star, 10, np.zeros(10))
    assert sorted(np.flatnonzero(gone).tolist()) == [1, 2, 3]
    assert not least_removed(np.zeros((0, 2), int), 3, np.zeros(3)).any()


def test_gaps_are_seen():
    touching = two_blocks(1.0)
    apart = two_blocks(1.0)
    apart["positions"] = apart["positions"] + 6.0 * (apart["block"] == 7)[:, None] * [
        1, 0, 0
    ]  # fmt: skip
    near, far = (close_interfaces(**model)[1] for model in (touching, apart))
    assert near.gaps[0] < 0.3
    assert far.gaps[0] > 0.8
    assert far.overlaps.tolist() == [0] and far.units.tolist() == [0]
    away = two_blocks(1.0)
    away["positions"] = away["positions"] + 90.0 * (away["block"] == 7)[:, None]
    kept, none = close_interfaces(**away)
    assert kept.all() and len(none.first) == 0


def test_a_layer_between_two_blocks_and_one_lattice():
    x = np.arange(0, 24, 2.4)
    grid = np.stack(np.meshgrid(x, x, x, indexing="ij"), -1).reshape(-1, 3)
    block = np.digitize(grid[:, 0], [9.0, 13.0])  # the middle is two layers thin
    kept, report = close_interfaces(
        grid, np.arange(len(grid)), block, 10 + block, {0: 2.4, 1: 2.4, 2: 2.4}
    )
    assert kept.all()
    assert list(zip(report.first.tolist(), report.second.tolist(), strict=True)) == [
        (10, 11), (11, 12)
    ]  # fmt: skip
    assert report.gaps.tolist() == [0, 0]
    assert report.shortest == pytest.approx([2.4, 2.4], abs=1e-4)
    one = close_interfaces(
        grid[[0, 0, 1]], np.arange(3), np.zeros(3), [1, 2, 1], {0: 2}
    )
    assert one[0].all() and len(one[1].first) == 0


def test_errors():
    model = two_blocks()
    model["spacing"] = {0: 2.45}
    with pytest.raises(ValueError, match=r"got none for \[7\]"):
        close_interfaces(**model)
