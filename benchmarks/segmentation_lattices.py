# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Projected lattices and amorphous films for benchmarks/segmentation_scenes.py."""

from typing import NamedTuple

import numpy as np
from scipy.ndimage import gaussian_filter
from scipy.spatial import cKDTree

Array = np.ndarray
PIXEL = 0.02  # nm
CLOSEST = 0.4  # of the spacing, between columns of two crystals that meet


class Cell(NamedTuple):
    """Rectangle of a projected lattice in nm with its columns (x, y, brightness)."""

    width: float
    height: float
    columns: tuple[tuple[float, float, float], ...]
    symmetry: float  # degrees after which the lattice repeats

    @property
    def brightness(self) -> float:
        """Mean over the area."""
        return sum(c[2] for c in self.columns) / (self.width * self.height)

    @property
    def spacing(self) -> float:
        """Shortest lattice vector in nm."""
        columns = {(x % 1, y % 1, b) for x, y, b in self.columns}
        moved = {((x + 0.5) % 1, (y + 0.5) % 1, b) for x, y, b in columns}
        half = np.hypot(self.width, self.height) / 2
        return float(min(self.width, self.height, half if moved == columns else np.inf))


def _bright(*numbers: int) -> float:
    """Z-contrast of one atom or of several in a column."""
    return float(sum(z**1.7 for z in numbers))


def _centred(width: float, height: float, atom: float, symmetry: float) -> Cell:
    return Cell(width, height, ((0, 0, atom), (0.5, 0.5, atom)), symmetry)


def _fcc(a: float, z: int) -> dict[str, Cell]:
    root, atom = np.sqrt(2), _bright(z)
    return {
        "100": Cell(a / 2, a / 2, ((0, 0, atom / a),), 90),
        "110": _centred(a / root, a, atom * root / a, 180),
        "111": _centred(a / 6**0.5, a / root, atom / (a * 3**0.5), 60),
    }


def _bcc(a: float, z: int) -> dict[str, Cell]:
    atom, edge = _bright(z), a * (2 / 3) ** 0.5
    return {
        "100": _centred(a, a, atom / a, 90),
        "111": _centred(edge, edge * 3**0.5, atom / (a * 0.75**0.5), 60),
    }


def diamond(a: float, z: float) -> dict[str, Cell]:
    root, atom = np.sqrt(2), z**1.7
    pair = ((0, 0), (0.5, 0.5), (0, 0.25), (0.5, 0.75))
    return {
        "100": _centred(a / 2, a / 2, atom / a, 90),
        "110": Cell(a / root, a, tuple((x, y, atom * root / a) for x, y in pair), 180),
    }


def _perovskite(a: float, one: int, two: int) -> dict[str, Cell]:
    root, oxygen = np.sqrt(2), _bright(8)
    square = (
        (0, 0, _bright(one) / a),
        (0.5, 0.5, _bright(two, 8) / a),
        (0.5, 0, oxygen / a),
        (0, 0.5, oxygen / a),
    )
    oblong = (
        (0, 0, _bright(one, 8) / (a * root)),
        (0, 0.5, _bright(two) / (a * root)),
        (0.5, 0.5, 2 * oxygen / (a * root)),
    )
    return {
        "100": Cell(a, a, square, 90),
        "110": Cell(a / root, a, oblong, 180),
    }


GOLD = _fcc(0.4078, 79)
PHASES = (diamond(0.5658, 32), _bcc(0.2866, 26), _perovskite(0.3905, 38, 22))


def deposit(columns: Array, shape: tuple[int, int], sigma: float) -> Array:
    """Sum of Gaussians of unit integral, each first shared among four pixels."""
    margin = int(np.ceil(4 * sigma)) + 2
    rows, cols = columns[:, :2].T + margin
    padded = (shape[0] + 2 * margin, shape[1] + 2 * margin)
    keep = (rows >= 0) & (cols >= 0) & (rows < padded[0] - 1) & (cols < padded[1] - 1)
    rows, cols, bright = rows[keep], cols[keep], columns[keep, 2]
    top, left = rows.astype(int), cols.astype(int)
    down, right = rows - top, cols - left
    total = np.zeros(padded[0] * padded[1])
    for dy, dx in ((0, 0), (0, 1), (1, 0), (1, 1)):
        share = (down if dy else 1 - down) * (right if dx else 1 - right)
        flat = (top + dy) * padded[1] + left + dx
        total += np.bincount(flat, bright * share, total.size)
    image = gaussian_filter(total.reshape(padded), sigma, mode="constant")
    return image[margin : margin + shape[0], margin : margin + shape[1]]


def lattice(cell: Cell, shape: tuple[int, int], offset: Array) -> Array:
    """Columns (u, v in nm about the image's centre, brightness) that cover it."""
    reach = np.hypot(*shape) * PIXEL / 2 + 1
    i = np.arange(-reach // cell.width, reach // cell.width + 2)
    j = np.arange(-reach // cell.height, reach // cell.height + 2)
    all_columns = []
    for x, y, bright in cell.columns:
        u, v = np.meshgrid((i + x) * cell.width, (j + y) * cell.height)
        all_columns.append(
            np.stack([u + offset[0], v + offset[1], np.full_like(u, bright)], -1)
        )
    return np.concatenate([p.reshape(-1, 3) for p in all_columns])


def placed(
    points: Array,
    degrees: float,
    values: Array,
    value: int,
    origin: Array | None = None,
) -> Array:
    """Columns in pixels, turned about `origin`, where the image has that value."""
    shape = np.array(values.shape)
    origin = shape / 2 if origin is None else origin
    angle = np.deg2rad(degrees)
    u, v = points[:, :2].T / PIXEL
    rows = origin[0] - v * np.cos(angle) + u * np.sin(angle)
    cols = origin[1] + u * np.cos(angle) + v * np.sin(angle)
    near = np.clip(np.rint(np.stack([rows, cols])).astype(int), 0, shape[:, None] - 1)
    inside = (values[tuple(near)] == value) & (rows > -30) & (cols > -30)
    inside &= (rows < shape[0] + 30) & (cols < shape[1] + 30)
    return np.stack([rows, cols, points[:, 2]], 1)[inside]


def joined(grains: list[Array], spacing: float) -> Array:
    """All columns, without those of a later crystal too close to an earlier one's."""
    kept = grains[:1]
    reach = CLOSEST * spacing / PIXEL
    for grain in grains[1:]:
        near, _ = cKDTree(np.concatenate(kept)[:, :2]).query(grain[:, :2])
        kept.append(grain[near > reach])
    return np.concatenate(kept)


def random_atoms(
    rng: np.random.Generator, where: Array, brightness: float, density: float
) -> Array:
    """Atoms of an amorphous film, `density` per nm² in projection.

    They may overlap in projection. Each is drawn about a point of its own of a
    square grid, which keeps the density as even as a network does.
    """
    edge = 1 / (PIXEL * np.sqrt(density))
    rows = np.arange(-30, where.shape[0] + 30, edge)
    cols = np.arange(-30, where.shape[1] + 30, edge)
    y, x = (g.ravel() for g in np.meshgrid(rows, cols, indexing="ij"))
    y, x = y + 2 * edge * rng.random(y.size), x + 2 * edge * rng.random(x.size)
    limits = np.array(where.shape)[:, None] - 1
    near = np.clip(np.rint(np.stack([y, x])).astype(int), 0, limits)
    inside = where[tuple(near)]
    weights = np.full(inside.sum(), brightness / density)
    return np.stack([y[inside], x[inside], weights], 1)


def speckle(rng: np.random.Generator) -> float:
    """Projected atoms per nm², two to eight for a column of a crystal."""
    return 17 * float(np.exp(rng.uniform(np.log(2), np.log(8))))
