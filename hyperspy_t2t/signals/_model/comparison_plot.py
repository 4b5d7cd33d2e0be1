# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Drawing a model beside its micrograph."""

from typing import Any

import numpy as np

_ARROWS = 4000
"""Arrows drawn at most, evenly chosen."""
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
    return axes


def _arrows(ax: Any, comparison: Any, stretch: float | None) -> None:
    """Errors of columns, coloured by their length in Å."""
    table = comparison.column_errors
    found = np.flatnonzero(np.isfinite(table["dx"]))
    found = found[:: max(1, -(-len(found) // _ARROWS))]
    x, y, dx, dy = (table[name][found] for name in ("x", "y", "dx", "dy"))
    length = np.hypot(dx, dy)
    if stretch is None:
        usual = float(np.median(length)) if len(length) else 0.0
        stretch = 2.4 * comparison.probe / usual if usual > 0 else 1.0
    arrows = ax.quiver(
        x, y, dx, dy, 10 * length, angles="xy", scale_units="xy", scale=1 / stretch,
        cmap="viridis",
    )  # fmt: skip
    label = f"Å (arrows × {stretch:.3g}); median {10 * comparison.median_error:.3f} Å"
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
