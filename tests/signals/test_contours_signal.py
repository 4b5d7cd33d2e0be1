# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Outlines of a SegmentedImage, as ROIs and shapely polygons, and back to regions."""

import dask.array as da
import hyperspy.api as hs
import numpy as np
import pytest
import shapely
from scipy.ndimage import gaussian_filter

from hyperspy_t2t.signals import SegmentedImage

PIXEL = (0.5, 0.2)


def calibrated(values):
    """A Signal2D of 0.5 nm by 0.2 nm per pixel."""
    image = hs.signals.Signal2D(values)
    for axis, scale, offset in zip(
        image.axes_manager.signal_axes, PIXEL[::-1], (4.0, -3.0), strict=True
    ):
        axis.scale, axis.offset, axis.units = scale, offset, "nm"
    return image


@pytest.fixture(scope="module")
def labels():
    """Four regions with islands and holes, and unassigned pixels."""
    noise = np.random.default_rng(1).normal(size=(5, 110, 140))
    found = gaussian_filter(noise, (0, 5, 5)).argmax(axis=0)
    found[40:60, 50:80] = 2
    found[45:50, 60:70] = 4
    return found


@pytest.fixture(scope="module")
def picture(labels):
    return calibrated(np.random.default_rng(0).normal(size=labels.shape))


@pytest.fixture(scope="module")
def segmented(picture, labels):
    return SegmentedImage.from_labels(picture, labels)


@pytest.fixture(scope="module")
def lazily(picture, labels):
    chunked = da.from_array(labels, chunks=(33, 47))
    return SegmentedImage.from_labels(picture.as_lazy(chunks=(33, 47)), chunked)


def unread(shape, chunks):
    """A lazy image that must not be read."""

    def refuse(block):
        raise AssertionError("the image was read")

    data = da.zeros(shape, chunks=chunks).map_blocks(refuse, meta=np.empty((0, 0)))
    return calibrated(data).as_lazy()


def test_outlines_are_in_nm_and_keep_areas(segmented, labels):
    contours = segmented.contours()
    assert isinstance(contours, dict) and list(contours) == [1, 2, 3, 4]
    area = [
        sum(shapely.Polygon(*part).area for part in parts)
        for parts in contours.polygons().values()
    ]
    np.testing.assert_allclose(area, np.bincount(labels.ravel())[1:] * 0.1, rtol=1e-3)
    points = contours.ragged_arrays()[0]
    np.testing.assert_allclose(points.min(axis=0), [3.9, -3.25])
    np.testing.assert_allclose(points.max(axis=0), [31.9, 51.75])


def test_options(segmented):
    plain = segmented.contours()
    edges = segmented.contours(smooth=False)
    few = segmented.contours(max_nodes=400, tolerance=0.3)
    sizes = [len(c.ragged_arrays()[0]) for c in (plain, edges, few)]
    assert sizes[2] < sizes[0] < sizes[1]
    steps = np.concatenate([np.diff(p, axis=0) for v in edges.values() for p in v])
    assert (steps == 0).any(axis=1).all()
    with pytest.raises(TypeError):
        segmented.contours(0.1)
    with pytest.raises(ValueError, match="tolerance of 0 nm or more"):
        segmented.contours(tolerance=-1)


def test_lazy_outlines_equal_eager_ones(segmented, lazily):
    for options in ({}, {"smooth": False}, {"tolerance": 1.0}):
        expected, found = segmented.contours(**options), lazily.contours(**options)
        assert list(found) == list(expected)
        for label, polygons in expected.items():
            for one, other in zip(found[label], polygons, strict=True):
                np.testing.assert_array_equal(one, other)


def forms(segmented, options):
    contours = segmented.contours(**options)
    shapes = shapely.from_ragged_array(
        shapely.GeometryType.MULTIPOLYGON, *contours.ragged_arrays()
    )
    return {
        "contours": contours,
        "polygons": contours.polygons(),
        "rois": segmented.to_rois(**options),
        "shapely": dict(zip(contours, shapes, strict=True)),
        "shapely parts": {
            label: [shapely.Polygon(*part) for part in parts]
            for label, parts in contours.polygons().items()
        },
        "list": [contours[label] for label in (1, 2, 3, 4)],
    }


@pytest.mark.parametrize("options", [{"smooth": False}, {"tolerance": 0}])
@pytest.mark.parametrize("kind", ["eager", "lazy"])
def test_there_and_back(segmented, picture, labels, options, kind):
    image = picture if kind == "eager" else unread(labels.shape, (50, 41))
    for name, form in forms(segmented, options).items():
        found = SegmentedImage.from_contours(image, form)
        assert found._lazy is (kind == "lazy"), name
        if found._lazy:
            assert found.labels.data.chunks == ((50, 50, 10), (41, 41, 41, 17))
        assert found.labels.data.dtype == np.int32
        np.testing.assert_array_equal(found.labels.data, labels, err_msg=name)
    step = found.metadata.Processing.as_dictionary()["step_1"]
    assert step["operation"] == "from_contours"


def test_simplified_outlines_come_back_nearly(segmented, picture, labels):
    found = SegmentedImage.from_contours(picture, segmented.contours())
    assert np.mean(found.labels.data != labels) < 0.005


def test_rois_are_in_the_units_of_the_axes(segmented, labels):
    image = segmented.deepcopy()
    image.axes_manager[0].convert_to_units("µm")
    image.axes_manager[1].convert_to_units("Å")
    rois, expected = image.to_rois(smooth=False), segmented.to_rois(smooth=False)
    for label, parts in rois.items():
        for one, other in zip(parts, expected[label], strict=True):
            assert isinstance(one, hs.roi.PolygonROI)
            wanted = np.multiply(other.vertices, [1e-3, 10])
            np.testing.assert_allclose(one.vertices, wanted)
    found = SegmentedImage.from_contours(image, rois)
    np.testing.assert_array_equal(found.labels.data, labels)


def test_a_roi_cuts_out_its_region(segmented, labels):
    (roi, *_) = segmented.to_rois(smooth=False)[2]
    values = roi(segmented).data
    inside = int(np.isfinite(values).sum())
    largest = max(
        shapely.Polygon(*part).area for part in segmented.contours().polygons()[2]
    )
    # HyperSpy counts pixels that the outline passes through.
    assert inside * 0.1 == pytest.approx(largest, rel=0.25)


def test_drawn_outlines(picture):
    triangle = [(5.0, -2.0), (20.0, -2.0), (5.0, 30.0)]
    square = np.array([[10.0, 0], [25, 0], [25, 15], [10, 15]])
    roi = hs.roi.PolygonROI([tuple(point) for point in square.tolist()])
    found = SegmentedImage.from_contours(picture, [triangle, roi])
    assert found.region_labels.tolist() == [1, 2]
    rows, columns = np.indices(picture.data.shape)
    x, y = 4 + 0.2 * columns, -3 + 0.5 * rows
    inside = (abs(x - 17.5) < 7.45) & (abs(y - 7.5) < 7.45)
    assert (found.labels.data[inside] == 2).all()
    below = (x > 5.1) & (y > -1.9) & ((x - 5) / 15 + (y + 2) / 32 < 0.99)
    edge = (abs(x - 17.5) < 7.55) & (abs(y - 7.5) < 7.55)
    assert (found.labels.data[below & ~edge] == 1).all()
    both = SegmentedImage.from_contours(
        picture, {7: [roi, hs.roi.PolygonROI(triangle)]}
    )
    expected = np.where(found.labels.data > 0, 7, 0)
    np.testing.assert_array_equal(both.labels.data, expected)


@pytest.mark.parametrize(
    ("contours", "error", "message"),
    [
        (3, TypeError, r"Expected contours as \{label: outlines\}.*; got int"),
        ("abc", TypeError, "got str"),
        ({1: "abc"}, TypeError, "got str 'abc'"),
        ({1: []}, ValueError, "Expected outlines .* got none for label 1"),
        ({0: [[(0, 0), (1, 0), (1, 1)]]}, ValueError, "labels from 1 .* got 0"),
        ({1.5: [[(0, 0), (1, 0), (1, 1)]]}, ValueError, r"got 1\.5"),
        ({2: [(0, 0), (1, 0)]}, ValueError, "at least 3 points.* got 2 .* label 2"),
        ({2: [(0, 0), (1, 0), (1, np.nan)]}, ValueError, "finite coordinates"),
        ({2: hs.roi.PolygonROI()}, ValueError, "got 0 points for label 2"),
        ({2: shapely.Point(1, 2)}, TypeError, "MultiPolygon, got a geometry 'Point'"),
    ],
)
def test_what_is_no_outline(picture, contours, error, message):
    with pytest.raises(error, match=message):
        SegmentedImage.from_contours(picture, contours)


def test_no_regions(segmented):
    empty = segmented.relabel({1: 0, 2: 0, 3: 0, 4: 0})
    assert empty.contours() == {} and empty.to_rois() == {}
    found = SegmentedImage.from_contours(segmented, {})
    assert not np.asarray(found.labels.data).any()
