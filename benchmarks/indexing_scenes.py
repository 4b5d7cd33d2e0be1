# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Spot lists with known phases and orientations for benchmarks/indexing.py.

A micrograph is drawn with a wrong calibration, its whole field is one region, and the
spots are those that the package finds in it. Every case is a dictionary of strings,
numbers and arrays:

kind, seed, rows, columns, pixel_size, probe_size
    rows are the spots found, with the columns of SPOT_COLUMNS; lengths in nm.
specimen_from_image
    A, (2, 2): specimen position = A @ nominal position; a reflection g of the specimen
    is seen at Aᵀ g.
distortion
    D, (2, 2), symmetric: A⁻¹ = D U with a turn U.
crystals
    One dictionary for each: phase, elements, zone_axis, rotation in degrees,
    crystal_to_image (before the distortion), orientation (U crystal_to_image, what
    an indexer with a symmetric distortion reports), and of every reflection up to
    `REACH`: hkl, g_image (1/nm, in the nominal image), expected_snr.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.linalg import polar
from scipy.spatial.transform import Rotation

from hyperspy_t2t.data.synthetic import synthetic_arrays
from hyperspy_t2t.data.synthetic_regions import Region
from hyperspy_t2t.data.synthetic_scan import Scan
from hyperspy_t2t.frequencies import hann_window
from hyperspy_t2t.peaks.spots import SPOT_COLUMNS, find_spots
from hyperspy_t2t.peaks.window import region_window
from hyperspy_t2t.phases.crystal_phase import CrystalPhase
from hyperspy_t2t.phases.library import library_phase, phase_names, phases_of_elements
from hyperspy_t2t.phases.reflections import (
    laue_operations,
    projected_structure_factor,
    zone_axes,
)

Array = np.ndarray
Case = dict[str, Any]
SHAPE = (512, 512)
DOSE = 10.0  # counts per pixel
REACH = 20.0  # 1/nm, up to which reflections are noted
INDEXED = 1 / 0.06  # 1/nm, up to which an indexer looks at spots
VISIBLE = 20.0  # power over noise from which a reflection counts as visible
FEWEST = 3  # visible reflections without partners that make a pattern
MAX_INDEX = 3
PHASES = (
    # cubic
    "Si diamond", "GaAs zincblende", "InAs zincblende", "CdTe zincblende",
    "SiC zincblende", "MgO rocksalt", "TiN rocksalt", "PbTe rocksalt",
    "NiO rocksalt", "Al fcc", "Au fcc", "Fe bcc", "W bcc", "NiAl CsCl-type",
    "CeO2 fluorite", "NiSi2 fluorite", "MgAl2O4 spinel", "Fe3O4 spinel",
    "In2O3 bixbyite", "Cu2O cuprite", "SrTiO3 cubic perovskite",
    "CsPbBr3 cubic", "FeS2 pyrite", "CoSb3 skutterudite", "FeSi B20",
    "Ni3Al L12",
    # tetragonal
    "beta-Sn", "TiO2 rutile", "SnO2 rutile", "TiO2 anatase", "ZrO2 tetragonal",
    "FePt L10", "BaTiO3 tetragonal", "CuInSe2 chalcopyrite", "MoSi2",
    # orthorhombic
    "TiO2 brookite", "MoO3", "V2O5", "GdFeO3-type CaTiO3", "SnSe Pnma",
    "NiSi MnP-type",
    # hexagonal
    "GaN wurtzite", "ZnO wurtzite", "InAs wurtzite", "Ti hcp", "Co hcp",
    "2H-MoS2", "NiAs NiAs-type", "TiB2", "Si3N4 beta",
    # trigonal
    "Al2O3 corundum", "Fe2O3 hematite", "alpha-quartz", "LiNbO3", "Bi2Te3",
    "1T-TiS2",
    # monoclinic
    "HfO2 monoclinic", "ZrO2 monoclinic", "CuO tenorite", "beta-Ga2O3",
)  # fmt: skip
COHERENT = (
    ("NiSi2 fluorite", "Si diamond", (1, 1, 0), (1, 1, 0), 0.0),
    ("InAs zincblende", "GaAs zincblende", (1, 1, 0), (1, 1, 0), 0.0),
    ("Ge diamond", "Si diamond", (1, 1, 0), (1, 1, 0), 0.0),
    ("CdTe zincblende", "GaAs zincblende", (1, 0, 0), (1, 0, 0), 0.0),
    ("Au fcc", "MgO rocksalt", (1, 0, 0), (1, 0, 0), 0.0),
    ("Fe bcc", "MgO rocksalt", (1, 0, 0), (1, 1, 0), 0.0),
    ("TiN rocksalt", "MgO rocksalt", (1, 0, 0), (1, 0, 0), 0.0),
    ("BaTiO3 tetragonal", "SrTiO3 cubic perovskite", (1, 0, 0), (1, 0, 0), 0.0),
    ("GaN wurtzite", "Al2O3 corundum", (2, 1, 0), (1, 0, 0), 0.0),
    ("CeO2 fluorite", "SrTiO3 cubic perovskite", (1, 1, 0), (1, 0, 0), 0.0),
)
"""Film, substrate, their zone axes, turn of the film in degrees."""
TWINNED = (
    "Si diamond", "GaAs zincblende", "CdTe zincblende", "Au fcc", "Al fcc", "Cu fcc",
    "Ge diamond", "SiC zincblende", "InP zincblende", "Pt fcc",
)  # fmt: skip
TRUSTED_PHASES = ("Si diamond", "Ge diamond", "GaAs zincblende")
TRUSTED_ZONES = ((1, 1, 0), (1, 0, 0), (1, 1, 1), (1, 1, 2))


@dataclass(frozen=True)
class Imaging:
    """Ranges of the calibration errors that are drawn."""

    scale: float = 0.08
    anisotropy: float = 0.03
    shear: float = 1.0  # degrees


def crystal_case(seed: int) -> Case:
    """One crystal of `PHASES` in a random zone, by a badly calibrated microscope."""
    rng = np.random.default_rng([seed, 0])
    scan = _scan(rng, Imaging())
    phase = library_phase(PHASES[seed % len(PHASES)])
    region, rejected = _visible_region(phase, scan, rng)
    return case("crystal", seed, [region], scan) | {"rejected_zones": rejected}


def trusted_case(seed: int) -> Case:
    """Si, Ge or GaAs in a low zone with the scale right within 0.4 %."""
    rng = np.random.default_rng([seed, 1])
    scan = _scan(rng, Imaging(0.004, 0.0, 0.0))
    name = TRUSTED_PHASES[seed % 3]
    zone = TRUSTED_ZONES[seed // 3 % 4]
    return case("trusted", seed, [_region(name, zone, rng)], scan)


def pair_case(seed: int) -> Case:
    """Two crystals that share the field: a twin, turned grains, film on substrate."""
    rng = np.random.default_rng([seed, 2])
    scan = _scan(rng, Imaging())
    relation = ("twin", "grains", "film")[seed % 3]
    while True:
        first, second = _pair(relation, seed // 3, scan, rng)
        if all(is_visible(region, scan) for region in (first, second)):
            break
    size = np.array(scan.shape[::-1]) * scan.pixel_size * np.diag(scan.matrix)
    half = _half_field(size, rng.uniform(-0.15, 0.15), rng.uniform(0, 2 * np.pi))
    regions = [first, replace(second, outline=half)]
    return case("pair", seed, regions, scan) | {"relation": relation}


def amorphous_case(seed: int) -> Case:
    """Atoms at random, every other time under a film of carbon.

    Half of the cases have spots only because many false ones were allowed.
    """
    rng = np.random.default_rng([seed, 3])
    scan = _scan(rng, Imaging())
    regions = [_film(rng, str(rng.choice(["C", "Si", "Ge", "Hf"])))]
    if seed % 2:
        regions.append(replace(_film(rng, "C"), overlay=True))
    return case(
        "amorphous", seed, regions, scan, false_alarms=10.0 if seed % 4 > 1 else 0.01
    )


def random_case(seed: int) -> Case:
    """Spots at random, without an image."""
    rng = np.random.default_rng([seed, 4])
    count = int(rng.integers(3, 21))
    extent = float(rng.uniform(7.7, 15.4))  # nm, side of the field
    g: list[Array] = []
    while len(g) < count:
        angle, length = rng.uniform(0, np.pi), rng.uniform(1.5, 9)
        new = length * np.array([np.cos(angle), np.sin(angle)])
        if all(min(np.hypot(*(new - k)), np.hypot(*(new + k))) > 3 / extent for k in g):
            g.append(new)
    snr = np.sort(np.exp(rng.uniform(np.log(20), np.log(5000), count)))[::-1]
    std = SPREAD / (extent * np.sqrt(snr))
    half = np.zeros((count, len(SPOT_COLUMNS)))
    half[:, :2] = g
    half[:, 2] = 1e-6 * snr
    half[:, 3:5] = std[:, None]
    half[:, 5] = snr
    half[:, 6] = rng.uniform(-np.pi, np.pi, count)
    half[:, 7] = np.minimum(snr / np.log(10), 99)
    half[:, 8] = 1
    partner = half * np.where(np.isin(np.arange(half.shape[1]), [0, 1, 6]), -1, 1)
    rows = np.stack([half, partner], 1).reshape(-1, half.shape[1])
    return {
        "kind": "random", "seed": seed, "rows": rows, "columns": list(SPOT_COLUMNS),
        "crystals": [],
    }  # fmt: skip


SPREAD = 0.457
"""Standard error of gx times the side of the field times √snr, a median of images."""
KINDS: dict[str, tuple[Callable[[int], Case], range]] = {
    "crystal": (crystal_case, range(1000, 1120)),
    "trusted": (trusted_case, range(60)),
    "pair": (pair_case, range(60)),
    "amorphous": (amorphous_case, range(40)),
    "random": (random_case, range(200)),
}
"""How the cases of each kind are drawn, and from which seeds."""


def cases(kind: str, seeds: range | None = None) -> Iterator[Case]:
    """The cases of a kind, drawn one after another."""
    draw, usual = KINDS[kind]
    for seed in usual if seeds is None else seeds:
        yield draw(seed)


def case(
    kind: str,
    seed: int,
    regions: list[Region],
    scan: Scan,
    *,
    false_alarms: float = 0.01,
) -> Case:
    """Draw the image of a specimen, find its spots and note the truth."""
    scan = replace(scan, seed=seed + 10_000)
    image, _ = synthetic_arrays(regions, scan)
    step = scan.pixel_size[::-1]
    window = region_window(np.ones(scan.shape, bool), pixel_size=step)
    turn, distortion = polar(np.linalg.inv(scan.matrix), side="left")
    return {
        "kind": kind,
        "seed": seed,
        "rows": find_spots(image, window, step, false_alarms=false_alarms),
        "columns": list(SPOT_COLUMNS),
        "pixel_size": scan.pixel_size,
        "probe_size": scan.probe_size,
        "scale_error": scan.scale_error,
        "skew": scan.skew,
        "specimen_from_image": scan.matrix,
        "distortion": distortion,
        "crystals": [
            _truth(region, scan, turn)
            for region in regions
            if region.kind == "crystalline"
        ],
    }


def _scan(rng: np.random.Generator, imaging: Imaging) -> Scan:
    pixel = float(rng.uniform(0.015, 0.03))
    scale = 1 + rng.uniform(-1, 1) * imaging.scale
    anisotropy = rng.uniform(-1, 1) * imaging.anisotropy
    return Scan(
        shape=SHAPE,
        pixel_size=(pixel, pixel),
        probe_size=float(rng.uniform(0.03, 0.05)),
        scale_error=(
            float(scale * (1 + anisotropy / 2) - 1),
            float(scale * (1 - anisotropy / 2) - 1),
        ),
        skew=float(rng.uniform(-1, 1) * imaging.shear),
        dose=DOSE,
    )


def _region(name: Any, zone: Any, rng: np.random.Generator, **options: Any) -> Region:
    return Region(
        name,
        tuple(int(index) for index in zone),
        float(rng.uniform(0, 360)),
        **{
            "thickness": float(rng.uniform(5, 15)),
            "origin": tuple(rng.uniform(0, 1, 2)),
            **options,
        },
    )


def _visible_region(
    phase: CrystalPhase, scan: Scan, rng: np.random.Generator
) -> tuple[Region, Array]:
    """A crystal in a random zone that makes a pattern, and the zones that made none."""
    rejected = []
    while True:
        family = zone_axes(phase, max_index=MAX_INDEX)
        members = laue_operations(phase) @ family[rng.integers(len(family))]
        members = members[np.abs(members).max(axis=1) <= MAX_INDEX]
        zone = members[rng.integers(len(members))]
        region = _region(phase, zone, rng)
        if is_visible(region, scan):
            return region, np.array(rejected, int).reshape(-1, 3)
        rejected.append(zone)
        if len(rejected) > 500:
            raise RuntimeError(f"No zone of {phase.name} makes a pattern.")


def is_visible(region: Region, scan: Scan) -> bool:
    """Whether `FEWEST` reflections, not all in a row, can be expected to be seen."""
    g, snr = expected_reflections(region, scan)[1:]
    g = g[(snr >= VISIBLE) & (np.linalg.norm(g, axis=1) <= INDEXED)]
    return len(g) >= 2 * FEWEST and np.linalg.matrix_rank(g, tol=1e-3) == 2


def expected_reflections(region: Region, scan: Scan) -> tuple[Array, Array, Array]:
    """hkl (n, 3), g in the nominal image (n, 2) and power over shot noise (n,)."""
    phase = region.crystal
    hkl = indices_within(phase, 1.2 * REACH)
    hkl = hkl[hkl @ np.asarray(region.zone_axis) == 0]
    true = (hkl @ phase.reciprocal_lattice) @ region.crystal_to_image[:2].T
    g = true @ scan.matrix
    near = (np.linalg.norm(g, axis=1) < REACH) & (
        np.abs(g) < 0.5 / np.array(scan.pixel_size)
    ).all(axis=1)
    power = expected_power(phase, hkl[near], scan.probe_size)
    order = np.argsort(-power, kind="stable")
    order = order[power[order] > 1e-4]
    return hkl[near][order], g[near][order], power[order]


def indices_within(phase: CrystalPhase, radius: float) -> Array:
    """All hkl but 000 with |g| up to a radius in 1/nm, (n, 3)."""
    limit = np.linalg.norm(phase.lattice / 10, axis=1) * radius
    index = [np.arange(-size, size + 1) for size in np.ceil(limit).astype(int)]
    hkl = np.stack(np.meshgrid(*index, indexing="ij"), -1).reshape(-1, 3)
    length = np.linalg.norm(hkl @ phase.reciprocal_lattice, axis=1)
    return hkl[(length <= radius) & hkl.any(axis=1)]


def expected_power(phase: CrystalPhase, hkl: Array, probe_size: float) -> Array:
    """Power of reflections hkl (n, 3) over the shot noise of a whole field, (n,).

    A fringe of amplitude c times the mean has c²/4 · N (Σw)²/Σw² in a window w of an
    image of N counts per pixel; c = 2 |F(g)|/F(0) times the probe's exp(−2π²σ²g²).
    """
    whole = projected_structure_factor(phase, [0, 0, 0]).real
    share = np.abs(projected_structure_factor(phase, hkl)) / whole
    square = ((hkl @ phase.reciprocal_lattice) ** 2).sum(axis=1)
    share *= np.exp(-2 * (np.pi * probe_size) ** 2 * square)
    window = hann_window(SHAPE)
    return DOSE * window.sum() ** 2 / (window**2).sum() * share**2


def _truth(region: Region, scan: Scan, turn: Array) -> dict[str, Any]:
    """What is known of one crystal."""
    hkl, g, snr = expected_reflections(region, scan)
    whole = np.eye(3)
    whole[:2, :2] = turn
    return {
        "phase": region.crystal.name,
        "elements": sorted(region.crystal.elements),
        "zone_axis": np.array(region.zone_axis),
        "rotation": float(region.rotation),
        "crystal_to_image": region.crystal_to_image,
        "orientation": whole @ region.crystal_to_image,
        "thickness": float(region.thickness),
        "hkl": hkl,
        "g_image": g,
        "expected_snr": snr,
    }


def _pair(
    relation: str, number: int, scan: Scan, rng: np.random.Generator
) -> tuple[Region, Region]:
    if relation == "twin":
        # Half a turn about [1 -1 1] is, up to the symmetry of diamond, zincblende
        # and fcc crystals, twice the angle from (001) to (1 -1 1) in the plane.
        first = _region(TWINNED[number % len(TWINNED)], (1, 1, 0), rng)
        turn = 2 * np.rad2deg(np.arctan(np.sqrt(2))) * rng.choice([-1, 1])
        return first, replace(first, rotation=first.rotation + turn)
    if relation == "grains":
        phase = library_phase(str(rng.choice(PHASES)))
        first, _ = _visible_region(phase, scan, rng)
        turn = rng.uniform(6, 40) * rng.choice([-1, 1])
        return first, replace(first, rotation=first.rotation + turn)
    film, substrate, film_zone, zone, turn = COHERENT[number % len(COHERENT)]
    below = _region(substrate, zone, rng)
    above = _region(film, film_zone, rng, thickness=below.thickness)
    return below, replace(above, rotation=below.rotation + turn)


def _film(rng: np.random.Generator, element: str) -> Region:
    return Region(
        "amorphous",
        thickness=float(rng.uniform(3, 12)),
        element=element,
        density=float(rng.uniform(40, 90)),
        minimum_distance=float(rng.uniform(0.12, 0.18)),
    )


def _half_field(size: Array, shift: float, angle: float) -> Array:
    """Half plane whose edge passes at `shift` of the field from its centre, (4, 2)."""
    far = 4 * size.max()
    edge = shift * size.min()
    corners = np.array([[-far, edge], [far, edge], [far, far], [-far, far]])
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return size / 2 + corners @ turn.T


def candidates(case: Case, *, without: frozenset[str] = frozenset()) -> list[str]:
    """Names of 5 to 20 candidate phases in random order, all but those in `without`."""
    rng = np.random.default_rng([case["seed"], 7])
    true = sorted({crystal["phase"] for crystal in case["crystals"]})
    elements = frozenset().union(*(set(c["elements"]) for c in case["crystals"]))
    count = int(rng.integers(5, 21))
    made_of = [phase.name for phase in phases_of_elements(elements)]
    related = [
        name for name in phase_names() if library_phase(name).elements & elements
    ]
    ranked = true + shuffled(made_of, rng) + shuffled(related, rng)
    ranked += shuffled(phase_names(), rng)
    ranked = [name for name in dict.fromkeys(ranked) if name not in without]
    enough = sum(name in made_of for name in ranked[:20])
    return shuffled(ranked[: max(count, enough)], rng)


def shuffled(names: Sequence[str], rng: np.random.Generator) -> list[str]:
    """Names in random order."""
    return [names[i] for i in rng.permutation(len(names))]


def same_zone(phase: CrystalPhase, one: Array, other: Array) -> bool:
    """Whether two zone axes are of one family of the Laue group."""
    return bool((laue_operations(phase) @ one == other).all(axis=1).any())


def turn_between(phase: CrystalPhase, true: Array, found: Array) -> tuple[float, float]:
    """Degrees between two orientations and their part in the image plane.

    Of the orientations that show the same spots (Laue group, half a turn about the
    beam) the nearest counts.
    """
    cell = phase.lattice.T
    best = (np.inf, np.inf)
    for operation in laue_operations(phase):
        if np.linalg.det(operation) < 0:
            continue
        turned = true @ cell @ operation @ np.linalg.inv(cell)
        for half in (np.eye(3), np.diag([-1.0, -1.0, 1.0])):
            rest = found @ (half @ turned).T
            angle = np.rad2deg(Rotation.from_matrix(rest).magnitude())
            plane = np.arctan2(rest[1, 0] - rest[0, 1], rest[0, 0] + rest[1, 1])
            best = min(best, (float(angle), float(abs(np.rad2deg(plane)))))
    return best
