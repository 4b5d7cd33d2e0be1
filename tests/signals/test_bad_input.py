# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Bad input is answered with the problem, the value and the cure."""

import ase.io
import hyperspy.api as hs
import numpy as np
import pytest

from hyperspy_t2t import CalibrationError
from hyperspy_t2t.atoms.writers import WRITERS
from hyperspy_t2t.signals import Micrograph


def with_axes(signal, **values):
    """A copy whose signal axes have other properties."""
    result = signal.deepcopy()
    for axis in result.axes_manager.signal_axes:
        for name, value in values.items():
            setattr(axis, name, value)
    return result


def fraction(chain, value, **axes):
    """A composition map."""
    image = chain.eager.micrograph
    return with_axes(image._deepcopy_with_new_data(np.full((256, 224), value)), **axes)


BAD = {
    "uncalibrated": (
        lambda c: with_axes(c.image, units="px").segment(),
        CalibrationError, r"nm, µm.*got 'px'.*Calibrate it",
    ),
    "list": (
        lambda c: Micrograph.from_signal([c.image, c.image]),
        TypeError, r"list of 2 signals: \[0\] 'Two layers'.*choose one",
    ),
    "stack": (
        lambda c: hs.stack([c.eager.segmented] * 3, show_progressbar=False).contours(),
        TypeError, r"navigation shape \(3,\).*s.inav\[0\]",
    ),
    "complex": (
        lambda c: (c.image * 1j).segment(),
        TypeError, r"real grey values.*complex64.*s.amplitude",
    ),
    "all NaN": (
        lambda c: (c.image * np.nan).segment(),
        ValueError, "no finite value.*256 × 224",
    ),
    "method": (
        lambda c: c.image.segment("kmeans"),
        ValueError, "auto, threshold, .*, sam; got 'kmeans'",
    ),
    "min_area": (
        lambda c: c.image.segment(min_area=-2),
        ValueError, "min_area above 0 nm², got -2",
    ),
    "min_area in words": (
        lambda c: c.image.segment(min_area="2 nm²"),
        TypeError, "min_area as a number or None, got '2 nm²'",
    ),
    "n_regions": (
        lambda c: c.image.segment(n_regions=float("inf")),
        ValueError, "n_regions as a whole number or None, got inf",
    ),
    "find_peaks of HyperSpy": (
        lambda c: c.segmented.find_peaks(method="local_max"),
        ValueError, "got 'local_max'.*Signal2D.find_peaks",
    ),
    "false_alarms": (
        lambda c: c.segmented.find_peaks(false_alarms=0),
        ValueError, "false_alarms.*between 0 and 100, got 0",
    ),
    "min_d": (
        lambda c: c.segmented.find_peaks(min_d=0.5, max_d=0.2),
        ValueError, "min_d < max_d in nm, got min_d=0.5, max_d=0.2",
    ),
    "phase": (
        lambda c: c.peaks.index_phases("Si dimond"),
        ValueError, "got 'Si dimond'. Close matches: 'Si diamond'.*CIF",
    ),
    "no candidates": (
        lambda c: c.peaks.index_phases([]),
        ValueError, "at least one candidate.*empty list.*Name the elements",
    ),
    "tolerance": (
        lambda c: c.peaks.index_phases("Si", tolerance=-0.1),
        ValueError, "tolerance as a fraction from 0 to 0.5, got -0.1",
    ),
    "scale_tolerance": (
        lambda c: c.peaks.index_phases("Si", scale_tolerance=10),
        ValueError, "scale_tolerance as a fraction from 0 to 0.5, got 10",
    ),
    "tolerance of a half": (
        lambda c: c.peaks.index_phases("Si", tolerance=0.5),
        ValueError, "tolerance as a fraction from 0 to 0.5, got 0.5",
    ),
    "tolerance not a number": (
        lambda c: c.peaks.index_phases("Si", tolerance=np.nan),
        ValueError, "tolerance as a fraction from 0 to 0.5, got nan",
    ),
    "calibrate": (
        lambda c: c.peaks.index_phases("Si", calibrate=9),
        KeyError, r"region label among \[1, 2\], got 9",
    ),
    "solutions of an unknown region": (
        lambda c: c.indexed.none_of_these(7),
        KeyError, r"region label among \[1, 2\], got 7",
    ),
    "relations of an unknown region": (
        lambda c: c.indexed.relations(1, 7),
        KeyError, r"region label among \[1, 2\], got 7",
    ),
    "solutions before phases": (
        lambda c: c.peaks.best(1),
        ValueError, r"without phases.*peaks.index_phases",
    ),
    "g beyond Nyquist": (
        lambda c: c.indexed.gpa(g_vectors=[[13, 0], [0, 3]]),
        ValueError, r"Nyquist limit of ±12.5 and ±12.5 1/nm.*Check their unit",
    ),
    "parallel g": (
        lambda c: c.indexed.gpa(g_vectors=[[2, 0], [4, 0.01]]),
        ValueError, r"more than 6° apart.*\[4.0, 0.01\].*not parallel",
    ),
    "shape of g": (
        lambda c: c.micrograph.gpa(g_vectors=[2, 0]),
        ValueError, r"shape \(n, 2\), got shape \(2,\)",
    ),
    "g of no region": (
        lambda c: c.indexed.gpa(g_vectors=[[1.1, 0.3], [0.2, 1.5]]),
        ValueError, r"near peaks of some region.*peaks.region\(label\)",
    ),
    "g by name": (
        lambda c: c.indexed.gpa(g_vectors="manual"),
        ValueError, "'auto', 'pair' or two or more frequencies.*'manual'",
    ),
    "g by an old name": (
        lambda c: c.indexed.gpa(g_vectors="all"),
        ValueError, "'auto', 'pair' or two or more frequencies.*'all'",
    ),
    "g by hand": (
        lambda c: c.micrograph.gpa(g_vectors="auto"),
        ValueError, r"'auto', which needs peaks.*segment\(\).find_peaks\(\).gpa",
    ),
    "reference outside": (
        lambda c: c.indexed.gpa(reference=(5, 6, 90, 8)),
        ValueError, "within the image, x from 0 to 8.92 nm.*right=90",
    ),
    "reference ROI outside": (
        lambda c: c.micrograph.gpa(
            g_vectors=c.strain.g_vectors, reference=hs.roi.RectangularROI(-4, 0, 2, 2)
        ),
        ValueError, "within the image.*left=-4",
    ),
    "reference label": (
        lambda c: c.indexed.gpa(reference=7),
        ValueError, r"crystalline region as reference, one of \[1, 2\]; got 7",
    ),
    "reference name": (
        lambda c: c.indexed.gpa(reference="substrate"),
        ValueError, "region label, an hs.roi.RectangularROI or .*'substrate'",
    ),
    "convention": (
        lambda c: c.indexed.gpa(convention="engineering"),
        ValueError, "reference, gpa, polar; got 'engineering'. Choose",
    ),
    "resolution": (
        lambda c: c.indexed.gpa(resolution=0),
        ValueError, "resolution above 0 nm .* or 'auto', got 0",
    ),
    "resolution beyond the image": (
        lambda c: c.indexed.gpa(resolution=1.2),
        ValueError, "to 1.12 nm, an eighth of the image; got 1.2 nm",
    ),
    "resolution below a fringe": (
        lambda c: c.indexed.gpa(resolution=0.05),
        ValueError, "where the mask would reach the zero frequency.*got 0.05 nm",
    ),
    "resolution by name": (
        lambda c: c.indexed.gpa(resolution="fine"),
        ValueError, "resolution above 0 nm .* or 'auto', got 'fine'",
    ),
    "thickness below a period": (
        lambda c: c.strain.to_atoms(0.1),
        ValueError, r"one period of Si diamond along \[1 1 0\], 0.384 nm; got 0.1",
    ),
    "thickness zero": (
        lambda c: c.strain.to_atoms(0), ValueError, "thickness above 0 nm.*got 0",
    ),
    "thickness negative": (
        lambda c: c.strain.to_atoms(-3), ValueError, "thickness above 0 nm.*got -3",
    ),
    "thickness infinite": (
        lambda c: c.strain.to_atoms(np.inf), ValueError, "above 0 nm.*got inf",
    ),
    "thickness text": (
        lambda c: c.strain.to_atoms("2"), TypeError, "thickness as a number, got '2'",
    ),
    "composition sum": (
        lambda c: c.strain.to_atoms(
            2, composition={"Si": fraction(c, 0.5), "Ge": fraction(c, 0.3)}
        ),
        ValueError, "Si, Ge that sum to 1 .* got a sum of 0.8. Divide",
    ),
    "composition in percent": (
        lambda c: c.strain.to_atoms(2, composition={"Si": fraction(c, 100.0)}),
        ValueError, "fractions of Si from 0 to 1, got 100.*Divide percentages",
    ),
    "composition element": (
        lambda c: c.strain.to_atoms(2, composition={"Xx": fraction(c, 1.0)}),
        ValueError, r"got \['Xx'\]",
    ),
    "composition of other elements": (
        lambda c: c.strain.to_atoms(2, composition={"Ga": fraction(c, 1.0)}),
        ValueError, "site in a phase of the model, got Ga",
    ),
    "composition as a list": (
        lambda c: c.strain.to_atoms(2, composition=[fraction(c, 1.0)]),
        TypeError, r"\{element symbol: Signal2D\}.*got list",
    ),
    "composition elsewhere": (
        lambda c: c.strain.to_atoms(2, composition={"Si": fraction(c, 1.0, offset=50)}),
        ValueError, r"overlap the micrograph.*got maps over x 49.98",
    ),
    "composition maps differ": (
        lambda c: c.strain.to_atoms(
            2,
            composition={"Si": fraction(c, 0.5), "Ge": fraction(c, 0.5, scale=0.03)},
        ),
        ValueError, "maps on the same axes; Ge has .*0.03",
    ),
    "composition uncalibrated": (
        lambda c: c.strain.to_atoms(2, composition={"Si": fraction(c, 1.0, units="")}),
        CalibrationError, "got ''.*Calibrate it",
    ),
    "no phases": (
        lambda c: c.peaks.gpa().to_atoms(2),
        ValueError, r"without phases.*peaks.index_phases",
    ),
    "calibration": (
        lambda c: c.strain.to_atoms(2, calibration="bulk"),
        ValueError, "calibration to be one of 'reference', 'nominal'; got 'bulk'",
    ),
    "contrast": (
        lambda c: c.strain.to_atoms(2, contrast="phase"),
        ValueError, "contrast to be one of 'bright', 'dark'; got 'phase'",
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def stages(chain, eager, image):
    """The chain with the image of the user, as lazy as the chain."""
    chain.image = image.as_lazy(chunks=(100, 90)) if chain.strain._lazy else image
    chain.eager = eager
    return chain


@pytest.mark.filterwarnings("ignore:The positions of some columns")
@pytest.mark.parametrize(("act", "error", "message"), BAD.values(), ids=BAD.keys())
def test_bad_input(stages, act, error, message):
    with pytest.raises(error, match=f"(?s){message}"):
        act(stages)


def test_1d_and_colour_images():
    for signal, message in (
        (hs.signals.Signal1D(np.zeros(9)), "two signal axes, got .* dimension 1"),
        (np.zeros((4, 4)), r"got ndarray. Wrap .*Signal2D\(array\)"),
        ([[1, 2], [3, 4]], r"list of 2 signals: \[0\] list"),
    ):
        with pytest.raises(TypeError, match=message):
            Micrograph.from_signal(signal)
    colour = hs.signals.Signal1D(np.zeros((8, 9, 3), np.uint8))
    colour.change_dtype("rgb8")
    with pytest.raises(TypeError, match="one channel of a colour image"):
        colour.segment()


@pytest.mark.parametrize("name", ["model.foo", "model", "model.txt"])
def test_write_to_an_unknown_format(eager, tmp_path, name):
    with pytest.raises(ValueError, match=f"model.extxyz, got '{name}'.*format="):
        eager.atoms.write(tmp_path / name)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["m.xyz", "m.extxyz", "m.cif", "m.lammps-data"])
def test_write(chain, tmp_path, name):
    chain.atoms.inav[:60].write(tmp_path / name)
    kwargs = {"style": "atomic"} if name.endswith("data") else {}
    assert len(ase.io.read(tmp_path / name, **kwargs)) == 60


def test_interrupted_write_leaves_the_old_file(eager, tmp_path, monkeypatch):
    path = tmp_path / "model.xyz"
    path.write_text("old")

    def interrupted(file, source):
        file.write(b"half")
        raise KeyboardInterrupt

    monkeypatch.setitem(WRITERS, "xyz", interrupted)
    with pytest.raises(KeyboardInterrupt):
        eager.atoms.write(path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_roi_is_in_the_units_of_the_image(eager):
    g = eager.strain.g_vectors
    expected = eager.micrograph.gpa(g_vectors=g, reference=(1, 1, 8, 4))
    in_um = eager.micrograph.deepcopy()
    for axis in in_um.axes_manager.signal_axes:
        axis.scale, axis.units = axis.scale / 1000, "µm"
    roi = hs.roi.RectangularROI(left=0.001, top=0.001, right=0.008, bottom=0.004)
    for reference in (roi, (1, 1, 8, 4)):
        found = in_um.gpa(g_vectors=g, reference=reference)
        np.testing.assert_allclose(found.data, expected.data, atol=1e-7)
