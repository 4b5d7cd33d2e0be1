import drawing
import hyperspy.api as hs

from hyperspy_t2t.data import scene

image = scene("quantum_well", dose=2000.0, seed=1)
buffer = hs.roi.RectangularROI(left=0, top=14.5, right=20, bottom=20)
strain = image.segment().find_peaks().index_phases(["Ge"]).gpa(reference=buffer)
figure, axes = drawing.strain_panels(strain, limit=2.5, turn=0.5)
for ax in axes.flat:
    ax.plot([0, 20, 20, 0, 0], [14.5, 14.5, 20, 20, 14.5], "k--", linewidth=1)
axes[0, 0].text(0.5, 15.5, "reference")
