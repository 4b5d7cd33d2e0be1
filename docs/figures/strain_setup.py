from hyperspy_t2t.data import scene

image = scene("quantum_well", dose=2000.0, seed=1)
peaks = image.segment().find_peaks().index_phases(["Ge"])
peaks.gpa().plot_setup()
