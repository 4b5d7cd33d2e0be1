# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""The spots that a solution expects, and their names."""

import numpy as np
import numpy.typing as npt

from hyperspy_t2t.array_types import Array, ComplexArray, Ints
from hyperspy_t2t.phases.crystal_phase import CrystalPhase
from hyperspy_t2t.phases.reflections import (
    MIN_D,
    projected_structure_factor,
    reflection_table,
    zone_reflections,
)
from hyperspy_t2t.phases.solution import PhaseSolution

FAINT = 0.05
"""Share of the strongest amplitude of a zone from which reflections are drawn."""


def simulated_spots(
    solution: PhaseSolution, observed: Array
) -> tuple[Ints, Array, Array]:
    """Where a solution expects spots, as far out as some were observed.

    Parameters
    ----------
    solution
        One way to index a region.
    observed
        (gx, gy) of the region's peaks in 1/nm, shape (n, 2).

    Returns
    -------
    hkl, g, amplitude
        Indices (m, 3), (gx, gy) in 1/nm as the distorted image shows them (m, 2),
        and \\|F\\| for electrons relative to the strongest (m,). They are those whose
        amplitude is above `FAINT` for electrons or in Z-contrast, which shows others,
        (100) of SrTiO3 among them.
    """
    reach = np.linalg.norm(observed, axis=1)
    reach = 1.02 * reach[reach <= 1 / MIN_D].max(initial=0.0)
    # g of the crystal is Dᵀ g of the image, which is at most |D| times as long.
    shortest = 1 / (reach * np.linalg.norm(solution.distortion, 2))
    table = reflection_table(solution.crystal, min_d_nm=float(shortest))
    zone = zone_reflections(table, solution.zone_axis)
    g = predicted_g(zone.hkl, solution.crystal, solution.matrix, solution.distortion)
    amplitude = _relative(zone.structure_factor)
    bright = _relative(projected_structure_factor(solution.crystal, zone.hkl))
    strong = np.maximum(amplitude, bright) > FAINT
    kept = strong & (np.linalg.norm(g, axis=1) <= reach)
    return zone.hkl[kept], g[kept], amplitude[kept]


def predicted_g(
    hkl: npt.ArrayLike, phase: CrystalPhase, orientation: Array, distortion: Array
) -> Array:
    """Where reflections of a solution lie in the spectrum of the image.

    g = D⁻ᵀ (M hkl B*), the part in the image plane, in 1/nm.

    Parameters
    ----------
    hkl
        Indices, shape (..., 3).
    phase, orientation, distortion
        As in :class:`~hyperspy_t2t.phases.solution.PhaseSolution`.
    """
    in_plane = (np.asarray(hkl) @ phase.reciprocal_lattice) @ orientation[:2].T
    return in_plane @ np.linalg.inv(distortion)


def nearest_reflection(
    g: Array,
    phase: CrystalPhase,
    zone_axis: npt.ArrayLike,
    orientation: Array,
    distortion: Array,
) -> Ints:
    """Indices of the zone's lattice points nearest to each g (n, 2), shape (n, 3)."""
    limit = 8
    index = np.arange(-limit, limit + 1)
    hkl = np.stack(np.meshgrid(index, index, index, indexing="ij"), -1).reshape(-1, 3)
    hkl = hkl[hkl @ np.asarray(zone_axis) == 0]
    predicted = predicted_g(hkl, phase, orientation, distortion)
    distance = np.linalg.norm(np.asarray(g)[:, None] - predicted[None], axis=-1)
    return hkl[distance.argmin(axis=1)]


def hkl_text(hkl: npt.ArrayLike) -> str:
    """Indices as TeX, negative ones with a bar; spaced if one has two digits."""
    parts = [rf"\bar{{{-i}}}" if i < 0 else str(i) for i in np.asarray(hkl).tolist()]
    space = r"\," if np.abs(hkl).max() > 9 else ""
    return f"${space.join(parts)}$"


def _relative(structure_factor: ComplexArray) -> Array:
    """Amplitudes relative to the strongest."""
    amplitude = np.abs(structure_factor)
    return amplitude / amplitude.max(initial=1e-12)
