import drawing
import matplotlib.pyplot as plt

from hyperspy_t2t.data import scene

image = scene("edge_dislocation", shape=(512, 512), dose=2.0, seed=1)
strain = image.segment().find_peaks().index_phases(["Si"]).gpa()
one = strain.g_vectors[:1]
panels = {
    "image": image,
    "all g of the strain": strain.bragg_filter(),
    "one g, fringes alone": strain.bragg_filter(g_vectors=one, mean=False),
}
figure, axes = plt.subplots(1, 3, figsize=(10, 3.6), layout="constrained")
for ax, (title, signal) in zip(axes, panels.items(), strict=True):
    drawing.image(ax, signal)
    ax.set(xlim=(2.6, 7.6), ylim=(7.6, 2.6), title=title)
