# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Strain and its standard error at every pixel from the fields of lattices."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from hyperspy_t2t.array_types import Array, Ints
from hyperspy_t2t.calibration import ImageGrid
from hyperspy_t2t.frames import Convention, check_convention, in_turned_axes
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
        displacement: Any,
        gradient: Any,
        amplitude: Any,
        *,
        faintest: float = FAINTEST,
        std: Array | None = None,
    ) -> "LatticeField":
        """From samples (2, ny, nx), (2, 2, ny, nx) and (ny, nx) on a coarse grid.

        They are numpy or dask; of dask they are read where they are needed.

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

    def in_axes(self, angle: float) -> "LatticeField":
        """The same with the gradient along axes turned by `angle` radians."""
        if angle == 0:
            return self
        grid, samples = self.gradient.grid, self.gradient.samples
        samples = np.asarray(samples).reshape(2, 2, *grid.shape)
        turned = in_turned_axes(samples, angle)
        spline = SplineField.through(grid, turned.reshape(4, *grid.shape))
        return replace(self, gradient=spline)

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
    labels: Ints,
    grid: ImageGrid,
    fields: Sequence[LatticeField],
    *,
    convention: Convention,
) -> Array:
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
    splines = [(field, field.gradient) for field in fields]
    return _filled_block(4, labels, grid, splines, _KINDS[convention])


def uncertainty_block(
    labels: Ints, grid: ImageGrid, fields: Sequence[LatticeField]
) -> Array:
    """Standard errors of exx, eyy, exy, rotation of a block of pixels, (4, ny, nx).

    NaN without lattice and where a lattice has no standard errors; never negative.
    """
    splines = [(field, field.std) for field in fields if field.std is not None]
    return _filled_block(4, labels, grid, splines, NOT_NEGATIVE)


def displacement_block(
    labels: Ints, grid: ImageGrid, fields: Sequence[LatticeField]
) -> Array:
    """u (x, y) in nm of a block of pixels, shape (2, ny, nx), NaN without lattice."""
    splines = [(field, field.displacement) for field in fields]
    return _filled_block(2, labels, grid, splines, AS_THEY_ARE)


def _filled_block(
    count: int,
    labels: Ints,
    grid: ImageGrid,
    splines: Sequence[tuple[LatticeField, SplineField]],
    kind: int,
) -> Array:
    """Values of lattices at their pixels, where their fringes are seen, else NaN."""
    result = np.empty((count, *labels.shape), np.float32)
    if not splines:
        result.fill(np.nan)
    labels = np.ascontiguousarray(labels, np.int32)
    for number, (field, values) in enumerate(splines):
        members = np.zeros(max((0, *field.members)) + 1, bool)
        members[[label for label in field.members if label >= 0]] = True
        amplitude, values = field.amplitude.near(grid), values.near(grid)
        fill_pixels(
            np.concatenate([amplitude.coefficients, values.coefficients]),
            *values.axes(grid),
            labels,
            members,
            float(field.faintest),
            kind,
            result,
            number == 0,
        )
    return result


def _filled(std: Array) -> Array:
    """Unknown places as the nearest known ones; all NaN if none is known."""
    known = np.all(np.isfinite(std), axis=0)
    if not known.any():
        return std
    rows, columns = nearest_known(known)
    return std[..., rows, columns]
