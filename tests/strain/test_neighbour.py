# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""A strongly mismatched neighbour, measured around its own spots."""

import numpy as np
import pytest

from hyperspy_t2t import frames
from hyperspy_t2t.calibration import ImageGrid
from hyperspy_t2t.data.displacements import Displacement, Sum, Uniform, strained
from hyperspy_t2t.strain.continuation import core
from hyperspy_t2t.strain.counting_noise import FringeNoise
from hyperspy_t2t.strain.fringes import local_fringes
from hyperspy_t2t.strain.gpa import PhaseField, neighbour_field, phase_field

SIGMA, SPLIT = 0.35, 8.0
SQUARE = ImageGrid((300, 420), (0.02, 0.02), (-3.0, 4.0))
OBLONG = ImageGrid((260, 500), (0.024, 0.017), (-3.0, 4.0))
"""x from 4 nm, y from −3 nm; the interface is at x = 8 nm."""
PAIR = np.array([[3.1, 0.4], [-0.3, 2.9]])
ORDER = np.array([[1, 0], [0, 1], [1, 1], [1, -1], [2, 0], [0, 2], [2, 1]])
MIDDLE = (SPLIT, 0.0)


def places(grid: ImageGrid) -> np.ndarray:
    return grid.to_nm(*np.indices(grid.shape))


def image_of(field: Displacement, grid: ImageGrid, g: np.ndarray) -> np.ndarray:
    """Fringes; left of the interface the lattice is undisplaced."""
    at = places(grid)
    u = np.where(at[..., :1] < SPLIT, 0, field.displacement(at))
    return 20 + np.cos(2 * np.pi * (at - u) @ g.T).sum(axis=-1)


def measured(
    field: Displacement,
    grid: ImageGrid = SQUARE,
    *,
    n: int = len(ORDER),
    noise: FringeNoise | None = None,
    image: np.ndarray | None = None,
    off: float = 0.0,
) -> tuple[PhaseField, PhaseField]:
    """The substrate on the left and the film, `off` its g in 1/nm."""
    g = ORDER[:n] @ PAIR
    image = image_of(field, grid, g) if image is None else image
    noise = FringeNoise.white(1e-8, n) if noise is None else noise
    fringes = local_fringes(image, grid, g, resolution=SIGMA)
    left = places(fringes.grid)[..., 0] < SPLIT
    standard = phase_field(
        fringes, reference=core(left, depth=7), inside=left, noise=noise
    )
    own = g @ (np.eye(2) - field.gradient(np.array(MIDDLE))) + off
    film = neighbour_field(
        local_fringes(image, grid, own, resolution=SIGMA),
        standard,
        inside=~left,
        standard_inside=left,
        noise=noise,
    )
    return standard, film


def inner(grid: ImageGrid, margin: float = 4.5) -> np.ndarray:
    """Places of the film away from interface and frame."""
    at = places(grid)
    far = np.minimum(at - [SPLIT, at[0, 0, 1]], at[-1, -1] - at) > margin * SIGMA
    return far.all(axis=-1)


FILMS = {
    "coherent 4 %": strained(0.04, 0.0, origin=MIDDLE),
    "coherent 10 %": strained(0.10, 0.0, origin=MIDDLE),
    "relaxed 4 %": strained(0.04, 0.04, origin=MIDDLE),
    "relaxed 10 %": strained(0.10, 0.10, origin=MIDDLE),
    "compressed 10 %": strained(-0.10, -0.10, origin=MIDDLE),
    "turned by 12°": strained(rotation=12.0, origin=MIDDLE),
    "turned by 30°": strained(rotation=-30.0, origin=MIDDLE),
    "turned by 20°, sheared": strained(
        0.05, -0.03, 0.02, rotation=20.0, origin=MIDDLE
    ),
}  # fmt: skip


@pytest.mark.parametrize("grid", [SQUARE, OBLONG], ids=["square", "oblong"])
@pytest.mark.parametrize("n", [2, len(ORDER)])
@pytest.mark.parametrize("film", FILMS.values(), ids=FILMS.keys())
def test_strain_of_a_film_is_the_truth(
    film: Displacement, n: int, grid: ImageGrid
) -> None:
    _, found = measured(film, grid, n=n)
    inside = inner(found.grid)
    assert inside.sum() > 40
    strain, truth = (
        frames.strain_components(frames.deformation_gradient(beta))
        for beta in (
            np.moveaxis(found.gradient, (0, 1), (-2, -1))[inside],
            film.gradient(places(found.grid)[inside]),
        )
    )
    assert np.sqrt(((strain - truth) ** 2).mean(axis=1)).max() < 2e-4


@pytest.mark.parametrize("grid", [SQUARE, OBLONG], ids=["square", "oblong"])
@pytest.mark.parametrize("n", [2, len(ORDER)])
@pytest.mark.parametrize("strain", [-0.1, 0.04, 0.1])
def test_displacement_goes_on_across_a_coherent_interface(
    strain: float, n: int, grid: ImageGrid
) -> None:
    """u is the truth with no jump by a lattice vector, which phases leave open."""
    film = strained(strain, 0.0, origin=MIDDLE)
    standard, found = measured(film, grid, n=n)
    at = places(found.grid)
    inside = inner(found.grid)
    error = found.displacement[:, inside].T - film.displacement(at[inside])
    assert np.abs(error).max() < 3e-3
    beside = np.abs(at[..., 0] - SPLIT) < SIGMA
    jump = (found.displacement - standard.displacement)[:, beside]
    assert np.abs(np.median(jump, axis=1)).max() < 0.03


def test_a_shift_by_less_than_half_a_period_is_kept() -> None:
    """A rigid shift at the interface is no lattice vector, and not to be removed."""
    shift = Uniform(translation=(0.06, -0.05))
    film = Sum((strained(0.1, 0.0, origin=MIDDLE), shift))
    _, found = measured(film)
    inside = inner(found.grid)
    error = found.displacement[:, inside].T - film.displacement(
        places(found.grid)[inside]
    )
    assert np.abs(error).max() < 3e-3


def test_where_the_spots_are_need_not_be_known_well() -> None:
    film = strained(0.1, 0.1, origin=MIDDLE)
    _, right = measured(film)
    _, off = measured(film, off=0.08)
    inside = inner(right.grid)
    difference = (off.gradient - right.gradient)[:, :, inside]
    assert np.sqrt((difference**2).mean()) < 2e-4
    difference = (off.displacement - right.displacement)[:, inside]
    assert np.abs(difference).max() < 2e-3


def test_the_reference_is_the_same() -> None:
    standard, found = measured(strained(0.1, 0.1, origin=MIDDLE))
    np.testing.assert_array_equal(found.g_vectors, standard.g_vectors)
    np.testing.assert_array_equal(found.typical, standard.typical)
    np.testing.assert_allclose(found.g_vectors, ORDER @ PAIR, atol=1e-3)
    assert found.amplitude[inner(found.grid)] == pytest.approx(1.0, abs=0.03)


@pytest.mark.parametrize("n", [2, len(ORDER)])
def test_its_standard_error_is_that_of_repeated_draws(n: int) -> None:
    film, level = strained(0.1, 0.1, origin=MIDDLE), 2.0
    noise = FringeNoise.white(level**2 * np.prod(SQUARE.pixel_size), n)
    perfect = image_of(film, SQUARE, ORDER[:n] @ PAIR)
    _, exact = measured(film, n=n, noise=noise)
    inside = inner(exact.grid)
    rng = np.random.default_rng(4)
    ratios = []
    for _ in range(8):
        image = perfect + rng.normal(0, level, perfect.shape)
        _, found = measured(film, n=n, noise=noise, image=image)
        drawn, known = (
            frames.strain_components(
                frames.deformation_gradient(
                    np.moveaxis(one.gradient, (0, 1), (-2, -1))[inside]
                )
            )
            for one in (found, exact)
        )
        ratios.append((drawn - known) / found.std()[:, inside])
    spread = np.std(ratios, axis=(0, 2))
    assert spread.min() > 0.85 and spread.max() < 1.2, spread


def test_a_neighbour_that_touches_nothing_stays_as_it_is() -> None:
    """Without others there is no border to continue across."""
    film = strained(0.1, 0.1, origin=MIDDLE)
    g = ORDER @ PAIR
    image = image_of(film, SQUARE, g)
    fringes = local_fringes(image, SQUARE, g, resolution=SIGMA)
    left = places(fringes.grid)[..., 0] < SPLIT
    noise = FringeNoise.white(1e-8, len(g))
    standard = phase_field(
        fringes, reference=core(left, depth=7), inside=left, noise=noise
    )
    own = g @ (np.eye(2) - film.constant_gradient)
    found = neighbour_field(
        local_fringes(image, SQUARE, own, resolution=SIGMA), standard,
        inside=~left, standard_inside=np.zeros_like(left), noise=noise,
    )  # fmt: skip
    inside = inner(found.grid)
    off = found.displacement[:, inside].T - film.displacement(
        places(found.grid)[inside]
    )
    vector = PAIR @ off.mean(axis=0)
    np.testing.assert_allclose(vector, np.rint(vector), atol=0.02)
    np.testing.assert_allclose(off, np.broadcast_to(off.mean(axis=0), off.shape),
                               atol=3e-3)  # fmt: skip
