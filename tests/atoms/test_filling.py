# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Atoms of a region: density, neighbours, periods, deformation."""

import numpy as np
import pytest
from scipy.spatial import cKDTree

from hyperspy_t2t.atoms.filling import RegionAtoms, fill_region
from hyperspy_t2t.atoms.virtual_cell import virtual_cell
from hyperspy_t2t.data.displacements import (
    Displacement,
    GaussianBump,
    Uniform,
    strained,
)
from hyperspy_t2t.frames import zone_axis_frame
from hyperspy_t2t.phases.crystal_phase import CrystalPhase
from hyperspy_t2t.phases.library import library_phase

ZONES = [
    ("Si diamond", (1, 1, 0)),
    ("Si diamond", (1, 1, 2)),
    ("Si diamond", (1, 1, 1)),
    ("Si diamond", (1, 2, 3)),
    ("Au fcc", (1, 1, 0)),
    ("Fe bcc", (1, 1, 1)),
    ("GaN wurtzite", (1, 1, 0)),  # [11-20]
    ("GaN wurtzite", (0, 0, 1)),
    ("beta-Ga2O3", (0, 1, 0)),
    ("HfO2 monoclinic", (1, -1, 2)),
]
LOW, HIGH = np.array([-3.0, 2.0]), np.array([3.2, 7.0])


def inside(positions: np.ndarray) -> np.ndarray:
    return ((positions >= LOW) & (positions < HIGH)).all(axis=1)


def filled(
    phase: CrystalPhase,
    axis: tuple,
    field: Displacement,
    *,
    thickness: float = 4.0,
    origin: tuple[float, float] = (0.07, -0.13),
) -> RegionAtoms:
    axis = np.array(axis)
    frame = zone_axis_frame(phase.lattice, axis, rotation=0.4)
    hkl = np.stack(np.meshgrid(*[np.arange(-3, 4)] * 3), -1).reshape(-1, 3)
    hkl = hkl[(hkl @ axis == 0) & hkl.any(axis=1)]
    second = next(h for h in hkl if np.linalg.matrix_rank([hkl[0], h]) == 2)
    pair = np.array([hkl[0], second])
    g = (pair @ phase.reciprocal_lattice @ frame.T)[:, :2]
    corners = np.array([(x, y) for x in (LOW[0], HIGH[0]) for y in (LOW[1], HIGH[1])])
    t = np.linspace(0, 1, 30)[:, None]
    border = np.concatenate(
        [
            corners[i] + t * (corners[j] - corners[i])
            for i, j in ((0, 1), (1, 3), (3, 2), (2, 0))
        ]
    )
    return fill_region(
        virtual_cell(phase, frame, axis, g, pair),
        phase,
        origin=np.array(origin),
        thickness=thickness,
        outline=field.reference_position(border),
        displacement=lambda r: field.displacement(r).T,
        gradient=lambda r: field.gradient(r).reshape(-1, 4).T,
        inside=inside,
    )


def density(phase: CrystalPhase) -> float:
    """Atoms per nm³ of the bulk."""
    return 1000 * len(phase.numbers) / abs(np.linalg.det(phase.lattice))


def bulk_distances(phase: CrystalPhase, reach: float) -> list[np.ndarray]:
    """Sorted distances in nm from each site of the bulk, by brute force."""
    shifts = np.stack(np.meshgrid(*[np.arange(-4, 5)] * 3), -1).reshape(-1, 3)
    images = (phase.fractional[None] + shifts[:, None]).reshape(-1, 3) @ phase.lattice
    found = []
    for site in phase.fractional @ phase.lattice:
        distance = np.sort(np.linalg.norm(images - site, axis=1)) / 10
        found.append(distance[(distance > 1e-6) & (distance < reach)])
    return found


def neighbours(atoms: RegionAtoms, reach: float) -> list[np.ndarray]:
    """Sorted distances below `reach` of atoms away from the sides, periodic in z."""
    z = np.array([0, 0, atoms.thickness])
    images = np.concatenate([atoms.positions + k * z for k in (-1, 0, 1)])
    tree = cKDTree(images)
    xy = atoms.positions[:, :2]
    core = ((xy > LOW + reach) & (xy < HIGH - reach)).all(axis=1)
    found = []
    for at in atoms.positions[core]:
        distance = np.linalg.norm(images[tree.query_ball_point(at, reach)] - at, axis=1)
        found.append(np.sort(distance)[1:])
    return found


@pytest.mark.parametrize(("name", "axis"), ZONES)
def test_undeformed_atoms_are_the_bulk_crystal(name: str, axis: tuple) -> None:
    phase = library_phase(name)
    atoms = filled(phase, axis, Uniform())
    volume = np.prod(HIGH - LOW) * atoms.thickness
    assert len(atoms.numbers) / volume == pytest.approx(density(phase), rel=0.015)
    assert atoms.lost == 0
    share = np.array([(phase.numbers == n).mean() for n in np.unique(phase.numbers)])
    found = np.array([(atoms.numbers == n).mean() for n in np.unique(phase.numbers)])
    np.testing.assert_allclose(found, share, atol=0.01)
    assert atoms.positions[:, 2].min() > -1e-5
    assert atoms.positions[:, 2].max() < atoms.thickness

    # Every atom has the neighbours of one of the sites, at the same distances.
    reach = 0.33
    sites = bulk_distances(phase, reach)
    seen = neighbours(atoms, reach)
    assert len(seen) > 100
    for distance in seen:
        assert any(
            len(site) == len(distance) and np.abs(site - distance).max(initial=0) < 1e-4
            for site in sites
        )


@pytest.mark.parametrize(("name", "axis"), ZONES)
def test_deformed_atoms_have_the_density_and_neighbours_of_the_deformed_bulk(
    name: str, axis: tuple
) -> None:
    phase = library_phase(name)
    field = strained(0.05, -0.02, 0.03, rotation=6, origin=(1.0, 4.0))
    atoms = filled(phase, axis, field)
    deformation = np.asarray(field.deformation)
    volume = np.prod(HIGH - LOW) * atoms.thickness
    expected = density(phase) / np.linalg.det(deformation)
    assert len(atoms.numbers) / volume == pytest.approx(expected, rel=0.015)
    # Undone, the deformation leaves the undeformed crystal.
    undone = RegionAtoms(
        np.column_stack(
            [field.reference_position(atoms.positions[:, :2]), atoms.positions[:, 2]]
        ),
        atoms.numbers,
        atoms.thickness,
        0,
    )
    plain = filled(phase, axis, Uniform())
    tree = cKDTree(plain.positions)
    xy = undone.positions[:, :2]
    core = ((xy > LOW + 0.8) & (xy < HIGH - 0.8)).all(axis=1)
    z = undone.positions[core]
    distance, match = tree.query(z)
    assert core.sum() > 100 and distance.max() < 1e-4
    np.testing.assert_array_equal(undone.numbers[core], plain.numbers[match])


def test_atoms_that_move_in_and_out_are_counted_where_they_are_seen() -> None:
    """A rigid shift by half the field leaves the density as it was."""
    phase = library_phase("Si diamond")
    field = Uniform(translation=(2.9, -3.1))
    atoms = filled(phase, (1, 1, 0), field)
    volume = np.prod(HIGH - LOW) * atoms.thickness
    assert len(atoms.numbers) / volume == pytest.approx(density(phase), rel=0.01)
    assert inside(atoms.positions[:, :2]).all()


def test_a_local_bump_moves_atoms_as_the_field_says() -> None:
    phase = library_phase("Si diamond")
    field = GaussianBump((0.2, 0.1), (0.0, 4.5), 1.0)
    plain, bumped = (filled(phase, (1, 1, 0), f) for f in (Uniform(), field))
    back = field.reference_position(bumped.positions[:, :2])
    core = ((back > LOW + 0.5) & (back < HIGH - 0.5)).all(axis=1)
    distance = cKDTree(plain.positions[:, :2]).query(back[core])[0]
    assert distance.max() < 2e-5


@pytest.mark.parametrize(
    ("thickness", "repeats"), [(0.38, 1), (0.5, 1), (3.84, 10), (5.0, 13)]
)
def test_thickness_is_a_whole_number_of_periods(thickness: float, repeats: int) -> None:
    """Si [110] repeats after a/√2 = 0.384 nm."""
    phase = library_phase("Si diamond")
    atoms = filled(phase, (1, 1, 0), Uniform(), thickness=thickness)
    assert atoms.thickness == pytest.approx(repeats * 0.5431 / np.sqrt(2), rel=1e-4)


def test_too_thin() -> None:
    phase = library_phase("Si diamond")
    with pytest.raises(ValueError, match=r"one period of Si .*0.384 nm; got 0.1 nm"):
        filled(phase, (1, 1, 0), Uniform(), thickness=0.1)


def test_mixed_sites_hold_one_atom_each():
    silicon = library_phase("Si diamond")
    count = len(silicon.numbers)
    alloy = CrystalPhase(
        "SiGe",
        silicon.cell,
        np.repeat([14, 32], count),
        np.tile(silicon.fractional, (2, 1)),
        occupancy=np.repeat([0.6, 0.3], count),
    )
    pure = filled(silicon, (1, 1, 0), strained())
    mixed = filled(alloy, (1, 1, 0), strained())
    total = len(pure.numbers)
    for number, share in ((14, 0.6), (32, 0.3)):
        found = np.count_nonzero(mixed.numbers == number)
        assert abs(found - share * total) < 5 * np.sqrt(share * (1 - share) * total)
    distance, _ = cKDTree(mixed.positions).query(mixed.positions, k=2)
    assert distance[:, 1].min() > 0.2
