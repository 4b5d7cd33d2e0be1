# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Displacement and its gradient from phases, against the truth of drawn crystals."""

import dask.array as da
import numpy as np
import pytest

from hyperspy_t2t import frames
from hyperspy_t2t.calibration import ImageGrid
from hyperspy_t2t.data.displacements import (
    Displacement,
    GaussianBump,
    Gradient,
    Uniform,
    strained,
)
from hyperspy_t2t.data.synthetic import Region, Scan, synthetic_arrays
from hyperspy_t2t.strain import gpa
from hyperspy_t2t.strain.demodulation import coarse_grid
from hyperspy_t2t.strain.fringes import local_fringes
from hyperspy_t2t.strain.gpa import PhaseField
from hyperspy_t2t.strain.limits import check_g_vectors

PLANES = ((1, -1, 1), (1, -1, -1))
FLOOR = 5e-5


def phase_field(
    image: np.ndarray, grid: ImageGrid, g: np.ndarray, *, resolution: float, **options
) -> PhaseField:
    fringes = local_fringes(image, grid, g, resolution=resolution)
    return gpa.phase_field(fringes, **options)


def positions(grid: ImageGrid) -> np.ndarray:
    return grid.to_nm(*np.indices(grid.shape))


def beta(field: Displacement, at: np.ndarray) -> np.ndarray:
    return np.moveaxis(field.gradient(at), (-2, -1), (0, 1))


def measured(
    field: Displacement,
    *,
    sigma: float = 0.5,
    shape: tuple[int, int] = (340, 420),
    pixel: tuple[float, float] = (0.018, 0.025),
) -> tuple[PhaseField, np.ndarray, np.ndarray]:
    """Phase field of Si [110], positions (x, y), and where the border is far."""
    region = Region("Si diamond", (1, 1, 0), 20.0, displacement=field)
    image, truth = synthetic_arrays([region], Scan(shape=shape, pixel_size=pixel))
    known = truth["regions"]["region_1"]
    g = np.array(
        [known["g_reference"][(known["hkl"] == hkl).all(axis=1)][0] for hkl in PLANES]
    )
    grid = ImageGrid(shape, pixel[::-1])
    everywhere = np.ones(coarse_grid(grid, sigma).shape, bool)
    found = phase_field(
        image, grid, g, resolution=sigma, reference=everywhere, inside=everywhere
    )
    at = positions(found.grid)
    margin = 5 * sigma
    inside = ((at > margin) & (at < at[-1, -1] - margin)).all(axis=-1)
    # The gradient is relative to the mean lattice; g refers to the bulk.
    local = np.einsum("ki,ijyx->kjyx", found.g_vectors, unit(found.gradient))
    against_bulk = np.eye(2)[:, :, None, None] - np.einsum(
        "ik,kjyx->ijyx", np.linalg.inv(g), local
    )
    return found, against_bulk, inside


def unit(gradient: np.ndarray) -> np.ndarray:
    return np.eye(2)[:, :, None, None] - gradient


def rmse(difference: np.ndarray) -> float:
    return float(np.sqrt((difference**2).mean()))


@pytest.mark.parametrize(
    "field",
    [
        strained(),
        strained(0.02, 0.02, rotation=5, origin=(4, 3)),
        strained(0.1, -0.06, 0.03, rotation=4, origin=(4, 3)),
        strained(rotation=8),
        Gradient(0.01, direction=20, origin=(5, 3)),
        Gradient(0.01, direction=20, polarization=110, origin=(5, 3)),
    ],
    ids=["none", "2 %", "10 %", "8 deg", "gradient", "shear gradient"],
)
def test_gradient_of_a_crystal_is_the_truth(field: Displacement) -> None:
    found, gradient, inside = measured(field)
    assert inside.sum() > 100
    assert rmse((gradient - beta(field, positions(found.grid)))[:, :, inside]) < FLOOR


@pytest.mark.parametrize("sigma", [0.4, 0.6])
def test_a_bump_is_seen_through_the_gaussian_average(sigma: float) -> None:
    """A Gaussian averaged by a Gaussian is a wider and lower one."""
    width, amplitude, centre = 1.4, np.array([0.03, -0.02]), (5.0, 3.0)
    found, gradient, inside = measured(
        GaussianBump(tuple(amplitude), centre, width), sigma=sigma
    )
    wider = np.hypot(width, sigma)
    seen = GaussianBump(tuple(amplitude * (width / wider) ** 2), centre, wider)
    difference = gradient - beta(seen, positions(found.grid))
    assert rmse(difference[:, :, inside]) < FLOOR


@pytest.mark.parametrize("sigma", [0.4, 0.6])
def test_the_border_reads_the_same_strain(sigma: float) -> None:
    """A cut Gaussian sees the lattice at its centre of weight, not at its place."""
    grid = ImageGrid((260, 300), (0.02, 0.025), (4.0, -2.0))
    g = np.array([[5.0, 0.4], [0.2, 4.8]])
    field = strained(0.02, -0.01, 0.01, rotation=2, origin=(1.0, 6.0))
    at = positions(coarse_grid(grid, sigma))
    everywhere = np.ones(at.shape[:2], bool)
    found = phase_field(
        two_waves(field, grid, g), grid, g,
        resolution=sigma, reference=everywhere, inside=everywhere,
    )  # fmt: skip
    local = np.einsum("ki,ijyx->kjyx", found.g_vectors, unit(found.gradient))
    expected = g @ (np.eye(2) - field.constant_gradient)
    error = np.linalg.norm(local - expected[:, :, None, None], axis=1)
    # At its place a border would read 36 % of the offset: wrong by 0.11 and 0.14 1/nm.
    # What is left is the edge of the image itself in the spectrum.
    assert error.max() < 0.04 and np.median(error) < 5e-3
    seen = (at - np.moveaxis(found.displacement, 0, -1)).reshape(-1, 2)
    truth = (at - field.displacement(at)).reshape(-1, 2)
    design = np.column_stack([seen, np.ones(len(seen))])
    fit, *_ = np.linalg.lstsq(design, truth, rcond=None)
    assert np.abs(design @ fit - truth).max() < 5e-3


@pytest.mark.parametrize(
    "field",
    [
        strained(0.03, -0.02, 0.01, rotation=3, origin=(4, 3)),
        Gradient(0.008, direction=70, origin=(5, 3)),
    ],
)
def test_displacement_is_the_truth_up_to_a_constant(field: Displacement) -> None:
    """And up to the mean lattice, which is its reference here."""
    found, _, inside = measured(field)
    at = positions(found.grid)[inside]
    truth = at - field.displacement(at)  # R of the bulk
    seen = at - found.displacement[:, inside].T  # R of the mean lattice
    design = np.column_stack([seen, np.ones(len(at))])
    fit, *_ = np.linalg.lstsq(design, truth, rcond=None)
    assert rmse(design @ fit - truth) < 3e-4


def two_waves(
    field: Displacement, grid: ImageGrid, g: np.ndarray, split: float | None = None
) -> np.ndarray:
    """Two fringes; left of x = split the lattice is undisplaced."""
    at = positions(grid)
    u = field.displacement(at)
    if split is not None:
        u = np.where(at[..., :1] < split, 0, u)
    return 3 + np.cos(2 * np.pi * (at - u) @ g.T).sum(axis=-1)


@pytest.mark.parametrize("degrees", [-30, -12, 30])
def test_large_rotations(degrees: float) -> None:
    """A fringe turned by 30° is half of |g| away: only a wide mask still holds it."""
    grid = ImageGrid((300, 400), (0.02, 0.02), (-1.0, 7.0))
    turn = np.deg2rad(17)
    g = 2.5 * np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    sigma = 0.35
    split = 11.0
    field = strained(rotation=degrees, origin=(11.0, 2.0))
    at = positions(coarse_grid(grid, sigma))
    middle = np.abs(at[..., 1] - 2) < 3 - 5 * sigma
    reference = middle & (at[..., 0] < split - 5 * sigma)
    found = phase_field(
        two_waves(field, grid, g, split),
        grid,
        g,
        resolution=sigma,
        reference=reference & (at[..., 0] > 7 + 5 * sigma),
        inside=np.ones(reference.shape, bool),
    )
    np.testing.assert_allclose(found.g_vectors, g, atol=1e-4)
    inside = middle & (at[..., 0] > split + 5 * sigma)
    inside &= at[..., 0] < 15 - 5 * sigma
    deformation = frames.deformation_gradient(
        np.moveaxis(found.gradient, (0, 1), (-2, -1))[inside]
    )
    strain = frames.strain_components(deformation, convention="polar")
    assert strain[3].mean() == pytest.approx(np.deg2rad(degrees), abs=1e-3)
    assert np.abs(strain[:3]).max() < 0.02 and strain[3].std() < 0.01


def test_the_reference_is_what_is_called_unstrained() -> None:
    grid = ImageGrid((300, 400), (0.02, 0.02), (-1.0, 7.0))
    g, sigma, split = np.array([[3.0, 0.4], [0.2, 2.8]]), 0.4, 11.0
    field = strained(0.05, -0.03, 0.02, rotation=4, origin=(11.0, 2.0))
    image = two_waves(field, grid, g, split)
    at = positions(coarse_grid(grid, sigma))
    away = ((at > at[0, 0] + 4 * sigma) & (at < at[-1, -1] - 4 * sigma)).all(axis=-1)
    left = away & (at[..., 0] < split - 4 * sigma)
    right = away & (at[..., 0] > split + 4 * sigma)
    everywhere = np.ones(left.shape, bool)
    options = {"resolution": sigma, "inside": everywhere}
    one = phase_field(image, grid, g, reference=left, **options)
    other = phase_field(image, grid, g, reference=right, **options)
    weight = one.amplitude**2
    for found, reference in ((one, left), (other, right)):
        mean = (found.gradient * weight)[:, :, reference].sum(-1)
        mean /= weight[reference].sum()
        assert np.abs(mean).max() < 1e-4
        assert np.abs(found.displacement[:, reference].mean(-1)).max() < 0.02
    inner = (slice(None), slice(None), slice(12, -12), slice(-14, -9))
    np.testing.assert_allclose(one.gradient[inner], beta(field, at)[inner], atol=1e-3)
    # F of the left in the frame of the right is the inverse of F.
    seen_from_right = frames.deformation_gradient(
        np.moveaxis(other.gradient, (0, 1), (-2, -1))[15, 12]
    )
    np.testing.assert_allclose(
        seen_from_right @ np.array(field.deformation), np.eye(2), atol=2e-3
    )


def test_wrong_start_g_is_refined_on_the_reference() -> None:
    grid = ImageGrid((200, 220), (0.03, 0.02), (4.0, -2.0))
    g = np.array([[3.0, 0.4], [0.2, 2.8]])
    image = two_waves(Uniform(), grid, g)
    everywhere = np.ones(coarse_grid(grid, 0.4).shape, bool)
    reference = np.zeros_like(everywhere)
    reference[12:-12, 10:-10] = True
    found = phase_field(
        image, grid, g + 0.1, resolution=0.4, reference=reference, inside=everywhere
    )
    np.testing.assert_allclose(found.g_vectors, g, atol=1e-5)


def test_blocks_and_gaps() -> None:
    grid = ImageGrid((200, 220), (0.03, 0.02), (4.0, -2.0))
    g = np.array([[3.0, 0.4], [0.2, 2.8]])
    field = strained(0.03, 0.01, rotation=2, origin=(0.0, 7.0))
    image = two_waves(field, grid, g)
    inside = np.ones(coarse_grid(grid, 0.4).shape, bool)
    options = {"resolution": 0.4, "reference": inside}
    whole = phase_field(image, grid, g, inside=inside, **options)
    lazy = da.from_array(image, chunks=(57, 83))
    blocks = phase_field(lazy, grid, g, inside=inside, **options)
    np.testing.assert_allclose(blocks.gradient, whole.gradient, atol=1e-9)
    np.testing.assert_allclose(blocks.displacement, whole.displacement, atol=1e-9)
    # What is not inside continues what is: here it is the same lattice.
    part = inside.copy()
    part[:, -6:] = False
    gap = phase_field(image, grid, g, inside=part, **options)
    difference = gap.displacement - whole.displacement
    difference -= difference.mean(axis=(1, 2), keepdims=True)
    assert np.abs(difference).max() < 0.02


@pytest.mark.parametrize(
    ("g", "message"),
    [
        (np.ones((1, 2)), r"shape \(n, 2\), got shape \(1, 2\)"),
        (np.ones((2, 3)), r"shape \(n, 2\), got shape \(2, 3\)"),
        ([[3.0, 0.0], [6.0, 0.3], [0.0, 3.0]], "more than 6° apart.*give them first"),
        ([[3.0, 0.0], [0.0, 3.0], [-3.0, 0.0]], "given twice"),
        ([[3.0, 0.0], [0.0, 26.0]], r"±20 and ±25 1/nm, got .* without 2π"),
        ([[21.0, 0.0], [0.0, 3.0]], "within the Nyquist limit"),
        ([[3.0, 0.0], [6.0, 0.3]], "more than 6° apart"),
        ([[3.0, 0.0], [0.0, 0.0]], "more than 6° apart"),
    ],
)
def test_g_vectors_that_cannot_measure(g: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_g_vectors(g, ImageGrid((50, 60), (0.02, 0.025)))


def test_a_reference_without_fringes() -> None:
    grid = ImageGrid((100, 100), (0.02, 0.02))
    nowhere = np.zeros(coarse_grid(grid, 0.4).shape, bool)
    with pytest.raises(ValueError, match="holds no fringes"):
        phase_field(
            np.ones(grid.shape), grid, np.diag([3.0, 3.0]),
            resolution=0.4, reference=nowhere, inside=~nowhere,
        )  # fmt: skip
