"""Four frames of a drifting film on which particles grow, with labels that follow."""

import drawing
import hyperspy.api as hs
import matplotlib.pyplot as plt
import numpy as np
from scipy.ndimage import gaussian_filter

import hyperspy_t2t  # noqa: F401

# Row, column, first radius and growth per frame in pixels, first frame.
PARTICLES = ((60, 50, 14, 3, 0), (120, 100, 20, 0, 0), (50, 130, 10, 2, 0),
             (140, 40, 9, 3, 2))  # fmt: skip


def frame(number, shape=(192, 192)):
    y, x = np.indices(shape)
    image = np.full(shape, 40.0)
    for row, column, radius, growth, first in PARTICLES:
        if number >= first:
            radius = radius + growth * number
            away = np.hypot(y - row - 4 * number, x - column - 6 * number)
            image[away <= radius] = 100
    noise = np.random.default_rng(number).normal(0, 8, shape)
    return gaussian_filter(image, 1) + noise


stack = hs.signals.Signal2D(np.stack([frame(k) for k in range(4)]))
for axis in stack.axes_manager.signal_axes:
    axis.scale, axis.units = 0.5, "nm"
regions = stack.segment(show_progressbar=False)
areas = regions.region_properties["area"]
figure, axes = plt.subplots(
    1, 5, figsize=(11, 2.6), layout="constrained", width_ratios=(1, 1, 1, 1, 1.2)
)
colours = plt.get_cmap("tab10")
for number, ax in enumerate(axes[:4]):
    one = regions.inav[number]
    drawing.image(ax, one)
    for label, polygons in one.contours().items():
        for polygon in polygons:
            ax.plot(*polygon.T, color=colours(label - 1), linewidth=1.5)
    ax.set_title(f"frame {number}")
for ax in axes[1:4]:
    ax.set(ylabel="", yticks=[])
for column, label in enumerate(regions.region_labels):
    if label > 1:
        axes[4].plot(areas[:, column], "o-", color=colours(label - 1), label=label)
axes[4].set(xlabel="frame", ylabel="area (nm²)", xticks=range(4))
axes[4].legend(title="label", fontsize="small", loc="upper left", bbox_to_anchor=(1, 1))
