# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""How often each step of the chain reads a lazy image.

python benchmarks/reads.py [SIZE]
"""

import sys

import dask.array as da
import hyperspy.api as hs
import numpy as np
from images import image_in_nm
from large import PIXEL, chunk
from measuring import measured

CHUNK, THICKNESS = 1000, 2.0


def main() -> None:
    size = int(sys.argv[1]) if len(sys.argv) > 1 else 4000
    hs.preferences.General.show_progressbar = False
    reads: list[tuple[int, ...]] = []

    def counted(half: float, block_info: dict) -> np.ndarray:
        reads.append(block_info[None]["chunk-location"])
        return chunk(half, block_info)

    data = da.map_blocks(
        counted,
        size * PIXEL / 2,
        chunks=da.core.normalize_chunks((CHUNK, CHUNK), (size, size)),
        dtype=np.float32,
        meta=np.empty((0, 0), np.float32),
    )
    signal = image_in_nm(data, PIXEL, kind="micrograph")
    steps = {
        "segment": lambda s: s.segment(),
        "find_peaks": lambda s: s.find_peaks(),
        "index_phases": lambda s: s.index_phases(["Si"]),
        "gpa": lambda s: s.gpa(),
        "to_atoms": lambda s: s.to_atoms(THICKNESS),
    }
    for name, step in steps.items():
        reads.clear()
        signal, spent = measured(lambda step=step, signal=signal: step(signal))
        print(
            f"{name:<14}{len(reads) / data.npartitions:6.2f} reads {spent}", flush=True
        )


if __name__ == "__main__":
    main()
