# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""The spots that a solution expects, and their names."""

import numpy as np
import numpy.typing as npt

from hyperspy_t2t.phases.indexing import FAINT, MIN_D, predicted_g
from hyperspy_t2t.phases.reflections import reflection_table, zone_reflections
from hyperspy_t2t.phases.solution import PhaseSolution

Array = npt.NDArray[np.floating]


def simulated_spots(
    solution: PhaseSolution, observed: Array
) -> tuple[npt.NDArray[np.int64], Array, Array]:
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
        and |F| relative to the strongest (m,): of the reflections that
        indexing looks for.
    """
    reach = np.linalg.norm(observed, axis=1)
    reach = 1.02 * reach[reach <= 1 / MIN_D].max(initial=0.0)
    # g of the crystal is Dᵀ g of the image, which is at most |D| times as long.
    shortest = 1 / (reach * np.linalg.norm(solution.distortion, 2))
    table = reflection_table(solution.crystal, min_d_nm=float(shortest))
    zone = zone_reflections(table, solution.zone_axis)
    g = predicted_g(zone.hkl, solution.crystal, solution.matrix, solution.distortion)
    amplitude = np.abs(zone.structure_factor)
    amplitude = amplitude / amplitude.max(initial=1e-12)
    kept = (amplitude > FAINT) & (np.linalg.norm(g, axis=1) <= reach)
    return zone.hkl[kept], g[kept], amplitude[kept]


def hkl_text(hkl: npt.ArrayLike) -> str:
    """Indices as TeX, negative ones with a bar; spaced if one has two digits."""
    parts = [rf"\bar{{{-i}}}" if i < 0 else str(i) for i in np.asarray(hkl).tolist()]
    space = r"\," if np.abs(hkl).max() > 9 else ""
    return f"${space.join(parts)}$"
