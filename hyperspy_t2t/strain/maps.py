# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Strain at every pixel from the phase fields of one or more lattices."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hyperspy_t2t.calibration import ImageGrid
from hyperspy_t2t.frames import Convention, deformation_gradient, strain_components
from hyperspy_t2t.strain.interpolation import SplineField

Array = npt.NDArray[np.floating]
FAINTEST = 0.05
"""Fringes below this share of the reference's amplitude carry no strain, whatever
the noise: neighbouring spots leak into them."""


@dataclass(frozen=True)
class LatticeField:
    """Displacement field of the regions that share a lattice.

    Parameters
    ----------
    members
        Labels of the regions.
    displacement
        Splines of u (x, y) in nm.
    gradient
        Splines of β = ∂u/∂r in the order xx, xy, yx, yy.
    amplitude
        Spline of the relative amplitude of the fringes.
    faintest
        Amplitude below which noise takes over.
    """

    members: tuple[int, ...]
    displacement: SplineField
    gradient: SplineField
    amplitude: SplineField
    faintest: float = FAINTEST

    @classmethod
    def from_samples(
        cls,
        grid: ImageGrid,
        members: Sequence[int],
        displacement: Array,
        gradient: Array,
        amplitude: Array,
        *,
        faintest: float = FAINTEST,
    ) -> "LatticeField":
        """From samples (2, ny, nx), (2, 2, ny, nx) and (ny, nx) on a coarse grid."""
        return cls(
            tuple(int(label) for label in members),
            SplineField.through(grid, displacement),
            SplineField.through(grid, gradient.reshape(4, *grid.shape)),
            SplineField.through(grid, amplitude[None]),
            faintest,
        )

    def displacement_at(self, positions: Array) -> Array:
        """u in nm at (x, y) in nm, (m, 2) → (2, m); linear beyond the image."""
        grid = self.displacement.grid
        last = grid.to_nm(grid.shape[0] - 1, grid.shape[1] - 1)
        within = np.clip(positions, grid.to_nm(0, 0), last)
        slope = self.gradient.at(within).reshape(2, 2, -1)
        beyond = np.einsum("ijm,mj->im", slope, positions - within)
        return self.displacement.at(within) + beyond

    def gradient_at(self, positions: Array) -> Array:
        """β at (x, y) in nm, (m, 2) → (4, m), that of the nearest place beyond."""
        return self.gradient.at(positions)


def strain_block(
    labels: npt.NDArray[np.integer],
    grid: ImageGrid,
    fields: Sequence[LatticeField],
    *,
    convention: Convention,
) -> npt.NDArray[np.float32]:
    """exx, eyy, exy, rotation of a block of pixels, NaN without lattice.

    Parameters
    ----------
    labels
        Region of each pixel, shape (ny, nx).
    grid
        The pixels in nm.
    fields
        One for each lattice.
    convention
        See :func:`hyperspy_t2t.frames.strain_components`.
    """
    result = np.full((4, *labels.shape), np.nan, np.float32)
    for field in fields:
        valid, part, window = _valid_part(labels, grid, field)
        if not valid.any():
            continue
        gradient = field.gradient.on_grid(window)[:, valid].T.reshape(-1, 2, 2)
        values = strain_components(
            deformation_gradient(gradient), convention=convention
        )
        result[(slice(None), *part)][:, valid] = values
    return result


def displacement_block(
    labels: npt.NDArray[np.integer], grid: ImageGrid, fields: Sequence[LatticeField]
) -> npt.NDArray[np.float32]:
    """u (x, y) in nm of a block of pixels, shape (2, ny, nx), NaN without lattice."""
    result = np.full((2, *labels.shape), np.nan, np.float32)
    for field in fields:
        valid, part, window = _valid_part(labels, grid, field)
        if valid.any():
            values = field.displacement.on_grid(window)[:, valid]
            result[(slice(None), *part)][:, valid] = values
    return result


def _valid_part(
    labels: npt.NDArray[np.integer], grid: ImageGrid, field: LatticeField
) -> tuple[npt.NDArray[np.bool_], tuple[slice, slice], ImageGrid]:
    """Where a lattice is seen in its bounding box, the box, and the box's grid."""
    here = np.isin(labels, field.members)
    rows, columns = (np.flatnonzero(here.any(axis=axis)) for axis in (1, 0))
    if not len(rows):
        return np.zeros((0, 0), bool), (slice(0, 0), slice(0, 0)), grid
    part = tuple(slice(int(a[0]), int(a[-1]) + 1) for a in (rows, columns))
    window = grid.window(*part)
    seen = field.amplitude.on_grid(window)[0] > field.faintest
    return here[part] & seen, part, window
