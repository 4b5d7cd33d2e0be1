# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Every stage is found by HyperSpy and keeps its class."""

import json

import hyperspy.api as hs
import numpy as np
import pytest

CLASSES = {
    "micrograph": "Micrograph",
    "segmented": "SegmentedImage",
    "peaks": "FFTPeakSet",
    "indexed": "FFTPeakSet",
    "strain": "StrainMap",
    "atoms": "AtomicModel",
}
LOAD_ALL = """
import json, sys
from pathlib import Path
import hyperspy.api as hs
assert "hyperspy_t2t" not in sys.modules
for path in sorted(Path(sys.argv[1]).iterdir()):
    for lazy in (False, True):
        s = hs.load(path, lazy=lazy)
        print(json.dumps([path.name, lazy, type(s).__name__, list(s.data.shape)]))
"""


def test_fresh_process_finds_every_class(saved, eager, run_python):
    lines = run_python(LOAD_ALL, saved).splitlines()
    found = {(name, lazy): rest for name, lazy, *rest in map(json.loads, lines)}
    expected = {
        (f"{stage}.{suffix}", lazy): [
            "Lazy" * lazy + CLASSES[stage],
            list(getattr(eager, stage).data.shape),
        ]
        for stage in CLASSES
        for suffix in ("hspy", "zspy")
        for lazy in (False, True)
    }
    assert found == expected


@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize("name", ["micrograph", "TEM micrograph", "STEM micrograph"])
def test_signal_type_at_load(image, tmp_path, name, lazy):
    image.save(tmp_path / "image.hspy")
    s = hs.load(tmp_path / "image.hspy", signal_type=name, lazy=lazy)
    assert type(s).__name__ == "Lazy" * lazy + "Micrograph"
    assert s.metadata.Signal.signal_type == "micrograph"


@pytest.mark.parametrize(
    ("signal_type", "shape", "name"),
    [
        ("micrograph", (4, 6), "Micrograph"),
        ("segmented_image", (4, 6), "SegmentedImage"),
        ("strain_map", (4, 5, 6), "StrainMap"),
    ],
)
def test_set_signal_type(signal_type, shape, name):
    s = hs.signals.Signal2D(np.zeros(shape))
    s.set_signal_type(signal_type)
    assert type(s).__name__ == name
    assert type(s.as_lazy()).__name__ == f"Lazy{name}"
    s.set_signal_type("")
    assert type(s) is hs.signals.Signal2D


OPERATIONS = {
    "deepcopy": lambda s: s.deepcopy(),
    "add": lambda s: s + 1,
    "multiply": lambda s: s * 2,
    "isig": lambda s: s.isig[1:4],
    "inav": lambda s: s.inav[1:3] if s.axes_manager.navigation_dimension else s,
    "as_lazy": lambda s: s.as_lazy(),
    "map": lambda s: s.map(np.cumsum, axis=0, inplace=False),
}


@pytest.mark.filterwarnings("ignore:slicing changes the peaks")
@pytest.mark.parametrize("stage", CLASSES)
@pytest.mark.parametrize("operation", OPERATIONS)
def test_class_survives(chain, stage, operation):
    before = getattr(chain, stage)
    after = OPERATIONS[operation](before)
    name = type(before).__name__.removeprefix("Lazy")
    is_lazy = before._lazy or operation == "as_lazy"
    assert type(after).__name__ == "Lazy" * is_lazy + name
    assert after.metadata.Signal.signal_type == before.metadata.Signal.signal_type


@pytest.mark.parametrize("stage", ["micrograph", "segmented", "strain"])
def test_class_survives_a_roi(chain, stage):
    before = getattr(chain, stage)
    after = hs.roi.RectangularROI(1, 2, 3, 6)(before)
    assert type(after) is type(before)
    assert after.data.shape[-2:] == (100, 50)


@pytest.mark.parametrize("stage", CLASSES)
def test_class_survives_change_dtype_and_compute(lazy, stage):
    s = getattr(lazy, stage).deepcopy()
    s.change_dtype("float32")
    s.compute()
    assert type(s).__name__ == CLASSES[stage]
    assert isinstance(s.data, np.ndarray)


def test_fft_is_no_micrograph(eager):
    assert type(eager.micrograph.fft()) is hs.signals.ComplexSignal2D
    assert type(eager.micrograph.fft().amplitude) is hs.signals.Signal2D
