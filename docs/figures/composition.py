from dataclasses import replace

import drawing
import matplotlib.pyplot as plt
import numpy as np

from hyperspy_t2t.data import Region, synthetic_micrograph
from hyperspy_t2t.phases.library import library_phase

gallium_arsenide = library_phase("GaAs zincblende")
numbers = np.where(gallium_arsenide.numbers == 31, 49, gallium_arsenide.numbers)
unstrained = replace(gallium_arsenide, name="InAs on the cell of GaAs", numbers=numbers)
left = [(-9, -9), (5.12, -9), (5.12, 30), (-9, 30)]
image = synthetic_micrograph(
    [
        Region(gallium_arsenide, (1, 1, 0)),
        Region(unstrained, (1, 1, 0), outline=left),
    ],
    dose=200,
    seed=1,
)
peaks = image.segment().find_peaks().index_phases(["GaAs", "InAs"])
automatic = peaks.gpa()
best = peaks.best(automatic.reference_region)
g = peaks.region(automatic.reference_region)[:, :2]
oblique = g[(np.abs(best.hkl) == 1).all(axis=1) & (g[:, 0] > 0)]
by_hand = peaks.gpa(
    g_vectors=oblique[:2], resolution=automatic.metadata.Strain.resolution
)

figure, axes = plt.subplots(
    1, 3, figsize=(11, 3.4), layout="constrained", width_ratios=[1, 1, 1.4]
)
drawing.image(axes[0], image)
axes[0].set_title("In left, Ga right, no strain")
drawn = drawing.image(
    axes[1], by_hand, 100 * by_hand.exx.data, cmap="RdBu_r", vmin=-2, vmax=2
)
axes[1].set_title("exx (%) of two 111")
figure.colorbar(drawn, ax=axes[1])
for strain, name in ((by_hand, "two 111"), (automatic, "automatic")):
    profile = strain.profile((1, 5), (9, 5), width=6, component="exx")
    x = 1 + profile.axes_manager["distance"].axis
    axes[2].plot(x, 100 * profile.data, label=name)
axes[2].set(xlabel="x (nm)", ylabel="exx (%)")
axes[2].legend()
