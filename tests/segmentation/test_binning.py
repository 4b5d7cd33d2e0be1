# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Single pixels far beyond all others, and what is no such pixel."""

import dask.array as da
import numpy as np
import pytest

from hyperspy_t2t.segmentation.binning import without_extremes

rng = np.random.default_rng(0)
USUAL = rng.normal(100.0, 10.0, (160, 140))


@pytest.mark.parametrize("value", [1e30, -1e30, 1e9])
def test_one_pixel_is_brought_back(value: float) -> None:
    image = USUAL.copy()
    image[20, 30], image[3, 4] = value, np.nan
    found = without_extremes(image)
    changed = found != image
    changed[3, 4] = not np.isnan(found[3, 4])
    assert changed.sum() == 1 and changed[20, 30]
    assert USUAL.min() < found[20, 30] < USUAL.max()
    lazy = without_extremes(da.from_array(image, chunks=50))
    np.testing.assert_array_equal(lazy.compute(), found)


def test_what_is_no_fault_stays() -> None:
    particle = USUAL.copy()
    particle[10:16, 10:16] += 5000.0  # small and bright, but an object
    largest = (rng.random((60, 50)) * np.finfo(np.float32).max).astype(np.float32)
    for image in (
        USUAL, particle, largest, np.full((9, 9), np.nan), np.zeros((5, 5)),
        (100 * USUAL).astype(np.uint16),
    ):  # fmt: skip
        found = without_extremes(image)
        assert found is image or np.array_equal(found, image)
        lazy = without_extremes(da.from_array(image, chunks=50))
        np.testing.assert_array_equal(lazy.compute(), image)


def test_kinds_of_numbers() -> None:
    for kind in (np.float32, np.int32, np.uint64, np.longdouble):
        image = USUAL.astype(kind)
        image[7, 8] = 10**9
        found = without_extremes(image)
        assert found.dtype == image.dtype
        assert found.max() < 200
