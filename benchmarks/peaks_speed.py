# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Time of find_peaks on 2048² pixels with five regions.

python benchmarks/peaks_speed.py
"""

from functools import partial

import numpy as np
from measuring import measured

from hyperspy_t2t.data import scene
from hyperspy_t2t.signals import SegmentedImage


def main() -> None:
    image = scene("polycrystal", grains=5, shape=(2048, 2048), dose=20, seed=3)
    labels = np.asarray(image.metadata.Truth.labels)
    regions = SegmentedImage.from_labels(image, labels)
    for method in ("statistics", "auto"):
        regions.find_peaks(method=method)  # compiles and loads
        for _ in range(3):
            peaks, spent = measured(partial(regions.find_peaks, method=method))
            count = [len(peaks.region(k)) for k in peaks.region_labels]
            print(f"{method:12s}{spent}, peaks {count}")


if __name__ == "__main__":
    main()
