# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Fields continued beyond where they are known."""

import numpy as np

from hyperspy_t2t.calibration import ImageGrid
from hyperspy_t2t.strain.continuation import core, linear_continuation

GRID = ImageGrid((30, 40), (0.2, 0.3), (1.0, -2.0))


def test_a_linear_field_is_continued_exactly():
    known = np.zeros(GRID.shape, bool)
    known[5:20, 8:15] = True
    known[22:25, 30:33] = True
    x, y = np.moveaxis(GRID.to_nm(*np.indices(GRID.shape)), -1, 0)
    slopes = np.array([[0.02, -0.3], [0.5, 0.07]])
    values = np.stack([1 + a * x + b * y for a, b in slopes])
    field = np.broadcast_to(slopes[:, :, None, None], (2, 2, *GRID.shape)).copy()
    hidden = np.where(known, values, np.nan)
    field[:, :, ~known] = np.nan
    np.testing.assert_allclose(
        linear_continuation(hidden, field, GRID, known), values, atol=1e-12
    )


def test_every_part_of_a_mask_keeps_its_core():
    mask = np.zeros((60, 40), bool)
    mask[2:34, 3:37] = True
    mask[40:45, 3:37] = True
    inside = core(mask)
    assert inside[18, 20] and inside[42, 20]
    assert not inside[3, 20] and not inside[40, 20]
    assert not (inside & ~mask).any()
