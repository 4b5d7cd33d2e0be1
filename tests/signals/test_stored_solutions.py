# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Solutions in files: of today, and of the release before probabilities."""

import json

import hyperspy.api as hs
import numpy as np
import pytest

from hyperspy_t2t.data import scene
from hyperspy_t2t.signals import SegmentedImage

CANDIDATES = ["Si diamond", "Ge diamond", "GaAs zincblende"]
SUFFIXES = ("hspy", "zspy")
READ = """
import json
import sys
import hyperspy.api as hs

def read(peaks):
    return {
        "lazy": peaks._lazy,
        "schema": int(peaks.metadata.Phases.schema_version),
        "none": peaks.none_of_these(1),
        "crystals": len(peaks.crystals(1)),
        "empty": [peaks.none_of_these(2), len(peaks.solutions(2))],
        "solutions": [
            {
                "text": repr(one),
                "probability": one.probability,
                "share": one.share,
                "hkl": one.hkl.tolist(),
                "matrix": one.matrix.tolist(),
                "covariance": one.covariance.tolist(),
                "residuals": one.residuals.tolist(),
            }
            for one in peaks.solutions(1)
        ],
    }

print(json.dumps([
    read(hs.load(path, lazy=lazy)) for path in sys.argv[1:] for lazy in (False, True)
]))
"""


@pytest.fixture(scope="module")
def indexed():
    """Si [110]; region 2 is too thin for a lattice."""
    image = scene("single_crystal", shape=(200, 180), dose=50.0, rotation=17.0)
    labels = np.ones((200, 180), np.int32)
    labels[-3:] = 2
    peaks = SegmentedImage.from_labels(image, labels).find_peaks()
    return peaks.index_phases(CANDIDATES)


def stored(peaks) -> dict:
    return peaks.metadata.Phases.as_dictionary()


@pytest.fixture(scope="module")
def old(indexed):
    """As the release before stored it: a ranked list for each region."""
    now = stored(indexed)
    main = np.flatnonzero(now["crystal"] == 0)
    spans = [slice(*now["offsets"][k : k + 2]) for k in main]
    counts = [span.stop - span.start for span in spans]
    then = {
        "schema_version": 1,
        "candidates": now["candidates"],
        "matrix": now["orientation"][main],
        "offsets": np.concatenate([[0], np.cumsum(counts)]),
        "hkl": np.concatenate([now["hkl"][span] for span in spans]),
        "matched": np.concatenate([now["matched"][span] for span in spans]),
    }
    for name in ("region", "phase", "zone_axis", "distortion", "score", "residual"):
        then[name] = now[name][main]
    return indexed._with_phases(then, "index_phases", {})


@pytest.fixture(scope="module")
def read_elsewhere(indexed, old, run_python, tmp_path_factory):
    """What a new process reads of today's and of old files, eager and lazy."""
    folder = tmp_path_factory.mktemp("saved")
    paths = []
    for name, peaks in (("now", indexed), ("old", old)):
        for suffix in SUFFIXES:
            paths.append(folder / f"{name}.{suffix}")
            peaks.save(paths[-1])
    read = json.loads(run_python(READ, *paths))
    return {"now": read[:4], "old": read[4:]}


def test_a_new_process_reads_what_was_saved(indexed, read_elsewhere):
    assert [read["lazy"] for read in read_elsewhere["now"]] == [False, True] * 2
    expected = indexed.solutions(1)
    assert len(expected) >= 3
    for read in read_elsewhere["now"]:
        assert read["schema"] == 2
        assert read["none"] == indexed.none_of_these(1) < 0.01
        assert read["crystals"] == len(indexed.crystals(1))
        assert read["empty"] == [1.0, 0]
        for one, other in zip(read["solutions"], expected, strict=True):
            assert one["text"] == repr(other)
            assert one["probability"] == other.probability
            assert one["share"] == other.share
            for name in ("hkl", "matrix", "covariance", "residuals"):
                np.testing.assert_array_equal(one[name], getattr(other, name))


def test_files_of_the_release_before_can_be_read(indexed, read_elsewhere):
    for read in read_elsewhere["old"]:
        assert read["schema"] == 1
        assert read["none"] == 0.0  # what was found then stays what it is
        assert read["empty"] == [1.0, 0]
        assert read["crystals"] == 1
        for one, other in zip(read["solutions"], indexed.solutions(1), strict=True):
            assert np.isnan([one["probability"], one["share"]]).all()
            assert np.isnan(one["covariance"]).all()
            for name in ("hkl", "matrix", "residuals"):
                np.testing.assert_array_equal(one[name], getattr(other, name))


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_old_solutions_serve_as_before(indexed, old, tmp_path, suffix):
    """For maps, calibration, strain and atoms; a choice stores them as today."""
    old.save(tmp_path / f"old.{suffix}")
    peaks = hs.load(tmp_path / f"old.{suffix}")
    for name in ("phase_map", "orientation_map", "calibrated"):
        found, expected = getattr(peaks, name)(), getattr(indexed, name)()
        np.testing.assert_array_equal(found.data, expected.data)
        for one, other in zip(
            found.axes_manager.signal_axes,
            expected.axes_manager.signal_axes,
            strict=True,
        ):
            assert one.scale == other.scale
    assert peaks.best(1).scale == indexed.best(1).scale
    assert np.isnan(peaks.best(1).scale_std)
    strain, expected = peaks.gpa(), indexed.gpa()
    np.testing.assert_array_equal(strain.data, expected.data)
    model = strain.to_atoms(thickness=2)
    np.testing.assert_allclose(model.table, expected.to_atoms(thickness=2).table)
    with pytest.raises(ValueError, match=r"Expected probabilities.*Index the peaks"):
        peaks.ambiguity(1)
    chosen = peaks.choose(1, 1)
    assert stored(chosen)["schema_version"] == 2
    assert chosen.best(1).crystal.name == indexed.solutions(1)[1].crystal.name
    assert chosen.none_of_these(1) == 0.0


def test_files_of_a_newer_release_are_refused(indexed):
    newer = indexed._with_phases(
        {**stored(indexed), "schema_version": 3}, "index_phases", {}
    )
    with pytest.raises(ValueError, match=r"schema_version 1 or 2, got 3.*Update"):
        newer.best(1)
