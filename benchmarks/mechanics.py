# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Bonds, forces, relaxation and force constants of a random alloy against its size.

python benchmarks/mechanics.py [--atoms 1e4 1e5 1e6] [--tolerance 1e-3]

The alloy is Si0.3Ge0.7 on the lattice of Ge, periodic. Seconds of the processors and,
in brackets, on the clock; NUMBA_NUM_THREADS sets the number of threads. Where the
machine has other work, threads wait for each other, which counts as work.
"""

import argparse
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager

import numba
import numpy as np
from ase import Atoms
from ase.build import bulk

from hyperspy_t2t.physics.bonds import bond_table
from hyperspy_t2t.physics.hessian import force_constants
from hyperspy_t2t.physics.keating import Workspace, evaluate, keating_model
from hyperspy_t2t.physics.relaxation import relax


def alloy(n_atoms: float) -> Atoms:
    repeat = max(2, round((n_atoms / 8) ** (1 / 3)))
    atoms = bulk("Ge", "diamond", 5.658, cubic=True) * (repeat, repeat, repeat)
    silicon = np.random.default_rng(0).permutation(len(atoms)) < 0.3 * len(atoms)
    atoms.symbols = np.where(silicon, "Si", "Ge")
    return atoms


@contextmanager
def timed(row: list[str], times: int = 1) -> Iterator[None]:
    used, clock = time.process_time(), time.perf_counter()
    yield
    used, clock = time.process_time() - used, time.perf_counter() - clock
    row.append(f"{used / times:.3f} ({clock / times:.3f})")


def measure(n_atoms: float, tolerance: float) -> list[str]:
    atoms = alloy(n_atoms)
    row = [str(len(atoms))]
    with timed(row):
        bonds = bond_table(atoms.positions, atoms.numbers, atoms.cell.array, atoms.pbc)
    model, work = keating_model(bonds), Workspace.of(len(atoms))
    positions = atoms.positions
    with timed(row, 5):
        for _ in range(5):
            evaluate(positions, bonds, model, work)
    with timed(row):
        done = relax(positions, bonds, model, force_tolerance=tolerance)
    row += [str(done.steps), f"{1e3 * done.energy / len(atoms):.2f}"]
    del work
    with timed(row):
        force_constants(done.positions, bonds, model)
    row.append(f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.2f}")
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--atoms", type=float, nargs="+", default=[1e4, 1e5])
    parser.add_argument("--tolerance", type=float, default=1e-3, help="eV/Å")
    options = parser.parse_args()
    measure(64, options.tolerance)  # compiles
    print(f"{numba.get_num_threads()} threads; s of processors (clock)")
    head = ["atoms", "bonds", "forces", "relaxation", "steps", "meV/atom"]
    head += ["force constants", "GB so far"]
    print(" | ".join(f"{name:>16}" for name in head))
    for n_atoms in options.atoms:
        row = measure(n_atoms, options.tolerance)
        print(" | ".join(f"{value:>16}" for value in row))


if __name__ == "__main__":
    main()
