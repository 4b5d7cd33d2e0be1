# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""The gradient relative to given g, without a reference in the image."""

import numpy as np

from hyperspy_t2t.calibration import ImageGrid
from hyperspy_t2t.data.displacements import strained
from hyperspy_t2t.strain.counting_noise import FringeNoise
from hyperspy_t2t.strain.fringes import local_fringes
from hyperspy_t2t.strain.lattice_fit import local_gradient

GRID = ImageGrid((130, 110), (0.03, 0.025), (1.0, -2.0))
PAIR = np.array([[3.0, 0.4], [0.2, 2.8]])


def test_a_strained_lattice_against_given_g() -> None:
    for g in (PAIR, np.concatenate([PAIR, np.array([[1, 1], [1, -1]]) @ PAIR])):
        at = GRID.to_nm(*np.indices(GRID.shape))
        field = strained(0.02, -0.01, 0.015, rotation=1.5, origin=(-1.0, 2.0))
        place = at - field.displacement(at)
        image = 5 + np.cos(2 * np.pi * place @ g.T).sum(axis=-1)
        fringes = local_fringes(image, GRID, g, resolution=0.25)
        inside = np.ones(fringes.grid.shape, bool)
        noise = FringeNoise.white(1e-6, len(g))
        gradient, variance, amplitude = local_gradient(fringes, inside, noise)
        # ∂u/∂r where the pixel is, by differences of the displacement.
        step, middle = 1e-4, np.array([-0.6, 2.9])
        expected = np.stack(
            [
                field.displacement(middle + move) - field.displacement(middle - move)
                for move in step * np.eye(2)
            ],
            axis=1,
        ) / (2 * step)
        np.testing.assert_allclose(
            gradient, np.broadcast_to(expected[..., None, None], gradient.shape),
            atol=4e-3,  # neighbouring spots shine in at the corners
        )  # fmt: skip
        assert (variance > 0).all() and np.abs(amplitude - 1).max() < 0.05
