# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Relaxation: atoms moved to where the Keating model has no force on them.

Limited-memory BFGS (D. C. Liu & J. Nocedal, Math. Program. 45, 503 (1989), doi:
10.1007/BF01589116) with bounded steps. A step that does not lower the energy enough is
shortened to the minimum of the cubic through both ends, so that the energy never rises,
however far from equilibrium the atoms begin.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np

from hyperspy_t2t.array_types import Array, Bools
from hyperspy_t2t.physics import relaxation_kernels as kernels
from hyperspy_t2t.physics.bonds import Bonds
from hyperspy_t2t.physics.curvature import Curvature
from hyperspy_t2t.physics.keating import KeatingModel, Workspace, evaluate, virial

Callback = Callable[[int, float, float], None]

LONGEST = 0.25
"""No atom moves further in one step, Å."""
ENOUGH = 1e-4
"""Part of the decrease that the slope promises that a step has to bring."""
TRIALS = 12
"""Times a step is shortened before the curvature is forgotten."""
ROUNDING = 1e-13
"""Part of the energy below which a difference means nothing."""


@dataclass(frozen=True)
class Relaxed:
    """Where the atoms are after a relaxation.

    Parameters
    ----------
    positions
        In Å, shape (n, 3).
    energy
        In eV.
    max_force
        Largest force on an atom that is free, along its free directions, eV/Å.
    steps
        Steps taken.
    converged
        Whether `max_force` is within the tolerance. If not, the steps were used up, the
        energy could not be lowered further, or the user interrupted.
    history
        Energy in eV and `max_force` before each step and at the end, (steps + 1, 2).
    cell
        Cell vectors as rows in Å.
    """

    positions: Array
    energy: float
    max_force: float
    steps: int
    converged: bool
    history: Array
    cell: Array


def relax(
    positions: Array,
    bonds: Bonds,
    model: KeatingModel,
    *,
    free: Bools | None = None,
    force_tolerance: float = 1e-3,
    max_steps: int = 2000,
    callback: Callback | None = None,
) -> Relaxed:
    """Move atoms until no force is above a tolerance, bonds and cell unchanged.

    KeyboardInterrupt, also from the callback, ends it: the last positions reached,
    which are those of the lowest energy, are returned as not converged.

    Parameters
    ----------
    positions
        In Å, shape (n, 3).
    bonds, model
        See :func:`~hyperspy_t2t.physics.keating.energy_and_forces`.
    free
        Atoms, shape (n,), or their x, y and z, shape (n, 3), that may move; default
        all. ``np.tile([False, False, True], (n, 1))`` frees the beam direction only.
    force_tolerance
        In eV/Å.
    max_steps
        At most so many.
    callback
        Called with step, energy in eV and largest force in eV/Å before each step and at
        the end.

    Raises
    ------
    ValueError
        If shapes do not fit, positions or forces are not finite, or the tolerance is
        not above 0.
    """
    start, fixed = _checked(positions, bonds, free, force_tolerance)
    state = _State.at(start, bonds, model, fixed)
    try:
        _descend(state, force_tolerance, max_steps, callback)
    except KeyboardInterrupt:  # perhaps between the positions and their energy
        state.energy, state.max_force = state.evaluated(state.positions, state.work)
        return replace(state.result(force_tolerance), converged=False)
    return state.result(force_tolerance)


def relax_with_period(
    positions: Array,
    bonds: Bonds,
    model: KeatingModel,
    *,
    axis: int = 2,
    strain_tolerance: float = 1e-5,
    max_rounds: int = 12,
    **options: Any,
) -> Relaxed:
    """:func:`relax` that also frees the length of one periodic cell vector.

    The stress along the vector vanishes, as through a thin foil along the beam. Rounds
    of relaxation follow each other, the cell and all atoms stretched between them by
    what the stress and the stiffness found so far ask for.

    Parameters
    ----------
    positions, bonds, model
        As of :func:`relax`.
    axis
        Which cell vector.
    strain_tolerance
        The strain of the cell is found to about this.
    max_rounds
        At most so many relaxations.
    **options
        Of :func:`relax`, for each round.

    Raises
    ------
    ValueError
        If the vector is not periodic, and as :func:`relax`.
    """
    if not bonds.pbc[axis]:
        raise ValueError(
            f"Expected a periodic cell vector, got axis={axis} with pbc="
            f"{bonds.pbc.tolist()}: without a period relax() frees the length already."
        )
    along = bonds.cell[axis] / np.linalg.norm(bonds.cell[axis])
    stiffness = len(positions) * model.stiffness  # times 1 Å²: near enough to begin
    strain = before = np.nan
    history: list[Array] = []
    for _ in range(max_rounds):
        done = relax(positions, bonds, model, **options)
        history.append(done.history[bool(history) :])
        slope = float(along @ virial(done.positions, bonds, model) @ along)
        if (slope - before) / strain > 0:
            stiffness = (slope - before) / strain
        before, strain = slope, float(np.clip(-slope / stiffness, -0.05, 0.05))
        if abs(strain) <= strain_tolerance or not done.converged:
            break
        stretch = np.eye(3) + strain * np.outer(along, along)
        positions = done.positions @ stretch
        bonds = bonds.in_cell(bonds.cell @ stretch)
    told = np.concatenate(history)
    converged = done.converged and abs(strain) <= strain_tolerance
    return replace(done, steps=len(told) - 1, converged=converged, history=told)


@dataclass
class _State:
    """The positions reached, and what the way there told of the curvature."""

    bonds: Bonds
    model: KeatingModel
    fixed: Bools
    positions: Array
    energy: float
    max_force: float
    work: Workspace
    """Holds the forces at `positions`."""
    spare: Workspace
    trial: Array
    direction: Array
    curvature: Curvature
    history: list[tuple[float, float]] = field(default_factory=list)

    @classmethod
    def at(
        cls, positions: Array, bonds: Bonds, model: KeatingModel, fixed: Bools
    ) -> Self:
        n = len(positions)
        work = Workspace.of(n)
        spare = work._replace(energies=np.empty(n), forces=np.empty((n, 3)))
        state = cls(
            bonds, model, fixed, positions, 0.0, 0.0, work, spare, np.empty((n, 3)),
            np.empty((n, 3)), Curvature(n, 1 / max(model.stiffness, 1e-3)),
        )  # fmt: skip
        state.energy, state.max_force = state.evaluated(positions, work)
        return state

    def evaluated(self, positions: Array, work: Workspace) -> tuple[float, float]:
        """Energy and largest free force at some positions."""
        energy = evaluate(positions, self.bonds, self.model, work)
        return energy, kernels.held(work.forces, self.fixed)

    def result(self, tolerance: float) -> Relaxed:
        now = (self.energy, self.max_force)
        return Relaxed(
            self.positions, *now, len(self.history), self.max_force <= tolerance,
            np.array([*self.history, now]), self.bonds.cell,
        )  # fmt: skip


def _descend(
    state: _State, tolerance: float, max_steps: int, callback: Callback | None
) -> None:
    """Take steps until the forces are small, the steps used up or none lowers E."""
    if not np.isfinite(state.energy):
        raise ValueError(
            "Expected a finite energy, got NaN or inf: check the positions and bonds."
        )
    for step in range(max_steps + 1):
        if callback is not None:
            callback(step, state.energy, state.max_force)
        if state.max_force <= tolerance or step == max_steps:
            return
        if not _take_step(state):
            if not state.curvature.order:
                return
            state.curvature.forget()
            if not _take_step(state):
                return


def _take_step(state: _State) -> bool:
    """One step down; False, and nothing changed, if the energy cannot be lowered."""
    slope, furthest = kernels.combine(
        state.work.forces, state.curvature.history, state.curvature.shares(),
        state.direction,
    )  # fmt: skip
    if not (slope < 0 and np.isfinite(furthest)):
        return False
    length = min(1.0, LONGEST / furthest)
    for _ in range(TRIALS):
        kernels.step_along(state.positions, state.direction, length, state.trial)
        energy, force = state.evaluated(state.trial, state.spare)
        rise = energy - state.energy
        if rise <= ENOUGH * length * slope:
            _accept(state, energy, force, length)
            return True
        end = -kernels.product(state.spare.forces, state.direction)
        if abs(rise) <= ROUNDING * abs(state.energy) and abs(end) <= abs(slope):
            _accept(state, energy, force, length)
            return True
        length *= _cubic_minimum(rise, length * slope, length * end)
    return False


def _accept(state: _State, energy: float, force: float, length: float) -> None:
    """Move to the trial positions and remember the curvature on the way."""
    state.curvature.add(state.direction, length, state.work.forces, state.spare.forces)
    state.history.append((state.energy, state.max_force))
    state.energy, state.max_force = energy, force
    # References only: an interrupt finds all atoms before the step or all after it.
    state.positions, state.trial = state.trial, state.positions
    state.work, state.spare = state.spare, state.work


def _cubic_minimum(rise: float, slope: float, end: float) -> float:
    """Where, from 0.1 to 0.5, the cubic from 0 to `rise` over 0 to 1 is lowest."""
    curved = slope + end - 3 * rise
    root = curved * curved - slope * end
    if not root >= 0:  # NaN too
        return 0.5
    root = np.sqrt(root)
    below = end - slope + 2 * root
    place = 1 - (end + root - curved) / below if below else 0.5
    return float(np.clip(place, 0.1, 0.5))


def _checked(
    positions: Array, bonds: Bonds, free: Bools | None, tolerance: float
) -> tuple[Array, Bools]:
    """Own copy of the positions and which components are fixed, (n, 3) or empty."""
    positions = np.array(positions, float, order="C")
    n = len(bonds.neighbours)
    if positions.shape != (n, 3):
        raise ValueError(
            f"Expected positions of the {n} atoms of the bonds, shape (n, 3), got "
            f"{positions.shape}."
        )
    if not np.isfinite(positions).all():
        raise ValueError("Expected finite positions in Å, got NaN or inf among them.")
    if not tolerance > 0:
        raise ValueError(f"Expected a force tolerance above 0 eV/Å, got {tolerance!r}.")
    if free is None:
        return positions, np.empty((0, 3), bool)
    free = np.asarray(free, bool)
    if free.shape not in {(n,), (n, 3)}:
        raise ValueError(
            f"Expected free of shape ({n},) or ({n}, 3), one per atom or per direction "
            f"of it, got {free.shape}."
        )
    if free.ndim == 1:
        free = np.repeat(free[:, None], 3, axis=1)
    return positions, ~free
