# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Peak memory of the chain on a lazy image that is computed chunk by chunk.

python benchmarks/large.py [SIZE]
"""

import resource
import sys
import time

import dask.array as da
import hyperspy.api as hs
import numpy as np
from hyperspy.signals import LazySignal2D

CHUNK, PIXEL = 2048, 0.02
WAVES = ((1.84, 2.6), (1.84, -2.6), (3.68, 0), (0, 5.2), (3.68, 5.2), (3.68, -5.2))


def chunk(half: float, block_info: dict | None = None) -> np.ndarray:
    """Fringes of silicon [110]; brighter and 2 % larger along y below `half` nm."""
    rows, columns = block_info[None]["array-location"]
    y, x = PIXEL * np.arange(*rows)[:, None], PIXEL * np.arange(*columns)[None]
    lower = y > half
    y = y - np.where(lower, 0.02 / 1.02 * (y - half), 0)
    image = 10.0 + 3 * lower + 0 * x
    for gx, gy in WAVES:
        image += np.cos(2 * np.pi * (gx * x + gy * y))
    return image.astype(np.float32)


def main() -> None:
    size = int(sys.argv[1]) if len(sys.argv) > 1 else 8192
    hs.preferences.General.show_progressbar = False
    chunks = ((CHUNK,) * (size // CHUNK),) * 2
    data = da.map_blocks(chunk, size * PIXEL / 2, chunks=chunks, dtype=np.float32)
    signal = LazySignal2D(data)
    for axis in signal.axes_manager.signal_axes:
        axis.scale, axis.units = PIXEL, "nm"
    steps = {
        "segment": lambda s: s.set_signal_type("micrograph") or s.segment(),
        "find_peaks": lambda s: s.find_peaks(),
        "index_phases": lambda s: s.index_phases(["Si"]),
        "gpa": lambda s: s.gpa(),
        "mean strain": lambda s: da.nanmean(s.data, axis=(1, 2)).compute(num_workers=2),
    }
    for name, step in steps.items():
        start = time.perf_counter()
        signal = step(signal)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"{name:<14}{time.perf_counter() - start:8.1f} s {peak:8.0f} MiB")
    print("mean exx, eyy, exy, rotation:", signal.round(5))


if __name__ == "__main__":
    main()
