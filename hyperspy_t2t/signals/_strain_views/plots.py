# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Figures of a strain map: the maps themselves, and how they were measured."""

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Rectangle
from matplotlib.transforms import offset_copy
from mpl_toolkits.axes_grid1.anchored_artists import AnchoredSizeBar

from hyperspy_t2t.arguments import check_canvas
from hyperspy_t2t.array_types import Array, Bools, Mask
from hyperspy_t2t.calibration import ImageGrid

SYMBOLS = {
    "exx": r"$\varepsilon_{xx}$",
    "eyy": r"$\varepsilon_{yy}$",
    "exy": r"$\varepsilon_{xy}$",
    "rotation": r"$\omega$",
}
ROTATION_UNITS = {"deg": (180 / np.pi, "°"), "mrad": (1e3, "mrad")}
"""Units in one radian, and how they are written."""
_NAN = "0.7"
_HALO = [patheffects.withStroke(linewidth=2.5, foreground="white")]
_FIRST, _OTHER = "tab:orange", "tab:cyan"


@dataclass(frozen=True)
class Places:
    """What is drawn over an image, in nm.

    Parameters
    ----------
    outlines
        Sides of the outlines of all regions, shape (n, 2, 2).
    references
        (x, y) within each region that is a reference, shape (m, 2).
    box
        Left, top, right, bottom of the part of the reference that was used, if any.
    unsure
        Pixels that are hatched, shape (ny, nx), if any.
    """

    outlines: Array = field(default_factory=lambda: np.empty((0, 2, 2)))
    references: Array = field(default_factory=lambda: np.empty((0, 2)))
    box: tuple[float, ...] | None = None
    unsure: Mask | None = None


@dataclass(frozen=True)
class Setup:
    """What the figure of a set-up shows beside the image.

    Parameters
    ----------
    used
        Where the reference is taken from, and its coarse grid.
    spectrum
        Power, frequencies of rows and of columns in 1/nm; None where it is not known.
    g_vectors
        In 1/nm, shape (n, 2); the first two carry the phase.
    names
        Indices of each g as TeX; empty where there is no phase.
    sigma
        Resolution in nm.
    lines
        What was chosen and why.
    """

    used: tuple[Bools, ImageGrid]
    spectrum: tuple[Array, Array, Array] | None
    g_vectors: Array
    names: Sequence[str]
    sigma: float
    lines: Sequence[str]


def extent(grid: ImageGrid) -> tuple[float, float, float, float]:
    """Left, right, bottom, top of the pixels of a grid in nm, y down."""
    left, top = grid.to_nm(-0.5, -0.5)
    right, bottom = grid.to_nm(grid.shape[0] - 0.5, grid.shape[1] - 0.5)
    return float(left), float(right), float(bottom), float(top)


def robust_limit(values: Array) -> float:
    """98th percentile of the absolute values, above zero."""
    finite = np.abs(values[np.isfinite(values)])
    limit = float(np.percentile(finite, 98)) if finite.size else 0.0
    return limit if limit > 0 else 1e-6


def draw_maps(
    maps: Mapping[str, Array],
    grid: ImageGrid,
    places: Places,
    *,
    title: str,
    limits: Mapping[str, float],
    rotation_units: str,
    cmap: Any,
    axes_angle: float = 0.0,
    figure: Any = None,
) -> None:
    """One panel for each component with its bar and outlines; scale and frame once.

    Parameters
    ----------
    maps
        Component by name, shape (ny, nx) each; rotation in radians.
    grid
        Their pixels in nm.
    limits
        Largest value shown of each component, as in its map.
    axes_angle
        Of the components' axes in degrees.
    figure
        Figure or SubFigure to draw into; by default a new one of pyplot.
    """
    left, right, bottom, top = extent(grid)
    columns = _columns(len(maps), (bottom - top) / (right - left))
    rows = -(-len(maps) // columns)
    check_canvas("figure", figure, "subplots")
    if figure is None:
        figure = _new_figure(rows, columns, (bottom - top) / (right - left))
    panels = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    for ax, (name, values) in zip(panels.flat, maps.items(), strict=False):
        factor, unit = ROTATION_UNITS[rotation_units]
        if name != "rotation":
            factor, unit = 100, "%"
        limit = factor * limits[name]
        image = ax.imshow(
            factor * values, extent=extent(grid), cmap=cmap, vmin=-limit, vmax=limit
        )
        title_of_panel = f"{SYMBOLS[name]} ({unit})"
        ax.set(title=title_of_panel, xticks=[], yticks=[], facecolor=_NAN)
        ax.autoscale(False)
        figure.colorbar(image, ax=ax)
        _draw_places(ax, places, colour="0.2")
        _hatch(ax, places.unsure, grid)
    for ax in panels.flat[len(maps) :]:
        ax.remove()
    add_scale_bar(panels.flat[0], right - left, bottom - top)
    add_frame(panels.flat[0], axes_angle)
    _name_references(panels.flat[0], places)
    letters = max(20, int(13 * figure.bbox.width / figure.dpi))
    figure.suptitle(textwrap.fill(title, letters), fontsize="medium")


def _columns(count: int, aspect: float) -> int:
    """Panels side by side: few of wide images, all of tall ones."""
    if aspect < 0.5:
        return 1
    return count if aspect > 2 or count == 3 else min(count, 2)


def _new_figure(rows: int, columns: int, aspect: float) -> Figure:
    import matplotlib.pyplot as plt

    width = 3.4 if aspect > 0.5 else 6.0
    height = np.clip(0.74 * width * aspect, 1.2, 6.0) + 0.35
    size = (columns * max(width, 2.0), rows * height + 0.4)
    if aspect > 2:
        size = (columns * max(0.8 * 6.0 / aspect + 1.2, 2.0), size[1])
    return plt.figure(figsize=size, layout="compressed")


def _draw_places(ax: Axes, places: Places, *, colour: str) -> None:
    """Thin outlines of all regions, dashes around a box that is the reference."""
    ax.add_collection(
        LineCollection(
            list(places.outlines), colors=colour, linewidths=0.6, label="regions"
        ),
        autolim=False,
    )
    if places.box is not None:
        left, top, right, bottom = places.box
        ax.add_patch(
            Rectangle(
                (left, top), right - left, bottom - top,
                fill=False, linewidth=1.2, linestyle="--", edgecolor=colour,
                label="reference",
            )
        )  # fmt: skip


def _hatch(ax: Axes, unsure: Mask | None, grid: ImageGrid) -> None:
    """Thin lines across some pixels, which leave their colours to be read."""
    if unsure is None:
        return
    left, right, bottom, top = extent(grid)
    hatched = ax.contourf(
        unsure, levels=[0.5, 1.5], colors="none", hatches=["///"],
        extent=(left, right, top, bottom), origin="lower",
    )  # fmt: skip
    hatched.set(edgecolor="0.5", linewidth=0, label="unsure")


def _name_references(ax: Axes, places: Places) -> None:
    """The word on each reference."""
    centres = places.references
    if places.box is not None:
        centres = np.mean(np.reshape(places.box, (1, 2, 2)), axis=1)
    for x, y in centres:
        ax.text(
            x, y, "reference",
            ha="center", va="center", fontsize="small", path_effects=_HALO,
            clip_on=True,
        )  # fmt: skip


def scale_length(width: float) -> float:
    """1, 2 or 5 times a power of ten nm, at most 30 % of the width."""
    decade = 10.0 ** np.floor(np.log10(0.3 * width))
    return float(max(n * decade for n in (1, 2, 5) if n * decade <= 0.3 * width))


def add_scale_bar(ax: Axes, width: float, height: float) -> None:
    """A bar of a round length at the lower right, away from the arrows."""
    length = scale_length(width)
    bar = AnchoredSizeBar(
        ax.transData,
        length,
        f"{length:g} nm",
        "lower right",
        pad=0.3,
        borderpad=0.5,
        sep=3,
        color="black",
        label_top=True,
        fill_bar=True,
        size_vertical=0.008 * np.sqrt(width * height),
    )
    bar.patch.set(alpha=0.8, linewidth=0)
    ax.add_artist(bar)


def add_frame(ax: Axes, angle: float = 0.0) -> None:
    """Arrows along x and y of the strain at the upper left, turned by degrees."""
    turned = angle % 360 != 0
    inset = 36 if turned else 9
    figure: Any = ax.figure
    corner = offset_copy(ax.transAxes, figure, inset, -inset, units="points")
    x, y = 28 * np.cos(np.deg2rad(angle)), -28 * np.sin(np.deg2rad(angle))
    for name, tip in (("x", (x, y)), ("y", (y, -x))):
        ax.annotate(
            name,
            xy=(0, 1),
            xycoords=corner,
            xytext=tip,
            textcoords="offset points",
            ha="center",
            va="center",
            arrowprops={"arrowstyle": "<-", "shrinkA": 1, "shrinkB": 0},
            path_effects=_HALO,
        )


def draw_setup(
    image: Array, grid: ImageGrid, places: Places, setup: Setup, *, figure: Any = None
) -> None:
    """The image with its reference, the reference's spectrum with g, and reasons.

    Parameters
    ----------
    image, grid
        Grey levels, shape (ny, nx), and their pixels in nm.
    figure
        Figure or SubFigure to draw into; by default a new one of pyplot.
    """
    text = "\n".join(textwrap.fill(line, 125) for line in setup.lines)
    lines = text.count("\n") + 1
    check_canvas("figure", figure, "add_gridspec")
    if figure is None:
        import matplotlib.pyplot as plt

        figure = plt.figure(figsize=(9, 4.4 + 0.19 * lines), layout="constrained")
    layout = figure.add_gridspec(2, 2, height_ratios=(4.4, 0.19 * lines))
    _draw_reference(figure.add_subplot(layout[0, 0]), image, grid, places, setup)
    _draw_spectrum(figure.add_subplot(layout[0, 1]), setup)
    below = figure.add_subplot(layout[1, :])
    below.axis("off")
    below.text(0, 1, text, va="top", fontsize="small", transform=below.transAxes)


def _draw_reference(
    ax: Axes, image: Array, grid: ImageGrid, places: Places, setup: Setup
) -> None:
    finite = image[np.isfinite(image)]
    low, high = np.percentile(finite, (1, 99.7)) if finite.size else (0, 1)
    ax.imshow(image, extent=extent(grid), cmap="gray", vmin=low, vmax=high)
    ax.set(xlabel="x (nm)", ylabel="y (nm)", title="reference", facecolor=_NAN)
    ax.autoscale(False)
    mask, coarse = setup.used
    shade = np.zeros((*mask.shape, 4))
    shade[mask] = (1.0, 0.5, 0.05, 0.3)
    ax.imshow(shade, extent=extent(coarse), interpolation="nearest", label="used")
    _draw_places(ax, places, colour=_FIRST)


def _draw_spectrum(ax: Axes, setup: Setup) -> None:
    """Logarithm of the power with a mask around each g and −g."""
    radius = 1 / (2 * np.pi * setup.sigma)
    reach = 1.1 * np.linalg.norm(setup.g_vectors, axis=1).max() + 2.5 * radius
    ax.set(
        xlim=(-reach, reach),
        ylim=(reach, -reach),
        xlabel="$g_x$ (1/nm)",
        ylabel="$g_y$ (1/nm)",
        title="spectrum of the reference, g and mask",
        facecolor=_NAN,
        aspect="equal",
    )
    ax.autoscale(False)
    if setup.spectrum is None:
        ax.text(0.5, 0.5, "not in this part", ha="center", transform=ax.transAxes)
    else:
        _draw_power(ax, *setup.spectrum, reach=reach)
    for k, g in enumerate(setup.g_vectors):
        colour, width = (_FIRST, 1.6) if k < 2 else (_OTHER, 1.0)
        for sign in (1, -1):
            for times, style in ((1, "-"), (2, ":")):
                ax.add_patch(
                    Circle(
                        tuple(sign * g), times * radius,
                        fill=False, edgecolor=colour, linewidth=width, linestyle=style,
                    )
                )  # fmt: skip
    halo = [patheffects.withStroke(linewidth=1.5, foreground="black")]
    for k, (g, name) in enumerate(zip(setup.g_vectors, setup.names, strict=False)):
        x, y = g - [0, 2.15 * radius]
        ax.text(
            x,
            y,
            name,
            color=_FIRST if k < 2 else _OTHER,
            ha="center",
            va="bottom",
            path_effects=halo,
        )


def _draw_power(ax: Axes, power: Array, gy: Array, gx: Array, *, reach: float) -> None:
    rows, columns = (np.flatnonzero(np.abs(g) <= reach) for g in (gy, gx))
    part = power[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    levels = np.log10(np.maximum(part, np.finfo(float).tiny))
    half_y, half_x = (gy[1] - gy[0]) / 2, (gx[1] - gx[0]) / 2
    ax.imshow(
        levels,
        extent=(
            gx[columns[0]] - half_x, gx[columns[-1]] + half_x,
            gy[rows[-1]] + half_y, gy[rows[0]] - half_y,
        ),
        cmap="gray",
        vmin=np.median(levels),
        vmax=np.percentile(levels, 99.95),
    )  # fmt: skip
