# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Plane lattices behind a list of spots, and the nodes that they foretell."""

import numpy as np

from hyperspy_t2t.array_types import Array, Bools

_SEEDS = 14
"""Strongest spots whose pairs are tried as a basis."""
_STRONGEST = 12
"""Spots among which a lattice is looked for first: faint ones may be copies of strong
ones, moved by a disturbance of the scan."""
_FEWEST = 3
"""Spots of one half plane that a lattice must explain: two would fit anything."""
_FITTED = 12
"""Most promising bases that are fitted to their spots."""
_CHANCE = 0.05
"""Number of lattices as good as one accepted that chance would give."""


def plane_lattices(g: Array, snr: Array, tolerance: float) -> list[Array]:
    """Lattices that explain a list of spots, the one that explains most first.

    Pairs of strong spots, and their halved sums, are tried as a basis, first for the
    strongest spots alone. A lattice is taken if more spots lie on its nodes than
    chance would put there, its basis is fitted to them, and the search goes on with
    the spots that are left.

    Parameters
    ----------
    g
        One of each Friedel pair in pixels of the spectrum, shape (n, 2).
    snr
        Power over noise, shape (n,).
    tolerance
        Distance in pixels within which a spot lies on a node.

    Returns
    -------
    list of ndarray
        Bases, rows g₁ and g₂ in pixels, shape (2, 2).
    """
    left = np.ones(len(g), bool)
    found = []
    while left.sum() >= _FEWEST:
        strongest = np.flatnonzero(left)
        strongest = strongest[np.argsort(-snr[left], kind="stable")[:_STRONGEST]]
        basis = _best_basis(g[strongest], snr[strongest], tolerance)
        if basis is None:
            basis = _best_basis(g[left], snr[left], tolerance)
        if basis is None:
            break
        on = on_nodes(g, basis, tolerance)
        basis = _fitted(g[on], snr[on], basis)
        found.append(basis)
        on = on_nodes(g, basis, tolerance)
        if not (on & left).any():
            break
        left &= ~on
    return found


def on_nodes(g: Array, basis: Array, tolerance: float) -> Bools:
    """Which g (n, 2) lie within a distance of a node of a lattice."""
    orders = np.rint(g @ np.linalg.inv(basis))
    return np.linalg.norm(orders @ basis - g, axis=1) <= tolerance


def _best_basis(g: Array, snr: Array, tolerance: float) -> Array | None:
    """The lattice least likely by chance, fitted to its spots; None if none is good."""
    bases = _bases(g[np.argsort(-snr, kind="stable")[:_SEEDS]])
    area = np.abs(np.linalg.det(bases))
    large = area > 25 * np.pi * tolerance**2
    bases, area = bases[large], area[large]
    if not len(bases):
        return None
    off = g @ np.linalg.inv(bases)
    off = np.linalg.norm((np.rint(off) - off) @ bases, axis=-1)
    chance = _log_chance((off <= tolerance).sum(axis=1), len(g), tolerance, area)
    best, lowest = None, np.log(_CHANCE / len(bases))
    for k in np.argsort(chance, kind="stable")[:_FITTED]:
        fitted = _fitted(g[off[k] <= tolerance], snr[off[k] <= tolerance], bases[k])
        hits = np.atleast_1d(on_nodes(g, fitted, tolerance).sum())
        size = np.abs(np.linalg.det(fitted))
        value = float(_log_chance(hits, len(g), tolerance, size)[0])
        if hits[0] >= _FEWEST and value < lowest:
            best, lowest = fitted, value
    return best


def _bases(g: Array) -> Array:
    """Pairs of vectors, and with half their sum and difference, (m, 2, 2)."""
    i, j = np.triu_indices(len(g), 1)
    first, second = g[i], g[j]
    cross = np.abs(first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0])
    length = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
    first, second = first[cross >= 0.1 * length], second[cross >= 0.1 * length]
    half, other = (first + second) / 2, (first - second) / 2
    pairs = ((first, second), (first, half), (half, other))
    return np.concatenate([np.stack(pair, axis=1) for pair in pairs])


def _fitted(g: Array, snr: Array, basis: Array) -> Array:
    """Basis by least squares; a spot's position varies as 1/snr."""
    for _ in range(2):
        orders = np.rint(g @ np.linalg.inv(basis))
        weight = np.sqrt(np.minimum(snr, 1e4))[:, None]
        fit, _, rank, _ = np.linalg.lstsq(orders * weight, g * weight, rcond=None)
        if rank < 2 or not np.isfinite(np.linalg.cond(fit)):
            return basis
        basis = fit
    return basis


def _log_chance(hits: np.ndarray, count: int, tolerance: float, area: Array) -> Array:
    """ln of the chance of so many spots of `count` on nodes, by Chernoff's bound.

    Two of them are on nodes by construction.
    """
    trials = max(count - 2, 1)
    share = np.clip((hits - 2) / trials, 0, 1)
    p = np.minimum(np.pi * tolerance**2 / area, 0.5)
    with np.errstate(divide="ignore", invalid="ignore"):
        on = np.where(share > 0, share * np.log(share / p), 0)
        off = np.where(share < 1, (1 - share) * np.log((1 - share) / (1 - p)), 0)
    return np.where(share > p, -trials * (on + off), 0.0)


def lattice_nodes(basis: Array, limits: tuple[float, float], nyquist: Array) -> Array:
    """Nodes of the half plane gx > 0 within limits of |g| and of gx and gy.

    Parameters
    ----------
    basis
        Rows in 1/nm, (2, 2).
    limits
        Least and greatest |g| in 1/nm.
    nyquist
        Greatest (gx, gy) in 1/nm.

    Returns
    -------
    ndarray
        (gx, gy), shape (n, 2), from the centre outwards.
    """
    reach = np.minimum(nyquist, limits[1])
    highest = np.ceil(np.abs(np.linalg.inv(basis)).T @ reach).astype(int)
    m, n = (np.arange(-size, size + 1) for size in highest)
    orders = np.stack(np.meshgrid(m, n, indexing="ij"), -1).reshape(-1, 2)
    nodes = orders @ basis
    length = np.linalg.norm(nodes, axis=1)
    keep = (length >= limits[0]) & (length <= limits[1])
    keep &= (np.abs(nodes) < reach).all(axis=1)
    keep &= (nodes[:, 0] > 0) | ((nodes[:, 0] == 0) & (nodes[:, 1] > 0))
    nodes, length = nodes[keep], length[keep]
    return nodes[np.argsort(length, kind="stable")]
