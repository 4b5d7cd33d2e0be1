# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Elastic stiffness of crystals, and the strain along the beam of a thin foil."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
import numpy.typing as npt

from hyperspy_t2t.array_types import Array
from hyperspy_t2t.atoms.primitive import primitive_sites
from hyperspy_t2t.phases.crystal_phase import CrystalPhase
from hyperspy_t2t.phases.symmetry import fits_space_group, symmetry

_FIRST_CUBIC = 195
_VOIGT = np.array([[0, 5, 4], [5, 1, 3], [4, 3, 2]])
"""Voigt index of each pair of Cartesian ones."""
_IN_PLANE, _ALONG_BEAM = [0, 1, 5], [2, 4, 3]
"""Voigt indices of xx, yy, xy and of zz, xz, yz."""


@dataclass(frozen=True)
class Stiffness:
    """Elastic stiffness of a crystal.

    Parameters
    ----------
    matrix
        C in GPa in Voigt notation (xx, yy, zz, yz, xz, xy), shape (6, 6), in the
        crystal frame e1 ∥ a, e3 ∥ c*.
    source, status
        Where the numbers are from and how far they were checked.
    """

    matrix: Array
    source: str
    status: str


def stiffness(phase: CrystalPhase) -> Stiffness:
    """Elastic stiffness of a phase near room temperature.

    It is found by formula, space group and atoms in the primitive cell, not by name.

    Parameters
    ----------
    phase
        In its conventional cell, every site fully occupied.

    Raises
    ------
    ValueError
        Where the phase is not in the table; the message lists what is.
    """
    entry = _table().get(_key(phase))
    if entry is None:
        known = ", ".join(f"{e['formula']} {e['structure']}" for e in _entries())
        raise ValueError(
            f"Expected a phase with known elastic constants, got {phase.name!r}. Known "
            f"are {known}. beam_direction='bulk' needs none."
        )
    matrix = _matrix(entry["space_group"], entry["constants"])
    return Stiffness(matrix, entry["source"], entry["status"])


def mixed_stiffness(parts: Sequence[tuple[Stiffness, float]]) -> Stiffness:
    """Stiffness of an alloy: linear in composition, as Vegard's law is for lengths.

    Parameters
    ----------
    parts
        Stiffness and share of each compound. Shares sum to one.

    Raises
    ------
    ValueError
        Where the shares do not sum to one or one is negative.
    """
    shares = np.array([share for _, share in parts], float)
    if not (len(shares) and (shares >= 0).all() and abs(shares.sum() - 1) < 1e-6):
        raise ValueError(
            f"Expected shares of at least 0 that sum to 1, got {shares.tolist()}."
        )
    matrix = np.sum([share * part.matrix for part, share in parts], axis=0)
    sources = dict.fromkeys(part.source for part, _ in parts)
    if len(parts) == 1:
        return parts[0][0]
    return Stiffness(matrix, "; ".join(sources), "computed, linear in composition")


def plane_stress(
    in_plane: npt.ArrayLike, matrix: Array, orientation: npt.ArrayLike
) -> tuple[Array, Array]:
    """Strain along the beam of a foil whose two faces are free of stress.

    σ_zz = σ_xz = σ_yz = 0 everywhere is the limit of a foil that is thin against the
    distance over which the strain in the plane changes. With C turned into the image
    frame, e_z = −C_zz⁻¹ C_zp e_p, where e_z = (ezz, 2exz, 2eyz) and e_p = (exx, eyy,
    2exy).

    Parameters
    ----------
    in_plane
        Strain of the crystal relative to its own bulk in the image plane, ((exx, exy),
        (exy, eyy)), shape (2, 2) or (n, 2, 2). NaN gives NaN.
    matrix
        Stiffness in the crystal frame, shape (6, 6), in any unit.
    orientation
        Rotation matrix crystal → image, shape (3, 3).

    Returns
    -------
    ezz : ndarray
        Strain along the beam, shape (n,).
    lean : ndarray
        2 (exz, eyz), shape (n, 2): in-plane shift of a column per length of depth where
        planes across the beam do not tilt.

    References
    ----------
    J. F. Nye, Physical Properties of Crystals, Oxford 1957, chapter VIII.
    """
    strain = np.asarray(in_plane, float).reshape(-1, 2, 2)
    turned = _turned(matrix, np.asarray(orientation, float))
    response = -np.linalg.solve(
        turned[np.ix_(_ALONG_BEAM, _ALONG_BEAM)], turned[np.ix_(_ALONG_BEAM, _IN_PLANE)]
    )
    shear = strain[:, 0, 1] + strain[:, 1, 0]
    along = np.stack([strain[:, 0, 0], strain[:, 1, 1], shear], 1) @ response.T
    return along[:, 0], along[:, 1:]


def _turned(matrix: Array, turn: Array) -> Array:
    """A stiffness matrix (6, 6) in axes that a rotation (3, 3) leads to."""
    tensor = np.asarray(matrix, float)[_VOIGT[:, :, None, None], _VOIGT]
    turned = np.einsum("ia,jb,kc,ld,abcd->ijkl", *[turn] * 4, tensor, optimize=True)
    first, second = [0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1]
    return turned[first, second][:, first, second]


def _matrix(space_group: int, constants: dict[str, float]) -> Array:
    """Stiffness matrix of a cubic or hexagonal crystal from its constants."""
    c = dict(constants)
    if space_group >= _FIRST_CUBIC:
        c |= {"C13": c["C12"], "C33": c["C11"], "C66": c["C44"]}
    else:
        c["C66"] = (c["C11"] - c["C12"]) / 2
    matrix = np.diag([c["C11"], c["C11"], c["C33"], c["C44"], c["C44"], c["C66"]])
    matrix[[0, 1], [1, 0]] = c["C12"]
    matrix[[0, 1, 2, 2], [2, 2, 0, 1]] = c["C13"]
    return matrix


def _key(phase: CrystalPhase) -> tuple[Any, ...] | None:
    """What a phase is found by; None where it is mixed or not in standard axes."""
    from ase.data import chemical_symbols

    number = phase.space_group if phase.space_group > 1 else symmetry(phase).number
    if np.any(phase.occupancy < 1 - 1e-3) or not fits_space_group(phase.cell, number):
        return None
    sites = phase.numbers[primitive_sites(phase)]
    kinds, counts = np.unique(sites, return_counts=True)
    counts //= np.gcd.reduce(counts)
    symbols = [chemical_symbols[kind] for kind in kinds]
    formula = frozenset(zip(symbols, counts.tolist(), strict=True))
    return number, len(sites), formula


@cache
def _entries() -> list[dict[str, Any]]:
    stored = files("hyperspy_t2t.data").joinpath("elastic_constants.json")
    return json.loads(stored.read_text(encoding="utf-8"))["materials"]


@cache
def _table() -> dict[tuple[Any, ...] | None, dict[str, Any]]:
    return {
        (e["space_group"], e["atoms"], _composition(e["formula"])): e
        for e in _entries()
    }


def _composition(formula: str) -> frozenset[tuple[str, int]]:
    pairs = re.findall(r"([A-Z][a-z]?)(\d*)", formula)
    return frozenset((symbol, int(count or 1)) for symbol, count in pairs)
