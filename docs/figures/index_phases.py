import drawing
import matplotlib.pyplot as plt
import numpy as np

from hyperspy_t2t.data import scene

image = scene("nanoparticles", dose=2000.0, background=1.0, seed=1)
regions = image.segment()
peaks = regions.find_peaks().index_phases(["Au"])
found = {label: peaks.best(label) for label in peaks.region_labels}
found = {label: best for label, best in found.items() if best is not None}
properties = regions.region_properties
centres = dict(zip(properties["label"], properties["centroid"], strict=True))


def axis_text(best):
    return f"[{' '.join(str(i) for i in best.zone_axis)}]"


def hkl_text(hkl):
    return "$" + "".join(rf"\bar{{{-i}}}" if i < 0 else str(i) for i in hkl) + "$"


figure, (left, right) = plt.subplots(1, 2, figsize=(9, 4.3), layout="constrained")
drawing.image(left, image, np.sqrt(np.maximum(image.data, 0)))
drawing.outlines(left, regions)
for label, best in found.items():
    left.text(
        *centres[label],
        f"{label}: {best.phase.name}\n{axis_text(best)}\n{best.score:.2f}",
        color=drawing.COLOUR, ha="center", va="center", size=8, weight="bold",
        bbox={"facecolor": "black", "alpha": 0.7, "linewidth": 0},
    )  # fmt: skip
label = next((k for k, best in found.items() if abs(best.zone_axis).sum() == 2), None)
label = next(iter(found)) if label is None else label
best = found[label]
drawing.spectrum(right, peaks, label, reach=11)
for g, hkl, matched in zip(
    peaks.region(label)[:, :2], best.hkl, best.matched, strict=True
):
    if matched and np.abs(g).max() < 10:
        right.annotate(
            hkl_text(hkl), g, (0, 6), textcoords="offset points", color=drawing.COLOUR,
            ha="center",
        )  # fmt: skip
right.set_title(f"Region {label}: {best.phase.name} {axis_text(best)}")
