# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Filling a region with the columns of a crystal."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hyperspy_t2t.atoms.placement import deformed_positions
from hyperspy_t2t.atoms.virtual_cell import VirtualCell, shortest_period
from hyperspy_t2t.phases.crystal_phase import CrystalPhase

Array = npt.NDArray[np.floating]


@dataclass(frozen=True)
class RegionAtoms:
    """Atoms of one region.

    Parameters
    ----------
    positions
        (x, y, z) in nm, shape (n, 3), z from 0 to `thickness`.
    numbers
        Atomic numbers, shape (n,).
    thickness
        A whole number of periods along the beam, in nm.
    lost
        Columns whose position could not be found.
    """

    positions: Array
    numbers: npt.NDArray[np.int64]
    thickness: float
    lost: int


def fill_region(
    cell: VirtualCell,
    phase: CrystalPhase,
    *,
    origin: Array,
    thickness: float,
    outline: Array,
    displacement: Callable[[Array], Array],
    gradient: Callable[[Array], Array],
    inside: Callable[[Array], npt.NDArray[np.bool_]],
    seed: int = 0,
) -> RegionAtoms:
    """All atoms of a crystal whose imaged position lies in a region.

    Each site of the cell with each in-plane lattice vector is a column; one column
    is displaced once and repeated along the beam.

    Parameters
    ----------
    cell, phase
        The measured cell and what is in it.
    origin
        Position of the cell's origin in the undeformed frame, in nm, shape (2,).
    thickness
        Wanted length along the beam in nm.
    outline
        Undeformed positions R = r − u(r) of places that enclose the region, (m, 2).
    displacement, gradient
        See :func:`~hyperspy_t2t.atoms.placement.deformed_positions`.
    inside
        Whether imaged positions (n, 2) in nm lie in the region.
    seed
        Of the random numbers that occupy mixed and partly empty sites.
    """
    parts = shortest_period(cell, phase)
    period = cell.period / parts
    repeats = round(thickness / period)
    if thickness < 0.95 * period:
        raise ValueError(
            f"Expected a thickness of at least one period of {phase.name} along "
            f"{cell.zone_axis.tolist()}, {period:.4g} nm; got {thickness:g} nm."
        )
    sites = mixed_sites(phase)
    reference, depth, site = _columns(cell, sites.fractional, origin, outline)
    unique = depth < period * (1 - 1e-6)
    reference, depth, site = reference[unique], depth[unique], site[unique]
    position, converged = deformed_positions(reference, displacement, gradient)
    kept = converged & inside(position)
    lost = int((~converged & inside(reference)).sum())
    z = depth[kept][:, None] + period * np.arange(repeats)
    atoms = np.concatenate(
        [np.repeat(position[kept], repeats, axis=0), z.reshape(-1, 1)], axis=1
    )
    numbers = sites.draw(np.repeat(site[kept], repeats), np.random.default_rng(seed))
    filled = numbers > 0
    return RegionAtoms(atoms[filled], numbers[filled], repeats * period, lost)


@dataclass(frozen=True)
class MixedSites:
    """Places of a cell and what may sit on each.

    Parameters
    ----------
    fractional
        Coordinates of the places, shape (n, 3).
    numbers
        Atomic numbers of the choices at each place, 0 for none, shape (n, k).
    level
        Cumulative occupancies of the choices, the last one 1, shape (n, k).
    """

    fractional: Array
    numbers: npt.NDArray[np.int64]
    level: Array

    def draw(
        self, site: npt.NDArray[np.intp], random: np.random.Generator
    ) -> npt.NDArray[np.int64]:
        """Atomic number at each of many places by index, 0 where it stays empty."""
        if self.numbers.shape[1] == 1:
            return self.numbers[site, 0]
        choice = (random.random(len(site))[:, None] >= self.level[site]).sum(axis=1)
        return self.numbers[site, np.minimum(choice, self.numbers.shape[1] - 1)]


def mixed_sites(phase: CrystalPhase) -> MixedSites:
    """Sites of a phase with those on one place put together."""
    difference = phase.fractional[:, None] - phase.fractional[None]
    same = np.abs(difference - np.rint(difference)).max(axis=-1) < 1e-4
    first = same.argmax(axis=1)
    places = np.unique(first)
    choices = [np.flatnonzero(first == place) for place in places]
    full = all(len(c) == 1 for c in choices) and np.all(phase.occupancy > 1 - 1e-6)
    width = 1 if full else max(map(len, choices)) + 1
    numbers = np.zeros((len(places), width), np.int64)
    level = np.ones((len(places), width))
    for row, members in enumerate(choices):
        numbers[row, : len(members)] = phase.numbers[members]
        occupied = np.cumsum(phase.occupancy[members])
        level[row, : len(members)] = occupied / max(1.0, occupied[-1])
    return MixedSites(phase.fractional[places], numbers, level)


def _columns(
    cell: VirtualCell, fractional: Array, origin: Array, outline: Array
) -> tuple[Array, Array, npt.NDArray[np.intp]]:
    """R (n, 2) in nm, depth in one zone axis period and site of all columns."""
    index = (outline - origin) @ np.linalg.inv(cell.in_plane)
    low = np.floor(index.min(axis=0)).astype(int) - 2
    high = np.ceil(index.max(axis=0)).astype(int) + 2
    i, j = (
        a.ravel()
        for a in np.meshgrid(*(np.arange(a, b) for a, b in zip(low, high, strict=True)))
    )
    lattice = i[:, None] * cell.basis[0] + j[:, None] * cell.basis[1]
    reference = (
        origin + (lattice @ cell.projection.T)[:, None]
        + (fractional @ cell.projection.T)[None]
    )  # fmt: skip
    depth = (lattice @ cell.depth)[:, None] + (fractional @ cell.depth)[None]
    # A hair below the period counts as zero, or rounding would split a layer.
    depth = (depth + 1e-6 * cell.period) % cell.period - 1e-6 * cell.period
    site = np.broadcast_to(np.arange(len(fractional)), depth.shape)
    return reference.reshape(-1, 2), depth.ravel(), site.ravel()
