import drawing
import matplotlib.pyplot as plt
import numpy as np

from hyperspy_t2t.data import Region, synthetic_micrograph


def disk(x, y, radius, start=0, stop=360):
    """Outline of a disk, or of a part of it between two angles."""
    angle = np.radians(np.linspace(start, stop, 60))
    return [x, y] + radius * np.stack([np.cos(angle), np.sin(angle)], axis=-1)


def gold(rotation, outline):
    return Region("Au fcc", (1, 1, 0), rotation, outline, thickness=3.0)


image = synthetic_micrograph(
    [
        Region("amorphous", thickness=10.0),
        # Two particles that touch
        gold(10, disk(5.0, 5.0, 3.2)),
        gold(60, disk(10.7, 5.6, 2.9)),
        # One of two grains
        gold(35, disk(13.7, 13.2, 4.0, 90, 270)),
        gold(90, disk(13.7, 13.2, 4.0, -90, 90)),
        Region("amorphous", outline=disk(4.3, 13.6, 2.4), thickness=40.0),
    ],
    shape=(720, 768),
    pixel_size=0.025,
    dose=2000.0,
)
methods = ("auto", "threshold", "lattice", "canny", "watershed")
figure, axes = plt.subplots(2, 3, figsize=(11, 7), layout="constrained")
drawing.image(axes[0, 0], image, np.sqrt(np.maximum(image.data, 0)))
axes[0, 0].set_title("image (square root)")
for ax, method in zip(axes.flat[1:], methods, strict=True):
    found = image.segment(method)
    drawing.regions(ax, image, found)
    ax.set_title(f"{method!r}: {found.n_regions} regions")
