# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""States, snapping and sizes of markers of an FFTPeakSet, and what is saved."""

import hyperspy.api as hs
import numpy as np
import pytest

from hyperspy_t2t.data import Region, synthetic_micrograph
from hyperspy_t2t.signals import SegmentedImage


@pytest.fixture(scope="module")
def peaks():
    """A crystal, an amorphous film and vacuum, side by side."""
    left = np.array([[-1.0, -1], [3.4, -1], [3.4, 20], [-1, 20]])
    right = left + np.array([8.5, 0])
    regions = [
        Region(),
        Region("Si diamond", (1, 1, 0), 17.0, outline=left),
        Region("amorphous", outline=right, density=70.0, thickness=8.0),
    ]
    image = synthetic_micrograph(
        regions, shape=(400, 600), pixel_size=0.02, dose=60.0, background=0.2, seed=2
    )
    labels = np.asarray(image.metadata.Truth.labels)
    return SegmentedImage.from_labels(image, labels).find_peaks()


def test_states(peaks) -> None:
    states = [peaks.state(label) for label in (1, 2, 3)]
    assert [s.state for s in states] == ["empty", "crystalline", "amorphous"]
    assert all(0.5 < s.probability <= 1 for s in states)
    assert [peaks.is_crystalline(label) for label in (1, 2, 3)] == [False, True, False]
    with pytest.raises(KeyError, match="Expected a region label among"):
        peaks.state(9)


def test_snap_goes_to_the_maximum_and_adds_nothing(peaks) -> None:
    g = peaks.region(2)[0, :2]
    np.testing.assert_allclose(peaks.snap(2, g + np.array([0.08, -0.05])), g, atol=1e-6)
    with pytest.raises(ValueError, match="Nyquist"):
        peaks.snap(2, [40.0, 0.0])


def test_corrections_change_the_state_of_their_region(peaks) -> None:
    bare = peaks
    while len(bare.region(2)):
        bare = bare.remove(2, bare.region(2)[0, :2])
    assert bare.state(2).state != "crystalline"
    assert bare.state(3) == peaks.state(3)
    again = bare.add(2, peaks.region(2)[0, :2])
    names = again.columns
    assert again.region(2)[0, names.index("finders")] == 32


def test_markers_grow_with_the_significance(peaks) -> None:
    sizes = np.ravel(peaks.to_markers(2).kwargs["sizes"])
    clear = peaks.region(2)[:, peaks.columns.index("significance")]
    assert len(sizes) == len(clear)
    order = np.argsort(clear)
    assert (np.diff(sizes[order]) >= 0).all() and sizes.max() > sizes.min()


@pytest.mark.filterwarnings("ignore")
def test_states_survive_a_file_and_a_new_process(peaks, tmp_path, run_python) -> None:
    paths = [tmp_path / f"peaks.{ending}" for ending in ("hspy", "zspy")]
    for path in paths:
        peaks.save(path)
        assert hs.load(path).state(2) == peaks.state(2)
    code = """
import sys, hyperspy.api as hs
for path in sys.argv[1:]:
    p = hs.load(path)
    print([tuple(p.state(k))[:2] for k in (1, 2, 3)])
"""
    expected = [tuple(peaks.state(label))[:2] for label in (1, 2, 3)]
    assert run_python(code, *paths) == f"{expected}\n" * 2
