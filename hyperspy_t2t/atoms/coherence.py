# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Whether neighbouring regions share one lattice, judged by their displacements.

Both regions have a displacement u relative to the same undeformed lattice. Along their
border the offset δ = u_first − u_second is a vector of this lattice, the same or one
after another, where the rows of atoms go on across it, whatever the strains are. A
relaxed film slides along: δ runs through all values. At an antiphase boundary or a
fault δ is constant and no lattice vector.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from hyperspy_t2t.array_types import Array, ComplexArray, Ints

AGREEMENT = 0.5
"""Least mean of cos 2πq·δ of a coherent border: a constant offset of a sixth of the
spacing of lattice rows has it, and noise of 0.19 spacings. An offset that slides evenly
has it when it moves by 0.6 spacings in all, ±0.3 from row to row."""
SLIDE = 1 / 3
"""Largest even slide of δ along a coherent border, of the smaller spacing of rows."""
_SLIGHT = 5e-3
"""Strain below which a slide does not count: over a long border, u of both sides may
drift apart by as much."""
_APART = 4.0
"""Step between two points, over the usual one, at which a border is interrupted."""


class BorderMatch(NamedTuple):
    """How two displacement fields fit along the border of their regions."""

    coherent: bool
    """Whether the rows of atoms of one region go on in the other."""
    offset_rms: float
    """Root mean square of δ, reduced to the nearest lattice vector, in nm."""
    mismatch: float
    """Strain of the first less that of the second along the border; NaN on a point."""
    rigid: Array
    """Offset (x, y) in nm, reduced, that the border has all along, shape (2,); NaN
    where it slides."""
    length: float
    """Of the border in nm."""
    agreement: float
    """Mean of cos 2πq·δ over the border for the worse of two q, −1 to 1."""


def border_offsets(
    points: Array, first: Array, second: Array, in_plane: Array
) -> BorderMatch:
    """Offset between two displacement fields along a border.

    With q the two shortest reciprocal vectors of the projected lattice, the border is
    coherent where the mean of cos 2πq·δ is at least 0.5 for both. As a mean
    over the border it stands noise that a limit on δ itself would not, and a misfit
    dislocation on a long border does not turn it over. A border too short for a misfit
    dislocation is not coherent either where δ slides evenly by more than a third of the
    smaller spacing 1/q, beyond three standard errors, and by 0.5 % of the length.
    Without any point it is not coherent.

    Parameters
    ----------
    points
        (x, y) of the border in nm, in any order, shape (n, 2).
    first, second
        u of both regions there in nm, relative to one undeformed lattice, continuous
        along the border, shape (n, 2); where one is NaN the point does not count.
    in_plane
        Vectors of the undeformed lattice in the image plane as rows, in nm, shape
        (2, 2).
    """
    points, offset = np.asarray(points, float), np.asarray(first) - np.asarray(second)
    known = np.isfinite(points).all(axis=1) & np.isfinite(offset).all(axis=1)
    points, offset = points[known], offset[known]
    if not len(points):
        nothing = np.full(2, np.nan)
        return BorderMatch(False, np.nan, np.nan, nothing, 0.0, np.nan)
    star = _short_basis(np.linalg.inv(np.asarray(in_plane, float)).T)
    waves = np.exp(2j * np.pi * offset @ star.T).mean(axis=0)
    agreement = float(waves.real.min())
    reduced = _reduced(offset, in_plane)
    pieces, length = _pieces(points)
    slide, slope = _slide(points, reduced, pieces)
    spacing = 1 / np.linalg.norm(star, axis=1).max()
    slides = slide > SLIDE * spacing and slope > _SLIGHT
    return BorderMatch(
        bool(agreement >= AGREEMENT and not slides),
        float(np.sqrt((reduced**2).sum(axis=1).mean())),
        _slope(points, offset, pieces),
        _common_offset(offset, waves, star, in_plane),
        length,
        agreement,
    )


def coherent_groups(
    labels: Sequence[int],
    matches: Mapping[tuple[int, int], BorderMatch],
    *,
    reference: int | None = None,
) -> list[list[int]]:
    """Regions that share one lattice, directly or through others.

    The longest borders decide first. A coherent one does not join two groups between
    which a longer border is not coherent.

    Parameters
    ----------
    labels
        Of all regions.
    matches
        Of pairs of neighbours; pairs with other labels are left out.
    reference
        Label whose group comes first.

    Returns
    -------
    list of list of int
        Labels in the order given; the groups by their first label, but that of the
        reference first.
    """
    labels = [int(label) for label in labels]
    group = {label: {label} for label in labels}
    apart: list[tuple[int, int]] = []
    for (one, two), match in sorted(matches.items(), key=lambda item: -item[1].length):
        if one not in group or two not in group or group[one] is group[two]:
            continue
        if not match.coherent:
            apart.append((one, two))
            continue
        joined = group[one] | group[two]
        if not any(a in joined and b in joined for a, b in apart):
            for label in joined:
                group[label] = joined
    place = {label: k for k, label in enumerate(labels)}
    groups = {
        id(members): sorted(members, key=place.__getitem__)
        for members in group.values()
    }
    return sorted(groups.values(), key=lambda g: (reference not in g, place[g[0]]))


def _short_basis(in_plane: Array) -> Array:
    """The same lattice with its two shortest vectors (Gauss), shape (2, 2)."""
    a, b = np.asarray(in_plane, float)
    while True:
        if b @ b < a @ a:
            a, b = b, a
        shift = np.rint(a @ b / (a @ a))
        if shift == 0:
            return np.stack([a, b])
        b = b - shift * a


def _reduced(offset: Array, in_plane: Array) -> Array:
    """Offsets (n, 2) less the nearest lattice vector."""
    basis = _short_basis(in_plane)
    whole = np.rint(offset @ np.linalg.inv(basis))
    near = np.stack(np.meshgrid([-1, 0, 1], [-1, 0, 1]), -1).reshape(-1, 2)
    choices = offset[:, None] - (whole[:, None] + near) @ basis
    best = np.linalg.norm(choices, axis=2).argmin(axis=1)
    return choices[np.arange(len(offset)), best]


def _common_offset(
    offset: Array, waves: ComplexArray, star: Array, in_plane: Array
) -> Array:
    """What all offsets (n, 2) are up to lattice vectors; NaN if they slide."""
    if np.abs(waves).min() < AGREEMENT:
        return np.full(2, np.nan)
    # A first guess from the phases of two independent waves, then the mean around it.
    guess = np.linalg.solve(star, np.angle(waves) / (2 * np.pi))
    guess = guess + _reduced(offset - guess, in_plane).mean(axis=0)
    return _reduced(guess[None], in_plane)[0]


def _pieces(points: Array) -> tuple[Ints, float]:
    """Piece of each point of a border, from 0, and the length of all pieces.

    The shortest tree through the points, less its long steps: along a line it is the
    line, however the points are ordered.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components, minimum_spanning_tree
    from scipy.spatial import cKDTree

    count = len(points)
    if count == 1:
        return np.zeros(1, np.int64), 0.0
    neighbours = min(9, count)
    distance, index = cKDTree(points).query(points, neighbours)
    usual = float(np.median(distance[:, 1]))
    rows = np.repeat(np.arange(count), neighbours - 1)
    # Equal points have no edge in a sparse graph unless their distance is above zero.
    steps = np.maximum(distance[:, 1:].ravel(), 1e-9 * max(usual, 1e-9))
    near = steps <= _APART * max(usual, 1e-9)
    ends = np.stack([rows, index[:, 1:].ravel()])[:, near]
    # Older SciPy finds trees with indices of 32 bits only.
    graph = coo_array((steps[near], tuple(ends.astype(np.int32))), (count, count))
    tree = minimum_spanning_tree(graph.tocsr())
    return connected_components(tree, directed=False)[1], float(tree.sum())


def _slide(points: Array, reduced: Array, pieces: Ints) -> tuple[float, float]:
    """How far reduced offsets surely slide in nm, and per length of the border.

    Three standard errors are taken off. At a misfit dislocation the offset jumps by a
    lattice vector: the reduced one does not slide.
    """
    if len(points) < 4:
        return 0.0, 0.0
    r, delta = _about_middle(points, pieces), _about_middle(reduced, pieces)
    place = r @ np.linalg.svd(r, full_matrices=False)[2][0]
    total = float(place @ place)
    slope = place @ delta / total
    left = delta - place[:, None] * slope
    error = np.sqrt((left**2).sum() / (len(points) - 3) / total)
    sure = max(0.0, float(np.linalg.norm(slope) - 3 * error))
    return sure * float(np.sqrt(12 * total / len(points))), sure


def _about_middle(values: Array, pieces: Ints) -> Array:
    """Values (n, 2) less their mean over each piece."""
    count = np.bincount(pieces)[:, None]
    sums = np.stack([np.bincount(pieces, part) for part in values.T], axis=1)
    return values - (sums / count)[pieces]


def _slope(points: Array, offset: Array, pieces: Ints) -> float:
    """Change of the offset along the border per length, each piece about its middle.

    Σ δ·r / Σ r·r is t·E·t on a straight border along t where δ = E r, and half the
    trace of E around a circle.
    """
    r, delta = _about_middle(points, pieces), _about_middle(offset, pieces)
    total = float((r * r).sum())
    return float((r * delta).sum() / total) if total > 0 else float("nan")
