# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""The mean lattice of each region of a strain map, beside that of its bulk."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from hyperspy_t2t.calibration import ImageGrid
from hyperspy_t2t.phases.simulation import nearest_reflection, predicted_g
from hyperspy_t2t.phases.solution import PhaseSolution
from hyperspy_t2t.signals._carried.companions import in_memory
from hyperspy_t2t.signals._carried.source import Source
from hyperspy_t2t.signals._peaks.solutions import best_of
from hyperspy_t2t.strain.absolute import fitted_pair
from hyperspy_t2t.strain.region_mean import depth_weight, error_of_mean, mean_gradient

_FARTHEST = 0.05
"""Distance of a mean g from its reflection, as a share of |g|, that is too far."""


@dataclass(frozen=True)
class MeanLattice:
    """Lattice of one region, averaged where only this region is seen.

    Parameters
    ----------
    label, domain
        The region and its stored domain.
    grid, weight
        Coarse grid, and the weight of its places in the mean: zero near the outline.
    mean
        Mean of β, shape (2, 2).
    solution
        Its phase and orientation, None without one.
    hkl
        Reflections of the first two g of the domain, shape (2, 3), None without a
        solution that has them.
    """

    label: int
    domain: dict
    grid: ImageGrid
    weight: np.ndarray
    mean: np.ndarray
    solution: Any
    hkl: Any

    @property
    def reference(self) -> int:
        """The region it is measured against."""
        return int(self.domain["reference"])

    @property
    def gradient(self) -> np.ndarray:
        """β, shape (2, 2, ny, nx)."""
        return np.asarray(self.domain["gradient"])

    @property
    def g(self) -> np.ndarray:
        """Mean of the two g in this region, rows, in 1/nm, shape (2, 2)."""
        return reference_pair(self.domain) @ (np.eye(2) - self.mean)

    @property
    def bulk(self) -> Any:
        """The same g of the bulk, turned as its solution is, shape (2, 2)."""
        if self.solution is None or self.hkl is None:
            return None
        return bulk_g(self.solution, self.hkl)

    @property
    def projection(self) -> Any:
        """Fractional coordinates to the image plane in nm, shape (2, 3)."""
        return None if self.hkl is None else np.linalg.solve(self.g, self.hkl)

    def error(self, of: np.ndarray, along: np.ndarray) -> float:
        """Standard error of the mean of ofᵀ β along, for two unit vectors."""
        return error_of_mean(
            self.gradient,
            self.weight,
            self.grid.pixel_size,
            float(self.domain["resolution"]),
            of,
            along,
        )


def mean_lattices(strain: Any, source: Source) -> dict[int, MeanLattice]:
    """Mean lattices of all regions with strain that are in the image, by label."""
    phases = None
    if strain.metadata.has_item("Phases"):
        phases = in_memory(strain.metadata.Phases)
    present = source.boxes()
    found: dict[int, MeanLattice] = {}
    for domain in strain._domains().values():
        grid = ImageGrid.from_dict(domain["grid"])
        labels = source.labels_at(grid)
        seen = np.asarray(domain["amplitude"]) > float(domain["faintest"])
        for label in np.asarray(domain["members"]).tolist():
            inside = (labels == label) & seen
            if label not in present or not inside.any():
                continue
            weight = depth_weight(inside)
            mean = mean_gradient(np.asarray(domain["gradient"]), weight)
            solution = None if phases is None else best_of(phases, label)
            g = reference_pair(domain) @ (np.eye(2) - mean)
            hkl = reflections(solution, g)
            found[label] = MeanLattice(label, domain, grid, weight, mean, solution, hkl)
    return found


def reference_pair(domain: dict) -> np.ndarray:
    """The first two g of a stored domain's reference in 1/nm, shape (2, 2)."""
    return fitted_pair(np.asarray(domain["g_vectors"]))


def reflections(solution: PhaseSolution | None, g: np.ndarray) -> np.ndarray | None:
    """hkl of two measured g (2, 2), None where a solution has none near them."""
    if solution is None:
        return None
    how = (solution.crystal, solution.zone_axis, solution.matrix, solution.distortion)
    hkl = nearest_reflection(g, *how)
    expected = predicted_g(hkl, solution.crystal, solution.matrix, solution.distortion)
    away = np.linalg.norm(expected - g, axis=1)
    near = bool((away < _FARTHEST * np.linalg.norm(g, axis=1)).all())
    return hkl if near and np.linalg.matrix_rank(hkl) == 2 else None


def bulk_g(solution: PhaseSolution, hkl: np.ndarray) -> np.ndarray:
    """g of reflections of the undistorted bulk in 1/nm, shape (n, 2)."""
    return predicted_g(hkl, solution.crystal, solution.matrix, np.eye(2))
