# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""
A quantum well against its truth
================================

A synthetic HAADF-STEM image of a germanium well between two SiGe buffers, for
which every number is known: how close does the chain come?
"""

# %%
# The scene
# ---------
# Si0.3Ge0.7 buffers and a Si0.03Ge0.97 well, seen along [110] and grown along −y,
# that is up on screen. The well is coherent: it keeps the in-plane lattice of the
# buffer and is stretched along the growth direction. ``metadata.Truth`` holds the
# strain, the composition and the column positions that were drawn.

import time

import hyperspy.api as hs
import matplotlib.pyplot as plt
import numpy as np
from scipy.spatial import cKDTree

from hyperspy_t2t import data

hs.preferences.General.show_progressbar = False
image = data.scene("quantum_well", dose=2000.0, seed=1)
truth = image.metadata.Truth
axes = image.axes_manager.signal_axes


def signal_like_image(values):
    """Values per pixel as a Signal2D on the axes of the image."""
    signal = hs.signals.Signal2D(np.asarray(values))
    for new, old in zip(signal.axes_manager.signal_axes, axes, strict=True):
        new.scale, new.offset, new.units, new.name = (
            old.scale, old.offset, old.units, old.name,
        )  # fmt: skip
    return signal


# %%
# The chain in one line
# ---------------------
# The composition comes from the truth here; from a real sample it would be the
# result of a quantification in exspy. Its maps decide which atoms are Si or Ge, and
# what the bulk lattice of the alloy is. The strain is to be relative to the lower
# buffer, on which everything has grown, so that is named as the reference. It is also
# the standard of length: the model is as large as a buffer of its composition is.

composition = {
    element: signal_like_image(truth.composition[element]) for element in ("Si", "Ge")
}
buffer = hs.roi.RectangularROI(left=0, top=14.5, right=20, bottom=20)
start = time.perf_counter()
model = (
    image.segment()
    .find_peaks()
    .index_phases(["Ge"])
    .gpa(reference=buffer)
    .to_atoms(thickness=30, composition=composition, seed=1)
)
print(
    f"{model.n_atoms} atoms in {time.perf_counter() - start:.1f} s: {model.formula()}"
)
print(model.report())

# %%
# Step by step the same chain gives everything in between.

regions = image.segment()
peaks = regions.find_peaks().index_phases(["Ge"])
strain = peaks.gpa(reference=buffer)
for label in peaks.region_labels:
    print(label, peaks.best(label))
print(f"reference: region {strain.reference_region}")

figure, (left, right) = plt.subplots(1, 2, figsize=(11, 5), layout="constrained")
extent = (0, axes[0].size * axes[0].scale, axes[1].size * axes[1].scale, 0)
left.imshow(image.data, cmap="gray", extent=extent)
left.autoscale(False)
for label, polygons in regions.contours().items():
    for polygon in polygons:
        left.plot(*polygon.T, color="orange")
    rows = np.flatnonzero((np.asarray(regions.labels.data) == label).any(axis=1))
    left.text(
        1, rows.mean() * axes[1].scale, f"region {label}", color="orange", weight="bold"
    )
drawn = right.imshow(
    100 * strain.eyy.data, cmap="RdBu_r", vmin=-3, vmax=3, extent=extent
)
figure.colorbar(drawn, ax=right, label=f"eyy (%), convention {strain.convention!r}")
left.set(title="Regions", xlabel="x (nm)", ylabel="y (nm)")
right.set(title="Strain along growth", xlabel="x (nm)", ylabel="y (nm)")

# %%
# Strain against truth
# --------------------
# Mean over each row. The truth steps at once; the measurement is averaged by a
# Gaussian whose standard deviation stands in the metadata. Both are relative to the
# lattice of the buffer. The numbers printed leave out three standard
# deviations at interfaces and at the border of the image, where the average is cut
# off and the strain is biased, as the plot shows. The quoted error of a pixel holds for
# noise of counts; columns of an alloy also differ at random.

known = np.asarray(truth.strain.reference)
depth = np.arange(axes[1].size) * axes[1].scale
sigma = strain.metadata.Strain.resolution
border = 3 * sigma
inside = {
    "well": (7.168 + border, 13.312 - border),
    "lower buffer": (13.312 + border, depth[-1] - border),
}

figure, ax = plt.subplots(figsize=(7, 4), layout="constrained")
for number, name in enumerate(("exx", "eyy")):
    values = 100 * np.asarray(getattr(strain, name).data)
    middle = slice(100, -100)
    mean, spread = values[:, middle].mean(axis=1), values[:, middle].std(axis=1)
    ax.plot(depth, mean, color=f"C{number}", label=f"{name}, measured")
    ax.fill_between(depth, mean - spread, mean + spread, color=f"C{number}", alpha=0.3)
    ax.plot(depth, 100 * known[number].mean(axis=1), "k--", linewidth=1)
    for place, (top, bottom) in inside.items():
        rows = (depth > top) & (depth < bottom)
        error = values[rows][:, middle] - 100 * known[number][rows][:, middle]
        quoted = 100 * strain.uncertainty.data[number][rows][:, middle].mean()
        print(
            f"{place:12s} {name}: error {error.mean():+.4f} ± {error.std():.4f} %, "
            f"quoted ± {quoted:.4f} %"
        )
ax.plot([], [], "k--", linewidth=1, label="truth")
ax.set(
    xlabel="y (nm), growth to the left",
    ylabel=f"strain (%), convention {strain.convention!r}",
    title=f"Averaged by a Gaussian of σ = {sigma:.2f} nm along and across",
)
ax.legend()

# %%
# Columns and composition against truth
# -------------------------------------
# Every column of the model has a true column nearby, and the share of Ge follows
# the map. The model has true lengths; its ``image_correction`` leads back to the image.

correction = np.asarray(model.metadata.AtomicModel.image_correction)
positions = 0.1 * model.positions[:, :2] @ np.linalg.inv(correction).T
columns = positions[np.unique(model.column_ids, return_index=True)[1]]
# Primitive cells that the frame of the image cuts are whole in the model.
last = np.array([axis.axis[-1] for axis in axes])
columns = columns[((columns > 0) & (columns < last)).all(axis=1)]
distance, _ = cKDTree(np.asarray(truth.columns)[:, :2]).query(columns)
print(f"{len(columns)} columns, {len(truth.columns)} in truth")
print(f"distance to the true column: median {1000 * np.median(distance):.2f} pm")
worst = np.percentile(distance, 99)
print(f"                             99 % below {1000 * worst:.2f} pm")

figure, (left, middle, right) = plt.subplots(
    1, 3, figsize=(14, 4), layout="constrained"
)
left.hist(1000 * distance, bins=np.linspace(0, 12, 61), color="C0")
left.set(
    xlabel="distance to the true column (pm)", ylabel="columns", title="Column error"
)
bins = np.linspace(0, depth[-1], 61)
centres = 0.5 * (bins[1:] + bins[:-1])
germanium = model.numbers == 32
all_atoms, _ = np.histogram(positions[:, 1], bins)
ge_atoms, _ = np.histogram(positions[germanium, 1], bins)
middle.plot(centres, ge_atoms / all_atoms, ".", label="atoms of the model")
ge_map = np.asarray(truth.composition.Ge)
middle.plot(depth, ge_map.mean(axis=1), "k--", linewidth=1, label="truth")
middle.set(xlabel="y (nm)", ylabel="fraction of Ge", title="Composition")
middle.legend(loc="center")
right.imshow(image.data, cmap="gray", extent=extent, interpolation="nearest")
right.scatter(*columns.T, s=60, facecolors="none", edgecolors="orange")
right.set(
    xlim=(9, 10.5), ylim=(14.0, 12.5), xlabel="x (nm)", ylabel="y (nm)",
    title="Lower interface with the columns",
)  # fmt: skip

# %%
# The model proves itself against its picture: it is imaged with a Gaussian probe and
# compared with the micrograph.

print(model.compare(image).report())

# %%
# Eager against lazy
# ------------------
# A lazy image goes through the same chain chunk by chunk. Nothing is computed until
# a result asks for it; the numbers are the same.

lazy = image.as_lazy()
lazy.rechunk(sig_chunks=(256, 256))
lazy_strain = lazy.segment().find_peaks().index_phases(["Ge"]).gpa(reference=buffer)
print(lazy_strain)
difference = np.abs(np.asarray(lazy_strain.data) - strain.data)
print(f"largest difference of the strains: {np.nanmax(difference):.1e}")

# %%
# An interface of an image that is far larger than memory is measured with the same
# lines: open it with ``hs.load(file, lazy=True, signal_type="micrograph")``.
