import hyperspy.api as hs

from hyperspy_t2t.data import scene

image = scene("quantum_well", dose=20.0, seed=1)
buffer = hs.roi.RectangularROI(left=0, top=14.5, right=20.4, bottom=20.4)
peaks = image.segment().find_peaks().index_phases(["Ge"])
strain = peaks.gpa(reference=buffer, resolution=0.35)
strain.plot()
