# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""What a human may correct: regions, peaks, and the choice of a phase."""

import ase.io
import dask.array as da
import numpy as np
import pytest

from hyperspy_t2t.signals import FFTPeakSet, SegmentedImage


def last_step(signal):
    steps = signal.metadata.Processing.as_dictionary()
    step = steps[f"step_{len(steps)}"]
    return step["operation"], step["parameters"]


@pytest.fixture
def half_rows(image):
    """Labels 3 and 8 above and below row 100, none in the last column."""
    labels = np.full(image.data.shape, 3)
    labels[100:] = 8
    labels[:, -1] = 0
    return labels


def test_merge(chain):
    s = chain.segmented
    merged = s.merge([2, 1])
    assert merged.region_labels.tolist() == [1]
    area = merged.region_properties["area"]
    np.testing.assert_allclose(area, s.region_properties["area"].sum())
    np.testing.assert_array_equal(s.merge(s.region_labels).labels, merged.labels)
    operation, parameters = last_step(merged)
    assert operation == "merge" and parameters["labels"].tolist() == [1, 2]
    assert s.n_regions == 2 and merged._lazy is s._lazy


def test_split(chain):
    s = SegmentedImage.from_labels(
        chain.micrograph, np.ones(chain.micrograph.data.shape, int)
    )
    line = ((0.0, 0.0), (8.92, 10.2))
    parts = s.split(1, line=line)
    labels = np.asarray(parts.labels.data)
    # Looking along the line, y down: the new part is on the left.
    assert labels[10, -10] == 2 and labels[-10, 10] == 1
    rows, columns = np.indices(labels.shape)
    side = columns / 223 - rows / 255
    assert (labels[side > 1e-6] == 2).all() and (labels[side < -1e-6] == 1).all()
    operation, parameters = last_step(parts)
    assert operation == "split" and parameters["label"] == 1
    np.testing.assert_array_equal(parameters["line"], line)
    back = parts.split(2, line=((6.0, 0.0), (6.0, 1.0)))
    assert back.region_labels.tolist() == [1, 2, 3]


def test_relabel(chain):
    s = chain.segmented
    before = np.asarray(s.labels.data)
    swapped = s.relabel({1: 2, 2: 1})
    np.testing.assert_array_equal(swapped.labels.data, np.where(before == 1, 2, 1))
    removed = s.relabel({1: 0})
    assert removed.region_labels.tolist() == [2]
    np.testing.assert_array_equal(removed.labels.data, np.where(before == 1, 0, 2))
    assert removed.find_peaks().region_labels.tolist() == [2]
    assert last_step(s.relabel({2: 9})) == ("relabel", {"mapping": "{2: 9}"})
    numpy_labels = s.relabel({np.int64(2): np.int32(9)})
    assert last_step(numpy_labels) == ("relabel", {"mapping": "{2: 9}"})
    assert s.relabel({1: 2}).region_labels.tolist() == [2]
    assert s.relabel({2: 9}).region_labels.tolist() == [1, 9]


@pytest.mark.parametrize("kind", ["Signal2D", "numpy", "dask", "list", "uint8"])
def test_from_labels(image, half_rows, kind):
    given = {
        "Signal2D": lambda: image._deepcopy_with_new_data(half_rows),
        "numpy": lambda: half_rows,
        "dask": lambda: da.from_array(half_rows, chunks=70),
        "list": lambda: half_rows.tolist(),
        "uint8": lambda: half_rows.astype(np.uint8),
    }[kind]()
    s = SegmentedImage.from_labels(image, given)
    assert s.labels.data.dtype == np.int32
    np.testing.assert_array_equal(s.labels.data, half_rows)
    properties = s.region_properties
    assert properties["label"].tolist() == [3, 8]
    pixels = np.array([100, 156]) * 223
    np.testing.assert_allclose(properties["area"], pixels * 0.04**2)
    np.testing.assert_allclose(
        properties["centroid"], 0.04 * np.array([[111, 49.5], [111, 177.5]])
    )
    assert last_step(s)[0] == "from_labels"


def test_edited_labels_come_back(chain):
    labels = chain.segmented.labels
    data = np.array(labels.data)
    data[:40] = 4
    s = SegmentedImage.from_labels(chain.micrograph, data)
    assert s.region_labels.tolist() == [1, 2, 4]
    assert chain.segmented.region_labels.tolist() == [1, 2]


@pytest.mark.parametrize(
    ("labels", "error", "message"),
    [
        (np.ones((224, 256), int), ValueError, r"shape \(256, 224\).*\(224, 256\)"),
        (np.ones((256, 224)), TypeError, r"integer labels, got float64.*astype"),
        (np.full((256, 224), -1), ValueError, "from 0 .* got -1 to -1"),
        (np.full((256, 224), 2**31), ValueError, "1000000, got 2147483648 to"),
    ],
)
def test_bad_labels(image, labels, error, message):
    with pytest.raises(error, match=message):
        SegmentedImage.from_labels(image, labels)


@pytest.mark.parametrize(
    ("edit", "error", "message"),
    [
        (lambda s: s.merge([1, 7]), KeyError, r"among \[1, 2\], got \[7\]"),
        (lambda s: s.merge([1, 1]), ValueError, r"two region labels .* got \[1\]"),
        (lambda s: s.merge([]), ValueError, r"two region labels .* got \[\]"),
        (lambda s: s.relabel({5: 1}), KeyError, r"got \[5\]"),
        (lambda s: s.merge([1, "2"]), TypeError, r"whole numbers, got \[1, '2'\]"),
        (lambda s: s.merge([True, 2]), TypeError, "whole numbers"),
        (lambda s: s.merge(2), TypeError, "whole numbers, got 2"),
        (lambda s: s.relabel({1: -2}), ValueError, r"from 0 .* got \[-2\]"),
        (lambda s: s.relabel({1: 10**9}), ValueError, r"1000000, got \[10+\]"),
        (lambda s: s.relabel({1: 2.5}), TypeError, r"whole numbers, got .*2.5"),
        (lambda s: s.relabel([1, 2]), TypeError, r"\{old: new\}, got \[1, 2\]"),
        (
            lambda s: s.split(1, line=((0, 50), (9, 50))),
            ValueError,
            r"line through region 1, got one from \(0, 50\) to \(9, 50\) nm",
        ),
        (lambda s: s.split(1, line=(1, 2)), ValueError, r"\(\(x0, y0\), \(x1, y1\)\)"),
        (lambda s: s.split(6, line=((0, 0), (1, 1))), KeyError, r"got \[6\]"),
    ],
)
def test_bad_edits_of_regions(chain, edit, error, message):
    with pytest.raises(error, match=message):
        edit(chain.segmented)


def test_remove_and_add_a_peak(chain):
    peaks = chain.peaks
    g = peaks.region(1)[0, :2]
    fewer = peaks.remove(1, 1.02 * g)
    assert len(fewer.region(1)) == len(peaks.region(1)) - 2
    np.testing.assert_array_equal(fewer.region(2), peaks.region(2))
    left = np.linalg.norm(fewer.region(1)[:, :2] - g, axis=1)
    assert left.min() > 0.5
    assert last_step(fewer)[0] == "remove"

    again = fewer.add(1, g + 0.05)
    np.testing.assert_allclose(again.region(1)[-2, :2], g, atol=0.02)
    np.testing.assert_allclose(again.region(1)[-1, :2], -g, atol=0.02)
    assert last_step(again)[0] == "add"
    np.testing.assert_array_equal(last_step(again)[1]["g"], g + 0.05)
    assert again._lazy is peaks._lazy
    assert isinstance(again, FFTPeakSet)


def test_edited_peaks_lose_phases(chain):
    g = chain.indexed.region(1)[0, :2]
    with pytest.warns(UserWarning, match="remove changes the peaks.*index_phases"):
        edited = chain.indexed.remove(1, g)
    assert not edited.metadata.has_item("Phases")
    assert chain.indexed.metadata.has_item("Phases")


@pytest.mark.parametrize(
    ("edit", "error", "message"),
    [
        (lambda p: p.add(1, [90, 0]), ValueError, r"Nyquist limit ±\(12.5, 12.5\)"),
        (lambda p: p.add(1, [0, 0]), ValueError, r"not zero"),
        (lambda p: p.add(1, p.region(1)[0, :2]), ValueError, "1 doesn't have"),
        (lambda p: p.add(4, [1, 2]), KeyError, r"among \[1, 2\], got 4"),
        (lambda p: p.remove(1, [0.4, 0.1]), ValueError, "nearest is at"),
        (lambda p: p.remove(4, [1, 2]), KeyError, r"among \[1, 2\], got 4"),
        (lambda p: p.choose(1, 0), ValueError, "peaks without phases.*index_phases"),
    ],
)
def test_bad_edits_of_peaks(chain, edit, error, message):
    with pytest.raises(error, match=message):
        edit(chain.peaks)


@pytest.fixture(scope="module")
def ambiguous(eager):
    """Peaks that several candidates explain."""
    return eager.peaks.index_phases(["Si diamond", "Ge diamond", "GaAs zincblende"])


def test_choose(ambiguous):
    before = ambiguous.solutions(1)
    assert len(before) > 1
    chosen = ambiguous.choose(1, 1)
    after = chosen.solutions(1)
    assert [s.crystal.name for s in after] == [
        before[k].crystal.name for k in (1, 0, *range(2, len(before)))
    ]
    np.testing.assert_array_equal(after[0].hkl, before[1].hkl)
    np.testing.assert_array_equal(after[1].matched, before[0].matched)
    assert repr(chosen.solutions(2)) == repr(ambiguous.solutions(2))
    assert last_step(chosen) == ("choose", {"label": 1, "rank": 1})
    index = [phase.name for phase in chosen.candidates].index(after[0].crystal.name)
    inside = np.asarray(chosen.metadata.Source.labels) == 1
    np.testing.assert_array_equal(chosen.phase_map().data[inside], index + 1)
    for rank in (-1, len(before)):
        with pytest.raises(IndexError, match=f"from 0 to .* got {rank}"):
            ambiguous.choose(1, rank)


@pytest.mark.filterwarnings("ignore:The positions of some columns")
def test_a_chosen_phase_fills_the_model(ambiguous, tmp_path):
    names = [s.crystal.name for s in ambiguous.solutions(1)]
    other = next(k for k, name in enumerate(names) if name != "Si diamond")
    element = {"Ge diamond": {"Ge"}, "GaAs zincblende": {"Ga", "As"}}[names[other]]
    model = ambiguous.choose(1, other).gpa().to_atoms(2)
    of_region = model.to_ase()[model.region == 1]
    assert set(of_region.get_chemical_symbols()) == element
    model.write(tmp_path / "model.extxyz")
    back = ase.io.read(tmp_path / "model.extxyz")
    np.testing.assert_allclose(back.positions, model.positions, atol=1e-6)
    np.testing.assert_array_equal(back.numbers, model.numbers)
