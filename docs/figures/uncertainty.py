import drawing
import matplotlib.pyplot as plt
import numpy as np

from hyperspy_t2t.data import scene

image = scene("two_layers", shape=(768, 768), strain=0.02, rotation=0, dose=20, seed=1)
peaks = image.segment().find_peaks().index_phases(["Si"])
strain = peaks.gpa(reference=(0, 0, 15.3, 7), resolution=0.35)
error = strain.uncertainty.data[1]
valid = strain.validity.data
y = np.arange(len(valid)) * 0.02
apart = np.abs(y - 7.68) > 1.5
scored = valid & apart[:, None]

figure, axes = plt.subplots(1, 3, figsize=(11, 3.6), layout="constrained")
drawn = drawing.image(axes[0], strain.eyy, 100 * error, cmap="viridis")
figure.colorbar(drawn, ax=axes[0])
axes[0].set_title("standard error of eyy (%)")
drawing.image(axes[1], strain.eyy, valid)
axes[1].set_title("valid (white)")
known = np.asarray(image.metadata.Truth.strain.reference)[1]
normalised = ((strain.eyy.data - known) / error)[scored]
axes[2].hist(normalised, bins=np.linspace(-4, 4, 81), density=True, color="0.7")
x = np.linspace(-4, 4)
axes[2].plot(x, np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi), "k--", label="normal")
axes[2].set_title(f"error over quoted error: {normalised.std():.2f}")
axes[2].legend()
