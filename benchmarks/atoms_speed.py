# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""CPU seconds and peak memory of `StrainMap.to_atoms` and of writing its result.

python benchmarks/atoms_speed.py [ATOMS ...] [--lazy] [--folder PATH] [--rival]

For each number of atoms (10^4 to 10^7 by default) the strain map of a quantum well of
Si0.3Ge0.7 / Ge / Si0.3Ge0.7 [110] is measured and saved in one process. Others load it
and make the atoms, or load the atoms and write them. Memory is the largest resident
size of each process and how much of it was there before. --rival fills a slab of Si
with what ase offers: ase.build.surface, repeated, and cut by a polygon.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from images import image_in_nm
from measuring import measured, peak_memory

PIXEL, THICKNESS = 0.02, 10.0
WELL, MISMATCH = (0.35, 0.65), 0.0108
NORMAL = 1 + MISMATCH * (1 + 0.752)
"""Stretch of the well along the growth direction, as in the scene."""
ATOMS_PER_NM2 = 450.0
"""Of the [110] projection of 10 nm, to choose the size of the image."""
FORMATS = {"extxyz": ".extxyz", "lammps": ".lmp", "zspy": ".zspy"}


def micrograph(size: int) -> tuple[np.ndarray, np.ndarray]:
    """Image of the quantum well, float32, and its labels, int32, (size, size).

    A sum of the strongest Fourier components of the lattice, which is exact and much
    faster than drawing columns: R(r) depends on y alone.
    """
    from hyperspy_t2t.data.scenes import _silicon_germanium
    from hyperspy_t2t.data.synthetic import Region
    from hyperspy_t2t.phases.reflections import projected_structure_factor

    region = Region(_silicon_germanium(0.7), (1, 1, 0), rotation=-90.0)
    hkl = np.array([
        (1, -1, 1), (1, -1, -1), (0, 0, 2), (2, -2, 0), (1, -1, 3), (1, -1, -3),
        (0, 0, 4), (2, -2, 2), (2, -2, -2), (2, -2, 4), (2, -2, -4),
        (3, -3, 1), (3, -3, -1),
    ])  # fmt: skip
    g = hkl @ region.crystal.reciprocal_lattice @ region.crystal_to_image[:2].T
    factor = projected_structure_factor(region.crystal, hkl)
    factor = factor * np.exp(-2 * (np.pi * 0.045) ** 2 * (g**2).sum(axis=1))
    along = np.arange(size) * PIXEL
    top, bottom = (share * size * PIXEL for share in WELL)
    # Position in the lattice of the buffer: in the well it grows more slowly.
    inside = np.clip(along, top, bottom) - bottom
    reference = along - inside * (1 - 1 / NORMAL)
    image = np.full((size, size), 3.0 * np.abs(factor).max(), np.float32)
    for (gx, gy), amplitude in zip(g, factor, strict=True):
        x = np.exp(2j * np.pi * gx * along)
        y = 2 * amplitude * np.exp(2j * np.pi * gy * reference)
        for rows in range(0, size, 256):
            part = slice(rows, rows + 256)
            image[part] += np.outer(y.real[part], x.real).astype(np.float32)
            image[part] -= np.outer(y.imag[part], x.imag).astype(np.float32)
    labels = np.ones((size, size), np.int32)
    labels[along > top] = 2
    labels[along > bottom] = 3
    return image, labels


def make_strain(atoms: int, path: Path) -> None:
    """Measure the strain of an image large enough and save it."""
    from hyperspy_t2t.signals import SegmentedImage

    size = int(np.sqrt(atoms / ATOMS_PER_NM2) / PIXEL)
    image, labels = micrograph(size)
    signal = image_in_nm(image, PIXEL, kind="micrograph")
    segmented = SegmentedImage.from_labels(signal, labels)
    peaks = segmented.find_peaks().index_phases(["Si", "Ge"])
    peaks.gpa().save(path, overwrite=True)


def noted(work: Any) -> tuple[Any, dict[str, float]]:
    """Result of a call, what it took, and the peak of memory before it."""
    before = peak_memory()
    result, spent = measured(work)
    return result, {**spent._asdict(), "before": before}


def time_atoms(source: Path, target: Path, *, lazy: bool) -> dict[str, float]:
    """Make the atoms of a saved strain map; compile what the first call would."""
    import hyperspy.api as hs

    from hyperspy_t2t.data import scene

    small = scene("two_layers", shape=(160, 160)).segment().find_peaks()
    small.index_phases(["Si"]).gpa().to_atoms(2)
    strain = hs.load(source, lazy=lazy)
    model, spent = noted(lambda: strain.to_atoms(THICKNESS))
    _, saving = noted(lambda: model.save(target, overwrite=True))
    spent["atoms"] = float(model.n_atoms)
    spent["saving_cpu"], spent["saving_peak"] = saving["cpu"], saving["peak"]
    return spent


def time_writing(source: Path, kind: str, folder: Path) -> dict[str, float]:
    """Load saved atoms and write them."""
    import hyperspy.api as hs

    model, loading = noted(lambda: hs.load(source))
    path = folder / f"atoms{FORMATS[kind]}"
    save = model.save if kind == "zspy" else model.write
    options = {"overwrite": True} if kind == "zspy" else {}
    _, spent = noted(lambda: save(path, **options))
    spent["loading_cpu"] = loading["cpu"]
    spent["bytes"] = float(sum(f.stat().st_size for f in _files(path)))
    return spent


def _files(path: Path) -> list[Path]:
    return [p for p in path.rglob("*") if p.is_file()] if path.is_dir() else [path]


def time_rival(atoms: int) -> dict[str, float]:
    """The way of ase: a surface cell of Si, repeated, cut by the same polygon."""
    import ase.build
    from matplotlib.path import Path as Outline

    def fill() -> Any:
        width = 10 * np.sqrt(atoms / ATOMS_PER_NM2)
        slab = ase.build.surface("Si", (1, 1, 0), 1, periodic=True)
        lengths = slab.cell.lengths()
        repeats = np.ceil(np.array([width, width, 10 * THICKNESS]) / lengths)
        slab = slab.repeat(tuple(int(n) for n in repeats))
        angle = np.linspace(0, 2 * np.pi, 200)
        ring = 0.5 * width * (1 + np.stack([np.cos(angle), np.sin(angle)], -1))
        return slab[Outline(ring).contains_points(slab.positions[:, :2])]

    result, spent = noted(fill)
    spent["atoms"] = float(len(result))
    return spent


def child(*arguments: object) -> dict[str, float]:
    """Run this file in a process of its own; its last line is the result."""
    command = [
        sys.executable,
        "-W",
        "ignore",
        __file__,
        "--child",
        *map(str, arguments),
    ]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout.strip().splitlines()[-1] or "{}")


def run_child(what: str, arguments: list[str]) -> None:
    warnings.simplefilter("ignore")
    if what == "strain":
        make_strain(int(arguments[0]), Path(arguments[1]))
        found: dict[str, float] = {}
    elif what == "atoms":
        source, target, lazy = arguments
        found = time_atoms(Path(source), Path(target), lazy=lazy == "True")
    elif what == "rival":
        found = time_rival(int(arguments[0]))
    else:
        found = time_writing(Path(arguments[0]), what, Path(arguments[1]))
    print(json.dumps(found))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("atoms", nargs="*", type=float)
    parser.add_argument("--lazy", action="store_true")
    parser.add_argument("--rival", action="store_true")
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--child", nargs="+", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        run_child(given.child[0], given.child[1:])
        return
    os.environ["OMP_NUM_THREADS"] = "1"
    sizes = [int(a) for a in given.atoms or (1e4, 1e5, 1e6, 4e6, 1e7)]
    with tempfile.TemporaryDirectory(dir=given.folder) as name:
        folder = Path(name)
        for atoms in sizes:
            compare(atoms, folder, lazy=given.lazy, rival=given.rival)


def compare(atoms: int, folder: Path, *, lazy: bool, rival: bool) -> None:
    """Print one line for the atoms, and one for each way to write them."""
    strain, model = folder / "strain.zspy", folder / "model.zspy"
    child("strain", atoms, strain)
    spent = child("atoms", strain, model, lazy)
    print(
        f"{spent['atoms']:12,.0f} atoms: {spent['cpu']:6.2f} CPU s, "
        f"{spent['wall']:6.2f} s, {1e-6 * spent['atoms'] / spent['cpu']:.2f} million "
        f"per CPU s; {spent['before']:.0f} MiB before, {spent['peak']:.0f} at the peak",
        flush=True,
    )
    for kind in FORMATS:
        wrote = child(kind, model, folder)
        print(
            f"    {kind:7s}{wrote['cpu']:6.2f} CPU s, {1e-6 * wrote['bytes']:.0f} MB; "
            f"{wrote['before']:.0f} MiB before, {wrote['peak']:.0f} at the peak; "
            f"loading {wrote['loading_cpu']:.2f} CPU s",
            flush=True,
        )
    if rival:
        other = child("rival", atoms)
        print(
            f"    ase: {other['atoms']:12,.0f} atoms, {other['cpu']:6.2f} CPU s, "
            f"{other['before']:.0f} MiB before, {other['peak']:.0f} at the peak"
        )


if __name__ == "__main__":
    main()
