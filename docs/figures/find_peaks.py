import drawing
import matplotlib.pyplot as plt

from hyperspy_t2t.data import gold_nanoparticles

peaks = gold_nanoparticles().segment().find_peaks()
labels = peaks.region_labels.tolist()
particle = max(labels, key=lambda label: len(peaks.region(label)))
film = next(label for label in labels if not len(peaks.region(label)))
figure, axes = plt.subplots(1, 2, figsize=(9, 4.5), layout="constrained")
for ax, label in zip(axes, (particle, film), strict=True):
    drawing.spectrum(ax, peaks, label, reach=11)
    found = peaks.state(label)
    ax.set_title(f"{found.state} ({found.probability:.2f}), region {label}")
