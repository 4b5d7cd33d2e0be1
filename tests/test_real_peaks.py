# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Peaks of real atomic images: the low orders of their lattices and nothing beside."""

from pathlib import Path
from typing import Any, NamedTuple

import hyperspy.api as hs
import numpy as np
import pytest
from real_files import load, peaks_of

import hyperspy_t2t  # noqa: F401, Signal2D gets segment()

pytestmark = [pytest.mark.realdata, pytest.mark.filterwarnings("ignore")]


class Known(NamedTuple):
    """What was measured in a real image otherwise, with other programs or by hand."""

    file: str
    spacings: tuple[float, ...]
    """Of its low-order planes in nm; relative to the first where it has no scale."""
    angle: float
    """Between the first two of these planes, in degrees."""
    steps: tuple[float, float] = (1, 1)
    """The lattice's nodes along these two, in parts of their frequencies."""
    pixel: float | None = None
    """Pixel size in nm where the file has none."""


KNOWN = {
    "SrTiO3 HAADF": Known("atomic/16_STOimage.emi", (0.402, 0.407), 90),
    # Halved once more in both directions: 1:1 order of the B sites, C. A. Randall,
    # A. S. Bhalla, Jpn. J. Appl. Phys. 29 (1990) 327,
    # https://doi.org/10.1143/JJAP.29.327
    "PMN iDPC": Known(
        "atomic/PMN_iDPC.tif", (1, 1 / 1.419, 1 / 1.226), 90, (1 / 2, 1 / 4), 0.0162
    ),
    "ZnO dDPC": Known("atomic/dDPC_ZnO.tif", (1, 1 / 1.083), 90, (1, 1 / 2), 0.0126),
    # Rows of nodes 2.84 1/nm apart in x, in them nodes 1/(4 × 0.4055 nm) apart.
    "layered crystal": Known(
        "atomic/Test_TEM_image.dm4", (0.4055, 0.343, 0.2954, 0.2702), 78, (1 / 4, 1)
    ),
    # SrTiO3 [110], a = 0.3905 nm, in an image whose scale is 1.5 % small.
    "SrTiO3 ABF": Known(
        "atomic/stem_abf_data_imagestack.hspy", (0.2720, 0.2221), 35.26
    ),
}
SINGLE_ATOMS = ("singleatom_bpy_crop19.tif", "singleatom_bpy_crop21.tif")


def half_plane(peaks: Any, label: int, significance: float = 2.0) -> np.ndarray:
    """g of one of each Friedel pair, strongest first."""
    rows = peaks.region(label)[::2]
    return rows[rows[:, peaks.columns.index("significance")] >= significance, :2]


def main_region(peaks: Any) -> int:
    return max(peaks.region_labels.tolist(), key=lambda k: len(peaks.region(k)))


def angle_between(a: np.ndarray, b: np.ndarray) -> float:
    """Of two rows of planes, 0 … 90 degrees."""
    cosine = abs(a @ b) / np.linalg.norm(a) / np.linalg.norm(b)
    return float(np.degrees(np.arccos(min(cosine, 1))))


def relative_errors(g: np.ndarray, known: Known) -> np.ndarray:
    """Of the spacings of some g against each known one, (n, k)."""
    spacing = 1 / np.linalg.norm(g, axis=1)
    unit = spacing.max(initial=0, where=spacing < 0.3) if known.pixel else 1.0
    return np.abs(spacing[:, None] / (unit * np.array(known.spacings)) - 1)


def basis_of(g: np.ndarray, known: Known) -> np.ndarray:
    """The strongest of some g with the first two spacings and their angle, (2, 2)."""
    fits = relative_errors(g, known) < 0.015
    pairs = [
        np.array([a, b])
        for a in g[fits[:, 0]]
        for b in g[fits[:, 1]]
        if abs(angle_between(a, b) - known.angle) < 2
    ]
    assert pairs
    return pairs[0]


@pytest.mark.parametrize("known", KNOWN.values(), ids=KNOWN)
def test_low_orders_have_known_spacings_and_angle(real_data: Path, known: Known):
    peaks = peaks_of(real_data / known.file, known.pixel)
    label = main_region(peaks)
    assert peaks.state(label).state == "crystalline"
    g = half_plane(peaks, label, significance=5)
    assert np.all(relative_errors(g, known).min(axis=0) < 0.015)
    basis_of(g, known)


@pytest.mark.parametrize("known", KNOWN.values(), ids=KNOWN)
def test_no_clear_low_order_peak_off_the_lattice(real_data: Path, known: Known):
    """Within 8 1/nm; further out some scans copy the lattice by periodic disturbance.

    Nodes are met within two pixels of the spectrum, as short-range order and strain
    move and split spots, and 1 %.
    """
    peaks = peaks_of(real_data / known.file, known.pixel)
    label = main_region(peaks)
    basis = basis_of(half_plane(peaks, label, significance=5), known)
    basis = basis * np.array(known.steps)[:, None]
    g = half_plane(peaks, label, significance=10)
    g = g[np.linalg.norm(g, axis=1) < 8]
    assert len(g) >= 5
    nodes = np.rint(g @ np.linalg.inv(basis)) @ basis
    scale = peaks.power_spectrum(label).axes_manager["gx"].scale
    away = np.linalg.norm(g - nodes, axis=1)
    allowed = 2 * scale + 0.01 * np.linalg.norm(g, axis=1)
    # Such places are rare, or the test would say nothing.
    assert np.pi * allowed.max() ** 2 < 0.5 * abs(np.linalg.det(basis))
    assert np.all(away < allowed)


def structure_factor(positions: np.ndarray, gx: np.ndarray, gy: np.ndarray):
    """|mean of exp(−2πi g·r)| on a grid: 1 where all columns lie on planes of g."""
    x, y = positions.T
    waves = np.exp(-2j * np.pi * np.outer(gy, y)) @ np.exp(
        -2j * np.pi * np.outer(x, gx)
    )
    return np.abs(waves) / len(positions)


@pytest.mark.parametrize(
    ("image", "columns", "fewest"),
    [
        (
            "atomic/Cropped_PTO-SRO_Aligned.hspy",
            "atomic/Cropped_PTO-SRO_atom_positions1.npy",
            4,
        ),
        (
            "labelled/StatSTEM_PtIr_particle.hspy",
            "labelled/StatSTEM_PtIr_particle_columns.csv",
            3,
        ),
        (
            "atomic/example_Au_nanoparticle.emd",
            "atomic/example_Au_nanoparticle_atom_positions.npy",
            2,
        ),
    ],
    ids=["PbTiO3-SrRuO3", "PtIr", "Au"],
)
def test_peaks_are_periods_of_the_published_columns(
    real_data: Path, image: str, columns: str, fewest: int
):
    """The strongest planes of columns that others have located are found."""
    path = real_data / columns
    if path.suffix == ".npy":
        positions = np.load(path)
    else:
        positions = np.loadtxt(path, delimiter=",", skiprows=1, usecols=(0, 1))
    signal = load(real_data / image)
    positions = positions * [axis.scale for axis in signal.axes_manager.signal_axes]
    gx, gy = np.arange(0, 6, 0.02), np.arange(-6, 6, 0.02)
    grid = np.stack(np.meshgrid(gx, gy), axis=-1)
    strength = structure_factor(positions, gx, gy)
    strength[np.linalg.norm(grid, axis=-1) < 1.5] = 0
    peaks = peaks_of(real_data / image)
    found = np.concatenate([peaks.region(k)[:, :2] for k in peaks.region_labels])
    for _ in range(fewest):
        expected = grid[np.unravel_index(strength.argmax(), strength.shape)]
        spacing = np.linalg.norm(found, axis=1) / np.linalg.norm(expected)
        near = found[np.abs(spacing - 1) < 0.015]
        assert min(angle_between(g, expected) for g in near) < 2
        strength[np.linalg.norm(grid - expected, axis=-1) < 0.5] = 0


def test_small_gold_particle_has_spacings_of_gold(real_data: Path):
    """0.214 and 0.195 nm, which the wrong scale makes of {111} and {002}."""
    peaks = peaks_of(real_data / "atomic/example_Au_nanoparticle.emd")
    spacing = 1 / np.linalg.norm(half_plane(peaks, main_region(peaks)), axis=1)
    for expected in (0.214, 0.195):
        assert np.abs(spacing / expected - 1).min() < 0.025


@pytest.mark.parametrize("name", SINGLE_ATOMS)
@pytest.mark.parametrize("frame", [0, 60], ids=["plain", "padded"])
def test_single_atoms_have_no_lattice(real_data: Path, name: str, frame: int):
    """Nor has a constant frame as registration leaves it."""
    image = load(real_data / "labelled" / name).data.astype(np.float32)
    signal = hs.signals.Signal2D(
        np.pad(image, frame, constant_values=float(image.mean()))
    )
    for axis in signal.axes_manager.signal_axes:
        axis.scale, axis.units = 0.02, "nm"
    peaks = signal.segment().find_peaks()
    for label in peaks.region_labels.tolist():
        assert not peaks.is_crystalline(label)
        assert peaks.state(label).state != "crystalline"
