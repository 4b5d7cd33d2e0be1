# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Errors of the whole chain on two layers, the second with 2 % strain and 5°.

python benchmarks/accuracy.py
"""

import warnings

import numpy as np
from scipy.ndimage import distance_transform_edt
from scipy.spatial import cKDTree

from hyperspy_t2t.data import Region, strained, synthetic_micrograph

CASES = [
    ("Si diamond", (1, 1, 0), 0.0, 0.02, ["Si"], None),
    ("Ge diamond", (0, 0, 1), 20.0, 0.02, ["Ge"], None),
    ("GaAs zincblende", (1, 1, 0), 33.0, 0.02, ["Ga", "As"], None),
    ("Si diamond", (1, 1, 1), 10.0, 0.015, ["Si"], None),
    ("SrTiO3 cubic perovskite", (0, 0, 1), 7.0, 0.02, ["SrTiO3"], None),
    ("ZnO wurtzite", (1, 1, 0), 0.0, 0.02, ["ZnO"], None),
    ("Si diamond", (1, 1, 2), 0.0, 0.012, ["Si"], None),
    ("Au fcc", (1, 1, 0), 50.0, 0.015, ["Au"], None),
    ("Si diamond", (1, 1, 0), 0.0, (0.02, 0.023), ["Si", "Ge"], None),
    ("Si diamond", (1, 1, 0), 0.0, 0.02, ["Si"], 50.0),
    ("GaAs zincblende", (1, 1, 0), 33.0, 0.02, ["Ga", "As"], 20.0),
    ("Si diamond", (1, 1, 0), 0.0, 0.02, ["Si", "Ge"], 5.0),
]
SIZE, AWAY = 640, 1.5


def draw(phase, axis, rotation, pixel, dose):
    height = SIZE * (pixel if np.isscalar(pixel) else pixel[0])
    far = 3 * height
    lower = np.array([[-far, height / 2], [far, height / 2], [far, far], [-far, far]])
    field = strained(exx=0.02, eyy=0.02, rotation=5, origin=(height / 2, height / 2))
    crystal = {"phase": phase, "zone_axis": axis, "rotation": rotation}
    return synthetic_micrograph(
        [Region(**crystal), Region(**crystal, outline=lower, displacement=field)],
        shape=(SIZE, SIZE), pixel_size=pixel, dose=dose,
    )  # fmt: skip


def main() -> None:
    warnings.simplefilter("ignore")
    print("regions, phases right, strain: mean and largest error, columns: 50, 95 %, Å")
    for phase, axis, rotation, pixel, candidates, dose in CASES:
        s = draw(phase, axis, rotation, pixel, dose)
        segmented = s.segment()
        peaks = segmented.find_peaks().index_phases(candidates)
        strain = peaks.gpa()
        model = strain.to_atoms(4)
        truth = s.metadata.Truth
        labels = np.asarray(truth.labels)
        error = strain.data - np.asarray(truth.strain.reference)
        means, largest = [], []
        for label in (1, 2):
            depth = distance_transform_edt(np.pad(labels == label, 1))[1:-1, 1:-1]
            inside = error[:, depth * np.min(pixel) > AWAY]
            means.append(np.abs(np.nanmean(inside, axis=1)).max())
            largest.append(np.nanmax(np.abs(inside)))
        found = [peaks.best(label) for label in peaks.region_labels]
        right = [b is not None and b.crystal.name == phase for b in found]
        off = cKDTree(model.positions[:, :2]).query(10 * truth.columns[:, :2])[0]
        print(
            f"{phase:24s}{axis!s:11s}dose {dose!s:5s}{segmented.n_regions:3d} "
            f"{sum(right)}/{len(right)}  {max(means):.1e} {max(largest):.1e}  "
            f"{np.median(off):.4f} {np.percentile(off, 95):.3f}"
        )


if __name__ == "__main__":
    main()
