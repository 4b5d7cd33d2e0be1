# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""A right model leaves noise, a wrong one is seen."""

from functools import cache

import numpy as np
import pytest
from scipy.ndimage import uniform_filter

from hyperspy_t2t.calibration import ImageGrid
from hyperspy_t2t.data.synthetic import synthetic_arrays
from hyperspy_t2t.data.synthetic_regions import Region
from hyperspy_t2t.data.synthetic_scan import Scan
from hyperspy_t2t.imaging.comparison import compare_columns
from hyperspy_t2t.imaging.linear_image import ProjectedColumns

SHAPE, PIXEL = (240, 280), (0.025, 0.02)
GRID = ImageGrid(SHAPE, PIXEL[::-1])


@cache
def crystal(dose=300.0):
    """ZnO [11-20], turned by 17°; columns are drawn by another module."""
    scan = Scan(
        shape=SHAPE,
        pixel_size=PIXEL,
        probe_size=0.05,
        dose=dose,
        background=0.2,
        seed=1,
    )
    region = Region("ZnO wurtzite", (1, 1, -2, 0), rotation=17.0)
    image, truth = synthetic_arrays([region], scan)
    return image.astype(float), truth["columns"]


def columns_at(xy, table):
    number = np.arange(len(table))
    return ProjectedColumns(number, xy, table[:, 3], table[:, 2].astype(int))


def compared(change=lambda xy: xy, image=lambda values: values):
    values, table = crystal()
    values = image(values)
    found = compare_columns(values, GRID, columns_at(change(table[:, :2]), table))
    residual = np.where(
        found.region >= 0, (values - found.brightened) / found.std, np.nan
    )
    return found, residual, table


def errors(found):
    return np.where(found.found[:, None], found.fitted.shift, np.nan)[
        found.groups.of_column
    ]


def test_right_model_leaves_noise():
    found, residual, _ = compared()
    assert found.imaging.probe == pytest.approx(0.05, rel=0.01)
    assert found.imaging.noise.gain == pytest.approx(1, rel=0.05)
    assert np.nanmean(residual**2) == pytest.approx(1, abs=0.05)
    assert np.nanmean(residual) == pytest.approx(0, abs=0.02)
    assert found.found.sum() > 0.95 * found.visible.sum() > 100
    usable = found.found & found.visible
    ratio = found.fitted.shift[usable] / found.fitted.shift_std[usable]
    assert ratio.std() == pytest.approx(1, abs=0.2)


def test_patch_of_misplaced_columns_is_seen_where_it_is():
    centre = np.array([2.0, 3.2])

    def change(xy):
        near = np.hypot(*(xy - centre).T) < 0.9
        return xy + near[:, None] * [0.02, -0.01]

    found, residual, table = compared(change)
    near = np.hypot(*(table[:, :2] - centre).T) < 0.9
    visible = found.visible[found.groups.of_column]
    shift = errors(found)
    # Imaged minus model.
    np.testing.assert_allclose(
        np.nanmedian(shift[near & visible], axis=0), [-0.02, 0.01], atol=0.002
    )
    assert np.abs(np.nanmedian(shift[~near & visible], axis=0)).max() < 0.001
    pixels = GRID.to_nm(*np.indices(SHAPE)) - centre
    inside = np.hypot(*np.moveaxis(pixels, -1, 0)) < 0.8
    assert np.nanmean(residual[inside] ** 2) > 1.5
    outside = np.hypot(*np.moveaxis(pixels, -1, 0)) > 1.2
    assert np.nanmean(residual[outside] ** 2) < 1.1


def test_strain_of_one_per_cent_is_seen():
    middle = GRID.to_nm(120, 140)
    found, residual, table = compared(lambda xy: middle + 1.01 * (xy - middle))
    shift = errors(found)
    usable = np.isfinite(shift[:, 0]) & found.visible[found.groups.of_column]
    slope = np.polyfit(table[usable, 0], shift[usable, 0], 1)[0]
    assert slope == pytest.approx(-0.01, rel=0.1)
    assert np.nanmean(residual**2) > 1.3
    # The wrong model neither widens the probe nor adds to the noise.
    assert found.imaging.probe == pytest.approx(0.05, rel=0.02)
    assert found.imaging.noise.gain == pytest.approx(1, rel=0.06)


def test_dark_columns_and_missing_pixels():
    def image(values):
        values = 900 - 0.5 * values
        values[100:130, 50:90] = np.nan
        return values

    found, _, _ = compared(image=image)
    assert found.imaging.contrast == -1
    assert (found.region[100:130, 50:90] == -1).all()
    usable = found.found & found.visible
    assert np.median(np.hypot(*found.fitted.shift[usable].T)) < 0.003
    assert np.median(found.amplitude[usable]) == pytest.approx(1, abs=0.05)


def test_thickness_and_background_are_no_residual():
    y, x = np.indices(SHAPE) / np.array(SHAPE)[:, None, None]
    _, residual, _ = compared(image=lambda values: values + 400 * x**2 + 200 * y)
    # The noise of the added background is missing, so that less than 1 is left.
    coarse = uniform_filter(np.nan_to_num(residual), 25)[30:-30, 30:-30]
    assert np.abs(coarse).max() < 0.4
    assert np.nanmean(residual**2) < 1.1
