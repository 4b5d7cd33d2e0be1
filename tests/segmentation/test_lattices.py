# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Which lattice is where, and how well the borders lie, on fringes that are known."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from hyperspy_t2t.segmentation import fringes
from hyperspy_t2t.segmentation.coherence import without_faint_steps
from hyperspy_t2t.segmentation.fringes import fringe_maps
from hyperspy_t2t.segmentation.lattices import (
    control_frequencies,
    lattice_classes,
    lattice_map,
    usable,
)
from hyperspy_t2t.segmentation.sampling import sampled_frequencies
from hyperspy_t2t.segmentation.scale import smoothed
from hyperspy_t2t.segmentation.steps import StepTest

SHAPE = (400, 480)
Y, X = np.indices(SHAPE, dtype=float)
SPACING = 16.0
"""Of the lattice in pixels."""


def crystal(turn: float = 0.0, strain: np.ndarray | float = 0.0, shift: float = 0.0):
    """Square lattice turned by degrees; strained along y by a number or by columns.

    `strain` of the shape of a column is integrated to a displacement.
    """
    angle = np.deg2rad(turn)
    strain = np.broadcast_to(strain, SHAPE[:1])
    y = Y - np.cumsum(strain)[:, None] + shift
    u = (np.cos(angle) * X + np.sin(angle) * y) / SPACING
    v = (-np.sin(angle) * X + np.cos(angle) * y) / SPACING
    return sum(
        weight * np.cos(2 * np.pi * (h * u + k * v))
        for h, k, weight in ((1, 0, 0.3), (0, 1, 0.3), (1, 1, 0.2), (0, 2, 0.2))
    )


def counted(contrast: np.ndarray, dose: float, seed: int = 0) -> np.ndarray:
    """Poisson noise of `dose` counts per pixel."""
    rng = np.random.default_rng(seed)
    return rng.poisson(dose * np.maximum(1 + contrast, 0)).astype(float)


def speckle(seed: int = 1) -> np.ndarray:
    """Amorphous, on the scale of the lattice, a fifth of its contrast."""
    rng = np.random.default_rng(seed)
    texture = gaussian_filter(rng.normal(size=SHAPE), 3)
    return 0.1 * texture / texture.std()


def classes_of(image: np.ndarray) -> np.ndarray:
    """Lattice of each pixel, as segment() finds it."""
    frequencies = usable(sampled_frequencies(image))
    background = np.full(SHAPE, image.mean())
    found = lattice_map(image, frequencies, background=background, binning=1)
    assert found is not None
    return lattice_classes(found.on(SHAPE, 1), found.presence_on(SHAPE, 1))


def border_row(classes: np.ndarray) -> tuple[float, float]:
    """Mean row at which the class changes down the columns, and its scatter."""
    inner = classes[40:-40, 40:-40]
    rows = [np.flatnonzero(np.diff(column)) for column in inner.T[::8]]
    assert all(len(one) == 1 for one in rows)
    rows = 40.5 + np.concatenate(rows)
    return float(rows.mean()), float(rows.std())


def test_waves_have_amplitude_and_phase_of_the_fringes() -> None:
    f = np.array([[1 / 15.3, 0.01], [0.03, -1 / 18]])
    phases = (0.3, 1.0)
    image = sum(
        np.cos(2 * np.pi * (a * X + b * Y) + phase)
        for (a, b), phase in zip(f, phases, strict=True)
    )
    found = fringe_maps(
        image, f, sigmas=(18.0, 45.0), background=np.zeros((200, 240)), binning=2
    )
    for maps in found:
        inner = maps.wave[:, 5:-5, 5:-5]
        np.testing.assert_allclose(np.abs(inner), 0.5, atol=1e-3)
        for wave, phase in zip(inner, phases, strict=True):
            np.testing.assert_allclose(np.angle(wave), phase, atol=2e-2)
    assert found[1].pitch % found[0].pitch == 0


def test_blocks_of_an_image_give_the_same_waves(monkeypatch) -> None:
    image = counted(crystal(10), 20)
    options = {
        "sigmas": (18.0, 45.0), "background": np.full((400, 480), 20.0), "binning": 1,
    }  # fmt: skip
    f = np.array([[1 / SPACING, 0.0], [0.01, 1 / SPACING]])
    whole = fringe_maps(image, f, **options)
    monkeypatch.setattr(fringes, "_BLOCK", 200)
    for one, other in zip(whole, fringe_maps(image, f, **options), strict=True):
        assert one.pitch == other.pitch
        np.testing.assert_allclose(one.wave, other.wave, atol=2e-3)


def test_controls_lie_away_from_lattices_and_from_each_other() -> None:
    angle = np.deg2rad([0, 60, 120, 10, 70, 130])
    f = np.stack([np.cos(angle), np.sin(angle)], axis=1) / 12
    controls = control_frequencies(f)
    every = np.concatenate([f, -f, controls, -controls])
    apart = np.linalg.norm(controls[:, None] - every[None], axis=-1)
    assert np.sort(apart, axis=1)[:, 1].min() > 0.15 / 12


@pytest.mark.parametrize("dose", [5, 50])
def test_a_crystal_ends_where_its_amplitude_is_half(dose: float) -> None:
    """Against an amorphous film of equal grey, the border up and down the image."""
    offsets = []
    for seed, row in enumerate((150, 200, 250)):
        for above in (True, False):
            where = (row > Y) if above else (row <= Y)
            contrast = np.where(where, crystal(20 * seed + 5), speckle(seed))
            place, scatter = border_row(classes_of(counted(contrast, dose, seed)))
            assert scatter < 4
            offsets.append((place - row) * (1 if above else -1))
    assert np.abs(offsets).max() < 4 and abs(np.mean(offsets)) < 2


@pytest.mark.parametrize("dose", [5, 50])
def test_a_step_of_strain_divides_a_crystal(dose: float) -> None:
    """4 % between lattices of equal grey, coherent and with a shift at the border."""
    offsets = []
    for seed, shift in enumerate((0.0, SPACING / 4)):
        whole = crystal(0), crystal(0, 0.04 / 1.04, shift + 200 * 0.04 / 1.04)
        contrast = np.where(Y < 200, *whole)
        classes = classes_of(counted(contrast, dose, seed))
        assert set(np.unique(classes)) == {1, 2}
        place, scatter = border_row(classes)
        assert scatter < 5
        offsets.append(place - 200)
    assert np.abs(offsets).max() < 8


def test_a_low_angle_grain_boundary_divides_a_crystal() -> None:
    """2.5° between two grains."""
    contrast = np.where(Y < 200, crystal(0), crystal(2.5))
    classes = classes_of(counted(contrast, 20))
    assert set(np.unique(classes)) == {1, 2}
    assert border_row(classes)[0] == pytest.approx(200, abs=8)


@pytest.mark.parametrize("name", ["gradient", "bending", "one"])
def test_a_crystal_that_changes_smoothly_is_one(name: str) -> None:
    """A gradient of 4 % of strain, waves of 1.5 %, and none."""
    strain = {
        "gradient": np.linspace(0, 0.04, SHAPE[0]),
        "bending": 0.015 * np.sin(np.arange(SHAPE[0]) / 60),
        "one": 0.0,
    }[name]
    for dose in (5, 50):
        assert set(np.unique(classes_of(counted(crystal(0, strain), dose)))) == {1}


def test_a_reversal_of_the_contrast_is_no_border() -> None:
    """The amplitude passes through zero as the thickness changes."""
    reversing = np.cos(np.pi * (X + 0.3 * Y) / 600)
    classes = classes_of(counted(0.7 * crystal(15) * reversing, 50))
    assert set(np.unique(classes)) == {1}


def test_noise_and_speckle_have_no_lattice() -> None:
    for contrast in (np.zeros(SHAPE), speckle()):
        assert not len(sampled_frequencies(counted(contrast, 20)))


def test_soft_steps_of_the_grey_level_divide_no_lattice() -> None:
    """A sharp step stays, a soft one only where there is no lattice."""
    rng = np.random.default_rng(0)
    labels = np.where(X < 240, 1, 2)
    lattice = np.ones(SHAPE, int)
    for width, kept in ((0.5, True), (60.0, False)):
        step = 0.5 * np.tanh((X - 240) / width)
        smooth = smoothed(10 + step + 0.05 * rng.normal(size=SHAPE))
        # Something else that spans the grey levels of the image.
        test = StepTest(smooth._replace(range=4.0))
        for one in without_faint_steps(labels, labels, lattice, test):
            assert (one.max() == 2) == kept
        for one in without_faint_steps(labels, labels, 0 * lattice, test):
            assert one.max() == 2


def test_a_strip_a_few_periods_wide_shows_its_lattice() -> None:
    y, x = np.indices((1500, 190))
    columns = np.cos(2 * np.pi * x / 60) * np.cos(2 * np.pi * y / 80)
    image = counted(0.5 * columns + 0.3 * np.cos(2 * np.pi * y / 80), 30)
    found = sampled_frequencies(image)
    assert np.abs(found - [0, 1 / 80]).sum(axis=1).min() < 1e-3
