import warnings

import matplotlib.pyplot as plt

from hyperspy_t2t.data import scene

image = scene(
    "hexagonal", shape=(400, 400), dose=300.0, scale_error=(0.03, 0.05), seed=1
)
peaks = image.segment().find_peaks().index_phases(["ZnO wurtzite"])
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    peaks.plot(1, rank=0)
plt.gcf().set_size_inches(7.5, 6.5)
