# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Peak memory and time of the segmentation of a file larger than one likes to load.

python benchmarks/segmentation_large.py [SIZE]          a lazy .zspy of SIZE² pixels
python benchmarks/segmentation_large.py compare SIZE    eager and lazy labels
"""

import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from images import image_in_nm
from measuring import measured

CHUNK, PIXEL, PERIOD = 1000, 0.05, 0.31
"""Pixels along a chunk; size of a pixel and period of the lattice in nm."""


def main() -> None:
    mode, size = "lazy", 20_000
    if len(sys.argv) > 1 and not sys.argv[1].isdigit():
        mode = sys.argv[1]
    if sys.argv[-1].isdigit():
        size = int(sys.argv[-1])
    if mode != "lazy":
        {"make": make, "measure": measure, "compare": compare}[mode](size)
        return
    # The peak of a process is that of its whole life: each part has its own.
    with tempfile.TemporaryDirectory() as folder:
        for part in ("make", "measure"):
            command = [sys.executable, str(Path(__file__).resolve()), part, str(size)]
            subprocess.run(command, cwd=folder, check=True)


def image(size: int) -> Any:
    """Layers with grey levels of 100, 140 and 70 counts, lazy uint16.

    The middle one, 30 % of the height, holds a lattice, the lower one particles of
    170 counts and radii of 1.2 % to 3 % of the width; Gaussian noise of 12 counts.
    """
    import dask.array as da
    import numpy as np

    chunks = da.core.normalize_chunks(CHUNK, (size, size))
    return da.map_blocks(block, size, chunks=chunks, dtype=np.uint16)


def block(size: int, block_info: dict | None = None) -> Any:
    """One chunk of :func:`image`."""
    import numpy as np

    (top, bottom), (left, right) = block_info[None]["array-location"]
    y = np.arange(top, bottom, dtype=np.float32)[:, None]
    x = np.arange(left, right, dtype=np.float32)[None]
    level = np.where(y < 0.3 * size, 100, np.where(y < 0.6 * size, 140, 70))
    wave = 2 * np.pi * PIXEL / PERIOD
    fringes = np.cos(wave * x) + np.cos(wave * (0.5 * x + 0.866 * y))
    fringes += np.cos(wave * (0.5 * x - 0.866 * y))
    value = level + np.where((y >= 0.3 * size) & (y < 0.6 * size), 8 * fringes, 0)
    spots = np.random.default_rng(1)
    for number in range(12):
        row = (0.7 + 0.2 * (number % 2) + 0.02 * spots.random()) * size
        column = (number + 0.5) / 12 * size
        radius = spots.uniform(0.012, 0.03) * size
        value[(y - row) ** 2 + (x - column) ** 2 < radius**2] = 170
    noise = np.random.default_rng((top, left)).standard_normal(
        value.shape, dtype=np.float32
    )
    return np.clip(np.rint(value + 12 * noise), 0, 65535).astype(np.uint16)


def signal(data: Any) -> Any:
    """The image with its axes, lazy if `data` is."""
    import hyperspy.api as hs

    hs.preferences.General.show_progressbar = False
    return image_in_nm(data, PIXEL)


def make(size: int) -> None:
    s = signal(image(size))
    s.save("large.zspy", chunks=(CHUNK, CHUNK), show_progressbar=False)
    used = sum(path.stat().st_size for path in Path("large.zspy").rglob("*"))
    print(f"{size}² pixels of uint16, {used / 2**20:.0f} MiB on the disk")


def measure(size: int) -> None:
    import hyperspy.api as hs
    import numpy as np

    import hyperspy_t2t  # noqa: F401

    hs.preferences.General.show_progressbar = False
    report("compile", signal(image(600).compute()).segment)
    s = report("hs.load(lazy=True)", lambda: hs.load("large.zspy", lazy=True))
    regions = report("segment", s.segment)
    areas = report("areas of the labels", lambda: counts(regions))
    contours = report("contours", regions.contours)
    found = report("region_properties", lambda: regions.region_properties)
    nodes = sum(len(p) for polygons in contours.values() for p in polygons)
    print(f"{len(areas)} regions of {areas.tolist()} pixels")
    print(f"crystalline {found['label'][found['crystalline']]}, {nodes} nodes")
    assert np.allclose(found["area"], areas * PIXEL**2)


def counts(regions: Any) -> Any:
    """Pixels of each label, chunk by chunk."""
    import dask.array as da

    count = da.bincount(regions.labels.data.ravel(), minlength=10_000).compute()
    return count[1:][count[1:] > 0]


def compare(size: int) -> None:
    """Share of pixels whose label differs between eager and lazy."""
    import numpy as np

    import hyperspy_t2t  # noqa: F401

    data = image(size).compute()
    report("compile", signal(data[:600, :600]).segment)
    eager = report("eager", signal(data).segment)
    lazy = report("lazy", signal(image(size)).segment)
    differ = np.mean(eager.labels.data != lazy.labels.data.compute())
    print(f"{size}²: {eager.n_regions} regions, {100 * differ:.4f} % of labels differ")


def report(name: str, step: Callable[[], Any]) -> Any:
    """Result of a step, its times and the peak so far printed."""
    result, spent = measured(step)
    print(f"{name:<22}{spent}", flush=True)
    return result


if __name__ == "__main__":
    main()
