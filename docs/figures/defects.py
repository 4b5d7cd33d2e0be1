import drawing
import matplotlib.pyplot as plt

from hyperspy_t2t.data.displacements import EdgeDislocation, Uniform, relaxed_epitaxy
from hyperspy_t2t.data.synthetic import Region, synthetic_micrograph

PHASE, SIDE = "SrTiO3 cubic perovskite", 0.3905


def strain_of(fields, outline, size):
    regions = [Region(PHASE, (0, 0, 1), displacement=fields[0])]
    if len(fields) > 1:
        regions.append(
            Region(PHASE, (0, 0, 1), outline=outline, displacement=fields[1])
        )
    options = {"shape": (size, 600), "pixel_size": 0.025, "dose": 200.0, "seed": 1}
    image = synthetic_micrograph(regions, **options)
    return image, image.segment().find_peaks().gpa(resolution=0.35)


dislocations = EdgeDislocation((SIDE, 0), (4, 7.5)) + EdgeDislocation(
    (-SIDE, 0), (10.5, 6.5)
)
antiphase = Uniform(translation=(0.0, SIDE / 2))
film = relaxed_epitaxy(0.06, origin=(7.5, 5.5))
above = [(-9, -9), (30, -9), (30, 5.5), (-9, 5.5)]
right = [(5, -9), (9, 30), (30, 30), (30, -9)]
scenes = {
    "two dislocations": ([dislocations], None, 560),
    "relaxed film": ([Uniform(), film], above, 440),
    "antiphase boundary": ([Uniform(), antiphase], right, 440),
}
figure, axes = plt.subplots(1, 3, figsize=(11, 4), layout="constrained")
for ax, (title, (fields, outline, size)) in zip(axes, scenes.items(), strict=True):
    image, strain = strain_of(fields, outline, size)
    drawing.image(ax, strain.exx, 100 * strain.exx.data, cmap="RdBu_r", vmin=-8, vmax=8)
    found = strain.dislocations()
    ax.scatter(found["x"], found["y"], color="k", marker="+", s=80)
    ax.quiver(
        found["x"], found["y"], *found["burgers"].T, angles="xy", scale_units="xy",
        scale=0.25, width=0.012, color="k",
    )  # fmt: skip
    for points in strain.faults()["points"]:
        ax.plot(*points.T, color="lime", linewidth=2)
    ax.set_title(title)
