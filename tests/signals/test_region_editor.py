# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Regions corrected on a plot, without a screen."""

import gc
import weakref

import hyperspy.api as hs
import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.backend_bases import MouseEvent

from hyperspy_t2t.signals import SegmentedImage
from hyperspy_t2t.signals._regions.region_numbers import label_places
from hyperspy_t2t.signals.region_editor import RegionEditor

pytestmark = pytest.mark.filterwarnings("error::UserWarning")
SHAPE = (60, 90)
TRIANGLE = [(1.0, 1.0), (4.0, 1.5), (3.0, 2.6)]


@pytest.fixture(params=[False, True], ids=["eager", "lazy"])
def regions(request):
    """Region 1 on the left, 4 on the right of column 50; oblong pixels."""
    image = np.random.default_rng(1).normal(10, 1, SHAPE)
    axes = [
        {"name": n, "size": k, "scale": s, "offset": o, "units": "nm"}
        for n, k, s, o in zip("yx", SHAPE, (0.1, 0.05), (0.5, 0.2), strict=True)
    ]
    s = hs.signals.Signal2D(image, axes=axes)
    s = s.as_lazy(chunks=(25, 40)) if request.param else s
    labels = np.ones(SHAPE, int)
    labels[:, 50:] = 4
    return SegmentedImage.from_labels(s, labels)


def plot_of(regions):
    axes = regions._plot.signal_plot.ax
    axes.figure.canvas.draw()
    return axes


def mouse(axes, name, x, y, button=1):
    pixel = axes.transData.transform((x, y))
    MouseEvent(f"{name}_event", axes.figure.canvas, *pixel, button)._process()


def click(axes, x, y):
    mouse(axes, "motion_notify", x, y, None)
    mouse(axes, "button_press", x, y)
    mouse(axes, "button_release", x, y)


def drawn(axes):
    """Segments of the outlines and the written labels."""
    lines, *halo, texts = axes.collections
    assert [list(one._texts) for one in halo] == [list(texts._texts)]
    return np.array(lines.get_segments()), list(texts._texts)


def operations(signal):
    steps = signal.metadata.Processing.as_dictionary()
    return [steps[f"step_{k + 1}"]["operation"] for k in range(len(steps))]


def labels_of(regions):
    return np.asarray(regions.labels.data)


def test_a_session(regions):
    editor = regions.edit()
    assert isinstance(editor, RegionEditor)
    assert editor.result is regions
    assert repr(editor) == "<RegionEditor: 2 regions, 0 corrections>"
    editor.polygon.vertices = TRIANGLE
    assert editor.add(label=2) is editor
    expected = regions.add_region(TRIANGLE, label=2)
    np.testing.assert_array_equal(labels_of(editor.result), labels_of(expected))
    # The polygon has served and the next one can be drawn.
    assert editor.polygon.vertices == []
    editor.use("line")
    editor.line.x1, editor.line.y1, editor.line.x2, editor.line.y2 = 3, 5, 4, 4
    editor.split(4)
    expected = expected.split(4, [(3, 5), (4, 4)])
    np.testing.assert_array_equal(labels_of(editor.result), labels_of(expected))
    editor.split(1, seeds=[(0.5, 1), (0.5, 6)]).relabel({1: 9}).merge([2, 9])
    editor.remove(5, fill="nearest")
    assert operations(editor.result) == [
        "from_labels", "add_region", "split", "split", "relabel", "merge",
        "remove_region",
    ]  # fmt: skip
    assert type(editor.result) is type(regions)
    assert repr(editor) == f"<RegionEditor: {editor.result.n_regions} regions, 6 "\
        "corrections>"  # fmt: skip
    np.testing.assert_array_equal(np.unique(labels_of(regions)), [1, 4])


def test_what_the_polygon_holds(regions):
    editor = regions.edit()
    editor.polygon.vertices = TRIANGLE
    editor.merge()
    assert editor.result.region_labels.tolist() == [1]
    editor.undo()
    editor.polygon.vertices = TRIANGLE
    editor.remove()
    expected = regions.remove_region(TRIANGLE)
    np.testing.assert_array_equal(labels_of(editor.result), labels_of(expected))
    with pytest.raises(ValueError, match="PolygonROI that is drawn"):
        editor.add()
    with pytest.raises(ValueError, match="PolygonROI that is drawn"):
        editor.merge()
    assert repr(editor) == "<RegionEditor: 2 regions, 1 correction>"


def test_split_finds_the_region_under_the_line(regions):
    editor = regions.edit(tool="line")
    for x, label in ((1.0, 1), (4.0, 4)):
        editor.line.x1, editor.line.y1 = x, 0.7
        editor.line.x2, editor.line.y2 = x + 0.3, 5.0
        editor.split()
        step = editor.result.metadata.Processing.step_2
        assert step.parameters.label == label
        editor.undo()
    editor.remove([1, 4])
    with pytest.raises(ValueError, match="line that runs through a region"):
        editor.split()


def test_undo(regions):
    editor = regions.edit()
    editor.relabel({1: 2}).relabel({2: 3})
    assert editor.undo().result.region_labels.tolist() == [2, 4]
    assert editor.undo().result is regions
    with pytest.raises(ValueError, match="there is none left"):
        editor.undo()
    np.testing.assert_array_equal(drawn(plot_of(regions))[1], ["1", "4"])


def test_the_plot_follows(regions):
    editor = regions.edit()
    axes = plot_of(regions)
    before, texts = drawn(axes)
    assert texts == ["1", "4"]
    editor.add(TRIANGLE)
    after, texts = drawn(axes)
    assert texts == ["1", "4", "5"] and len(after) > len(before)
    assert not regions.metadata.has_item("Markers")
    editor.remove([1, 4, 5])
    assert len(axes.collections) == 1
    assert len(plt.get_fignums()) == 1
    editor.undo().undo()
    np.testing.assert_array_equal(drawn(axes)[0], before)


def test_draw_with_the_mouse(regions):
    editor = regions.edit()
    axes = plot_of(regions)
    shown = len(axes.get_children())
    for count in (1, 2):
        for corner in (*TRIANGLE, TRIANGLE[0]):
            click(axes, *corner)
        np.testing.assert_allclose(editor.polygon.vertices, TRIANGLE)
        editor.add()
        assert repr(editor).endswith(f"{count} correction{'s' * (count > 1)}>")
        # Neither handles nor outlines of what was before are left.
        assert len(axes.get_children()) == shown
    editor.use("line")
    axes.figure.canvas.draw()
    x, y = editor.line.x2, editor.line.y2
    mouse(axes, "button_press", x, y)
    mouse(axes, "motion_notify", 3.5, 1.2)
    mouse(axes, "button_release", 3.5, 1.2)
    np.testing.assert_allclose([editor.line.x2, editor.line.y2], [3.5, 1.2])
    # A click starts no polygon while the line is in use.
    click(axes, 1, 4)
    assert editor.use("line").polygon.vertices == []


def test_a_failed_correction_changes_nothing(regions):
    editor = regions.edit()
    editor.polygon.vertices = TRIANGLE
    with pytest.raises(ValueError, match="not in use, got 4"):
        editor.add(label=4)
    assert editor.result is regions
    assert editor.polygon.vertices == TRIANGLE


@pytest.mark.parametrize("close", ["method", "window"])
def test_work_goes_on_without_the_plot(regions, close):
    editor = regions.edit("line")
    if close == "method":
        editor.close()
    else:
        plt.close("all")
    assert not plt.get_fignums()
    editor.polygon.vertices = TRIANGLE
    editor.add().use("line").undo().close()
    editor.polygon.vertices = TRIANGLE
    editor.add(label=2)
    expected = labels_of(regions.add_region(TRIANGLE, label=2))
    np.testing.assert_array_equal(labels_of(editor.result), expected)
    assert not plt.get_fignums()


def test_two_editors_one_after_the_other(regions):
    first = regions.edit().add(TRIANGLE)
    first.close()
    second = first.result.edit()
    second.polygon.vertices = [(x, y + 2) for x, y in TRIANGLE]
    assert repr(second.add()) == "<RegionEditor: 4 regions, 1 correction>"
    assert len(plt.get_fignums()) == 1


def test_a_closed_editor_is_freed(regions):
    editor = regions.edit()
    editor.add(TRIANGLE).close()
    plt.close("all")
    gone = weakref.ref(editor.result)
    del editor
    gc.collect()
    assert gone() is None


def test_axes_in_micrometres(regions):
    for axis in regions.axes_manager.signal_axes:
        axis.scale, axis.offset, axis.units = axis.scale / 1e3, axis.offset / 1e3, "µm"
    editor = regions.edit()
    axes = plot_of(regions)
    np.testing.assert_allclose(
        drawn(axes)[0].reshape(-1, 2).max(axis=0), [0.004675, 0.00645], atol=1e-5
    )
    offsets = axes.collections[-1].get_offsets()
    np.testing.assert_allclose(offsets[:, 0], [0.001425, 0.003675], atol=1e-5)
    editor.polygon.vertices = [(x / 1e3, y / 1e3) for x, y in TRIANGLE]
    assert editor.add().result.n_regions == 3
    editor.line.x1, editor.line.y1 = 0.001, 0.005
    editor.line.x2, editor.line.y2 = 0.001, 0.004
    editor.split()
    parameters = editor.result.metadata.Processing.step_3.parameters
    assert parameters.label == 1
    np.testing.assert_allclose(parameters.line, [(1, 5), (1, 4)])


def test_an_unknown_tool(regions):
    with pytest.raises(ValueError, match="polygon, line; got 'lasso'"):
        regions.edit("lasso")
    assert not plt.get_fignums()
    editor = regions.edit()
    with pytest.raises(ValueError, match="polygon, line; got 'lasso'"):
        editor.use("lasso")


def test_labels_are_written_inside_their_regions(regions):
    labels = np.zeros(SHAPE, int)
    labels[5:50, 10:70] = 1
    labels[10:45, 20:60] = 2
    labels[10:45, 25:50] = 0
    labels[:3, :7] = labels[-9:, 80:] = 5
    s = SegmentedImage.from_labels(regions, labels)
    source = s._source()
    places = label_places(source)
    assert list(places) == [1, 2, 5]
    for label in (1, 2):
        row, column = np.rint(source.grid.to_pixels(places[label])).astype(int)
        assert labels[row, column] == label


def test_nothing_but_hyperspy_is_needed(run_python):
    code = """
import sys
for name in ("ipywidgets", "ipympl", "hyperspy_gui_ipywidgets", "traitsui"):
    sys.modules[name] = None
import matplotlib; matplotlib.use("Agg")
import hyperspy_t2t.data
regions = hyperspy_t2t.data.scene("two_layers", shape=(64, 64)).segment()
editor = regions.edit()
editor.polygon.vertices = [(0.2, 0.2), (0.8, 0.2), (0.5, 0.6)]
print(editor.add())
"""
    assert "1 correction>" in run_python(code)
