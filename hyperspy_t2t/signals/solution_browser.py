# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""The solutions of a region looked through on a plot, and one of them chosen."""

from typing import Any

from hyperspy_t2t.arguments import checks_arguments
from hyperspy_t2t.phases.solution import PhaseSolution

_BUTTONS = {"previous": 0.02, "choose": 0.36, "next": 0.70}
"""Names of the buttons under the plot and where they begin, of the width."""


@checks_arguments
class SolutionBrowser:
    """Steps through the ranked solutions of a region on its spectrum.

    :meth:`FFTPeakSet.browse() <hyperspy_t2t.signals.FFTPeakSet.browse>` makes it. Keep
    it in a variable while the plot is open. On the plot, the arrow keys left and right
    or the buttons step through the solutions; Enter or "choose" takes the one shown
    and closes the plot. In a notebook with hyperspy_gui_ipywidgets a slider does the
    same. Without a screen call the methods.

    Attributes
    ----------
    label
        The region.
    rank
        Position in ``peaks.solutions(label)`` of the solution shown.

    Examples
    --------
    >>> import hyperspy_t2t.data
    >>> regions = hyperspy_t2t.data.scene("two_layers", shape=(256, 256)).segment()
    >>> peaks = regions.find_peaks().index_phases(["Si", "Ge"])
    >>> browser = peaks.browse(1)
    >>> browser.next().rank  # or press the right arrow
    1
    >>> browser.close()
    >>> chosen = browser.chosen
    """

    def __init__(self, peaks: Any, label: int, rank: int = 0, **kwargs: Any) -> None:
        self.label = label
        self._peaks = peaks
        self._solutions = peaks.solutions(label)
        if not self._solutions:
            raise ValueError(
                f"Expected solutions to look through, got region {label}, whose peaks "
                "no candidate explains. Choose another region or other candidates."
            )
        self._spectrum = peaks.power_spectrum(label)
        self._markers: list[Any] = []
        self._buttons: list[Any] = []
        self.rank = self._checked(rank)
        self._shown, markers = self._simulated()
        self._plot(kwargs)
        self._show(markers)
        self._widgets = _widgets(self)

    def __repr__(self) -> str:
        return (
            f"<SolutionBrowser: region {self.label}, rank {self.rank} of "
            f"{len(self._solutions)}, {self.solution.crystal.name}>"
        )

    @property
    def solution(self) -> PhaseSolution:
        """The solution shown."""
        return self._solutions[self.rank]

    @property
    def chosen(self) -> Any:
        """The FFTPeakSet with the solution shown as the first of the region."""
        return self._peaks.choose(self.label, self.rank)

    @property
    def title(self) -> str:
        """What stands over the plot."""
        solution = self.solution
        axis = " ".join(str(index) for index in solution.zone_axis)
        numbers = (
            f"probability {100 * solution.probability:.1f} %",
            f"score {solution.score:.2f}",
            f"scale {solution.scale:.3f}",
        )
        return (
            f"region {self.label}, rank {self.rank} (0 to {len(self._solutions) - 1}): "
            f"{solution.crystal.name} [{axis}]\n{', '.join(numbers)}"
        )

    def show(self, rank: int) -> "SolutionBrowser":
        """Show a solution.

        Parameters
        ----------
        rank
            Position in ``peaks.solutions(label)``, from 0.
        """
        self.rank = self._checked(rank)
        if self._plotted:
            self._show(self._simulated()[1])
        if self._widgets is not None:
            self._widgets.follow(self)
        return self

    def next(self) -> "SolutionBrowser":
        """Show the solution after this one; the last stays."""
        return self.show(min(self.rank + 1, len(self._solutions) - 1))

    def previous(self) -> "SolutionBrowser":
        """Show the solution before this one; the first stays."""
        return self.show(max(self.rank - 1, 0))

    def choose(self) -> Any:
        """Close the plot and return the peaks with the solution shown as the first."""
        self.close()
        return self.chosen

    def close(self) -> None:
        """Close the plot; :attr:`rank` and :attr:`chosen` stay."""
        self._markers.clear()
        self._buttons.clear()
        if self._plotted:
            self._shown._plot.close()
        if self._widgets is not None:
            self._widgets.close()
            self._widgets = None

    @property
    def _plotted(self) -> bool:
        plot = self._shown._plot
        return plot is not None and bool(plot.is_active)

    def _checked(self, rank: int) -> int:
        count = len(self._solutions)
        if not 0 <= rank < count:
            raise IndexError(
                f"Expected a rank below {count}, the number of solutions of region "
                f"{self.label}, from 0; got {rank}."
            )
        return int(rank)

    def _simulated(self) -> tuple[Any, list[Any]]:
        """The part of the spectrum with peaks and the markers of the solution."""
        return self._peaks._simulation(self._spectrum, self.label, self.rank)

    def _plot(self, options: dict[str, Any]) -> None:
        """Draw the spectrum with the peaks found, the keys and the buttons."""
        from matplotlib.widgets import Button

        if options.setdefault("norm", "log") == "log":
            options.setdefault("vmin", "25th")
        self._shown.plot(**options)
        if not self._plotted:
            return
        self._shown.add_marker(
            self._peaks.to_markers(self.label), permanent=False, render_figure=False
        )
        figure = self._shown._plot.signal_plot.figure
        figure.subplots_adjust(bottom=0.2, top=0.88)
        for name, left in _BUTTONS.items():
            button = Button(figure.add_axes((left, 0.02, 0.28, 0.06)), name)
            button.on_clicked(getattr(self, f"_on_{name}"))
            self._buttons.append(button)
        figure.canvas.mpl_connect("key_press_event", self._on_key)

    def _show(self, markers: list[Any]) -> None:
        """Draw a solution in place of the one on the plot."""
        if not self._plotted:
            return
        for old in self._markers:
            old.close(render_figure=False)
        self._markers = markers
        # One drawing of the figure at the end: that of the names takes most of a step.
        self._shown.add_marker(markers, permanent=False, render_figure=False)
        plot = self._shown._plot.signal_plot
        plot.ax.set_title(self.title)
        plot.figure.canvas.draw_idle()

    def _on_key(self, event: Any) -> None:
        actions = {"left": self.previous, "right": self.next, "enter": self.close}
        if event.key in actions:
            actions[event.key]()

    def _on_previous(self, _: Any) -> None:
        self.previous()

    def _on_next(self, _: Any) -> None:
        self.next()

    def _on_choose(self, _: Any) -> None:
        self.close()


class _Widgets:
    """A slider and buttons of ipywidgets that drive a browser."""

    def __init__(self, browser: SolutionBrowser) -> None:
        import ipywidgets

        last = len(browser._solutions) - 1
        self.slider = ipywidgets.IntSlider(
            browser.rank, 0, last, description="rank", disabled=last == 0
        )
        self.buttons = {name: ipywidgets.Button(description=name) for name in _BUTTONS}
        self.text = ipywidgets.Label(browser.title.replace("\n", ", "))
        self.slider.observe(lambda change: browser.show(change["new"]), "value")
        for name, button in self.buttons.items():
            button.on_click(getattr(browser, f"_on_{name}"))
        self.row = ipywidgets.HBox([self.slider, *self.buttons.values()])
        self.box = ipywidgets.VBox([self.row, self.text])

    def follow(self, browser: SolutionBrowser) -> None:
        """Show the rank that the browser shows."""
        self.text.value = browser.title.replace("\n", ", ")
        if self.slider.value != browser.rank:
            self.slider.value = browser.rank

    def close(self) -> None:
        """Take slider and buttons away."""
        # ipywidgets keeps what was not closed, and with it the browser and its peaks.
        parts = [self.box, self.row, self.text, self.slider, *self.buttons.values()]
        for part in parts:
            part.close()


def _widgets(browser: SolutionBrowser) -> _Widgets | None:
    """Slider and buttons, displayed, where HyperSpy's widgets for notebooks are."""
    from hyperspy.defaults_parser import preferences
    from hyperspy.ui_registry import TOOLKIT_REGISTRY

    if "ipywidgets" not in TOOLKIT_REGISTRY:
        return None
    if not preferences.GUIs.enable_ipywidgets_gui:
        return None
    try:
        from IPython.display import display

        widgets = _Widgets(browser)
    except ImportError:
        return None
    display(widgets.box)
    return widgets
