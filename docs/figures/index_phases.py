import drawing
import index_phases_spots as spots
import matplotlib.pyplot as plt
import numpy as np

from hyperspy_t2t.data import scene

image = scene("nanoparticles", dose=2000.0, background=1.0, seed=1)
regions = image.segment()
peaks = regions.find_peaks().index_phases(["Au"])
found = {label: peaks.best(label) for label in peaks.region_labels.tolist()}
found = {label: best for label, best in found.items() if best is not None}
properties = regions.region_properties
centres = dict(zip(properties["label"].tolist(), properties["centroid"], strict=True))

figure, (left, right) = plt.subplots(1, 2, figsize=(9, 4.3), layout="constrained")
drawing.image(left, image, np.sqrt(np.maximum(image.data, 0)))
drawing.outlines(left, regions)
for label, best in found.items():
    left.text(
        *centres[label],
        f"{label}: {spots.axis_text(best)}\n{100 * best.probability:.0f} %",
        color=drawing.COLOUR, ha="center", va="center", size=7, weight="bold",
        bbox={"facecolor": "black", "alpha": 0.7, "linewidth": 0, "pad": 1},
    )  # fmt: skip
left.set_title("Zone axis and probability")
label = next((k for k, best in found.items() if abs(best.zone_axis).sum() == 2), None)
label = next(iter(found)) if label is None else label
drawing.spectrum(right, peaks, label, reach=10)
spots.expected(right, peaks, label, found[label], "deepskyblue", named=22)
best = found[label]
right.set_title(f"Region {label}: {best.phase.name} {spots.axis_text(best)}")
