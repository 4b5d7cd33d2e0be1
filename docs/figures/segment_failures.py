import drawing
import matplotlib.pyplot as plt
import numpy as np

from hyperspy_t2t.data import Region, scene, synthetic_micrograph

SIZE = 20.48  # nm
FRAME = {"shape": (1024, 1024), "pixel_size": 0.02, "dose": 2000.0, "seed": 1}


def band(top, bottom):
    return [(-SIZE, top), (2 * SIZE, top), (2 * SIZE, bottom), (-SIZE, bottom)]


def disk(x, y, radius):
    angle = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    return [x, y] + radius * np.stack([np.cos(angle), np.sin(angle)], axis=-1)


def silicon(rotation, outline=None, thickness=10.0):
    return Region("Si diamond", (1, 1, 0), rotation, outline, thickness=thickness)


def gold(rotation, outline):
    return Region("Au fcc", (1, 1, 0), rotation, outline, thickness=3.0, overlay=True)


half = band(SIZE / 2, 2 * SIZE)
images = {
    "two grains turned by 0.6°": synthetic_micrograph(
        [silicon(0.0), silicon(0.6, half)], **FRAME
    ),
    "a grain 1.5 nm thin": synthetic_micrograph(
        [silicon(0.0), silicon(40.0, band(9.5, 11.0))], **FRAME
    ),
    "a gradual change of composition": scene(
        "quantum_well", interface_width=9.0, dose=2000.0, seed=1
    ),
    "crystals that overlap": synthetic_micrograph(
        [
            Region("amorphous", thickness=10.0),
            gold(10.0, disk(7.5, 10, 5)),
            gold(55.0, disk(13, 10, 5)),
        ],
        **FRAME,
    ),
}
figure, axes = plt.subplots(1, 4, figsize=(13, 3.7), layout="constrained")
for ax, (name, image) in zip(axes, images.items(), strict=True):
    found = image.segment()
    drawing.regions(ax, image, found)
    truth = len(np.unique(np.asarray(image.metadata.Truth.labels)))
    ax.set_title(f"{name}:\n{truth} regions drawn, {found.n_regions} found")
