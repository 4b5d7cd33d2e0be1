# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Steps of recursions against the sparse matrix of scipy, compiled and in torch."""

import numba
import numpy as np
import pytest
from alloys import alloy_matrix
from scipy.sparse import bsr_array, csr_array

from hyperspy_t2t.physics.phonon_operator import CompiledOperator, TorchOperator

MATRIX = alloy_matrix((3, 2, 2))
OPERATORS = {
    "compiled": lambda matrix, dtype: CompiledOperator(matrix, dtype=dtype),
    "torch": lambda matrix, dtype: TorchOperator(matrix, device="cpu", dtype=dtype),
}


@pytest.mark.parametrize("name", OPERATORS)
@pytest.mark.parametrize("width", [1, 3, 16, 19])
@pytest.mark.parametrize(("dtype", "close"), [(np.float64, 1e-12), (np.float32, 1e-6)])
def test_a_step_is_that_of_the_matrix(name, width, dtype, close):
    rng = np.random.default_rng(width)
    operator = OPERATORS[name](MATRIX, dtype=dtype)
    n = operator.n_atoms
    v, u = rng.normal(size=(2, n, 3, width))
    scale, shift, back = rng.normal(size=(3, width))
    product = (MATRIX @ v.reshape(3 * n, width)).reshape(v.shape)
    expected = scale * product + shift * v - back * u
    loaded, written = operator.load(v), operator.load(u)
    crossed, squared = operator.step(loaded, written, scale, shift, back)
    size = np.abs(expected).max()
    found = operator.fetch(written, width)
    np.testing.assert_allclose(found, expected, atol=close * size)
    cross, square = (v * expected).sum((0, 1)), (expected**2).sum((0, 1))
    np.testing.assert_allclose(squared, square, rtol=10 * close)
    np.testing.assert_allclose(crossed, cross, atol=close * np.sqrt(n * square.max()))
    np.testing.assert_array_equal(operator.fetch(loaded, width), v.astype(dtype))


@pytest.mark.parametrize("name", OPERATORS)
def test_blocks_are_added_and_summed_by_groups(name):
    rng = np.random.default_rng(0)
    operator = OPERATORS[name](MATRIX, dtype=np.float64)
    v, u = rng.normal(size=(2, operator.n_atoms, 3, 2))
    factor = np.array([2.0, -1.0])
    loaded, written = operator.load(v), operator.load(u)
    square = operator.add(loaded, written, factor)
    expected = u + factor * v
    np.testing.assert_allclose(operator.fetch(written, 2), expected, atol=1e-14)
    np.testing.assert_allclose(square, (expected**2).sum((0, 1)), rtol=1e-12)
    groups = rng.integers(-1, 4, (operator.n_atoms, 3))
    sums = operator.grouped(loaded, written, operator.load_groups(groups), 4, 2)
    direct = [(v * expected)[groups == group].sum(0) for group in range(4)]
    np.testing.assert_allclose(sums, direct, atol=1e-12)


def test_what_is_loaded_is_a_copy():
    for make in OPERATORS.values():
        operator = make(MATRIX, np.float32)
        start = np.ones((operator.n_atoms, 3, 16), np.float32)
        block = operator.load(start)
        operator.step(operator.load(start), block, *np.zeros((3, 16)))
        assert (start == 1).all()


def test_the_number_of_threads_changes_nothing(monkeypatch):
    operator = CompiledOperator(alloy_matrix((10, 10, 10)))
    rng = np.random.default_rng(0)
    v = rng.normal(size=(operator.n_atoms, 3, 16)).astype(np.float32)
    found = []
    for threads in (1, 3):
        monkeypatch.setattr(numba, "get_num_threads", lambda threads=threads: threads)
        u = operator.load(0 * v)
        found.append((*operator.step(v, u, *np.ones((3, 16))), u))
    for one, other in zip(*found, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("make", OPERATORS.values())
def test_other_matrices_are_refused(make):
    square = np.eye(12)
    for matrix in (csr_array(square), bsr_array(square, blocksize=(2, 2))):
        with pytest.raises(ValueError, match="blocks of 3 × 3"):
            make(matrix, np.float32)
