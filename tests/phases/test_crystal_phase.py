# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""The cell of a phase and its storage."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hyperspy_t2t.phases.crystal_phase import CrystalPhase

lengths = st.floats(1, 30)
angles = st.floats(65, 115)


@given(st.tuples(lengths, lengths, lengths, angles, angles, angles))
def test_lattice_has_the_lengths_and_angles_of_the_cell(cell: tuple) -> None:
    phase = CrystalPhase("x", cell, np.array([1]), np.zeros((1, 3)))
    rows = phase.lattice
    length = np.linalg.norm(rows, axis=1)
    np.testing.assert_allclose(length, cell[:3], rtol=1e-9)
    cosine = (rows @ rows.T) / np.outer(length, length)
    found = np.rad2deg(np.arccos([cosine[1, 2], cosine[0, 2], cosine[0, 1]]))
    np.testing.assert_allclose(found, cell[3:], rtol=1e-9)
    assert np.linalg.det(rows) > 0
    # e1 ∥ a, e3 ∥ c*
    np.testing.assert_allclose(rows[0, 1:], 0, atol=1e-12)
    star = phase.reciprocal_lattice
    np.testing.assert_allclose(star[2, :2], 0, atol=1e-9)
    assert star[2, 2] > 0
    np.testing.assert_allclose(star @ (rows / 10).T, np.eye(3), atol=1e-9)


def test_stored_and_read_again() -> None:
    phase = CrystalPhase(
        "Ga(As,P)",
        (5.6, 5.6, 5.6, 90, 90, 90),
        np.array([31, 33, 15]),
        np.array([(0, 0, 0), (0.25, 0.25, 0.25), (0.25, 0.25, 0.25)]),
        216,
        np.array([1.0, 0.7, 0.3]),
        source="here",
        status="made up",
    )
    stored = phase.to_dict()
    assert all(isinstance(v, (np.ndarray, str, int)) for v in stored.values())
    back = CrystalPhase.from_dict(stored)
    assert (back.name, back.cell, back.space_group) == (
        phase.name, phase.cell, phase.space_group,
    )  # fmt: skip
    assert (back.source, back.status) == ("here", "made up")
    for name in ("numbers", "fractional", "occupancy"):
        np.testing.assert_array_equal(getattr(back, name), getattr(phase, name))
    assert back.elements == {"Ga", "As", "P"}


def test_sites_are_full_unless_told_otherwise() -> None:
    phase = CrystalPhase(
        "x", (3, 3, 3, 90, 90, 90), np.array([29, 29]), np.zeros((2, 3))
    )
    assert phase.occupancy.tolist() == [1, 1] and phase.space_group == 1
    with pytest.raises(AttributeError):
        phase.name = "y"
