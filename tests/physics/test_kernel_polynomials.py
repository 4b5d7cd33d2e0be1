# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Chebyshev moments and their densities against diagonalisation and closed forms."""

import numpy as np
import pytest
from alloys import alloy_matrix
from scipy.sparse import bsr_array

from hyperspy_t2t.physics.kernel_polynomials import (
    Window,
    binned_density,
    chebyshev_moments,
    damping,
    grouped_moments,
    modes_below,
    resolution,
    spectrum_window,
)
from hyperspy_t2t.physics.phonon_operator import CompiledOperator, TorchOperator


def chain(sites, spring=1000.0):
    """Masses on a ring that move along it: ω² = 2 K (1 − cos k)."""
    along = np.zeros((3, 3))
    along[0, 0] = spring
    at = np.arange(sites)
    columns = np.sort(np.stack([at - 1, at, at + 1], 1) % sites, axis=1)
    blocks = np.where((columns == at[:, None])[..., None, None], 2 * along, -along)
    starts = 3 * np.arange(sites + 1)
    shape = (3 * sites, 3 * sites)
    return bsr_array((blocks.reshape(-1, 3, 3), columns.ravel(), starts), shape=shape)


def signed_root(squares):
    return np.sign(squares) * np.sqrt(np.abs(squares))


@pytest.fixture(scope="module")
def solved():
    matrix = alloy_matrix((4, 4, 3))
    return (matrix, *np.linalg.eigh(matrix.toarray()))


@pytest.mark.parametrize("width", [1, 5])
@pytest.mark.parametrize(("dtype", "close"), [(np.float64, 1e-11), (np.float32, 1e-5)])
def test_moments_are_those_of_the_eigenvectors(solved, width, dtype, close):
    matrix, squares, vectors = solved
    operator = CompiledOperator(matrix, dtype=dtype)
    starts = np.random.default_rng(0).normal(size=(operator.n_atoms, 3, width))
    window = spectrum_window(operator, steps=40)
    moments = chebyshev_moments(operator, starts, 300, window)
    weights = (vectors.T @ starts.reshape(-1, width)) ** 2
    angle = np.arccos((squares - window.centre) / window.half)
    expected = (np.cos(np.arange(300)[:, None] * angle) @ weights).T
    np.testing.assert_allclose(moments, expected, atol=close * moments[:, 0].max())


def test_moments_of_groups_are_parts_of_those_of_the_whole(solved):
    matrix, _, _ = solved
    operator = CompiledOperator(matrix, dtype=np.float64)
    window = spectrum_window(operator)
    rng = np.random.default_rng(0)
    starts = rng.normal(size=(operator.n_atoms, 3, 2))
    groups = rng.integers(0, 3, (operator.n_atoms, 3))
    whole = chebyshev_moments(operator, starts, 60, window)
    parts = grouped_moments(operator, starts, groups, 60, window)
    np.testing.assert_allclose(parts.sum(0), whole, atol=1e-10 * whole.max())
    second = (matrix @ starts.reshape(-1, 2)).reshape(starts.shape)
    second = (second - window.centre * starts) / window.half
    expected = [(starts * second)[groups == group].sum(0) for group in range(3)]
    np.testing.assert_allclose(parts[:, :, 1], expected, rtol=1e-9)


def test_torch_gives_the_same_numbers():
    matrix = alloy_matrix((2, 2, 2))
    compiled, torch = CompiledOperator(matrix), TorchOperator(matrix, device="cpu")
    window = spectrum_window(compiled)
    starts = np.random.default_rng(0).choice([-1.0, 1.0], (compiled.n_atoms, 3, 4))
    groups = np.arange(starts[..., 0].size).reshape(-1, 3) % 5 - 1
    one = chebyshev_moments(compiled, starts, 400, window)
    other = chebyshev_moments(torch, starts, 400, window)
    np.testing.assert_allclose(other, one, atol=1e-5 * one[0, 0])
    one = grouped_moments(compiled, starts, groups, 100, window)
    other = grouped_moments(torch, starts, groups, 100, window)
    np.testing.assert_allclose(other, one, atol=1e-5 * one[0, 0, 0])
    narrow, wide = window.half, spectrum_window(torch).half
    assert wide == pytest.approx(narrow, rel=0.01)


@pytest.mark.parametrize("kernel", ["jackson", "lorentz"])
def test_modes_lie_within_the_stated_broadening(solved, kernel):
    matrix, squares, vectors = solved
    operator = CompiledOperator(matrix)
    window = spectrum_window(operator)
    starts = np.zeros((operator.n_atoms, 3, 3))
    starts[100] = np.eye(3)  # one atom
    moments = chebyshev_moments(operator, starts, 400, window).sum(0)
    weights = (vectors[300:303] ** 2).sum(0)
    energies = np.linspace(2, 70, 35)
    width = resolution(energies, window, 400, kernel=kernel)
    below = modes_below(moments, window, energies, kernel=kernel)
    of = signed_root(squares)
    reach, slack = (4, 0.01) if kernel == "jackson" else (8, 0.15)
    low, high = energies - reach * width, energies + reach * width
    least = (weights * (of < low[:, None])).sum(1)
    most = (weights * (of < high[:, None])).sum(1)
    assert (below > least - slack).all()
    assert (below < most + slack).all()


@pytest.mark.parametrize("energy", [-8.0, 3.0, 20.0, 45.0, 64.0])
def test_a_sharp_mode_is_as_wide_as_stated(energy):
    window = Window(2300.0, 2500.0)
    angle = np.arccos(window.scaled(energy))
    moments = np.cos(np.arange(300) * angle)
    edges = np.linspace(*window.energies, 40001)
    centres, step = (edges[1:] + edges[:-1]) / 2, np.diff(edges)
    density = binned_density(moments, window, edges)
    assert density.min() > -1e-9
    assert (density * step).sum() == pytest.approx(1, abs=1e-9)
    squares = np.sign(centres) * centres**2
    mean = (density * step * squares).sum()
    spread = np.sqrt((density * step * (squares - mean) ** 2).sum())
    square = np.sign(energy) * energy**2
    half = (signed_root(square + spread) - signed_root(square - spread)) / 2
    assert resolution(energy, window, 300) == pytest.approx(half, rel=0.02)
    assert abs(mean - square) < 0.1 * spread
    # Half of the height of a Lorentzian is where it is stated.
    density = binned_density(moments, window, edges, kernel="lorentz")
    high = squares[density / np.abs(2 * centres) > 0.5 * np.interp(
        square, squares, density / np.abs(2 * centres))]  # fmt: skip
    half = (signed_root(high.max()) - signed_root(high.min())) / 2
    stated = resolution(energy, window, 300, kernel="lorentz")
    assert stated == pytest.approx(half, rel=0.1)


def test_the_density_of_a_chain_is_the_closed_form():
    # N(ω) = (2/π) arcsin(ω/ω_max); a ring of 1000 is endless to 400 moments.
    operator = CompiledOperator(chain(1000))
    starts = np.zeros((1000, 3, 1))
    starts[317, 0] = 1
    window = spectrum_window(operator)
    assert window.energies[1] == pytest.approx(np.sqrt(4000.0), rel=0.03)
    moments = chebyshev_moments(operator, starts, 400, window)[0]
    energies = np.linspace(3, 60, 58)
    closed = 2 / np.pi * np.arcsin(energies / np.sqrt(4000.0))
    found = modes_below(moments, window, energies)
    np.testing.assert_allclose(found, closed, atol=0.01)
    density = binned_density(moments, window, np.linspace(15, 55, 81))
    centres = np.linspace(15.25, 54.75, 80)
    exact = 2 / np.pi / np.sqrt(4000.0 - centres**2)
    np.testing.assert_allclose(density, exact, rtol=0.01)


@pytest.mark.parametrize("seed", range(4))
def test_the_window_holds_light_impurities_and_unstable_modes(seed):
    rng = np.random.default_rng(seed)
    matrix = alloy_matrix((4, 4, 4), seed=seed)
    scale = np.ones((len(matrix.indptr) - 1, 1, 1))
    scale[rng.integers(len(scale))] = 1.6  # a mode of its own far above the bands
    rows = np.repeat(np.arange(len(scale)), np.diff(matrix.indptr))
    blocks = matrix.data * scale[rows] * scale[matrix.indices]
    own = (rows == matrix.indices) & (rows == rng.integers(len(scale)))
    blocks[own] -= 3000 * np.eye(3)
    matrix = bsr_array((blocks, matrix.indices, matrix.indptr), shape=matrix.shape)
    squares = np.linalg.eigvalsh(matrix.toarray())
    assert squares[0] < -100
    window = spectrum_window(CompiledOperator(matrix), seed=seed)
    low, high = window.centre - window.half, window.centre + window.half
    assert low < squares[0]
    assert high > squares[-1]
    assert high - low < 1.1 * np.ptp(squares)


@pytest.mark.parametrize("repeat", [0, 1, 2, 10])
def test_the_window_of_next_to_nothing(repeat):
    matrix = bsr_array(repeat * np.diag([1.0, 1.0, 2.0] * 2), blocksize=(3, 3))
    window = spectrum_window(CompiledOperator(matrix))
    assert window.centre - window.half < 0
    assert window.centre + window.half > 2 * repeat


def test_a_window_that_is_too_small_is_reported():
    operator = CompiledOperator(chain(100))
    highest = np.ones((100, 3, 1))
    highest[::2] = -1
    with pytest.raises(RuntimeError, match="holds all of the spectrum"):
        chebyshev_moments(operator, highest, 100, Window(1500.0, 2000.0))


def test_wrong_requests_are_refused():
    operator = CompiledOperator(chain(10))
    with pytest.raises(ValueError, match="even number"):
        chebyshev_moments(operator, np.ones((10, 3, 1)), 101, Window(2e3, 3e3))
    with pytest.raises(ValueError, match="jackson"):
        damping(10, "fejer")
