# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Regions filled with columns: owners, whole cells, density, bonds, deformation."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import cKDTree

from hyperspy_t2t.atoms import node_tiles
from hyperspy_t2t.atoms.columns import Columns
from hyperspy_t2t.atoms.expansion import expand
from hyperspy_t2t.atoms.filling import FillReport, fill_block
from hyperspy_t2t.atoms.inside_polygon import Polygons
from hyperspy_t2t.atoms.primitive import primitive_sites
from hyperspy_t2t.atoms.virtual_cell import VirtualCell, virtual_cell
from hyperspy_t2t.calibration import ImageGrid
from hyperspy_t2t.data.displacements import (
    Displacement,
    GaussianBump,
    Gradient,
    Uniform,
    strained,
)
from hyperspy_t2t.frames import zone_axis_frame
from hyperspy_t2t.phases.crystal_phase import CrystalPhase
from hyperspy_t2t.phases.library import library_phase
from hyperspy_t2t.segmentation.contours import region_contours

ZONES = [
    ("Si diamond", (1, 1, 0)),
    ("Si diamond", (1, 1, 2)),
    ("Si diamond", (1, 1, 1)),
    ("GaAs zincblende", (1, 2, 3)),
    ("Au fcc", (1, 1, 0)),
    ("Fe bcc", (1, 1, 1)),
    ("GaN wurtzite", (1, 1, 0)),  # [11-20]
    ("GaN wurtzite", (0, 0, 1)),
    ("TiO2 rutile", (0, 1, 1)),
    ("beta-Ga2O3", (0, 1, 0)),
    ("HfO2 monoclinic", (1, -1, 2)),
]
STRONG = strained(0.5, -0.12, 0.07, rotation=33, convention="reference", origin=(3, -2))
ORIGIN = np.array([0.07, -0.13])


@dataclass(frozen=True)
class Exact:
    """A known displacement with the interface of a measured one."""

    field: Displacement

    def displacement_at(self, positions: np.ndarray) -> np.ndarray:
        return self.field.displacement(positions).T

    def gradient_at(self, positions: np.ndarray) -> np.ndarray:
        return np.asarray(self.field.gradient(positions)).reshape(-1, 4).T


def everywhere(positions: np.ndarray) -> np.ndarray:
    return np.ones(len(positions), bool)


def cell_of(phase: CrystalPhase, axis: tuple) -> VirtualCell:
    axis = np.array(axis)
    frame = zone_axis_frame(phase.lattice, axis, rotation=0.4)
    hkl = np.stack(np.meshgrid(*[np.arange(-3, 4)] * 3), -1).reshape(-1, 3)
    hkl = hkl[(hkl @ axis == 0) & hkl.any(axis=1)]
    second = next(h for h in hkl if np.linalg.matrix_rank([hkl[0], h]) == 2)
    pair = np.array([hkl[0], second])
    g = (pair @ phase.reciprocal_lattice @ frame.T)[:, :2]
    return virtual_cell(phase, frame, axis, g, pair)


def outlines(
    seed: int, count: int, *, side: float = 9.0, islands: bool = False
) -> dict[int, list[np.ndarray]]:
    """Irregular regions with exact common borders, some with holes."""
    random = np.random.default_rng(seed)
    grid = ImageGrid((36, 48), (side / 36, side * 0.9 / 48), (-side / 2, 1.0))
    y, x = np.mgrid[:36, :48]
    seeds = random.uniform(0, 1, (count, 2)) * (36, 48)
    away = np.hypot(y[..., None] - seeds[:, 0], x[..., None] - seeds[:, 1])
    labels = away.argmin(axis=-1) + 1
    if islands:
        labels[np.hypot(y - 15, x - 20) < 7] = count + 1
    return region_contours(labels, grid)


def filled(
    phase: CrystalPhase,
    axis: tuple,
    polygons: Polygons,
    fields: Mapping[int, Displacement],
    *,
    common: Displacement | None = None,
    labels: tuple[int, ...] | None = None,
) -> tuple[VirtualCell, dict[int, Columns], FillReport]:
    cell = cell_of(phase, axis)
    found, report = fill_block(
        cell,
        phase.fractional[primitive_sites(phase)],
        origin=ORIGIN,
        polygons=polygons,
        labels=labels or tuple(fields),
        common=Exact(common) if common else None,
        fields={label: Exact(field) for label, field in fields.items()},
        measured=everywhere,
    )
    return cell, found, report


def all_nodes(found: Mapping[int, Columns], sites: int) -> np.ndarray:
    """One row for each node; every node has all its sites, next to each other."""
    rows = [np.empty((0, 2), np.int64)]
    for columns in found.values():
        assert len(columns) % sites == 0
        node = columns.node.reshape(-1, sites, 2)
        assert (node == node[:, :1]).all()
        assert (columns.site.reshape(-1, sites) == np.arange(sites)).all()
        rows.append(node[:, 0])
    return np.concatenate(rows)


FIELDS = [
    Uniform(),
    STRONG,
    Gradient(0.02, direction=30, strain=0.1),
    GaussianBump((0.3, -0.4), (4.0, 0.5), 1.1) + strained(0.04, rotation=-20),
]


@settings(max_examples=25, deadline=None)
@given(
    st.integers(0, 10**6),
    st.integers(1, 6),
    st.sampled_from(FIELDS),
    st.booleans(),
    st.booleans(),
)
def test_each_node_belongs_to_one_region(
    seed: int, count: int, field: Displacement, islands: bool, by_common: bool
) -> None:
    """As many nodes as the union has, each once, whole, in the region it is seen in."""
    phase = library_phase("GaAs zincblende")
    contours = outlines(seed, count, islands=islands)
    polygons = Polygons.from_contours(contours)
    fields = dict.fromkeys(contours, field)
    cell, found, report = filled(
        phase, (1, 1, 0), polygons, fields, common=field if by_common else None
    )
    nodes = all_nodes(found, 2)
    assert len(np.unique(nodes, axis=0)) == len(nodes)
    assert report.contested == report.given == sum(report.lost.values()) == 0
    # All nodes around, each placed by an independent solver.
    site = phase.fractional[primitive_sites(phase)] @ cell.projection.T
    every = np.stack(np.meshgrid(*[np.arange(-120, 121)] * 2), -1).reshape(-1, 2)
    corner = every @ cell.in_plane + ORIGIN
    low, high = field.reference_position(np.array([(-12, -16), (20, 16)], float))
    near = np.hypot(*(corner - (low + high) / 2).T) < 24
    every, corner = every[near], corner[near]
    # Where the centre is does not depend on which of equal sites make the node.
    offset = (
        found[next(iter(found))].reference[:2].mean(axis=0)
        - found[next(iter(found))].node[0] @ cell.in_plane - ORIGIN
    )  # fmt: skip
    assert np.hypot(*(offset - site.mean(axis=0))) < 0.5
    at = polygons.region_at(field.image_position(corner + offset))
    for label, columns in found.items():
        expected = {tuple(n) for n in every[at == label].tolist()}
        assert {tuple(n) for n in columns.node.tolist()} == expected


def test_neighbours_whose_fields_disagree_share_the_places_at_their_border() -> None:
    """Fields that differ by noise, and by lattice vectors too: none lost or twice."""
    phase = library_phase("Si diamond")
    cell = cell_of(phase, (1, 1, 0))
    square = outlines(5, 4, side=14.0)
    polygons = Polygons.from_contours(square)
    whole = sum(polygons.area(k) for k in square) / abs(np.linalg.det(cell.in_plane))
    random = np.random.default_rng(1)
    for steps in (0, 3):
        fields = {}
        for label in square:
            vector = random.integers(-steps, steps + 1, 2) @ cell.in_plane
            shift = vector + random.normal(0, 0.03, 2)
            fields[label] = Uniform(translation=tuple(shift))
        _, found, report = filled(phase, (1, 1, 0), polygons, fields)
        nodes = sum(len(c) for c in found.values()) / 2
        assert nodes == pytest.approx(whole, abs=4 * (whole**0.5) ** 0.5 + 8)
        assert report.contested > 0 and report.given > 0
        centre = {
            k: c.position.reshape(-1, 2, 2).mean(axis=1) for k, c in found.items()
        }
        together = np.concatenate(list(centre.values()))
        # No two nodes much nearer than in the lattice, and no hole.
        spacing = np.linalg.norm(cell.in_plane, axis=1).min()
        nearest = cKDTree(together).query(together, k=2)[0][:, 1]
        assert nearest.min() > 0.5 * spacing
        inner = random.uniform((2, -6), (12, 6), (4000, 2))
        box = np.array([polygons.box(k) for k in square])
        low, high = box[:, 0].min(axis=0) + 0.5, box[:, 1].max(axis=0) - 0.5
        inner = inner[((inner > low) & (inner < high)).all(axis=1)]
        hole = cKDTree(together).query(inner)[0]
        lattice = np.stack(np.meshgrid(*[np.arange(-3, 4)] * 2), -1).reshape(-1, 2)
        bulk = cKDTree(lattice @ cell.in_plane).query(
            random.uniform(0, 1, (4000, 2)) @ cell.in_plane
        )[0]
        assert hole.max() < bulk.max() + 0.12


def test_regions_apart_in_the_lattice_keep_the_same_node_each() -> None:
    """A field that shifts one region by much more than a node: both are filled."""
    phase = library_phase("Si diamond")
    contours = outlines(2, 2, side=10.0)
    polygons = Polygons.from_contours(contours)
    cell = cell_of(phase, (1, 1, 0))
    far = Uniform(translation=tuple(np.array([7, -4]) @ cell.in_plane))
    _, found, _ = filled(phase, (1, 1, 0), polygons, {1: Uniform(), 2: far})
    _, plain, _ = filled(phase, (1, 1, 0), polygons, {1: Uniform(), 2: Uniform()})
    for label in (1, 2):
        order = [np.lexsort(np.round(c[label].position, 6).T) for c in (found, plain)]
        np.testing.assert_allclose(
            found[label].position[order[0]], plain[label].position[order[1]], atol=2e-5
        )


def bulk_distances(phase: CrystalPhase, reach: float) -> list[np.ndarray]:
    """Sorted distances in nm from each site of the bulk, by brute force."""
    shifts = np.stack(np.meshgrid(*[np.arange(-4, 5)] * 3), -1).reshape(-1, 3)
    images = (phase.fractional[None] + shifts[:, None]).reshape(-1, 3) @ phase.lattice
    found = []
    for site in phase.fractional @ phase.lattice:
        distance = np.sort(np.linalg.norm(images - site, axis=1)) / 10
        found.append(distance[(distance > 1e-6) & (distance < reach)])
    return found


def neighbours(
    positions: np.ndarray, length: float, reach: float, core: np.ndarray
) -> list[np.ndarray]:
    """Sorted distances below `reach` of the atoms of a core, periodic along z."""
    layers = int(np.ceil(reach / length))
    z = np.array([0, 0, length])
    images = [positions + k * z for k in range(-layers, layers + 1)]
    images = np.concatenate(images)
    tree = cKDTree(images)
    found = []
    for at in positions[core]:
        distance = np.linalg.norm(images[tree.query_ball_point(at, reach)] - at, axis=1)
        found.append(np.sort(distance)[1:])
    return found


@pytest.mark.parametrize("strong", [False, True])
@pytest.mark.parametrize(("name", "axis"), ZONES)
def test_atoms_are_those_of_the_crystal(name: str, axis: tuple, strong: bool) -> None:
    """Taken back to the undeformed frame every atom has its crystal's neighbours.

    Across regions that share the lattice, too: the neighbours of an atom are counted
    in all of them.
    """
    phase = library_phase(name)
    field = STRONG if strong else Uniform()
    contours = outlines(11, 3, side=7.0, islands=True)
    polygons = Polygons.from_contours(contours)
    fields = dict.fromkeys(contours, field)
    cell, found, report = filled(phase, axis, polygons, fields, common=field)
    sites = len(primitive_sites(phase))
    all_nodes(found, sites)
    assert sum(report.lost.values()) == 0

    positions, numbers, inner = [], [], []
    for columns in found.values():
        assert columns.depth.min() >= 0 and columns.depth.max() < cell.period
        atoms = expand(columns, repeats=1).position / 10
        back = field.reference_position(atoms[:, :2])
        np.testing.assert_allclose(back, columns.reference, atol=2e-5)
        positions.append(np.column_stack([back, atoms[:, 2]]))
        numbers.append(phase.numbers[primitive_sites(phase)][columns.site])
        inner.append(atoms[:, :2])
    positions, inner = np.concatenate(positions), np.concatenate(inner)
    numbers = np.concatenate(numbers)
    # Exactly the formula: every node is a primitive cell.
    for number in np.unique(phase.numbers):
        count = (phase.numbers == number).sum() * len(numbers)
        assert (numbers == number).sum() * len(phase.numbers) == count

    reach = 0.33
    box = np.array([polygons.box(k) for k in contours])
    first = next(iter(found.values())).reference[:sites]
    size = np.linalg.norm(first - first.mean(axis=0), axis=1).max()
    edge = 1.6 * (reach + size)  # the border follows the nodes, not the atoms
    low, high = box[:, 0].min(axis=0) + edge, box[:, 1].max(axis=0) - edge
    core = ((inner > low) & (inner < high)).all(axis=1)
    bulk = bulk_distances(phase, reach)
    seen = neighbours(positions, cell.period, reach, core)
    assert len(seen) > 50
    for distance in seen:
        assert any(
            len(site) == len(distance) and np.abs(site - distance).max(initial=0) < 1e-4
            for site in bulk
        )


@pytest.mark.parametrize(("name", "axis"), [ZONES[1], ZONES[6], ZONES[-1]])
@pytest.mark.parametrize("field", [Uniform(), STRONG])
def test_density_of_a_large_region(name: str, axis: tuple, field: Displacement) -> None:
    phase = library_phase(name)
    contours = outlines(4, 1, side=60.0)
    polygons = Polygons.from_contours(contours)
    cell, found, _ = filled(phase, axis, polygons, dict.fromkeys(contours, field))
    bulk = 1000 * len(phase.numbers) / abs(np.linalg.det(phase.lattice))
    stretch = np.linalg.det(np.asarray(field.deformation))
    volume = polygons.area(1) * cell.period
    assert len(found[1]) / volume == pytest.approx(bulk / stretch, rel=0.003)


def test_columns_that_cannot_be_placed_are_reported() -> None:
    """Where u falls by more than it is wide the lattice would fold over."""

    class Fold(Exact):
        def displacement_at(self, positions: np.ndarray) -> np.ndarray:
            away = positions - (5.0, 0.0)
            height = np.exp(-0.5 * (away**2).sum(axis=1) / 0.6**2)
            return np.stack([1.5 * height, 0 * height])

        def gradient_at(self, positions: np.ndarray) -> np.ndarray:
            away = positions - (5.0, 0.0)
            slope = -self.displacement_at(positions)[0] / 0.6**2
            zero = 0 * slope
            return np.stack([slope * away[:, 0], slope * away[:, 1], zero, zero])

    phase = library_phase("GaAs zincblende")
    contours = outlines(1, 1)
    polygons = Polygons.from_contours(contours)
    fold = Fold(Uniform())
    found, report = fill_block(
        cell_of(phase, (1, 1, 0)),
        phase.fractional[primitive_sites(phase)],
        origin=ORIGIN,
        polygons=polygons,
        labels=(1,),
        common=fold,
        fields={1: fold},
        measured=lambda p: p[:, 1] < 2.0,
    )
    columns = found[1]
    assert report.lost[1] > 0 and report.lost[1] % 2 == 0
    all_nodes(found, 2)
    residual = columns.position - fold.displacement_at(columns.position).T
    assert np.abs(residual - columns.reference).max() < 1e-4
    xx = fold.gradient_at(columns.position)[0]
    assert (xx < 1).all()  # nowhere folded
    np.testing.assert_array_equal(columns.continued, columns.position[:, 1] >= 2.0)
    assert report.continued[1] == columns.continued.sum() > 0


def test_sites_of_each_region() -> None:
    """Another phase on the same lattice with its sites a little elsewhere."""
    phase = library_phase("GaN wurtzite")
    cell, axis = cell_of(phase, (1, 1, 0)), (1, 1, 0)
    contours = outlines(3, 2)
    polygons = Polygons.from_contours(contours)
    sites = phase.fractional[primitive_sites(phase)]
    moved = sites + np.where(np.arange(len(sites)) % 2, 1, 0)[:, None] * (0, 0, 0.02)
    found, _ = fill_block(
        cell, {1: sites, 2: moved}, origin=ORIGIN, polygons=polygons, labels=(1, 2),
        common=Exact(STRONG), fields=dict.fromkeys((1, 2), Exact(STRONG)),
        measured=everywhere,
    )  # fmt: skip
    _, plain, _ = filled(
        phase, axis, polygons, dict.fromkeys((1, 2), STRONG), common=STRONG
    )
    np.testing.assert_array_equal(found[2].node, plain[2].node)
    shift = ((moved - sites) @ cell.projection.T)[found[2].site]
    np.testing.assert_allclose(
        found[2].reference, plain[2].reference + shift, atol=1e-12
    )
    np.testing.assert_allclose(
        found[2].position - plain[2].position,
        shift @ np.asarray(STRONG.deformation).T, atol=1e-9,
    )  # fmt: skip


def test_labels_that_are_not_of_the_block_stay_empty() -> None:
    phase = library_phase("Si diamond")
    contours = outlines(7, 4)
    polygons = Polygons.from_contours(contours)
    fields = dict.fromkeys((2, 4), Uniform())
    for common in (Uniform(), None):
        _, found, _ = filled(phase, (1, 1, 0), polygons, fields, common=common)
        assert list(found) == [2, 4]
        for label, columns in found.items():
            centre = columns.position.reshape(-1, 2, 2).mean(axis=1)
            assert (polygons.region_at(centre) == label).all()


def test_a_region_without_outline_or_displacement_stays_empty() -> None:
    class Unknown(Exact):
        def displacement_at(self, positions: np.ndarray) -> np.ndarray:
            return np.full((2, len(positions)), np.nan)

    phase = library_phase("Si diamond")
    contours = outlines(7, 2)
    fields = {1: Exact(Uniform()), 2: Unknown(Uniform()), 8: Exact(Uniform())}
    for common in (None, Unknown(Uniform())):
        found, _ = fill_block(
            cell_of(phase, (1, 1, 0)),
            phase.fractional[primitive_sites(phase)],
            origin=ORIGIN,
            polygons=Polygons.from_contours(contours),
            labels=(1, 2, 8),
            common=common,
            fields=fields,
            measured=everywhere,
        )
        assert len(found[2]) == len(found[8]) == 0
        assert (len(found[1]) > 0) == (common is None)
        assert found[8].node.shape == (0, 2)


def test_some_tiles_hold_no_border(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a large region whole batches of nodes lie inside."""
    phase, grid = library_phase("Si diamond"), ImageGrid((40, 40), (1.0, 1.0))
    polygons = Polygons.from_contours(region_contours(np.ones(grid.shape, int), grid))
    at_once = filled(phase, (1, 1, 0), polygons, {1: Uniform()})[1][1]
    monkeypatch.setattr(node_tiles, "_TILES", 1)
    by_tiles = filled(phase, (1, 1, 0), polygons, {1: Uniform()})[1][1]
    np.testing.assert_array_equal(by_tiles.node, at_once.node)
