# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Where two crystals with the same spots in one zone would look different.

Kinematic: a spot is where a reflection lies across the direction of view, with
amplitude \\|F\\| relative to the strongest one there.
"""

from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np

from hyperspy_t2t.array_types import Array, Ints
from hyperspy_t2t.frames import BEAM
from hyperspy_t2t.phases.crystal_phase import CrystalPhase
from hyperspy_t2t.phases.in_plane import Oriented
from hyperspy_t2t.phases.reflections import (
    laue_operations,
    reflection_table,
    zone_axes,
)
from hyperspy_t2t.phases.simulation import predicted_g
from hyperspy_t2t.phases.undetermined import alike_orientations

VISIBLE = 0.2
"""Amplitude of a spot, relative to the strongest, that an image surely shows."""
ABSENT = 0.02
"""Amplitude of a spot, relative to the strongest, that an image may not show."""
_WEAK = (0.01, 0.002)
_APART = 0.01
_SAME = 0.08
_IN_ZONE, _OFF_ZONE = np.sin(np.deg2rad([0.5, 3.0]))


class Imaged(Oriented, Protocol):
    """A crystal as it lies in the image; D shows a vector r of the crystal at D r."""

    distortion: Array


class Pattern(NamedTuple):
    """Spots: hkl (n, 3), (gx, gy) in 1/nm (n, 2), amplitude to the strongest (n,).

    ``tilt`` is the sine of the angle of g to the image plane, (n,).
    """

    hkl: Ints
    g: Array
    amplitude: Array
    tilt: Array


@dataclass(frozen=True, eq=False)
class ZoneDifference:
    """Whether a zone within reach tells two crystals apart.

    Parameters
    ----------
    zone_axis
        [u, v, w] of the first crystal; None where no zone does.
    tilt
        Degrees from the present direction of view; NaN without a zone.
    hkl, of_first
        A reflection that only one of them has, and whether that is the first; without
        a zone the strongest of those too weak to count, None if there is none.
    """

    zone_axis: Ints | None
    tilt: float
    hkl: Ints | None
    of_first: bool = True


def separating_zone(
    one: Imaged, other: Imaged, *, max_index: int = 3, min_d_nm: float = 0.1
) -> ZoneDifference:
    """The zone nearest by tilt where two crystals that look alike do so no longer.

    Parameters
    ----------
    one, other
        Two ways to index the same spots.
    max_index
        Largest index of the zones of `one` that are tried.
    min_d_nm
        Smallest lattice spacing in nm that the image resolves.

    Returns
    -------
    ZoneDifference

    Notes
    -----
    Both crystals are tilted together. They differ where one has a spot with an
    amplitude of at least `VISIBLE`, within 0.5° of the image plane, and the other has
    none above `ABSENT` within 3° of it and 1 % of g, after the best common scale.
    `other` is tried in all orientations that have the same spots now: a tilt counts
    only if it tells `one` from all of them.
    """
    alike = alike_orientations(other.crystal, other.zone_axis, other.matrix)
    weak: tuple[float, Ints | None, bool] = (0.0, None, True)
    for axis, tilt, back in _zones_by_tilt(one, max_index):
        seen = _pattern(one, back @ one.matrix, min_d_nm)
        views = [_pattern(other, back @ matrix, min_d_nm) for matrix in alike]
        if not any(_is_plane(view, min_d_nm) for view in (seen, *views)):
            continue
        strong = [_lone(seen, view, VISIBLE, ABSENT, min_d_nm) for view in views]
        if all(hkl is not None for _, hkl, _ in strong):
            _, hkl, of_first = strong[0]
            return ZoneDifference(axis, tilt, hkl, of_first)
        faint = (_lone(seen, view, *_WEAK, min_d_nm) for view in views)
        weak = max(weak, min(faint, key=lambda x: x[0]), key=lambda x: x[0])
    return ZoneDifference(None, np.nan, weak[1], weak[2])


def present_pattern(solution: Imaged, *, min_d_nm: float = 0.1) -> Pattern:
    """The spots that a solution expects along the beam, |F| > 10⁻³ of the strongest."""
    return _pattern(solution, np.asarray(solution.matrix), min_d_nm)


def partners(one: Pattern, other: Pattern) -> Ints:
    """Number of the spot of `other` at each spot of `one`, −1 without; shape (n,)."""
    ratio = 1.0
    for limit in (_SAME, _APART):
        gap = np.linalg.norm(one.g[:, None] - ratio * other.g[None], axis=2)
        gap /= np.linalg.norm(one.g, axis=1)[:, None]
        nearest = gap.argmin(axis=1)
        found = gap.min(axis=1) <= limit
        if limit == _SAME and found.any():
            lengths = np.linalg.norm(other.g[nearest[found]], axis=1)
            ratio = np.median(np.linalg.norm(one.g[found], axis=1) / lengths)
    return np.where(found, nearest, -1)


def all_zone_axes(phase: CrystalPhase, max_index: int) -> Ints:
    """All members of the zone-axis families up to an index, shape (n, 3)."""
    families = zone_axes(phase, max_index=max_index)
    members = np.einsum("oij,nj->noi", laue_operations(phase), families)
    return np.unique(members.reshape(-1, 3), axis=0)


def _zones_by_tilt(one: Imaged, max_index: int) -> list[tuple[Ints, float, Array]]:
    """Zones, tilts in degrees and the rotations that bring them to the beam."""
    axes = all_zone_axes(one.crystal, max_index)
    directions = axes @ one.crystal.lattice @ np.asarray(one.matrix).T
    directions /= np.linalg.norm(directions, axis=1)[:, None]
    cosine = np.clip(directions @ -BEAM, -1, 1)
    tilt = np.degrees(np.arccos(cosine))
    ahead = np.flatnonzero((cosine > 0) & (tilt > 2))
    ahead = ahead[np.lexsort((*(-axes[ahead]).T, np.round(tilt[ahead], 4)))]
    return [(axes[k], float(tilt[k]), _to_source(directions[k])) for k in ahead]


def _to_source(direction: Array) -> Array:
    """The smallest rotation that turns a unit vector against the beam."""
    axis = np.cross(direction, -BEAM)
    cosine = float(direction @ -BEAM)
    x, y, z = axis
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + cross + cross @ cross / (1 + cosine)


def _pattern(solution: Imaged, matrix: Array, min_d_nm: float) -> Pattern:
    """Spots of the reflections within 3° of the image plane, a bit past min_d."""
    table = reflection_table(solution.crystal, min_d_nm=min_d_nm / 1.1)
    turned = table.g @ matrix.T
    tilt = np.abs(turned[:, 2]) * table.d
    amplitude = np.abs(table.structure_factor)
    near = tilt <= _OFF_ZONE
    amplitude = amplitude / amplitude[near].max(initial=1e-12)
    kept = near & (amplitude > 1e-3)
    hkl = table.hkl[kept]
    g = predicted_g(hkl, solution.crystal, matrix, solution.distortion)
    return Pattern(hkl, g, amplitude[kept], tilt[kept])


def _is_plane(pattern: Pattern, min_d_nm: float) -> bool:
    """Whether visible spots lie in two directions."""
    g = pattern.g[(pattern.amplitude >= VISIBLE) & (pattern.tilt <= _IN_ZONE)]
    g = g[np.linalg.norm(g, axis=1) <= 1 / min_d_nm]
    return len(g) > 2 and np.linalg.matrix_rank(g, tol=0.1) == 2


def _lone(
    one: Pattern, other: Pattern, visible: float, absent: float, min_d_nm: float
) -> tuple[float, Ints | None, bool]:
    """Amplitude and hkl of the strongest spot that only one has; 0, None without."""
    best: tuple[float, Ints | None, bool] = (0.0, None, True)
    for a, b, of_first in ((one, other, True), (other, one, False)):
        shown = Pattern(*(x[b.amplitude >= absent] for x in b))
        if not len(a.g):
            continue
        alone = np.ones(len(a.g), bool)
        if len(shown.g):
            alone = partners(a, shown) < 0
        alone &= (np.linalg.norm(a.g, axis=1) <= 1 / min_d_nm) & (a.tilt <= _IN_ZONE)
        alone &= a.amplitude >= max(visible, best[0] + 1e-9)
        if alone.any():
            k = np.flatnonzero(alone)[a.amplitude[alone].argmax()]
            best = (float(a.amplitude[k]), a.hkl[k], of_first)
    return best
