# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Regions corrected on a plot with the mouse."""

from collections.abc import Iterable
from typing import Any, Literal, get_args

from hyperspy_t2t.arguments import checks_arguments
from hyperspy_t2t.signals._carried.selection import Selection, line_points, units_of
from hyperspy_t2t.signals._regions.corrections import Fill, under_line, under_mask
from hyperspy_t2t.signals._regions.region_numbers import number_markers

Tool = Literal["polygon", "line"]


@checks_arguments
class RegionEditor:
    """Corrects regions with ROIs on a plot, one step after the other.

    :meth:`SegmentedImage.edit() <hyperspy_t2t.signals.SegmentedImage.edit>` makes it.
    Draw with the mouse, then call a method; the outlines and labels on the plot
    follow. It works wherever HyperSpy plots are interactive; where they are not,
    set the values of the ROIs or hand shapes to the methods.

    Attributes
    ----------
    polygon
        ``hs.roi.PolygonROI``, what :meth:`add`, :meth:`remove` and :meth:`merge` work
        on. Click its corners, and the first one again to close it; Esc starts anew.
    line
        ``hs.roi.Line2DROI``, what :meth:`split` cuts along. Drag its ends.

    Examples
    --------
    >>> import hyperspy_t2t.data
    >>> regions = hyperspy_t2t.data.scene("two_layers", shape=(256, 256)).segment()
    >>> editor = regions.edit()
    >>> editor.polygon.vertices = [(1.0, 1.0), (3.0, 1.0), (2.0, 2.0)]  # or draw it
    >>> editor.add().remove(2).undo()
    <RegionEditor: 3 regions, 1 correction>
    >>> corrected = editor.result
    >>> editor.close()
    """

    def __init__(self, regions: Any, tool: Tool = "polygon", **kwargs: Any) -> None:
        import hyperspy.api as hs

        self.polygon = hs.roi.PolygonROI()
        self.line = hs.roi.Line2DROI()
        self._steps = [regions]
        self._markers: list[Any] = []
        self._drawn: set[Any] = set()
        self._tool = _checked(tool)
        regions.plot(outlines=False, **kwargs)
        self._show_tool()
        self._show_regions()

    def __repr__(self) -> str:
        counts = {"region": self.result.n_regions, "correction": len(self._steps) - 1}
        words = [f"{n} {word}{'' if n == 1 else 's'}" for word, n in counts.items()]
        return f"<RegionEditor: {', '.join(words)}>"

    @property
    def result(self) -> Any:
        """The SegmentedImage after all corrections, which its metadata lists."""
        return self._steps[-1]

    def use(self, tool: Tool) -> "RegionEditor":
        """Put the "polygon" or the "line" on the plot in place of the other."""
        self._tool = _checked(tool)
        self._show_tool()
        return self

    def add(self, where: Any = None, *, label: int | None = None) -> "RegionEditor":
        """A new region inside the polygon.

        Parameters
        ----------
        where, label
            As in :meth:`SegmentedImage.add_region()
            <hyperspy_t2t.signals.SegmentedImage.add_region>`.
        """
        where = self.polygon if where is None else where
        return self._take(self.result.add_region(where, label=label))

    def remove(self, where: Any = None, *, fill: Fill = "unassigned") -> "RegionEditor":
        """Take away what is inside the polygon, or whole regions.

        Parameters
        ----------
        where, fill
            As in :meth:`SegmentedImage.remove_region()
            <hyperspy_t2t.signals.SegmentedImage.remove_region>`.
        """
        where = self.polygon if where is None else where
        return self._take(self.result.remove_region(where, fill=fill))

    def merge(self, labels: Iterable[int] | None = None) -> "RegionEditor":
        """Join regions: those of which the polygon holds a part, or those named."""
        if labels is None:
            chosen = Selection.of(self.polygon, self.result)
            labels = under_mask(self.result._labels(), chosen.mask)
        return self._take(self.result.merge(labels))

    def split(self, label: int | None = None, *, seeds: Any = None) -> "RegionEditor":
        """Divide a region along the line, or between seeds.

        Parameters
        ----------
        label
            By default the region in which most of the line lies.
        seeds
            As in :meth:`SegmentedImage.split()
            <hyperspy_t2t.signals.SegmentedImage.split>`; needs the label.
        """
        if seeds is not None:
            return self._take(self.result.split(label, seeds=seeds))
        if label is None:
            points = line_points(self.line, units_of(self.result))
            label = under_line(self.result._source(), points)
        return self._take(self.result.split(label, self.line))

    def relabel(self, mapping: dict[int, int]) -> "RegionEditor":
        """Change labels, ``{old: new}``."""
        return self._take(self.result.relabel(mapping))

    def undo(self) -> "RegionEditor":
        """Take the last correction back."""
        if len(self._steps) == 1:
            raise ValueError("Expected a correction to take back, there is none left.")
        self._steps.pop()
        self._show_regions()
        return self

    def close(self) -> None:
        """Close the plot; the result stays."""
        self._markers.clear()
        if self._plotted:
            self._steps[0]._plot.close()

    @property
    def _plotted(self) -> bool:
        plot = self._steps[0]._plot
        return plot is not None and bool(plot.is_active)

    def _take(self, corrected: Any) -> "RegionEditor":
        """One more step: the ROI has served and the plot shows what came of it."""
        self._steps.append(corrected)
        if self._tool == "polygon":
            self._show_tool()
        self._show_regions()
        return self

    def _show_tool(self) -> None:
        """Draw the ROI in use on the plot, the polygon without corners."""
        signal = self._steps[0]
        for roi in (self.polygon, self.line):
            roi.remove_widget(signal)
            roi.widgets.clear()
        self.polygon.vertices = []
        if not self._plotted:
            return
        axes = signal._plot.signal_plot.ax
        # HyperSpy leaves the handles of a polygon on the plot.
        for artist in self._drawn.intersection(axes.get_children()):
            artist.remove()
        others = set(axes.get_children())
        roi = self.polygon if self._tool == "polygon" else self.line
        roi.add_widget(signal, color="cyan", snap=False)
        self._drawn = set(axes.get_children()) - others

    def _show_regions(self) -> None:
        """Draw outlines and labels in place of those on the plot."""
        if not self._plotted:
            return
        for markers in self._markers:
            markers.close(render_figure=False)
        self._markers = [self.result.outline_markers(), *number_markers(self.result)]
        self._steps[0].add_marker(self._markers, permanent=False)


def _checked(tool: str) -> str:
    if not isinstance(tool, str) or tool not in get_args(Tool):
        raise ValueError(
            f"Expected a tool among {', '.join(get_args(Tool))}; got {tool!r}."
        )
    return tool
