# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Where the origin of a cell lies in an image."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hyperspy_t2t.atoms.origin import cell_origin, lattice_components
from hyperspy_t2t.atoms.virtual_cell import virtual_cell
from hyperspy_t2t.data.displacements import strained
from hyperspy_t2t.frames import zone_axis_frame
from hyperspy_t2t.phases.library import library_phase
from hyperspy_t2t.phases.reflections import projected_structure_factor

ZONES = [
    ("Si diamond", (1, 1, 0)),
    ("GaN wurtzite", (1, 1, 0)),  # polar
    ("GaAs zincblende", (1, 1, 0)),  # polar
    ("beta-Ga2O3", (0, 1, 0)),
    ("HfO2 monoclinic", (1, -1, 2)),
]


def zone(name: str, axis: tuple, turn: float):
    """Cell, hkl and g of the reflections of a zone up to 8 1/nm."""
    phase = library_phase(name)
    axis = np.array(axis)
    frame = zone_axis_frame(phase.lattice, axis, rotation=turn)
    hkl = np.stack(np.meshgrid(*[np.arange(-6, 7)] * 3), -1).reshape(-1, 3)
    hkl = hkl[(hkl @ axis == 0) & hkl.any(axis=1)]
    g = (hkl @ phase.reciprocal_lattice @ frame.T)[:, :2]
    hkl = hkl[np.linalg.norm(g, axis=1) < 8]
    pair = hkl[
        [0, next(i for i in range(99) if np.linalg.matrix_rank(hkl[[0, i]]) == 2)]
    ]
    cell = virtual_cell(
        phase, frame, axis, (pair @ phase.reciprocal_lattice @ frame.T)[:, :2], pair
    )
    hkl = hkl[[tuple(row) > (0, 0, 0) for row in hkl.tolist()]]
    return phase, cell, hkl, hkl @ np.linalg.pinv(cell.projection)


def lattice_distance(difference: np.ndarray, phase, cell) -> float:
    """How far a translation is from one that maps the projection onto itself."""
    shifts = (
        cell.projection
        @ (phase.fractional[:, None] - phase.fractional).reshape(-1, 3).T
    )
    own = shifts.T[[is_symmetry(phase, cell, shift) for shift in shifts.T]]
    index = (difference - own) @ np.linalg.inv(cell.in_plane)
    rest = (index - np.rint(index)) @ cell.in_plane
    return float(np.linalg.norm(rest, axis=1).min())


def is_symmetry(phase, cell, shift: np.ndarray) -> bool:
    """Whether a shift in the plane maps the projected atoms onto equal ones."""
    sites = phase.fractional @ cell.projection.T
    gap = (sites[:, None] + shift - sites) @ np.linalg.inv(cell.in_plane)
    gap = (gap - np.rint(gap)) @ cell.in_plane
    same = np.linalg.norm(gap, axis=-1) < 1e-6
    same &= phase.numbers[:, None] == phase.numbers
    return bool(same.any(axis=1).all())


@pytest.mark.parametrize("case", ZONES)
@settings(deadline=None, max_examples=30)
@given(
    st.floats(-3, 3),
    st.tuples(st.floats(-2, 2), st.floats(-2, 2)),
    st.sampled_from([1.0, -1.0]),
)
def test_a_translation_is_recovered(
    case: tuple, turn: float, shift: tuple, contrast: float
) -> None:
    """Bright and dark atoms, at any rotation, also without an inversion centre."""
    phase, cell, hkl, g = zone(*case, turn)
    factors = projected_structure_factor(phase, hkl)
    damping = np.exp(-0.02 * (g**2).sum(axis=1))
    image = contrast * damping * factors * np.exp(-2j * np.pi * (g @ np.array(shift)))
    found = cell_origin(contrast * image, factors, g, cell.in_plane)
    assert lattice_distance(found - shift, phase, cell) < 1e-4


def test_components_of_a_strained_lattice_are_those_of_the_unstrained() -> None:
    """Atoms drawn at r = R + u(r), read through R = r − u(r)."""
    rng = np.random.default_rng(0)
    field = strained(0.08, -0.03, 0.02, rotation=7, origin=(2.0, 1.0))
    reference = rng.uniform(-3, 3, (400, 2))
    weight = rng.random(400)
    r = field.image_position(reference)
    g = rng.uniform(-5, 5, (6, 2))
    found = lattice_components(weight, r, lambda at: field.displacement(at).T, g)
    expected = (weight[:, None] * np.exp(-2j * np.pi * reference @ g.T)).sum(axis=0)
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_many_pixels_are_summed_in_blocks() -> None:
    rng = np.random.default_rng(1)
    r, weight = rng.uniform(-3, 3, (150_000, 2)), rng.random(150_000)
    g = np.array([[1.0, 0.3]])
    found = lattice_components(weight, r, lambda at: np.zeros((2, len(at))), g)
    np.testing.assert_allclose(found, weight @ np.exp(-2j * np.pi * r @ g.T), rtol=1e-9)
