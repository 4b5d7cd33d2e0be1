# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""How often drawn fields are called crystalline, amorphous or empty.

python benchmarks/peak_states.py [--draws N] [--first SEED] [--method statistics]

Fields of 150 to 400 pixels of 0.02 nm, 0.5 to 100 counts per pixel, rows off by up to
0.3 pixels, a background up to half the signal. The phases are those of peaks.py.
"""

import argparse

import numpy as np
from peaks import PHASES

from hyperspy_t2t.data.labelled_spectra import labelled_spectrum
from hyperspy_t2t.data.synthetic_scan import Scan
from hyperspy_t2t.peaks.measure import see
from hyperspy_t2t.peaks.spots import find_spots
from hyperspy_t2t.peaks.state import region_state
from hyperspy_t2t.peaks.window import region_window

KINDS = {"crystal": "crystalline", "amorphous": "amorphous", "empty": "empty"}


def state(kind: str, seed: int, method: str) -> str:
    """What one field is called."""
    rng = np.random.default_rng([seed, list(KINDS).index(kind)])
    scan = Scan(
        shape=(int(rng.integers(150, 401)),) * 2,
        pixel_size=(0.02, 0.02),
        dose=float(np.exp(rng.uniform(*np.log((0.5, 100))))),
        row_jitter=float(rng.uniform(0, 0.3)),
        background=float(rng.uniform(0, 0.5)),
    )
    drawn = labelled_spectrum(
        kind, phases=PHASES, window=region_window, scan=scan, seed=seed
    )
    window = region_window(drawn.mask, pixel_size=drawn.pixel_size)
    spots = find_spots(drawn.image, window, drawn.pixel_size, method=method)
    seen = see(drawn.image, window, drawn.pixel_size, (0.0, 0.0))
    return region_state(seen, spots).state


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=100, help="of each kind")
    parser.add_argument("--first", type=int, default=0, help="first seed")
    parser.add_argument("--method", default="statistics", help="of find_peaks")
    options = parser.parse_args()
    print(
        "| drawn | fields | " + " | ".join(KINDS.values()) + " |\n" + "|---" * 5 + "|"
    )
    for kind in KINDS:
        seeds = range(options.first, options.first + options.draws)
        found = [state(kind, seed, options.method) for seed in seeds]
        counts = [str(found.count(name)) for name in KINDS.values()]
        print(f"| {kind} | {len(found)} | " + " | ".join(counts) + " |", flush=True)


if __name__ == "__main__":
    main()
