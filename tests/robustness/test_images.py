# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Grey values of every type and size, images with little in them, odd regions."""

import hyperspy.api as hs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from hyperspy_t2t import CalibrationError
from hyperspy_t2t.signals import Micrograph, SegmentedImage

SHAPE = (96, 88)


def image(data, scale=(0.04, 0.04), units=("nm", "nm")):
    axes = [
        {"name": name, "size": size, "scale": step, "units": unit}
        for name, size, step, unit in zip("yx", data.shape, scale, units, strict=True)
    ]
    return hs.signals.Signal2D(data, axes=axes)


def grey(small, top):
    """The image of the chain from 0 to `top`."""
    values = small.image.data.astype(float)
    return (values - values.min()) / np.ptp(values) * top


SAME = {
    "float16": lambda x: (x * 6e4).astype(np.float16),
    "uint8": lambda x: (x * 255).astype(np.uint8),
    "uint16": lambda x: (x * 65535).astype(np.uint16),
    "int32, negative": lambda x: (x * 2e9 - 1e9).astype(np.int32),
    "uint64": lambda x: (x * 2.0**62).astype(np.uint64),
    "big-endian": lambda x: x.astype(">f4"),
    "long double": lambda x: x.astype(np.longdouble),
    "contrast reversed": lambda x: -x,
    "1e30": lambda x: x * 1e30,
    "float32 max": lambda x: (x * np.finfo(np.float32).max).astype(np.float32),
    "1e-30": lambda x: x * 1e-30,
    "on a pedestal": lambda x: x + 1e6,
}


def strain_of(data, small):
    regions = SegmentedImage.from_labels(image(data), small.segmented.labels)
    reference = small.strain.reference_region
    return regions.find_peaks().gpa(reference=reference, resolution=0.4)


@pytest.fixture(scope="module")
def usual(small):
    return strain_of(grey(small, 1.0), small)


ALLOWED = {
    # Grey levels are rounded to 11, 8 and 16 bits.
    "float16": 2e-5,
    "uint8": 2e-3,
    "uint16": 2e-6,
    # Noise of counts rises with the grey level; where it falls, all g weigh alike.
    "contrast reversed": 0.01,
}
"""Largest difference of strain, of all others that of float32."""


@pytest.mark.parametrize("name", SAME)
def test_strain_does_not_depend_on_the_grey_scale(small, usual, name):
    strain = strain_of(SAME[name](grey(small, 1.0)), small)
    assert strain.data.dtype == usual.data.dtype
    assert np.isfinite(strain.data).mean() > 0.9
    difference = np.abs(strain.data - usual.data)
    assert np.nanmax(difference) < ALLOWED.get(name, 5e-8)


@pytest.mark.parametrize("value", [1e30, -1e9])
def test_one_pixel_without_meaning_changes_nothing(small, usual, value):
    data = one(grey(small, 1.0), value)
    labels = Micrograph.from_signal(image(data)).segment().labels.data
    assert np.mean(labels == small.segmented.labels.data) > 0.99
    difference = np.abs(strain_of(data, small).data - usual.data)
    assert np.nanmedian(difference) < 5e-5


def one(x, value):
    x = x.copy()
    x[10, 10] = value
    return x


rng = np.random.default_rng(0)
LITTLE = {
    "constant": lambda x: np.full_like(x, 7),
    "zeros of uint8": lambda x: np.zeros(SHAPE, np.uint8),
    "all NaN": lambda x: x * np.nan,
    "half NaN": lambda x: np.where(rng.random(SHAPE) < 0.5, np.nan, x),
    "one infinite": lambda x: one(x, np.inf),
    "one hot": lambda x: one(x, 1e30),
    "beyond all": lambda x: x * 1e300,
    "truth values": lambda x: x > 0.5,
    "saturated": lambda x: (np.clip(3 * x, 0, 1) * 65535).astype(np.uint16),
    "one pixel": lambda x: x[:1, :1],
    "2 × 2": lambda x: x[:2, :2],
    "one row": lambda x: x[:1],
    "one column": lambda x: x[:, :1],
    "chessboard": lambda x: np.indices(SHAPE).sum(axis=0) % 2.0,
}  # fmt: skip


LAZY = ("all NaN", "half NaN", "one pixel", "one row")


@pytest.mark.parametrize(
    ("name", "lazy"), [(n, False) for n in LITTLE] + [(n, True) for n in LAZY]
)
def test_images_with_little_in_them(small, answer, name, lazy):
    signal = image(LITTLE[name](grey(small, 1.0)))
    signal = signal.as_lazy(chunks=(48, 50)) if lazy else signal
    micrograph = Micrograph.from_signal(signal)
    for method in ("auto", "threshold", "lattice", "canny", "watershed"):
        found = answer(lambda m=method: micrograph.segment(m))
        assert found is None or found.labels.data.shape == signal.data.shape
    answer(micrograph.power_spectrum)
    answer(lambda: micrograph.gpa(g_vectors=small.strain.g_vectors).exx)
    labels = np.ones(signal.data.shape, int)
    labels[: len(labels) // 2] = 2
    regions = SegmentedImage.from_labels(signal, labels)
    answer(regions.contours)
    answer(lambda: regions.region_properties)
    peaks = answer(regions.find_peaks)
    if peaks is None:
        return
    answer(lambda: peaks.power_spectrum(1))
    indexed = peaks.index_phases("Si diamond")
    answer(indexed.phase_map)
    strain = answer(indexed.gpa)
    if strain is not None:
        answer(lambda: strain.to_atoms(1))


@pytest.mark.parametrize("data", [np.ones(SHAPE, complex), np.ones(SHAPE, object)])
def test_values_that_are_no_grey_levels(data):
    with pytest.raises(TypeError, match=r"real grey values, got data of type [co]"):
        Micrograph.from_signal(image(data))


@pytest.mark.parametrize("units", ["1/nm", "s", "px", "", "<undefined>", "1 / Å"])
def test_units_that_are_no_lengths(small, units):
    for pair in ((units, "nm"), ("nm", units)):
        with pytest.raises(CalibrationError, match="Expected axes in a unit of length"):
            Micrograph.from_signal(image(small.image.data, units=pair))


@pytest.mark.parametrize("scale", [0, -0.04, np.nan, np.inf])
def test_impossible_pixels(small, scale):
    with pytest.raises(CalibrationError, match="positive pixel size"):
        Micrograph.from_signal(image(small.image.data, scale=(0.04, scale)))


labels_of_few_pixels = arrays.arrays(
    np.int32,
    st.tuples(st.integers(1, 14), st.integers(1, 14)),
    elements=st.sampled_from([0, 0, 1, 1, 1, 7, 3, 1_000_000]),
)


@settings(max_examples=12)
@given(labels=labels_of_few_pixels)
def test_any_regions(answer, labels):
    """Empty, of one pixel, in pieces, with labels far apart."""
    data = np.random.default_rng(1).random(labels.shape)
    regions = SegmentedImage.from_labels(image(data), labels)
    present, counts = np.unique(labels[labels > 0], return_counts=True)
    assert regions.region_labels.tolist() == present.tolist()
    peaks = regions.find_peaks()
    assert peaks.region_labels.tolist() == present.tolist()
    np.testing.assert_allclose(
        regions.region_properties["area"], counts * 0.0016, rtol=1e-12
    )
    outlines = regions.contours(smooth=False)
    areas = [sum(map(_area, outlines[label])) for label in present.tolist()]
    np.testing.assert_allclose(areas, counts * 0.0016, rtol=1e-9)
    answer(regions.contours)
    answer(peaks.index_phases("Si diamond").gpa)
    if len(present) > 1:
        assert regions.merge(present).region_labels.tolist() == [present.min()]


def _area(polygon):
    """Signed: outlines run clockwise on the screen, holes against it."""
    x, y = polygon.T
    return 0.5 * np.sum(x * np.roll(y, -1) - y * np.roll(x, -1))
