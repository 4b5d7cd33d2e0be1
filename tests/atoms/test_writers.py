# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Files of atoms as other programs read them: ASE's readers are the judge."""

import io

import ase.io
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hyperspy_t2t.atoms.number_text import JOINED, SYMBOL, lines_of
from hyperspy_t2t.atoms.writers import WRITERS, AtomBlock, AtomSource

UPRIGHT = np.diag([31.0, 24, 7.68])
LEANING = np.array([[30.0, 2, 0], [-7, 25, 1], [1.5, 2.5, 7.68]])
LEFT_HANDED = LEANING[[1, 0, 2]]
ORIGIN = np.array([3.0, -400, 0.5])


def source_of(cell, pbc, *, beyond=0.0, displaced=True):
    """Atoms in three blocks; `beyond` the cell where it is not periodic."""
    rng = np.random.default_rng(4)
    fractions = rng.random((60, 3))
    fractions += np.where(pbc, 0, beyond * rng.uniform(-1, 1, (60, 3)))
    block = AtomBlock(
        fractions @ cell + ORIGIN,
        rng.choice([14.0, 8, 92], 60),
        np.repeat([1.0, 7], 30),
        rng.normal(size=(60, 3)) if displaced else None,
    )
    parts = [slice(0, 25), slice(25, 25), slice(25, 60)]
    blocks = [
        AtomBlock(*[None if field is None else field[part] for field in block])
        for part in parts
    ]
    return AtomSource(lambda: iter(blocks), 60, cell, ORIGIN, np.array(pbc)), block


def read_back(name, source):
    file = io.BytesIO()
    WRITERS[name](file, source)
    text = io.StringIO(file.getvalue().decode())
    return ase.io.read(text, format="extxyz" if name == "xyz" else name)


CELLS = pytest.mark.parametrize("cell", [UPRIGHT, LEANING, LEFT_HANDED])
PBC = pytest.mark.parametrize("pbc", [(0, 0, 1), (1, 1, 1), (0, 0, 0), (0, 1, 0)])


@CELLS
@PBC
@pytest.mark.parametrize("displaced", [True, False])
def test_extxyz(cell, pbc, displaced):
    source, block = source_of(cell, np.array(pbc, bool), displaced=displaced)
    back = read_back("extxyz", source)
    np.testing.assert_array_equal(back.numbers, block.numbers)
    np.testing.assert_allclose(back.positions, block.positions, atol=1e-6)
    np.testing.assert_allclose(back.cell, cell, atol=1e-8)
    np.testing.assert_array_equal(back.pbc, np.array(pbc, bool))
    np.testing.assert_allclose(back.info["Origin"], ORIGIN)
    np.testing.assert_array_equal(back.arrays["region"], block.region)
    assert ("displacement" in back.arrays) == displaced
    if displaced:
        found = back.arrays["displacement"]
        np.testing.assert_allclose(found, block.displacement, atol=1e-6)


def test_xyz():
    source, block = source_of(LEANING, np.zeros(3, bool))
    back = read_back("xyz", source)
    np.testing.assert_array_equal(back.numbers, block.numbers)
    np.testing.assert_allclose(back.positions, block.positions, atol=1e-6)


def distances(positions):
    return np.linalg.norm(positions[:, None] - positions, axis=-1)


@CELLS
@PBC
@pytest.mark.parametrize("beyond", [0, 0.4])
@pytest.mark.parametrize("name", ["cif", "lammps-data"])
def test_formats_with_a_box(name, cell, pbc, beyond):
    pbc = np.array(pbc, bool)
    source, block = source_of(cell, pbc, beyond=beyond)
    back = read_back(name, source)
    np.testing.assert_array_equal(back.numbers, block.numbers)
    inside = back.get_scaled_positions(wrap=False)
    assert inside.min() > -1e-6 and inside.max() < 1
    # Neither turned inside out nor stretched: distances and handedness are the same.
    np.testing.assert_allclose(
        distances(back.positions), distances(block.positions), atol=1e-5
    )
    corner = slice(0, 3)
    moved, was = (
        np.linalg.det(np.diff(p[[0, 20, 40, 59]], axis=0)[corner])
        for p in (back.positions, block.positions)
    )
    assert moved == pytest.approx(was, rel=1e-4)
    if not beyond or pbc.all():
        lengths = np.linalg.norm(cell, axis=1)
        np.testing.assert_allclose(back.cell.lengths(), lengths, atol=1e-6)
        assert back.cell.volume == pytest.approx(abs(np.linalg.det(cell)))
    # Periodic images are those of the model.
    for axis in np.flatnonzero(pbc):
        image = block.positions + cell[axis]
        between = np.linalg.norm(image[:, None] - block.positions, axis=-1)
        candidates = [back.cell[axis], -back.cell[axis]]
        found = [
            np.linalg.norm((back.positions + v)[:, None] - back.positions, axis=-1)
            for v in candidates
        ]
        assert min(np.abs(f - between).max() for f in found) < 1e-4


def test_lammps_wraps_only_along_periodic_vectors():
    cell = np.diag([10.0, 10, 5])
    places = np.array([[-2.0, 3, -1], [12, 3, 6]])
    block = AtomBlock(places, np.array([14.0, 14]), np.ones(2))
    source = AtomSource(
        lambda: [block], 2, cell, np.zeros(3), np.array([0, 0, 1], bool)
    )
    back = read_back("lammps-data", source)
    np.testing.assert_allclose(np.diff(back.positions, axis=0), [[14, 0, -3]])
    np.testing.assert_allclose(back.positions[:, 2], [4, 1])
    assert back.positions.min() >= 0 and 14 < back.cell[0, 0] < 14.01
    file = io.BytesIO()
    WRITERS["lammps-data"](file, source)
    lines = file.getvalue().decode().splitlines()
    assert "boundary f f p" in lines[0] and "# Si" in file.getvalue().decode()
    assert not any("xy xz yz" in line for line in lines)


def test_elements_without_atoms_are_refused():
    block = AtomBlock(np.zeros((1, 3)), np.zeros(1), np.ones(1))
    source = AtomSource(lambda: [block], 1, np.eye(3), np.zeros(3), np.ones(3, bool))
    for name, write in WRITERS.items():
        with pytest.raises(ValueError, match=r"atomic numbers"):
            write(io.BytesIO(), source)
        assert name


@given(
    st.lists(st.floats(-1e7, 1e7), min_size=1, max_size=20),
    st.integers(0, 7),
)
def test_numbers_are_those_of_python(values, decimals):
    text = bytes(lines_of(np.array(values)[:, None], (decimals,))).decode()
    for line, value in zip(text.splitlines(), values, strict=True):
        assert len(line.partition(".")[2]) == decimals
        most = 0.5 * 10.0**-decimals + 2 * np.spacing(abs(value))
        assert float(line) == pytest.approx(value, abs=most)


def test_lines():
    rows = np.array([[14, 1, -0.5, 0.04], [8, 20, 12, -1e-9]])
    text = bytes(lines_of(rows, (JOINED, 0, 2, 1)))
    assert text == b"Si1 -0.50 0.0\nO20 12.00 0.0\n"
    assert bytes(lines_of(np.array([[79.0, 3]]), (SYMBOL, 0))) == b"Au 3\n"
    assert len(lines_of(np.empty((0, 2)), (SYMBOL, 0))) == 0


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e12])
def test_numbers_that_cannot_be_written(bad):
    with pytest.raises(ValueError, match="finite numbers below 1e17"):
        lines_of(np.array([[0.0], [bad]]), (6,))
    with pytest.raises(ValueError, match="rows of 2 values"):
        lines_of(np.zeros((3, 1)), (6, 6))
