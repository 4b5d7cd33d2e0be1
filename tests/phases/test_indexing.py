# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Phase, zone axis, rotation and distortion from the spots of regions.

The spots are made without the tables of the package: all hkl whose reciprocal vectors
are perpendicular to r = u a + v b + w c, with the cell built by ase.
"""

from dataclasses import dataclass, field

import numpy as np
import pytest
from ase.geometry import cellpar_to_cell
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import polar
from scipy.spatial.transform import Rotation

from hyperspy_t2t.frames import rotation_2d, zone_axis_frame
from hyperspy_t2t.phases.crystal_phase import CrystalPhase
from hyperspy_t2t.phases.distortion import Tolerances
from hyperspy_t2t.phases.independent import RegionSpots
from hyperspy_t2t.phases.indexing import IndexedRegion, PhaseSearch, index_regions
from hyperspy_t2t.phases.library import library_phase
from hyperspy_t2t.phases.reflections import laue_operations, structure_factors
from hyperspy_t2t.phases.simulation import predicted_g

UNCERTAIN = Tolerances(scale=0.1, distortion=0.05)
TRUSTED = Tolerances(scale=0.0, distortion=0.0)
SEEN = 20.0
"""Power over noise from which a reflection is seen."""


@dataclass
class Crystal:
    """A crystal in a distorted image, with noise and uncertain intensities."""

    phase: CrystalPhase
    axis: tuple[int, int, int]
    seed: int = 0
    turn: float = 0.0
    distortion: np.ndarray = field(default_factory=lambda: np.eye(2))
    """Maps true places to seen ones, any matrix (2, 2)."""
    strength: float = 3000.0
    """Power over noise of the strongest reflection, if at g = 0."""
    reach: float = 11.0
    mirror: np.ndarray = field(default_factory=lambda: np.eye(2))
    """Turn or reflection of the pattern."""

    def __post_init__(self) -> None:
        rng = np.random.default_rng(self.seed)
        turned, self.stretch = polar(self.distortion, side="left")
        lattice = cellpar_to_cell(self.phase.cell)
        towards_source = np.array(self.axis) @ lattice
        reciprocal = 10 * np.linalg.inv(lattice).T
        limit = (np.linalg.norm(lattice, axis=1) * self.reach / 10).astype(int)
        grid = [np.arange(-n, n + 1) for n in limit]
        hkl = np.stack(np.meshgrid(*grid, indexing="ij"), -1).reshape(-1, 3)
        g = hkl @ reciprocal
        size = np.linalg.norm(g, axis=1)
        self.hkl = hkl[
            (np.abs(g @ towards_source) < 1e-6) & (size < self.reach) & (size > 0)
        ]
        frame = zone_axis_frame(lattice, self.axis, rotation=self.turn)
        extra = np.eye(3)
        extra[:2, :2] = turned
        self.orientation = extra @ frame
        plane = self.hkl @ reciprocal @ frame[:2].T @ self.mirror.T
        power = np.abs(structure_factors(self.phase, self.hkl)) ** 2
        # The same of Friedel partners.
        upper = [tuple(max(h.tolist(), (-h).tolist())) for h in self.hkl]
        pairs = np.unique(upper, axis=0, return_inverse=True)[1].ravel()
        varied = rng.normal(0, 0.4, pairs.max() + 1)[pairs]
        self.snr = self.strength * power / power.max()
        self.snr *= np.exp(varied - 0.02 * (plane**2).sum(axis=1))
        seen = self.snr > SEEN
        self.hkl, self.snr, plane = self.hkl[seen], self.snr[seen], plane[seen]
        self.std = 0.03 / np.sqrt(self.snr)
        noise = rng.normal(0, 1, (pairs.max() + 1, 2))[pairs[seen]]
        sign = np.where([tuple(h) == upper[k] for h, k in
                         zip(self.hkl.tolist(), np.flatnonzero(seen), strict=True)],
                        1, -1)  # fmt: skip
        true = plane @ np.linalg.inv(self.distortion)
        self.g = true + noise * (sign * self.std)[:, None]

    @property
    def spots(self) -> RegionSpots:
        return RegionSpots(self.g, self.std, self.snr)

    @property
    def scale(self) -> float:
        return float(np.sqrt(abs(np.linalg.det(self.distortion))))

    def turned_away(self, orientation: np.ndarray) -> float:
        """Degrees to the nearest orientation that shows the same spots."""
        to_cartesian = self.phase.lattice.T
        half_turn = np.diag([-1.0, -1.0, 1.0])
        found = []
        for operation in laue_operations(self.phase):
            if np.linalg.det(operation) > 0:
                turned = to_cartesian @ operation @ np.linalg.inv(to_cartesian)
                for flip in (np.eye(3), half_turn):
                    one = flip @ self.orientation @ turned
                    found.append(Rotation.from_matrix(one.T @ orientation).magnitude())
        return float(np.rad2deg(min(found)))


def phases(*names: str) -> list[CrystalPhase]:
    return [library_phase(name) for name in names]


def crystal(name: str, axis: tuple[int, int, int], seed: int = 0, **options) -> Crystal:
    return Crystal(library_phase(name), axis, seed, **options)


def distorted(name: str, axis: tuple[int, int, int], seed: int) -> Crystal:
    """With a wrong scale up to 8 %, anisotropy up to 3 %, shear up to 1°, turned."""
    rng = np.random.default_rng(seed + 1000)
    stretch, shear = rng.uniform(-0.03, 0.03), np.deg2rad(rng.uniform(-1, 1))
    distortion = np.array([[1 + stretch / 2, shear], [0, 1 - stretch / 2]])
    distortion *= 1 + rng.uniform(-0.08, 0.08)
    return crystal(
        name, axis, seed, turn=rng.uniform(-np.pi, np.pi), distortion=distortion
    )


def together(*parts: RegionSpots) -> RegionSpots:
    return RegionSpots(*(
        np.concatenate([getattr(part, name) for part in parts])
        for name in ("g", "std", "snr")
    ))  # fmt: skip


def spots_at(g: np.ndarray, snr: np.ndarray | float) -> RegionSpots:
    """Spots and their Friedel partners."""
    g = np.reshape(g, (-1, 2))
    snr = np.broadcast_to(np.asarray(snr, float), len(g))
    g, snr = np.concatenate([g, -g]), np.concatenate([snr, snr])
    return RegionSpots(g, 0.03 / np.sqrt(snr), snr)


def index(
    spots: RegionSpots, candidates: list[CrystalPhase], tolerances=UNCERTAIN, **options
) -> IndexedRegion:
    search = PhaseSearch(candidates, **options)
    return index_regions([spots], search, tolerances=tolerances)[0]


def of_phase(region: IndexedRegion, count: int) -> np.ndarray:
    """Probability of each candidate and of none."""
    total = np.zeros(count + 1)
    for one in region.solutions:
        total[one.phase] += one.probability
    total[-1] = region.none
    return total


def in_family(phase: CrystalPhase, axis, found, *, proper: bool = False) -> bool:
    operations = laue_operations(phase)
    if proper:
        operations = operations[np.linalg.det(operations) > 0]
    return bool((operations @ np.array(axis) == found).all(axis=1).any())


RIVALS = ("Ge diamond", "Au fcc", "TiO2 rutile", "MgO rocksalt", "GaAs wurtzite")
ZONES = (
    ("Si diamond", (1, 1, 0)),
    ("Au fcc", (1, 0, 3)),
    ("Fe bcc", (1, 1, 1)),
    ("FePt L10", (1, 0, 1)),
    ("TiO2 rutile", (1, 2, 1)),
    ("GaN wurtzite", (1, 0, 0)),
    ("GaN wurtzite", (2, 1, 0)),
    ("Ti hcp", (1, 1, 0)),
    ("Al2O3 corundum", (2, 1, 1)),
    ("Al2O3 corundum", (1, 2, 1)),
    ("alpha-quartz", (2, 1, 1)),
    ("alpha-quartz", (1, 2, 1)),
    ("MoO3", (0, 1, 1)),
    ("In2O3 bixbyite", (1, 1, 0)),
    ("beta-Ga2O3", (0, 1, 0)),
    ("beta-Ga2O3", (1, 1, 2)),
    ("beta-Ga2O3", (1, 0, -1)),
    ("HfO2 monoclinic", (1, 0, 0)),
    ("HfO2 monoclinic", (0, 0, 1)),
    ("HfO2 monoclinic", (-1, 2, 3)),
)


@pytest.mark.parametrize(("name", "axis"), ZONES)
def test_a_zone_is_recognised_through_a_distorted_image(name, axis) -> None:
    seen = distorted(name, axis, seed=len(name) + sum(axis))
    best = index(seen.spots, [seen.phase]).solutions[0]
    assert in_family(seen.phase, axis, best.zone_axis)
    assert seen.turned_away(best.orientation) < 0.05
    assert best.scale == pytest.approx(seen.scale, rel=1e-3)
    np.testing.assert_allclose(best.distortion, seen.stretch, atol=1e-3)
    assert best.matched.all() and best.score > 0.6
    assert best.share == pytest.approx(1)

    # The matrix is a proper rotation; the axis points to the source.
    assert np.linalg.det(best.orientation) == pytest.approx(1)
    identity = best.orientation @ best.orientation.T
    np.testing.assert_allclose(identity, np.eye(3), atol=1e-9)
    towards = best.orientation @ (best.zone_axis @ cellpar_to_cell(seen.phase.cell))
    np.testing.assert_allclose(towards[:2], 0, atol=1e-6)
    assert towards[2] < 0

    # The indices lie on the zone and where the spots are.
    np.testing.assert_array_equal(best.hkl @ best.zone_axis, 0)
    place = predicted_g(best.hkl, seen.phase, best.orientation, best.distortion)
    away = np.linalg.norm(place - seen.g, axis=1)
    assert away.max() < 0.03
    assert best.residual == pytest.approx(np.sqrt((away**2).mean()), rel=0.1)
    same = structure_factors(seen.phase, best.hkl)
    true = structure_factors(seen.phase, seen.hkl)
    np.testing.assert_allclose(np.abs(same), np.abs(true), rtol=1e-6)


@pytest.mark.parametrize(
    ("name", "axis"), [one for one in ZONES if one != ("GaN wurtzite", (2, 1, 0))]
)
def test_the_true_phase_is_among_the_likely_ones(name, axis) -> None:
    seen = distorted(name, axis, seed=len(name) + sum(axis))
    candidates = [*phases(*(one for one in RIVALS if one != name)), seen.phase]
    region = index(seen.spots, candidates)
    chance = of_phase(region, len(candidates))
    assert chance.sum() == pytest.approx(1)
    assert region.none < 0.2 and chance[-2] > 0.3
    # Si and Ge, Au and MgO and the bcc and fcc lattices differ by the scale alone.
    if name not in ("Si diamond", "Au fcc", "Fe bcc"):
        assert region.solutions[0].phase == len(candidates) - 1
        assert chance[-2] > 0.8


def test_errors_of_the_distortion_are_those_it_has() -> None:
    """(ε, a, b) less the truth, over the standard deviation from the covariance."""
    found = []
    for seed in range(25):
        seen = distorted("HfO2 monoclinic", (1, 0, 0), seed)
        best = index(seen.spots, [seen.phase]).solutions[0]
        away = (best.distortion - seen.stretch) / seen.scale
        parameters = [np.trace(away) / 2, (away[0, 0] - away[1, 1]) / 2, away[0, 1]]
        found.append(np.array(parameters) / np.sqrt(np.diag(best.covariance)))
    assert 0.1 < np.std(found) < 1.5


def test_friedel_partners_get_opposite_indices() -> None:
    seen = distorted("GaN wurtzite", (1, 0, 0), 3)
    best = index(seen.spots, [seen.phase]).solutions[0]
    for g, hkl in zip(seen.g, best.hkl, strict=True):
        partner = np.linalg.norm(seen.g + g, axis=1).argmin()
        np.testing.assert_array_equal(best.hkl[partner], -hkl)


@pytest.mark.parametrize("name", ["beta-Ga2O3", "HfO2 monoclinic"])
@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("mirrored", [False, True])
def test_a_zone_without_mirror_line_is_told_from_its_other_side(
    name: str, sign: int, mirrored: bool
) -> None:
    axis = tuple(sign * np.array([1, 1, 2]))
    mirror = np.diag([1.0, -1.0]) if mirrored else np.eye(2)
    seen = crystal(name, axis, 2, turn=0.4, mirror=mirror)
    solutions = index(seen.spots, [seen.phase]).solutions
    expected = -np.array(axis) if mirrored else axis
    assert in_family(seen.phase, expected, solutions[0].zone_axis, proper=True)
    assert solutions[0].probability > 0.99


@pytest.mark.parametrize("axis", [(2, 1, 1), (1, 2, 1), (1, 0, 1), (0, 1, 2)])
@pytest.mark.parametrize("name", ["Al2O3 corundum", "Bi A7"])
def test_both_settings_of_a_rhombohedral_cell(name: str, axis) -> None:
    """The same crystal turned by half a turn about c has [−u −v w] for [u v w]."""
    obverse = library_phase(name)
    reverse = CrystalPhase(
        "reverse", obverse.cell, obverse.numbers, obverse.fractional * [-1, -1, 1], 1
    )
    seen = Crystal(obverse, axis, 3, turn=1.1, distortion=np.diag([1.02, 0.99]))
    h, k, ell = seen.hkl.T
    np.testing.assert_array_equal((-h + k + ell) % 3, 0)
    region = index(seen.spots, [reverse, obverse])
    np.testing.assert_allclose(of_phase(region, 2)[:2], 0.5, atol=0.01)
    for one in region.solutions[:2]:
        u, v, w = axis
        if one.phase == 1:
            assert in_family(obverse, axis, one.zone_axis)
            assert seen.turned_away(one.orientation) < 0.05
        else:
            assert in_family(reverse, (-u, -v, w), one.zone_axis)
            h, k, ell = one.hkl.T
            np.testing.assert_array_equal((h - k + ell) % 3, 0)


@pytest.mark.parametrize("spots", [0, 1, 2])
def test_fewer_than_three_independent_spots_have_no_solution(spots: int) -> None:
    g = np.array([[3.19, 0.0], [1.06, 3.0]])[:spots]
    region = index(spots_at(g, 100.0), phases("Si diamond"))
    assert region.solutions == [] and region.further == []
    assert region.none == pytest.approx(1)


def test_random_spots_are_none_of_the_candidates() -> None:
    candidates = phases(*RIVALS, "Si diamond", "beta-Ga2O3", "Ti hcp")
    none = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        count = rng.integers(3, 16)
        angle, length = rng.uniform(0, np.pi, count), rng.uniform(1.5, 9, count)
        g = length[:, None] * np.stack([np.cos(angle), np.sin(angle)], -1)
        snr = np.exp(rng.uniform(3, 7, count))
        none.append(index(spots_at(g, snr), candidates).none)
    assert np.mean(np.array(none) > 0.5) >= 0.95


def unknown_crystal(seed: int) -> RegionSpots:
    """An oblique lattice of a shape that no cubic or tetragonal zone below has."""
    rng = np.random.default_rng(seed)
    a, angle = rng.uniform(1.8, 3), np.deg2rad(rng.uniform(76, 84))
    b = a * rng.uniform(1.08, 1.25)
    basis = np.array([[a, 0], [b * np.cos(angle), b * np.sin(angle)]])
    basis = basis @ rotation_2d(rng.uniform(0, 2 * np.pi))
    node = [(i, j) for i in range(-5, 6) for j in range(-5, 6) if (i, j) > (0, 0)]
    g = np.array(node) @ basis
    square = (g**2).sum(axis=1)
    snr = 2000 * np.exp(-0.04 * square + rng.normal(0, 0.8, len(g)))
    seen = (snr > SEEN) & (square < 81)
    noise = rng.normal(0, 1, g.shape) * (0.03 / np.sqrt(snr))[:, None]
    return spots_at((g + noise)[seen], snr[seen])


def test_a_crystal_of_another_shape_is_none_of_the_candidates() -> None:
    candidates = phases(*RIVALS[:4], "Si diamond", "SrTiO3 cubic perovskite")
    none = [index(unknown_crystal(seed), candidates).none for seed in range(30)]
    assert np.mean(np.array(none) > 0.5) >= 0.95


@pytest.mark.parametrize("power", [25.0, 2000.0])
@pytest.mark.parametrize("count", [1, 3])
def test_foreign_spots_stay_unexplained(power: float, count: int) -> None:
    seen = distorted("GaN wurtzite", (1, 0, 0), 5)
    rng = np.random.default_rng(count)
    basis = np.array([[0.5, 0.37], [1.5, 0.41], [-0.5, 1.57]])[:count]
    first = seen.g[np.argsort(np.linalg.norm(seen.g, axis=1))[0]]
    other = rotation_2d(np.pi / 2) @ first * 1.35
    foreign = spots_at(basis @ np.stack([first, other]) * rng.uniform(1, 1.1), power)
    candidates = phases(*RIVALS, "GaN wurtzite")
    region = index(together(seen.spots, foreign), candidates)
    best = region.solutions[0]
    assert best.phase == len(RIVALS) and best.probability > 0.99
    assert seen.turned_away(best.orientation) < 0.05
    assert best.matched[: len(seen.g)].all()
    assert not best.matched[len(seen.g) :].any()
    assert not best.hkl[len(seen.g) :].any()
    plain = index(seen.spots, candidates).solutions[0]
    assert best.score < plain.score
    np.testing.assert_allclose(best.distortion, plain.distortion, atol=1e-6)


def test_a_missing_strong_reflection_costs_but_does_not_decide() -> None:
    seen = distorted("GaN wurtzite", (1, 0, 0), 5)
    candidates = phases(*RIVALS, "GaN wurtzite")
    partner = np.linalg.norm(seen.g + seen.g[seen.snr.argmax()], axis=1).argmin()
    kept = np.ones(len(seen.g), bool)
    kept[[seen.snr.argmax(), partner]] = False
    less = RegionSpots(seen.g[kept], seen.std[kept], seen.snr[kept])
    best = index(less, candidates).solutions[0]
    assert best.phase == len(RIVALS) and best.probability > 0.99
    assert best.score < index(seen.spots, candidates).solutions[0].score - 0.02


@pytest.mark.parametrize(
    ("name", "axis"), [("Au fcc", (1, 1, 0)), ("TiO2 rutile", (1, 0, 1))]
)
def test_large_cells_do_not_win_by_their_many_reflections(name: str, axis) -> None:
    large = ("In2O3 bixbyite", "beta-FeSi2", "MoO3", "Ag2S acanthite", "Bi2Te3")
    seen = distorted(name, axis, 7)
    candidates = phases(*large, name)
    chance = of_phase(index(seen.spots, candidates), len(candidates))
    assert chance[-2] > 0.95


def on_zone(seen: Crystal, hkl, power: float) -> RegionSpots:
    """Spots where a vector (any numbers) of the crystal's zone is seen."""
    plane = np.array(hkl) @ seen.phase.reciprocal_lattice @ seen.orientation[:2].T
    return spots_at(plane @ np.linalg.inv(seen.stretch), power)


def test_a_forbidden_reflection_is_explained_but_not_one_that_centring_forbids() -> (
    None
):
    """Si 002 is seen along [110] by double scattering; 001 and 1-10 can't be."""
    seen = distorted("Si diamond", (1, 1, 0), 3)
    candidates = phases("Si diamond", "Au fcc", "MgO rocksalt", "TiO2 rutile")
    region = index(together(seen.spots, on_zone(seen, [0, 0, 2], 200)), candidates)
    best = region.solutions[0]
    assert best.phase == 0 and best.probability > 0.95
    assert best.matched.all()
    np.testing.assert_array_equal(np.abs(best.hkl[-2:]), [[0, 0, 2]] * 2)
    for foreign in ([0, 0, 1], [1, -1, 0], [0.5, -0.5, 0.5]):
        spots = together(seen.spots, on_zone(seen, foreign, 200))
        best = index(spots, candidates).solutions[0]
        assert best.phase == 0
        assert best.matched[:-2].all() and not best.matched[-2:].any()


@pytest.mark.parametrize("name", ["Si diamond", "Ge diamond", "GaAs zincblende"])
def test_a_trusted_scale_tells_si_from_ge_but_not_ge_from_gaas(name: str) -> None:
    """They differ in the lattice parameter by 4.2 and 0.07 %."""
    candidates = phases("Si diamond", "Ge diamond", "GaAs zincblende")
    seen = crystal(name, (1, 1, 0), 4, turn=0.7)
    trusted = of_phase(index(seen.spots, candidates, TRUSTED), 3)
    uncertain = of_phase(index(seen.spots, candidates), 3)
    assert uncertain[:3].min() > 0.05
    if name == "Si diamond":
        assert trusted[0] > 0.999
    else:
        assert trusted[0] < 1e-3
        assert trusted[1:3].min() > 0.1


def shared_image(scale: float) -> list[Crystal]:
    """Si, which could be Ge at another scale, and a crystal that says the scale."""
    distortion = scale * np.array([[1.01, 0.004], [0.004, 0.99]])
    return [
        crystal("Si diamond", (1, 1, 0), 1, turn=0.3, distortion=distortion),
        crystal("beta-Ga2O3", (0, 1, 0), 2, turn=1.3, distortion=distortion),
    ]


@pytest.mark.parametrize("how", ["alone", "joint", "calibrate"])
@pytest.mark.parametrize("scale", [1.05, 1.0])
def test_one_region_says_the_scale_of_another(how: str, scale: float) -> None:
    candidates = phases("Si diamond", "Ge diamond", "Au fcc", "beta-Ga2O3")
    seen = shared_image(scale)
    options = {"joint": how == "joint", "calibrate": 1 if how == "calibrate" else None}
    search = PhaseSearch(candidates)
    found = index_regions(
        [one.spots for one in seen], search, tolerances=UNCERTAIN, **options
    )
    chance = of_phase(found[0], 4)
    assert found[1].solutions[0].phase == 3
    assert found[1].solutions[0].probability > 0.99
    if how == "alone":
        assert chance[1] > 0.1
    else:
        assert chance[0] > 0.99
        assert found[0].solutions[0].scale == pytest.approx(seen[0].scale, rel=2e-3)


def test_a_region_without_spots_takes_no_part_in_the_joint_answer() -> None:
    seen = shared_image(1.02)[0]
    search = PhaseSearch(phases("Si diamond", "Ge diamond"))
    alone = index_regions([seen.spots], search, tolerances=UNCERTAIN)[0]
    empty = spots_at(np.empty((0, 2)), 1.0)
    both = index_regions([seen.spots, empty], search, tolerances=UNCERTAIN)
    np.testing.assert_allclose(of_phase(both[0], 2), of_phase(alone, 2))
    assert both[1].solutions == [] and both[1].none == pytest.approx(1)


def twin(seed: int) -> tuple[Crystal, RegionSpots]:
    """Si [110] and its mirror image in (1-11), which shares the row of 1-11."""
    first = distorted("Si diamond", (1, 1, 0), seed)
    frame = zone_axis_frame(first.phase.lattice, (1, 1, 0), rotation=first.turn)
    normal = frame[:2] @ (np.array([1, -1, 1]) / np.sqrt(3))
    mirror = np.eye(2) - 2 * np.outer(normal, normal)
    second = crystal(
        "Si diamond", (1, 1, 0), seed + 99, turn=first.turn, mirror=mirror,
        distortion=first.distortion, strength=2000.0,
    )  # fmt: skip
    near = np.linalg.norm(second.g[:, None] - first.g[None], axis=-1).min(axis=1)
    own = near > 0.1
    rest = RegionSpots(second.g[own], second.std[own], second.snr[own])
    return first, together(first.spots, rest)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_twin_comes_out_as_two_crystals(seed: int) -> None:
    first, spots = twin(seed)
    candidates = phases("Si diamond", "Au fcc", "TiO2 rutile", "beta-Ga2O3", "MoO3")
    region = index(spots, candidates)
    one = region.solutions[0]
    assert len(region.further) == 1
    other = region.further[0]
    assert one.phase == other.phase == 0
    assert in_family(first.phase, (1, 1, 0), other.zone_axis)
    assert 0.5 < one.share + other.share <= 1 + 1e-9
    assert (one.matched | other.matched).all()
    assert one.share > 0 and other.share > 0
    np.testing.assert_allclose(one.distortion, other.distortion, atol=3e-3)
    # Σ3: the smallest turn that takes one to the other is 60° about a 111.
    angles = [
        Rotation.from_matrix(other.orientation.T @ one.orientation @ turn).magnitude()
        for turn in laue_operations(first.phase)
        if np.linalg.det(turn) > 0
    ]
    assert np.rad2deg(min(angles)) == pytest.approx(60, abs=0.3)


def test_a_single_crystal_has_no_further_one() -> None:
    for name, axis in (("Si diamond", (1, 1, 0)), ("HfO2 monoclinic", (1, 0, 0))):
        seen = distorted(name, axis, 11)
        assert index(seen.spots, phases(*RIVALS, name)).further == []


AMBIGUOUS = phases("Si diamond", "Ge diamond", "Au fcc", "MgO rocksalt")


@settings(max_examples=15)
@given(
    st.permutations(range(12)), st.floats(-np.pi, np.pi), st.sampled_from([1.0, -1.0])
)
def test_order_turn_and_reversal_of_the_spots_change_nothing(
    order: list[int], turn: float, mirror: float
) -> None:
    """The zone [112] of a cubic crystal has mirror lines."""
    seen = distorted("Si diamond", (1, 1, 2), 4)
    assert len(seen.g) >= 12
    rows = np.array(list(order) + list(range(12, len(seen.g))))
    change = rotation_2d(turn) @ np.diag([1.0, mirror])
    moved = RegionSpots((seen.g @ change.T)[rows], seen.std[rows], seen.snr[rows])
    one, other = (index(spots, AMBIGUOUS) for spots in (seen.spots, moved))
    np.testing.assert_allclose(of_phase(other, 4), of_phase(one, 4), atol=1e-5)
    best, again = one.solutions[0], other.solutions[0]
    assert again.phase == best.phase and again.scale == pytest.approx(best.scale)
    np.testing.assert_allclose(
        again.distortion, change @ best.distortion @ change.T, atol=1e-6
    )
    np.testing.assert_array_equal(again.matched, best.matched[rows])
    assert again.score == pytest.approx(best.score)


def test_a_phase_that_is_listed_twice_shares_its_probability() -> None:
    seen = distorted("Si diamond", (1, 1, 2), 4)
    once = of_phase(index(seen.spots, AMBIGUOUS), 4)
    twice = of_phase(index(seen.spots, [*AMBIGUOUS, AMBIGUOUS[0]]), 5)
    assert twice[0] == pytest.approx(twice[4])
    # 1/5 + 1/5 of the prior instead of 1/4.
    odds = (twice[0] + twice[4]) / twice[1]
    assert odds == pytest.approx(2 * once[0] / once[1], rel=1e-6)


def test_priors_multiply_the_odds() -> None:
    seen = distorted("Si diamond", (1, 1, 2), 4)
    plain = of_phase(index(seen.spots, AMBIGUOUS), 4)
    weighed = of_phase(index(seen.spots, AMBIGUOUS, priors=[1, 3, 1, 1]), 4)
    odds = plain[1] / plain[0]
    assert weighed[1] / weighed[0] == pytest.approx(3 * odds, rel=1e-6)


def test_partners_of_spots_are_no_further_evidence() -> None:
    seen = distorted("Si diamond", (1, 1, 2), 4)
    upper = (seen.g[:, 0] > 0) | ((seen.g[:, 0] == 0) & (seen.g[:, 1] > 0))
    half = RegionSpots(seen.g[upper], seen.std[upper], seen.snr[upper])
    one = RegionSpots(
        np.vstack([half.g, -half.g[:1]]),
        np.append(half.std, half.std[0]),
        np.append(half.snr, half.snr[0]),
    )
    expected = of_phase(index(seen.spots, AMBIGUOUS), 4)
    for spots in (half, one):
        chance = of_phase(index(spots, AMBIGUOUS), 4)
        np.testing.assert_allclose(chance, expected, atol=1e-9)
