# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""What speaks for a crystal that is not among the candidates: a lattice of spots."""

import numba
import numpy as np

from hyperspy_t2t.phases.evidence import (
    ERROR_PRIOR,
    ERRORS,
    REACH_OF_ERROR,
    THRESHOLD,
    SpotModel,
    envelope,
    envelope_terms,
    log_intensity,
    softplus,
)

STRONGEST = 9
"""Spots whose pairs propose lattices."""
MOST_NODES = 400
"""Lattices with more nodes within the spots explain any."""
BROADER = 1.5
"""As `BROAD`, for structure factors that are not known."""
ABSENT_SHARES = np.array([0.05, 0.3, 0.6])
"""Shares of nodes with the structure factor zero, equally likely."""
_BASES = np.array(
    [
        [[1, 0], [0, 1]],
        [[0.5, 0.5], [0.5, -0.5]],
        [[0.5, 0], [0, 1]],
        [[1, 0], [0, 0.5]],
        [[0.5, 0], [0, 0.5]],
    ]
)
"""Bases of the lattices on which a pair of spots lies, in terms of the pair."""


def lattice_evidence(model: SpotModel) -> float:
    """Logarithm of the evidence of an unknown crystal over foreign spots.

    A plane lattice of any shape, both of its vectors anywhere within the spots. Some of
    its nodes are absent, others have any structure factor about one, so that their
    intensities fall off as those of all spots do. Integrated over the vectors (Laplace)
    and the share of absent nodes.

    Parameters
    ----------
    model
        Spots and what is assumed of them.

    Returns
    -------
    float
        −inf for fewer than three spots.
    """
    if len(model.g) < 3 or model.explained.all():
        return -np.inf
    g, std, log_power, foreign, explained, scalars = model.arrays
    return float(_best_lattice(g, std, log_power, foreign, explained, scalars, _BASES))


@numba.njit(cache=True, nogil=True)
def _best_lattice(g, std, log_power, foreign, explained, scalars, bases):
    best = -np.inf
    chosen = np.flatnonzero(~explained)[:STRONGEST]
    node = np.empty((len(g), 2))
    used = np.empty(len(g), np.bool_)
    for one in range(len(chosen)):
        for two in range(one + 1, len(chosen)):
            pair = np.ascontiguousarray(np.stack((g[chosen[one]], g[chosen[two]])))
            for k in range(len(bases)):
                start = np.ascontiguousarray(bases[k]) @ pair
                basis, determinant = _fitted(start, g, std, node, used, scalars[2])
                if determinant <= 0:
                    continue
                value = _positions(basis, g, std, foreign, explained, node, used)
                value -= 2 * np.log(np.pi * scalars[2] ** 2) - np.log(24.0)
                if value + 5 * len(g) > best:
                    value += _intensities(basis, g, log_power, explained, node, used,
                                          scalars)  # fmt: skip
                best = max(best, value)
    return best


@numba.njit(cache=True, nogil=True)
def _fitted(basis, g, std, node, used, furthest):
    """Basis by least squares with the spots near its nodes; 0 second if it is none."""
    for _ in range(2):
        area = abs(basis[0, 0] * basis[1, 1] - basis[0, 1] * basis[1, 0])
        size = np.sqrt((basis[0] ** 2).sum() * (basis[1] ** 2).sum())
        if area < 0.2 * size or np.pi * furthest**2 / area > MOST_NODES:
            return basis, 0.0
        inverse = np.linalg.inv(basis)
        normal, right = 1e-9 * np.eye(2), np.zeros((2, 2))
        for i in range(len(g)):
            node[i] = np.rint(g[i] @ inverse)
            away = g[i] - node[i] @ basis
            square = std[i] ** 2 + ERRORS[1] ** 2 * (g[i] ** 2).sum()
            used[i] = (away**2).sum() < REACH_OF_ERROR**2 * square and node[i].any()
            if used[i]:
                normal += np.outer(node[i], node[i]) / square
                right += np.outer(node[i], g[i]) / square
        if used.sum() < 3:
            return basis, 0.0
        basis = np.ascontiguousarray(np.linalg.solve(normal, right))
    return basis, np.linalg.det(normal)


@numba.njit(cache=True, nogil=True)
def _positions(basis, g, std, foreign, explained, node, used):
    """Evidence of the places of the spots, integrated over both vectors."""
    evidence = -np.inf
    for k in range(len(ERRORS)):
        total, normal = 0.0, 1e-9 * np.eye(2)
        for i in range(len(g)):
            if used[i] and not explained[i]:
                away = ((g[i] - node[i] @ basis) ** 2).sum()
                square = std[i] ** 2 + ERRORS[k] ** 2 * (g[i] ** 2).sum()
                total += foreign[i] - np.log(2 * np.pi * square) - 0.5 * away / square
                normal += np.outer(node[i], node[i]) / square
        determinant = np.linalg.det(normal)
        if determinant > 0:
            total += ERROR_PRIOR[k] + 2 * np.log(2 * np.pi) - np.log(determinant)
            evidence = np.logaddexp(evidence, total)
    return evidence


@numba.njit(cache=True, nogil=True)
def _intensities(basis, g, log_power, explained, node, used, scalars):
    """Evidence of intensities of seen nodes and of the lack of others."""
    own = used & ~explained
    fitted = envelope(log_power[own], g[own], scalars[0], True, BROADER)
    reach = scalars[2]
    inverse = np.linalg.inv(basis)
    a = int(reach * np.sqrt((inverse[:, 0] ** 2).sum())) + 1
    b = int(reach * np.sqrt((inverse[:, 1] ** 2).sum())) + 1
    taken = np.zeros((2 * a + 1, 2 * b + 1), np.bool_)
    seen = 0.0
    for i in range(len(g)):
        u, v = int(node[i, 0]), int(node[i, 1])
        if used[i] and abs(u) <= a and abs(v) <= b:
            taken[a + u, b + v] = taken[a - u, b - v] = True
        if own[i]:
            away = log_power[i] - envelope_terms(g[i]) @ fitted
            seen += log_intensity(away, log_power[i], BROADER)
    totals = np.full(len(ABSENT_SHARES), seen)
    for k in range(len(ABSENT_SHARES)):
        totals[k] += own.sum() * np.log(1 - ABSENT_SHARES[k])
    for u in range(0, a + 1):
        for v in range(-b, b + 1):
            if taken[a + u, b + v] or (u == 0 and v <= 0):
                continue
            place = u * basis[0] + v * basis[1]
            square = (place**2).sum()
            if square > reach**2 or square < scalars[1] ** 2:
                continue
            strength = (envelope_terms(place) @ fitted - THRESHOLD) / BROADER
            hidden = np.exp(-softplus(strength))
            for k in range(len(ABSENT_SHARES)):
                share = ABSENT_SHARES[k]
                totals[k] += np.log(share + (1 - share) * hidden)
    return np.log(np.exp(totals - totals.max()).mean()) + totals.max()
