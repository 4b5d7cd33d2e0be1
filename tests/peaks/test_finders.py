# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""The finders: close lattices, faint nodes, bends, witnesses, masks and rotations."""

import numpy as np
import pytest

from hyperspy_t2t.data.displacements import Gradient, strained
from hyperspy_t2t.data.labelled_spectra import LabelledSpectrum, labelled_spectrum
from hyperspy_t2t.data.synthetic import Region, Scan, synthetic_arrays
from hyperspy_t2t.frequencies import hann_window
from hyperspy_t2t.peaks.finders import Finder
from hyperspy_t2t.peaks.spots import METHODS, SPOT_COLUMNS, find_spots
from hyperspy_t2t.peaks.window import region_window

UNSEEN = ["GaAs zincblende", "MgO rocksalt", "Au fcc", "SrTiO3 cubic perovskite",
          "Ti hcp"]  # fmt: skip
FINDERS = SPOT_COLUMNS.index("finders")


def drawn(kind: str, seed: int, **imaging) -> LabelledSpectrum:
    scan = Scan(shape=(512, 512), pixel_size=(0.02, 0.02), **imaging)
    return labelled_spectrum(
        kind, phases=UNSEEN, window=region_window, scan=scan, seed=seed
    )


def found(truth: LabelledSpectrum, method: str = "auto") -> np.ndarray:
    window = region_window(truth.mask, pixel_size=truth.pixel_size)
    return find_spots(truth.image, window, truth.pixel_size, method=method)


def counts(spots: np.ndarray, truth: LabelledSpectrum) -> tuple[int, int, int]:
    """Right, wrong and missed spots; two true ones in one resolved spot count once."""
    resolution = 2 / np.sqrt(truth.mask.sum() * np.prod(truth.pixel_size))
    away = np.linalg.norm(spots[:, None, :2] - truth.g, axis=-1)
    right = away.min(axis=1) < resolution
    apart = np.linalg.norm(truth.g[:, None] - truth.g, axis=-1)
    hidden = ((apart < resolution) & (truth.snr > truth.snr[:, None])).any(axis=1)
    seen = away.min(axis=0) < resolution
    missed = (truth.snr >= 10) & ~seen & ~hidden
    return int(right.sum()), int((~right).sum()), int(missed.sum())


@pytest.mark.parametrize(
    ("kind", "imaging", "least"),
    [
        ("crystal", {"dose": 1.0}, 0.97),
        ("crystal", {"dose": 10.0}, 0.98),
        ("stripe", {"dose": 10.0, "row_jitter": 0.2}, 0.95),
        ("wedge", {"dose": 10.0, "row_jitter": 0.2}, 0.95),
        ("particle", {"dose": 10.0, "row_jitter": 0.2}, 0.95),
        (
            "polycrystal",
            {"dose": 5.0, "background": 1.0, "thickness_gradient": (30.0, 0.3)},
            0.9,
        ),
    ],
)
def test_score(kind: str, imaging: dict, least: float) -> None:
    """F1 over phases that the network never saw, at random rotations."""
    methods = ("auto", "statistics")
    total = np.zeros((len(methods), 3))
    for seed in range(5):
        truth = drawn(kind, seed, **imaging)
        total += [counts(found(truth, method), truth) for method in methods]
    right, wrong, missed = total.T
    assert (2 * right / (2 * right + wrong + missed) > least).all()


@pytest.mark.parametrize("kind", ["amorphous", "empty"])
def test_nothing_is_found_where_nothing_is(kind: str) -> None:
    false = 0
    for seed in range(9):
        truth = drawn(kind, seed, dose=[1.0, 10.0, 100.0][seed % 3],
                      row_jitter=0.3, background=0.5)  # fmt: skip
        false += len(found(truth)) / 2
    assert false <= 1


def test_lattices_two_percent_apart() -> None:
    """Of two lattices over each other both have their spots where these part."""
    window = hann_window((768, 768))
    film = strained(exx=0.02, eyy=0.02)
    for phase, rotation in (("Au fcc", 11.0), ("Si diamond", 40.0)):
        crystal = {"phase": phase, "zone_axis": (1, 1, 0), "rotation": rotation}
        image, truth = synthetic_arrays(
            [Region(**crystal), Region(**crystal, displacement=film, overlay=True)],
            Scan(shape=(768, 768), pixel_size=(0.02, 0.02), dose=50.0, seed=5),
        )
        spots = find_spots(image, window, (0.02, 0.02))
        first = truth["regions"]["region_1"]
        g = first["g_image"][first["strength"] > 0.01]
        pairs = np.stack([g, g / 1.02])
        clear = np.linalg.norm(pairs[0] - pairs[1], axis=1) > 2.5 / 15.4
        assert clear.sum() >= 4
        for lattice in pairs:
            away = np.linalg.norm(lattice[clear, None] - spots[:, :2], axis=-1)
            assert np.mean(away.min(axis=1) < 0.05) > 0.85


def test_a_faint_node_of_a_lattice_is_found_and_noted() -> None:
    rng = np.random.default_rng(3)
    shape, step = (256, 256), 0.02
    y, x = (np.arange(n) * step for n in shape)
    basis = np.array([[3.1, 0.7], [-0.9, 2.8]])
    orders = np.array([[1, 0], [0, 1], [1, 1], [1, -1], [2, 1]])
    window = hann_window(shape)
    unit = 2 * np.sqrt((window**2).sum()) / window.sum()
    hits = on_node = 0
    for _ in range(20):
        g = orders @ basis
        strength = np.sqrt([900.0, 800, 700, 600, 12])
        image = rng.normal(size=shape) + sum(
            unit * a * np.cos(2 * np.pi * (gx * x + gy * y[:, None]) + p)
            for (gx, gy), a, p in zip(g, strength, rng.uniform(0, 6, 5), strict=True)
        )
        spots = find_spots(image, window, (step, step), method="statistics")
        near = np.linalg.norm(spots[:, :2] - g[4], axis=1) < 0.15
        hits += near.any()
        on_node += bool((spots[near, FINDERS].astype(int) & Finder.LATTICE).any())
    # Alone it would have to stand 16 times above the noise.
    assert hits >= 11 and on_node >= 6


def test_a_bent_crystal_keeps_its_spots() -> None:
    bend = Gradient(0.012, 30, 0, 100, (10, 10))
    region = Region("Si diamond", (1, 1, 0), 17.0, displacement=bend)
    scan = Scan(shape=(768, 768), pixel_size=(0.025, 0.025), dose=20.0, seed=1)
    image, truth = synthetic_arrays([region], scan)
    known = truth["regions"]["region_1"]
    spots = find_spots(image, hann_window((768, 768)), scan.pixel_size)
    away = np.linalg.norm(known["g_image"][:, None] - spots[:, :2], axis=-1)
    assert away.min(axis=1)[known["strength"] > 0.1].max() < 0.2
    assert away.min(axis=0).max() < 0.6


def test_rows_have_witnesses_and_a_significance() -> None:
    truth = drawn("crystal", 3, dose=20.0)
    spots = found(truth)
    strongest = int(spots[0, FINDERS])
    assert strongest == Finder.STATISTICS | Finder.NETWORK | Finder.PROFILES
    assert (spots[:, SPOT_COLUMNS.index("significance")] > 2).all()
    for method in METHODS:
        alone = found(truth, method)
        assert np.linalg.norm(alone[:, :2] - spots[0, :2], axis=1).min() < 1e-6


def test_rotation_and_unknown_method() -> None:
    lost = 0
    for rotation in np.arange(0, 90, 11.0):
        region = Region("Si diamond", (1, 1, 0), float(rotation))
        scan = Scan(shape=(384, 384), pixel_size=(0.02, 0.02), dose=10.0, seed=2)
        image, truth = synthetic_arrays([region], scan)
        known = truth["regions"]["region_1"]
        spots = find_spots(image, hann_window((384, 384)), scan.pixel_size)
        away = np.linalg.norm(known["g_image"][:, None] - spots[:, :2], axis=-1)
        lost += (away.min(axis=1)[known["strength"] > 0.05] > 0.05).sum()
        assert away.min(axis=0).max() < 0.15
    assert lost == 0
    with pytest.raises(ValueError, match="auto, statistics, network, profiles; got"):
        find_spots(image, hann_window((384, 384)), scan.pixel_size, method="blobs")
