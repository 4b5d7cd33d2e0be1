import matplotlib.pyplot as plt
import numpy as np

from hyperspy_t2t.data import gold_nanoparticles

image = gold_nanoparticles().isig[1200:1850, 560:1280]
twinned = image.segment().find_peaks().index_phases(["Au"])
crystals = twinned.split_crystals().find_peaks().index_phases(["Au"])
model = crystals.gpa().to_atoms(thickness=3)
figure, axes = plt.subplots(1, 3, figsize=(12, 4.4), layout="constrained")
left, right, bottom, top = (
    f(axis) for axis in image.axes_manager.signal_axes for f in
    (lambda a: a.low_value, lambda a: a.high_value)
)  # fmt: skip
axes[0].imshow(image.data, cmap="gray", extent=(left, right, top, bottom))
axes[0].set_title("image")
for axis, (name, found) in zip(
    axes[1:], {"from the strain": model, "refined": model.refine(image)}.items(),
    strict=True,
):  # fmt: skip
    errors = found.compare(image).column_errors
    size = 10 * np.hypot(errors["dx"], errors["dy"])
    points = axis.scatter(errors["x"], errors["y"], c=size, vmin=0, vmax=1, s=14)
    axis.set(
        aspect="equal", xlim=(left, right), ylim=(top, bottom), xlabel="x (nm)",
        title=f"{name}: median {np.nanmedian(size):.2f} Å",
    )  # fmt: skip
figure.colorbar(points, ax=axes, label="imaged column from that of the model (Å)")
