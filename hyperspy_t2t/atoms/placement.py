# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Where the atoms of a deformed lattice are imaged."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.floating]


def deformed_positions(
    reference: Array,
    displacement: Callable[[Array], Array],
    gradient: Callable[[Array], Array],
    *,
    tolerance: float = 1e-5,
    iterations: int = 30,
) -> tuple[Array, npt.NDArray[np.bool_]]:
    """Solve r = R + u(r) by Newton's method.

    u is known at image positions, so u(R) would place an atom wrongly by u·∇u.

    Parameters
    ----------
    reference
        R in nm, shape (n, 2).
    displacement
        u at positions (n, 2) in nm, shape (2, n).
    gradient
        ∂u_i/∂r_j at positions, shape (4, n) in the order xx, xy, yx, yy.
    tolerance
        Largest residual in nm.
    iterations
        Newton steps; each is at most 1 nm long.

    Returns
    -------
    positions : ndarray
        r in nm, shape (n, 2).
    converged : ndarray
        Whether the residual is below the tolerance, shape (n,).
    """
    r = np.array(reference, float)
    residual = np.full(len(r), np.inf)
    active = np.arange(len(r))
    for _ in range(iterations):
        if not len(active):
            break
        here = r[active]
        error = here - reference[active] - displacement(here).T
        residual[active] = np.linalg.norm(error, axis=1)
        moving = residual[active] > tolerance
        active, here, error = active[moving], here[moving], error[moving]
        xx, xy, yx, yy = gradient(here)
        jacobian = np.stack([1 - xx, -xy, -yx, 1 - yy], axis=-1).reshape(-1, 2, 2)
        step = np.linalg.solve(jacobian, error[..., None])[..., 0]
        length = np.linalg.norm(step, axis=1, keepdims=True)
        r[active] = here - step * np.minimum(1.0, 1.0 / np.maximum(length, 1e-12))
    return r, residual <= tolerance
