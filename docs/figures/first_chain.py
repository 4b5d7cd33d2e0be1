import drawing
import matplotlib.pyplot as plt

from hyperspy_t2t.data import scene

image = scene("two_layers", shape=(512, 512), seed=1)
regions = image.segment()
peaks = regions.find_peaks().index_phases(["Si", "Ge"])
strain = peaks.gpa(reference=int(regions.labels.data[100, 100]))
model = strain.to_atoms(thickness=10)

figure, axes = plt.subplots(1, 4, figsize=(12, 3.2), layout="constrained")
drawing.image(axes[0], image)
drawing.outlines(axes[0], regions)
drawing.spectrum(axes[1], peaks, 1, reach=12)
drawn = drawing.image(
    axes[2], image, 100 * strain.exx.data, cmap="RdBu_r", vmin=-3, vmax=3
)
axes[2].set_facecolor("0.8")
figure.colorbar(drawn, ax=axes[2], label=f"exx (%), {strain.convention!r}", shrink=0.7)
drawing.image(axes[3], image.isig[4.0:6.5, 4.0:6.5])
axes[3].scatter(
    *(0.1 * model.positions[:, :2].T), s=20, facecolors="none", edgecolors="orange"
)
for ax, title in zip(
    axes, ("regions", "peaks of region 1", "strain", "atoms"), strict=True
):
    ax.set_title(title)
