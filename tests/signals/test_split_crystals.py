# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Twins inside one region become regions of their own."""

import warnings

import numpy as np
import pytest

from hyperspy_t2t.data import Region, synthetic_micrograph
from hyperspy_t2t.signals import SegmentedImage

RADIUS = 1.6
SPACING = 0.2355
"""Of the (111) planes of gold in nm."""


def particle(*, twinned: bool, pixel: tuple[float, float], dose: float, seed: int):
    """A gold particle along [110] on a grey background, as one region; its labels."""
    shape = (240, 200)
    centre = 0.5 * np.array([shape[1] * pixel[0], shape[0] * pixel[1]])
    angle = np.linspace(0, 2 * np.pi, 80, endpoint=False)
    circle = np.stack([np.cos(angle), np.sin(angle)], -1)
    lower = np.stack([np.cos(angle / 2), np.sin(angle / 2)], -1)
    at = {"origin": tuple(centre)}
    regions = [
        Region("Au fcc", (1, 1, 0), 144.7356, outline=centre + RADIUS * circle, **at)
    ]
    if twinned:
        outline = centre + RADIUS * lower
        regions.append(Region("Au fcc", (1, 1, 0), 215.2644, outline=outline, **at))
    image = synthetic_micrograph(
        regions, shape=shape, pixel_size=pixel, probe_size=0.05, dose=dose,
        background=0.3, seed=seed,
    )  # fmt: skip
    truth = np.asarray(image.metadata.Truth.labels)
    return SegmentedImage.from_labels(image, (truth > 0).astype(np.int32)), truth


@pytest.mark.parametrize(
    ("pixel", "dose"), [((0.018, 0.018), 5.0), ((0.024, 0.018), 50.0)]
)
def test_a_twin_becomes_a_region(pixel: tuple[float, float], dose: float):
    one, truth = particle(twinned=True, pixel=pixel, dose=dose, seed=1)
    peaks = one.find_peaks().index_phases(["Au"])
    (relation,) = peaks.relations(1)
    assert relation.name == "Σ3 (111) twin"
    split = peaks.split_crystals()
    assert split.region_labels.tolist() == [1, 2]
    labels = split.labels.data
    assert ((labels > 0) == (truth > 0)).all()
    lower = max((1, 2), key=lambda label: np.nonzero(labels == label)[0].mean())
    wrong = (labels == lower) != (truth == 2)
    # By less than a row: the one that both share may belong to either.
    assert wrong[truth > 0].mean() < 0.9 * SPACING * 2 * RADIUS / (np.pi * RADIUS**2)
    again = split.find_peaks().index_phases(["Au"])
    assert [again.best(label).crystal.name for label in (1, 2)] == ["Au fcc"] * 2
    assert again.relations(1, 2)[0].name == "Σ3 (111) twin"


def test_a_single_crystal_stays_whole():
    for seed in (1, 2):
        one, _ = particle(twinned=False, pixel=(0.018, 0.018), dose=20.0, seed=seed)
        peaks = one.find_peaks().index_phases(["Au"])
        assert (peaks.split_crystals().labels.data == one.labels.data).all()
        with pytest.raises(ValueError, match="several crystals, got region 1"):
            peaks.split_crystals(1)


def test_atoms_of_a_twin_in_one_region_say_so():
    """And those of the halves, or of a single crystal, don't."""
    several = "several crystals in one region"
    for twinned in (True, False):
        one, _ = particle(twinned=twinned, pixel=(0.018, 0.018), dose=5.0, seed=1)
        peaks = one.find_peaks().index_phases(["Au"])
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            peaks.gpa().to_atoms(1)
            if twinned:
                again = peaks.split_crystals().find_peaks().index_phases(["Au"])
                again.gpa().to_atoms(1)
        said = [str(one.message) for one in caught if several in str(one.message)]
        assert len(said) == twinned
        assert all("(region 1: 2)" in one and "split_crystals" in one for one in said)
