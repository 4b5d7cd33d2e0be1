# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Local densities against diagonalisation, sum rules and known peaks."""

import numpy as np
import pytest
from ase.build import bulk

from hyperspy_t2t.physics.bonds import bond_table
from hyperspy_t2t.physics.densities import (
    bin_edges,
    convolved,
    local_densities,
    split,
)
from hyperspy_t2t.physics.hessian import force_constants
from hyperspy_t2t.physics.isotopes import masses_of
from hyperspy_t2t.physics.keating import keating_model
from hyperspy_t2t.physics.phonon_operator import CompiledOperator
from hyperspy_t2t.physics.relaxation import relax


def operator_of(atoms, isotopes="average", relaxed=True):
    bonds = bond_table(atoms.positions, atoms.numbers, atoms.cell.array, atoms.pbc)
    model = keating_model(bonds)
    positions = atoms.positions
    if relaxed:
        positions = relax(positions, bonds, model).positions
    masses = masses_of(atoms.numbers, isotopes=isotopes)
    matrix = force_constants(positions, bonds, model, masses=masses)
    return CompiledOperator(matrix), matrix


def alloy(repeat, silicon=0.3, seed=0, a=5.658):
    rng = np.random.default_rng(seed)
    atoms = bulk("Ge", "diamond", a, cubic=True) * repeat
    atoms.numbers = np.where(rng.random(len(atoms)) < silicon, 14, 32)
    return atoms


@pytest.fixture(scope="module")
def solved():
    atoms = alloy((5, 5, 4))
    operator, matrix = operator_of(atoms, isotopes={"Si": {28: 0.5, 30: 0.5}})
    squares, vectors = np.linalg.eigh(matrix.toarray())
    energies = np.sign(squares) * np.sqrt(np.abs(squares))
    return atoms, operator, energies, (vectors**2).reshape(len(atoms), 3, -1)


def modes_below(result):
    widths = np.diff(bin_edges(result.energies))
    return np.cumsum(result.density * widths, axis=1)


@pytest.mark.parametrize("starts", ["own", "shared"])
def test_integrals_are_those_of_the_eigenvectors(solved, starts):
    atoms, operator, energies, weights = solved
    groups = (atoms.positions[:, 2] > 11).astype(int)
    result = local_densities(operator, groups, starts=starts, vectors=32)
    below = modes_below(result)
    np.testing.assert_allclose(below[:, -1], result.modes, rtol=1e-3)
    np.testing.assert_array_equal(result.modes, 3 * np.bincount(groups))
    edges = bin_edges(result.energies)[1:]
    for group in (0, 1):
        own = weights[groups == group].sum((0, 1))
        for energy in (15.0, 25.0, 31.5, 40.0, 47.0, 55.0):
            # The steps of the spectrum smoothed over the stated resolution.
            place = np.searchsorted(edges, energy)
            width = result.resolution[place]
            reach = edges[place] + width * np.linspace(-2, 2, 21)
            exact = np.mean([own[energies < edge].sum() for edge in reach])
            assert below[group, place] == pytest.approx(
                exact, abs=0.01 * result.modes[group]
            )


def test_the_stated_error_is_that_of_other_seeds(solved):
    atoms, operator, _, _ = solved
    groups = np.arange(len(atoms)) % 2
    grid = np.arange(0.0, 66.0, 2.0)
    for starts in ("own", "shared"):
        runs = [
            local_densities(
                operator, groups, energies=grid, moments=32, vectors=16,
                starts=starts, seed=seed,
            )
            for seed in range(6)
        ]  # fmt: skip
        scatter = np.std([run.density for run in runs], axis=0, ddof=1)
        stated = np.sqrt(np.mean([run.error**2 for run in runs], axis=0))
        ratio = np.sqrt((scatter**2).sum() / (stated**2).sum())
        assert 0.7 < ratio < 1.4


def test_regions_add_up_to_the_whole_and_seeds_reproduce(solved):
    atoms, operator, _, _ = solved
    grid = np.arange(0.0, 70.0, 0.5)
    whole = np.zeros(len(atoms), int)
    groups = np.arange(len(atoms)) % 7
    options = {"energies": grid, "moments": 100, "vectors": 8}
    total = local_densities(operator, whole, starts="shared", **options)
    parts = local_densities(operator, groups, starts="shared", **options)
    size = total.density.max()
    np.testing.assert_allclose(parts.density.sum(0), total.density[0], atol=1e-5 * size)
    own = local_densities(operator, groups, **options)
    error = np.sqrt((own.error**2).sum(0) + total.error[0] ** 2)
    assert (np.abs(own.density.sum(0) - total.density[0]) < 5 * error + 1e-3).all()
    again = local_densities(operator, groups, **options)
    np.testing.assert_array_equal(again.density, own.density)
    other = local_densities(operator, groups, seed=1, **options)
    assert (other.density != own.density).any()
    # With its own vectors a group does not depend on those after it.
    few = np.where(groups < 2, groups, -1)
    alone = local_densities(operator, few, window=own.window, **options)
    np.testing.assert_allclose(alone.density, own.density[:2], rtol=1e-6, atol=1e-9)


def test_single_atoms_are_exact_and_divided_by_direction(solved):
    atoms, operator, energies, weights = solved
    groups = np.full(len(atoms), -1)
    groups[[7, 300]] = [0, 1]
    parts, keys = split(groups, directions=True)
    np.testing.assert_array_equal(
        keys, [[g, 0, axis] for g in (0, 1) for axis in range(3)]
    )
    result = local_densities(operator, parts, moments=200)
    np.testing.assert_array_equal(result.error, 0)
    np.testing.assert_allclose(result.modes, 1)
    widths = np.diff(bin_edges(result.energies))
    mean = (result.density * widths * result.energies).sum(1)
    exact = [weights[atom, axis] @ energies for atom in (7, 300) for axis in range(3)]
    np.testing.assert_allclose(mean, exact, rtol=0.005)
    together = local_densities(operator, groups, moments=200, window=result.window)
    summed = result.density.reshape(2, 3, -1).sum(1)
    np.testing.assert_allclose(together.density, summed, atol=1e-5)


def test_groups_are_divided_by_element(solved):
    atoms, operator, energies, weights = solved
    groups = np.zeros(len(atoms), int)
    groups[::9] = -1
    silicon = (atoms.numbers == 14).astype(int)
    parts, keys = split(groups, species=silicon)
    np.testing.assert_array_equal(keys, [[0, 0, 0], [0, 1, 0]])
    result = local_densities(operator, parts, starts="shared", vectors=16)
    widths = np.diff(bin_edges(result.energies))
    mean = (result.density * widths * result.energies).sum(1) / result.modes
    for element in (0, 1):
        own = (silicon == element) & (groups == 0)
        assert result.modes[element] == 3 * own.sum()
        assert mean[element] == pytest.approx(
            (weights[own].mean((0, 1)) @ energies), rel=0.01
        )


def peak(result, low, high):
    inside = (result.energies > low) & (result.energies < high)
    return result.energies[inside][result.density[0, inside].argmax()]


def test_peaks_of_germanium_and_of_an_alloy():
    grid = np.arange(0.0, 72.0, 0.2)
    atoms = bulk("Ge", "diamond", 5.658, cubic=True) * (8, 8, 8)
    operator, _ = operator_of(atoms, relaxed=False)
    pure = local_densities(
        operator, np.zeros(len(atoms), int), energies=grid, vectors=16
    )
    assert peak(pure, 30, 40) == pytest.approx(35.6, abs=0.5)
    assert pure.unstable[0] < 1e-3
    edges = bin_edges(grid)[1:]
    assert modes_below(pure)[0, np.searchsorted(edges, 38.5)] > 0.999 * pure.modes[0]
    # The alloy as large as it wants to be, and stretched to the lattice of Ge, which
    # stiffens Keating bonds.
    peaks = []
    for a in (5.584, 5.658):
        operator, _ = operator_of(alloy((8, 8, 8), a=a))
        mixed = local_densities(
            operator, np.zeros(4096, int), energies=grid, moments=300
        )
        peaks.append([peak(mixed, *at) for at in ((30, 40), (46, 55), (56, 70))])
    assert peaks[0][0] == pytest.approx(35.2, abs=0.4)
    assert peaks[0][1] == pytest.approx(50.8, abs=0.6)
    assert 58 < peaks[0][2] < 64
    assert peaks[1][0] > peaks[0][0] + 0.3
    assert peaks[1][1] > peaks[0][1] + 0.5


def test_heavy_isotopes_vibrate_slowly():
    atoms = bulk("Ge", "diamond", 5.658, cubic=True) * (4, 4, 4)
    means = []
    for isotope in (70, 76):
        operator, _ = operator_of(atoms, isotopes={"Ge": isotope}, relaxed=False)
        result = local_densities(
            operator, np.zeros(512, int), vectors=4, energies=np.arange(0, 45, 0.1)
        )
        widths = np.diff(bin_edges(result.energies))
        mean = (result.density[0] * widths * result.energies).sum()
        means.append(mean / result.modes[0])
    ratio = np.sqrt(75.9214027 / 69.9242485)
    assert means[0] / means[1] == pytest.approx(ratio, rel=1e-3)


def test_unstable_modes_are_counted_at_negative_energies():
    atoms = bulk("Ge", "diamond", 5.658, cubic=True) * (4, 4, 4)
    _, matrix = operator_of(atoms, relaxed=False)
    rows = np.repeat(np.arange(512), np.diff(matrix.indptr))
    own = (rows == matrix.indices) & (rows % 8 == 0)
    matrix.data[own] -= 900 * np.eye(3)
    squares = np.linalg.eigvalsh(matrix.toarray())
    result = local_densities(CompiledOperator(matrix), np.zeros(512, int), vectors=32)
    share = (squares < 0).mean()
    assert share > 0.02
    assert result.unstable[0] == pytest.approx(share, rel=0.15)
    negative = result.energies < -0.1
    found = (result.density[0] * np.diff(bin_edges(result.energies)))[negative].sum()
    assert found == pytest.approx((squares < 0).sum(), rel=0.15)


def test_the_spectrometer_widens_and_keeps_modes():
    energies = np.concatenate([np.arange(0, 40, 0.5), np.arange(40, 80, 1.0)])
    widths = np.diff(bin_edges(energies))
    density = np.zeros((2, len(energies)))
    density[0, 40] = 1 / widths[40]
    density[1, 100] = 1 / widths[100]
    seen = convolved(energies, density, 6.0)
    np.testing.assert_allclose((seen * widths).sum(1), 1, rtol=1e-6)
    for row, place in zip(seen, (40, 100), strict=True):
        assert (row * widths * energies).sum() == pytest.approx(energies[place])
        high = energies[row > row.max() / 2]
        assert np.ptp(high) == pytest.approx(6.0, abs=1.0)


def test_wrong_requests_are_refused(solved):
    atoms, operator, _, _ = solved
    n = len(atoms)
    with pytest.raises(ValueError, match="all have atoms"):
        local_densities(operator, np.where(np.arange(n) % 2, 0, 2))
    with pytest.raises(ValueError, match="all have atoms"):
        local_densities(operator, np.full(n, -1))
    with pytest.raises(ValueError, match="whole numbers"):
        local_densities(operator, np.zeros(n))
    with pytest.raises(ValueError, match="own"):
        local_densities(operator, np.zeros(n, int), starts="mine")
    with pytest.raises(ValueError, match="ascend"):
        local_densities(operator, np.zeros(n, int), energies=np.array([1.0, 0.5]))
    with pytest.raises(ValueError, match="above 0 meV"):
        convolved(np.arange(3.0), np.ones(3), 0.0)
