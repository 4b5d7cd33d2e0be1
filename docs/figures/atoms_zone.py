import drawing
import matplotlib.pyplot as plt
import numpy as np

from hyperspy_t2t.data import scene
from hyperspy_t2t.physics.neighbours import neighbour_pairs

image = scene(
    "single_crystal", zone_axis=(1, 1, 2), rotation=0.0, shape=(300, 300),
    pixel_size=0.012, probe_size=0.03, dose=500, seed=1,
)  # fmt: skip
model = image.segment().find_peaks().index_phases(["Si"]).gpa().to_atoms(thickness=2.7)
phase = model.metadata.AtomicModel.phases.as_dictionary()
period = next(iter(phase.values()))["period"]
correction = np.asarray(model.metadata.AtomicModel.image_correction)
places = 0.1 * model.positions

figure, (left, right) = plt.subplots(
    1, 2, figsize=(9, 4.4), layout="constrained", width_ratios=(1, 1.15)
)
drawing.image(left, image)
xy = places[:, :2] @ np.linalg.inv(correction).T
left.scatter(
    *xy.T, s=60, c=places[:, 2] % period, cmap="twilight", vmin=0, vmax=period,
    linewidths=0,
)  # fmt: skip
left.set(xlim=(1, 2.4), ylim=(2.4, 1), title="Si [112] over the image")

slab = model.select(x=(10, 24), y=(14, 17.9))
at = 0.1 * slab.positions
first, second, _ = neighbour_pairs(slab.positions, slab.cell, (0, 0, 0), 2.6)
for one, two in zip(first, second, strict=True):
    right.plot(*at[[one, two]][:, [2, 0]].T, color="0.6", linewidth=1.2, zorder=0)
drawn = right.scatter(
    at[:, 2], at[:, 0], s=60, c=at[:, 2] % period, cmap="twilight", vmin=0,
    vmax=period,
)  # fmt: skip
for border in np.arange(0, 2.7, period):
    right.axvline(border, color=drawing.COLOUR, linestyle="--")
right.set(
    xlabel="z along the beam (nm)", ylabel="x (nm)", aspect="equal",
    title=f"From the side: it repeats after {period:.3f} nm",
)  # fmt: skip
figure.colorbar(drawn, ax=right, label="depth within the period (nm)", shrink=0.7)
