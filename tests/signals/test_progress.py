# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Long work says how far it is, once, and only where it can be long."""

import hyperspy.api as hs
import pytest

from hyperspy_t2t.data import scene
from hyperspy_t2t.signals._carried import progress


@pytest.fixture
def lazy_image():
    return scene("two_layers", shape=(160, 192)).as_lazy(chunks=(80, 96))


def test_one_bar_for_all_computations_of_a_step(lazy_image, capfd, monkeypatch):
    monkeypatch.setattr(progress, "DELAY", 0)
    segmented = lazy_image.segment(show_progressbar=True)
    shown = capfd.readouterr().err
    assert shown.count("segment:") >= 1
    assert shown.count("\n") == 1
    segmented.find_peaks(show_progressbar=True)
    assert "find_peaks:" in capfd.readouterr().err


def test_quiet_when_told_or_eager(lazy_image, capfd, monkeypatch):
    lazy_image.segment(show_progressbar=False)
    monkeypatch.setattr(hs.preferences.General, "show_progressbar", False)
    lazy_image.segment()
    scene("two_layers", shape=(160, 192)).segment(show_progressbar=True)
    assert capfd.readouterr().err == ""
