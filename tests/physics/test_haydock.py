# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Continued fractions against resolvents, closed forms and kernel polynomials."""

import numpy as np
import pytest
from alloys import alloy_matrix
from scipy.sparse import bsr_array

from hyperspy_t2t.physics.haydock import (
    green_function,
    recursion,
    recursion_density,
)
from hyperspy_t2t.physics.kernel_polynomials import (
    chebyshev_moments,
    modes_below,
    spectrum_window,
)
from hyperspy_t2t.physics.phonon_operator import CompiledOperator, TorchOperator


@pytest.fixture(scope="module")
def solved():
    matrix = alloy_matrix((4, 4, 3))
    return (matrix, *np.linalg.eigh(matrix.toarray()))


@pytest.fixture
def atom():
    starts = np.zeros((384, 3, 3))
    starts[100] = np.eye(3)
    return starts


def test_the_chain_has_its_closed_green_function():
    # A ring: a = 2 K, b_1 = √2 K, then b = K; G = 1/√((z − 2K)² − 4K²).
    sites, spring = 200, 500.0
    ring = np.roll(np.eye(sites), 1, 0) + np.roll(np.eye(sites), -1, 0)
    along = np.diag([spring, 0, 0])
    matrix = bsr_array(np.kron(2 * np.eye(sites) - ring, along), blocksize=(3, 3))
    starts = np.zeros((sites, 3, 1))
    starts[5, 0] = 2.0
    found = recursion(CompiledOperator(matrix), starts, 40)
    assert found.modes == pytest.approx([4.0])
    np.testing.assert_allclose(found.diagonal[0], 2 * spring, rtol=1e-5)
    np.testing.assert_allclose(found.beside[0, 0], np.sqrt(2) * spring, rtol=1e-5)
    np.testing.assert_allclose(found.beside[0, 1:], spring, rtol=1e-5)
    z = np.linspace(-100, 2100, 45) + 5j
    y = z - 2 * spring
    closed = 4 / (np.sqrt(y - 2 * spring) * np.sqrt(y + 2 * spring))
    np.testing.assert_allclose(green_function(z, found)[0], closed, rtol=1e-3)
    edges = np.linspace(5, 40, 36)
    closed = 4 * 2 / np.pi * np.diff(np.arcsin(edges / np.sqrt(4 * spring)))
    density = recursion_density(found, edges, broadening=1.0)[0]
    np.testing.assert_allclose(density, closed, rtol=0.01)


@pytest.mark.parametrize("make", [
    CompiledOperator, lambda matrix, dtype: TorchOperator(matrix, device="cpu")
])  # fmt: skip
def test_it_is_the_resolvent_away_from_the_axis(solved, atom, make):
    matrix, squares, vectors = solved
    found = recursion(make(matrix, dtype=np.float32), atom, 60)
    z = np.linspace(-200, 5000, 53) + 200j
    exact = (vectors[300:303] ** 2) @ (1 / (z - squares[:, None]))
    difference = np.abs(green_function(z, found) - exact)
    assert difference.max() < 2e-3 * np.abs(exact).max()


def test_a_vector_that_is_exhausted_ends_the_fraction():
    rng = np.random.default_rng(0)
    for size in (3, 6):
        half = rng.normal(size=(size, size)) * 30
        dense = half @ half.T
        matrix = bsr_array(dense, blocksize=(3, 3))
        starts = np.zeros((size // 3, 3, 2))
        starts[0, 1, 0] = 1
        starts.reshape(size, 2)[:, 1] = np.linalg.eigh(dense)[1][:, 0]
        found = recursion(CompiledOperator(matrix, dtype=np.float64), starts, 12)
        assert found.beside[0, size - 1] == 0
        assert not found.beside[1].any()
        z = np.linspace(0, 5000, 11) + 50j
        flat = starts.reshape(size, 2).T
        for at, one, other in zip(z, *green_function(z, found), strict=True):
            inverse = np.linalg.inv(at * np.eye(size) - dense)
            exact = [vector @ inverse @ vector for vector in flat]
            np.testing.assert_allclose([one, other], exact, rtol=1e-6)


def test_it_agrees_with_kernel_polynomials(solved, atom):
    # Modes below energies in bins that are wider than both are sharp.
    matrix, _, _ = solved
    starts = np.random.default_rng(0).choice([-1.0, 1.0], (384, 3, 4))
    for block in (starts, atom):
        operator = CompiledOperator(matrix)
        window = spectrum_window(operator)
        moments = chebyshev_moments(operator, block, 200, window).sum(0)
        edges = np.linspace(*window.energies, 141)
        found = recursion_density(
            recursion(operator, block, 80), edges, broadening=0.005 * window.half
        ).sum(0)
        haydock = np.cumsum(found * np.diff(edges))
        polynomials = modes_below(moments, window, edges[1:])
        assert haydock[-1] == pytest.approx(moments[0], rel=0.01)
        # A discrete mode of a small model may be on either side of an edge.
        most = 0.015 if block is starts else 0.06
        assert np.abs(haydock - polynomials).max() < most * moments[0]
        assert np.abs(haydock - polynomials).mean() < 0.01 * moments[0]


def test_wrong_requests_are_refused(solved, atom):
    operator = CompiledOperator(solved[0])
    with pytest.raises(ValueError, match="not zero"):
        recursion(operator, 0 * atom, 3)
    with pytest.raises(ValueError, match="1 step or more"):
        recursion(operator, atom, 0)
    found = recursion(operator, atom, 3)
    with pytest.raises(ValueError, match="above 0 meV²"):
        recursion_density(found, np.arange(3.0), broadening=0.0)
