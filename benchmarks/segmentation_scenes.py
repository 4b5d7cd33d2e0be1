# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Images whose division into regions is known exactly, for benchmarks/segmentation.py.

Three kinds: grey levels without a lattice, lattices of atomic columns, and images of
one region only. Geometry, levels and rotations follow from the seed alone, so the same
seed with other options is the same object under other conditions.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from scipy.ndimage import gaussian_filter, label
from scipy.spatial import cKDTree
from segmentation_lattices import (
    GOLD,
    PHASES,
    PIXEL,
    Array,
    deposit,
    diamond,
    joined,
    lattice,
    placed,
    random_atoms,
    speckle,
)

Shape = int | tuple[int, int]

VACUUM = 0.02  # counts without matter, relative to the dose


class Scene(NamedTuple):
    """An image and its true regions.

    Attributes
    ----------
    image
        Rows × columns.
    truth
        Labels from 1; every connected region has its own. 0 is the empty frame.
    pixel_size
        In nm.
    lattice_spacing_px
        Shortest distance between equivalent columns, None without a lattice.
    crystalline
        Label: whether that region is a crystal; None where there is no lattice.
    """

    image: Array
    truth: Array
    pixel_size: float
    lattice_spacing_px: float | None
    crystalline: dict[int, bool] | None


def scenes() -> dict[str, Callable[..., Scene]]:
    """Every family of scenes as a function of a seed and of options.

    Returns
    -------
    dict
        Grey levels (layers, diagonal, nanowire, core_shell, particles, thin_layer)
        take `shape`, `contrast`, `noise`, `gradient`, `illumination`, `blur`,
        `saturated` and `frame`; lattices (cross, poly, multi, part) and single
        regions (crystal, amorphous, noise) take `shape`, `dose`, `sigma`, `gradient`
        and `jitter`.
    """
    grey = (layers, diagonal, nanowire, core_shell, particles, thin_layer)
    lattice = (cross, poly, multi, part, crystal, amorphous, noise)
    return {f.__name__: _grey(f) for f in grey} | {
        f.__name__: _lattice(f) for f in lattice
    }


def _size(shape: Shape) -> tuple[int, int]:
    return (shape, shape) if isinstance(shape, int) else shape


def _grid(shape: tuple[int, int]) -> tuple[Array, Array]:
    return tuple(np.indices(shape, dtype=float, sparse=True))


def _connected(values: Array) -> tuple[Array, Array]:
    """Connected regions 1 … n of equal value, and the value of each."""
    truth, found = np.zeros(values.shape, np.int32), []
    for value in np.unique(values):
        pieces, count = label(values == value, np.ones((3, 3)))
        truth += np.where(pieces > 0, pieces + len(found), 0).astype(np.int32)
        found += [value] * count
    return truth, np.array(found)


def _ramp(rng: np.random.Generator, shape: tuple[int, int], total: float) -> Array:
    """Factor that changes by `total` across the image in a random direction."""
    y, x = _grid(shape)
    angle = rng.uniform(0, 2 * np.pi)
    along = np.cos(angle) * (x / shape[1] - 0.5) + np.sin(angle) * (y / shape[0] - 0.5)
    return 1 + total * along / (abs(np.cos(angle)) + abs(np.sin(angle)))


def _polygon(
    shape: tuple[int, int],
    centre: tuple[float, float],
    radius: float,
    sides: int,
    turn: float,
) -> Array:
    """Pixels of a regular polygon with the inner `radius`, of a disk for 0 sides."""
    y, x = _grid(shape)
    dy, dx = y - centre[0], x - centre[1]
    if not sides:
        return np.hypot(dy, dx) <= radius
    normals = turn + 2 * np.pi * np.arange(sides) / sides
    return np.logical_and.reduce(
        [dx * np.cos(n) + dy * np.sin(n) <= radius for n in normals]
    )


def _apart(
    rng: np.random.Generator,
    shape: tuple[int, int],
    radii: Array,
    gap: float,
) -> Array:
    """Random centres of disks that neither overlap nor touch the border."""
    for _ in range(200):
        centres: list[Array] = []
        for radius in np.sort(radii)[::-1]:
            for _ in range(200):
                spot = (
                    radius
                    + gap
                    + rng.random(2) * (np.array(shape) - 2 * (radius + gap))
                )
                distances = [np.hypot(*(spot - c)) for c in centres]
                needed = radius + np.sort(radii)[::-1][: len(centres)] + gap
                if np.all(distances >= needed):
                    centres.append(spot)
                    break
        if len(centres) == len(radii):
            return np.array(centres)
    raise RuntimeError("The disks do not fit into the image.")


# Grey levels ------------------------------------------------------------------------


def _grey(geometry: Callable[..., Array]) -> Callable[..., Scene]:
    """Scene of a `geometry`, which gives the step -1, 0 or 1 of every region."""

    def scene(
        seed: int,
        *,
        shape: Shape = 512,
        contrast: float = 0.5,
        noise: float = 0.05,
        gradient: float = 0.0,
        illumination: float = 0.0,
        blur: float = 0.7,
        saturated: bool = False,
        frame: bool = False,
    ) -> Scene:
        """Levels 0.5 ± contrast / 2: contrast 0.2 means 0.4, 0.5 and 0.6.

        `noise` is the standard deviation in the same unit, `gradient` the total of
        a multiplicative ramp, `illumination` the loss in the corners, `blur` in
        pixels. `saturated` gives uint8 with the brightest level at 255, `frame` a
        border of zeros with truth 0.
        """
        rng = np.random.default_rng(seed)
        shape = _size(shape)
        truth, steps = _connected(geometry(rng, shape))
        pixel = float(np.exp(rng.uniform(np.log(10), np.log(600)))) / max(shape)
        image = np.concatenate([[0.5], 0.5 + contrast / 2 * steps])[truth]
        top = image.max()
        image = gaussian_filter(image, blur) * _ramp(rng, shape, gradient)
        y, x = _grid(shape)
        corner = ((y / shape[0] - 0.5) ** 2 + (x / shape[1] - 0.5) ** 2) * 2
        image = image * (1 - illumination * corner)
        image += noise * rng.standard_normal(shape)
        if saturated:
            image = np.clip(np.rint(image * 255 / top), 0, 255).astype(np.uint8)
        if frame:
            outside = _border(rng, shape)
            image[outside] = 0
            truth[outside] = 0
        return Scene(image, truth, pixel, None, None)

    scene.__name__ = geometry.__name__
    return scene


def _border(rng: np.random.Generator, shape: tuple[int, int]) -> Array:
    """Pixels of a frame with sides of different width, one perhaps without."""
    outside = np.ones(shape, bool)
    top, left, bottom, right = rng.integers(0, 1 + min(shape) // 16, 4)
    outside[top : shape[0] - bottom, left : shape[1] - right] = False
    return outside


def _walk(rng: np.random.Generator, count: int) -> Array:
    """Steps -1, 0, 1 of which two neighbours always differ."""
    steps = [int(rng.integers(-1, 2))]
    while len(steps) < count:
        steps.append(int(rng.choice([s for s in (-1, 0, 1) if s != steps[-1]])))
    return np.array(steps)


def layers(rng: np.random.Generator, shape: tuple[int, int]) -> Array:
    """Three to six horizontal layers, each at least 7 % of the height."""
    count = int(rng.integers(3, 7))
    widths = 0.07 + (1 - 0.07 * count) * rng.dirichlet(np.full(count, 2.0))
    edges = np.rint(np.cumsum(widths)[:-1] * shape[0])
    y, x = _grid(shape)
    return _walk(rng, count)[np.searchsorted(edges, y + 0 * x, side="right")]


def diagonal(rng: np.random.Generator, shape: tuple[int, int]) -> Array:
    """Two halves, the interface 20° to 70° from the rows."""
    angle = np.deg2rad(rng.uniform(20, 70)) * rng.choice([-1, 1])
    y, x = _grid(shape)
    middle = np.array(shape) * rng.uniform(0.35, 0.65, 2)
    side = (y - middle[0]) * np.cos(angle) - (x - middle[1]) * np.sin(angle) > 0
    low, high = rng.permutation([-1, 0] if rng.random() < 0.5 else [0, 1])
    return np.where(side, low, high)


def nanowire(rng: np.random.Generator, shape: tuple[int, int]) -> Array:
    """Triangle, trapezoid or hexagon that stands on a substrate in vacuum."""
    y, x = _grid(shape)
    floor = shape[0] * rng.uniform(0.65, 0.85)
    middle = shape[1] * rng.uniform(0.35, 0.65)
    height = floor * rng.uniform(0.45, 0.75)
    half = min(height, shape[1] / 3) * rng.uniform(0.5, 0.9)
    kind = rng.integers(3)
    rise = (floor - y) / height
    if kind == 2:
        radius = min(half, height / 2)
        centre = (floor - radius, middle)
        wire = _polygon(shape, centre, radius, 6, np.pi / 2)
    else:
        top = 0.0 if kind == 0 else rng.uniform(0.3, 0.8)
        wire = (np.abs(x - middle) <= half * (1 - (1 - top) * rise)) & (rise <= 1)
    substrate, inside = rng.permutation([0, 1])
    steps = np.where(wire, inside, -1)
    return np.where(y + 0 * x >= floor, substrate, steps)


def core_shell(rng: np.random.Generator, shape: tuple[int, int]) -> Array:
    """Disk or hexagon with a shell, off the centre."""
    outer = min(shape) * rng.uniform(0.22, 0.38)
    inner = outer * rng.uniform(0.45, 0.8)
    centre = [s / 2 + (s / 2 - 1.2 * outer) * rng.uniform(-1, 1) for s in shape]
    sides, turn = int(rng.choice([0, 6])), rng.uniform(0, np.pi / 3)
    outside, shell, core = rng.permutation([-1, 0, 1])
    steps = np.where(_polygon(shape, centre, outer, sides, turn), shell, outside)
    return np.where(_polygon(shape, centre, inner, sides, turn), core, steps)


def particles(rng: np.random.Generator, shape: tuple[int, int]) -> Array:
    """Five to twelve separate ellipses, half axes 2 % to 9 % of the image."""
    count = int(rng.integers(5, 13))
    small = min(shape)
    radii = np.sort(np.exp(rng.uniform(np.log(0.028), np.log(0.09), count)))[::-1]
    radii = small * radii
    y, x = _grid(shape)
    steps = np.full(shape, -1)
    centres = _apart(rng, shape, radii, 0.02 * small)
    for (row, column), radius in zip(centres, radii, strict=True):
        angle, flat = rng.uniform(0, np.pi), rng.uniform(0.75, 1)
        along = np.cos(angle) * (x - column) + np.sin(angle) * (y - row)
        across = np.cos(angle) * (y - row) - np.sin(angle) * (x - column)
        inside = along**2 + (across / flat) ** 2 <= radius**2
        steps[inside] = rng.integers(0, 2)
    return -steps if rng.random() < 0.5 else steps


def thin_layer(rng: np.random.Generator, shape: tuple[int, int]) -> Array:
    """Layer of 1 % of the width between two thick ones, tilted by up to 10°."""
    angle = np.deg2rad(rng.uniform(-10, 10) + 90 * rng.integers(2))
    y, x = _grid(shape)
    middle = np.array(shape) * rng.uniform(0.35, 0.65, 2)
    depth = (y - middle[0]) * np.cos(angle) + (x - middle[1]) * np.sin(angle)
    one, layer, two = _walk(rng, 3)
    steps = np.where(depth < 0, one, two)
    return np.where(np.abs(depth) <= 0.005 * shape[1], layer, steps)


# Lattices ---------------------------------------------------------------------------


class Matter(NamedTuple):
    """Columns (row, column in pixels, brightness), the crystals' first."""

    values: Array  # steps of _connected: one integer per pixel
    columns: Array
    crystals: tuple[int, ...]  # values that are crystals
    empty: tuple[int, ...]  # values without matter
    spacing: float | None  # nm


def _lattice(geometry: Callable[..., Matter]) -> Callable[..., Scene]:
    """Scene of a `geometry` of atomic columns."""

    def scene(
        seed: int,
        *,
        shape: Shape = 1024,
        dose: float = 50.0,
        sigma: float = 0.055,
        gradient: float = 0.0,
        jitter: float = 0.0,
    ) -> Scene:
        """Gaussian columns of `sigma` nm, `dose` counts per pixel where matter is.

        Poisson noise, none if the dose is infinite. `gradient` is the total of a
        multiplicative ramp, `jitter` the standard deviation of the rows' shifts in
        pixels.
        """
        rng = np.random.default_rng(seed)
        shape = _size(shape)
        matter = geometry(rng, shape)
        truth, values = _connected(matter.values)
        image = deposit(matter.columns, shape, sigma / PIXEL)
        image /= image[~np.isin(matter.values, matter.empty)].mean()
        image = (image * _ramp(rng, shape, gradient) + VACUUM) / (1 + VACUUM)
        if jitter:
            x = np.arange(shape[1])
            shifts = jitter * rng.standard_normal(shape[0])
            rows = zip(image, shifts, strict=True)
            image = np.array([np.interp(x + shift, x, row) for row, shift in rows])
        if np.isfinite(dose):
            image = rng.poisson(dose * image).astype(np.float32)
        spacing = None if matter.spacing is None else matter.spacing / PIXEL
        crystals = {
            i: bool(value in matter.crystals) for i, value in enumerate(values, 1)
        }
        return Scene(image, truth, PIXEL, spacing, crystals)

    scene.__name__ = geometry.__name__
    return scene


def cross(rng: np.random.Generator, shape: tuple[int, int]) -> Matter:
    """Vacuum, amorphous cap, coherent film 4 % larger along its normal, substrate."""
    y, x = _grid(shape)
    tilt = rng.uniform(-8, 8)
    angle = np.deg2rad(tilt)
    vacuum, cap, film = rng.uniform([0.1, 0.12, 0.18], [0.22, 0.2, 0.32])
    origin = np.array([shape[0] * (vacuum + cap + film), shape[1] / 2])
    height = -((y - origin[0]) * np.cos(angle) - (x - origin[1]) * np.sin(angle))
    along = 2 * np.pi * (x / shape[1] + rng.random((3, 1, 1)))
    waves = np.cos(along * np.array([1, 2, 3])[:, None, None])
    rough = shape[0] * rng.uniform(0, 0.012, (2, 3))
    tops = np.cumsum([film, cap]) * shape[0]
    lean = np.tan(np.deg2rad(rng.uniform(-4, 4))) * (x - origin[1])
    surface = tops[1] + lean + np.tensordot(rough[1], waves, 1)
    buried = tops[0] + np.tensordot(rough[0] / 3, waves, 1)
    values = np.where(height > 0, 2, 3)
    values = np.where(height > buried, 1, values)
    values = np.where(height > surface, 0, values)
    silicon = diamond(0.5431, 14)["110"]
    # The interface lies halfway between two planes.
    offset = np.array([0.3 * rng.random(), silicon.height / 8])
    alloy = diamond(0.5431, rng.uniform(18, 32))["110"]
    below, above = lattice(silicon, shape, offset), lattice(alloy, shape, offset)
    below, above = below[below[:, 1] <= 0], above[above[:, 1] > 0]
    above[:, 1] *= 1.04
    parts = [
        placed(below, tilt, values, 3, origin),
        placed(above, tilt, values, 2, origin),
        random_atoms(
            rng,
            values == 1,
            silicon.brightness * rng.uniform(0.5, 1.5),
            speckle(rng),
        ),
    ]
    return Matter(values, np.concatenate(parts), (2, 3), (0,), silicon.spacing)


def _voronoi(rng: np.random.Generator, shape: tuple[int, int], count: int) -> Array:
    """Cells about random points, none below 6 % of the image."""
    y, x = _grid(shape)
    for _ in range(1000):
        seeds = rng.random((count, 2)) * shape
        coarse = np.indices((64, 64)).reshape(2, -1).T * (np.array(shape) / 64)
        if np.bincount(cKDTree(seeds).query(coarse)[1]).min() > 0.06 * len(coarse):
            break
    distances = [(y - row) ** 2 + (x - column) ** 2 for row, column in seeds]
    return np.argmin(distances, 0)


def _rotations(rng: np.random.Generator, count: int, symmetry: float) -> Array:
    """Rotations in degrees, any two at least 6° apart (or as far as they fit)."""
    step = symmetry / count
    jitter = max(step - 6, 0) * rng.random(count)
    return rng.permutation(step * np.arange(count) + jitter + symmetry * rng.random())


def poly(rng: np.random.Generator, shape: tuple[int, int]) -> Matter:
    """Six grains of gold along one zone axis, which differ by rotation only."""
    values = _voronoi(rng, shape, 6)
    cell = GOLD[str(rng.choice(["110", "100", "111"]))]
    turns = _rotations(rng, 6, cell.symmetry)
    grains = [
        placed(lattice(cell, shape, rng.random(2) * 0.3), turn, values, value)
        for value, turn in enumerate(turns)
    ]
    return Matter(
        values, joined(grains, cell.spacing), tuple(range(6)), (), cell.spacing
    )


def multi(rng: np.random.Generator, shape: tuple[int, int]) -> Matter:
    """Six grains: germanium, iron and SrTiO3 along two zone axes each."""
    values = _voronoi(rng, shape, 6)
    cells = [cell for phase in PHASES for cell in phase.values()]
    grains = [
        placed(
            lattice(cells[i], shape, rng.random(2) * 0.3),
            rng.uniform(0, 180),
            values,
            value,
        )
        for value, i in enumerate(rng.permutation(6))
    ]
    spacing = min(cell.spacing for cell in cells)
    return Matter(values, joined(grains, spacing), tuple(range(6)), (), spacing)


def part(rng: np.random.Generator, shape: tuple[int, int]) -> Matter:
    """Six particles of gold, disks or polygons, on an amorphous film."""
    cell = GOLD[str(rng.choice(["110", "100"]))]
    radii = np.sort(min(shape) * rng.uniform(0.07, 0.14, 6))[::-1]
    centres = _apart(rng, shape, radii, 0.02 * min(shape))
    values = np.zeros(shape, int)
    for i, (centre, radius) in enumerate(zip(centres, radii, strict=True), 1):
        sides = int(rng.choice([0, 0, 6, 8]))
        inner = radius * (np.cos(np.pi / sides) if sides else 1)
        values[_polygon(shape, centre, inner, sides, rng.uniform(0, np.pi))] = i
    support = cell.brightness * rng.uniform(0.2, 0.7)
    everywhere = np.ones(shape, bool)
    columns = [random_atoms(rng, everywhere, support, speckle(rng))]
    for i in range(1, 7):
        points = lattice(cell, shape, rng.random(2) * 0.3)
        columns.append(placed(points, rng.uniform(0, 180), values, i))
    crystals = tuple(range(1, 7))
    return Matter(values, np.concatenate(columns), crystals, (), cell.spacing)


# One region ------------------------------------------------------------------------


def crystal(rng: np.random.Generator, shape: tuple[int, int]) -> Matter:
    """A single crystal that fills the image."""
    cells = [*GOLD.values(), *(cell for phase in PHASES for cell in phase.values())]
    cell = cells[int(rng.integers(len(cells)))]
    values = np.zeros(shape, int)
    points = lattice(cell, shape, rng.random(2) * 0.3)
    columns = placed(points, rng.uniform(0, 180), values, 0)
    return Matter(values, columns, (0,), (), cell.spacing)


def amorphous(rng: np.random.Generator, shape: tuple[int, int]) -> Matter:
    """An amorphous film that fills the image."""
    values = np.zeros(shape, int)
    atoms = random_atoms(rng, values == 0, 1.0, speckle(rng))
    return Matter(values, atoms, (), (), None)


def noise(rng: np.random.Generator, shape: tuple[int, int]) -> Matter:
    """No object at all: the same mean everywhere."""
    values = np.zeros(shape, int)
    y, x = (g.ravel() for g in np.indices(np.array(shape) + 40) - 20)
    return Matter(values, np.stack([y, x, 1.0 + 0 * x], 1), (), (), None)


def montage(path: str, seed: int = 0, **options: Any) -> None:
    """Every scene beside its truth, for the eye."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(4, 8, figsize=(24, 12), layout="constrained")
    for ax in axes.ravel():
        ax.set_axis_off()
    for i, (name, make) in enumerate(scenes().items()):
        scene = make(seed, **options)
        left, right = axes.ravel()[2 * i : 2 * i + 2]
        left.imshow(scene.image, cmap="gray", interpolation="antialiased")
        left.set_title(name)
        right.imshow(scene.truth, cmap="tab20", interpolation="nearest")
    figure.savefig(path, dpi=70)
