import drawing
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.lines import Line2D

from hyperspy_t2t.data.synthetic import Region, synthetic_micrograph
from hyperspy_t2t.signals import Micrograph

# Vacuum above, a crystal whose surface is oxidised on the right.
layers = [
    Region("amorphous", outline=[(3.9, 2.2), (9, 2.2), (9, 9), (3.9, 9)], element="Si",
           density=40.0, minimum_distance=0.2, thickness=10.0),
    Region("Si diamond", (1, 1, 0), rotation=-90.0,
           outline=[(-2, 2.6), (3.2, 2.6), (3.9, 3.6), (9, 3.6), (9, 9), (-2, 9)]),
]  # fmt: skip
drawn = synthetic_micrograph(
    layers, shape=(400, 400), pixel_size=0.018, dose=400, probe_size=0.04, seed=1
)
image = Micrograph.from_signal(drawn)
regions = image.segment()
strain = regions.find_peaks().index_phases(["Si"]).gpa()
labels = regions.labels.data
oxide = int(labels[165, 330])
model = strain.to_atoms(2, amorphous={oxide: "SiO2"}, passivate=True, vacuum=0.5)

figure, (left, right) = plt.subplots(1, 2, figsize=(9.5, 4.5), layout="constrained")
drawing.regions(left, image, regions)
left.set_title("Image and regions")
colours = {14: "tab:orange", 8: "tab:red", 1: "tab:blue"}
names = {14: "Si", 8: "O", 1: "H"}
near = model.select(y=(10, 52))
order = np.argsort(near.numbers == 1, kind="stable")
for number, colour in colours.items():
    mine = near.numbers == number
    right.scatter(
        *0.1 * near.positions[mine, :2].T, color=colour, linewidths=0,
        s=6 if number == 1 else 12, zorder=3 if number == 1 else 2,
    )  # fmt: skip
right.set(
    aspect="equal", xlabel="x (nm)", ylabel="y (nm)", ylim=(5.2, 1.4), xlim=(0.5, 7),
    title="Silicon, its hydrogen, and the oxide",
)  # fmt: skip
right.legend(
    handles=[
        Line2D([], [], marker="o", linestyle="", color=c, label=names[n])
        for n, c in colours.items()
    ],
    loc="upper left",
)
