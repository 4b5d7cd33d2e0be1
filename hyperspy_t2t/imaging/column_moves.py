# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""How far columns are to be moved onto their images, given how sure these are."""

import numpy as np
import numpy.typing as npt

from hyperspy_t2t.array_types import Array

_RAYLEIGH = 2 * np.log(2)
"""Median of dx² + dy² over the variance of dx."""
_SURE = 3.0
"""Standard errors from which on an offset speaks for itself."""
_CLOSEST = 0.8
"""Share of a column's distance to its nearest to which another may come."""
_NO_MOVE = 0.02
"""Share of that distance below which a move that gives way is none."""
_NEIGHBOURS = 6
_REACH = 0.6
"""In nm: columns further away do not speak for one that is not seen."""


def column_moves(xy: Array, offset: Array, std: Array, region: npt.NDArray) -> Array:
    """Most likely displacement of columns from where a model has them.

    An imaged column is off by the error of the model, of unknown variance τ² in each
    region, and by its own noise σ². What is expected of the former is τ²/(τ² + σ²) of
    the offset: where the model is better than a single column, it hardly moves. τ²
    follows from the medians of offsets and errors. A few that are off by far more than
    their noise, such as one row of many, move by at least 1 − 9σ²/δ² of it. Columns
    that are not seen follow their neighbours.

    Parameters
    ----------
    xy
        Columns of the model in nm, shape (n, 2).
    offset
        Imaged minus model in nm, NaN where not seen, shape (n, 2).
    std
        Standard errors of both, shape (n, 2).
    region
        Of each column, shape (n,).

    Returns
    -------
    ndarray
        In nm, shape (n, 2).
    """
    moves = np.zeros_like(offset)
    for label in np.unique(region):
        own = region == label
        seen = own & np.isfinite(offset).all(axis=1) & np.isfinite(std).all(axis=1)
        if not seen.any():
            continue
        noise = (std[seen] ** 2).mean(axis=1) + 1e-12
        square = (offset[seen] ** 2).sum(axis=1) + 1e-12
        model = max(0.0, float(np.median(square) / _RAYLEIGH - np.median(noise)))
        share = np.maximum(model / (model + noise), 1 - _SURE**2 * noise / square)
        moves[seen] = offset[seen] * share[:, None]
        missing = np.flatnonzero(own & ~seen)
        moves[missing] = _of_neighbours(xy[missing], xy[seen], moves[seen])
    return moves


def kept_apart(xy: Array, moves: Array, std: Array) -> Array:
    """Moves after which no column is closer to another than atoms come.

    Beside a faint rim a column may be fitted to the tail of its neighbour's image. No
    pair may come nearer than 0.8 of the smaller of their distances to the nearest
    column before, which leaves strain and shear their room. Of a pair that does, the
    column that is less certain gives way, then the other.

    Parameters
    ----------
    xy
        Columns before any move in nm, shape (n, 2).
    moves
        From there in nm, shape (n, 2).
    std
        Standard error of each column, infinite or NaN where it is not seen, shape (n,).

    Returns
    -------
    ndarray
        In nm, shape (n, 2): `moves`, of some columns a part.
    """
    from scipy.spatial import cKDTree

    moves = moves.copy()
    if len(xy) < 2:
        return moves
    spacing = cKDTree(xy).query(xy, k=[2])[0][:, 0]
    std = np.where(np.isnan(std), np.inf, std)
    while True:  # ends: without moves all are apart, and each round takes some
        now = xy + moves
        reach = _CLOSEST * spacing.max()
        i, j = cKDTree(now).query_pairs(reach, output_type="ndarray").T
        close = np.linalg.norm(now[i] - now[j], axis=1) < _CLOSEST * np.minimum(
            spacing[i], spacing[j]
        )
        if not close.any():
            return moves
        i, j = i[close], j[close]
        weaker, other = np.where(std[i] > std[j], (i, j), (j, i))
        giving = np.unique(np.where(moves[weaker].any(axis=1), weaker, other))
        part = 0.5 * moves[giving]
        small = np.linalg.norm(part, axis=1) < _NO_MOVE * spacing[giving]
        moves[giving] = np.where(small[:, None], 0.0, part)


def _of_neighbours(xy: Array, seen: Array, moves: Array) -> Array:
    """Median move of the nearest columns that are seen, zero without one."""
    from scipy.spatial import cKDTree

    if not len(xy):
        return np.zeros((0, 2))
    count = min(_NEIGHBOURS, len(seen))
    distance, nearest = cKDTree(seen).query(
        xy, k=np.arange(1, count + 1), distance_upper_bound=_REACH
    )
    near = np.isfinite(distance)
    values = np.where(
        near[..., None], moves[np.minimum(nearest, len(seen) - 1)], np.nan
    )
    found = np.zeros((len(xy), 2))
    some = near.any(axis=1)
    found[some] = np.nanmedian(values[some], axis=1)
    return found
