# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Importing the package adds one method to Signal2D and nothing else."""

import json
import subprocess
import sys

import hyperspy.api as hs
import numpy as np
import pytest

import hyperspy_t2t
from hyperspy_t2t._segment_method import attach_segment
from hyperspy_t2t.data import scene
from hyperspy_t2t.signals import LazySegmentedImage, Micrograph, SegmentedImage

COMPARE = """
import json
import hyperspy.api as hs
import hyperspy.signals
def attributes():
    found = {}
    for name in hyperspy.signals.__all__:
        kind = getattr(hyperspy.signals, name)
        found[name] = {n: id(vars(c)[n]) for c in kind.__mro__ for n in vars(c)}
    return found
before = attributes()
import hyperspy_t2t
after = attributes()
changed = {
    name: sorted(k for k in after[name] if after[name][k] != before[name].get(k))
    for name in after
}
own = "segment" in vars(hyperspy.signals.Signal2D)
print(json.dumps([changed, own]))
"""
KEEPS = """
from hyperspy.signals import Signal2D
Signal2D.segment = lambda self: "theirs"
import hyperspy_t2t
print(Signal2D([[1, 2]]).segment())
"""


def run_python(code):
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_only_segment_is_added():
    changed, own = json.loads(run_python(COMPARE))
    assert own
    with_segment = {name for name, added in changed.items() if added == ["segment"]}
    assert {"Signal2D", "LazySignal2D"} <= with_segment
    assert not any(added for name, added in changed.items() if name not in with_segment)
    assert "Signal1D" not in with_segment and "BaseSignal" not in with_segment


def test_a_method_of_that_name_is_left_alone():
    assert run_python(KEEPS).strip() == "theirs"


def test_attaching_twice_changes_nothing():
    before = hs.signals.Signal2D.segment
    attach_segment()
    assert hs.signals.Signal2D.segment is before


@pytest.mark.parametrize("lazy", [False, True])
def test_signal2d_is_untouched(lazy):
    s = scene("single_crystal", shape=(128, 160), pixel_size=0.03)
    s = s.as_lazy(chunks=(50, 70)) if lazy else s
    data, described = np.array(s.data), str(s.axes_manager) + str(s.metadata)
    segmented = s.segment(method="threshold")
    assert type(segmented) is (LazySegmentedImage if lazy else SegmentedImage)
    assert not isinstance(s, Micrograph)
    np.testing.assert_array_equal(s.data, data)
    assert str(s.axes_manager) + str(s.metadata) == described
    expected = Micrograph.from_signal(s).segment(method="threshold")
    np.testing.assert_array_equal(segmented.labels.data, expected.labels.data)


def test_the_method_of_a_micrograph_wins():
    assert Micrograph.segment is not hs.signals.Signal2D.segment
    assert "min_area" in Micrograph.segment.__doc__
    assert "Micrograph.segment" in hs.signals.Signal2D.segment.__doc__


def test_public_names():
    assert set(hyperspy_t2t.__all__) <= set(dir(hyperspy_t2t))
    for name in hyperspy_t2t.__all__:
        assert getattr(hyperspy_t2t, name) is not None
