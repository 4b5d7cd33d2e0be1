# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Least squares with correlated noise at every place of a grid, compiled.

Of each place the n weights are gathered, what they say solved for, and used at once:
arrays as large as the fringes are read, none is made.
"""

import numba
import numpy as np

from hyperspy_t2t.array_types import Array
from hyperspy_t2t.strain.row_noise import RowErrors

_OF_X, _OF_Y = (0, 2, 7), (4, 6, 9)
"""Terms of the covariance of β between slopes along x, and between those along y."""


def least_squares_solver(
    g_vectors: Array, weight: Array, correlation: Array | None = None
) -> Array:
    """(Gᵀ W G)⁻¹ Gᵀ W at every place, shape (2, n, ny, nx).

    With the correlation R of the noise W = √w R⁻¹ √w, R without the rows and columns
    of those g whose weight is zero: they say nothing of the noise of others.

    Parameters
    ----------
    g_vectors
        In 1/nm, shape (n, 2).
    weight
        w, shape (n, ny, nx), not negative; where none is positive the result is NaN.
    correlation
        R, shape (n, n), by default none.
    """
    count = len(weight)
    result = np.empty((2, count, weight[0].size))
    _solvers(
        np.ascontiguousarray(g_vectors, float),
        np.ascontiguousarray(weight, float).reshape(count, -1),
        _correlation(correlation, count),
        result,
    )
    return result.reshape(2, *weight.shape)


def fitted_gradient(
    lattice: Array,
    change: Array,
    weight: Array,
    slope: Array,
    gradient: Array,
    sigma: float,
    correlation: Array | None = None,
    rows: RowErrors | None = None,
) -> tuple[Array, Array]:
    """β = −(Σ w g gᵀ)⁻¹ Σ w g sᵀ / 2π at every place, and its covariance by noise.

    Parameters
    ----------
    lattice
        g of the reference in 1/nm, shape (n, 2).
    change
        2π times these less those that were measured in rad/nm, shape (n, 2).
    weight
        |z|²/ν of the phases, shape (n, ny, nx).
    slope
        ∇ arg z as measured in rad/nm, shape (n, 2, ny, nx).
    gradient
        A first β, which says how noise draws the slopes, shape (2, 2, ny, nx); of two g
        it is the result.
    sigma
        Standard deviation of the average in nm.
    correlation
        Of the noise of the phases, shape (n, n), by default none: with R the weights
        become √w_k (R⁻¹)_kl √w_l.
    rows
        What rows off their places add: to the covariance, and to the variance 1/w of a
        phase as far as it isn't that of a displacement of all fringes.

    Returns
    -------
    gradient, covariance
        β, shape (2, 2, ny, nx); of its components 00, 01, 10 and 11 the upper triangle
        of their covariance, line by line, shape (10, ny, nx).
    """
    count = len(lattice)
    result, covariance = np.empty(gradient.shape), np.empty((10, *gradient.shape[2:]))
    _gradients(
        np.ascontiguousarray(lattice),
        np.ascontiguousarray(change),
        weight.reshape(count, -1),
        slope.reshape(count, 2, -1),
        gradient.reshape(4, -1),
        float(sigma),
        _correlation(correlation, count),
        *(RowErrors(np.zeros((2, 0, 0)), np.zeros(count)) if rows is None else rows),
        result.reshape(4, -1),
        covariance.reshape(10, -1),
    )
    return result, covariance


def displacement_correction(
    lattice: Array,
    weight: Array,
    phase: Array,
    displacement: Array,
    correlation: Array | None = None,
) -> Array:
    """What the third and further g add to the u of the first two, shape (2, ny, nx).

    Their phases differ from −2π g·u by little, and need no unwrapping. Where one
    differs by more than π/2, at a fault or by noise, it is left out.

    Parameters
    ----------
    lattice, weight, correlation
        As for :func:`fitted_gradient`.
    phase
        Of the third and further fringes, without those of the reference, in rad, known
        up to multiples of 2π, shape (n − 2, ny, nx).
    displacement
        u of the first two g in nm, shape (2, ny, nx).
    """
    count = len(lattice)
    result = np.empty(displacement.shape)
    _displacements(
        np.ascontiguousarray(lattice),
        weight.reshape(count, -1),
        phase.reshape(count - 2, -1),
        displacement.reshape(2, -1),
        _correlation(correlation, count),
        result.reshape(2, -1),
    )
    return result


def _correlation(given: Array | None, count: int) -> Array:
    return np.eye(count) if given is None else np.ascontiguousarray(given, float)


_compiled = numba.njit(
    cache=True, nogil=True, error_model="numpy", fastmath={"contract", "reassoc"}
)


@_compiled
def _solvers(lattice, weight, correlation, result):  # pragma: no cover - compiled
    count, places = weight.shape
    root, solver = np.zeros(count), np.zeros((2, count))
    memory = _memory(count)
    for place in range(places):
        for k in range(count):
            root[k] = np.sqrt(weight[k, place])
        _solved(lattice, root, correlation, memory, solver)
        for k in range(count):
            result[0, k, place], result[1, k, place] = solver[0, k], solver[1, k]


@_compiled
def _roots(weight, beyond, expected, sigma, place, root):  # pragma: no cover - compiled
    """Square roots of the weights of the slopes of all fringes at one place."""
    for k in range(len(root)):
        spread = 1 + sigma**2 * (expected[0, k] ** 2 + expected[1, k] ** 2)
        one = weight[k, place]
        root[k] = np.sqrt(one / (1 + one * beyond[k]) / spread)


@_compiled
def _of_rows(solver, of_rows, result):  # pragma: no cover - compiled
    """Covariance xx, xy, yy of ∂u/∂x and ∂u/∂y by the rows, into `result` (2, 3)."""
    result[:] = 0.0
    for k in range(of_rows.shape[1]):
        for other in range(of_rows.shape[2]):
            for j in range(2):
                related = of_rows[j, k, other] / (4 * np.pi**2)
                result[j, 0] += solver[0, k] * related * solver[0, other]
                result[j, 1] += solver[0, k] * related * solver[1, other]
                result[j, 2] += solver[1, k] * related * solver[1, other]


@_compiled
def _gradients(
    lattice,
    change,
    weight,
    slope,
    first,
    sigma,
    correlation,
    of_rows,
    beyond,
    gradient,
    covariance,
):  # pragma: no cover - compiled
    count, places = weight.shape
    root, solver = np.zeros(count), np.zeros((2, count))
    expected, beta = np.zeros((2, count)), np.zeros(4)
    by_rows = np.zeros((2, 3))
    memory = _memory(count)
    for place in range(places):
        for n in range(4):
            beta[n] = first[n, place]
        if count > 2:
            _expect(lattice, change, beta, expected)
            _roots(weight, beyond, expected, sigma, place, root)
            _solved(lattice, root, correlation, memory, solver)
            for i in range(2):
                for j in range(2):
                    total = 0.0
                    for k in range(count):
                        total += solver[i, k] * (slope[k, j, place] - change[k, j])
                    beta[2 * i + j] = -total / (2 * np.pi)
        for n in range(4):
            gradient[n, place] = beta[n]
        _expect(lattice, change, beta, expected)
        _roots(weight, beyond, expected, sigma, place, root)
        _solved(lattice, root, correlation, memory, solver)
        _of_rows(solver, of_rows, by_rows)
        for k in range(count):
            one = weight[k, place]
            scale = 1 / (2 * np.pi * np.sqrt(one)) if one > 0 else 0.0
            solver[0, k] *= scale
            solver[1, k] *= scale
        _propagate(solver, correlation, expected, sigma, memory, covariance, place)
        # Of β[0, j] and β[1, j].
        for term in range(3):
            covariance[_OF_X[term], place] += by_rows[0, term]
            covariance[_OF_Y[term], place] += by_rows[1, term]


@_compiled
def _expect(lattice, change, beta, expected):  # pragma: no cover - compiled
    """∇ arg z = change − 2π βᵀg of each fringe into `expected`, shape (2, n)."""
    for k in range(len(lattice)):
        for j in range(2):
            along = lattice[k, 0] * beta[j] + lattice[k, 1] * beta[2 + j]
            expected[j, k] = change[k, j] - 2 * np.pi * along


@_compiled
def _propagate(
    solver, correlation, slope, sigma, memory, covariance, place
):  # pragma: no cover - compiled
    """Covariance of β from that of the slopes, (I/(2σ²) + s sᵀ) ν/(2|z|²)."""
    count, related = solver.shape[1], memory[2]
    for k in range(count):
        related[0, k] = related[1, k] = 0.0
        for other in range(count):
            related[0, k] += correlation[k, other] * solver[0, other]
            related[1, k] += correlation[k, other] * solver[1, other]
    term = 0
    for first in range(4):
        for second in range(first, 4):
            i, j, m, n = first // 2, first % 2, second // 2, second % 2
            along = common = 0.0
            for k in range(count):
                along += solver[i, k] * solver[m, k] * slope[j, k] * slope[n, k]
            if j == n:
                for k in range(count):
                    common += solver[i, k] * related[m, k]
            covariance[term, place] = common / (4 * sigma**2) + 0.5 * along
            term += 1


@_compiled
def _displacements(
    lattice, weight, phase, displacement, correlation, result
):  # pragma: no cover - compiled
    count, places = weight.shape
    root, residual = np.zeros(count), np.zeros(count)
    solver = np.zeros((2, count))
    memory = _memory(count)
    for place in range(places):
        # The unwrapped phases of the first two are u, whatever its origin.
        for k in range(count):
            root[k] = np.sqrt(weight[k, place])
        for k in range(2, count):
            along = lattice[k, 0] * displacement[0, place]
            along += lattice[k, 1] * displacement[1, place]
            turns = phase[k - 2, place] / (2 * np.pi) + along
            residual[k] = turns - np.rint(turns)
            if not abs(residual[k]) < 0.25:
                root[k] = residual[k] = 0.0
        _solved(lattice, root, correlation, memory, solver)
        for i in range(2):
            total = 0.0
            for k in range(count):
                total += solver[i, k] * residual[k]
            result[i, place] = -total


@_compiled
def _memory(count):  # pragma: no cover - compiled
    """Which fringes were used at the place before, the inverse of their R, and more."""
    inverse, factor = np.zeros((count, count)), np.zeros((count, count))
    return np.full(count, -1, np.int64), inverse, np.zeros((4, count)), factor


@_compiled
def _solved(lattice, root, correlation, memory, solver):  # pragma: no cover - compiled
    """(Gᵀ W G)⁻¹ Gᵀ W of one place into `solver`, shape (2, n), from √w."""
    used, inverse, vector, factor = memory
    count = len(root)
    same, some = True, False
    for k in range(count):
        now = 1 if root[k] > 0 else 0
        some = some or now == 1
        if now != used[k]:
            same = False
            used[k] = now
    if not some:
        for k in range(count):
            solver[0, k] = solver[1, k] = np.nan
        return
    if not same:
        _inverted(correlation, used, factor, inverse)
    for k in range(count):
        vector[0, k], vector[1, k] = root[k] * lattice[k, 0], root[k] * lattice[k, 1]
    xx = xy = yy = 0.0
    for k in range(count):
        x = y = 0.0
        for other in range(count):
            x += inverse[k, other] * vector[0, other]
            y += inverse[k, other] * vector[1, other]
        vector[2, k], vector[3, k] = x, y
        xx += vector[0, k] * x
        xy += vector[0, k] * y
        yy += vector[1, k] * y
    determinant = xx * yy - xy * xy
    for k in range(count):
        scale = root[k] / determinant
        solver[0, k] = scale * (yy * vector[2, k] - xy * vector[3, k])
        solver[1, k] = scale * (xx * vector[3, k] - xy * vector[2, k])


@_compiled
def _inverted(correlation, used, factor, inverse):  # pragma: no cover - compiled
    """R⁻¹ of the fringes in use, zero elsewhere, by the Cholesky factor L of R."""
    count = len(used)
    for i in range(count):
        for j in range(count):
            inverse[i, j] = 0.0
        for j in range(i + 1):
            total = correlation[i, j] if used[i] == 1 and used[j] == 1 else 0.0
            total = 1.0 if i == j and used[i] == 0 else total
            for m in range(j):
                total -= factor[i, m] * factor[j, m]
            if i == j:
                factor[i, i] = np.sqrt(max(total, 1e-6))
            else:
                factor[i, j] = total / factor[j, j]
    for column in range(count):
        if used[column] == 0:
            continue
        for i in range(column, count):
            total = 1.0 if i == column else 0.0
            for j in range(column, i):
                total -= factor[i, j] * inverse[j, column]
            inverse[i, column] = total / factor[i, i]
        for i in range(count - 1, -1, -1):
            total = inverse[i, column]
            for j in range(i + 1, count):
                total -= factor[j, i] * inverse[j, column]
            inverse[i, column] = total / factor[i, i]
    for k in range(count):
        if used[k] == 0:
            for other in range(count):
                inverse[k, other] = 0.0
