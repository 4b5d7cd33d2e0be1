# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""
Vibrations across a quantum well
================================

From a micrograph to the vibrational density of states, layer by layer, as a vibrational
EELS experiment sees it.
"""

# %%
# A model
# -------
# A synthetic HAADF-STEM image of a Ge-rich well between two SiGe buffers; a measured
# composition would come as maps from exspy. The model is thin, so that this
# runs in seconds, and periodic along the beam.

import hyperspy.api as hs
import matplotlib.pyplot as plt

from hyperspy_t2t import data

hs.preferences.General.show_progressbar = False
image = data.scene("quantum_well", shape=(384, 384), dose=2000.0, seed=1)
buffer, well = {"Si": 0.3, "Ge": 0.7}, {"Si": 0.03, "Ge": 0.97}
composition = {1: buffer, 2: buffer, 3: well}
strain = image.segment().find_peaks().index_phases(["Ge"]).gpa()
model = strain.to_atoms(2, composition=composition, seed=1)
print(f"{model.n_atoms} atoms: {model.formula()}")

# %%
# Relax it
# --------
# Atoms of an alloy are placed where their columns are, but its bonds differ in length:
# there are forces, which would shift the modes.

relaxed = model.relax()
print(f"{relaxed.metadata.AtomicModel.relaxation.steps} steps")

# %%
# Regions and elements
# --------------------
# The density of each region, of Si and Ge apart. Its integral is three modes an atom.

density = relaxed.vibrational_dos(elements=["Si", "Ge"], per="atom")
print(density)
print(
    "FWHM at 35 meV:", density.metadata.VibrationalDOS.resolution[175].round(2), "meV"
)
energies = density.axes_manager[-1].axis
labels = density.metadata.VibrationalDOS.regions
figure, panels = plt.subplots(len(labels), 1, sharex=True, layout="constrained")
for ax, label, row in zip(panels, labels, density.data, strict=True):
    ax.plot(energies, row[0], label="Si")
    ax.plot(energies, row[1], label="Ge")
    ax.set(title=f"region {label}", ylabel="modes/meV\nper atom", xlim=(0, 72))
panels[-1].set_xlabel("energy (meV)")
panels[0].legend()

# %%
# Layer by layer
# --------------
# Layers along the growth direction, as a spectrometer with 2 meV resolution sees them.

layers = relaxed.vibrational_dos(along="y", layer=0.25, per="atom", resolution=2.0)
layers.metadata.General.title = "Quantum well"
y, energy = layers.axes_manager[0], layers.axes_manager[-1]
figure, ax = plt.subplots(layout="constrained")
extent = (energy.offset, energy.axis[-1], y.axis[-1] + 0.125, y.offset - 0.125)
drawn = ax.imshow(layers.data, extent=extent, aspect="auto", cmap="magma", vmin=0)
figure.colorbar(drawn, label="modes/meV per atom")
ax.set(xlim=(0, 72), xlabel="energy loss (meV)", ylabel="y (nm)")

# %%
# Isotopes
# --------
# Pure 76Ge or 70Ge with 28Si: modes move as the root of the mass, here by 4 %.

heavy = relaxed.vibrational_dos(int(labels[-1]), isotopes={"Ge": 76, "Si": 28})
light = relaxed.vibrational_dos(int(labels[-1]), isotopes={"Ge": 70, "Si": 28})
for name, one in (("76Ge", heavy), ("70Ge", light)):
    peak = one.axes_manager[-1].axis[one.data.argmax()]
    print(f"{name}: highest peak at {peak:.1f} meV")
