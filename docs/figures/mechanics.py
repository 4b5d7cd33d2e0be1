import warnings

import drawing
import matplotlib.pyplot as plt
import numpy as np
from scipy.ndimage import shift

from hyperspy_t2t.data import scene
from hyperspy_t2t.physics.bonds import bond_table

PIXEL, BAND = 0.025, (4.3, 5.3)


def model_and_image(moved):
    """A well; rows of the band are `moved` nm along x."""
    image = scene("quantum_well", shape=(384, 384), pixel_size=PIXEL, dose=1500.0)
    rows = slice(*(round(y / PIXEL) for y in BAND))
    part = image.data[rows].astype(float)
    image.data[rows] = shift(part, (0, moved / PIXEL), order=3, mode="nearest")
    strain = image.segment().find_peaks().index_phases(["Ge"]).gpa()
    buffer, well = {"Si": 0.3, "Ge": 0.7}, {"Si": 0.03, "Ge": 0.97}
    model = strain.to_atoms(2, composition={1: buffer, 2: buffer, 3: well})
    return model, image


def lengths(model):
    bonds = bond_table(model.positions, model.numbers, model.cell, model.pbc)
    return bonds.lengths(model.positions)


figure, axes = plt.subplots(2, 3, figsize=(11, 6.6), layout="constrained")
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    clean, image = model_and_image(0.0)
    displaced, _ = model_and_image(0.02)
panels = (
    (clean, "atoms", "Clean: atoms"),
    (displaced, "atoms", "20 pm off: atoms"),
    (displaced, "lattice", "20 pm off: lattice"),
)
for ax, (model, kind, title) in zip(axes[0], panels, strict=True):
    found = model.force_map(image, of=kind)
    top = {"atoms": 0.6, "lattice": 0.3}[kind]
    drawn = drawing.image(ax, found, cmap="magma", vmin=0, vmax=top)
    figure.colorbar(drawn, ax=ax, label="mean |F| (eV/Å)")
    x, y = (axis.axis for axis in found.axes_manager.signal_axes)
    marked = found.metadata.ForceMap.marked
    if marked.any():
        ax.contour(x, y, marked, [0.5], colors="red", linewidths=1.5)
        for line in BAND:
            ax.axhline(line, color="white", linewidth=0.8, linestyle="--")
    ax.set_title(title)

alloy = clean.select(1)
relaxed = alloy.relax(fixed="surface", show_progressbar=False)
bins = np.linspace(2.35, 2.5, 76)
for ax, model, title in zip(
    axes[1], (alloy, relaxed), ("As measured", "Relaxed"), strict=False
):
    for pair, values in lengths(model).items():
        ax.hist(values, bins, histtype="stepfilled", alpha=0.6, label="–".join(pair))
    ax.set(title=f"{title}: a buffer", xlabel="bond length (Å)", ylabel="bonds")
    ax.legend(loc="upper left")
moved = np.linalg.norm(relaxed.relaxation_displacement, axis=1)
x, y = 0.1 * relaxed.positions[:, :2].T
drawn = axes[1, 2].scatter(x, y, s=3, c=moved, cmap="viridis")
figure.colorbar(drawn, ax=axes[1, 2], label="moved by (Å)")
axes[1, 2].set(title="Relaxation", xlabel="x (nm)", ylabel="y (nm)", aspect="equal")
axes[1, 2].invert_yaxis()
