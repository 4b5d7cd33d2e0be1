# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Pictures of an AtomicModel."""

from typing import Any

import numpy as np

from hyperspy_t2t.arguments import check_canvas
from hyperspy_t2t.signals._carried.mixin import SignalMixin

_SIDES = {"x": ("z", "y"), "y": ("x", "z"), "z": ("x", "y")}
"""Axes drawn to the right and down, by the direction of projection."""
_COLOURS = ("element", "region", "displacement")


class ModelViews(SignalMixin):
    """Pictures of an AtomicModel."""

    def plot(
        self,
        *,
        axis: str = "z",
        color_by: str = "element",
        ax: Any = None,
        most: int = 200_000,
        **kwargs: Any,
    ) -> None:
        """Draw the model as seen along one axis.

        Parameters
        ----------
        axis
            "z", along the beam, as the image looks; "x" or "y" from the side.
        color_by
            "element", "region" or "displacement" (\\|u\\| in Å).
        ax
            Matplotlib axes; a new figure by default.
        most
            Atoms drawn at most, evenly chosen.
        **kwargs
            Passed to ``Axes.scatter``.

        Notes
        -----
        Axes are in nm, y points down as in the image. The areas of the dots grow as the
        covalent radii squared.
        """
        _check(axis=(axis, tuple(_SIDES)), color_by=(color_by, _COLOURS))
        check_canvas("ax", ax, "scatter")
        import matplotlib.pyplot as plt

        kwargs.pop("navigator", None)
        part = self._thinned(most)
        beside = ax is None
        if ax is None:
            _, ax = plt.subplots(layout="constrained")
        right, down = _SIDES[axis]
        places = 0.1 * np.stack([part.column(right), part.column(down)])
        span = np.ptp(places, axis=1).max() if part.n_atoms else 1.0
        kwargs = {"s": _dots(part, span), "linewidths": 0, **kwargs}
        _scatter(ax, part, places, color_by, kwargs, beside=beside)
        ax.set(xlabel=f"{right} (nm)", ylabel=f"{down} (nm)", aspect="equal")
        if not ax.yaxis_inverted():
            ax.invert_yaxis()

    def plot_3d(
        self,
        *,
        color_by: str = "element",
        ax: Any = None,
        most: int = 50_000,
        **kwargs: Any,
    ) -> None:
        """Draw the model in three dimensions, thinned out so that it can be turned.

        Parameters
        ----------
        most
            Atoms drawn at most, evenly chosen; for a close look draw a piece:
            ``model.select(x=(0, 30), y=(0, 30)).plot_3d()``.
        color_by
            "element", "region" or "displacement" (\\|u\\| in Å).
        ax
            Matplotlib axes with ``projection="3d"``; a new figure by default.
        **kwargs
            Passed to ``Axes3D.scatter``.

        Notes
        -----
        All axes have one scale, in nm. The source is above and z runs down; x runs to
        the right. The areas of the dots grow as the covalent radii squared.
        """
        _check(color_by=(color_by, _COLOURS))
        check_canvas("ax", ax, "set_zlabel")
        import matplotlib.pyplot as plt

        part = self._thinned(most)
        beside = ax is None
        if ax is None:
            ax = plt.figure(layout="constrained").add_subplot(projection="3d")
        places = 0.1 * part.positions.T
        span = np.ptp(places, axis=1) if part.n_atoms else np.ones(3)
        span = np.maximum(span, 0.02 * max(span.max(), 1e-3))
        kwargs = {"s": _dots(part, 1.6 * span.max()), "linewidths": 0, **kwargs}
        _scatter(ax, part, places, color_by, kwargs, beside=beside)
        ax.set(xlabel="x (nm)", ylabel="y (nm)", zlabel="z (nm)")
        ax.set_box_aspect(span)
        for short, one in zip(span < 0.4 * span.max(), "xyz", strict=True):
            if short:
                ax.locator_params(axis=one, nbins=3)
        for inverted, invert in (
            (ax.yaxis_inverted(), ax.invert_yaxis),
            (ax.zaxis_inverted(), ax.invert_zaxis),
        ):
            if not inverted:
                invert()

    def view(self, viewer: str = "ase", *, most: int = 200_000, **kwargs: Any) -> Any:
        """Open the model in a viewer of atoms.

        Parameters
        ----------
        viewer
            Name of a viewer that ``ase.visualize.view`` knows, for example "ase",
            "ngl", "x3d", "vmd" or "avogadro".
        most
            Atoms handed over at most, evenly chosen. To see all atoms of a piece use
            :meth:`select` first.
        **kwargs
            Passed to ``ase.visualize.view``.

        Returns
        -------
        object
            What the viewer returns: a process, or a widget of a notebook.

        Raises
        ------
        ImportError, RuntimeError
            The viewer is not installed, or there is no screen.
        """
        from ase.visualize import view

        try:
            if viewer == "ase":
                import tkinter  # noqa: F401 - or the other process fails unseen
            return view(self._thinned(most).to_ase(), viewer=viewer, **kwargs)
        except ImportError as error:
            raise ImportError(
                f"Expected what the viewer {viewer!r} needs, got none ({error}). "
                f"Install {_PACKAGES.get(viewer, viewer)}, or draw the model with "
                "plot_3d()."
            ) from error
        except (OSError, KeyError) as error:
            raise RuntimeError(
                f"Expected a viewer that can be started here, got {viewer!r} "
                f"({error}). Install it, choose another that ase.visualize.view knows, "
                "or draw the model with plot_3d()."
            ) from error

    def _thinned(self, most: int) -> Any:
        """At most so many atoms, evenly chosen."""
        if not most >= 1:
            raise ValueError(f"Expected most to be 1 atom or more, got {most!r}.")
        if self.n_atoms <= most:
            return self
        # One of each run of rows: equal steps would leave every so-many-th layer.
        place = np.arange(int(most)) + np.random.default_rng(0).random(int(most))
        part = self._of_rows((place * (self.n_atoms / int(most))).astype(np.int64))
        if part._lazy:
            part.compute(show_progressbar=False)
        return part


_PACKAGES = {
    "ase": "Tk for this Python, on Debian python3-tk",
    "ngl": "nglview",
    "x3d": "ipython",
    "mlab": "mayavi",
}
"""What a viewer needs, where its name does not say it."""


def _check(**options: tuple[str, tuple[str, ...]]) -> None:
    for name, (value, known) in options.items():
        if value not in known:
            raise ValueError(
                f"Expected {name} to be one of {', '.join(known)}; got {value!r}."
            )


def _dots(part: Any, span: float) -> np.ndarray:
    """Areas of dots in points², of true size in a usual figure that shows `span` nm.

    They are not too small to be seen.
    """
    from ase.data import covalent_radii

    points = 240 / max(span, 1e-9)  # per nm
    return np.maximum(2, (0.12 * points * covalent_radii[part.numbers]) ** 2)


def _scatter(
    ax: Any, part: Any, places: np.ndarray, color_by: str, kwargs: dict, *, beside: bool
) -> None:
    """Draw atoms at (2 or 3, n), with a colour bar, or a legend inside or beside.

    All in one go, so that in three dimensions near atoms hide far ones.
    """
    if color_by == "displacement":
        length = np.linalg.norm(part.displacement, axis=1)
        drawn = ax.scatter(*places, **{"c": length, "cmap": "viridis", **kwargs})
        ax.figure.colorbar(drawn, ax=ax, label="|u| (Å)", shrink=0.7)
        return
    names, colours, group = _groups(part, color_by)
    if not {"c", "color"} & set(kwargs):
        kwargs = {"c": colours[group], **kwargs}
    ax.scatter(*places, **kwargs)
    if names:
        _legend(ax, names, colours, beside=beside)


def _legend(ax: Any, names: list[str], colours: np.ndarray, *, beside: bool) -> None:
    """Beside a picture that has the figure for itself: models may be narrow."""
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], marker="o", linestyle="", color=colour, label=name)
        for name, colour in zip(names, colours, strict=True)
    ]
    place = {"loc": "upper left", "bbox_to_anchor": (1.01, 1)}
    ax.legend(handles=handles, **(place if beside else {"loc": "upper right"}))


def _groups(part: Any, color_by: str) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Names and colours of the elements or regions, and which each atom is of."""
    from ase.data import chemical_symbols
    from ase.data.colors import jmol_colors
    from matplotlib import colormaps

    if color_by == "element":
        numbers, group = np.unique(part.numbers, return_inverse=True)
        names = [chemical_symbols[number] for number in numbers]
        return names, jmol_colors[numbers], group
    labels, group = np.unique(part.region, return_inverse=True)
    place = np.searchsorted(np.sort(part.region_labels), labels)
    names = [f"region {label}" for label in labels]
    return names, colormaps["tab10"](place % 10)[:, :3], group
