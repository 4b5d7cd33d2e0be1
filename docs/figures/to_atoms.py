import drawing
import hyperspy.api as hs
import matplotlib.pyplot as plt
import numpy as np

from hyperspy_t2t.data import scene

image = scene("quantum_well", dose=2000.0, seed=1)
composition = {}
for element, values in image.metadata.Truth.composition.as_dictionary().items():
    composition[element] = image._deepcopy_with_new_data(np.asarray(values))
model = (
    image.segment()
    .find_peaks()
    .index_phases(["Ge"])
    .gpa(reference=hs.roi.RectangularROI(0, 14.5, 20, 20))
    .to_atoms(thickness=10, composition=composition)
)
positions = 0.1 * model.positions
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 4.3), layout="constrained")
box = image.isig[8.0:11.0, 12.0:15.0]
drawing.image(left, box)
near = np.unique(positions[:, :2].round(4), axis=0)
left.scatter(*near.T, s=40, facecolors="none", edgecolors=drawing.COLOUR)
left.set_title("Columns of the model over the image")
for number, symbol, colour in ((14, "Si", "tab:blue"), (32, "Ge", "tab:orange")):
    kept = (model.numbers == number) & (abs(positions[:, 0] - 10) < 0.3)
    right.scatter(*positions[kept][:, [2, 1]].T, s=3, color=colour, label=symbol)
right.set(
    xlabel="z along the beam (nm)", ylabel="y (nm)", aspect="equal", ylim=(16, 5),
    title="Atoms from the side: the well is richer in Ge",
)  # fmt: skip
right.legend(markerscale=4, loc="upper right")
