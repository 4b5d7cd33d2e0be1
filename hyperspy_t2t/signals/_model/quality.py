# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Numbers of AtomicModel.quality()."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from hyperspy_t2t.atoms.nearest_bonds import SHELL
from hyperspy_t2t.physics.bulk_density import Interior, bulk_density, interior_of
from hyperspy_t2t.physics.first_shell import Shell, first_shells
from hyperspy_t2t.physics.neighbours import count_and_nearest
from hyperspy_t2t.signals._model.fitness import mechanics_of

_INSIDE = 6.0
"""Å from a border or surface that atoms inside are away."""
_SAMPLE = 4000
"""Atoms of a region whose neighbours are looked at for its coordination, about."""
_REACH = 9.0
"""Å around them that are looked at as well."""
_HYDROGEN = 4
"""Bit of the flag."""
_LAYER = 6.0
"""Å between two layers of atoms along the beam, at most."""
_FURTHEST = 1.4
"""Neighbours searched, in bond lengths of the unstrained crystal."""
_MOST = 32
"""Neighbours that are told apart."""
_CUTOFF = 3.0
"""Å searched for neighbours of elements whose coordination is not known."""


@dataclass(frozen=True)
class _Atoms:
    """The model as arrays."""

    positions: np.ndarray
    numbers: np.ndarray
    flag: np.ndarray
    offsets: np.ndarray
    labels: np.ndarray
    cell: np.ndarray
    pbc: np.ndarray

    def rows(self, k: int) -> slice:
        """Atoms of region k."""
        return slice(int(self.offsets[k]), int(self.offsets[k + 1]))


def quality_of(model: Any) -> dict[str, Any]:
    """See :meth:`AtomicModel.quality`."""
    names = ["x", "y", "z", "number", *(["flag"] if "flag" in model.columns else [])]
    table = model._together(names)  # at once: a lazy one is computed each time
    flag = table[:, 4] if len(names) == 5 else np.zeros(len(table))
    atoms = _Atoms(
        table[:, :3], table[:, 3].astype(np.int64), flag.astype(np.int64),
        model.offsets, model.region_labels, model.cell, model.pbc,
    )  # fmt: skip
    node = model.metadata.AtomicModel
    filled = np.flatnonzero(np.diff(atoms.offsets))
    result = {
        "regions": _regions(atoms, filled, node),
        "cell": _cell(atoms, model.cell_origin),
        "calibration": _calibration(node),
    }
    for name in ("interfaces", "composition", "registration"):
        found = node.get_item(name)
        if found is not None:
            result[name] = found.as_dictionary()
    mechanics = mechanics_of(model)
    if mechanics is not None:
        result["mechanics"] = mechanics
    return result


def _regions(atoms: _Atoms, filled: np.ndarray, node: Any) -> dict[str, Any]:
    """Arrays with a value for each region that has atoms."""
    from ase.data import chemical_symbols

    thickness = np.asarray(node.get_item("thickness", np.nan), float)
    thickness = np.broadcast_to(thickness, atoms.labels.shape)[filled]
    phases = [_phase(node, label) for label in atoms.labels[filled]]
    interiors = [interior_of(_along_beam(atoms, k)) for k in filled]
    shells = [
        _shells(atoms, k, interior, phase)
        for k, interior, phase in zip(filled, interiors, phases, strict=True)
    ]
    density = [
        _density(atoms, k, interior, 10 * length)
        for k, interior, length in zip(filled, interiors, thickness, strict=True)
    ]
    counts = np.zeros((len(filled), len(chemical_symbols)), np.int64)
    for k, row in zip(filled, counts, strict=True):
        row[:] = np.bincount(atoms.numbers[atoms.rows(k)], minlength=len(row))
    present = np.flatnonzero(counts.any(axis=0))
    n_atoms = np.diff(atoms.offsets)[filled]
    flags = [atoms.flag[atoms.rows(k)] & 1 for k in filled]
    return {
        "region": atoms.labels[filled],
        "phase": [str(phase.get("name", "")) for phase in phases],
        "n_atoms": n_atoms,
        "thickness": thickness,
        "share": {chemical_symbols[n]: counts[:, n] / n_atoms for n in present},
        "density": np.array([number for number, _ in density]),
        "mass_density": np.array([mass for _, mass in density]),
        **_neighbours(atoms, filled, interiors, shells, phases),
        **_of_shells(shells, present),
        "n_continued": np.array([int(flag.sum()) for flag in flags]),
        "n_lost": np.array([int(phase.get("n_lost", -1)) for phase in phases]),
    }


def _phase(node: Any, label: int) -> dict:
    found = node.get_item(f"phases.region_{label}")
    return {} if found is None else found.as_dictionary()


def _along_beam(atoms: _Atoms, k: int) -> np.ndarray:
    """x and y of the atoms of region k as seen along the cell's third vector."""
    positions, depth = atoms.positions[atoms.rows(k)], atoms.cell[2]
    if not depth[:2].any() or not depth[2]:
        return positions[:, :2]
    return positions[:, :2] - positions[:, 2:] * (depth[:2] / depth[2])


def _density(
    atoms: _Atoms, k: int, interior: Interior, length: float
) -> tuple[float, float]:
    """Of region k; not of a piece that was cut out of its thickness in Å."""
    from ase.data import atomic_masses

    rows = atoms.rows(k)
    if np.ptp(atoms.positions[rows, 2]) < length - _LAYER:
        return np.nan, np.nan
    crystal = atoms.flag[rows] & _HYDROGEN == 0
    masses = atomic_masses[atoms.numbers[rows][crystal]]
    return bulk_density(_along_beam(atoms, k)[crystal], masses, interior, length)


def _shells(atoms: _Atoms, k: int, interior: Interior, phase: dict) -> dict[int, Shell]:
    """First shells of a region, from the atoms around its deepest place."""
    rows = atoms.rows(k)
    centre, depth = interior.deepest()
    area = max(1.0, float((interior.depth > 0).sum()) * interior.pixel**2)
    half = np.sqrt(_SAMPLE * area / max(1, rows.stop - rows.start)) / 2
    half = max(4.0, min(half, depth)) if depth > 4 else np.inf
    away = np.abs(_along_beam(atoms, k) - centre).max(axis=1)
    near = np.flatnonzero(away < half + _REACH)
    usual = {n: found.usual for n, found in _sites(phase).items()}
    return first_shells(
        atoms.positions[rows][near],
        atoms.numbers[rows][near],
        atoms.cell,
        atoms.pbc & [False, False, True],
        inside=away[near] < half,
        coordination={n: min(k) for n, k in usual.items() if len(k) == 1},
    )


class _Expected(NamedTuple):
    """What an atom of an element should have around it."""

    usual: frozenset[int]
    """Numbers of neighbours."""
    cutoff: float
    """Å up to which there are neighbours."""
    within: float
    """In distances of the nearest, up to which they count."""


def _sites(phase: dict) -> dict[int, _Expected]:
    """By atomic number, from the sites of the crystal, if the metadata have them."""
    numbers = phase.get("site_numbers")
    if numbers is None:
        return {}
    numbers = np.asarray(numbers, int).reshape(len(numbers), -1)
    coordination, length = (
        np.ravel(phase[name]) for name in ("coordination", "bond_length")
    )
    return {
        int(number): _Expected(
            frozenset(coordination[mine].astype(int).tolist()),
            _FURTHEST * float(length[mine].max()),
            SHELL,
        )
        for number in np.unique(numbers[numbers > 0])
        if (mine := (numbers == number).any(axis=1)).any()
    }


def _expected(shell: dict[int, Shell], phase: dict, number: int) -> _Expected:
    """Of an element of a region: by its crystal's sites, or else by its shell."""
    known = _sites(phase).get(number)
    if known is not None:
        return known
    if number in shell:
        found = shell[number]
        return _Expected(frozenset([found.coordination]), found.cutoff, np.inf)
    return _Expected(frozenset(), _CUTOFF, np.inf)


def _neighbours(
    atoms: _Atoms,
    filled: np.ndarray,
    interiors: list[Interior],
    shells: list[dict[int, Shell]],
    phases: list[dict],
) -> dict[str, np.ndarray]:
    """Distances and coordination of all atoms, by region."""
    present, element = np.unique(atoms.numbers, return_inverse=True)
    sizes = np.diff(atoms.offsets)[filled]
    species = element + len(present) * np.repeat(np.arange(len(filled)), sizes)
    expected = [
        _expected(shell, phase, int(number))
        for shell, phase in zip(shells, phases, strict=True)
        for number in present
    ]
    cutoff = np.array([one.cutoff for one in expected])
    usual = np.zeros((len(expected), _MOST), bool)
    for row, one in zip(usual, expected, strict=True):
        row[[k for k in one.usual if k < _MOST]] = True
    result = {
        name: np.full(len(filled), np.nan)
        for name in ("shortest", "typical", "coordinated", "coordinated_inside")
    }
    if not len(filled):
        return result
    count, nearest = count_and_nearest(
        atoms.positions,
        atoms.cell,
        atoms.pbc,
        np.broadcast_to(cutoff[:, None], (len(cutoff),) * 2),
        species=species,
        within=np.array([one.within for one in expected]),
    )
    right = usual[species, np.minimum(count, _MOST - 1)]
    for place, (k, interior) in enumerate(zip(filled, interiors, strict=True)):
        rows = atoms.rows(k)
        result["shortest"][place] = nearest[rows].min()
        result["typical"][place] = np.median(nearest[rows])
        if not shells[place]:
            continue
        result["coordinated"][place] = right[rows].mean()
        inside = interior.at(_along_beam(atoms, k)) > _INSIDE
        z = atoms.positions[rows, 2]
        if not atoms.pbc[2]:
            inside &= (z > z.min() + _INSIDE) & (z < z.max() - _INSIDE)
        if inside.any():
            result["coordinated_inside"][place] = right[rows][inside].mean()
    return result


def _of_shells(shells: list[dict[int, Shell]], present: np.ndarray) -> dict[str, Any]:
    """Coordination and bond length of each element, by region; −1, NaN if unknown."""
    from ase.data import chemical_symbols

    coordination, length = {}, {}
    for number in present:
        mine = [shell.get(int(number)) for shell in shells]
        symbol = chemical_symbols[number]
        coordination[symbol] = np.array([s.coordination if s else -1 for s in mine])
        length[symbol] = np.array([s.distance if s else np.nan for s in mine])
    return {"coordination": coordination, "bond_length": length}


def _cell(atoms: _Atoms, origin: np.ndarray) -> dict[str, np.ndarray]:
    from ase.geometry import cell_to_cellpar

    parameters = cell_to_cellpar(atoms.cell)
    return {
        "lengths": parameters[:3],
        "angles": parameters[3:],
        "origin": origin,
        "pbc": atoms.pbc,
    }


def _calibration(node: Any) -> dict[str, Any]:
    """How the lengths of the image differ from true ones."""
    distortion = node.get_item("distortion")
    if distortion is None:
        correction = np.asarray(node.get_item("image_correction", np.eye(2)), float)
        distortion = np.linalg.inv(correction)
        if np.allclose(correction, np.eye(2)):  # nothing is known of it
            distortion = np.full((2, 2), np.nan)
    x, y = np.asarray(distortion, float).T  # of true unit vectors in the image
    long_x, long_y = np.linalg.norm(x), np.linalg.norm(y)
    area = abs(x[0] * y[1] - x[1] * y[0])
    return {
        "name": str(node.get_item("calibration", "")),
        "reason": str(node.get_item("calibration_reason", "")),
        "scale": 100 * float(np.sqrt(area) - 1),
        "anisotropy": 100 * float(long_x / long_y - 1),
        "shear": float(np.degrees(np.arcsin(x @ y / (long_x * long_y)))),
    }
