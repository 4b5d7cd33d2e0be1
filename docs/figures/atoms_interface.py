import drawing
import matplotlib.pyplot as plt
import numpy as np

from hyperspy_t2t.data.displacements import coherent_epitaxy, strained
from hyperspy_t2t.data.synthetic import Region, synthetic_micrograph
from hyperspy_t2t.physics.neighbours import neighbour_pairs
from hyperspy_t2t.signals import Micrograph

HALF = 3.6
UPPER = [(-9, -9), (20, -9), (20, HALF), (-9, HALF)]


def model_of(displacement):
    crystal = {"rotation": -90.0, "origin": (HALF, HALF)}
    regions = [
        Region("Si diamond", (1, 1, 0), **crystal),
        Region(
            "Si diamond", (1, 1, 0), outline=UPPER, displacement=displacement, **crystal
        ),
    ]
    drawn = synthetic_micrograph(
        regions, shape=(360, 360), probe_size=0.045, dose=300, background=0.3, seed=1
    )
    image = Micrograph.from_signal(drawn)
    strain = image.segment().find_peaks().index_phases(["Si"]).gpa()
    return image, strain.to_atoms(1.5, calibration="nominal")


def draw(ax, image, model, title):
    drawing.image(ax, image, alpha=0.6)
    near = model.select(x=(18, 54), y=(21, 51))
    _, rows = np.unique(near.column_ids, return_index=True)
    for first, second in columns_bound(near):
        ax.plot(*np.stack([first, second], 1), color="0.2", linewidth=0.9, zorder=1)
    for label, colour in zip(near.region_labels, ("tab:blue", "tab:red"), strict=True):
        mine = rows[near.region[rows] == label]
        ax.scatter(*0.1 * near.positions[mine, :2].T, s=22, color=colour, zorder=2)
    ax.set(xlim=(2.0, 5.2), ylim=(5, 2.2), title=title)


def columns_bound(model):
    """Ends, in nm, of bonds between atoms no further apart than 2.65 Å."""
    pairs = neighbour_pairs(model.positions, model.cell, (0, 0, 0), 2.65)
    ends = 0.1 * model.positions[:, :2]
    first, second = ends[pairs[0]], ends[pairs[1]]
    _, different = np.unique(
        np.hstack([first, second]).round(3), axis=0, return_index=True
    )
    return np.stack([first[different], second[different]], 1)


figure, axes = plt.subplots(1, 2, figsize=(9, 4.3), layout="constrained")
cases = (
    (coherent_epitaxy(0.03, interface=(HALF, HALF)), "One lattice: bonds go on"),
    (
        strained(0.03, 0.03, rotation=35.0, origin=(HALF, HALF)),
        "Two lattices: whole cells are taken out",
    ),
)
for ax, (displacement, title) in zip(axes, cases, strict=True):
    draw(ax, *model_of(displacement), title)
