# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Solutions looked through with keys, buttons and widgets, without a screen."""

import gc
import sys
import weakref
from types import ModuleType, SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import pytest
from hyperspy import ui_registry
from matplotlib.backend_bases import KeyEvent, MouseEvent

from hyperspy_t2t.data import scene
from hyperspy_t2t.phases.simulation import simulated_spots
from hyperspy_t2t.signals import SegmentedImage
from hyperspy_t2t.signals.solution_browser import SolutionBrowser

pytestmark = pytest.mark.filterwarnings("error::UserWarning")

CANDIDATES = ["Si diamond", "Ge diamond", "GaAs zincblende"]


@pytest.fixture(scope="module")
def indexed():
    """Si [110] of which Ge and GaAs are other answers; region 2 is too thin for one."""
    image = scene("single_crystal", rotation=17.0, shape=(160, 140), seed=1)
    labels = np.ones((160, 140), np.int32)
    labels[-3:] = 2

    def run(image):
        segmented = SegmentedImage.from_labels(image, labels)
        return segmented.find_peaks().index_phases(CANDIDATES)

    return {False: run(image), True: run(image.as_lazy(chunks=(100, 60)))}


@pytest.fixture
def peaks(indexed):
    yield indexed[False]
    plt.close("all")


@pytest.fixture(params=[False, True], ids=["eager", "lazy"])
def either(indexed, request):
    yield indexed[request.param]
    plt.close("all")


def plot_of(browser):
    return browser._shown._plot.signal_plot.figure


def press(browser, key):
    KeyEvent("key_press_event", plot_of(browser).canvas, key)._process()


def click(browser, name):
    figure = plot_of(browser)
    for axes in figure.axes:
        if [text.get_text() for text in axes.texts] == [name]:
            pixel = axes.transAxes.transform((0.5, 0.5))
            for kind in ("button_press", "button_release"):
                MouseEvent(f"{kind}_event", figure.canvas, *pixel, 1)._process()


def drawn(browser):
    """Title, circles and dots on the plot."""
    axes = browser._shown._plot.signal_plot.ax
    circles, dots, *_ = axes.collections
    return axes.get_title(), circles.get_offsets(), dots.get_offsets()


def check(browser, peaks, rank):
    """The plot shows the solution of this rank and nothing of another."""
    assert browser.rank == rank
    solution = peaks.solutions(1)[rank]
    title, circles, dots = drawn(browser)
    rows = peaks.region(1)[:, :2]
    np.testing.assert_allclose(circles, rows)
    np.testing.assert_allclose(dots, simulated_spots(solution, rows)[1])
    last = len(peaks.solutions(1)) - 1
    assert title.startswith(
        f"region 1, rank {rank} (0 to {last}): {solution.crystal.name} ["
    )
    axis = " ".join(str(index) for index in solution.zone_axis)
    assert f"[{axis}]" in title
    assert f"probability {100 * solution.probability:.1f} %" in title
    assert f"score {solution.score:.2f}, scale {solution.scale:.3f}" in title


def test_arrow_keys(peaks):
    browser = peaks.browse(1)
    assert isinstance(browser, SolutionBrowser)
    check(browser, peaks, 0)
    press(browser, "left")  # the first stays
    check(browser, peaks, 0)
    press(browser, "right")
    check(browser, peaks, 1)
    press(browser, "right")
    press(browser, "x")
    check(browser, peaks, 2)
    press(browser, "left")
    check(browser, peaks, 1)
    assert len(plt.get_fignums()) == 1
    plot_of(browser).canvas.draw()


def test_the_last_solution_stays(peaks):
    last = len(peaks.solutions(1)) - 1
    browser = peaks.browse(1, last)
    press(browser, "right")
    check(browser, peaks, last)


def test_buttons_on_the_plot(peaks):
    browser = peaks.browse(1)
    click(browser, "next")
    click(browser, "next")
    check(browser, peaks, 2)
    click(browser, "previous")
    check(browser, peaks, 1)
    click(browser, "choose")
    assert not plt.get_fignums()
    assert browser.rank == 1


def test_what_is_chosen(either):
    browser = either.browse(1, 1)
    expected = either.solutions(1)[1]
    press(browser, "enter")
    assert not plt.get_fignums()
    chosen = browser.chosen
    assert type(chosen) is type(either)
    best = chosen.best(1)
    assert best.crystal.name == expected.crystal.name
    np.testing.assert_array_equal(best.matrix, expected.matrix)
    *_, (_, step) = chosen.metadata.Processing
    assert (step.operation, step.parameters.label, step.parameters.rank) == (
        "choose", 1, 1,
    )  # fmt: skip
    # The peaks that were looked through stay as they were.
    first = either.best(1)
    assert (first.score, first.crystal.name) != (best.score, best.crystal.name)


def test_methods_work_without_the_plot(peaks):
    browser = peaks.browse(1)
    plt.close("all")
    assert browser.next().next().previous().rank == 1
    assert browser.show(2) is browser
    name = peaks.solutions(1)[2].crystal.name
    assert browser.choose().best(1).crystal.name == name
    count = len(peaks.solutions(1))
    assert repr(browser) == f"<SolutionBrowser: region 1, rank 2 of {count}, {name}>"
    assert not plt.get_fignums()


def test_the_best_scored_region_by_default(peaks):
    assert peaks.browse().label == 1


def test_bad_calls(peaks):
    count = len(peaks.solutions(1))
    for rank in (-1, count):
        with pytest.raises(IndexError, match=f"below {count}.*got {rank}"):
            peaks.browse(1, rank)
    with pytest.raises(ValueError, match="got region 2, whose peaks no candidate"):
        peaks.browse(2)
    with pytest.raises(KeyError, match="region label among"):
        peaks.browse(9)
    assert not plt.get_fignums()
    browser = peaks.browse(1)
    with pytest.raises(IndexError, match=f"below {count}.*got {count}"):
        browser.show(count)
    check(browser, peaks, 0)


def test_a_closed_browser_is_freed(peaks):
    browser = peaks.browse(1)
    browser.next().close()
    plt.close("all")
    gone = weakref.ref(browser._shown)
    del browser
    gc.collect()
    assert gone() is None


class _Widget:
    """Stands in for the parts of ipywidgets that are used."""

    def __init__(self, *args, description="", disabled=False):
        self.args, self.description, self.disabled = args, description, disabled
        self.called, self._value, self.closed = [], args[0] if args else None, False

    @property
    def value(self):
        return self._value

    @value.setter
    def value(self, new):
        changed, self._value = new != self._value, new
        for function in self.called * changed:
            function({"new": new})

    def observe(self, function, name):
        assert name == "value"
        self.called.append(function)

    def on_click(self, function):
        self.called.append(function)

    def click(self):
        for function in self.called:
            function(self)

    def close(self):
        self.closed = True


@pytest.fixture
def notebook(monkeypatch):
    """What a notebook with HyperSpy's widgets has; holds what was displayed."""
    displayed = []
    widgets, display = ModuleType("ipywidgets"), ModuleType("IPython.display")
    for name in ("IntSlider", "Button", "Label", "HBox", "VBox"):
        setattr(widgets, name, _Widget)
    display.display = displayed.append
    monkeypatch.setitem(sys.modules, "ipywidgets", widgets)
    monkeypatch.setitem(sys.modules, "IPython", ModuleType("IPython"))
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    monkeypatch.setattr(ui_registry, "TOOLKIT_REGISTRY", {"ipywidgets"})
    return displayed


def parts(displayed):
    (box,) = displayed
    row, text = box.args[0]
    slider, *buttons = row.args[0]
    return SimpleNamespace(
        box=box, text=text, slider=slider, buttons={b.description: b for b in buttons}
    )


def test_widgets_of_a_notebook(peaks, notebook):
    browser = peaks.browse(1)
    widgets = parts(notebook)
    assert widgets.slider.args == (0, 0, len(peaks.solutions(1)) - 1)
    widgets.slider.value = 2
    check(browser, peaks, 2)
    assert "rank 2" in widgets.text.value
    widgets.buttons["previous"].click()
    assert widgets.slider.value == 1
    press(browser, "right")
    assert widgets.slider.value == 2
    check(browser, peaks, 2)
    widgets.buttons["choose"].click()
    assert widgets.box.closed and widgets.slider.closed
    assert not plt.get_fignums()
    assert browser.chosen.best(1).score == peaks.solutions(1)[2].score


def test_no_widgets_where_hyperspy_has_them_switched_off(peaks, notebook):
    from hyperspy.defaults_parser import preferences

    before = preferences.GUIs.enable_ipywidgets_gui
    preferences.GUIs.enable_ipywidgets_gui = False
    try:
        browser = peaks.browse(1)
    finally:
        preferences.GUIs.enable_ipywidgets_gui = before
    assert not notebook
    check(browser.next(), peaks, 1)


def test_no_widgets_without_ipywidgets(peaks, monkeypatch):
    monkeypatch.setattr(ui_registry, "TOOLKIT_REGISTRY", {"ipywidgets"})
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    check(peaks.browse(1).next(), peaks, 1)
