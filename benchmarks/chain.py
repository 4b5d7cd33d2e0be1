# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""CPU seconds, wall seconds and peak memory of each step of the chain.

python benchmarks/chain.py [SIZE] [--lazy CHUNK]
"""

import argparse
from functools import partial
from typing import Any

import hyperspy.api as hs
from measuring import measured

from hyperspy_t2t.data import scene


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("size", nargs="?", type=int, default=2048)
    parser.add_argument("--lazy", type=int, metavar="CHUNK")
    arguments = parser.parse_args()
    hs.preferences.General.show_progressbar = False
    # Compile and import what the first call would.
    small = scene("two_layers", shape=(160, 160)).segment().find_peaks()
    small.index_phases(["Si"]).gpa().to_atoms(2)

    def drawn(_: None) -> Any:
        image = scene("quantum_well", shape=(arguments.size,) * 2)
        lazy = arguments.lazy
        return image.as_lazy(chunks=(lazy, lazy)) if lazy else image

    result = None
    steps = {
        "scene": drawn,
        "segment": lambda s: s.segment(),
        "find_peaks": lambda s: s.find_peaks(),
        "index_phases": lambda s: s.index_phases(["Si", "Ge"]),
        "gpa": lambda s: s.gpa(),
        "to_atoms": lambda s: s.to_atoms(10),
        "vibrations": lambda m: (m, m.vibrational_dos(vectors=1, moments=200)),
    }
    for name, step in steps.items():
        result, spent = measured(partial(step, result))
        print(f"{name:<14}{spent}", flush=True)
    model, density = result
    print(f"{model.n_atoms} atoms, densities {density}")


if __name__ == "__main__":
    main()
