import drawing
import matplotlib.pyplot as plt
import numpy as np

from hyperspy_t2t.data import scene

image = scene("nanoparticles", dose=2000.0, background=1.0, seed=1)
regions = image.segment()
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 4.3), layout="constrained")
# The particles are far brighter than the film: a root shows both.
drawing.image(left, image, np.sqrt(np.maximum(image.data, 0)))
drawing.outlines(left, regions)
left.set_title("Image (square root) with outlines")
drawn = drawing.image(
    right, image, regions.labels.data, cmap="tab10", vmin=-0.5, vmax=9.5,
    interpolation="nearest",
)  # fmt: skip
figure.colorbar(drawn, ax=right, ticks=range(regions.n_regions + 1), label="label")
right.set_title("labels")
