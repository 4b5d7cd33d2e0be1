# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Patterns of zone axes as flat arrays."""

from dataclasses import fields, replace

import numpy as np
import pytest
from ase.geometry import cellpar_to_cell

from hyperspy_t2t.phases.crystal_phase import CrystalPhase
from hyperspy_t2t.phases.library import library_phase
from hyperspy_t2t.phases.reflections import (
    projected_structure_factor,
    structure_factors,
    zone_axes,
)
from hyperspy_t2t.phases.zone_patterns import FAINT, ZonePatterns, zone_patterns

NAMES = (
    "Si diamond",
    "Fe bcc",
    "GaN wurtzite",
    "TiO2 rutile",
    "FeS2 pyrite",
    "Si3N4 beta",
    "alpha-quartz",
    "Al2O3 corundum",
    "MoO3",
    "beta-Ga2O3",
    "HfO2 monoclinic",
)
REACH = 9.0
CENTRING = {
    "Si diamond": lambda h, k, l: (h + k) % 2 + (k + l) % 2,  # noqa: E741
    "Fe bcc": lambda h, k, l: (h + k + l) % 2,  # noqa: E741
    "Al2O3 corundum": lambda h, k, l: (-h + k + l) % 3,  # noqa: E741
    "beta-Ga2O3": lambda h, k, l: (h + k) % 2,  # noqa: E741
}


@pytest.fixture(params=NAMES)
def phase(request) -> CrystalPhase:
    return library_phase(request.param)


def made(phase: CrystalPhase) -> ZonePatterns:
    return zone_patterns(phase, max_index=2, reach=REACH)


def all_hkl(phase: CrystalPhase) -> np.ndarray:
    reciprocal = 10 * np.linalg.inv(cellpar_to_cell(phase.cell)).T
    limit = np.ceil(np.array(phase.cell[:3]) * REACH / 10).astype(int)
    grid = [np.arange(-n, n + 1) for n in limit]
    hkl = np.stack(np.meshgrid(*grid, indexing="ij"), -1).reshape(-1, 3)
    size = np.linalg.norm(hkl @ reciprocal, axis=1)
    return hkl[(size > 0) & (size <= REACH)]


def powers(phase: CrystalPhase, hkl: np.ndarray) -> np.ndarray:
    factors = (structure_factors(phase, hkl), projected_structure_factor(phase, hkl))
    return np.abs(np.stack(factors, -1)) ** 2


def test_reflections_are_those_of_the_zone(phase: CrystalPhase) -> None:
    """All hkl perpendicular to u a + v b + w c that are allowed, one of each pair."""
    patterns = made(phase)
    lattice = cellpar_to_cell(phase.cell)
    reciprocal = 10 * np.linalg.inv(lattice).T
    hkl = all_hkl(phase)
    power = powers(phase, hkl)
    allowed = power[:, 0] > 1e-6 * power[:, 0].max()
    hkl, power = hkl[allowed], power[allowed]
    g = hkl @ reciprocal
    for zone in range(len(patterns)):
        rows = slice(patterns.start[zone], patterns.start[zone + 1])
        along = patterns.axis[zone] @ lattice
        within = np.abs(g @ along) < 1e-6
        relative = power[within] / power[within].max(axis=0)
        bright = (relative > FAINT * (1 + 1e-9)).any(axis=1)
        listed = patterns.hkl(zone, patterns.node[rows])
        both = {tuple(h) for h in np.vstack([listed, -listed]).tolist()}
        assert len(both) == 2 * len(listed)
        assert both == {tuple(h) for h in hkl[within][bright].tolist()}
        # In the plane of the frame, which looks along the axis at the source.
        frame = patterns.frame[zone]
        np.testing.assert_allclose(frame @ frame.T, np.eye(3), atol=1e-12)
        assert np.linalg.det(frame) == pytest.approx(1)
        np.testing.assert_allclose(frame[2], -along / np.linalg.norm(along), atol=1e-9)
        place = listed @ reciprocal @ frame.T
        np.testing.assert_allclose(place[:, 2], 0, atol=1e-6)
        np.testing.assert_allclose(patterns.p[rows], place[:, :2], atol=1e-6)
        np.testing.assert_allclose(
            patterns.node[rows] @ patterns.basis[zone], patterns.p[rows], atol=1e-6
        )
        own = powers(phase, listed)
        np.testing.assert_allclose(
            patterns.power[rows], own / power[within].max(axis=0), rtol=1e-6, atol=1e-9
        )
        assert np.linalg.matrix_rank(patterns.node[rows]) == 2


def test_the_table_gives_the_row_of_each_node(phase: CrystalPhase) -> None:
    patterns = made(phase)
    for zone in range(len(patterns)):
        first, last = patterns.start[zone : zone + 2]
        half = patterns.half[zone]
        np.testing.assert_array_equal(
            half, np.abs(patterns.node[first:last]).max(axis=0)
        )
        part = slice(patterns.lookup_start[zone], patterns.lookup_start[zone + 1])
        table = patterns.lookup[part].reshape(2 * half + 1)
        rows = {}
        for row in range(first, last):
            i, j = patterns.node[row].tolist()
            rows[i, j] = rows[-i, -j] = row
        for i in range(-half[0], half[0] + 1):
            for j in range(-half[1], half[1] + 1):
                assert table[i + half[0], j + half[1]] == rows.get((i, j), -1)


def test_the_basis_is_reduced_and_generated_by_the_reflections(
    phase: CrystalPhase,
) -> None:
    patterns = made(phase)
    for zone in range(len(patterns)):
        a, b = patterns.basis[zone]
        assert np.linalg.norm(a) <= np.linalg.norm(b) * (1 + 1e-9)
        assert abs(a @ b) <= 0.5 * (a @ a) * (1 + 1e-6)
        np.testing.assert_array_equal(patterns.hkl_basis[zone] @ patterns.axis[zone], 0)
        # The minors of integer vectors have the index of their lattice as divisor.
        node = patterns.node[patterns.start[zone] : patterns.start[zone + 1]]
        minors = (
            node[:, None, 0] * node[None, :, 1] - node[:, None, 1] * node[None, :, 0]
        )
        assert np.gcd.reduce(minors.ravel()) == 1


@pytest.mark.parametrize("name", CENTRING)
def test_no_node_is_one_that_centring_forbids(name: str) -> None:
    patterns = made(library_phase(name))
    index = np.arange(-3, 4)
    node = np.stack(np.meshgrid(index, index), -1).reshape(-1, 2)
    for zone in range(len(patterns)):
        h, k, ell = patterns.hkl(zone, node).T
        assert not CENTRING[name](h, k, ell).any()


def test_nodes_that_a_glide_or_screw_forbids_are_there() -> None:
    """Si 002 along [110] and rutile 100 along [001] appear by double scattering."""
    for name, axis, hkl in (
        ("Si diamond", (1, 1, 0), (0, 0, 2)),
        ("TiO2 rutile", (0, 0, 1), (1, 0, 0)),
    ):
        patterns = made(library_phase(name))
        zone = int(np.flatnonzero((patterns.axis == axis).all(axis=1))[0])
        rows = slice(patterns.start[zone], patterns.start[zone + 1])
        listed = patterns.hkl(zone, patterns.node[rows]).tolist()
        assert list(hkl) not in listed and [-one for one in hkl] not in listed
        node = np.linalg.lstsq(patterns.hkl_basis[zone].T, np.array(hkl), rcond=None)[0]
        np.testing.assert_allclose(node, np.rint(node), atol=1e-9)
        np.testing.assert_array_equal(patterns.hkl(zone, np.rint(node)), hkl)


def has_mirror_line(p: np.ndarray, power: np.ndarray) -> bool:
    """Whether a reflection of the plane takes the points to themselves, by trying all.

    A mirror line takes the strongest point to one of the same length and power.
    """
    points, power = np.vstack([p, -p]), np.vstack([power, power])
    first = points[np.linalg.norm(points, axis=1).argmin()]
    size = np.linalg.norm(points, axis=1)
    for other in points[np.abs(size - np.linalg.norm(first)) < 1e-6]:
        angle = np.arctan2(*first[::-1]) + np.arctan2(*other[::-1])
        mirror = np.array(
            [[np.cos(angle), np.sin(angle)], [np.sin(angle), -np.cos(angle)]]
        )
        away = np.linalg.norm((points @ mirror.T)[:, None] - points[None], axis=-1)
        same = np.abs(power - power[away.argmin(axis=1)]) < 1e-6 * power.max()
        if (away.min(axis=1) < 1e-6).all() and same.all():
            return True
    return False


def test_the_other_side_is_listed_where_there_is_no_mirror_line(
    phase: CrystalPhase,
) -> None:
    patterns = made(phase)
    listed = [tuple(axis) for axis in patterns.axis.tolist()]
    assert len(set(listed)) == len(listed)
    families = [tuple(axis) for axis in zone_axes(phase, max_index=2).tolist()]
    for zone, axis in enumerate(listed):
        opposite = tuple(-one for one in axis)
        assert axis in families or opposite in families
        part = slice(patterns.start[zone], patterns.start[zone + 1])
        mirrored = has_mirror_line(patterns.p[part], patterns.power[part])
        assert (opposite in listed) != mirrored


def test_the_prior_falls_with_the_length_of_the_axis(phase: CrystalPhase) -> None:
    patterns = made(phase)
    assert patterns.prior.sum() == pytest.approx(1)
    length = np.linalg.norm(patterns.axis @ cellpar_to_cell(phase.cell), axis=1)
    np.testing.assert_allclose(
        patterns.prior * length, patterns.prior[0] * length[0], rtol=1e-6
    )


def test_made_once_and_read_only() -> None:
    phase = library_phase("GaN wurtzite")
    patterns = made(phase)
    assert made(phase) is patterns
    assert made(replace(phase)) is patterns
    assert zone_patterns(phase, max_index=1, reach=REACH) is not patterns
    heavier = replace(phase, numbers=np.where(phase.numbers == 31, 49, 7))
    assert made(heavier) is not patterns
    for one in fields(patterns):
        array = getattr(patterns, one.name)
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0


def test_zones_without_two_directions_are_left_out() -> None:
    phase = library_phase("Au fcc")
    few = zone_patterns(phase, max_index=3, reach=5.0)
    many = zone_patterns(phase, max_index=3, reach=12.0)
    # Within 5/nm are 111 and 200 only: they share no zones but [110] and [100].
    assert {tuple(axis) for axis in few.axis.tolist()} == {(1, 0, 0), (1, 1, 0)}
    assert len(many) > 5
