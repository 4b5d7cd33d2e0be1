# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Faint spots on the nodes of the lattices that stronger ones form."""

import numpy as np

from hyperspy_t2t.array_types import Array
from hyperspy_t2t.peaks.explained import not_leakage
from hyperspy_t2t.peaks.finders import Finder
from hyperspy_t2t.peaks.measure import Seen, Spots, measured
from hyperspy_t2t.peaks.nodes import lattice_nodes, on_nodes, plane_lattices

ON_NODE = 0.7
"""Pixels of the spectrum within which a spot lies on a node."""


def with_lattice_nodes(
    seen: Seen, spots: Spots, limits: tuple[float, float], false_alarms: float
) -> Spots:
    """The spots, and fainter ones on the nodes of their lattices.

    The nodes are few, so that a faint maximum on one of them is as unlikely to be
    noise as a strong one anywhere.

    Parameters
    ----------
    seen, spots
        The region and its spots.
    limits
        Least and greatest |g| in 1/nm.
    false_alarms
        Expected number of false spots on the nodes of a lattice.
    """
    scale = seen.spectrum.scale
    for basis in plane_lattices(spots.g / scale, spots.snr, ON_NODE):
        nodes = _unseen_nodes(seen, spots, basis, limits)
        if not len(nodes):
            continue
        # Nine pixels around a node are looked at, about two of them independent.
        rows, columns = seen.spectrum.nearest_maxima(nodes, 1)
        more = measured(
            seen, rows, columns, trials=2 * len(nodes), finder=Finder.LATTICE
        )
        away = np.linalg.norm((more.g - nodes) / scale, axis=1)
        more = more.take((more.log_chance < np.log(false_alarms)) & (away < 1))
        both = spots.joined(more)
        spots = both.take(not_leakage(seen, both, false_alarms))
    return spots


def _unseen_nodes(
    seen: Seen, spots: Spots, basis: Array, limits: tuple[float, float]
) -> Array:
    """Nodes in 1/nm of a lattice in pixels without a spot, as far as spots reach."""
    spectrum = seen.spectrum
    on = on_nodes(spots.g / spectrum.scale, basis, ON_NODE)
    if not on.any():
        return np.empty((0, 2))
    basis = basis * spectrum.scale
    # Intensities fall with |g|: beyond the last spot there is one more node at most.
    last = np.linalg.norm(spots.g[on], axis=1).max()
    last += np.linalg.norm(basis, axis=1).max()
    nyquist = 0.5 * spectrum.scale * np.array(spectrum.power.shape[::-1])
    nodes = lattice_nodes(
        basis, (limits[0], min(limits[1], last)), nyquist - 2 * spectrum.scale
    )
    if not len(nodes):
        return nodes
    away = (nodes[:, None] - spots.g) / spectrum.scale
    return nodes[np.linalg.norm(away, axis=-1).min(axis=1) > 2]
