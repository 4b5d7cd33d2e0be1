# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""How uniform regions are, to choose the reference among them."""

import numpy as np
import pytest

from hyperspy_t2t.calibration import ImageGrid
from hyperspy_t2t.strain.flatness import unevenness

PAIR = np.array([[4.0, 0.6], [0.4, 3.8]])
GRID = ImageGrid((300, 360), (0.03, 0.025), (2.0, -1.0))


def crystal(bend: float) -> np.ndarray:
    """Fringes whose u_x grows with x as bend x²/2, in nm."""
    at = GRID.to_nm(*np.indices(GRID.shape))
    u = np.zeros_like(at)
    u[..., 0] = 0.5 * bend * (at[..., 0] - at[..., 0].mean()) ** 2
    return sum(np.cos(2 * np.pi * ((at - u) @ g)) for g in PAIR)


@pytest.mark.parametrize("bend", [0.0, 0.002, 0.006])
def test_a_gradient_of_the_strain(bend: float) -> None:
    """∂u_x/∂x varies linearly: one of four components has the spread of bend x."""
    region = np.ones(GRID.shape, bool)
    found = unevenness(crystal(bend), region, GRID, PAIR, resolution=0.4)
    # Weighted by the depth inside, half of the width w has a spread of w/√24 or less.
    width = GRID.shape[1] * GRID.pixel_size[1] - 2 * 4 * 0.2
    assert found <= 0.5 * bend * width / np.sqrt(12) + 1e-4
    assert found >= 0.5 * bend * width / np.sqrt(40) - 1e-4


def test_only_the_region_counts() -> None:
    image = crystal(0.0)
    image[:, 180:] = np.random.default_rng(0).normal(size=(300, 180))
    region = np.zeros(GRID.shape, bool)
    region[:, :150] = True
    assert unevenness(image, region, GRID, PAIR, resolution=0.4) < 1e-3
    noise = unevenness(image, ~region, GRID, PAIR, resolution=0.4)
    assert noise > 0.01


def test_no_fringes_at_all() -> None:
    region = np.ones(GRID.shape, bool)
    flat = unevenness(np.zeros(GRID.shape), region, GRID, PAIR, resolution=0.4)
    assert flat == np.inf
