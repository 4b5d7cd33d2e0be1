# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Strain and its standard error at every pixel from the fields of lattices."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hyperspy_t2t.calibration import ImageGrid
from hyperspy_t2t.frames import Convention, check_convention
from hyperspy_t2t.strain.continuation import nearest_known
from hyperspy_t2t.strain.interpolation import SplineField
from hyperspy_t2t.strain.spline_kernels import (
    AS_THEY_ARE,
    GPA,
    NOT_NEGATIVE,
    POLAR,
    REFERENCE,
    fill_pixels,
)

Array = npt.NDArray[np.floating]
FAINTEST = 0.05
"""Fringes below this share of the reference's amplitude carry no strain, whatever
the noise: neighbouring spots leak into them."""
_KINDS = {"reference": REFERENCE, "gpa": GPA, "polar": POLAR}


@dataclass(frozen=True)
class LatticeField:
    """Displacement field of the regions that share a lattice, all on one grid.

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
    std
        Splines of the standard errors of exx, eyy, exy and rotation, if known.
    """

    members: tuple[int, ...]
    displacement: SplineField
    gradient: SplineField
    amplitude: SplineField
    faintest: float = FAINTEST
    std: SplineField | None = None

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
        std: Array | None = None,
    ) -> "LatticeField":
        """From samples (2, ny, nx), (2, 2, ny, nx) and (ny, nx) on a coarse grid.

        Unknown (NaN) places of `std`, shape (4, ny, nx), take the nearest known value.
        """
        return cls(
            tuple(int(label) for label in members),
            SplineField.through(grid, displacement),
            SplineField.through(grid, gradient.reshape(4, *grid.shape)),
            SplineField.through(grid, amplitude[None]),
            faintest,
            None if std is None else SplineField.through(grid, _filled(std)),
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
    check_convention(convention)
    result = np.full((4, *labels.shape), np.nan, np.float32)
    for field in fields:
        _fill(result, labels, grid, field, field.gradient, _KINDS[convention])
    return result


def uncertainty_block(
    labels: npt.NDArray[np.integer], grid: ImageGrid, fields: Sequence[LatticeField]
) -> npt.NDArray[np.float32]:
    """Standard errors of exx, eyy, exy, rotation of a block of pixels, (4, ny, nx).

    NaN without lattice and where a lattice has no standard errors; never negative.
    """
    result = np.full((4, *labels.shape), np.nan, np.float32)
    for field in fields:
        if field.std is not None:
            _fill(result, labels, grid, field, field.std, NOT_NEGATIVE)
    return result


def displacement_block(
    labels: npt.NDArray[np.integer], grid: ImageGrid, fields: Sequence[LatticeField]
) -> npt.NDArray[np.float32]:
    """u (x, y) in nm of a block of pixels, shape (2, ny, nx), NaN without lattice."""
    result = np.full((2, *labels.shape), np.nan, np.float32)
    for field in fields:
        _fill(result, labels, grid, field, field.displacement, AS_THEY_ARE)
    return result


def _fill(
    result: npt.NDArray[np.float32],
    labels: npt.NDArray[np.integer],
    grid: ImageGrid,
    field: LatticeField,
    splines: SplineField,
    kind: int,
) -> None:
    """Values of one lattice at its pixels into `result`, where its fringes are seen."""
    members = np.zeros(max((0, *field.members)) + 1, bool)
    members[[label for label in field.members if label >= 0]] = True
    fill_pixels(
        np.concatenate([field.amplitude.coefficients, splines.coefficients]),
        *splines.axes(grid),
        np.ascontiguousarray(labels, np.int32),
        members,
        float(field.faintest),
        kind,
        result,
    )


def _filled(std: Array) -> Array:
    """Unknown places as the nearest known ones; all NaN if none is known."""
    known = np.isfinite(std).all(axis=0)
    return std[(..., *nearest_known(known))] if known.any() else std
