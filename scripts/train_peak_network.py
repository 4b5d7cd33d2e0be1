# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Train the network that marks spots in spectra, from drawn micrographs alone.

Usage::

    python scripts/train_peak_network.py WORK_FOLDER

draws the spectra into WORK_FOLDER (those already there are used again), trains,
writes the weights into the package and the scores into WORK_FOLDER/scores.json. The
settings are the dataclasses of this file; the same settings give the same weights on
the same machine and version of torch.
"""

import argparse
import json
import logging
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from functools import partial
from multiprocessing import Pool
from pathlib import Path

import numpy as np
import numpy.typing as npt

from hyperspy_t2t.data.labelled_spectra import LabelledSpectrum, labelled_spectrum
from hyperspy_t2t.data.synthetic_scan import Scan
from hyperspy_t2t.peaks.floor import radial_floor
from hyperspy_t2t.peaks.network import (
    WEIGHTS,
    log_contrast,
    network_maxima,
    spot_probability,
)
from hyperspy_t2t.peaks.spectrum import prepare, region_spectrum
from hyperspy_t2t.peaks.window import region_window

Array = npt.NDArray[np.floating]
Draw = Callable[[np.random.Generator], float]
LOG = logging.getLogger("train_peak_network")

TEST_PHASES = (
    "GaAs zincblende", "MgO rocksalt", "Au fcc", "SrTiO3 cubic perovskite", "Ti hcp",
)  # fmt: skip
VALIDATION_PHASES = (
    "GaP zincblende", "CdS wurtzite", "PbTe rocksalt", "Pt fcc", "Mo bcc", "Mg hcp",
    "SnO2 rutile", "CeO2 fluorite", "BaZrO3 cubic perovskite", "CoAl CsCl-type",
    "MnSb NiAs-type", "alpha-quartz",
)  # fmt: skip
TRAINING_PHASES = (
    # cubic
    "Si diamond", "C diamond", "alpha-Sn", "InP zincblende", "CdTe zincblende",
    "SiC zincblende", "BAs zincblende", "KCl rocksalt", "CaO rocksalt",
    "MnO rocksalt", "ZrN rocksalt", "EuO rocksalt", "CsBr CsCl-type",
    "NiAl CsCl-type", "Cu fcc", "Pb fcc", "Rh fcc", "Fe bcc", "Nb bcc", "Na bcc",
    "ZrO2 fluorite", "BaF2 fluorite", "Mg2Si antifluorite", "Fe3O4 spinel",
    "MgAl2O4 spinel", "Cu2O cuprite", "ReO3", "BaTiO3 cubic perovskite",
    "CsPbBr3 cubic", "FeS2 pyrite", "FeSi B20", "Ni3Al L12", "LaB6",
    "TiNiSn half-Heusler", "Ni2MnGa Heusler", "CoSb3 skutterudite",
    # hexagonal and trigonal
    "GaN wurtzite", "ZnO wurtzite", "InSb wurtzite", "Co hcp", "Zn hcp", "Zr hcp",
    "Gd hcp", "graphite", "Te trigonal", "Bi A7", "Al2O3 corundum", "Cr2O3", "LiNbO3",
    "Bi2Te3", "2H-MoS2", "1T-SnS2", "FeS NiAs-type", "CrSi2", "TiB2", "SiC 4H",
    "Si3N4 beta",
    # tetragonal, orthorhombic, monoclinic
    "beta-Sn", "TiO2 rutile", "TiO2 anatase", "PbTiO3 tetragonal", "FePt L10",
    "CuInSe2 chalcopyrite", "MoSi2", "Ga alpha", "V2O5", "SnSe Pnma",
    "NiSi MnP-type", "Fe3C cementite", "GdFeO3-type CaTiO3", "CuO tenorite",
    "HfO2 monoclinic", "beta-Ga2O3",
)  # fmt: skip
KIND_SHARES = {
    "crystal": 0.2, "polycrystal": 0.25, "pair": 0.08, "stripe": 0.1, "wedge": 0.1,
    "particle": 0.1, "amorphous": 0.1, "empty": 0.07,
}  # fmt: skip
POSITIVE, NEGATIVE = 6.0, 2.0
"""Expected signal-to-noise ratios from which a reflection has to be marked, and below
which it must not be; between them nothing is asked."""
MUST_FIND = 10.0
BURIED = 0.3
"""A reflection that shows less than this share of its expected ratio is buried: noise
and its place between pixels alone seldom take so much."""
DOSES = (0.3, 1.0, 10.0, 300.0)
"""Borders of the dose classes of the scores, in counts per pixel."""


@dataclass(frozen=True)
class Part:
    """One part of the data."""

    phases: tuple[str, ...]
    number: int
    seed: int


@dataclass(frozen=True)
class Settings:
    """All that the weights depend on."""

    training: Part = Part(TRAINING_PHASES, 2000, 1)
    validation: Part = Part(VALIDATION_PHASES, 160, 2)
    test: Part = Part(TEST_PHASES, 480, 3)
    channels: tuple[int, ...] = (8, 16, 32, 64)
    crop: int = 128
    batch: int = 8
    cycles: tuple[int, ...] = (1000, 1100, 900)
    """Steps of each fall of the learning rate, which starts half as high each time."""
    rate: float = 3e-3
    mark_weight: float = 1.0
    """How much more a pixel on a spot counts in the cross-entropy."""
    threads: int = 1
    seed: int = 0


@dataclass(eq=False)
class Example:
    """A spectrum as the network sees it, and where its reflections are."""

    values: npt.NDArray[np.float16]
    """Scaled logarithm of power over floor, (ny, nx)."""
    spots: npt.NDArray[np.float32]
    """Row, column and expected signal-to-noise ratio of each reflection, (n, 3)."""
    sigma: float
    """Width of a mark in pixels of the spectrum."""
    tolerance: tuple[float, float]
    """Two pixels of the region's own resolution, in rows and in columns."""
    kind: str
    dose: float


def draw_example(settings: Part, index: int) -> Example:
    """Example `index` of a part, the same whenever and wherever it is drawn."""
    rng = np.random.default_rng([settings.seed, index])
    shares = np.array(list(KIND_SHARES.values()))
    kind = str(rng.choice(list(KIND_SHARES), p=shares / shares.sum()))
    scan = draw_scan(rng, kind)
    drawn = labelled_spectrum(
        kind,
        phases=settings.phases,
        window=region_window,
        scan=scan,
        seed=int(rng.integers(2**31)),
        separation=float(rng.uniform(0.01, 0.06)),
        contamination=_sometimes(rng, 0.4, lambda: rng.uniform(0.3, 3)),
    )
    if rng.random() < 0.5:  # slow scan along x: streaks along rows
        drawn = replace(
            drawn,
            image=drawn.image.T,
            mask=drawn.mask.T,
            pixel_size=drawn.pixel_size[::-1],
            g=drawn.g[:, ::-1],
        )
    return _example(drawn, scan.dose, rng)


def draw_scan(rng: np.random.Generator, kind: str) -> Scan:
    """Random imaging conditions."""
    size = rng.integers(192, 769, 2) if rng.random() < 0.5 else [rng.integers(192, 769)]
    pixel = rng.uniform(0.012, 0.03)
    ratio = _sometimes(rng, 0.2, lambda: rng.uniform(0.8, 1.25) - 1) + 1
    background = _sometimes(rng, 0.6, lambda: rng.uniform(0, 1.5))
    return Scan(
        shape=(int(size[0]), int(size[-1])),
        pixel_size=(pixel, pixel * ratio),
        probe_size=rng.uniform(0.03, 0.06),
        scale_error=_pair(rng, 0.02),
        skew=_sometimes(rng, 0.5, lambda: rng.normal(0, 1)),
        drift=_pair(rng, 0.1),
        row_jitter=_sometimes(rng, 0.5, lambda: rng.uniform(0, 0.6)),
        dose=float(np.exp(rng.uniform(np.log(DOSES[0]), np.log(DOSES[-1])))),
        detector_noise=_sometimes(rng, 0.3, lambda: rng.uniform(0, 0.5)),
        background=background if kind != "empty" else 1.0,
        thickness_gradient=(rng.uniform(0, 360), _sometimes(
            rng, 0.5, lambda: rng.uniform(0, 0.4))),
    )  # fmt: skip


def _sometimes(rng: np.random.Generator, share: float, value: Callable) -> float:
    drawn = value()
    return drawn if rng.random() < share else 0.0


def _pair(rng: np.random.Generator, width: float) -> tuple[float, float]:
    x, y = rng.normal(0, width, 2) * (rng.random() < 0.5)
    return float(x), float(y)


def _example(drawn: LabelledSpectrum, dose: float, rng: np.random.Generator) -> Example:
    """The spectrum of a region's bounding box, as the package takes it."""
    image, snr = _add_lines(drawn, rng)
    box = tuple(slice(int(k.min()), int(k.max()) + 1) for k in np.nonzero(drawn.mask))
    image, mask = image[box], drawn.mask[box]
    window = region_window(mask, pixel_size=drawn.pixel_size)
    prepared = prepare(image, window)
    if prepared is None:
        raise ValueError("Expected an image with noise, got a flat one.")
    spectrum = region_spectrum(prepared[0], window, drawn.pixel_size)
    values = log_contrast(spectrum.power, radial_floor(spectrum))
    axes = spectrum.y_axis, spectrum.x_axis
    where = [
        axis.size // 2 + along / axis.scale
        for axis, along in zip(axes, drawn.g.T[::-1], strict=True)
    ]
    # Reflections that the skirts or streaks of stronger ones bury count as they show.
    width = mark_width(window, values.shape)
    seen = contrast(spectrum.power, *where, width)
    snr = np.where(seen < BURIED * snr, np.minimum(seen, snr), snr)
    spots = np.stack([*where, snr], axis=1).astype(np.float32)
    extent = np.sqrt(mask.sum() * np.prod(drawn.pixel_size))
    return Example(
        values.astype(np.float16),
        spots,
        width,
        tuple(2 / (extent * axis.scale) for axis in axes),
        drawn.kind,
        dose,
    )


def contrast(power: Array, rows: Array, columns: Array, width: float) -> Array:
    """Power near points over the largest median around, along rows and columns.

    The medians begin three widths of a spot from the point and end after nine.
    """
    rows, columns = np.rint(rows).astype(int), np.rint(columns).astype(int)
    near, far = int(np.ceil(3 * width)) + 1, int(np.ceil(9 * width)) + 1
    dy, dx = np.mgrid[-far : far + 1, -far : far + 1]
    distance = np.hypot(dy, dx)
    areas = (
        (distance >= near) & (distance <= far),
        (dx == 0) & (abs(dy) >= near),
        (dy == 0) & (abs(dx) >= near),
        np.maximum(abs(dy), abs(dx)) <= 1,
    )
    ny, nx = power.shape
    *around, here = (
        power[(rows[:, None] + dy[area]) % ny, (columns[:, None] + dx[area]) % nx]
        for area in areas
    )
    floor = np.max([np.median(part, axis=1) for part in around], axis=0) / np.log(2)
    return here.max(axis=1) / np.maximum(floor, 1e-300)


def mark_width(window: Array, shape: tuple[int, int]) -> float:
    """σ of a mark in pixels of a spectrum: 1 for a Hann window over the whole image."""
    # By Parseval's theorem the power that the window spreads around a spot.
    spread = np.prod(shape) * (window**2).sum() / window.sum() ** 2
    return float(max(1.0, np.sqrt(spread) / 1.5))


def _add_lines(
    drawn: LabelledSpectrum, rng: np.random.Generator
) -> tuple[Array, Array]:
    """Sometimes, offsets of whole rows or columns; and what the spots stand out then.

    They make a streak through zero frequency, in which weak spots are lost.
    """
    image, snr = drawn.image.astype(float), drawn.snr.copy()
    for axis in (0, 1):
        strength = np.exp(rng.uniform(0, np.log(1e3)))
        lines = rng.normal(size=image.shape[axis])
        if rng.random() > 0.2:
            continue
        across = image.shape[1 - axis]
        noise = np.std(np.diff(image, axis=1 - axis)) / np.sqrt(2)
        offsets = lines * noise * np.sqrt(strength / across)
        image += offsets[:, None] if axis == 0 else offsets
        step = across * drawn.pixel_size[1 - axis]
        on_streak = np.abs(drawn.g[:, axis]) * step < 3
        snr[on_streak] /= 1 + strength
    return image, snr


def draw_part(part: Part, file: Path, processes: int = 2) -> list[Example]:
    """All examples of a part, from `file` where it exists."""
    if not file.exists():
        with Pool(processes) as pool:
            drawn = pool.imap(partial(draw_example, part), range(part.number), 4)
            save(list(drawn), file)
    return load(file)


def save(examples: list[Example], file: Path) -> None:
    """Write examples to an .npz file."""
    np.savez(
        file,
        values=np.concatenate([e.values.ravel() for e in examples]),
        spots=np.concatenate([e.spots for e in examples]),
        shapes=np.array([(*e.values.shape, len(e.spots)) for e in examples]),
        numbers=np.array([(e.sigma, *e.tolerance, e.dose) for e in examples]),
        kinds=np.array([e.kind for e in examples]),
    )


def load(file: Path) -> list[Example]:
    """Read what :func:`save` wrote."""
    with np.load(file) as stored:
        arrays = dict(stored)
    shapes = arrays["shapes"]
    values = np.split(arrays["values"], np.cumsum(shapes[:-1, 0] * shapes[:-1, 1]))
    spots = np.split(arrays["spots"], np.cumsum(shapes[:-1, 2]))
    return [
        Example(v.reshape(ny, nx), s, sigma, (dy, dx), str(kind), dose)
        for v, s, (ny, nx, _), (sigma, dy, dx, dose), kind in zip(
            values, spots, shapes, arrays["numbers"], arrays["kinds"], strict=True
        )
    ]


def mark_maps(
    shape: tuple[int, int], spots: Array, sigma: float
) -> tuple[Array, Array]:
    """Marks (0 to 1) and weights of the loss (0 or 1) for reflections in a crop.

    Parameters
    ----------
    shape
        (ny, nx) of the crop.
    spots
        Row, column and expected signal-to-noise ratio, (n, 3).
    sigma
        Width of a mark in pixels.
    """
    marks, weights = np.zeros(shape, np.float32), np.ones(shape, np.float32)
    reach = int(np.ceil(4 * sigma))
    near = np.all(
        (spots[:, :2] > -reach - 1) & (spots[:, :2] < np.add(shape, reach)), axis=1
    )
    spots = spots[near & (spots[:, 2] >= NEGATIVE)]
    for row, column, snr in spots[np.argsort(spots[:, 2])]:
        y, x = round(float(row)), round(float(column))
        part = (
            slice(max(0, y - reach), max(0, y + reach + 1)),
            slice(max(0, x - reach), max(0, x + reach + 1)),
        )
        dy = np.arange(*part[0].indices(shape[0])) - row
        dx = np.arange(*part[1].indices(shape[1])) - column
        square = dy[:, None] ** 2 + dx**2
        if snr < POSITIVE:
            weights[part][square < (2.5 * sigma) ** 2] = 0
            continue
        # The nearest pixel gets a whole mark, however far off it is.
        square -= (row - y) ** 2 + (column - x) ** 2
        mark = np.exp(-0.5 * np.maximum(square, 0) / sigma**2)
        marks[part] = np.maximum(marks[part], mark)
        weights[part][mark > 0.01] = 1
    return marks, weights


def batches(
    examples: list[Example], settings: Settings, rng: np.random.Generator
) -> Iterator[tuple[Array, Array, Array]]:
    """Endless random crops: values, marks and weights, each (batch, crop, crop)."""
    while True:
        crops = [
            random_crop(examples[rng.integers(len(examples))], settings.crop, rng)
            for _ in range(settings.batch)
        ]
        yield tuple(np.stack(part) for part in zip(*crops, strict=True))


def random_crop(
    example: Example, size: int, rng: np.random.Generator
) -> tuple[Array, Array, Array]:
    """A crop, turned at random: anywhere, around a spot or around zero frequency."""
    shape = np.array(example.values.shape)
    if short := max(0, size - shape.min()):
        example = replace(example, values=np.pad(example.values, (0, short), "reflect"))
    asked = example.spots[example.spots[:, 2] >= POSITIVE, :2]
    choice = rng.random()
    centre = rng.uniform(0, shape)
    if choice < 0.1:
        centre = shape / 2
    elif choice < 0.4 and len(asked):
        centre = asked[rng.integers(len(asked))]
    corner = np.rint(centre - size * rng.uniform(0.1, 0.9, 2)).astype(int)
    top, left = np.clip(corner, 0, np.maximum(0, shape - size))
    values = example.values[top : top + size, left : left + size].astype(np.float32)
    spots = example.spots - np.array([top, left, 0], np.float32)
    marks, weights = mark_maps(values.shape, spots, example.sigma)
    # Nothing is known of what was reflected in to fill a crop.
    weights[max(0, shape[0] - top) :] = weights[:, max(0, shape[1] - left) :] = 0
    turns = rng.integers(4), rng.random() < 0.5
    return tuple(
        np.rot90(part.T if turns[1] else part, turns[0])
        for part in (values, marks, weights)
    )


def loss_of(logits, marks, weights, mark_weight: float):
    """Cross-entropy per mark plus soft Dice loss, where the weights are not 0."""
    from torch.nn.functional import binary_cross_entropy_with_logits

    weighted = weights * (1 + (mark_weight - 1) * marks)
    entropy = binary_cross_entropy_with_logits(
        logits, marks, weight=weighted, reduction="sum"
    ) / ((weights * marks).sum() + 10)
    probability = logits.sigmoid()
    overlap = (weights * probability * marks).sum()
    both = (weights * (probability**2 + marks**2)).sum()
    return entropy + 1 - (2 * overlap + 1) / (both + 1)


def run_cycle(network, examples: list[Example], settings: Settings, cycle: int) -> None:
    """Train from a fresh start of the learning rate until it has fallen to zero."""
    import torch

    steps, rate = settings.cycles[cycle], settings.rate / 2**cycle
    optimiser = torch.optim.AdamW(network.parameters(), rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, rate, total_steps=steps, pct_start=0.1
    )
    stream = batches(examples, settings, np.random.default_rng(settings.seed + cycle))
    network.train()
    for step in range(steps):
        values, marks, weights = map(torch.from_numpy, next(stream))
        optimiser.zero_grad()
        loss = loss_of(network(values), marks, weights, settings.mark_weight)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        if step % 50 == 0:
            LOG.info(
                "cycle %d, step %d of %d: loss %.4f", cycle, step, steps, loss.item()
            )


def train(examples: list[Example], settings: Settings) -> dict[str, npt.NDArray]:
    """Weights by name, with the channels of the network under "channels"."""
    import torch

    from hyperspy_t2t.peaks.unet import UNet

    torch.manual_seed(settings.seed)
    torch.use_deterministic_algorithms(True)
    torch.set_num_threads(settings.threads)
    network = UNet(settings.channels).to(memory_format=torch.channels_last)
    for cycle in range(len(settings.cycles)):
        run_cycle(network, examples, settings, cycle)
    state = {name: value.numpy() for name, value in network.state_dict().items()}
    return state | {"channels": np.array(settings.channels)}


def scores(examples: list[Example], weights: Path) -> dict[str, dict[str, float]]:
    """How right the network is, for each kind and class of doses."""
    counts = defaultdict(lambda: np.zeros(5))
    for example in examples:
        found = count(example, weights)
        dose = np.searchsorted(DOSES[1:-1], example.dose, side="right")
        name = f"{DOSES[dose]:g} to {DOSES[dose + 1]:g} counts"
        for key in ("all", example.kind, name, f"{example.kind}, {name}"):
            counts[key] += (*found, 1)
    return {key: _rates(*counts[key]) for key in sorted(counts)}


def _rates(right: float, wrong: float, met: float, missed: float, number: float):
    precision = right / max(right + wrong, 1)
    recall = met / max(met + missed, 1)
    f1 = 2 * precision * recall / max(precision + recall, 1e-9)
    return {
        "F1": f1,
        "precision": precision,
        "recall": recall,
        "false spots per spectrum": wrong / number,
        "spectra": number,
    }


def count(example: Example, weights: Path) -> tuple[int, int, int, int]:
    """Found spots that are right and wrong, reflections that are met and missed.

    Right is a spot next to any reflection, met has to be one that stands out well;
    both within two pixels of the region's resolution, in one half plane.
    """
    ratio = np.expm1(example.values.astype(np.float64))
    probability = spot_probability(ratio, np.ones_like(ratio), weights=weights)
    found = np.stack(network_maxima(probability), axis=1)
    centre = np.array(ratio.shape) // 2
    spots = example.spots[:, :2]
    upper = (spots - centre) @ (1e-6, 1) > 0
    within = np.all((spots > 0.5) & (spots < np.array(ratio.shape) - 1.5), axis=1)
    must = spots[(example.spots[:, 2] >= MUST_FIND) & upper & within]
    # A spot at the border of the half plane may be found on its other side.
    found_both = np.concatenate([found, 2 * centre - found])
    right = _near(found, spots, example.tolerance)
    met = _near(must, found_both, example.tolerance)
    return right.sum(), (~right).sum(), met.sum(), (~met).sum()


def _near(points: Array, others: Array, tolerance: tuple[float, float]) -> Array:
    """Whether each point (n, 2) has one of the others within the tolerance."""
    if not len(points) or not len(others):
        return np.zeros(len(points), bool)
    offset = (points[:, None] - others) / tolerance
    return (np.hypot(*np.moveaxis(offset, -1, 0)) <= 1).any(axis=1)


def main() -> None:
    """Draw, train, write the weights and the scores."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="where the drawn spectra are kept")
    parser.add_argument("--weights", type=Path, default=WEIGHTS, help="file to write")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    settings = Settings()
    options.folder.mkdir(parents=True, exist_ok=True)
    parts = {
        name: draw_part(getattr(settings, name), options.folder / f"{name}.npz")
        for name in ("training", "validation", "test")
    }
    np.savez(options.weights, **train(parts["training"], settings))
    rates = {name: scores(parts[name], options.weights) for name in parts}
    table = {"settings": asdict(settings), "scores": rates}
    (options.folder / "scores.json").write_text(json.dumps(table, indent=1))


if __name__ == "__main__":
    main()
