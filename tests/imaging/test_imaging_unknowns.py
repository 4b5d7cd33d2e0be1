# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Offset, gain, probe and noise are found from an image."""

import numpy as np
import pytest

from hyperspy_t2t.calibration import ImageGrid
from hyperspy_t2t.imaging.linear_image import linear_image
from hyperspy_t2t.imaging.local_fit import LocalRegression, fit_probe
from hyperspy_t2t.imaging.photon_transfer import measure_noise

GRID = ImageGrid((200, 240), (0.025, 0.02), (0.0, 0.0))
SPACING = 0.25
LATTICE = np.stack(
    np.meshgrid(np.arange(-2, 24) * SPACING, np.arange(-2, 24) * SPACING), -1
).reshape(-1, 2)
ONES = np.ones(len(LATTICE))


def test_smooth_offset_and_gain():
    model = linear_image(LATTICE, ONES, GRID, 0.06)
    y, x = np.indices(GRID.shape) / np.array(GRID.shape)[:, None, None]
    offset, gain = 100 + 40 * x - 20 * y, -(3 + x + 0.5 * y)
    weight = np.ones(GRID.shape)
    weight[50:80, 60:100] = 0
    image = np.where(weight > 0, offset + gain * model, 1e6)
    found = LocalRegression(image, weight, GRID, SPACING).fit(model)
    inner = (slice(40, -40), slice(40, -40))
    np.testing.assert_allclose(found.gain[inner], gain[inner], rtol=0.02)
    drawn = found.offset + found.gain * model
    rest = ((image - drawn) * weight)[inner]
    assert rest.std() < 0.01 * (gain * model)[inner].std()


@pytest.mark.parametrize("probe", [0.04, 0.09])
def test_probe(probe):
    image = 7 + 5 * linear_image(LATTICE, ONES, GRID, probe)
    image += np.random.default_rng(0).normal(0, 0.05 * image.std(), image.shape)
    regression = LocalRegression(image, np.ones(GRID.shape), GRID, SPACING)
    found = fit_probe(
        regression, lambda s: linear_image(LATTICE, ONES, GRID, s), (0.02, 0.15)
    )
    assert found == pytest.approx(probe, rel=0.01)


def test_misplaced_columns_stay_in_the_residual():
    """A patch of columns shifted by 20 pm: no offset or gain explains it."""
    moved = LATTICE.copy()
    patch = np.hypot(*(LATTICE - [2.4, 2.5]).T) < 0.8
    moved[patch] += [0.02, 0]
    model = linear_image(LATTICE, ONES, GRID, 0.06)
    image = linear_image(moved, ONES, GRID, 0.06)
    found = LocalRegression(image, np.ones(GRID.shape), GRID, SPACING).fit(model)
    left = image - found.offset - found.gain * model
    pixels = GRID.to_nm(*np.indices(GRID.shape))
    inside = np.hypot(*np.moveaxis(pixels - [2.4, 2.5], -1, 0)) < 0.7
    assert left[inside].std() > 0.95 * (image - model)[inside].std()
    assert left[~inside].std() < 0.3 * left[inside].std()


@pytest.mark.parametrize(
    ("gain", "read", "offset", "counts"),
    [(1.0, 0.0, 0.0, 60), (12.5, 20.0, -300.0, 60), (1e-4, 3e-4, 0.2, 400)],
)
def test_gain_and_read_noise(gain, read, offset, counts):
    rng = np.random.default_rng(2)
    mean = counts * (0.1 + linear_image(LATTICE, ONES * SPACING**2, GRID, 0.06))
    level = gain * mean + offset
    image = gain * rng.poisson(mean) + offset + rng.normal(0, read, mean.shape)
    image[100, 100] += 100 * gain * counts  # a hot pixel
    known = np.ones(GRID.shape, bool)
    # The rest of a fit that is not perfect: 20 % of the signal is left in it.
    rest = image - level + 0.2 * (level - level.mean())
    noise = measure_noise(rest, level, known, GRID, 0.06)
    assert noise.gain == pytest.approx(gain, rel=0.05)
    expected = read**2 + gain * (level - offset)
    np.testing.assert_allclose(noise.variance(level), expected, rtol=0.1)
