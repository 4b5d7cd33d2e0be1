# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Spots found in spectra of drawn regions, against the exact truth and other finders.

python benchmarks/peaks.py [--seeds N] [--sets NAME,…] [--only FINDER,…] [--first SEED]
                           [--detail] [--oracle]

The phases are not among those the network learned from. The other finders look at the
spectrum of the same window; their settings are tuned for each set, on spectra of two
other phases drawn under the same conditions. find_spots() is told nothing. pyxem's
finder takes part where pyxem is installed.
"""

import argparse
import itertools
import time
import warnings
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import NamedTuple

import numpy as np
from scipy.ndimage import gaussian_filter
from skimage.feature import blob_dog, blob_log, peak_local_max

from hyperspy_t2t.data.labelled_spectra import LabelledSpectrum, labelled_spectrum
from hyperspy_t2t.data.synthetic_scan import Scan
from hyperspy_t2t.frequencies import upper_half
from hyperspy_t2t.peaks.measure import see
from hyperspy_t2t.peaks.spots import SPOT_COLUMNS, find_spots
from hyperspy_t2t.peaks.window import region_window

Array = np.ndarray

PHASES = (
    "GaAs zincblende", "MgO rocksalt", "Au fcc", "SrTiO3 cubic perovskite", "Ti hcp",
)  # fmt: skip
TUNING = ("Si diamond", "Fe bcc")
TUNING_SEED = 900_000
WITHIN = 0.1
"""1/nm; a found spot is right if a true one is as near."""
ONE = 2.0
"""Pixels of a spectrum of the region alone within which true spots count as one."""
LEAST, MOST = 0.4, 15.0
"""1/nm. No period is longer than 2.5 nm, as find_spots() assumes; and what the other
finders need not look at, as nothing true stands out of the noise there."""


# Spectra ----------------------------------------------------------------------------


class Conditions(NamedTuple):
    """How the spectra of a set are drawn."""

    kind: str
    scan: dict
    each_phase: bool = False
    """Whether every phase has its own spectra, or they are drawn at random."""
    pixels: int = 1024


_HARD = {"background": 1.0, "thickness_gradient": (30.0, 0.3), "row_jitter": 0.3}
_JITTER = {"dose": 10, "row_jitter": 0.2}
SETS = {
    "crystal 1": Conditions("crystal", {"dose": 1}, True),
    "crystal 10": Conditions("crystal", {"dose": 10}, True),
    "crystal 100": Conditions("crystal", {"dose": 100}, True),
    "hard 0.5": Conditions("polycrystal", {"dose": 0.5, **_HARD}),
    "hard 5": Conditions("polycrystal", {"dose": 5, **_HARD}),
    "stripe": Conditions("stripe", _JITTER),
    "wedge": Conditions("wedge", _JITTER),
    "particle": Conditions("particle", _JITTER),
    "pair": Conditions("pair", {"dose": 10}),
    "amorphous": Conditions("amorphous", {"background": 0.5}, pixels=512),
    "empty": Conditions("empty", {"background": 0.5}, pixels=512),
}
NOTHING = ("amorphous", "empty")
"""Sets without a true spot; tuned settings are those of single crystals at dose 10."""


def spectra(
    name: str, seeds: int, first: int, phases: tuple[str, ...]
) -> Iterator[LabelledSpectrum]:
    """The spectra of a set: one of each phase a seed, else two, of nothing six."""
    set_ = SETS[name]
    choices = [[phase] for phase in phases] if set_.each_phase else [list(phases)] * 2
    if name in NOTHING:
        choices = [list(phases)] * 6
    number = 10_000 * list(SETS).index(name)
    for seed, (k, choice) in itertools.product(
        range(first, first + seeds), enumerate(choices)
    ):
        scan = dict(set_.scan)
        if name in NOTHING:
            scan |= {"dose": (1, 10, 100)[k % 3], "row_jitter": 0.3 * (k % 2)}
        yield labelled_spectrum(
            set_.kind,
            phases=choice,
            window=region_window,
            scan=Scan(shape=(set_.pixels,) * 2, pixel_size=(0.02, 0.02), **scan),
            seed=number + 100 * seed + k,
        )


# Finders: (gx, gy) in 1/nm, with standard errors or NaN ------------------------------


class View(NamedTuple):
    """The part of a spectrum that other finders look at: somewhat more than a half."""

    levels: dict[str, Array]
    """Power on several scales, noise near 1 in each."""
    scale: Array
    """(x, y) 1/nm per pixel."""
    zero: tuple[int, int]
    """Row and column of zero frequency."""

    def frequencies(self, rows: Array, columns: Array) -> Array:
        place = np.stack([columns - self.zero[1], rows - self.zero[0]], axis=-1)
        g = place * self.scale
        length = np.linalg.norm(g, axis=-1)
        return g[upper_half(g) & (length > LEAST) & (length < MOST)]


def view(spectrum: LabelledSpectrum) -> View:
    """What other finders get: the same window, and three scales to choose from."""
    window = region_window(spectrum.mask, pixel_size=spectrum.pixel_size)
    seen = see(spectrum.image, window, spectrum.pixel_size, (0.0, 0.0))
    power, scale = seen.spectrum.power, seen.spectrum.scale
    # All of the half plane gx ≥ 0 and a margin.
    middle, centre = seen.spectrum.centre
    reach = min(int(MOST / scale[1]) + 8, middle)
    left = max(centre - 16, 0)
    part = power[
        middle - reach : middle + reach + 1, left : centre + int(MOST / scale[0]) + 8
    ]
    y, x = np.indices(part.shape)
    zero = (reach, centre - left)
    ring = np.rint(np.hypot(y - zero[0], x - zero[1]) / 2).astype(int)
    floor = _ring_medians(part, ring)[ring]
    levels = {
        "log": np.log1p(part / np.median(part)),
        "sqrt": np.sqrt(part / np.median(part)),
        "flat log": np.log1p(part / floor),
    }
    return View(levels, scale, zero)


def _ring_medians(values: Array, ring: Array) -> Array:
    """Median over rings of equal |g|."""
    order = np.argsort(ring, axis=None)
    counts = np.bincount(ring.ravel())
    parts = np.split(values.ravel()[order], np.cumsum(counts)[:-1])
    return np.array([np.median(part) if len(part) else 1.0 for part in parts])


class Setting(NamedTuple):
    """Of a finder that has to be tuned."""

    level: str
    size: tuple[float, ...]
    threshold: float


THRESHOLDS = {
    "log": np.geomspace(0.8, 6, 12),
    "flat log": np.geomspace(0.8, 6, 12),
    "sqrt": np.geomspace(1, 40, 12),
}


def blobs(finder: Callable) -> Callable[[View, Setting], Array]:
    def found(seen: View, setting: Setting) -> Array:
        low, high = setting.size
        options = {"num_sigma": 2} if finder is blob_log else {}
        result = finder(
            seen.levels[setting.level],
            min_sigma=low,
            max_sigma=high,
            threshold=setting.threshold,
            **options,
        )
        return seen.frequencies(result[:, 0], result[:, 1])

    return found


def local_maxima(seen: View, setting: Setting) -> Array:
    blur, distance = setting.size
    values = seen.levels[setting.level]
    if blur:
        values = gaussian_filter(values, blur)
    found = peak_local_max(
        values,
        min_distance=int(distance),
        threshold_abs=setting.threshold,
        exclude_border=False,
    )
    return seen.frequencies(*found.T)


def pyxem_vectors(seen: View, setting: Setting) -> Array:
    """Background by pyxem, then local maxima, at whole pixels.

    Its refinement (0.21) fails for a single pattern.
    """
    from pyxem.signals import Diffraction2D

    narrow, wide = setting.size
    pattern = Diffraction2D(seen.levels[setting.level].astype(np.float32))
    clean = pattern.subtract_diffraction_background(
        "difference of gaussians", min_sigma=narrow, max_sigma=wide
    )
    found = clean.find_peaks(
        interactive=False,
        show_progressbar=False,
        min_distance=4,
        threshold_abs=setting.threshold,
        exclude_border=3,
    )
    return seen.frequencies(*np.asarray(found.data[0]).reshape(-1, 2).T)


_SIGMAS = ((1.0, 2.0), (1.5, 3.0))
RIVALS: dict[str, tuple[Callable, dict, tuple]] = {
    "blob_log": (blobs(blob_log), THRESHOLDS, _SIGMAS),
    "blob_dog": (blobs(blob_dog), THRESHOLDS, _SIGMAS),
    "peak_local_max": (
        local_maxima,
        {
            "log": np.linspace(0.8, 6, 14),
            "flat log": np.linspace(0.8, 6, 14),
            "sqrt": np.geomspace(1.2, 60, 14),
        },
        ((0, 4), (0, 8), (1, 4), (1, 8)),
    ),
}
if find_spec("pyxem"):
    RIVALS["pyxem"] = (
        pyxem_vectors,
        THRESHOLDS,
        ((1.0, 5.0), (2.0, 10.0)),
    )


def ours(spectrum: LabelledSpectrum, method: str) -> tuple[Array, Array]:
    """find_spots() as it is: g and standard errors of one half plane."""
    window = region_window(spectrum.mask, pixel_size=spectrum.pixel_size)
    rows = find_spots(spectrum.image, window, spectrum.pixel_size, method=method)
    rows = rows[upper_half(rows[:, :2])]
    std = [SPOT_COLUMNS.index(name) for name in ("gx_std", "gy_std")]
    return rows[:, :2], rows[:, std]


def tuned(rival: str, cases: list[tuple[View, LabelledSpectrum]]) -> Setting:
    """The setting of a finder with the highest F1 on some spectra."""
    finder, thresholds, sizes = RIVALS[rival]
    best: tuple[float, list[Setting]] = -1.0, []
    for level, values in thresholds.items():
        for size, threshold in itertools.product(sizes, values):
            setting = Setting(level, size, float(threshold))
            results = [score(finder(seen, setting), s) for seen, s in cases]
            f1 = pooled(results).f1
            if f1 > best[0]:
                best = f1, []
            if f1 == best[0]:
                best[1].append(setting)
    # Of settings as good the middle one, as far as can be from failing.
    return best[1][len(best[1]) // 2]


# Score ------------------------------------------------------------------------------


class Score(NamedTuple):
    """Found spots of one half plane against the true ones."""

    right: int
    wrong: int
    missed: int
    errors: Array
    """g found − true of spots that must be found and stand alone, (n, 2) 1/nm."""
    inside: Array
    """Whether each component of an error is below its standard error, (n, 2)."""

    @property
    def f1(self) -> float:
        total = 2 * self.right + self.wrong + self.missed
        return 2 * self.right / total if total else 1.0


def score(
    g: Array,
    spectrum: LabelledSpectrum,
    std: Array | None = None,
    *,
    least: float = 10.0,
) -> Score:
    """Compare found with true spots.

    A found spot is right if a true one, however weak, is within `WITHIN` and no other
    found spot has taken it. A true one must be found if its power is `least` times the
    noise there; of true ones that the region cannot resolve, one has to be.
    """
    half = upper_half(spectrum.g) & (np.linalg.norm(spectrum.g, axis=1) > LEAST)
    true, snr = spectrum.g[half], spectrum.snr[half]
    pairs = matches(g, true)
    taken = np.zeros(len(true), bool)
    taken[pairs[:, 1]] = True
    apart = np.linalg.norm(true[:, None] - _nearer(true[:, None], true[None]), axis=-1)
    one = apart <= ONE / extent(spectrum)
    leader = ~((snr > snr[:, None]) & one).any(axis=1)
    missed = leader & (snr >= least) & ~(one & taken).any(axis=1)
    alone = ~(one & (snr > 0.01 * snr[:, None]) & ~np.eye(len(true), dtype=bool)).any(1)
    clear = pairs[(snr >= least)[pairs[:, 1]] & alone[pairs[:, 1]]]
    nearest = _nearer(g[clear[:, 0]], true[clear[:, 1]])
    errors = g[clear[:, 0]] - nearest
    std = np.full_like(g, np.nan) if std is None else std
    return Score(
        len(pairs),
        len(g) - len(pairs),
        int(missed.sum()),
        errors,
        np.abs(errors) < std[clear[:, 0]],
    )


def extent(spectrum: LabelledSpectrum) -> float:
    """Side in nm of a square as large as the region."""
    return float(np.sqrt(spectrum.mask.sum() * np.prod(spectrum.pixel_size)))


def matches(found: Array, true: Array) -> Array:
    """Pairs (found, ±true) within `WITHIN`, nearest first, each taken once, (n, 2)."""
    pairs = found[:, None], true[None]
    distance = np.linalg.norm(pairs[0] - _nearer(*pairs), axis=-1)
    near = np.argwhere(distance <= WITHIN)
    taken: tuple[set, set] = set(), set()
    pairs = []
    for i, j in near[np.argsort(distance[tuple(near.T)])]:
        if i not in taken[0] and j not in taken[1]:
            taken[0].add(i)
            taken[1].add(j)
            pairs.append((i, j))
    return np.array(pairs, int).reshape(-1, 2)


def _nearer(found: Array, true: Array) -> Array:
    """Of g and −g the one on the side of what was found: near gx = 0 it can be −g."""
    return np.where((found * true).sum(axis=-1, keepdims=True) < 0, -true, true)


def pooled(scores: list[Score]) -> Score:
    """All spectra of a set as one."""
    counts = (sum(s[k] for s in scores) for k in range(3))
    parts = (np.concatenate([s[k] for s in scores]) for k in (3, 4))
    return Score(*counts, *parts)


# Table ------------------------------------------------------------------------------


def measure(
    finder: str, spectrum: LabelledSpectrum, setting: Setting | None
) -> tuple[Score, Score, float]:
    """Scores with spots of 10 and of 100 times the noise, CPU seconds."""
    start = time.process_time()
    std = None
    if setting is None:
        g, std = ours(spectrum, finder)
    else:
        g = RIVALS[finder][0](view(spectrum), setting)
    seconds = time.process_time() - start
    strict, lenient = (score(g, spectrum, std, least=least) for least in (10, 100))
    return strict, lenient, seconds


def row(name: str, finder: str, results: list[tuple[Score, Score, float]]) -> str:
    """A line of the table."""
    strict, lenient, seconds = zip(*results, strict=True)
    every = pooled(list(strict))
    head = f"| {name} | {finder} "
    cpu = f"| {np.median(seconds):.2f} |"
    if name in NOTHING:
        false = f"{every.wrong / len(strict):.2f} false peaks"
        return f"{head}| {false} " + "| – " * 8 + cpu
    away = np.linalg.norm(every.errors, axis=1)
    error = f"{away.mean():.4f} / {np.median(away):.4f}" if len(away) else "–"
    inside = f"{every.inside.mean():.2f}" if finder in OURS and len(away) else "–"
    f1 = [s.f1 for s in strict]
    return (
        f"{head}| {every.f1:.3f} | {np.mean(f1):.3f} | {min(f1):.3f} "
        f"| {every.right} | {every.wrong} | {every.missed} "
        f"| {pooled(list(lenient)).f1:.3f} | {error} | {inside} {cpu}"
    )


OURS = ("auto", "statistics", "network", "profiles")


def rows(name: str, arguments: argparse.Namespace) -> list[str]:
    """Lines of the table for one set."""
    finders = arguments.only.split(",")
    drawn = (name, arguments.seeds, arguments.first, PHASES)
    sample = drawn
    if name in NOTHING or not arguments.oracle:
        tuned_for = "crystal 10" if name in NOTHING else name
        sample = (tuned_for, 2, TUNING_SEED, TUNING)
    rivals = [finder for finder in finders if finder not in OURS]
    cases = [(view(s), s) for s in spectra(*sample)] if rivals else []
    settings = {finder: tuned(finder, cases) for finder in rivals}
    results: dict[str, list] = {finder: [] for finder in finders}
    for spectrum in spectra(*drawn):
        for finder in finders:
            result = measure(finder, spectrum, settings.get(finder))
            results[finder].append(result)
    if arguments.detail:
        for finder, setting in settings.items():
            print(f"{name}, {finder}: {setting}")
    return [row(name, finder, values) for finder, values in results.items()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first", type=int, default=0, help="first seed")
    parser.add_argument("--sets", default=",".join(SETS))
    parser.add_argument("--only", default=",".join(["auto", "statistics", *RIVALS]))
    parser.add_argument("--detail", action="store_true", help="tuned settings too")
    parser.add_argument(
        "--oracle",
        action="store_true",
        help="tune the other finders on the very spectra that are scored",
    )
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    # Compile and import, which no time should count.
    first = next(spectra("crystal 10", 1, TUNING_SEED, TUNING))
    for method in OURS:
        ours(first, method)
    print(
        "| set | finder | F1 | mean F1 | worst F1 | right | wrong | missed "
        "| F1, snr ≥ 100 | error mean / median, 1/nm | inside 1 σ | CPU s |\n"
        "|" + "---|" * 12
    )
    for name in arguments.sets.split(","):
        print(*rows(name, arguments), sep="\n", flush=True)


if __name__ == "__main__":
    main()
