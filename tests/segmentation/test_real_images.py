# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Regions of real micrographs against what the eye sees."""

from pathlib import Path

import hyperspy.api as hs
import numpy as np
import pytest

import hyperspy_t2t.data


@pytest.mark.realdata
@pytest.mark.parametrize("method", ["auto", "watershed"])
def test_spheres_are_counted(real_data: Path, method: str) -> None:
    """Silica spheres, 6 pixels wide and touching: 215 to 220 by eye."""
    image = hs.load(real_data / "segmentation" / "SiO2 HAADF Image.hspy")
    regions = image.segment(method)
    assert 195 <= regions.n_regions <= 240


@pytest.mark.realdata
def test_two_contrasts_of_one_particle_have_the_same_outline(real_data: Path) -> None:
    """What is matter in dark field is so in bright field, where contrast inverts."""
    matter = []
    for file, brighter in (("HAADF_130mm", True), ("LAABF_1.5m", False)):
        image = hs.load(real_data / "segmentation" / f"L2083_After_{file}.emi")
        regions = image.segment()
        table = regions.region_properties
        level = table["mean_intensity"]
        low, high = np.percentile(image.data, [2, 98])
        share = (level - low) / (high - low)
        vacuum = table["label"][share < 0.12 if brighter else share > 0.88]
        matter.append(~np.isin(regions.labels.data, vacuum))
    both, either = matter[0] & matter[1], matter[0] | matter[1]
    assert 0.3 < either.mean() < 0.95
    assert both.sum() / either.sum() > 0.8


def test_gold_particles_come_apart() -> None:
    """The small particle in the middle of the support, which nothing overlaps."""
    regions = hyperspy_t2t.data.gold_nanoparticles().segment()
    labels = regions.labels.data
    particle = labels[920, 1500]
    box = np.argwhere(labels == particle)
    assert 0.02 < (labels == particle).mean() < 0.06
    assert np.ptp(box, axis=0).max() < 650
    # Dark support on all sides of it is one region.
    around = [labels[600, 1300], labels[1300, 1600], labels[1100, 1100]]
    assert len(set(around)) == 1 and around[0] != particle
    assert regions.n_regions < 20


@pytest.mark.realdata
def test_layers_of_a_superlattice(real_data: Path) -> None:
    """PbTiO3 on SrRuO3: the bright layer at the bottom, its border level."""
    image = hs.load(real_data / "atomic" / "Cropped_PTO-SRO_Aligned.hspy")
    labels = image.segment().labels.data
    bottom = labels == np.bincount(labels[-20:].ravel()).argmax()
    assert not bottom[:100].any()
    border = bottom.shape[0] - bottom.sum(axis=0)
    assert np.median(border) == pytest.approx(148, abs=15)
    # It rises by 25 pixels from the left end to the middle.
    assert np.ptp(border) < 50
