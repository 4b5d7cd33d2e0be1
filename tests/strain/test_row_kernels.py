# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""The loops over the pixels of rows do what sums of numpy do."""

import numpy as np
import pytest

from hyperspy_t2t.strain.row_kernels import Pixels, cell_residual, row_moments

BASIS = np.array([[2.1, 0.3], [-0.4, 1.7]])
SHAPE = 7, 18
rng = np.random.default_rng(5)
OFFSET = rng.normal(0, 0.03, (SHAPE[0], 2))


def table(strength: float, size: tuple[int, int] = (128, 256)) -> np.ndarray:
    """A wave along both axes of the cell, its value and its slopes."""
    first, second = (np.arange(n) / n for n in size)
    phase = 2 * np.pi * (first[:, None] + second)
    slope = -2 * np.pi * BASIS.sum(axis=0) * np.sin(phase)[..., None]
    return strength * np.concatenate([np.cos(phase)[..., None], slope], axis=-1)


@pytest.fixture(scope="module")
def pixels() -> Pixels:
    """Two waves of different strength, in displaced rows of a strained grid."""
    x, y = 0.05 * np.arange(SHAPE[1]) - 0.4, 3.0 + 0.08 * np.arange(SHAPE[0])
    displacement = np.stack([0.02 * y[:, None] + 0.01 * x, 0.03 * x + 0 * y[:, None]])
    amplitude = 1 + 0.3 * rng.random(SHAPE)
    zone = np.array([0, 0, 0, 1, 1, 1, 1], np.int8)
    place = np.stack([x + 0 * y[:, None], y[:, None] + 0 * x]) - displacement
    place += OFFSET.T[:, :, None]
    wave = np.cos(2 * np.pi * np.einsum("ij,jyx->yx", BASIS, place))
    side = np.where(np.arange(SHAPE[1]) < 9, 1, 2) * np.ones(SHAPE, int)
    side[2, 4] = side[5, :3] = 0
    flat = amplitude * np.array([1.0, 0.5])[zone][:, None] * wave
    return Pixels(
        flat, side.astype(np.int8), zone, displacement, amplitude, x, y, BASIS
    )


def test_the_pattern_leaves_nothing_in_rows_at_their_places(pixels: Pixels) -> None:
    tables = np.stack([table(1.0), table(0.5)])
    found = row_moments(pixels, tables, OFFSET)
    for half in (0, 1):
        count = (pixels.side == half + 1).sum(axis=1)
        np.testing.assert_array_equal(found[:, half, 0, 0], count)
    assert found[..., 1, 1].max() < 1e-4
    np.testing.assert_array_equal(found, np.swapaxes(found, -1, -2))


def test_moments_are_the_slope_of_what_is_left(pixels: Pixels) -> None:
    """Of the squares by an offset, by central differences."""
    tables, step = np.stack([table(1.0), table(0.5)]), 2e-3
    start = OFFSET + 0.02
    found = row_moments(pixels, tables, start).sum(axis=1)
    for axis in (0, 1):
        move = step * np.eye(2)[axis]
        ahead, back = (
            row_moments(pixels, tables, start + sign * move).sum(axis=1)[:, 1, 1]
            for sign in (1, -1)
        )
        slope = (ahead - back) / (2 * step)
        np.testing.assert_allclose(
            -2 * found[:, 1, 2 + axis], slope, rtol=0.02, atol=0.2
        )


def test_what_is_left_is_put_into_the_cell(pixels: Pixels) -> None:
    nothing = np.zeros((2, 8, 16, 3))
    bins, weight = cell_residual(pixels, nothing, OFFSET)
    used = pixels.side > 0
    mean = np.where(used, pixels.flat, 0).sum(axis=1) / used.sum(axis=1)
    rest = np.where(used, pixels.amplitude * (pixels.flat - mean[:, None]), 0)
    power = np.where(used, pixels.amplitude**2, 0)
    for zone in (0, 1):
        rows = pixels.zone == zone
        assert bins[zone].sum() == pytest.approx(rest[rows].sum())
        assert weight[zone] == pytest.approx(power[rows].sum())
    # Crests of the wave are where the coordinates of the cell add up to whole turns.
    first, second = np.indices((8, 16)) / np.array([8, 16])[:, None, None]
    crest = np.cos(2 * np.pi * (first + second))
    assert (bins * crest).sum() > 0.7 * np.abs(bins).sum()
