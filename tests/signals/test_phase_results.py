# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Maps, pixel size and simulated spots of indexed peaks against known images."""

from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import pytest
from hyperspy.signals import LazySignal2D
from orix.crystal_map import CrystalMap
from orix.quaternion import Orientation
from orix.vector import Miller, Vector3d

from hyperspy_t2t.data import scene
from hyperspy_t2t.phases.simulation import hkl_text, simulated_spots
from hyperspy_t2t.signals import LazyMicrograph, Micrograph, SegmentedImage

PIXEL = np.array([0.022, 0.027])
ERROR = np.array([0.03, 0.05])
ROTATION = 17.0


@pytest.fixture(scope="module")
def wurtzite():
    """ZnO [11-20] turned by 17°, pixels not square and both labelled too small.

    Region 1 is the left part; region 2, of 3 rows, is too thin for a lattice; the
    corner belongs to none. The origin is not at the first pixel.
    """
    image = scene(
        "hexagonal", rotation=ROTATION, shape=(300, 260), pixel_size=tuple(PIXEL),
        scale_error=tuple(ERROR), dose=200.0, seed=1,
    )  # fmt: skip
    for axis, offset in zip(image.axes_manager.signal_axes, (2.0, -3.0), strict=True):
        axis.offset = offset
    labels = np.ones((300, 260), np.int32)
    labels[:40, 200:] = 0
    labels[-3:] = 2

    def run(image):
        segmented = SegmentedImage.from_labels(image, labels)
        return segmented.find_peaks().index_phases(["ZnO wurtzite"])

    lazy = run(image.as_lazy(chunks=(128, 100)))
    return SimpleNamespace(image=image, labels=labels, eager=run(image), lazy=lazy)


def test_orientation_map(wurtzite):
    result = wurtzite.eager.orientation_map()
    inside = wurtzite.labels == 1
    assert np.isnan(result.data[~inside]).all()
    np.testing.assert_allclose(result.data[inside], ROTATION, atol=0.1)
    x, y = result.axes_manager.signal_axes
    np.testing.assert_allclose([x.scale, y.scale], PIXEL)
    np.testing.assert_allclose([x.offset, y.offset], [2, -3])
    kept = result.metadata.Orientation
    assert kept.region.tolist() == [1]
    assert kept.reflection.tolist() == [[0, 0, 1]]  # c* is turned, along +x at 0
    assert kept.period.tolist() == [180]


def test_lazy_maps(wurtzite):
    for name in ("orientation_map", "phase_map"):
        lazy = getattr(wurtzite.lazy, name)()
        assert isinstance(lazy, LazySignal2D)
        eager = getattr(wurtzite.eager, name)()
        assert isinstance(eager.data, np.ndarray)
        np.testing.assert_array_equal(lazy.data.compute(), eager.data)


@pytest.mark.parametrize("lazy", [False, True])
def test_crystal_map(wurtzite, lazy):
    result = (wurtzite.lazy if lazy else wurtzite.eager).to_crystal_map()
    assert isinstance(result, CrystalMap)
    assert result.shape == (300, 260)
    np.testing.assert_allclose([result.dx, result.dy], PIXEL)
    assert result.scan_unit == "nm"
    assert (result.x[0], result.y[0]) == (0, 0)
    inside = wurtzite.labels == 1
    np.testing.assert_array_equal(result.get_map_data("phase_id") == 0, inside)
    assert result.phases.names == ["not_indexed", "ZnO wurtzite"]
    np.testing.assert_array_equal(result.get_map_data("region"), wurtzite.labels)
    best = wurtzite.eager.best(1)
    assert set(result["indexed"].prop["score"]) == {best.score}
    assert np.isnan(result["not_indexed"].prop["score"]).all()

    phase = result.phases["ZnO wurtzite"]
    orientation = result["ZnO wurtzite"].orientations[0]
    # From the image (sample) to the crystal: what points to the source is [11-20].
    towards_source = orientation * Vector3d([0, 0, -1])
    zone = Miller(UVTW=[1, 1, -2, 0], phase=phase)
    angles = np.degrees(towards_source.angle_with(zone.symmetrise()))
    assert angles.min() < 1e-3
    # Backwards: c* lies in the image, 17° from +x towards +y (or opposite).
    x, y, z = (~orientation * Miller(hkl=[0, 0, 1], phase=phase).unit).data.ravel()
    assert abs(z) < 1e-6
    assert np.degrees(np.arctan2(y, x)) % 180 == pytest.approx(ROTATION, abs=0.1)


def test_crystal_map_of_every_other_pixel(wurtzite):
    result = wurtzite.eager.to_crystal_map(every=3)
    assert result.shape == (100, 87)
    np.testing.assert_allclose([result.dx, result.dy], 3 * PIXEL)
    regions = result.get_map_data("region")
    np.testing.assert_array_equal(regions, wurtzite.labels[::3, ::3])
    with pytest.raises(ValueError, match=r"from 1, got 0"):
        wurtzite.eager.to_crystal_map(every=0)


def test_crystal_map_follows_the_choice(wurtzite):
    segmented = SegmentedImage.from_labels(wurtzite.image, wurtzite.labels)
    peaks = segmented.find_peaks().index_phases(["GaN wurtzite", "ZnO wurtzite"])
    names = [solution.crystal.name for solution in peaks.solutions(1)]
    for rank in (names.index("GaN wurtzite"), names.index("ZnO wurtzite")):
        chosen = peaks.choose(1, rank)
        result = chosen.to_crystal_map()
        assert names[rank] in result.phases.names
        ids = result.get_map_data("phase_id")
        np.testing.assert_array_equal(ids.clip(-1) + 1, chosen.phase_map().data)
        orientation = result["indexed"].orientations[0]
        expected = Orientation.from_matrix(peaks.solutions(1)[rank].matrix.T[None])
        assert np.degrees((~expected * orientation).angle).max() < 1e-4


def test_calibrated(wurtzite):
    result = wurtzite.eager.calibrated()
    assert type(result) is Micrograph
    np.testing.assert_array_equal(result.data, wurtzite.image.data)
    x, y = result.axes_manager.signal_axes
    assert x.units == y.units == "nm"
    truth = PIXEL * (1 + ERROR)
    np.testing.assert_allclose([x.scale, y.scale], truth, rtol=3e-3)
    # True positions are proportional to the nominal ones, the origin's too.
    np.testing.assert_allclose([x.offset, y.offset], [2, -3] * truth / PIXEL, rtol=3e-3)
    *_, (_, last) = result.metadata.Processing
    assert last.operation == "calibrated"
    step = last.parameters
    assert (step.label, step.phase) == (1, "ZnO wurtzite")
    assert step.scale_x == pytest.approx(x.scale / PIXEL[0])
    assert step.scale_y == pytest.approx(y.scale / PIXEL[1])
    assert abs(step.shear) < 0.1
    # The input keeps its axes.
    assert wurtzite.eager.phase_map().axes_manager["x"].scale == PIXEL[0]


def test_calibrated_lazy(wurtzite):
    result = wurtzite.lazy.calibrated(1)
    assert type(result) is LazyMicrograph
    assert result.data.chunks == ((128, 128, 44), (100, 100, 60))
    eager = wurtzite.eager.calibrated(1)
    for axis in ("x", "y"):
        assert result.axes_manager[axis].scale == eager.axes_manager[axis].scale


def test_calibrated_image_needs_no_calibration(wurtzite):
    again = wurtzite.eager.calibrated()
    segmented = SegmentedImage.from_labels(again, wurtzite.labels)
    peaks = segmented.find_peaks().index_phases(["ZnO wurtzite"])
    np.testing.assert_allclose(peaks.best(1).distortion, np.eye(2), atol=1e-3)


def test_calibrated_names_the_shear():
    """A slow scan direction that leans towards +x makes the true angle smaller."""
    image = scene(
        "single_crystal", rotation=25.0, shape=(300, 260), pixel_size=tuple(PIXEL),
        scale_error=tuple(ERROR), skew=1.0,
    )  # fmt: skip
    labels = np.ones(image.data.shape, np.int32)
    peaks = SegmentedImage.from_labels(image, labels).find_peaks().index_phases("Si")
    result = peaks.calibrated()
    x, y = result.axes_manager.signal_axes
    np.testing.assert_allclose([x.scale, y.scale], PIXEL * (1 + ERROR), rtol=3e-3)
    *_, (_, last) = result.metadata.Processing
    assert last.parameters.shear == pytest.approx(-1.0, abs=0.1)


def test_calibrated_takes_the_best_scored_region(chain):
    scores = {label: chain.indexed.best(label).score for label in (1, 2)}
    *_, (_, last) = chain.indexed.calibrated().metadata.Processing
    assert last.parameters.label == max(scores, key=scores.get)
    *_, (_, last) = chain.indexed.calibrated(2).metadata.Processing
    assert last.parameters.label == 2


def test_simulated_spots_are_the_peaks(wurtzite):
    """Spots with the indices of a matched peak lie on it, in the distorted image."""
    best, rows = wurtzite.eager.best(1), wurtzite.eager.region(1)
    hkl, g, amplitude = simulated_spots(best, rows[:, :2])
    predicted = dict(zip(map(tuple, hkl), g, strict=True))
    seen = [
        (predicted[tuple(indices)], row[:2])
        for indices, row, matched in zip(best.hkl, rows, best.matched, strict=True)
        if matched and tuple(indices) in predicted
    ]
    assert len(seen) > 0.9 * best.matched.sum()
    expected, observed = np.array(seen).transpose(1, 0, 2)
    assert np.linalg.norm(expected - observed, axis=1).max() < 0.05
    assert amplitude.max() == 1
    assert (hkl @ best.zone_axis == 0).all()
    # (000l) with odd l is extinct in wurtzite.
    assert (0, 0, 2) in predicted and (0, 0, 1) not in predicted


def drawn():
    (axes,) = (axes for axes in plt.gcf().axes if axes.images)
    return axes, axes.collections


@pytest.mark.parametrize("lazy", [False, True])
def test_plot_of_a_solution(wurtzite, lazy):
    peaks = wurtzite.lazy if lazy else wurtzite.eager
    peaks.plot(1)
    axes, collections = drawn()
    assert len(collections) == 1
    assert axes.get_title().startswith("power spectrum of region 1")
    plt.close("all")
    peaks.plot(1, rank=0)
    axes, (circles, dots, _, names) = drawn()
    assert axes.get_title().startswith("region 1, rank 0: ZnO wurtzite [1 1 0]")
    rows = peaks.region(1)[:, :2]
    np.testing.assert_allclose(circles.get_offsets(), rows)
    hkl, g, _ = simulated_spots(peaks.best(1), rows)
    np.testing.assert_allclose(dots.get_offsets(), g)
    # Each name stands just above its own spot and nearer to it than to any other.
    places = np.asarray(names.get_offsets())
    distance = np.linalg.norm(places[:, None] - g[None], axis=-1)
    assert [hkl_text(hkl[i]) for i in distance.argmin(axis=1)] == list(names._texts)
    assert 10 < len(places) <= len(g)
    # All of them, and the circles, are in view.
    left, right = axes.get_xlim()
    bottom, top = axes.get_ylim()
    for x, y in (*g, *rows):
        assert left < x < right and top < y < bottom
    plt.gcf().canvas.draw()


def test_plot_of_another_rank(wurtzite):
    wurtzite.eager.plot(1, 1)
    axes, (_, dots, *_) = drawn()
    second = wurtzite.eager.solutions(1)[1]
    expected = simulated_spots(second, wurtzite.eager.region(1)[:, :2])[1]
    np.testing.assert_allclose(dots.get_offsets(), expected)
    assert "rank 1" in axes.get_title()


def test_hkl_text():
    assert hkl_text([1, -1, 0]) == r"$1\bar{1}0$"
    assert hkl_text([10, -2, 0]) == r"$10\,\bar{2}\,0$"


@pytest.mark.parametrize(
    "call",
    [
        lambda p: p.orientation_map(),
        lambda p: p.to_crystal_map(),
        lambda p: p.calibrated(),
        lambda p: p.plot(1, rank=0),
    ],
)
def test_peaks_without_phases(eager, call):
    with pytest.raises(ValueError, match=r"without phases.*index_phases"):
        call(eager.peaks)


def test_regions_without_a_phase(wurtzite):
    with pytest.raises(ValueError, match="got region 2, whose peaks no candidate"):
        wurtzite.eager.calibrated(2)
    with pytest.raises(KeyError, match="region label among"):
        wurtzite.eager.calibrated(9)
    count = len(wurtzite.eager.solutions(1))
    for rank in (-1, count):
        with pytest.raises(IndexError, match=f"below {count}.*got {rank}"):
            wurtzite.eager.plot(1, rank)
    with pytest.warns(UserWarning, match="candidate"):
        none = wurtzite.eager.index_phases("W")
    assert (none.phase_map().data == 0).all()
    assert np.isnan(none.orientation_map().data).all()
    assert none.to_crystal_map().phases.names == ["not_indexed"]
    with pytest.raises(ValueError, match="region with a phase, got none"):
        none.calibrated()
