# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Reference, g-vectors, domains and resolution from the spots of regions."""

import numpy as np
import pytest

from hyperspy_t2t.frames import rotation_2d
from hyperspy_t2t.strain.setup import (
    WIDEST,
    Domain,
    RegionSpots,
    best_reference,
    choose_domains,
    choose_g_pair,
    contenders,
    finest_resolution,
    noise_amplitude,
    own_g_vectors,
    shares,
    steady_pair,
)

LATTICE = np.array([[3.2, 0.0], [1.07, 3.02], [-2.13, 3.02], [4.27, 3.02]])


def spots(
    g: np.ndarray = LATTICE,
    *,
    snr: float | np.ndarray = 300.0,
    indexed: bool | list = True,
    score: float = 0.8,
    scale: float = 1.0,
    area: float = 100.0,
    sides: int = 2,
    steady: list | None = None,
    **further: float,
) -> RegionSpots:
    """A region with these spots and their Friedel partners."""
    return RegionSpots(
        g=np.concatenate([g, -g]),
        snr=np.tile(np.broadcast_to(snr, len(g)), 2).astype(float),
        indexed=np.tile(np.broadcast_to(indexed, len(g)), 2),
        score=score,
        scale=scale,
        area=area,
        sides=sides,
        steady=None if steady is None else np.tile(steady, 2),
        **further,
    )


def turned(degrees: float, scale: float = 1.0) -> np.ndarray:
    return scale * LATTICE @ rotation_2d(np.deg2rad(degrees)).T


@pytest.mark.parametrize(
    "worse",
    [
        {"area": 40.0},
        {"score": 0.2},
        {"snr": 4.0},
        {"scale": 1.05},
        {"scale": 0.95},
        {"sides": 0},
        {"anisotropy": 0.02},
        {"unevenness": 0.01},
        {"score": 0.0, "area": 1e5, "snr": 1e5},
    ],
)
def test_the_reference_is_the_better_of_two(worse: dict) -> None:
    assert best_reference({1: spots(**worse), 2: spots()})[0] == 2
    assert best_reference({1: spots(), 2: spots(**worse)})[0] == 1


def test_of_equal_layers_the_lower_one_is_the_substrate() -> None:
    layers = {1: spots(sides=3), 2: spots(sides=3, bottom=True)}
    assert best_reference(layers)[0] == 2
    assert contenders(layers) == [2, 1]


def test_contenders_are_close_and_have_a_phase() -> None:
    regions = {k: spots(area=100.0 - k) for k in range(1, 8)}
    regions[8] = spots(area=5.0)
    regions[9] = spots(score=0.0, area=1e6)
    assert contenders(regions) == [1, 2, 3, 4]
    assert contenders({1: spots(), 2: spots(area=10.0)}) == [1]


def test_of_equal_regions_the_first_is_the_reference_and_says_why() -> None:
    label, reason = best_reference({3: spots(), 5: spots()})
    assert label == 3
    assert "2 regions" in reason and "100 nm²" in reason and "2 sides" in reason


def test_short_g_at_a_wide_angle_with_signal_are_chosen() -> None:
    pair = choose_g_pair(spots())
    length = np.linalg.norm(pair, axis=1)
    assert length.max() < 3.8
    assert abs(np.linalg.det(pair)) > 0.8 * length.prod()
    faint = choose_g_pair(spots(snr=np.array([0.1, 300.0, 300.0, 300.0])))
    assert not np.isclose(np.abs(faint), [3.2, 0]).all(axis=1).any()


def test_indexed_spots_go_before_others() -> None:
    pair = choose_g_pair(spots(indexed=[False, True, False, True]))
    assert sorted(map(tuple, np.abs(pair))) == [(1.07, 3.02), (4.27, 3.02)]
    # One indexed spot makes no pair: then all are taken.
    assert choose_g_pair(spots(indexed=[True, False, False, False])) is not None


@pytest.mark.parametrize("g", [LATTICE[:1], LATTICE[:1] * [[1.0], [2.0]]])
def test_one_direction_makes_no_pair(g: np.ndarray) -> None:
    assert choose_g_pair(spots(g)) is None


def test_regions_that_share_a_lattice_form_a_domain() -> None:
    regions = {
        1: spots(area=400.0),
        2: spots(turned(5, 1.02)),
        3: spots(turned(25), area=300.0),
        4: spots(turned(27), area=50.0),
        5: spots(LATTICE[:1]),
    }
    first, second = choose_domains(regions)  # 5 shows too little to be measured
    assert (first.reference, first.members) == (1, (1, 2))
    assert (second.reference, second.members) == (3, (3, 4))
    for domain in (first, second):
        assert shares(regions[domain.reference], domain.g_vectors)


def test_the_user_may_fix_reference_and_g() -> None:
    regions = {1: spots(area=400.0), 2: spots(turned(2)), 3: spots(turned(40))}
    fixed = np.array([LATTICE[1], LATTICE[3]])
    first, second = choose_domains(regions, reference=2, g_vectors=fixed)
    assert first.reference == 2 and first.members == (1, 2)
    np.testing.assert_array_equal(first.g_vectors, fixed)
    assert first.reason == "chosen by the user" and second.reference == 3


@pytest.mark.parametrize(
    ("degrees", "scale", "expected"), [(0, 1, True), (12, 1, True), (0, 1.2, True),
     (0, 0.8, True), (13, 1, False), (0, 1.25, False), (0, 0.75, False),
     (90, 1, False)],
)  # fmt: skip
def test_sharing_needs_a_small_offset(
    degrees: float, scale: float, expected: bool
) -> None:
    region = spots(turned(degrees, scale))
    assert shares(region, LATTICE[:2]) is expected


def test_a_square_lattice_turned_by_85_degrees_is_turned_by_minus_5() -> None:
    square = np.array([[3.0, 0.0], [0.0, 3.0]])
    assert shares(spots(square @ rotation_2d(np.deg2rad(85)).T), square)
    assert not shares(spots(square @ rotation_2d(np.deg2rad(45)).T), square)


def test_the_mask_is_a_fifth_of_the_shortest_distance_of_spots() -> None:
    """Of 3.2, 3.20, 5.23 and 3.69 1/nm; a film that is stretched changes nothing."""
    domain = Domain(1, (1, 2), LATTICE[:2], "")
    shortest = np.linalg.norm(LATTICE[:2], axis=1).min()
    for spread in (0.0, 0.1):
        regions = {1: spots(LATTICE[:2]), 2: spots(LATTICE[:2] / (1 + spread))}
        mask = 1 / (2 * np.pi * finest_resolution(domain, regions))
        assert mask == pytest.approx(WIDEST * shortest, rel=1e-12)


def test_spots_between_those_of_the_pair_narrow_the_mask() -> None:
    """The pair may span a sublattice: what the solution explains is kept out."""
    half = np.concatenate([LATTICE[:2], LATTICE[:1] / 2, LATTICE[1:2] / 3])
    domain = Domain(1, (1,), LATTICE[:2], "")
    shortest = np.linalg.norm(LATTICE[0]) / 2
    found = finest_resolution(domain, {1: spots(half, indexed=[True] * 3 + [False])})
    assert 1 / (2 * np.pi * found) == pytest.approx(WIDEST * shortest)
    # The difference of the pair, 0.78 1/nm long, is a spot too.
    close = np.array([[3.2, 0.0], [3.7, 0.6]])
    found = finest_resolution(Domain(1, (1,), close, ""), {})
    assert 1 / (2 * np.pi * found) == pytest.approx(WIDEST * np.hypot(0.5, 0.6))


@pytest.mark.parametrize(("degrees", "scale"), [(2.0, 0.99), (0.0, 0.91), (12.0, 1.0)])
def test_a_mismatched_member_has_g_of_its_own(degrees: float, scale: float) -> None:
    """In the order of the reference, also where its spots are Friedel partners."""
    domain = Domain(1, (1, 2), np.concatenate([LATTICE[:2], LATTICE[3:]]), "")
    member = spots(turned(degrees, scale))
    moved = turned(degrees, scale)[[0, 1, 3]]
    offset = np.linalg.norm(moved - domain.g_vectors, axis=1).max()
    for sigma in (0.9, 1.1) / (2 * np.pi * offset):
        own = own_g_vectors(domain, member, sigma)
        if 2 * np.pi * sigma * offset < 1:
            assert own is None
        else:
            np.testing.assert_allclose(own, moved, rtol=1e-12)


def test_phases_that_stay_with_the_composition_are_preferred() -> None:
    """Of the nodes (1,0), (0,1), (-1,1), (1,1): the latter two are steady here."""
    steady = [False, False, True, True]
    region = spots(steady=steady)
    pair = choose_g_pair(region)
    kept = {tuple(np.abs(g)) for g in pair}
    assert kept == {tuple(np.abs(g)) for g in LATTICE[2:]}
    assert steady_pair(region, pair) and not steady_pair(region, LATTICE[:2])
    assert not steady_pair(spots(), pair)  # nothing is known of them
    (domain,) = choose_domains({1: region})
    assert "does not shift with the composition" in domain.g_reason


def test_steady_phases_that_are_lost_in_noise_are_not_taken() -> None:
    faint = np.array([1e4, 1e4, 1.1, 1.1])
    region = spots(steady=[False, False, True, True], snr=faint)
    pair = choose_g_pair(region)
    assert not steady_pair(region, pair)
    (domain,) = choose_domains({1: region})
    assert "where the composition changes their phase shifts" in domain.g_reason
    # One steady spot makes no pair.
    alone = spots(steady=[False, False, False, True])
    np.testing.assert_array_equal(choose_g_pair(alone), choose_g_pair(spots()))


def test_noise_amplitude_is_that_of_a_simulation() -> None:
    """White noise, measured beside fringes, and averaged by a Gaussian."""
    from hyperspy_t2t.calibration import ImageGrid
    from hyperspy_t2t.peaks.manual import noise_densities
    from hyperspy_t2t.strain.demodulation import local_spectrum

    rng = np.random.default_rng(0)
    grid = ImageGrid((300, 300), (0.03, 0.03))
    sigma, noise, draws = 0.3, 2.0, 20
    position = grid.to_nm(*np.indices(grid.shape))
    fringes = sum(1.6 * np.cos(2 * np.pi * (position @ g)) for g in LATTICE[:2])
    full = np.ones(grid.shape, bool)
    images = rng.normal(0, noise, (draws, *grid.shape))
    # One draw scatters by 16 %, twenty by less than 4.
    density = np.mean(
        [
            noise_densities(
                100 + fringes + image, full, grid.pixel_size, LATTICE[:2]
            ).max()
            for image in images
        ]
    )
    assert density == pytest.approx(noise**2 * 0.03**2, rel=0.1)
    found = local_spectrum(images[0], grid, LATTICE[:2], sigma=sigma).component
    measured = np.sqrt((np.abs(found) ** 2).mean())
    assert noise_amplitude(density, sigma) == pytest.approx(measured, rel=0.1)
