import drawing
import matplotlib.pyplot as plt
import numpy as np

from hyperspy_t2t.data import scene
from hyperspy_t2t.signals import SegmentedImage

image = scene("polycrystal", grains=5, shape=(64, 64), pixel_size=0.3, seed=5)
labels = np.array(image.metadata.Truth.labels)
rows, columns = np.indices(labels.shape)
distance = np.hypot(rows - 14, columns - 36)
labels[distance < 9] = 6
labels[distance < 4] = 7
regions = SegmentedImage.from_labels(image, labels)

figure, axes = plt.subplots(1, 3, figsize=(11, 4.1), layout="constrained")
for ax, title, options in zip(
    axes,
    ("pixel edges, smooth=False", "default", "max_nodes=20"),
    ({"smooth": False}, {}, {"max_nodes": 20}),
    strict=True,
):
    drawing.image(ax, image, labels, cmap="Pastel1", interpolation="nearest")
    contours = regions.contours(**options)
    points = np.concatenate([p[:-1] for found in contours.values() for p in found])
    for polygons in contours.values():
        for polygon in polygons:
            ax.plot(*polygon.T, color="black", linewidth=1)
    ax.scatter(*points.T, s=7, color="black", zorder=3)
    ax.set_title(f"{title}: {len(np.unique(points, axis=0))} points")
    ax.set(xlim=(0, 15), ylim=(15, 0))
