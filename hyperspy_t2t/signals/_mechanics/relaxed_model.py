# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""AtomicModel.relax(): which atoms may move, and the model of where they went."""

import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from hyperspy_t2t.arguments import as_array
from hyperspy_t2t.physics.relaxation import Relaxed, relax, relax_with_period
from hyperspy_t2t.signals._carried import convert
from hyperspy_t2t.signals._carried.companions import user_level
from hyperspy_t2t.signals._carried.progress import DELAY, wanted
from hyperspy_t2t.signals._carried.provenance import processing
from hyperspy_t2t.signals._carried.table import table_axes
from hyperspy_t2t.signals._mechanics.tetrahedral import (
    Constants,
    TetrahedralAtoms,
    tetrahedral_atoms,
)

_MOVED = ("wx", "wy", "wz")
_AT_FRAME = 5.0
"""Å from the frame within which an atom without four bonds is cut by it."""
_HYDROGEN_BOND = 2.0
"""Å, at most."""


@dataclass(frozen=True)
class Freedom:
    """Which atoms may move, and where to; see :meth:`AtomicModel.relax`."""

    fixed: Any
    in_plane: str
    beam_direction: str
    period: str

    def mask(self, model: Any, found: TetrahedralAtoms) -> np.ndarray:
        """Components that may move, (m, 3)."""
        free = ~self._held(model, found)
        free[:, :2] &= self.in_plane == "free"
        free[:, 2] &= self.beam_direction == "free"
        if not free[~found.hydrogen].any():
            raise ValueError(
                "Expected some atom that may move, got none: fixed="
                f"{_named(self.fixed)}, in_plane={self.in_plane!r}, beam_direction="
                f"{self.beam_direction!r}."
            )
        return free

    def _held(self, model: Any, found: TetrahedralAtoms) -> np.ndarray:
        """Components that `fixed` holds, (m, 3)."""
        if self.fixed is None:
            return np.zeros((len(found.rows), 3), bool)
        if isinstance(self.fixed, str):
            return np.repeat(_border(model, found, self.fixed)[:, None], 3, axis=1)
        given = as_array(self.fixed)
        n = model.n_atoms
        if given.dtype != bool or given.shape not in {(n,), (n, 3)}:
            raise ValueError(
                "Expected fixed to be 'frame', 'surface', None or an array of bool of "
                f"shape ({n},) or ({n}, 3), got one of {given.dtype} and shape "
                f"{given.shape}."
            )
        given = given.reshape(n, -1)[found.rows]
        return np.broadcast_to(given, (len(given), 3)).copy()


def relaxed_model(
    model: Any,
    freedom: Freedom,
    *,
    constants: Constants | None,
    show: bool | None,
    force_tolerance: float,
    max_steps: int,
) -> Any:
    """See :meth:`AtomicModel.relax`."""
    if freedom.period == "relaxed":
        _check_period(model, freedom)
    result = _copy_in_memory(model)
    found = tetrahedral_atoms(result, constants)
    found.warn()
    free = freedom.mask(result, found)
    with _told(show) as callback:
        done = (relax if freedom.period == "fixed" else relax_with_period)(
            found.positions, found.bonds, found.keating, free=free,
            force_tolerance=force_tolerance, max_steps=max_steps, callback=callback,
        )  # fmt: skip
    _move(result, found, done)
    result.metadata.set_item(
        "AtomicModel.relaxation",
        {**_outcome(found, done, free, force_tolerance), **_chosen(freedom)},
    )
    parameters = {
        **_chosen(freedom), "force_tolerance": force_tolerance, "max_steps": max_steps
    }  # fmt: skip
    steps = processing(model, "relax", parameters)
    result.metadata.set_item("Processing", steps)
    if not done.converged:
        _warn_of(done, force_tolerance, max_steps)
    return result


def _check_period(model: Any, freedom: Freedom) -> None:
    if not model.pbc[2]:
        raise ValueError(
            "Expected a model that is periodic along the beam for period='relaxed', "
            "got one that is not: its length is free already. Use period='fixed'."
        )
    if freedom.beam_direction != "free":
        raise ValueError(
            "Expected beam_direction='free' with period='relaxed', got "
            f"{freedom.beam_direction!r}."
        )


def _border(model: Any, found: TetrahedralAtoms, fixed: str) -> np.ndarray:
    """Atoms cut by the frame, or any, and those next to them, (m,)."""
    if fixed not in ("frame", "surface"):
        raise ValueError(
            "Expected fixed to be 'frame', 'surface', None or an array of bool, got "
            f"{fixed!r}."
        )
    cut = found.wrong & ~found.hydrogen
    if fixed == "frame":
        cut &= _at_frame(model, found.positions)
    # Also with the neighbours the atoms further in feel a whole crystal.
    neighbours = found.bonds.neighbours
    beside = (cut[neighbours] & (neighbours >= 0)).any(axis=1)
    return cut | beside


def _at_frame(model: Any, positions: np.ndarray) -> np.ndarray:
    """Atoms at the sides of the image's frame, or beyond, (m,)."""
    sides = [axis for axis in (0, 1) if not model.pbc[axis]]
    inverse = np.linalg.inv(model.cell)
    place = (positions - model.cell_origin) @ inverse[:, sides]
    distance = np.minimum(place, 1 - place) / np.linalg.norm(inverse[:, sides], axis=0)
    margin = 10 * float(model.metadata.get_item("AtomicModel.vacuum", 0.0))
    return (distance < margin + _AT_FRAME).any(axis=1)


def _copy_in_memory(model: Any) -> Any:
    """The same model, eager, with the columns of what relaxation moves."""
    names, units = model.columns, model.columns_units
    new = [name for name in _MOVED if name not in names]
    old = model._checked_data()
    data = np.zeros((max(1, len(old)), len(names) + len(new)))
    data[: len(old), : len(names)] = old
    metadata = model.metadata.deepcopy().as_dictionary()
    metadata["AtomicModel"]["columns"] = [*names, *new]
    metadata["AtomicModel"]["columns_units"] = [*units, *("Å" for _ in new)]
    title = model.metadata.General.title
    result = convert.signal_of(
        "atomic_model", data, table_axes(*data.shape, row_name="atom"), metadata,
        title=f"{title}, relaxed",
    )  # fmt: skip
    result.original_metadata.add_dictionary(model.original_metadata.as_dictionary())
    return result


def _move(result: Any, found: TetrahedralAtoms, done: Relaxed) -> None:
    """Put the atoms where they went, all others where the cell takes them."""
    node, columns = result.metadata.AtomicModel, result.columns
    table = result.data[: result.n_atoms]
    stretched = not np.array_equal(done.cell, result.cell)
    stretch = np.linalg.solve(result.cell, done.cell)
    shift = np.zeros((len(table), 3))
    place = [columns.index(name) for name in "xyz"]
    if stretched:
        shift += table[:, place] @ (stretch - np.eye(3))
        grown = np.linalg.norm(done.cell[2]) / np.linalg.norm(result.cell[2])
        node.cell, node.cell_origin = done.cell, result.cell_origin @ stretch
        if node.get_item("thickness") is not None:
            node.thickness = np.asarray(node.thickness) * grown
    moved = done.positions - found.positions
    carried = _carried_hydrogen(found)
    moved[carried[0]] = moved[carried[1]]
    shift[found.rows] = moved
    for names in ("xyz", ("ux", "uy", "uz"), _MOVED):
        for axis, name in enumerate(names):
            if name in columns:
                table[:, columns.index(name)] += shift[:, axis]


def _carried_hydrogen(found: TetrahedralAtoms) -> tuple[np.ndarray, np.ndarray]:
    """Hydrogen atoms and the atoms that carry them."""
    from scipy.spatial import cKDTree

    light, heavy = (np.flatnonzero(found.hydrogen == kind) for kind in (True, False))
    if not len(light):
        return light, light
    tree = cKDTree(found.positions[heavy])
    distance, nearest = tree.query(
        found.positions[light], distance_upper_bound=_HYDROGEN_BOND
    )
    near = np.isfinite(distance)
    return light[near], heavy[nearest[near]]


def _chosen(freedom: Freedom) -> dict[str, str]:
    return {
        "fixed": _named(freedom.fixed),
        "in_plane": freedom.in_plane,
        "beam_direction": freedom.beam_direction,
        "period": freedom.period,
    }


def _named(fixed: Any) -> str:
    return str(fixed) if fixed is None or isinstance(fixed, str) else "mask"


def _outcome(
    found: TetrahedralAtoms, done: Relaxed, free: np.ndarray, tolerance: float
) -> dict[str, Any]:
    """What metadata tell of a relaxation."""
    crystal = ~found.hydrogen
    atoms = int(crystal.sum())
    grown = np.linalg.norm(done.cell[2]) / np.linalg.norm(found.bonds.cell[2])
    return {
        "n_atoms": atoms,
        "n_held": int((~free[crystal]).all(axis=1).sum()),
        "energy_before": float(done.history[0, 0]) / atoms,
        "energy_after": done.energy / atoms,
        "energy_units": "eV per atom",
        "max_force_before": float(done.history[0, 1]),
        "max_force": done.max_force,
        "force_tolerance": float(tolerance),
        "force_units": "eV/Å",
        "steps": done.steps,
        "converged": bool(done.converged),
        "strain_of_period": float(grown - 1),
        "left_out": np.array(sorted(found.left_out), np.int64),
        "parameters": found.parameters(),
    }


def _warn_of(done: Relaxed, tolerance: float, max_steps: int) -> None:
    if done.max_force <= tolerance:
        why = "the length of the period did not settle"
    elif done.steps >= max_steps:
        why = f"max_steps={max_steps} were used up"
    else:
        why = "it was interrupted, or no step lowered the energy further"
    warnings.warn(
        f"The relaxation did not converge: after {done.steps} steps the largest force "
        f"is {done.max_force:.3g} eV/Å where {tolerance:.3g} was asked for; {why}. The "
        "model holds the best positions found.",
        UserWarning,
        stacklevel=user_level(),
    )


@contextmanager
def _told(show: bool | None):
    """A callback that shows steps and forces, or None."""
    if not wanted(show):
        yield None
        return
    from tqdm.auto import tqdm

    with tqdm(desc="Relaxation", unit="step", delay=DELAY) as bar:

        def callback(step: int, energy: float, force: float) -> None:
            bar.set_postfix_str(f"{force:.2g} eV/Å", refresh=False)
            if step:
                bar.update(1)

        yield callback
