import matplotlib.pyplot as plt
import numpy as np

from hyperspy_t2t.data.synthetic import Region, synthetic_micrograph
from hyperspy_t2t.physics.neighbours import neighbour_pairs
from hyperspy_t2t.signals import Micrograph

# The true pixel is 7 % longer than the file says along x and 10 % along y.
drawn = synthetic_micrograph(
    [Region("Si diamond", (1, 1, 0), rotation=31.0)], shape=(320, 320), dose=300,
    scale_error=(0.07, 0.10), skew=0.7, probe_size=0.045, background=0.3, seed=1,
)  # fmt: skip
image = Micrograph.from_signal(drawn)
strain = image.segment().find_peaks().index_phases(["Si"]).gpa()

figure, ax = plt.subplots(figsize=(7, 3.2), layout="constrained")
for name, colour in (("nominal", "tab:red"), ("reference", "tab:blue")):
    model = strain.to_atoms(3, calibration=name)
    bonds = neighbour_pairs(model.positions, model.cell, model.pbc, 2.9)[2]
    bins = np.linspace(2.1, 2.42, 161)
    ax.hist(bonds, bins, color=colour, label=f'calibration="{name}"')
ax.axvline(5.431 * np.sqrt(3) / 4, color="orange", linestyle="--", label="bulk Si")
ax.set(xlabel="length of a bond (Å)", ylabel="bonds")
ax.legend(loc="upper left")
