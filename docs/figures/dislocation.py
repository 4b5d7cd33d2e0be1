import drawing

from hyperspy_t2t.data import scene

image = scene("edge_dislocation", dose=2000.0, seed=1)
strain = image.segment().find_peaks().index_phases(["Si"]).gpa()
drawing.strain_panels(strain, limit=5, turn=3)
