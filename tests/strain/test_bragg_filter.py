# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Bragg-filtered images.

What could make them wrong: a wave with the wrong sign or origin, so that fringes lie
off the columns; a factor of two for the other half of the Friedel pair, or spots that
count twice; x taken for y; a seam between strips; a lattice shown in a region that is
not its own; grey levels invented where there is no image.
"""

import numpy as np
import pytest

from hyperspy_t2t.calibration import ImageGrid
from hyperspy_t2t.strain.bragg_filter import bragg_block, bragg_field

GRID = ImageGrid((520, 300), (0.02, 0.03), (-4.0, 7.0))
G = np.array([(2.5, 1.0), (-0.7, 3.1), (1.8, 4.1)])
SIGMA = 0.3
X, Y = np.moveaxis(GRID.to_nm(*np.indices(GRID.shape)), -1, 0)
ONES = np.ones(GRID.shape, np.int32)
INNER = (0, slice(90, -90), slice(60, -60))
"""Three standard deviations from the border."""


def waves(chosen: np.ndarray = G) -> np.ndarray:
    return sum(
        (k + 1) * np.cos(2 * np.pi * (gx * X + gy * Y) + k)
        for k, (gx, gy) in enumerate(chosen)
    )


def filtered(image: np.ndarray, g: np.ndarray, *, mean: bool = True, **kwargs):
    field = bragg_field(image, GRID, g, sigma=SIGMA, **kwargs)
    return bragg_block(ONES, GRID, [field], mean=mean)


def test_all_spots_make_the_image() -> None:
    image = 100 + waves()
    np.testing.assert_allclose(filtered(image, G)[INNER], image[INNER[1:]], atol=0.003)
    # At the border spots leak into one another, but no fringe is off.
    border = filtered(image, G)[0] - image
    assert np.sqrt(np.mean(border**2)) < 0.1 * image.std()


def test_one_spot_alone_without_the_mean() -> None:
    found = filtered(100 + waves(), G[:1], mean=False)
    np.testing.assert_allclose(found[INNER], waves(G[:1])[INNER[1:]], atol=0.003)


def test_friedel_partners_count_once() -> None:
    image = 100 + waves()
    twice = np.concatenate([G, -G, G + 0.01])
    np.testing.assert_array_equal(filtered(image, twice), filtered(image, G))


def test_fringes_of_a_strained_lattice_stay_where_they_are() -> None:
    """Off by 3 % from g, within the mask: full position, amplitude by the Gaussian."""
    strained = 1.03 * G[:1]
    found = filtered(100 + waves(strained), G[:1], mean=False)
    loss = np.exp(-2 * (np.pi * SIGMA * 0.03 * np.hypot(*G[0])) ** 2)
    np.testing.assert_allclose(
        found[INNER], loss * waves(strained)[INNER[1:]], atol=0.003
    )


@pytest.mark.parametrize("mean", [True, False])
def test_noise_falls_by_the_area_of_the_masks(mean) -> None:
    """White noise of variance s² leaves s² a (2 n + 1) / 4πσ² of pixels of area a."""
    image = np.random.default_rng(2).normal(50, 10, GRID.shape)
    found = filtered(image, G, mean=mean)[INNER]
    expected = 100 * 0.02 * 0.03 * (2 * len(G) + mean) / (4 * np.pi * SIGMA**2)
    assert found.var() == pytest.approx(expected, rel=0.15)


def test_blocks_and_strips_have_no_seams() -> None:
    field = bragg_field(100 + waves(), GRID, G, sigma=SIGMA)
    whole = bragg_block(ONES, GRID, [field], mean=True)
    rows, columns = slice(201, 420), slice(33, 222)
    part = bragg_block(
        ONES[rows, columns], GRID.window(rows, columns), [field], mean=True
    )
    np.testing.assert_allclose(part, whole[:, rows, columns], atol=1e-4)


def test_each_region_has_its_own_lattice() -> None:
    labels = ONES.copy()
    labels[:, 150:] = 2
    labels[:100] = 0
    image = 100 + waves()
    fields = [
        bragg_field(image, GRID, G[k : k + 1], sigma=SIGMA, members=(k + 1,))
        for k in (0, 1)
    ]
    found = bragg_block(labels, GRID, fields, mean=False)[0]
    assert np.isnan(found[:100]).all() and np.isfinite(found[100:]).all()
    for k in (0, 1):
        alone = bragg_block(
            labels, GRID, [bragg_field(image, GRID, G[k : k + 1], sigma=SIGMA)],
            mean=False,
        )[0]  # fmt: skip
        own = labels == k + 1
        np.testing.assert_array_equal(found[own], alone[own])


def test_nothing_is_invented_where_there_is_no_image() -> None:
    image = 100 + waves()
    image[:, :100] = np.nan
    image[300, 200] = np.inf
    found = filtered(image, G)[0]
    # Beyond 1.3 σ from the last pixels a tenth of the Gaussian is left.
    assert np.isnan(found[90:-90, :85]).all()
    assert np.isfinite(found[:, 100:]).all()
    np.testing.assert_allclose(
        found[INNER[1:]][:, 75:], (100 + waves())[INNER[1:]][:, 75:], atol=0.3
    )


def test_what_cannot_be_filtered() -> None:
    image = 100 + waves()
    for g in ([(0.0, 0.0)], [(17.0, 0.0)], [(np.nan, 1.0)]):
        with pytest.raises(ValueError, match=r"16.67 \(x\) and 25 \(y\) 1/nm, got"):
            bragg_field(image, GRID, g, sigma=SIGMA)
    with pytest.raises(ValueError, match=r"shape \(n, 2\), got shape \(2,\)"):
        bragg_field(image, GRID, (1.0, 2.0), sigma=SIGMA)
