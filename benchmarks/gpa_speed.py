# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""CPU seconds and peak memory of geometric phase analysis, each in a fresh process.

python benchmarks/gpa_speed.py [--lazy SIZE ...] [--profile SIZE G]

Prints the median of five runs of `Micrograph.gpa` on a square lattice with noise, with
2 and 12 g, and how much the largest resident size of the process grew by them. With
--lazy, images that are made chunk by chunk are analysed so, 20000 for example, and
every pixel of the maps is computed and thrown away.
"""

import argparse
import cProfile
import gc
import json
import os
import pstats
import subprocess
import sys
import warnings
from functools import partial

import dask
import dask.array as da
import numpy as np
from images import image_in_nm
from measuring import measured, peak_memory

from hyperspy_t2t.calibration import ImageGrid
from hyperspy_t2t.signals import Micrograph
from hyperspy_t2t.strain.demodulation import local_spectrum

PIXEL, LATTICE, CHUNK, RUNS = 0.025, 0.39, 1024, 5
INDICES = np.array([
    (1, 0), (0, 1), (1, 1), (1, -1), (2, 0), (0, 2),
    (2, 1), (1, 2), (2, -1), (1, -2), (2, 2), (2, -2),
])  # fmt: skip
G_VECTORS = INDICES / LATTICE


def lattice_rows(rows: slice, columns: slice) -> np.ndarray:
    """Part of an image of a lattice, stretched by 1 % along y, with noise."""
    y, x = (np.arange(s.start, s.stop) * PIXEL for s in (rows, columns))
    noise = np.random.default_rng([rows.start, columns.start])
    image = noise.normal(10, 0.3, (len(y), len(x))).astype(np.float32)
    for gx, gy in G_VECTORS:
        along_y, along_x = (np.exp(2j * np.pi * w) for w in (gy * y / 1.01, gx * x))
        image += np.outer(along_y.real, along_x.real).astype(np.float32)
        image -= np.outer(along_y.imag, along_x.imag).astype(np.float32)
    return image


def lattice_chunk(block_info: dict) -> np.ndarray:
    rows, columns = (slice(*pair) for pair in block_info[None]["array-location"])
    return lattice_rows(rows, columns)


def micrograph(size: int, *, lazy: bool = False) -> Micrograph:
    if lazy:
        chunks = da.core.normalize_chunks(CHUNK, (size, size))
        data = da.map_blocks(lattice_chunk, chunks=chunks, dtype=np.float32)
    else:
        data = np.empty((size, size), np.float32)
        for start in range(0, size, 64):
            data[start : start + 64] = lattice_rows(
                slice(start, min(start + 64, size)), slice(0, size)
            )
    return image_in_nm(data, PIXEL, kind="micrograph")


def whole(signal: Micrograph, count: int) -> None:
    """Strain and, where the version has it, its standard error of every pixel."""
    strain = signal.gpa(g_vectors=G_VECTORS[:count])
    uncertainty = getattr(strain, "uncertainty", None)
    if signal._lazy:
        maps = [strain] if uncertainty is None else [strain, uncertainty]
        dask.compute(*(abs(m.data).max(axis=(1, 2)) for m in maps))


def transform(signal: Micrograph, count: int) -> None:
    """The demodulation alone."""
    grid = ImageGrid(signal.data.shape, (PIXEL, PIXEL))
    local_spectrum(signal.data, grid, G_VECTORS[:count], sigma=0.5)


def case(size: int, count: int, lazy: bool) -> dict:
    """Seconds and MiB of one case, in this process."""
    warnings.simplefilter("ignore")
    for small in (micrograph(256), micrograph(256, lazy=True)):
        whole(small, count)
    signal = micrograph(size, lazy=lazy)
    base, result = peak_memory(), {}
    steps = {"gpa": whole} if lazy else {"transform": transform, "gpa": whole}
    for name, step in steps.items():
        seconds = []
        for _ in range(1 if lazy else RUNS):
            gc.collect()
            seconds.append(measured(partial(step, signal, count))[1].cpu)
        result[name] = float(np.median(seconds))
        result[f"{name}_memory"] = peak_memory() - base
    return result


def in_fresh_process(size: int, count: int, lazy: bool) -> None:
    command = [sys.executable, __file__, "--case", str(size), str(count)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*command, *(["--as-lazy"] if lazy else [])],
        capture_output=True, text=True, check=True, env=environment,
    )  # fmt: skip
    found = json.loads(done.stdout.splitlines()[-1])
    values = [
        f"{name} {found[name]:6.3f} s {found[f'{name}_memory']:5.0f} MiB"
        for name in ("transform", "gpa")
        if name in found
    ]
    kind = "lazy" if lazy else "eager"
    print(f"{kind} {size:6d}²  {count:2d} g   " + "   ".join(values), flush=True)


def profile(size: int, count: int) -> None:
    signal = micrograph(size)
    whole(signal, count)
    profiler = cProfile.Profile()
    profiler.runcall(partial(whole, signal, count))
    pstats.Stats(profiler).sort_stats("tottime").print_stats(25)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lazy", type=int, nargs="*", default=[], metavar="SIZE")
    parser.add_argument("--profile", type=int, nargs=2, metavar=("SIZE", "G"))
    parser.add_argument("--case", type=int, nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--as-lazy", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.case:
        print(json.dumps(case(*arguments.case, arguments.as_lazy)))
    elif arguments.profile:
        profile(*arguments.profile)
    else:
        sizes = arguments.lazy or (512, 1024, 2048)
        for size in sizes:
            for count in (2, 12):
                in_fresh_process(size, count, bool(arguments.lazy))


if __name__ == "__main__":
    main()
