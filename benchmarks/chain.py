# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""CPU seconds, wall seconds and peak memory of each step of the chain.

python benchmarks/chain.py [SIZE] [--lazy CHUNK]
"""

import argparse
import resource
import time

import hyperspy.api as hs

from hyperspy_t2t.data import scene


def peak_memory() -> float:
    """Largest resident size of this process so far in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("size", nargs="?", type=int, default=2048)
    parser.add_argument("--lazy", type=int, metavar="CHUNK")
    arguments = parser.parse_args()
    hs.preferences.General.show_progressbar = False
    # Compile and import what the first call would.
    small = scene("two_layers", shape=(160, 160)).segment().find_peaks()
    small.index_phases(["Si"]).gpa().to_atoms(2)

    result = None
    steps = {
        "scene": lambda _: scene("quantum_well", shape=(arguments.size,) * 2),
        "segment": lambda s: s.segment(),
        "find_peaks": lambda s: s.find_peaks(),
        "index_phases": lambda s: s.index_phases(["Si", "Ge"]),
        "gpa": lambda s: s.gpa(),
        "to_atoms": lambda s: s.to_atoms(10),
    }
    print(f"{'step':<14}{'CPU s':>8}{'wall s':>8}{'peak MiB':>10}")
    for name, step in steps.items():
        cpu, wall = time.process_time(), time.perf_counter()
        result = step(result)
        if name == "scene" and arguments.lazy:
            result = result.as_lazy(chunks=(arguments.lazy,) * 2)
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
        print(f"{name:<14}{cpu:8.2f}{wall:8.2f}{peak_memory():10.0f}")
    print(f"{result.n_atoms} atoms")


if __name__ == "__main__":
    main()
