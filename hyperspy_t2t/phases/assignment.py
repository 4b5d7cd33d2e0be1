# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Which reflection of a pattern each spot is, and what the places are evidence of."""

import numba
import numpy as np

from hyperspy_t2t.phases.evidence import REACH_OF_ERROR, VIOLATED, log_any, log_share
from hyperspy_t2t.phases.reflections import MIN_D

ABSENT = -2
"""Instead of a reflection: a node of the lattice where the structure factor is zero."""
HIDDEN = -2
"""Instead of a spot: a reflection that the region's own spectrum or `MIN_D` hides."""


@numba.njit(cache=True, nogil=True)
def assign(
    linear_map, g, std, explained, relative, basis, half, first, lookup, row, node,
    own_row, away,
):  # fmt: skip
    """Reflection of each spot and spot of each reflection; number of new matches.

    A reflection belongs to the strongest spot within reach of it. Spots on nodes of the
    lattice without a reflection are marked `ABSENT`.
    """
    to_node = np.linalg.inv(basis.T) @ np.linalg.inv(linear_map)
    to_image = linear_map @ basis.T
    own_row[:] = -1
    count = 0
    for i in range(len(g)):
        row[i] = -1
        u = to_node[0, 0] * g[i, 0] + to_node[0, 1] * g[i, 1]
        v = to_node[1, 0] * g[i, 0] + to_node[1, 1] * g[i, 1]
        a, b = np.rint(u), np.rint(v)
        if abs(a) > half[0] or abs(b) > half[1]:
            continue
        j = lookup[int((a + half[0]) * (2 * half[1] + 1) + b + half[1])]
        j = j - first if j >= 0 else ABSENT
        if (a == 0 and b == 0) or (j >= 0 and own_row[j] >= 0):
            continue
        dx = to_image[0, 0] * (u - a) + to_image[0, 1] * (v - b)
        dy = to_image[1, 0] * (u - a) + to_image[1, 1] * (v - b)
        square = dx * dx + dy * dy
        length = g[i, 0] ** 2 + g[i, 1] ** 2
        if square > REACH_OF_ERROR**2 * (std[i] ** 2 + relative**2 * length):
            continue
        row[i], node[i, 0], node[i, 1] = j, int(a), int(b)
        away[i] = square
        if j >= 0:
            own_row[j] = i
            count += not explained[i]
    return count


@numba.njit(cache=True, nogil=True)
def project(linear_map, p, shortest, own_row, expected):
    """Where the reflections are in the image, into `expected`; marks hidden ones."""
    for j in range(len(p)):
        for r in range(2):
            expected[j, r] = linear_map[r, 0] * p[j, 0] + linear_map[r, 1] * p[j, 1]
        square = (expected[j] ** 2).sum()
        if own_row[j] == -1 and not shortest**2 <= square <= 1 / MIN_D**2:
            own_row[j] = HIDDEN


@numba.njit(cache=True, nogil=True)
def position_evidence(g, std, foreign, explained, row, away, relative):
    """Σ ln of the Gaussian densities of matched spots over foreign ones."""
    total = 0.0
    for i in range(len(row)):
        if row[i] >= 0 and not explained[i]:
            square = std[i] ** 2 + relative**2 * (g[i, 0] ** 2 + g[i, 1] ** 2)
            total += foreign[i] - np.log(2 * np.pi * square) - 0.5 * away[i] / square
    return total


@numba.njit(cache=True, nogil=True)
def absent_evidence(
    g, std, log_power, foreign, explained, row, away, relative, nodes
):  # fmt: skip
    """Evidence of spots on nodes without a reflection; `nodes` is their number.

    Most images show none of them. In others (multiple scattering, squares of the
    amplitude) an unknown share of them is seen, with any intensity.
    """
    total = 0.0
    seen = 0
    for i in range(len(row)):
        if row[i] == ABSENT and not explained[i]:
            square = std[i] ** 2 + relative**2 * (g[i, 0] ** 2 + g[i, 1] ** 2)
            total += foreign[i] - np.log(2 * np.pi * square) - 0.5 * away[i] / square
            total += log_any(log_power[i])
            seen += 1
    none = np.log1p(-VIOLATED + VIOLATED / (nodes + 1))
    return max(total + np.log(VIOLATED) + log_share(seen, nodes), none)


@numba.njit(cache=True, nogil=True)
def absent_nodes(linear_map, basis, expected, furthest):
    """Number of nodes without a reflection, one of each Friedel pair, up to |g|."""
    area = abs(np.linalg.det(basis) * np.linalg.det(linear_map))
    nodes = 0.5 * np.pi * furthest**2 / area
    return max(nodes - ((expected**2).sum(axis=1) <= furthest**2).sum(), 0.0)
