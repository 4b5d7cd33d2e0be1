import drawing
import matplotlib.pyplot as plt
import numpy as np

from hyperspy_t2t.data import scene

image = scene("single_crystal", shape=(400, 400), dose=20, row_jitter=0.7, seed=1)
peaks = image.segment().find_peaks()
taken = peaks.gpa(resolution=0.4)
corrected = peaks.gpa(resolution=0.4, correct_scan=True)

figure, axes = plt.subplots(1, 3, figsize=(9.5, 3), layout="constrained")
maps = ((taken, "exy (%), as taken"), (corrected, "exy (%), correct_scan=True"))
for axis, (strain, title) in zip(axes, maps, strict=False):
    options = {"cmap": "RdBu_r", "vmin": -0.5, "vmax": 0.5}
    drawn = drawing.image(axis, image, 100 * strain.exy.data, **options)
    axis.set_title(title)
figure.colorbar(drawn, ax=axes[1], shrink=0.8)
true = 1e3 * np.asarray(image.metadata.Truth.row_jitter)
found = 1e3 * np.asarray(corrected.metadata.Strain.scan.offset)[:, 0]
rows = np.arange(100, 160)
axes[2].plot(rows, (true - true.mean())[rows], "k-", label="true")
axes[2].plot(rows, found[rows], "o", ms=3, label="found")
axes[2].set(xlabel="row", ylabel="offset along x (pm)")
axes[2].legend(loc="lower left")
