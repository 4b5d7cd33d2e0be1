# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Drawing a model beside its micrograph."""

from typing import Any

import numpy as np

_ARROWS = 4000
"""Arrows drawn at most, evenly chosen."""
_USUAL = 95
"""Percentile of the errors whose arrow has the usual length."""
_LENGTH, _LONGEST = 0.05, 0.1
"""Usual and largest length of an arrow over the shorter side of the picture."""
_RANGE = 5.0
"""Residuals are drawn up to this many standard deviations."""


def draw_comparison(comparison: Any, *, axes: Any, stretch: float | None) -> Any:
    """Image, simulation, residual and arrows of a ModelComparison; the axes."""
    import matplotlib.pyplot as plt

    if axes is None:
        _, axes = plt.subplots(2, 2, figsize=(10, 9), layout="constrained")
    axes = np.ravel(axes)
    extent = _extent(comparison.residual)
    drawn = comparison.simulated.data
    low, high = np.nanpercentile(drawn, [0.5, 99.8])
    grey = {"cmap": "gray", "vmin": low, "vmax": high, "extent": extent}
    axes[0].imshow(np.asarray(comparison.image.data, float), **grey)
    axes[1].imshow(drawn, **grey)
    shown = axes[2].imshow(
        comparison.residual.data, cmap="RdBu_r", vmin=-_RANGE, vmax=_RANGE,
        extent=extent,
    )  # fmt: skip
    axes[2].figure.colorbar(shown, ax=axes[2], label="standard deviations of the noise")
    _arrows(axes[3], comparison, stretch)
    titles = ("image", "model", "residual", "imaged minus model")
    for ax, title in zip(axes, titles, strict=True):
        ax.set(
            title=title, xlabel="x (nm)", ylabel="y (nm)", aspect="equal",
            xlim=extent[:2], ylim=extent[2:],
        )  # fmt: skip
    axes[3].set_title(titles[3], pad=20)  # the scale of the arrows is below it
    return axes


def _arrows(ax: Any, comparison: Any, stretch: float | None) -> None:
    """Errors of columns, coloured by their length in Å, with one arrow as a scale."""
    table = comparison.column_errors
    found = np.flatnonzero(np.isfinite(table["dx"]))
    found = found[:: max(1, -(-len(found) // _ARROWS))]
    x, y, dx, dy = (table[name][found] for name in ("x", "y", "dx", "dy"))
    length = np.hypot(dx, dy)
    left, right, bottom, top = _extent(comparison.residual)
    side = min(right - left, bottom - top)
    if stretch is None:
        usual = float(np.percentile(length, _USUAL)) if len(length) else 0.0
        stretch = _LENGTH * side / usual if usual > 0 else 1.0
    longest = _LONGEST * side / stretch
    cut = np.minimum(1.0, longest / np.maximum(length, 1e-12))
    arrows = ax.quiver(
        x, y, cut * dx, cut * dy, 10 * length, angles="xy", scale_units="xy",
        scale=1 / stretch, cmap="viridis",
    )  # fmt: skip
    known = _LENGTH * side / stretch
    ax.quiverkey(
        arrows, 0.97, 1.035, known, f"{10 * known:.2g} Å", labelpos="W", color="black"
    )
    label = f"Å (median {10 * comparison.median_error:.3f} Å)\narrows × {stretch:.3g}"
    if (cut < 1).any():
        label += f", {(cut < 1).sum()} longer ones cut to {10 * longest:.2g} Å"
    ax.figure.colorbar(arrows, ax=ax, label=label)


def _extent(signal: Any) -> tuple[float, float, float, float]:
    """Left, right, bottom, top in nm, y down."""
    x, y = signal.axes_manager.signal_axes
    return (
        x.offset - x.scale / 2,
        x.offset + (x.size - 0.5) * x.scale,
        y.offset + (y.size - 0.5) * y.scale,
        y.offset - y.scale / 2,
    )
