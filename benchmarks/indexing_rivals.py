# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Phase and zone axis from the same lists of spots: this package and other tools.

python benchmarks/indexing_rivals.py [--kinds ideal,noisy,scale,distorted]
    [--repeats N] [--every N] [--seed N] [--only TEXT …]
    [--python pyxem=PATH --python py4DSTEM=PATH] [--save FILE]

The spots are those of 26 zone axes of seven phases, which are also the candidates,
at random angles in the plane, drawn from kinematic structure factors; no tool sees
anything else. Kinds of lists:

ideal      exact positions
noisy      0.02 1/nm of jitter, a fifth of the spots missing, a tenth as many false
           ones, powers times exp(N(0, 0.5))
scale      noisy, all g 2 % too long
distorted  noisy, image scale uniformly within ±8 %, x against y within ±3 %, shear
           within ±1°

Each tool runs in a process of its own, in the interpreter named with --python, since
py4DSTEM 0.14 needs numpy < 2: pip install py4DSTEM in an environment of its own.
pyxem needs one that can also import this package. A tool that is not installed is
reported as such. CPU seconds are those of one pattern against all candidates, all
threads together, after a first pattern; banks and plans are under "prepare". A tool
made for scans, as pyxem's is, starts its machinery anew for each pattern.

The settings of the tools stand in their functions. Spectra of images know no
curvature of the Ewald sphere and no tilt, so the other tools also get a flat sphere
(300 kV would be their usual input) and, pyxem, a bank of zone axes alone.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

Array = np.ndarray

ZONES = {
    **dict.fromkeys(
        (
            "Si diamond", "GaAs zincblende", "MgO rocksalt", "Au fcc",
            "SrTiO3 cubic perovskite", "Fe bcc",
        ),
        ((0, 0, 1), (1, 1, 0), (1, 1, 1), (1, 1, 2)),
    ),
    "Ti hcp": ((0, 0, 1), (1, 0, 0)),
}  # fmt: skip
KINDS = ("ideal", "noisy", "scale", "distorted")
REACH = 14.0
"""1/nm; the spots that are drawn and those that the tools expect."""
STRONGEST = 3e4
"""Power over noise of the strongest spot of a list."""
FAINTEST = 10.0
DAMPING = 8.0
"""1/nm; power falls by exp(−(g / DAMPING)²)."""
FIELD = 20.0
"""nm; edge of the region the spots would come from, for their standard errors."""
NEAR = 3.0
"""Degrees within which a zone axis is right."""
FLAT = 1e6
"""kV at which the Ewald sphere is a plane."""
MAX_INDEX = 3
"""Of the zone axes in banks of zone axes, and in our own search."""


# Spots ------------------------------------------------------------------------------


class Spots(NamedTuple):
    """Spots of one pattern and what is true of them."""

    kind: str
    phase: int
    zone_axis: tuple[int, int, int]
    g: Array
    std: Array
    snr: Array


class Found(NamedTuple):
    """A phase and the direction seen along, in the Cartesian axes of the crystal."""

    phase: int
    direction: Array


def spot_lists(
    kinds: Sequence[str], repeats: int, seed: int, every: int = 1
) -> list[Spots]:
    """The lists of spots of every Nth case, Friedel partners included."""
    cases = [(name, axis) for name, axes in ZONES.items() for axis in axes]
    lists = []
    for repeat in range(repeats):
        for number, (name, axis) in list(enumerate(cases))[::every]:
            for kind in kinds:
                key = (seed, repeat, number, KINDS.index(kind))
                lists.append(draw_spots(name, axis, kind, np.random.default_rng(key)))
    return lists


def draw_spots(
    name: str, axis: tuple[int, int, int], kind: str, random: np.random.Generator
) -> Spots:
    """Spots of a zone, its powers in units of the noise."""
    g, power = zone_spots(name, axis)
    angle = random.uniform(0, 2 * np.pi)
    g = g @ [[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]]
    if kind != "ideal":
        g, power = spoil(g, power, random)
    g = g @ distortion(kind, random).T
    seen = power >= FAINTEST
    g, power = g[seen], power[seen]
    # Cramér-Rao bound of the frequency of a wave in a square field.
    std = np.sqrt(3 / (2 * power)) / (np.pi * FIELD)
    if kind != "ideal":
        std = np.hypot(std, 0.02)
    both = np.concatenate([g, -g]), np.tile(std, 2), np.tile(power, 2)
    return Spots(kind, list(ZONES).index(name), axis, *both)


def zone_spots(name: str, axis: tuple[int, int, int]) -> tuple[Array, Array]:
    """In-plane positions in 1/nm and powers of one of each Friedel pair."""
    from hyperspy_t2t.frames import zone_axis_frame
    from hyperspy_t2t.frequencies import upper_half
    from hyperspy_t2t.phases.library import library_phase
    from hyperspy_t2t.phases.reflections import reflection_table, zone_reflections

    phase = library_phase(name)
    zone = zone_reflections(reflection_table(phase, min_d_nm=1 / REACH), axis)
    g = zone.g @ zone_axis_frame(phase.lattice, axis)[:2].T
    power = zone.intensity * np.exp(-((g**2).sum(1) / DAMPING**2))
    power *= STRONGEST / power.max()
    seen = upper_half(g) & (power >= FAINTEST)
    return g[seen], power[seen]


def spoil(g: Array, power: Array, random: np.random.Generator) -> tuple[Array, Array]:
    """Jitter, missing spots, false spots and wrong powers."""
    real = len(g)
    kept = random.random(real) > 0.2
    g = g[kept] + random.normal(0, 0.02, (kept.sum(), 2))
    power = power[kept] * np.exp(random.normal(0, 0.5, kept.sum()))
    false = random.binomial(real, 0.1)
    radius = REACH * 0.7 * np.sqrt(random.uniform(0.02, 1, false))
    angle = random.uniform(0, np.pi, false)
    more = radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], 1)
    # False spots are as strong as weak true ones.
    strength = FAINTEST * np.exp(random.exponential(1.0, false))
    return np.concatenate([g, more]), np.concatenate([power, strength])


def distortion(kind: str, random: np.random.Generator) -> Array:
    """The matrix that takes true g to g in the spectrum."""
    if kind == "scale":
        return 1.02 * np.eye(2)
    if kind != "distorted":
        return np.eye(2)
    scale = 1 + random.uniform(-0.08, 0.08)
    stretch = random.uniform(-0.03, 0.03) / 2
    shear = np.tan(np.deg2rad(random.uniform(-1, 1)))
    return scale * np.array([[1 + stretch, shear], [0, 1 - stretch]])


# Tools: each takes the candidates, prepares, and returns a function ------------------
# of spots and numbers of candidates that gives its answers, best first.

Phases = list[dict[str, Any]]
Index = Callable[[Spots, Sequence[int]], list[Found]]


def ours(phases: Phases, *, scale: float, distortion: float) -> Index:
    """index_regions(), zone axes up to MAX_INDEX; "none of these" is no answer here.

    The tolerances are two standard deviations of the scale error and of the distortion.
    """
    from hyperspy_t2t.phases.crystal_phase import CrystalPhase
    from hyperspy_t2t.phases.distortion import Tolerances
    from hyperspy_t2t.phases.independent import RegionSpots
    from hyperspy_t2t.phases.indexing import PhaseSearch, index_regions

    crystals = [CrystalPhase.from_dict(phase) for phase in phases]
    tolerances = Tolerances(scale=scale, distortion=distortion)

    def index(spots: Spots, numbers: Sequence[int]) -> list[Found]:
        region = RegionSpots(spots.g, spots.std, spots.snr)
        candidates = [crystals[number] for number in numbers]
        search = PhaseSearch(candidates, max_index=MAX_INDEX)
        found = index_regions([region], search, tolerances=tolerances)[0]
        return [
            Found(numbers[one.phase], one.zone_axis @ candidates[one.phase].lattice)
            for one in found.solutions
        ]

    return index


def pyxem_templates(
    phases: Phases,
    *,
    bank: str,
    voltage: float,
    excitation: float,
    blur: float,
    scales: Sequence[float] = (1.0,),
) -> Index:
    """get_orientation() on a polar pattern in which each spot is a Gaussian.

    Full correlation with all templates of all phases (n_best=-1), square roots of the
    powers, as pyxem's documentation advises. The spots are drawn on the polar grid,
    0.01 1/Å and 1°, without a detour through an image. `blur` in 1/nm is their width;
    the one in TOOLS was best of four on lists of another seed, ideal to scale.
    `excitation` is the largest excitation error in 1/Å. Of several `scales` the one
    that correlates best counts.
    """
    import hyperspy.api as hs
    from pyxem.signals import PolarDiffraction2D

    hs.preferences.General.show_progressbar = False
    hs.set_log_level("ERROR")
    simulation, directions, owner = simulated_bank(phases, bank, voltage, excitation)

    def index(spots: Spots, numbers: Sequence[int]) -> list[Found]:
        radii = np.arange(0.0, REACH / 10 + 0.1, 0.01)
        patterns = [polar_pattern(spots, radii, scale, blur) for scale in scales]
        signal = PolarDiffraction2D(np.stack(patterns))
        azimuth, radial = signal.axes_manager.signal_axes
        azimuth.offset, azimuth.scale = -np.pi, np.deg2rad(1.0)
        radial.offset, radial.scale = radii[0], radii[1] - radii[0]
        result = signal.get_orientation(simulation, n_best=-1, frac_keep=1.0)
        rows = result.data.reshape(-1, 4)
        best = {}
        for number in numbers:
            own = rows[owner[rows[:, 0].astype(int)] == number]
            template, correlation = own[own[:, 1].argmax(), :2]
            best[number] = (correlation, directions[int(template)])
        return ranked(best)

    return index


def polar_pattern(spots: Spots, radii: Array, scale: float, blur: float) -> Array:
    """Square root of a pattern over radii in 1/Å and 360 azimuths."""
    azimuth = -np.pi + np.deg2rad(np.arange(360))
    x, y = 10 * radii[:, None] * np.stack([np.cos(azimuth), np.sin(azimuth)])[:, None]
    pattern = np.zeros(x.shape)
    for (gx, gy), power in zip(spots.g / scale, spots.snr, strict=True):
        square = (x - gx) ** 2 + (y - gy) ** 2
        pattern += np.sqrt(power) * np.exp(-square / (2 * blur**2))
    return pattern


def simulated_bank(
    phases: Phases, bank: str, voltage: float, excitation: float
) -> tuple[Any, Array, Array]:
    """diffsims templates, and the direction and the phase of each."""
    from diffsims.generators.simulation_generator import SimulationGenerator

    from hyperspy_t2t.phases.convert import phase_to_orix
    from hyperspy_t2t.phases.crystal_phase import CrystalPhase

    crystals = [CrystalPhase.from_dict(phase) for phase in phases]
    rotations = [bank_rotations(crystal, bank) for crystal in crystals]
    generator = SimulationGenerator(voltage, minimum_intensity=1e-4)
    simulation = generator.calculate_diffraction2d(
        [phase_to_orix(crystal) for crystal in crystals],
        rotation=rotations,
        reciprocal_radius=REACH / 10,
        max_excitation_error=excitation,
        with_direct_beam=False,
    )
    owner = np.repeat(np.arange(len(phases)), [each.size for each in rotations])
    directions = np.concatenate([each.to_matrix()[:, :, 2] for each in rotations])
    return simulation, directions, owner


def bank_rotations(crystal: Any, bank: str) -> Any:
    """Rotations from the image to the crystal, as diffsims takes them."""
    from orix.quaternion import Rotation
    from orix.sampling import get_sample_reduced_fundamental

    from hyperspy_t2t.frames import zone_axis_frame
    from hyperspy_t2t.phases.convert import phase_to_orix
    from hyperspy_t2t.phases.reflections import (
        reflection_table,
        zone_axes,
        zone_reflections,
    )

    if bank == "grid":
        group = phase_to_orix(crystal).point_group.laue
        return get_sample_reduced_fundamental(2.0, point_group=group)
    table = reflection_table(crystal, min_d_nm=1 / REACH)
    # diffsims cannot simulate a pattern without reflections.
    frames = [
        zone_axis_frame(crystal.lattice, axis)
        for axis in zone_axes(crystal, max_index=MAX_INDEX)
        if len(zone_reflections(table, axis))
    ]
    return ~Rotation.from_matrix(np.stack(frames))


def pyxem_vectors(phases: Phases) -> Index:
    """match_vectors(), what VectorIndexationGenerator maps over a scan.

    Lengths within 0.01 1/Å, angles within 1°, indices within 0.15, pairs of the ten
    spots that it chooses; by match rate, then by error. Its maintainers no longer
    recommend it.
    """
    from diffsims.generators.library_generator import VectorLibraryGenerator
    from diffsims.libraries.structure_library import StructureLibrary
    from pyxem.utils.indexation_utils import match_vectors

    from hyperspy_t2t.phases.convert import phase_to_orix
    from hyperspy_t2t.phases.crystal_phase import CrystalPhase

    def library(phase: dict[str, Any]) -> Any:
        structure = phase_to_orix(CrystalPhase.from_dict(phase)).structure
        known = StructureLibrary([phase["name"]], [structure], [[(0, 0, 0)]])
        return VectorLibraryGenerator(known).get_vector_library(VECTOR_REACH / 10)

    libraries = [library(phase) for phase in phases]

    def index(spots: Spots, numbers: Sequence[int]) -> list[Found]:
        peaks = np.column_stack([spots.g / 10, np.zeros(len(spots.g))])
        peaks = peaks[np.linalg.norm(spots.g, axis=1) < VECTOR_REACH]
        best = {}
        for number in numbers:
            matches, _ = match_vectors(
                peaks,
                libraries[number],
                mag_tol=0.01,
                angle_tol=np.deg2rad(1.0),
                index_error_tol=0.15,
                n_peaks_to_index=min(10, len(peaks)),
                n_best=50,
            )
            for match in matches:
                if match is None:
                    continue
                rank = match.match_rate - 1e-3 * match.total_error
                if rank > best.get(number, (-np.inf,))[0]:
                    best[number] = (rank, match.rotation_matrix[:, 2])
        return ranked(best)

    return index


VECTOR_REACH = 10.0
"""1/nm; its table of pairs grows with the sixth power."""


def py4dstem_acom(phases: Phases, *, voltage: float, excitation: float) -> Index:
    """Crystal.match_single_pattern(): steps of 2°, else its defaults.

    Kernel 0.08 1/Å; `excitation` is sigma_excitation_error in 1/Å and `voltage` in
    kV. Powers are given as they are: it takes their fourth root.
    """
    from emdfile import PointList
    from py4DSTEM.process.diffraction import Crystal

    corner = {
        True: np.array([[3**0.5 / 2, 0.5, 0.0], [1.0, 0.0, 0.0]]),
        False: np.array([[0.0, 1.0, 1.0], [1.0, 1.0, 1.0]]),
    }
    crystals = []
    for phase in phases:
        crystal = Crystal(phase["fractional"], phase["numbers"], phase["cell"])
        crystal.calculate_structure_factors(REACH / 10)
        crystal.orientation_plan(
            zone_axis_range=corner[phase["cell"][5] == 120],
            angle_step_zone_axis=2.0,
            angle_step_in_plane=2.0,
            accel_voltage=1e3 * voltage,
            sigma_excitation_error=excitation,
            progress_bar=False,
        )
        crystals.append(crystal)

    def index(spots: Spots, numbers: Sequence[int]) -> list[Found]:
        columns = [("qx", float), ("qy", float), ("intensity", float)]
        peaks = np.zeros(len(spots.g), columns)
        peaks["qx"], peaks["qy"] = spots.g.T / 10
        peaks["intensity"] = spots.snr
        best = {}
        for number in numbers:
            match = crystals[number].match_single_pattern(PointList(peaks))
            best[number] = (match.corr[0], match.matrix[0][:, 2])
        return ranked(best)

    return index


def ranked(best: dict[int, tuple[float, Array]]) -> list[Found]:
    """Phases by falling score."""
    order = sorted(best, key=lambda number: -best[number][0])
    return [Found(number, best[number][1]) for number in order]


class Tool(NamedTuple):
    """A row of the table: the package it needs and how it is prepared."""

    package: str
    prepare: Callable[[Phases], Index]


_ZONES = {"bank": "zone axes", "voltage": FLAT, "excitation": 0.01, "blur": 0.25}
TOOLS = {
    "hyperspy_t2t, scale ±10 %": Tool(
        "hyperspy_t2t", partial(ours, scale=0.1, distortion=0.05)
    ),
    "hyperspy_t2t, scale ±1 %": Tool(
        "hyperspy_t2t", partial(ours, scale=0.01, distortion=0.01)
    ),
    "pyxem templates, 2° grid, 300 kV": Tool(
        "pyxem",
        partial(pyxem_templates, bank="grid", voltage=300, excitation=0.03, blur=0.25),
    ),
    "pyxem templates, zone axes, flat": Tool(
        "pyxem", partial(pyxem_templates, **_ZONES)
    ),
    "pyxem templates, zone axes, flat, 21 scales": Tool(
        "pyxem",
        partial(pyxem_templates, **_ZONES, scales=np.linspace(0.9, 1.1, 21)),
    ),
    "pyxem vectors": Tool("pyxem", pyxem_vectors),
    "py4DSTEM ACOM, defaults, 300 kV": Tool(
        "py4DSTEM", partial(py4dstem_acom, voltage=300, excitation=0.02)
    ),
    "py4DSTEM ACOM, excitation 0.005, 300 kV": Tool(
        "py4DSTEM", partial(py4dstem_acom, voltage=300, excitation=0.005)
    ),
    "py4DSTEM ACOM, excitation 0.005, flat": Tool(
        "py4DSTEM", partial(py4dstem_acom, voltage=FLAT, excitation=0.005)
    ),
}


# A process for each tool --------------------------------------------------------------


class Result(NamedTuple):
    """What a tool said of one list."""

    kind: str
    case: str
    said: int | None
    direction: list[float] | None
    seconds: float


def run_worker(name: str, folder: Path) -> None:
    """Answer the lists in a folder with one tool and leave the answers there."""
    warnings.simplefilter("ignore")
    asked = json.loads((folder / "asked.json").read_text())
    phases = asked["phases"]
    lists = [Spots(*row[:3], *map(np.array, row[3:])) for row in asked["lists"]]
    start = time.process_time()
    try:
        index = TOOLS[name].prepare(phases)
    except ModuleNotFoundError as missing:
        answer = {"missing": f"not installed ({missing.name})"}
    else:
        prepared = time.process_time() - start
        index(lists[0], range(len(phases)))
        answer = {
            "prepare": prepared,
            "results": [answer_of(index, spots, phases) for spots in lists],
        }
    (folder / "answer.json").write_text(json.dumps(answer))


def answer_of(index: Index, spots: Spots, phases: Phases) -> Result:
    """The phase, and the zone axis of the right phase, which may need asking again."""
    start = time.process_time()
    found = index(spots, list(range(len(phases))))
    seconds = time.process_time() - start
    right = [one for one in found if one.phase == spots.phase]
    right = right or index(spots, [spots.phase])
    case = f"{phases[spots.phase]['name']} {list(spots.zone_axis)}"
    direction = np.asarray(right[0].direction).tolist() if right else None
    said = int(found[0].phase) if found else None
    return Result(spots.kind, case, said, direction, seconds)


def ask(name: str, python: str, asked: str) -> dict[str, Any]:
    """What a tool answers in its own process; "missing" says why there is nothing."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "asked.json").write_text(asked)
        command = [python, __file__, "--worker", name, folder]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        answer = Path(folder) / "answer.json"
        if answer.exists():
            return json.loads(answer.read_text())
        return {"missing": f"failed: {done.stderr.strip().splitlines()[-1:]}"}


# Scores -----------------------------------------------------------------------------


def axis_error(spots: Spots, phase: Any, direction: list[float] | None) -> float:
    """Degrees between a direction and the nearest axis equivalent to the true one."""
    from hyperspy_t2t.phases.reflections import laue_operations

    if direction is None or not np.any(direction):
        return 180.0
    axes = laue_operations(phase) @ np.array(spots.zone_axis) @ phase.lattice
    cosine = axes @ direction / np.linalg.norm(axes, axis=1) / np.linalg.norm(direction)
    return float(np.degrees(np.arccos(min(1.0, np.abs(cosine).max()))))


def scores(
    lists: list[Spots], crystals: list[Any], results: list[list]
) -> Iterator[tuple[str, float, float, float]]:
    """Kind, share of right phases, share of right axes, mean CPU seconds."""
    rows = [Result(*row) for row in results]
    for kind in dict.fromkeys(spots.kind for spots in lists):
        those = [(s, r) for s, r in zip(lists, rows, strict=True) if s.kind == kind]
        phase = np.mean([spots.phase == row.said for spots, row in those])
        errors = [axis_error(s, crystals[s.phase], r.direction) for s, r in those]
        seconds = np.mean([row.seconds for _, row in those])
        yield kind, float(phase), float(np.mean(np.array(errors) < NEAR)), seconds


def table_row(name: str, answer: dict[str, Any], lists: list, crystals: list) -> str:
    """One row in Markdown: phase / axis for each kind, then the seconds."""
    if "missing" in answer:
        return f"| {name} | {answer['missing']} |"
    found = list(scores(lists, crystals, answer["results"]))
    cells = [f"{phase:.3f} / {axis:.3f}" for _, phase, axis, _ in found]
    seconds = np.mean([each for *_, each in found])
    return f"| {name} | {' | '.join(cells)} | {seconds:.3f} | {answer['prepare']:.1f} |"


def plain(value: Any) -> Any:
    """Arrays as lists, for JSON."""
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value


def main() -> None:
    options = parse()
    if options.worker:
        run_worker(options.worker[0], Path(options.worker[1]))
        return
    from hyperspy_t2t.phases.library import library_phase

    kinds = options.kinds.split(",")
    lists = spot_lists(kinds, options.repeats, options.seed, options.every)
    crystals = [library_phase(name) for name in ZONES]
    phases = [
        {key: plain(value) for key, value in crystal.to_dict().items()}
        for crystal in crystals
    ]
    rows = [[plain(value) for value in spots] for spots in lists]
    asked = json.dumps({"phases": phases, "lists": rows})
    python = dict(one.split("=", 1) for one in options.python)
    counts = [sum(spots.kind == kind for spots in lists) for kind in kinds]
    print(f"{len(crystals)} candidates; lists of each kind: {counts}")
    print(f"| phase / zone axis | {' | '.join(kinds)} | CPU s | prepare, CPU s |")
    print("|---" * (len(kinds) + 3) + "|")
    answers = {}
    for name, tool in TOOLS.items():
        if not any(text in name for text in options.only):
            continue
        answers[name] = ask(name, python.get(tool.package, sys.executable), asked)
        print(table_row(name, answers[name], lists, crystals), flush=True)
    if options.save:
        Path(options.save).write_text(json.dumps(answers))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kinds", default=",".join(KINDS))
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--every", type=int, default=1, help="take every Nth case")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="+", default=[""], metavar="PART_OF_NAME")
    parser.add_argument("--python", action="append", default=[])
    parser.add_argument("--save", default="", help="all answers, as JSON")
    parser.add_argument("--worker", nargs=2, help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
