import drawing
import matplotlib.pyplot as plt
import numpy as np

from hyperspy_t2t.data import scene
from hyperspy_t2t.signals import Micrograph
from hyperspy_t2t.signals._scan import corrected_source, offsets_of

image = scene("single_crystal", shape=(400, 400), dose=20, row_jitter=0.7, seed=1)
known = image.metadata.Truth.regions.region_1
g = np.asarray(known.g_image)[np.argsort(-np.asarray(known.strength), kind="stable")]
pair = np.array([g[0], next(v for v in g if abs(g[0][0] * v[1] - g[0][1] * v[0]) > 3)])
strain = Micrograph.from_signal(image).gpa(g_vectors=pair, reference=(1, 1, 7, 7))
offsets = offsets_of(strain)
moved = image.deepcopy()
moved.data = np.asarray(corrected_source(strain._source(), offsets).image)
after = Micrograph.from_signal(moved).gpa(g_vectors=pair, reference=(1, 1, 7, 7))

figure, axes = plt.subplots(2, 3, figsize=(9, 6), layout="constrained")
maps = ((image, strain, "as taken"), (moved, after, "corrected"))
for row, (picture, found, title) in zip(axes, maps, strict=True):
    drawing.image(row[0], picture.isig[2.0:4.0, 2.0:4.0])
    row[0].set_title(title)
    options = {"cmap": "RdBu_r", "vmin": -0.5, "vmax": 0.5}
    drawn = drawing.image(row[1], picture, 100 * found.exy.data, **options)
    row[1].set_title("exy (%)")
    figure.colorbar(drawn, ax=row[1], shrink=0.8)
true = 1e3 * np.asarray(image.metadata.Truth.row_jitter)
rows = np.arange(100, 160)
axes[0, 2].plot(rows, (true - true.mean())[rows], "k-", label="true")
axes[0, 2].plot(rows, 1e3 * offsets.offset[rows, 0], "o", ms=3, label="found")
axes[0, 2].set(xlabel="row", ylabel="offset along x (pm)")
axes[0, 2].legend()
axes[1, 2].hist(true - true.mean() - 1e3 * offsets.offset[:, 0], bins=30)
axes[1, 2].set(xlabel="offset left (pm)", ylabel="rows")
