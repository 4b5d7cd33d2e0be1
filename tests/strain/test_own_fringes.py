# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Fringes that one of two crystals has, from drawn waves on oblong pixels."""

import numpy as np
import pytest

from hyperspy_t2t.calibration import ImageGrid
from hyperspy_t2t.strain.own_fringes import own_fringes

GRID = ImageGrid((240, 200), (0.02, 0.025), (1.0, -2.0))
SHARED, FIRST, SECOND = (0.5, 4.0), (3.6, 1.2), (-3.1, 2.0)
G = np.array([SHARED, FIRST, SECOND])
G = np.concatenate([G, -G])
OWN = (np.array([1]), np.array([2]))


def two_crystals(noise):
    """The first to the left of x = 0.7 nm, with fringes of amplitude 1."""
    place = GRID.to_nm(*np.indices(GRID.shape))
    waves = [np.cos(2 * np.pi * (place @ g)) for g in G[:3]]
    left = place[..., 0] < 0.7
    image = 5 + 2 * waves[0] + np.where(left, waves[1], waves[2])
    return image + np.random.default_rng(3).normal(0, noise, GRID.shape), left


@pytest.mark.parametrize("noise", [0.0, 1.0])
def test_each_crystal_is_where_its_own_fringes_are(noise):
    image, left = two_crystals(noise)
    amplitude = np.array([2.0, 1, 1, 2, 1, 1])
    found = own_fringes(image, GRID, OWN, G, amplitude)
    first, second = found.on(GRID)
    assert np.mean((first > second) == left) > 0.97
    x = GRID.to_nm(*np.indices(GRID.shape))[..., 0]
    inside = np.abs(x - 0.7) > 2.5 * found.sigma
    assert np.all(((first > second) == left)[inside])
    # An amplitude of 1 is a Fourier component of 1/2, with a power of 1/4.
    deep = left & (x < 0.7 - 3 * found.sigma)
    assert first[deep].mean() == pytest.approx(0.25, rel=0.1)
    assert abs(second[deep].mean()) < 0.01


@pytest.mark.parametrize(("noise", "right"), [(6.0, 0.96), (12.0, 0.9)])
def test_noise_widens_the_gaussian_where_spots_fill_their_ring(noise, right):
    """Through the narrow one no frequency as long as the spots is away from them."""
    image, left = two_crystals(noise)
    found = own_fringes(image, GRID, OWN, G, np.array([2.0, 1, 1, 2, 1, 1]))
    first, second = found.on(GRID)
    assert found.sigma > 0.2
    assert np.mean((first > second) == left) > right
