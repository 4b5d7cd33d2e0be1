# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Seconds and memory of local vibrational densities, numba and torch.

python benchmarks/vibrations.py [ATOMS ...] [--moments 400] [--vectors 1 16]
    [--device cuda] [--regions 20] [--shuffled] [--json FILE]

For each number of atoms (10^5 and 10^6 by default) of random Si0.3Ge0.7 the moments of
one region are computed by the compiled products and, with --device, by torch, and
compared. --regions times that many layers, 4 vectors each, and the same from shared
vectors. --shuffled has the atoms in random order. Needs numpy, scipy, numba, ase and
torch alone.
"""

import argparse
import json
from typing import Any

import numpy as np
from ase.build import bulk
from measuring import Spent, measured, peak_memory
from scipy.sparse import bsr_array

from hyperspy_t2t.physics.bonds import bond_table
from hyperspy_t2t.physics.densities import local_densities
from hyperspy_t2t.physics.hessian import force_constants
from hyperspy_t2t.physics.keating import keating_model
from hyperspy_t2t.physics.kernel_polynomials import (
    Window,
    chebyshev_moments,
    spectrum_window,
)
from hyperspy_t2t.physics.phonon_operator import (
    CompiledOperator,
    PhononOperator,
    TorchOperator,
)

THERMAL = 0.03
"""Displacements in Å that make all blocks of the matrix different."""


def times(spent: Spent) -> dict[str, float]:
    return {"wall_s": spent.wall, "cpu_s": spent.cpu}


def matrix_of(
    atoms: int, shuffled: bool, note: dict[str, Any]
) -> tuple[bsr_array, np.ndarray]:
    """Dynamical matrix of an alloy in single precision, and heights of the atoms."""
    rng = np.random.default_rng(0)
    cells = max(2, round((atoms / 8) ** (1 / 3)))
    model = bulk("Ge", "diamond", 5.658, cubic=True) * (cells, cells, cells)
    model.numbers = np.where(rng.random(len(model)) < 0.3, 14, 32)
    model.positions += rng.normal(0, THERMAL, model.positions.shape)
    if shuffled:
        model = model[rng.permutation(len(model))]
    table = (model.positions, model.numbers, model.cell.array, model.pbc)
    bonds, spent = measured(lambda: bond_table(*table))
    note["bonds"] = times(spent)
    masses = model.get_masses()
    keating = keating_model(bonds)
    matrix, spent = measured(
        lambda: force_constants(
            model.positions, bonds, keating, masses=masses, dtype=np.float32
        )
    )
    note["matrix"] = times(spent)
    return matrix, model.positions[:, 2] / model.cell.lengths()[2]


def random_start(height: np.ndarray, width: int) -> np.ndarray:
    """Random signs on the middle third of the model, (n, 3, width)."""
    signs = np.random.default_rng(1).integers(0, 2, (len(height), 3, width), np.int8)
    start = (2 * signs - 1).astype(np.float32)
    start[np.abs(height - 0.5) > 1 / 6] = 0
    return start


def moments_on(
    operator: PhononOperator, start: np.ndarray, number: int, window: Window
) -> tuple[np.ndarray, Spent]:
    """Moments and what they took, after a short run to compile and warm up."""
    chebyshev_moments(operator, start, 4, window)
    return measured(lambda: chebyshev_moments(operator, start, number, window))


def measure(atoms: int, options: argparse.Namespace) -> dict[str, Any]:
    """All times of one model."""
    note: dict[str, Any] = {}
    matrix, height = matrix_of(atoms, options.shuffled, note)
    compiled = CompiledOperator(matrix)
    spectrum_window(compiled, steps=2)
    window, spent = measured(lambda: spectrum_window(compiled))
    note["window"] = times(spent)
    note |= {"atoms": len(height), "moments": options.moments}
    on_device = None
    if options.device:
        on_device, spent = measured(
            lambda: TorchOperator(matrix, device=options.device)
        )
        note["to_device_s"] = spent.wall
    for width in options.vectors:
        start = random_start(height, width)
        ours, spent = moments_on(compiled, start, options.moments, window)
        note[f"numba_{width}_vectors"] = times(spent)
        parts = [note[name] for name in ("bonds", "matrix", "window")] + [times(spent)]
        note[f"numba_{width}_vectors_and_all_before"] = {
            name: sum(part[name] for part in parts) for name in times(spent)
        }
        if on_device is not None:
            theirs, spent = moments_on(on_device, start, options.moments, window)
            difference = np.abs(theirs - ours).max(axis=1) / ours[:, 0]
            note[f"{options.device}_{width}_vectors"] = {
                "wall_s": spent.wall,
                "largest_difference": float(difference.max()),
            }
    if options.regions:
        note |= regions_on(compiled, height, options, window)
        if on_device is not None:
            found = regions_on(on_device, height, options, window)
            note |= {f"{options.device}_{name}": row for name, row in found.items()}
    note["peak_GB"] = peak_memory() * 2**20 / 1e9
    return note


def regions_on(
    operator: PhononOperator,
    height: np.ndarray,
    options: argparse.Namespace,
    window: Window,
) -> dict[str, Any]:
    """Times of the densities of layers, of own and of shared vectors."""
    groups = (height * options.regions).astype(np.int64) % options.regions
    result = {}
    for starts, vectors in (("own", 4), ("shared", 16)):
        found, spent = measured(
            lambda starts=starts, vectors=vectors: local_densities(
                operator, groups, moments=options.moments, vectors=vectors,
                starts=starts, window=window,
            )
        )  # fmt: skip
        result[f"{options.regions}_regions_{starts}"] = {
            "vectors": vectors,
            **times(spent),
            "relative_error": float(np.median(found.error) / found.density.mean()),
        }
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("atoms", nargs="*", type=float, default=[1e5, 1e6])
    parser.add_argument("--moments", type=int, default=400)
    parser.add_argument("--vectors", type=int, nargs="*", default=[1, 16])
    parser.add_argument("--device", help="of torch, such as cuda")
    parser.add_argument("--regions", type=int, default=0)
    parser.add_argument("--shuffled", action="store_true")
    parser.add_argument("--json", help="file that the numbers are written to")
    options = parser.parse_args()
    matrix_of(64, False, {})  # compiles
    notes = []
    for atoms in options.atoms:
        notes.append(measure(int(atoms), options))
        print(json.dumps(notes[-1], indent=1), flush=True)
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump(notes, file, indent=1)


if __name__ == "__main__":
    main()
