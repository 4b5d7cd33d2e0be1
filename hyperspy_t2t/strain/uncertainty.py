# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Standard errors of strain and rotation from those of the displacement gradient."""

import numpy as np

from hyperspy_t2t.array_types import Array
from hyperspy_t2t.frames import (
    Convention,
    deformation_gradient,
    in_turned_axes,
    rotation_2d,
    strain_components,
)

_STEP = 1e-6


def component_std(
    gradient: Array,
    covariance: Array,
    *,
    convention: Convention = "reference",
    axes_angle: float = 0.0,
) -> Array:
    """Standard error of exx, eyy, exy and rotation, shape (4, ny, nx).

    Parameters
    ----------
    gradient
        β = ∂u/∂r at image positions, shape (2, 2, ny, nx).
    covariance
        Of β[i, j] with β[m, l], shape (2, 2, 2, 2, ny, nx) in the order i, j, m, l.
    convention
        See :func:`hyperspy_t2t.frames.strain_components`.
    axes_angle
        Radians by which the axes of the components are turned from +x towards +y.
    """
    if axes_angle:
        turn = rotation_2d(-axes_angle)
        gradient = in_turned_axes(gradient, axes_angle)
        covariance = np.einsum(
            "ia,jb,mc,ld,abcd...->ijml...", turn, turn, turn, turn, covariance,
            optimize=True,
        )  # fmt: skip

    def components(i: int, j: int, step: float) -> Array:
        beta = np.moveaxis(gradient, (0, 1), (-2, -1)).copy()
        beta[..., i, j] += step
        return strain_components(deformation_gradient(beta), convention=convention)

    slopes = np.stack(
        [
            (components(i, j, _STEP) - components(i, j, -_STEP)) / (2 * _STEP)
            for i, j in np.ndindex(2, 2)
        ]
    )
    flat = covariance.reshape(4, 4, *covariance.shape[4:])
    variance = np.einsum("acyx,abyx,bcyx->cyx", slopes, flat, slopes, optimize=True)
    return np.sqrt(np.maximum(variance, 0.0))


def in_full(spread: Array) -> Array:
    """Covariance (2, 2, 2, 2, ny, nx) from its upper triangle, shape (10, ny, nx)."""
    full = np.empty((4, 4, *spread.shape[1:]))
    for term, (first, second) in zip(
        spread, np.transpose(np.triu_indices(4)), strict=True
    ):
        full[first, second] = full[second, first] = term
    return full.reshape(2, 2, 2, 2, *spread.shape[1:])
