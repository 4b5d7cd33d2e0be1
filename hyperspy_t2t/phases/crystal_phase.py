# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""A crystal phase as plain arrays: what every kernel takes."""

from dataclasses import dataclass, field

import numpy as np

from hyperspy_t2t.array_types import Array, Ints


@dataclass(frozen=True, eq=False)
class CrystalPhase:
    """A crystal structure: its cell, the atoms in it and where it came from.

    Parameters
    ----------
    name
        What the user reads, for example ``"Si diamond"``.
    cell
        a, b, c in ångström and α, β, γ in degrees.
    numbers
        Atomic number of each site of the full conventional cell, shape (n,).
    fractional
        Fractional coordinates of the sites, shape (n, 3).
    space_group
        International Tables number, 1 where it is not known.
    occupancy
        Site occupancies, shape (n,); ones when omitted.
    source, status
        Where the structure is from and how far it was checked.
    """

    name: str
    cell: tuple[float, ...]
    numbers: Ints
    fractional: Array
    space_group: int = 1
    occupancy: Array = field(default=None)  # type: ignore[arg-type]
    source: str = ""
    status: str = ""

    def __post_init__(self) -> None:
        if self.occupancy is None:
            object.__setattr__(self, "occupancy", np.ones(len(self.numbers)))

    def __repr__(self) -> str:
        a, b, c, *_ = self.cell
        return (
            f"<CrystalPhase {self.name}, space group {self.space_group}, "
            f"{len(self.numbers)} sites, {a:.4g} × {b:.4g} × {c:.4g} Å>"
        )

    @property
    def lattice(self) -> Array:
        """Lattice vectors a, b, c as rows in ångström; e1 ∥ a, e3 ∥ c* as in orix."""
        a, b, c, *angles = self.cell
        alpha, beta, gamma = np.deg2rad(angles)
        star = np.arccos(
            (np.cos(alpha) - np.cos(beta) * np.cos(gamma))
            / (np.sin(beta) * np.sin(gamma))
        )
        return np.array(
            [
                [a, 0.0, 0.0],
                [b * np.cos(gamma), b * np.sin(gamma), 0.0],
                [
                    c * np.cos(beta),
                    c * np.sin(beta) * np.cos(star),
                    c * np.sin(beta) * np.sin(star),
                ],
            ]
        )

    @property
    def reciprocal_lattice(self) -> Array:
        """a*, b*, c* as rows in 1/nm (no 2π): ``g = hkl @ reciprocal_lattice``."""
        return 10.0 * np.linalg.inv(self.lattice).T

    @property
    def elements(self) -> frozenset[str]:
        """Chemical symbols of the elements in the cell."""
        from ase.data import chemical_symbols

        return frozenset(chemical_symbols[number] for number in self.numbers)

    def to_dict(self) -> dict:
        """Plain arrays, numbers and strings: what HyperSpy's metadata can hold."""
        return {
            "name": self.name,
            "cell": np.asarray(self.cell, float),
            "numbers": np.asarray(self.numbers),
            "fractional": np.asarray(self.fractional),
            "space_group": int(self.space_group),
            "occupancy": np.asarray(self.occupancy),
            "source": self.source,
            "status": self.status,
        }

    @classmethod
    def from_dict(cls, stored: dict) -> "CrystalPhase":
        """Inverse of :meth:`to_dict`."""
        values = dict(stored)
        values["cell"] = tuple(float(value) for value in values["cell"])
        for key, dtype in (
            ("numbers", np.int64),
            ("fractional", float),
            ("occupancy", float),
        ):
            values[key] = np.asarray(values[key], dtype)
        values["space_group"] = int(values["space_group"])
        return cls(**values)
