# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Moving columns onto their images: by how much, and which not."""

import numpy as np
from scipy.spatial import cKDTree

from hyperspy_t2t.imaging.column_moves import column_moves, kept_apart


def grid_of_columns(side: int = 40) -> np.ndarray:
    return 0.3 * np.stack(np.meshgrid(np.arange(side), np.arange(side)), -1).reshape(
        -1, 2
    )


def test_the_mean_squared_error_is_that_of_the_best_estimate() -> None:
    """τ²σ²/(τ² + σ²), also where one of the two is far larger."""
    rng = np.random.default_rng(1)
    xy = grid_of_columns()
    for model, noise in ((0.02, 0.005), (0.01, 0.01), (0.002, 0.02)):
        true = rng.normal(scale=model, size=xy.shape)
        seen = true + rng.normal(scale=noise, size=xy.shape)
        moves = column_moves(xy, seen, np.full(xy.shape, noise), np.zeros(len(xy)))
        error = ((moves - true) ** 2).mean()
        best = 1 / (model**-2 + noise**-2)
        assert error < 1.3 * best + (0.1 * model) ** 2, (model, noise)


def test_regions_are_judged_apart_and_a_right_one_stays() -> None:
    rng = np.random.default_rng(2)
    xy = grid_of_columns()
    region = (xy[:, 0] > 6).astype(int)
    true = np.where(region[:, None], 0.05, 0.0) * np.ones(2)
    seen = true + rng.normal(scale=0.004, size=xy.shape)
    moves = column_moves(xy, seen, np.full(xy.shape, 0.004), region)
    assert np.abs(moves[region == 0]).max() < 0.006
    np.testing.assert_allclose(moves[region == 1].mean(axis=0), 0.05, rtol=0.02)


def test_columns_that_are_not_seen_follow_their_neighbours() -> None:
    xy = grid_of_columns(12)
    offset = np.tile([0.03, -0.02], (len(xy), 1))
    unseen = np.zeros(len(xy), bool)
    unseen[::7] = True
    offset[unseen] = np.nan
    std = np.full(xy.shape, 1e-4)
    moves = column_moves(xy, offset, std, np.zeros(len(xy)))
    np.testing.assert_allclose(moves, np.tile([0.03, -0.02], (len(xy), 1)), rtol=1e-3)
    # One alone, far from all others, stays.
    lonely = np.concatenate([xy, [[50.0, 50.0]]])
    offset = np.concatenate([offset, [[np.nan, np.nan]]])
    std = np.full(lonely.shape, 1e-4)
    moves = column_moves(lonely, offset, std, np.zeros(len(lonely)))
    assert (moves[-1] == 0).all()


def test_nothing_seen_nothing_moved() -> None:
    xy = grid_of_columns(3)
    nothing = np.full(xy.shape, np.nan)
    assert (column_moves(xy, nothing, nothing, np.zeros(len(xy))) == 0).all()


def nearest(xy: np.ndarray) -> np.ndarray:
    return cKDTree(xy).query(xy, k=2)[0][:, 1]


def test_no_column_comes_as_close_as_atoms_never_do() -> None:
    """The less certain of a pair gives way; random moves of all end apart as well."""
    xy = grid_of_columns(6)
    moves = np.zeros_like(xy)
    moves[0], moves[1] = (0.1, 0.0), (-0.02, 0.05)
    std = np.full(len(xy), 0.003)
    std[0] = np.nan  # one that was not seen
    kept = kept_apart(xy, moves, std)
    np.testing.assert_array_equal(kept[1:], moves[1:])
    assert 0.8 * 0.3 <= nearest(xy + kept).min() < 0.3
    assert 0 < kept[0, 0] < 0.1
    rng = np.random.default_rng(6)
    wild = rng.normal(scale=0.08, size=xy.shape)
    assert nearest(xy + wild).min() < 0.15
    kept = kept_apart(xy, wild, rng.uniform(0.001, 0.1, len(xy)))
    assert nearest(xy + kept).min() >= 0.8 * 0.3 * (1 - 1e-12)
    # Each is a part of what was asked for, and many are whole.
    share = (kept * wild).sum(axis=1) / (wild**2).sum(axis=1)
    np.testing.assert_allclose(kept, share[:, None] * wild, atol=1e-12)
    assert (share == 1).mean() > 0.3


def test_a_row_that_slips_by_half_a_period_is_not_held() -> None:
    """Its columns pass between those of the next rows, at a distance as before."""
    xy = grid_of_columns(8)
    moves = np.zeros_like(xy)
    moves[np.isclose(xy[:, 1], 0.9), 0] = 0.15
    std = np.full(len(xy), 0.01)
    np.testing.assert_array_equal(kept_apart(xy, moves, std), moves)
    assert kept_apart(xy[:1], moves[:1], std[:1]).shape == (1, 2)
