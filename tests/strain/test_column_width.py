# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""The width of columns, and the false displacement where their brightness changes."""

import numpy as np
import pytest

from hyperspy_t2t.calibration import ImageGrid
from hyperspy_t2t.strain.column_width import WIDEST, column_width
from hyperspy_t2t.strain.fringes import FringeImage

G = np.array([[5.0, 0.0], [0.0, 7.07], [5.0, 7.07], [10.0, 0.0]])
GRID = ImageGrid((360, 300), (0.02, 0.025), (1.0, -2.0))


def columns(width: float, *, step: float) -> np.ndarray:
    """A lattice of Gaussian columns, brighter by `step` in the lower half."""
    y, x = (
        GRID.origin[axis] + GRID.pixel_size[axis] * np.arange(GRID.shape[axis])
        for axis in (0, 1)
    )
    image = np.zeros(GRID.shape)
    middle = GRID.origin[0] + 0.5 * GRID.shape[0] * GRID.pixel_size[0]
    across = sum(
        np.exp(-0.5 * ((x - k / G[0, 0]) / width) ** 2) for k in range(-20, 50)
    )
    for k in range(-20, 90):
        place = k / G[1, 1]
        bright = step if place > middle else 1.0
        image += bright * np.outer(np.exp(-0.5 * ((y - place) / width) ** 2), across)
    return image


@pytest.mark.parametrize("width", [0.03, 0.045, 0.07])
def test_the_width_is_found(width: float) -> None:
    fringes = FringeImage(columns(width, step=1.0), GRID, G, 0.4).whole()
    level = fringes.amplitude[:, 15:-15, 15:-15].mean(axis=(1, 2))
    found = column_width(level, G, resolution=0.4)
    assert found == pytest.approx(width, rel=1e-3)


def test_limits_of_the_width() -> None:
    rising = np.exp(+(G**2).sum(axis=1) / 100)  # no width does this
    assert column_width(rising, G, resolution=0.4) == 0
    steep = np.exp(-2 * (np.pi * 0.3) ** 2 * (G**2).sum(axis=1))
    assert column_width(steep, G, resolution=0.4) == pytest.approx(WIDEST * 0.4)
    # Two g of the same length say nothing.
    assert column_width(np.array([1.0, 0.5]), G[[0, 0]], resolution=0.4) == 0


@pytest.mark.parametrize("sigma", [0.3, 0.5])
def test_no_displacement_where_only_the_brightness_changes(sigma: float) -> None:
    """Twice as bright below the middle; y alone has a gradient."""
    image, width = columns(0.05, step=2.0), 0.05
    steps = []
    for taken_out in (0.0, width):
        fringes = FringeImage(image, GRID, G[:2], sigma, column_width=taken_out).whole()
        slope, phase = fringes.slopes_from(G[:2]), fringes.phase_from(G[1], 1)
        inside = (slice(None), slice(10, -10), slice(10, -10))
        shift = -slope[1, 1][inside[1:]] / (2 * np.pi * G[1, 1])  # ∂u_y/∂y
        steps.append(np.abs(shift).max())
        assert np.ptp(phase[inside[1:]]) < 0.4
    # Otherwise s² (ln|z|)″, which is about 0.2 s²/σ² for twice the brightness.
    assert steps[0] > 0.1 * (width / sigma) ** 2
    assert steps[1] < 0.03 * steps[0]
