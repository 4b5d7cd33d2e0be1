# This file is part of hyperspy_t2t, released under the GNU General Public
# License v3.0 or later; see LICENSE.
"""Regions split, added and removed by hand, on oblong pixels away from the origin."""

import hashlib

import dask
import dask.array as da
import hyperspy.api as hs
import numpy as np
import pytest
from dask.callbacks import Callback

from hyperspy_t2t.signals import SegmentedImage
from hyperspy_t2t.signals._carried.source import LARGEST_WINDOW

SHAPE, SCALE, OFFSET = (120, 150), (0.1, 0.04), (-3.0, 20.0)
ROWS, COLUMNS = np.indices(SHAPE)
Y, X = (o + s * i for o, s, i in zip(OFFSET, SCALE, (ROWS, COLUMNS), strict=True))
LABELS = np.select([COLUMNS >= 100, ROWS >= 70, COLUMNS < 5], [7, 3, 0], 1)


def micrograph(labels, lazy, *, scale=SCALE, units="nm"):
    """Grey levels by label and noise."""
    image = 10.0 * (labels % 5) + np.random.default_rng(4).normal(0, 1, labels.shape)
    axes = [
        {"name": n, "size": k, "scale": s, "offset": o, "units": units}
        for n, k, s, o in zip("yx", labels.shape, scale, OFFSET, strict=True)
    ]
    s = hs.signals.Signal2D(image, axes=axes)
    return s.as_lazy(chunks=(50, 40)) if lazy else s


@pytest.fixture(scope="module", params=[False, True], ids=["eager", "lazy"])
def regions(request):
    image = micrograph(LABELS, request.param)
    labels = da.from_array(LABELS, chunks=(50, 40)) if request.param else LABELS
    return SegmentedImage.from_labels(image, labels)


def labels_of(regions):
    return np.asarray(regions.labels.data)


def last_step(signal):
    steps = signal.metadata.Processing.as_dictionary()
    step = steps[f"step_{len(steps)}"]
    return step["operation"], step["parameters"]


TRIANGLE = np.array([(20.61, -2.43), (25.01, -1.01), (21.01, 6.41)])


def in_triangle():
    """Left of all its sides, or right of all."""
    sides = [
        (x1 - x0) * (Y - y0) - (y1 - y0) * (X - x0) > 0
        for (x0, y0), (x1, y1) in zip(TRIANGLE, np.roll(TRIANGLE, -1, 0), strict=True)
    ]
    return np.all(sides, axis=0) | ~np.any(sides, axis=0)


def box_mask():
    return (ROWS >= 21) & (ROWS < 96) & (COLUMNS >= 80) & (COLUMNS < 131)


WHERE = {
    "PolygonROI": lambda s: (
        hs.roi.PolygonROI([tuple(p) for p in TRIANGLE]), in_triangle(),
    ),
    "polygon": lambda s: (TRIANGLE, in_triangle()),
    "list of points": lambda s: (TRIANGLE.tolist(), in_triangle()),
    "RectangularROI": lambda s: (
        hs.roi.RectangularROI(left=23.2, top=-0.9, right=25.24, bottom=6.6),
        box_mask(),
    ),
    "CircleROI": lambda s: (
        hs.roi.CircleROI(23.0, 2.0, r=2.51, r_inner=0.77),
        (np.hypot(X - 23, Y - 2) < 2.51) & (np.hypot(X - 23, Y - 2) > 0.77),
    ),
    "numpy mask": lambda s: (box_mask(), box_mask()),
    "dask mask": lambda s: (da.from_array(box_mask(), chunks=33), box_mask()),
    "Signal2D mask": lambda s: (s.labels == 3, LABELS == 3),
}  # fmt: skip


@pytest.mark.parametrize("kind", WHERE)
def test_add_and_remove(regions, kind):
    where, mask = WHERE[kind](regions)
    added = regions.add_region(where)
    np.testing.assert_array_equal(labels_of(added), np.where(mask, 8, LABELS))
    assert added.labels.data.dtype == np.int32
    assert type(added) is type(regions)
    assert labels_of(regions).max() == 7
    named = regions.add_region(where, label=np.int64(5))
    np.testing.assert_array_equal(labels_of(named), np.where(mask, 5, LABELS))
    removed = regions.remove_region(where)
    np.testing.assert_array_equal(labels_of(removed), np.where(mask, 0, LABELS))


def test_a_rectangle_takes_what_hyperspy_slices(regions):
    roi = hs.roi.RectangularROI(left=23.215, top=-0.93, right=25.225, bottom=6.64)
    chosen = roi(hs.signals.Signal2D(LABELS, axes=_axes(regions)))
    added = regions.add_region(roi)
    rows, columns = np.nonzero(labels_of(added) == 8)
    assert chosen.data.shape == (np.ptp(rows) + 1, np.ptp(columns) + 1)
    x_axis, y_axis = chosen.axes_manager.signal_axes
    np.testing.assert_allclose(
        [x_axis.offset, y_axis.offset],
        [X[0, columns.min()], Y[rows.min(), 0]],
        atol=1e-9,
    )


def _axes(signal):
    axes = signal.axes_manager.as_dictionary()
    return [axes[f"axis-{k}"] for k in (0, 1)]


def test_rois_are_in_the_units_of_the_axes_and_the_record_in_nm(regions):
    in_um = regions.deepcopy()
    for axis in in_um.axes_manager.signal_axes:
        axis.scale, axis.offset, axis.units = axis.scale / 1e3, axis.offset / 1e3, "µm"
    pairs = [
        (
            hs.roi.PolygonROI([tuple(p) for p in TRIANGLE]),
            hs.roi.PolygonROI([tuple(p / 1e3) for p in TRIANGLE]),
            "vertices",
        ),
        (
            hs.roi.RectangularROI(23.2, -0.9, 25.24, 6.6),
            hs.roi.RectangularROI(0.0232, -0.0009, 0.02524, 0.0066),
            "box",
        ),
        (
            hs.roi.CircleROI(23.0, 2.0, 2.51, 0.77),
            hs.roi.CircleROI(0.023, 0.002, 0.00251, 0.00077),
            "centre",
        ),
    ]
    for roi_nm, roi_um, key in pairs:
        expected, found = regions.add_region(roi_nm), in_um.add_region(roi_um)
        np.testing.assert_array_equal(labels_of(found), labels_of(expected))
        values = [last_step(s)[1][key] for s in (expected, found)]
        np.testing.assert_allclose(values[1], values[0])
    lines = hs.roi.Line2DROI(20, 0, 24, 1), hs.roi.Line2DROI(0.02, 0, 0.024, 0.001)
    np.testing.assert_array_equal(
        labels_of(in_um.split(1, lines[1])), labels_of(regions.split(1, lines[0]))
    )
    in_um.axes_manager.signal_axes[0].units = "nm"
    with pytest.raises(ValueError, match=r"one unit for a CircleROI, got .*1000 nm"):
        in_um.add_region(pairs[2][1])


def test_removed_regions_go_to_their_nearest_neighbour(regions):
    filled = labels_of(regions.remove_region(3, fill="nearest"))
    assert (filled[LABELS != 3] == LABELS[LABELS != 3]).all()
    # Up is at row 69, 0.1 nm pixels; right at column 100, 0.04 nm pixels.
    up, right = 0.1 * (ROWS - 69), 0.04 * (100 - COLUMNS)
    inside = (LABELS == 3) & (COLUMNS >= 5) & (np.abs(up - right) > 1e-6)
    np.testing.assert_array_equal(filled[inside], np.where(up < right, 1, 7)[inside])
    several = labels_of(regions.remove_region([1, 3], fill="nearest"))
    assert set(np.unique(several)) == {0, 7}
    np.testing.assert_array_equal(
        labels_of(regions.remove_region([1, 3])), np.where(LABELS == 7, 7, 0)
    )


def test_a_removed_part_goes_to_the_rest_around_it(regions):
    hole = hs.roi.CircleROI(21.5, 1.0, 0.8)
    filled = regions.remove_region(hole, fill="nearest")
    np.testing.assert_array_equal(labels_of(filled), LABELS)
    at_a_border = hs.roi.RectangularROI(left=23.0, top=0.0, right=25.0, bottom=2.0)
    filled = labels_of(regions.remove_region(at_a_border, fill="nearest"))
    np.testing.assert_array_equal(filled, LABELS)


def test_a_fill_larger_than_the_window_is_found_on_a_coarser_grid():
    labels = np.ones((LARGEST_WINDOW + 300, 60), int)
    labels[:, 20:] = 2
    labels[:, 50:] = 3
    regions = SegmentedImage.from_labels(micrograph(labels, True), labels)
    filled = labels_of(regions.remove_region(2, fill="nearest"))
    expected = np.where(np.arange(60) < 35, 1, 3)
    assert (filled != expected).mean() < 1 / 60
    assert set(np.unique(filled)) == {1, 3}


def test_split_along_a_bent_line(regions):
    # Right along row 30, then up through column 40: left is the upper left.
    y, x = Y[30, 0] - 0.05, X[0, 40] - 0.02
    split = regions.split(1, [(x - 1, y), (x, y), (x, y - 1)])
    corner = (LABELS == 1) & (ROWS < 30) & (COLUMNS < 40)
    np.testing.assert_array_equal(labels_of(split), np.where(corner, 8, LABELS))
    roi = hs.roi.Line2DROI(x1=x, y1=5.0, x2=x, y2=4.0)
    left = (LABELS == 1) & (COLUMNS < 40)
    np.testing.assert_array_equal(
        labels_of(regions.split(1, roi)), np.where(left, 8, LABELS)
    )
    np.testing.assert_array_equal(last_step(split)[1]["line"][1], [x, y])


def test_split_by_seeds():
    touching = np.logical_or(
        *((np.hypot((COLUMNS - c) * 0.04, (ROWS - r) * 0.1) < radius)
          for r, c, radius in [(60, 50, 2.0), (60, 116, 1.0)])
    )  # fmt: skip
    labels = np.where(touching, 2, 1)
    seeds = np.array([(X[0, 50], Y[60, 0]), (X[0, 116], Y[60, 0])])
    results = []
    for lazy in (False, True):
        regions = SegmentedImage.from_labels(micrograph(labels, lazy), labels)
        split = regions.split(2, seeds=seeds)
        results.append(labels_of(split))
        assert split._lazy is lazy
        assert split.labels.data.dtype == np.int32
    found = results[0]
    np.testing.assert_array_equal(results[1], found)
    assert (found[~touching] == 1).all() and set(np.unique(found)) == {1, 2, 3}
    assert found[60, 50] == 2 and found[60, 116] == 3
    # Two circles of 2 and 1 nm, 2.64 nm apart, meet 1.89 nm from the first.
    neck = COLUMNS * 0.04 > 50 * 0.04 + (2.64**2 + 2**2 - 1**2) / (2 * 2.64)
    wrong = touching & (found != np.where(neck, 3, 2))
    assert wrong.sum() < 0.05 * touching.sum()
    operation, parameters = last_step(split)
    assert operation == "split" and parameters["label"] == 2
    np.testing.assert_array_equal(parameters["seeds"], seeds)


def test_seeds_follow_grey_levels_not_the_middle(regions):
    whole = regions.merge([1, 3, 7])
    split = whole.split(1, seeds=[(20.5, -1.0), (25.5, 5.0), (21.0, 8.5)])
    found = labels_of(split)
    new = {1: 1, 7: 2, 3: 3, 0: 0}
    expected = np.select([LABELS == old for old in new], list(new.values()))
    assert (found != expected).mean() < 0.02
    assert split.region_labels.tolist() == [1, 2, 3]


def test_only_the_box_of_the_region_is_read_to_split_it_by_seeds():
    labels = np.ones(SHAPE, int)
    labels[5:35, 5:30] = 2
    reads = []

    def read(block, block_info=None):
        reads.append(tuple(block_info[0]["chunk-location"]))
        return block

    s = micrograph(labels, True)
    data = s.data.astype(np.int32)  # no NaN to look for
    data = data.map_blocks(read, dtype=data.dtype, meta=np.empty((0, 0), data.dtype))
    image = s._deepcopy_with_new_data(data)
    regions = SegmentedImage.from_labels(image, da.from_array(labels, chunks=(50, 40)))
    with dask.config.set(scheduler="synchronous"):
        reads.clear()
        split = regions.split(2, seeds=[(20.4, -2.0), (21.0, 0.0)])
        assert set(reads) == {(0, 0)}
    assert split.region_labels.tolist() == [1, 2, 3]


class Largest(Callback):
    """Remembers the most pixels in an array that a dask task returned."""

    def __init__(self):
        super().__init__(posttask=self._seen)
        self.pixels = 0

    def _seen(self, key, value, *_):
        if isinstance(value, np.ndarray) and value.ndim >= 2:
            self.pixels = max(self.pixels, np.prod(value.shape))


def test_nothing_is_read_whole():
    labels = da.ones((900, 1100), chunks=(150, 160), dtype=np.int32)
    image = hs.signals.Signal2D(
        da.random.default_rng(0).normal(10, 1, labels.shape, chunks=(150, 160)),
        axes=[{"size": n, "scale": 0.1, "units": "nm"} for n in labels.shape],
    ).as_lazy()
    with dask.config.set(scheduler="synchronous"), Largest() as largest:
        s = SegmentedImage.from_labels(image, labels)
        s = s.add_region(hs.roi.CircleROI(50, 40, 30))
        s = s.split(1, [(0, 0), (50, 70), (100, 10)])
        s = s.split(2, seeds=[(40, 30), (60, 50)])
        assert s.n_regions == 4
    # Spots are looked for in tiles, in a region below 1024² also in the whole.
    assert largest.pixels < 0.4 * labels.size


BAD = {
    "neither line nor seeds": (
        lambda s: s.split(1), TypeError, "either a line or seeds=, got neither",
    ),
    "line and seeds": (
        lambda s: s.split(1, [(0, 0), (1, 1)], seeds=[(0, 0), (1, 1)]),
        TypeError, "got both",
    ),
    "line of one point": (
        lambda s: s.split(1, [(1, 1), (1, 1)]),
        ValueError, "between two places, got one",
    ),
    "line not drawn": (
        lambda s: s.split(1, hs.roi.Line2DROI()),
        ValueError, "Line2DROI that is drawn.*add_widget",
    ),
    "line of text": (
        lambda s: s.split(1, "upper half"), ValueError, "got 'upper half'",
    ),
    "bent line beside the region": (
        lambda s: s.split(1, [(25, 9), (26, 8.5), (27, 9)]),
        ValueError, "line through region 1, got one from",
    ),
    "one seed": (
        lambda s: s.split(1, seeds=[(21, 0)]), ValueError, "two points .x, y. in nm",
    ),
    "seeds of text": (
        lambda s: s.split(1, seeds="auto"), ValueError, "got 'auto'",
    ),
    "seed in another region": (
        lambda s: s.split(1, seeds=[(21, 0), (25, 0)]),
        ValueError, r"inside region 1, got \(25, 0\) nm, which is in region 7",
    ),
    "seed in no region": (
        lambda s: s.split(1, seeds=[(21, 0), (20.1, 0)]),
        ValueError, "which is where there is no region",
    ),
    "seed outside": (
        lambda s: s.split(1, seeds=[(21, 0), (2, 0)]), ValueError, "outside the image",
    ),
    "seeds in one place": (
        lambda s: s.split(1, seeds=[(21, 0), (21, 0.01)]),
        ValueError, "further apart than",
    ),
    "polygon not drawn": (
        lambda s: s.add_region(hs.roi.PolygonROI()),
        ValueError, r"PolygonROI that is drawn, got PolygonROI\(vertices=\[\]\)",
    ),
    "rectangle not drawn": (
        lambda s: s.add_region(hs.roi.RectangularROI()), ValueError, "that is drawn",
    ),
    "ROI without area": (
        lambda s: s.add_region(hs.roi.Point2DROI(21, 0)),
        TypeError, "PolygonROI, RectangularROI or CircleROI, a mask.*got Point2DROI",
    ),
    "two corners": (
        lambda s: s.add_region([(20, 0), (21, 0)]), TypeError, "n ≥ 3; got",
    ),
    "corner without a number": (
        lambda s: s.add_region([(20, 0), (21, 0), (np.nan, 1)]),
        TypeError, "corners .* of a polygon",
    ),
    "nothing": (lambda s: s.add_region(None), TypeError, "got None"),
    "outside": (
        lambda s: s.add_region(hs.roi.CircleROI(0, 0, 2)),
        ValueError, r"(?s)x from 20 to 25.96 nm and y from -3 to 8.9 nm, got none in "
        r"this CircleROI: centre \[0.0, 0.0\] nm, radius 2.0 nm",
    ),
    "between pixels": (
        lambda s: s.add_region([(21.01, 0.01), (21.03, 0.01), (21.02, 0.09)]),
        ValueError, "got none in this polygon: x from 21.01 to 21.03 nm, y",
    ),
    "mask of another shape": (
        lambda s: s.add_region(np.ones((150, 120), bool)),
        ValueError, r"shape \(120, 150\) \(rows, columns\), got \(150, 120\)",
    ),
    "mask of numbers": (
        lambda s: s.add_region(s.labels), TypeError, "truth values, got int32",
    ),
    "empty mask": (
        lambda s: s.add_region(np.zeros(SHAPE, bool)), ValueError, "False",
    ),
    "label in use": (
        lambda s: s.add_region(TRIANGLE, label=3),
        ValueError, r"not in use, got 3; \[1, 3, 7\] are.*merge",
    ),
    "label 0": (
        lambda s: s.add_region(TRIANGLE, label=0), ValueError, "from 1 to",
    ),
    "label of text": (
        lambda s: s.add_region(TRIANGLE, label="a"), TypeError, "as a whole number",
    ),
    "unknown label": (
        lambda s: s.remove_region([1, 4]), KeyError, r"among \[1, 3, 7\], got \[4\]",
    ),
    "no label": (lambda s: s.remove_region([]), TypeError, r"got \[\]"),
    "truth value": (lambda s: s.remove_region(True), TypeError, "got True"),
    "fill": (
        lambda s: s.remove_region(1, fill=True),
        TypeError, "fill as a text, got True",
    ),
    "nothing to fill with": (
        lambda s: s.remove_region([1, 3, 7], fill="nearest"),
        ValueError, "another region next to the removed pixels",
    ),
    "nothing to remove": (
        lambda s: s.remove_region(hs.roi.RectangularROI(20.0, 0, 20.16, 3)),
        ValueError, "got only pixels without a label",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("act", "error", "message"), BAD.values(), ids=BAD.keys())
def test_bad_corrections(regions, act, error, message):
    with pytest.raises(error, match=message):
        act(regions)


def test_the_record_is_enough_to_do_it_again(regions):
    first = (
        regions.add_region(hs.roi.PolygonROI([tuple(p) for p in TRIANGLE]))
        .add_region(hs.roi.CircleROI(23.0, 6.0, 1.1))
        .split(7, [(25, 0), (25, 3), (26, 4)])
        .split(3, seeds=[(20.5, 8), (22.5, 8.5)])
        .remove_region(hs.roi.RectangularROI(20.4, -3, 21.0, -1), fill="nearest")
        .merge([1, 8])
        .relabel({7: 2})
    )
    again = regions
    steps = first.metadata.Processing.as_dictionary()
    for step in list(steps.values())[1:]:
        again = redo(again, step["operation"], dict(step["parameters"]))
    np.testing.assert_array_equal(labels_of(again), labels_of(first))
    assert [step["operation"] for step in steps.values()] == [
        "from_labels", "add_region", "add_region", "split", "split", "remove_region",
        "merge", "relabel",
    ]  # fmt: skip


def redo(regions, operation, parameters):
    """One step from what was recorded of it."""
    if operation == "merge":
        return regions.merge(parameters["labels"])
    if operation == "relabel":
        return regions.relabel(eval(parameters["mapping"]))
    if operation == "split":
        return regions.split(**parameters)
    del parameters["pixels"]
    kind = parameters.pop("where")
    names = {"PolygonROI": ["vertices"], "RectangularROI": ["box"]}
    names = names.get(kind, ["centre", "radius", "inner_radius"])
    values = np.hstack([np.ravel(parameters.pop(name)) for name in names])
    if kind == "PolygonROI":
        where = values.reshape(-1, 2)
    else:
        where = getattr(hs.roi, kind)(*values)
    return getattr(regions, operation)(where, **parameters)


def test_a_mask_is_recorded_by_its_box_and_digest(regions):
    records = []
    for mask in (box_mask(), da.from_array(box_mask(), chunks=(33, 41))):
        operation, record = last_step(regions.add_region(mask))
        assert operation == "add_region"
        assert record["where"] == "mask" and record["pixels"] == box_mask().sum()
        np.testing.assert_allclose(record["box"], [23.2, -0.9, 25.2, 6.5])
        records.append(record["sha1"])
    rows = np.ascontiguousarray(box_mask(), np.uint8)
    assert set(records) == {hashlib.sha1(rows).hexdigest()}


SHOW = """
import sys
import hyperspy.api as hs
import numpy as np
for path, lazy in ((path, lazy) for path in sys.argv[1:] for lazy in (False, True)):
    s = hs.load(path, lazy=lazy)
    steps = s.metadata.Processing.as_dictionary()
    for number in range(1, len(steps) + 1):
        step = steps[f"step_{number}"]
        numbers = {key: np.asarray(value).tolist() for key, value in
                   sorted(step["parameters"].items())}
        print(step["operation"], numbers)
    print(np.unique(np.asarray(s.labels.data), return_counts=True)[1].tolist())
"""


def test_corrections_in_a_file(regions, run_python, tmp_path):
    s = regions.add_region(hs.roi.PolygonROI([tuple(p) for p in TRIANGLE]))
    s = s.add_region(box_mask()).split(1, seeds=[(20.5, -1), (20.5, 3)])
    for _ in range(4):
        s = s.merge([1, 3]).add_region(hs.roi.CircleROI(23.0, 6.0, 1.1), label=3)
    paths = [tmp_path / f"s.{suffix}" for suffix in ("hspy", "zspy")]
    for path in paths:
        s.save(path)
    lines = run_python(SHOW, *paths).splitlines()
    *steps, counts = lines[: len(lines) // 4]
    assert lines == [*steps, counts] * 4  # two files, eager and lazy
    operations = [line.split(" ")[0] for line in steps]
    assert operations == ["from_labels", "add_region", "add_region", "split"] + [
        "merge", "add_region",
    ] * 4  # fmt: skip
    assert str(TRIANGLE.tolist()) in steps[1] and "PolygonROI" in steps[1]
    assert hashlib.sha1(box_mask().astype(np.uint8)).hexdigest() in steps[2]
    assert "[[20.5, -1.0], [20.5, 3.0]]" in steps[3]
    expected = np.unique(labels_of(s), return_counts=True)[1].tolist()
    assert counts == str(expected)


def test_the_chain_goes_on_from_corrected_regions(chain):
    corrected = chain.segmented.merge([1, 2]).split(1, [(0, 5.0), (9, 5.0)])
    corrected = corrected.add_region(hs.roi.CircleROI(4.5, 2.5, 1.0))
    corrected = corrected.remove_region(3, fill="nearest")
    peaks = corrected.find_peaks()
    assert peaks.region_labels.tolist() == [1, 2]
    assert peaks.is_crystalline(1) and peaks.is_crystalline(2)
    operations = [s["operation"] for s in
                  peaks.metadata.Processing.as_dictionary().values()]  # fmt: skip
    assert operations == [
        "segment", "merge", "split", "add_region", "remove_region", "find_peaks",
    ]  # fmt: skip
