# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Time and memory of indexing: 150 phases, 30 spots, zone axes up to index 5.

python benchmarks/indexing_speed.py

The first region makes the tables of reflections, which later ones find again.
"""

from functools import partial

import numpy as np
from measuring import measured

from hyperspy_t2t.frames import zone_axis_frame
from hyperspy_t2t.phases.crystal_phase import CrystalPhase
from hyperspy_t2t.phases.distortion import Tolerances
from hyperspy_t2t.phases.independent import RegionSpots
from hyperspy_t2t.phases.indexing import PhaseSearch, index_regions
from hyperspy_t2t.phases.library import library_phase, phase_names
from hyperspy_t2t.phases.reflections import reflection_table, zone_reflections

PHASES, SPOTS, MAX_INDEX = 150, 30, 5
CASES = (
    ("Si diamond", (1, 1, 0)),
    ("beta-Ga2O3", (0, 1, 0)),
    ("GaN wurtzite", (1, 0, 0)),
    ("SrTiO3 cubic perovskite", (1, 1, 1)),
)


def spots(phase: CrystalPhase, axis: tuple[int, ...], seed: int) -> RegionSpots:
    """The strongest reflections of a zone, turned, 5 % too large, with noise."""
    rng = np.random.default_rng(seed)
    zone = zone_reflections(reflection_table(phase, min_d_nm=0.06), axis)
    frame = zone_axis_frame(phase.lattice, axis, rotation=rng.uniform(0, np.pi))
    power = zone.intensity * np.exp(-((zone.g**2).sum(axis=1)) / 40)
    strong = np.argsort(-power, kind="stable")[: 2 * SPOTS]
    g = zone.g[strong] @ frame[:2].T / 1.05
    std = 0.003 + rng.uniform(0, 0.003, len(g))
    snr = np.maximum(1e5 * power[strong] / power.max(), 20.0)
    return RegionSpots(g + rng.normal(0, 0.003, g.shape), std, snr)


def main() -> None:
    names = phase_names()[:: max(1, len(phase_names()) // PHASES)][:PHASES]
    names = list(dict.fromkeys([name for name, _ in CASES] + names))[:PHASES]
    search = PhaseSearch([library_phase(n) for n in names], max_index=MAX_INDEX)
    warm = PhaseSearch([library_phase("Al fcc")])
    index_regions([spots(library_phase("Al fcc"), (1, 1, 0), 0)], warm,
                  tolerances=Tolerances())  # fmt: skip
    for seed, (name, axis) in enumerate(2 * CASES):
        region = spots(library_phase(name), axis, seed)
        found, spent = measured(
            partial(index_regions, [region], search, tolerances=Tolerances())
        )
        best = found[0].solutions[0]
        print(
            f"{name:24s} {len(region.model.g):3d} spots: {names[best.phase]:24s} "
            f"{best.zone_axis}{spent}"
        )


if __name__ == "__main__":
    main()
