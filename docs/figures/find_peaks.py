import drawing
import matplotlib.pyplot as plt

from hyperspy_t2t.data import scene

image = scene("nanoparticles", dose=2000.0, background=1.0, seed=1)
peaks = image.segment().find_peaks()
shown = [label for label in peaks.region_labels if peaks.is_crystalline(label)][:2]
figure, axes = plt.subplots(1, 2, figsize=(9, 4.3), layout="constrained")
for ax, label in zip(axes, shown, strict=True):
    drawing.spectrum(ax, peaks, label, reach=13)
    ax.set_title(f"Region {label}: {len(peaks.region(label))} peaks")
