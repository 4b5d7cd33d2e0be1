import drawing
import matplotlib.pyplot as plt

from hyperspy_t2t.data import gold_nanoparticles, scene

images = {
    "polycrystal": scene("polycrystal", dose=2000.0, seed=1),
    "gold_nanoparticles()": gold_nanoparticles(),
}
figure, axes = plt.subplots(1, 4, figsize=(14, 3.6), layout="constrained")
for (left, right), (name, image) in zip(
    axes.reshape(2, 2), images.items(), strict=True
):
    found = image.segment()
    drawing.regions(left, image, found)
    left.set_title(name)
    drawn = drawing.image(
        right, image, found.confidence.data, cmap="viridis", vmin=0, vmax=1
    )
    right.set_title("confidence")
figure.colorbar(drawn, ax=axes, shrink=0.8)
