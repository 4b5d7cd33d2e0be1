import matplotlib.pyplot as plt
import numpy as np

from hyperspy_t2t.data import scene

image = scene("quantum_well", dose=20.0, seed=1)
strain = image.segment().find_peaks().index_phases(["Ge"]).gpa(resolution=0.35)
profile = strain.profile((10, 2), (10, 18.5), width=2)
distance = profile.axes_manager["distance"].axis
figure, ax = plt.subplots(figsize=(6, 3.2), layout="constrained")
for name, values in zip(("exx", "eyy"), profile.data, strict=False):
    ax.plot(distance, 100 * values, label=name)
variance = profile.get_noise_variance()
if variance is not None:
    error = 2 * 100 * np.sqrt(variance.data[1])
    eyy = 100 * profile.data[1]
    ax.fill_between(distance, eyy - error, eyy + error, alpha=0.3, color="C1")
ax.set(xlabel="distance (nm)", ylabel="strain (%)", xlim=(0, distance[-1]))
ax.legend()
