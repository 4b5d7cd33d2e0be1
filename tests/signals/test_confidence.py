# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""How sure a method is of its labels goes with the image."""

import hyperspy.api as hs
import numpy as np
import pytest

from hyperspy_t2t.data import scene
from hyperspy_t2t.signals import SegmentedImage


@pytest.fixture(scope="module")
def image():
    image = scene("nanoparticles", shape=(256, 320), pixel_size=0.1, background=1.0)
    image.data[:, :20] = np.nan  # no data, no label
    return image


@pytest.fixture(scope="module")
def segmented(image):
    return image.segment()


def test_confidence_of_every_pixel(segmented):
    confidence = segmented.confidence
    assert confidence.data.dtype == np.float32
    assert confidence.data.shape == (256, 320)
    assert confidence.axes_manager[0].units == "nm"
    labels = segmented.labels.data
    np.testing.assert_array_equal(confidence.data > 0, labels > 0)
    assert confidence.data.max() <= 1
    edge = np.zeros(labels.shape, bool)
    edge[:, 1:] = (np.diff(labels, axis=1) != 0) & (labels[:, 1:] * labels[:, :-1] > 0)
    assert edge.any()
    assert confidence.data[edge].mean() < 0.7 < np.median(confidence.data[labels > 0])


def test_lazy_confidence_is_the_same(image, segmented):
    lazy = image.as_lazy(chunks=(100, 90)).segment()
    data = lazy.confidence.data
    assert data.chunks == lazy.labels.data.chunks
    np.testing.assert_array_equal(data.compute(), segmented.confidence.data)


def test_slices_and_files_keep_it(segmented, tmp_path):
    part = segmented.isig[30:200, 10:100]
    expected = segmented.confidence.data[10:100, 30:200]
    np.testing.assert_array_equal(part.confidence.data, expected)
    part.save(tmp_path / "part.hspy")
    loaded = hs.load(tmp_path / "part.hspy")
    np.testing.assert_array_equal(loaded.confidence.data, expected)


def test_corrections_leave_it(segmented):
    merged = segmented.merge(segmented.region_labels[:2])
    np.testing.assert_array_equal(merged.confidence.data, segmented.confidence.data)


def test_labels_by_hand_have_none(image):
    regions = SegmentedImage.from_labels(image, np.ones(image.data.shape, int))
    with pytest.raises(ValueError, match=r"has no confidence: .* labels given by hand"):
        _ = regions.confidence
