# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Peak memory of the chain on a lazy image that is computed chunk by chunk, to the
vibrations of a part of its atoms.

python benchmarks/large.py [SIZE]
"""

import sys
import tempfile
from functools import partial
from pathlib import Path

import dask.array as da
import hyperspy.api as hs
import numpy as np
from images import image_in_nm
from measuring import measured

CHUNK, PIXEL = 2048, 0.02
THICKNESS = 2.0
WAVES = ((1.84, 2.6), (1.84, -2.6), (0, 5.2), (5.52, 2.6), (5.52, -2.6))
"""111, 220 and 113 of silicon, in 1/nm."""


def chunk(half: float, block_info: dict | None = None) -> np.ndarray:
    """Fringes of silicon [110]; brighter and 2 % larger along y below `half` nm."""
    rows, columns = block_info[None]["array-location"]
    y, x = PIXEL * np.arange(*rows)[:, None], PIXEL * np.arange(*columns)[None]
    lower = y > half
    y = y - np.where(lower, 0.02 / 1.02 * (y - half), 0)
    image = 10.0 + 3 * lower + 0 * x
    for gx, gy in WAVES:
        strength = (1.84**2 + 2.6**2) / (gx**2 + gy**2)
        image += strength * np.cos(2 * np.pi * (gx * x + gy * y))
    return image.astype(np.float32)


def main() -> None:
    size = int(sys.argv[1]) if len(sys.argv) > 1 else 8192
    hs.preferences.General.show_progressbar = False
    chunks = da.core.normalize_chunks((CHUNK, CHUNK), (size, size))
    data = da.map_blocks(chunk, size * PIXEL / 2, chunks=chunks, dtype=np.float32)
    folder = tempfile.TemporaryDirectory()
    path = Path(folder.name) / "image.zspy"
    image_in_nm(data, PIXEL, kind="micrograph").save(
        path, chunks=(1000, 1000), show_progressbar=False
    )
    signal = hs.load(path, lazy=True)
    steps = {
        "segment": lambda s: s.segment(),
        "find_peaks": lambda s: s.find_peaks(),
        "index_phases": lambda s: s.index_phases(["Si"]),
        "gpa": lambda s: s.gpa(),
    }
    for name, step in steps.items():
        signal, spent = measured(partial(step, signal))
        print(f"{name:<14}{spent}", flush=True)
    model, spent = measured(lambda: signal.to_atoms(THICKNESS))
    print(f"{'to_atoms':<14}{spent}", flush=True)
    middle = 5 * size * PIXEL  # of the image, in Å
    part = {axis: (middle - 150, middle + 150) for axis in "xy"}
    piece, spent = measured(lambda: model.select(**part))
    print(f"{'select':<14}{spent}", flush=True)
    density, spent = measured(lambda: piece.vibrational_dos(vectors=4, moments=200))
    print(f"{'vibrations':<14}{spent}", flush=True)
    print(f"{model.n_atoms} atoms, {piece.n_atoms} of them in {density}")


if __name__ == "__main__":
    main()
