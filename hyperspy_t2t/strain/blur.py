# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""What the average over the resolution takes from strain that changes within it."""

import numpy as np

from hyperspy_t2t.array_types import Array
from hyperspy_t2t.calibration import ImageGrid
from hyperspy_t2t.frames import (
    Convention,
    deformation_gradient,
    in_turned_axes,
    strain_components,
)
from hyperspy_t2t.strain.resolution import averaged

_OF_NOISE = 13 / 36
"""Variance of the noise of Gε − ε over that of ε: ∫ q e^(−q) (1 − e^(−q/2))² dq."""
_NEAR = 0.7
"""Standard deviation over that of the resolution of the mean of its square."""
_TAKEN_OFF = 2.0
"""Times the square that noise explains: its draws alone shall not seem blur."""
_TRUNCATE = 4.0
"""Deviations that an average reaches, as SciPy has it."""
_PLACES = 2**18
"""Places that are worked out at once."""


def local_blur(
    gradient: Array,
    std: Array,
    weight: Array,
    grid: ImageGrid,
    *,
    resolution: float,
    convention: Convention = "reference",
    axes_angle: float = 0.0,
) -> Array:
    """Blur of exx, eyy, exy and rotation as a standard error, (4, ny, nx), float32.

    The measured ε is an average G of the true one by a Gaussian of standard deviation
    σ. Averaged once more it changes by Gε − ε, about σ²∇²ε/2, as the true one did by
    the first. The square of that is averaged over 0.7 σ, so that it does not vanish
    where it changes its sign, less twice what noise adds to it. Where strain changes
    within less than 2 σ the second average changes it less than the first did; at two
    σ from a step it changes it more.

    Parameters
    ----------
    gradient
        β = ∂u/∂r at image positions, shape (2, 2, ny, nx).
    std
        Standard errors of the components by noise, shape (4, ny, nx).
    weight
        Of each place in an average: the amplitude of the fringes, zero outside the
        lattice, shape (ny, nx).
    grid
        Where the places are.
    resolution
        σ in nm.
    convention, axes_angle
        See :func:`hyperspy_t2t.strain.uncertainty.component_std`.
    """
    result = np.empty(std.shape, np.float32)
    deviation = resolution / grid.pixel_size[0]
    margin = _reach(deviation) + _reach(_NEAR * deviation)
    height = max(4 * margin, _PLACES // grid.shape[1])
    for start in range(0, grid.shape[0], height):
        first = max(0, start - margin)
        lines = slice(first, start + height + margin)
        inner = slice(start - first, start - first + height)
        beta = in_turned_axes(gradient[:, :, lines], axes_angle)
        strain = strain_components(
            deformation_gradient(np.moveaxis(beta, (0, 1), (-2, -1))),
            convention=convention,
        )
        rows = slice(start, start + height)
        for k, component in enumerate(strain):
            square = _square(component, weight[lines], grid, resolution)[inner]
            square -= _TAKEN_OFF * _OF_NOISE * std[k, rows] ** 2
            result[k, rows] = np.sqrt(np.maximum(square, 0.0))
    return result


def _square(component: Array, weight: Array, grid: ImageGrid, sigma: float) -> Array:
    """Local mean square of what a second average changes, of some lines of a grid."""
    grid = grid.window(slice(0, len(weight)), slice(0, grid.shape[1]))
    component = np.where(weight > 0, component, 0.0)
    change = averaged(component, weight, grid, sigma) - component
    return averaged(change**2, weight**2, grid, _NEAR * sigma)


def _reach(deviation: float) -> int:
    """Places that an average reaches to either side."""
    return int(_TRUNCATE * deviation + 0.5)
