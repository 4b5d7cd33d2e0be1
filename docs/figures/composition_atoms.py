import drawing
import hyperspy.api as hs
import matplotlib.pyplot as plt
import numpy as np

from hyperspy_t2t.data import scene

image = scene("quantum_well", dose=2000.0, seed=1)
truth = image.metadata.Truth.composition.as_dictionary()
random = np.random.default_rng(0)
size = image.data.shape[0] // 40
coarse = np.asarray(truth["Ge"])[: 40 * size, : 40 * size]
coarse = coarse.reshape(40, size, 40, size).mean(axis=(1, 3))
coarse = np.clip(coarse + 0.03 * random.normal(size=coarse.shape), 0, 1)
composition = {}
for element, values in (("Ge", coarse), ("Si", 1 - coarse)):
    composition[element] = hs.signals.Signal2D(values)
    for axis, fine in zip(
        composition[element].axes_manager.signal_axes,
        image.axes_manager.signal_axes,
        strict=True,
    ):
        axis.scale, axis.units = size * fine.scale, fine.units
        axis.offset = fine.offset + 0.5 * (size - 1) * fine.scale
    composition[element].set_noise_variance(0.03**2)
model = (
    image.segment()
    .find_peaks()
    .index_phases(["Ge"])
    .gpa(reference=hs.roi.RectangularROI(0, 14.5, 20, 20))
    .to_atoms(10, composition=composition, calibration="nominal")
)
column = model.column("column").astype(int)
_, first, place, counts = np.unique(
    column, return_index=True, return_inverse=True, return_counts=True
)
share = np.bincount(place, model.numbers == 32) / counts
x, y, _ = 0.1 * model.positions[first].T

figure, axes = plt.subplots(1, 3, figsize=(11, 3.8), layout="constrained")
scale = {"cmap": "viridis", "vmin": 0, "vmax": 1}
drawing.image(axes[0], composition["Ge"], **scale)
axes[0].set_title("Map of Ge with noise")
drawn = axes[1].scatter(x, y, s=2, c=share, **scale)
axes[1].set(title="Ge in the columns drawn", xlabel="x (nm)", ylabel="y (nm)")
axes[1].set(aspect="equal", xlim=axes[0].get_xlim(), ylim=axes[0].get_ylim())
figure.colorbar(drawn, ax=axes[1])

layer = np.arange(0, 20, 0.5)
row = np.clip(np.digitize(y, layer) - 1, 0, len(layer) - 1)
atoms = np.bincount(row, counts, len(layer))
found = np.bincount(row, share * counts, len(layer)) / atoms
axes[2].errorbar(
    layer + 0.25, found, 2 * np.sqrt(found * (1 - found) / atoms), fmt=".",
    label="atoms, 2 counting errors",
)  # fmt: skip
lines = composition["Ge"].axes_manager.signal_axes[1].axis
axes[2].plot(lines, coarse.mean(axis=1), label="map")
axes[2].set(xlabel="y (nm)", ylabel="fraction of Ge", title="Layer by layer")
axes[2].set(ylim=(0.55, 1))
axes[2].legend(loc="lower center")
