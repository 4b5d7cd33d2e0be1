# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Errors that the chain quotes for unstrained crystals of many kinds.

python benchmarks/gpa_crystals.py [PHASE …]

Ten phases along three axes, each in three directions and in two sizes, with 10, 100 or
1000 counts. For each the root mean square of strain over its quoted error where it is
valid, and the jitter of the rows, which have none.
"""

import sys
import warnings
from collections.abc import Iterator
from itertools import product

import numpy as np

from hyperspy_t2t.data.synthetic import Region, synthetic_micrograph
from hyperspy_t2t.phases.library import library_phase
from hyperspy_t2t.signals import SegmentedImage

PHASES = (
    "GaN wurtzite", "TiO2 rutile", "GaAs zincblende", "MgO rocksalt", "Fe bcc",
    "ZnO wurtzite", "BaTiO3 tetragonal", "TiO2 anatase", "LaAlO3 cubic perovskite",
    "Cu fcc",
)  # fmt: skip
ZONES, ROTATIONS = ((0, 0, 1), (1, 0, 0), (1, 1, 0)), (0.0, 90.0, 33.0)
SHAPES = (400, 420), (300, 420)


def drawn(name: str, rng: np.random.Generator) -> Iterator[tuple[str, np.ndarray]]:
    """Image in words and error over quoted, (4,), of one phase."""
    for zone, rotation in product(ZONES, ROTATIONS):
        dose, seed = float(rng.choice([10, 100, 1000])), int(rng.integers(99))
        pixel = (0.02, 0.02) if rng.random() < 0.7 else (0.023, 0.02)
        for shape in SHAPES:
            image = synthetic_micrograph(
                [Region(library_phase(name), zone, rotation)], shape=shape,
                pixel_size=pixel, probe_size=0.05, background=0.3, dose=dose, seed=seed,
            )  # fmt: skip
            whole = SegmentedImage.from_labels(image, np.ones(shape, int))
            strain = whole.find_peaks().index_phases([name]).gpa()
            valid = strain.validity.data
            ratio = (strain.data / strain.uncertainty.data)[:, valid]
            domain = strain.metadata.Strain.domains.domain_0
            jitter = np.round(1000 * np.asarray(domain.row_jitter), 2).tolist()
            words = f"{name} {zone} {rotation:g}° {dose:g} counts {shape} {jitter} pm"
            yield words, np.sqrt((ratio**2).mean(axis=1))


def main() -> None:
    warnings.simplefilter("ignore")
    rng, found = np.random.default_rng(0), []
    for name in sys.argv[1:] or PHASES:
        for words, ratio in drawn(name, rng):
            print(words, " / ".join(f"{one:.2f}" for one in ratio), flush=True)
            found.append(ratio)
    print("5, 25, 50, 75, 95 %:", np.percentile(found, [5, 25, 50, 75, 95]).round(2))


if __name__ == "__main__":
    main()
