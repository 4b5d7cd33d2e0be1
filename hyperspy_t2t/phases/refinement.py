# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""The best map of a zone's plane to the image near a proposal, and its evidence."""

import numba
import numpy as np

from hyperspy_t2t.phases.assignment import (
    absent_evidence,
    absent_nodes,
    assign,
    position_evidence,
    project,
)
from hyperspy_t2t.phases.evidence import ERROR_PRIOR, ERRORS, intensity_evidence

ROUGH = 0.01
"""Relative error of g of a map that two spots give."""
FEWEST = 3
"""Spots a hypothesis must explain: a linear map fits any two."""
NARROW = 0.01
"""Standard deviation of a distortion so well known that two spots are enough."""
_USUAL = 0.003
"""Relative error of g that weights spots of different standard errors."""
_STEPS = (ROUGH, 0.006, 0.006)
"""Relative errors within which spots are assigned, one refinement after another."""


@numba.njit(cache=True, nogil=True)
def refine(
    start, g, std, log_power, foreign, explained, scalars,
    basis, p, power, half, first, lookup, prior,
):  # fmt: skip
    """Fit E and the angle of L = E R to spots and prior, and weigh the result.

    Parameters
    ----------
    start
        A map L near the best, (2, 2).
    g, std, log_power, foreign, explained, scalars
        As in ``SpotModel.arrays``.
    basis, p, power, half, first, lookup
        Of one zone, as in ``ZonePatterns``; `first` is its row of ``start``.
    prior
        As in ``DistortionPrior.array``.

    Returns
    -------
    found, inverse, rotation, node, matched, evidence, covariance, seen, residual
        Whether the map is allowed and explains enough spots; the others are fields of
        ``ZoneMatch``.
    """
    row, node = np.full(len(g), -1), np.zeros((len(g), 2), np.int64)
    own, away = np.empty(len(p), np.int64), np.empty(len(g))
    inverse, rotation = _polar(start)
    hessian = np.eye(4)
    for relative in _STEPS:
        count = assign(inverse @ _turn(rotation), g, std, explained, relative, basis,
                       half, first, lookup, row, node, own, away)  # fmt: skip
        if count < 2:
            break
        inverse, rotation = _least_squares(
            g, std, explained, row, p, _USUAL, inverse, rotation, prior, hessian
        )
    current = inverse @ _turn(rotation)
    count = assign(current, g, std, explained, ROUGH, basis, half, first, lookup, row,
                   node, own, away)  # fmt: skip
    matched = row != -1
    fewest = 2 if prior[1].max() < NARROW else FEWEST
    if count < fewest or not allowed(current, prior):
        return (False, inverse, rotation, node, matched, -np.inf, np.eye(3), 0.0, 0.0)
    expected = np.empty((len(p), 2))
    project(current, p, scalars[1], own, expected)
    intensity, seen = best_contrast(log_power, explained, row, own, power, expected,
                                     scalars[0])  # fmt: skip
    absent = absent_nodes(current, basis, expected, scalars[2])
    place = -np.inf
    values = np.empty(len(ERRORS))
    for k in range(len(ERRORS)):
        _normal_matrix(g, std, explained, row, p, ERRORS[k], inverse, rotation, prior,
                       hessian)  # fmt: skip
        values[k] = (
            position_evidence(g, std, foreign, explained, row, away, ERRORS[k])
            + absent_evidence(g, std, log_power, foreign, explained, row, away,
                              ERRORS[k], absent)
            + ERROR_PRIOR[k] + 2 * np.log(2 * np.pi)
            - 0.5 * np.log(np.linalg.det(hessian))
        )  # fmt: skip
        place = np.logaddexp(place, values[k])
    likeliest = np.argmax(values)
    _normal_matrix(g, std, explained, row, p, ERRORS[likeliest], inverse, rotation,
                   prior, hessian)  # fmt: skip
    covariance = _distortion_covariance(np.linalg.inv(hessian), inverse)
    evidence = intensity + place + _log_prior(inverse, prior)
    residual = np.sqrt(away[matched].mean())
    return (True, inverse, rotation, node, matched, evidence, covariance, seen,
            residual)  # fmt: skip


@numba.njit(cache=True, nogil=True)
def best_contrast(log_power, explained, row, own, power, expected, falloff):
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


@numba.njit(cache=True, nogil=True)
def allowed(linear_map, prior):
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
