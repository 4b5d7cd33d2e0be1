# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Bonds, forces, relaxation and force constants of a random alloy against its size.

python benchmarks/mechanics.py [--atoms 1e4 1e5 1e6] [--tolerance 1e-3]

The alloy is Si0.3Ge0.7 on the lattice of Ge, periodic. Seconds of the processors and,
in brackets, on the clock; NUMBA_NUM_THREADS sets the number of threads.
"""

import argparse
from collections.abc import Callable
from typing import TypeVar

import numba
import numpy as np
from ase import Atoms
from ase.build import bulk
from ase.data import chemical_symbols
from measuring import measured, peak_memory

from hyperspy_t2t.physics.bonds import Bonds, bond_table
from hyperspy_t2t.physics.hessian import force_constants
from hyperspy_t2t.physics.keating import (
    KeatingModel,
    Workspace,
    evaluate,
    keating_model,
)
from hyperspy_t2t.physics.relaxation import relax

T = TypeVar("T")


def alloy(n_atoms: float) -> Atoms:
    repeat = max(2, round((n_atoms / 8) ** (1 / 3)))
    atoms = bulk("Ge", "diamond", 5.658, cubic=True) * (repeat, repeat, repeat)
    silicon = np.random.default_rng(0).permutation(len(atoms)) < 0.3 * len(atoms)
    atoms.symbols = np.where(silicon, "Si", "Ge")
    return atoms


def timed(row: list[str], step: Callable[[], T], times: int = 1) -> T:
    """Result of a step; its seconds, mean of several times, go into the row."""
    spent = []
    for _ in range(times):
        result, one = measured(step)
        spent.append((one.cpu, one.wall))
    cpu, wall = np.mean(spent, axis=0)
    row.append(f"{cpu:.3f} ({wall:.3f})")
    return result


def measure(n_atoms: float, tolerance: float) -> tuple[list[str], str]:
    """Cells of a line of the table, and what the alloy is like before and after."""
    atoms = alloy(n_atoms)
    places = atoms.positions
    row = [str(len(atoms))]
    table = (places, atoms.numbers, atoms.cell.array, atoms.pbc)
    bonds = timed(row, lambda: bond_table(*table))
    model = keating_model(bonds)
    before, force = forces(row, places, bonds, model)
    words = f"mean force {force.mean():.4f}, largest {force.max():.3f} eV/Å; "
    done = timed(row, lambda: relax(places, bonds, model, force_tolerance=tolerance))
    row.append(str(done.steps))
    energies = (1e3 * energy / len(atoms) for energy in (before, done.energy))
    words += "{:.2f} -> {:.2f} meV per atom; ".format(*energies)
    words += lengths(done.positions, bonds, atoms.numbers)
    timed(row, lambda: force_constants(done.positions, bonds, model))
    row.append(f"{peak_memory() * 2**20 / 1e9:.2f}")
    return row, words


def forces(
    row: list[str], positions: np.ndarray, bonds: Bonds, model: KeatingModel
) -> tuple[float, np.ndarray]:
    """Energy in eV and the size of each atom's force, in eV/Å."""
    work = Workspace.of(len(positions))
    energy = timed(row, lambda: evaluate(positions, bonds, model, work), 5)
    return energy, np.linalg.norm(work.forces, axis=1)


def lengths(positions: np.ndarray, bonds: Bonds, numbers: np.ndarray) -> str:
    """Mean lengths of the bonds of each pair of elements."""
    there = bonds.neighbours >= 0
    atom, _ = np.nonzero(there)
    other = bonds.neighbours[there]
    ends = positions[other] + bonds.translations[bonds.shifts[there]]
    length = np.linalg.norm(ends - positions[atom], axis=1)
    pairs = np.sort(numbers[np.stack([atom, other], axis=1)], axis=1)
    found = []
    for pair in np.unique(pairs, axis=0):
        mean = length[(pairs == pair).all(axis=1)].mean()
        found.append(f"{'-'.join(chemical_symbols[n] for n in pair)} {mean:.4f} Å")
    return ", ".join(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--atoms", type=float, nargs="+", default=[1e4, 1e5])
    parser.add_argument("--tolerance", type=float, default=1e-3, help="eV/Å")
    options = parser.parse_args()
    measure(64, options.tolerance)  # compiles
    print(f"{numba.get_num_threads()} threads; s of processors (clock)")
    head = ["atoms", "bonds", "forces", "relaxation", "steps"]
    head += ["force constants", "GB so far"]
    print(" | ".join(f"{name:>16}" for name in head))
    for n_atoms in options.atoms:
        row, words = measure(n_atoms, options.tolerance)
        print(" | ".join(f"{value:>16}" for value in row))
        print(f"  {words}", flush=True)


if __name__ == "__main__":
    main()
