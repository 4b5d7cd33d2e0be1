import drawing
import matplotlib.pyplot as plt
import numpy as np

from hyperspy_t2t.data import Region, synthetic_micrograph
from hyperspy_t2t.data.displacements import coherent_epitaxy
from hyperspy_t2t.signals import SegmentedImage

turn, centre = 12.0, np.array([5.12, 5.12])
along = np.array([np.cos(np.radians(turn)), np.sin(np.radians(turn))])
normal = np.array([along[1], -along[0]])
corners = [-30 * along, 30 * along, 30 * (along + normal), 30 * (normal - along)]
film = coherent_epitaxy(
    3.97 / 3.905 - 1, growth_direction=turn - 90, interface=centre, reference="film"
)
image = synthetic_micrograph(
    [
        Region("SrTiO3 cubic perovskite", rotation=turn, origin=centre),
        Region(
            "PbTiO3 cubic perovskite",
            rotation=turn,
            origin=centre,
            outline=centre + corners,
            displacement=film,
        ),
    ],
    dose=300,
    seed=4,
)
regions = SegmentedImage.from_labels(image, np.asarray(image.metadata.Truth.labels))
peaks = regions.find_peaks().index_phases(
    ["SrTiO3 cubic perovskite", "PbTiO3 cubic perovskite"], scale_tolerance=0.01
)
strain = peaks.gpa(reference=1)
row = {name: column[0] for name, column in strain.epitaxy().items()}

figure, axes = plt.subplots(1, 3, figsize=(11, 3.6), layout="constrained")
drawing.regions(axes[0], image, regions)
line = centre + np.outer([-4, 4], along)
axes[0].plot(*line.T, color="tab:cyan")
axes[0].set_title(
    f"along {100 * abs(row['mismatch_along']):.2f} %, "
    f"normal {100 * row['mismatch_normal']:.2f} %: {row['verdict']}"
)
for ax, one, title in (
    (axes[1], strain, "against the substrate"),
    (axes[2], strain.absolute(), "absolute"),
):
    drawn = drawing.image(
        ax, one, 100 * one.eyy.data, cmap="RdBu_r", vmin=-3.5, vmax=3.5
    )
    ax.set_title(title)
figure.colorbar(drawn, ax=axes[1:], label="eyy (%), 'reference'")
