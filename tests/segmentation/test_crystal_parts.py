# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Which crystal is where, from the power of fringes that only one of them has."""

import numpy as np
import pytest
from scipy.special import ndtr

from hyperspy_t2t.segmentation.crystal_parts import crystal_parts, planar_parts

Y, X = np.indices((120, 150))
INSIDE = np.hypot(X - 75, Y - 60) < 52
SIGMA = 6.0


def side(border: float) -> np.ndarray:
    """Amplitude of a crystal that ends at a height, through a Gaussian."""
    return ndtr((border - Y) / SIGMA)


@pytest.mark.parametrize("border", [45.5, 60.5, 80.5])
@pytest.mark.parametrize("strength", [0.3, 1.0, 3.0])
def test_the_border_does_not_depend_on_how_bright_the_crystals_are(border, strength):
    power = np.stack([side(border) ** 2, (strength * (1 - side(border))) ** 2])
    parts = crystal_parts(power, INSIDE, least=400)
    assert (parts[~INSIDE] == -1).all()
    assert (parts[INSIDE] == (border < Y)[INSIDE]).mean() > 0.97


def test_crystals_above_one_another_stay_together():
    both = 1 + 0.3 * np.sin(X / 12)
    power = np.stack([both**2, (2.2 - both) ** 2])
    assert (crystal_parts(power, INSIDE, least=400)[INSIDE] == 0).all()


def test_noise_makes_no_part():
    rng = np.random.default_rng(1)
    power = np.stack([np.ones(Y.shape), 0.1 * rng.random(Y.shape)])
    assert (crystal_parts(power, INSIDE, least=400)[INSIDE] == 0).all()


def test_a_small_crystal_has_no_part():
    spot = np.exp(-((X - 75) ** 2 + (Y - 60) ** 2) / 2 / 5**2)
    power = np.stack([(1 - spot) ** 2, spot**2])
    assert (crystal_parts(power, INSIDE, least=800)[INSIDE] == 0).all()
    assert (crystal_parts(power, INSIDE, least=50)[INSIDE] == 1).any()


SPACING = 12.0


def rows_of(offset: float) -> np.ndarray:
    """Bright rows every twelve pixels."""
    return 1 + np.cos(2 * np.pi * (Y - offset) / SPACING)


def border_of(parts: np.ndarray) -> int:
    """Height of the first row of the second crystal, the same everywhere."""
    (heights,) = {
        int(Y[:, k][parts[:, k] == 1].min()) for k in range(150) if INSIDE[:, k].any()
        and (parts[:, k] == 1).any() and (parts[:, k] == 0).any()
    }  # fmt: skip
    return heights


def planar(free: np.ndarray, image: np.ndarray) -> np.ndarray:
    parts = np.where(INSIDE, (free < Y).astype(np.int32), np.int32(-1))
    return planar_parts(parts, Y / SPACING, image, step=1 / SPACING)


def test_a_rough_border_becomes_a_plane_between_two_rows():
    free = 62 + 4 * np.sin(X / 5)
    assert border_of(planar(free, rows_of(56.0))) == pytest.approx(62, abs=1)


def test_a_row_that_both_share_goes_to_the_first():
    assert border_of(planar(62.0 + 0 * X, rows_of(62.0))) == pytest.approx(68, abs=1)


def test_a_border_that_is_no_plane_stays_as_it_is():
    free = 60 + 0.8 * (X - 75)
    parts = planar(free, rows_of(62.0))
    assert (parts[INSIDE] == (free < Y)[INSIDE]).all()
