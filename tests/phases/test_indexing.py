# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Phase, zone axis, rotation and distortion from the spots of a region."""

import numpy as np
import pytest
from scipy.linalg import polar
from scipy.spatial.transform import Rotation

from hyperspy_t2t.frames import rotation_2d, zone_axis_frame
from hyperspy_t2t.phases.crystal_phase import CrystalPhase
from hyperspy_t2t.phases.indexing import (
    RegionSolution,
    index_region,
    nearest_reflection,
    predicted_g,
)
from hyperspy_t2t.phases.library import library_phase
from hyperspy_t2t.phases.matching import Tolerances
from hyperspy_t2t.phases.reflections import (
    ReflectionTable,
    laue_operations,
    reflection_table,
    zone_axes,
    zone_reflections,
)

NAMES = (
    "Si diamond",
    "Au fcc",
    "Fe bcc",
    "GaN wurtzite",
    "Ti hcp",
    "TiO2 rutile",
    "FePt L10",
    "beta-Ga2O3",
    "HfO2 monoclinic",
)
TOLERANCES = Tolerances(scale=0.1, distortion=0.05)


class Pattern:
    """Spots of a zone seen through a distorted image, with a little noise."""

    def __init__(self, name: str, seed: int, *, distorted: bool = True) -> None:
        rng = np.random.default_rng(seed)
        self.phase = library_phase(name)
        self.axis, table = self._zone(rng)
        turn = rng.uniform(-np.pi, np.pi)
        frame = zone_axis_frame(self.phase.lattice, self.axis, rotation=turn)
        stretch, shear = rng.uniform(-0.03, 0.03), np.deg2rad(rng.uniform(-1, 1))
        distortion = np.array([[1 + stretch / 2, shear], [0, 1 - stretch / 2]])
        distortion *= 1 + rng.uniform(-0.08, 0.08)
        if not distorted:
            distortion = np.eye(2)
        # r = P U r_true: the turn U belongs to the orientation.
        extra, self.distortion = polar(distortion, side="left")
        turned = np.eye(3)
        turned[:2, :2] = extra
        self.orientation = turned @ frame
        self.hkl = table.hkl
        true = table.g @ self.orientation[:2].T @ np.linalg.inv(self.distortion)
        self.g = true + rng.normal(0, 0.003, true.shape)
        self.std = np.full(len(true), 0.003)
        self.snr = 30 + 1e4 * table.intensity / table.intensity.max()

    def _zone(self, rng: np.random.Generator) -> tuple[np.ndarray, ReflectionTable]:
        """A zone with at least four independent strong reflections."""
        table = reflection_table(self.phase, min_d_nm=0.08)
        axes = zone_axes(self.phase, max_index=3)
        while True:
            axis = axes[rng.integers(len(axes))] * rng.choice([1, -1])
            zone = zone_reflections(table, axis)
            zone = zone.select(zone.intensity > 0.03 * zone.intensity.max(initial=0))
            if len(zone) >= 8:
                return axis, zone

    def index(self, phases: list[CrystalPhase]) -> list[RegionSolution]:
        return index_region(self.g, self.std, self.snr, phases, tolerances=TOLERANCES)

    def equivalent_orientations(self) -> list[np.ndarray]:
        """Those that show the same spots: Laue group, and half a turn (Friedel)."""
        to_cartesian = self.phase.lattice.T
        half_turn = np.diag([-1.0, -1.0, 1.0])
        found = []
        for operation in laue_operations(self.phase):
            if np.linalg.det(operation) > 0:
                turned = to_cartesian @ operation @ np.linalg.inv(to_cartesian)
                found += [
                    self.orientation @ turned,
                    half_turn @ self.orientation @ turned,
                ]
        return found


def degrees_between(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.rad2deg(Rotation.from_matrix(one.T @ other).magnitude()))


@pytest.mark.parametrize("seed", range(36))
def test_a_zone_is_recognised_through_a_distorted_image(seed: int) -> None:
    pattern = Pattern(NAMES[seed % len(NAMES)], seed)
    best = pattern.index([pattern.phase])[0]
    family = laue_operations(pattern.phase) @ pattern.axis
    assert (family == best.zone_axis).all(axis=1).any()
    turns = [
        degrees_between(one, best.orientation)
        for one in pattern.equivalent_orientations()
    ]
    assert min(turns) < 0.3
    true_scale = np.sqrt(np.linalg.det(pattern.distortion))
    assert best.scale == pytest.approx(true_scale, rel=0.003)
    np.testing.assert_allclose(best.distortion, pattern.distortion, atol=4e-3)
    assert best.score > 0.4 and best.matched.all()

    # The matrix is a proper rotation that takes the indices to the spots.
    np.testing.assert_allclose(
        best.orientation @ best.orientation.T, np.eye(3), atol=1e-9
    )
    assert np.linalg.det(best.orientation) == pytest.approx(1)
    towards = best.orientation @ (best.zone_axis @ pattern.phase.lattice)
    np.testing.assert_allclose(towards[:2], 0, atol=1e-9)
    assert towards[2] < 0
    seen = predicted_g(best.hkl, pattern.phase, best.orientation, best.distortion)
    away = np.linalg.norm(seen - pattern.g, axis=1)
    assert away.max() < 0.02
    assert best.residual == pytest.approx(np.sqrt((away**2).mean()), rel=0.3)
    np.testing.assert_array_equal(best.hkl @ best.zone_axis, 0)


def test_friedel_partners_get_opposite_indices() -> None:
    pattern = Pattern("GaN wurtzite", 3)
    best = pattern.index([pattern.phase])[0]
    for g, hkl in zip(pattern.g, best.hkl, strict=True):
        partner = np.linalg.norm(pattern.g + g, axis=1).argmin()
        np.testing.assert_array_equal(best.hkl[partner], -hkl)


@pytest.mark.parametrize("name", ["Si diamond", "GaN wurtzite", "HfO2 monoclinic"])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_true_phase_comes_before_others(name: str, seed: int) -> None:
    others = ["Ge diamond", "Au fcc", "TiO2 rutile", "MgO rocksalt", "GaAs wurtzite"]
    pattern = Pattern(name, seed, distorted=False)
    phases = [library_phase(other) for other in others] + [pattern.phase]
    solutions = pattern.index(phases)
    assert solutions[0].phase == len(others)
    scores = [solution.score for solution in solutions]
    assert scores == sorted(scores, reverse=True)
    rest = [solution.score for solution in solutions if solution.phase < len(others)]
    assert max(rest, default=0) < 0.97 * scores[0]


def test_a_zone_that_has_no_mirror_is_told_from_its_other_side() -> None:
    """The pattern of a general zone of a monoclinic crystal is not its own mirror."""
    phase = library_phase("beta-Ga2O3")
    table = reflection_table(phase, min_d_nm=0.08)
    for sign in (1, -1):
        axis = sign * np.array([1, 1, 2])
        frame = zone_axis_frame(phase.lattice, axis, rotation=0.4)
        zone = zone_reflections(table, axis)
        zone = zone.select(zone.intensity > 0.01 * zone.intensity.max())
        g = zone.g @ frame[:2].T
        snr = 30 + 1e4 * zone.intensity
        found = index_region(
            g, np.full(len(g), 0.003), snr, [phase], tolerances=TOLERANCES
        )
        family = laue_operations(phase)
        proper = family[np.linalg.det(family) > 0] @ axis
        assert (proper == found[0].zone_axis).all(axis=1).any()


@pytest.mark.parametrize("spots", [0, 1, 2])
def test_fewer_than_three_independent_spots_have_no_solution(spots: int) -> None:
    g = np.array([[3.19, 0.0], [1.06, 3.0]])[:spots]
    g = np.concatenate([g, -g])
    ones = np.ones(len(g))
    phases = [library_phase("Si diamond")]
    assert index_region(g, 0.01 * ones, 100 * ones, phases, tolerances=TOLERANCES) == []


def test_random_spots_score_low() -> None:
    rng = np.random.default_rng(0)
    phases = [library_phase(name) for name in ("Si diamond", "Au fcc", "MgO rocksalt")]
    best = []
    for _ in range(15):
        angle, length = rng.uniform(0, np.pi, 8), rng.uniform(2, 8, 8)
        g = length[:, None] * np.stack([np.cos(angle), np.sin(angle)], -1)
        g = np.concatenate([g, -g])
        found = index_region(
            g, np.full(16, 0.005), np.full(16, 200.0), phases, tolerances=TOLERANCES
        )
        best.append(max((solution.score for solution in found), default=0.0))
    assert max(best) < 0.3


def test_reflections_nearest_to_g() -> None:
    pattern = Pattern("beta-Ga2O3", 5)
    found = nearest_reflection(
        pattern.g, pattern.phase, pattern.axis, pattern.orientation, pattern.distortion
    )
    np.testing.assert_array_equal(found, pattern.hkl)


def test_predicted_g_of_a_crystal_seen_twice_as_large() -> None:
    """What is seen at D r has its frequencies at D⁻ᵀ g."""
    phase = library_phase("Si diamond")
    frame = zone_axis_frame(phase.lattice, [0, 0, 1], rotation=np.deg2rad(30))
    shortest = 4 / 0.5431
    plain = predicted_g([4, 0, 0], phase, frame, np.eye(2))
    assert np.linalg.norm(plain) == pytest.approx(shortest, rel=1e-3)
    stretched = predicted_g([4, 0, 0], phase, frame, np.diag([2.0, 1.0]))
    np.testing.assert_allclose(stretched, plain / [2, 1])
    turned = rotation_2d(np.deg2rad(30)) @ [shortest, 0]
    assert min(np.linalg.norm(plain - turned), np.linalg.norm(plain + turned)) < 0.01
