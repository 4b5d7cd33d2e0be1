# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Where the atoms of a deformed lattice are imaged."""

from collections.abc import Callable

import numpy as np

from hyperspy_t2t.array_types import Array, Bools, Ints

Field = Callable[[Array], Array]
_BLOCK = 1 << 16
_HALVINGS = 8
_TURNED_OVER = 1e-3
"""det(I − ∂u/∂r) below which the lattice counts as folded over."""


def deformed_positions(
    reference: Array,
    displacement: Field,
    gradient: Field,
    *,
    start: Array | None = None,
    tolerance: float = 1e-5,
    iterations: int = 40,
) -> tuple[Array, Bools]:
    """Solve r = R + u(r) by a quasi-Newton method with steps that lead downhill.

    u is known at image positions, so u(R) would place an atom wrongly by u·∇u. A step
    J⁻¹(r − u(r) − R), J = I − ∂u/∂r, that does not shorten the residual is halved, so
    that it does not jump to and fro across a kink of u, and what it changed corrects J
    (Broyden, Math. Comput. 19 (1965) 577, https://doi.org/10.2307/2003941).

    Parameters
    ----------
    reference
        R in nm, shape (n, 2).
    displacement
        u at positions (n, 2) in nm, shape (2, n).
    gradient
        ∂u_i/∂r_j at positions, shape (4, n) in the order xx, xy, yx, yy. It need not
        be exact.
    start
        First guess of r, shape (n, 2); R + u(R) by default.
    tolerance
        Largest residual in nm.
    iterations
        Most steps.

    Returns
    -------
    positions : ndarray
        r in nm, shape (n, 2).
    converged : ndarray
        Whether the residual is below the tolerance and the lattice is not folded over
        there (det J > 0), shape (n,).
    """
    positions = np.empty((len(reference), 2))
    converged = np.empty(len(reference), bool)
    for first in range(0, len(reference), _BLOCK):
        part = slice(first, first + _BLOCK)
        target = np.asarray(reference[part], float)
        if start is None:
            r = target + displacement(target).T
        else:
            r = np.array(start[part], float)
        search = _Search(r, target, displacement, gradient)
        converged[part] = search.run(tolerance, iterations)
        positions[part] = search.r
    return positions, converged


class _Search:
    """Solutions of r − u(r) = R for a block of R, all at once.

    Each has its own estimate of ∂u/∂r: at first what `gradient` says, then corrected
    by what its steps change (Broyden), for across a kink of u, or where the gradient
    is a smooth average, it is another than seen from here.
    """

    def __init__(
        self, start: Array, target: Array, displacement: Field, gradient: Field
    ) -> None:
        self.r, self.target = start, target
        self.displacement, self.gradient = displacement, gradient
        self.residual = self._residual(start, target)
        self.length = np.hypot(*self.residual.T)
        self.slope = np.empty((4, len(start)))
        self.given = np.zeros(len(start), bool)

    def run(self, tolerance: float, iterations: int) -> Bools:
        """Whether each was found; afterwards `r` is where."""
        active = np.flatnonzero(self.length > tolerance)
        self._take_gradient(active)
        for _ in range(iterations):
            if not len(active):
                break
            moved = self._step(active)
            stuck = active[~moved & ~self.given[active]]
            self._take_gradient(stuck)
            self.given[active[moved]] = False
            active = np.union1d(active[moved], stuck)
            active = active[self.length[active] > tolerance]
        found = self.length <= tolerance
        found[found] = _determinant(self.gradient(self.r[found])) > _TURNED_OVER
        return found

    def _residual(self, r: Array, target: Array) -> Array:
        return r - self.displacement(r).T - target

    def _take_gradient(self, rows: Ints) -> None:
        if len(rows):
            self.slope[:, rows] = self.gradient(self.r[rows])
            self.given[rows] = True

    def _step(self, active: Ints) -> Bools:
        """Take the longest of halved steps that shortens each residual, if one does."""
        step = -inverse_steps(self.slope[:, active], self.residual[active])
        moved = np.zeros(len(active), bool)
        left = np.arange(len(active))
        for _ in range(_HALVINGS):
            rows = active[left]
            trial = self.r[rows] + step[left]
            residual = self._residual(trial, self.target[rows])
            length = np.hypot(*residual.T)
            better = length < self.length[rows]
            self._correct(rows, step[left], residual)
            rows = rows[better]
            self.r[rows], self.length[rows] = trial[better], length[better]
            self.residual[rows] = residual[better]
            moved[left[better]] = True
            left = left[~better]
            if not len(left):
                break
            step = 0.5 * step
        return moved

    def _correct(self, rows: Ints, step: Array, residual: Array) -> None:
        """Let ∂u/∂r say of a step what it did."""
        x, y = step.T
        square = np.maximum(x * x + y * y, 1e-300)
        xx, xy, yx, yy = self.slope[:, rows]
        change = residual - self.residual[rows]
        off_x = (x - change[:, 0] - xx * x - xy * y) / square
        off_y = (y - change[:, 1] - yx * x - yy * y) / square
        self.slope[:, rows] += np.stack([off_x * x, off_x * y, off_y * x, off_y * y])


def inverse_steps(gradient: Array, steps: Array) -> Array:
    """J⁻¹ times each step, J = I − ∂u/∂r: lengths of R to lengths of r, (n, 2).

    Parameters
    ----------
    gradient
        ∂u_i/∂r_j as xx, xy, yx, yy, shape (4, n); a J that is all but singular
        gives a long step.
    steps
        Shape (n, 2).
    """
    xx, xy, yx, yy = gradient
    determinant = _determinant(gradient)
    small = np.abs(determinant) < _TURNED_OVER
    determinant = np.where(small, np.copysign(_TURNED_OVER, determinant), determinant)
    x, y = steps.T
    return (
        np.stack([(1 - yy) * x + xy * y, (1 - xx) * y + yx * x], axis=-1)
        / determinant[:, None]
    )


def _determinant(gradient: Array) -> Array:
    xx, xy, yx, yy = gradient
    return (1 - xx) * (1 - yy) - xy * yx
