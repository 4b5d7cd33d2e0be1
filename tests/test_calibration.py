# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""The door of the package: units, pixel sizes and grey values of an image."""

import hyperspy.api as hs
import numpy as np
import pytest

from hyperspy_t2t.calibration import (
    CalibrationError,
    ImageGrid,
    image_grid,
    nanometres_per_unit,
)
from hyperspy_t2t.data import scene
from hyperspy_t2t.signals import Micrograph

UNITS = {
    "nm": 1, "nanometer": 1, "n_m": 1, " nm ": 1,
    "\u00b5m": 1e3, "\u03bcm": 1e3, "um": 1e3, "microns": 1e3, "\u00b5_m": 1e3,
    "pm": 1e-3, "m": 1e9, "mm": 1e6,
    "\u00c5": 0.1, "\u212b": 0.1, "A\u030a": 0.1, "angstrom": 0.1, "Angstrom": 0.1,
}  # fmt: skip


@pytest.fixture(scope="module")
def image():
    """Si [110], 200 × 256 pixels of 0.03 × 0.025 nm (x, y)."""
    return scene("single_crystal", shape=(200, 256), pixel_size=(0.03, 0.025))


def measured(signal):
    """Peaks (gx, gy) of the one region of an image, sorted by length."""
    return signal.segment().find_peaks().table[:, :2]


def strongest(image):
    """The true g of the four strongest reflections, one of each pair."""
    region = image.metadata.Truth.regions.region_1
    order = np.argsort(-np.asarray(region.strength), kind="stable")
    return np.asarray(region.g)[order[:8]]


def assert_finds(table, expected, atol):
    distance = np.linalg.norm(table[:, None] - expected[None], axis=-1)
    np.testing.assert_array_less(distance.min(axis=0), atol)


@pytest.mark.parametrize(("unit", "nm"), UNITS.items())
def test_units(unit, nm):
    np.testing.assert_allclose(nanometres_per_unit(unit), nm)


@pytest.mark.parametrize(
    "units", [("nm", "nm"), ("µm", "nm"), ("pm", "Å"), ("m", "n_m")]
)
def test_same_result_in_any_unit(image, units):
    s = image.deepcopy()
    for axis, unit in zip(s.axes_manager.signal_axes, units, strict=True):
        factor = nanometres_per_unit(unit)
        axis.scale, axis.offset = axis.scale / factor, 1.5 / factor
        axis.units = unit
    grid = image_grid(s)
    assert grid.shape == (200, 256)
    np.testing.assert_allclose(grid.pixel_size, (0.025, 0.03))
    np.testing.assert_allclose(grid.origin, (1.5, 1.5))
    segmented = s.segment()
    assert {axis.units for axis in segmented.axes_manager.signal_axes} == {"nm"}
    properties = segmented.region_properties
    np.testing.assert_allclose(properties["area"], 200 * 256 * 0.025 * 0.03)
    np.testing.assert_allclose(
        properties["centroid"], [[1.5 + 127.5 * 0.03, 1.5 + 99.5 * 0.025]]
    )
    np.testing.assert_allclose(measured(s), measured(image), rtol=1e-9, atol=1e-9)
    assert_finds(measured(s), strongest(image), 0.005)


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"units": ""}, "''"),
        ({"units": "px"}, "'px'"),
        ({"units": "1/nm"}, "'1/nm'"),
        ({}, "undefined"),
        ({"scale": 0.0}, "0.0 nm along x"),
        ({"scale": -0.02}, "-0.02 nm along x"),
        ({"scale": np.nan}, "nan nm along x"),
    ],
    ids=str,
)
def test_the_cure_in_the_message_works(image, change, found):
    s = image.deepcopy() if change else hs.signals.Signal2D(image.data)
    for axis in s.axes_manager.signal_axes:
        for name, value in change.items():
            setattr(axis, name, value)
    with pytest.raises(CalibrationError, match=found) as caught:
        s.segment()
    (line,) = (
        text.strip()
        for text in str(caught.value).splitlines()
        if text.startswith("    ")
    )
    exec(line, {"s": s})
    assert image_grid(s).pixel_size == (0.02, 0.02)
    assert s.segment().n_regions == 1


def test_one_bad_axis_is_named(image):
    s = image.deepcopy()
    s.axes_manager["y"].scale = -1
    with pytest.raises(CalibrationError, match=r"got -1\.0 nm along y"):
        s.segment()
    assert issubclass(CalibrationError, ValueError)


def test_uneven_axis(image):
    s = image.isig[:20, :20]
    s.axes_manager["x"].convert_to_non_uniform_axis()
    with pytest.raises(CalibrationError, match=r"'x' with uneven steps.*uniform_axis"):
        s.segment()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda s: [s, s + 1], r"list of 2 signals: \[0\] 'Single crystal', \[1\] 'S"),
        (lambda s: (s,), r"list of 1 signals: \[0\] 'Single crystal'.*signals\[0\]"),
        (lambda s: s.data, r"got ndarray. Wrap"),
        (lambda s: s.isig[3], r"two signal axes, got a signal of dimension 1"),
        (lambda s: s * 1j, "complex.*s.amplitude"),
    ],
)
def test_what_is_no_image(image, make, message):
    with pytest.raises(TypeError, match=f"(?s){message}"):
        Micrograph.from_signal(make(image))


@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize("value", [0.0, 7.0, np.nan])
def test_constant_frame_is_no_region(image, value, lazy):
    data = np.full((200 + 5 + 9, 256 + 13 + 3), value, np.float32)
    inside = np.s_[5:205, 13:269]
    data[inside] = image.data
    s = image._deepcopy_with_new_data(data)
    s.get_dimensions_from_data()
    s = s.as_lazy(chunks=(90, 100)) if lazy else s
    segmented = s.segment()
    labels = np.asarray(segmented.labels.data)
    expected = np.zeros(data.shape, int)
    expected[inside] = 1
    np.testing.assert_array_equal(labels, expected)
    assert_finds(segmented.find_peaks().table[:, :2], strongest(image), 0.005)


def test_nan_pixels(image):
    s = image.deepcopy()
    holes = np.random.default_rng(2).random(s.data.shape) < 0.002
    s.data[holes] = np.nan
    segmented = s.segment()
    np.testing.assert_array_equal(segmented.labels.data == 0, holes)
    peaks = segmented.find_peaks()
    assert np.isfinite(peaks.table).all()
    assert_finds(peaks.table[:, :2], strongest(image), 0.02)
    assert np.isfinite(segmented.region_properties["mean_intensity"]).all()


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int32", "float64", "float16"])
def test_dtypes(image, dtype):
    data = 200 * image.data / image.data.max()
    s = image._deepcopy_with_new_data(data.astype(dtype))
    segmented = s.segment()
    assert segmented.data.dtype == dtype and segmented.n_regions == 1
    assert_finds(measured(s), strongest(image), 0.01)


def test_bool_image(image):
    s = image._deepcopy_with_new_data(image.data > np.median(image.data))
    assert_finds(measured(s), strongest(image)[:4], 0.02)


def test_saturated_image(image):
    clipped = np.minimum(image.data, np.percentile(image.data, 80))
    assert_finds(
        measured(image._deepcopy_with_new_data(clipped)), strongest(image)[:4], 0.02
    )


@pytest.mark.parametrize("kind", ["fortran", "read-only", "strided", "big-endian"])
def test_memory_layouts(image, kind):
    data = {
        "fortran": lambda a: np.asfortranarray(a),
        "read-only": lambda a: a.copy(),
        "strided": lambda a: np.repeat(np.repeat(a, 2, 0), 2, 1)[::2, ::2],
        "big-endian": lambda a: a.astype(">f4"),
    }[kind](image.data)
    data.flags.writeable = kind != "read-only"
    s = image._deepcopy_with_new_data(data)
    np.testing.assert_allclose(measured(s), measured(image), rtol=1e-6, atol=1e-9)


def test_grid_to_nm_and_back():
    grid = ImageGrid((20, 30), (0.5, 0.25), (-1.0, 4.0))
    np.testing.assert_allclose(grid.to_nm(2, 8), [6.0, 0.0])
    rows, columns = grid.to_pixels(grid.to_nm([0.5, 19], [3, 7.25]))
    np.testing.assert_allclose([rows, columns], [[0.5, 19], [3, 7.25]])
    part = grid.window(slice(4, 10), slice(2, 9))
    assert part.shape == (6, 7)
    np.testing.assert_allclose(part.to_nm(1, 1), grid.to_nm(5, 3))
    stored = {key: np.asarray(value) for key, value in grid.to_dict().items()}
    assert ImageGrid.from_dict(stored) == grid
