"""What the pictures of the documentation have in common."""

import matplotlib.pyplot as plt
import numpy as np

COLOUR = "orange"


def extent(signal):
    """Left, right, bottom, top of an image in the units of its axes, y down."""
    x, y = signal.axes_manager.signal_axes
    return (
        x.offset - x.scale / 2,
        x.offset + (x.size - 0.5) * x.scale,
        y.offset + (y.size - 0.5) * y.scale,
        y.offset - y.scale / 2,
    )


def image(ax, signal, values=None, **options):
    """Draw an image, or values on its axes."""
    values = np.asarray(signal.data if values is None else values)
    options = {"cmap": "gray", **options}
    drawn = ax.imshow(values, extent=extent(signal), **options)
    ax.set(xlabel="x (nm)", ylabel="y (nm)")
    ax.autoscale(False)
    return drawn


def outlines(ax, regions, **options):
    for polygons in regions.contours().values():
        for polygon in polygons:
            ax.plot(*polygon.T, **{"color": COLOUR, "linewidth": 1.3, **options})


def regions(ax, signal, segmented, **options):
    """Square root of an image, which shows dark parts too, with outlines."""
    values = np.asarray(signal.data, float)
    image(ax, signal, np.sqrt(np.maximum(values - values.min(), 0)))
    outlines(ax, segmented, **options)


def spectrum(ax, peaks, label, reach):
    """Logarithmic spectrum of a region with all its peaks."""
    power = peaks.power_spectrum(label)
    levels = np.log10(np.maximum(power.data, 1e-12))
    image(ax, power, levels, vmin=np.median(levels))
    ax.scatter(
        *peaks.region(label)[:, :2].T, s=50, facecolors="none", edgecolors=COLOUR
    )
    ax.set(
        xlim=(-reach, reach),
        ylim=(reach, -reach),
        xlabel="gx (1/nm)",
        ylabel="gy (1/nm)",
    )


def strain_panels(strain, limit, turn, size=(8, 7)):
    """exx, eyy, exy in per cent and the rotation in degrees."""
    figure, axes = plt.subplots(2, 2, figsize=size, layout="constrained")
    for ax, name in zip(axes.flat, ("exx", "eyy", "exy", "rotation"), strict=True):
        signal = getattr(strain, name)
        values = np.degrees(signal.data) if name == "rotation" else 100 * signal.data
        top = turn if name == "rotation" else limit
        drawn = image(ax, signal, values, cmap="RdBu_r", vmin=-top, vmax=top)
        unit = "°" if name == "rotation" else "%"
        figure.colorbar(drawn, ax=ax, label=f"{name} ({unit}), {strain.convention!r}")
        ax.set_facecolor("0.8")
    return figure, axes
