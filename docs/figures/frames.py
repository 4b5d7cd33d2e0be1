import matplotlib.pyplot as plt
import numpy as np
from matplotlib.patches import Circle, FancyArrowPatch, Rectangle

from hyperspy_t2t import frames


def arrow(ax, start, end, text=None, offset=(0, 0), colour="black", **options):
    ax.add_patch(
        FancyArrowPatch(
            start,
            end,
            arrowstyle="-|>",
            mutation_scale=14,
            color=colour,
            shrinkA=0,
            shrinkB=0,
            linewidth=1.6,
            **options,
        )
    )
    if text:
        ax.text(*np.add(end, offset), text, color=colour, ha="center", va="center")


def frame(ax, title):
    ax.set(xlim=(-1.6, 11), ylim=(10.5, -2.2), aspect="equal", title=title)
    ax.axis("off")


figure, (first, second, third) = plt.subplots(
    1, 3, figsize=(9.5, 3.6), layout="constrained"
)

frame(first, "Image frame and rotation")
first.add_patch(Rectangle((0, 0), 9, 9, facecolor="0.93", edgecolor="0.5"))
arrow(first, (0, 0), (4.5, 0), "x, columns", (0, -0.7))
arrow(first, (0, 0), (0, 4.5), "y, rows", (1.35, 0.2))
first.add_patch(Circle((0, 0), 0.45, facecolor="white", edgecolor="tab:blue", lw=1.6))
first.plot([-0.3, 0.3], [-0.3, 0.3], [-0.3, 0.3], [0.3, -0.3], color="tab:blue", lw=1.6)
first.text(-0.1, -1.3, "z along the beam,\ninto the page", color="tab:blue", ha="left")
centre, angle = np.array([5.6, 5.0]), np.radians(35)
along_x = np.array([2.8, 0.0])
turned = frames.rotation_2d(angle) @ along_x
arrow(first, centre, centre + along_x, colour="0.55")
arrow(first, centre, centre + turned, colour="tab:red")
arc = np.linspace(0, angle, 30)
points = centre[:, None] + 1.9 * np.stack([np.cos(arc), np.sin(arc)])
first.plot(*points[:, :-4], color="tab:red", lw=1.4)
arrow(first, points[:, -6], points[:, -1], colour="tab:red")
first.text(
    4.5, 8.3, "positive rotation: +x to +y,\nclockwise on screen", color="tab:red",
    ha="center", va="center",
)  # fmt: skip

frame(second, "Reference R is imaged at r = R + u")
deformation = frames.rotation_2d(np.radians(8)) @ np.diag([1.15, 1.05])
lattice = np.stack(np.meshgrid(np.arange(4), np.arange(4)), -1).reshape(-1, 2) * 2.1
reference = lattice + np.array([0.6, 1.2])
image = lattice @ deformation.T + (1.6, 0.2)
second.scatter(*reference.T, s=45, facecolors="none", edgecolors="0.5", label="R")
second.scatter(*image.T, s=30, color="tab:blue", label="r")
for start, end in zip(reference, image, strict=True):
    arrow(second, start, end, colour="tab:red", alpha=0.6)
middle = 0.5 * (reference[5] + image[5])
second.text(*(middle - np.array([0, 0.75])), "u", color="tab:red", size=13)
second.legend(loc="lower left", ncols=2, bbox_to_anchor=(0.12, -0.03), frameon=False)

frame(third, "Zone axis: against the beam")
third.text(4.5, -1.6, "source", ha="center", va="center")
third.plot([1, 8], [-0.9, -0.9], color="0.5")
arrow(third, (2.2, -0.7), (2.2, 3.6), "beam, +z", (-1.7, -2.0), "tab:blue")
third.add_patch(Rectangle((1, 4), 7, 2.6, facecolor="0.9", edgecolor="0.5"))
for x in np.arange(1.5, 8, 0.75):
    for y in (4.5, 5.3, 6.1):
        third.add_patch(Circle((x, y), 0.16, facecolor="tab:orange"))
arrow(third, (6.5, 5.3), (6.5, 1.0), "zone axis [uvw]", (1.5, -0.5), "tab:orange")
third.text(4.5, 7.4, "sample, seen from the side", ha="center", va="center")
third.plot([1, 8], [9.0, 9.0], color="black", lw=2)
third.text(4.5, 9.7, "image plane x, y", ha="center", va="center")
