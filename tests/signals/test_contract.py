# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Calls as a user writes them, and what a best match is worth."""

import re
import warnings
from types import SimpleNamespace

import ase.io
import numpy as np
import pytest

from hyperspy_t2t import signals
from hyperspy_t2t.data import Region, scene, synthetic_micrograph
from hyperspy_t2t.phases.library import library_phase
from hyperspy_t2t.signals import SegmentedImage
from hyperspy_t2t.signals._peaks.indexing import warn_of_doubts

NAMES = {
    "Micrograph": "segment gpa",
    "SegmentedImage": "labels n_regions region_properties contours merge split relabel "
    "from_labels plot find_peaks",
    "FFTPeakSet": "columns region is_crystalline power_spectrum to_markers add remove "
    "index_phases solutions best phase_map choose gpa",
    "StrainMap": "exx eyy exy rotation displacement uncertainty reference_region "
    "g_vectors absolute dislocations bragg_filter epitaxy to_atoms",
    "AtomicModel": "positions numbers cell region to_ase write save forces relax "
    "vibrational_dos",
}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("lazy", ["", "Lazy"])
def test_names_that_do_not_change(name, lazy):
    offered = dir(getattr(signals, lazy + name))
    assert [one for one in NAMES[name].split() if one not in offered] == []


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


def test_a_wrong_phase_is_unknown():
    peaks = scene("single_crystal", shape=(256, 256), dose=50).segment().find_peaks()
    with pytest.warns(UserWarning, match=r"candidate.*: region 1"):
        assert peaks.index_phases(["W"]).best(1) is None
    right = peaks.index_phases(["Si"])
    assert right.best(1).score > 0.9
    assert right.none_of_these(1) < 0.01


@pytest.mark.parametrize(
    ("none", "score", "said"),
    [
        (0.02, 0.9, []),
        (0.02, 0.2, ["Poor matches.*region 4: Si diamond, score 0.20"]),
        (0.12, 0.9, [r"none of the candidates: region 4 \(12%\)"]),
        (0.3, 0.2, [r"none of the candidates: region 4 \(30%\)", "Poor matches"]),
        # Who reads "none of these" is not told how well the others fit.
        (0.8, 0.2, [r"none of the candidates: region 4 \(80%\)"]),
    ],
)
def test_doubts_are_said(none, score, said):
    solution = SimpleNamespace(phase=1, score=score)
    region = SimpleNamespace(solutions=[solution], none=none, further=[])
    phases = [library_phase("Ge diamond"), library_phase("Si diamond")]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warn_of_doubts(phases, {4: region})
    messages = [str(one.message) for one in caught]
    assert len(messages) == len(said)
    for message, pattern in zip(messages, said, strict=True):
        assert re.search(pattern, message)


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
