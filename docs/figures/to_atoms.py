import drawing
import hyperspy.api as hs
import matplotlib.pyplot as plt
import numpy as np

from hyperspy_t2t.data import scene

image = scene("quantum_well", shape=(640, 640), dose=2000.0, seed=1)
composition = {}
for element, values in image.metadata.Truth.composition.as_dictionary().items():
    composition[element] = image._deepcopy_with_new_data(np.asarray(values))
model = (
    image.segment()
    .find_peaks()
    .index_phases(["Ge"])
    .gpa(reference=hs.roi.RectangularROI(0, 9, 12.8, 12.8))
    .to_atoms(thickness=10, composition=composition)
)
ids, first, column, size = np.unique(
    model.column_ids, return_index=True, return_inverse=True, return_counts=True
)
germanium = np.bincount(column, model.numbers == 32) / size
# The model has true lengths, the image those of its pixels.
correction = np.asarray(model.metadata.AtomicModel.image_correction)
places = 0.1 * model.positions[first, :2] @ np.linalg.inv(correction).T

figure, axes = plt.subplots(1, 3, figsize=(11, 3.9), layout="constrained")
left, middle, right = axes
scale = {"c": germanium, "vmin": 0.4, "vmax": 1, "cmap": "viridis"}
drawn = left.scatter(*places.T, s=4, linewidths=0, **scale)
figure.colorbar(drawn, ax=left, label="fraction of Ge", shrink=0.8)
left.set(xlabel="x (nm)", ylabel="y (nm)", xlim=(0, 12.8), ylim=(12.8, 0))
left.set(aspect="equal", title="Columns of the model")
drawing.image(middle, image)
middle.scatter(*places.T, s=50, facecolors="none", edgecolors=drawing.COLOUR)
middle.set(xlim=(5, 7.5), ylim=(9.5, 7), title="Over the image, enlarged")
model.select(x=(50, 56)).plot(axis="x", ax=right, s=6)
right.set(ylim=(12.8, 0), title="From the side, a slice of 0.6 nm")
right.get_legend().set_loc("lower right")
