# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""The elements of a region: sublattices, gaps, means and their errors."""

import numpy as np
import pytest
from ase.build import bulk
from ase.neighborlist import neighbor_list

from hyperspy_t2t.calibration import ImageGrid
from hyperspy_t2t.composition.region_drawing import (
    RegionColumns,
    WantedFractions,
    composition_report,
    draw_region,
)
from hyperspy_t2t.composition.sampling import (
    covered_share,
    nearest_known_place,
    samples_at,
)


def region(sites, n=400, seed=0, counts=None):
    random = np.random.default_rng(seed)
    return RegionColumns(
        1, "phase", np.array(sites), random.random((n, 2)) * 20,
        random.integers(0, len(sites), n),
        random.integers(3, 9, n) if counts is None else counts,
    )  # fmt: skip


def uniform(elements, fractions, n=400):
    return WantedFractions(
        tuple(elements), np.repeat(np.array(fractions)[:, None], n, axis=1)
    )


def test_three_on_three_and_five_on_five():
    columns = region([31, 33])
    wanted = uniform([49, 31, 33, 15], [0.2, 0.3, 0.4, 0.1])
    drawing = draw_region(columns, wanted, seed=0)
    site = np.repeat(columns.site, columns.counts)
    three, five = drawing.numbers[site == 0], drawing.numbers[site == 1]
    assert set(three) == {49, 31} and set(five) == {33, 15}
    assert abs((three == 49).sum() - 0.4 * len(three)) < 1
    assert abs((five == 15).sum() - 0.2 * len(five)) < 1
    share = len(three) / len(site)
    assert drawing.wanted[49] == pytest.approx(0.4 * share)
    assert sum(drawing.wanted.values()) == pytest.approx(1)


def test_fractions_outside_of_a_sublattice_stay_out():
    columns = region([14, 14])
    wanted = uniform([14, 32, 8], [0.2, 0.6, 0.2])
    drawing = draw_region(columns, wanted, seed=0)
    assert drawing.left_out == pytest.approx(0.2)
    assert abs((drawing.numbers == 32).sum() - 0.75 * len(drawing.numbers)) < 1


def test_a_sublattice_without_elements_stays():
    columns = region([38, 22, 8])
    drawing = draw_region(columns, uniform([57, 38], [0.3, 0.7]), seed=0)
    site = np.repeat(columns.site, columns.counts)
    assert not drawing.numbers[site > 0].any()
    assert set(drawing.numbers[site == 0]) == {57, 38}
    assert 22 not in drawing.wanted


def test_unknown_columns_take_the_nearest_known_fractions():
    columns = region([14, 14])
    fractions = uniform([14, 32], [0.5, 0.5]).fractions
    left = columns.position[:, 0] < 10
    fractions[:, left] = [[0], [1]]
    unknown = np.zeros(400, bool)
    unknown[[3, 17, 200]] = True
    fractions[:, unknown] = np.nan
    drawing = draw_region(columns, WantedFractions((14, 32), fractions), seed=0)
    assert drawing.unknown == 3
    nearest = nearest_known_place(columns.position, ~unknown)
    distance = np.linalg.norm(
        columns.position[3] - columns.position[~unknown], axis=1
    ).min()
    assert np.linalg.norm(
        columns.position[3] - columns.position[nearest[3]]
    ) == pytest.approx(distance)
    column = np.repeat(np.arange(400), columns.counts)
    certain = left[nearest][column] & unknown[column]
    assert (drawing.numbers[certain] == 32).all()


def test_nothing_known_leaves_the_region_as_it_is():
    drawing = draw_region(region([14, 14]), uniform([14, 32], [np.nan] * 2), seed=0)
    assert not drawing.numbers.any() and not drawing.wanted
    report = composition_report([region([14, 14])], [drawing])
    assert report["unknown_places"].tolist() == [400]


def test_standard_errors_of_regional_means():
    """Against the scatter of means over maps with noise."""
    grid, random = ImageGrid((6, 5), (4.0, 5.0)), np.random.default_rng(1)
    columns = region([14, 14])
    truth = np.stack(
        [0.3 + 0.08 * np.mgrid[:6, :5][0], 0.7 - 0.08 * np.mgrid[:6, :5][0]]
    )
    variance = np.repeat(0.01 + 0.02 * random.random((1, 6, 5)), 2, axis=0) ** 2
    samples = samples_at(grid, np.ones((6, 5), bool), columns.position)
    means = []
    for _ in range(400):
        noise = np.sqrt(variance[0]) * random.normal(size=(6, 5))
        noisy = truth + np.stack([noise, -noise])
        wanted = WantedFractions(
            (14, 32), samples.of(noisy), samples, variance.reshape(2, -1)
        )
        drawing = draw_region(columns, wanted, seed=0)
        means.append(drawing.wanted[32])
    assert drawing.std[32] == pytest.approx(np.std(means), rel=0.15)


def test_the_report_has_one_row_for_each_region():
    first, second = region([14, 14]), region([31, 33], 50)
    drawings = [
        draw_region(first, uniform([14, 32], [0.25, 0.75]), seed=0),
        draw_region(second, uniform([14, 32], [0.25, 0.75], 50), seed=0),
    ]
    report = composition_report([first, second], drawings)
    assert report["elements"].tolist() == [14, 32]
    np.testing.assert_allclose(report["wanted"][0], [0.25, 0.75])
    atoms = first.counts.sum()
    assert np.abs(report["drawn"][0] - [0.25, 0.75]).max() < 1 / atoms
    assert np.isnan(report["wanted"][1]).all()
    assert report["left_out"].tolist() == [0, 1]


def test_interpolation_is_linear_with_non_square_pixels_and_gaps():
    grid = ImageGrid((4, 6), (0.5, 0.2), (1.0, -2.0))
    rows, columns = np.mgrid[:4, :6]
    x, y = np.moveaxis(grid.to_nm(rows, columns), -1, 0)
    image = 3 * x - 2 * y
    places = grid.to_nm(*(np.random.default_rng(0).random((2, 50)) * [[3], [5]]))
    samples = samples_at(grid, np.ones((4, 6), bool), places)
    np.testing.assert_allclose(samples.of(image[None])[0], places @ [3, -2])
    known = np.ones((4, 6), bool)
    known[2, 3] = False
    image[2, 3] = np.nan
    # Half a nanometre outside of the map its outer pixels still count, not more.
    near = samples_at(grid, known, grid.to_nm([2, 2, 0, 0], [3, 3.8, -2.9, -3.1]))
    assert near.known.tolist() == [False, True, True, False]
    assert near.of(image[None])[0, 1:3].tolist() == [image[2, 4], image[0, 0]]


def test_the_order_is_reached_on_the_sublattice_that_mixes():
    """Of (Ga, In)As: 12 neighbours on the fcc lattice of the cations."""
    atoms = bulk("GaAs", "zincblende", a=5.6, cubic=True) * (9, 9, 9)
    at, column = np.unique(atoms.positions[:, :2].round(3), axis=0, return_inverse=True)
    atoms = atoms[np.argsort(column.ravel(), kind="stable")]
    first = np.unique(np.sort(column.ravel()), return_index=True)[1]
    columns = RegionColumns(
        1, "GaAs", np.array([31, 33]), at / 10,
        np.searchsorted([31, 33], atoms.numbers[first]), np.bincount(column.ravel()),
    )  # fmt: skip
    wanted = uniform([49, 31, 33], [0.2, 0.3, 0.5], len(at))
    drawing = draw_region(
        columns, wanted, seed=1, order=0.2, atoms=lambda: atoms.positions,
        period=atoms.cell[2, 2],
    )  # fmt: skip
    assert drawing.order == pytest.approx([0.2], abs=0.01)
    cations = atoms.numbers == 31
    mixed, atoms = drawing.numbers[cations], atoms[cations]
    atoms.pbc = (False, False, True)
    i, j = neighbor_list("ij", atoms, 4.2)
    unlike = np.mean(mixed[i] != mixed[j])
    assert 1 - unlike / (2 * 0.4 * 0.6) == pytest.approx(0.2, abs=0.03)


def test_covered_share_ends_at_the_edges_of_the_pixels():
    grid = ImageGrid((4, 5), (0.2, 0.5))  # x: -0.25 to 2.25 nm, y: -0.1 to 0.7 nm
    inside = [[-0.24, -0.09], [2.24, 0.69], [1.0, 0.3]]
    outside = [[-0.26, 0.3], [2.26, 0.3], [1.0, -0.11], [1.0, 0.71], [9, 9]]
    assert covered_share(grid, np.array(inside)) == 1
    assert covered_share(grid, np.array(outside)) == 0
    assert covered_share(grid, np.array(inside + outside)) == 3 / 8
    assert covered_share(grid, np.empty((0, 2))) == 0
