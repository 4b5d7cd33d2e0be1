# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""What rows off their places do to fringes, and how far off they are said to be."""

from typing import Any

import numpy as np
import pytest

from hyperspy_t2t.calibration import ImageGrid
from hyperspy_t2t.data.displacements import EdgeDislocation, Gradient, coherent_epitaxy
from hyperspy_t2t.data.synthetic import Region, Scan, synthetic_arrays
from hyperspy_t2t.strain.counting_noise import _without_rows
from hyperspy_t2t.strain.fringes import local_fringes
from hyperspy_t2t.strain.row_jitter import row_jitter
from hyperspy_t2t.strain.row_noise import RowNoise
from hyperspy_t2t.strain.visible_nodes import visible_nodes

PITCH = 0.024, 0.02
"""(y, x) in nm."""
PAIR = np.array([(2.6, 1.8), (-2.6, 1.8)])
ORDER = np.array([(1, 0), (0, 1), (1, 1), (1, -1), (2, 0), (0, 2)])
WAVES = np.array([1.0, 0.8 + 0.3j, 0.5j, 0.6, 0.4, 0.3])


def turned(degrees: float) -> np.ndarray:
    c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    return ORDER @ PAIR @ np.array([(c, s), (-s, c)])


def displaced(q: np.ndarray, offset: np.ndarray, width: int) -> np.ndarray:
    """Waves at q in rows that are off by (x, y) in nm, shape (ny, 2)."""
    x = PITCH[1] * np.arange(width)
    y = PITCH[0] * np.arange(len(offset))
    image = np.full((len(y), width), 5.0)
    for (qx, qy), wave in zip(q, WAVES, strict=True):
        row = wave * np.exp(2j * np.pi * (qx * offset[:, 0] + qy * (y + offset[:, 1])))
        image += 2 * (row[:, None] * np.exp(2j * np.pi * qx * x)).real
    return image


@pytest.mark.parametrize(
    ("degrees", "std"),
    [(0.0, (0.012, 0.0)), (0.0, (0.01, 0.007)), (23.0, (0.012, 0.0)),
     (23.0, (0.0, 0.009))],
)  # fmt: skip
def test_slopes_of_displaced_rows(degrees: float, std: tuple[float, float]) -> None:
    """On a mirror line of the lattice spots stand on the streaks of others."""
    rng, sigma, q = np.random.default_rng(3), 0.3, turned(degrees)
    grid = ImageGrid((9000, 100), PITCH)
    image = displaced(q, rng.standard_normal((9000, 2)) * std, 100)
    g = q[[0, 1, 2, 3]]
    fringes = local_fringes(image, grid, g, resolution=sigma)
    middle = fringes.slope[:, :, 5:-5, fringes.slope.shape[3] // 2]
    along_x, seen = (one @ one.T / middle.shape[2] for one in middle.transpose(1, 0, 2))
    (said_x, said), _ = RowNoise(np.array(std), PITCH[0], q, WAVES).errors(g, sigma)
    scale = np.sqrt(np.diag(said).max())
    # About 200 independent places.
    np.testing.assert_allclose(seen / scale**2, said / scale**2, atol=0.2)
    error, stated = (np.sqrt(np.diag(one)) for one in (seen, said))
    np.testing.assert_allclose(error / scale, stated / scale, rtol=0.15, atol=0.02)
    # Spots beside a streak turn the phase along x.
    error, stated = (np.sqrt(np.diag(one)) for one in (along_x, said_x))
    np.testing.assert_allclose(error / scale, stated / scale, atol=0.06)


def test_one_displacement_of_all_fringes_is_not_beyond_it() -> None:
    """A lattice without streaks in common moves as a whole; on a mirror line it
    does not."""
    std = np.array([0.01, 0.0])
    g = turned(23.0)[:4]
    (_, slopes), beyond = RowNoise(std, 0.02, turned(23.0), WAVES).errors(g, 0.3)
    whole = (2 * np.pi * 0.01) ** 2 * 0.02 / (4 * np.sqrt(np.pi) * 0.3**3)
    np.testing.assert_allclose(
        slopes, whole * np.outer(g[:, 0], g[:, 0]), rtol=0.05, atol=0.05
    )
    g = turned(0.0)[:4]
    _, on_streak = RowNoise(std, 0.02, turned(0.0), WAVES).errors(g, 0.3)
    assert on_streak[0] > 10 * beyond[0]


def test_a_spot_that_is_not_known_moves_with_the_rows() -> None:
    noise = RowNoise(np.array([0.01, 0.0]), 0.02, np.array([(9.0, 9.0)]), WAVES[:1])
    g = np.array([(3.0, 0.0), (0.0, 3.0)])
    (along_x, slopes), beyond = noise.errors(g, 0.4)
    expected = (2 * np.pi * 0.03) ** 2 * 0.02 / (4 * np.sqrt(np.pi) * 0.4**3)
    np.testing.assert_allclose(slopes[0, 0], expected, rtol=0.05)
    assert not slopes[1].any() and not along_x.any()
    assert np.isinf(beyond).all()  # it is not measured unless it is asked for


def noisy(image: np.ndarray, dose: float, rng: np.random.Generator) -> np.ndarray:
    level = image - image.min()
    return rng.poisson(level * dose / level.mean()).astype(float)


def said_of(image: np.ndarray, grid: ImageGrid, g: np.ndarray, inside: Any) -> Any:
    return row_jitter(image, grid, g, reference=inside, resolution=0.4)


@pytest.mark.parametrize(("std", "dose"), [((0.01, 0.0), 20.0), ((0.01, 0.008), 200.0)])
def test_true_displacements(std: tuple[float, float], dose: float) -> None:
    rng, q = np.random.default_rng(5), turned(17.0)
    offset = rng.standard_normal((512, 2)) * std
    image = noisy(displaced(q, offset, 400), dose, rng)
    grid = ImageGrid(image.shape, PITCH)
    found = said_of(image, grid, q[:2], np.ones(image.shape, bool))
    np.testing.assert_allclose(found.std, offset.std(axis=0), rtol=0.15)
    assert found.pitch == PITCH[0]


class Bent(Scan):
    """A scan that drifts along x as a parabola: 3 pixels at both ends."""

    def jitter(self, rng: np.random.Generator) -> np.ndarray:
        y = np.linspace(-1, 1, self.shape[0])
        return super().jitter(rng) + 3 * self.step * y**2


def drawn(kind: str, dose: float, seed: int, **options: Any) -> tuple:
    """Si [110] with 400 × 300 oblong pixels, its grid and pair of g."""
    size = np.array([300, 400]) * (0.02, 0.023)
    middle = tuple(size / 2)
    scan = Bent if kind == "bent" else Scan
    regions = [Region("Si diamond", (1, 1, 0), -90.0, origin=middle)]
    if kind == "layers":
        outline = [(-9, -9), (99, -9), (99, middle[1]), (-9, middle[1])]
        film = coherent_epitaxy(0.01, interface=middle)
        regions.append(
            Region("Ge diamond", (1, 1, 0), -90.0, origin=middle, outline=outline,
                   displacement=film)
        )  # fmt: skip
    if kind == "dislocation":
        field = EdgeDislocation((0.384, 0.0), middle, 0.28)
        regions = [Region("Si diamond", (1, 1, 0), 90.0, displacement=field)]
    if kind == "gradient":
        field = Gradient(-0.02 / size[1], 90.0, origin=(0.0, size[1]))
        regions = [Region("Si diamond", (1, 1, 0), -90.0, displacement=field)]
    frame = scan(
        shape=(400, 300), pixel_size=(0.02, 0.023), probe_size=0.045, background=0.33,
        dose=dose, seed=seed, **options,
    )  # fmt: skip
    image, truth = synthetic_arrays(regions, frame)
    table = truth["regions"]["region_1"]
    rows = [
        int(np.flatnonzero((table["hkl"] == one).all(axis=1))[0])
        for one in ((1, -1, 1), (1, -1, -1))
    ]
    grid = ImageGrid(image.shape, (0.023, 0.02))
    return image, grid, table["g_reference"][rows], truth["labels"] == 1


@pytest.mark.parametrize("dose", [2.0, 20.0, 200.0])
@pytest.mark.parametrize("kind", ["layers", "bent", "gradient", "drift"])
def test_what_is_no_jitter(kind: str, dose: float) -> None:
    """Counts, a film beside it, a bent scan, strain in the reference, steady drift."""
    options = {"drift": (0.06, 0.03)} if kind == "drift" else {}
    assert said_of(*drawn(kind, dose, int(dose), **options)) is None


@pytest.mark.parametrize("dose", [20.0, 200.0])
def test_a_dislocation_in_both_frames_hardly_looks_like_jitter(dose: float) -> None:
    """Rows through its core are no more than a sixth of a pixel off."""
    found = said_of(*drawn("dislocation", dose, 0))
    assert found is None or (found.std < 0.15 * np.array([0.02, 0.023])).all()


def test_jitter_stands_out_of_a_bent_scan() -> None:
    found = said_of(*drawn("bent", 50.0, 1, row_jitter=0.5))
    assert 0.8 < found.std[0] / 0.01 < 1.2 and found.std[1] == 0


def test_nothing_to_see() -> None:
    """An image without fringes, and a reference of too few rows."""
    grid = ImageGrid((200, 200), PITCH)
    inside = np.ones(grid.shape, bool)
    assert said_of(np.ones(grid.shape), grid, PAIR, inside) is None
    image, grid, pair, inside = drawn("layers", 200.0, 0, row_jitter=0.5)
    inside = inside & (np.arange(400) < 240)[:, None]
    assert said_of(image, grid, pair, inside) is None


def test_what_rows_cannot_explain_stays_noise() -> None:
    """Half of what they add may be wrong; more of it is another disturbance."""
    counts, rows = np.diag([2.0, 1.0]), np.diag([0.0, 4.0])
    of_rows = np.stack([0 * rows, rows])
    for share in (0.6, 1.0, 1.4):
        found = _without_rows(np.stack([counts, counts + share * rows]), of_rows)
        np.testing.assert_allclose(found, [counts, counts])
    found = _without_rows(np.stack([counts, counts + 3 * rows]), of_rows)
    np.testing.assert_allclose(found, [counts, counts + 2 * rows])


@pytest.mark.parametrize("seed", range(3))
def test_the_lattice_in_few_rows_is_no_jitter(seed: int) -> None:
    """Rows along a lattice line: a template that is a bit off is so every few rows."""
    image, grid, pair = of_crystal(
        "Si diamond", (1, 1, 0), -90.0, [(1, -1, 1), (1, -1, -1)], (330, 1024), seed
    )
    reference = np.zeros(image.shape, bool)
    reference[40:252, 75:949] = True
    assert said_of(image, grid, pair, reference) is None


@pytest.mark.parametrize("seed", range(2))
def test_flanks_of_spots_are_no_superlattice(seed: int) -> None:
    """Quarters of g are three spectral pixels from the spots of so low a reference."""
    image, grid, pair = of_crystal(
        "SrTiO3 cubic perovskite",
        (0, 0, 1),
        0.0,
        [(1, 0, 0), (0, 1, 0)],
        (340, 512),
        seed,
    )
    reference = np.zeros(image.shape, bool)
    reference[60:280, 40:470] = True
    assert row_jitter(image, grid, pair, reference=reference, resolution=0.5) is None
    basis = visible_nodes(image, grid, pair, reference).basis
    assert abs(np.linalg.det(basis)) == pytest.approx(abs(np.linalg.det(pair)))


@pytest.mark.parametrize("rotation", [0.0, 90.0])
def test_a_pair_that_spans_a_sixth_of_the_lattice(rotation: float) -> None:
    """Reflections that were left out would look like jitter of 5 to 15 pm."""
    image, grid, pair = of_crystal(
        "GaN wurtzite", (1, 0, 0), rotation, [(0, 1, 3), (0, 1, -3)], (400, 420), 0
    )
    everywhere = np.ones(image.shape, bool)
    basis = visible_nodes(image, grid, pair, everywhere).basis
    share = abs(np.linalg.det(basis) / np.linalg.det(pair))
    assert share == pytest.approx(1 / 6)
    assert row_jitter(image, grid, pair, reference=everywhere, resolution=0.62) is None


def of_crystal(
    phase: str, zone: tuple, rotation: float, hkl: list, shape: tuple, seed: int
) -> tuple:
    """200 counts, 0.02 nm per pixel: image, grid, g of the given reflections."""
    frame = Scan(
        shape=shape, pixel_size=(0.02, 0.02), probe_size=0.045, background=0.33,
        dose=200.0, seed=seed,
    )  # fmt: skip
    image, truth = synthetic_arrays([Region(phase, zone, rotation)], frame)
    table = truth["regions"]["region_1"]
    rows = [np.flatnonzero((table["hkl"] == one).all(axis=1))[0] for one in hkl]
    return image, ImageGrid(shape, (0.02, 0.02)), table["g_reference"][rows]
