import matplotlib.pyplot as plt
import numpy as np
from ase.build import bulk

from hyperspy_t2t.data import scene
from hyperspy_t2t.physics.bonds import bond_table
from hyperspy_t2t.physics.hessian import phonon_energies
from hyperspy_t2t.physics.keating import keating_model

image = scene("quantum_well", shape=(384, 384), dose=2000.0, seed=1)
buffer, well = {"Si": 0.3, "Ge": 0.7}, {"Si": 0.03, "Ge": 0.97}
composition = {1: buffer, 2: buffer, 3: well}
strain = image.segment().find_peaks().index_phases(["Ge"]).gpa()
model = strain.to_atoms(2, composition=composition, seed=1).relax()
layers = model.vibrational_dos(along="y", layer=0.25, per="atom", resolution=1.0)

figure, axes = plt.subplots(
    1, 3, figsize=(11, 4.2), layout="constrained", width_ratios=(2.2, 1, 1)
)
y, energy = layers.axes_manager[0], layers.axes_manager[-1]
extent = (
    energy.offset - energy.scale / 2, energy.axis[-1] + energy.scale / 2,
    y.axis[-1] + y.scale / 2, y.offset - y.scale / 2,
)  # fmt: skip
drawn = axes[0].imshow(
    layers.data, extent=extent, aspect="auto", cmap="magma", vmin=0,
    vmax=np.nanpercentile(layers.data, 99.5),
)  # fmt: skip
figure.colorbar(drawn, ax=axes[0], label="modes/meV per atom")
marks = {"Ge–Ge": (35.6, 35.6), "Si–Ge": (51, 51), "Si–Si": (58, 64)}
for name, (low, high) in marks.items():
    axes[0].annotate(
        f"{name}\n{low:g}" + (f" to {high:g}" if high > low else ""),
        ((low + high) / 2, y.offset), xytext=(0, 12), textcoords="offset points",
        ha="center", annotation_clip=False,
    )  # fmt: skip
    for place in {low, high}:
        axes[0].axvline(place, color="w", linestyle=":", linewidth=0.8)
axes[0].set(xlim=(0, 70), xlabel="energy loss (meV)", ylabel="y (nm), growth upwards")

# Optical at Γ, and transverse acoustic at X: G. Nilsson and G. Nelin, Phys. Rev. B 6,
# 3777 (1972) and 3, 364 (1971).
measured = {"Si": (64.4, 18.6), "Ge": (37.3, 9.9)}
for ax, (name, a) in zip(axes[1:], {"Si": 5.431, "Ge": 5.658}.items(), strict=True):
    atoms = bulk(name, "diamond", a)
    bonds = bond_table(atoms.positions, atoms.numbers, atoms.cell.array, atoms.pbc)
    t = np.linspace(0, 1, 60)[:, None]
    path = np.concatenate([t[::-1] * [0.5, 0.5, 0.5], t[1:] * [1, 0, 0]]) / a
    found = phonon_energies(
        path, atoms.positions, bonds, keating_model(bonds), atoms.get_masses()
    )
    along = np.concatenate([[0], np.linalg.norm(np.diff(path, axis=0), axis=1)])
    along = np.cumsum(along)
    ax.plot(along, found, "C0", linewidth=1)
    ax.plot(along[[59, -1]], measured[name], "k_", markersize=14, clip_on=False)
    top = found[59].max()
    ax.set(title=f"{name}: Γ {top:.1f}, measured {measured[name][0]}")
    ax.set(xlim=(0, along[-1]), ylim=(0, 72), ylabel="meV")
    ax.set_xticks(along[[0, 59, -1]], ["L", "Γ", "X"])
