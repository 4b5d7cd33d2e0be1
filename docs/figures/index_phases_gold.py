import drawing
import index_phases_spots as spots
import matplotlib.pyplot as plt
import numpy as np

from hyperspy_t2t.data import gold_nanoparticles

gold = gold_nanoparticles().isig[1.0:5.8, -3.4:1.6]
regions = gold.segment()
peaks = regions.find_peaks().index_phases(["Au"])
labels = peaks.region_labels.tolist()
label = min(labels, key=peaks.none_of_these)
best = peaks.best(label)

figure, (left, right) = plt.subplots(1, 2, figsize=(9, 4.8), layout="constrained")
drawing.image(left, gold)
drawing.outlines(left, regions)
properties = regions.region_properties
centre = properties["centroid"][properties["label"] == label][0]
left.text(
    *centre,
    f"{best.phase.name} {spots.axis_text(best)}\n{100 * best.probability:.0f} %\n"
    f"scale {best.scale:.2f}",
    color=drawing.COLOUR, ha="center", va="center", size=9, weight="bold",
    bbox={"facecolor": "black", "alpha": 0.7, "linewidth": 0},
)  # fmt: skip
reach = 1.15 * np.abs(peaks.region(label)[:, :2]).max()
drawing.spectrum(right, peaks, label, reach=reach)
spots.expected(right, peaks, label, best, "deepskyblue")
right.set_title("Found (circles) and expected (dots)")
