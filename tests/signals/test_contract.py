# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Calls as a user writes them, and what a best match is worth."""

import ase.io
import numpy as np
import pytest

from hyperspy_t2t.data import Region, scene, synthetic_micrograph
from hyperspy_t2t.signals import SegmentedImage


@pytest.fixture(scope="module")
def gallium_arsenide():
    s = synthetic_micrograph(
        [Region("GaAs zincblende", (1, 1, 0), 10.0)], shape=(320, 288), pixel_size=0.02
    )
    return s.segment().find_peaks().index_phases(["Ga", "As"], 0.05)


def test_arguments_by_position(gallium_arsenide):
    strain = gallium_arsenide.gpa("auto", "auto", "auto")
    model = strain.to_atoms(2, None, 3)
    assert model.metadata.Processing.step_5.parameters.seed == 3
    assert model.formula().keys() == {"Ga", "As"}


def test_a_compound_of_the_named_elements_goes_before_one_of_them(gallium_arsenide):
    assert gallium_arsenide.best(1).crystal.name == "GaAs zincblende"


def test_lammps_keeps_the_elements(gallium_arsenide, tmp_path):
    model = gallium_arsenide.gpa().to_atoms(2)
    model.write(tmp_path / "model.lmp")
    read = ase.io.read(tmp_path / "model.lmp", format="lammps-data")
    assert np.array_equal(np.sort(read.numbers), np.sort(model.numbers))
    low, high = read.positions.min(axis=0), read.positions.max(axis=0)
    assert np.all(low >= -1e-6) and np.all(high <= np.diag(read.cell) + 1e-6)


def test_a_wrong_phase_is_unknown_or_said_to_be_poor():
    peaks = scene("single_crystal", shape=(256, 256)).segment().find_peaks()
    assert peaks.index_phases(["W"]).best(1) is None
    poor = peaks.index_phases(["Si"])
    assert poor.best(1).score > 0.5
    with pytest.warns(UserWarning, match="Poor matches.*region 1"):
        peaks.index_phases(["Al", "Au", "Ag", "Cu"], min_score=0.0)


def test_a_strain_step_inside_one_region_is_not_noise():
    """Its spots are split, but its fringes stand far above the noise."""
    s = scene("quantum_well", shape=(512, 512), dose=50)
    labels = np.ones((512, 512), int)
    peaks = SegmentedImage.from_labels(s, labels).find_peaks().index_phases(["Ge"])
    strain = peaks.gpa()
    assert np.isnan(strain.data).mean() < 0.01
    rows = np.nanmean(strain.data[1], axis=1)
    well, buffer = np.median(rows[230:290]), np.median(rows[60:120])
    np.testing.assert_allclose(well - buffer, 0.0192, atol=0.002)
