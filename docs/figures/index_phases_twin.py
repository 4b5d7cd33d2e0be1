import drawing
import index_phases_spots as spots
import matplotlib.pyplot as plt
import numpy as np

from hyperspy_t2t.data import Region, synthetic_micrograph
from hyperspy_t2t.signals import SegmentedImage

half = [(-1, 3.84), (9, 3.84), (9, 9), (-1, 9)]
image = synthetic_micrograph(
    [
        Region("Si diamond", (1, 1, 0), rotation=144.74),
        Region("Si diamond", (1, 1, 0), rotation=144.74 + 70.53, outline=half),
    ],
    shape=(384, 384), pixel_size=0.02, scale_error=0.03, dose=2000, seed=1,
)  # fmt: skip
one = SegmentedImage.from_labels(image, np.ones((384, 384), int))
peaks = one.find_peaks().index_phases(["Si"])

figure, (left, right) = plt.subplots(1, 2, figsize=(9.5, 4.7), layout="constrained")
drawing.image(left, image)
left.set_title("One region")
drawing.spectrum(right, peaks, 1, reach=8.5)
for crystal, colour, side in zip(
    peaks.crystals(1), ("deepskyblue", "tab:red"), ("left", "right"), strict=False
):
    spots.expected(right, peaks, 1, crystal, colour, named=14, side=side)
right.set_title(peaks.relations(1)[0].name)
