# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Which zone of a crystal do these spots belong to, and how is it turned?

Two observed spots and two reflections of a zone give a linear map L from the
crystal's plane to the image, g = L p. It holds the in-plane rotation, the scale
error of the image and its distortion. Every such pair within reach of the prior is
a hypothesis; the best of each zone are refined on all spots by least squares, with
the prior of the distortion, and weighed by their evidence: the likelihood of all
spots that are seen and of all reflections that are not (:mod:`.evidence`),
integrated over L in the Laplace approximation.
"""

from dataclasses import dataclass

import numba
import numpy as np
import numpy.typing as npt

from hyperspy_t2t.phases.distortion import DistortionPrior
from hyperspy_t2t.phases.evidence import (
    ERROR_PRIOR,
    ERRORS,
    REACH_OF_ERROR,
    VIOLATED,
    SpotModel,
    intensity_evidence,
    log_any,
    log_share,
)
from hyperspy_t2t.phases.zone_patterns import ZonePatterns

Array = npt.NDArray[np.float64]
KEPT = 3
"""Hypotheses of a zone that are refined."""
STRONGEST = 7
"""Spots whose pairs propose hypotheses."""
FEWEST = 3
"""Spots a hypothesis must explain: a linear map fits any two."""
NARROW = 0.01
"""Standard deviation of a distortion so well known that two spots are enough."""
ABSENT = -2
"""Instead of a reflection: a node of the lattice where the structure factor is zero."""
_ROUGH = 0.01
"""Relative error of g of a map that two spots give."""
_TOO_FAINT = 0.003
"""Reflections below this share of the strongest power propose nothing."""


@dataclass(frozen=True, eq=False)
class ZoneMatch:
    """The best hypothesis of one zone.

    Parameters
    ----------
    zone
        Row of the zone patterns.
    inverse, rotation
        L = E R: the symmetric E = D⁻¹ (2, 2), and the angle of R in radians.
    node
        Integers of each spot on the zone's basis, shape (n, 2).
    matched
        Whether each spot is a reflection of the pattern, shape (n,).
    evidence
        Logarithm of the evidence over that of foreign spots, of the intensities and
        positions and of the prior of the distortion, without priors of phase and zone.
    covariance
        Of (ε, a, b), prior included, shape (3, 3).
    seen
        Share of the strength of the expected reflections that is seen.
    residual
        Root mean square distance of the matched spots in 1/nm.
    """

    zone: int
    inverse: Array
    rotation: float
    node: npt.NDArray[np.int64]
    matched: npt.NDArray[np.bool_]
    evidence: float
    covariance: Array
    seen: float
    residual: float

    @property
    def distortion(self) -> Array:
        """D, shape (2, 2)."""
        return np.linalg.inv(self.inverse)

    @property
    def linear_map(self) -> Array:
        """L, shape (2, 2)."""
        cosine, sine = np.cos(self.rotation), np.sin(self.rotation)
        return self.inverse @ np.array([[cosine, -sine], [sine, cosine]])


def match_phase(
    model: SpotModel, patterns: ZonePatterns, prior: DistortionPrior
) -> list[ZoneMatch]:
    """Best hypothesis of each zone of a phase that some pair of spots proposes.

    Parameters
    ----------
    model
        The spots and what is assumed of them.
    patterns
        Zones of the phase.
    prior
        Of the distortion.
    """
    if len(model.g) < 2 or not len(patterns):
        return []
    tables = (
        patterns.basis, patterns.start, patterns.node, patterns.p, patterns.power,
        patterns.half, patterns.lookup, patterns.lookup_start,
    )  # fmt: skip
    maps, quick = _propose(*model.arrays, *tables, prior.array)
    best: dict[int, ZoneMatch] = {}
    for zone, rank in zip(*np.nonzero(np.isfinite(quick)), strict=True):
        match = _refined(model, patterns, int(zone), maps[zone, rank], prior)
        if match and match.evidence > getattr(best.get(match.zone), "evidence", -1e9):
            best[match.zone] = match
    return list(best.values())


def _refined(
    model: SpotModel,
    patterns: ZonePatterns,
    zone: int,
    start: Array,
    prior: DistortionPrior,
) -> ZoneMatch | None:
    part = slice(patterns.start[zone], patterns.start[zone + 1])
    table = (
        patterns.basis[zone], patterns.p[part], patterns.power[part],
        patterns.half[zone], patterns.start[zone],
        patterns.lookup[patterns.lookup_start[zone] : patterns.lookup_start[zone + 1]],
    )  # fmt: skip
    found, inverse, rotation, node, matched, evidence, covariance, seen, residual = (
        _refine(start, *model.arrays, *table, prior.array)
    )
    if not found:
        return None
    return ZoneMatch(
        zone, inverse, rotation, node, matched, evidence, covariance, seen, residual
    )


@numba.njit(cache=True, nogil=True)
def _assign(
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
def _project(linear_map, p, shortest, own_row, expected):
    """Fills in where the reflections are in the image; marks those that may be hidden."""
    for j in range(len(p)):
        for r in range(2):
            expected[j, r] = linear_map[r, 0] * p[j, 0] + linear_map[r, 1] * p[j, 1]
        if own_row[j] == -1 and (expected[j] ** 2).sum() < shortest**2:
            own_row[j] = -2


@numba.njit(cache=True, nogil=True)
def _position_evidence(g, std, foreign, explained, row, away, relative):
    """Σ ln of the Gaussian densities of matched spots over foreign ones."""
    total = 0.0
    for i in range(len(row)):
        if row[i] >= 0 and not explained[i]:
            square = std[i] ** 2 + relative**2 * (g[i, 0] ** 2 + g[i, 1] ** 2)
            total += foreign[i] - np.log(2 * np.pi * square) - 0.5 * away[i] / square
    return total


@numba.njit(cache=True, nogil=True)
def _absent_evidence(
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
def _allowed(linear_map, prior):
    """Whether the scale and distortion of a map are within the limits."""
    a, b, c, d = (linear_map[0, 0], linear_map[0, 1], linear_map[1, 0],
                  linear_map[1, 1])  # fmt: skip
    determinant = a * d - b * c
    if determinant <= 0:
        return False
    scale = determinant**-0.5
    if abs(scale - 1 - prior[0, 0]) > prior[2, 0]:
        return False
    # L Lᵀ = D⁻²: its deviator is −2 (a, b) over the square of the scale.
    xx, yy, xy = a * a + b * b, c * c + d * d, a * c + b * d
    first = -0.5 * (xx - yy) / (xx + yy)
    second = -xy / (xx + yy)
    away = ((first - prior[0, 1]) / prior[2, 1]) ** 2
    return away + ((second - prior[0, 2]) / prior[2, 2]) ** 2 <= 1


@numba.njit(cache=True, nogil=True)
def _propose(
    g, std, log_power, foreign, explained, scalars,
    basis, start, node, p, power, half, lookup, lookup_start, prior,
):  # fmt: skip
    """Maps (z, KEPT, 2, 2) that pairs of spots give, and their quick evidence."""
    zones = len(start) - 1
    maps = np.zeros((zones, KEPT, 2, 2))
    quick = np.full((zones, KEPT), -np.inf)
    n = len(g)
    row, nodes = np.empty(n, np.int64), np.empty((n, 2), np.int64)
    away = np.empty(n)
    largest = (start[1:] - start[:-1]).max()
    own, expected = np.empty(largest, np.int64), np.empty((largest, 2))
    chosen = np.flatnonzero(~explained)[:STRONGEST]
    trial = np.empty((2, 2))
    slack = prior[2, 0] + prior[2, 1]
    for z in range(zones):
        first, last = start[z], start[z + 1]
        pz, fz = p[first:last], power[first:last]
        table = lookup[lookup_start[z] : lookup_start[z + 1]]
        lengths = np.sqrt(pz[:, 0] ** 2 + pz[:, 1] ** 2)
        for one in range(len(chosen)):
            for two in range(one + 1, len(chosen)):
                ga, gb = g[chosen[one]], g[chosen[two]]
                la, lb = np.hypot(ga[0], ga[1]), np.hypot(gb[0], gb[1])
                cross = ga[0] * gb[1] - ga[1] * gb[0]
                if abs(cross) < 0.25 * la * lb:
                    continue
                for i in range(len(pz)):
                    if abs(la / max(lengths[i], 1e-9) * (1 + prior[0, 0]) - 1) > slack:
                        continue
                    if max(fz[i, 0], fz[i, 1]) < _TOO_FAINT:
                        continue
                    for j in range(len(pz)):
                        if (
                            abs(lb / max(lengths[j], 1e-9) * (1 + prior[0, 0]) - 1)
                            > slack
                        ):
                            continue
                        if max(fz[j, 0], fz[j, 1]) < _TOO_FAINT:
                            continue
                        area = pz[i, 0] * pz[j, 1] - pz[i, 1] * pz[j, 0]
                        if area == 0:
                            continue
                        # −L is L turned by half a turn, the same pattern.
                        sign = 1.0 if area * cross > 0 else -1.0
                        for r in range(2):
                            trial[r, 0] = (
                                ga[r] * sign * pz[j, 1] - gb[r] * pz[i, 1]
                            ) / (sign * area)
                            trial[r, 1] = (
                                gb[r] * pz[i, 0] - ga[r] * sign * pz[j, 0]
                            ) / (sign * area)
                        if not _allowed(trial, prior):
                            continue
                        count = _assign(
                            trial, g, std, explained, _ROUGH, basis[z], half[z], first,
                            table, row, nodes, own[: last - first], away,
                        )  # fmt: skip
                        if count < 2:
                            continue
                        value = _quick_evidence(
                            trial, g, std, log_power, foreign, explained, scalars,
                            basis[z], pz, fz, row, own[: last - first], away, expected,
                        )  # fmt: skip
                        _keep(maps[z], quick[z], trial, value)
    return maps, quick


@numba.njit(cache=True, nogil=True)
def _quick_evidence(
    linear_map, g, std, log_power, foreign, explained, scalars, basis, p, power, row,
    own, away, expected,
):  # fmt: skip
    """Evidence at one error and without refinement, of the better kind of contrast."""
    _project(linear_map, p, scalars[1], own, expected)
    best = -np.inf
    absent = _absent_nodes(linear_map, basis, expected[: len(p)], scalars[2])
    for mode in range(2):
        value = intensity_evidence(
            log_power, explained, row, own, power[:, mode], expected[: len(p)],
            scalars[0], False,
        )[0]  # fmt: skip
        best = max(best, value)
    best += _absent_evidence(g, std, log_power, foreign, explained, row, away, _ROUGH,
                             absent)  # fmt: skip
    return best + _position_evidence(g, std, foreign, explained, row, away, _ROUGH)


@numba.njit(cache=True, nogil=True)
def _keep(maps, quick, trial, value):
    """Put a map in its place among the best that differ by more than two per cent."""
    size = np.abs(trial).max()
    for k in range(KEPT):
        alike = np.abs(maps[k] - trial).max() < 0.02 * size
        opposite = np.abs(maps[k] + trial).max() < 0.02 * size
        if np.isfinite(quick[k]) and (alike or opposite):
            if value > quick[k]:
                quick[k] = value
                maps[k] = trial
            return
    k = np.argmin(quick)
    if value > quick[k]:
        quick[k] = value
        maps[k] = trial


@numba.njit(cache=True, nogil=True)
def _refine(
    start, g, std, log_power, foreign, explained, scalars,
    basis, p, power, half, first, lookup, prior,
):  # fmt: skip
    """Least squares of E and the angle with the prior, and the evidence; see ZoneMatch."""
    n = len(g)
    row, node = np.full(n, -1), np.zeros((n, 2), np.int64)
    own, away = np.empty(len(p), np.int64), np.empty(n)
    expected = np.empty((len(p), 2))
    inverse, rotation = _polar(start)
    current = start.copy()
    hessian = np.eye(4)
    count = 0
    for relative in (_ROUGH, 0.006, 0.006):
        count = _assign(current, g, std, explained, relative, basis, half, first,
                        lookup, row, node, own, away)  # fmt: skip
        if count < 2:
            break
        inverse, rotation = _least_squares(
            g, std, explained, row, p, 0.003, inverse, rotation, prior, hessian
        )
        current = inverse @ _turn(rotation)
    count = _assign(current, g, std, explained, _ROUGH, basis, half, first, lookup,
                    row, node, own, away)  # fmt: skip
    covariance = np.eye(3)
    matched = row != -1
    fewest = 2 if prior[1].max() < NARROW else FEWEST
    if count < fewest or not _allowed(current, prior):
        return (False, inverse, rotation, node, matched, -np.inf, covariance, 0.0, 0.0)
    _project(current, p, scalars[1], own, expected)
    absent = _absent_nodes(current, basis, expected, scalars[2])
    intensity, seen = _best_contrast(log_power, explained, row, own, power, expected,
                                     scalars[0])  # fmt: skip
    evidence, likeliest, best = -np.inf, 0, -np.inf
    for k in range(len(ERRORS)):
        _normal_matrix(g, std, explained, row, p, ERRORS[k], inverse, rotation, prior,
                       hessian)  # fmt: skip
        value = (
            _position_evidence(g, std, foreign, explained, row, away, ERRORS[k])
            + _absent_evidence(
                g, std, log_power, foreign, explained, row, away, ERRORS[k], absent
            )
            + ERROR_PRIOR[k]
            + 2 * np.log(2 * np.pi)
            - 0.5 * np.log(np.linalg.det(hessian))
        )
        if value > best:
            best, likeliest = value, k
        evidence = np.logaddexp(evidence, value)
    _normal_matrix(g, std, explained, row, p, ERRORS[likeliest], inverse, rotation,
                   prior, hessian)  # fmt: skip
    covariance = _distortion_covariance(np.linalg.inv(hessian), inverse)
    evidence += intensity + _log_prior(inverse, prior)
    total = used = 0.0
    for i in range(n):
        if matched[i]:
            total += away[i]
            used += 1
    return (True, inverse, rotation, node, matched, evidence, covariance, seen,
            np.sqrt(total / used))  # fmt: skip


@numba.njit(cache=True, nogil=True)
def _absent_nodes(linear_map, basis, expected, furthest):
    """Number of nodes without a reflection, one of each Friedel pair, up to |g|."""
    area = abs(np.linalg.det(basis) * np.linalg.det(linear_map))
    nodes = 0.5 * np.pi * furthest**2 / area
    return max(nodes - ((expected**2).sum(axis=1) <= furthest**2).sum(), 0.0)


@numba.njit(cache=True, nogil=True)
def _best_contrast(log_power, explained, row, own, power, expected, falloff):
    """ln of the mean over both kinds of contrast; share seen by the better one."""
    one = intensity_evidence(log_power, explained, row, own, power[:, 0], expected,
                             falloff, True)  # fmt: skip
    two = intensity_evidence(log_power, explained, row, own, power[:, 1], expected,
                             falloff, True)  # fmt: skip
    seen = one[1] if one[0] > two[0] else two[1]
    return np.logaddexp(one[0], two[0]) - np.log(2.0), seen


@numba.njit(cache=True, nogil=True)
def _turn(angle):
    cosine, sine = np.cos(angle), np.sin(angle)
    return np.array([[cosine, -sine], [sine, cosine]])


@numba.njit(cache=True, nogil=True)
def _polar(linear_map):
    """Symmetric E and angle of R with L = E R."""
    angle = np.arctan2(linear_map[1, 0] - linear_map[0, 1],
                       linear_map[0, 0] + linear_map[1, 1])  # fmt: skip
    product = linear_map @ _turn(-angle)
    return 0.5 * (product + product.T), angle


@numba.njit(cache=True, nogil=True)
def _distortion_of(inverse):
    """(ε, a, b) of D = E⁻¹."""
    scale = 1 / np.sqrt(inverse[0, 0] * inverse[1, 1] - inverse[0, 1] ** 2)
    return np.array([
        scale - 1,
        0.5 * (inverse[1, 1] - inverse[0, 0]) * scale,
        -inverse[0, 1] * scale,
    ])  # fmt: skip


@numba.njit(cache=True, nogil=True)
def _distortion_slope(inverse):
    """∂(ε, a, b)/∂(E11, E22, E12), shape (3, 3)."""
    slope = np.empty((3, 3))
    for k in range(3):
        step = np.zeros((2, 2))
        if k < 2:
            step[k, k] = 1e-6
        else:
            step[0, 1] = step[1, 0] = 1e-6
        slope[:, k] = (
            _distortion_of(inverse + step) - _distortion_of(inverse - step)
        ) / 2e-6
    return slope


@numba.njit(cache=True, nogil=True)
def _log_prior(inverse, prior):
    """ln of the density of (angle, E11, E22, E12): half a turn of angles is all."""
    away = (_distortion_of(inverse) - prior[0]) / prior[1]
    density = -0.5 * (away**2).sum() - np.log(prior[1].prod()) - 1.5 * np.log(2 * np.pi)
    jacobian = abs(np.linalg.det(_distortion_slope(inverse)))
    return density + np.log(jacobian) - np.log(np.pi)


@numba.njit(cache=True, nogil=True)
def _normal_matrix(
    g, std, explained, row, p, relative, inverse, rotation, prior, hessian
):
    """Fills the Hessian of (angle, E11, E22, E12); returns the gradient."""
    gradient = np.zeros(4)
    hessian[:] = 0.0
    turn = _turn(rotation)
    jacobian = np.empty((2, 4))
    for i in range(len(g)):
        if row[i] < 0 or explained[i]:
            continue
        x, y = turn @ p[row[i]]
        # The nearer of the reflection and its Friedel partner.
        sx = inverse[0, 0] * x + inverse[0, 1] * y
        sy = inverse[1, 0] * x + inverse[1, 1] * y
        if sx * g[i, 0] + sy * g[i, 1] < 0:
            x, y, sx, sy = -x, -y, -sx, -sy
        jacobian[0, 0] = -inverse[0, 0] * y + inverse[0, 1] * x
        jacobian[1, 0] = -inverse[1, 0] * y + inverse[1, 1] * x
        jacobian[0, 1], jacobian[0, 2], jacobian[0, 3] = x, 0.0, y
        jacobian[1, 1], jacobian[1, 2], jacobian[1, 3] = 0.0, y, x
        weight = 1 / (std[i] ** 2 + relative**2 * (g[i, 0] ** 2 + g[i, 1] ** 2))
        hessian += weight * (jacobian.T @ jacobian)
        gradient += weight * (jacobian.T @ np.array([g[i, 0] - sx, g[i, 1] - sy]))
    slope = _distortion_slope(inverse)
    away = _distortion_of(inverse) - prior[0]
    tight = 1 / prior[1] ** 2
    for r in range(3):
        for c in range(3):
            for k in range(3):
                hessian[1 + r, 1 + c] += slope[k, r] * tight[k] * slope[k, c]
        for k in range(3):
            gradient[1 + r] -= slope[k, r] * tight[k] * away[k]
    return gradient


@numba.njit(cache=True, nogil=True)
def _least_squares(
    g, std, explained, row, p, relative, inverse, rotation, prior, hessian
):
    """E and angle of the largest posterior by Gauss–Newton steps."""
    for _ in range(4):
        gradient = _normal_matrix(g, std, explained, row, p, relative, inverse,
                                  rotation, prior, hessian)  # fmt: skip
        step = np.linalg.solve(hessian, gradient)
        rotation += step[0]
        inverse = inverse + np.array([[step[1], step[3]], [step[3], step[2]]])
        if np.abs(step).max() < 1e-7:
            break
    return inverse, rotation


@numba.njit(cache=True, nogil=True)
def _distortion_covariance(covariance, inverse):
    """Covariance of (ε, a, b) from that of (angle, E11, E22, E12)."""
    slope = _distortion_slope(inverse)
    return slope @ np.ascontiguousarray(covariance[1:, 1:]) @ slope.T
