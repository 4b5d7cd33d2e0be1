# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Phase contrast: fringes that reverse, and materials of one mean grey level."""

import numpy as np
import pytest
from hrtem_scenes import FILM, mean_iou, scene

from hyperspy_t2t.calibration import ImageGrid
from hyperspy_t2t.segmentation.confidence import border_strengths
from hyperspy_t2t.segmentation.fringes import FringeMaps
from hyperspy_t2t.segmentation.lattices import _groups
from hyperspy_t2t.segmentation.regions import find_regions
from hyperspy_t2t.segmentation.reversals import reversal_bands
from hyperspy_t2t.segmentation.scale import smoothed
from hyperspy_t2t.segmentation.splitting import split_regions
from hyperspy_t2t.segmentation.steps import StepTest
from hyperspy_t2t.segmentation.textures import (
    find_textures,
    octave_powers,
    texture_classes,
)

SHAPE = (512, 512)
Y, X = np.indices((60, 80), dtype=float)


def iou(found) -> float:
    grid = ImageGrid(found.image.shape, (0.02, 0.02))
    return mean_iou(found.truth, find_regions(found.image, grid).labels)


def ious(name: str, seeds: int, size: int) -> np.ndarray:
    return np.array([iou(scene(name, n, shape=(size, size))) for n in range(seeds)])


@pytest.mark.parametrize(
    ("name", "seeds"),
    [("beside_film", 4), ("grains", 4), ("patch", 4), ("crystal", 4), ("edge", 2),
     ("film", 1), ("particle", 2)],
)  # fmt: skip
def test_materials_of_one_grey_level_come_apart(name: str, seeds: int) -> None:
    """Images so small that a fringe's Gaussian spans a tenth: one may fail."""
    found = ious(name, seeds, 384)
    assert np.median(found) > 0.83
    assert (found < 0.75).sum() <= (seeds > 2)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["beside_film", "edge", "film", "grains", "particle", "patch", "crystal"]
)
def test_materials_of_one_grey_level_in_larger_images(name: str) -> None:
    found = ious(name, 2, 512)
    assert np.median(found) > 0.87
    assert found.min() > 0.75


@pytest.mark.parametrize("name", ["amorphous", "vacuum"])
def test_one_texture_is_one_region(name: str) -> None:
    assert (ious(name, 2, 320) == 1).all()


def test_grains_whose_fringes_all_reverse_together() -> None:
    """Three bands without any fringe cross the grains."""
    found = scene("grains", 4, shape=(640, 640), dose=100, reversals=2, together=True)
    assert iou(found) > 0.8


def waves(signed: np.ndarray, phase: float = 0.0) -> FringeMaps:
    """Two fringes of one amplitude; one local frequency is off by a little."""
    rng = np.random.default_rng(0)
    turns = np.exp(1j * (phase + 0.02 * X)), np.exp(1j * (1 - 0.01 * Y))
    wave = np.array([signed * turn for turn in turns])
    wave += 0.01 * (rng.normal(size=wave.shape) + 1j * rng.normal(size=wave.shape))
    return FringeMaps(10, 20.0, wave.astype(np.complex64))


def bands(maps: FringeMaps, present: np.ndarray) -> np.ndarray:
    hidden, owner = np.full(X.shape, 0.1), np.zeros(X.shape, int)
    return reversal_bands(maps, [(np.arange(2), 1.0)], owner, present, hidden)


def test_a_band_is_filled_where_both_sides_are_opposite() -> None:
    signed = np.sin((X - 40) / 20)
    present = np.abs(X - 40) > 6
    assert bands(waves(signed), present)[5:-5][~present[5:-5]].mean() > 0.95


@pytest.mark.parametrize("phase", [0.0, 0.5 * np.pi])
def test_a_gap_between_sides_in_any_other_phase_stays(phase: float) -> None:
    """As of a patch in one crystal, and between two crystals."""
    present = np.abs(X - 40) > 6
    turned = np.where(X > 40, np.exp(1j * phase), 1) * present
    assert bands(waves(turned), present)[~present].mean() < 0.05


def test_a_wide_gap_between_opposite_sides_that_end_abruptly_stays() -> None:
    """A straight line through zero would have been seen in most of it."""
    present = np.abs(X - 40) > 15
    signed = np.sign(X - 40) * present
    assert bands(waves(signed), present)[~present].mean() < 0.1


def test_what_is_too_faint_inside_a_wide_gap_stays() -> None:
    """A line through zero is hidden in 12 samples, yet is not seen beside them."""
    signed = np.where(np.abs(X - 40) > 15, (X - 40) / 60, 0)
    present = np.abs(X - 40) > 15
    assert bands(waves(signed), present)[~present].mean() < 0.1
    assert bands(waves((X - 40) / 60), present)[5:-5][~present[5:-5]].mean() > 0.9


def test_white_noise_has_the_same_power_in_all_octaves() -> None:
    """And a wave has its power, half of its squared amplitude, in its octave."""
    rng = np.random.default_rng(0)
    power = octave_powers(rng.normal(size=(512, 256)), 32)
    assert power.shape == (4, 16, 8)
    np.testing.assert_allclose(power.mean(axis=(1, 2)), 4 * [1.0], rtol=0.06)
    # In pixels, a checkerboard: all of its variance is in the highest octave.
    board = np.indices((64, 64)).sum(axis=0) % 2 * 2.0 - 1
    np.testing.assert_allclose(octave_powers(board, 16)[:, 0, 0], [4 / 3, 0, 0, 0])


def test_fringes_that_close_a_triangle_are_one_lattice() -> None:
    """Each is seen in another third of a crystal; of others none closes one."""
    first, second = np.array([[0.1, 0.02], [-0.03, 0.09]])
    # The fourth is seen in the first third too, but belongs to no triangle.
    frequencies = np.array([first, second, first + second, [0.05, -0.11]])
    seen = np.eye(4)[:, np.arange(60) // 15] * np.ones((60, 1, 1))
    amplitude = np.moveaxis(seen, 0, 1)
    groups = _groups(amplitude, 0.1, frequencies, 0.01)
    assert sorted(sorted(map(int, g)) for g in groups) == [[0, 1, 2], [3]]
    frequencies[2] += [0.0, 0.02]
    assert len(_groups(amplitude, 0.1, frequencies, 0.01)) == 4


def test_a_hole_is_a_region_and_a_rim_as_deep_is_none() -> None:
    classes = np.zeros((100, 200), int)
    classes[:, :12] = 1
    classes[np.hypot(*(np.indices(classes.shape) - [[[50]], [[120]]])) < 12] = 1
    one = np.ones(classes.shape, int)
    found = split_regions(one, classes, smallest=9, thinnest=20, narrowest=8)
    assert found[50, 120] != found[0, 0] == found[0, -1]


def test_a_border_of_textures_has_a_strength() -> None:
    """Grey levels make no step there; the power of the texture doubles three times."""
    labels = np.repeat([1, 2, 3], 20) * np.ones((40, 1), int)
    rng = np.random.default_rng(0)
    test = StepTest(smoothed(rng.normal(size=labels.shape)))
    doublings = np.where(labels == 3, np.nan, 3.0 * (labels == 2))
    found, strength = border_strengths(labels, test, None, doublings)
    plain = border_strengths(labels, test, None)[1]
    assert list(found.first) == [1, 2]
    assert plain[0] < 1
    np.testing.assert_allclose(strength, [3.0, plain[1]])


def textures(step: float) -> bool:
    """Whether a film comes apart from vacuum whose mean is `step` brighter."""
    found = scene("film", 0, shape=SHAPE, dose=100)
    image = np.where(found.material == FILM, found.image, found.image + step)
    one, none = np.ones(SHAPE, int), np.zeros(SHAPE, int)
    maps = find_textures(image, one, none, binning=1)
    assert maps is not None
    return bool(texture_classes(image, one, none, maps)[1].any())


def test_only_textures_of_equal_mean_divide_a_region() -> None:
    """Where the mean differs, grey levels tell, and they do so more sharply."""
    assert textures(0.0)
    assert not textures(50.0)


def test_counts_that_change_slowly_are_one_texture() -> None:
    """Four times the dose at one side, and so four times the noise."""
    rng = np.random.default_rng(0)
    image = rng.poisson(np.linspace(50, 200, 512) * np.ones(SHAPE)).astype(float)
    found = find_regions(image, ImageGrid(SHAPE, (0.02, 0.02)))
    assert found.labels.max() == 1
