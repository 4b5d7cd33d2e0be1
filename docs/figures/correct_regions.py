import drawing
import hyperspy.api as hs
import matplotlib.pyplot as plt
import numpy as np
from scipy.ndimage import gaussian_filter

from hyperspy_t2t.data import Region, synthetic_micrograph
from hyperspy_t2t.signals import SegmentedImage


def disk(x, y, radius):
    angle = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    return [x, y] + radius * np.stack([np.cos(angle), np.sin(angle)], axis=-1)


def gold(zone_axis, rotation, outline, thickness=3.0):
    return Region(
        "Au fcc", zone_axis, rotation, outline, thickness=thickness, overlay=True
    )


image = synthetic_micrograph(
    [
        Region("amorphous", thickness=10.0),
        gold((1, 1, 0), 10, disk(4.0, 4.6, 2.6)),
        gold((0, 0, 1), 30, disk(7.9, 6.2, 1.8)),
        gold((1, 1, 1), 20, disk(10.2, 2.6, 1.3), thickness=0.8),
        Region("amorphous", outline=disk(3.4, 10.0, 1.1), thickness=70.0, overlay=True),
    ],
    shape=(480, 512),
    pixel_size=0.025,
    dose=2000.0,
)
# A program that knows grey levels only: the film, and what is brighter.
smooth = gaussian_filter(image.data, 8)
found = SegmentedImage.from_labels(image, 1 + (smooth > 0.3 * smooth.max()))
seeds = [(4.0, 4.6), (7.9, 6.2), (3.4, 10.0)]
faint = hs.roi.PolygonROI([tuple(point) for point in disk(10.2, 2.6, 1.35)[::6]])
corrected = (
    found.split(2, seeds=seeds).add_region(faint).remove_region(4, fill="nearest")
)
figure, axes = plt.subplots(1, 2, figsize=(9, 4.4), layout="constrained")
for ax, regions, title in zip(
    axes, (found, corrected), ("from another program", "corrected"), strict=True
):
    drawing.image(ax, image, np.sqrt(np.maximum(image.data, 0)))
    drawing.outlines(ax, regions)
    ax.set_title(f"{title}: {regions.n_regions} regions")
axes[0].scatter(*np.transpose(seeds), marker="x", color="cyan", label="seeds")
axes[0].plot(
    *np.transpose([*faint.vertices, faint.vertices[0]]), "--", color="cyan",
    label="polygon",
)  # fmt: skip
axes[0].legend(loc="lower right")
