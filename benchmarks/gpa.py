# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Geometric phase analysis against known strain and against other programs.

python benchmarks/gpa.py accuracy|automatic|speed [--scene NAME,…] [--dose none,2,…]
    [--size 512,…] [--seeds N] [--method NAME,…] [--from-core 2] [--python kemstem=PATH]

accuracy   All with the same average of 0.40 nm, the same two g at whole pixels of the
           spectrum and the same reference box, against the truth averaged likewise.
automatic  This package from the image and the names of the phases alone, the others
           told g and box, with the mask that is their own default; against the truth.
speed      CPU seconds (median of five after a first, small call) and peak memory, each
           tool in a process of its own.

Errors are in 1e-4 in the "gpa" convention, more than 1.5 nm from frame and interface
and more than 2 nm (--from-core) from a dislocation, over all seeds. "False" is the
largest strain in per cent more than 1.5 nm from the frame, where interfaces are
unstrained. "Error over quoted" is the standard deviation of error, blur included, over
quoted standard error. Scenes are in gpa_scenes.py, other programs in gpa_rivals.py. In
an environment of its own or in this one: pip install kemstem==0.0.6. A program that is
not there is said to be so.
"""

import argparse
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gpa_rivals
import numpy as np
from gpa_scenes import FROM_CORE, Scene, draw, scene_names
from images import image_in_nm
from measuring import peak_memory

from hyperspy_t2t.signals import SegmentedImage

Array = np.ndarray
RESOLUTION, SIGMA_G = 0.40, 0.40
"""nm and 1/nm: 1/(2π 0.40 nm) is 0.40 1/nm."""
ALL_G = "auto"
"""What asks for every useful g."""
REPEATS = 5
COMPONENTS = "exx / eyy / exy / rotation"


@dataclass(frozen=True)
class Map:
    """What one method says.

    Parameters
    ----------
    strain
        exx, eyy, exy, rotation, (4, ny, nx), "gpa" convention.
    references
        For groups of pixels their mask and that of their reference.
    std
        Quoted standard errors, (4, ny, nx), or None.
    labels
        Regions that were found, (ny, nx), or None.
    note
        What was chosen.
    seconds
        CPU seconds of the whole.
    """

    strain: Array
    references: list[tuple[Array, Array]]
    std: Array | None = None
    labels: Array | None = None
    note: str = ""
    seconds: float = 0.0


# This package -----------------------------------------------------------------------


def micrograph(image: Array, pixel: Sequence[float]) -> Any:
    """Micrograph with axes in nm."""
    return image_in_nm(np.asarray(image, np.float32), pixel, kind="micrograph")


def clicked(scene: Scene) -> Array:
    """The pair at whole pixels of the spectrum, as a click gives it."""
    field = np.array(scene.labels.shape[::-1]) * scene.pixel
    return np.rint(scene.pair * field) / field


def quoted(strain: Any) -> Array | None:
    """Standard errors of the four components where the map has them."""
    if not hasattr(strain, "uncertainty"):
        return None
    return np.asarray(strain.uncertainty.data, float)


def in_one_box(scene: Scene) -> list[tuple[Array, Array]]:
    """All pixels with the box as their reference."""
    return [(np.ones(scene.labels.shape, bool), scene.in_box())]


def ours_pair(scene: Scene) -> Map:
    """Two g by hand."""
    strain = micrograph(scene.image, scene.pixel).gpa(
        g_vectors=clicked(scene),
        reference=scene.box,
        resolution=RESOLUTION,
        convention="gpa",
    )
    return Map(np.asarray(strain.data, float), in_one_box(scene), quoted(strain))


def ours_all(scene: Scene) -> Map:
    """All useful g of indexed peaks in the true regions."""
    image = micrograph(scene.image, scene.pixel)
    peaks = SegmentedImage.from_labels(image, scene.labels).find_peaks()
    peaks = peaks.index_phases(scene.candidates)
    strain = peaks.gpa(scene.box, ALL_G, resolution=RESOLUTION, convention="gpa")
    references = references_of(strain, scene.labels, scene.labels, scene.in_box())
    note = f"{len(strain.g_vectors)} g"
    return Map(np.asarray(strain.data, float), references, quoted(strain), note=note)


def automatic(scene: Scene) -> Map:
    """The whole chain without a choice."""
    start = time.process_time()
    segmented = micrograph(scene.image, scene.pixel).segment()
    peaks = segmented.find_peaks().index_phases(scene.candidates)
    strain = peaks.gpa(convention="gpa")
    data, std = np.asarray(strain.data, float), quoted(strain)
    seconds = time.process_time() - start
    labels = np.asarray(segmented.labels.data)
    names = []
    for domain in strain.metadata.Strain.domains.as_dictionary().values():
        true = scene.labels[labels == int(domain["reference"])]
        share = (true == 1).mean()
        where = "substrate" if share > 0.9 else "film" if share < 0.1 else "both"
        g = "; ".join(f"{x:.2f}, {y:.2f}" for x, y in domain["g_vectors"][:2])
        names.append(
            f"{where}, {len(domain['g_vectors'])} g ({g}), "
            f"{float(domain['resolution']):.2f} nm"
        )
    box = np.asarray(strain.metadata.Strain.reference_box, float)
    first = _box_mask(scene, box) if box.size else None
    return Map(
        data,
        references_of(
            strain, labels, scene.labels, scene.scored if first is None else first
        ),
        std,
        labels,
        " + ".join(names),
        seconds,
    )


def _box_mask(scene: Scene, box: Array) -> Array:
    job = {"image": scene.image, "pixel": scene.pixel, "box": box}
    return gpa_rivals.in_box(job)


def references_of(
    strain: Any, labels: Array, true: Array, inside: Array
) -> list[tuple[Array, Array]]:
    """Regions with the pixels that each is measured against.

    Of a reference those `inside` that belong to the true region it mostly is; all of
    it where there are none.
    """
    groups = []
    for member, reference in strain.reference_of.items():
        mask = labels == reference
        mostly = np.bincount(true[mask]).argmax()
        inner = mask & inside
        # Few pixels given to the wrong side of an interface are no reference.
        if (true[mask] == mostly).mean() > 0.9:
            inner &= true == mostly
        groups.append((labels == member, inner if inner.any() else mask))
    return groups


# Others -----------------------------------------------------------------------------


def rival(tool: str, python: str, sigma_g: float) -> Callable[[Scene], Map]:
    """A method that runs a tool in an interpreter."""

    def run(scene: Scene) -> Map:
        found = in_process([python, gpa_rivals.__file__, tool], scene, sigma_g, 1)
        return Map(found["strain"].astype(float), in_one_box(scene))

    return run


def in_process(
    command: list[str],
    scene: Scene,
    sigma_g: float,
    repeats: int,
    g: Array | None = None,
) -> dict[str, Array]:
    """What a process with the protocol of gpa_rivals.py answers."""
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "in.npz", Path(folder) / "out.npz"
        np.savez(
            source, image=scene.image, pixel=scene.pixel,
            g=clicked(scene) if g is None else g, sigma_g=sigma_g, box=scene.box,
        )  # fmt: skip
        words = [*command, str(source), str(target), str(repeats)]
        done = subprocess.run(words, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(done.stderr.strip().splitlines()[-1])
        return dict(np.load(target))


def missing(tool: str, python: str) -> str | None:
    """Why a tool cannot run, or None."""
    if tool == "textbook":
        return None
    try:
        done = subprocess.run([python, "-c", f"import {tool}"], capture_output=True)
    except OSError as error:
        return f"{tool} left out: {error}"
    if done.returncode == 0:
        return None
    return (
        f"{tool} left out: not installed for {python}. pip install kemstem==0.0.6, in "
        "another environment if need be, and --python kemstem=PATH."
    )


# Scores -----------------------------------------------------------------------------


class Score:
    """Errors of one method on one scene, over all seeds."""

    def __init__(self) -> None:
        self.errors: list[Array] = []
        self.ratios: list[Array] = []
        self.film: list[Array] = []
        self.false: list[float] = []
        self.found: list[float] = []
        self.interface: list[float] = []
        self.seconds: list[float] = []
        self.note = ""

    def add(self, scene: Scene, found: Map, blur: float) -> None:
        """Take in one map."""
        error, whole = (
            found.strain - scene_truth(scene, found, b) for b in (blur, 0.0)
        )
        known = np.isfinite(error).all(axis=0)
        scored = scene.scored & known
        self.found.append(scored.sum() / scene.scored.sum())
        self.errors.append(1e4 * error[:, scored])
        film = scored & (scene.labels == scene.labels.max())
        self.film.append(1e4 * error[:, film].mean(axis=1))
        inside = scene.within(1.5) & known
        self.false.append(100 * np.abs(error[:, inside]).max())
        if found.std is not None:
            self.ratios.append((whole / found.std)[:, scored])
        if found.labels is not None:
            self.interface.append(_misplaced(scene, found.labels))
        self.seconds.append(found.seconds)
        self.note = found.note

    def cells(self) -> list[str]:
        """RMSE, bias, error of the film's mean, error over quoted."""
        errors = np.concatenate(self.errors, axis=1)
        ratio = "–"
        if self.ratios:
            ratios = np.concatenate(self.ratios, axis=1)
            ratios = ratios[:, np.isfinite(ratios).all(axis=0)]
            ratio = _slashed(ratios.std(axis=1), 2)
        return [
            _slashed(np.sqrt((errors**2).mean(axis=1))),
            _slashed(errors.mean(axis=1)),
            _slashed(np.abs(self.film).max(axis=0)),
            f"{max(self.false):.2f}",
            ratio,
        ]


def scene_truth(scene: Scene, found: Map, blur: float) -> Array:
    """The strain that a map should have, each region against its reference."""
    truth = np.full_like(found.strain, np.nan)
    for members, reference in found.references:
        truth[:, members] = scene.strain(reference, blur=blur)[:, members]
    return truth


def _misplaced(scene: Scene, labels: Array) -> float:
    """Area that is given to the wrong side, in nm per nm of interface."""
    if scene.labels.max() == 1:
        return 0.0
    wrong = np.zeros(labels.shape, bool)
    for label in np.unique(labels):
        mask = labels == label
        mostly = 1 + ((scene.labels[mask] == 2).mean() > 0.5)
        wrong |= mask & ((scene.labels != mostly) | (label == 0))
    return float(wrong.sum() * scene.pixel[1] / labels.shape[1])


def _slashed(values: Array, digits: int = 1) -> str:
    return " / ".join(f"{value:.{digits}f}" for value in values)


# Tables -----------------------------------------------------------------------------

Methods = dict[str, Callable[[Scene], Map]]


def accuracy(options: argparse.Namespace) -> None:
    """Table of all at equal resolution."""
    methods: Methods = {
        "ours, pair": ours_pair,
        "ours, all g": ours_all,
        **rivals(options, SIGMA_G),
    }
    print(
        f"| scene | size | counts | method | RMSE {COMPONENTS} | bias | "
        "error of the film's mean | false, % | error over quoted |\n" + "|---" * 9 + "|"
    )
    for label, score in scores(options, methods, RESOLUTION):
        print(
            f"| {label} {score.note} | " + " | ".join(score.cells()) + " |", flush=True
        )


def automatically(options: argparse.Namespace) -> None:
    """Table of all at their own defaults."""
    methods: Methods = {"ours, automatic": automatic, **rivals(options, 0.0)}
    print(
        f"| scene | size | counts | method | RMSE {COMPONENTS} | bias | "
        "error of the film's mean | false, % | error over quoted | found, % | "
        "interface, nm | CPU s | choices |\n" + "|---" * 13 + "|"
    )
    for label, score in scores(options, methods, 0.0):
        extra = [
            f"{100 * min(score.found):.0f}",
            f"{max(score.interface):.2f}" if score.interface else "–",
            f"{np.median(score.seconds):.1f}" if score.interface else "–",
            score.note or "told",
        ]
        cells = [*score.cells(), *extra]
        print(f"| {label} | " + " | ".join(cells) + " |", flush=True)


def rivals(options: argparse.Namespace, sigma_g: float) -> Methods:
    """The tools that are there; of others a line says why not."""
    found: Methods = {}
    for tool in gpa_rivals.TOOLS:
        python = options.python.get(tool, sys.executable)
        reason = missing(tool, python)
        if reason:
            print(reason)
        else:
            found[tool] = rival(tool, python, sigma_g)
    return found


def scores(options: argparse.Namespace, methods: Methods, blur: float) -> Any:
    """Label and score of every scene, size, dose and method."""
    wanted = [name for name in methods if _wanted(name, options.method)]
    for name in options.scene:
        for size in options.size:
            for dose in options.dose:
                table = {method: Score() for method in wanted}
                failed: dict[str, str] = {}
                for seed in range(1 if dose is None else options.seeds):
                    scene = draw(
                        name, size=size, dose=dose, seed=seed,
                        from_core=options.from_core,
                    )  # fmt: skip
                    for method in wanted:
                        try:
                            table[method].add(scene, methods[method](scene), blur)
                        except Exception as error:
                            failed[method] = f"{type(error).__name__}: {error}"
                for method in wanted:
                    label = f"{name} | {size} | {dose or 'none'} | {method}"
                    if method in failed:
                        print(f"| {label} | {failed[method][:200]} |", flush=True)
                    else:
                        yield label, table[method]


def _wanted(name: str, words: Sequence[str]) -> bool:
    return not words or any(word in name for word in words)


def speed(options: argparse.Namespace) -> None:
    """Table of CPU seconds and memory."""
    print(
        "| size | method | CPU s | peak memory, MiB | above its start, MiB |\n"
        + "|---" * 5
        + "|"
    )
    here = [sys.executable, __file__, "work"]
    for size in options.size:
        scene = draw("epi1", size=size, dose=20.0)
        runs: dict[str, tuple[list[str], Array | None]] = {
            "ours, pair": ([*here, "gpa"], None),
            "ours, all g": ([*here, "gpa"], all_g()),
        }
        for tool in rivals(options, SIGMA_G):
            python = options.python.get(tool, sys.executable)
            runs[tool] = ([python, gpa_rivals.__file__, tool], None)
        for name, (command, g) in runs.items():
            if not _wanted(name, options.method):
                continue
            once = in_process(command, scene, SIGMA_G, 1, g)
            more = in_process(command, scene, SIGMA_G, REPEATS, g)
            before, peak = once["memory"]
            label = name if g is None else f"{name} ({len(g)})"
            seconds = np.median(more["seconds"])
            cells = f"{seconds:.3f} | {peak:.0f} | {peak - before:.0f}"
            print(f"| {size} | {label} | {cells} |", flush=True)


def all_g() -> Array:
    """All useful g of the scene, found on a small one."""
    scene = draw("epi1", size=512, dose=20.0)
    image = micrograph(scene.image, scene.pixel)
    peaks = SegmentedImage.from_labels(image, scene.labels).find_peaks()
    return peaks.gpa(scene.box, ALL_G, resolution=RESOLUTION).g_vectors


def work(source: str, target: str, repeats: int) -> None:
    """Run our gpa by hand with the protocol of gpa_rivals.py."""
    job = dict(np.load(source))
    image = micrograph(job["image"], job["pixel"])
    del job["image"]
    wanted = {"resolution": RESOLUTION, "convention": "gpa"}
    # Compiles and imports.
    quoted(image.isig[:256, :256].gpa(g_vectors=job["g"], **wanted))
    before, seconds = peak_memory(), []
    for _ in range(repeats):
        start = time.process_time()
        quoted(image.gpa(g_vectors=job["g"], reference=tuple(job["box"]), **wanted))
        seconds.append(time.process_time() - start)
    np.savez(target, seconds=seconds, memory=[before, peak_memory()])


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("table", choices=("accuracy", "automatic", "speed"))
    parser.add_argument("--scene", type=_list, default=["epi1", "SrTiO3"])
    parser.add_argument("--dose", type=_doses, default=[2.0, 20.0, 200.0])
    parser.add_argument("--size", type=lambda text: [int(n) for n in _list(text)])
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--method", type=_list, default=[])
    parser.add_argument("--from-core", type=float, default=FROM_CORE, metavar="NM")
    parser.add_argument("--python", action="append", default=[])
    options = parser.parse_args()
    options.python = dict(pair.split("=", 1) for pair in options.python)
    options.size = options.size or ([1024, 2048] if options.table == "speed" else [512])
    if options.scene == ["every"]:
        options.scene = scene_names()
    return options


def _list(text: str) -> list[str]:
    return text.split(",")


def _doses(text: str) -> list[float | None]:
    return [None if word == "none" else float(word) for word in _list(text)]


def main() -> None:
    if sys.argv[1:2] == ["work"]:
        work(*sys.argv[3:5], int(sys.argv[5]))
        return
    options = _arguments()
    warnings.simplefilter("ignore")
    {"accuracy": accuracy, "automatic": automatically, "speed": speed}[options.table](
        options
    )


if __name__ == "__main__":
    main()
