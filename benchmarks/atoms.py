# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Atomic models against the truth of drawn micrographs, and of real ones.

python benchmarks/atoms.py layers|zones|distorted|tetragonal|real [--size N]

Prints, for each region, how far the true columns are from those of the model (Å), how
many atoms have another coordination than in their crystal, how much their nearest
distances differ from those of the strained crystal, and how much the density does.
"""

import argparse
import os
import warnings
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from gpa_scenes import BACKGROUND, PIXEL, PROBE
from measuring import measured
from scipy.ndimage import distance_transform_edt
from scipy.spatial import cKDTree

from hyperspy_t2t.data.displacements import (
    Displacement,
    Uniform,
    coherent_epitaxy,
    relaxed_epitaxy,
    strained,
)
from hyperspy_t2t.data.synthetic import Region, synthetic_micrograph
from hyperspy_t2t.phases.crystal_phase import CrystalPhase
from hyperspy_t2t.phases.library import library_phase

Array = np.ndarray
BULK = 1.0
"""nm from interface and image border beyond which an atom counts as bulk."""
NEAR = 1.0
"""nm from the interface below which a column counts as near it."""
NEIGHBOURS = 32
SHELL = 1.15
"""Neighbours up to this many times the nearest distance of a site are its
coordination, unless a distance lies too close to it; see :func:`environments`."""


# What a crystal should look like ------------------------------------------------------


@dataclass(frozen=True)
class Environment:
    """Neighbours of one site of a crystal.

    Parameters
    ----------
    number
        Its atomic number.
    vectors
        To the nearest neighbours of the deformed crystal, sorted by length, Å, (k, 3).
    coordination, cutoff
        Neighbours closer than a distance in Å, which lies in a gap.
    """

    number: int
    vectors: Array
    coordination: int
    cutoff: float


def environments(crystal: CrystalPhase, deformation: Array) -> list[Environment]:
    """Environment of each site of a crystal deformed by F (3, 3), crystal frame."""
    lattice, found = np.asarray(crystal.lattice), []
    reach = np.ceil(12 * np.linalg.norm(np.linalg.inv(lattice), axis=0)).astype(int)
    cells = np.stack(
        np.meshgrid(*(np.arange(-n, n + 1) for n in reach), indexing="ij"), -1
    ).reshape(-1, 3)
    sites = (cells[:, None] + crystal.fractional[None]).reshape(-1, 3)
    for number, fractional in zip(crystal.numbers, crystal.fractional, strict=True):
        vectors = (sites - fractional) @ lattice @ deformation.T
        length = np.linalg.norm(vectors, axis=1)
        order = np.argsort(length)[1:NEIGHBOURS]
        length = length[order]
        first = max(1, int((length < SHELL * length[0]).sum()))
        gaps = length[first:] - length[first - 1 : -1]
        last = first - 1 + int(np.flatnonzero(gaps > 0.05 * length[0])[0])
        cutoff = 0.5 * (length[last] + length[last + 1])
        found.append(Environment(int(number), vectors[order], last + 1, cutoff))
    return found


@dataclass(frozen=True)
class Check:
    """What a region's bulk atoms show.

    Parameters
    ----------
    atoms
        How many were looked at.
    wrong
        Share whose number of neighbours is that of no site of their element.
    distance
        Largest and median relative error of the coordination's distances.
    density
        Relative error.
    """

    atoms: int
    wrong: float
    distance: tuple[float, float]
    density: float

    def __str__(self) -> str:
        return (
            f"{self.atoms:7d} bulk atoms, {100 * self.wrong:6.2f} % other coordination,"
            f" distances off by {100 * self.distance[1]:.3f} % (median),"
            f" {100 * self.distance[0]:.3f} % (largest),"
            f" density by {100 * self.density:+.2f} %"
        )


def neighbour_distances(
    positions: Array, centres: Array, repeat: Array, *, count: int
) -> Array:
    """Distances to the nearest atoms of a model periodic along one vector, sorted.

    Parameters
    ----------
    positions, centres
        All atoms and those asked for, Å, (n, 3) and (m, 3).
    repeat
        The vector along the beam after which the model repeats, Å, (3,).
    """
    copies = max(1, int(np.ceil(12 / np.linalg.norm(repeat))))
    shifts = np.arange(-copies, copies + 1)[:, None] * repeat
    everything = (positions[None] + shifts[:, None]).reshape(-1, 3)
    return cKDTree(everything).query(centres, k=count + 1)[0][:, 1:]


def check_region(
    model: Any, crystal: CrystalPhase, deformation: Array, bulk: Array
) -> Check:
    """Compare the bulk atoms (n,) of a model with a crystal deformed by F (3, 3)."""
    known = environments(crystal, deformation)
    chosen = np.flatnonzero(bulk)
    if not len(chosen):
        return Check(0, np.nan, (np.nan, np.nan), np.nan)
    positions, numbers = model.positions, model.numbers
    height = height_of(model, int(np.median(model.region[chosen])))
    repeat = model.cell[2] / model.cell[2, 2] * height
    count = max(len(e.vectors) for e in known)
    found = neighbour_distances(positions, positions[chosen], repeat, count=count)
    wrong, error = np.ones(len(chosen), bool), np.full(len(chosen), np.inf)
    for site in known:
        mine = numbers[chosen] == site.number
        right = mine & ((found < site.cutoff).sum(axis=1) == site.coordination)
        wrong[right] = False
        expected = np.linalg.norm(site.vectors[: site.coordination], axis=1)
        off = np.abs(found[:, : site.coordination] / expected - 1).max(axis=1)
        error[mine] = np.minimum(error[mine], off[mine])
    density = density_error(positions[:, :2], bulk, crystal, deformation, height)
    spread = (float(error.max()), float(np.median(error)))
    return Check(len(chosen), float(wrong.mean()), spread, density)


def height_of(model: Any, label: int) -> float:
    """Thickness of a region in Å."""
    index = list(model.region_labels).index(label)
    return 10 * float(np.asarray(model.metadata.AtomicModel.thickness)[index])


def density_error(
    xy: Array, bulk: Array, crystal: CrystalPhase, deformation: Array, height: float
) -> float:
    """Relative error of the number of atoms per volume.

    Atoms are weighted with a smooth window, so that the count does not depend on
    which lattice rows the edge of a box cuts.
    """
    centres = xy[bulk][:: max(1, bulk.sum() // 5000)]
    others = np.concatenate([xy[~bulk], _frame(xy)])
    distance = cKDTree(others).query(centres)[0]
    centre, reach = centres[distance.argmax()], distance.max()
    distance = np.linalg.norm(xy - centre, axis=1) / reach
    weight = (1 - distance[distance < 1] ** 2) ** 4
    area = np.pi * reach**2 / 5  # of the window
    volume = abs(np.linalg.det(crystal.lattice)) * np.linalg.det(deformation)
    expected = crystal.occupancy.sum() / volume * area * height
    return float(weight.sum() / expected - 1)


def _frame(xy: Array) -> Array:
    """Corners around all atoms."""
    low, high = xy.min(axis=0), xy.max(axis=0)
    t = np.linspace(0, 1, 400)[:, None]
    ends = [low, [high[0], low[1]], high, [low[0], high[1]], low]
    return np.concatenate(
        [np.asarray(a) * (1 - t) + np.asarray(b) * t for a, b in pairwise(ends)]
    )


# A model against the truth ------------------------------------------------------------


def chain(signal: Any, candidates: Any, thickness: float, **options: Any) -> Any:
    """Atomic model of a micrograph."""
    signal.set_signal_type("micrograph")
    peaks = signal.segment().find_peaks().index_phases(candidates)
    return peaks.gpa().to_atoms(thickness, **options)


def in_image(model: Any, positions: Array) -> Array:
    """x, y of a model (Å) in nm of the image."""
    correction = np.asarray(model.metadata.AtomicModel.image_correction)
    return 0.1 * positions[:, :2] @ np.linalg.inv(correction).T


def in_model(model: Any, positions: Array) -> Array:
    """x, y in nm of the image in Å of a model."""
    correction = np.asarray(model.metadata.AtomicModel.image_correction)
    return 10 * positions @ correction.T


def depth_of(labels: Array, pixel: tuple[float, float], at: Array) -> Array:
    """Distance in nm of places (n, 2) in nm from the next region or image border."""
    padded = np.pad(labels, 1, constant_values=-1)
    inside = np.ones(padded.shape, bool)
    for axis in (0, 1):
        step = np.diff(padded, axis=axis) != 0
        first, last = [slice(None)] * 2, [slice(None)] * 2
        first[axis], last[axis] = slice(None, -1), slice(1, None)
        inside[tuple(first)] &= ~step
        inside[tuple(last)] &= ~step
    depth = distance_transform_edt(inside, sampling=pixel[::-1])
    columns, rows = (np.rint(at / pixel).astype(int) + 1).T
    rows, columns = (
        rows.clip(0, depth.shape[0] - 1),
        columns.clip(0, depth.shape[1] - 1),
    )
    return depth[rows, columns]


def columns_off(signal: Any, model: Any, label: int) -> tuple[Array, Array]:
    """Distance in Å of each true column of a region from the model, and its depth."""
    columns = np.asarray(signal.metadata.Truth.columns)
    columns = columns[columns[:, 2] == label, :2]
    off = cKDTree(model.positions[:, :2]).query(in_model(model, columns))[0]
    labels, pixel = np.asarray(signal.metadata.Truth.labels), pixel_of(signal)
    return off, depth_of(labels, pixel, columns)


def pixel_of(signal: Any) -> tuple[float, float]:
    """x and y pixel in nm."""
    x, y = (axis.scale for axis in signal.axes_manager.signal_axes)
    return float(x), float(y)


def bulk_atoms(signal: Any, model: Any, label: int) -> Array:
    """Atoms in a true region, far from its interfaces and the border, (n,)."""
    labels, pixel = np.asarray(signal.metadata.Truth.labels), pixel_of(signal)
    at = in_image(model, model.positions)
    inside = label_at(labels, pixel, at) == label
    return inside & (depth_of(labels, pixel, at) > BULK)


def label_at(labels: Array, pixel: tuple[float, float], at: Array) -> Array:
    """Labels of the pixels at places (n, 2) in nm, of the nearest outside."""
    columns, rows = np.rint(at / pixel).astype(int).T
    return labels[
        rows.clip(0, labels.shape[0] - 1), columns.clip(0, labels.shape[1] - 1)
    ]


def three_dimensional(in_plane: Array, orientation: Array, along: float = 0.0) -> Array:
    """F (3, 3) in the crystal frame of an in-plane F (2, 2) of the image frame."""
    deformation = np.eye(3)
    deformation[:2, :2] = in_plane
    deformation[2, 2] += along
    return orientation.T @ deformation @ orientation


def report(signal: Any, model: Any, phases: dict[int, Any]) -> None:
    """Print the comparison of all true regions."""
    correction = np.asarray(model.metadata.AtomicModel.image_correction)
    truth = signal.metadata.Truth
    image = np.linalg.inv(np.asarray(truth.specimen_from_image))
    for label, crystal in phases.items():
        off, depth = columns_off(signal, model, label)
        inner, near = off[depth > NEAR], off[depth <= NEAR]
        region = truth.regions[f"region_{label}"]
        gradient = np.asarray(truth.deformation_gradient)
        mask = np.asarray(truth.labels) == label
        true = np.median(gradient[:, :, mask].reshape(2, 2, -1), axis=-1)
        # Lengths of the model: those of the image, corrected as the model says.
        shape = correction @ image @ true
        orientation = np.asarray(region.crystal_to_image)
        deformation = three_dimensional(shape, orientation)
        print(
            f"    region {label}: columns off by {np.median(off):.4f} Å (median), "
            f"{np.median(inner):.4f} inside, {np.median(near):.4f} near, "
            f"{np.percentile(off, 95):.3f} (95 %), {(off > 0.5).mean():.4f} by > 0.5 Å"
        )
        bulk = bulk_atoms(signal, model, label)
        print("     ", check_region(model, crystal, deformation, bulk))


# Scenes -------------------------------------------------------------------------------


def layers(
    kind: str,
    mismatch: float,
    *,
    size: int,
    phase: str = "Si diamond",
    zone_axis: tuple[int, ...] = (1, 1, 0),
    rotation: float = -90.0,
    film_phase: str | None = None,
    **imaging: Any,
) -> Any:
    """Film above a substrate; drawn from the cell of the substrate."""
    height = size * PIXEL
    middle = (0.5 * height, 0.5 * height)
    film: Displacement = {
        "coherent": lambda: coherent_epitaxy(mismatch, interface=middle),
        "relaxed": lambda: relaxed_epitaxy(mismatch, origin=middle),
        "turned": lambda: strained(mismatch, mismatch, rotation=7.0, origin=middle),
        "none": Uniform,
    }[kind]()
    far = 3 * height
    outline = [(-far, -far), (far, -far), (far, middle[1]), (-far, middle[1])]
    at: dict[str, Any] = {"rotation": rotation, "origin": middle}
    regions = [Region(phase, zone_axis, name="substrate", **at)]
    if kind != "none":
        drawn = library_phase(phase)
        if film_phase is not None:
            drawn = _with_cell(library_phase(film_phase), drawn.cell)
        regions.append(
            Region(drawn, zone_axis, outline=outline, displacement=film, **at)
        )
    options = {"pixel_size": PIXEL, "probe_size": PROBE, "background": BACKGROUND}
    return synthetic_micrograph(regions, shape=(size, size), **{**options, **imaging})


def _with_cell(phase: CrystalPhase, cell: Array, name: str = "film") -> CrystalPhase:
    from dataclasses import replace

    cell = tuple(float(value) for value in cell)
    return replace(phase, cell=cell, name=f"{phase.name}, {name}")


def bulk_of_film(phase: str, mismatch: float) -> CrystalPhase:
    """Bulk of a film whose cell is larger than the substrate's by its mismatch."""
    crystal = library_phase(phase)
    scale = np.array([1 + mismatch] * 3 + [1.0] * 3)
    return _with_cell(crystal, crystal.cell * scale, "bulk")


def show_layers(size: int) -> None:
    """Coherent and relaxed layers with 0.5 to 4 % mismatch."""
    silicon = library_phase("Si diamond")
    for kind in ("coherent", "relaxed"):
        for mismatch in (0.005, 0.01, 0.02, 0.04):
            for dose in (None, 20.0):
                print(f"{kind} {100 * mismatch:g} %, {dose or 'no'} counts")
                signal = layers(kind, mismatch, size=size, dose=dose)
                report(signal, chain(signal, [silicon], 3.0), {1: silicon, 2: silicon})


ZONES = [
    ("Si diamond", (1, 1, 2), 0.012),
    ("Si diamond", (1, 1, 1), 0.015),
    ("Si diamond", (1, 2, 3), 0.012),
    ("Au fcc", (1, 1, 2), 0.012),
    ("Fe bcc", (1, 1, 1), 0.01),
    ("GaAs zincblende", (1, 1, 1), 0.015),
    ("SrTiO3 cubic perovskite", (1, 1, 2), 0.012),
    ("ZnO wurtzite", (1, 1, -2, 0), 0.015),
    ("GaN wurtzite", (1, -1, 0, 0), 0.012),
    ("Ti hcp", (0, 0, 0, 1), 0.015),
    ("TiO2 rutile", (0, 0, 1), 0.015),
    ("TiO2 anatase", (1, 0, 0), 0.015),
    ("HfO2 monoclinic", (0, 1, 0), 0.015),
    ("ZrO2 monoclinic", (1, 0, 0), 0.015),
    ("beta-Ga2O3", (0, 1, 0), 0.015),
    ("Bi A7", (1, 0, 0), 0.015),
]


def show_zones(size: int) -> None:
    """Crystal systems and zone axes."""
    for phase, zone_axis, pixel in ZONES:
        print(f"{phase} {zone_axis}")
        signal = layers(
            "none", 0.0, size=size, phase=phase, zone_axis=zone_axis, rotation=23.0,
            pixel_size=pixel, probe_size=0.03,
        )  # fmt: skip
        try:
            model = chain(signal, [phase], 4.0)
        except ValueError as error:
            print("    ", error)
            continue
        report(signal, model, {1: library_phase(phase)})


def show_distorted(size: int) -> None:
    """The stated pixel is wrong by 7 % and its sides by 3 % more."""
    for phase, zone_axis in (
        ("Si diamond", (1, 1, 0)),
        ("SrTiO3 cubic perovskite", (0, 0, 1)),
        ("GaN wurtzite", (1, 1, -2, 0)),
        ("Au fcc", (1, 1, 0)),
    ):
        for error in ((0.07, 0.07), (-0.07, -0.04), (0.07, 0.10)):
            print(f"{phase} {zone_axis}, scale error {error}, skew 0.7°")
            signal = layers(
                "relaxed", 0.02, size=size, phase=phase, zone_axis=zone_axis,
                rotation=31.0, scale_error=error, skew=0.7,
            )  # fmt: skip
            crystal = library_phase(phase)
            model = chain(signal, [phase], 3.0)
            report(signal, model, {1: crystal, 2: crystal})


def show_tetragonal(size: int) -> None:
    """Sides of a tetragonal cell in the image, and along the beam."""
    for phase, zone_axis in (
        ("PbTiO3 tetragonal", (1, 0, 0)),
        ("BaTiO3 tetragonal", (1, 0, 0)),
    ):
        crystal = library_phase(phase)
        signal = layers(
            "none", 0.0, size=size, phase=phase, zone_axis=zone_axis, rotation=17.0,
            scale_error=(0.07, 0.10), skew=0.7,
        )  # fmt: skip
        model = chain(signal, [phase], 4.0)
        report(signal, model, {1: crystal})
        a, _, c = np.linalg.norm(crystal.lattice, axis=1)
        first, second = _sides(signal, model, (a, c), int(crystal.numbers.max()))
        along = model.cell[2, 2] / round(model.cell[2, 2] / a)
        print(
            f"{phase}: c/a is {second / first:.6f} in the image, {second / along:.6f} "
            f"with a along the beam; bulk {c / a:.6f}"
        )


def _sides(
    signal: Any, model: Any, lengths: tuple[float, float], number: int
) -> tuple[float, float]:
    """Mean periods in Å of one element along b and c of a crystal seen along a."""
    truth = signal.metadata.Truth
    shape = np.asarray(model.metadata.AtomicModel.image_correction) @ np.linalg.inv(
        np.asarray(truth.specimen_from_image)
    )
    axes = np.asarray(truth.regions.region_1.crystal_to_image)[:2, 1:].T
    guess = axes * np.array(lengths)[:, None] @ shape.T
    xy = model.positions[model.numbers == number, :2]
    start = xy[np.linalg.norm(xy - xy.mean(axis=0), axis=1).argmin()]
    for near in (6, 40):
        index = np.rint((xy - start) @ np.linalg.inv(guess))
        few = np.abs(index).max(axis=1) < near
        rows = np.column_stack([index, np.ones(len(xy))])[few]
        guess = np.linalg.lstsq(rows, xy[few], rcond=None)[0][:2]
    first, second = np.linalg.norm(guess, axis=1)
    return float(first), float(second)


# Real micrographs ---------------------------------------------------------------------


def show_real(size: int) -> None:
    """The images of gold, SrTiO3 and PbTiO3/SrRuO3, where their files are."""
    import hyperspy.api as hs

    from hyperspy_t2t.data import gold_nanoparticles

    folder = Path(os.environ.get("HYPERSPY_T2T_REAL_DATA", "")) / "atomic"
    files = {
        "SrTiO3": ("16_STOimage.emi", ["Sr", "Ti", "O"]),
        "PbTiO3/SrRuO3": ("Cropped_PTO-SRO_Aligned.hspy", ["PbTiO3", "SrRuO3"]),
    }
    images = {"Au": (gold_nanoparticles, ["Au"])}
    for name, (file, candidates) in files.items():
        if (folder / file).exists():
            images[name] = (lambda path=folder / file: hs.load(path), candidates)
    for name, (load, candidates) in images.items():
        signal = load()
        signal.set_signal_type("micrograph")
        for axis in signal.axes_manager.signal_axes:
            axis.offset = 0.0
        segmented = signal.segment()
        strain = segmented.find_peaks().index_phases(candidates).gpa()
        model, spent = measured(partial(strain.to_atoms, 5.0))
        print(
            f"{name}: {model.n_atoms} atoms in {spent.cpu:.1f} CPU s; distortion "
            f"{np.round(model.metadata.AtomicModel.distortion, 4).tolist()}"
        )
        scatter = 100 * np.nanstd(strain.data, axis=(1, 2))
        told = 100 * np.nanmedian(strain.uncertainty.data, axis=(1, 2))
        print(
            f"  exx, eyy, exy, rotation scatter by {_slashed(scatter)} %, "
            f"quoted {_slashed(told)} %"
        )
        for label in model.region_labels.tolist():
            show_real_region(signal, segmented, model, label)


def _slashed(values: Array) -> str:
    return " / ".join(f"{value:.2f}" for value in values)


def show_real_region(signal: Any, segmented: Any, model: Any, label: int) -> None:
    """One region: bulk atoms against the undeformed crystal, columns on the image."""
    node = model.metadata.AtomicModel.phases[f"region_{label}"]
    labels, pixel = np.asarray(segmented.labels.data), pixel_of(signal)
    at = in_image(model, model.positions)
    mine = model.region == label
    bulk = mine & (depth_of(labels, pixel, at) > 0.8)
    axis = "".join(f"{index:2d}" for index in np.asarray(node.zone_axis).tolist())
    print(f"  region {label}: {node.name} [{axis}], {mine.sum()} atoms")
    if bulk.sum() > 100:
        crystal = library_phase(node.name)
        print("     ", check_region(model, crystal, np.eye(3), bulk))
    seen = image_columns(np.asarray(signal.data, float), pixel)
    seen = seen[label_at(labels, pixel, seen) == label]
    seen = seen[depth_of(labels, pixel, seen) > 0.3]
    heavy = model_columns(model, label)
    off = cKDTree(heavy).query(in_model(model, seen))[0]
    if len(off):
        print(
            f"      {len(seen)} columns seen: {np.median(off):.3f} Å (median), "
            f"{np.percentile(off, 90):.3f} (90 %) from the next of the model"
        )


def model_columns(model: Any, label: int) -> Array:
    """x, y in Å of the columns of a region that show in Z-contrast."""
    mine = model.region == label
    place = np.round(model.positions[mine, :2] / 0.02).astype(int)
    places, number = np.unique(place, axis=0, return_inverse=True)
    weight = np.bincount(number.ravel(), model.numbers[mine] ** 1.7)
    return 0.02 * places[weight > 0.1 * np.percentile(weight, 90)]


def image_columns(image: Array, pixel: tuple[float, float]) -> Array:
    """x, y in nm of the maxima of an image, to a fraction of a pixel.

    The maxima of a slightly smoothed image; around each the centre of what is above
    its surroundings, found anew from where it lies.
    """
    from scipy.ndimage import gaussian_filter, maximum_filter

    width = 0.03 / np.array(pixel[::-1])
    smooth = gaussian_filter(image, width)
    size = 2 * np.rint(0.07 / np.array(pixel[::-1])).astype(int) + 1
    base = gaussian_filter(image, 8 * width)
    peak = (smooth == maximum_filter(smooth, tuple(size))) & (smooth > base)
    rows, columns = np.nonzero(peak)
    half = size // 2
    inner = (rows >= half[0]) & (rows < image.shape[0] - half[0])
    inner &= (columns >= half[1]) & (columns < image.shape[1] - half[1])
    rows, columns = rows[inner], columns[inner]
    y, x = np.mgrid[-half[0] : half[0] + 1, -half[1] : half[1] + 1]
    patch = smooth[rows[:, None, None] + y, columns[:, None, None] + x]
    patch = patch - patch.min(axis=(1, 2), keepdims=True)
    patch = patch * (np.hypot(y / half[0], x / half[1]) <= 1)
    total = patch.sum(axis=(1, 2))
    return np.stack(
        [
            (columns + (patch * x).sum(axis=(1, 2)) / total) * pixel[0],
            (rows + (patch * y).sum(axis=(1, 2)) / total) * pixel[1],
        ],
        axis=-1,
    )


COMMANDS = {
    "layers": show_layers,
    "zones": show_zones,
    "distorted": show_distorted,
    "tetragonal": show_tetragonal,
    "real": show_real,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=COMMANDS)
    parser.add_argument("--size", type=int, default=512)
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    COMMANDS[given.what](given.size)


if __name__ == "__main__":
    main()
