import drawing

from hyperspy_t2t.data import scene

image = scene("edge_dislocation", shape=(512, 512), dose=20, seed=1)
strain = image.segment().find_peaks().index_phases(["Si"]).gpa()
figure, axes = drawing.strain_panels(strain, limit=5, turn=3)
found = strain.dislocations()
for ax in axes.flat:
    ax.plot(found["x"], found["y"], "k+", markersize=12)
