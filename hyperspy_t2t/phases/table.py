# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""A table of phases: what they are, where they come from and how far checked."""

from typing import Any

import numpy as np

from hyperspy_t2t.phases.candidates import resolve_phases
from hyperspy_t2t.phases.crystal_phase import CrystalPhase
from hyperspy_t2t.phases.library import library_phase, phase_formula, phase_names
from hyperspy_t2t.phases.space_groups import space_group_symbol

_DALTON = 1.66053906660
"""One dalton per cubic ångström in g/cm³ (CODATA 2018)."""


def phase_table(candidates: Any = None) -> list[dict[str, Any]]:
    """Rows that describe phases: those of the library, or any others.

    Parameters
    ----------
    candidates
        Whatever :func:`hyperspy_t2t.phases.candidates.resolve_phases` takes; the
        whole library when omitted.

    Returns
    -------
    list of dict
        One for each phase, with ``name``, ``formula``, ``space_group`` (number),
        ``symbol`` (Hermann-Mauguin), ``a``, ``b``, ``c`` in ångström, ``alpha``,
        ``beta``, ``gamma`` in degrees, ``density`` in g/cm³, ``source`` and
        ``status``. ``pandas.DataFrame`` takes it as it is.

    Examples
    --------
    >>> row = phase_table("Si diamond")[0]
    >>> row["symbol"], row["a"], round(row["density"], 2), row["status"]
    ('Fd-3m', 5.431, 2.33, 'checked')
    """
    if candidates is None:
        return [_row(library_phase(name)) for name in phase_names()]
    return [_row(phase) for phase in resolve_phases(candidates)]


def density(phase: CrystalPhase) -> float:
    """Mass of the atoms in the cell by its volume, in g/cm³."""
    from ase.data import atomic_masses

    mass = atomic_masses[phase.numbers] @ phase.occupancy
    return float(_DALTON * mass / np.linalg.det(phase.lattice))


def _row(phase: CrystalPhase) -> dict[str, Any]:
    edges_and_angles = ("a", "b", "c", "alpha", "beta", "gamma")
    return {
        "name": phase.name,
        "formula": phase_formula(phase),
        "space_group": phase.space_group,
        "symbol": space_group_symbol(phase.space_group),
        **dict(zip(edges_and_angles, phase.cell, strict=True)),
        "density": density(phase),
        "source": phase.source,
        "status": phase.status,
    }
