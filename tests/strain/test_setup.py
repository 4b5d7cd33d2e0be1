# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Reference, g-vectors, domains and resolution from the spots of regions."""

import numpy as np
import pytest

from hyperspy_t2t.frames import rotation_2d
from hyperspy_t2t.strain.setup import (
    NARROWEST,
    WIDEST,
    Domain,
    RegionSpots,
    best_reference,
    choose_domains,
    choose_g_pair,
    choose_resolution,
    noise_amplitude,
    shares,
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
        {"score": 0.0, "area": 1e5, "snr": 1e5},
    ],
)
def test_the_reference_is_the_better_of_two(worse: dict) -> None:
    assert best_reference({1: spots(**worse), 2: spots()})[0] == 2
    assert best_reference({1: spots(), 2: spots(**worse)})[0] == 1


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
    ("degrees", "scale", "expected"), [(0, 1, True), (7, 1, True), (0, 1.1, True),
     (12, 1, False), (0, 1.2, False), (90, 1, False)],
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


@pytest.mark.parametrize("spread", [0.0, 0.1, 0.14])
def test_the_mask_holds_the_spots_of_all_members(spread: float) -> None:
    regions = {1: spots(), 2: spots(LATTICE * (1 + spread))}
    domain = Domain(1, (1, 2), LATTICE[:2], "")
    mask = 1 / (2 * np.pi * choose_resolution(domain, regions))
    shortest = np.linalg.norm(LATTICE[:2], axis=1).min()
    assert NARROWEST * shortest * 0.999 <= mask <= WIDEST * shortest * 1.001
    assert mask >= 1.1 * spread * shortest or mask > 0.19 * shortest


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
