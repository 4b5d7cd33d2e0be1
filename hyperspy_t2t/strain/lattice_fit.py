# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""∂u/∂r and u of many g relative to a lattice that is known, place by place."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from hyperspy_t2t.array_types import Array, Mask
from hyperspy_t2t.strain.continuation import nearest_known
from hyperspy_t2t.strain.counting_noise import FringeNoise
from hyperspy_t2t.strain.fringes import Fringes
from hyperspy_t2t.strain.least_squares import agreeing, inverse_noise
from hyperspy_t2t.strain.place_solver import displacement_correction, fitted_gradient
from hyperspy_t2t.strain.row_noise import RowErrors


@dataclass(frozen=True)
class Lattice:
    """A lattice to which displacements refer, and how its fringes are weighted."""

    g_vectors: Array
    """Refined, in 1/nm, (n, 2)."""
    expected: Array
    """Where the first two expect them, (n, 2)."""
    origin: Array
    """Phase of each fringe where u = 0, (n,)."""
    noise: FringeNoise | None
    strongest: float
    """Largest |z| of the first two, in grey levels."""

    def change_from(self, fringes: Fringes) -> Array:
        """2π times its g less those that were measured in rad/nm, shape (n, 2)."""
        return 2 * np.pi * (self.g_vectors - fringes.g_vectors)

    def row_errors(self, sigma: float) -> RowErrors | None:
        """By rows off their places, None where they aren't."""
        if self.noise is None or self.noise.rows is None:
            return None
        found = self.noise.rows.errors(self.g_vectors, sigma)
        beyond = found.beyond_displacement
        # What was given counts, known or not.
        return found._replace(
            beyond_displacement=np.where(np.isfinite(beyond), beyond, 0.0)
        )

    @property
    def correlation(self) -> Array | None:
        return None if self.noise is None else self.noise.correlation(len(self.origin))


class Fit(NamedTuple):
    """What all g say of each place."""

    displacement: Array
    """u in nm, shape (2, ny, nx)."""
    gradient: Array
    """β = ∂u/∂r, shape (2, 2, ny, nx)."""
    amplitude: Array
    """Of the weaker of the first two fringes relative to the typical, (ny, nx)."""
    spread: Array
    """Upper triangle of the covariance of β, shape (10, ny, nx)."""


def fitted(
    parts: Iterable[tuple[slice, Fringes]],
    lattice: Lattice,
    displacement: Array,
    typical: Array,
) -> Fit:
    """∂u/∂r and u of all g, from the u of the first two, band by band.

    Parameters
    ----------
    parts
        Lines of the coarse grid, and the fringes there.
    lattice
        To which u refers.
    displacement
        u of the first two g in nm, shape (2, ny, nx); what others add is put into it.
    typical
        |z| of the first two in the reference, shape (2,).
    """
    shape = displacement.shape[1:]
    gradient, amplitude = np.empty((2, 2, *shape)), np.empty(shape)
    spread: Any = None
    for rows, part in parts:
        if spread is None:  # Single precision where there is much of it.
            single = len(part.mean) < shape[0]
            spread = np.empty((10, *shape), np.float32 if single else float)
            of_rows = lattice.row_errors(part.resolution)
        weight, first = agreeing_weight(part, lattice)
        gradient[:, :, rows], spread[:, rows] = fitted_gradient(
            lattice.g_vectors, lattice.change_from(part), weight, part.slope, first,
            part.resolution, lattice.correlation, of_rows,
        )  # fmt: skip
        if len(weight) > 2:
            displacement[:, rows] += displacement_correction(
                lattice.g_vectors, weight, _further_phases(part, lattice),
                displacement[:, rows], lattice.correlation,
            )  # fmt: skip
        amplitude[rows] = (part.amplitude[:2] / typical[:, None, None]).min(axis=0)
    return Fit(displacement, gradient, amplitude, spread)


def local_gradient(
    fringes: Fringes, inside: Mask, noise: FringeNoise
) -> tuple[Array, Array, Array]:
    """β relative to the lattice of the given g, without u, where a lattice is inside.

    Returns
    -------
    gradient, variance, amplitude
        β, shape (2, 2, ny, nx); the variance by noise of its components on average;
        the amplitude of the weaker of the first two fringes relative to their mean
        inside, both of shape (ny, nx).
    """
    power = fringes.amplitude[:2] * (inside if inside.any() else 1.0)
    typical = (power**2).sum(axis=(1, 2)) / power.sum(axis=(1, 2))
    g_vectors, zero = fringes.g_vectors, np.zeros(len(fringes.g_vectors))
    strongest = float(fringes.amplitude[:2].max())
    lattice = Lattice(g_vectors, g_vectors, zero, noise, strongest)
    weight, first = agreeing_weight(fringes, lattice)
    gradient, spread = fitted_gradient(
        g_vectors, lattice.change_from(fringes), weight, fringes.slope, first,
        fringes.resolution, lattice.correlation, lattice.row_errors(fringes.resolution),
    )  # fmt: skip
    amplitude = (fringes.amplitude[:2] / typical[:, None, None]).min(axis=0)
    continue_from(fringes.seen, gradient, amplitude, spread)
    variance = spread[[0, 4, 7, 9]].mean(axis=0)
    return gradient, variance, amplitude


def agreeing_weight(part: Fringes, lattice: Lattice) -> tuple[Array, Array]:
    """Weight of each phase, zero where it is not of this lattice, and β of the pair."""
    weight = phase_weight(part, lattice.noise, lattice.strongest)
    first = pair_gradient(part, lattice.g_vectors)
    if len(weight) > 2:
        weight[2:] *= agreeing(
            part.g_vectors[2:], lattice.expected[2:], part.slope[2:], first,
            part.resolution,
        )  # fmt: skip
    return weight, first


def pair_gradient(fringes: Fringes, lattice: Array) -> Array:
    """β of the first two g, shape (2, 2, ny, nx)."""
    change = 2 * np.pi * (lattice[:2] - fringes.g_vectors[:2])
    slope = fringes.slope[:2] - change[:, :, None, None]
    inverse = np.linalg.inv(lattice[:2]) / (-2 * np.pi)
    return np.stack([row[0] * slope[0] + row[1] * slope[1] for row in inverse])


def phase_weight(
    fringes: Fringes, noise: FringeNoise | None, strongest: float
) -> Array:
    """Inverse variance of the phases, for a density of 1 where none is known."""
    density = np.array(1.0) if noise is None else noise.density_at(fringes.mean)
    return inverse_noise(
        fringes.amplitude, density, fringes.resolution, strongest=strongest
    )


def _further_phases(part: Fringes, lattice: Lattice) -> Array:
    """Phases of all but the first two relative to the lattice, (n − 2, ny, nx)."""
    phase = part.phase[2:].copy()
    for k, origin in enumerate(lattice.origin[2:], start=2):
        phase[k - 2] -= part.turn_to(lattice.g_vectors[k], k) + origin
    return phase


def continue_from(seen: Mask, *fields: Array) -> None:
    """Fields (…, ny, nx) elsewhere as at the nearest place that is seen, in place.

    Where none is seen they stay as they are.
    """
    unseen = np.nonzero(~seen)
    if not len(unseen[0]) or not seen.any():
        return
    nearest = tuple(index[unseen] for index in nearest_known(seen))
    for field in fields:
        field[..., unseen[0], unseen[1]] = field[..., nearest[0], nearest[1]]
