# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Rows of drawn crystals, whose true places are known."""

from typing import NamedTuple

import dask.array as da
import numpy as np
import pytest

from hyperspy_t2t.calibration import ImageGrid
from hyperspy_t2t.data.displacements import strained
from hyperspy_t2t.data.synthetic import Region, Scan, synthetic_arrays
from hyperspy_t2t.frames import deformation_gradient, strain_components
from hyperspy_t2t.strain.continuation import core
from hyperspy_t2t.strain.demodulation import coarse_grid
from hyperspy_t2t.strain.fringes import local_fringes
from hyperspy_t2t.strain.gpa import PhaseField, phase_field
from hyperspy_t2t.strain.row_trend import smooth_trend
from hyperspy_t2t.strain.scan_correction import corrected_image
from hyperspy_t2t.strain.scan_distortion import RowOffsets, SmoothLattice, row_offsets
from hyperspy_t2t.strain.visible_nodes import visible_nodes

SIGMA = 0.4
PLANES = ((1, -1, 1), (1, -1, -1))


class Bent(Scan):
    """A scan that drifts along x as a parabola: 3 pixels at both ends."""

    def jitter(self, rng: np.random.Generator) -> np.ndarray:
        y = np.linspace(-1, 1, self.shape[0])
        return super().jitter(rng) + 3 * self.step * y**2


class Case(NamedTuple):
    image: np.ndarray
    grid: ImageGrid
    g: np.ndarray
    truth: dict
    reference: np.ndarray

    def field(self, image: np.ndarray | None = None) -> PhaseField:
        image = self.image if image is None else image
        fringes = local_fringes(image, self.grid, self.g, resolution=SIGMA)
        everywhere = np.ones(fringes.grid.shape, bool)
        return phase_field(fringes, reference=core(self.coarse()), inside=everywhere)

    def coarse(self, mask: np.ndarray | None = None) -> np.ndarray:
        mask = self.reference if mask is None else mask
        coarse = coarse_grid(self.grid, SIGMA)
        index = self.grid.to_pixels(coarse.to_nm(*np.indices(coarse.shape)))
        rows, columns = (
            np.clip(np.rint(i).astype(int), 0, size - 1)
            for i, size in zip(index, mask.shape, strict=True)
        )
        return mask[rows, columns]

    def offsets(self, *, lattice: np.ndarray | None = None) -> RowOffsets:
        field = self.field()
        everywhere = np.ones(self.image.shape, bool)
        return row_offsets(
            self.image,
            self.grid,
            SmoothLattice(
                field.g_vectors, field.grid, field.displacement, field.amplitude
            ),
            reference=self.reference,
            inside=everywhere if lattice is None else lattice,
        )

    def strain(self, image: np.ndarray, inside: np.ndarray) -> np.ndarray:
        """exx, eyy, exy, rotation less the truth, inside, mean free; (4, m)."""
        beta = np.moveaxis(self.field(image).gradient, (0, 1), (-2, -1))
        values = strain_components(deformation_gradient(beta), convention="gpa")
        values -= np.array([self.coarse(c) for c in self.truth["strain"]["gpa"]])
        where = core(self.coarse(inside))
        where[:5], where[-5:], where[:, :5], where[:, -5:] = 4 * (False,)
        values = values[:, where]
        return values - values.mean(axis=1, keepdims=True)


def drawn(
    *,
    jitter: float = 0.5,
    rotation: float = 0.0,
    pixel: tuple[float, float] = (0.02, 0.02),
    shape: tuple[int, int] = (400, 400),
    film: str = "",
    scan: type[Scan] = Scan,
    dose: float | None = 20.0,
    seed: int = 3,
) -> Case:
    regions = [Region("Si diamond", (1, 1, 0), rotation)]
    width, height = shape[1] * pixel[0], shape[0] * pixel[1]
    if film:
        left, bottom, right = -1.0, height / 2, width + 1
        if film == "beside":
            left, bottom = width / 2, height + 1
        outline = [(left, -1.0), (right, -1.0), (right, bottom), (left, bottom)]
        field = strained(
            0.0, 0.015, 0.005, rotation=0.3, origin=(width / 2, height / 2)
        )
        regions.append(
            Region(
                "Si diamond", (1, 1, 0), rotation, outline=outline, displacement=field
            )
        )
    image, truth = synthetic_arrays(
        regions,
        scan(shape=shape, pixel_size=pixel, row_jitter=jitter, dose=dose, seed=seed),
    )
    known = truth["regions"]["region_1"]
    g = np.array(
        [known["g_reference"][(known["hkl"] == hkl).all(axis=1)][0] for hkl in PLANES]
    )
    return Case(image, ImageGrid(shape, pixel[::-1]), g, truth, truth["labels"] == 1)


def straightened(values: np.ndarray) -> np.ndarray:
    row = np.arange(len(values))
    return values - np.polyval(np.polyfit(row, values, 1), row)


def rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(values**2)))


@pytest.mark.parametrize(
    "scene",
    [
        {},
        {"rotation": 35.3, "pixel": (0.018, 0.025)},
        {"rotation": 37.0},
        {"jitter": 1.0, "rotation": 12.0},
    ],
    ids=["aligned", "fringes parallel to rows", "turned", "a pixel"],
)
def test_jitter_is_found_and_leaves_the_strain(scene: dict) -> None:
    case = drawn(**scene)
    still = drawn(**{**scene, "jitter": 0.0})
    found = case.offsets()
    true = case.truth["row_jitter"]
    left = straightened(true - found.offset[:, 0])
    assert found.jitter[0] == pytest.approx(true.std(), rel=0.1)
    assert rms(left) < 0.25 * true.std()
    assert not found.offset[:, 1].any()
    everywhere = np.ones(case.image.shape, bool)
    moved = corrected_image(case.image, case.grid, found.offset)
    before, after, best = (
        [rms(c) for c in one.strain(image, everywhere)]
        for one, image in ((case, case.image), (case, moved), (still, still.image))
    )
    for component in (2, 3):
        assert before[component] > 2.5 * best[component]
        assert after[component] < 1.4 * best[component]
    for component in (0, 1):
        assert after[component] < 1.25 * max(best[component], before[component])


@pytest.mark.parametrize("dose", [2.0, 20.0, None])
@pytest.mark.parametrize("rotation", [0.0, 20.0])
def test_nothing_is_corrected_where_rows_stand_right(
    dose: float | None, rotation: float
) -> None:
    found = drawn(jitter=0.0, dose=dose, rotation=rotation, shape=(320, 320)).offsets()
    assert found.measured.mean() > 0.9
    assert np.abs(found.offset).max() < 2e-4 if dose is None else not found.significant


@pytest.mark.parametrize("film", ["above", "beside"])
def test_a_strained_film_keeps_its_strain(film: str) -> None:
    case, still = drawn(film=film), drawn(film=film, jitter=0.0)
    assert not still.offsets().significant
    found = case.offsets()
    assert found.by_reference.mean() == pytest.approx(
        0.5 if film == "above" else 1, abs=0.05
    )
    assert found.measured.mean() > 0.95
    moved = corrected_image(case.image, case.grid, found.offset)
    inside = ~case.reference
    before = [rms(c) for c in case.strain(case.image, inside)]
    after = [rms(c) for c in case.strain(moved, inside)]
    best = [rms(c) for c in still.strain(still.image, inside)]
    assert after[2] < 0.7 * before[2] and after[3] < 0.7 * before[3]
    assert np.all(np.array(after) < 1.6 * np.array(best))


def test_rows_without_lattice_stay() -> None:
    case = drawn()
    lattice = np.ones(case.image.shape, bool)
    lattice[:150] = False
    part = case._replace(reference=case.reference & lattice)
    found = part.offsets(lattice=lattice)
    assert not found.measured[:150].any() and found.measured[150:].all()
    assert not found.offset[:150].any() and found.offset[150:].any()
    assert np.isnan(found.std[:150]).all()


def test_uneven_drift_of_the_reference_is_straightened() -> None:
    case = drawn(jitter=0.3, scan=Bent)
    found = case.offsets()
    true = straightened(case.truth["row_jitter"])
    assert rms(straightened(true - found.offset[:, 0])) < 0.1 * case.grid.pixel_size[1]
    assert found.drift_range[0] == pytest.approx(3 * 0.02, rel=0.1)
    assert found.drift_range[1] == 0


def test_bending_that_differs_along_the_rows_is_strain() -> None:
    case = drawn(jitter=0.0)
    place = case.grid.to_nm(*np.indices(case.image.shape))
    x, y = np.moveaxis(place / 8, -1, 0)
    # Three quarters of its power are common to rows.
    bend = 0.06 * (2 * y - 1) ** 2 * 2 * x
    image = 20.0 + sum(
        5 * np.cos(2 * np.pi * (place @ g - g[0] * bend)) for g in case.g
    )
    noisy = np.random.default_rng(0).poisson(image).astype(float)
    found = case._replace(image=noisy).offsets()
    assert not found.significant


@pytest.mark.parametrize("rows", [10, 25, 70])
def test_a_reference_of_few_rows_and_a_wide_average_are_borne(rows: int) -> None:
    case = drawn(shape=(320, 320))
    reference = np.zeros(case.image.shape, bool)
    reference[150 : 150 + rows] = True
    fringes = local_fringes(case.image, case.grid, case.g, resolution=1.0)
    everywhere = np.ones(fringes.grid.shape, bool)
    field = phase_field(fringes, reference=everywhere, inside=everywhere)
    found = row_offsets(
        case.image,
        case.grid,
        SmoothLattice(field.g_vectors, field.grid, field.displacement, field.amplitude),
        reference=reference,
        inside=np.ones(case.image.shape, bool),
    )
    # The reference is shorter than the average; above it jitter is known, but in a row
    # between atoms that says little.
    assert not found.measured[150 : 150 + rows].any()
    assert found.measured[:100].mean() > 0.97
    assert found.jitter[0] == pytest.approx(0.5 * 0.02, rel=0.25)
    assert np.isfinite(found.offset).all() and not found.drift.any()


def test_missing_pixels_do_not_count() -> None:
    case = drawn()
    holed = case.image.copy()
    holed[60:110, 150:260] = np.nan
    found = case._replace(image=holed).offsets()
    left = straightened(case.truth["row_jitter"] - found.offset[:, 0])
    assert rms(left) < 0.25 * 0.5 * 0.02
    moved = corrected_image(holed, case.grid, found.offset)
    assert np.isnan(moved[62:108, 155:255]).all()
    assert np.isfinite(moved[:60]).all() and np.isfinite(moved[:, 280:]).all()


def test_standard_errors_are_those_of_the_offsets() -> None:
    residuals = []
    for seed in range(3):
        case = drawn(rotation=20.0, shape=(320, 320), seed=seed)
        found = case.offsets()
        left = straightened(case.truth["row_jitter"] - found.offset[:, 0])
        residuals.append(left / found.std[:, 0])
    assert 0.8 < rms(np.concatenate(residuals)) < 1.3


def test_all_nodes_of_the_lattice_are_found_from_a_sublattice() -> None:
    case = drawn(jitter=0.0, shape=(320, 320))
    known = case.truth["regions"]["region_1"]
    sublattice = np.array([case.g[0] + case.g[1], case.g[0] - case.g[1]])
    nodes = visible_nodes(case.image, case.grid, sublattice, case.reference).g
    strong = known["g_reference"][known["strength"] > 0.02 * known["strength"].max()]
    for g in strong:
        apart = np.minimum(*(np.linalg.norm(nodes - s * g, axis=1) for s in (1, -1)))
        assert apart.min() < 1e-3
    index = nodes @ np.linalg.inv(case.g)
    assert np.abs(index - np.rint(index)).max() < 1e-6


def test_flanks_and_single_spots_are_no_superlattice() -> None:
    case = drawn(jitter=1.0, rotation=7.0, shape=(320, 320))
    g = case.g
    y, x = (0.02 * i for i in np.indices(case.image.shape))
    # One spot alone at a quarter order, as of a second crystal.
    alone = 0.25 * g[0] + 2.5 * g[1]
    image = case.image + 6 * np.cos(2 * np.pi * (alone[0] * x + alone[1] * y))
    nodes = visible_nodes(image, case.grid, g, case.reference)
    index = nodes.g @ np.linalg.inv(g)
    assert len(nodes.g) > 8
    assert np.abs(index - np.rint(index)).max() < 1e-6


def test_no_lattice_gives_no_offsets() -> None:
    noise = np.random.default_rng(1).poisson(20, (200, 200)).astype(float)
    case = drawn(shape=(200, 200))._replace(image=noise)
    assert not case.offsets().significant


def test_a_trend_is_smooth_and_a_straight_line_stays_one() -> None:
    rng = np.random.default_rng(0)
    row = np.arange(400)
    wave = np.sin(row / 40)
    noise = 0.3 * rng.standard_normal(400)
    curve, _ = smooth_trend(wave + noise, np.full(400, 0.01))
    assert rms(curve - wave) < 0.1
    bend, line = smooth_trend(0.01 * row + noise, np.full(400, 0.01))
    np.testing.assert_array_equal(bend, line)
    gap = np.where((row > 100) & (row < 140), np.nan, wave + noise)
    assert rms((smooth_trend(gap, np.full(400, 0.01))[0] - wave)[100:140]) < 0.25


@pytest.mark.parametrize("along_y", [False, True])
def test_rows_are_moved_back_exactly(along_y: bool) -> None:
    rng = np.random.default_rng(2)
    shape, pixel = (60, 90), (0.03, 0.02)
    grid = ImageGrid(shape, pixel)
    offset = rng.uniform(-0.6, 0.6, (60, 2)) * [0.02, 0.5 * 0.03 * along_y]
    y, x = (s * i for s, i in zip(pixel, np.indices(shape), strict=True))

    def pattern(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return np.cos(2 * np.pi * (4 * x + 1.1 * y)) + np.cos(2 * np.pi * (7 * x - y))

    taken = pattern(x + offset[:, :1], y + offset[:, 1:])
    moved = corrected_image(taken, grid, offset)
    inner = (slice(3, -3), slice(10, -10))
    error = rms((moved - pattern(x, y))[inner])
    assert error < 0.05 * rms((taken - pattern(x, y))[inner])


@pytest.mark.parametrize("along_y", [0.0, 0.004])
def test_lazy_images_are_moved_alike(along_y: float) -> None:
    rng = np.random.default_rng(4)
    image = rng.poisson(30, (200, 240)).astype(np.float32)
    image[50:60, 70:80] = np.nan
    grid = ImageGrid(image.shape, (0.02, 0.02))
    offset = rng.standard_normal((200, 2)) * [0.012, along_y]
    whole = corrected_image(image, grid, offset)
    lazy = corrected_image(da.from_array(image, chunks=(70, 90)), grid, offset)
    assert isinstance(lazy, da.Array) and lazy.dtype == np.float32
    np.testing.assert_allclose(lazy.compute(), whole, atol=2e-5 * np.nanmax(whole))


def test_impossible_offsets_are_refused() -> None:
    grid = ImageGrid((20, 30), (0.02, 0.02))
    image = np.zeros(grid.shape)
    with pytest.raises(ValueError, match="Expected finite offsets"):
        corrected_image(image, grid, np.full((20, 2), np.nan))
    with pytest.raises(ValueError, match="for 20 rows"):
        corrected_image(image, grid, np.zeros((19, 2)))
    with pytest.raises(ValueError, match="at most 4 rows"):
        corrected_image(image, grid, np.full((20, 2), 0.2))
