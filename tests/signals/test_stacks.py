# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Stacks: frames segmented one by one, objects with one label in all of them."""

import warnings

import dask.array as da
import hyperspy.api as hs
import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from hyperspy_t2t.signals import LazySegmentedImage, Micrograph, SegmentedImage
from hyperspy_t2t.signals._regions.stack import pack, serpentine, unpack

FRAMES, SHAPE, PIXEL = 4, (112, 128), 0.5
DISKS = ((30, 30, 10), (60, 50, 16), (30, 80, 7))
STEP = (5, 6)


def place(number, frame):
    """Row and column of a disk in a frame."""
    return tuple(DISKS[number][i] + frame * STEP[i] for i in (0, 1))


def picture(frame, seed=0):
    """Disks on a film of smaller grey level, with noise."""
    y, x = np.indices(SHAPE)
    image = np.full(SHAPE, 50.0)
    for number, (_, _, radius) in enumerate(DISKS):
        row, column = place(number, frame)
        image[(y - row) ** 2 + (x - column) ** 2 <= radius**2] = 100
    noise = np.random.default_rng([seed, frame]).normal(0, 3, SHAPE)
    return (gaussian_filter(image, 0.7) + noise).astype(np.float32)


def calibrated(data):
    s = hs.signals.Signal2D(data)
    for axis, name in zip(s.axes_manager.signal_axes, "xy", strict=True):
        axis.name, axis.scale, axis.units = name, PIXEL, "nm"
    return s


@pytest.fixture(scope="module")
def stack():
    s = calibrated(np.stack([picture(k) for k in range(FRAMES)]))
    axis = s.axes_manager.navigation_axes[0]
    axis.name, axis.scale, axis.offset, axis.units = "time", 0.2, 1.0, "s"
    return s


@pytest.fixture(scope="module")
def regions(stack):
    return stack.segment()


@pytest.fixture(scope="module")
def lazy(stack):
    return stack.as_lazy(chunks=(2, 50, 70)).segment()


def labels_of_disks(labels, frame):
    return [int(labels[frame][place(number, frame)]) for number in range(3)]


def test_objects_keep_their_labels(stack, regions):
    assert type(regions) is SegmentedImage
    assert regions.data is stack.data or np.array_equal(regions.data, stack.data)
    labels = regions.labels
    assert labels.data.shape == stack.data.shape and labels.data.dtype == np.int32
    assert str(labels.axes_manager) == str(stack.axes_manager)
    first = labels_of_disks(labels.data, 0)
    assert sorted(first) == [2, 3, 4]
    assert all(labels_of_disks(labels.data, k) == first for k in range(FRAMES))
    assert regions.n_regions == 4
    assert regions.region_labels.tolist() == [1, 2, 3, 4]


def test_properties_per_frame(regions):
    properties = regions.region_properties
    assert properties["label"].tolist() == [1, 2, 3, 4]
    assert properties["area"].shape == properties["mean_intensity"].shape == (4, 4)
    np.testing.assert_allclose(
        properties["area"].sum(axis=1), np.prod(SHAPE) * PIXEL**2
    )
    column = labels_of_disks(regions.labels.data, 0)[1] - 1
    track = properties["centroid"][:, column]
    expected = [np.multiply(place(1, k)[::-1], PIXEL) for k in range(FRAMES)]
    np.testing.assert_allclose(track, expected, atol=0.3 * PIXEL)
    assert "crystalline" not in properties


def test_missing_objects_have_no_area(stack):
    labels = np.ones(stack.data.shape, int)
    labels[1:, :20] = 5
    s = SegmentedImage.from_labels(stack, labels)
    properties = s.region_properties
    assert properties["label"].tolist() == [1, 5]
    assert properties["area"][0, 1] == 0 < properties["area"][1, 1]
    assert np.isnan(properties["centroid"][0, 1]).all()
    assert np.isnan(properties["mean_intensity"][0, 1])


def test_a_frame_is_an_image(regions):
    one = regions.inav[2]
    assert type(one) is SegmentedImage
    assert one.axes_manager.navigation_dimension == 0
    np.testing.assert_array_equal(one.labels.data, regions.labels.data[2])
    np.testing.assert_array_equal(one.data, regions.data[2])
    assert set(one.contours()) == {1, 2, 3, 4}
    assert one.find_peaks().region_labels.tolist() == [1, 2, 3, 4]
    assert one.merge([2, 3]).n_regions == 3
    assert regions.n_regions == 4


def test_slices_take_their_labels(regions):
    whole = regions.labels.data
    for part, expected in (
        (regions.inav[1:3], whole[1:3]),
        (regions.inav[::-2], whole[::-2]),
        (regions.inav[1.2:], whole[1:]),
        (regions.inav[-1].isig[:50], whole[-1, :, :50]),
        (regions.isig[10:40, 5:], whole[:, 5:, 10:40]),
        (regions.inav[1:2].squeeze(), whole[1]),
    ):
        np.testing.assert_array_equal(part.labels.data, expected)
        assert part.labels.data.shape == part.data.shape


def test_crop(regions):
    s = regions.deepcopy()
    s.crop("time", 1, 3)
    np.testing.assert_array_equal(s.labels.data, regions.labels.data[1:3])
    s.crop("x", 5, 60)
    np.testing.assert_array_equal(s.labels.data, regions.labels.data[1:3, :, 5:60])
    s.crop("time", 0, 1)
    np.testing.assert_array_equal(s.labels.data, regions.labels.data[1:2, :, 5:60])


@pytest.mark.parametrize(
    "operation",
    [
        lambda s: s.mean("time"),
        lambda s: s.sum(),
        lambda s: s.max("time"),
        lambda s: s.rebin(scale=(2, 1, 1)),
        lambda s: s.transpose(signal_axes=("time", "x")),
    ],
)
def test_what_joins_frames_drops_them(regions, operation):
    with pytest.warns(UserWarning, match="dropped"):
        result = operation(regions)
    assert not result.metadata.has_item("Segmentation.labels")
    assert regions.labels.data.shape == regions.data.shape


@pytest.mark.parametrize(
    "call",
    [
        lambda s: s.contours(),
        lambda s: s.to_rois(),
        lambda s: s.find_peaks(),
        lambda s: s.merge([1, 2]),
        lambda s: s.relabel({1: 2}),
        lambda s: s.split(1, line=((0, 0), (9, 9))),
        lambda s: s.add_region([(0, 0), (9, 0), (0, 9)]),
        lambda s: s.remove_region(1),
        lambda s: s.edit(),
    ],
)
@pytest.mark.parametrize("which", ["regions", "lazy"])
def test_what_needs_one_image_says_so(call, which, request):
    s = request.getfixturevalue(which)
    with pytest.raises(TypeError, match=r"got a stack .*\(4,\).* s\.inav\[0\]"):
        call(s)


def test_lazy_equals_eager(regions, lazy):
    assert type(lazy) is LazySegmentedImage
    assert isinstance(lazy.labels.data, da.Array)
    assert lazy.labels.data.chunks[0] == (1,) * FRAMES
    np.testing.assert_array_equal(lazy.labels.data.compute(), regions.labels.data)
    assert lazy.n_regions == regions.n_regions
    for name, values in regions.region_properties.items():
        np.testing.assert_allclose(lazy.region_properties[name], values)
    one = lazy.inav[2]
    assert type(one) is LazySegmentedImage
    np.testing.assert_array_equal(one.labels.data.compute(), regions.labels.data[2])
    found, expected = one.find_peaks(), regions.inav[2].find_peaks()
    np.testing.assert_allclose(found.table, expected.table)
    computed = lazy.deepcopy()
    computed.compute()
    assert type(computed) is SegmentedImage
    np.testing.assert_array_equal(computed.labels.data, regions.labels.data)


RELOAD = """
import sys
import hyperspy.api as hs
import numpy as np
expected = np.load(sys.argv[1])
for path, lazy in ((path, lazy) for path in sys.argv[2:] for lazy in (False, True)):
    s = hs.load(path, lazy=lazy)
    assert type(s).__name__ == ("LazySegmentedImage" if lazy else "SegmentedImage")
    assert s.axes_manager.navigation_shape == (4,)
    np.testing.assert_array_equal(np.asarray(s.labels.data), expected)
    one = s.inav[1]
    np.testing.assert_array_equal(np.asarray(one.labels.data), expected[1])
    print(s.n_regions, sorted(one.contours()), len(one.find_peaks().table))
"""


def test_files_in_a_new_process(regions, lazy, run_python, tmp_path):
    paths = []
    for suffix in ("hspy", "zspy"):
        for name, stack in (("eager", regions), ("lazy", lazy)):
            paths.append(tmp_path / f"{name}.{suffix}")
            stack.save(paths[-1])
    np.save(tmp_path / "labels.npy", regions.labels.data)
    peaks = len(regions.inav[1].find_peaks().table)
    lines = run_python(RELOAD, tmp_path / "labels.npy", *paths).splitlines()
    assert [x for x in lines if x[0] == "4"] == [f"4 [1, 2, 3, 4] {peaks}"] * 8


@pytest.mark.parametrize("which", ["regions", "lazy"])
def test_plot_shows_the_outlines_of_each_frame(which, request):
    s = request.getfixturevalue(which).deepcopy()
    s.plot()
    middles = []
    for frame in (0, 3):
        s.axes_manager.indices = (frame,)
        segments = next(iter(s._plot.signal_plot.ax_markers)).get_current_kwargs()[
            "segments"
        ]
        assert segments.shape[1:] == (2, 2)
        middles.append(np.mean(segments, axis=(0, 1)))
    assert np.all(middles[1] > middles[0] + PIXEL)


def test_two_navigation_axes(stack):
    frames = np.stack([picture(k) for k in (0, 1, 3, 2)]).reshape(2, 2, *SHAPE)
    s = calibrated(frames)
    for given in (s, s.as_lazy(chunks=(1, 2, 60, -1))):
        regions = given.segment()
        labels = np.asarray(regions.labels.data)
        assert labels.shape == frames.shape
        flat = labels[[0, 0, 1, 1], [0, 1, 1, 0]]
        first = labels_of_disks(flat, 0)
        assert all(labels_of_disks(flat, k) == first for k in range(4))
        assert regions.region_properties["area"].shape == (2, 2, 4)
        part = regions.inav[1]
        np.testing.assert_array_equal(np.asarray(part.labels.data), labels[:, 1])
        one = regions.inav[1, 0]
        np.testing.assert_array_equal(np.asarray(one.labels.data), labels[0, 1])
        regions.plot()


def test_frames_without_grey_levels(stack):
    s = stack.deepcopy()
    s.data[1:3] = np.nan
    with pytest.warns(UserWarning, match="no regions: 1, 2") as caught:
        regions = s.segment()
    assert [w.filename for w in caught if "no regions" in str(w.message)] == [__file__]
    labels = regions.labels.data
    assert not labels[1:3].any()
    assert labels_of_disks(labels, 3) == labels_of_disks(labels, 0)
    properties = regions.region_properties
    assert not properties["area"][1:3].any()


def test_options_reach_the_frames(stack):
    with pytest.raises(ValueError, match=r"method .*kmeans"):
        stack.segment(method="kmeans")
    with pytest.raises(ValueError, match="min_area above 0"):
        stack.segment(min_area=0)
    s = stack.segment(method="threshold", min_area=100)
    assert s.metadata.Segmentation.method == "threshold"
    assert s.region_properties["area"][0].min() >= 100


def test_a_micrograph_may_be_a_stack(stack):
    micrograph = Micrograph.from_signal(stack)
    assert micrograph.axes_manager.navigation_shape == (FRAMES,)
    assert micrograph.inav[0].segment().n_regions == 4
    with pytest.raises(TypeError, match="got a stack"):
        micrograph.power_spectrum()


def test_units_of_frames_and_axes_stay(stack):
    s = stack.deepcopy()
    for axis in s.axes_manager.signal_axes:
        axis.scale, axis.units = PIXEL / 1000, "µm"
    regions = s.segment()
    x, y = regions.axes_manager.signal_axes
    assert (x.units, y.units) == ("nm", "nm") and np.isclose(x.scale, PIXEL)
    assert regions.axes_manager[0].units == "s"


def test_labels_of_frames_are_small():
    labels = np.repeat(np.arange(300, dtype=np.int32), 4000).reshape(1000, 1200)
    packed = pack(labels)
    assert len(packed.content) < 0.01 * labels.nbytes
    np.testing.assert_array_equal(unpack(packed), labels)
    assert unpack(packed).dtype == np.int32
    assert not unpack(pack(np.zeros((3, 2), np.int32))).any()


def test_serpentine_has_no_jumps():
    order = serpentine((3, 2, 4))
    assert len(set(order)) == 24
    steps = np.abs(np.diff(np.array(order), axis=0)).sum(axis=1)
    assert (steps == 1).all()
    assert serpentine((3,)) == [(0,), (1,), (2,)]


def test_nothing_else_warns(regions):
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        for s in (regions + 1, regions.deepcopy(), regions.as_lazy(), regions.inav[0]):
            assert s.metadata.has_item("Segmentation.labels")


@pytest.mark.realdata
def test_tilt_series(real_data):
    """A needle that turns: few labels, and the vacuum is one object throughout."""
    s = hs.load(real_data / "segmentation" / "needle_tilt_HAADF.dm3")
    regions = s.inav[30:60].segment(show_progressbar=False)
    assert regions.data.shape == (30, 64, 64)
    area = regions.region_properties["area"]
    assert (area[:, 0] > 0.5 * area.sum(axis=1)).all()
    assert 2 <= regions.n_regions <= 10


@pytest.mark.realdata
def test_stack_of_scans(real_data):
    s = hs.load(real_data / "atomic" / "stem_abf_data_imagestack.hspy")
    for axis in s.axes_manager.signal_axes:
        axis.units = "nm"
    regions = s.segment(show_progressbar=False)
    labels = regions.labels.data
    assert labels.shape == s.data.shape
    # The same place five times, drifting by a pixel or two.
    assert (labels[0] == labels[4]).mean() > 0.9
