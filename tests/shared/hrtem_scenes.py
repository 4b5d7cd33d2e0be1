# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Phase-contrast images (HRTEM) whose regions are known, independent of the package.

Everything transmits the whole beam: the mean is 1 in crystal, film and vacuum alike.
A crystal adds a cosine for each g, whose amplitude follows the thickness as
cos π (k t + φ) and so passes through zero and reverses, for each g elsewhere. A film
adds speckle, white noise times the envelope and the zeros of |sin χ|. Vacuum adds
nothing. Then counts are drawn.
"""

from typing import NamedTuple

import numpy as np

Array = np.ndarray
VACUUM, FILM = -1, 0
"""Materials; those from 1 on are crystals of different orientation."""


class Scene(NamedTuple):
    """An image in counts and its true regions."""

    image: Array
    truth: Array
    """Labels from 1, shape (ny, nx)."""
    material: Array
    """VACUUM, FILM or the number of a crystal, same shape."""


def speckle(rng: np.random.Generator, shape: tuple[int, int], spacing: float) -> Array:
    """Film with a standard deviation of 1; the ring is as long as a lattice's g."""
    q = np.hypot(np.fft.fftfreq(shape[0])[:, None], np.fft.rfftfreq(shape[1])[None])
    u = q * spacing
    # Passes through zero at u = 0, 1.15, 1.62, 1.99: first ring about u = 0.8.
    transfer = np.abs(np.sin(np.pi * u**2 / 1.15**2)) * np.exp(-((u / 1.6) ** 4))
    wave = np.fft.rfft2(rng.normal(size=shape)) * transfer
    film = np.fft.irfft2(wave, shape)
    return film / film.std()


def fringes(
    rng: np.random.Generator,
    thickness: Array,
    turn: float,
    spacing: float,
    reversals: float,
    together: bool,
) -> Array:
    """Hexagonal or oblique lattice whose amplitudes reverse along the thickness.

    `reversals` is how often per unit of thickness; `together` makes all reverse at
    the same places, so that bands are left without any fringe.
    """
    y, x = np.indices(thickness.shape, dtype=float)
    total = np.zeros(thickness.shape)
    opening = np.deg2rad(rng.uniform(55, 90))
    amplitude = rng.uniform(0.07, 0.15, 3)
    start = rng.uniform(0, 1, 3)
    rate = reversals * rng.uniform(0.7, 1.3, 3)
    if together:
        start[:], rate[:] = start[0], rate[0]
    first = np.array([np.cos(turn), np.sin(turn)]) / spacing
    angle = turn + opening
    second = np.array([np.cos(angle), np.sin(angle)]) / spacing * rng.uniform(0.8, 1)
    for k, (gx, gy) in enumerate((first, second, first - second)):
        phase = 2 * np.pi * (gx * x + gy * y + rng.random())
        envelope = np.cos(np.pi * (rate[k] * thickness + start[k]))
        total += 2 * amplitude[k] * envelope * np.cos(phase)
    return total


def _curve(rng: np.random.Generator, size: int, length: int) -> Array:
    """Smooth line around 0, some percent of the image up and down."""
    s = np.arange(length) / length
    waves = [rng.normal() * np.cos(2 * np.pi * (n * s + rng.random())) / n
             for n in (1, 2, 3)]  # fmt: skip
    return 0.02 * size * np.sum(waves, axis=0)


def _wedge(rng: np.random.Generator, shape: tuple[int, int]) -> Array:
    """Thickness from 0 to 1 along a random direction, slightly bent."""
    y, x = np.indices(shape) / max(shape)
    angle = rng.uniform(0, 2 * np.pi)
    along = np.cos(angle) * x + np.sin(angle) * y
    across = np.cos(angle) * y - np.sin(angle) * x
    along = along + 0.1 * across**2
    return (along - along.min()) / np.ptp(along)


def _bands(rng: np.random.Generator, shape: tuple[int, int], shares: Array) -> Array:
    """Number of the band from the top of each pixel; borders are curved and tilted."""
    y, x = np.indices(shape)
    lean = np.tan(np.deg2rad(rng.uniform(-12, 12))) * (x - shape[1] / 2)
    result = np.zeros(shape, int)
    for place in np.cumsum(shares)[:-1] * shape[0]:
        result += y > place + lean + _curve(rng, shape[0], shape[1])
    return result


def beside_film(rng: np.random.Generator, shape: tuple[int, int]) -> Array:
    """A crystal beside an amorphous film."""
    return np.array([1, FILM])[_bands(rng, shape, rng.dirichlet([20, 20]))]


def edge(rng: np.random.Generator, shape: tuple[int, int]) -> Array:
    """A crystal in vacuum with an amorphous rim."""
    rim = rng.uniform(0.12, 0.2)
    vacuum = rng.uniform(0.2, 0.4)
    return np.array([VACUUM, FILM, 1])[
        _bands(rng, shape, np.array([vacuum, rim, 1 - rim - vacuum]))
    ]


def film(rng: np.random.Generator, shape: tuple[int, int]) -> Array:
    """A film beside vacuum."""
    return np.array([VACUUM, FILM])[_bands(rng, shape, rng.dirichlet([20, 20]))]


def grains(rng: np.random.Generator, shape: tuple[int, int]) -> Array:
    """Four crystals that meet at points."""
    y, x = np.indices(shape)
    corners = np.array([(0.27, 0.27), (0.27, 0.73), (0.73, 0.27), (0.73, 0.73)])
    seeds = (corners + rng.uniform(-0.1, 0.1, (4, 2))) * shape
    return 1 + np.argmin([(y - row) ** 2 + (x - col) ** 2 for row, col in seeds], 0)


def particle(rng: np.random.Generator, shape: tuple[int, int]) -> Array:
    """A crystalline particle on a film, vacuum in a corner."""
    y, x = np.indices(shape) / np.array(shape).reshape(2, 1, 1)
    row, column = rng.uniform(0.5, 0.62, 2)
    inside = np.hypot(y - row, x - column) < rng.uniform(0.2, 0.27)
    vacuum = x + y < rng.uniform(0.4, 0.55)
    return np.where(inside, 1, np.where(vacuum, VACUUM, FILM))


def patch(rng: np.random.Generator, shape: tuple[int, int]) -> Array:
    """A crystal with an amorphous patch inside: its fringes go on behind in phase."""
    y, x = np.indices(shape) / np.array(shape).reshape(2, 1, 1)
    row, column = rng.uniform(0.42, 0.58, 2)
    return np.where(np.hypot(y - row, x - column) < rng.uniform(0.14, 0.2), FILM, 1)


def crystal(rng: np.random.Generator, shape: tuple[int, int]) -> Array:
    """One crystal."""
    return np.ones(shape, int)


def amorphous(rng: np.random.Generator, shape: tuple[int, int]) -> Array:
    """One film."""
    return np.full(shape, FILM)


def vacuum(rng: np.random.Generator, shape: tuple[int, int]) -> Array:
    """Nothing."""
    return np.full(shape, VACUUM)


SCENES = {
    f.__name__: f
    for f in (
        beside_film, edge, film, grains, particle, patch, crystal, amorphous, vacuum
    )
}  # fmt: skip


def scene(
    name: str,
    seed: int,
    *,
    shape: tuple[int, int] = (768, 768),
    dose: float | None = None,
    reversals: float | None = None,
    together: bool | None = None,
) -> Scene:
    """An image of one of :data:`SCENES`; what is not given is drawn.

    Parameters
    ----------
    dose
        Counts per pixel, 20 to 500.
    reversals
        Per thickness of the image, 0.5 to 3.
    together
        Whether all fringes of a crystal reverse at the same places.
    """
    rng = np.random.default_rng([seed, *name.encode()])
    material = SCENES[name](rng, shape)
    spacing = rng.uniform(9, 18)
    drawn = float(np.exp(rng.uniform(np.log(20), np.log(500))))
    many, both = rng.uniform(0.5, 3), bool(rng.random() < 0.5)
    dose = drawn if dose is None else dose
    reversals = many if reversals is None else reversals
    together = both if together is None else together
    thickness = _wedge(rng, shape)
    texture = rng.uniform(0.07, 0.12) * speckle(rng, shape, spacing)
    # Surfaces of a crystal are amorphous too, in a thin layer.
    contrast = np.select([material == FILM, material > 0], [texture, 0.4 * texture])
    turns = rng.uniform(0, np.pi) + np.deg2rad(27) * np.arange(material.max() + 1)
    for number in range(1, material.max() + 1):
        wave = fringes(rng, thickness, turns[number], spacing, reversals, together)
        contrast = np.where(material == number, contrast + wave, contrast)
    image = rng.poisson(dose * np.maximum(1 + contrast, 0)).astype(np.float32)
    truth = np.unique(material, return_inverse=True)[1].reshape(shape) + 1
    return Scene(image, truth, material)


def mean_iou(truth: Array, labels: Array) -> float:
    """Intersection over union of regions paired one to one, mean over the true ones."""
    from scipy.optimize import linear_sum_assignment

    true, found = (
        np.unique(a, return_inverse=True)[1].ravel() for a in (truth, labels)
    )
    table = np.zeros((true.max() + 1, found.max() + 1))
    np.add.at(table, (true, found), 1)
    iou = table / (table.sum(1)[:, None] + table.sum(0)[None] - table)
    return float(iou[linear_sum_assignment(iou, maximize=True)].sum() / len(table))
