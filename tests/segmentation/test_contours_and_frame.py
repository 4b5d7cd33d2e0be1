# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Outlines of masks, and the frame of an image that holds data."""

import dask.array as da
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hyperspy_t2t.calibration import ImageGrid
from hyperspy_t2t.segmentation.contours import region_contours
from hyperspy_t2t.segmentation.frame import valid_frame

GRID = ImageGrid((60, 80), (0.5, 0.2), (-3.0, 10.0))
Y, X = np.indices(GRID.shape)


def signed_area(polygon: np.ndarray) -> float:
    x, y = polygon.T
    return 0.5 * float((x[:-1] * y[1:] - x[1:] * y[:-1]).sum())


def total_area(mask: np.ndarray) -> float:
    """Outer outlines minus holes, which run the other way round."""
    return abs(sum(signed_area(p) for p in region_contours(mask, GRID)))


@pytest.mark.parametrize(
    ("mask", "outlines"),
    [
        (np.hypot(Y - 30, X - 40) < 25, 1),
        ((np.hypot(Y - 30, X - 40) < 25) & (np.hypot(Y - 28, X - 43) > 9), 2),
        ((X < 30) | ((X > 50) & (Y > 20)), 2),
        (np.ones(GRID.shape, bool), 1),
        (X + Y < 40, 1),
    ],
    ids=["disk", "ring", "two parts", "all", "corner"],
)
def test_outlines_are_closed_and_enclose_the_area_of_the_mask(
    mask: np.ndarray, outlines: int
) -> None:
    polygons = region_contours(mask, GRID)
    assert len(polygons) == outlines
    length = [np.linalg.norm(np.diff(p, axis=0), axis=1).sum() for p in polygons]
    assert length == sorted(length, reverse=True)
    for polygon in polygons:
        np.testing.assert_array_equal(polygon[0], polygon[-1])
    area = mask.sum() * np.prod(GRID.pixel_size)
    assert total_area(mask) == pytest.approx(area, rel=0.01)


def test_a_hole_runs_the_other_way_round() -> None:
    ring = (np.hypot(Y - 30, X - 40) < 25) & (np.hypot(Y - 30, X - 40) > 9)
    outer, hole = (signed_area(p) for p in region_contours(ring, GRID))
    assert outer * hole < 0 and abs(outer) > abs(hole)


def test_outlines_run_halfway_between_pixels() -> None:
    mask = (X >= 20) & (X <= 50) & (Y >= 10) & (Y <= 40)
    (polygon,) = region_contours(mask, GRID)
    low, high = GRID.to_nm(9.5, 19.5), GRID.to_nm(40.5, 50.5)
    np.testing.assert_allclose(polygon.min(axis=0), low)
    np.testing.assert_allclose(polygon.max(axis=0), high)


def test_no_pixels_have_no_outline() -> None:
    assert region_contours(np.zeros(GRID.shape, bool), GRID) == []


@given(*[st.integers(0, 12)] * 4, st.sampled_from([0.0, 7.0, np.nan]), st.booleans())
def test_constant_frames_are_left_out(
    top: int, bottom: int, left: int, right: int, value: float, lazy: bool
) -> None:
    image = np.random.default_rng(0).normal(size=(40, 50))
    image[:top], image[40 - bottom :] = value, value
    image[:, :left], image[:, 50 - right :] = value, value
    if lazy:
        image = da.from_array(image, chunks=(17, 23))
    assert valid_frame(image) == (slice(top, 40 - bottom), slice(left, 50 - right))


def test_a_constant_line_inside_stays() -> None:
    image = np.random.default_rng(1).integers(0, 99, (30, 40))
    image[12] = 5
    assert valid_frame(image) == (slice(0, 30), slice(0, 40))


@pytest.mark.parametrize("value", [3.0, np.nan])
def test_an_image_without_contrast(value: float) -> None:
    with pytest.raises(ValueError, match=r"one grey value \(or NaN\).* 20 × 30 pixels"):
        valid_frame(np.full((20, 30), value))
