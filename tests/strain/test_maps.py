# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Strain and displacement at pixels from fields on coarse grids."""

import numpy as np
import pytest

from hyperspy_t2t import frames
from hyperspy_t2t.calibration import ImageGrid
from hyperspy_t2t.data.displacements import GaussianBump, strained
from hyperspy_t2t.strain.maps import (
    LatticeField,
    displacement_block,
    strain_block,
    uncertainty_block,
)

GRID = ImageGrid((70, 90), (0.06, 0.05), (-1.0, 3.0))
COARSE = ImageGrid((40, 50), (69 * 0.06 / 39, 89 * 0.05 / 49), (-1.0, 3.0))
FIRST = strained(0.2, -0.1, 0.05, rotation=20, origin=(4.0, 0.0))
SECOND = FIRST + GaussianBump((0.1, -0.05), (5.0, 1.0), 1.2)


def points(grid: ImageGrid) -> np.ndarray:
    return grid.to_nm(*np.indices(grid.shape))


def lattice_field(field, members=(1,)) -> LatticeField:
    at = points(COARSE)
    return LatticeField.from_samples(
        COARSE,
        members,
        np.moveaxis(field.displacement(at), -1, 0),
        np.moveaxis(field.gradient(at), (-2, -1), (0, 1)),
        np.ones(COARSE.shape),
    )


def two_regions() -> np.ndarray:
    labels = np.ones(GRID.shape, np.int32)
    labels[:, 40:] = 2
    labels[10:20, 30:50] = 0
    labels[50:, :5] = 3
    return labels


@pytest.mark.parametrize("convention", frames.CONVENTIONS)
def test_strain_is_the_truth_of_each_region(convention: str) -> None:
    labels = two_regions()
    fields = [lattice_field(FIRST, (1,)), lattice_field(SECOND, (2, 7))]
    strain = strain_block(labels, GRID, fields, convention=convention)
    assert strain.shape == (4, *GRID.shape) and strain.dtype == np.float32
    for label, field in ((1, FIRST), (2, SECOND)):
        here = labels == label
        truth = frames.strain_components(
            field.deformation_gradient(points(GRID)[here]), convention=convention
        )
        np.testing.assert_allclose(strain[:, here], truth, atol=3e-4)
    assert np.isnan(strain[:, (labels == 0) | (labels == 3)]).all()


@pytest.mark.parametrize("convention", frames.CONVENTIONS)
def test_components_are_those_of_the_frames(convention: str) -> None:
    """At samples of any deformation, also of one turned by more than 90°."""
    rng = np.random.default_rng(0)
    gradient = rng.normal(0, 0.7, (2, 2, *COARSE.shape))
    field = LatticeField.from_samples(
        COARSE, (1,), np.zeros((2, *COARSE.shape)), gradient, np.ones(COARSE.shape)
    )
    labels = np.ones(COARSE.shape, np.int32)
    found = strain_block(labels, COARSE, [field], convention=convention)
    deformation = frames.deformation_gradient(np.moveaxis(gradient, (0, 1), (-2, -1)))
    expected = frames.strain_components(deformation, convention=convention)
    if convention == "polar":
        assert np.abs(expected[3]).max() > 2
    np.testing.assert_allclose(found, expected, rtol=3e-6, atol=1e-7)


def test_an_unknown_convention_is_an_error() -> None:
    with pytest.raises(ValueError, match="convention"):
        strain_block(two_regions(), GRID, [], convention="green")


@pytest.mark.parametrize("kind", [np.int32, np.int64, np.uint8])
def test_labels_of_any_type_and_layout(kind: type) -> None:
    fields = [lattice_field(FIRST, (1,)), lattice_field(SECOND, (2, 7, 200))]
    labels = two_regions()
    labels[60:, 70:] = 200
    other = np.repeat(labels.astype(kind), 2, axis=1)[:, ::2]
    np.testing.assert_array_equal(
        strain_block(other, GRID, fields, convention="gpa"),
        strain_block(labels, GRID, fields, convention="gpa"),
    )


def with_std(std: np.ndarray, amplitude: np.ndarray | None = None) -> LatticeField:
    return LatticeField.from_samples(
        COARSE,
        (1,),
        np.zeros((2, *COARSE.shape)),
        np.zeros((2, 2, *COARSE.shape)),
        np.ones(COARSE.shape) if amplitude is None else amplitude,
        std=std,
    )


def test_standard_errors_follow_their_samples() -> None:
    x, y = np.moveaxis(points(COARSE), -1, 0)
    scale = np.array([1.0, 2, 3, 4])[:, None, None]
    std = scale * (0.01 + 0.002 * np.sin(x) * np.cos(y))
    amplitude = np.ones(COARSE.shape)
    amplitude[:, 45:] = 0
    labels = two_regions()
    found = uncertainty_block(labels, GRID, [with_std(std, amplitude)])
    assert found.shape == (4, *GRID.shape) and found.dtype == np.float32
    x, y = np.moveaxis(points(GRID), -1, 0)
    expected = scale * (0.01 + 0.002 * np.sin(x) * np.cos(y))
    known = labels == 1
    np.testing.assert_allclose(found[:, known], expected[:, known], atol=1e-5)
    assert np.isnan(found[:, ~known]).all()
    everywhere = np.ones(GRID.shape, np.int32)
    found = uncertainty_block(everywhere, GRID, [with_std(std, amplitude)])
    faint = np.isnan(found).all(axis=0)
    assert faint[:, 84:].all() and not faint[:, :80].any()


def test_unknown_standard_errors_are_those_of_the_nearest_place() -> None:
    std = np.full((4, *COARSE.shape), 0.02)
    std[:, :, 25:] = 0.5
    std[:, 10:20, 20:30] = np.nan
    std[2, 30, 3] = np.nan
    labels = np.ones(GRID.shape, np.int32)
    found = uncertainty_block(labels, GRID, [with_std(std)])
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found[:, :, :38], 0.02, atol=1e-3)
    np.testing.assert_allclose(found[:, :, 55:], 0.5, atol=1e-3)


def test_a_standard_error_is_never_negative() -> None:
    std = np.zeros((4, *COARSE.shape))
    std[:, ::7, ::5] = 1.0  # splines swing below zero beside peaks
    found = uncertainty_block(np.ones(GRID.shape, int), GRID, [with_std(std)])
    assert found.min() == 0 and found.max() > 0.5


def test_no_standard_error_where_none_is_known() -> None:
    labels = np.ones(GRID.shape, int)
    unknown = with_std(np.full((4, *COARSE.shape), np.nan))
    for field in (unknown, lattice_field(FIRST)):
        assert np.isnan(uncertainty_block(labels, GRID, [field])).all()


def test_displacement_is_the_truth_of_each_region() -> None:
    labels = two_regions()
    fields = [lattice_field(FIRST, (1,)), lattice_field(SECOND, (2,))]
    u = displacement_block(labels, GRID, fields)
    for label, field in ((1, FIRST), (2, SECOND)):
        here = labels == label
        truth = field.displacement(points(GRID)[here]).T
        np.testing.assert_allclose(u[:, here], truth, atol=1e-4)
    assert np.isnan(u[:, (labels == 0) | (labels == 3)]).all()


def test_a_block_of_the_image_gives_the_same() -> None:
    labels, fields = two_regions(), [lattice_field(SECOND, (1, 2))]
    part = slice(13, 60), slice(7, 77)
    whole = strain_block(labels, GRID, fields, convention="reference")
    block = strain_block(
        labels[part], GRID.window(*part), fields, convention="reference"
    )
    np.testing.assert_allclose(block, whole[(slice(None), *part)], atol=1e-6)


@pytest.mark.parametrize(("faintest", "right"), [(0.05, 0.01), (0.4, 0.2)])
def test_faint_fringes_carry_no_strain(faintest: float, right: float) -> None:
    amplitude = np.ones(COARSE.shape)
    amplitude[:, 25:] = right
    at = points(COARSE)
    field = LatticeField.from_samples(
        COARSE,
        (1,),
        np.moveaxis(FIRST.displacement(at), -1, 0),
        np.moveaxis(FIRST.gradient(at), (-2, -1), (0, 1)),
        amplitude,
        faintest=faintest,
    )
    labels = np.ones(GRID.shape, int)
    strain = strain_block(labels, GRID, [field], convention="reference")
    assert np.isfinite(strain[:, :, :40]).all() and np.isnan(strain[:, :, 50:]).all()


def test_displacement_continues_along_its_slope_beyond_the_image() -> None:
    field = lattice_field(FIRST)
    outside = np.array([[-2.0, -3.0], [12.0, 1.0], [5.0, 9.0]])
    np.testing.assert_allclose(
        field.displacement_at(outside).T, FIRST.displacement(outside), atol=1e-3
    )
    np.testing.assert_allclose(
        field.gradient_at(outside).T.reshape(-1, 2, 2),
        FIRST.gradient(outside),
        atol=1e-6,
    )
