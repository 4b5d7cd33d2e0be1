import drawing
import matplotlib.pyplot as plt

from hyperspy_t2t.data import gold_nanoparticles, scene

images = {
    "single_crystal": scene("single_crystal", dose=2000.0, seed=1),
    "two_layers": scene("two_layers", dose=2000.0, seed=1),
    "quantum_well": scene("quantum_well", dose=2000.0, seed=1),
    "nanoparticles": scene("nanoparticles", dose=2000.0, background=1.0, seed=1),
    "polycrystal": scene("polycrystal", dose=2000.0, seed=1),
    "gold_nanoparticles(), a real image": gold_nanoparticles(),
}
figure, axes = plt.subplots(2, 3, figsize=(11, 7.3), layout="constrained")
for ax, (name, image) in zip(axes.flat, images.items(), strict=True):
    found = image.segment()
    drawing.regions(ax, image, found)
    noun = "region" if found.n_regions == 1 else "regions"
    ax.set_title(f"{name}: {found.n_regions} {noun}")
