import drawing
import matplotlib.pyplot as plt
import numpy as np

from hyperspy_t2t.data import gold_nanoparticles, scene, scene_names

images = {name: scene(name, dose=2000.0, seed=1) for name in scene_names()}
images["gold_nanoparticles()"] = gold_nanoparticles()
figure, axes = plt.subplots(2, 4, figsize=(11, 6), layout="constrained")
for ax, (name, image) in zip(axes.flat, images.items(), strict=True):
    if name in ("single_crystal", "edge_dislocation", "hexagonal"):
        x, y = (0.5 * axis.high_value for axis in image.axes_manager.signal_axes)
        image = image.isig[x - 2.5 : x + 2.5, y - 2.5 : y + 2.5]
    values = np.asarray(image.data, float)
    drawing.image(ax, image, np.sqrt(np.maximum(values - values.min(), 0)))
    ax.set_title(name)
