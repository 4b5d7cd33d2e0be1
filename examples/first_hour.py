# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""
Your first hour
===============

One real micrograph, from the file to the atoms: at each step what you see, how you
judge it, and how you put it right by hand. The image is not a good one. It has a wrong
pixel size, particles that show no lattice, and a twin, as images have.
"""

# %%
# Everything here runs in a Python console or a notebook, in less than two minutes of
# computing; the first run takes a minute more, since parts are compiled once. You need
# HyperSpy's two ideas only: a *signal* is an image with its axes and metadata, and
# ``signal.plot()`` shows it.
#
# Open
# ----
# The file is a HAADF-STEM image of gold nanoparticles as the microscope's software
# saved it. ``signal_type="micrograph"`` gives the image the methods of this package.
# For a file of yours, put its path here.

import subprocess
import sys
from pathlib import Path

import hyperspy.api as hs
import matplotlib.pyplot as plt
import numpy as np

from hyperspy_t2t import data
from hyperspy_t2t.data.real import GOLD_FILE

hs.preferences.General.show_progressbar = False
output = Path("first_hour_output")
output.mkdir(exist_ok=True)

image = hs.load(GOLD_FILE, signal_type="micrograph")
print(image)
for axis in image.axes_manager.signal_axes:
    print(f"{axis.name}: {axis.size} pixels of {axis.scale:.5f} {axis.units}")

# %%
# An image larger than memory is opened with ``lazy=True``. Nothing is read until it is
# needed, and every step below takes it as it is.

print(hs.load(GOLD_FILE, lazy=True, signal_type="micrograph"))

# %%
# Some files lose their scale, for example on the way through a TIFF. Then the first
# step stops and says what is missing:

bare = hs.signals.Signal2D(image.data[:512, :512])
bare.set_signal_type("micrograph")
try:
    bare.segment()
except ValueError as error:
    print(error)

# %%
# You need the pixel size from the microscope's log, and this is where it goes. It may
# be wrong by some per cent: it will be measured below.

for axis in bare.axes_manager.signal_axes:
    axis.scale, axis.units = 0.0075, "nm"

# %%
# Look
# ----
# Look before you compute. Here: bright particles on a dark support, most of them large
# and blurred, and a small one to the right of the middle with rows in several
# directions. Only where you see crossed rows can you hope for strain and atoms.

image.plot()

# %%
# Regions
# -------
# ``segment`` divides the image by grey level and by lattice. There is nothing to set.

regions = image.segment()
regions.plot()

# %%
# **Judge it** by eye, then by its confidence: 1 inside a region that is certainly
# there, one half on a border, low where a region may be a part of its neighbour.

regions.confidence.plot()

# %%
# Regions 10 and 11 are dark here: their borders are a guess. Region 10 is a corner of
# the large particle, not an object. **Put it right**: join the two. You get new
# regions; the old ones stay as they are. ``regions.edit()`` does the same with the
# mouse (:doc:`../user/correct_regions`).

regions = regions.merge([2, 10])
print(f"{regions.n_regions} regions: {regions.region_labels.tolist()}")

# %%
# Spots of the Fourier transform
# ------------------------------
# A lattice shows as spots in the Fourier transform. ``find_peaks`` looks for them in
# each region on its own and says whether it is crystalline, amorphous or empty.

peaks = regions.find_peaks()
for label in peaks.region_labels:
    state = peaks.state(label)
    print(
        f"region {label:2d}: {state.state:11s} ({100 * state.probability:.1f} %), "
        f"{len(peaks.region(label))} spots"
    )

# %%
# These words describe the spectrum, not the substance: region 3 is surely gold too, but
# blurred, and shows no spots.
#
# A circle is a spot, a larger one is clearer. Each has a partner on the other side of
# the middle, so four spots are two directions, the least that makes a lattice. Region 9
# has just that: one strong pair and a faint one.

peaks.plot(9)

# %%
# Region 7, the small particle, has more. **Judge it**: circles should sit on bright
# dots, and no bright dot should be without one. **Put it right** with ``peaks.remove(7,
# g)`` and ``peaks.add(7, g)``, where g = (gx, gy) is read off the axes.

peaks.plot(7)

# %%
# Which crystal, seen from where?
# -------------------------------
# Name the elements. All crystals made of them are tried along all simple directions.
# The warnings say the same as the table: be careful. A region that is missing in it has
# fewer than two directions of rows.

indexed = peaks.index_phases(["Au"])
for label in indexed.region_labels:
    if not indexed.is_crystalline(label):
        continue
    best, none = indexed.best(label), indexed.none_of_these(label)
    print(f"region {label}: none of these {100 * none:3.0f} %", end="")
    if best is not None:
        axis = "".join(str(index) for index in best.zone_axis)
        print(f"; {best.phase.name} [{axis}] {100 * best.probability:.0f} %", end="")
        print(f", lengths {best.scale:.3f} times those of the bulk", end="")
        print(f", along x {best.distortion[0, 0]:.3f}, y {best.distortion[1, 1]:.3f}")
    else:
        print()

# %%
# *None of these* is an answer too: the spots do not fit gold within the tolerances. It
# is what you get for most particles here. They are tilted, and a few directions of rows
# are not enough to tell a crystal.
#
# Two regions have an answer, and both say that the image shows gold too small: **the
# pixel size in the file is wrong**. Region 7 says by 9 %, alike along x and y. Region 6
# says by 2 % along x and by 10 % along y. One scan cannot be stretched differently in
# two places by that much, so one of them is wrong. Look at both: dots are where the
# solution expects spots.

indexed.plot(6, 0)
indexed.plot(7, 0)

# %%
# The spots of region 6 are hardly above the noise. Do not believe it. Region 7 is good,
# but for two things that deserve a second look: bright spots that no dot explains.
#
# A closer look
# -------------
# ``isig`` cuts a piece out of any signal of HyperSpy, here by lengths in nm. Regions
# come along with their labels. What is left of the others is removed.

piece = regions.isig[1.3:5.8, -3.4:1.8]
piece = piece.remove_region([label for label in piece.region_labels if label != 7])
whole = piece.find_peaks().index_phases(["Au"])
print(whole.best(7))
for relation in whole.relations(7):
    print(
        f"with a second crystal: {relation.name}, {relation.angle:.1f}° about "
        f"{relation.axis}, plane {relation.twin_plane}, edge-on: {relation.edge_on}"
    )

# %%
# All regions of an image share the error of its pixels, so the doubtful region had made
# this one doubtful too. Now the answer is clear, and there is a second crystal. Where?
# ``gpa`` measures how the rows of the first are displaced. Its map ends where these
# rows end: in the upper left half of the particle it is grey.

first = whole.gpa()
first.plot()

# %%
# The spot that was not explained is the other crystal. An image made of this spot alone
# shows where it is; one made of a spot that both have goes through.

best, spots = whole.best(7), whole.region(7)[:, :2]
both, other = spots[best.matched][:1], spots[~best.matched][:1]
figure = plt.figure(figsize=(8, 4.6))
hs.plot.plot_images(
    [first.bragg_filter(g_vectors=g, mean=False) for g in (both, other)],
    label=["a spot of both crystals", "the spot that was left over"],
    cmap="gray", colorbar=None, axes_decor="off", scalebar=[0], fig=figure,
)  # fmt: skip

# %%
# The particle is a twin: two crystals that mirror each other at a plane of atoms, seen
# edge-on. **Put it right**: cut the region along that plane. With the mouse it is
# ``piece.edit("line")``. The line does not have to be exact, but one that is a few
# tenths of a nanometre off can leave one half with too few rows to be measured.
# ``whole.split_crystals()`` finds the line by itself, from the spots that only one of
# the crystals has; by hand you see what it does.

plane = hs.roi.Line2DROI(x1=1.9, y1=0.2, x2=5.1, y2=-2.2)
halves = piece.split(7, plane)
halves.plot()

# %%
# From here, the same two calls again: nothing is updated behind your back.

peaks = halves.find_peaks().index_phases(["Au"])
for label in peaks.region_labels:
    print(peaks.best(label))
    print(f"  none of these: {100 * peaks.none_of_these(label):.2f} %")
lower, upper = (int(label) for label in peaks.region_labels)
for relation in peaks.relations(lower, upper):
    print(f"the two halves: {relation.name}, turned by {relation.angle:.1f}°")

# %%
# Now each half has its crystal, all spots are explained, and both say the same of the
# pixel size: about 9 % too small. That agreement is the best sign you can get.
#
# What it cannot tell
# -------------------
# Ask for more candidates, and the picture changes. Gold, silver, copper and platinum
# have the same pattern of spots; they differ in size only, and the size is what the
# file does not know. Copper would need the smallest error of the pixel size, so it
# comes first.

metals = halves.find_peaks().index_phases(["Au", "Ag", "Cu", "Pt"])
print(metals.ambiguity(lower))

# %%
# So the image does not say that this is gold. You do, because you know the sample, and
# the pixel size follows from that. **Choose** with ``index_phases(["Au"])``, or take
# another answer from the list with ``choose(label, rank)``.

gold = next(
    rank
    for rank, solution in enumerate(metals.solutions(lower))
    if solution.phase.name == "Au fcc"
)
print(metals.choose(lower, gold).best(lower))

# %%
# Strain
# ------
# Strain needs a lattice that is taken as unstrained, the *reference*, and some spots,
# the g-vectors. Both are chosen for you and shown with the reasons.

peaks.gpa().plot_setup()

# %%
# **Judge it**: is the shaded place one that you would call unstrained? Here it is the
# upper half, which is the smaller one and has fewer spots. **Put it right**: name the
# lower one. ``g_vectors`` and ``resolution`` can be given in the same way. Then read
# the report before the map.

strain = peaks.gpa(reference=lower)
print(strain.report())
print("measured against (region: reference):", strain.reference_of)

# %%
# The halves are turned too far to share a reference, so each is measured against its
# own mean: **the map cannot show a strain of one half against the other.**

strain.plot()

# %%
# What of it to believe? The map is an average over the resolution, and blurred at each
# border, where it is hatched. ``validity`` says which places are far enough inside.

valid = np.asarray(strain.validity.data)
measured = np.isfinite(strain.exx.data)
print(f"resolution (standard deviation): {strain.metadata.Strain.resolution:.2f} nm")
print(f"valid: {100 * valid.sum() / measured.sum():.0f} % of the map")
for name, values, error in zip(
    ("exx", "eyy", "exy"), strain.data, strain.uncertainty.data, strict=False
):
    print(
        f"{name}: scatters by {100 * values[measured].std():.1f} % in the whole map, "
        f"by {100 * values[valid].std():.1f} % where it is valid; "
        f"standard error by noise {100 * np.nanmedian(error[measured]):.1f} %"
    )

# %%
# The strong colours are at the rim and along the twin plane, where the map is blurred.
# A few per cent of it are valid, a spot hardly larger than the resolution. **So there
# is no strain to report from this image**, though a map was drawn and noise is small.
# That is a result too. What helps is a larger crystal, not a finer map
# (:doc:`../user/gpa_accuracy`).
#
# Atoms
# -----
# ``to_atoms`` fills each half with its crystal, in the orientation that was found and
# with the rows where they were measured. Two things are yours:
#
# - the *thickness* in nm. An image along one direction does not show it. A particle is
#   likely as thick as it is wide.
# - where lengths come from. ``calibration="reference"`` takes gold as gold is, and so
#   removes the error of the pixel size. It is the default.

model = strain.to_atoms(thickness=3, calibration="reference")
print(model.report())

# %%
# **Judge it**: inside, all atoms must have the 12 neighbours that gold has. No two
# atoms should be much closer than the bond of gold, 2.88 Å. Inside each half that is
# so; across the twin plane some are 11 % too close, since each half was measured on its
# own.

figure = plt.figure(figsize=(10, 4.5), layout="constrained")
left, right = figure.add_subplot(1, 2, 1), figure.add_subplot(1, 2, 2, projection="3d")
model.plot(color_by="region", ax=left)
model.plot_3d(color_by="region", ax=right)

# %%
# ``model.view()`` opens a window in which you can turn it.
#
# Is it what the image shows?
# ---------------------------
# ``compare`` computes the picture of the model and fits every atomic column in the
# image.

close_up = image.isig[1.3:5.8, -3.4:1.8]
comparison = model.compare(close_up)
print(comparison.report())
comparison.plot()

# %%
# The columns are 0.2 Å off where noise alone would be 0.03 Å. The long arrows are at
# the rim, and neighbours point the same way, so this is no chance: the map behind the
# model is blurred there. ``refine`` moves each column onto its image, as far as noise
# allows.

refined = model.refine(close_up)
after = refined.compare(close_up)
print(f"columns off by (median), before: {10 * comparison.median_error:.3f} Å")
print(f"                         after:  {10 * after.median_error:.3f} Å")
for name, one in (("before", model), ("after", refined)):
    shortest = one.quality()["regions"]["shortest"].min()
    print(f"shortest distance of two atoms, {name}: {shortest:.2f} Å")

# %%
# The columns are now where they are imaged. Near the rim, where the image is faint,
# some came closer to a neighbour than atoms of gold do; ``refine`` stops at 0.8 of
# their distance before. **So take the refined model to look at positions, and the
# first one to start a simulation.** Distortions of the scan move columns as well: do
# not take single columns for physics before a second image shows the same.
#
# Take it with you
# ----------------
# ``write`` makes files for other programs: OVITO and ASE read ``.extxyz``, LAMMPS reads
# ``.lmp``. ``save`` keeps everything for this package.

refined.write(output / "refined.extxyz")
model.write(output / "particle.lmp")
peaks.save(output / "peaks.zspy", overwrite=True)
refined.save(output / "refined.zspy", overwrite=True)
for path in sorted(output.iterdir()):
    print(path.name)

# %%
# Tomorrow, in a new Python, each file comes back as what it was, and the chain goes on
# from there.

tomorrow = """
import hyperspy.api as hs

peaks = hs.load("first_hour_output/peaks.zspy")
print(peaks)
print(peaks.gpa(reference=7).to_atoms(thickness=5))
"""
run = subprocess.run(
    [sys.executable, "-c", tomorrow], check=True, capture_output=True, text=True
)
print(run.stdout)

# %%
# How was this made? Every result lists the steps that led to it, with their parameters,
# your corrections included.

print(refined.metadata.Processing)

# %%
# A device
# --------
# Gold ends here: the force model of this package is for crystals with four neighbours,
# such as silicon, germanium and III-V semiconductors. The next image is synthetic, a
# germanium-rich layer between two layers of silicon-germanium, so that the truth is
# known. The whole chain in one line, with the composition as you would know it from
# EELS or EDS:

device = data.scene("quantum_well", shape=(384, 384), dose=2000.0, seed=1)
buffer, well = {"Si": 0.3, "Ge": 0.7}, {"Si": 0.03, "Ge": 0.97}
composition = {1: buffer, 2: buffer, 3: well}

stack = device.segment().find_peaks().index_phases(["Ge"]).gpa().to_atoms(
    thickness=2, composition=composition, seed=1
)  # fmt: skip
print(f"{stack.n_atoms} atoms: {stack.formula()}")

# %%
# Forces tell whether atoms stand where they can be. In an alloy each atom is pushed by
# neighbours of two kinds. So the layers above and below have forces, as they must, and
# the almost pure layer between has few. A narrow bright line would be a row that the
# scan has displaced (:doc:`../user/mechanics`).

stack.force_map(device).plot()

# %%
# ``relax`` moves the atoms until no force is left, and ``vibrational_dos`` gives how
# they vibrate, layer by layer: what a vibrational EELS experiment would look for.

relaxed = stack.relax()
layers = relaxed.vibrational_dos(along="y", layer=0.25, per="atom", resolution=2.0)
depth, energy = layers.axes_manager[0], layers.axes_manager[-1]
figure, ax = plt.subplots(figsize=(6.5, 4.5), layout="constrained")
drawn = ax.imshow(
    layers.data,
    extent=(0, energy.axis[-1], depth.axis[-1] + 0.125, depth.axis[0] - 0.125),
    aspect="auto", cmap="magma", vmin=0,
)  # fmt: skip
figure.colorbar(drawn, label="modes/meV per atom")
ax.set(
    xlim=(0, energy.axis[-1]), xlabel="energy (meV)", ylabel="y (nm)",
    title="Vibrations, layer by layer",
)  # fmt: skip

# %%
# Near 35 meV germanium vibrates everywhere. The bands near 50 and 60 meV need silicon,
# and fade in the layer that has hardly any.
#
# Where to go on
# --------------
# - :doc:`micrograph_to_atoms`: the chain on a file of yours, from the command line.
# - :doc:`quantum_well`: how close the chain comes to a truth that is known.
# - :doc:`quantum_well_vibrations`: more on vibrations, with isotopes.
# - :doc:`eels_composition`: composition maps from an EELS spectrum image.
# - :doc:`../user/index`: each step in full, with its errors and its limits.
