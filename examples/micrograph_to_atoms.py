# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""
From a micrograph to its atoms
==============================

The whole chain on one image: regions, Fourier peaks, crystal phases, strain,
atoms. Without arguments it takes the real micrograph that comes with the package,
gold nanoparticles in HAADF-STEM. On a file of yours::

    python micrograph_to_atoms.py image.dm4 --elements Si Ge --thickness 10

It prints a report and writes figures, every stage as a HyperSpy file, and the
atoms as ``model.extxyz``.
"""

# %%
# What to do
# ----------
# The pixel size of the shipped image is several per cent off, as the lattice of
# gold shows. Atoms are therefore built with ``calibration="reference"``, which takes
# the lattice of the reference region as that of its bulk. ``--calibration nominal``
# trusts the pixel size of the file.

import argparse
import contextlib
import io
from pathlib import Path

import hyperspy.api as hs
import matplotlib.pyplot as plt
import numpy as np

from hyperspy_t2t import data
from hyperspy_t2t.signals import Micrograph


def arguments():
    parser = argparse.ArgumentParser(description="From a micrograph to its atoms.")
    parser.add_argument("file", nargs="?", help="any image file that HyperSpy reads")
    parser.add_argument("--elements", nargs="+", help="what the sample is made of")
    parser.add_argument("--output", type=Path, default="micrograph_to_atoms_output")
    parser.add_argument("--thickness", type=float, default=3.0, help="in nm")
    parser.add_argument(
        "--calibration", choices=["reference", "nominal"], default="reference"
    )
    parser.add_argument("--lazy", action="store_true", help="for large images")
    args = parser.parse_args()
    if args.file is None:
        args.elements = args.elements or ["Au"]
    return args


args = arguments()
args.output.mkdir(parents=True, exist_ok=True)
files = []

# %%
# Load
# ----
# Some files hold several signals. The first one that is a calibrated image is taken.
# A file without one ends in an error that says what is missing.


def is_calibrated_image(signal):
    try:
        Micrograph.from_signal(signal)
    except (TypeError, ValueError):
        return False
    return True


def load(path, lazy):
    loaded = hs.load(path, lazy=lazy)
    if isinstance(loaded, list):
        images = [signal for signal in loaded if is_calibrated_image(signal)]
        if images:
            title = images[0].metadata.General.title
            print(f"{path} holds {len(loaded)} signals; taken: {title!r}.")
            loaded = images[0]
    return Micrograph.from_signal(loaded)


if args.file is None:
    image = data.gold_nanoparticles(lazy=args.lazy)
else:
    image = load(args.file, args.lazy)
hs.preferences.General.show_progressbar = False
elements = args.elements or list(image.metadata.get_item("Sample.elements", []))
if not elements:
    raise SystemExit("Say what the sample is made of, for example --elements Si Ge.")

x_axis, y_axis = image.axes_manager.signal_axes
print(
    f"Image     {image.metadata.General.title!r}, {x_axis.size} × {y_axis.size} pixels"
)
print(f"          of nominally {x_axis.scale:.5g} × {y_axis.scale:.5g} {x_axis.units}")

# %%
# Regions
# -------
# ``segment`` divides the image by grey level and lattice. Outlines come in nm.


def save(signal, name):
    path = args.output / f"{name}.{'zspy' if args.lazy else 'hspy'}"
    with contextlib.redirect_stdout(io.StringIO()):  # no progress bars in the report
        signal.save(path, overwrite=True)
    files.append(path)


def save_figure(figure, name):
    path = args.output / f"{name}.png"
    figure.savefig(path, dpi=150)
    files.append(path)


def show(ax, signal, values=None, **options):
    """Draw an image, or values on its axes, in the units of the axes, y down."""
    x, y = signal.axes_manager.signal_axes
    extent = (
        x.offset - x.scale / 2,
        x.offset + (x.size - 0.5) * x.scale,
        y.offset + (y.size - 0.5) * y.scale,
        y.offset - y.scale / 2,
    )
    values = np.asarray(signal.data if values is None else values)
    step = max(1, max(values.shape) // 2048)
    ax.set(xlabel=f"x ({x.units})", ylabel=f"y ({y.units})")
    return ax.imshow(values[::step, ::step], extent=extent, **options)


def outline(ax, outlines, label, colour):
    for polygon in outlines[label]:
        ax.plot(*polygon.T, color=colour, linewidth=1.2)


regions = image.segment()
save(regions, "1_regions")
# From here on in nm, whatever the units of the file.
picture = Micrograph.from_signal(regions)
outlines = regions.contours()
properties = regions.region_properties

figure, ax = plt.subplots(figsize=(6.5, 6), layout="constrained")
show(ax, picture, cmap="gray")
ax.autoscale(False)
for row in np.argsort(properties["crystalline"]):  # those with a lattice on top
    label, centre = properties["label"][row], properties["centroid"][row]
    colour = "orange" if properties["crystalline"][row] else "deepskyblue"
    outline(ax, outlines, label, colour)
    ax.text(*centre, label, color=colour, ha="center", va="center", weight="bold")
ax.set_title("Regions: orange with a lattice, blue without")
save_figure(figure, "regions")

# %%
# Peaks and phases
# ----------------
# ``index_phases`` compares the spots of each region with every library phase made
# of the given elements. The probability is that of the phase and zone axis among all
# these and "none of these"; the score from 0 to 1 says how well they fit. The scale is
# the measured length over that of the bulk: 0.95 if the pixel size of the file is 5 %
# too small.

peaks = regions.find_peaks().index_phases(elements)
save(peaks, "2_peaks")
indexed = [int(k) for k in peaks.region_labels if peaks.best(k) is not None]

print(f"\nRegions   {regions.n_regions}, {len(indexed)} with a phase")
print(
    "   label  area (nm²)  lattice  phase          zone axis  probability  score  "
    "scale − 1"
)
for label, area, crystalline in zip(
    properties["label"], properties["area"], properties["crystalline"], strict=True
):
    line = f"   {label:5d}  {area:10.2f}  {'yes' if crystalline else 'no':7s}"
    if (best := peaks.best(label)) is not None:
        axis = "[" + " ".join(str(i) for i in best.zone_axis) + "]"
        line += f"  {best.phase.name:13s}  {axis:9s}  {100 * best.probability:9.1f} %  "
        line += f"{best.score:5.2f}"
        line += f"  {100 * (best.scale - 1):+6.2f} ± {100 * best.scale_std:.2f} %"
    print(line)
    for relation in peaks.relations(label):
        print(f"{'':23s}with a further crystal: {relation.name}")
if not indexed:
    raise SystemExit(f"No region fits a phase of {', '.join(elements)}.")


def hkl_text(hkl):
    return "$" + "".join(rf"\bar{{{-i}}}" if i < 0 else str(i) for i in hkl) + "$"


def draw_spectrum(ax, label):
    spectrum, g = peaks.power_spectrum(label), peaks.region(label)[:, :2]
    best = peaks.best(label)
    strongest = np.argsort(-peaks.region(label)[:, 5], kind="stable")[:16]
    reach = 1.3 * np.linalg.norm(g[strongest], axis=1).max()
    levels = np.log10(np.maximum(spectrum.data, 1e-12))
    show(ax, spectrum, levels, cmap="gray", vmin=np.median(levels))
    ax.scatter(*g.T, s=60, facecolors="none", edgecolors="0.6", label="not explained")
    ax.scatter(
        *g[best.matched].T,
        s=60,
        facecolors="none",
        edgecolors="orange",
        label="indexed",
    )
    for i in strongest:
        if best.matched[i]:
            ax.annotate(
                hkl_text(best.hkl[i]), g[i], (0, 7), textcoords="offset points",
                color="orange", ha="center",
            )  # fmt: skip
    axis = " ".join(str(i) for i in best.zone_axis)
    ax.set(
        xlim=(-reach, reach), ylim=(reach, -reach),
        xlabel="gx (1/nm)", ylabel="gy (1/nm)",
        title=f"Region {label}: {best.phase.name} [{axis}]",
    )  # fmt: skip
    ax.legend(loc="lower right", fontsize="small")


shown = sorted(indexed, key=lambda k: -peaks.best(k).score)[:4]
figure, axes = plt.subplots(
    1, len(shown), figsize=(5.2 * len(shown), 5), layout="constrained", squeeze=False
)
for ax, label in zip(axes.flat, shown, strict=True):
    draw_spectrum(ax, label)
save_figure(figure, "spectra")

# %%
# Strain
# ------
# Strain is relative to the reference, whose own mean strain is zero by definition. The
# package says what it chose and why; ``peaks.gpa(reference=label)`` takes another
# reference. What scatters more than the quoted error is not counting noise: strain, the
# distortion of the scan, or the blur at borders.

strain = peaks.gpa()
save(strain, "3_strain")

print(f"\nReference region {strain.reference_region}:")
print(f"          {strain.metadata.Strain.reference_reason}")
for gx, gy in strain.g_vectors[:2]:
    print(f"          g = ({gx:.4f}, {gy:.4f}) 1/nm, |g| = {np.hypot(gx, gy):.4f} 1/nm")
print(f"          and {len(strain.g_vectors) - 2} more")
chosen = strain.metadata.Strain
print(f"          resolution {chosen.resolution:.3f} nm: {chosen.resolution_reason}")
error_of_pixels = np.nanmedian(np.asarray(strain.uncertainty.data), axis=(1, 2))
errors = [f"{100 * value:.2f}" for value in error_of_pixels]
print(f"          standard errors of exx, eyy, exy: {', '.join(errors[:3])} %")
print(f"\nStrain of the regions with a phase, convention {strain.convention!r},")
print("          mean ± standard deviation over the pixels")
print("   label  against  exx (%)         eyy (%)         exy (%)         rotation (°)")
components = {
    "exx (%)": 100 * np.asarray(strain.exx.data),
    "eyy (%)": 100 * np.asarray(strain.eyy.data),
    "exy (%)": 100 * np.asarray(strain.exy.data),
    "rotation (°)": np.degrees(np.asarray(strain.rotation.data)),
}
labels = np.asarray(regions.labels.data)
measured = sorted(set(strain.reference_of) & set(indexed))
for label in measured:
    line = f"   {label:5d}  {strain.reference_of[label]:7d}"
    for values in components.values():
        inside = values[labels == label]
        inside = inside[np.isfinite(inside)]
        mean, spread = (inside.mean(), inside.std()) if inside.size else (np.nan,) * 2
        line += f"  {mean:+6.2f} ± {spread:5.2f}"
    print(line)


def zoom(ax, polygons, margin=0.4):
    """Limits of x and y that show the polygons, y down."""
    points = np.concatenate(polygons)
    low, high = points.min(axis=0) - margin, points.max(axis=0) + margin
    ax.set(xlim=(low[0], high[0]), ylim=(high[1], low[1]))


def limit_of(arrays):
    finite = np.abs(np.concatenate([a[np.isfinite(a)] for a in arrays]))
    return np.percentile(finite, 98) if finite.size else 1.0


lattice = np.isin(labels, measured)
components = {
    name: np.where(lattice, values, np.nan) for name, values in components.items()
}
*strains, rotation = components.values()
limits = [limit_of(strains)] * 3 + [limit_of([rotation])]
figure, axes = plt.subplots(2, 2, figsize=(9, 8), layout="constrained")
for ax, (name, values), limit in zip(
    axes.flat, components.items(), limits, strict=True
):
    drawn = show(ax, strain.exx, values, cmap="RdBu_r", vmin=-limit, vmax=limit)
    figure.colorbar(drawn, ax=ax, label=f"{name}, convention {strain.convention!r}")
    for label in measured:
        outline(ax, outlines, label, "black")
    zoom(ax, [polygon for label in measured for polygon in outlines[label]])
    ax.set_facecolor("0.85")
figure.suptitle(f"Strain relative to region {strain.reference_region}")
save_figure(figure, "strain")

# %%
# Atoms
# -----
# Every indexed region is filled with its phase, strained as measured. The report says
# whose lattice the lengths rest on, by how much the image differs, and whether every
# atom has the neighbours of its crystal.

model = strain.to_atoms(args.thickness, calibration=args.calibration)
save(model, "4_atoms")
path = args.output / "model.extxyz"
model.write(path)
files.append(path)

print(f"\nAtoms     {model.report()}".replace("\n", "\n          "))

# %%
# Over the image the atoms of the projected columns lie on the bright dots. The
# correction of the scale is undone here, since the image has its nominal pixels.

correction = np.asarray(model.metadata.AtomicModel.image_correction)
positions = 0.1 * model.positions[:, :2] @ np.linalg.inv(correction).T
first = np.unique(model.column_ids, return_index=True)[1]
columns = positions[first]
shown = columns[model.region[first] == strain.reference_region]
centre = np.median(shown if len(shown) else columns, axis=0)
figure, axes = plt.subplots(1, 2, figsize=(11, 5.4), layout="constrained")
for ax, reach, size in zip(axes, (np.inf, 1.2), (5, 45), strict=True):
    near = columns[np.abs(columns - centre).max(axis=1) < reach]
    low, high = near.min(axis=0), near.max(axis=0)
    box = picture.isig[low[0] : high[0], low[1] : high[1]]
    show(ax, box, cmap="gray")
    ax.autoscale(False)
    ax.scatter(*near.T, s=size, facecolors="none", edgecolors="orange")
axes[0].set_title("Columns of the model over the image")
axes[1].set_title("Enlarged")
save_figure(figure, "atoms")

print("\nWritten")
for path in files:
    print(f"          {path}")
